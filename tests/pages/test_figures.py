"""Figures show what the tables say, in colours that everybody can read."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from page_runs import HACK, hostile_run, plain_run
from PIL import Image

from vlabench import stats
from vlabench.comparison import compare
from vlabench.figures import (
    Figure,
    Named,
    figures_of_comparison,
    figures_of_run,
    figures_of_runs,
    svg,
    write_paper,
)
from vlabench.figures.dots import PERCENT, DotRow, Whisker, dot_plot
from vlabench.figures.heat import gap_cell, heat_scene, share_cell
from vlabench.figures.palette import DARK, LIGHT, contrast
from vlabench.figures.paper import PAPER_WIDTH
from vlabench.figures.scene import NARROW, WIDE, Scene, Words, extent, fitted, fitted_apart
from vlabench.report import Gap, Summary, summarize
from vlabench.report.form import percent, signed
from vlabench.store import Run

TEXT = ("ink", "muted", "link", "bad-ink", "good-ink")
MARKS = ("before", "after", "well", "edge", *(f"series-{k}" for k in range(1, 7)))
SHADES = [f"{side}-{k}" for side in ("loss", "gain") for k in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return plain_run(tmp_path_factory.mktemp("runs") / "base", skill=90, count=10)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarize(run)


@pytest.fixture(scope="module")
def figures(run: Run, summary: Summary) -> dict[str, Figure]:
    return {f.name: f for f in figures_of_run(summary, run.results, run.records)}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_every_ground(palette: dict[str, str]):
    for ground, ink in itertools.product(("ground", "surface"), TEXT):
        assert contrast(palette[ground], palette[ink]) >= 4.5, (ground, ink)
    for mark in MARKS:
        assert contrast(palette["ground"], palette[mark]) >= 3, mark
    for shade in SHADES:
        assert contrast(palette[shade], palette["ink"]) >= 4.5, shade


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # the grey that everybody quotes as the lightest that passes on white
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_both_palettes_have_the_same_colours():
    assert set(LIGHT) == set(DARK)


def test_a_run_has_every_figure_that_it_has_data_for(figures: dict[str, Figure]):
    assert set(figures) == {
        "success",
        "gaps",
        "strength",
        "stages",
        "success-at-k",
        "failures",
        "time-to-success",
        "latency",
        "compliance",
    }


def test_what_each_change_costs_is_what_the_table_says(
    figures: dict[str, Figure], summary: Summary
):
    shown = {row[0]: row for row in figures["success"].rows}
    for row in summary.axes:
        assert row.rate is not None
        assert row.gap is not None
        assert shown[row.axis][1] == percent(row.rate.value)
        assert shown[row.axis][5] == signed(row.gap.value)


def test_a_gap_that_may_be_none_is_grey():
    assert gap_cell(Gap(0.3, -0.01, 0.5, 20, 8, 2)).color == "surface"
    assert gap_cell(Gap(0.3, 0.01, 0.5, 20, 8, 2)).color == "loss-3"
    assert gap_cell(Gap(-0.6, -0.8, -0.1, 20, 2, 8)).color == "gain-4"


def test_the_50_percent_point_is_that_of_the_statistics(figures: dict[str, Figure], run: Run):
    solved, tried = [], []
    for level in (None, "L1", "L2", "L3"):
        own = [
            r
            for r in run.results
            if (
                not r.changes
                if level is None
                else [str(c) for c in r.changes] == [f"camera:{level}"]
            )
        ]
        tried.append(len(own))
        solved.append(sum(r.success for r in own))
    curve = stats.strength_curve([0, 1, 2, 3], solved, tried)
    assert curve is not None
    assert curve.half is not None
    told = next(row[-1] for row in figures["strength"].rows if row[0] == "camera")
    assert told.startswith(f"50 % at {curve.half:.2f}")


def test_the_curve_of_times_ends_at_the_success_rate(figures: dict[str, Figure], summary: Summary):
    shown = {row[0]: row for row in figures["time-to-success"].rows}
    assert summary.overall is not None
    assert summary.overall.rate is not None
    assert summary.nominal is not None
    assert summary.nominal.rate is not None
    assert shown["changed"][-1] == percent(summary.overall.rate.value)
    assert shown["unchanged"][-1] == percent(summary.nominal.rate.value)


def test_the_funnel_says_where_episodes_ended(figures: dict[str, Figure], summary: Summary):
    chain = next(c for c in summary.chains if c.condition == "nominal")
    shown = [row for row in figures["stages"].rows if row[1] == "unchanged"]
    assert [row[3] for row in shown] == [percent(share) for share in chain.success_at]
    assert [row[6] for row in shown] == [percent(share) for share in chain.first_failed]


def test_kinds_of_failure_are_counted(figures: dict[str, Figure], run: Run):
    counted = {row[0]: int(row[1]) for row in figures["failures"].rows}
    own = [r.failure for r in run.records if not r.success and r.compliance is None]
    assert counted == {mode: own.count(mode) for mode in set(own)}


def test_the_forest_has_the_intervals_of_the_comparison(run: Run, tmp_path: Path):
    worse = plain_run(tmp_path / "worse", skill=50, count=10)
    comparison = compare(run, worse)
    forest = figures_of_comparison(comparison)[0]
    shown = {row[0]: row for row in forest.rows}
    for line in (comparison.overall, *comparison.axes, *comparison.tasks):
        told = shown[line.name or "all episodes"]
        assert told[3] == signed(line.difference)
        assert told[4] == f"{signed(line.interval.low)} to {signed(line.interval.high)}"
    named = [Named(r.path.name, summarize(r), r.results) for r in (run, worse)]
    assert [f.name for f in figures_of_runs(named)] == [
        "policies",
        "policy-gaps",
        "time-to-success",
        "speed",
    ]


def test_every_figure_is_whole_at_every_width(figures: dict[str, Figure]):
    for figure in figures.values():
        for width in (WIDE, NARROW):
            scene = figure.draw(width)
            root = ElementTree.fromstring(svg(scene, figure.alt))  # noqa: S314 - our own
            assert root.get("aria-label") == figure.alt
            assert figure.alt
            assert figure.note
            if not figure.fixed:
                assert scene.width <= width
            for mark in scene.marks:
                if isinstance(mark, Words) and not mark.turned:
                    assert -1 <= mark.x <= scene.width + 1, (figure.name, mark)
                    assert 0 <= mark.y <= scene.height, (figure.name, mark)


def test_what_others_wrote_stays_text_in_a_picture(tmp_path: Path):
    run = hostile_run(tmp_path / "hostile")
    for figure in figures_of_run(summarize(run), run.results, run.records):
        text = svg(figure.draw(WIDE), figure.alt)
        root = ElementTree.fromstring(text)  # noqa: S314 - our own
        kinds = {element.tag for element in root.iter()}
        assert kinds <= {"svg", "text", "title", "rect", "circle", "polyline", "polygon"}
        assert HACK not in text
        for element in root.iter():
            assert not {name for name in element.attrib if name == "style" or name[:2] == "on"}


def test_figures_for_papers_repeat_to_the_bit(figures: dict[str, Figure], tmp_path: Path):
    for name in ("success", "strength"):
        first = write_paper(figures[name], tmp_path / "one")
        second = write_paper(figures[name], tmp_path / "two")
        for one, two in zip(first, second, strict=True):
            assert one.read_bytes() == two.read_bytes()
        assert first[0].read_bytes().startswith(b"%PDF")
        picture = np.asarray(Image.open(first[1]).convert("RGB"))
        assert picture.shape[1] > 1000
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


LEVELS = [f"store-in-drawer, confusable-distractor:L{level}" for level in (1, 2, 3)]


def texts(scene: Scene) -> set[str]:
    return {mark.text for mark in scene.marks if isinstance(mark, Words)}


@pytest.mark.parametrize("width", [WIDE, PAPER_WIDTH])
def test_names_are_whole_where_there_is_room(width: float):
    cells = {(row, k): share_cell(0.5, "") for row in range(3) for k in range(4)}
    scene = heat_scene(LEVELS, ["1", "2", "3", "4"], cells, width, level=True)
    assert set(LEVELS) <= texts(scene)
    assert scene.width <= width
    rows = [DotRow(name, (Whisker(0.5, 0.4, 0.6, "ink"),), ("50",)) for name in LEVELS]
    assert set(LEVELS) <= texts(dot_plot(rows, PERCENT, ["%"], (), width))


def test_names_that_are_cut_keep_their_ends_and_stay_different():
    names = [f"a-task-with-a-name-of-a-good-length, {'some-change-' * 9}x:L{k}" for k in range(12)]
    columns = [str(k) for k in range(30)]
    scene = heat_scene(names, columns, {}, PAPER_WIDTH, level=True)
    rows = [DotRow(name, (Whisker(0.5, 0.4, 0.6, "ink"),), ("50",)) for name in names]
    plots = [dot_plot(rows, PERCENT, ["%"], (), width) for width in (PAPER_WIDTH, NARROW)]
    for shown in map(texts, (scene, *plots)):
        cut = {text for text in shown if "…" in text}
        assert len(cut) == len(names)
        assert {text.rpartition(":")[2] for text in cut} == {f"L{k}" for k in range(12)}
    tips = {mark.tip for mark in scene.marks if isinstance(mark, Words)}
    assert set(names) <= tips


@pytest.mark.parametrize("place", [0, 30, 60, 90, 119, 300])
def test_wherever_names_differ_they_stay_different(place: int):
    names = ["x" * place + letter + "x" * (120 - place) for letter in "abcdefghijkl"]
    names += ["short", "拿" * 50, "拿" * 51, "y" * 5000, "y" * 5001]
    shown = fitted_apart(names, 200, 12)
    assert len({*shown.values()}) == len(names)
    assert shown["short"] == "short"
    assert all(extent(text, 12) <= 200 for text in shown.values())


def test_a_text_without_room_is_an_ellipsis():
    assert fitted("word", 1, 12) == "…"
    assert fitted("", 0, 12) == ""
