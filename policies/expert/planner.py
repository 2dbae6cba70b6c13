"""From goals to skills: the first stage that has not been reached decides what to do."""

from __future__ import annotations

from collections.abc import Generator

from vlabench.policies.expert.skills import (
    Action,
    Motion,
    close_drawer,
    open_drawer,
    pick_and_place,
    wait,
)
from vlabench.types import PrivilegedState, StageState


def pursue(state: PrivilegedState) -> Generator[Action, PrivilegedState, None]:
    """Acts until the episode ends, whatever happens on the way."""
    while True:
        goal = next((stage for stage in state.stages if not stage.achieved), None)
        state = yield from (wait(state, 1) if goal is None else _skill(goal, state))


def _skill(goal: StageState, state: PrivilegedState) -> Motion:
    match goal.predicate:
        case "on" | "in":
            name, place = goal.arguments
            return pick_and_place(state, name, place)
        case "open":
            return open_drawer(state, *goal.arguments)
        case "closed":
            return close_drawer(state, *goal.arguments)
        case other:
            raise ValueError(f"the expert has no skill for the goal {other!r}")
