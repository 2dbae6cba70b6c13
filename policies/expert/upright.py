"""Stand something up that lies on its side: take it across its body, turn it, set it down.

The hand comes down leaning towards the foot of the thing, so that it leans down by as much when
the thing is upright, and its wrist stays clear of the table.
"""

from __future__ import annotations

import math

import numpy as np

from vlabench.policies.expert.grasping import HOVER, descend, middle_of
from vlabench.policies.expert.motion import (
    CLOSE,
    CLOSE_STEPS,
    FREE,
    OPEN,
    Motion,
    Pose,
    angle,
    frame,
    let_go,
    move,
    pointing_down,
    regroup,
    travel,
    turned_about,
    wait,
)
from vlabench.types import Floats, PrivilegedState

LEAN = 0.3
"""Radians by which the hand leans from the vertical when it takes the thing: so much as an arm can
do in any direction."""

HELD_AT = 0.58
"""Where along its height a thing is taken: a little above the middle, so that it hangs down."""

CLEAR = 0.22
"""Metres above the table at which a thing is turned."""

NEAREST = 0.5
"""Metres from the robot's base, straight ahead, from which on there is room for the turn."""


def stand_up(state: PrivilegedState, name: str) -> Motion:
    """Stands the object `name` on its foot."""
    rotation = _taking(state, name)
    state = yield from travel(state, _at(name, rotation, HOVER), OPEN, tolerance=0.015)
    state = yield from descend(state, _at(name, rotation, 0.0), OPEN, speed=0.7)
    state = yield from wait(state, CLOSE_STEPS, CLOSE)
    up = _above_table(state, CLEAR)
    state = yield from move(state, lambda _: (up, rotation), CLOSE, tolerance=0.03, stall=15)
    if not _holding(state, name):
        return (yield from regroup(state))
    return (yield from _set_down(state, name))


def _set_down(state: PrivilegedState, name: str) -> Motion:
    """Turns the hand until what it holds is upright, lowers it, lets go and draws back."""
    here = _above_table(state, CLEAR)
    here[0] = max(NEAREST, float(here[0]))
    straight = pointing_down(state.hand_rotation)
    state = yield from move(state, lambda _: (here, straight), CLOSE, tolerance=0.03)
    held = state.objects[name].rotation.T @ state.hand_rotation
    rotation = _upright(state, held)
    state = yield from move(state, lambda _: (here, rotation), CLOSE, tolerance=0.03)

    def down(now: PrivilegedState) -> tuple[Floats, Floats]:
        foot = now.objects[name].position
        goal = np.array([here[0], here[1], now.table_height + 0.004])
        return goal + now.hand_position - foot, rotation

    state = yield from descend(state, down, CLOSE, speed=0.5)
    state = yield from wait(state, 2, CLOSE)
    state = yield from let_go(state)
    back = state.hand_position - 0.12 * rotation[:, 2]
    state = yield from move(state, lambda _: (back, rotation), OPEN, tolerance=0.02, stall=10)
    return (yield from wait(state, 8))


def _at(name: str, rotation: Floats, height: float) -> Pose:
    def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
        thing = now.objects[name]
        axis = thing.rotation[:, 2]
        point = thing.position + HELD_AT * thing.height * axis
        clear_of_palm = max(0.0, thing.radius - now.hand.palm_clearance + 0.004)
        point = point - clear_of_palm * rotation[:, 2]
        return point + np.array([0.0, 0.0, height]), rotation

    return pose


def _taking(state: PrivilegedState, name: str) -> Floats:
    """The hand's rotation for taking a lying thing across its axis."""
    axis = state.objects[name].rotation[:, 2]
    length = max(1e-6, math.hypot(float(axis[0]), float(axis[1])))
    x, y = float(axis[0]) / length, float(axis[1]) / length
    approach = np.array([-math.sin(LEAN) * x, -math.sin(LEAN) * y, -math.cos(LEAN)])
    candidates = [frame(approach, sign * np.array([-y, x, 0.0])) for sign in (1.0, -1.0)]
    nearest: Floats = min(candidates, key=lambda rotation: angle(FREE.T @ rotation))
    return nearest


def _upright(state: PrivilegedState, held: Floats) -> Floats:
    """The hand's rotation in which what it holds is upright and the hand points left or right.

    To point away from its base an arm would need more room below than there is.
    """
    pointing = math.atan2(float(held[1, 2]), float(held[0, 2]))
    candidates = [
        turned_about(np.array([0.0, 0.0, 1.0]), sideways - pointing) @ held
        for sideways in (math.pi / 2, -math.pi / 2)
    ]
    nearest: Floats = min(candidates, key=lambda r: angle(r @ state.hand_rotation.T))
    return nearest


def _above_table(state: PrivilegedState, height: float) -> Floats:
    x, y, _ = state.hand_position
    return np.array([x, y, state.table_height + height])


def _holding(state: PrivilegedState, name: str) -> bool:
    offset = middle_of(state.objects[name]) - state.hand_position
    return math.sqrt(float((offset * offset).sum())) < state.objects[name].height
