"""What the predicates look at: contacts, and where the parts of a thing are.

Lengths are metres, in the world's frame unless a name says otherwise.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs.scene import Scene, SceneObject

UPRIGHT = math.cos(math.radians(20.0))
"""A thing that has been tipped further than this does not stand."""


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
    touched: set[int] = set()
    for a, b in data.contact.geom[data.contact.dist <= 0].tolist():
        if a in geoms:
            touched.add(b)
        if b in geoms:
            touched.add(a)
    return touched - geoms


def lowest(scene: Scene, data: mujoco.MjData, thing: SceneObject, body: int) -> float:
    """Height of the lowest point of a thing above the origin of `body`, along the body's up."""
    up = data.xmat[body].reshape(3, 3)[:, 2]
    return -extent(scene, data, thing, data.xpos[body], -up)


def extent(
    scene: Scene,
    data: mujoco.MjData,
    thing: SceneObject,
    origin: npt.NDArray[np.float64],
    along: npt.NDArray[np.float64],
) -> float:
    """How far a thing extends from the point `origin` in the direction of a unit vector."""
    return max(
        float(along @ (data.geom_xpos[geom] - origin)) + _reach(scene.model, data, geom, along)
        for geom in thing.geoms
    )


def _reach(
    model: mujoco.MjModel, data: mujoco.MjData, geom: int, along: npt.NDArray[np.float64]
) -> float:
    """Half the length of a convex piece along a direction (its support function)."""
    a, b, c = (float(size) for size in model.geom_size[geom])
    x, y, z = (abs(float(part)) for part in data.geom_xmat[geom].reshape(3, 3).T @ along)
    match mujoco.mjtGeom(int(model.geom_type[geom])):
        case mujoco.mjtGeom.mjGEOM_SPHERE:
            return a
        case mujoco.mjtGeom.mjGEOM_CAPSULE:
            return a + b * z
        case mujoco.mjtGeom.mjGEOM_CYLINDER:
            return a * math.hypot(x, y) + b * z
        case mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            return math.hypot(a * x, b * y, c * z)
        case _:
            return a * x + b * y + c * z


def middle(data: mujoco.MjData, thing: SceneObject) -> npt.NDArray[np.float64]:
    """Half way between its underside and its top, in the world."""
    up = data.xmat[thing.body].reshape(3, 3)[:, 2]
    middle: npt.NDArray[np.float64] = data.xpos[thing.body] + up * thing.shape.height / 2
    return middle


def in_frame_of(
    data: mujoco.MjData, body: int, point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A point of the world in the frame of a body."""
    local: npt.NDArray[np.float64] = data.xmat[body].reshape(3, 3).T @ (point - data.xpos[body])
    return local


def over(support: SceneObject, x: float, y: float) -> bool:
    """Whether a point of its frame is over the surface that others can stand on."""
    half = support.shape.surface_half
    if half is not None:
        return abs(x) < half[0] and abs(y) < half[1]
    return math.hypot(x, y) < support.shape.surface_radius
