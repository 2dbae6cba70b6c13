"""Referring: the same sentence, in which one thing is told by an expression instead of its name.

A semantic axis; the scene stays as it is to the bit. The thing that the robot has to move is
called by what it is without its category ("the round wooden thing", "the fruit"), by where it is
("the thing that is to the robot's left of the red plate"), or by what it is not or as which it
counts ("the second thing from the robot's left"). Where a task uses one of several like parts of a
fixture, the part is told so from the others. The expression denotes nothing else in the scene; see
`vlabench.envs.language.expressions`. Directions are the robot's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs import language
from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.wording import called, moved_and_named
from vlabench.envs.language.expressions import LEVELS, PARTS, unambiguous
from vlabench.envs.language.things import things
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class Referring(Axis):
    """Unambiguous expressions by attribute, by place, and by negation or number."""

    name = "referring"
    kind = "semantic"
    levels = LEVELS

    def applies(self, task: Task) -> bool:
        """Where a thing is named that can be told from others."""
        return argument(task) is not None

    def levels_of(self, task: Task) -> tuple[str, ...]:
        """For parts, those at which there are words for each of them."""
        parts = task.choices.get(argument(task) or "", ())
        return tuple(
            level
            for level in super().levels_of(task)
            if all(level in PARTS[part] for part in parts)
        )

    def factors(self, task: Task) -> frozenset[str]:
        """The phrase alone."""
        return frozenset({"phrase"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The nominal phrase with an expression, which speaks of nothing else named if it can."""
        told = argument(task)
        if told is None:
            raise AssertionError(f"{task.name} names nothing to refer to")
        meant = nominal["cast"].get(told, told)
        told_too = named_besides(task, nominal)
        said = [thing.called for thing in things(nominal) if thing.name in told_too]
        drawn: list[str] = []
        for unmeant in readings(task, nominal):
            found = unambiguous(meant, level, nominal, unmeant)
            drawn = [words for words in found if not any(name in words for name in said)]
            if drawn:
                break
        return called(nominal, told, str(rng.choice(drawn or found)))


def argument(task: Task) -> str | None:
    """What the expression stands for: the thing to be moved, else a part that has its likes."""
    role = moved_and_named(task)
    if role is not None:
        return role.name
    parts = (name for name, names in task.choices.items() if set(names) <= PARTS.keys())
    return next(parts, None)


def readings(task: Task, factors: Mapping[str, Json]) -> tuple[frozenset[str], frozenset[str]]:
    """What nobody could take the expression for: first where the thing goes, then all named else.

    A sentence that puts something on the red plate does not mean the red plate by it.
    """
    told = argument(task)
    besides = named_besides(task, factors)
    goals = [goal for stage in task.stages for goal in stage.goals if goal.arguments[0] == told]
    aims = {factors["cast"].get(name, name) for goal in goals for name in goal.arguments[1:]}
    return besides & aims, besides


def named_besides(task: Task, factors: Mapping[str, Json]) -> frozenset[str]:
    """What the sentence calls by its name beside the expression, in names of the scene."""
    names = {*language.named(task.name), *language.LISTED[: factors.get("chain", 0)]}
    return frozenset(factors["cast"].get(name, name) for name in names - {argument(task)})
