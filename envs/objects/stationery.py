"""Stationery: what lies on a desk."""

from __future__ import annotations

import math

from vlabench.envs.objects.bars import bar, round_tool, stick
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, ring_of_boxes, slab
from vlabench.envs.objects.cuboids import cuboid
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.grasps import grasps_across, grasps_round
from vlabench.envs.objects.meshes import hoop, moved, rounded_box, tilted


def _marker(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    back, cap = -length / 2, length * 0.32
    lid = [(0.0, 0.0), (r + 0.0008, 0.0), (r + 0.0008, cap * 0.8), (r * 0.7, cap), (0.0, cap)]
    clip = rounded_box(
        (cap * 0.8, 0.004, 0.003), 0.001, (length / 2 - cap * 0.6, 0.0, 2 * r + 0.0008)
    )
    return round_tool(
        [
            Visual(stick(r, back, length / 2 - cap, r), "white"),
            Visual(bar(lid, length / 2 - cap, r)),
            Visual(stick(r + 0.0006, back, back + 0.008, r)),
            Visual(clip),
        ],
        r,
        length,
        (back, length / 2),
        height=2 * r + 0.001,
    )


def _book(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    cover = 0.003
    boards = [
        rounded_box((length, width, cover), 0.0012, (0.0, 0.0, z))
        for z in (cover / 2, height - cover / 2)
    ]
    spine = rounded_box((length, 0.004, height), 0.0018, (0.0, -width / 2 + 0.002, height / 2))
    pages = rounded_box(
        (length - 0.006, width - 0.005, height - 2 * cover), 0.0006, (0.0, -0.0012, height / 2)
    )
    title = rounded_box((length * 0.62, width * 0.16, 0.001), 0.0004, (0.0, width * 0.14, height))
    line = rounded_box((length * 0.4, width * 0.07, 0.001), 0.0004, (0.0, -width * 0.2, height))
    visuals = [
        *(Visual(part) for part in (*boards, spine)),
        Visual(pages, "paper"),
        Visual(title, "print"),
        Visual(line, "print"),
    ]
    return cuboid(length, width, height, visuals=visuals)


def _tape(lengths: Lengths) -> Shape:
    outer, height = lengths["radius"], lengths["height"]
    inner = outer * 0.62
    core = inner + 0.003
    edge = 0.0008
    ring = hoop(
        [
            (core, 0.0),
            (outer - edge, 0.0),
            (outer, edge),
            (outer, height - edge),
            (outer - edge, height),
            (core, height),
        ]
    )
    paper = hoop(
        [
            (inner, 0.0005),
            (core + 0.0002, 0.0005),
            (core + 0.0002, height + 0.0004),
            (inner, height + 0.0004),
        ]
    )
    return Shape(
        visuals=(Visual(ring), Visual(paper, "paper")),
        pieces=tuple(ring_of_boxes(inner, outer - 0.0004, LIFT, height)),
        height=height,
        radius=outer,
        grasps=grasps_round(2 * outer, max(0.013, height - 0.022)),
    )


def _stapler(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    base = rounded_box((length, width, 0.009), 0.003, (0.0, 0.0, 0.0045))
    top = rounded_box((length * 0.96, width * 0.86, 0.016), 0.0065, (length * 0.48, 0.0, 0.0))
    lever = moved(tilted(top, -0.16), (-length * 0.49, 0.0, height - 0.008 - 0.154 * length))
    rail = moved(
        tilted(
            rounded_box((length * 0.92, width * 0.6, 0.006), 0.001, (length * 0.46, 0.0, 0.0)),
            -0.14,
        ),
        (-length * 0.48, 0.0, height - 0.02 - 0.13 * length),
    )
    hinge = rounded_box(
        (0.016, width * 0.95, height * 0.48), 0.003, (-length / 2 + 0.01, 0.0, height * 0.27)
    )
    return Shape(
        visuals=(Visual(lever), Visual(base, "dark"), Visual(rail, "steel"), Visual(hinge, "dark")),
        pieces=(
            slab(length, width, 0.0, 0.009),
            slab(length * 0.5, width * 0.86, 0.009, height * 0.68, -length * 0.24),
            slab(length * 0.5, width * 0.86, 0.014, height * 0.97, length * 0.22),
        ),
        height=height,
        radius=math.hypot(length, width) / 2,
        grasps=grasps_across(width, max(0.014, height - 0.026), [math.pi / 2], length * 0.05),
    )


def _eraser(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    sleeve = length * 0.58
    visuals = [
        Visual(rounded_box((length, width, height - 0.001), 0.004, (0.0, 0.0, height / 2))),
        Visual(
            rounded_box(
                (sleeve, width + 0.001, height),
                0.001,
                (-(length - sleeve) / 2 + 0.004, 0.0, height / 2),
            ),
            "paper",
        ),
        Visual(
            rounded_box(
                (sleeve * 0.3, width + 0.0016, height + 0.0008),
                0.001,
                (-(length - sleeve) / 2, 0.0, height / 2),
            ),
            "print",
        ),
    ]
    return cuboid(length, width, height, visuals=visuals)


MARKER = Category(
    name="marker",
    family="stationery",
    split="seen",
    super_category="office item",
    form="long",
    use="something to write on a whiteboard with",
    knowledge=("thing with a felt tip and a cap", "thing to highlight a text with"),
    material="plastic",
    density=900.0,
    colors=("red", "blue", "black", "green"),
    lengths={"radius": (0.0085, 0.012), "length": (0.11, 0.135)},
    roles=frozenset({"manipulated"}),
    build=_marker,
    synonyms=("felt pen", "marker pen"),
    trim={"white": (0.84, 0.84, 0.82)},
)

BOOK = Category(
    name="book",
    family="stationery",
    split="seen",
    super_category="office item",
    form="boxy",
    use="something to read in bed",
    knowledge=("thing that a library lends", "thing with chapters that an author writes"),
    material="cardboard",
    density=600.0,
    colors=("blue", "red", "green", "brown"),
    lengths={"length": (0.088, 0.105), "width": (0.058, 0.069), "height": (0.026, 0.034)},
    roles=frozenset({"manipulated", "pushable"}),
    build=_book,
    synonyms=("novel", "paperback"),
    trim={"paper": (0.86, 0.83, 0.74), "print": (0.82, 0.7, 0.38)},
)

TAPE = Category(
    name="tape",
    family="stationery",
    split="seen",
    super_category="office item",
    form="round",
    use="something to wrap up a parcel with",
    knowledge=("sticky thing on a roll", "thing to mend a torn page with"),
    material="plastic",
    density=700.0,
    colors=("yellow", "blue", "red", "black"),
    lengths={"radius": (0.028, 0.034), "height": (0.025, 0.032)},
    roles=frozenset({"manipulated", "small", "pushable"}),
    build=_tape,
    synonyms=("roll of tape", "adhesive tape"),
    trim={"paper": (0.72, 0.6, 0.42)},
)

STAPLER = Category(
    name="stapler",
    family="stationery",
    split="unseen",
    super_category="office item",
    form="long",
    use="something to hold sheets of paper together with",
    knowledge=(
        "thing that shoots small metal clamps into paper",
        "office thing that needs refills of wire",
    ),
    fits=frozenset({"tape"}),
    material="plastic",
    density=700.0,
    colors=("red", "black", "blue", "teal"),
    lengths={"length": (0.105, 0.125), "width": (0.028, 0.034), "height": (0.042, 0.05)},
    roles=frozenset({"manipulated"}),
    build=_stapler,
    synonyms=("paper stapler",),
    trim={"dark": (0.12, 0.12, 0.13), "steel": (0.64, 0.65, 0.67)},
)

ERASER = Category(
    name="eraser",
    family="stationery",
    split="unseen",
    super_category="office item",
    form="boxy",
    use="something to remove pencil marks with",
    knowledge=(
        "thing that mends mistakes in a drawing",
        "thing at school that leaves crumbs of rubber",
    ),
    material="rubber",
    density=900.0,
    colors=("pink", "white", "teal", "yellow"),
    lengths={"length": (0.058, 0.072), "width": (0.032, 0.039), "height": (0.026, 0.032)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_eraser,
    synonyms=("rubber eraser", "india rubber"),
    trim={"paper": (0.2, 0.32, 0.62), "print": (0.85, 0.84, 0.8)},
)
