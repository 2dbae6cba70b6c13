"""Produce: fruit and vegetables, as bent and tapered ellipsoids.

Round things never rest, so each stands on a small hidden box: its underside is flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import (
    LIFT,
    Piece,
    Quaternion,
    Shape,
    Vector,
    Visual,
    base_plate,
    blob,
    grasps_across,
    grasps_round,
    moved,
    revolve,
    tube,
)

_STEM = (0.27, 0.17, 0.07)
_LEAF = (0.16, 0.36, 0.12)


def _standing(
    radius: float,
    height: float,
    outline: Callable[[float], float],
    mass: float,
    trim: tuple[Visual, ...] = (),
) -> Shape:
    """A round fruit on its end; `outline` maps height in [0, 1] to radius in [0, 1]."""

    def place(direction: Vector) -> Vector:
        x, y, z = direction
        level = (z + 1) / 2
        ring = math.sqrt(max(1e-9, x * x + y * y))
        swell = outline(level) * radius / ring if ring > 1e-4 else 0.0
        return (x * swell, y * swell, 0.001 + level * (height - 0.001))

    half = (height - LIFT) / 2
    widest = max((k / 20 for k in range(21)), key=outline)
    return Shape(
        visuals=(Visual(blob(place)), *trim),
        pieces=(
            base_plate(radius * 0.45, radius * 0.45, 0.012),
            Piece("ellipsoid", (radius, radius, half), (0.0, 0.0, LIFT + half)),
        ),
        mass=mass,
        height=height,
        radius=radius,
        grasps=grasps_round(2 * radius, max(0.016, widest * height)),
        surface_height=height,
        rolling=True,
    )


def _round_outline(level: float) -> float:
    return math.sqrt(max(0.0, 1 - (2 * level - 1) ** 2))


def _apple_outline(level: float) -> float:
    return math.pow(max(0.0, math.sin(math.pi * level)), 0.55) * (0.9 + 0.1 * level)


def _pear_outline(level: float) -> float:
    return math.pow(max(0.0, math.sin(math.pi * level)), 0.6) * (
        1.0 - 0.52 * max(0.0, level - 0.3) / 0.7
    )


def _stem(height: float) -> Visual:
    path = [(0.0, 0.0, height - 0.004), (0.001, 0.0, height + 0.004), (0.003, 0.0, height + 0.011)]
    return Visual(tube(path, 0.0016, 8), "stem")


def _apple(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["squash"]
    return _standing(r, height, _apple_outline, 0.15, (_stem(height),))


def _pear(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["stretch"]
    half = height * 0.31
    shape = _standing(r, height, _pear_outline, 0.15, (_stem(height),))
    return Shape(
        visuals=shape.visuals,
        pieces=(
            shape.pieces[0],
            Piece("ellipsoid", (r, r, half), (0.0, 0.0, LIFT + half)),
            Piece("ellipsoid", (r * 0.55, r * 0.55, height * 0.25), (0.0, 0.0, height * 0.74)),
        ),
        mass=shape.mass,
        height=height,
        radius=r,
        grasps=grasps_round(2 * r, height * 0.34),
        surface_height=height,
        rolling=True,
    )


def _lying(
    length: float,
    thick: float,
    thin: float,
    bend: float,
    mass: float,
    trim: tuple[Visual, ...] = (),
) -> Shape:
    """A long fruit lying along x: radius `thick` at -x, `thin` at +x, bent sideways by `bend`."""

    def radius_at(u: float) -> float:
        return thick + (thin - thick) * u

    def tapered(u: float) -> float:
        return math.sqrt(max(0.0, 1 - math.pow(abs(2 * u - 1), 3.2))) * radius_at(u)

    # thick at an end and tapered there, it is nowhere as thick as `thick`
    belly = round(max(tapered(k / 40) for k in range(41)), 6)

    def middle(u: float) -> Vector:
        return ((u - 0.5) * length, bend * (4 * (u - 0.5) ** 2 - 0.4), belly)

    def place(direction: Vector) -> Vector:
        x, y, z = direction[2], direction[0], direction[1]
        u = (x + 1) / 2
        ring = math.sqrt(max(1e-9, y * y + z * z))
        cx, cy, cz = middle(u)
        return (cx, cy + y / ring * tapered(u), cz + z / ring * tapered(u))

    capsules = []
    count, blunt = 5, 0.78
    # the caps of the outer capsules end where the fruit ends
    first, last = blunt * radius_at(0.1) / length, 1 - blunt * radius_at(0.9) / length
    for k in range(count):
        a, b = (middle(first + (last - first) * j / count) for j in (k, k + 1))
        u = (k + 0.5) / count
        end_taper = blunt if k in (0, count - 1) else 0.97
        radius = radius_at(u) * end_taper
        half = math.dist(a, b) / 2
        centre = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, belly + LIFT)
        capsules.append(
            Piece("capsule", (radius, half, 0.0), centre, _along(b[0] - a[0], b[1] - a[1]))
        )
    volume = sum(piece.volume for piece in capsules)
    balance = round(sum(p.volume * p.position[1] for p in capsules) / volume, 6)
    foot = Piece("box", (length * 0.2, 0.5 * thick, 0.003), (0.0, balance, 0.003))
    width = 2 * radius_at(0.5) * 0.97
    grasp_y = middle(0.5)[1]
    lowered = (Visual(moved(v.mesh, (0.0, 0.0, belly - thick)), v.slot) for v in trim)
    return Shape(
        visuals=(Visual(blob(place, rows=28)), *lowered),
        pieces=(foot, *capsules),
        mass=mass,
        height=2 * belly,
        radius=length / 2,
        grasps=grasps_across(width, max(0.013, belly), [math.pi / 2], 0.0, grasp_y),
        surface_height=2 * belly,
        rolling=True,
    )


def _along(dx: float, dy: float) -> Quaternion:
    """A capsule's own axis z laid along (dx, dy)."""
    yaw = math.atan2(dy, dx)
    tilt = math.pi / 4
    c, s = math.cos(tilt), math.sin(tilt)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return (cy * c, -sy * s, cy * s, sy * c)


def _tip(x: float, y: float, z: float, radius: float, length: float, slot: str) -> Visual:
    return Visual(tube([(x, y, z), (x - length / 2, y, z), (x - length, y, z)], radius, 10), slot)


def _lemon(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    return _lying(length, r, r, 0.0, 0.09)


def _banana(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    bend = length * 0.17
    ends = (
        _tip(-length / 2 + 0.003, bend * 0.6, r, r * 0.3, 0.012, "stem"),
        _tip(length / 2 + 0.003, bend * 0.6, r, r * 0.22, 0.006, "stem"),
    )
    return _lying(length, r, r * 0.95, bend, 0.12, ends)


def _carrot(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    fan = tuple(
        Visual(
            tube(
                [
                    (-length / 2 + 0.004, 0.0, r),
                    (-length / 2 - 0.012, dy * 0.5, r + 0.002),
                    (-length / 2 - 0.026, dy, r + 0.001),
                ],
                0.003,
                8,
            ),
            "leaf",
        )
        for dy in (-0.009, 0.0, 0.009)
    )
    return _lying(length, r, r * 0.5, 0.0, 0.09, fan)


def _aubergine(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    cap = revolve([(0.0, 0.0), (0.011, 0.001), (0.008, 0.008), (0.004, 0.012), (0.0, 0.024)], 16)
    z, y, x = cap.vertices[:, 2].copy(), cap.vertices[:, 1].copy(), cap.vertices[:, 0].copy()
    cap.vertices[:, 0] = z + (length / 2 - 0.009)
    cap.vertices[:, 1], cap.vertices[:, 2] = y, r - x
    return _lying(length, r, r * 0.72, length * 0.06, 0.14, (Visual(cap, "leaf"),))


APPLE = Category(
    name="apple",
    family="produce",
    split="seen",
    super_category="fruit",
    use="something that keeps the doctor away",
    material="organic",
    colors=("red", "green", "yellow"),
    lengths={"radius": (0.027, 0.034), "squash": (0.88, 0.98)},
    roles=frozenset({"manipulated", "small"}),
    build=_apple,
    tints={"green": (0.42, 0.58, 0.16), "yellow": (0.85, 0.68, 0.2)},
    trim={"stem": _STEM},
)

LEMON = Category(
    name="lemon",
    family="produce",
    split="seen",
    super_category="fruit",
    use="something sour",
    material="organic",
    colors=("yellow",),
    lengths={"radius": (0.021, 0.026), "length": (0.06, 0.075)},
    roles=frozenset({"manipulated", "small"}),
    build=_lemon,
)

BANANA = Category(
    name="banana",
    family="produce",
    split="seen",
    super_category="fruit",
    use="fruit that a monkey likes",
    material="organic",
    colors=("yellow", "green"),
    lengths={"radius": (0.016, 0.02), "length": (0.13, 0.155)},
    roles=frozenset({"manipulated"}),
    build=_banana,
    tints={"green": (0.5, 0.6, 0.15)},
    trim={"stem": _STEM},
)

CARROT = Category(
    name="carrot",
    family="produce",
    split="seen",
    super_category="vegetable",
    use="vegetable that a rabbit likes",
    material="organic",
    colors=("orange",),
    lengths={"radius": (0.015, 0.019), "length": (0.115, 0.14)},
    roles=frozenset({"manipulated"}),
    build=_carrot,
    trim={"leaf": _LEAF},
)

PEAR = Category(
    name="pear",
    family="produce",
    split="unseen",
    super_category="fruit",
    use="fruit with a narrow top",
    material="organic",
    colors=("green", "yellow"),
    lengths={"radius": (0.027, 0.033), "stretch": (1.25, 1.45)},
    roles=frozenset({"manipulated"}),
    build=_pear,
    tints={"green": (0.5, 0.58, 0.2), "yellow": (0.8, 0.68, 0.22)},
    trim={"stem": _STEM},
)

AUBERGINE = Category(
    name="aubergine",
    family="produce",
    split="unseen",
    super_category="vegetable",
    use="vegetable that moussaka is made of",
    material="organic",
    colors=("purple",),
    lengths={"radius": (0.021, 0.026), "length": (0.11, 0.135)},
    roles=frozenset({"manipulated"}),
    build=_aubergine,
    synonyms=("eggplant",),
    tints={"purple": (0.21, 0.07, 0.25)},
    trim={"leaf": _LEAF},
)
