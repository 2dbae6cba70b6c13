"""Vessels: things turned on a lathe, hollow or closed.

Hollow ones hold things: their walls are rings of thin boxes around a box base.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import (
    LIFT,
    Piece,
    Shape,
    Visual,
    base_plate,
    grasp_height,
    grasps_rim,
    grasps_round,
    revolve,
    tube,
    wall,
)

_MUG_RIM_ANGLES = [k * math.pi / 4 for k in range(1, 8)]
"""All around but where the handle is, at angle 0."""

_ALL_AROUND = [k * math.pi / 4 for k in range(8)]


def _hollow(
    foot: float, rim: float, height: float, wall_thickness: float, floor: float
) -> list[tuple[float, float]]:
    """The profile of an open vessel with a slightly rounded foot and rim."""
    t = wall_thickness
    return [
        (0.0, 0.0),
        (foot - 0.002, 0.0),
        (foot, 0.002),
        (rim, height - t / 2),
        (rim - t / 2, height),
        (rim - t, height - t / 2),
        (foot - t + 0.001, floor + 0.003),
        (foot - t - 0.004, floor),
        (0.0, floor),
    ]


def _closed_body(radius: float, low: float, high: float) -> Piece:
    half = (high - low) / 2
    return Piece("cylinder", (radius, half, 0.0), (0.0, 0.0, low + half))


def _disc(radius: float, height: float) -> Piece:
    """A floor that reaches further than the box base under it."""
    return _closed_body(radius, LIFT, height)


def _mug(lengths: Lengths) -> Shape:
    radius, height, thickness = lengths["radius"], lengths["height"], lengths["wall"]
    floor, handle = 0.006, 0.55 * height
    arc = [
        (
            radius - 0.003 + 0.52 * handle * math.sin(a),
            0.0,
            height * 0.5 + 0.5 * handle * math.cos(a),
        )
        for a in (k * math.pi / 12 for k in range(13))
    ]
    out = radius - 0.003 + 0.52 * handle
    return Shape(
        visuals=(
            Visual(revolve(_hollow(radius * 0.94, radius, height, thickness, floor))),
            Visual(tube(arc, 0.0048)),
        ),
        pieces=(
            base_plate(radius * 0.66, radius * 0.66, floor),
            *wall(radius * 0.95, radius, LIFT, height, thickness),
            Piece("box", (0.004, 0.0045, handle * 0.42), (out - 0.004, 0.0, height * 0.5)),
        ),
        mass=0.17,
        height=height,
        radius=out,
        grasps=grasps_rim(radius - thickness / 2, height - 0.018, thickness, _MUG_RIM_ANGLES),
        surface_height=floor,
        surface_radius=radius - thickness - 0.006,
    )


def _cup(lengths: Lengths) -> Shape:
    rim, height, thickness = lengths["radius"], lengths["height"], 0.004
    foot, floor = rim * lengths["taper"], 0.006
    return Shape(
        visuals=(Visual(revolve(_hollow(foot, rim, height, thickness, floor))),),
        pieces=(
            base_plate(foot * 0.66, foot * 0.66, floor),
            *wall(foot, rim, LIFT, height, thickness),
        ),
        mass=0.12,
        height=height,
        radius=rim,
        grasps=grasps_rim(rim - thickness / 2, height - 0.018, thickness, _ALL_AROUND),
        surface_height=floor,
        surface_radius=foot - thickness - 0.004,
    )


def _bowl(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    foot, thickness, floor = rim * 0.52, 0.005, 0.008
    outer = [
        (foot + (rim - foot) * math.sin(a), 0.004 + (height - 0.006) * (1 - math.cos(a)))
        for a in (k * math.pi / 2 / 8 for k in range(9))
    ]
    inner = [(r - thickness, max(z, floor)) for r, z in reversed(outer[1:])]
    profile = [
        (0.0, 0.0),
        (foot - 0.002, 0.0),
        *outer,
        (rim - thickness / 2, height),
        *inner,
        (foot - 0.008, floor),
        (0.0, floor),
    ]
    knee = (foot + (rim - foot) * 0.72, 0.004 + height * 0.31)
    return Shape(
        visuals=(Visual(revolve(profile)),),
        pieces=(
            base_plate(foot * 0.7, foot * 0.7, floor),
            _disc(foot, floor),
            *wall(foot, knee[0], LIFT, knee[1], 0.006),
            *wall(knee[0], rim, knee[1], height, thickness),
        ),
        mass=0.32,
        height=height,
        radius=rim,
        grasps=grasps_rim(rim - thickness / 2, height - 0.016, thickness, _ALL_AROUND),
        surface_height=floor,
        surface_radius=rim - thickness - 0.004,
    )


def _plate(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    foot, floor = rim * 0.66, 0.006
    profile = [
        (0.0, 0.0),
        (foot - 0.004, 0.0),
        (foot, 0.002),
        (rim - 0.004, height - 0.004),
        (rim, height - 0.001),
        (rim - 0.002, height),
        (rim - 0.010, height - 0.001),
        (foot - 0.002, floor + 0.0015),
        (foot - 0.008, floor),
        (0.0, floor),
    ]
    return Shape(
        visuals=(Visual(revolve(profile, 48)),),
        pieces=(
            base_plate(foot * 0.71, foot * 0.71, floor),
            _disc(foot, floor),
            *wall(foot, rim - 0.004, LIFT + 0.001, height - 0.004, 0.005, pieces=16),
        ),
        mass=0.34,
        height=height,
        radius=rim,
        surface_height=floor,
        surface_radius=foot,
    )


def _coaster(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    profile = [
        (0.0, 0.0),
        (radius - 0.001, 0.0),
        (radius, 0.001),
        (radius, height - 0.001),
        (radius - 0.001, height),
        (0.0, height),
    ]
    return Shape(
        visuals=(Visual(revolve(profile, 48)),),
        pieces=(
            base_plate(radius * 0.7, radius * 0.7, height),
            _disc(radius, height),
        ),
        mass=0.15,
        height=height,
        radius=radius,
        surface_height=height,
        surface_radius=radius,
    )


def _closed(
    profile: Sequence[tuple[float, float]],
    trim: Sequence[Sequence[tuple[float, float]]],
    body: float,
    neck: float,
    shoulder: float,
    height: float,
    mass: float,
) -> Shape:
    """A closed vessel: a body up to `shoulder`, a neck above; grasped where its top is."""
    grasp_z = grasp_height(height)
    pieces = [base_plate(body * 0.68, body * 0.68), _closed_body(body, LIFT, shoulder)]
    if height > shoulder:
        pieces.append(_closed_body(neck, shoulder, height))
    width = 2 * (neck if grasp_z > shoulder else body)
    return Shape(
        visuals=(Visual(revolve(profile)), *(Visual(revolve(part), "trim") for part in trim)),
        pieces=tuple(pieces),
        mass=mass,
        height=height,
        radius=body,
        grasps=grasps_round(width, grasp_z),
        surface_height=height,
        surface_radius=neck,
    )


def _can(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    body = [(0.0, 0.002), (r, 0.002), (r, h - 0.005), (0.0, h - 0.005)]
    rims = [
        [(0.0, 0.0), (r - 0.003, 0.0), (r + 0.0008, 0.003), (r + 0.0008, 0.006), (0.0, 0.006)],
        [
            (0.0, h - 0.006),
            (r + 0.0008, h - 0.006),
            (r + 0.0008, h - 0.003),
            (r - 0.002, h),
            (r - 0.004, h - 0.002),
            (0.0, h - 0.002),
        ],
    ]
    return _closed(body, rims, r, r, h, h, 0.2)


def _jar(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    shoulder, lid = h * 0.76, r * 0.86
    body = [
        (0.0, 0.0),
        (r - 0.003, 0.0),
        (r, 0.003),
        (r, shoulder - 0.006),
        (lid, shoulder),
        (0.0, shoulder),
    ]
    cap = [
        (0.0, shoulder - 0.001),
        (lid + 0.001, shoulder - 0.001),
        (lid + 0.001, h - 0.002),
        (lid - 0.001, h),
        (0.0, h),
    ]
    return _closed(body, [cap], r, lid, shoulder, h, 0.22)


def _bottle(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    shoulder, neck = h * 0.62, 0.014
    slope = [
        (
            neck + (r - neck) * 0.5 * (1 + math.cos(a)),
            shoulder + (h * 0.2) * (a / math.pi),
        )
        for a in (k * math.pi / 6 for k in range(7))
    ]
    body = [(0.0, 0.0), (r - 0.004, 0.0), (r, 0.004), *slope, (neck, h - 0.014), (0.0, h - 0.014)]
    cap = [(0.0, h - 0.02), (neck + 0.002, h - 0.02), (neck + 0.002, h), (0.0, h)]
    return _closed(body, [cap], r, neck, shoulder + h * 0.1, h, 0.24)


def _vase(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    neck, thickness, floor = r * 0.62, 0.004, 0.008
    outer = []
    for k in range(17):
        u = k / 16
        belly = math.sin(math.pi * min(u / 0.8, 1.0))
        flare = max(0.0, u - 0.78) / 0.22
        outer.append((neck + (r - neck) * belly + 0.006 * flare * flare, h * u))
    inner = [(x - thickness, z) for x, z in reversed(outer) if z > floor]
    profile = [
        (0.0, 0.0),
        *outer,
        (inner[0][0] + thickness / 2, h + 0.001),
        *inner,
        (0.0, floor),
    ]
    mouth = neck + 0.002
    return Shape(
        visuals=(Visual(revolve(profile)),),
        pieces=(
            base_plate(neck * 0.68, neck * 0.68, floor),
            *wall(neck, r, LIFT, h * 0.4, thickness),
            *wall(r, neck, h * 0.4, h * 0.8, thickness),
            *wall(neck, mouth, h * 0.8, h, thickness),
        ),
        mass=0.2,
        height=h,
        radius=r,
        grasps=grasps_round(2 * mouth, h - 0.014),
        surface_height=floor,
        surface_radius=neck - thickness,
    )


MUG = Category(
    name="mug",
    family="vessels",
    split="seen",
    super_category="dishware",
    use="something to drink coffee from",
    material="ceramic",
    colors=("red", "blue", "white", "green", "yellow"),
    lengths={"radius": (0.032, 0.042), "height": (0.072, 0.1), "wall": (0.0035, 0.0055)},
    roles=frozenset({"manipulated"}),
    build=_mug,
    synonyms=("coffee cup", "coffee mug"),
)

CUP = Category(
    name="cup",
    family="vessels",
    split="seen",
    super_category="dishware",
    use="something to drink water from",
    material="plastic",
    colors=("green", "orange", "pink", "blue"),
    lengths={"radius": (0.03, 0.04), "height": (0.075, 0.11), "taper": (0.68, 0.82)},
    roles=frozenset({"manipulated"}),
    build=_cup,
    synonyms=("tumbler", "beaker"),
)

BOWL = Category(
    name="bowl",
    family="vessels",
    split="seen",
    super_category="dishware",
    use="something to eat soup from",
    material="ceramic",
    colors=("blue", "white", "green", "red"),
    lengths={"radius": (0.072, 0.09), "height": (0.046, 0.062)},
    roles=frozenset({"receptacle"}),
    build=_bowl,
    synonyms=("dish", "basin"),
)

PLATE = Category(
    name="plate",
    family="vessels",
    split="seen",
    super_category="dishware",
    use="something to eat from",
    material="ceramic",
    colors=("white", "blue", "yellow", "teal"),
    lengths={"radius": (0.085, 0.105), "height": (0.015, 0.021)},
    roles=frozenset({"support"}),
    build=_plate,
    synonyms=("dinner plate", "platter"),
)

COASTER = Category(
    name="coaster",
    family="vessels",
    split="seen",
    super_category="dishware",
    use="something that keeps rings off the table",
    material="wood",
    colors=("brown", "black", "teal", "red"),
    lengths={"radius": (0.055, 0.07), "height": (0.006, 0.011)},
    roles=frozenset({"support"}),
    build=_coaster,
    synonyms=("drink mat", "drip mat"),
)

CAN = Category(
    name="can",
    family="vessels",
    split="seen",
    super_category="food",
    use="something with soda in it",
    material="metal",
    colors=("red", "green", "blue", "orange"),
    lengths={"radius": (0.024, 0.032), "height": (0.08, 0.11)},
    roles=frozenset({"manipulated"}),
    build=_can,
    synonyms=("soda can", "tin can"),
    trim={"trim": (0.62, 0.63, 0.65)},
)

BOTTLE = Category(
    name="bottle",
    family="vessels",
    split="seen",
    super_category="food",
    use="something to pour from",
    material="glass",
    colors=("green", "brown", "teal", "purple"),
    lengths={"radius": (0.027, 0.034), "height": (0.14, 0.175)},
    roles=frozenset({"manipulated"}),
    build=_bottle,
    synonyms=("flask",),
    trim={"trim": (0.8, 0.78, 0.72)},
)

JAR = Category(
    name="jar",
    family="vessels",
    split="unseen",
    super_category="food",
    use="something that jam is kept in",
    material="glass",
    colors=("orange", "purple", "red", "brown"),
    lengths={"radius": (0.025, 0.033), "height": (0.065, 0.09)},
    roles=frozenset({"manipulated"}),
    build=_jar,
    synonyms=("jam jar", "pot"),
    trim={"trim": (0.78, 0.66, 0.36)},
)

VASE = Category(
    name="vase",
    family="vessels",
    split="unseen",
    super_category="decoration",
    use="something to put flowers in",
    material="ceramic",
    colors=("teal", "pink", "white", "purple"),
    lengths={"radius": (0.034, 0.042), "height": (0.1, 0.13)},
    roles=frozenset({"manipulated"}),
    build=_vase,
    synonyms=("flower vase",),
)
