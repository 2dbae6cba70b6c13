"""Push: shove a thing over the table onto a marked place, with closed fingers behind it."""

from __future__ import annotations

import math

import numpy as np

from vlabench.policies.expert.grasping import middle_of, top_of
from vlabench.policies.expert.motion import (
    CLOSE,
    EASY,
    PATIENCE,
    REACH,
    Motion,
    angle,
    frame,
    move,
    retreat,
    towards,
    travel,
)
from vlabench.policies.expert.pick_place import pick_and_place
from vlabench.types import Floats, PrivilegedState

BEHIND = 0.035
"""Metres of air between a thing and the hand that comes down behind it."""

FINGERS = 0.011
"""Half the thickness of closed fingers in metres, across the direction of closing."""

SPEED = 0.45
"""Of a push, as a share of the hand's top speed: faster, things turn out of the way."""

DONE = 0.012
"""Metres from the middle of the place at which a thing has arrived."""

WINDOW, STUCK, SLOW = 8, 0.002, 0.025
"""A hand that comes no further than `STUCK` metres in so many control steps sticks to the table;
where it comes no further than `SLOW`, what it pushes is heavy."""

FREEING = 0.006
"""Metres by which it then goes on higher, and with all its force."""

LANE = 0.03
"""Metres between the lane of a push and what stands beside it."""


def push_to(state: PrivilegedState, name: str, region: str) -> Motion:
    """Pushes the object `name` onto `region`; carries it there where something is in the way."""
    if not _is_free(state, name, region):
        return (yield from pick_and_place(state, name, region))

    def behind(now: PrivilegedState) -> tuple[Floats, Floats]:
        thing, along = now.objects[name], _direction(now, name, region)
        back = thing.radius + BEHIND + FINGERS
        at = middle_of(thing) - back * along
        return np.array([at[0], at[1], _level(now, name)]), _across(along)

    closed = state
    state = yield from travel(closed, behind, CLOSE, tolerance=0.012)
    state = yield from move(state, behind, CLOSE, tolerance=0.006, stall=15)
    state = yield from _shove(state, name, region)
    back = state.hand_position - 0.03 * _direction(state, name, region)
    rotation = state.hand_rotation
    state = yield from move(state, lambda _: (back, rotation), CLOSE, tolerance=0.01, stall=8)
    return (yield from retreat(state))


def _shove(state: PrivilegedState, name: str, region: str) -> Motion:
    """Goes on towards the place, always from the far side of the thing."""
    rotation = _across(_direction(state, name, region))
    higher, hurry, before = 0.0, False, state.hand_position
    for step in range(2 * PATIENCE):
        if step > 0 and step % WINDOW == 0:
            come = apart_from(state.hand_position, before)
            higher += FREEING if come < STUCK else 0.0
            hurry = hurry or come < SLOW
            before = state.hand_position
        along = _direction(state, name, region)
        thing = middle_of(state.objects[name])
        left = apart_from(thing, state.parts[region].interior)
        offset = thing - state.hand_position
        sideways = float(offset[0] * -along[1] + offset[1] * along[0])
        ahead = float(offset[0] * along[0] + offset[1] * along[1])
        if left < DONE or ahead < 0.0 or abs(sideways) > 0.03:
            break
        # what is pushed goes where the hand goes: get behind its middle, but gently
        aside = np.array([-along[1], along[0], 0.0])
        aim = state.hand_position + 0.04 * along + 0.8 * sideways * aside
        aim[2] = _level(state, name) + higher
        speed = (1.0 if hurry else SPEED) if left > 0.05 else SPEED / 2
        state = yield towards(state, aim, rotation, CLOSE, speed)
    return state


def apart_from(a: Floats, b: Floats) -> float:
    """Metres between two points, seen from above."""
    return math.hypot(float(a[0] - b[0]), float(a[1] - b[1]))


def _direction(state: PrivilegedState, name: str, region: str) -> Floats:
    """From a thing to the middle of the place, level; of unit length."""
    offset = state.parts[region].interior - middle_of(state.objects[name])
    length = max(1e-6, math.hypot(float(offset[0]), float(offset[1])))
    return np.array([offset[0] / length, offset[1] / length, 0.0])


def _across(along: Floats) -> Floats:
    """A hand that points down, its closed fingers side by side across the direction of a push."""
    down = np.array([0.0, 0.0, -1.0])
    candidates = [frame(down, sign * np.array([-along[1], along[0], 0.0])) for sign in (1.0, -1.0)]
    nearest: Floats = min(candidates, key=lambda rotation: angle(EASY.T @ rotation))
    return nearest


def _level(state: PrivilegedState, name: str) -> float:
    """Height of the hand for a push: low, but clear of the table."""
    low = state.table_height + state.hand.fingertip_reach + 0.004
    return max(low, float(middle_of(state.objects[name])[2]) - 0.01)


def _is_free(state: PrivilegedState, name: str, region: str) -> bool:
    """Whether a thing can be pushed straight to the place, and the hand has room behind it."""
    thing = state.objects[name]
    goal, along = state.parts[region].interior, _direction(state, name, region)
    start = middle_of(thing) - (thing.radius + BEHIND + 0.02) * along
    length = apart_from(start, goal)
    if math.hypot(float(start[0]), float(start[1])) > REACH:
        return False
    for key, other in state.objects.items():
        if key == name or top_of(other) < state.table_height + 0.005:
            continue
        offset = middle_of(other) - start
        x = float(offset[0] * along[0] + offset[1] * along[1])
        y = float(offset[1] * along[0] - offset[0] * along[1])
        beyond = max(0.0, -x, x - length)
        if math.hypot(beyond, y) < thing.radius + other.radius + LANE:
            return False
    return True
