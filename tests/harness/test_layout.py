"""Which scenes a suite uses: how cells share them, and what takes the place of rejected ones."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from harness_fakes import FakeWorld
from hypothesis import given
from hypothesis import strategies as st

from vlabench.errors import UsageError
from vlabench.layout import Key, Scene, arrange, consulted
from vlabench.manifest import build_manifest
from vlabench.suite import Cell, Suite, load_suite
from vlabench.types import Change

TASKS = ("place-on", "place-in", "stack")
LIGHT, POSE = Cell(axis="lighting", levels=("L1", "L2")), Cell(axis="object-pose", levels=("L2",))


def make_suite(**changes: object) -> Suite:
    values = {
        "name": "small",
        "version": 1,
        "description": "For tests.",
        "seed": 0,
        "episodes": 3,
        "tasks": TASKS,
        "cells": (LIGHT, POSE),
    }
    return Suite.model_validate({**values, **changes})


spread = make_suite(layout="spread", scenes=7)
singles = make_suite(layout="singles", episodes=5)


def episodes(scenes: list[Scene]) -> Counter[tuple[str, Change | None]]:
    return Counter((scene.task, slot.change) for scene in scenes for slot in scene.slots)


def draws(scenes: list[Scene]) -> list[Key]:
    return [
        key
        for scene in scenes
        for key in ([scene.key()] if scene.nominal else []) + [scene.key(c) for c in scene.changes]
    ]


def test_spread_cells_take_turns_over_the_scenes() -> None:
    scenes = arrange(spread)
    assert {scene.index for scene in scenes} == set(range(7))
    assert all(scene.twin for scene in scenes)
    assert set(episodes(scenes).values()) == {3}
    used = Counter(len(scene.changes) for scene in scenes)
    assert set(used) == {1, 2}  # 9 changed episodes a task over 7 scenes
    for scene in scenes:
        axes = [change.axis for change in scene.changes]
        assert len(set(axes)) == len(axes), "inside one axis each pair has a scene of its own"


def test_singles_use_every_scene_once_and_half_of_them_unchanged() -> None:
    scenes = arrange(singles)
    assert len({scene.key() for scene in scenes}) == len(scenes) == 2 * 5 * 3
    assert sum(scene.nominal for scene in scenes) == 15
    assert all(len(scene.slots) == 1 and not scene.twin for scene in scenes)
    cells = Counter(change for scene in scenes for change in scene.changes)
    assert max(cells.values()) - min(cells.values()) <= 1
    for first, second in pairwise(scenes):
        assert first.nominal != second.nominal or first.task != second.task


def test_a_single_names_a_twin_that_is_not_in_the_manifest() -> None:
    manifest = build_manifest(singles, FakeWorld())
    changed = [episode for episode in manifest.episodes if episode.changes]
    assert len(changed) == 15
    assert all(e.control_id is not None and e.control_id not in manifest.by_id for e in changed)
    assert [len(group) for group in manifest.groups()] == [1] * 30
    assert len(manifest.limit(4).episodes) == 4


@pytest.mark.parametrize("suite", [make_suite(), spread, singles], ids=["levels", "spread", "one"])
def test_fewer_episodes_are_the_first_ones_in_the_same_scenes(suite: Suite) -> None:
    whole, narrow = arrange(suite), arrange(suite.narrowed(episodes=2))
    assert set(draws(narrow)) < set(draws(whole))
    assert [key for key in draws(whole) if key in set(draws(narrow))] == draws(narrow)
    counts = episodes(narrow)
    assert max(counts.values()) <= 2
    assert arrange(suite.narrowed(episodes=suite.episodes)) == whole


@pytest.mark.parametrize("suite", [make_suite(), spread, singles], ids=["levels", "spread", "one"])
def test_more_episodes_are_more(suite: Suite) -> None:
    more = arrange(suite.narrowed(episodes=20))
    assert len(draws(more)) > len(draws(arrange(suite)))
    assert len(set(draws(more))) == len(draws(more))


keys = st.tuples(
    st.sampled_from(TASKS),
    st.just(0),
    st.integers(0, 12),
    st.sampled_from([(), (Change("lighting", "L1"),), (Change("object-pose", "L2"),)]),
)


@given(st.frozensets(keys, max_size=12), st.sampled_from([make_suite(), spread, singles]))
def test_what_is_rejected_is_replaced_and_nothing_else_moves(
    rejected: frozenset[Key], suite: Suite
) -> None:
    before, after = arrange(suite), arrange(suite, rejected)
    assert episodes(before) == episodes(after), "every cell keeps its number of episodes"
    assert not set(draws(after)) & rejected
    assert len(set(draws(after))) == len(draws(after))
    assert not {scene.key() for scene in after} & rejected, "a twin that is rejected serves nobody"
    lost = {key[:3] for key in rejected}
    stayed = [k for k in draws(before) if k[:3] not in lost]
    assert set(stayed) <= set(draws(after))
    assert set(consulted(suite, rejected)) <= rejected
    assert arrange(suite, frozenset(consulted(suite, rejected))) == after


def test_a_rejected_scene_takes_all_its_changes_along() -> None:
    after = arrange(make_suite(), frozenset({("stack", 0, 1, ())}))
    (moved,) = [scene for scene in after if scene.index >= 6]
    assert (moved.task, moved.index) == ("stack", 6)
    assert moved.changes == (Change("lighting", "L1"), Change("object-pose", "L2"))


def test_a_rejected_change_moves_alone() -> None:
    change = Change("lighting", "L1")
    after = arrange(make_suite(), frozenset({("stack", 0, 1, (change,))}))
    (moved,) = [scene for scene in after if scene.index >= 6]
    assert (moved.task, moved.index, moved.changes, moved.twin) == ("stack", 6, (change,), True)
    (old,) = [scene for scene in after if (scene.task, scene.index) == ("stack", 1)]
    assert old.changes == (Change("object-pose", "L2"),)


# --- unions -----------------------------------------------------------------------------------


def write(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.yaml").write_text(f"name: {name}\nversion: 1\ndescription: A.\n{text}")
    return str(folder / f"{name}.yaml")


@pytest.fixture
def union(tmp_path: Path) -> Suite:
    light = write(
        tmp_path,
        "light",
        "seed: 0\nepisodes: 2\ntasks: [stack, place-on]\n"
        "cells: [{axis: lighting, levels: [L1, L2]}]\n",
    )
    pose = write(
        tmp_path,
        "pose",
        "seed: 0\nepisodes: 3\ntasks: [stack]\ncells: [{axis: object-pose, levels: [L2]}]\n",
    )
    return load_suite(write(tmp_path, "both", f"includes: [{light}, {pose}]\n"))


def test_a_union_has_what_its_parts_have_each_once(union: Suite) -> None:
    parts = [set(draws(arrange(part))) for part in union.parts]
    assert set(draws(arrange(union))) == parts[0] | parts[1]
    assert len(draws(arrange(union))) == len(parts[0] | parts[1]) < len(parts[0]) + len(parts[1])
    manifest = build_manifest(union, FakeWorld())
    assert len(manifest.by_id) == len(manifest.episodes)
    for nominal, *changed in manifest.groups():
        assert not nominal.changes
        assert all(episode.control_id == nominal.episode_id for episode in changed)


def test_a_union_is_narrowed_with_its_parts(union: Suite) -> None:
    assert union.all_tasks() == ("stack", "place-on")
    only = union.narrowed(tasks=["place-on"])
    assert {scene.task for scene in arrange(only)} == {"place-on"}
    assert len(only.parts) == 1
    one = episodes(arrange(union.narrowed(episodes=1)))
    assert set(one.values()) == {1}
    assert {scene.seed for scene in arrange(union.narrowed(seed=4))} == {4}


def test_a_union_replaces_what_its_parts_replace(union: Suite) -> None:
    rejected = frozenset({("stack", 0, 1, ()), ("stack", 0, 7, ())})
    expected = {key for part in union.parts for key in draws(arrange(part, rejected))}
    assert set(draws(arrange(union, rejected))) == expected
    assert consulted(union, rejected) == [("stack", 0, 1, ())]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("includes: [smoke]\nseed: 0\n", "has no 'seed'; take it away"),
        ("includes: [smok]\n", "Unknown suite 'smok' in 'includes' of .*did you mean 'smoke'"),
        ("includes: [smoke, smoke]\n", "'smoke' is given twice"),
        ("seed: 0\nepisodes: 1\n", "the key 'tasks' is missing; add it"),
        ("seed: 0\nepisodes: 0\ntasks: [stack]\n", r":5: .*episodes.* greater than or equal to 1"),
        ("seed: 0\nepisodes: 1\ntasks: []\n", "there are no tasks"),
        ("seed: 0\nepisodes: 1\ntasks: [stack]\nlayout: singles\n", "for suites with cells"),
        ("seed: 0\nepisodes: 1\ntasks: [stack]\nlayout: circles\n", "circles|layout"),
        ("seed: 0\nepisodes: 1\ntasks: [stack]\nscenes: 4\n", "belongs to the layout 'spread'"),
        (
            "seed: 0\nepisodes: 2\ntasks: [stack]\nlayout: spread\nscenes: 3\n"
            "cells: [{axis: lighting, levels: [L1, L2]}]\n",
            "'scenes' is 3, and one axis alone needs 4",
        ),
    ],
)
def test_wrong_suites_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_suite(write(tmp_path, "wrong", text))


def test_a_suite_that_includes_itself_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "me.yaml")
    assert write(tmp_path, "me", f"includes: [{path}]\n") == path
    with pytest.raises(UsageError, match="includes itself"):
        load_suite(path)
