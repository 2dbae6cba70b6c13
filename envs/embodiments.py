"""Robots: robosuite's arms, grippers and table, as a MuJoCo spec that scenes are built on.

`base_spec` composes the robot and thins out its visual meshes: the Panda's have
182,000 faces, which cost more to draw than everything else together. Collision meshes, inertias,
actuators and solver options stay robosuite's own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.errors import UnknownNameError

if TYPE_CHECKING:
    from robosuite.models.tasks import ManipulationTask

TABLE_SIZE = (0.8, 0.8, 0.05)
"""Metres; the middle of its top is the origin of the world, lifted by `TABLE_HEIGHT`."""

TABLE_HEIGHT = 0.8

KEPT_FACES = 0.08
"""Share of the faces of a large visual mesh that is kept."""

SMALL_MESH = 240
"""Meshes with fewer faces are kept whole."""


@dataclass(frozen=True, slots=True)
class Embodiment:
    """A robosuite arm with its default gripper, and the names of its parts.

    Attributes:
        robot: robosuite's name of the arm.
        prefix: Of the arm's bodies, joints and actuators.
        gripper_prefix: Of the gripper's.
        finger_joints: Slides of the fingers.
        finger_home: Where they start, in metres.
        max_opening: Metres between the pads when the gripper is open.
    """

    name: str
    robot: str
    prefix: str = "robot0_"
    gripper_prefix: str = "gripper0_right_"
    finger_joints: tuple[str, str] = ("finger_joint1", "finger_joint2")
    finger_home: tuple[float, float] = (0.020833, -0.020833)
    max_opening: float = 0.08

    @property
    def grip_site(self) -> str:
        """The site between the fingertips."""
        return f"{self.gripper_prefix}grip_site"


EMBODIMENTS = {"panda": Embodiment(name="panda", robot="Panda")}


def embodiment(name: str) -> Embodiment:
    """The embodiment called `name`.

    Raises:
        UnknownNameError: If there is none.
    """
    if name not in EMBODIMENTS:
        raise UnknownNameError("embodiment", name, EMBODIMENTS)
    return EMBODIMENTS[name]


@dataclass(frozen=True)
class Base:
    """A robot at its table, ready to be copied and furnished.

    Attributes:
        spec: What has been composed so far.
        home: Joint positions in radians that episodes start around.
    """

    spec: mujoco.MjSpec
    home: npt.NDArray[np.float64]


def base_spec(name: str) -> Base:
    """The robot called `name` at its table; takes a second or two."""
    task, home = _robosuite_task(embodiment(name))
    spec = mujoco.MjSpec.from_string(task.get_xml())
    spec.modelname = "vlabench"
    # robosuite asks for 5000 of each, which makes a 1.3 GB arena for every MjData
    spec.njmax, spec.nconmax = -1, -1
    _remove_decoration(spec)
    _thin_visual_meshes(spec)
    return Base(spec, np.array(home, dtype=np.float64))


def _robosuite_task(kind: Embodiment) -> tuple[ManipulationTask, npt.NDArray[np.float64]]:
    with _robosuite_imported_quietly():
        from robosuite.models.arenas import TableArena
        from robosuite.models.bases import robot_base_factory
        from robosuite.models.grippers import gripper_factory
        from robosuite.models.robots import create_robot
        from robosuite.models.tasks import ManipulationTask

    robot = create_robot(kind.robot, idn=0)
    robot.add_base(robot_base_factory(robot.default_base, idn=0))
    gripper = gripper_factory(robot.default_gripper["right"], idn="0_right")
    robot.add_gripper(gripper, robot.eef_name["right"])
    robot.set_base_xpos(robot.base_xpos_offset["table"](TABLE_SIZE[0]))
    arena = TableArena(table_full_size=TABLE_SIZE, table_offset=(0, 0, TABLE_HEIGHT))
    arena.set_origin([0, 0, 0])
    return ManipulationTask(arena, [robot], []), robot.init_qpos


@contextmanager
def _robosuite_imported_quietly() -> Iterator[None]:
    """Keeps robosuite from warning of optional parts, and from choosing an OpenGL for everybody."""
    log, chosen = logging.getLogger("robosuite_logs"), os.environ.get("MUJOCO_GL")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False
        if chosen is None:
            os.environ.pop("MUJOCO_GL", None)
        else:
            os.environ["MUJOCO_GL"] = chosen


def _remove_decoration(spec: mujoco.MjSpec) -> None:
    """Drops robosuite's lights, cameras, textures and markers: the scene brings its own."""
    for light in list(spec.lights):
        spec.delete(light)
    for camera in list(spec.cameras):
        spec.delete(camera)
    for body in list(spec.bodies):
        if body.name.endswith("_eef_target"):
            spec.delete(body)
    for geom in spec.geoms:
        if geom.material in {"floorplane", "table_ceramic", "table_legs_metal", "walls_mat"}:
            geom.material = ""
    for material in list(spec.materials):
        if not material.name.startswith(("robot0_", "gripper0_", "fixed_mount0_")):
            spec.delete(material)
    for texture in list(spec.textures):
        spec.delete(texture)


def _thin_visual_meshes(spec: mujoco.MjSpec) -> None:
    model = spec.copy().compile()
    shown = {geom.meshname for geom in spec.geoms if geom.contype == 0 and geom.conaffinity == 0}
    for mesh in spec.meshes:
        if mesh.name not in shown:
            continue
        index = model.mesh(mesh.name).id
        if model.mesh_facenum[index] < SMALL_MESH:
            continue
        vertices, faces = _decimated(*_welded(*_mesh_as_written(model, index)))
        mesh.file = ""
        mesh.scale = [1.0, 1.0, 1.0]
        mesh.uservert = vertices.astype(np.float32).ravel()
        mesh.userface = faces.astype(np.int32).ravel()


def _mesh_as_written(
    model: mujoco.MjModel, index: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """A mesh in the frame of its file: the compiler has moved it to its inertial frame."""
    first, count = model.mesh_vertadr[index], model.mesh_vertnum[index]
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.mesh_quat[index])
    local = model.mesh_vert[first : first + count].astype(np.float64)
    vertices = local @ rotation.reshape(3, 3).T + model.mesh_pos[index]
    first, count = model.mesh_faceadr[index], model.mesh_facenum[index]
    return vertices, model.mesh_face[first : first + count]


def _welded(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Joins vertices that share a place: files repeat them where normals differ."""
    places, inverse = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    joined = inverse.reshape(-1)[faces].astype(np.int32)
    a, b, c = joined.T
    return places, joined[(a != b) & (b != c) & (a != c)]


def _decimated(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    import fast_simplification

    target = max(SMALL_MESH, int(len(faces) * KEPT_FACES))
    points, triangles = fast_simplification.simplify(
        vertices.astype(np.float32), faces, target_count=target
    )
    return np.round(points.astype(np.float64), 5), triangles
