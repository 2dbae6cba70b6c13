"""What comes from the bakery."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import (
    LIFT,
    base_plate,
    capsule_between,
    disc,
    ring_of_boxes,
    slab,
)
from vlabench.envs.objects.geometry import Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across, grasps_round
from vlabench.envs.objects.meshes import (
    blob,
    ellipsoid,
    fluted,
    joined,
    moved,
    revolve,
    rotated,
    torus,
    tube,
)
from vlabench.envs.objects.rounds import standing


def _bread(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    half_x, half_y, edge = length / 2 - 0.008, width / 2 - 0.008, 0.008

    def place(direction: Vector) -> Vector:
        x, y, z = direction
        side = math.copysign(half_x, x) + edge * x
        across = math.copysign(half_y, y) + edge * y
        if z < 0:
            return (side, across, edge + edge * z)
        crown = 1 - 0.3 * (across / (width / 2)) ** 2
        return (side, across, edge + (height - edge) * math.pow(max(0.0, z), 0.4) * crown)

    cuts = [
        tube(
            [
                (x - 0.006, -width * 0.24, height - 0.0036),
                (x, 0.0, height - 0.0002),
                (x + 0.006, width * 0.24, height - 0.0036),
            ],
            [0.0008, 0.0022, 0.0008],
            8,
        )
        for x in (-length * 0.27, 0.0, length * 0.27)
    ]
    return Shape(
        visuals=(Visual(blob(place, rows=21, columns=28)), Visual(joined(*cuts), "crumb")),
        pieces=(
            slab(length, width, 0.0, height * 0.72),
            slab(length * 0.96, width * 0.7, height * 0.72, height),
        ),
        height=height,
        radius=math.hypot(length, width) / 2,
        grasps=grasps_across(width, max(height / 2, height - 0.022), [math.pi / 2]),
    )


def _bun_outline(level: float) -> float:
    low = min(1.0, 0.72 + 2.2 * level) if level > 0 else 0.72
    return low * math.sqrt(max(0.0, 1 - max(0.0, (level - 0.3) / 0.7) ** 2.2))


def _bun(lengths: Lengths) -> Shape:
    r, height = lengths["radius"], lengths["height"]
    seed = ellipsoid((0.0022, 0.0012, 0.0009), (0.0, 0.0, 0.0), 4, 8)
    seeds = []
    for share, count in ((0.18, 4), (0.45, 8), (0.7, 12)):
        level = 0.3 + 0.7 * math.pow(1 - share * share, 1 / 2.2)
        for k in range(count):
            turn = 2 * math.pi * k / count + share
            seeds.append(
                rotated(moved(rotated(seed, 1.1), (r * share, 0.0, height * level + 0.0002)), turn)
            )
    shape = standing(r, height, _bun_outline, [Visual(joined(*seeds), "seed")])
    return replace(
        shape,
        pieces=(
            base_plate(r * 0.6, r * 0.6, 0.006),
            disc(r * 0.97, 0.003, height * 0.55),
            disc(r * 0.7, height * 0.55, height * 0.96),
        ),
        grasps=grasps_round(2 * r * 0.97, max(0.014, height * 0.4)),
    )


def _donut(lengths: Lengths) -> Shape:
    outer, bar = lengths["radius"], lengths["thickness"]
    middle, half = outer - bar / 2, bar / 2
    icing = moved(torus(middle, bar * 0.94, 0.0), (0.0, 0.0, half + 0.0018))
    sprinkle = tube([(-0.0024, 0.0, 0.0), (0.0024, 0.0, 0.0)], 0.0008, 6)
    sprinkles = []
    for k in range(26):
        spread = half * 0.6 * math.sin(2.4 * k)
        up = half + 0.0022 + math.sqrt((half * 0.94) ** 2 - spread**2)
        placed = moved(rotated(sprinkle, 1.9 * k), (middle + spread, 0.0, up))
        sprinkles.append(rotated(placed, 2 * math.pi * k / 26))
    return Shape(
        visuals=(
            Visual(icing),
            Visual(torus(middle, bar, half), "dough"),
            Visual(joined(*sprinkles), "sugar"),
        ),
        pieces=tuple(ring_of_boxes(outer - bar * 0.95, outer - bar * 0.05, 0.001, bar)),
        height=bar + 0.002,
        radius=outer,
        grasps=grasps_round(2 * outer, max(0.013, half)),
    )


def _croissant(lengths: Lengths) -> Shape:
    radius, thick = lengths["radius"], lengths["thickness"]
    spread, count = 1.25, 41
    path, radii = [], []
    for k in range(count):
        u = 2 * k / (count - 1) - 1
        folds = 0.86 + 0.14 * abs(math.cos(3.5 * math.pi * u))
        swell = thick * (1 - 0.72 * abs(u) ** 1.5) * folds
        angle = math.pi / 2 + u * spread
        path.append((radius * math.cos(angle), radius * (math.sin(angle) - 0.8), thick * 0.94))
        radii.append(max(0.002, swell))
    pieces: list[Piece] = []
    for k in range(5):
        a, b = path[4 + k * 32 // 5], path[4 + (k + 1) * 32 // 5]
        r = 0.93 * radii[4 + int((k + 0.5) * 32 / 5)]
        pieces.append(capsule_between(a, b, max(0.004, r)))
    return Shape(
        visuals=(Visual(tube(path, radii, 18)),),
        pieces=(base_plate(radius * 0.6, thick * 0.55, y=radius * 0.06), *pieces),
        height=2 * thick * 0.97,
        radius=radius * 1.14,
        grasps=grasps_across(
            2 * thick * 0.95, max(0.013, thick * 0.94), [math.pi / 2], 0.0, radius * 0.2
        ),
        rolling=True,
    )


def _cupcake(lengths: Lengths) -> Shape:
    r, height = lengths["radius"], lengths["height"]
    foot, paper = r * 0.72, height * 0.52
    cup = [(0.0, 0.0), (foot, 0.0), (r * 0.94, paper), (0.0, paper)]
    pleats = fluted(revolve(cup, 48), 24, 0.05, 0.002)
    cream = [(0.0, paper - 0.001)]
    for tier in range(3):
        low = paper + (height - paper) * tier / 3
        high = paper + (height - paper) * (tier + 1) / 3
        wide = r * (1.0 - 0.3 * tier)
        cream += [(wide * 0.88, low), (wide, (low + high) / 2), (wide * 0.86, high)]
    cream.append((0.0, height))
    cherry = ellipsoid((0.006, 0.006, 0.006), (0.0, 0.0, height + 0.002), 10, 16)
    return Shape(
        visuals=(Visual(revolve(cream)), Visual(pleats, "paper"), Visual(cherry, "cherry")),
        pieces=(
            base_plate(foot * 0.68, foot * 0.68),
            disc(foot * 1.04, LIFT, paper * 0.5),
            disc(r * 0.9, paper * 0.5, paper),
            disc(r * 0.98, paper, paper + (height - paper) * 0.33),
            disc(r * 0.66, paper + (height - paper) * 0.33, height),
            Piece("sphere", (0.006, 0.0, 0.0), (0.0, 0.0, height + 0.002)),
        ),
        height=height + 0.008,
        radius=r,
        grasps=grasps_round(2 * r * 0.98, paper + 0.002),
    )


BREAD = Category(
    name="bread",
    family="bakery",
    split="seen",
    super_category="baked good",
    form="boxy",
    use="something to slice for sandwiches",
    knowledge=("thing to toast for breakfast", "loaf that is baked from flour and yeast"),
    fits=frozenset({"bun", "croissant"}),
    material="organic",
    density=300.0,
    colors=("brown", "yellow"),
    lengths={"length": (0.1, 0.118), "width": (0.05, 0.06), "height": (0.045, 0.056)},
    roles=frozenset({"manipulated"}),
    build=_bread,
    synonyms=("loaf of bread", "bread loaf"),
    tints={"brown": (0.5, 0.29, 0.12), "yellow": (0.74, 0.52, 0.24)},
    trim={"crumb": (0.82, 0.68, 0.44)},
)

BUN = Category(
    name="bun",
    family="bakery",
    split="seen",
    super_category="baked good",
    form="round",
    use="something to put a burger patty in",
    knowledge=("thing with sesame seeds on its top", "soft thing around a hamburger"),
    material="organic",
    density=400.0,
    colors=("brown", "yellow"),
    lengths={"radius": (0.028, 0.034), "height": (0.034, 0.044)},
    roles=frozenset({"manipulated", "small"}),
    build=_bun,
    synonyms=("bread roll", "burger bun"),
    tints={"brown": (0.62, 0.36, 0.13), "yellow": (0.78, 0.56, 0.24)},
    trim={"seed": (0.87, 0.8, 0.6)},
)

DONUT = Category(
    name="donut",
    family="bakery",
    split="seen",
    super_category="baked good",
    form="round",
    use="something sweet with a hole in it",
    knowledge=("treat that policemen like", "ring of fried dough with icing"),
    material="organic",
    density=450.0,
    colors=("pink", "brown", "white"),
    lengths={"radius": (0.029, 0.0345), "thickness": (0.022, 0.0255)},
    roles=frozenset({"manipulated", "small"}),
    build=_donut,
    synonyms=("doughnut", "iced donut"),
    tints={"brown": (0.27, 0.14, 0.08)},
    trim={"dough": (0.72, 0.48, 0.2), "sugar": (0.2, 0.5, 0.78)},
)

CROISSANT = Category(
    name="croissant",
    family="bakery",
    split="unseen",
    super_category="baked good",
    form="long",
    use="something to eat for breakfast in paris",
    knowledge=("flaky thing shaped like a half moon", "buttery french thing to dip into coffee"),
    material="organic",
    density=350.0,
    colors=("brown", "yellow"),
    lengths={"radius": (0.052, 0.06), "thickness": (0.019, 0.023)},
    roles=frozenset({"manipulated"}),
    build=_croissant,
    synonyms=("crescent roll",),
    tints={"brown": (0.64, 0.37, 0.12), "yellow": (0.8, 0.56, 0.22)},
)

CUPCAKE = Category(
    name="cupcake",
    family="bakery",
    split="unseen",
    super_category="baked good",
    form="round",
    use="something small to put a birthday candle on",
    knowledge=("small cake in a paper liner", "thing with frosting and a cherry on top"),
    material="organic",
    density=450.0,
    colors=("pink", "white", "teal", "purple"),
    lengths={"radius": (0.027, 0.033), "height": (0.044, 0.054)},
    roles=frozenset({"manipulated"}),
    build=_cupcake,
    synonyms=("muffin", "fairy cake"),
    trim={"paper": (0.5, 0.3, 0.16), "cherry": (0.72, 0.06, 0.1)},
)
