"""Articulation: the drawer, door or knob has been left on the way to where it should go.

A behaviour axis. Each level is a ring of how far the part that the first such goal speaks of is on
its way: from closed for what is to be opened or turned, from open for what is to be closed.

====== ================================
level  share of its travel, towards the goal
====== ================================
L1     5-15 %
L2     20-40 %
L3     50-65 %
====== ================================

Its goal is still to be reached: open is 70 %, closed is 8 %.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.fixtures.base import Fixture, fixture
from vlabench.envs.tasks.base import Goal, Task
from vlabench.seeding import DECIMALS
from vlabench.types import Json

_LEVELS: Mapping[str, Ring] = {
    "L1": Ring(0.05, 0.15),
    "L2": Ring(0.2, 0.4),
    "L3": Ring(0.5, 0.65),
}

_MOVING = frozenset({"open", "closed", "turned"})
"""Predicates that speak of a joint."""


class Articulation(Axis):
    """How far a part has been opened or closed already, in three rings."""

    name = "articulation"
    kind = "behaviour"
    levels = tuple(_LEVELS)

    def applies(self, task: Task) -> bool:
        """Only where something is opened, closed or turned."""
        return bool(_goals(task))

    def factors(self, task: Task) -> frozenset[str]:
        """The parts of the fixtures that the part may belong to."""
        argument = _goals(task)[0].arguments[0]
        names = task.choices.get(argument, (argument,))
        return frozenset(f"{_owner(task, name).name}.parts" for name in names)

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A start from the ring of `level` for the part that the goal speaks of."""
        goal = _goals(task)[0].cast(nominal["cast"])
        part = goal.arguments[0]
        factor = f"{_owner(task, part).name}.parts"
        share = _LEVELS[level].draw(rng)
        start = round(1.0 - share, DECIMALS) if goal.predicate == "closed" else share
        return {factor: {**nominal[factor], part: start}}


def _goals(task: Task) -> list[Goal]:
    """Those that speak of a joint, in the order of the task."""
    goals = (goal for stage in task.stages for goal in stage.goals)
    return [goal for goal in goals if goal.predicate in _MOVING]


def _owner(task: Task, part: str) -> Fixture:
    kinds = map(fixture, task.fixtures)
    return next(kind for kind in kinds if any(p.name == part for p in kind.parts))
