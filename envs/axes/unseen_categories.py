"""Unseen categories: the object to be moved is of a kind that training never shows.

One level. The object's category is drawn from the held-out ones that can play its role, and its
colour from that category's; its shape coordinates, its place and everything else stay. The
sentence stays too, but for the object's name.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.draw import draw_category, draw_color
from vlabench.envs.tasks.base import Task
from vlabench.types import Json

_MOVED = "object"


class UnseenCategories(Axis):
    """A held-out category for the object that is moved."""

    name = "unseen-categories"
    kind = "visual"
    levels = ("L1",)

    def applies(self, task: Task) -> bool:
        """Only where an object is moved."""
        return any(role.name == _MOVED for role in task.roles)

    def factors(self, task: Task) -> frozenset[str]:
        """What the object is, and its colour."""
        return frozenset({f"{_MOVED}.category", f"{_MOVED}.color"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A held-out category that can play the object's role, in one of its colours."""
        role = next(role for role in task.roles if role.name == _MOVED)
        name = f"{_MOVED}.category"
        drawn = {name: draw_category(task, role, nominal, rng, unseen=True)}
        drawn[f"{_MOVED}.color"] = draw_color(_MOVED, {**nominal, **drawn}, rng)
        return drawn
