"""From a stage: a chain that begins in the middle, where the expert had got to.

For tasks of several stages that have to be finished in one episode. Level k begins with k - 1
stages finished by the expert, in the order in which the expert finished them: objects and parts
are where they were when its hand was free again, the robot is where it starts in the twin, and
these stages count as reached. Sentence and horizon are the twin's. A policy that fails late in a
chain and not here has been carried away by its own mistakes; one that fails here too cannot do the
stage.

Such a scene is not drawn from numbers: somebody has to go there first. So it exists where a suite
was certified, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.contract.environment import StateNeededError
from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import Task
from vlabench.errors import UsageError
from vlabench.types import Change, Json

FACTOR = "begin"
"""The stages that count as reached, the poses of all objects and the openings of all parts that
move: ``{"reached": [0], "objects": {role: [x, y, z, qw, qx, qy, qz]}, "parts": {name: opening}}``,
in metres and radians of the world's frame. An episode without it begins at the beginning."""


class FromStage(Axis):
    """Begins at the second, third, ... stage, where the expert had got to."""

    name = "from-stage"
    kind = "horizon"
    levels = tuple(str(stage) for stage in range(2, 9))
    drawn = False

    def applies(self, task: Task) -> bool:
        """Where more than one stage is asked for nominally."""
        return bool(self.levels_of(task))

    def levels_of(self, task: Task) -> tuple[str, ...]:
        """The stages after the first, counted from 1."""
        asked = task.chain[0] if task.chain else len(task.stages)
        return tuple(level for level in self.levels if int(level) <= asked)

    def factors(self, task: Task) -> frozenset[str]:
        """Where it begins."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The state that `nominal` has been given; takes nothing from `rng`.

        Raises:
            StateNeededError: If it has been given none.
            UsageError: If another number of stages had been reached in it.
        """
        begin, before = nominal.get(FACTOR), int(level) - 1
        if begin is None:
            raise StateNeededError(Change(self.name, level), before)
        if len(begin["reached"]) != before:
            raise UsageError(
                f"{Change(self.name, level)} begins with {before} stages reached, but in the state "
                f"that is given {len(begin['reached'])} are; take another state."
            )
        return {FACTOR: begin}
