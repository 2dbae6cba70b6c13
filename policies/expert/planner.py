"""From goals to skills: the first goal that is not yet met decides what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from vlabench.policies.expert.handles import close_drawer, open_drawer
from vlabench.policies.expert.motion import Action, Motion, wait
from vlabench.policies.expert.pick_place import pick_and_place
from vlabench.types import GoalState, PrivilegedState

SKILLS: Mapping[str, Callable[..., Motion]] = {
    "on": pick_and_place,
    "in": pick_and_place,
    "open": open_drawer,
    "closed": close_drawer,
}
"""Predicate to the skill that makes it true; a skill takes the state and the goal's arguments."""


def pursue(state: PrivilegedState) -> Generator[Action, PrivilegedState, None]:
    """Acts until the episode ends, whatever happens on the way."""
    while True:
        goal = _next_goal(state)
        if goal is None:
            state = yield from wait(state, 1)
        else:
            state = yield from SKILLS[goal.predicate](state, *goal.arguments)


def _next_goal(state: PrivilegedState) -> GoalState | None:
    """What to see to: the first stage that has not been reached, then whatever came undone."""
    for stage in state.stages:
        if not stage.achieved:
            return next((goal for goal in stage.goals if not goal.holds), None)
    goals = (goal for stage in state.stages for goal in stage.goals)
    return next((goal for goal in goals if not goal.holds), None)
