"""Unseen categories: the object to be moved is of a kind that training never shows.

One level. The object's category is drawn from the held-out ones that can play its role, and its
colour from that category's; its shape coordinates, its place and everything else stay. The
sentence stays too, but for the object's name.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis, handled
from vlabench.envs.draw import draw_category, draw_color
from vlabench.envs.objects.catalog import categories, category
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class UnseenCategories(Axis):
    """A held-out category for the object that is moved."""

    name = "unseen-categories"
    kind = "visual"
    levels = ("L1",)
    turn = "things"

    def applies(self, task: Task) -> bool:
        """Only where an object is moved that a held-out category can play."""
        role = task.handled
        return role is not None and any(
            role.super_category in {None, category(name).super_category}
            for name in categories(role.kind, "unseen")
        )

    def factors(self, task: Task) -> frozenset[str]:
        """What the object is, and its colour."""
        name = handled(task).name
        return frozenset({f"{name}.category", f"{name}.color"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A held-out category that can play the object's role, in one of its colours."""
        role = handled(task)
        what, color = f"{role.name}.category", f"{role.name}.color"
        drawn = {what: draw_category(task, role, nominal, rng, unseen=True)}
        drawn[color] = draw_color(role.name, {**nominal, **drawn}, rng)
        return drawn
