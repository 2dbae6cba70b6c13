"""Utensils: what one eats and cooks with, lying flat along x with the handle at -x."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.bars import flat_handle, flat_tool, stick
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, rod, slab
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.meshes import blob, hexahedron, joined, prism, rounded_box, tube

_STEEL = (0.66, 0.67, 0.69)
_THICK = 0.0135
"""Handles are this high: what is thinner slips out below the fingertips."""


def _scoop(half_x: float, half_y: float, depth: float, x: float) -> Mesh:
    """A shallow hollow, open above: the head of a spoon or a ladle."""

    def place(direction: Vector) -> Vector:
        dx, dy, dz = direction
        inner = 0.9 if dz > 0 else 1.0
        level = depth - depth * abs(dz) * (0.82 if dz > 0 else 1.0)
        return (x + half_x * dx * inner, half_y * dy * inner, level)

    return blob(place, rows=13, columns=28)


def _neck(start: float, end: float, low: float, high: float) -> Mesh:
    middle = (start + end) / 2
    path: list[Vector] = [(start, 0.0, low), (middle, 0.0, (low + high) / 2), (end, 0.0, high)]
    return tube(path, [0.0042, 0.0032, 0.0034], 10)


def _spoon(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front = length / 2
    bowl, grip = 0.042, -length / 2 + 0.082
    visuals = [
        Visual(flat_handle(width, _THICK, -front, grip)),
        Visual(_neck(grip - 0.004, front - bowl + 0.003, 0.005, 0.0055), "steel"),
        Visual(_scoop(bowl / 2, head / 2, 0.009, front - bowl / 2), "steel"),
    ]
    others = [
        slab(front - bowl - grip, 0.006, 0.003, 0.008, (grip + front - bowl) / 2),
        slab(bowl * 0.96, head * 0.72, LIFT, 0.008, front - bowl / 2),
    ]
    return flat_tool(visuals, width, _THICK, length, (-front, grip), others=others)


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
        Visual(flat_handle(width, _THICK, -front, grip)),
        Visual(_neck(grip - 0.004, root - 0.006, 0.005, 0.005), "steel"),
        Visual(joined(palm, *prongs), "steel"),
    ]
    others = [
        slab(root - 0.012 - grip, 0.006, 0.002, 0.008, (grip + root - 0.012) / 2),
        slab(front - root + 0.012, head * 0.95, LIFT, 0.0075, (front + root - 0.012) / 2),
    ]
    return flat_tool(visuals, width, _THICK, length, (-front, grip), others=others)


def _knife(lengths: Lengths) -> Shape:
    length, width, blade = lengths["length"], lengths["width"], lengths["blade"]
    front = length / 2
    grip = -length / 2 + 0.076
    low, high = -blade / 2, blade / 2
    tip = [(front - 0.022 + 0.022 * math.sin(a), low + blade * (1 - math.cos(a))) for a in _QUARTER]
    outline = [(grip - 0.004, low * 0.9), *tip, (front - 0.006, high), (grip - 0.004, high)]
    visuals = [
        Visual(flat_handle(width, _THICK, -front, grip)),
        Visual(prism(outline, 0.003, 0.0058), "steel"),
    ]
    others = [slab(front - grip, blade * 0.9, LIFT, 0.0062, (front + grip) / 2)]
    return flat_tool(visuals, width, _THICK, length, (-front, grip), others=others)


_QUARTER = [k * math.pi / 16 for k in range(8)]


def _spatula(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front = length / 2
    blade, grip = 0.056, -length / 2 + 0.07
    back = front - blade
    slots = [
        rounded_box((blade * 0.56, head * 0.09, 0.0035), 0.001, (front - blade * 0.46, y, 0.0036))
        for y in (-head * 0.26, 0.0, head * 0.26)
    ]
    half, narrow = head / 2, head * 0.4
    outline = [(back, -narrow), (front, -half), (front, half), (back, narrow)]
    visuals = [
        Visual(flat_handle(width, _THICK, -front, grip), "grip"),
        Visual(_neck(grip - 0.004, back + 0.006, 0.0055, 0.0045), "steel"),
        Visual(prism(outline, 0.002, 0.005)),
        Visual(joined(*slots), "slot"),
    ]
    others = [
        slab(back - grip, 0.006, 0.002, 0.008, (grip + back) / 2),
        slab(blade, head * 0.95, LIFT, 0.0052, (front + back) / 2),
    ]
    shape = flat_tool(visuals, width, _THICK, length, (-front, grip), others=others)
    return replace(shape, radius=math.hypot(front, half))


def _ladle(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front, depth = length / 2, 0.019
    grip = -length / 2 + 0.066
    visuals = [
        Visual(flat_handle(width, _THICK, -front, grip)),
        Visual(_neck(grip - 0.004, front - head + 0.003, 0.006, depth - 0.0036), "steel"),
        Visual(_scoop(head / 2, head / 2, depth, front - head / 2), "steel"),
    ]
    others = [
        slab(front - head - grip, 0.006, 0.005, 0.013, (grip + front - head) / 2),
        slab(head * 0.66, head * 0.66, LIFT, 0.008, front - head / 2),
        slab(head * 0.97, head * 0.8, 0.008, depth, front - head / 2),
    ]
    return flat_tool(visuals, width, _THICK, length, (-front, grip), others=others, top=depth)


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


def _whisk(lengths: Lengths) -> Shape:
    length, radius, head = lengths["length"], lengths["radius"], lengths["head"]
    front, grip, level = length / 2, -length / 2 + 0.066, head / 2
    reach = front - grip
    wires = []
    for k in range(4):
        turn = math.pi * k / 4
        loop: list[Vector] = []
        for j in range(15):
            a = math.pi * (j / 7 - 1) * 0.97
            out = level * math.sin(a) * (0.87 - 0.53 * math.cos(a)) * 0.98
            along = grip + reach * (1 + math.cos(a)) / 2
            loop.append((along, out * math.cos(turn), level + out * math.sin(turn)))
        wires.append(tube(loop, 0.001, 6))
    visuals = [
        Visual(stick(radius, -front, grip, level, 0.004)),
        Visual(joined(*wires), "steel"),
    ]
    half = reach / 2
    return Shape(
        visuals=tuple(visuals),
        pieces=(
            slab(length * 0.4, radius * 1.4, 0.0, level - radius * 0.6, -front + length * 0.22),
            rod(-front, grip, radius, level),
            slab(reach * 0.4, level * 0.5, 0.0, 0.006, front - reach * 0.4),
            Piece("ellipsoid", (half, level * 0.94, level - LIFT), (grip + half, 0.0, level)),
        ),
        height=head,
        radius=front,
        grasps=grasps_across_bar(2 * radius, level, -front + 0.045),
        rolling=True,
    )


SPOON = Category(
    name="spoon",
    family="utensils",
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
    family="utensils",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to eat spaghetti with",
    knowledge=("thing with four prongs", "thing that belongs to the left of a plate"),
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
    family="utensils",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to cut a steak with",
    knowledge=("thing with a blade for the kitchen", "thing that belongs to the right of a plate"),
    fits=frozenset({"spoon"}),
    material="metal",
    density=1600.0,
    colors=("black", "red", "yellow", "blue"),
    lengths={"length": (0.132, 0.146), "width": (0.013, 0.017), "blade": (0.017, 0.021)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_knife,
    synonyms=("table knife", "dinner knife"),
    trim={"steel": _STEEL},
)

WHISK = Category(
    name="whisk",
    family="utensils",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to beat eggs with",
    knowledge=("thing of wires that makes cream stiff", "thing to mix pancake batter with"),
    fits=frozenset({"fork"}),
    material="metal",
    density=900.0,
    colors=("red", "teal", "black", "orange"),
    lengths={"length": (0.13, 0.146), "radius": (0.0085, 0.011), "head": (0.034, 0.04)},
    roles=frozenset({"manipulated"}),
    build=_whisk,
    synonyms=("egg beater", "balloon whisk"),
    trim={"steel": _STEEL},
)

SPATULA = Category(
    name="spatula",
    family="utensils",
    split="unseen",
    super_category="utensil",
    form="long",
    use="something to turn pancakes with",
    knowledge=("flat thing to lift a fried egg with", "thing to flip burgers on a grill with"),
    material="plastic",
    density=1200.0,
    colors=("black", "red", "teal", "orange"),
    lengths={"length": (0.128, 0.139), "width": (0.013, 0.017), "head": (0.042, 0.05)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_spatula,
    synonyms=("turner", "fish slice"),
    trim={"steel": _STEEL, "grip": (0.5, 0.33, 0.18), "slot": (0.1, 0.1, 0.1)},
)

LADLE = Category(
    name="ladle",
    family="utensils",
    split="unseen",
    super_category="utensil",
    form="long",
    use="something to serve soup with",
    knowledge=("thing to fill bowls from a big pot with", "thing to pour punch with at a party"),
    material="metal",
    density=1200.0,
    colors=("red", "black", "blue", "green"),
    lengths={"length": (0.134, 0.147), "width": (0.013, 0.017), "head": (0.042, 0.048)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_ladle,
    synonyms=("soup ladle", "dipper"),
    trim={"steel": _STEEL},
)

CHOPSTICK = Category(
    name="chopstick",
    family="utensils",
    split="unseen",
    super_category="utensil",
    form="long",
    use="something to eat sushi with",
    knowledge=(
        "one of a pair to eat noodles with in asia",
        "thing that beginners drop their rice with",
    ),
    material="wood",
    density=900.0,
    colors=("brown", "black", "red"),
    lengths={"length": (0.13, 0.147), "width": (0.0122, 0.0138)},
    roles=frozenset({"manipulated", "utensil"}),
    build=_chopstick,
    synonyms=("eating stick",),
    tints={"brown": (0.55, 0.36, 0.18)},
    trim={"paint": (0.8, 0.64, 0.2)},
)
