"""Handles: pull and push what opens by an upright bar, a drawer along a line, a door on its arc."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vlabench.policies.expert.motion import (
    CLOSE,
    CLOSE_STEPS,
    OPEN,
    OPEN_STEPS,
    PATIENCE,
    REST,
    Motion,
    angle,
    frame,
    move,
    retreat,
    towards,
    travel,
    turned_about,
    wait,
)
from vlabench.types import Floats, PartState, PrivilegedState

LEAD = 0.04
"""Metres by which the hand is asked to be ahead of the handle that it moves."""

ENOUGH = {"drawer": 0.88, "door": 0.95}
"""Share of its travel to which a part is opened: further than needed, short of its stop."""

HOVER = 0.08
"""Metres before a handle to which the hand comes first."""

STALL = 10
"""Control steps without progress after which the hand takes hold from where it is."""

SHUT = 0.02
"""Share of its travel to which a part is closed."""


def open_part(state: PrivilegedState, name: str) -> Motion:
    """Takes the handle of a drawer or a door and pulls it open, a little further than needed."""
    enough = ENOUGH[state.parts[name].kind]
    return (yield from _shift(state, name, +1.0, lambda share: share > enough))


def close_part(state: PrivilegedState, name: str) -> Motion:
    """Takes the handle of a drawer or a door and pushes it shut."""
    return (yield from _shift(state, name, -1.0, lambda share: share < SHUT))


def _shift(state: PrivilegedState, name: str, sign: float, done: Callable[[float], bool]) -> Motion:
    hold = _choose_hold(state.parts[name])
    state = yield from _take(state, name, hold)
    for _ in range(PATIENCE):
        part = state.parts[name]
        if done(part.opening / part.travel):
            break
        ahead = _moved(part, sign * LEAD)
        state = yield towards(state, ahead.handle, hold.rotation(ahead), CLOSE)
    return (yield from _let_go(state, name, hold))


def _take(state: PrivilegedState, name: str, hold: _Hold) -> Motion:
    def at(distance: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            rotation = hold.rotation(now.parts[name])
            return now.parts[name].handle - distance * rotation[:, 2], rotation

        return pose

    state = yield from travel(state, at(HOVER), OPEN, tolerance=0.012)
    state = yield from move(state, at(-0.004), OPEN, tolerance=0.005, speed=0.7, stall=STALL)
    return (yield from wait(state, CLOSE_STEPS, CLOSE))


def _let_go(state: PrivilegedState, name: str, hold: _Hold) -> Motion:
    state = yield from wait(state, OPEN_STEPS, OPEN)

    def back(now: PrivilegedState) -> tuple[Floats, Floats]:
        rotation = hold.rotation(now.parts[name])
        return now.parts[name].handle - HOVER * rotation[:, 2], rotation

    state = yield from move(state, back, OPEN, tolerance=0.02)
    return (yield from retreat(state))


# --- how a bar is held ------------------------------------------------------------------------

PITCH = {"drawer": 0.85, "door": 1.5}
"""Radians below horizontal at which the hand comes to the handle of such a part: steeply where
the hand must turn with it."""


@dataclass(frozen=True, slots=True)
class _Hold:
    """A hand that comes down towards a part and closes sideways around its upright bar.

    Attributes:
        pitch: Radians below horizontal.
        side: Which finger is on which side, 1 or -1.
    """

    pitch: float
    side: float

    def rotation(self, part: PartState) -> Floats:
        """The hand's rotation while it holds `part` as it stands."""
        inward = -part.handle_rotation[:, 0]
        down = np.array([0.0, 0.0, -math.sin(self.pitch)])
        approach = inward * math.cos(self.pitch) + down
        return frame(approach, self.side * np.array([-inward[1], inward[0], 0.0]))


def _choose_hold(part: PartState) -> _Hold:
    """The hold that turns the wrist least on the whole way of the part."""
    ways = [_opened(part, share) for share in (0.0, 0.5, 1.0)]

    def cost(hold: _Hold) -> float:
        return max(angle(REST.T @ hold.rotation(way)) for way in ways)

    return min((_Hold(PITCH[part.kind], side) for side in (1.0, -1.0)), key=cost)


def _opened(part: PartState, share: float) -> PartState:
    """The part as it stands at this share of its travel."""
    return _slid(part, share * part.travel - part.opening)


def _moved(part: PartState, distance: float) -> PartState:
    """The part after its handle has gone `distance` metres; positive opens."""
    if part.kind != "door":
        return _slid(part, distance)
    arm = part.handle - part.pivot
    return _slid(part, distance / math.hypot(float(arm[0]), float(arm[1])))


def _slid(part: PartState, by: float) -> PartState:
    """The part after its joint has moved `by` metres or radians."""
    if part.kind != "door":
        return replace(part, handle=part.handle + by * part.axis, opening=part.opening + by)
    turn = turned_about(part.axis, by)
    return replace(
        part,
        handle=part.pivot + turn @ (part.handle - part.pivot),
        handle_rotation=turn @ part.handle_rotation,
        opening=part.opening + by,
    )
