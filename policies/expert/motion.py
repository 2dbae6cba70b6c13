"""Motion: small programs that yield an action and are sent the state that came of it.

Positions are metres in the robot's base frame. A motion returns the last state it saw. Skills are
made of motions; they give up early when what they hold is lost, and the planner starts them again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.types import Floats, PrivilegedState

Action: TypeAlias = npt.NDArray[np.float64]
Motion: TypeAlias = Generator[Action, PrivilegedState, PrivilegedState]
Pose: TypeAlias = Callable[[PrivilegedState], tuple[Floats, Floats]]

OPEN, CLOSE = -1.0, 1.0

MAX_TRANSLATION = 0.05
MAX_ROTATION = 0.5
"""What 1 means in an action: metres and radians a control step."""

GAIN = 2.0
"""How many times as far as its goal the hand is sent: the controller is a spring, and what drags at
the hand (its elbow, as it swings round) would otherwise leave it a centimetre beside."""

TURN_SPEED = 0.3
"""Largest turn in an action: the wrist is weak, and faster it drags the hand off its way."""

CARRY_HEIGHT = 0.2
"""Metres above the table at which the hand travels, unless what it holds is taller."""

REACH = 0.73
"""Metres from the robot's base, seen from above, at which the hand still reaches the table."""

CLOSE_STEPS = 7
OPEN_STEPS = 5
PATIENCE = 70
"""Control steps after which a motion that has not arrived goes on all the same."""


def wait(state: PrivilegedState, steps: int, gripper: float = OPEN) -> Motion:
    """Stays where it is; with no action at all the arm would drift."""
    position, rotation = state.hand_position, state.hand_rotation
    for _ in range(steps):
        state = yield towards(state, position, rotation, gripper)
    return state


def move(
    state: PrivilegedState,
    pose: Pose,
    gripper: float,
    *,
    tolerance: float,
    speed: float = 1.0,
    unless: Callable[[PrivilegedState], bool] = lambda _: False,
    stall: int = PATIENCE,
) -> Motion:
    """Goes straight to `pose`, asked anew at every step; stops where `unless` holds.

    It gives up when it has come no nearer for `stall` control steps.
    """
    nearest, waited = math.inf, 0
    for _ in range(PATIENCE):
        if unless(state):
            break
        position, rotation = pose(state)
        off = float(np.sqrt(((position - state.hand_position) ** 2).sum()))
        turn = angle(state.hand_rotation.T @ rotation)
        if off < tolerance and turn < 0.06:
            break
        left = off + 0.1 * turn
        nearest, waited = (left, 0) if left < nearest - 0.001 else (nearest, waited + 1)
        if waited > stall:
            break
        state = yield towards(state, position, rotation, gripper, speed)
    return state


def travel(state: PrivilegedState, pose: Pose, gripper: float, *, tolerance: float) -> Motion:
    """Goes to `pose` over the top of everything: up, across while turning, and down."""
    safe = state.table_height + CARRY_HEIGHT
    state = yield from rise(state, min(safe, float(pose(state)[0][2]) + 0.12), gripper)
    level = float(state.hand_position[2])

    def across(now: PrivilegedState) -> tuple[Floats, Floats]:
        position, rotation = pose(now)
        if apart(now, position) > 0.05:
            position = np.array([position[0], position[1], max(float(position[2]), level)])
        return position, rotation

    return (yield from move(state, across, gripper, tolerance=tolerance))


def apart(state: PrivilegedState, position: Floats) -> float:
    """Metres by which the hand is beside `position`, seen from above."""
    offset = position[:2] - state.hand_position[:2]
    return math.hypot(float(offset[0]), float(offset[1]))


def rise(state: PrivilegedState, height: float, gripper: float) -> Motion:
    """Goes straight up to `height`, if it is lower."""
    if state.hand_position[2] >= height:
        return state
    goal = np.array([state.hand_position[0], state.hand_position[1], height])
    rotation = state.hand_rotation
    return (yield from move(state, lambda _: (goal, rotation), gripper, tolerance=0.02))


def let_go(state: PrivilegedState) -> Motion:
    """Opens the hand where it is, and waits until the fingers have come apart."""
    position, rotation = state.hand_position, state.hand_rotation
    apart_enough = min(state.gripper_opening_m + 0.012, state.hand.max_opening - 0.002)
    for _ in range(3 * OPEN_STEPS):
        state = yield towards(state, position, rotation, OPEN)
        if state.gripper_opening_m > apart_enough:
            break
    return state


def retreat(state: PrivilegedState) -> Motion:
    """Opens the hand and goes straight up."""
    return (yield from rise(state, float(state.hand_position[2]) + 0.12, OPEN))


def regroup(state: PrivilegedState) -> Motion:
    """After a miss: opens the hand, goes up and back to where the arm is free to move."""
    state = yield from retreat(state)
    goal = np.array([0.5, 0.7 * float(state.hand_position[1]), state.table_height + CARRY_HEIGHT])
    return (yield from move(state, lambda _: (goal, REST), OPEN, tolerance=0.04, stall=15))


def towards(
    state: PrivilegedState, position: Floats, rotation: Floats, gripper: float, speed: float = 1.0
) -> Action:
    """The action that goes furthest to a pose in one step without leaving the straight line."""
    step = GAIN * (position - state.hand_position) / MAX_TRANSLATION
    largest = float(np.abs(step).max())
    if largest > speed:
        step = step * (speed / largest)
    turn = rotation_vector(rotation @ state.hand_rotation.T) / MAX_ROTATION
    largest = float(np.abs(turn).max())
    if largest > TURN_SPEED:
        turn = turn * (TURN_SPEED / largest)
    return np.concatenate([step, turn, [gripper]])


# --- rotations --------------------------------------------------------------------------------

REST: Floats = np.diag([-1.0, 1.0, -1.0])
"""The hand at home: pointing down, closing along y."""

EASY: Floats = np.array([[-0.98, -0.199, 0.0], [-0.199, 0.98, 0.0], [0.0, 0.0, -1.0]])
"""The hand as at home, but turned a little to the side on which its last joint has more room."""

FREE: Floats = np.array([[-0.707, -0.707, 0.0], [-0.707, 0.707, 0.0], [0.0, 0.0, -1.0]])
"""The hand pointing down with its last joint in the middle of its range: for a hand that leans."""


def frame(approach: Floats, closing: Floats) -> Floats:
    """The hand's rotation that approaches along one unit vector and closes along another."""
    x = np.array(
        [
            closing[1] * approach[2] - closing[2] * approach[1],
            closing[2] * approach[0] - closing[0] * approach[2],
            closing[0] * approach[1] - closing[1] * approach[0],
        ]
    )
    return np.stack([x, closing, approach], axis=1)


def pointing_down(rotation: Floats) -> Floats:
    """The nearest rotation whose approach is straight down."""
    closing = np.array([rotation[0, 1], rotation[1, 1], 0.0])
    length = math.sqrt(float((closing * closing).sum()))
    closing = closing / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])
    return frame(np.array([0.0, 0.0, -1.0]), closing)


def angle(rotation: Floats) -> float:
    """Radians by which a rotation turns."""
    cosine = (float(np.trace(rotation)) - 1) / 2
    return math.acos(max(-1.0, min(1.0, cosine)))


def turned_about(axis: Floats, by: float) -> Floats:
    """The rotation about a unit vector by an angle in radians."""
    x, y, z = (float(part) for part in axis)
    c, s = math.cos(by), math.sin(by)
    d = 1 - c
    return np.array(
        [
            [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
            [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
            [z * x * d - y * s, z * y * d + x * s, c + z * z * d],
        ]
    )


def rotation_vector(rotation: Floats) -> Floats:
    """Axis times angle of a rotation, by the short way round."""
    turn = angle(rotation)
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
        return np.zeros(3) if turn < 1.0 else _half_turn(rotation)
    return axis / length * turn


def _half_turn(rotation: Floats) -> Floats:
    columns = rotation + np.eye(3)
    axis = columns[:, int(np.argmax(np.diag(columns)))]
    return axis / math.sqrt(float((axis * axis).sum())) * math.pi
