"""Controls: turn a knob, press a button."""

from __future__ import annotations

from collections.abc import Callable

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

DOWN: Floats = np.array([0.0, 0.0, -1.0])
UP: Floats = np.array([0.0, 0.0, 1.0])

HOVER = 0.06
"""Metres above a control at which the hand comes to it."""

FULL = 0.95
"""Share of its travel to which a knob is turned and a button pressed."""

TURN_LEAD = 0.3
"""Radians by which the hand is asked to be ahead of the knob that it turns."""

PRESS_LEAD, HOLD_LEAD = 0.02, 0.008
"""Metres by which the hand is asked to be below a button: until it is down, and to keep it so."""


def turn_knob(state: PrivilegedState, name: str) -> Motion:
    """Takes the bar of a knob from above and turns the wrist.

    What one turn of the wrist does not reach, the planner's next try does with a new hold.
    """
    side = _choose_side(state.parts[name])

    def at(height: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            knob = now.parts[name]
            return knob.handle + height * UP, _hold(knob, side, 0.0)

        return pose

    state = yield from travel(state, at(HOVER), OPEN, tolerance=0.008)
    state = yield from move(state, at(0.004), OPEN, tolerance=0.004, speed=0.7)
    state = yield from wait(state, CLOSE_STEPS, CLOSE)
    for _ in range(PATIENCE):
        knob = state.parts[name]
        if knob.opening > FULL * knob.travel:
            break
        position, _ = at(0.004)(state)
        state = yield towards(state, position, _hold(knob, side, TURN_LEAD), CLOSE)
    state = yield from wait(state, OPEN_STEPS, OPEN)
    return (yield from retreat(state))


def press_button(state: PrivilegedState, name: str) -> Motion:
    """Pushes a button down with closed fingers, and keeps it down for as long as is asked."""

    def above(now: PrivilegedState) -> tuple[Floats, Floats]:
        return now.parts[name].handle + HOVER * UP, REST

    state = yield from travel(state, above, CLOSE, tolerance=0.006)
    for _ in range(PATIENCE):
        if _is_reached(state, name):
            break
        button = state.parts[name]
        lead = HOLD_LEAD if button.opening > FULL * button.travel else PRESS_LEAD
        x, y, _ = button.handle
        below = np.array([x, y, state.hand_position[2] - lead])
        state = yield towards(state, below, REST, CLOSE)
    return (yield from retreat(state))


def _is_reached(state: PrivilegedState, name: str) -> bool:
    """Whether the stages that ask for this button have all been reached."""
    return all(
        stage.achieved
        for stage in state.stages
        if any(name in goal.arguments for goal in stage.goals)
    )


def _hold(knob: PartState, side: float, lead: float) -> Floats:
    """A hand from above across the bar of a knob, turned `lead` radians ahead of it."""
    return turned_about(knob.axis, lead) @ frame(DOWN, side * knob.handle_rotation[:, 1])


def _choose_side(knob: PartState) -> float:
    """Which finger goes on which side, so that the wrist turns least from how it starts."""
    rest = knob.travel - knob.opening

    def cost(side: float) -> float:
        return max(angle(REST.T @ _hold(knob, side, turn)) for turn in (0.0, rest / 2, rest))

    return min((1.0, -1.0), key=cost)
