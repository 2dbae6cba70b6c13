"""Tells what broke away where the physics comes apart, and whose doing that is.

MuJoCo's own bounds are 1e10, of any position, velocity or acceleration. Long before, a thing that
moves at `ABSURD_SPEED` has been thrown out of a contact that could not be solved, and whatever is
measured of the scene from then on means nothing.

The environment clips actions, so those that break the physics were legal. They are the policy's
doing all the same once the robot has touched more than the table, for who presses one thing into
another is not stopped by anything; then the episode is a failure. A scene that comes apart while
the robot has touched nothing of it would have done so under any policy: that is a defect of the
benchmark, and the episode is missing.
"""

from __future__ import annotations

import re

import mujoco
import numpy as np

from vlabench.envs.control import LAST_WARNINGS
from vlabench.envs.safety import ROOM, TABLE
from vlabench.envs.scene import Scene
from vlabench.errors import BrokenSceneError, PolicyError

ABSURD_SPEED = 1000.0
"""The length of the vector of all velocities, metres and radians a second alike, from which on a
scene has come apart; docs/faults.md has what was measured in sound episodes."""


def is_absurd(data: mujoco.MjData) -> bool:
    """Whether something moves as nothing can, or is not a number."""
    return not data.qvel.dot(data.qvel) < ABSURD_SPEED**2


def culprit(scene: Scene, data: mujoco.MjData) -> str:
    """What broke away first, or moves fastest, for example ``"object (mug)"``."""
    model = scene.model
    dof = _complained_of(model)
    if dof is None:
        speeds = np.abs(data.qvel)
        lost = np.flatnonzero(~np.isfinite(speeds))
        dof = int(lost[0]) if len(lost) else int(np.argmax(speeds))
    body = int(model.dof_bodyid[dof])
    for role, thing in scene.objects.items():
        if thing.body == body:
            return f"{role} ({thing.category.name})"
    return f"{model.body(body).name} ({model.joint(int(model.dof_jntid[dof])).name})"


def broken(scene: Scene, touched: frozenset[str], reason: str, step: int) -> Exception:
    """What to raise where the physics came apart at `step`, and why, says `reason`."""
    told = f"broke the physics at step {step}: {reason}."
    if touched - {TABLE, ROOM}:
        return PolicyError(f"The actions {told}")
    return BrokenSceneError(f"The scene, of which the robot had touched nothing, {told}")


def _complained_of(model: mujoco.MjModel) -> int | None:
    """The degree of freedom that MuJoCo warned of first; None if it has not warned.

    A step later a number that is none is everywhere. Of positions the warning has the address.
    """
    said = [found for text in LAST_WARNINGS if (found := _BAD.search(text))]
    LAST_WARNINGS.clear()
    if not said:
        return None
    kind, number = said[0].group(1), int(said[0].group(2))
    if kind != "QPOS":
        return number
    joint = int(np.searchsorted(model.jnt_qposadr, number, side="right")) - 1
    return int(model.jnt_dofadr[joint])


_BAD = re.compile(r"value in (QPOS|QVEL|QACC) at DOF (\d+)")
"""``mj_checkPos``, ``mj_checkVel`` and ``mj_checkAcc`` of MuJoCo's ``engine_forward.c``."""
