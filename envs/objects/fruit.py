"""Fruit."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Visual
from vlabench.envs.objects.grasps import grasps_round
from vlabench.envs.objects.meshes import about_axis, ellipsoid, joined, moved, rotated, tilted, tube
from vlabench.envs.objects.rounds import LEAF, STEM, bulge, lying, standing, stem


def _leaf(height: float, length: float = 0.014) -> Visual:
    """A small leaf beside a stalk."""
    blade = tilted(ellipsoid((length / 2, length / 4, 0.0008), (length / 2, 0.0, 0.0), 6, 14), -0.4)
    return Visual(moved(rotated(blade, 0.7), (0.001, 0.0, height + 0.003)), "leaf")


def _apple_outline(level: float) -> float:
    return math.pow(max(0.0, math.sin(math.pi * level)), 0.55) * (0.9 + 0.1 * level)


def _apple(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["squash"]
    return standing(r, height, _apple_outline, [stem(height), _leaf(height)])


def _orange(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["squash"]
    star = [
        rotated(ellipsoid((0.0045, 0.0018, 0.0009), (0.003, 0.0, 0.0), 5, 10), 2 * math.pi * k / 5)
        for k in range(5)
    ]
    button = moved(joined(*star), (0.0, 0.0, height - 0.0002))
    return standing(r, height, bulge(0.5), [Visual(button, "leaf")])


def _pear_outline(level: float) -> float:
    return math.pow(max(0.0, math.sin(math.pi * level)), 0.6) * (
        1.0 - 0.52 * max(0.0, level - 0.3) / 0.7
    )


def _pear(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["stretch"]
    half = height * 0.31
    shape = standing(r, height, _pear_outline, [stem(height), _leaf(height)])
    return replace(
        shape,
        pieces=(
            shape.pieces[0],
            Piece("ellipsoid", (r, r, half), (0.0, 0.0, LIFT + half)),
            Piece("ellipsoid", (r * 0.55, r * 0.55, height * 0.25), (0.0, 0.0, height * 0.74)),
        ),
        grasps=grasps_round(2 * r * 0.97, max(height * 0.36, height - 0.046)),
    )


def _pineapple(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["stretch"]
    shape = standing(r, height, bulge(0.4))
    return replace(shape, visuals=(*shape.visuals, Visual(_eyes(r, height), "eye"), _crown(height)))


def _eyes(radius: float, height: float) -> Mesh:
    """The pattern of a pineapple: rows of knobs, each row turned by half a step."""
    knob = ellipsoid((0.0022, 0.0034, 0.0036), (0.0, 0.0, 0.0), 3, 6)
    outline, knobs = bulge(0.4), []
    for row in range(6):
        level = 0.16 + 0.135 * row
        r = radius * outline(level) - 0.0012
        for k in range(10):
            around = moved(knob, (r, 0.0, height * level))
            knobs.append(rotated(around, 2 * math.pi * (k + row % 2 / 2) / 10))
    return joined(*knobs)


def _crown(height: float) -> Visual:
    blades = []
    for ring, (count, out, up) in enumerate(
        ((7, 0.017, 0.016), (6, 0.011, 0.026), (3, 0.004, 0.034))
    ):
        for k in range(count):
            path = [
                (0.003, 0.0, height - 0.004),
                (out * 0.5, 0.0, height + up * 0.65),
                (out, 0.0, height + up),
            ]
            blade = tube(path, [0.004, 0.0032, 0.0006], 6)
            blades.append(rotated(blade, 2 * math.pi * (k + ring / 2) / count))
    return Visual(joined(*blades), "leaf")


def _lemon(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    nubs = [
        Visual(ellipsoid((0.008, 0.0075, 0.0075), (side * (length / 2 - 0.0035), 0.0, r), 8, 14))
        for side in (-1, 1)
    ]
    shape = lying(length, r, r, trim=nubs, blunt=2.2)
    return replace(shape, radius=length / 2 + 0.0045)


def _banana(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    bend = length * 0.17
    ends = [
        Visual(tube([(x, bend * 0.6, r), (x - reach, bend * 0.66, r)], radius, 10), "stem")
        for x, reach, radius in (
            (-length / 2 + 0.003, 0.012, r * 0.3),
            (length / 2 + 0.003, 0.006, r * 0.22),
        )
    ]
    return lying(length, r, r * 0.95, bend, ends)


def _strawberry(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    back = -length / 2
    blade = tube(
        [(0.0, 0.0, 0.0), (0.002, 0.0, r * 0.5), (0.007, 0.0, r * 0.95)], [0.003, 0.0035, 0.0006], 6
    )
    leaves = [about_axis(blade, 2 * math.pi * k / 7) for k in range(7)]
    cap = moved(joined(*leaves), (back + 0.0035, 0.0, r))
    stalk = tube([(back + 0.004, 0.0, r), (back - 0.007, 0.002, r + 0.001)], 0.0015, 8)
    seed = ellipsoid((0.0013, 0.0008, 0.0008), (0.0, 0.0, 0.0), 4, 6)
    seeds = []
    for row, u in enumerate((0.3, 0.45, 0.6, 0.75, 0.88)):
        swell = math.sqrt(1 - abs(2 * u - 1) ** 2.4) * (r + (r * 0.5 - r) * u)
        for k in range(8 - row):
            placed = moved(seed, ((u - 0.5) * length, 0.0, swell))
            seeds.append(about_axis(placed, 2 * math.pi * (k + row / 2) / (8 - row)))
    belly = r
    trim = [
        Visual(joined(cap, stalk), "leaf"),
        Visual(moved(joined(*seeds), (0.0, 0.0, belly)), "seed"),
    ]
    return lying(length, r, r * 0.5, trim=trim, blunt=2.4)


APPLE = Category(
    name="apple",
    family="fruit",
    split="seen",
    super_category="fruit",
    form="round",
    use="something that keeps the doctor away",
    knowledge=("fruit that made newton think of gravity", "fruit that snow white bit into"),
    material="organic",
    density=850.0,
    colors=("red", "green", "yellow"),
    lengths={"radius": (0.027, 0.034), "squash": (0.86, 0.94)},
    roles=frozenset({"manipulated", "small"}),
    build=_apple,
    tints={"green": (0.42, 0.58, 0.16), "yellow": (0.85, 0.68, 0.2)},
    trim={"stem": STEM, "leaf": LEAF},
)

ORANGE = Category(
    name="orange",
    family="fruit",
    split="seen",
    super_category="fruit",
    form="round",
    use="something to press juice from in the morning",
    knowledge=("sweet citrus fruit", "fruit that valencia is famous for"),
    material="organic",
    density=900.0,
    colors=("orange",),
    lengths={"radius": (0.028, 0.034), "squash": (0.88, 0.95)},
    roles=frozenset({"manipulated", "small"}),
    build=_orange,
    synonyms=("tangerine", "mandarin"),
    tints={"orange": (0.87, 0.45, 0.06)},
    trim={"leaf": LEAF},
)

LEMON = Category(
    name="lemon",
    family="fruit",
    split="seen",
    super_category="fruit",
    form="round",
    use="something sour for tea or fish",
    knowledge=("sour citrus fruit", "fruit that makes a face pucker"),
    material="organic",
    density=450.0,
    colors=("yellow", "green"),
    lengths={"radius": (0.021, 0.026), "length": (0.058, 0.069)},
    roles=frozenset({"manipulated", "small"}),
    build=_lemon,
    synonyms=("citron",),
    tints={"green": (0.36, 0.58, 0.14)},
)

BANANA = Category(
    name="banana",
    family="fruit",
    split="seen",
    super_category="fruit",
    form="long",
    use="fruit that monkeys like",
    knowledge=("bent fruit from the tropics", "fruit whose peel people slip on"),
    material="organic",
    density=900.0,
    colors=("yellow", "green"),
    lengths={"radius": (0.016, 0.02), "length": (0.122, 0.144)},
    roles=frozenset({"manipulated"}),
    build=_banana,
    synonyms=("plantain",),
    tints={"green": (0.5, 0.6, 0.15)},
    trim={"stem": STEM},
)

STRAWBERRY = Category(
    name="strawberry",
    family="fruit",
    split="seen",
    super_category="fruit",
    form="pointed",
    use="something to eat with cream at a tennis match",
    knowledge=("fruit with its seeds outside", "fruit that wimbledon is known for"),
    material="organic",
    density=900.0,
    colors=("red",),
    lengths={"radius": (0.019, 0.023), "length": (0.046, 0.056)},
    roles=frozenset({"manipulated", "small"}),
    build=_strawberry,
    synonyms=("garden berry",),
    tints={"red": (0.76, 0.08, 0.1)},
    trim={"leaf": LEAF, "seed": (0.85, 0.7, 0.3)},
)

PEAR = Category(
    name="pear",
    family="fruit",
    split="unseen",
    super_category="fruit",
    form="tall",
    use="fruit with a narrow top",
    knowledge=(
        "fruit that a light bulb looks like",
        "fruit of the williams kind that schnapps is made of",
    ),
    material="organic",
    density=850.0,
    colors=("green", "yellow"),
    lengths={"radius": (0.027, 0.033), "stretch": (1.15, 1.3)},
    roles=frozenset({"manipulated"}),
    build=_pear,
    tints={"green": (0.5, 0.58, 0.2), "yellow": (0.8, 0.68, 0.22)},
    trim={"stem": STEM, "leaf": LEAF},
)

PINEAPPLE = Category(
    name="pineapple",
    family="fruit",
    split="unseen",
    super_category="fruit",
    form="tall",
    use="fruit that some put on a pizza",
    knowledge=("spiky fruit from hawaii", "fruit that wears a crown of leaves"),
    material="organic",
    density=800.0,
    colors=("yellow", "orange"),
    lengths={"radius": (0.027, 0.033), "stretch": (1.15, 1.35)},
    roles=frozenset({"manipulated"}),
    build=_pineapple,
    synonyms=("ananas",),
    tints={"yellow": (0.78, 0.56, 0.12), "orange": (0.74, 0.4, 0.1)},
    trim={"leaf": LEAF, "eye": (0.5, 0.3, 0.08)},
)
