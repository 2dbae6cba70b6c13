"""Tools: handles with something at the end, lying along x with the handle at -x."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.bars import bar, flat_tool, round_tool, stick
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, axle, rod, slab
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.lathes import solid_profile
from vlabench.envs.objects.meshes import hoop, joined, moved, prism, revolve, rounded_box, sideways

_STEEL = (0.55, 0.56, 0.58)


def _hammer(lengths: Lengths) -> Shape:
    length, radius, head = lengths["length"], lengths["radius"], lengths["head"]
    thick = 0.012
    front, level = length / 2, radius
    x = front - thick
    face = sideways(revolve(solid_profile(thick, -head / 2, -head * 0.16, 0.0015), 24))
    neck = sideways(revolve(solid_profile(thick * 0.72, -head * 0.18, head * 0.14, 0.0005), 24))
    peen = [
        (0.0, head * 0.12),
        (thick * 0.95, head * 0.12),
        (thick * 0.9, head * 0.22),
        (0.0035, head / 2),
        (0.0, head / 2),
    ]
    steel = joined(face, neck, sideways(revolve(peen, 24)))
    collar = stick(radius * 0.62, front - 2 * thick - 0.03, front - thick, thick)
    grip = bar(
        [
            (0.0, 0.0),
            (radius * 0.86, 0.001),
            (radius, 0.012),
            (radius * 0.86, 0.04),
            (radius * 0.96, length - 2 * thick - 0.022),
            (radius * 0.6, length - 2 * thick - 0.016),
            (0.0, length - 2 * thick - 0.016),
        ],
        -front,
        level,
    )
    shape = round_tool(
        [
            Visual(grip),
            Visual(moved(steel, (x, 0.0, thick + LIFT)), "steel"),
            Visual(collar, "wood"),
        ],
        radius,
        length,
        (-front, front - 2 * thick),
        others=[
            slab(thick * 1.4, head * 0.9, 0.0, 0.004, x),
            axle(head, thick, x, thick + LIFT),
        ],
        height=2 * thick + LIFT,
        grasp_x=front - 2 * thick - 0.022,
    )
    return replace(shape, radius=math.hypot(front, head / 2))


def _screwdriver(lengths: Lengths) -> Shape:
    r, handle, shaft = lengths["radius"], lengths["handle"], lengths["shaft"]
    length = handle + shaft
    back, joint = -length / 2, -length / 2 + handle
    profile = [
        (0.0, 0.0),
        (r * 0.8, 0.001),
        (r, 0.006),
        (r, handle * 0.7),
        (r * 0.7, handle * 0.86),
        (r * 0.8, handle),
        (0.0, handle),
    ]
    blade = [(0.0, 0.0), (0.0034, 0.0), (0.0034, shaft - 0.012), (0.0, shaft - 0.012)]
    tip = rounded_box((0.014, 0.008, 0.0024), 0.0008, (length / 2 - 0.007, 0.0, r))
    rubber = bar(
        [(0.0, 0.0), (r + 0.0006, 0.0), (r + 0.0006, 0.018), (0.0, 0.018)], back + 0.014, r
    )
    middle = back + handle * 0.45
    return round_tool(
        [
            Visual(bar(profile, back, r)),
            Visual(rubber, "rubber"),
            Visual(bar(blade, joint, r), "steel"),
            Visual(tip, "steel"),
        ],
        r,
        length,
        (back, joint),
        others=[rod(joint, length / 2, 0.0034, r + LIFT)],
        grasp_x=middle,
    )


def _wrench(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front, thick, ring = length / 2, 0.016, head * 0.42
    x = front - ring
    eye = hoop([(ring * 0.52, 0.001), (ring, 0.001), (ring, thick), (ring * 0.52, thick)], 24)
    y = head / 2
    root = -front + head * 0.52
    jaw = [
        prism(
            [
                (root - 0.004, -y),
                (root + 0.014, -width * 0.5),
                (root + 0.014, width * 0.5),
                (root - 0.004, y),
            ],
            0.001,
            thick,
        ),
        *(
            prism(_corners(-front, root - 0.004, side * y * 0.72, head * 0.14), 0.001, thick)
            for side in (-1, 1)
        ),
    ]
    start, end = root + 0.012, x - ring * 0.8
    shank = rounded_box(
        (end - start + 0.004, width, thick - 0.001), 0.003, ((start + end) / 2, 0.0, thick / 2)
    )
    visuals = [Visual(shank), Visual(joined(moved(eye, (x, 0.0, 0.0)), *jaw), "steel")]
    others = [
        slab(2 * ring, 1.9 * ring, LIFT, thick, x),
        slab(0.016, head * 0.9, LIFT, thick, root + 0.001),
        *(
            replace(arm, position=(arm.position[0], side * y * 0.72, arm.position[2]))
            for side in (-1, 1)
            for arm in [slab(root + front, head * 0.26, LIFT, thick, (root - front) / 2)]
        ),
    ]
    return flat_tool(visuals, width, thick, length, (start, end), others=others)


def _corners(x0: float, x1: float, y: float, half: float) -> list[tuple[float, float]]:
    return [(x0, y - half), (x1, y - half), (x1, y + half), (x0, y + half)]


def _paintbrush(lengths: Lengths) -> Shape:
    length, width, head = lengths["length"], lengths["width"], lengths["head"]
    front = length / 2
    hairs, ferrule, thick = 0.038, 0.018, 0.016
    root = front - hairs - ferrule
    half = head / 2
    outline = [
        (-front, -width * 0.3),
        (-front + 0.02, -width / 2),
        (root - 0.016, -width / 2),
        (root, -half * 0.9),
        (root, half * 0.9),
        (root - 0.016, width / 2),
        (-front + 0.02, width / 2),
        (-front, width * 0.3),
    ]
    tuft = [
        (front - hairs - 0.001, -half * 0.94),
        (front, -half * 0.86),
        (front, half * 0.86),
        (front - hairs - 0.001, half * 0.94),
    ]
    visuals = [
        Visual(prism(outline, 0.001, thick - 0.001)),
        Visual(
            rounded_box(
                (ferrule + 0.002, head, thick), 0.002, (root + ferrule / 2, 0.0, thick / 2)
            ),
            "steel",
        ),
        Visual(prism(tuft, 0.001, thick - 0.002), "hair"),
    ]
    others = [slab(hairs + ferrule, head * 0.96, LIFT, thick, front - (hairs + ferrule) / 2)]
    return flat_tool(visuals, width, thick, length, (-front, root), others=others)


def _torch(lengths: Lengths) -> Shape:
    length, r, head = lengths["length"], lengths["radius"], lengths["head"]
    front = length / 2
    cone, bulb = 0.016, 0.022
    tube_end = front - cone - bulb
    body = stick(r, -front, tube_end + 0.001, head, 0.003)
    reflector = bar(
        [
            (0.0, 0.0),
            (r * 1.02, 0.0),
            (head, cone),
            (head, cone + bulb - 0.001),
            (head - 0.002, cone + bulb),
            (0.0, cone + bulb),
        ],
        tube_end,
        head,
    )
    lens = bar(
        [(0.0, 0.0), (head * 0.78, 0.0), (head * 0.7, 0.0016), (0.0, 0.0022)], front - 0.0008, head
    )
    knurl = [
        bar([(0.0, 0.0), (r + 0.0008, 0.0), (r + 0.0008, 0.004), (0.0, 0.004)], x, head)
        for x in (-front + 0.006, -front + 0.014, -front + 0.022)
    ]
    switch = rounded_box((0.014, 0.007, 0.004), 0.0018, (tube_end - 0.016, 0.0, head + r))
    return Shape(
        visuals=(
            Visual(body),
            Visual(reflector),
            Visual(lens, "lens"),
            Visual(joined(*knurl, switch), "rubber"),
        ),
        pieces=(
            slab(length * 0.5, r * 1.2, 0.0, head - r * 0.75, -front + length * 0.3),
            slab(bulb, head * 1.2, 0.0, 0.006, front - bulb / 2),
            rod(-front, tube_end, r, head),
            rod(tube_end + cone * 0.5, front, head - LIFT, head),
        ),
        height=2 * head,
        radius=front,
        grasps=grasps_across_bar(2 * r, head, -front + length * 0.42),
        rolling=True,
    )


HAMMER = Category(
    name="hammer",
    family="tools",
    split="seen",
    super_category="tool",
    form="long",
    use="something to drive nails with",
    knowledge=("tool that thor throws", "tool that blacksmiths swing"),
    material="plastic",
    density=1500.0,
    colors=("red", "blue", "orange", "green"),
    lengths={"length": (0.13, 0.14), "radius": (0.0105, 0.013), "head": (0.05, 0.058)},
    roles=frozenset({"manipulated"}),
    build=_hammer,
    synonyms=("mallet", "claw hammer"),
    trim={"steel": _STEEL, "wood": (0.55, 0.37, 0.2)},
)

SCREWDRIVER = Category(
    name="screwdriver",
    family="tools",
    split="seen",
    super_category="tool",
    form="long",
    use="something to turn screws with",
    knowledge=("tool with a flat tip or a cross", "tool to put up a shelf from a kit with"),
    fits=frozenset({"hammer", "wrench"}),
    material="plastic",
    density=1100.0,
    colors=("orange", "red", "blue", "yellow"),
    lengths={"radius": (0.011, 0.015), "handle": (0.072, 0.086), "shaft": (0.05, 0.06)},
    roles=frozenset({"manipulated"}),
    build=_screwdriver,
    synonyms=("screw driver",),
    trim={"steel": _STEEL, "rubber": (0.1, 0.1, 0.11)},
)

WRENCH = Category(
    name="wrench",
    family="tools",
    split="seen",
    super_category="tool",
    form="long",
    use="something to tighten nuts with",
    knowledge=("tool that plumbers carry", "tool with a jaw that fits around a bolt"),
    fits=frozenset({"screwdriver"}),
    material="metal",
    density=2000.0,
    colors=("red", "blue", "yellow", "black"),
    lengths={"length": (0.13, 0.146), "width": (0.014, 0.018), "head": (0.032, 0.038)},
    roles=frozenset({"manipulated"}),
    build=_wrench,
    synonyms=("spanner",),
    trim={"steel": _STEEL},
)

PAINTBRUSH = Category(
    name="paintbrush",
    family="tools",
    split="unseen",
    super_category="tool",
    form="long",
    use="something to varnish a fence with",
    knowledge=("tool with bristles for colour", "tool that tom sawyer let his friends use"),
    material="wood",
    density=700.0,
    colors=("red", "brown", "blue", "green"),
    lengths={"length": (0.134, 0.146), "width": (0.016, 0.021), "head": (0.036, 0.046)},
    roles=frozenset({"manipulated"}),
    build=_paintbrush,
    synonyms=("paint brush",),
    tints={"brown": (0.5, 0.32, 0.16)},
    trim={"steel": (0.66, 0.64, 0.6), "hair": (0.2, 0.15, 0.1)},
)

TORCH = Category(
    name="torch",
    family="tools",
    split="unseen",
    super_category="tool",
    form="long",
    use="something to see in the dark with",
    knowledge=("thing with a bulb and batteries for camping", "thing to look under the bed with"),
    material="metal",
    density=1000.0,
    colors=("black", "blue", "red", "yellow"),
    lengths={"length": (0.115, 0.135), "radius": (0.0115, 0.0135), "head": (0.017, 0.02)},
    roles=frozenset({"manipulated"}),
    build=_torch,
    synonyms=("flashlight",),
    trim={"lens": (0.86, 0.84, 0.66), "rubber": (0.3, 0.3, 0.32)},
)
