"""Dishware: what food is served on and in."""

from __future__ import annotations

from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import slab
from vlabench.envs.objects.cuboids import open_box, sheet
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.lathes import dish, rounded_bowl
from vlabench.envs.objects.meshes import fluted, prism, torus, tube


def _bowl(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = rounded_bowl(rim * 0.52, rim, height)
    line = Visual(torus(rim - 0.0022, 0.006, height - 0.0035, 8), "line")
    return replace(shape, visuals=(*shape.visuals, line))


def _plate(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = dish(rim * 0.66, rim, height)
    line = Visual(torus(rim - 0.003, 0.004, height - 0.002, 6), "line")
    return replace(shape, visuals=(*shape.visuals, line))


def _saucer(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = dish(rim * 0.7, rim, height, floor=0.007)
    seat = Visual(torus(rim * 0.42, 0.003, 0.0068, 8), "line")
    return replace(shape, visuals=(*shape.visuals, seat))


def _pie_dish(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = dish(rim * 0.8, rim, height)
    wavy = fluted(shape.visuals[0].mesh, 16, 0.03, 0.004)
    return replace(shape, visuals=(Visual(wavy),))


def _slate(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = sheet(length, width, height, 0.0015)
    x, y = length / 2, width / 2
    # its edges are broken, not cut
    steps = [0.0, -0.0012, 0.0006, -0.0008, 0.0, -0.0014, 0.0004, -0.001]
    outline = [(x * (k / 4 - 1), -y - steps[k]) for k in range(8)]
    outline += [(x + steps[k], y * (k / 4 - 1)) for k in range(8)]
    outline += [(x * (1 - k / 4), y + steps[k]) for k in range(8)]
    outline += [(-x - steps[k], y * (1 - k / 4)) for k in range(8)]
    return replace(shape, visuals=(Visual(prism(outline, 0.0, height)),))


def _platter(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    return open_box(length, width, height, floor=0.006)


def _tray(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = open_box(length, width, height, floor=0.008)
    x, z = length / 2, height - 0.006
    grips = [
        Visual(
            tube(
                [
                    (side * x, -0.03, z),
                    (side * (x + 0.009), -0.024, z),
                    (side * (x + 0.009), 0.024, z),
                    (side * x, 0.03, z),
                ],
                0.0035,
                10,
            ),
            "grip",
        )
        for side in (-1, 1)
    ]
    bars = [slab(0.005, 0.05, z - 0.003, z + 0.003, side * (x + 0.0095)) for side in (-1, 1)]
    return replace(shape, visuals=(*shape.visuals, *grips), pieces=(*shape.pieces, *bars))


PLATE = Category(
    name="plate",
    family="dishware",
    split="seen",
    super_category="dish",
    form="flat",
    use="something to eat from",
    knowledge=("thing that a main course is served on", "thing that waiters balance on one arm"),
    fits=frozenset({"bowl", "pie dish", "platter", "saucer", "tray"}),
    material="ceramic",
    density=2000.0,
    colors=("white", "blue", "yellow", "teal"),
    lengths={"radius": (0.085, 0.105), "height": (0.015, 0.021)},
    roles=frozenset({"support", "plate-like"}),
    build=_plate,
    synonyms=("dinner plate", "china plate"),
    trim={"line": (0.16, 0.24, 0.42)},
)

SAUCER = Category(
    name="saucer",
    family="dishware",
    split="seen",
    super_category="dish",
    form="flat",
    use="something to put under a cup",
    knowledge=("thing that a cat laps milk from", "thing that catches drops of spilled tea"),
    fits=frozenset({"coaster", "plate", "bowl"}),
    material="ceramic",
    density=2000.0,
    colors=("pink", "green", "blue", "yellow"),
    lengths={"radius": (0.064, 0.076), "height": (0.017, 0.021)},
    roles=frozenset({"support", "plate-like"}),
    build=_saucer,
    synonyms=("small plate", "dessert plate"),
    trim={"line": (0.8, 0.78, 0.72)},
)

SLATE = Category(
    name="slate",
    family="dishware",
    split="seen",
    super_category="dish",
    form="flat",
    use="something to serve cheese on",
    knowledge=(
        "stone that roofs are covered with",
        "thing that pupils once wrote on with chalk",
    ),
    fits=frozenset({"plate", "board", "platter"}),
    material="matt",
    density=1500.0,
    colors=("black", "teal", "brown"),
    lengths={"length": (0.14, 0.165), "width": (0.115, 0.135), "height": (0.007, 0.01)},
    roles=frozenset({"support", "plate-like"}),
    build=_slate,
    synonyms=("stone slab", "cheese board"),
    tints={
        "black": (0.15, 0.16, 0.17),
        "teal": (0.16, 0.3, 0.32),
        "brown": (0.33, 0.25, 0.2),
    },
)

BOWL = Category(
    name="bowl",
    family="dishware",
    split="seen",
    super_category="dish",
    form="hollow",
    use="something to eat soup from",
    knowledge=("thing that cornflakes are served in", "thing to toss a salad in"),
    fits=frozenset({"plate", "pot", "wok"}),
    material="ceramic",
    density=1750.0,
    colors=("blue", "white", "green", "red"),
    lengths={"radius": (0.072, 0.09), "height": (0.046, 0.062)},
    roles=frozenset({"receptacle"}),
    build=_bowl,
    synonyms=("basin", "soup bowl"),
    trim={"line": (0.84, 0.8, 0.7)},
)

PIE_DISH = Category(
    name="pie dish",
    family="dishware",
    split="unseen",
    super_category="dish",
    form="flat",
    use="something to bake a tart in",
    knowledge=("thing with a wavy rim that goes in the oven", "thing that quiche is baked in"),
    material="ceramic",
    density=1800.0,
    colors=("red", "teal", "white"),
    lengths={"radius": (0.085, 0.1), "height": (0.024, 0.03)},
    roles=frozenset({"support", "plate-like"}),
    build=_pie_dish,
    synonyms=("tart tin", "baking dish"),
)

PLATTER = Category(
    name="platter",
    family="dishware",
    split="unseen",
    super_category="dish",
    form="flat",
    use="something to serve sushi on",
    knowledge=(
        "long thing that a whole roast is brought to the table on",
        "thing for cold cuts at a party",
    ),
    fits=frozenset({"tray", "plate", "slate", "board"}),
    material="ceramic",
    density=1600.0,
    colors=("white", "blue", "black", "green"),
    lengths={"length": (0.155, 0.18), "width": (0.105, 0.122), "height": (0.016, 0.02)},
    roles=frozenset({"support", "plate-like"}),
    build=_platter,
    synonyms=("serving plate", "serving dish"),
)

TRAY = Category(
    name="tray",
    family="dishware",
    split="unseen",
    super_category="container",
    form="hollow",
    use="something to carry breakfast to bed on",
    knowledge=("thing that waiters carry drinks on", "thing to collect food on in a canteen"),
    fits=frozenset({"plate", "platter"}),
    material="wood",
    density=650.0,
    colors=("brown", "white", "teal", "black"),
    lengths={"length": (0.165, 0.19), "width": (0.13, 0.15), "height": (0.032, 0.04)},
    roles=frozenset({"receptacle"}),
    build=_tray,
    synonyms=("serving tray", "salver"),
    tints={"brown": (0.5, 0.31, 0.16)},
    trim={"grip": (0.7, 0.56, 0.25)},
)
