"""Swapped goal: the same scene, but the sentence asks for something else in it.

A diagnostic with one level. The goal becomes another of those that the scene allows
(`Task.others`), and the sentence says so in the words of the nominal one. Complying means doing
that: who has learnt what one does in such a scene does the nominal task instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import Goal, Task
from vlabench.errors import UsageError
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
        """A cast with other goals than the nominal ones, not the same in another order.

        Raises:
            UsageError: If there is none, because the longest chain of stages is asked for.
        """
        usual = goals(task, nominal)
        casts = [{**nominal["cast"], **other} for other in task.others]
        swapped = [cast for cast in casts if goals(task, {**nominal, "cast": cast}) != usual]
        if not swapped:
            raise UsageError(
                f"This episode of {task.name!r} asks for all that its scene allows, so no goal is "
                "left to swap it with; leave swapped-goal or the other change out."
            )
        return {
            "cast": dict(swapped[int(rng.integers(len(swapped)))]),
            "diagnostic": {"kind": "swapped"},
        }


def goals(task: Task, factors: Mapping[str, Json]) -> frozenset[Goal]:
    """All that must become true, in names of the scene."""
    return frozenset(goal for stage in task.asked(factors) for goal in stage.goals)
