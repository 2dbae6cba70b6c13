"""Skills: small programs that yield an action and are sent the state that came of it.

Positions are metres in the robot's base frame. A skill returns the last state it saw; it gives up
early when what it holds is lost, and the planner then starts it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.types import DrawerState, Floats, Grasp, ObjectState, PrivilegedState

Action: TypeAlias = npt.NDArray[np.float64]
Motion: TypeAlias = Generator[Action, PrivilegedState, PrivilegedState]

OPEN, CLOSE = -1.0, 1.0

MAX_TRANSLATION = 0.05
MAX_ROTATION = 0.5
"""What 1 means in an action: metres and radians a control step."""

TURN_SPEED = 0.3
"""Largest turn in an action: the wrist is weak, and faster it drags the hand off its way."""

CARRY_HEIGHT = 0.2
"""Metres above the table at which the hand travels, unless what it holds is taller."""

HOVER = 0.08
"""Metres above a grasp from which the hand goes straight down."""

FUNNEL = 6.0
"""Metres that the hand stays above a grasp for each metre that it is beside it."""

CLOSE_STEPS = 7
OPEN_STEPS = 5
PATIENCE = 70
"""Control steps after which a motion that has not arrived goes on all the same."""


def wait(state: PrivilegedState, steps: int, gripper: float = OPEN) -> Motion:
    """Stays where it is; with no action at all the arm would drift."""
    position, rotation = state.hand_position, state.hand_rotation
    for _ in range(steps):
        state = yield _towards(state, position, rotation, gripper)
    return state


def pick_and_place(state: PrivilegedState, name: str, place: str) -> Motion:
    """Takes the object `name` and puts it on or into `place`, an object or a drawer."""
    grasp = _best_grasp(state.objects[name])
    state = yield from _pick(state, name, grasp)
    if not _holding(state, name):
        return (yield from _retreat(state))
    return (yield from _put(state, name, place))


def open_drawer(state: PrivilegedState, name: str) -> Motion:
    """Takes the drawer's handle and pulls it open, a little further than needed."""
    state = yield from _take_handle(state, name)
    for _ in range(PATIENCE):
        drawer = state.drawers[name]
        if drawer.opening > drawer.travel - 0.018:
            break
        target = drawer.handle + 0.04 * drawer.outward
        state = yield _towards(state, target, _handle_rotation(drawer), CLOSE)
    return (yield from _let_go_of_handle(state, name))


def close_drawer(state: PrivilegedState, name: str) -> Motion:
    """Takes the drawer's handle and pushes it shut."""
    state = yield from _take_handle(state, name)
    for _ in range(PATIENCE):
        drawer = state.drawers[name]
        if drawer.opening < 0.003:
            break
        target = drawer.handle - 0.04 * drawer.outward
        state = yield _towards(state, target, _handle_rotation(drawer), CLOSE)
    return (yield from _let_go_of_handle(state, name))


# --- pick and place ---------------------------------------------------------------------------


def _pick(state: PrivilegedState, name: str, grasp: Grasp) -> Motion:
    def at(height: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            position, rotation = _grasp_pose(now.objects[name], grasp)
            return position + np.array([0.0, 0.0, height]), rotation

        return pose

    def descending(now: PrivilegedState) -> tuple[Floats, Floats]:
        position, rotation = at(0.0)(now)
        aside = max(0.0, _apart(now, position) - 0.003)
        return position + np.array([0.0, 0.0, min(HOVER, FUNNEL * aside)]), rotation

    state = yield from _travel(state, at(HOVER), OPEN, tolerance=0.012)
    state = yield from _move(state, descending, OPEN, tolerance=0.004, speed=0.7)
    state = yield from wait(state, CLOSE_STEPS, CLOSE)
    here = state.hand_position + np.array([0.0, 0.0, 0.1])
    rotation = state.hand_rotation
    return (yield from _move(state, lambda _: (here, rotation), CLOSE, tolerance=0.03))


def _put(state: PrivilegedState, name: str, place: str) -> Motion:
    """Carries what is held above `place`, lowers it and lets go."""
    rotation = _pointing_down(state.hand_rotation)
    level = _carry_height(state, name, place)

    def above(now: PrivilegedState) -> tuple[Floats, Floats]:
        x, y, _ = _release_point(now, name, place)
        return np.array([x, y, level]), rotation

    def at(now: PrivilegedState) -> tuple[Floats, Floats]:
        return _release_point(now, name, place), rotation

    def lost(now: PrivilegedState) -> bool:
        return not _holding(now, name)

    state = yield from _rise(state, level, CLOSE)
    state = yield from _move(state, above, CLOSE, tolerance=0.008, unless=lost)
    if lost(state):
        return (yield from _retreat(state))
    state = yield from _move(state, at, CLOSE, tolerance=0.004, speed=0.5)
    state = yield from wait(state, 2, CLOSE)
    state = yield from wait(state, OPEN_STEPS, OPEN)
    state = yield from _retreat(state)
    return (yield from wait(state, 8))


def _best_grasp(thing: ObjectState) -> Grasp:
    """The grasp that turns the hand least from how it starts."""

    def cost(grasp: Grasp) -> float:
        _, rotation = _grasp_pose(thing, grasp)
        return _angle(_REST.T @ rotation)

    return min(thing.grasps, key=cost)


def _grasp_pose(thing: ObjectState, grasp: Grasp) -> tuple[Floats, Floats]:
    """Position and rotation of the hand for a grasp of a thing as it stands now.

    A thing that lies askew is still approached from straight above.
    """
    position = thing.position + thing.rotation @ grasp.position
    return position, _pointing_down(thing.rotation @ grasp.rotation)


def _release_point(state: PrivilegedState, name: str, place: str) -> Floats:
    """Where the hand goes so that what it holds stands just above `place`."""
    thing = state.objects[name]
    offset = state.hand_position - _foot(thing)
    if place in state.drawers:
        drawer = state.drawers[place]
        target = drawer.interior + 0.01 * drawer.outward
        target = target + np.array([0.0, 0.0, 0.012])
    else:
        support = state.objects[place]
        up = support.surface_height + 0.006
        target = support.position + np.array([0.0, 0.0, up])
    goal: Floats = target + offset
    return goal


def _foot(thing: ObjectState) -> Floats:
    """The point under its middle at the height of its lowest point, roughly."""
    up = thing.rotation[:, 2]
    middle = thing.position + up * (thing.height / 2)
    reach = abs(up[2]) * thing.height / 2
    foot: Floats = middle - np.array([0.0, 0.0, reach])
    return foot


def _holding(state: PrivilegedState, name: str) -> bool:
    thing = state.objects[name]
    middle = thing.position + thing.rotation[:, 2] * (thing.height / 2)
    off = float(np.sqrt(((middle - state.hand_position) ** 2).sum()))
    lifted = float(middle[2]) - state.table_height > thing.height / 2 + 0.02
    return lifted and off < max(thing.height, 2 * thing.radius)


def _carry_height(state: PrivilegedState, name: str, place: str) -> float:
    """Hand height at which what hangs below it clears everything on the way."""
    hanging = float(state.hand_position[2] - _foot(state.objects[name])[2])
    if place in state.drawers:
        obstacle = float(state.drawers[place].interior[2]) + 0.1
    else:
        tallest = max(o.height for key, o in state.objects.items() if key != name)
        obstacle = state.table_height + tallest
    return min(obstacle + hanging + 0.03, state.table_height + 0.4)


# --- drawers ----------------------------------------------------------------------------------


def _take_handle(state: PrivilegedState, name: str) -> Motion:
    def at(distance: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            drawer = now.drawers[name]
            rotation = _handle_rotation(drawer)
            return drawer.handle - distance * rotation[:, 2], rotation

        return pose

    state = yield from _travel(state, at(0.1), OPEN, tolerance=0.012)
    state = yield from _move(state, at(-0.004), OPEN, tolerance=0.005, speed=0.7)
    return (yield from wait(state, CLOSE_STEPS, CLOSE))


def _let_go_of_handle(state: PrivilegedState, name: str) -> Motion:
    state = yield from wait(state, OPEN_STEPS, OPEN)

    def back(now: PrivilegedState) -> tuple[Floats, Floats]:
        drawer = now.drawers[name]
        rotation = _handle_rotation(drawer)
        return drawer.handle - 0.09 * rotation[:, 2], rotation

    state = yield from _move(state, back, OPEN, tolerance=0.02)
    return (yield from _retreat(state))


HANDLE_PITCH = 0.85
"""Radians below horizontal at which the hand comes to a handle."""


def _handle_rotation(drawer: DrawerState) -> Floats:
    """A hand that comes down towards the drawer and closes sideways around an upright bar."""
    inward = -drawer.outward
    approach = inward * math.cos(HANDLE_PITCH) + np.array([0.0, 0.0, -math.sin(HANDLE_PITCH)])
    sideways = np.array([-inward[1], inward[0], 0.0])
    candidates = [_frame(approach, sign * sideways) for sign in (1.0, -1.0)]
    return min(candidates, key=lambda rotation: _angle(_REST.T @ rotation))


# --- motion -----------------------------------------------------------------------------------

Pose: TypeAlias = Callable[[PrivilegedState], tuple[Floats, Floats]]


def _move(
    state: PrivilegedState,
    pose: Pose,
    gripper: float,
    *,
    tolerance: float,
    speed: float = 1.0,
    unless: Callable[[PrivilegedState], bool] = lambda _: False,
) -> Motion:
    """Goes straight to `pose`, asked anew at every step; stops where `unless` holds."""
    for _ in range(PATIENCE):
        if unless(state):
            break
        position, rotation = pose(state)
        off = float(np.sqrt(((position - state.hand_position) ** 2).sum()))
        if off < tolerance and _angle(state.hand_rotation.T @ rotation) < 0.06:
            break
        state = yield _towards(state, position, rotation, gripper, speed)
    return state


def _travel(state: PrivilegedState, pose: Pose, gripper: float, *, tolerance: float) -> Motion:
    """Goes to `pose` over the top of everything: up, across while turning, and down."""
    safe = state.table_height + CARRY_HEIGHT
    state = yield from _rise(state, min(safe, float(pose(state)[0][2]) + 0.12), gripper)
    level = float(state.hand_position[2])

    def across(now: PrivilegedState) -> tuple[Floats, Floats]:
        position, rotation = pose(now)
        if _apart(now, position) > 0.05:
            position = np.array([position[0], position[1], max(float(position[2]), level)])
        return position, rotation

    return (yield from _move(state, across, gripper, tolerance=tolerance))


def _apart(state: PrivilegedState, position: Floats) -> float:
    """Metres by which the hand is beside `position`, seen from above."""
    offset = position[:2] - state.hand_position[:2]
    return math.hypot(float(offset[0]), float(offset[1]))


def _rise(state: PrivilegedState, height: float, gripper: float) -> Motion:
    """Goes straight up to `height`, if it is lower."""
    if state.hand_position[2] >= height:
        return state
    goal = np.array([state.hand_position[0], state.hand_position[1], height])
    rotation = state.hand_rotation
    return (yield from _move(state, lambda _: (goal, rotation), gripper, tolerance=0.02))


def _retreat(state: PrivilegedState) -> Motion:
    """Opens the hand and goes straight up."""
    return (yield from _rise(state, float(state.hand_position[2]) + 0.12, OPEN))


def _towards(
    state: PrivilegedState, position: Floats, rotation: Floats, gripper: float, speed: float = 1.0
) -> Action:
    """The action that goes furthest to a pose in one step without leaving the straight line."""
    step = (position - state.hand_position) / MAX_TRANSLATION
    largest = float(np.abs(step).max())
    if largest > speed:
        step = step * (speed / largest)
    turn = _rotation_vector(rotation @ state.hand_rotation.T) / MAX_ROTATION
    largest = float(np.abs(turn).max())
    if largest > TURN_SPEED:
        turn = turn * (TURN_SPEED / largest)
    return np.concatenate([step, turn, [gripper]])


# --- rotations --------------------------------------------------------------------------------

_REST: Floats = np.diag([-1.0, 1.0, -1.0])
"""The hand at home: pointing down, closing along y."""


def _frame(approach: Floats, closing: Floats) -> Floats:
    x = np.array(
        [
            closing[1] * approach[2] - closing[2] * approach[1],
            closing[2] * approach[0] - closing[0] * approach[2],
            closing[0] * approach[1] - closing[1] * approach[0],
        ]
    )
    return np.stack([x, closing, approach], axis=1)


def _pointing_down(rotation: Floats) -> Floats:
    """The nearest rotation whose approach is straight down."""
    closing = np.array([rotation[0, 1], rotation[1, 1], 0.0])
    length = math.sqrt(float((closing * closing).sum()))
    closing = closing / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
    return _frame(np.array([0.0, 0.0, -1.0]), closing)


def _angle(rotation: Floats) -> float:
    cosine = (float(np.trace(rotation)) - 1) / 2
    return math.acos(max(-1.0, min(1.0, cosine)))


def _rotation_vector(rotation: Floats) -> Floats:
    """Axis times angle of a rotation, by the short way round."""
    angle = _angle(rotation)
    axis = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    length = math.sqrt(float((axis * axis).sum()))
    if length < 1e-6:
        # no turn, or exactly half a turn, about an axis that any column of R + 1 shows
        return np.zeros(3) if angle < 1.0 else _half_turn(rotation)
    return axis / length * angle


def _half_turn(rotation: Floats) -> Floats:
    columns = rotation + np.eye(3)
    axis = columns[:, int(np.argmax(np.diag(columns)))]
    return axis / math.sqrt(float((axis * axis).sum())) * math.pi
