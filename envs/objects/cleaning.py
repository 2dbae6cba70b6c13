"""What one cleans with."""

from __future__ import annotations

from dataclasses import replace

from vlabench.envs.objects.bars import flat_handle
from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import slab
from vlabench.envs.objects.cuboids import cuboid
from vlabench.envs.objects.geometry import Mesh, Shape, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.lathes import closed
from vlabench.envs.objects.meshes import ellipsoid, hoop, joined, moved, prism, rounded_box


def _sponge(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    pad = height * 0.3
    visuals = [
        Visual(
            rounded_box(
                (length, width, height - pad + 0.001), 0.004, (0.0, 0.0, (height - pad) / 2)
            )
        ),
        Visual(rounded_box((length, width, pad), 0.0025, (0.0, 0.0, height - pad / 2)), "pad"),
        Visual(_pores(length, width, height - pad), "pore"),
    ]
    return cuboid(length, width, height, visuals=visuals)


def _pores(length: float, width: float, height: float) -> Mesh:
    """Small holes along the sides."""
    pore = ellipsoid((0.0017, 0.0007, 0.0013), (0.0, 0.0, 0.0), 4, 8)
    pores = []
    for k in range(22):
        x = (k // 2 / 10 - 0.5) * length * 0.86
        z = height * (0.25 + 0.5 * ((k * 7) % 11) / 11)
        pores.append(moved(pore, (x, (1 if k % 2 else -1) * width / 2, z)))
    return joined(*pores)


def _soap(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = cuboid(length, width, height, height * 0.42)
    stamp = ellipsoid((length * 0.27, width * 0.24, 0.0012), (0.0, 0.0, height), 6, 24)
    return replace(shape, visuals=(*shape.visuals, Visual(stamp, "stamp")))


def _brush(lengths: Lengths) -> Shape:
    width, length = lengths["width"], lengths["length"]
    height, head = 0.026, length * 0.46
    back = length / 2 - head
    wood = 0.011
    tuft = prism(
        [(-0.0022, -0.0022), (0.0022, -0.0022), (0.0022, 0.0022), (-0.0022, 0.0022)],
        0.0,
        height - wood + 0.001,
    )
    across = width * 1.7
    tufts = [
        moved(tuft, (back + head * (0.1 + 0.8 * i / 7), across * (j / 4 - 0.5) * 0.8, 0.0))
        for i in range(8)
        for j in range(5)
    ]
    top = rounded_box((head, across, wood), 0.005, (back + head / 2, 0.0, height - wood / 2))
    visuals = [
        Visual(top),
        Visual(
            moved(
                flat_handle(width, wood + 0.002, -length / 2, back + 0.01),
                (0.0, 0.0, height - wood - 0.002),
            )
        ),
        Visual(joined(*tufts), "bristle"),
    ]
    # what touches the table lies under its middle of mass, so that it does not lean
    of_head, of_handle = head * across * height, (length - head) * width * wood
    balance = (of_head * (back + head / 2) - of_handle * head / 2) / (of_head + of_handle)
    foot = 2 * (length / 2 - balance) * 0.94
    return Shape(
        visuals=tuple(visuals),
        pieces=(
            slab(foot, across * 0.86, 0.0, height - wood, balance),
            slab(head, across, height - wood, height, back + head / 2),
            slab(length - head, width, height - wood, height, -head / 2),
        ),
        height=height,
        radius=length / 2,
        grasps=grasps_across_bar(width, height - 0.01, -length / 2 + (length - head) * 0.62),
    )


def _paper_roll(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    hole = radius * 0.4
    edge = 0.0012
    paper = hoop(
        [
            (hole, 0.0),
            (radius - edge, 0.0),
            (radius, edge),
            (radius, height - edge),
            (radius - edge, height),
            (hole, height),
        ]
    )
    core = hoop(
        [
            (hole - 0.0016, 0.0004),
            (hole + 0.0004, 0.0004),
            (hole + 0.0004, height + 0.0004),
            (hole - 0.0016, height + 0.0004),
        ]
    )
    sheet = rounded_box((0.0012, 0.012, height * 0.99), 0.0005, (0.0, 0.0, height / 2))
    end = moved(sheet, (radius + 0.0002, -0.004, 0.0))
    shape = closed([Visual(paper), Visual(core, "core"), Visual(end)], radius, height)
    return replace(shape, surface_height=0.0, surface_radius=0.0)


SPONGE = Category(
    name="sponge",
    family="cleaning",
    split="seen",
    super_category="cleaning item",
    form="boxy",
    use="something to wash dishes with",
    knowledge=(
        "soft thing that soaks up water",
        "thing that a cartoon hero under the sea is made of",
    ),
    fits=frozenset({"paper roll", "brush"}),
    material="foam",
    density=200.0,
    colors=("yellow", "blue", "pink", "orange"),
    lengths={"length": (0.072, 0.088), "width": (0.046, 0.058), "height": (0.026, 0.036)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_sponge,
    synonyms=("scrubber", "dish sponge"),
    trim={"pad": (0.13, 0.35, 0.18), "pore": (0.3, 0.24, 0.12)},
)

PAPER_ROLL = Category(
    name="paper roll",
    family="cleaning",
    split="seen",
    super_category="cleaning item",
    form="tall",
    use="something to wipe up a spill with",
    knowledge=(
        "thing that hangs beside the toilet",
        "thing to tear a square off and blow the nose with",
    ),
    fits=frozenset({"sponge"}),
    material="matt",
    density=250.0,
    colors=("white", "pink", "blue"),
    lengths={"radius": (0.03, 0.0345), "height": (0.075, 0.095)},
    roles=frozenset({"manipulated", "standing"}),
    build=_paper_roll,
    synonyms=("toilet roll", "kitchen roll"),
    tints={"pink": (0.84, 0.6, 0.66), "blue": (0.5, 0.62, 0.78)},
    trim={"core": (0.55, 0.42, 0.28)},
)

SOAP = Category(
    name="soap",
    family="cleaning",
    split="unseen",
    super_category="cleaning item",
    form="boxy",
    use="something to wash hands with",
    knowledge=(
        "slippery thing beside the wash basin",
        "thing from marseille that smells of lavender",
    ),
    fits=frozenset({"shampoo"}),
    material="plastic",
    density=900.0,
    colors=("pink", "white", "teal", "purple"),
    lengths={"length": (0.068, 0.085), "width": (0.042, 0.056), "height": (0.026, 0.034)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_soap,
    synonyms=("soap bar", "bar of soap"),
    trim={"stamp": (0.8, 0.76, 0.7)},
)

BRUSH = Category(
    name="brush",
    family="cleaning",
    split="unseen",
    super_category="cleaning item",
    form="long",
    use="something to scrub the floor with",
    knowledge=("thing with stiff bristles for dirty boots", "thing that cinderella scrubs with"),
    fits=frozenset({"sponge"}),
    material="wood",
    density=500.0,
    colors=("teal", "pink", "brown"),
    lengths={"width": (0.02, 0.026), "length": (0.124, 0.145)},
    roles=frozenset({"manipulated"}),
    build=_brush,
    synonyms=("scrubbing brush", "scrub brush"),
    tints={"brown": (0.52, 0.34, 0.17)},
    trim={"bristle": (0.82, 0.74, 0.54)},
)
