"""Horizon: more of the same, one after another.

For tasks that can ask for more or fewer of their stages (`Task.chain`): a nominal episode asks for
the fewest, a level for as many as it says. The scene holds the things for all of them anyway, so
nothing changes but the number and with it the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class Horizon(Axis):
    """2, 3, 5 or 8 stages instead of one."""

    name = "horizon"
    kind = "horizon"
    levels = ("2", "3", "5", "8")

    def applies(self, task: Task) -> bool:
        """Where the number of stages can be chosen."""
        return bool(self.levels_of(task))

    def levels_of(self, task: Task) -> tuple[str, ...]:
        """The numbers of stages that the task offers beyond its nominal one."""
        return tuple(level for level in self.levels if int(level) in task.chain[1:])

    def factors(self, task: Task) -> frozenset[str]:
        """The number of stages."""
        return frozenset({"chain"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """As many as `level` says; takes nothing from `rng`."""
        return {"chain": int(level)}
