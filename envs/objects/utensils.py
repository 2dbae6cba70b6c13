"""Utensils: what one cooks with, lying flat along x with the handle at -x."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.bars import THICK, flat_handle, flat_tool, neck, scoop, stick
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, rod, slab
from vlabench.envs.objects.geometry import Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.meshes import joined, prism, rounded_box, tube

_STEEL = (0.66, 0.67, 0.69)


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
        Visual(flat_handle(width, THICK, -front, grip), "grip"),
        Visual(neck(grip - 0.004, back + 0.006, 0.0055, 0.0045), "steel"),
        Visual(prism(outline, 0.002, 0.005)),
        Visual(joined(*slots), "slot"),
    ]
    others = [
        slab(back - grip, 0.006, 0.002, 0.008, (grip + back) / 2),
        slab(blade, head * 0.95, LIFT, 0.0052, (front + back) / 2),
    ]
    shape = flat_tool(visuals, width, THICK, length, (-front, grip), others=others)
    return replace(shape, radius=math.hypot(front, half))


def _ladle(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front, depth = length / 2, 0.019
    grip = -length / 2 + 0.066
    visuals = [
        Visual(flat_handle(width, THICK, -front, grip)),
        Visual(neck(grip - 0.004, front - head + 0.003, 0.006, depth - 0.0036), "steel"),
        Visual(scoop(head / 2, head / 2, depth, front - head / 2), "steel"),
    ]
    others = [
        slab(front - head - grip, 0.006, 0.005, 0.013, (grip + front - head) / 2),
        slab(head * 0.66, head * 0.66, LIFT, 0.008, front - head / 2),
        slab(head * 0.97, head * 0.8, 0.008, depth, front - head / 2),
    ]
    return flat_tool(visuals, width, THICK, length, (-front, grip), others=others, top=depth)


WHISK = Category(
    name="whisk",
    family="utensils",
    split="seen",
    super_category="utensil",
    form="long",
    use="something to beat eggs with",
    knowledge=("thing of wires that makes cream stiff", "thing to mix pancake batter with"),
    fits=frozenset({"fork", "spoon"}),
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
