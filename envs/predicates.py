"""What it means that a goal is true: physics checks on one instant of a scene.

Lengths are metres. A thing that is held or in mid-air is placed nowhere: `on` and `in` need contact
with the support and none with the hand or the table. How long a goal must hold is not decided
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
    x, y, z = _in_frame_of(data, below.body, _underside(data, thing))
    near = abs(z - below.shape.surface_height) < HEIGHT_TOLERANCE + _sag(thing)
    return (
        near
        and _over(below, x, y)
        and _upright(data, below)
        and _rests_on(scene, data, thing, below.geoms)
    )


def _in(scene: Scene, data: mujoco.MjData, name: str, container: str) -> bool:
    if container in scene.drawers:
        return _in_drawer(scene, data, name, container)
    thing, around = scene.objects[name], scene.objects[container]
    x, y, z = _in_frame_of(data, around.body, _middle(data, thing))
    # what lies across the rim has its middle half its height above it
    brim = around.shape.height + thing.shape.height / 2 - HEIGHT_TOLERANCE
    return (
        0.0 < z < brim
        and _over(around, x, y)
        and _upright(data, around)
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
    """Whether `thing` touches one of `support`, and neither the hand nor the table."""
    touched = touching(data, thing.geoms)
    if touched & scene.hand_geoms or scene.table_geom in touched:
        return False
    return bool(touched & support)


def _upright(data: mujoco.MjData, thing: SceneObject) -> bool:
    return bool(data.xmat[thing.body][8] >= UPRIGHT)


def touching(data: mujoco.MjData, geoms: frozenset[int]) -> set[int]:
    """The geoms in contact with any of `geoms` (contacts at a distance do not count)."""
    touched: set[int] = set()
    for a, b in data.contact.geom[data.contact.dist <= 0].tolist():
        if a in geoms:
            touched.add(b)
        if b in geoms:
            touched.add(a)
    return touched - geoms


def _underside(data: mujoco.MjData, thing: SceneObject) -> npt.NDArray[np.float64]:
    """The lowest point of its axis, in the world: its foot, or its head if it lies upside down."""
    up = data.xmat[thing.body].reshape(3, 3)[:, 2]
    foot = data.xpos[thing.body]
    head = foot + up * thing.shape.height
    lowest: npt.NDArray[np.float64] = foot if foot[2] <= head[2] else head
    return lowest


def _middle(data: mujoco.MjData, thing: SceneObject) -> npt.NDArray[np.float64]:
    """Half way between its underside and its top, in the world."""
    up = data.xmat[thing.body].reshape(3, 3)[:, 2]
    middle: npt.NDArray[np.float64] = data.xpos[thing.body] + up * thing.shape.height / 2
    return middle


def _sag(thing: SceneObject) -> float:
    """A thing that has fallen on its side has its axis half its width above its support."""
    return thing.shape.radius


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
