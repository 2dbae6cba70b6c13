"""The hand of an audited state: out of the way, or around a thing.

Lengths are metres, angles radians, in the world's frame.
"""

from __future__ import annotations

import mujoco
import numpy as np

from vlabench.envs.scene import Scene
from vlabench.seeding import DECIMALS
from vlabench.types import Floats, Grasp

AWAY = (-0.06, 0.0, 0.22)
"""From where the hand starts to where it is out of the way."""

NEAR, TURNED = 0.002, 0.02
"""How far from where it was sent the hand may be."""

OPENING = 0.006
"""How much wider than the thing the fingers are before they close."""

PALM_ROOM = 0.003
"""How far the palm stays from the top of what it holds."""

_ROUNDS = 150
_DAMPING = 1e-3
_LONGEST = 0.2


class Hand:
    """Puts the arm of a scene where its hand is to be, by damped least squares.

    Args:
        scene: Whose arm; its gripper must be of two fingers that slide.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, model, kind = scene, scene.model, scene.embodiment
        self._site = model.site(kind.grip_site).id
        joints = [model.joint(kind.prefix + name) for name in kind.joints]
        self._qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self._dofs = np.array([int(joint.dofadr[0]) for joint in joints])
        self._low, self._high = np.array([joint.range for joint in joints]).T
        fingers = [model.joint(kind.gripper_prefix + name) for name in kind.finger_joints]
        self._fingers = np.array([int(joint.qposadr[0]) for joint in fingers])
        self._finger_bodies = {int(joint.bodyid[0]): k for k, joint in enumerate(fingers)}
        self._palm = kind.gripper.palm_clearance - PALM_ROOM
        self._opened = np.array(kind.gripper.opened[: len(fingers)])

    def put_away(self, data: mujoco.MjData) -> None:
        """Lifts the hand out of the way of all that is made on the table."""
        mujoco.mj_forward(self._scene.model, data)
        position = data.site_xpos[self._site] + np.array(AWAY)
        self.reach(data, position, data.site_xmat[self._site].reshape(3, 3).copy())
        self._away = data.qpos[self._qpos].copy()

    def grasp(self, data: mujoco.MjData, name: str, grasp: Grasp) -> bool:
        """Puts the open fingers around a thing as it stands; whether the arm reaches that far.

        The palm stays clear of its top.
        """
        thing = self._scene.objects[name]
        rotation = data.xmat[thing.body].reshape(3, 3).copy()
        at = grasp.position.copy()
        at[2] = max(at[2], thing.shape.height - self._palm)
        position = data.xpos[thing.body] + rotation @ at
        approach = rotation @ grasp.rotation
        # robosuite's grip site closes along its x
        turned = np.stack([approach[:, 1], -approach[:, 0], approach[:, 2]], axis=1)
        data.qpos[self._qpos] = self._away
        if not self.reach(data, position, turned):
            return False
        share = min(1.0, (grasp.width / 2 + OPENING) / float(np.abs(self._opened).max()))
        data.qpos[self._fingers] = share * self._opened
        return True

    def reach(self, data: mujoco.MjData, position: Floats, rotation: Floats) -> bool:
        """Turns the joints until the grip site is at a pose; whether it is."""
        model = self._scene.model
        jacobian, error, turn = np.zeros((6, model.nv)), np.zeros(6), np.zeros(3)
        wanted, now, back, off = (np.zeros(4) for _ in range(4))
        mujoco.mju_mat2Quat(wanted, rotation.ravel())
        for _ in range(_ROUNDS):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mju_mat2Quat(now, data.site_xmat[self._site])
            mujoco.mju_negQuat(back, now)
            mujoco.mju_mulQuat(off, wanted, back)
            mujoco.mju_quat2Vel(turn, off, 1.0)
            error[:3], error[3:] = position - data.site_xpos[self._site], turn
            if np.linalg.norm(error[:3]) < NEAR and np.linalg.norm(turn) < TURNED:
                data.qpos[self._qpos] = np.round(data.qpos[self._qpos], DECIMALS)
                return True
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], self._site)
            j = jacobian[:, self._dofs]
            step = j.T @ np.linalg.solve(j @ j.T + _DAMPING * np.eye(6), error)
            step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-9))
            data.qpos[self._qpos] = np.clip(data.qpos[self._qpos] + step, self._low, self._high)
        return False

    def finger_of(self, geom: int) -> int | None:
        """Which finger a geom belongs to; None for one of no finger."""
        model, body = self._scene.model, int(self._scene.model.geom_bodyid[geom])
        while body != 0:
            if body in self._finger_bodies:
                return self._finger_bodies[body]
            body = int(model.body_parentid[body])
        return None
