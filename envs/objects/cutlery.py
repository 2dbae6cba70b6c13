"""Cutlery: what one eats with, lying flat along x with the handle at -x."""

from __future__ import annotations

import math

from vlabench.envs.objects.bars import THICK, flat_handle, flat_tool, neck, scoop
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, slab
from vlabench.envs.objects.geometry import Mesh, Shape, Vector, Visual
from vlabench.envs.objects.meshes import hexahedron, joined, prism, rounded_box, tube

_STEEL = (0.66, 0.67, 0.69)


def _spoon(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front = length / 2
    bowl, grip = 0.042, -length / 2 + 0.082
    visuals = [
        Visual(flat_handle(width, THICK, -front, grip)),
        Visual(neck(grip - 0.004, front - bowl + 0.003, 0.005, 0.0055), "steel"),
        Visual(scoop(bowl / 2, head / 2, 0.009, front - bowl / 2), "steel"),
    ]
    others = [
        slab(front - bowl - grip, 0.006, 0.003, 0.008, (grip + front - bowl) / 2),
        slab(bowl * 0.96, head * 0.72, LIFT, 0.008, front - bowl / 2),
    ]
    return flat_tool(visuals, width, THICK, length, (-front, grip), others=others)


def _fork(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front = length / 2
    tines, grip = 0.03, -length / 2 + 0.082
    root = front - tines
    gap = head / 4
    prongs = [
        tube(
            [
                (root - 0.004, gap * (k - 1.5) * 0.96, 0.0045),
                (front - 0.006, gap * (k - 1.5), 0.0045),
                (front, gap * (k - 1.5), 0.005),
            ],
            [0.0026, 0.0022, 0.001],
            8,
        )
        for k in range(4)
    ]
    palm = rounded_box((0.016, head * 0.98, 0.005), 0.0024, (root - 0.006, 0.0, 0.0045))
    visuals = [
        Visual(flat_handle(width, THICK, -front, grip)),
        Visual(neck(grip - 0.004, root - 0.006, 0.005, 0.005), "steel"),
        Visual(joined(palm, *prongs), "steel"),
    ]
    others = [
        slab(root - 0.012 - grip, 0.006, 0.002, 0.008, (grip + root - 0.012) / 2),
        slab(front - root + 0.012, head * 0.95, LIFT, 0.0075, (front + root - 0.012) / 2),
    ]
    return flat_tool(visuals, width, THICK, length, (-front, grip), others=others)


def _knife(lengths: Lengths) -> Shape:
    length, width, blade = lengths["length"], lengths["width"], lengths["blade"]
    front = length / 2
    grip = -length / 2 + 0.076
    low, high = -blade / 2, blade / 2
    tip = [(front - 0.022 + 0.022 * math.sin(a), low + blade * (1 - math.cos(a))) for a in _QUARTER]
    outline = [(grip - 0.004, low * 0.9), *tip, (front - 0.006, high), (grip - 0.004, high)]
    visuals = [
        Visual(flat_handle(width, THICK, -front, grip)),
        Visual(prism(outline, 0.003, 0.0058), "steel"),
    ]
    others = [slab(front - grip, blade * 0.9, LIFT, 0.0062, (front + grip) / 2)]
    return flat_tool(visuals, width, THICK, length, (-front, grip), others=others)


_QUARTER = [k * math.pi / 16 for k in range(8)]


def _chopstick(lengths: Lengths) -> Shape:
    length, width = lengths["length"], lengths["width"]
    front, tip = length / 2, width * 0.55
    paint = -front + length * 0.36
    visuals = [
        Visual(_tapered(-front, front, width, tip)),
        Visual(_tapered(-front + 0.006, paint, width + 0.0008, width * 0.86), "paint"),
    ]
    strip = [slab(length * 0.6, width * 0.72, LIFT, width * 0.78, length * 0.19)]
    return flat_tool(visuals, width, width, length, (-front, -front + length * 0.7), others=strip)


def _tapered(back: float, front: float, wide: float, thin: float) -> Mesh:
    """A square stick that gets thinner, lying on one of its sides."""
    corners: list[Vector] = []
    for x, side in ((back, wide), (front, thin)):
        half = side / 2
        corners += [(x, -half, 0.0), (x, half, 0.0), (x, half, side), (x, -half, side)]
    return hexahedron(corners)


SPOON = Category(
    name="spoon",
    family="cutlery",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to eat yoghurt with",
    knowledge=("thing to stir sugar into coffee with", "thing that uri geller bends"),
    material="metal",
    density=1600.0,
    colors=("red", "blue", "green", "yellow"),
    lengths={"length": (0.132, 0.146), "width": (0.012, 0.016), "head": (0.028, 0.034)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_spoon,
    synonyms=("tablespoon", "soup spoon"),
    trim={"steel": _STEEL},
)


FORK = Category(
    name="fork",
    family="cutlery",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to eat spaghetti with",
    knowledge=("thing with four prongs", "thing for twirling spaghetti"),
    material="metal",
    density=1600.0,
    colors=("blue", "red", "black", "green"),
    lengths={"length": (0.132, 0.146), "width": (0.012, 0.016), "head": (0.022, 0.027)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_fork,
    synonyms=("dinner fork", "table fork"),
    trim={"steel": _STEEL},
)


KNIFE = Category(
    name="knife",
    family="cutlery",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to cut a steak with",
    knowledge=("thing with a blade for the kitchen", "thing for cutting a steak"),
    material="metal",
    density=1600.0,
    colors=("black", "red", "yellow", "blue"),
    lengths={"length": (0.132, 0.146), "width": (0.013, 0.017), "blade": (0.017, 0.021)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_knife,
    synonyms=("table knife", "dinner knife"),
    trim={"steel": _STEEL},
)


CHOPSTICK = Category(
    name="chopstick",
    family="cutlery",
    split="unseen",
    super_category="utensil",
    form="long",
    use="something to eat sushi with",
    knowledge=(
        "thin thing for eating noodles in asia",
        "thing that beginners drop their rice with",
    ),
    material="wood",
    density=900.0,
    colors=("brown", "black", "red"),
    lengths={"length": (0.13, 0.147), "width": (0.0138, 0.0155)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_chopstick,
    synonyms=("eating stick",),
    tints={"brown": (0.55, 0.36, 0.18)},
    trim={"paint": (0.8, 0.64, 0.2)},
)
