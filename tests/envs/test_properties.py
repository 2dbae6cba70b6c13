"""What is true of every scene, whatever is drawn: found by hypothesis over tasks and axes.

Nothing interpenetrates, nothing moves, nothing is done yet; what the goal speaks of is seen by the
exterior camera and within the arm's reach; the same seed gives the same scene; and a twin differs
from its episode in the factors of the axis alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlabench.contract.environment import draw_episode
from vlabench.envs.axes.base import Axis
from vlabench.envs.scene import Scene
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Task
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

DEEPEST_M = 0.002
FASTEST_M_S = 0.001
FURTHEST_M = 0.85
"""From the arm's shoulder to the hand: what every arm of the world can reach."""

LEAST_SEEN = 0.05
"""Share of the points of a thing that the camera must see."""

CHANGES = [Change(axis, level) for axis in AXES.names() for level in AXES.load(axis).levels]


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
    model, data, scene = simulation.model, simulation.data, simulation.scene
    mujoco.mj_forward(model, data)
    for contact in data.contact:
        names = [model.body(model.geom_bodyid[g]).name for g in contact.geom]
        assert contact.dist > -DEEPEST_M, names
    for name, thing in scene.objects.items():
        speed = data.qvel[model.body_dofadr[thing.body] :][:3]
        assert np.abs(speed).max() < FASTEST_M_S, name
    simulation.progress.update(data, 1)
    assert not simulation.progress.success_once
    asked = simulation.task.asked(episode.factors)
    assert not all(simulation.progress.true_now(stage, data) for stage in asked)
    for name in spoken_of(simulation.task, episode):
        if name in scene.objects:
            assert within_reach(scene, data, name), name
            assert seen(scene, data, name) > LEAST_SEEN, name


@settings(quiet, max_examples=150)
@given(task=tasks, change=changes, index=indices)
def test_a_twin_differs_in_the_factors_of_the_axis_alone(
    task: str, change: Change, index: int
) -> None:
    made = changed(task, change)
    twin, episode = draw(task, (), index), draw(task, made, index)
    differing = {
        name
        for name in twin.factors.keys() | episode.factors.keys()
        if twin.factors.get(name) != episode.factors.get(name)
    }
    own = axis_of(change).factors(task_called(task)) if made else frozenset()
    assert {name for name in differing if not covered(name, own)} == set()
    assert bool(differing) == bool(made)


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


def covered(name: str, own: frozenset[str]) -> bool:
    """Whether a factor belongs to the axis: by its name, or by a pattern such as ``extra*``."""
    return name in own or any(o.endswith("*") and name.startswith(o[:-1]) for o in own)


def spoken_of(task: Task, episode: EpisodeSpec) -> set[str]:
    stages = task.asked(episode.factors)
    return {name for stage in stages for goal in stage.goals for name in goal.arguments}


def within_reach(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    shoulder = data.xpos[scene.model.body(f"{scene.embodiment.prefix}base").id]
    x, y, _ = data.xpos[scene.objects[name].body] - shoulder
    return math.hypot(float(x), float(y)) < FURTHEST_M


def seen(scene: Scene, data: mujoco.MjData, name: str) -> float:
    """Share of points all over a thing, where it faces the exterior camera, that no other hides."""
    camera = scene.model.camera("agentview").id
    eye, thing = data.cam_xpos[camera].copy(), scene.objects[name]
    rng, hit, seen_points, points = np.random.default_rng(0), np.zeros(1, np.int32), 0, 0
    visuals = np.array([1, 1, 1, 1, 1, 1], np.uint8)
    for _ in range(150):
        direction = rng.normal(size=3)
        middle = data.xipos[thing.body]
        aim = middle + direction / np.linalg.norm(direction) * 0.6 * thing.shape.radius
        ray = aim - eye
        mujoco.mj_ray(scene.model, data, eye, ray / np.linalg.norm(ray), visuals, 1, -1, hit)
        points += 1
        seen_points += int(hit[0] >= 0 and scene.model.geom_bodyid[hit[0]] == thing.body)
    return seen_points / points
