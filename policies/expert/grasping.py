"""Grasping: choose how to hold a thing among others, take it, and know whether it is still held."""

from __future__ import annotations

import math

import numpy as np

from vlabench.policies.expert.motion import (
    CLOSE,
    CLOSE_STEPS,
    EASY,
    OPEN,
    Motion,
    Pose,
    angle,
    apart,
    move,
    pointing_down,
    travel,
    wait,
)
from vlabench.types import Floats, Grasp, ObjectState, PrivilegedState

HOVER = 0.08
"""Metres above a grasp from which the hand goes straight down."""

FUNNEL = 6.0
"""Metres that the hand stays above a grasp for each metre that it is beside it."""

FINGER = 0.012
"""Half the thickness of a finger, in metres."""

PALM = 0.05
"""Metres above the point between the fingertips where the hand is wider than its fingers."""

PALM_HALF = (0.035, 0.1)
"""Half the size of the hand across and along the direction of closing."""

ROOM = 0.008
"""Metres of air that a finger should have."""


def pick(state: PrivilegedState, name: str) -> Motion:
    """Takes the object `name` from above and lifts it a little; the hand may stay empty."""
    grasp = best_grasp(state, name)

    def at(height: float) -> Pose:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            position, rotation = grasp_pose(now.objects[name], grasp)
            level = max(float(position[2]), _lowest(now, name))
            return np.array([position[0], position[1], level + height]), rotation

        return pose

    state = yield from travel(state, at(HOVER), OPEN, tolerance=0.012)
    state = yield from descend(state, at(0.0), OPEN, speed=0.7)
    state = yield from wait(state, CLOSE_STEPS, CLOSE)
    here = state.hand_position + np.array([0.0, 0.0, 0.1])
    rotation = state.hand_rotation
    return (yield from move(state, lambda _: (here, rotation), CLOSE, tolerance=0.03))


def descend(
    state: PrivilegedState, pose: Pose, gripper: float, *, speed: float, slack: float = 0.003
) -> Motion:
    """Goes down to `pose`, which may move, and gets above it on the way, but for `slack` metres."""

    def funnel(now: PrivilegedState) -> tuple[Floats, Floats]:
        position, rotation = pose(now)
        aside = max(0.0, apart(now, position) - slack)
        # it waits until it is above, but does not go up again: that would rock it
        level = min(float(position[2]) + FUNNEL * aside, float(now.hand_position[2]))
        return np.array([position[0], position[1], max(float(position[2]), level)]), rotation

    return (yield from move(state, funnel, gripper, tolerance=0.004, speed=speed, stall=20))


def best_grasp(state: PrivilegedState, name: str) -> Grasp:
    """The grasp that leaves others alone and turns the hand least from how it starts."""
    thing = state.objects[name]
    others = [other for key, other in state.objects.items() if key != name]

    def cost(grasp: Grasp) -> float:
        position, rotation = grasp_pose(thing, grasp)
        squeezed = sum(_overlap(state, position, rotation, other) for other in others)
        return angle(EASY.T @ rotation) + 100.0 * squeezed

    return min(thing.grasps, key=cost)


def grasp_pose(thing: ObjectState, grasp: Grasp) -> tuple[Floats, Floats]:
    """Position and rotation of the hand for a grasp of a thing as it stands now.

    A thing that lies askew is still approached from straight above; one that has fallen over so
    that the fingers would close up and down is taken as it lies.
    """
    position = thing.position + thing.rotation @ grasp.position
    rotation = thing.rotation @ grasp.rotation
    if abs(float(rotation[2, 1])) > 0.8:
        rotation = np.stack([rotation[:, 0], rotation[:, 2], -rotation[:, 1]], axis=1)
    return position, pointing_down(rotation)


def _lowest(state: PrivilegedState, name: str) -> float:
    """The hand's least height: fingertips clear of the table, palm clear of the thing's top."""
    thing = state.objects[name]
    fingers = float(foot_of(thing)[2]) + state.hand.fingertip_reach
    return max(fingers, top_of(thing) - state.hand.palm_clearance) + 0.002


def _overlap(
    state: PrivilegedState, position: Floats, rotation: Floats, other: ObjectState
) -> float:
    """Metres by which an open hand at a pose gets into the way of another thing."""
    top = top_of(other)
    if top < position[2] - 0.015:
        return 0.0
    x, y = (float(((middle_of(other) - position) * rotation[:, axis])[:2].sum()) for axis in (0, 1))
    finger = state.hand.max_opening / 2 + FINGER
    near = min(math.hypot(x, y - finger), math.hypot(x, y + finger))
    overlap = max(0.0, other.radius + FINGER + ROOM - near)
    if top > position[2] + PALM:
        beyond = (max(0.0, abs(x) - PALM_HALF[0]), max(0.0, abs(y) - PALM_HALF[1]))
        overlap += max(0.0, other.radius + ROOM - math.hypot(*beyond))
    return overlap


def middle_of(thing: ObjectState) -> Floats:
    """Half way between its underside and its top."""
    middle: Floats = thing.position + thing.rotation[:, 2] * (thing.height / 2)
    return middle


def foot_of(thing: ObjectState) -> Floats:
    """The point under its middle at the height of its lowest point, roughly."""
    reach = abs(float(thing.rotation[2, 2])) * thing.height / 2
    foot: Floats = middle_of(thing) - np.array([0.0, 0.0, reach])
    return foot


def top_of(thing: ObjectState) -> float:
    """Height of its highest point, roughly; of one that lies, at most."""
    up = abs(float(thing.rotation[2, 2]))
    return float(middle_of(thing)[2]) + up * thing.height / 2 + (1 - up) * thing.radius


def holding(state: PrivilegedState, name: str) -> bool:
    """Whether the hand has the object `name` in it, clear of the table."""
    thing = state.objects[name]
    middle = middle_of(thing)
    off = float(np.sqrt(((middle - state.hand_position) ** 2).sum()))
    lifted = float(middle[2]) - state.table_height > thing.height / 2 + 0.02
    return lifted and off < max(thing.height, 2 * thing.radius)
