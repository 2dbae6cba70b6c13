"""Handles: pull and push what opens by an upright bar."""

from __future__ import annotations

import math
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
    wait,
)
from vlabench.types import Floats, PartState, PrivilegedState


def open_drawer(state: PrivilegedState, name: str) -> Motion:
    """Takes the drawer's handle and pulls it open, a little further than needed."""
    state = yield from _take_handle(state, name)
    for _ in range(PATIENCE):
        drawer = state.parts[name]
        if drawer.opening > drawer.travel - 0.018:
            break
        target = drawer.handle + 0.04 * drawer.handle_rotation[:, 0]
        state = yield towards(state, target, _handle_rotation(drawer), CLOSE)
    return (yield from _let_go_of_handle(state, name))


def close_drawer(state: PrivilegedState, name: str) -> Motion:
    """Takes the drawer's handle and pushes it shut."""
    state = yield from _take_handle(state, name)
    for _ in range(PATIENCE):
        drawer = state.parts[name]
        if drawer.opening < 0.003:
            break
        target = drawer.handle - 0.04 * drawer.handle_rotation[:, 0]
        state = yield towards(state, target, _handle_rotation(drawer), CLOSE)
    return (yield from _let_go_of_handle(state, name))


def _take_handle(state: PrivilegedState, name: str) -> Motion:
    def at(distance: float) -> Callable[[PrivilegedState], tuple[Floats, Floats]]:
        def pose(now: PrivilegedState) -> tuple[Floats, Floats]:
            drawer = now.parts[name]
            rotation = _handle_rotation(drawer)
            return drawer.handle - distance * rotation[:, 2], rotation

        return pose

    state = yield from travel(state, at(0.1), OPEN, tolerance=0.012)
    state = yield from move(state, at(-0.004), OPEN, tolerance=0.005, speed=0.7)
    return (yield from wait(state, CLOSE_STEPS, CLOSE))


def _let_go_of_handle(state: PrivilegedState, name: str) -> Motion:
    state = yield from wait(state, OPEN_STEPS, OPEN)

    def back(now: PrivilegedState) -> tuple[Floats, Floats]:
        drawer = now.parts[name]
        rotation = _handle_rotation(drawer)
        return drawer.handle - 0.09 * rotation[:, 2], rotation

    state = yield from move(state, back, OPEN, tolerance=0.02)
    return (yield from retreat(state))


HANDLE_PITCH = 0.85
"""Radians below horizontal at which the hand comes to a handle."""


def _handle_rotation(drawer: PartState) -> Floats:
    """A hand that comes down towards the drawer and closes sideways around an upright bar."""
    inward = -drawer.handle_rotation[:, 0]
    approach = inward * math.cos(HANDLE_PITCH) + np.array([0.0, 0.0, -math.sin(HANDLE_PITCH)])
    sideways = np.array([-inward[1], inward[0], 0.0])
    candidates = [frame(approach, sign * sideways) for sign in (1.0, -1.0)]
    return min(candidates, key=lambda rotation: angle(REST.T @ rotation))
