"""Toys."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc, ring_of_boxes, slab
from vlabench.envs.objects.cuboids import cuboid
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across, grasps_round
from vlabench.envs.objects.lathes import solid_profile
from vlabench.envs.objects.meshes import (
    about_axis,
    blob,
    ellipsoid,
    hexahedron,
    joined,
    moved,
    revolve,
    rounded_box,
    sideways,
    tilted,
    torus,
)


def _block(lengths: Lengths) -> Shape:
    side, height = lengths["side"], lengths["height"]
    return cuboid(side, side, height, 0.003)


def _ring(lengths: Lengths) -> Shape:
    outer, bar = lengths["radius"], lengths["thickness"]
    return Shape(
        visuals=(Visual(torus(outer - bar / 2, bar, bar / 2)),),
        pieces=tuple(ring_of_boxes(outer - bar * 0.95, outer - bar * 0.05, 0.001, bar * 0.97)),
        height=bar,
        radius=outer,
        grasps=grasps_round(2 * outer, max(0.013, bar / 2)),
    )


def _cone(lengths: Lengths) -> Shape:
    """A traffic cone on a square foot."""
    foot, height = lengths["radius"], lengths["height"]
    low, tip, step = foot * 0.76, foot * 0.26, 0.008

    def at(z: float) -> float:
        return low + (tip - low) * (z - step) / (height - step)

    def ring(start: float, end: float) -> Mesh:
        over = 0.0006
        return revolve([(0.0, start), (at(start) + over, start), (at(end) + over, end), (0.0, end)])

    side = foot * 1.36
    levels = [step + (height - step) * k / 4 for k in range(5)]
    steps = [disc(at((a + b) / 2), a, b) for a, b in pairwise(levels)]
    z = height - 0.026
    return Shape(
        visuals=(
            Visual(rounded_box((side, side, step), 0.003, (0.0, 0.0, step / 2))),
            Visual(
                revolve(
                    [
                        (0.0, step - 0.001),
                        (low, step - 0.001),
                        (tip, height - 0.001),
                        (tip - 0.002, height),
                        (0.0, height),
                    ]
                )
            ),
            Visual(
                joined(
                    ring(levels[1] + 0.002, levels[2] - 0.001),
                    ring(levels[2] + 0.009, levels[3] + 0.006),
                ),
                "white",
            ),
        ),
        pieces=(base_plate(side / 2, side / 2, step), *steps),
        height=height,
        radius=side / math.sqrt(2),
        grasps=grasps_round(2 * at(z), z),
    )


def _ball(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    centre = r + LIFT
    stripe = [
        (0.0, -r * 0.24),
        (r * 0.972, -r * 0.24),
        (r * 1.001, -r * 0.1),
        (r * 1.003, 0.0),
        (r * 1.001, r * 0.1),
        (r * 0.972, r * 0.24),
        (0.0, r * 0.24),
    ]
    belt = tilted(revolve(stripe), 0.5)
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


def _car(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    wheel = 0.0082
    sill, hood = 0.005, height * 0.56
    tyre = sideways(revolve(solid_profile(wheel, -0.004, 0.004), 24))
    hub = sideways(revolve(solid_profile(wheel * 0.5, -0.0046, 0.0046, 0.0005), 16))
    places: list[Vector] = [
        (x, side * (width / 2 - 0.003), wheel)
        for x in (-length * 0.29, length * 0.29)
        for side in (-1, 1)
    ]
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
            Visual(joined(*(moved(tyre, place) for place in places)), "tyre"),
            Visual(joined(*(moved(hub, place) for place in places)), "hub"),
            Visual(joined(*lights), "hub"),
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

    beak = ellipsoid((0.009, 0.007, 0.0028), (hx + head + 0.002, 0.0, hz - head * 0.15), 8, 14)
    wings = [
        ellipsoid(
            (length * 0.22, 0.0035, half * 0.5),
            (-length * 0.1, side * width * 0.475, half * 1.05),
            10,
            16,
        )
        for side in (-1, 1)
    ]
    eyes = [
        ellipsoid(
            (0.0024, 0.0024, 0.0024), (hx + head * 0.72, side * head * 0.6, hz + head * 0.32), 6, 10
        )
        for side in (-1, 1)
    ]
    return Shape(
        visuals=(
            Visual(blob(swell, rows=18, columns=28)),
            Visual(ellipsoid((head, head, head), (hx, 0.0, hz))),
            Visual(joined(*wings)),
            Visual(beak, "beak"),
            Visual(joined(*eyes), "eye"),
        ),
        pieces=(
            base_plate(length * 0.26, width * 0.28, 0.005),
            Piece("ellipsoid", (length / 2, width / 2, half * 0.98), (0.0, 0.0, half + LIFT)),
            Piece("sphere", (head, 0.0, 0.0), (hx, 0.0, hz)),
            slab(0.016, 0.012, hz - head * 0.3, hz, hx + head),
        ),
        height=height,
        radius=max(length / 2, hx + head + 0.011),
        grasps=grasps_across(width * 0.98, max(0.014, half), [math.pi / 2], -length * 0.04),
        rolling=True,
    )


def _die(lengths: Lengths) -> Shape:
    side = lengths["side"]
    half, spread = side / 2, side * 0.26
    pip = ellipsoid((side * 0.085, side * 0.085, 0.0009), (0.0, 0.0, half), 4, 12)
    dots = {
        1: [(0, 0)],
        2: [(-1, -1), (1, 1)],
        3: [(-1, -1), (0, 0), (1, 1)],
        4: [(-1, -1), (-1, 1), (1, -1), (1, 1)],
        5: [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)],
    }
    quarter = math.pi / 2
    turns = {
        1: (0.0, 0.0),
        2: (quarter, 0.0),
        5: (-quarter, 0.0),
        3: (0.0, quarter),
        4: (0.0, -quarter),
    }
    pips = []
    for number, (over, aside) in turns.items():
        for x, y in dots[number]:
            placed = moved(pip, (x * spread, y * spread, 0.0))
            pips.append(tilted(placed, over) if over else about_axis(placed, aside))
    marks = moved(joined(*pips), (0.0, 0.0, half))
    return cuboid(side, side, side, side * 0.12, trim=[Visual(marks, "pip")])


BLOCK = Category(
    name="block",
    family="toys",
    split="seen",
    super_category="toy",
    form="boxy",
    use="something to build a tower with",
    knowledge=("wooden thing that toddlers pile up", "small piece of a toy castle"),
    material="wood",
    density=700.0,
    colors=("red", "blue", "green", "yellow", "orange"),
    lengths={"side": (0.038, 0.052), "height": (0.036, 0.052)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_block,
    synonyms=("cube", "brick"),
)

RING = Category(
    name="ring",
    family="toys",
    split="seen",
    super_category="toy",
    form="round",
    use="something to toss over a peg",
    knowledge=(
        "toy that babies chew on when they teethe",
        "toy to throw around a bottle at a fair",
    ),
    material="plastic",
    density=900.0,
    colors=("red", "yellow", "green", "purple"),
    lengths={"radius": (0.028, 0.035), "thickness": (0.016, 0.021)},
    roles=frozenset({"manipulated", "small"}),
    build=_ring,
    synonyms=("hoop", "toy ring"),
)

CONE = Category(
    name="cone",
    family="toys",
    split="seen",
    super_category="toy",
    form="pointed",
    use="something to mark a playing field with",
    knowledge=("thing that closes a lane at a building site", "thing to dribble a football around"),
    material="plastic",
    density=600.0,
    colors=("orange", "red", "blue"),
    lengths={"radius": (0.034, 0.042), "height": (0.062, 0.082)},
    roles=frozenset({"manipulated"}),
    build=_cone,
    synonyms=("traffic cone", "pylon"),
    trim={"white": (0.85, 0.84, 0.8)},
)

CAR = Category(
    name="car",
    family="toys",
    split="seen",
    super_category="toy",
    form="boxy",
    use="something to race across the carpet",
    knowledge=("thing with four wheels and a windscreen", "thing that parks in a garage"),
    material="plastic",
    density=500.0,
    colors=("red", "blue", "green", "orange"),
    lengths={"length": (0.058, 0.068), "width": (0.034, 0.04), "height": (0.032, 0.038)},
    roles=frozenset({"manipulated", "small"}),
    build=_car,
    synonyms=("toy car", "automobile"),
    trim={"tyre": (0.08, 0.08, 0.08), "hub": (0.78, 0.78, 0.76), "window": (0.16, 0.22, 0.28)},
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

DUCK = Category(
    name="duck",
    family="toys",
    split="unseen",
    super_category="toy",
    form="round",
    use="something that swims in the bathtub",
    knowledge=("yellow companion of ernie in the bath", "bird that says quack"),
    material="rubber",
    density=500.0,
    colors=("yellow", "pink", "blue"),
    lengths={"length": (0.062, 0.074), "width": (0.042, 0.05), "height": (0.05, 0.057)},
    roles=frozenset({"manipulated", "small"}),
    build=_duck,
    synonyms=("rubber duck", "duckling"),
    trim={"beak": (0.86, 0.4, 0.05), "eye": (0.05, 0.05, 0.05)},
)

DIE = Category(
    name="die",
    family="toys",
    split="unseen",
    super_category="toy",
    form="boxy",
    use="something to roll for a random number",
    knowledge=("thing with dots that gamblers throw", "thing that decides how far a pawn moves"),
    material="plastic",
    density=700.0,
    colors=("white", "red", "blue", "green"),
    lengths={"side": (0.036, 0.048)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_die,
    synonyms=("dice", "gaming die"),
    trim={"pip": (0.06, 0.06, 0.07)},
)
