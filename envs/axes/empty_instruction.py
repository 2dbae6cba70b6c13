"""Empty instruction: the robot is told nothing.

A diagnostic with one level; the scene stays as it is to the bit. Who does the task all the same
does not listen: complying means that the nominal task is not done. The factor ``diagnostic``, which
nominal episodes lack, says how compliance is scored: its ``kind`` is ``"empty"``, ``"swapped"`` or
``"absent"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.language import Phrase
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class EmptyInstruction(Axis):
    """A sentence without words."""

    name = "empty-instruction"
    kind = "diagnostic"
    levels = ("L1",)

    def factors(self, task: Task) -> frozenset[str]:
        """The phrase, and how the episode is scored."""
        return frozenset({"phrase", "diagnostic"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The empty phrase; takes nothing from `rng`."""
        return {"phrase": asdict(Phrase("empty", "", 0.0)), "diagnostic": {"kind": "empty"}}
