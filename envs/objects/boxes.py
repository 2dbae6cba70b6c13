"""Boxes: cuboids with rounded edges, and open crates."""

from __future__ import annotations

import math

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import (
    LIFT,
    Mesh,
    Piece,
    Shape,
    Vector,
    Visual,
    base_plate,
    grasp_height,
    grasps_across,
    rounded_box,
)

_WIDEST_GRASP = 0.072
"""The Panda's fingers open 80 mm; wider than this they miss too often."""


def _cuboid(
    length: float, width: float, height: float, edge: float, mass: float, *, band: bool = False
) -> Shape:
    """A box, length along x and width along y, grasped across every side that fits the hand."""
    z = grasp_height(height)
    across_y = grasps_across(width, z, [math.pi / 2]) if width <= _WIDEST_GRASP else ()
    across_x = grasps_across(length, z, [0.0]) if length <= _WIDEST_GRASP else ()
    visuals = [Visual(rounded_box((length, width, height), edge, (0.0, 0.0, height / 2)))]
    if band:
        around = (length + 0.0008, width + 0.0008, height * 0.3)
        visuals.append(Visual(rounded_box(around, edge, (0.0, 0.0, height * 0.52)), "trim"))
    return Shape(
        visuals=tuple(visuals),
        pieces=(Piece("box", (length / 2, width / 2, height / 2), (0.0, 0.0, height / 2)),),
        mass=mass,
        height=height,
        radius=math.hypot(length, width) / 2,
        grasps=across_y + across_x,
        surface_height=height,
        surface_radius=min(length, width) / 2,
        surface_half=(length / 2, width / 2),
    )


def _block(lengths: Lengths) -> Shape:
    side, height = lengths["side"], lengths["height"]
    return _cuboid(side, side, height, 0.003, 0.09)


def _carton(lengths: Lengths) -> Shape:
    return _cuboid(lengths["length"], lengths["width"], lengths["height"], 0.0015, 0.16, band=True)


def _tea_box(lengths: Lengths) -> Shape:
    return _cuboid(lengths["length"], lengths["width"], lengths["height"], 0.0015, 0.12, band=True)


def _sponge(lengths: Lengths) -> Shape:
    return _cuboid(lengths["length"], lengths["width"], lengths["height"], 0.005, 0.05)


def _soap(lengths: Lengths) -> Shape:
    return _cuboid(lengths["length"], lengths["width"], lengths["height"], 0.009, 0.1)


def _board(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    return Shape(
        visuals=(Visual(rounded_box((length, width, height), 0.004, (0.0, 0.0, height / 2))),),
        pieces=(Piece("box", (length / 2, width / 2, height / 2), (0.0, 0.0, height / 2)),),
        mass=0.5,
        height=height,
        radius=math.hypot(length, width) / 2,
        surface_height=height,
        surface_radius=width / 2,
        surface_half=(length / 2, width / 2),
    )


def _crate(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    thickness, floor = 0.006, 0.01
    sides: list[tuple[Vector, Vector]] = []
    for sign in (-1.0, 1.0):
        middle = (height + LIFT) / 2
        sides += [
            (
                (length, thickness, height - LIFT),
                (0.0, sign * (width - thickness) / 2, middle),
            ),
            (
                (thickness, width - 2 * thickness, height - LIFT),
                (sign * (length - thickness) / 2, 0.0, middle),
            ),
        ]
    panels: list[Mesh] = [rounded_box(size, 0.0015, centre) for size, centre in sides]
    bottom = rounded_box((length, width, floor), 0.001, (0.0, 0.0, floor / 2))
    return Shape(
        visuals=tuple(Visual(panel) for panel in (*panels, bottom)),
        pieces=(
            base_plate(length / 2, width / 2, floor),
            *(Piece("box", (x / 2, y / 2, z / 2), centre) for (x, y, z), centre in sides),
        ),
        mass=0.4,
        height=height,
        radius=math.hypot(length, width) / 2,
        surface_height=floor,
        surface_radius=width / 2 - thickness,
        surface_half=(length / 2 - thickness, width / 2 - thickness),
    )


BLOCK = Category(
    name="block",
    family="boxes",
    split="seen",
    super_category="toy",
    use="something to build a tower with",
    material="wood",
    colors=("red", "blue", "green", "yellow", "orange"),
    lengths={"side": (0.038, 0.052), "height": (0.036, 0.052)},
    roles=frozenset({"manipulated", "stackable", "small"}),
    build=_block,
    synonyms=("cube", "brick"),
)

CARTON = Category(
    name="carton",
    family="boxes",
    split="seen",
    super_category="food",
    use="something with juice in it",
    material="cardboard",
    colors=("blue", "orange", "green", "white"),
    lengths={"length": (0.048, 0.062), "width": (0.04, 0.054), "height": (0.075, 0.105)},
    roles=frozenset({"manipulated"}),
    build=_carton,
    synonyms=("juice carton", "juice box"),
    trim={"trim": (0.83, 0.8, 0.72)},
)

SPONGE = Category(
    name="sponge",
    family="boxes",
    split="seen",
    super_category="cleaning",
    use="something to wash dishes with",
    material="foam",
    colors=("yellow", "green", "blue", "pink"),
    lengths={"length": (0.075, 0.095), "width": (0.048, 0.062), "height": (0.026, 0.036)},
    roles=frozenset({"manipulated", "stackable", "small"}),
    build=_sponge,
    synonyms=("scrubber", "dish sponge"),
)

SOAP = Category(
    name="soap",
    family="boxes",
    split="unseen",
    super_category="cleaning",
    use="something to wash hands with",
    material="plastic",
    colors=("pink", "white", "teal", "purple"),
    lengths={"length": (0.068, 0.085), "width": (0.042, 0.056), "height": (0.024, 0.032)},
    roles=frozenset({"manipulated", "stackable", "small"}),
    build=_soap,
    synonyms=("soap bar", "bar of soap"),
)

TEA_BOX = Category(
    name="tea box",
    family="boxes",
    split="unseen",
    super_category="food",
    use="something that tea bags come in",
    material="cardboard",
    colors=("purple", "green", "red", "black"),
    lengths={"length": (0.058, 0.075), "width": (0.045, 0.06), "height": (0.04, 0.052)},
    roles=frozenset({"manipulated", "stackable", "small"}),
    build=_tea_box,
    synonyms=("tea packet", "box of tea"),
    trim={"trim": (0.85, 0.78, 0.55)},
)

BOARD = Category(
    name="board",
    family="boxes",
    split="seen",
    super_category="kitchenware",
    use="something to cut bread on",
    material="wood",
    colors=("brown", "teal", "black"),
    lengths={"length": (0.17, 0.2), "width": (0.13, 0.15), "height": (0.012, 0.02)},
    roles=frozenset({"support"}),
    build=_board,
    synonyms=("cutting board", "chopping board"),
    tints={"brown": (0.6, 0.4, 0.22)},
)

CRATE = Category(
    name="crate",
    family="boxes",
    split="seen",
    super_category="container",
    use="something to store things in",
    material="wood",
    colors=("brown", "red", "blue", "green"),
    lengths={"length": (0.16, 0.19), "width": (0.13, 0.15), "height": (0.045, 0.06)},
    roles=frozenset({"receptacle"}),
    build=_crate,
    synonyms=("wooden box", "open box"),
    tints={"brown": (0.55, 0.36, 0.19)},
)
