"""Unseen instances: known categories in shapes that were held out.

One level. Every object and fixture of the scene gets lengths from the held-out cells of its
category (see `vlabench.envs.objects.catalog`); what it is, its colour and its place stay.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.objects.catalog import draw_shape
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class UnseenInstances(Axis):
    """Held-out shapes of the same categories, for everything in the scene."""

    name = "unseen-instances"
    kind = "visual"
    levels = ("L1",)
    turn = "things"

    def factors(self, task: Task) -> frozenset[str]:
        """All shapes."""
        things = [*(role.name for role in task.roles), *task.fixtures]
        return frozenset(f"{name}.shape" for name in things)

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A shape from the held-out cells for each."""
        return {factor: draw_shape(rng, unseen=True) for factor in sorted(self.factors(task))}
