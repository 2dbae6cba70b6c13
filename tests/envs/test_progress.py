from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.progress import HOLD_STEPS, Progress
from vlabench.envs.tasks.base import task as task_called
from vlabench.registry import TASKS

Solve = Callable[[str, int], Any]

ONE_STAGE = [name for name in TASKS.names() if len(task_called(name).stages) == 1]
ORDERED = [name for name in TASKS.names() if task_called(name).ordered]
UNORDERED = [name for name in TASKS.names() if not task_called(name).ordered]


class Watcher:
    """Shows states to a `Progress`, counting control steps."""

    def __init__(self, episode: Any) -> None:
        self.progress = Progress(episode.asked, episode.scene, ordered=episode.task.ordered)
        self.step = 0

    def see(self, data: mujoco.MjData, times: int) -> None:
        for _ in range(times):
            self.step += 1
            self.progress.update(data, self.step)

    @property
    def reached(self) -> list[int | None]:
        return [stage.step for stage in self.progress.stages]


def stored(episode: Any, *, opening: float, inside: bool) -> mujoco.MjData:
    """A state of store-in-drawer: share by which the drawer is open, and if the object is in it."""
    scene, data = episode.scene, episode.at(0)
    drawer = scene.parts["top drawer"]
    data.qpos[drawer.qpos] = opening * drawer.part.travel
    mujoco.mj_forward(scene.model, data)
    if inside:
        first = int(scene.model.joint("object joint").qposadr[0])
        floor = data.site_xpos[drawer.floor_site] - [0.0, 0.0, 1e-4]
        data.qpos[first : first + 7] = [*floor, 1.0, 0.0, 0.0, 0.0]
        mujoco.mj_forward(scene.model, data)
    return data


@pytest.mark.parametrize("task", ONE_STAGE)
def test_a_goal_counts_when_it_has_held_for_ten_steps(solved: Solve, task: str) -> None:
    assert HOLD_STEPS == 10
    episode = solved(task, 0)
    reset, done = episode.at(0), episode.at(-1)
    watch = Watcher(episode)
    watch.see(reset, 3)
    assert not watch.progress.success_once
    watch.see(done, 9)
    assert watch.progress.success_once
    assert not watch.progress.success
    assert watch.reached == [None]
    watch.see(done, 1)
    assert watch.progress.success
    assert watch.reached == [13]


def test_a_break_starts_the_clock_again(solved: Solve) -> None:
    episode = solved("place-on", 0)
    reset, done = episode.at(0), episode.at(-1)
    watch = Watcher(episode)
    for _ in range(3):
        watch.see(done, 9)
        watch.see(reset, 1)
    assert not watch.progress.success
    watch.see(done, 10)
    assert watch.reached == [40]


def test_success_stays_whatever_comes_later(solved: Solve) -> None:
    episode = solved("place-on", 0)
    watch = Watcher(episode)
    watch.see(episode.at(-1), 10)
    watch.see(episode.at(0), 20)
    assert watch.progress.success
    assert watch.reached == [10]


@pytest.mark.parametrize("task", ORDERED)
def test_the_experts_way_passes_every_stage_in_order(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    watch = watched(episode)
    steps = [step for step in watch.reached if step is not None]
    assert len(steps) == len(episode.asked)
    assert steps == sorted(set(steps))
    assert abs(steps[-1] - (len(episode.path) - 1)) <= 1
    assert all(late - early >= HOLD_STEPS for early, late in pairwise(steps))
    assert watch.progress.chain_length == len(episode.asked)


@pytest.mark.parametrize("task", UNORDERED)
def test_without_an_order_all_must_hold_together_in_the_end(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    watch = watched(episode)
    watch.see(episode.at(-1), 1)  # contacts made again from positions may come a step later
    assert watch.progress.success
    assert None not in watch.reached
    assert watch.progress.chain_length == len(episode.asked)
    # each was reached in its time, but one of them has been undone
    watch = Watcher(episode)
    watch.see(episode.at(-1), HOLD_STEPS - 1)
    undone = episode.at(-1)
    (goal,) = episode.asked[0].goals
    first = int(episode.scene.model.joint(f"{goal.arguments[0]} joint").qposadr[0])
    undone.qpos[first : first + 3] = [3.0, 0.0, 3.0]
    mujoco.mj_forward(episode.scene.model, undone)
    watch.see(undone, 3 * HOLD_STEPS)
    assert not watch.progress.success
    assert watch.reached[0] is None
    assert None not in watch.reached[1:], "the others have held"
    watch.see(episode.at(-1), HOLD_STEPS - 1)
    assert not watch.progress.success
    watch.see(episode.at(-1), 1)
    assert watch.progress.success


def watched(episode: Any) -> Watcher:
    """Who has seen all of the expert's way."""
    watch = Watcher(episode)
    for step in range(1, len(episode.path)):
        watch.see(episode.at(step), 1)
    return watch


@pytest.mark.parametrize("task", TASKS.names())
def test_a_scene_that_nobody_touches_gets_nowhere(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    watch = Watcher(episode)
    watch.see(episode.at(0), 40)
    assert watch.reached == [None] * len(episode.asked)
    assert not watch.progress.success_once


def test_a_drawer_that_was_never_opened_holds_nothing(solved: Solve) -> None:
    # closed with the object inside is the whole goal, but nothing has been done for it
    episode = solved("store-in-drawer", 0)
    watch = Watcher(episode)
    watch.see(stored(episode, opening=0.0, inside=True), 40)
    assert watch.reached == [None, None, None]
    assert not watch.progress.success_once


def test_stages_are_reached_one_after_another(solved: Solve) -> None:
    episode = solved("store-in-drawer", 0)
    watch = Watcher(episode)
    opened = stored(episode, opening=1.0, inside=False)
    filled = stored(episode, opening=1.0, inside=True)
    closed = stored(episode, opening=0.0, inside=True)
    empty = stored(episode, opening=0.0, inside=False)
    watch.see(filled, 10)
    assert watch.reached == [10, None, None], "one stage at a time, each held for itself"
    watch.see(opened, 20)
    assert watch.reached == [10, None, None]
    watch.see(filled, 10)
    assert watch.reached == [10, 40, None]
    watch.see(empty, 20)
    assert watch.reached == [10, 40, None], "closed, but the object is not inside"
    assert not watch.progress.success_once
    watch.see(filled, 20)
    assert watch.reached == [10, 40, None], "inside, but not closed"
    watch.see(closed, 9)
    assert watch.progress.success_once
    assert not watch.progress.success
    watch.see(closed, 1)
    assert watch.reached == [10, 40, 90]
    assert watch.progress.success


def test_what_was_asked_before_does_not_count_for_another_goal(solved: Solve) -> None:
    episode = solved("place-on", 0)
    watch = Watcher(episode)
    watch.see(episode.at(-1), HOLD_STEPS - 1)
    assert watch.progress.success_once
    watch.progress.ask([stage.cast({"object": "distractor"}) for stage in episode.task.stages])
    assert not watch.progress.success_once
    watch.see(episode.at(-1), 2 * HOLD_STEPS)
    assert not watch.progress.success_once
    assert watch.reached == [None]


def test_progress_is_deterministic_in_what_it_is_shown(solved: Solve) -> None:
    episode = solved("store-in-drawer", 0)
    runs = []
    for _ in range(2):
        watch = Watcher(episode)
        for step in np.arange(1, len(episode.path), 3):
            watch.see(episode.at(int(step)), 1)
        runs.append((watch.reached, watch.progress.success_once))
    assert runs[0] == runs[1]
