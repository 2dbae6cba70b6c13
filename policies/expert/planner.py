"""From goals to skills: the first goal that is not yet met decides what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from vlabench.policies.expert.controls import press_button, turn_knob
from vlabench.policies.expert.handles import close_part, open_part
from vlabench.policies.expert.motion import Action, Motion, retreat, wait
from vlabench.policies.expert.pick_place import lift, pick_and_place, place_beside, put_aside
from vlabench.policies.expert.push import push_to
from vlabench.policies.expert.upright import stand_up
from vlabench.types import GoalState, PrivilegedState

SKILLS: Mapping[str, Callable[..., Motion]] = {
    "on": pick_and_place,
    "in": pick_and_place,
    "lifted": lift,
    "beside": place_beside,
    "upright": stand_up,
    "in-region": push_to,
    "away-from": put_aside,
    "open": open_part,
    "closed": close_part,
    "turned": turn_knob,
    "pressed": press_button,
}
"""Predicate to the skill that makes it true; a skill takes the state and the goal's arguments."""


def pursue(
    state: PrivilegedState, finished: Callable[[GoalState], None] = lambda _: None
) -> Generator[Action, PrivilegedState, None]:
    """Acts until the episode ends, whatever happens on the way.

    `finished` is told of every goal whose skill has come to its end.
    """
    while True:
        goal = next_goal(state)
        if goal is None:
            state = yield from wait(state, 1)
        else:
            skill = SKILLS[goal.predicate](state, *goal.arguments)
            state = yield from _while_asked(skill, state)
            finished(goal)


def _while_asked(skill: Motion, state: PrivilegedState) -> Motion:
    """Goes on with a skill; if something else is asked on the way, the hand lets go instead."""
    asked = _asked(state)
    try:
        action = next(skill)
        while True:
            state = yield action
            if _asked(state) != asked:
                skill.close()
                break
            action = skill.send(state)
    except StopIteration as done:
        ended: PrivilegedState = done.value
        return ended
    return (yield from retreat(state))


def _asked(state: PrivilegedState) -> list[tuple[str, tuple[str, ...]]]:
    """All goals, met or not."""
    return [(goal.predicate, goal.arguments) for stage in state.stages for goal in stage.goals]


def next_goal(state: PrivilegedState) -> GoalState | None:
    """What to see to: the first stage that has not been reached, then whatever came undone."""
    for stage in state.stages:
        if not stage.achieved:
            return next((goal for goal in stage.goals if not goal.holds), None)
    goals = (goal for stage in state.stages for goal in stage.goals)
    return next((goal for goal in goals if not goal.holds), None)
