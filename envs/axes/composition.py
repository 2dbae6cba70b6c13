"""Composition: a known task with a known category that training never showed together.

A semantic axis with one level. The thing to be moved becomes one of the categories that are held
apart from this task (`vlabench.envs.splits`), in a colour of its own; its shape coordinates and its
place stay, and so does all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.wording import moved
from vlabench.envs.draw import draw_category, draw_color
from vlabench.envs.splits import kept_from
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class Composition(Axis):
    """A pair of task and category from those held apart."""

    name = "composition"
    kind = "semantic"
    levels = ("L1",)
    turn = "things"

    def applies(self, task: Task) -> bool:
        """Where there are categories that training keeps from the role."""
        role = moved(task)
        return role is not None and bool(kept_from(task.name, role.kind, role.super_category))

    def factors(self, task: Task) -> frozenset[str]:
        """Category and colour of the thing to be moved."""
        role = moved(task)
        return frozenset({f"{role.name}.category", f"{role.name}.color"} if role else ())

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A category that is held apart, and a colour of it."""
        role = moved(task)
        if role is None:
            raise AssertionError(f"{task.name} moves no object")
        name = draw_category(task, role, nominal, rng, apart=True)
        redrawn = {**nominal, f"{role.name}.category": name}
        color = draw_color(role.name, redrawn, rng)
        return {f"{role.name}.category": name, f"{role.name}.color": color}
