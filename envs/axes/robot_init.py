"""Robot init: the arm starts from elsewhere.

A behaviour axis. Each level is a ring around home, in the norm of the offsets of all joints:

====== ==================
level  norm of the offset
====== ==================
L1     0.05-0.1 rad
L2     0.1-0.25 rad
L3     0.25-0.5 rad
====== ==================

The direction is uniform. A start is drawn again where the hand is lower than 12 cm above the table
or outside a box around its home, or where the robot is within a centimetre of anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.draw import JOINTS
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.scene import Scene, compose
from vlabench.envs.tasks.base import Task
from vlabench.envs.view import Viewpoint
from vlabench.seeding import DECIMALS
from vlabench.types import Json

FACTOR = "robot"

BOX = ((-0.32, 0.1), (-0.3, 0.3), (TABLE_HEIGHT + 0.12, TABLE_HEIGHT + 0.5))
"""Metres in the world's frame, of the point between the fingertips."""

CLEARANCE = 0.01
"""Metres between the robot and all else."""

_LEVELS: Mapping[str, Ring] = {
    "L1": Ring(0.05, 0.1),
    "L2": Ring(0.1, 0.25),
    "L3": Ring(0.25, 0.5),
}

_TRIES = 500


class RobotInit(Axis):
    """Joint positions at the start, in three rings around home."""

    name = "robot-init"
    kind = "behaviour"
    levels = tuple(_LEVELS)
    turn = "robot"

    def factors(self, task: Task) -> frozenset[str]:
        """The offsets of the joints."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """Offsets from the ring of `level` with which the robot touches nothing."""
        arm = _Arm(compose(nominal))
        for _ in range(_TRIES):
            offsets = _offsets(_LEVELS[level].draw(rng), arm.joints, rng)
            if arm.is_free_at(offsets):
                return {FACTOR: offsets}
        raise AssertionError(f"no free start for the robot in {task.name}")


class _Arm:
    """Tries the arm in a scene that does not move."""

    def __init__(self, scene: Scene) -> None:
        kind, model = scene.embodiment, scene.model
        for geom in scene.robot_geoms:
            model.geom_margin[geom] = CLEARANCE
        self._scene, self._data = scene, mujoco.MjData(model)
        Viewpoint(scene).place(self._data)
        self._addresses = [int(model.joint(kind.prefix + n).qposadr[0]) for n in kind.joints]
        self._site = model.site(kind.grip_site).id
        self.joints = len(kind.joints)

    def is_free_at(self, offsets: Sequence[float]) -> bool:
        model, data = self._scene.model, self._data
        home = self._scene.embodiment.home
        data.qpos[self._addresses] = [a + b for a, b in zip(home, offsets, strict=False)]
        mujoco.mj_kinematics(model, data)
        hand = zip(data.site_xpos[self._site].tolist(), BOX, strict=True)
        if not all(low <= value <= high for value, (low, high) in hand):
            return False
        mujoco.mj_collision(model, data)
        robot, contact = self._scene.robot_geoms, data.contact
        return not any(
            (a in robot) != (b in robot) or (a in robot and distance <= 0)
            for (a, b), distance in zip(contact.geom.tolist(), contact.dist.tolist(), strict=True)
        )


def _offsets(norm: float, joints: int, rng: np.random.Generator) -> list[float]:
    """A direction in the space of `joints` joints, of that length; a joint too many stays."""
    direction = [float(rng.standard_normal()) for _ in range(joints)]
    length = math.sqrt(sum(value * value for value in direction))
    offsets = [round(norm * value / length, DECIMALS) for value in direction]
    return offsets + [0.0] * (JOINTS - joints)
