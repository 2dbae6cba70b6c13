"""Pick and place: take a thing from above and put it on or into another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vlabench.policies.expert.motion import (
    CLOSE,
    CLOSE_STEPS,
    OPEN,
    OPEN_STEPS,
    REST,
    Motion,
    angle,
    apart,
    move,
    pointing_down,
    retreat,
    rise,
    travel,
    wait,
)
from vlabench.types import Floats, Grasp, ObjectState, PrivilegedState

HOVER = 0.08
"""Metres above a grasp from which the hand goes straight down."""

FUNNEL = 6.0
"""Metres that the hand stays above a grasp for each metre that it is beside it."""


def pick_and_place(state: PrivilegedState, name: str, place: str) -> Motion:
    """Takes the object `name` and puts it on or into `place`, an object or a drawer."""
    grasp = _best_grasp(state.objects[name])
    state = yield from _pick(state, name, grasp)
    if not _holding(state, name):
        return (yield from retreat(state))
    return (yield from _put(state, name, place))


def _pick(state: PrivilegedState, name: str, grasp: Grasp) -> Motion:
    def at(height: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            position, rotation = _grasp_pose(now.objects[name], grasp)
            return position + np.array([0.0, 0.0, height]), rotation

        return pose

    def descending(now: PrivilegedState) -> tuple[Floats, Floats]:
        position, rotation = at(0.0)(now)
        aside = max(0.0, apart(now, position) - 0.003)
        return position + np.array([0.0, 0.0, min(HOVER, FUNNEL * aside)]), rotation

    state = yield from travel(state, at(HOVER), OPEN, tolerance=0.012)
    state = yield from move(state, descending, OPEN, tolerance=0.004, speed=0.7)
    state = yield from wait(state, CLOSE_STEPS, CLOSE)
    here = state.hand_position + np.array([0.0, 0.0, 0.1])
    rotation = state.hand_rotation
    return (yield from move(state, lambda _: (here, rotation), CLOSE, tolerance=0.03))


def _put(state: PrivilegedState, name: str, place: str) -> Motion:
    """Carries what is held above `place`, lowers it and lets go."""
    rotation = pointing_down(state.hand_rotation)
    level = _carry_height(state, name, place)

    def above(now: PrivilegedState) -> tuple[Floats, Floats]:
        x, y, _ = _release_point(now, name, place)
        return np.array([x, y, level]), rotation

    def at(now: PrivilegedState) -> tuple[Floats, Floats]:
        return _release_point(now, name, place), rotation

    def lost(now: PrivilegedState) -> bool:
        return not _holding(now, name)

    state = yield from rise(state, level, CLOSE)
    state = yield from move(state, above, CLOSE, tolerance=0.008, unless=lost)
    if lost(state):
        return (yield from retreat(state))
    state = yield from move(state, at, CLOSE, tolerance=0.004, speed=0.5)
    state = yield from wait(state, 2, CLOSE)
    state = yield from wait(state, OPEN_STEPS, OPEN)
    state = yield from retreat(state)
    return (yield from wait(state, 8))


def _best_grasp(thing: ObjectState) -> Grasp:
    """The grasp that turns the hand least from how it starts."""

    def cost(grasp: Grasp) -> float:
        _, rotation = _grasp_pose(thing, grasp)
        return angle(REST.T @ rotation)

    return min(thing.grasps, key=cost)


def _grasp_pose(thing: ObjectState, grasp: Grasp) -> tuple[Floats, Floats]:
    """Position and rotation of the hand for a grasp of a thing as it stands now.

    A thing that lies askew is still approached from straight above.
    """
    position = thing.position + thing.rotation @ grasp.position
    return position, pointing_down(thing.rotation @ grasp.rotation)


def _release_point(state: PrivilegedState, name: str, place: str) -> Floats:
    """Where the hand goes so that what it holds stands just above `place`."""
    thing = state.objects[name]
    offset = state.hand_position - _foot(thing)
    if place in state.parts:
        part = state.parts[place]
        target = part.interior + np.array([0.0, 0.0, 0.012])
        if part.kind == "drawer":
            target = target + 0.01 * part.handle_rotation[:, 0]
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
    if place in state.parts:
        obstacle = float(state.parts[place].interior[2]) + 0.1
    else:
        tallest = max(o.height for key, o in state.objects.items() if key != name)
        obstacle = state.table_height + tallest
    return min(obstacle + hanging + 0.03, state.table_height + 0.4)
