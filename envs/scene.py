"""Composes the model of a scene: robosuite's robot and table, our objects, light and cameras.

A scene is built from an episode's drawn factors alone. The world frame is robosuite's: the origin
on the floor under the middle of the table, x away from the robot, y to its left, z up; places on
the table are metres in x and y, turns are radians about z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs import views
from vlabench.envs.axes import (
    background,
    from_stage,
    lighting,
    physics,
    table_texture,
)
from vlabench.envs.embodiments import TABLE_HEIGHT, Embodiment, embodiment
from vlabench.envs.fixtures.base import Part, fixture
from vlabench.envs.materials import FINISHES, add_material
from vlabench.envs.objects.catalog import Category, category
from vlabench.envs.objects.geometry import Shape
from vlabench.envs.placing import add_object, shape_of
from vlabench.envs.robots import Base, base_spec
from vlabench.types import Json

CAMERAS: Mapping[str, str] = {
    "exterior/0": "agentview",
    "exterior/1": "frontview",
    "exterior/2": "sideview",
    "wrist/0": "wrist",
}
"""Role of a camera to its name in the model."""

SHADOW_MAP = 1024
MULTISAMPLES = 0
"""The render profile. Shadows say where things touch and what the light does; without them a frame
would take half the time on a CPU, with four samples a pixel 1.7 times as long.
``benchmarks/render_profile.py`` measures it."""


@dataclass(frozen=True)
class SceneObject:
    """A free object in a compiled model."""

    name: str
    category: Category
    color: str
    shape: Shape
    body: int
    geoms: frozenset[int]


@dataclass(frozen=True)
class ScenePart:
    """A part of a fixture in a compiled model; see `vlabench.envs.fixtures.base`.

    Attributes:
        name: Of the part and of its body.
        part: What it is.
        fixture: Name of the body that it belongs to.
        body: Id.
        geoms: Its collision geoms.
        joint: Id of the joint that opens it; None for a part that does not move.
        qpos: Where that joint's position is; None for a part that does not move.
        handle_site: Id; None where there is nothing to hold or press.
        floor_site: Id; None where nothing can be put.
    """

    name: str
    part: Part
    fixture: str
    body: int
    geoms: frozenset[int]
    joint: int | None
    qpos: int | None
    handle_site: int | None
    floor_site: int | None


@dataclass(frozen=True)
class Scene:
    """A compiled model and where its parts are.

    Attributes:
        model: MuJoCo's.
        embodiment: Which robot.
        home: Joint positions at the start, in radians.
        objects: Role to object.
        parts: Name to part of a fixture.
        starts: Address of a position to what it is at the start: for parts that move, and for
            objects where the episode begins in the middle.
        robot_geoms: Collision geoms of the arm and the gripper.
        table_geom: Collision geom of the table.
    """

    model: mujoco.MjModel
    embodiment: Embodiment
    home: npt.NDArray[np.float64]
    objects: Mapping[str, SceneObject]
    parts: Mapping[str, ScenePart]
    starts: Mapping[int, float]
    robot_geoms: frozenset[int]
    table_geom: int


def compose(factors: Mapping[str, Json]) -> Scene:
    """Builds and compiles the scene that these drawn factors describe."""
    kind = embodiment(factors["embodiment"])
    room = _room(kind.name)
    spec = room.spec.copy()
    table_texture.apply(spec, factors[table_texture.FACTOR])
    background.apply(spec, factors[background.FACTOR])
    lighting.apply(spec, factors[lighting.FACTOR])
    views.apply(spec, factors[views.FACTOR])
    roles = roles_in(factors)
    shapes = {role: shape_of(role, factors) for role in roles}
    for role in roles:
        add_object(spec, role, shapes, factors)
    for name in fixtures_in(factors):
        shape, color, pose = (factors[f"{name}.{key}"] for key in ("shape", "color", "pose"))
        fixture(name).add(spec, shape, color, pose, TABLE_HEIGHT)
    physics.apply(spec, factors[physics.FACTOR], roles, _fixture_bodies(factors))
    model = spec.compile()
    parts = {part.name: part for name in fixtures_in(factors) for part in _find_parts(model, name)}
    return Scene(
        model=model,
        embodiment=kind,
        home=room.home + np.array(factors["robot"][: len(room.home)], dtype=np.float64),
        objects={role: _find_object(model, role, shapes[role], factors) for role in roles},
        parts=parts,
        starts=_starts(model, parts, factors),
        robot_geoms=_geoms_of(model, (kind.prefix, kind.gripper_prefix)),
        table_geom=model.geom("table_collision").id,
    )


def roles_in(factors: Mapping[str, Json]) -> list[str]:
    """Names of the free objects that these factors describe, sorted."""
    return sorted(key.removesuffix(".category") for key in factors if key.endswith(".category"))


def fixtures_in(factors: Mapping[str, Json]) -> list[str]:
    """Names of the fixtures that these factors describe, sorted."""
    return sorted(key.removesuffix(".parts") for key in factors if key.endswith(".parts"))


def _fixture_bodies(factors: Mapping[str, Json]) -> frozenset[str]:
    names = fixtures_in(factors)
    return frozenset(names) | {part.name for name in names for part in fixture(name).parts}


def _starts(
    model: mujoco.MjModel, parts: Mapping[str, ScenePart], factors: Mapping[str, Json]
) -> dict[int, float]:
    begin = factors.get(from_stage.FACTOR)
    starts: dict[int, float] = {}
    for name, part in parts.items():
        if part.qpos is None:
            continue
        if begin is None:
            starts[part.qpos] = factors[f"{part.fixture}.parts"][name] * part.part.travel
        else:
            starts[part.qpos] = begin["parts"][name]
    if begin is None:
        return starts
    for role, pose in begin["objects"].items():
        first = int(model.joint(f"{role} joint").qposadr[0])
        starts |= {first + k: value for k, value in enumerate(pose)}
    return starts


# --- what stands around -----------------------------------------------------------------------


@cache
def _room(name: str) -> Base:
    """A robot at its table in a room with cameras: what all scenes share, made once a process.

    It is not compiled, because a copy would carry what has been worked out of its meshes, and
    throw it away again: MuJoCo has it in its own cache of files.
    """
    base = base_spec(name)
    base.spec.compiler.usethread = False  # there is a worker on every core
    _add_surroundings(base.spec)
    _add_cameras(base.spec, embodiment(name))
    return base


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    top, floor, wall = (
        add_material(spec, name, (1.0, 1.0, 1.0), FINISHES["matt"])
        for name in (table_texture.MATERIAL, background.FLOOR, background.WALL)
    )
    leg = add_material(spec, "table leg", (0.35, 0.36, 0.38), FINISHES["metal"])
    for geom in spec.geoms:
        if geom.name == "floor":
            geom.material = floor
        elif geom.name.startswith("wall_"):
            geom.material = wall
        elif geom.name == "table_visual":
            geom.material = top
        elif geom.name.startswith("table_leg"):
            geom.material = leg
    spec.stat.extent = 1.0
    spec.stat.center = [0.0, 0.0, 0.9]
    spec.visual.map.znear = 0.01
    spec.visual.map.zfar = 20.0
    spec.visual.map.shadowclip = 1.0
    spec.visual.quality.shadowsize = SHADOW_MAP
    spec.visual.quality.offsamples = MULTISAMPLES


def _add_cameras(spec: mujoco.MjSpec, kind: Embodiment) -> None:
    views.add(spec)
    wrist = kind.wrist_camera
    spec.body(kind.prefix + wrist.body).add_camera(
        name="wrist",
        pos=list(wrist.position),
        quat=list(wrist.quaternion),
        fovy=wrist.degrees,
    )


# --- what is in the model ---------------------------------------------------------------------


def _find_object(
    model: mujoco.MjModel, role: str, shape: Shape, factors: Mapping[str, Json]
) -> SceneObject:
    body = model.body(role).id
    return SceneObject(
        name=role,
        category=category(factors[f"{role}.category"]),
        color=factors[f"{role}.color"],
        shape=shape,
        body=body,
        geoms=_solid_geoms(model, body),
    )


def _find_parts(model: mujoco.MjModel, name: str) -> list[ScenePart]:
    found = []
    for part in fixture(name).parts:
        body = model.body(part.name).id
        joint = _id(model, mujoco.mjtObj.mjOBJ_JOINT, f"{part.name} joint")
        found.append(
            ScenePart(
                name=part.name,
                part=part,
                fixture=name,
                body=body,
                geoms=_solid_geoms(model, body),
                joint=joint,
                qpos=None if joint is None else int(model.jnt_qposadr[joint]),
                handle_site=_id(model, mujoco.mjtObj.mjOBJ_SITE, f"{part.name} handle"),
                floor_site=_id(model, mujoco.mjtObj.mjOBJ_SITE, f"{part.name} floor"),
            )
        )
    return found


def _id(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str) -> int | None:
    index = mujoco.mj_name2id(model, kind, name)
    return None if index < 0 else int(index)


def _solid_geoms(model: mujoco.MjModel, body: int) -> frozenset[int]:
    first, count = int(model.body_geomadr[body]), int(model.body_geomnum[body])
    return frozenset(g for g in range(first, first + count) if model.geom_contype[g])


def _geoms_of(model: mujoco.MjModel, prefix: tuple[str, ...]) -> frozenset[int]:
    return frozenset(
        g
        for g in range(model.ngeom)
        if model.geom(g).name.startswith(prefix)
        and (model.geom_contype[g] or model.geom_conaffinity[g])
    )
