"""Composes a robot at its table from robosuite's models, as a MuJoCo spec that scenes build on.

Collision meshes, inertias, motors and solver options stay robosuite's own. Changed are the visual
meshes, which are thinned (`vlabench.envs.thinning`), how hard the fingers squeeze, and the linkage
of the Robotiq gripper (`vlabench.envs.embodiments` says why).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs.composed import Composed, keep, kept, robosuite_folder, sources
from vlabench.envs.embodiments import TABLE_HEIGHT, TABLE_SIZE, Embodiment, embodiment
from vlabench.envs.thinning import thinned_meshes
from vlabench.hashing import bytes_hash

if TYPE_CHECKING:
    from robosuite.models.base import MujocoXML
    from robosuite.models.tasks import ManipulationTask


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
    """The robot called `name` at its table.

    It takes seconds where nobody has composed it before, see `vlabench.envs.composed`.
    """
    kind = embodiment(name)
    composed = kept(kind)
    if composed is None:
        composed = compose_robot(kind)
        keep(kind, composed)
    spec = _edited(composed.xml, kind)
    _set_meshes(spec, composed)
    for first, second in composed.overlapping:
        spec.add_exclude(bodyname1=first, bodyname2=second)
    return Base(spec, np.array(kind.home, dtype=np.float64))


def compose_robot(kind: Embodiment) -> Composed:
    """Makes a robot at its table of robosuite's models; takes seconds."""
    parts, task = _robosuite_models(kind)
    xml = task.get_xml()
    spec = _edited(xml, kind)
    code = [m.__file__ for name, m in sys.modules.items() if name.startswith("robosuite.models")]
    own = {mesh.name: Path(mesh.file).resolve() for mesh in spec.meshes}
    files = [Path(file).resolve() for file in (*(part.file for part in parts), *code) if file]
    root = robosuite_folder()
    return Composed(
        xml=xml,
        meshes={name: path.relative_to(root).as_posix() for name, path in own.items()},
        thinned=thinned_meshes(spec),
        overlapping=_overlapping(spec, kind),
        sources=sources([*own.values(), *files]),
    )


def robosuite_task(kind: Embodiment) -> ManipulationTask:
    """The robot at its table as robosuite composes it."""
    return _robosuite_models(kind)[1]


def _robosuite_models(kind: Embodiment) -> tuple[list[MujocoXML], ManipulationTask]:
    """The models that a robot at its table is made of, and what they make."""
    with _robosuite_imported_quietly():
        from robosuite.models.arenas import TableArena
        from robosuite.models.bases import robot_base_factory
        from robosuite.models.grippers import gripper_factory
        from robosuite.models.robots import create_robot
        from robosuite.models.tasks import ManipulationTask

    robot = create_robot(kind.robot, idn=0)
    base = robot_base_factory(robot.default_base, idn=0)
    robot.add_base(base)
    gripper = gripper_factory(kind.gripper.robosuite, idn="0_right")
    robot.add_gripper(gripper, robot.eef_name["right"])
    robot.set_base_xpos(robot.base_xpos_offset["table"](TABLE_SIZE[0]))
    arena = TableArena(table_full_size=TABLE_SIZE, table_offset=(0, 0, TABLE_HEIGHT))
    arena.set_origin([0, 0, 0])
    return [robot, base, gripper, arena], ManipulationTask(arena, [robot], [])


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


def _edited(xml: str, kind: Embodiment) -> mujoco.MjSpec:
    """The scene of robosuite with everything changed but the meshes."""
    spec = mujoco.MjSpec.from_string(xml)
    spec.modelname = "vlabench"
    # robosuite asks for 5000 of each, which makes a 1.3 GB arena for every MjData
    spec.njmax, spec.nconmax = -1, -1
    _remove_decoration(spec)
    _let_fingers_squeeze(spec, kind)
    if kind.gripper.followers:
        _make_linkage(spec, kind)
    return spec


def _set_meshes(spec: mujoco.MjSpec, composed: Composed) -> None:
    """Names the files of all meshes, and carries those that are not on disk.

    What MuJoCo has worked out about a mesh it keeps for the next model that names the same file,
    unchanged; what comes as arrays it works out anew each time. It hashes the files that a spec
    carries whenever it compiles one, so only the thinned meshes are carried.
    """
    root, assets = robosuite_folder(), {}
    for mesh in spec.meshes:
        thinned = composed.thinned.get(mesh.name)
        if thinned is None:
            mesh.file = str(root / composed.meshes[mesh.name])
        else:
            mesh.file = f"{bytes_hash(thinned)}.msh"
            mesh.scale = [1.0, 1.0, 1.0]
            assets[mesh.file] = thinned
    spec.assets = assets


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


def _let_fingers_squeeze(spec: mujoco.MjSpec, kind: Embodiment) -> None:
    """Widens the range of the finger actuators to where they aim, and limits their force."""
    gripper = kind.gripper
    fingers = [a for a in spec.actuators if a.name.startswith(kind.gripper_prefix)]
    for actuator, opened, closed in zip(fingers, gripper.opened, gripper.closed, strict=True):
        actuator.ctrlrange = [min(opened, closed), max(opened, closed)]
        if gripper.force is not None:
            actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
            actuator.forcerange = [-gripper.force, gripper.force]


def _make_linkage(spec: mujoco.MjSpec, kind: Embodiment) -> None:
    """Ties followers to their leaders, and gives joints and pads what robosuite's lack.

    Inertia and damping are those of the Panda's motors at the length of a finger; the pads are
    as soft and as rough as the Panda's.
    """
    for tendon in list(spec.tendons):
        if tendon.name.startswith(kind.gripper_prefix):
            spec.delete(tendon)
    for name in kind.gripper.joints:
        joint = spec.joint(kind.gripper_prefix + name)
        joint.armature = 0.0025
        joint.damping = [0.25, 0.0, 0.0]
    for follower, (leader, ratio) in kind.gripper.followers.items():
        spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT,
            name1=kind.gripper_prefix + follower,
            name2=kind.gripper_prefix + leader,
            data=[0.0, ratio, *[0.0] * 9],
            solref=[0.005, 1.0],
        )
    for name in kind.gripper.pads:
        pad = spec.geom(kind.gripper_prefix + name)
        pad.friction = [2.0, 0.05, 0.0001]
        pad.solref = [0.01, 0.5]


def _overlapping(spec: mujoco.MjSpec, kind: Embodiment) -> list[tuple[str, str]]:
    """Pairs of bodies whose collision meshes overlap at home: they must not push each other."""
    model = spec.copy().compile()
    data = mujoco.MjData(model)
    for name, position in zip(kind.joints, kind.home, strict=True):
        data.joint(kind.prefix + name).qpos = position
    for name, position in zip(kind.gripper.joints, kind.gripper.home, strict=True):
        data.joint(kind.gripper_prefix + name).qpos = position
    mujoco.mj_forward(model, data)
    pairs = {tuple(sorted(model.geom_bodyid[pair].tolist())) for pair in data.contact.geom}
    return [(model.body(first).name, model.body(second).name) for first, second in sorted(pairs)]
