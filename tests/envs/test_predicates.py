"""Every predicate: false at reset, true after the expert, false wherever it could be fooled.

States are made by moving things in a state that the expert has reached, never by asking the
predicates' own geometry. Wherever a goal must be false for one reason, a control beside it shows
that it is true without that reason.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.fixtures.cabinet import TRAVEL
from vlabench.envs.objects.catalog import category
from vlabench.envs.predicates import CLOSED, OPEN, holds, touching
from vlabench.envs.scene import REST_DEPTH, Scene
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Goal, Task
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]
Pose = tuple[np.ndarray, np.ndarray]

INDICES = (0, 1, 2)
ON = [("place-on", index) for index in INDICES] + [("stack", index) for index in INDICES]
IN = [("place-in", index) for index in INDICES]
STORED = [("store-in-drawer", index) for index in INDICES[:2]]
ALL = [*ON, *IN, *STORED, ("open-drawer", 0), ("open-drawer", 1)]

MARGIN = 0.002


def placement(task: Task) -> Goal:
    """The goal that puts the object somewhere."""
    return next(goal for goal in task.stages[-1].goals if goal.predicate in {"on", "in"})


def slide(scene: Scene, role: str) -> slice:
    """Where ``qpos`` keeps the pose of a free object."""
    address = int(scene.model.joint(f"{role} joint").qposadr[0])
    return slice(address, address + 7)


def put(scene: Scene, data: mujoco.MjData, role: str, position: Any, quaternion: Any) -> None:
    data.qpos[slide(scene, role)] = [*position, *quaternion]
    mujoco.mj_forward(scene.model, data)


def put_on(
    scene: Scene, data: mujoco.MjData, role: str, support: str, at: Any, tilt: float = 0.0
) -> None:
    """Puts an object at a point of its support's frame, leaning about y by `tilt` radians."""
    position, quaternion = pose_of(scene, data, support)
    leaning = np.array([np.cos(tilt / 2), 0.0, np.sin(tilt / 2), 0.0])
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, quaternion, leaning)
    put(scene, data, role, position + rotate(quaternion, at), turned)


def pose_of(scene: Scene, data: mujoco.MjData, place: str) -> Pose:
    """Position and quaternion wxyz of an object, or of the floor of a drawer."""
    if place in scene.objects:
        body = scene.objects[place].body
        return data.xpos[body].copy(), data.xquat[body].copy()
    site = scene.drawers[place].floor_site
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, data.site_xmat[site])
    return data.site_xpos[site].copy(), quaternion


def rotate(quaternion: np.ndarray, vector: Any) -> np.ndarray:
    rotated = np.zeros(3)
    mujoco.mju_rotVecQuat(rotated, np.array(vector, dtype=float), quaternion)
    return rotated


def hand_away(solved: Any) -> mujoco.MjData:
    """The last state with the arm back home, and with the drawer open if there is one."""
    data = solved.at(-1)
    robot = robot_addresses(solved.scene.model)
    data.qpos[robot] = solved.path[0][robot]
    mujoco.mj_forward(solved.scene.model, data)
    for name, drawer in solved.scene.drawers.items():
        data.qpos[drawer.qpos] = 0.12
        mujoco.mj_forward(solved.scene.model, data)
        if "object" in solved.scene.objects:
            put_on(solved.scene, data, "object", name, (0.0, 0.0, -REST_DEPTH))
    return data


def robot_addresses(model: mujoco.MjModel) -> np.ndarray:
    """Where ``qpos`` keeps the arm and the fingers."""
    names = [model.joint(k).name for k in range(model.njnt)]
    robot = [k for k, name in enumerate(names) if name.startswith(("robot0_", "gripper0_"))]
    return model.jnt_qposadr[robot]


# --- false at reset, true after the expert -----------------------------------------------------


@pytest.mark.parametrize(("task", "index"), ALL)
def test_no_stage_is_true_at_reset_and_the_last_is_after_the_expert(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    first, last = episode.at(0), episode.at(-1)
    for stage in episode.task.stages:
        assert not all(holds(goal, episode.scene, first) for goal in stage.goals), stage.name
    for goal in episode.task.stages[-1].goals:
        assert holds(goal, episode.scene, last), goal


@pytest.mark.parametrize("task", TASKS.names())
def test_no_goal_is_met_in_a_drawn_scene(draw: Draw, task: str) -> None:
    simulation = Simulation()
    for index in range(100, 112):
        simulation.start(draw(task, index))
        for stage in simulation.task.stages:
            met = [holds(goal, simulation.scene, simulation.data) for goal in stage.goals]
            assert not all(met), (index, stage.name)


# --- placed things -----------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "index"), [*ON, *IN, *STORED])
def test_nothing_is_placed_in_mid_air(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene, data = placement(episode.task), episode.scene, hand_away(episode)
    support = {**scene.objects, **scene.drawers}[goal.arguments[1]]
    rested = data.qpos[slide(scene, "object")].copy()
    assert holds(goal, scene, data)
    for height in (0.003, 0.05) if goal.predicate == "on" else (0.05,):
        put(scene, data, "object", rested[:3] + np.array([0.0, 0.0, height]), rested[3:])
        assert not touching(data, scene.objects["object"].geoms) & support.geoms
        assert not holds(goal, scene, data), height
    put(scene, data, "object", rested[:3], rested[3:])
    assert holds(goal, scene, data)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN, *STORED])
def test_nothing_is_placed_while_it_is_held(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    scene, goal = episode.scene, placement(episode.task)
    thing = scene.objects["object"]
    held = []
    for step in range(len(episode.path)):
        data = episode.at(step)
        touched = touching(data, thing.geoms)
        if touched & scene.robot_geoms:
            assert not holds(goal, scene, data), step
            if scene.table_geom not in touched:
                held.append(step)
    assert held
    # where it stands in the end, with the hand around it as it was while it was carried
    before, after = episode.at(held[len(held) // 2]), episode.at(-1)
    model = copy.copy(scene.model)
    model.body("robot0_base").pos += after.xpos[thing.body] - before.xpos[thing.body]
    data = mujoco.MjData(model)
    data.qpos[:] = after.qpos
    robot = robot_addresses(model)
    data.qpos[robot] = before.qpos[robot]
    mujoco.mj_forward(model, data)
    assert touching(data, thing.geoms) & scene.robot_geoms
    assert not holds(goal, scene, data)
    assert holds(goal, replace(scene, robot_geoms=frozenset()), data)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_the_edge_of_the_support_is_the_edge_of_the_goal(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene = placement(episode.task), episode.scene
    shape = scene.objects["target"].shape
    edges = shape.surface_half or (shape.surface_radius, shape.surface_radius)
    for axis, edge in enumerate(edges):
        for side in (-1.0, 1.0):
            data = hand_away(episode)
            at = np.array([0.0, 0.0, shape.surface_height - REST_DEPTH])
            at[axis] = side * (edge - MARGIN)
            put_on(scene, data, "object", "target", at)
            assert holds(goal, scene, data), (axis, side)
            at[axis] = side * (edge + MARGIN)
            put_on(scene, data, "object", "target", at)
            assert touching(data, scene.objects["object"].geoms)
            assert not holds(goal, scene, data), (axis, side)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_a_support_that_is_tipped_over_carries_nothing(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene = placement(episode.task), episode.scene
    for degrees, carried in ((0, True), (15, True), (25, False), (90, False), (180, False)):
        data = hand_away(episode)
        origin, _ = pose_of(scene, data, "target")
        half = np.radians(degrees) / 2
        turn = np.array([np.cos(half), np.sin(half), 0.0, 0.0])
        for role in ("target", "object"):
            position, quaternion = pose_of(scene, data, role)
            local = rotate(turn, position - origin)
            mujoco.mju_mulQuat(quaternion, turn, quaternion.copy())
            # high up, where neither meets the table
            data.qpos[slide(scene, role)] = [*(origin + local + [0, 0, 0.5]), *quaternion]
        mujoco.mj_forward(scene.model, data)
        assert touching(data, scene.objects["object"].geoms) <= scene.objects["target"].geoms
        assert not holds(goal, scene, data), "a support in mid-air carries nothing"
        # the same with something under the support that passes for the table
        ours = touching(data, scene.objects["target"].geoms) & scene.objects["object"].geoms
        propped = replace(scene, table_geom=min(ours), robot_geoms=frozenset())
        assert holds(goal, propped, data) is carried, degrees


@pytest.mark.parametrize(("task", "index"), ON)
def test_what_leans_on_its_support_from_the_table_is_not_on_it(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene = placement(episode.task), episode.scene
    thing, target = scene.objects["object"], scene.objects["target"]
    edge = (target.shape.surface_half or (target.shape.surface_radius,))[0]
    found = 0
    for tilt in np.radians([20, 30, 40, 50, 60, 75]):
        for lower in np.arange(0.0, 0.05, 0.002):
            data = hand_away(episode)
            at = (edge - MARGIN, 0.0, target.shape.surface_height + 0.01 - lower)
            put_on(scene, data, "object", "target", at, tilt=tilt)
            touched = touching(data, thing.geoms)
            if scene.table_geom in touched and touched & target.geoms:
                found += 1
                assert not holds(goal, scene, data)
    assert found, "no state in which it leans on both"


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_places_cannot_be_swapped(solved: Callable[[str, int], Any], task: str, index: int) -> None:
    episode = solved(task, index)
    scene, data = episode.scene, hand_away(episode)
    goal = placement(episode.task)
    assert not holds(Goal(goal.predicate, ("target", "object")), scene, data)
    other = Goal(goal.predicate, ("distractor", "target"))
    assert not holds(other, scene, data)
    places = {role: data.qpos[slide(scene, role)].copy() for role in ("object", "distractor")}
    put(scene, data, "object", places["distractor"][:3], places["distractor"][3:])
    put(scene, data, "distractor", places["object"][:3], places["object"][3:])
    assert not holds(goal, scene, data)


def test_what_lies_across_the_rim_is_not_inside(draw: Draw) -> None:
    simulation = Simulation()
    for name in ("marker", "brush"):
        factors = {
            "target.category": "crate",
            "target.color": "brown",
            "target.shape": [0.0, 0.0, 0.0, 0.0],
            "target.pose": [0.0, 0.0, 0.0],
            "object.category": name,
            "object.color": category(name).colors[0],
            "object.shape": [0.9, 0.9, 0.9, 0.9],
            "object.pose": [-0.1, -0.24, 0.0],
            "distractor.pose": [0.1, 0.24, 0.0],
        }
        simulation.start(draw("place-in", factors=factors))
        scene, data = simulation.scene, simulation.data
        target = scene.objects["target"]
        turned = [np.cos(np.pi / 4), 0.0, 0.0, np.sin(np.pi / 4)]
        put(scene, data, "object", data.xpos[target.body] + [0, 0, target.shape.height], turned)
        for _ in range(20):
            simulation.advance(np.zeros(7, dtype=np.float32))
        touched = touching(data, scene.objects["object"].geoms)
        assert touched
        assert touched <= target.geoms, "it has fallen off"
        assert not holds(placement(simulation.task), scene, data), name


# --- drawers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "index"), [("open-drawer", 0), ("open-drawer", 1), STORED[0]])
def test_drawers_are_open_and_closed_from_their_thresholds_on(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    assert 0 < CLOSED < OPEN < TRAVEL
    for opening, is_open, is_closed in (
        (0.0, False, True),
        (CLOSED - 1e-6, False, True),
        (CLOSED + MARGIN, False, False),
        (OPEN - MARGIN, False, False),
        (OPEN + 1e-6, True, False),
        (TRAVEL, True, False),
    ):
        data = episode.at(0)
        data.qpos[episode.scene.drawers["drawer"].qpos] = opening
        mujoco.mj_forward(episode.scene.model, data)
        assert holds(Goal("open", ("drawer",)), episode.scene, data) is is_open, opening
        assert holds(Goal("closed", ("drawer",)), episode.scene, data) is is_closed, opening


def test_the_other_drawer_does_not_count(solved: Callable[[str, int], Any]) -> None:
    for index in (0, 1):
        episode = solved("open-drawer", index)
        scene, data = episode.scene, episode.at(0)
        own = scene.drawers["drawer"].name
        other = "bottom drawer" if own == "top drawer" else "top drawer"
        data.qpos[scene.model.joint(f"{other} slide").qposadr[0]] = TRAVEL
        mujoco.mj_forward(scene.model, data)
        assert not holds(Goal("open", ("drawer",)), scene, data)


@pytest.mark.parametrize("opening", [0.0, 0.12])
@pytest.mark.parametrize(("task", "index"), STORED)
def test_the_inside_of_a_drawer_ends_at_its_walls(
    solved: Callable[[str, int], Any], task: str, index: int, opening: float
) -> None:
    episode = solved(task, index)
    goal, scene, data = placement(episode.task), episode.scene, hand_away(episode)
    drawer = scene.drawers["drawer"]
    data.qpos[drawer.qpos] = opening
    mujoco.mj_forward(scene.model, data)
    depth, width, _ = scene.model.site_size[drawer.floor_site]
    floor = -REST_DEPTH
    inside = [(0, 0, floor), (0, width - MARGIN, floor), (MARGIN - depth, 0, floor)]
    outside = [(0, width + MARGIN, floor), (-depth - MARGIN, 0, floor), (0, 0, -0.05)]
    for at in inside:
        put_on(scene, data, "object", "drawer", at)
        assert holds(goal, scene, data), at
    for at in outside:
        put_on(scene, data, "object", "drawer", at)
        assert not holds(goal, scene, data), at


@pytest.mark.parametrize(("task", "index"), STORED)
def test_what_is_in_the_other_drawer_or_on_the_cabinet_is_not_in_the_drawer(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene, data = placement(episode.task), episode.scene, hand_away(episode)
    assert scene.drawers["drawer"].name == "top drawer"
    below = data.site_xpos[scene.model.site("bottom drawer floor").id] - [0, 0, REST_DEPTH]
    put(scene, data, "object", below, [1, 0, 0, 0])
    assert touching(data, scene.objects["object"].geoms)
    assert not holds(goal, scene, data)
    cabinet = scene.model.body("cabinet").id
    first = scene.model.body_geomadr[cabinet]
    walls = range(first, first + scene.model.body_geomnum[cabinet])
    top = max(data.geom_xpos[g][2] + scene.model.geom_size[g][2] for g in walls)
    above = [*data.xpos[cabinet][:2], top - REST_DEPTH]
    put(scene, data, "object", above, [1, 0, 0, 0])
    assert touching(data, scene.objects["object"].geoms) & set(walls)
    assert not holds(goal, scene, data)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_a_support_in_the_hand_carries_nothing(
    solved: Callable[[str, int], Any], task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene, data = placement(episode.task), episode.scene, hand_away(episode)
    assert holds(goal, scene, data)
    held = replace(scene, robot_geoms=frozenset({scene.table_geom}), table_geom=scene.table_geom)
    assert not holds(goal, held, data)


def test_what_stands_tall_and_lies_across_a_bowl_is_not_inside(draw: Draw) -> None:
    """On its side, in contact with the rim and nowhere below it: high up it may be, but not in."""
    factors = {
        "target.category": "bowl",
        "target.color": "blue",
        "target.shape": [0.0, 0.0, 0.5, 0.5],
        "object.category": "bottle",
        "object.color": "green",
        "object.shape": [0.9] * 4,
    }
    simulation = Simulation()
    simulation.start(draw("place-in", 0, factors=factors))
    scene, data = simulation.scene, simulation.data
    target, thing = scene.objects["target"], scene.objects["object"]
    goal = Goal("in", ("object", "target"))
    touched_once = False
    for above in np.arange(0.06, -0.03, -0.001):
        at = (-thing.shape.height / 2, 0.0, target.shape.height + above)
        put_on(scene, data, "object", "target", at, tilt=np.pi / 2)
        if touching(data, thing.geoms) & target.geoms:
            touched_once = True
            assert not holds(goal, scene, data)
            break
    assert touched_once
    simulation.close()
