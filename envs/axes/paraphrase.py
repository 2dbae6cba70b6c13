"""Paraphrase: the same wish in other words.

A semantic axis with one level a kind: other words (lexical), another order (syntactic), or a hint
instead of an order (indirect). The scene stays as it is to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.language import draw_phrase
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class Paraphrase(Axis):
    """Held-out sentences of three kinds for the same scene and goal."""

    name = "paraphrase"
    kind = "semantic"
    levels = ("lexical", "syntactic", "indirect")

    def factors(self, task: Task) -> frozenset[str]:
        """The phrase alone."""
        return frozenset({"phrase"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A phrase of the kind that `level` names."""
        return {"phrase": asdict(draw_phrase(task.name, level, rng))}
