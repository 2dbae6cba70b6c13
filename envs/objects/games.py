"""Games: what is piled up, tossed, rolled or run around."""

from __future__ import annotations

import math
from itertools import pairwise

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import base_plate, disc, ring_of_boxes
from vlabench.envs.objects.cuboids import cuboid
from vlabench.envs.objects.geometry import Mesh, Shape, Visual
from vlabench.envs.objects.grasps import grasps_round
from vlabench.envs.objects.meshes import (
    about_axis,
    ellipsoid,
    joined,
    moved,
    revolve,
    rounded_box,
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
    family="games",
    split="seen",
    super_category="toy",
    form="boxy",
    use="something to build a tower with",
    knowledge=("thing that toddlers pile up", "small piece of a toy castle"),
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
    family="games",
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
    family="games",
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


DIE = Category(
    name="die",
    family="games",
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
