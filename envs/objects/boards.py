"""Boards and mats: flat things that others are put on."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc
from vlabench.envs.objects.cuboids import sheet
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.lathes import solid_profile
from vlabench.envs.objects.meshes import joined, moved, prism, revolve, rounded_box, torus


def _board(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = sheet(length, width, height, 0.004)
    # the hole to hang it up by is painted on, so that its surface stays whole
    hole = revolve(solid_profile(0.009, height - 0.0012, height + 0.0006, 0.0004), 20)
    grooves = [
        rounded_box((0.0022, width * 0.8, 0.002), 0.0008, (x, 0.0, height - 0.0006))
        for x in (-length * 0.36, length * 0.28)
    ]
    marks = [moved(hole, (length * 0.41, 0.0, 0.0)), *grooves]
    return replace(shape, visuals=(*shape.visuals, *(Visual(mark, "mark") for mark in marks)))


def _round(radius: float, height: float) -> Shape:
    return Shape(
        visuals=(Visual(revolve(solid_profile(radius, 0.0, height, 0.001), 48)),),
        pieces=(base_plate(radius * 0.7, radius * 0.7, height), disc(radius, LIFT, height)),
        height=height,
        radius=radius,
        surface_height=height,
        surface_radius=radius,
    )


def _coaster(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = _round(radius, height)
    rings = [torus(radius * share, 0.0022, height - 0.0006, 6) for share in (0.45, 0.85)]
    return replace(shape, visuals=(*shape.visuals, *(Visual(ring, "ring") for ring in rings)))


def _trivet(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = _round(radius, height)
    hole = revolve(solid_profile(radius * 0.1, height - 0.0012, height + 0.0006, 0.0004), 16)
    places = [(0.0, 0.0)] + [
        (share * radius * math.cos(a), share * radius * math.sin(a))
        for share, count in ((0.38, 6), (0.74, 12))
        for a in (2 * math.pi * k / count for k in range(count))
    ]
    holes = tuple(Visual(moved(hole, (x, y, 0.0)), "hole") for x, y in places)
    return replace(shape, visuals=(*shape.visuals, *holes))


def _placemat(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = sheet(length, width, height)
    bands = tuple(
        Visual(
            rounded_box((0.008, width * 0.999, 0.002), 0.0006, (x, 0.0, height - 0.0006)), "band"
        )
        for x in (-length * 0.42, -length * 0.36, length * 0.36, length * 0.42)
    )
    threads = [
        prism(
            [
                (x - 0.004, y - 0.002),
                (x + 0.004, y - 0.002),
                (x + 0.004, y + 0.002),
                (x - 0.004, y + 0.002),
            ],
            0.001,
            0.003,
        )
        for x in (-length / 2 - 0.003, length / 2 + 0.003)
        for y in (width * (k / 14 - 0.5) * 0.93 for k in range(15))
    ]
    return replace(
        shape,
        visuals=(*shape.visuals, *bands, Visual(joined(*threads), "fringe")),
        radius=math.hypot(length / 2 + 0.007, width / 2),
    )


BOARD = Category(
    name="board",
    family="boards",
    split="seen",
    super_category="mat",
    form="flat",
    use="something to cut bread on",
    knowledge=("thing to chop onions on", "thing that shows the marks of knives"),
    fits=frozenset({"slate"}),
    material="wood",
    density=900.0,
    colors=("brown", "teal", "black"),
    lengths={"length": (0.17, 0.2), "width": (0.13, 0.15), "height": (0.012, 0.02)},
    roles=frozenset({"support"}),
    build=_board,
    synonyms=("cutting board", "chopping board"),
    tints={"brown": (0.6, 0.4, 0.22)},
    trim={"mark": (0.2, 0.13, 0.08)},
)

COASTER = Category(
    name="coaster",
    family="boards",
    split="seen",
    super_category="mat",
    form="flat",
    use="something that keeps rings off the table",
    knowledge=("round thing under a glass of beer", "thing that soaks up the drops under a drink"),
    fits=frozenset({"saucer", "placemat"}),
    material="wood",
    density=900.0,
    colors=("brown", "black", "teal", "red"),
    lengths={"radius": (0.055, 0.07), "height": (0.006, 0.011)},
    roles=frozenset({"support"}),
    build=_coaster,
    synonyms=("drink mat", "drip mat"),
    trim={"ring": (0.72, 0.62, 0.45)},
)

TRIVET = Category(
    name="trivet",
    family="boards",
    split="unseen",
    super_category="mat",
    form="flat",
    use="something to put a hot pot on",
    knowledge=("thing that saves the table from burns", "thing that goes under a steaming pan"),
    fits=frozenset({"placemat", "board", "coaster"}),
    material="wood",
    density=700.0,
    colors=("brown", "black", "red"),
    lengths={"radius": (0.075, 0.09), "height": (0.01, 0.015)},
    roles=frozenset({"support"}),
    build=_trivet,
    synonyms=("pot stand", "hot pad"),
    tints={"brown": (0.62, 0.45, 0.28)},
    trim={"hole": (0.16, 0.11, 0.08)},
)

PLACEMAT = Category(
    name="placemat",
    family="boards",
    split="unseen",
    super_category="mat",
    form="flat",
    use="something to spread before a meal",
    knowledge=("cloth that lies under one person's dinner", "woven thing that keeps crumbs off"),
    fits=frozenset({"trivet", "coaster"}),
    material="matt",
    density=500.0,
    colors=("blue", "red", "green", "purple"),
    lengths={"length": (0.168, 0.186), "width": (0.13, 0.145), "height": (0.007, 0.01)},
    roles=frozenset({"support"}),
    build=_placemat,
    synonyms=("place mat", "table mat"),
    trim={"band": (0.8, 0.76, 0.66), "fringe": (0.74, 0.69, 0.58)},
)
