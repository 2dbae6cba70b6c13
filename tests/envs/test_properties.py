"""What is true of every scene, whatever is drawn: found by hypothesis over tasks and axes.

Nothing interpenetrates, nothing moves, nothing is done yet; what the goal speaks of is seen by the
exterior camera and within the arm's reach; the same seed gives the same scene; and a twin differs
from its episode in the factors of the axis alone, and in what is said only where the axis is one of
words.
"""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlabench.contract.environment import draw_episode
from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.checks import (
    changes_nothing_else,
    changes_something,
    pair,
    says_what_it_may,
)
from vlabench.envs.inspection import faults
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

CHANGES = [
    Change(axis, level)
    for axis in AXES.names()
    if AXES.load(axis).drawn
    for level in AXES.load(axis).levels
]


def axis_of(change: Change) -> Axis:
    axis: Axis = AXES.load(change.axis)()
    return axis


def draw(task: str, changes: tuple[Change, ...], index: int) -> EpisodeSpec:
    return draw_episode(TabletopWorld(), task, changes, seed=5, index=index)


@pytest.fixture(scope="module")
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    yield made
    made.close()


tasks = st.sampled_from(TASKS.names())
indices = st.integers(0, 10**6)
changes = st.sampled_from(CHANGES)
quiet = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def changed(task: str, change: Change) -> tuple[Change, ...]:
    """The change, where it applies to the task."""
    return (change,) if change.level in axis_of(change).levels_of(task_called(task)) else ()


@settings(quiet, max_examples=120)
@given(task=tasks, change=changes, index=indices)
def test_a_scene_begins_at_rest_unsolved_and_in_sight(
    simulation: Simulation, task: str, change: Change, index: int
) -> None:
    episode = draw(task, changed(task, change), index)
    simulation.start(episode)
    assert faults(simulation) == ()


@settings(quiet, max_examples=150)
@given(task=tasks, change=changes, index=indices)
def test_an_episode_differs_from_its_twin_in_what_the_axis_is_about_alone(
    task: str, change: Change, index: int
) -> None:
    for made in changed(task, change):
        drawn = pair(made.axis, task, made.level, seed=5, index=index)
        assert changes_something(drawn) == []
        assert changes_nothing_else(drawn) == []
        assert says_what_it_may(drawn) == []


@settings(quiet, max_examples=60)
@given(task=tasks, change=changes, index=indices)
def test_the_same_seed_gives_the_same_scene(task: str, change: Change, index: int) -> None:
    made = changed(task, change)
    assert draw(task, made, index) == draw(task, made, index)


@settings(quiet, max_examples=12)
@given(task=tasks, change=changes, index=indices)
def test_the_same_factors_give_the_same_model(
    simulation: Simulation, task: str, change: Change, index: int
) -> None:
    episode = draw(task, changed(task, change), index)
    models = []
    for _ in range(2):
        simulation.start(episode)
        size = mujoco.mj_sizeModel(simulation.model)
        buffer = np.empty(size, np.uint8)
        mujoco.mj_saveModel(simulation.model, None, buffer)
        models.append(buffer.tobytes())
    assert models[0] == models[1]
