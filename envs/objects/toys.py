"""Toys: things for a bath, a carpet or a dog."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, slab
from vlabench.envs.objects.geometry import Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across, grasps_round
from vlabench.envs.objects.lathes import solid_profile
from vlabench.envs.objects.meshes import (
    blob,
    ellipsoid,
    hexahedron,
    hoop,
    joined,
    moved,
    revolve,
    rounded_box,
    sideways,
    tilted,
)


def _car(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    sill, hood = 0.005, height * 0.56
    x0, x1, x2, x3 = -length * 0.36, -length * 0.26, length * 0.06, length * 0.2
    y, top = width * 0.42, width * 0.34
    cabin = hexahedron(
        [
            (x0, -y, hood - 0.002),
            (x3, -y, hood - 0.002),
            (x3, y, hood - 0.002),
            (x0, y, hood - 0.002),
            (x1, -top, height),
            (x2, -top, height),
            (x2, top, height),
            (x1, top, height),
        ]
    )
    roof = rounded_box(
        (x2 - x1 + 0.004, 2 * top + 0.002, 0.004), 0.0018, ((x1 + x2) / 2, 0.0, height - 0.002)
    )
    lights = [
        ellipsoid(
            (0.002, 0.0035, 0.003), (length / 2 - 0.0012, side * width * 0.3, hood * 0.68), 6, 12
        )
        for side in (-1, 1)
    ]
    body = rounded_box((length, width - 0.004, hood - sill), 0.006, (0.0, 0.0, (hood + sill) / 2))
    return Shape(
        visuals=(
            Visual(body),
            Visual(cabin, "window"),
            Visual(roof),
            Visual(joined(*lights), "hub"),
            *_wheels(length, width, 0.0082),
        ),
        pieces=(
            base_plate(length * 0.36, width / 2, 0.008),
            slab(length, width, sill, hood),
            slab(x3 - x0, width * 0.84, hood, (hood + height) / 2, (x0 + x3) / 2),
            slab(x2 - x1 + 0.004, width * 0.7, (hood + height) / 2, height, (x1 + x2) / 2),
        ),
        height=height,
        radius=math.hypot(length, width) / 2,
        grasps=grasps_across(width, max(0.014, height - 0.024), [math.pi / 2], -length * 0.06),
    )


def _wheels(length: float, width: float, radius: float) -> list[Visual]:
    parts = {
        "tyre": sideways(revolve(solid_profile(radius, -0.004, 0.004), 24)),
        "hub": sideways(revolve(solid_profile(radius * 0.5, -0.0046, 0.0046, 0.0005), 16)),
    }
    places: list[Vector] = [
        (x, side * (width / 2 - 0.003), radius)
        for x in (-length * 0.29, length * 0.29)
        for side in (-1, 1)
    ]
    return [
        Visual(joined(*(moved(part, place) for place in places)), slot)
        for slot, part in parts.items()
    ]


def _duck(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    body_top = height * 0.56
    half = body_top / 2
    head = height * 0.26
    hx, hz = length * 0.2, height - head

    def swell(direction: Vector) -> Vector:
        x, y, z = direction
        tail = 0.5 * max(0.0, -x - 0.35)
        level = max(-0.86, z) / 0.93 - 0.075
        return (
            length / 2 * x,
            width / 2 * y * (1 - 0.5 * tail),
            half + half * level + half * tail * 1.3,
        )

    wings = [
        ellipsoid((length * 0.22, 0.0035, half * 0.5), (-length * 0.1, y, half * 1.05), 10, 16)
        for y in (-width * 0.475, width * 0.475)
    ]
    return Shape(
        visuals=(
            Visual(blob(swell, rows=18, columns=28)),
            Visual(joined(*wings)),
            *_face(head, hx, hz),
        ),
        pieces=(
            base_plate(length * 0.26, width * 0.28, 0.005),
            Piece("ellipsoid", (length / 2, width / 2, half * 0.98), (0.0, 0.0, half + LIFT)),
            Piece("sphere", (head, 0.0, 0.0), (hx, 0.0, hz)),
            slab(0.016, 0.012, hz - head * 0.3, hz, hx + head),
        ),
        height=height,
        radius=max(length / 2, hx + head + 0.011),
        grasps=grasps_across(
            width * 0.98, max(half, height - 0.038), [math.pi / 2], -length * 0.04
        ),
        rolling=True,
    )


def _face(radius: float, x: float, z: float) -> list[Visual]:
    """A duck's head around (x, 0, z)."""
    eyes = [
        ellipsoid((0.0024, 0.0024, 0.0024), (x + radius * 0.72, y, z + radius * 0.32), 6, 10)
        for y in (-radius * 0.6, radius * 0.6)
    ]
    beak = ellipsoid((0.009, 0.007, 0.0028), (x + radius + 0.002, 0.0, z - radius * 0.15), 8, 14)
    return [
        Visual(ellipsoid((radius, radius, radius), (x, 0.0, z))),
        Visual(beak, "beak"),
        Visual(joined(*eyes), "eye"),
    ]


def _ball(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    centre = r + LIFT
    inner, outer = 0.9 * r, 1.006 * r
    bow = [math.radians(angle) for angle in (-13, -5, 5, 13)]
    outside = [(outer * math.cos(a), outer * math.sin(a)) for a in bow]
    stripe = [(inner, -0.15 * r), *outside, (inner, 0.15 * r)]
    belt = tilted(hoop(stripe), 0.6)
    return Shape(
        visuals=(
            Visual(ellipsoid((r, r, r), (0.0, 0.0, centre), 20, 32)),
            Visual(moved(belt, (0.0, 0.0, centre)), "stripe"),
        ),
        pieces=(
            replace(base_plate(r * 0.27, r * 0.27, 0.01), inside=True),
            Piece("sphere", (r, 0.0, 0.0), (0.0, 0.0, centre)),
        ),
        height=centre + r,
        radius=r,
        grasps=grasps_round(2 * r, centre),
        rolling=True,
    )


CAR = Category(
    name="car",
    family="toys",
    split="seen",
    super_category="toy",
    form="boxy",
    use="something to race across the carpet",
    knowledge=("thing with four wheels and a windscreen", "thing that needs a garage"),
    material="plastic",
    density=500.0,
    colors=("red", "blue", "green", "orange"),
    lengths={"length": (0.058, 0.068), "width": (0.034, 0.04), "height": (0.032, 0.038)},
    roles=frozenset({"manipulated", "small"}),
    build=_car,
    synonyms=("toy car", "automobile"),
    trim={"tyre": (0.08, 0.08, 0.08), "hub": (0.78, 0.78, 0.76), "window": (0.16, 0.22, 0.28)},
)


DUCK = Category(
    name="duck",
    family="toys",
    split="unseen",
    super_category="toy",
    form="round",
    use="something that swims in the bathtub",
    knowledge=("companion of ernie in the bath", "bird that says quack"),
    material="rubber",
    density=500.0,
    colors=("yellow", "pink", "blue"),
    lengths={"length": (0.062, 0.074), "width": (0.042, 0.05), "height": (0.05, 0.057)},
    roles=frozenset({"manipulated", "small"}),
    build=_duck,
    synonyms=("rubber duck", "duckling"),
    trim={"beak": (0.86, 0.4, 0.05), "eye": (0.05, 0.05, 0.05)},
)


BALL = Category(
    name="ball",
    family="toys",
    split="unseen",
    super_category="toy",
    form="round",
    use="something to throw and catch",
    knowledge=("thing that dogs fetch", "thing that bounces when it is dropped"),
    material="rubber",
    density=600.0,
    colors=("purple", "orange", "teal", "red"),
    lengths={"radius": (0.022, 0.0285)},
    roles=frozenset({"manipulated", "small"}),
    build=_ball,
    synonyms=("bouncy ball", "rubber ball"),
    trim={"stripe": (0.84, 0.82, 0.74)},
)
