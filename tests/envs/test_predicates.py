"""Every predicate: false at reset, true after the expert, false wherever it could be fooled.

States are made by moving things in a state that the expert has reached, or by putting round things
at places that follow from their radii; never by asking the predicates' own geometry. Wherever a
goal must be false for one reason, a control beside it shows that it is true without that reason.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.objects.catalog import category
from vlabench.envs.placing import REST_DEPTH
from vlabench.envs.predicates import PREDICATES, holds
from vlabench.envs.predicates.geometry import touching
from vlabench.envs.predicates.moved import AWAY, BESIDE, LIFTED, STANDING
from vlabench.envs.predicates.parts import CLOSED, OPEN
from vlabench.envs.predicates.placed import HEIGHT_TOLERANCE
from vlabench.envs.scene import Scene
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import SIDES, Goal
from vlabench.envs.tasks.base import task as task_called
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]
Solve = Callable[[str, int], Any]
Pose = tuple[np.ndarray, np.ndarray]

PLACEMENTS = frozenset({"on", "in", "beside", "upright", "in-region", "away-from"})
"""Predicates of a thing that has been put down."""


def predicates_of(task: str) -> set[str]:
    return {goal.predicate for stage in task_called(task).stages for goal in stage.goals}


PLACING = [name for name in TASKS.names() if predicates_of(name) & PLACEMENTS]
OPENING = [name for name in TASKS.names() if predicates_of(name) & {"open", "closed"}]
ON = [("place-on", 0), ("place-on", 1), ("stack", 0), ("stack", 1)]
IN = [("place-in", 0), ("place-in", 1)]
ON_THINGS = [*ON, *IN, ("build-tower", 0), ("swap", 0), ("sort-by-kind", 0)]
IN_PARTS = [("store-in-drawer", 0), ("two-in-basket", 0), ("clear-table", 0), ("tidy-up", 0)]

MARGIN = 0.002
"""Metres on both sides of a limit in which nothing is claimed."""

UNTURNED = (1.0, 0.0, 0.0, 0.0)


def placements(episode: Any) -> list[Goal]:
    """The goals of an episode that put something somewhere."""
    goals = [goal for stage in episode.asked for goal in stage.goals]
    return [goal for goal in dict.fromkeys(goals) if goal.predicate in PLACEMENTS]


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
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, quaternion, about_y(tilt))
    put(scene, data, role, position + rotate(quaternion, at), turned)


def about_y(angle: float) -> np.ndarray:
    return np.array([np.cos(angle / 2), 0.0, np.sin(angle / 2), 0.0])


def pose_of(scene: Scene, data: mujoco.MjData, place: str) -> Pose:
    """Position and quaternion wxyz of an object, or of the floor of a part."""
    if place in scene.objects:
        body = scene.objects[place].body
        return data.xpos[body].copy(), data.xquat[body].copy()
    site = scene.parts[place].floor_site
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, data.site_xmat[site])
    return data.site_xpos[site].copy(), quaternion


def rotate(quaternion: np.ndarray, vector: Any) -> np.ndarray:
    rotated = np.zeros(3)
    mujoco.mju_rotVecQuat(rotated, np.array(vector, dtype=float), quaternion)
    return rotated


def hand_away(episode: Any) -> mujoco.MjData:
    """The last state with the arm back home."""
    data = episode.at(-1)
    robot = robot_addresses(episode.scene.model)
    data.qpos[robot] = episode.path[0][robot]
    mujoco.mj_forward(episode.scene.model, data)
    return data


def robot_addresses(model: mujoco.MjModel) -> np.ndarray:
    """Where ``qpos`` keeps the arm and the fingers."""
    names = [model.joint(k).name for k in range(model.njnt)]
    robot = [k for k, name in enumerate(names) if name.startswith(("robot0_", "gripper0_"))]
    return model.jnt_qposadr[robot]


def leave_alone(scene: Scene, data: mujoco.MjData, *kept: str) -> None:
    """Takes all free objects but these out of the way."""
    for k, role in enumerate(scene.objects):
        if role not in kept:
            put(scene, data, role, (3.0 + k, 0.0, 3.0), UNTURNED)


def start(draw: Draw, task: str, **looks: Any) -> tuple[Simulation, Scene, mujoco.MjData]:
    """A scene whose roles are of given categories: ``start(draw, "lift", object="can")``."""
    factors: dict[str, Any] = {}
    for role, name in looks.items():
        factors |= {f"{role}.category": name, f"{role}.color": category(name).colors[0]}
    simulation = Simulation()
    simulation.start(draw(task, 0, factors=factors))
    return simulation, simulation.scene, simulation.data


# --- false at reset, true after the expert -----------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
def test_no_stage_is_true_at_reset_and_the_last_is_after_the_expert(
    solved: Solve, task: str
) -> None:
    episode = solved(task, 0)
    first, last = episode.at(0), episode.at(-1)
    for stage in episode.asked:
        assert not all(holds(goal, episode.scene, first) for goal in stage.goals), stage.name
    final = episode.asked[-1:] if episode.task.ordered else episode.asked
    for stage in final:
        for goal in stage.goals:
            assert holds(goal, episode.scene, last), goal


@pytest.mark.parametrize("task", TASKS.names())
def test_no_goal_is_met_in_a_drawn_scene(draw: Draw, task: str) -> None:
    simulation = Simulation()
    for index in range(100, 104):
        simulation.start(draw(task, index))
        for stage in simulation.progress.asked:
            met = [holds(goal, simulation.scene, simulation.data) for goal in stage.goals]
            assert not all(met), (index, stage.name)


def test_every_predicate_is_the_goal_of_some_task() -> None:
    assert set().union(*(predicates_of(name) for name in TASKS.names())) == set(PREDICATES)


# --- placed things -----------------------------------------------------------------------------


@pytest.mark.parametrize("task", PLACING)
def test_nothing_is_placed_in_mid_air(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    scene, data = episode.scene, hand_away(episode)
    for goal in placements(episode):
        name = goal.arguments[0]
        rested = data.qpos[slide(scene, name)].copy()
        assert holds(goal, scene, data), goal
        for height in (0.03, 0.05, 0.1, 0.2):
            put(scene, data, name, rested[:3] + np.array([0.0, 0.0, height]), rested[3:])
            if not touching(data, scene.objects[name].geoms):
                break
        else:
            raise AssertionError("nowhere in mid-air")
        assert not holds(goal, scene, data), goal
        put(scene, data, name, rested[:3], rested[3:])
        assert holds(goal, scene, data), goal


@pytest.mark.parametrize("task", PLACING)
def test_nothing_is_placed_while_it_is_held(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    scene = episode.scene
    goals = placements(episode)
    held: dict[Goal, list[int]] = {goal: [] for goal in goals}
    for step in range(0, len(episode.path), 2):
        data = episode.at(step)
        for goal in goals:
            if touching(data, scene.objects[goal.arguments[0]].geoms) & scene.robot_geoms:
                assert not holds(goal, scene, data), (goal, step)
                held[goal].append(step)
    for goal, steps in held.items():
        states = (_held_where_it_is_in_the_end(episode, goal, step) for step in reversed(steps))
        thing = scene.objects[goal.arguments[0]]
        data = next(s for s in states if touching(s, thing.geoms) & scene.robot_geoms)
        assert not holds(goal, scene, data), goal
        assert holds(goal, replace(scene, robot_geoms=frozenset()), data), goal


def _held_where_it_is_in_the_end(episode: Any, goal: Goal, step: int) -> mujoco.MjData:
    """The last state, with the hand around the thing as it was after `step`."""
    scene, before, after = episode.scene, episode.at(step), episode.at(-1)
    thing = scene.objects[goal.arguments[0]]
    model = copy.copy(scene.model)
    model.body("robot0_base").pos += after.xpos[thing.body] - before.xpos[thing.body]
    data = mujoco.MjData(model)
    data.qpos[:] = after.qpos
    robot = robot_addresses(model)
    data.qpos[robot] = before.qpos[robot]
    mujoco.mj_forward(model, data)
    return data


@pytest.mark.parametrize(("task", "index"), ON_THINGS)
def test_the_edge_of_a_thing_is_the_edge_of_the_goal(solved: Solve, task: str, index: int) -> None:
    episode = solved(task, index)
    scene = episode.scene
    goal = next(g for g in placements(episode) if g.predicate in {"on", "in"})
    name, target = goal.arguments
    shape = scene.objects[target].shape
    edges = shape.surface_half or (shape.surface_radius, shape.surface_radius)
    data = hand_away(episode)
    leave_alone(scene, data, name, target)
    for axis, edge in enumerate(edges):
        for side in (-1.0, 1.0):
            at = np.array([0.0, 0.0, shape.surface_height - REST_DEPTH])
            at[axis] = side * (edge - MARGIN)
            put_on(scene, data, name, target, at)
            assert holds(goal, scene, data), (axis, side)
            at[axis] = side * (edge + MARGIN)
            put_on(scene, data, name, target, at)
            assert touching(data, scene.objects[name].geoms)
            assert not holds(goal, scene, data), (axis, side)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_a_support_that_is_tipped_over_carries_nothing(
    solved: Solve, task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene = placements(episode)[0], episode.scene
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
    solved: Solve, task: str, index: int
) -> None:
    episode = solved(task, index)
    goal, scene = placements(episode)[0], episode.scene
    thing, target = scene.objects["object"], scene.objects["target"]
    edge = (target.shape.surface_half or (target.shape.surface_radius,))[0]
    found, data = 0, hand_away(episode)
    for tilt in np.radians([20, 30, 40, 50, 60, 75]):
        for lower in np.arange(0.0, 0.05, 0.002):
            at = (edge - MARGIN, 0.0, target.shape.surface_height + 0.01 - lower)
            put_on(scene, data, "object", "target", at, tilt=tilt)
            touched = touching(data, thing.geoms)
            if scene.table_geom in touched and touched & target.geoms:
                found += 1
                assert not holds(goal, scene, data)
    assert found, "no state in which it leans on both"


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_places_cannot_be_swapped(solved: Solve, task: str, index: int) -> None:
    episode = solved(task, index)
    scene, data = episode.scene, hand_away(episode)
    goal = placements(episode)[0]
    assert not holds(Goal(goal.predicate, ("target", "object")), scene, data)
    assert not holds(Goal(goal.predicate, ("distractor", "target")), scene, data)
    places = {role: data.qpos[slide(scene, role)].copy() for role in ("object", "distractor")}
    put(scene, data, "object", places["distractor"][:3], places["distractor"][3:])
    put(scene, data, "distractor", places["object"][:3], places["object"][3:])
    assert not holds(goal, scene, data)


@pytest.mark.parametrize(("task", "index"), [*ON, *IN])
def test_a_support_in_the_hand_carries_nothing(solved: Solve, task: str, index: int) -> None:
    episode = solved(task, index)
    goal, scene, data = placements(episode)[0], episode.scene, hand_away(episode)
    assert holds(goal, scene, data)
    held = replace(scene, robot_geoms=frozenset({scene.table_geom}))
    assert not holds(goal, held, data)


def test_a_tower_stands_as_long_as_its_foot_does(solved: Solve) -> None:
    episode = solved("build-tower", 0)
    scene, data = episode.scene, hand_away(episode)
    upper = Goal("on", ("top", "object"))
    assert holds(upper, scene, data)
    assert not holds(Goal("on", ("top", "target")), scene, data), "there is one between them"
    held = replace(scene, robot_geoms=frozenset({scene.table_geom}))
    assert not holds(upper, held, data), "whoever holds the foot holds all of it"
    for role in ("object", "target", "top"):
        data.qpos[slide(scene, role)][2] += 0.7
    mujoco.mj_forward(scene.model, data)
    assert touching(data, scene.objects["top"].geoms) <= scene.objects["object"].geoms
    assert not holds(upper, scene, data), "nothing stands in mid-air"


def test_what_lies_on_what_is_inside_is_inside(draw: Draw) -> None:
    _, scene, data = start(draw, "two-in-basket", object="sponge", second="sponge")
    goals = [Goal("in", (name, "basket")) for name in ("object", "second")]
    below = scene.objects["object"]
    for at, inside in ((pose_of(scene, data, "basket")[0], True), ((0.0, -0.3, 0.8), False)):
        foot = np.array(at) - [0.0, 0.0, REST_DEPTH]
        put(scene, data, "object", foot, UNTURNED)
        above = foot + np.array([0.0, 0.0, below.shape.height - REST_DEPTH])
        put(scene, data, "second", above, UNTURNED)
        assert touching(data, scene.objects["second"].geoms) == below.geoms
        assert [holds(goal, scene, data) for goal in goals] == [inside, inside]
        held = replace(scene, robot_geoms=scene.robot_geoms | below.geoms)
        assert not holds(goals[1], held, data), "what it lies on is in the hand"


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
        assert not holds(Goal("in", ("object", "target")), scene, data), name


def test_what_stands_tall_and_lies_across_a_bowl_is_not_inside(draw: Draw) -> None:
    """On its side, in contact with the rim and nowhere below it: high up it may be, but not in."""
    _, scene, data = start(draw, "place-in", target="bowl", object="bottle")
    target, thing = scene.objects["target"], scene.objects["object"]
    for above in np.arange(0.06, -0.03, -0.001):
        at = (-thing.shape.height / 2, 0.0, target.shape.height + above)
        put_on(scene, data, "object", "target", at, tilt=np.pi / 2)
        if touching(data, thing.geoms) & target.geoms:
            assert not holds(Goal("in", ("object", "target")), scene, data)
            return
    raise AssertionError("it never touched the bowl")


# --- beside, lifted, upright, in a region, away ------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
def test_beside_is_a_quarter_of_the_table_and_twelve_centimetres(draw: Draw, side: str) -> None:
    _, scene, data = start(draw, "place-beside", object="can", target="canister")
    goal = Goal("beside", ("object", side, "target"))
    radii = sum(_circle(scene, name) for name in ("object", "target"))
    facing = math.atan2(SIDES[side][1], SIDES[side][0])
    leave_alone(scene, data, "object", "target")
    put(scene, data, "target", (-0.1, 0.0, TABLE_HEIGHT - REST_DEPTH), UNTURNED)
    for gap, degrees, high, beside in (
        (0.05, 0.0, 0.0, True),
        (MARGIN, 0.0, 0.0, True),
        (BESIDE - MARGIN, 0.0, 0.0, True),
        (BESIDE + MARGIN, 0.0, 0.0, False),
        (0.05, 43.0, 0.0, True),
        (0.05, -43.0, 0.0, True),
        (0.05, 47.0, 0.0, False),
        (0.05, -47.0, 0.0, False),
        (0.05, 180.0, 0.0, False),
        (-MARGIN, 0.0, 0.0, False),
        (0.05, 0.0, MARGIN, False),
    ):
        angle = facing + math.radians(degrees)
        x, y = (radii + gap) * math.cos(angle), (radii + gap) * math.sin(angle)
        at = (x - 0.1, y, TABLE_HEIGHT - REST_DEPTH + high)
        put(scene, data, "object", at, UNTURNED)
        assert holds(goal, scene, data) is beside, (gap, degrees, high)


def test_beside_what_has_been_knocked_over_is_not_beside_it(draw: Draw) -> None:
    _, scene, data = start(draw, "place-beside", object="can", target="canister")
    goal = Goal("beside", ("object", "right", "target"))
    leave_alone(scene, data, "object", "target")
    put(scene, data, "object", (0.0, -0.12, TABLE_HEIGHT - REST_DEPTH), UNTURNED)
    put(scene, data, "target", (0.0, 0.0, TABLE_HEIGHT - REST_DEPTH), UNTURNED)
    assert holds(goal, scene, data)
    lying = TABLE_HEIGHT + _circle(scene, "target") - REST_DEPTH
    put(scene, data, "target", (-0.04, 0.0, lying), about_y(math.pi / 2))
    assert scene.table_geom in touching(data, scene.objects["target"].geoms)
    assert not holds(goal, scene, data)


def _circle(scene: Scene, name: str) -> float:
    """The radius of something round, from its collision shapes: the widest that stands upright."""
    model = scene.model
    return max(float(model.geom_size[g][0]) for g in scene.objects[name].geoms)


def test_lifted_is_eight_centimetres_above_the_table_in_the_hand(draw: Draw, solved: Solve) -> None:
    episode = solved("lift", 0)
    scene, goal = episode.scene, Goal("lifted", ("object",))
    thing = scene.objects["object"]
    held = episode.at(-1)
    assert holds(goal, scene, held)
    lowest = _lowest_when_it_first_left(episode, thing)
    for height, lifted in ((LIFTED - 2 * MARGIN, False), (LIFTED + 2 * MARGIN, True)):
        model = copy.copy(scene.model)
        down = height - (held.xpos[thing.body][2] - lowest)
        model.body("robot0_base").pos[2] += down
        data = mujoco.MjData(model)
        data.qpos[:] = held.qpos
        data.qpos[slide(scene, "object")][2] += down
        mujoco.mj_forward(model, data)
        assert touching(data, thing.geoms) & scene.robot_geoms
        assert holds(goal, scene, data) is lifted, height
    put(scene, held, "object", (0.3, -0.3, 1.5), UNTURNED)
    assert not touching(held, thing.geoms)
    assert not holds(goal, scene, held), "thrown up"


def _lowest_when_it_first_left(episode: Any, thing: Any) -> float:
    """Height of its origin above the floor of the world when it stood on the table."""
    return float(episode.at(0).xpos[thing.body][2])


def test_what_stands_high_is_not_lifted(draw: Draw) -> None:
    _, scene, data = start(draw, "lift", object="can", distractor="canister")
    leave_alone(scene, data, "object", "distractor")
    below = scene.objects["distractor"]
    put(scene, data, "distractor", (0.0, 0.0, TABLE_HEIGHT - REST_DEPTH), UNTURNED)
    high = TABLE_HEIGHT + below.shape.height - 2 * REST_DEPTH
    assert high - TABLE_HEIGHT > LIFTED
    put(scene, data, "object", (0.0, 0.0, high), UNTURNED)
    assert touching(data, scene.objects["object"].geoms) <= below.geoms
    goal = Goal("lifted", ("object",))
    assert not holds(goal, scene, data)
    propped = replace(scene, robot_geoms=below.geoms)
    assert holds(goal, propped, data), "the same, if that were the hand"


def test_upright_is_within_fifteen_degrees_on_the_table(draw: Draw) -> None:
    _, scene, data = start(draw, "stand-upright", object="can")
    goal, radius = Goal("upright", ("object",)), _circle(scene, "object")
    leave_alone(scene, data, "object")
    limit = math.degrees(math.acos(STANDING))
    assert limit == pytest.approx(15.0)
    for degrees, stands in ((0.0, True), (limit - 1, True), (limit + 1, False), (90.0, False)):
        tilt = math.radians(degrees)
        # it stands on the edge of its foot, a hair's breadth into the table
        z = TABLE_HEIGHT + radius * math.sin(tilt) - 0.003
        put(scene, data, "object", (0.0, 0.0, z), about_y(tilt))
        assert scene.table_geom in touching(data, scene.objects["object"].geoms)
        assert holds(goal, scene, data) is stands, degrees
    top = TABLE_HEIGHT + scene.objects["object"].shape.height - 0.003
    put(scene, data, "object", (0.0, 0.0, top), about_y(math.pi))
    assert scene.table_geom in touching(data, scene.objects["object"].geoms)
    assert not holds(goal, scene, data), "on its head"


def test_the_edge_of_a_mat_is_the_edge_of_the_goal(draw: Draw) -> None:
    _, scene, data = start(draw, "push-to", object="can")
    goal = Goal("in-region", ("object", "mat"))
    leave_alone(scene, data, "object")
    half = scene.model.site_size[scene.parts["mat"].floor_site]
    on_table = TABLE_HEIGHT - REST_DEPTH - data.site_xpos[scene.parts["mat"].floor_site][2]
    for axis in (0, 1):
        for side in (-1.0, 1.0):
            for beyond, inside in ((-MARGIN, True), (MARGIN, False)):
                at = np.array([0.0, 0.0, on_table])
                at[axis] = side * (half[axis] + beyond)
                put_on(scene, data, "object", "mat", at)
                assert holds(goal, scene, data) is inside, (axis, side)
    lying = np.array([0.0, 0.0, on_table + _circle(scene, "object")])
    put_on(scene, data, "object", "mat", lying, tilt=math.pi / 2)
    assert scene.table_geom in touching(data, scene.objects["object"].geoms)
    assert not holds(goal, scene, data), "it lies on its side"


def test_away_is_off_the_place_and_a_centimetre_from_it(draw: Draw) -> None:
    looks: Mapping[str, str] = {"object": "can", "object place": "coaster"}
    _, scene, data = start(draw, "swap", **looks)
    goal = Goal("away-from", ("object", "object place"))
    leave_alone(scene, data, "object", "object place")
    put(scene, data, "object place", (-0.1, 0.0, TABLE_HEIGHT - REST_DEPTH), UNTURNED)
    radii = _circle(scene, "object") + scene.objects["object place"].shape.radius
    for gap, high, away in (
        (-radii, scene.objects["object place"].shape.surface_height - REST_DEPTH, False),
        (AWAY - 2 * MARGIN, 0.0, False),
        (AWAY + 2 * MARGIN, 0.0, True),
        (0.2, 0.0, True),
        (0.2, 0.01, False),
    ):
        at = (radii + gap - 0.1, 0.0, TABLE_HEIGHT - REST_DEPTH + high)
        put(scene, data, "object", at, UNTURNED)
        assert holds(goal, scene, data) is away, (gap, high)


# --- parts of fixtures -------------------------------------------------------------------------


@pytest.mark.parametrize("task", OPENING)
def test_parts_are_open_and_closed_from_their_thresholds_on(solved: Solve, task: str) -> None:
    episode = solved(task, 0)
    scene, data = episode.scene, episode.at(0)
    goals = [goal for stage in episode.asked for goal in stage.goals]
    names = {g.arguments[0] for g in goals if g.predicate in {"open", "closed"}}
    assert 0 < CLOSED < OPEN < 1
    for name in names:
        part = scene.parts[name]
        for share, is_open, is_closed in (
            (0.0, False, True),
            (CLOSED - 0.005, False, True),
            (CLOSED + 0.005, False, False),
            (OPEN - 0.005, False, False),
            (OPEN + 0.005, True, False),
            (1.0, True, False),
        ):
            data.qpos[part.qpos] = share * part.part.travel
            mujoco.mj_forward(scene.model, data)
            assert holds(Goal("open", (name,)), scene, data) is is_open, share
            assert holds(Goal("closed", (name,)), scene, data) is is_closed, share


def test_the_other_drawer_does_not_count(solved: Solve) -> None:
    for index in (0, 1):
        episode = solved("open-drawer", index)
        scene, data = episode.scene, episode.at(0)
        (goal,) = episode.asked[0].goals
        other = "bottom drawer" if goal.arguments == ("top drawer",) else "top drawer"
        data.qpos[scene.parts[other].qpos] = scene.parts[other].part.travel
        mujoco.mj_forward(scene.model, data)
        assert not holds(goal, scene, data)
        assert holds(Goal("open", (other,)), scene, data)


@pytest.mark.parametrize(("task", "index"), IN_PARTS)
def test_the_inside_of_a_part_ends_at_its_walls(solved: Solve, task: str, index: int) -> None:
    episode = solved(task, index)
    scene, data = episode.scene, hand_away(episode)
    goal = next(g for g in placements(episode) if g.predicate == "in")
    name, place = goal.arguments
    leave_alone(scene, data, name)
    depth, width, _ = scene.model.site_size[scene.parts[place].floor_site]
    floor = -REST_DEPTH
    inside = [(0, 0, floor), (0, width - MARGIN, floor), (MARGIN - depth, 0, floor)]
    outside = [(0, width + MARGIN, floor), (-depth - MARGIN, 0, floor), (0, 0, -0.05)]
    for at in inside:
        put_on(scene, data, name, place, at)
        assert holds(goal, scene, data), at
    for at in outside:
        put_on(scene, data, name, place, at)
        assert not holds(goal, scene, data), at


@pytest.mark.parametrize(("scale", "inside"), [(1.0, True), (1.25, False)])
def test_inside_is_what_reaches_below_the_rim_however_high_its_middle_is(
    draw: Draw, scale: float, inside: bool
) -> None:
    """One block on another in the basket: its middle is above the rim, its foot may be below."""
    looks = {
        f"{role}.{key}": value
        for role in ("object", "second")
        for key, value in {"category": "block", "shape": [0.4] * 4}.items()
    }
    colors = {"object.color": "red", "second.color": "blue", "object.scale": scale}
    simulation = Simulation()
    simulation.start(draw("two-in-basket", 0, factors=looks | colors))
    scene, data = simulation.scene, simulation.data
    rim = 2 * scene.model.site_size[scene.parts["basket"].floor_site][2]
    below, above = (scene.objects[role].shape.height for role in ("object", "second"))
    assert below + above / 2 > rim
    assert bool(below < rim - HEIGHT_TOLERANCE) is inside
    put_on(scene, data, "object", "basket", (0.0, 0.0, -REST_DEPTH))
    put_on(scene, data, "second", "basket", (0.0, 0.0, below - 2 * REST_DEPTH))
    assert touching(data, scene.objects["second"].geoms) <= scene.objects["object"].geoms
    assert holds(Goal("in", ("object", "basket")), scene, data)
    assert holds(Goal("in", ("second", "basket")), scene, data) is inside


def test_the_tallest_thing_stands_on_a_tray(draw: Draw) -> None:
    factors = {
        "object.category": "bottle",
        "object.color": category("bottle").colors[0],
        "object.shape": [1.0] * 4,
        "object.scale": 1.25,
    }
    simulation = Simulation()
    simulation.start(draw("serve", 0, factors=factors))
    scene, data = simulation.scene, simulation.data
    space = 2 * scene.model.site_size[scene.parts["tray"].floor_site][2]
    assert scene.objects["object"].shape.height / 2 > space
    put_on(scene, data, "object", "tray", (0.0, 0.0, -REST_DEPTH))
    assert holds(Goal("on", ("object", "tray")), scene, data)
    put_on(scene, data, "object", "tray", (0.0, 0.0, 0.03))
    assert not holds(Goal("on", ("object", "tray")), scene, data)


@pytest.mark.parametrize("index", [0, 1])
def test_what_is_in_the_other_drawer_or_on_the_cabinet_is_not_in_the_drawer(
    solved: Solve, index: int
) -> None:
    episode = solved("store-in-drawer", index)
    goal, scene, data = Goal("in", ("object", "top drawer")), episode.scene, hand_away(episode)
    assert holds(goal, scene, data)
    below = data.site_xpos[scene.model.site("bottom drawer floor").id] - [0, 0, REST_DEPTH]
    put(scene, data, "object", below, UNTURNED)
    assert touching(data, scene.objects["object"].geoms)
    assert not holds(goal, scene, data)
    cabinet = scene.model.body("cabinet").id
    first = scene.model.body_geomadr[cabinet]
    walls = range(first, first + scene.model.body_geomnum[cabinet])
    top = max(data.geom_xpos[g][2] + scene.model.geom_size[g][2] for g in walls)
    above = [*data.xpos[cabinet][:2], top - REST_DEPTH]
    put(scene, data, "object", above, UNTURNED)
    assert touching(data, scene.objects["object"].geoms) & set(walls)
    assert not holds(goal, scene, data)
