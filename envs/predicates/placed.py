"""On and in: a thing has been put down.

Lengths are metres. A thing that is held or in mid-air is placed nowhere: `on` and `inside` need
contact with the support and none with the robot or the table.
"""

from __future__ import annotations

import mujoco

from vlabench.envs.predicates.geometry import (
    between,
    extent,
    in_frame_of,
    lowest,
    middle,
    over,
    rests_on,
    stands,
    turned_back,
)
from vlabench.envs.scene import Scene, SceneObject, ScenePart

HEIGHT_TOLERANCE = 0.012
"""How far the underside of a thing may be from the surface that it stands on, and how far below
the rim of a hollow thing it must at least be to lie inside."""


def on(scene: Scene, data: mujoco.MjData, name: str, support: str) -> bool:
    """Whether a thing stands or lies on an object or on a part of a fixture."""
    if support in scene.parts:
        part, thing = scene.parts[support], scene.objects[name]
        return _over_part(scene, data, thing, part, 0.0) and rests_on(
            scene, data, thing, part.geoms
        )
    thing, below = scene.objects[name], scene.objects[support]
    if not over(below, *in_frame_of(data, below.body, middle(data, thing))[:2]):
        return False
    low, high = below.shape.surface_height, below.shape.height  # a long thing may lie on a rim
    low_point = lowest(scene, data, thing, below.body)
    return (
        low - HEIGHT_TOLERANCE < low_point < high + HEIGHT_TOLERANCE
        and stands(scene, data, below)
        and rests_on(scene, data, thing, below.geoms)
    )


def inside(
    scene: Scene,
    data: mujoco.MjData,
    name: str,
    container: str,
    seen: frozenset[str] = frozenset(),
) -> bool:
    """Whether a thing is inside a hollow object or a part of a fixture.

    It lies on the container, or on something that is inside itself.
    """
    thing = scene.objects[name]
    if container in scene.parts:
        around = scene.parts[container].geoms
        contained = _over_part(scene, data, thing, scene.parts[container], HEIGHT_TOLERANCE)
    else:
        around = scene.objects[container].geoms
        contained = _in_hollow(scene, data, thing, scene.objects[container])
    if not contained:
        return False
    if rests_on(scene, data, thing, around):
        return True
    seen = seen | {name, container}
    return any(
        rests_on(scene, data, thing, other.geoms) and inside(scene, data, key, container, seen)
        for key, other in scene.objects.items()
        if key not in seen
    )


def _in_hollow(scene: Scene, data: mujoco.MjData, thing: SceneObject, around: SceneObject) -> bool:
    """Whether a thing is between the walls of one that stands, and reaches below its rim."""
    if not over(around, *in_frame_of(data, around.body, middle(data, thing))[:2]):
        return False
    low_point = lowest(scene, data, thing, around.body)
    deep_enough = -HEIGHT_TOLERANCE < low_point < around.shape.height - HEIGHT_TOLERANCE
    return deep_enough and stands(scene, data, around)


def _over_part(
    scene: Scene, data: mujoco.MjData, thing: SceneObject, part: ScenePart, below: float
) -> bool:
    """Whether the middle of a thing is over the floor of a part, and its foot in the space there.

    `below` says by how much its foot must at least be below the upper end of that space. How tall
    the thing is, or what it stands on in there, does not matter.
    """
    site = part.floor_site
    floor, rotation = data.site_xpos[site].tolist(), data.site_xmat[site].tolist()
    x, y, _ = turned_back(rotation, between(floor, middle(data, thing)))
    depth, width, height = scene.model.site_size[site].tolist()
    if abs(x) >= depth or abs(y) >= width:
        return False
    down = (-rotation[2], -rotation[5], -rotation[8])
    low_point = -extent(scene, data, thing, floor, down)
    return bool(-HEIGHT_TOLERANCE < low_point < 2 * height - below)
