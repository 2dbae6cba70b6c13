"""Forms of things that grow or rise: round ones on their end, long ones on their side.

Round things never rest, so each stands on a small hidden box: its underside is flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from vlabench.envs.objects.collision import LIFT, base_plate, capsule_between
from vlabench.envs.objects.geometry import Piece, Shape, Visual
from vlabench.envs.objects.grasps import grasps_across, grasps_round
from vlabench.envs.objects.meshes import Numbers, for_each, moved, swollen, tube

STEM = (0.27, 0.17, 0.07)
LEAF = (0.16, 0.36, 0.12)

Outline = Callable[[float], float]
"""From the level in [0, 1], bottom to top, to a radius in [0, 1] of the largest."""


def bulge(power: float = 0.5, top: float = 1.0) -> Outline:
    """Round at both ends; blunter for a smaller power; `top` makes the upper end thinner."""

    def outline(level: float) -> float:
        round_ends = math.pow(max(0.0, math.sin(math.pi * level)), power)
        return round_ends * (1.0 + (top - 1.0) * level)

    return outline


def standing(
    radius: float,
    height: float,
    outline: Outline,
    trim: Sequence[Visual] = (),
    *,
    ribs: int = 0,
    depth: float = 0.06,
) -> Shape:
    """A round thing on its end, swollen as `outline` says, with `ribs` around it."""
    largest = max(outline(k / 40) for k in range(41))

    def place(x: Numbers, y: Numbers, z: Numbers) -> list[Numbers]:
        level = (z + 1) / 2
        ring = np.sqrt(np.maximum(1e-9, x * x + y * y))
        swell = np.where(ring > 1e-4, for_each(outline, level) / largest * radius / ring, 0.0)
        if ribs:
            waves = [math.cos(ribs * math.atan2(b, a)) for a, b in zip(x, y, strict=True)]
            swell = swell * (1 - depth * (1 + np.array(waves)))
        return [x * swell, y * swell, 0.001 + level * (height - 0.001)]

    half = (height - LIFT) / 2
    widest = max((k / 20 for k in range(21)), key=outline)
    columns = 12 * ribs if ribs else 32
    return Shape(
        visuals=(Visual(swollen(place, columns=columns)), *trim),
        pieces=(
            base_plate(radius * 0.45, radius * 0.45, 0.012),
            Piece("ellipsoid", (radius, radius, half), (0.0, 0.0, LIFT + half)),
        ),
        height=height,
        radius=radius,
        grasps=grasps_round(2 * radius, max(0.016, widest * height)),
        surface_height=height,
        rolling=True,
    )


def stem(height: float, radius: float = 0.0016, slot: str = "stem") -> Visual:
    """A short stalk on top of a thing of that height."""
    path = [(0.0, 0.0, height - 0.004), (0.001, 0.0, height + 0.004), (0.003, 0.0, height + 0.011)]
    return Visual(tube(path, radius, 8), slot)


def lying(
    length: float,
    thick: float,
    thin: float,
    bend: float = 0.0,
    trim: Sequence[Visual] = (),
    *,
    blunt: float = 3.2,
    waves: Callable[[float], float] = lambda u: 1.0,
) -> Shape:
    """A long thing along x: radius `thick` at -x, `thin` at +x, bent sideways by `bend`.

    `trim` is made for an axis at height `thick`. `waves` makes the radius vary along it.
    """

    def radius_at(u: float) -> float:
        return thick + (thin - thick) * u

    def tapered(u: float) -> float:
        return math.sqrt(max(0.0, 1 - math.pow(abs(2 * u - 1), blunt))) * radius_at(u)

    def middle(u: float) -> tuple[float, float]:
        return ((u - 0.5) * length, bend * (4 * (u - 0.5) ** 2 - 0.4))

    # thick at an end and tapered there, it is nowhere as thick as `thick`
    belly = round(max(tapered(k / 40) for k in range(41)), 6)

    def place(y: Numbers, z: Numbers, x: Numbers) -> list[Numbers]:
        u = (x + 1) / 2
        wide = for_each(lambda v: tapered(v) * waves(v), u)
        swell = wide / np.sqrt(np.maximum(1e-9, y * y + z * z))
        cx, cy = for_each(lambda v: middle(v)[0], u), for_each(lambda v: middle(v)[1], u)
        return [cx, cy + y * swell, belly + z * swell]

    bodies = _capsules(length, radius_at, middle, belly + LIFT)
    weight = sum(piece.volume for piece in bodies)
    balance = round(sum(p.volume * p.position[1] for p in bodies) / weight, 6)
    foot = Piece("box", (length * 0.2, 0.5 * thick, 0.003), (0.0, balance, 0.003), inside=True)
    lowered = (Visual(moved(v.mesh, (0.0, 0.0, belly - thick)), v.slot) for v in trim)
    return Shape(
        visuals=(Visual(swollen(place, rows=28, columns=24)), *lowered),
        pieces=(foot, *bodies),
        height=2 * belly,
        radius=length / 2,
        grasps=grasps_across(
            2 * radius_at(0.5) * 0.97, max(0.013, belly), [math.pi / 2], 0.0, middle(0.5)[1]
        ),
        surface_height=2 * belly,
        rolling=True,
    )


def _capsules(
    length: float, radius_at: Outline, middle: Callable[[float], tuple[float, float]], level: float
) -> list[Piece]:
    """Five capsules along a bent axis; those at the ends are slimmer, and end where it ends."""
    count, slim = 5, 0.78
    first, last = slim * radius_at(0.1) / length, 1 - slim * radius_at(0.9) / length
    capsules = []
    for k in range(count):
        a, b = (middle(first + (last - first) * j / count) for j in (k, k + 1))
        radius = radius_at((k + 0.5) / count) * (slim if k in (0, count - 1) else 0.97)
        capsules.append(capsule_between((*a, level), (*b, level), radius))
    return capsules
