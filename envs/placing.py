"""Puts an episode's free objects into the model of a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import mujoco

from vlabench.envs.axes import object_appearance
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.materials import FINISHES, add_material
from vlabench.envs.objects.catalog import category
from vlabench.envs.objects.geometry import Piece, Shape, about_y, about_z, multiply, steady
from vlabench.types import Json

REST_DEPTH = 1e-4
"""How deep MuJoCo's contacts let a flat underside sink, whatever it weighs: objects that start at
that depth are at rest at once."""

KEPT_SHAPES = 64
"""Shapes that a process remembers: a twin has those of its pair. Each takes some 50 KB."""

_KINDS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


def shape_of(role: str, factors: Mapping[str, Json]) -> Shape:
    """The shape of the object that these factors call `role`."""
    coordinates = tuple(factors[f"{role}.shape"])
    return _instance(factors[f"{role}.category"], coordinates, factors.get(f"{role}.scale", 1.0))


@lru_cache(maxsize=KEPT_SHAPES)
def _instance(name: str, coordinates: tuple[float, ...], scale: float) -> Shape:
    return category(name).shape(coordinates, scale)


def add_object(
    spec: mujoco.MjSpec, role: str, shapes: Mapping[str, Shape], factors: Mapping[str, Json]
) -> None:
    """Adds the object called `role` to a scene, at its start; `shapes` are those of all objects."""
    kind, shape = category(factors[f"{role}.category"]), shapes[role]
    body = spec.worldbody.add_body(name=role, **_resting(role, shapes, factors))
    body.add_freejoint(name=f"{role} joint")
    materials: dict[str, str] = {}
    for index, visual in enumerate(shape.visuals):
        if visual.slot not in materials:
            material = f"{role} {visual.slot}"
            if visual.slot == "main":
                object_appearance.add_material(spec, material, role, factors)
            else:
                add_material(spec, material, kind.trim[visual.slot], FINISHES[kind.material])
            materials[visual.slot] = material
        name = f"{role} mesh {index}"
        mesh = spec.add_mesh(
            name=name,
            uservert=visual.mesh.vertices.ravel().tolist(),  # taken faster than an array
            userface=visual.mesh.faces.ravel().tolist(),
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


def _resting(
    role: str, shapes: Mapping[str, Shape], factors: Mapping[str, Json]
) -> dict[str, list[float]]:
    """Position and quaternion of a thing at its start: upright on what carries it, or lying."""
    shape = shapes[role]
    x, y, yaw = factors[f"{role}.pose"]
    level = TABLE_HEIGHT - REST_DEPTH
    if f"{role}.on" in factors:
        level += shapes[factors[f"{role}.on"]].surface_height - REST_DEPTH
    if not factors.get(f"{role}.lying", False):
        return {"pos": [x, y, level], "quat": steady(about_z(yaw))}
    # its axis lies along the yaw, and its middle stays where it would stand
    half = shape.height / 2
    lying = [x - half * math.cos(yaw), y - half * math.sin(yaw), level + shape.lying]
    return {
        "pos": steady(lying),
        "quat": steady(multiply(about_z(yaw), about_y(math.pi / 2))),
    }


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
