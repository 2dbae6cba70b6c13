"""What a summary says of runs whose outcomes we chose, and how it is written down."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_fakes import episodes, make_run, rewrite

from vlabench import report, stats
from vlabench.errors import UsageError
from vlabench.report import Row, Summary, summarize
from vlabench.report.plots import _figure
from vlabench.runinfo import Conditions, Determinism, PolicyInfo, Stopping
from vlabench.store import Run
from vlabench.types import EpisodeSpec, Status

DIM, DARK = ("lighting", "L1"), ("lighting", "L2")
MOVED = ("object-pose", "L1")


def dark_fails(spec: EpisodeSpec) -> Status:
    """Everything succeeds but half of the scenes in the dark; stack fails when things moved."""
    if spec.changes and spec.changes[0].level == "L2" and spec.index % 2:
        return "failure"
    if spec.changes and spec.changes[0].axis == "object-pose" and spec.task == "stack":
        return "failure"
    return "success"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(
        tmp_path / "run", episodes(["stack", "place"], [DIM, DARK, MOVED], 10), dark_fails
    )


def level(summary: Summary, axis: str, name: str, task: str | None = None) -> Row:
    rows = summary.levels if task is None else summary.cells
    (row,) = [r for r in rows if (r.axis, r.level, r.task) == (axis, name, task)]
    return row


def test_cells_means_and_gaps(run: Run) -> None:
    summary = summarize(run)
    dark = level(summary, "lighting", "L2", "stack")
    assert dark.rate is not None
    assert (dark.rate.value, dark.rate.n) == (0.5, 10)
    assert (dark.rate.low, dark.rate.high) == pytest.approx(stats.wilson_interval(5, 10))
    assert dark.twin is not None
    assert dark.twin.value == 1.0
    assert dark.gap is not None
    assert (dark.gap.value, dark.gap.twin_only, dark.gap.changed_only) == (0.5, 5, 0)
    assert (dark.gap.low, dark.gap.high) == pytest.approx(stats.tango_interval(5, 0, 10))
    assert dark.gap.clear
    assert dark.retention == 0.5
    moved = level(summary, "object-pose", "L1")
    assert moved.rate is not None
    assert moved.rate.value == 0.5
    assert summary.nominal is not None
    assert summary.nominal.rate is not None
    assert summary.nominal.rate.value == 1.0


def test_overall_gives_tasks_equal_weight_and_names_the_worst_axis(run: Run) -> None:
    summary = summarize(run)
    assert summary.overall is not None
    assert summary.overall.rate is not None
    assert summary.overall.rate.value == pytest.approx(((1 + 0.5 + 0) / 3 + (1 + 0.5 + 1) / 3) / 2)
    assert summary.worst_axis is not None
    assert summary.worst_axis.axis == "object-pose"
    assert [row.axis for row in summary.axes] == ["lighting", "object-pose"]


def test_a_task_with_more_episodes_weighs_no_more(tmp_path: Path) -> None:
    planned = episodes(["stack"], [MOVED], 30) + episodes(["place"], [MOVED], 10)
    summary = summarize(make_run(tmp_path / "run", planned, dark_fails))
    row = level(summary, *MOVED)
    assert row.rate is not None
    assert row.rate.value == pytest.approx(0.5)
    assert row.gap is not None
    assert row.gap.value == pytest.approx(0.5)


def test_missing_is_no_failure_and_breaks_the_pair(tmp_path: Path) -> None:
    planned = episodes(["stack"], [DIM], 10)

    def outcome(spec: EpisodeSpec) -> Status | None:
        if spec.index == 0 and spec.changes:
            return None
        if spec.index == 1 and not spec.changes:
            return None
        if spec.index == 2 and spec.changes:
            return "infra_error"
        return "success" if spec.index < 6 else "policy_error"

    summary = summarize(make_run(tmp_path / "run", planned, outcome))
    row = level(summary, *DIM, task="stack")
    assert (row.planned, row.missing, row.policy_errors) == (10, 2, 4)
    assert row.rate is not None
    assert (row.rate.n, row.rate.value) == (8, 0.5)
    assert row.gap is not None
    assert row.gap.pairs == 7
    assert summary.missing == 3
    assert not summary.valid
    assert summary.overall is None
    assert "NOT VALID" in report.text(summary)


def test_nothing_ran_yet(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [DIM], 3)
    summary = summarize(make_run(tmp_path / "run", planned, lambda spec: None))
    assert summary.overall is None
    assert summary.nominal is not None
    assert all(
        (row.rate, row.twin, row.gap, row.retention) == (None,) * 4
        for row in (summary.nominal, *summary.axes, *summary.levels, *summary.cells)
    )
    assert summary.worst_axis is None
    assert "0.0" not in report.text(summary)
    report.plot(summary, tmp_path / "empty.png")


def test_a_mean_needs_every_task(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [DIM], 3)
    half = make_run(
        tmp_path / "run", planned, lambda spec: "success" if spec.task == "stack" else None
    )
    assert level(summarize(half), *DIM).rate is None
    stack = level(summarize(half), *DIM, task="stack").rate
    assert stack is not None
    assert stack.value == 1.0


def test_a_lost_cell_leaves_the_task_to_its_others(tmp_path: Path) -> None:
    """One episode of many that is alone in its cell takes the overall rate with it no longer."""
    planned = [
        *episodes(["stack", "place"], [DIM], 150),
        *episodes(["stack"], [("camera", "L1")], 1),
    ]
    run = make_run(
        tmp_path / "run",
        planned,
        lambda spec: None if str(spec.changes).count("camera") else dark_fails(spec),
    )
    summary = summarize(run)
    assert summary.valid
    assert summary.missing == 1
    assert level(summary, "camera", "L1").rate is None
    assert summary.overall is not None
    assert summary.overall.rate is not None
    without = [spec for spec in planned if "camera" not in str(spec.changes)]
    whole = summarize(make_run(tmp_path / "whole", without, dark_fails))
    assert whole.overall is not None
    assert summary.overall.rate == whole.overall.rate


def test_a_part_of_a_suite_has_no_overall(tmp_path: Path) -> None:
    planned = episodes(["place-on"], [("lighting", "L2")], 5)
    summary = summarize(make_run(tmp_path / "part", planned, dark_fails, complete=False))
    assert not summary.header.complete
    assert summary.overall is None
    assert "PARTIAL" in report.markdown(summary)
    assert "PARTIAL" in report.text(summary)
    frame = report.to_frame(summary)
    assert set(zip(frame["complete"], frame["valid"], strict=True)) == {(False, True)}
    words = [found.get_text() for found in _figure(summary).texts]
    assert any("PARTIAL" in line for line in words)
    assert summarize(make_run(tmp_path / "whole", planned, dark_fails)).overall


def test_scenes_shared_by_axes_count_for_less(tmp_path: Path) -> None:
    axes = [(f"axis-{k}", "L1") for k in range(5)]
    run = make_run(
        tmp_path / "run",
        episodes(["stack"], axes, 20),
        lambda spec: "success" if spec.index % 2 else "failure",
    )
    overall = summarize(run).overall
    assert overall is not None
    assert overall.rate is not None
    assert overall.rate.n == 100
    honest = stats.wilson_interval(10, 20)
    assert overall.rate.high - overall.rate.low == pytest.approx(honest.high - honest.low, rel=0.15)


def test_chains(tmp_path: Path) -> None:
    planned = episodes(["chain", "stack"], [], 6)
    run = make_run(
        tmp_path / "run", planned, lambda spec: "success" if spec.index < 2 else "failure"
    )
    (chain,) = summarize(run).chains
    assert (chain.task, chain.stages, chain.n) == ("chain", ("open", "put in", "close"), 6)
    assert chain.success_at == pytest.approx((5 / 6, 4 / 6, 2 / 6))
    assert chain.mean == pytest.approx(11 / 6)
    assert "Long horizon" in report.text(summarize(run))


def test_stages_are_told_given_those_before(tmp_path: Path) -> None:
    """Of six episodes two succeed, and the others reach 2, 0, 1 and 2 of three stages."""
    planned = episodes(["chain", "stack"], [], 6)
    run = make_run(
        tmp_path / "run", planned, lambda spec: "success" if spec.index < 2 else "failure"
    )
    (chain,) = summarize(run).chains
    first, second, third = chain.given_before
    assert first is not None
    assert second is not None
    assert third is not None
    assert [(r.value, r.n) for r in (first, second, third)] == [(5 / 6, 6), (4 / 5, 5), (2 / 4, 4)]
    assert (first.low, first.high) == pytest.approx(stats.wilson_interval(5, 6))
    assert chain.first_failed == pytest.approx((1 / 6, 1 / 6, 2 / 6))
    shown = report.text(summarize(run))
    assert "80.0" in shown
    assert "33.3 close" in shown
    report.write(run)
    with (run.path / "tables" / "stages.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["name"], line["reached"]) for line in lines] == [
        ("open", "6"),
        ("put in", "5"),
        ("close", "4"),
    ]
    assert float(lines[1]["given_before"]) == pytest.approx(0.8)


def test_a_stage_that_nobody_came_to_has_no_rate(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", episodes(["chain"], [], 3), lambda spec: "failure")
    run = rewrite(
        run,
        lambda r: replace(
            r,
            progress=0.0,
            chain_length=0,
            stages=tuple(replace(s, success=False, step=None) for s in r.stages),
        ),
    )
    (chain,) = summarize(run).chains
    assert chain.given_before[0] is not None
    assert chain.given_before[0].value == 0.0
    assert chain.given_before[1:] == (None, None)
    assert chain.first_failed == (1.0, 0.0, 0.0)


def test_stages_done_in_any_order_are_counted_and_not_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", episodes(["chain"], [], 4), lambda spec: "failure")
    run = rewrite(
        run,
        lambda r: replace(
            r,
            progress=2 / 3,
            chain_length=2,
            stages=tuple(replace(s, success=k > 0, step=None) for k, s in enumerate(r.stages)),
        ),
    )
    (chain,) = summarize(run).chains
    assert chain.stages == ("any 1", "any 2", "any 3")
    assert chain.success_at == (1.0, 1.0, 0.0)
    assert chain.first_failed == (0.0, 0.0, 1.0)
    assert "100.0 any 3" in report.text(summarize(run))


def test_new_tasks_have_an_interval_of_their_own(tmp_path: Path) -> None:
    def runs(count: int) -> Summary:
        tasks = [f"task-{number}" for number in range(count)]
        folder = tmp_path / str(count)
        return summarize(make_run(folder, episodes(tasks, [], 6), lambda s: outcome(s.task, s)))

    def outcome(task: str, spec: EpisodeSpec) -> Status:
        return "success" if spec.index <= int(task.partition("-")[2]) else "failure"

    assert runs(9).new_tasks is None
    summary = runs(12)
    wide, overall = summary.new_tasks, summary.overall
    assert wide is not None
    assert overall is not None
    assert overall.rate is not None
    assert wide.low < overall.rate.low < overall.rate.high < wide.high
    assert "new tasks like these" in report.text(summary)


def test_time_to_success_counts_failures_as_their_horizon(tmp_path: Path) -> None:
    """The fakes succeed after 2.5 s, 50 steps; so the horizon of 100 steps is 5 s."""
    planned = episodes(["stack", "place"], [DIM], 4)

    def outcome(spec: EpisodeSpec) -> Status:
        return "success" if spec.index < (3 if spec.task == "stack" else 1) else "policy_error"

    summary = summarize(make_run(tmp_path / "run", planned, outcome))
    times = {row.task: row.time_s for row in summary.cells if row.kind == "nominal"}
    assert times == pytest.approx({"stack": (3 * 2.5 + 5) / 4, "place": (2.5 + 3 * 5) / 4})
    assert summary.nominal is not None
    assert summary.nominal.time_s == pytest.approx(3.75)
    assert report.to_frame(summary)["time_to_success_s"][0] == pytest.approx(3.75)
    never = summarize(make_run(tmp_path / "never", planned, lambda spec: "failure"))
    assert never.nominal is not None
    assert never.nominal.time_s is None


def test_reliability_is_the_chance_that_several_succeed(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [DIM], 10)

    def outcome(spec: EpisodeSpec) -> Status:
        return "success" if spec.index < 7 or spec.task == "place" else "failure"

    summary = summarize(make_run(tmp_path / "run", planned, outcome))
    assert summary.nominal is not None
    of_stack = [stats.pass_hat_k(7, 10, k) for k in (2, 4, 8)]
    assert of_stack[-1] == 0.0
    assert summary.nominal.pass_at == pytest.approx([(1 + share) / 2 for share in of_stack])
    few = summarize(make_run(tmp_path / "few", episodes(["stack"], [], 3), outcome))
    assert few.nominal is not None
    assert few.nominal.pass_at == (1.0, None, None)
    block = report.text(few).split("Time and reliability")[1]
    (line,) = [line for line in block.splitlines() if line.startswith("  unchanged")]
    assert line.split()[1:] == ["100.0", "100.0", "–", "–", "2.5"]


def test_a_run_that_a_rule_ended_has_no_overall(tmp_path: Path) -> None:
    rule = Stopping("base", "hash", 0.05, 0.05, "non-inferior", 4, 0, 0, asked=8)
    planned = episodes(["stack", "place"], [DIM], 4)
    run = make_run(tmp_path / "run", planned, dark_fails, stopping=rule)
    summary = summarize(run)
    assert run.valid
    assert (summary.planned, summary.missing, summary.overall) == (8, 0, None)
    for shown in (report.text(summary), report.markdown(summary)):
        assert "STOPPED EARLY" in shown
    assert set(report.to_frame(summary)["stopped_early"]) == {True}
    assert any("STOPPED EARLY" in found.get_text() for found in _figure(summary).texts)


def test_episodes_that_were_run_twice_are_told(tmp_path: Path) -> None:
    twice = Determinism(asked=4, repeated=4, flips=("one",), same_actions=3, same_states=3)
    run = make_run(tmp_path / "run", episodes(["stack"], [], 4), dark_fails, determinism=twice)
    shown = " ".join(report.text(summarize(run)).split())
    assert "Run twice: 4 episodes, of which 1 (25.0 %) succeeded once" in shown


def test_a_chain_has_as_many_stages_as_its_condition_asks_for(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", episodes(["chain"], [DIM], 4), lambda _: "success")
    run = rewrite(
        run, lambda r: r if r.changes else replace(r, stages=r.stages[:2], chain_length=2)
    )
    nominal, dim = summarize(run).chains
    assert (nominal.condition, len(nominal.stages), nominal.success_at) == ("nominal", 2, (1, 1))
    assert (dim.condition, len(dim.stages), dim.mean) == ("lighting:L1", 3, 3)


SWAPPED = ("swapped-goal", "L1")


def mostly_deaf(spec: EpisodeSpec) -> Status:
    """Everything succeeds but what tries if the policy listens, of which three quarters fail."""
    return "failure" if spec.diagnostic and spec.index % 4 else "success"


def test_diagnostics_stand_outside_every_rate(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [DIM, SWAPPED], 8)
    summary = summarize(make_run(tmp_path / "run", planned, mostly_deaf))
    assert summary.overall is not None
    assert summary.overall.rate is not None
    assert (summary.overall.rate.value, summary.overall.rate.n) == (1.0, 16)
    assert [row.axis for row in summary.axes] == ["lighting"]
    assert {row.axis for row in summary.cells} == {None, "lighting"}
    assert summary.worst_axis is not None
    assert summary.worst_axis.axis == "lighting"
    (complied,) = summary.compliance
    assert (complied.kind, complied.axis, complied.level) == ("compliance", *SWAPPED)
    assert complied.rate is not None
    assert (complied.rate.value, complied.rate.n) == (0.25, 16)
    assert (complied.gap, complied.twin) == (None, None)
    assert (summary.planned, summary.missing) == (48, 0)
    assert summary.roughness is not None
    assert summary.roughness.n == 32


def test_compliance_is_shown_in_text_frame_and_picture(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [DIM, SWAPPED], 8)
    summary = summarize(make_run(tmp_path / "run", planned, mostly_deaf))
    for shown in (report.text(summary), report.markdown(summary)):
        assert "Compliance" in shown
        (line,) = [line for line in shown.splitlines() if "swapped-goal:L1" in line]
        assert "25.0" in line
    frame = report.to_frame(summary)
    (row,) = frame[frame.kind == "compliance"].to_dict("records")
    assert row["compliance"] == 0.25
    assert np.isnan(row["success_rate"])
    texts = [text.get_text() for text in _figure(summary).axes[0].texts]
    assert texts.index("swapped-goal:L1") > texts.index("Compliance (diagnostic)")


def test_diagnostics_alone_have_no_overall_rate(tmp_path: Path) -> None:
    planned = episodes(["stack", "place"], [SWAPPED, ("swapped-goal", "L2")], 8)
    summary = summarize(make_run(tmp_path / "run", planned, mostly_deaf))
    assert summary.valid
    assert summary.overall is None
    assert summary.nominal is not None
    assert summary.nominal.rate is not None
    assert summary.nominal.rate.value == 1.0
    assert [row.level for row in summary.compliance] == ["L1", "L2"]
    (axis,) = summary.compliance_axes
    assert (axis.axis, axis.level) == ("swapped-goal", None)
    assert axis.rate is not None
    assert (axis.rate.value, axis.rate.n) == (0.25, 32)
    assert "unchanged" in report.text(summary)
    assert "overall" not in report.text(summary).split("Compliance is")[0]
    shown = [text.get_text() for text in _figure(summary).axes[0].texts]
    assert "All tasks, unchanged" in shown


def test_missing_diagnostics_count_as_missing(tmp_path: Path) -> None:
    planned = episodes(["stack"], [SWAPPED], 8)

    def lost(spec: EpisodeSpec) -> Status | None:
        return None if spec.diagnostic and spec.index == 3 else "success"

    summary = summarize(make_run(tmp_path / "run", planned, lost))
    assert (summary.missing, summary.compliance[0].missing) == (1, 1)
    assert not summary.valid


def test_safety_is_told_over_all_episodes_that_are_no_diagnostics(run: Run) -> None:
    rough = summarize(run).roughness
    assert rough is not None
    assert (rough.n, rough.collision_rate) == (80, 0.5)
    assert rough.max_force_p95_n == pytest.approx(np.percentile([*range(10)] * 8, 95))
    assert rough.drops == pytest.approx(20 / 80)
    assert rough.collision_interval == stats.clopper_pearson_interval(40, 80)
    assert "collisions in 50.0 % (95 % interval 38.6" in report.text(summarize(run))
    assert "sampled at 20 Hz" in " ".join(report.text(summarize(run)).split())


def test_text_fits_a_terminal(run: Run) -> None:
    lines = report.text(summarize(run)).splitlines()
    assert max(len(line) for line in lines) <= 100
    (dark,) = [line for line in lines[lines.index("stack") :][:5] if "lighting:L2" in line]
    words = dark.split()
    assert words[:8] == ["lighting:L2", "50.0", "23.7", "to", "76.3", "10", "100.0", "+50.0"]
    assert words[-2:] == ["0", "0"]


def test_privileged_is_marked_everywhere(tmp_path: Path) -> None:
    policy = PolicyInfo(name="expert", args={}, spec={}, privileged=True)
    planned = episodes(["stack"], [DIM], 2)
    summary = summarize(make_run(tmp_path / "run", planned, dark_fails, policy=policy))
    assert "expert (privileged)" in report.text(summary)
    assert "expert (privileged)" in report.markdown(summary)
    assert set(report.to_frame(summary)["privileged"]) == {True}


@pytest.mark.parametrize(
    ("conditions", "mark", "cells"),
    [
        (Conditions(80.0), "LATENCY", (80.0, None)),
        (Conditions("measured"), "NOT REPRODUCIBLE", ("measured", None)),
        (
            Conditions(mismatches=("it works at 5 Hz", "it has *two* hands")),
            "MISMATCH ALLOWED",
            (None, "it works at 5 Hz; it has *two* hands"),
        ),
    ],
)
def test_unusual_conditions_are_marked_everywhere(
    conditions: Conditions, mark: str, cells: tuple[object, object], tmp_path: Path
) -> None:
    planned = episodes(["stack"], [DIM], 2)
    summary = summarize(make_run(tmp_path / "run", planned, dark_fails, conditions=conditions))
    for shown in (report.text(summary), report.markdown(summary)):
        assert mark in shown
        assert all(text.split()[0] in shown for text in conditions.mismatches)
    assert max(len(line) for line in report.text(summary).splitlines()) <= 100
    frame = report.to_frame(summary)
    found = frame.iloc[0][["latency_setting_ms", "allow_mismatch"]]
    assert tuple(found.where(found.notna(), None)) == cells
    assert any(mark in text.get_text() for text in _figure(summary).texts)
    usual = summarize(make_run(tmp_path / "usual", planned, dark_fails))
    assert mark not in report.text(usual) + report.markdown(usual)


def test_names_cannot_break_out(run: Run) -> None:
    summary = summarize(run)
    wild = "<script>|[x](y) `z` *b* $m$\n# h\x1b[31m"
    header = replace(summary.header, policy=wild, suite=wild)
    cells = tuple(
        replace(cell, task=wild, axis="a|b" if cell.axis else None) for cell in summary.cells
    )
    summary = replace(summary, header=header, cells=cells)
    written = report.markdown(summary)
    assert "<script>" not in written
    assert "\x1b" not in written + report.text(summary)
    tables = [block for block in written.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({row.replace("\\|", "").count("|") for row in table.splitlines()}) == 1
    _, other = [line for line in written.splitlines() if line.startswith("#")]
    assert other == "#### Time and reliability"


def test_frame_has_a_row_for_each_line_and_empty_for_no_data(run: Run) -> None:
    frame = report.to_frame(summarize(run))
    assert list(frame["kind"]).count("level") == 3 + 6
    nominal = frame[frame["kind"] == "nominal"]
    assert nominal["gap"].isna().all()
    assert frame.loc[frame["kind"] == "overall", "success_rate"].item() == pytest.approx(2 / 3)


def test_write_puts_tables_and_a_picture_into_the_folder(run: Run) -> None:
    paths = report.write(run)
    names = [path.relative_to(run.path).as_posix() for path in paths]
    assert names == [
        "tables/summary.txt",
        "tables/summary.md",
        "tables/summary.csv",
        "plots/generalization.png",
    ]
    rows = list(csv.DictReader(io.StringIO(paths[2].read_text())))
    assert rows[0]["kind"] == "overall"
    assert rows[1]["gap"] == ""
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in report.write(Run.open(run.path))] == before


def test_a_folder_that_cannot_be_written_is_one_sentence(run: Run) -> None:
    (run.path / "tables").touch()
    with pytest.raises(UsageError, match="Cannot write the tables"):
        report.write(run)


def test_the_picture_is_wide_and_shows_both_colours(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new" / "plot.png"
    report.plot(summarize(run), path)
    with Image.open(path) as image:
        assert image.width == 1440
        colors = {color for _, color in image.convert("RGB").getcolors(1 << 24) or []}
    assert {(0, 114, 178), (213, 94, 0)} <= colors


def test_a_long_suite_is_drawn_without_its_tasks(tmp_path: Path) -> None:
    tasks = [f"task-{k}" for k in range(20)]
    run = make_run(tmp_path / "run", episodes(tasks, [DIM, DARK, MOVED], 1), dark_fails)
    report.plot(summarize(run), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.height < image.width
