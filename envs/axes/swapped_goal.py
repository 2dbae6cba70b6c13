"""Swapped goal: the same scene, but the sentence asks for something else in it.

A diagnostic with one level. The goal becomes another of those that the scene allows
(`Task.others`), and the sentence says so in the words of the nominal one. Complying means doing
that: who has learnt what one does in such a scene does the nominal task instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis, another_cast
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class SwappedGoal(Axis):
    """Another goal of the same scene."""

    name = "swapped-goal"
    kind = "diagnostic"
    levels = ("L1",)

    def applies(self, task: Task) -> bool:
        """Where the scene allows another goal."""
        return bool(task.others)

    def factors(self, task: Task) -> frozenset[str]:
        """What the arguments stand for, and so the phrase, and how the episode is scored."""
        return frozenset({"cast", "phrase", "diagnostic"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A cast with other goals than the nominal ones, not the same in another order."""
        return {
            "cast": another_cast(task, nominal, rng),
            "diagnostic": {"kind": "swapped"},
        }
