"""What the axes of words share: of which thing they speak, and how a phrase calls it otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vlabench.envs import language
from vlabench.envs.tasks.base import Role, Task
from vlabench.types import Json

_MOVES = frozenset({"on", "in", "beside", "lifted", "upright", "in-region", "away-from"})
"""Predicates whose first argument is what the robot has to move."""


def moved(task: Task) -> Role | None:
    """The role of the first thing that the robot has to move; None if it moves no object."""
    roles = {role.name: role for role in task.roles}
    movers = (
        roles[goal.arguments[0]]
        for stage in task.stages
        for goal in stage.goals
        if goal.predicate in _MOVES and goal.arguments[0] in roles
    )
    return next(movers, None)


def moved_and_named(task: Task) -> Role | None:
    """`moved`, where the sentences of the task call it by its name."""
    role = moved(task)
    return role if role and role.name in language.named(task.name) else None


def called(nominal: Mapping[str, Json], argument: str, words: str) -> dict[str, Json]:
    """The factor ``phrase`` with `words` in place of the colour and name of `argument`.

    Where two things are joined by "and", the words come last, so that no clause in them swallows
    the other thing: "the red tape and the thing nearest to the mug".
    """
    template = re.sub(
        rf"\bthe \{{{argument}\}} and the \{{second\}}",
        rf"the {{second}} and the {{{argument}}}",
        nominal["phrase"]["template"],
    )
    return {"phrase": {**nominal["phrase"], "template": template, "expressions": {argument: words}}}
