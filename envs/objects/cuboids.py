"""Forms that are boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlabench.envs.objects.collision import LIFT, base_plate, slab
from vlabench.envs.objects.geometry import WIDEST_GRASP, Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasp_height, grasps_across
from vlabench.envs.objects.meshes import rounded_box
from vlabench.types import Grasp


def cuboid(
    length: float,
    width: float,
    height: float,
    edge: float = 0.0015,
    *,
    trim: Sequence[Visual] = (),
    visuals: Sequence[Visual] | None = None,
) -> Shape:
    """A box, length along x and width along y, taken across every side that fits the hand.

    `trim` is added to what is seen; `visuals` stand for the box itself.
    """
    body = (Visual(rounded_box((length, width, height), edge, (0.0, 0.0, height / 2))),)
    return Shape(
        visuals=(*(body if visuals is None else visuals), *trim),
        pieces=(slab(length, width, 0.0, height),),
        height=height,
        radius=math.hypot(length, width) / 2,
        grasps=grasps_on_sides(length, width, grasp_height(height)),
        surface_height=height,
        surface_radius=min(length, width) / 2,
        surface_half=(length / 2, width / 2),
        lying=length / 2,
    )


def grasps_on_sides(length: float, width: float, z: float) -> tuple[Grasp, ...]:
    """Across y and across x, where the hand opens far enough."""
    widest = WIDEST_GRASP - 0.001
    across_y = grasps_across(width, z, [math.pi / 2]) if width <= widest else ()
    across_x = grasps_across(length, z, [0.0]) if length <= widest else ()
    return across_y + across_x


def sheet(length: float, width: float, height: float, edge: float = 0.002) -> Shape:
    """A flat thing for others to stand on, too wide to be taken."""
    return cuboid(length, width, height, min(edge, height / 2 - 0.0005))


def open_box(length: float, width: float, height: float, *, floor: float = 0.01) -> Shape:
    """A box without a lid."""
    thickness = 0.006
    middle, inner = (height + LIFT) / 2, width - 2 * thickness
    sides: list[tuple[Vector, Vector]] = []
    for sign in (-1.0, 1.0):
        at_y, at_x = sign * (width - thickness) / 2, sign * (length - thickness) / 2
        sides += [
            ((length, thickness, height - LIFT), (0.0, at_y, middle)),
            ((thickness, inner, height - LIFT), (at_x, 0.0, middle)),
        ]
    panels = [Visual(rounded_box(size, 0.0015, centre)) for size, centre in sides]
    bottom = Visual(rounded_box((length, width, floor), 0.001, (0.0, 0.0, floor / 2)))
    walls = [Piece("box", (x / 2, y / 2, z / 2), centre) for (x, y, z), centre in sides]
    return Shape(
        visuals=(*panels, bottom),
        pieces=(base_plate(length / 2, width / 2, floor), *walls),
        height=height,
        radius=math.hypot(length, width) / 2,
        surface_height=floor,
        surface_radius=width / 2 - thickness,
        surface_half=(length / 2 - thickness, width / 2 - thickness),
    )
