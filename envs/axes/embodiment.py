"""Embodiment: another gripper, another arm, or both, doing the same with the same actions.

A behaviour axis with one level a kind. The nominal robot is a Panda with its own gripper:

======== ===================== ===========
level    arm                   gripper
======== ===================== ===========
gripper  Panda                 Robotiq 85
arm      UR5e                  Panda
both     UR5e                  Robotiq 85
======== ===================== ===========

The hand starts in the same place, turned the same way.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import Task
from vlabench.types import Json

FACTOR = "embodiment"

_ROBOTS: Mapping[str, str] = {
    "gripper": "panda-robotiq85",
    "arm": "ur5e-panda",
    "both": "ur5e-robotiq85",
}


class Embodiment(Axis):
    """Another gripper, another arm, or both."""

    name = "embodiment"
    kind = "behaviour"
    levels = tuple(_ROBOTS)
    turn = "things"

    def factors(self, task: Task) -> frozenset[str]:
        """The robot alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The robot that `level` names; nothing is left to chance."""
        return {FACTOR: _ROBOTS[level]}
