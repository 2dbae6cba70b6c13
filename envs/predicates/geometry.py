"""What the predicates look at: contacts, and where the parts of a thing are.

Lengths are metres, in the world's frame unless a name says otherwise. Points and directions are
three plain numbers, because numpy takes several times as long for so few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import mujoco

from vlabench.envs.scene import Scene, SceneObject

Vector: TypeAlias = tuple[float, float, float]

UPRIGHT = math.cos(math.radians(20.0))
"""A thing that has been tipped further than this does not stand."""

_SPHERE = int(mujoco.mjtGeom.mjGEOM_SPHERE)
_CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
_CYLINDER = int(mujoco.mjtGeom.mjGEOM_CYLINDER)
_ELLIPSOID = int(mujoco.mjtGeom.mjGEOM_ELLIPSOID)


def rests_on(
    scene: Scene, data: mujoco.MjData, thing: SceneObject, support: frozenset[int]
) -> bool:
    """Whether `thing` touches one of `support`, and neither the robot nor the table."""
    touched = touching(data, thing.geoms)
    if touched & scene.robot_geoms or scene.table_geom in touched:
        return False
    return bool(touched & support)


def rests_on_table(scene: Scene, data: mujoco.MjData, thing: SceneObject) -> bool:
    """Whether `thing` touches the table and not the robot."""
    touched = touching(data, thing.geoms)
    return scene.table_geom in touched and not touched & scene.robot_geoms


def stands(
    scene: Scene, data: mujoco.MjData, support: SceneObject, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether `support` stands upright by itself: what is held carries nothing.

    It stands on the table, on a part of a fixture, or on something that stands.
    """
    if data.xmat[support.body][8] < UPRIGHT:
        return False
    touched = touching(data, support.geoms)
    if touched & scene.robot_geoms:
        return False
    if scene.table_geom in touched or any(touched & p.geoms for p in scene.parts.values()):
        return True
    seen = seen | {support.name}
    return any(
        stands(scene, data, other, seen)
        for name, other in scene.objects.items()
        if name not in seen and touched & other.geoms
    )


def touching(data: mujoco.MjData, geoms: frozenset[int]) -> set[int]:
    """The geoms in contact with any of `geoms` (contacts at a distance do not count)."""
    contact, touched = data.contact, set[int]()
    for (a, b), distance in zip(contact.geom.tolist(), contact.dist.tolist(), strict=True):
        if distance <= 0:
            if a in geoms:
                touched.add(b)
            if b in geoms:
                touched.add(a)
    return touched - geoms


def lowest(scene: Scene, data: mujoco.MjData, thing: SceneObject, body: int) -> float:
    """Height of the lowest point of a thing above the origin of `body`, along the body's up."""
    x, y, z = up(data, body)
    return -extent(scene, data, thing, data.xpos[body].tolist(), (-x, -y, -z))


def extent(
    scene: Scene, data: mujoco.MjData, thing: SceneObject, origin: Vector, along: Vector
) -> float:
    """How far a thing extends from the point `origin` in the direction of a unit vector."""
    return max(
        dot(along, between(origin, data.geom_xpos[geom].tolist()))
        + _reach(scene.model, data, geom, along)
        for geom in thing.geoms
    )


def _reach(model: mujoco.MjModel, data: mujoco.MjData, geom: int, along: Vector) -> float:
    """Half the length of a convex piece along a direction (its support function)."""
    a, b, c = model.geom_size[geom].tolist()
    x, y, z = map(abs, turned_back(data.geom_xmat[geom].tolist(), along))
    kind = model.geom_type[geom]
    if kind == _SPHERE:
        reach = a
    elif kind == _CAPSULE:
        reach = a + b * z
    elif kind == _CYLINDER:
        reach = a * math.hypot(x, y) + b * z
    elif kind == _ELLIPSOID:
        reach = math.hypot(a * x, b * y, c * z)
    else:
        reach = a * x + b * y + c * z
    return float(reach)


def up(data: mujoco.MjData, body: int) -> Vector:
    """The z axis of a body."""
    _, _, x, _, _, y, _, _, z = data.xmat[body].tolist()
    return x, y, z


def middle(data: mujoco.MjData, thing: SceneObject) -> Vector:
    """Half way between its underside and its top, in the world."""
    (x, y, z), (ux, uy, uz) = data.xpos[thing.body].tolist(), up(data, thing.body)
    half = thing.shape.height / 2
    return x + ux * half, y + uy * half, z + uz * half


def in_frame_of(data: mujoco.MjData, body: int, point: Vector) -> Vector:
    """A point of the world in the frame of a body."""
    return turned_back(data.xmat[body].tolist(), between(data.xpos[body].tolist(), point))


def over(support: SceneObject, x: float, y: float) -> bool:
    """Whether a point of its frame is over the surface that others can stand on."""
    half = support.shape.surface_half
    if half is not None:
        return abs(x) < half[0] and abs(y) < half[1]
    return math.hypot(x, y) < support.shape.surface_radius


def between(start: Sequence[float], end: Sequence[float]) -> Vector:
    """The vector from one point to another."""
    (ax, ay, az), (bx, by, bz) = start, end
    return bx - ax, by - ay, bz - az


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The inner product."""
    (ax, ay, az), (bx, by, bz) = one, other
    return ax * bx + ay * by + az * bz


def turned_back(rotation: Sequence[float], vector: Vector) -> Vector:
    """A vector of the world in a frame, whose `rotation` is 9 numbers, row after row."""
    (a, b, c, d, e, f, g, h, i), (x, y, z) = rotation, vector
    return a * x + d * y + g * z, b * x + e * y + h * z, c * x + f * y + i * z
