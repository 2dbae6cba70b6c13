"""Composes the model of a scene: robosuite's robot and table, our objects, light and cameras.

A scene is built from an episode's drawn factors alone. The world frame is robosuite's: the origin
on the floor under the middle of the table, x away from the robot, y to its left, z up; places on
the table are metres in x and y, turns are radians about z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs.axes import lighting
from vlabench.envs.embodiments import TABLE_HEIGHT, Base, Embodiment, base_spec, embodiment
from vlabench.envs.fixtures import cabinet
from vlabench.envs.materials import FINISHES, TABLE_TOPS, add_material
from vlabench.envs.objects.catalog import Category, category
from vlabench.envs.objects.geometry import Piece, Shape, about_z, steady
from vlabench.types import Json

CAMERAS: Mapping[str, str] = {
    "exterior/0": "agentview",
    "exterior/1": "frontview",
    "exterior/2": "sideview",
    "wrist/0": "wrist",
}
"""Role of a camera to its name in the model."""

VIEWS: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float], float]] = {
    "agentview": ((0.8, -0.46, 1.46), (-0.04, 0.04, 0.865), 43.0),
    "frontview": ((1.1, 0.0, 1.4), (-0.1, 0.0, 0.9), 45.0),
    "sideview": ((-0.02, -1.1, 1.35), (-0.02, 0.0, 0.87), 45.0),
}
"""Fixed cameras: where they are, what they look at (metres, world frame), and degrees of view."""

REST_DEPTH = 1e-4
"""How deep MuJoCo's contacts let a flat underside sink, whatever it weighs: objects that start at
that depth are at rest at once."""

SHADOW_MAP = 1024
MULTISAMPLES = 0
"""The render profile. Shadows say where things touch and what the light does; without them a frame
would take a third of the time on a CPU, with four samples a pixel 1.7 times as long.
``benchmarks/render_profile.py`` measures it."""

_TABLE_TOP = "table top"

_KINDS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


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
class SceneDrawer:
    """The drawer that a task is about, in a compiled model."""

    name: str
    body: int
    geoms: frozenset[int]
    qpos: int
    handle_site: int
    floor_site: int


@dataclass(frozen=True)
class Scene:
    """A compiled model and where its parts are.

    Attributes:
        model: MuJoCo's.
        embodiment: Which robot.
        home: Joint positions at the start, in radians.
        objects: Role to object.
        drawers: Role (``"drawer"``) to drawer.
        robot_geoms: Collision geoms of the arm and the gripper.
        table_geom: Collision geom of the table.
    """

    model: mujoco.MjModel
    embodiment: Embodiment
    home: npt.NDArray[np.float64]
    objects: Mapping[str, SceneObject]
    drawers: Mapping[str, SceneDrawer]
    robot_geoms: frozenset[int]
    table_geom: int


def compose(factors: Mapping[str, Json]) -> Scene:
    """Builds and compiles the scene that these drawn factors describe."""
    kind = embodiment(factors["embodiment"])
    room = _room(kind.name)
    spec = room.spec.copy()
    spec.material(_TABLE_TOP).rgba = [*TABLE_TOPS[factors["table"]], 1.0]
    lighting.apply(spec, factors[lighting.FACTOR])
    roles = roles_in(factors)
    shapes = {role: _add_object(spec, role, factors) for role in roles}
    if "cabinet.pose" in factors:
        cabinet.add_cabinet(
            spec,
            cabinet.shape(factors["cabinet.shape"]),
            factors["cabinet.color"],
            tuple(factors["cabinet.pose"]),
            TABLE_HEIGHT,
        )
    model = spec.compile()
    return Scene(
        model=model,
        embodiment=kind,
        home=room.home + np.array(factors["robot"], dtype=np.float64),
        objects={role: _find_object(model, role, shapes[role], factors) for role in roles},
        drawers=_find_drawers(model, factors),
        robot_geoms=_geoms_of(model, (kind.prefix, kind.gripper_prefix)),
        table_geom=model.geom("table_collision").id,
    )


def roles_in(factors: Mapping[str, Json]) -> list[str]:
    """Names of the free objects that these factors describe, sorted."""
    return sorted(key.removesuffix(".category") for key in factors if key.endswith(".category"))


# --- what stands around -----------------------------------------------------------------------


@cache
def _room(name: str) -> Base:
    """A robot at its table in a room with cameras: what all scenes share, made once a process.

    It is compiled, because copies of a compiled spec compile several times faster: what is in it
    has been worked out already.
    """
    base = base_spec(name)
    _add_surroundings(base.spec)
    _add_cameras(base.spec, embodiment(name))
    base.spec.compile()
    return base


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    top = add_material(spec, _TABLE_TOP, (1.0, 1.0, 1.0), FINISHES["wood"], texture="grain")
    floor = add_material(
        spec, "floor", (0.47, 0.42, 0.38), FINISHES["matt"], texture="tiles", repeat=3.0
    )
    wall = add_material(
        spec, "wall", (0.66, 0.65, 0.62), FINISHES["matt"], texture="plaster", repeat=2.0
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
    for name, (position, target, degrees) in VIEWS.items():
        spec.worldbody.add_camera(
            name=name, pos=list(position), quat=_looking_at(position, target), fovy=degrees
        )
    # robosuite's eye in hand: on the hand, looking along the fingers
    spec.body(f"{kind.prefix}right_hand").add_camera(
        name="wrist", pos=[0.05, 0.0, 0.0], quat=[0.0, 0.707108, 0.707108, 0.0], fovy=75.0
    )


def _looking_at(
    position: tuple[float, float, float], target: tuple[float, float, float]
) -> list[float]:
    """The quaternion wxyz of an upright camera: it looks along its -z, its y is up."""
    back = np.array(position) - np.array(target)
    azimuth = math.atan2(back[1], back[0])
    tilt = math.atan2(math.hypot(back[0], back[1]), back[2])
    half_turn, half_tilt = (azimuth + math.pi / 2) / 2, tilt / 2
    c, s = math.cos(half_turn), math.sin(half_turn)
    u, v = math.cos(half_tilt), math.sin(half_tilt)
    return steady((c * u, c * v, s * v, s * u))


# --- objects ----------------------------------------------------------------------------------


def _add_object(spec: mujoco.MjSpec, role: str, factors: Mapping[str, Json]) -> Shape:
    kind = category(factors[f"{role}.category"])
    color = factors[f"{role}.color"]
    shape = kind.shape(factors[f"{role}.shape"])
    x, y, yaw = factors[f"{role}.pose"]
    body = spec.worldbody.add_body(
        name=role,
        pos=[x, y, TABLE_HEIGHT - REST_DEPTH],
        quat=steady(about_z(yaw)),
    )
    body.add_freejoint(name=f"{role} joint")
    materials: dict[str, str] = {}
    for index, visual in enumerate(shape.visuals):
        if visual.slot not in materials:
            rgb = kind.rgb(color) if visual.slot == "main" else kind.trim[visual.slot]
            materials[visual.slot] = add_material(
                spec, f"{role} {visual.slot}", rgb, FINISHES[kind.material]
            )
        name = f"{role} mesh {index}"
        mesh = spec.add_mesh(
            name=name,
            uservert=visual.mesh.vertices.ravel(),
            userface=visual.mesh.faces.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh.name,
            material=materials[visual.slot],
            contype=0,
            conaffinity=0,
            group=1,
        )
    volume = sum(piece.volume for piece in shape.pieces)
    for piece in shape.pieces:
        _add_piece(body, piece, shape, round(shape.mass * piece.volume / volume, 9))
    return shape


def _add_piece(body: mujoco.MjsBody, piece: Piece, shape: Shape, mass: float) -> None:
    body.add_geom(
        type=_KINDS[piece.kind],
        size=steady(piece.size),
        pos=steady(piece.position),
        quat=steady(piece.quaternion),
        mass=mass,
        group=0,
        condim=6 if shape.rolling else 4,
        friction=[1.0, 0.01, 0.003 if shape.rolling else 0.0001],
    )


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


def _find_drawers(model: mujoco.MjModel, factors: Mapping[str, Json]) -> Mapping[str, SceneDrawer]:
    if "cabinet.drawer" not in factors:
        return {}
    name = cabinet.DRAWERS[factors["cabinet.drawer"]]
    body = model.body(name).id
    return {
        "drawer": SceneDrawer(
            name=name,
            body=body,
            geoms=_solid_geoms(model, body),
            qpos=int(model.joint(f"{name} slide").qposadr[0]),
            handle_site=model.site(f"{name} handle").id,
            floor_site=model.site(f"{name} floor").id,
        )
    }


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
