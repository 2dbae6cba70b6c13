"""Drinkware: mugs, cups and glasses."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc, wall
from vlabench.envs.objects.geometry import Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_rim
from vlabench.envs.objects.lathes import RIM_GRASP, rounded_bowl, vessel
from vlabench.envs.objects.meshes import hoop, moved, revolve, torus, tube

_BESIDE_HANDLE = [k * math.pi / 4 for k in range(1, 8)]
"""All around a rim but where the handle is, at angle 0."""


def _ear(radius: float, middle: float, size: float) -> tuple[Visual, Piece, float]:
    """A handle at angle 0: what is seen, what is touched, and how far it reaches."""
    path: list[Vector] = [
        (
            radius - 0.003 + 0.52 * size * math.sin(a),
            0.0,
            middle + 0.5 * size * math.cos(a),
        )
        for a in (k * math.pi / 12 for k in range(13))
    ]
    reach = radius - 0.003 + 0.52 * size
    piece = Piece("box", (0.004, 0.0045, size * 0.42), (reach - 0.004, 0.0, middle))
    return Visual(tube(path, 0.0048)), piece, reach + 0.0048


def _mug(lengths: Lengths) -> Shape:
    radius, height, thickness = lengths["radius"], lengths["height"], lengths["wall"]
    handle, piece, reach = _ear(radius, height * 0.5, 0.5 * height)
    shape = vessel(
        radius * 0.95, radius, height, thickness, rim_angles=_BESIDE_HANDLE, trim=[handle]
    )
    return replace(shape, pieces=(*shape.pieces, piece), radius=reach)


def _cup(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    foot = rim * lengths["taper"]
    band = (foot + rim) / 2
    loop = [(-0.001, -0.004), (0.0022, -0.003), (0.0026, 0.003), (-0.001, 0.004)]
    stripe = moved(hoop([(band + r, z) for r, z in loop]), (0.0, 0.0, height / 2))
    return vessel(foot, rim, height, 0.004, trim=[Visual(stripe, "stripe")])


def _glass(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = vessel(radius, radius, height, 0.004, floor=0.012)
    level = height * 0.8
    drink = [(0.0, 0.012), (radius - 0.0041, 0.0125), (radius - 0.0041, level), (0.0, level)]
    return replace(shape, lying=radius, visuals=(*shape.visuals, Visual(revolve(drink), "drink")))


def _teacup(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = rounded_bowl(rim * 0.55, rim, height, 0.004, floor=0.007)
    handle, piece, reach = _ear(rim - 0.002, height * 0.58, 0.5 * height)
    band = Visual(torus(rim - 0.002, 0.0055, height - 0.0035, 8), "rim")
    return replace(
        shape,
        visuals=(*shape.visuals, handle, band),
        pieces=(*shape.pieces, piece),
        radius=reach,
        grasps=grasps_rim(rim - 0.002, height - 0.016, 0.005, _BESIDE_HANDLE),
    )


def _goblet(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    foot, thickness, bottom = rim * 0.86, 0.004, height * 0.45
    profile = [
        (0.0, 0.0),
        (foot - 0.001, 0.0),
        (foot, 0.002),
        (foot * 0.6, 0.005),
        (0.006, 0.010),
        (0.0055, bottom - 0.008),
        (rim * 0.6, bottom),
        (rim * 0.92, bottom + 0.014),
        (rim, bottom + 0.03),
        (rim * 0.97, height - 0.002),
        (rim * 0.97 - thickness / 2, height),
        (rim * 0.97 - thickness, height - 0.002),
        (rim - thickness, bottom + 0.03),
        (rim * 0.9 - thickness, bottom + 0.017),
        (rim * 0.55, bottom + 0.006),
        (0.0, bottom + 0.005),
    ]
    return Shape(
        visuals=(Visual(revolve(profile)),),
        pieces=(
            base_plate(foot * 0.68, foot * 0.68),
            disc(foot, LIFT, 0.005),
            disc(0.006, 0.005, bottom),
            disc(rim * 0.75, bottom - 0.004, bottom + 0.005),
            *wall(rim * 0.82, rim, bottom, bottom + 0.026, thickness),
            *wall(rim, rim * 0.97, bottom + 0.026, height, thickness),
        ),
        height=height,
        radius=rim,
        grasps=grasps_rim(rim * 0.975 - thickness / 2, height - RIM_GRASP, thickness),
        surface_height=bottom + 0.005,
        surface_radius=rim * 0.7,
    )


MUG = Category(
    name="mug",
    family="drinkware",
    split="seen",
    super_category="drinking vessel",
    form="tall",
    use="something to drink coffee from",
    knowledge=("thing for a hot drink at breakfast", "thing for serving hot chocolate"),
    fits=frozenset({"cup", "teacup"}),
    material="ceramic",
    density=1750.0,
    colors=("red", "blue", "white", "green", "yellow"),
    lengths={"radius": (0.031, 0.04), "height": (0.072, 0.1), "wall": (0.0035, 0.0055)},
    roles=frozenset({"manipulated"}),
    build=_mug,
    synonyms=("coffee mug", "coffee cup"),
)

CUP = Category(
    name="cup",
    family="drinkware",
    split="seen",
    super_category="drinking vessel",
    form="tall",
    use="something to drink water from",
    knowledge=(
        "thing that a child drinks from at a picnic",
        "thing for serving lemonade to children",
    ),
    fits=frozenset({"glass", "mug"}),
    material="plastic",
    density=1500.0,
    colors=("green", "orange", "pink", "blue"),
    lengths={"radius": (0.03, 0.04), "height": (0.075, 0.11), "taper": (0.68, 0.82)},
    roles=frozenset({"manipulated"}),
    build=_cup,
    synonyms=("beaker", "plastic cup"),
    trim={"stripe": (0.84, 0.82, 0.76)},
)

GLASS = Category(
    name="glass",
    family="drinkware",
    split="seen",
    super_category="drinking vessel",
    form="tall",
    use="something to drink juice from",
    knowledge=("thing for a drink with ice and a straw", "thing to pour a cold drink into"),
    fits=frozenset({"cup", "goblet", "bottle", "jar", "mug"}),
    material="glass",
    density=1700.0,
    colors=("teal", "white", "purple", "blue"),
    lengths={"radius": (0.03, 0.0345), "height": (0.085, 0.115)},
    roles=frozenset({"manipulated", "standing"}),
    build=_glass,
    synonyms=("tumbler", "drinking glass"),
    tints={"white": (0.8, 0.84, 0.85)},
    trim={"drink": (0.85, 0.5, 0.1)},
)

TEACUP = Category(
    name="teacup",
    family="drinkware",
    split="unseen",
    super_category="drinking vessel",
    form="hollow",
    use="something to drink tea from",
    knowledge=("thing that belongs on a saucer", "thing to drink from with a raised little finger"),
    fits=frozenset({"mug", "cup"}),
    material="ceramic",
    density=1750.0,
    colors=("white", "pink", "teal", "blue"),
    lengths={"radius": (0.04, 0.048), "height": (0.046, 0.056)},
    roles=frozenset({"manipulated"}),
    build=_teacup,
    synonyms=("tea cup", "china cup"),
    trim={"rim": (0.8, 0.62, 0.2)},
)

GOBLET = Category(
    name="goblet",
    family="drinkware",
    split="unseen",
    super_category="drinking vessel",
    form="tall",
    use="something to drink wine from",
    knowledge=("thing to raise for a toast", "thing with a stem that a king drinks from"),
    fits=frozenset({"cup", "glass"}),
    material="metal",
    density=2600.0,
    colors=("yellow", "white", "red", "purple"),
    lengths={"radius": (0.032, 0.037), "height": (0.1, 0.125)},
    roles=frozenset({"manipulated"}),
    build=_goblet,
    synonyms=("chalice", "wine glass"),
)
