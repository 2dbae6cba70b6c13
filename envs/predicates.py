"""What it means that a goal is true: physics checks on one instant of a scene.

Lengths are metres. A thing that is held or in mid-air is placed nowhere: `on` and `in` need contact
with the support and none with the robot or the table. How long a goal must hold is not decided
here but in `vlabench.envs.progress`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs.fixtures.cabinet import TRAVEL
from vlabench.envs.scene import Scene, SceneObject
from vlabench.envs.tasks.base import Goal

HEIGHT_TOLERANCE = 0.012
"""How far the underside of a thing may be from the surface that it stands on, and how far below
the rim of a hollow thing it must at least be to lie inside."""

UPRIGHT = math.cos(math.radians(20.0))
"""A support that has been tipped further than this carries nothing."""

OPEN = 0.7 * TRAVEL
"""A drawer counts as open from here on."""

CLOSED = 0.012
"""A drawer counts as closed up to here."""


def holds(goal: Goal, scene: Scene, data: mujoco.MjData) -> bool:
    """Whether `goal` is true now; contacts and kinematics must be up to date."""
    return bool(_CHECKS[goal.predicate](scene, data, *goal.arguments))


def _on(scene: Scene, data: mujoco.MjData, name: str, support: str) -> bool:
    thing, below = scene.objects[name], scene.objects[support]
    if not _over(below, *_in_frame_of(data, below.body, _middle(data, thing))[:2]):
        return False
    low, high = below.shape.surface_height, below.shape.height  # a long thing may lie on a rim
    lowest = _lowest(scene, data, thing, below.body)
    return (
        low - HEIGHT_TOLERANCE < lowest < high + HEIGHT_TOLERANCE
        and _stands(scene, data, below)
        and _rests_on(scene, data, thing, below.geoms)
    )


def _in(scene: Scene, data: mujoco.MjData, name: str, container: str) -> bool:
    if container in scene.drawers:
        return _in_drawer(scene, data, name, container)
    thing, around = scene.objects[name], scene.objects[container]
    if not _over(around, *_in_frame_of(data, around.body, _middle(data, thing))[:2]):
        return False
    lowest = _lowest(scene, data, thing, around.body)
    return (
        -HEIGHT_TOLERANCE < lowest < around.shape.height - HEIGHT_TOLERANCE
        and _stands(scene, data, around)
        and _rests_on(scene, data, thing, around.geoms)
    )


def _in_drawer(scene: Scene, data: mujoco.MjData, name: str, container: str) -> bool:
    thing, drawer = scene.objects[name], scene.drawers[container]
    offset = _middle(data, thing) - data.site_xpos[drawer.floor_site]
    x, y, z = data.site_xmat[drawer.floor_site].reshape(3, 3).T @ offset
    depth, width, height = scene.model.site_size[drawer.floor_site]
    inside = abs(x) < depth and abs(y) < width and -HEIGHT_TOLERANCE < z < 2 * height
    return bool(inside) and _rests_on(scene, data, thing, drawer.geoms)


def _open(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    return bool(data.qpos[scene.drawers[name].qpos] >= OPEN)


def _closed(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    return bool(data.qpos[scene.drawers[name].qpos] <= CLOSED)


_CHECKS: Mapping[str, Callable[..., bool]] = {
    "on": _on,
    "in": _in,
    "open": _open,
    "closed": _closed,
}


# --- geometry ---------------------------------------------------------------------------------


def _rests_on(
    scene: Scene, data: mujoco.MjData, thing: SceneObject, support: frozenset[int]
) -> bool:
    """Whether `thing` touches one of `support`, and neither the robot nor the table."""
    touched = touching(data, thing.geoms)
    if touched & scene.robot_geoms or scene.table_geom in touched:
        return False
    return bool(touched & support)


def _stands(scene: Scene, data: mujoco.MjData, support: SceneObject) -> bool:
    """Whether `support` stands upright on the table by itself: what is held carries nothing."""
    if data.xmat[support.body][8] < UPRIGHT:
        return False
    touched = touching(data, support.geoms)
    return scene.table_geom in touched and not touched & scene.robot_geoms


def touching(data: mujoco.MjData, geoms: frozenset[int]) -> set[int]:
    """The geoms in contact with any of `geoms` (contacts at a distance do not count)."""
    touched: set[int] = set()
    for a, b in data.contact.geom[data.contact.dist <= 0].tolist():
        if a in geoms:
            touched.add(b)
        if b in geoms:
            touched.add(a)
    return touched - geoms


def _lowest(scene: Scene, data: mujoco.MjData, thing: SceneObject, body: int) -> float:
    """Height of the lowest point of a thing above the origin of `body`, along the body's up."""
    up = data.xmat[body].reshape(3, 3)[:, 2]
    heights = [
        float(up @ (data.geom_xpos[geom] - data.xpos[body])) - _reach(scene.model, data, geom, up)
        for geom in thing.geoms
    ]
    return min(heights)


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


def _middle(data: mujoco.MjData, thing: SceneObject) -> npt.NDArray[np.float64]:
    """Half way between its underside and its top, in the world."""
    up = data.xmat[thing.body].reshape(3, 3)[:, 2]
    middle: npt.NDArray[np.float64] = data.xpos[thing.body] + up * thing.shape.height / 2
    return middle


def _in_frame_of(
    data: mujoco.MjData, body: int, point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    local: npt.NDArray[np.float64] = data.xmat[body].reshape(3, 3).T @ (point - data.xpos[body])
    return local


def _over(support: SceneObject, x: float, y: float) -> bool:
    half = support.shape.surface_half
    if half is not None:
        return abs(x) < half[0] and abs(y) < half[1]
    return math.hypot(x, y) < support.shape.surface_radius
