"""What can be known of a scene: proprioception for all, the whole state for those who declare it.

Everything is given in the robot's base frame, which robosuite's table scene keeps parallel to the
world's: metres, radians, rotation matrices. The hand's frame has z along the fingers and y along
the direction of closing.
"""

from __future__ import annotations

import mujoco
import numpy as np

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.fixtures.cabinet import TRAVEL
from vlabench.envs.progress import Progress
from vlabench.envs.scene import Scene, SceneDrawer, SceneObject
from vlabench.envs.tasks.base import Task
from vlabench.types import DrawerState, Floats, ObjectState, PrivilegedState, StageState


class Viewpoint:
    """Reads a scene's state from the robot's base frame."""

    def __init__(self, scene: Scene) -> None:
        kind, model = scene.embodiment, scene.model
        self._scene = scene
        self._site = model.site(kind.grip_site).id
        self._base = model.body(f"{kind.prefix}base").id
        self._joints = np.array(
            [int(model.joint(f"{kind.prefix}joint{k + 1}").qposadr[0]) for k in range(7)]
        )
        self._speeds = np.array(
            [int(model.joint(f"{kind.prefix}joint{k + 1}").dofadr[0]) for k in range(7)]
        )
        self._fingers = [
            int(model.joint(kind.gripper_prefix + name).qposadr[0]) for name in kind.finger_joints
        ]

    def place_robot(self, data: mujoco.MjData) -> None:
        """Puts the arm and the fingers where episodes start."""
        data.qpos[self._joints] = self._scene.home
        data.qpos[self._fingers] = self._scene.embodiment.finger_home

    def hand_position(self, data: mujoco.MjData) -> Floats:
        """``(3,)`` metres, of the grip site."""
        position: Floats = data.site_xpos[self._site] - data.xpos[self._base]
        return position

    def proprio(self, data: mujoco.MjData) -> dict[str, Floats]:
        """Every field of `vlabench.contract.specs.PROPRIO_FIELDS`."""
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, data.site_xmat[self._site])
        if quaternion[0] < 0:
            quaternion = -quaternion
        return {
            "ee_position": self.hand_position(data),
            "ee_quaternion": quaternion[[1, 2, 3, 0]],
            "gripper_opening": np.array([self._opening(data) / self._scene.embodiment.max_opening]),
            "joint_positions": data.qpos[self._joints].copy(),
            "joint_velocities": data.qvel[self._speeds].copy(),
        }

    def privileged(self, data: mujoco.MjData, task: Task, progress: Progress) -> PrivilegedState:
        """The state of the scene as the simulator knows it."""
        return PrivilegedState(
            hand_position=self.hand_position(data),
            hand_rotation=self._hand_rotation(data),
            gripper_opening_m=self._opening(data),
            table_height=TABLE_HEIGHT - float(data.xpos[self._base][2]),
            objects={
                name: self._object(data, thing) for name, thing in self._scene.objects.items()
            },
            drawers={
                role: self._drawer(data, role, drawer)
                for role, drawer in self._scene.drawers.items()
            },
            stages=tuple(
                StageState(stage.name, goal.predicate, goal.arguments, result.success)
                for stage, result in zip(task.stages, progress.stages, strict=True)
                for goal in stage.goals[:1]
            ),
        )

    def _opening(self, data: mujoco.MjData) -> float:
        left, right = (float(data.qpos[address]) for address in self._fingers)
        return abs(left) + abs(right)

    def _hand_rotation(self, data: mujoco.MjData) -> Floats:
        # robosuite's grip site closes along its x
        x, y, z = data.site_xmat[self._site].reshape(3, 3).T
        return np.stack([-y, x, z], axis=1)

    def _object(self, data: mujoco.MjData, thing: SceneObject) -> ObjectState:
        shape = thing.shape
        return ObjectState(
            name=thing.name,
            category=thing.category.name,
            position=data.xpos[thing.body] - data.xpos[self._base],
            rotation=data.xmat[thing.body].reshape(3, 3).copy(),
            grasps=shape.grasps,
            height=shape.height,
            radius=shape.radius,
            surface_height=shape.surface_height,
            surface_radius=shape.surface_radius,
        )

    def _drawer(self, data: mujoco.MjData, role: str, drawer: SceneDrawer) -> DrawerState:
        origin = data.xpos[self._base]
        frame = data.site_xmat[drawer.handle_site].reshape(3, 3)
        depth, width, _ = self._scene.model.site_size[drawer.floor_site]
        return DrawerState(
            name=role,
            handle=data.site_xpos[drawer.handle_site] - origin,
            outward=frame[:, 0].copy(),
            opening=float(data.qpos[drawer.qpos]),
            travel=TRAVEL,
            interior=data.site_xpos[drawer.floor_site] - origin,
            interior_size=np.array([2 * depth, 2 * width]),
        )
