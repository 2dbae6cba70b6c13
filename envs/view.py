"""What can be known of a scene: proprioception for all, the whole state for those who declare it.

Everything is given in the robot's base frame, which robosuite's table scene keeps parallel to the
world's: metres, radians, rotation matrices. The hand's frame has z along the fingers and y along
the direction of closing.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.predicates import holds
from vlabench.envs.progress import Progress
from vlabench.envs.scene import Scene, SceneObject, ScenePart
from vlabench.seeding import DECIMALS
from vlabench.types import (
    FixtureState,
    Floats,
    GoalState,
    HandShape,
    Json,
    ObjectState,
    PartState,
    PrivilegedState,
    StageState,
)


class Viewpoint:
    """Reads a scene's state from the robot's base frame."""

    def __init__(self, scene: Scene) -> None:
        kind, model = scene.embodiment, scene.model
        self._scene = scene
        self._site = model.site(kind.grip_site).id
        self._base = model.body(kind.base_body).id
        arm = [model.joint(kind.prefix + name) for name in kind.joints]
        # by id, because to look names up in every step is slow
        self._bodies = {p.fixture: model.body(p.fixture).id for p in scene.parts.values()}
        self._joints = np.array([int(joint.qposadr[0]) for joint in arm])
        self._speeds = np.array([int(joint.dofadr[0]) for joint in arm])
        self._fingers = [
            int(model.joint(kind.gripper_prefix + name).qposadr[0]) for name in kind.finger_joints
        ]
        self._pads = [model.geom(kind.gripper_prefix + name).id for name in kind.gripper.pads]
        movable = [thing.geoms for thing in scene.objects.values()]
        self._movable = frozenset().union(*movable, *(p.geoms for p in scene.parts.values()))
        self._pad_gap = kind.gripper.pad_gap
        self._hand = HandShape(
            kind.max_opening, kind.gripper.fingertip_reach, kind.gripper.palm_clearance
        )

    def place(self, data: mujoco.MjData) -> None:
        """Puts the arm, the fingers and whatever has another start than the model's in place."""
        data.qpos[self._joints] = self._scene.home
        data.qpos[self._fingers] = self._scene.embodiment.finger_home
        for address, start in self._scene.starts.items():
            data.qpos[address] = start

    def hand_position(self, data: mujoco.MjData) -> Floats:
        """``(3,)`` metres, of the grip site."""
        position: Floats = data.site_xpos[self._site] - data.xpos[self._base]
        return position

    def grip(self, data: mujoco.MjData) -> tuple[list[float], float]:
        """Metres: where the grip site is in the world, and how far the fingers are apart."""
        hand: list[float] = data.site_xpos[self._site].tolist()
        return hand, self._opening(data)

    def from_base(self, data: mujoco.MjData, point: Sequence[float]) -> list[float]:
        """Metres: a point of the world as seen from the robot's base."""
        return [a - b for a, b in zip(point, data.xpos[self._base].tolist(), strict=True)]

    def places(self, data: mujoco.MjData) -> dict[str, Json]:
        """Where all that moves is: poses and openings in the world's frame, rounded to 1e-6.

        A pose is a position and a quaternion ``(x, y, z, qw, qx, qy, qz)``.
        """
        objects = {
            name: [*data.xpos[thing.body].tolist(), *data.xquat[thing.body].tolist()]
            for name, thing in self._scene.objects.items()
        }
        parts = {n: part.qpos for n, part in self._scene.parts.items() if part.qpos is not None}
        return {
            "objects": {n: [round(v, DECIMALS) for v in pose] for n, pose in objects.items()},
            "parts": {n: round(float(data.qpos[qpos]), DECIMALS) for n, qpos in parts.items()},
        }

    def is_touching(self, data: mujoco.MjData) -> bool:
        """Whether the robot touches an object or a part of a fixture."""
        robot, things = self._scene.robot_geoms, self._movable
        pairs = data.contact.geom.tolist()
        return any((a in robot and b in things) or (b in robot and a in things) for a, b in pairs)

    def proprio(self, data: mujoco.MjData) -> dict[str, Floats]:
        """Every field of `vlabench.contract.specs.PROPRIO_FIELDS`."""
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, data.site_xmat[self._site])
        w, x, y, z = quaternion.tolist()
        xyzw = [-x, -y, -z, -w] if w < 0 else [x, y, z, w]
        return {
            "ee_position": self.hand_position(data),
            "ee_quaternion": np.array(xyzw),
            "gripper_opening": np.array([self._opening(data) / self._scene.embodiment.max_opening]),
            "joint_positions": data.qpos[self._joints],  # copies: picked by an array
            "joint_velocities": data.qvel[self._speeds],
        }

    def privileged(self, data: mujoco.MjData, progress: Progress, task: str) -> PrivilegedState:
        """The state of the scene as the simulator knows it."""
        origin = data.xpos[self._base]
        return PrivilegedState(
            task=task,
            hand_position=self.hand_position(data),
            hand_rotation=self._hand_rotation(data),
            gripper_opening_m=self._opening(data),
            hand=self._hand,
            table_height=TABLE_HEIGHT - float(origin[2]),
            objects={
                name: self._object(data, thing, origin)
                for name, thing in self._scene.objects.items()
            },
            parts={
                name: self._part(data, part, origin) for name, part in self._scene.parts.items()
            },
            fixtures=self._fixtures(data, origin),
            stages=tuple(
                StageState(
                    stage.name,
                    tuple(
                        GoalState(g.predicate, g.arguments, holds(g, self._scene, data))
                        for g in stage.goals
                    ),
                    result.success,
                )
                for stage, result in zip(progress.asked, progress.stages, strict=True)
            ),
        )

    def _opening(self, data: mujoco.MjData) -> float:
        """Metres between the pads, along the direction of closing."""
        places, (one, other) = data.geom_xpos, self._pads
        (ax, ay, az), (bx, by, bz) = places[one].tolist(), places[other].tolist()
        x, _, _, y, _, _, z, _, _ = data.site_xmat[self._site].tolist()
        apart: float = (ax - bx) * x + (ay - by) * y + (az - bz) * z
        return abs(apart) - self._pad_gap

    def _hand_rotation(self, data: mujoco.MjData) -> Floats:
        # robosuite's grip site closes along its x
        a, b, c, d, e, f, g, h, i = data.site_xmat[self._site].tolist()
        return np.array([[-b, a, c], [-e, d, f], [-h, g, i]])

    def _object(self, data: mujoco.MjData, thing: SceneObject, origin: Floats) -> ObjectState:
        shape = thing.shape
        return ObjectState(
            name=thing.name,
            category=thing.category.name,
            position=data.xpos[thing.body] - origin,
            rotation=data.xmat[thing.body].reshape(3, 3).copy(),
            grasps=shape.grasps,
            height=shape.height,
            radius=shape.radius,
            surface_height=shape.surface_height,
            surface_radius=shape.surface_radius,
        )

    def _part(self, data: mujoco.MjData, part: ScenePart, origin: Floats) -> PartState:
        model = self._scene.model
        handle, floor, joint = part.handle_site, part.floor_site, part.joint
        at, turned = data.xpos[part.body], data.xmat[part.body]
        if handle is not None:
            at, turned = data.site_xpos[handle], data.site_xmat[handle]
        return PartState(
            name=part.name,
            kind=part.part.kind,
            fixture=part.fixture,
            handle=at - origin,
            handle_rotation=turned.reshape(3, 3).copy(),
            opening=0.0 if part.qpos is None else float(data.qpos[part.qpos]),
            travel=part.part.travel,
            axis=np.zeros(3) if joint is None else data.xaxis[joint].copy(),
            pivot=np.zeros(3) if joint is None else data.xanchor[joint] - origin,
            interior=np.zeros(3) if floor is None else data.site_xpos[floor] - origin,
            interior_size=np.zeros(3) if floor is None else 2 * model.site_size[floor],
        )

    def _fixtures(self, data: mujoco.MjData, origin: Floats) -> dict[str, FixtureState]:
        return {
            name: FixtureState(data.xpos[body] - origin, data.xmat[body].reshape(3, 3).copy())
            for name, body in self._bodies.items()
        }
