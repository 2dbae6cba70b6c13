"""What a manifest promises: balance, pairs, names and a hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from harness_fakes import FakeWorld
from hypothesis import given
from hypothesis import strategies as st

from vlabench.contract.environment import DrawnEpisode
from vlabench.errors import UnknownNameError, UsageError
from vlabench.manifest import Manifest, build_manifest
from vlabench.suite import Cell, Suite, load_suite, suite_names
from vlabench.types import Change, EpisodeSpec

TASKS = ("place-on", "place-in", "stack")


def make_suite(**changes: object) -> Suite:
    values = {
        "name": "small",
        "version": 1,
        "description": "For tests.",
        "seed": 0,
        "episodes": 3,
        "tasks": TASKS,
        "cells": (
            Cell(axis="lighting", levels=("L1", "L2", "L3")),
            Cell(axis="object-pose", levels=("L1", "L2"), tasks=("stack",)),
        ),
    }
    return Suite.model_validate({**values, **changes})


suites = st.builds(
    lambda tasks, levels, episodes, seed: make_suite(
        tasks=tasks,
        episodes=episodes,
        seed=seed,
        cells=(
            Cell(axis="lighting", levels=levels),
            Cell(axis="object-pose", levels=("L2",), tasks=tasks[:1]),
        ),
    ),
    st.lists(st.sampled_from(TASKS), min_size=1, unique=True).map(tuple),
    st.lists(st.sampled_from(("L1", "L2", "L3")), min_size=1, unique=True).map(tuple),
    st.integers(1, 5),
    st.integers(0, 2**40),
)


@given(suites)
def test_every_cell_has_its_pairs_and_each_its_own_scene(suite: Suite) -> None:
    manifest = build_manifest(suite, FakeWorld())
    perturbed = [episode for episode in manifest.episodes if episode.changes]
    counts = Counter((e.task, e.changes) for e in perturbed)
    expected = {
        (task, cell.axis, level)
        for task in suite.tasks
        for cell in suite.cells_of(task)
        for level in cell.levels
    }
    assert {(task, c.axis, c.level) for task, (c,) in counts} == expected
    assert set(counts.values()) == {suite.episodes}
    scenes = Counter((e.task, e.changes[0].axis, e.index) for e in perturbed)
    assert set(scenes.values()) == {1}


@given(suites)
def test_a_twin_comes_once_and_just_before_its_perturbed_episodes(suite: Suite) -> None:
    manifest = build_manifest(suite, FakeWorld())
    assert len(manifest.by_id) == len(manifest.episodes)
    for nominal, *perturbed in manifest.groups():
        assert nominal.control_id is None
        assert nominal.changes == ()
        assert perturbed
        for episode in perturbed:
            assert episode.control_id == nominal.episode_id
            assert (episode.task, episode.index) == (nominal.task, nominal.index)
            assert episode.factors["goal"] == nominal.factors["goal"]
            assert episode.factors["light"] != nominal.factors["light"]
    assert sum(len(group) for group in manifest.groups()) == len(manifest.episodes)


@given(suites)
def test_any_prefix_is_balanced(suite: Suite) -> None:
    manifest = build_manifest(suite, FakeWorld())
    strata = {(task, level) for task in suite.tasks for level in range(_levels(suite))}
    seen = Counter(dict.fromkeys(strata, 0))
    tasks = Counter(dict.fromkeys(suite.tasks, 0))
    for nominal, *_ in manifest.groups():
        seen[nominal.task, nominal.index // suite.episodes] += 1
        tasks[nominal.task] += 1
        assert max(seen.values()) - min(seen.values()) <= 1
        assert max(tasks.values()) - min(tasks.values()) <= 1


def _levels(suite: Suite) -> int:
    return max(len(cell.levels) for cell in suite.cells)


@given(suites, st.integers(1, 30))
def test_a_limit_is_a_prefix_of_whole_groups(suite: Suite, limit: int) -> None:
    manifest = build_manifest(suite, FakeWorld())
    limited = manifest.limit(limit)
    assert limited.episodes == manifest.episodes[: len(limited.episodes)]
    assert list(limited.groups()) == list(manifest.groups())[:limit]


def test_the_order_depends_on_the_seed_alone() -> None:
    first, again = (build_manifest(make_suite(), FakeWorld()) for _ in range(2))
    other = build_manifest(make_suite(seed=1), FakeWorld())
    assert first.hash == again.hash

    def order(manifest: Manifest) -> list[tuple[str, int]]:
        return [(e.task, e.index) for e in manifest.episodes]

    assert order(first) == order(again)
    assert order(first) != order(other)
    assert sorted(order(first)) == sorted(order(other))


def test_a_manifest_survives_json_and_its_hash_covers_what_was_drawn() -> None:
    manifest = build_manifest(make_suite(), FakeWorld())
    data = manifest.to_json()
    assert Manifest.from_json(data) == manifest
    assert Manifest.from_json(data).hash == manifest.hash
    data["episodes"][0]["factors"] = {**data["episodes"][0]["factors"], "goal": 0.123}
    assert Manifest.from_json(data).hash != manifest.hash


def test_a_suite_without_cells_is_nominal() -> None:
    manifest = build_manifest(make_suite(cells=()), FakeWorld())
    assert len(manifest.episodes) == 9
    assert all(e.changes == () and e.control_id is None for e in manifest.episodes)
    assert {e.index for e in manifest.episodes} == {0, 1, 2}


def test_twins_are_the_episodes_of_a_nominal_suite_with_the_same_seed() -> None:
    def nominal(suite: Suite) -> set[str]:
        episodes = build_manifest(suite, FakeWorld()).episodes
        return {e.episode_id for e in episodes if e.control_id is None}

    assert nominal(make_suite(cells=())) <= nominal(make_suite())


def test_narrowing_to_tasks_keeps_their_episodes() -> None:
    def episodes(suite: Suite) -> dict[str, EpisodeSpec]:
        return dict(build_manifest(suite, FakeWorld()).by_id)

    whole, narrow = episodes(make_suite()), episodes(make_suite().narrowed(tasks=["place-in"]))
    assert narrow == {name: e for name, e in whole.items() if e.task == "place-in"}
    assert make_suite().narrowed(tasks=["place-in"]).cells == (make_suite().cells[0],)


def test_wrong_narrowings_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'stack'"):
        make_suite().narrowed(tasks=["stak"])
    with pytest.raises(UsageError, match="No task"):
        make_suite().narrowed(tasks=[])
    with pytest.raises(UsageError, match="episodes is 0"):
        make_suite().narrowed(episodes=0)
    with pytest.raises(UsageError, match="seed is -1"):
        make_suite().narrowed(seed=-1)
    with pytest.raises(UsageError, match="limit is 0"):
        build_manifest(make_suite(), FakeWorld()).limit(0)


@pytest.mark.parametrize("name", suite_names())
def test_packaged_suites_read_and_explain_themselves(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert suite.description.endswith(".")
    text = (Path(__file__).parents[2] / "suites" / f"{name}.yaml").read_text()
    assert text.startswith("# ")


def test_the_smoke_suite_has_ten_episodes() -> None:
    suite = load_suite("smoke")
    pairs = suite.episodes * sum(
        1 + len(cell.levels) for task in suite.tasks for cell in suite.cells_of(task)
    )
    assert pairs == 10


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("place-in, stack]", "place-in, stak]", r"small\.yaml:7: There is no task 'stak'"),
        ("axis: object-pose", "axis: object-pos", r"small\.yaml:11: There is no .*object-pos:L2"),
    ],
)
def test_a_name_that_the_world_does_not_know_has_a_line(
    old: str, new: str, text: str, suite_file: Path
) -> None:
    suite_file.write_text(
        suite_file.read_text().replace(old, new).replace("place-on, stack]", "place-on]")
    )
    suite = load_suite(str(suite_file)).narrowed(episodes=1)
    with pytest.raises(UsageError, match=text):
        build_manifest(suite, FakeWorld())


class RegistryWorld(FakeWorld):
    """Names the nearest task, axis or level, as a world with registries does."""

    def draw(self, task: str, changes: Sequence[Change], *, seed: int, index: int) -> DrawnEpisode:
        if task not in TASKS:
            raise UnknownNameError("task", task, TASKS)
        for change in changes:
            if change.axis not in ("lighting", "object-pose"):
                raise UnknownNameError("axis", change.axis, ("lighting", "object-pose"))
            if change.level not in ("L1", "L2"):
                raise UsageError(f"The axis {change.axis!r} has no level {change.level!r}.")
        return super().draw(task, changes, seed=seed, index=index)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("stack", "stak", r"Unknown task 'stak' in .*small\.yaml:7; did you mean 'stack'"),
        ("object-pose", "object-pos", r"Unknown axis .*small\.yaml:11; did you mean 'object-pose'"),
        ("[L1, L2]", "[L1,\n      L9]", r"small\.yaml:11: The axis 'lighting' has no level 'L9'"),
    ],
)
def test_the_nearest_name_stays_beside_the_line(
    old: str, new: str, text: str, suite_file: Path
) -> None:
    suite_file.write_text(suite_file.read_text().replace(old, new))
    with pytest.raises(UsageError, match=text) as caught:
        build_manifest(load_suite(str(suite_file)), RegistryWorld())
    assert isinstance(caught.value, UnknownNameError) is text.startswith("Unknown")


def test_a_packaged_suite_has_lines_too_and_one_of_no_file_has_none() -> None:
    with pytest.raises(UsageError, match=r"/smoke\.yaml:7: There is no task 'open-drawer'"):
        build_manifest(load_suite("smoke").narrowed(tasks=["open-drawer"]), FakeWorld())
    with pytest.raises(UsageError, match=r"^There is no task 'open-drawer'"):
        build_manifest(make_suite(tasks=("open-drawer",), cells=()), FakeWorld())


def test_an_axis_may_have_a_cell_for_each_task_but_not_two_for_one() -> None:
    def cells(*tasks: tuple[str, ...] | None) -> tuple[Cell, ...]:
        levels = (("L1",), ("L1", "L2"))
        given = zip(levels, tasks, strict=True)
        return tuple(Cell(axis="lighting", levels=of, tasks=names) for of, names in given)

    suite = make_suite(cells=cells(("stack",), ("place-on", "place-in")))
    perturbed = [e for e in build_manifest(suite, FakeWorld()).episodes if e.changes]
    counts = Counter((e.task, e.changes[0].level) for e in perturbed)
    assert counts == {
        ("stack", "L1"): 3,
        **{(task, level): 3 for task in ("place-on", "place-in") for level in ("L1", "L2")},
    }
    for other in (("stack",), ("place-on", "stack"), None):
        with pytest.raises(ValueError, match="the axis 'lighting' is given twice"):
            make_suite(cells=cells(("stack",), other))


def test_a_level_that_does_not_fit_its_task_has_the_line_of_that_cell(suite_file: Path) -> None:
    text = suite_file.read_text().replace("levels: [L1, L2]", "levels: [L1]\n    tasks: [place-in]")
    text += "  - axis: lighting\n    levels: [L9]\n    tasks: [stack]\n"
    suite_file.write_text(
        text.replace("[place-on, place-in, stack]", "[place-in, stack]").replace(
            "[place-on, stack]", "[stack]"
        )
    )
    with pytest.raises(UsageError, match=r"small\.yaml:15: There is no axis and level lighting:L9"):
        build_manifest(load_suite(str(suite_file)), FakeWorld())


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lighting'"):
        load_suite("lightning")
