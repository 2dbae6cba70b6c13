"""Lifted, beside, upright, in a region, away from something: where a thing has been moved to.

Lengths are metres, in the world's frame. Directions are the robot's own: left is +y, behind is
further from the robot (+x). All but `lifted` need contact with what carries the thing and none
with the robot.
"""

from __future__ import annotations

import math

import mujoco

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.predicates.geometry import (
    UPRIGHT,
    Vector,
    between,
    extent,
    middle,
    rests_on_table,
    stands,
    touching,
    turned_back,
)
from vlabench.envs.scene import Scene, SceneObject
from vlabench.envs.tasks.base import SIDES

LIFTED = 0.08
"""Height above the table from which on a thing is lifted."""

BESIDE = 0.12
"""Largest distance between the edges of two things that are beside each other."""

AWAY = 0.01
"""Smallest distance between the edges of two things of which one is away from the other."""

STANDING = math.cos(math.radians(15.0))
"""How upright a thing must be to have been stood up."""

_CONE = math.cos(math.radians(45.0))
_DOWN = (0.0, 0.0, -1.0)
_TABLE = (0.0, 0.0, TABLE_HEIGHT)


def lifted(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether the robot holds a thing up: nothing else touches it."""
    thing = scene.objects[name]
    touched = touching(data, thing.geoms)
    if not touched or not touched <= scene.robot_geoms:
        return False
    return -extent(scene, data, thing, _TABLE, _DOWN) >= LIFTED


def beside(scene: Scene, data: mujoco.MjData, name: str, side: str, target: str) -> bool:
    """Whether a thing has been put down on the table at that side of another."""
    thing, other = scene.objects[name], scene.objects[target]
    distance, direction = _apart(data, thing, other)
    x, y = SIDES[side]
    if distance == 0.0 or x * direction[0] + y * direction[1] < _CONE:
        return False
    return (
        _gap(scene, data, thing, other) <= BESIDE
        and rests_on_table(scene, data, thing)
        and not touching(data, thing.geoms) & other.geoms
        and stands(scene, data, other)
    )


def upright(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a thing stands on its foot on the table."""
    thing = scene.objects[name]
    return bool(data.xmat[thing.body][8] >= STANDING) and rests_on_table(scene, data, thing)


def in_region(scene: Scene, data: mujoco.MjData, name: str, region: str) -> bool:
    """Whether a thing stands on a marked place of the table, its middle over it."""
    thing, part = scene.objects[name], scene.parts[region]
    offset = between(data.site_xpos[part.floor_site].tolist(), middle(data, thing))
    x, y, _ = turned_back(data.site_xmat[part.floor_site].tolist(), offset)
    length, width, _ = scene.model.site_size[part.floor_site].tolist()
    over_it = abs(x) < length and abs(y) < width and data.xmat[thing.body][8] >= UPRIGHT
    return bool(over_it) and rests_on_table(scene, data, thing)


def away_from(scene: Scene, data: mujoco.MjData, name: str, place: str) -> bool:
    """Whether a thing rests somewhere else than on another, clear of the hand."""
    thing, other = scene.objects[name], scene.objects[place]
    if _gap(scene, data, thing, other) < AWAY:
        return False
    if rests_on_table(scene, data, thing):
        return True
    touched = touching(data, thing.geoms)
    below = (o for key, o in scene.objects.items() if key != name and touched & o.geoms)
    return not touched & scene.robot_geoms and any(stands(scene, data, o) for o in below)


def _apart(data: mujoco.MjData, thing: SceneObject, other: SceneObject) -> tuple[float, Vector]:
    """How far the middle of a thing is from that of another on the table, and in what direction."""
    x, y, _ = between(middle(data, other), middle(data, thing))
    distance = math.hypot(x, y)
    if distance == 0.0:
        return 0.0, (0.0, 0.0, 0.0)
    return distance, (x / distance, y / distance, 0.0)


def _gap(scene: Scene, data: mujoco.MjData, thing: SceneObject, other: SceneObject) -> float:
    """Distance between two things along the line of their middles, seen from above.

    It is negative where what lies between parallel lines across that one overlaps, as it may for
    long things that lie askew.
    """
    distance, direction = _apart(data, thing, other)
    x, y, z = direction
    return (
        distance
        - extent(scene, data, thing, middle(data, thing), (-x, -y, -z))
        - extent(scene, data, other, middle(data, other), direction)
    )
