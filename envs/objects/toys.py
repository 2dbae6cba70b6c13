"""Toys: rings, cones and balls."""

from __future__ import annotations

import math

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import (
    LIFT,
    Piece,
    Shape,
    Visual,
    about_z,
    base_plate,
    blob,
    grasps_round,
    mesh,
    revolve,
)


def _ring(lengths: Lengths) -> Shape:
    outer, bar = lengths["radius"], lengths["thickness"]
    middle, half = outer - bar / 2, bar / 2
    around, across = 40, 14
    vertices, faces = [], []
    for k in range(around):
        a = 2 * math.pi * k / around
        for j in range(across):
            b = 2 * math.pi * j / across
            r = middle + half * math.cos(b)
            vertices.append((r * math.cos(a), r * math.sin(a), half + half * math.sin(b)))
            p, q = k * across + j, k * across + (j + 1) % across
            u, v = (
                (k + 1) % around * across + j,
                (k + 1) % around * across + (j + 1) % across,
            )
            faces += [(p, u, v), (p, v, q)]
    count = 12
    boxes = [
        Piece(
            "box",
            (half * 0.9, middle * math.tan(math.pi / count), half * 0.94),
            (middle * math.cos(a), middle * math.sin(a), half),
            about_z(a),
        )
        for a in (2 * math.pi * k / count for k in range(count))
    ]
    feet = [
        Piece("sphere", (0.003, 0.0, 0.0), (x * middle, y * middle, 0.003))
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    return Shape(
        visuals=(Visual(mesh(vertices, faces)),),
        pieces=(*boxes, *feet),
        mass=0.07,
        height=bar,
        radius=outer,
        grasps=grasps_round(2 * outer, max(0.013, half)),
        surface_height=0.0,
        surface_radius=outer - bar,
    )


def _cone(lengths: Lengths) -> Shape:
    foot, height = lengths["radius"], lengths["height"]
    tip, step = foot * 0.62, 0.012
    profile = [
        (0.0, 0.0),
        (foot - 0.002, 0.0),
        (foot, 0.002),
        (foot, step),
        (tip, step + 0.004),
        (tip * 0.9, height - 0.004),
        (tip * 0.8, height),
        (0.0, height),
    ]
    half = (height - step) / 2
    return Shape(
        visuals=(Visual(revolve(profile)),),
        pieces=(
            base_plate(foot * 0.68, foot * 0.68),
            Piece("cylinder", (foot, (step - LIFT) / 2, 0.0), (0.0, 0.0, (step + LIFT) / 2)),
            Piece("cylinder", (tip * 0.94, half, 0.0), (0.0, 0.0, step + half)),
        ),
        mass=0.08,
        height=height,
        radius=foot,
        grasps=grasps_round(2 * tip * 0.94, height - 0.022),
        surface_height=height,
    )


def _ball(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    centre = r + LIFT
    return Shape(
        visuals=(Visual(blob(lambda d: (r * d[0], r * d[1], centre + r * d[2]))),),
        pieces=(
            base_plate(r * 0.27, r * 0.27, 0.01),
            Piece("sphere", (r, 0.0, 0.0), (0.0, 0.0, centre)),
        ),
        mass=0.06,
        height=centre + r,
        radius=r,
        grasps=grasps_round(2 * r, centre),
        rolling=True,
    )


RING = Category(
    name="ring",
    family="toys",
    split="seen",
    super_category="toy",
    use="something to toss over a peg",
    material="plastic",
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
    use="something to mark a playing field with",
    material="plastic",
    colors=("orange", "yellow", "blue"),
    lengths={"radius": (0.034, 0.042), "height": (0.06, 0.08)},
    roles=frozenset({"manipulated"}),
    build=_cone,
    synonyms=("pawn",),
)

BALL = Category(
    name="ball",
    family="toys",
    split="unseen",
    super_category="toy",
    use="something to throw and catch",
    material="rubber",
    colors=("purple", "orange", "teal", "red"),
    lengths={"radius": (0.024, 0.032)},
    roles=frozenset({"manipulated", "small"}),
    build=_ball,
    synonyms=("bouncy ball", "rubber ball"),
)
