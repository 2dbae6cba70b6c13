"""Referring: the same sentence, in which one thing is told by an expression instead of its name.

A semantic axis; the scene stays as it is to the bit. The thing that the robot has to move is
called by what it is without its category ("the round wooden thing", "the fruit"), by where it is
("the thing that is behind the red plate"), or by what it is not or as which it counts ("the second
thing from the left"). Where a task uses one of several like parts of a fixture, the part is told so
from the others. The expression denotes nothing else in the scene; see
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
        found = unambiguous(meant, level, nominal)
        said = [
            thing.called for thing in things(nominal) if thing.name in language.named(task.name)
        ]
        fresh = [words for words in found if not any(name in words for name in said)]
        return called(nominal, told, str(rng.choice(fresh or found)))


def argument(task: Task) -> str | None:
    """What the expression stands for: the thing to be moved, else a part that has its likes."""
    role = moved_and_named(task)
    if role is not None:
        return role.name
    parts = (name for name, names in task.choices.items() if set(names) <= PARTS.keys())
    return next(parts, None)
