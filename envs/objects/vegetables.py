"""Vegetables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.grasps import grasps_round
from vlabench.envs.objects.meshes import about_axis, joined, moved, revolve, rotated, tube, turned
from vlabench.envs.objects.rounds import LEAF, bulge, lying, standing, stem


def _carrot(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    back = -length / 2
    fronds = [
        tube(
            [
                (back + 0.005, 0.0, r),
                (back - 0.01, dy * 0.5, r + dz * 0.5),
                (back - 0.022, dy, r + dz),
            ],
            [0.0028, 0.0036, 0.0014],
            8,
        )
        for dy, dz in ((-0.012, 0.0), (-0.005, 0.006), (0.004, -0.002), (0.011, 0.004))
    ]
    return lying(length, r, r * 0.5, trim=[Visual(joined(*fronds), "leaf")], waves=_rings(9, 0.025))


def _rings(count: int, depth: float) -> Callable[[float], float]:
    """A radius that goes in and out along a thing."""

    def waves(u: float) -> float:
        return 1 - depth * (1 + math.cos(2 * math.pi * count * u)) / 2

    return waves


def _corn(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    back = -length / 2
    husk = [
        tube(
            [
                (back + 0.002, 0.0, r),
                (back + length * 0.16, y, r + z),
                (back + length * 0.42, y * 1.12, r + z * 1.12),
            ],
            [0.005, 0.0085, 0.0012],
            10,
        )
        for y, z in (
            (r * 0.86 * math.cos(a), r * 0.86 * math.sin(a)) for a in (-0.15, 0.75, 1.6, 2.4, 3.3)
        )
    ]
    stalk = tube([(back + 0.006, 0.0, r), (back - 0.008, 0.0, r)], 0.0055, 10)
    kernels = lying(length, r, r * 0.74, waves=_rings(17, 0.09))
    shape = lying(length, r, r * 0.74, trim=[Visual(joined(*husk, stalk), "leaf")])
    return replace(shape, visuals=(kernels.visuals[0], *shape.visuals[1:]))


def _cucumber(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    tip = tube([(-length / 2 + 0.003, 0.0, r), (-length / 2 - 0.006, 0.0, r + 0.001)], 0.003, 8)
    return lying(length, r, r, length * 0.04, [Visual(tip, "stem")], blunt=5.0)


def _tomato(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["squash"]
    sepal = tube(
        [(0.0, 0.0, 0.001), (0.007, 0.0, 0.0022), (0.013, 0.0, -0.001)], [0.002, 0.0026, 0.0005], 6
    )
    star = joined(*(rotated(sepal, 2 * math.pi * k / 6) for k in range(6)))
    trim = [
        stem(height - 0.002, 0.0018, "leaf"),
        Visual(moved(star, (0.0, 0.0, height - 0.001)), "leaf"),
    ]
    return standing(r, height, bulge(0.5), trim, ribs=5, depth=0.012)


def _mushroom(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    foot, under = r * 0.5, h * 0.52
    stalk = [(0.0, 0.0), (foot - 0.002, 0.0), (foot, 0.003), (foot * 0.85, under), (0.0, under)]
    dome = [
        (0.0, under),
        (r * 0.5, under - 0.003),
        (r * 0.93, under - 0.002),
        *((r * math.cos(a), under + 0.003 + (h - under - 0.003) * math.sin(a)) for a in _QUARTER),
        (0.0, h),
    ]
    gills = [(0.0, under - 0.005), (r * 0.88, under - 0.004), (r * 0.9, under), (0.0, under)]
    return Shape(
        visuals=(
            Visual(revolve(dome)),
            Visual(revolve(stalk), "stalk"),
            Visual(revolve(gills), "stalk"),
        ),
        pieces=(
            base_plate(foot * 0.68, foot * 0.68),
            disc(foot, LIFT, under),
            disc(r * 0.96, under - 0.003, under + (h - under) * 0.4),
            disc(r * 0.6, under, h - 0.001),
        ),
        height=h,
        radius=r,
        grasps=grasps_round(2 * r * 0.96, under + 0.002),
        rolling=True,
    )


_QUARTER = [k * math.pi / 20 for k in range(10)]


def _aubergine(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    end = length / 2
    cap = turned(
        revolve(
            [
                (0.0, 0.0),
                (r * 0.52, 0.001),
                (r * 0.4, 0.007),
                (0.0045, 0.011),
                (0.0035, 0.022),
                (0.0, 0.022),
            ],
            18,
        )
    )
    blade = tube(
        [(0.0, 0.0, 0.0), (-0.007, 0.0, r * 0.56), (-0.018, 0.0, r * 0.6)],
        [0.004, 0.005, 0.0006],
        8,
    )
    points = [about_axis(blade, 2 * math.pi * k / 5) for k in range(5)]
    top = moved(joined(cap, *points), (end - 0.008, 0.0, r))
    return lying(
        length, r, r * 0.72, length * 0.06, [Visual(moved(top, (0.0, length * 0.036, 0.0)), "leaf")]
    )


def _pepper(lengths: Lengths) -> Shape:
    r = lengths["radius"]
    height = 2 * r * lengths["stretch"]
    stalk = tube(
        [(0.0, 0.0, height - 0.008), (0.001, 0.0, height + 0.004), (0.005, 0.0, height + 0.012)],
        [0.0075, 0.0036, 0.0042],
        10,
    )
    return standing(r, height, bulge(0.25, 1.12), [Visual(stalk, "leaf")], ribs=4, depth=0.075)


CARROT = Category(
    name="carrot",
    family="vegetables",
    split="seen",
    super_category="vegetable",
    form="long",
    use="vegetable that rabbits like",
    knowledge=("nose of a snowman", "root that is said to be good for the eyes"),
    material="organic",
    density=900.0,
    colors=("orange", "purple"),
    lengths={"radius": (0.015, 0.019), "length": (0.115, 0.14)},
    roles=frozenset({"manipulated"}),
    build=_carrot,
    tints={"orange": (0.86, 0.4, 0.06), "purple": (0.36, 0.13, 0.32)},
    trim={"leaf": LEAF},
)

TOMATO = Category(
    name="tomato",
    family="vegetables",
    split="seen",
    super_category="vegetable",
    form="round",
    use="something that ketchup is made of",
    knowledge=("thing that goes with mozzarella", "thing that is thrown at bad actors"),
    material="organic",
    density=900.0,
    colors=("red", "yellow", "green"),
    lengths={"radius": (0.027, 0.033), "squash": (0.76, 0.86)},
    roles=frozenset({"manipulated", "small"}),
    build=_tomato,
    synonyms=("beefsteak tomato",),
    tints={"green": (0.45, 0.58, 0.2)},
    trim={"leaf": LEAF},
)

CORN = Category(
    name="corn",
    family="vegetables",
    split="seen",
    super_category="vegetable",
    form="long",
    use="something that popcorn is made of",
    knowledge=("crop that tortillas are made of", "thing to grill and gnaw off row by row"),
    material="organic",
    density=800.0,
    colors=("yellow", "white"),
    lengths={"radius": (0.018, 0.022), "length": (0.115, 0.138)},
    roles=frozenset({"manipulated"}),
    build=_corn,
    synonyms=("maize", "corn cob"),
    tints={"white": (0.84, 0.8, 0.62), "yellow": (0.86, 0.66, 0.1)},
    trim={"leaf": (0.33, 0.5, 0.16)},
)

CUCUMBER = Category(
    name="cucumber",
    family="vegetables",
    split="seen",
    super_category="vegetable",
    form="long",
    use="something to make pickles of",
    knowledge=("thing whose slices go over tired eyes", "thing that is proverbially cool"),
    material="organic",
    density=900.0,
    colors=("green",),
    lengths={"radius": (0.016, 0.02), "length": (0.12, 0.142)},
    roles=frozenset({"manipulated"}),
    build=_cucumber,
    synonyms=("gherkin",),
    tints={"green": (0.12, 0.36, 0.12)},
    trim={"stem": (0.5, 0.55, 0.2)},
)

MUSHROOM = Category(
    name="mushroom",
    family="vegetables",
    split="unseen",
    super_category="vegetable",
    form="round",
    use="something to collect in the forest",
    knowledge=("fungus with a cap", "thing that gnomes live under"),
    material="organic",
    density=600.0,
    colors=("brown", "white", "red"),
    lengths={"radius": (0.026, 0.033), "height": (0.05, 0.062)},
    roles=frozenset({"manipulated"}),
    build=_mushroom,
    synonyms=("toadstool", "champignon"),
    tints={"brown": (0.46, 0.28, 0.14)},
    trim={"stalk": (0.82, 0.76, 0.64)},
)

AUBERGINE = Category(
    name="aubergine",
    family="vegetables",
    split="unseen",
    super_category="vegetable",
    form="long",
    use="vegetable that moussaka is made of",
    knowledge=("shiny vegetable in a ratatouille", "thing that baba ganoush is made of"),
    fits=frozenset({"pepper", "tomato"}),
    material="organic",
    density=600.0,
    colors=("purple",),
    lengths={"radius": (0.021, 0.026), "length": (0.11, 0.13)},
    roles=frozenset({"manipulated"}),
    build=_aubergine,
    synonyms=("eggplant",),
    tints={"purple": (0.21, 0.07, 0.25)},
    trim={"leaf": LEAF},
)

PEPPER = Category(
    name="pepper",
    family="vegetables",
    split="unseen",
    super_category="vegetable",
    form="round",
    use="vegetable to stuff with rice",
    knowledge=(
        "hollow vegetable in the colours of a traffic light",
        "thing that goulash gets its red from",
    ),
    fits=frozenset({"tomato"}),
    material="organic",
    density=500.0,
    colors=("red", "green", "yellow", "orange"),
    lengths={"radius": (0.027, 0.033), "stretch": (0.95, 1.12)},
    roles=frozenset({"manipulated"}),
    build=_pepper,
    synonyms=("bell pepper", "paprika"),
    trim={"leaf": (0.24, 0.44, 0.12)},
)
