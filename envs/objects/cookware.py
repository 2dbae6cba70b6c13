"""Cookware: what stands on a stove."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc, rod, slab
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across_bar, grasps_rim
from vlabench.envs.objects.lathes import band, rounded_bowl, solid_profile, vessel
from vlabench.envs.objects.meshes import moved, revolve, rounded_box, tube

_AWAY_FROM_HANDLE = [k * math.pi / 4 for k in range(2, 7)]
_BETWEEN_LUGS = [math.pi / 2 + k * math.pi / 6 for k in (-1, 0, 1, 5, 6, 7)]


def _with_handle(shape: Shape, start: float, length: float, z: float) -> Shape:
    """A pan with a straight handle along x."""
    end = start + length
    neck: list[Vector] = [(start - 0.004, 0.0, z), (start + 0.02, 0.0, z)]
    grip = rounded_box(
        (length - 0.012, 0.018, 0.012), 0.005, ((start + 0.012 + end) / 2, 0.0, z + 0.001)
    )
    return replace(
        shape,
        visuals=(*shape.visuals, Visual(tube(neck, 0.005), "metal"), Visual(grip, "handle")),
        pieces=(
            *shape.pieces,
            Piece("box", (length / 2, 0.008, 0.005), ((start + end) / 2, 0.0, z)),
        ),
        radius=end,
    )


def _pot(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = vessel(radius, radius, height, 0.004, rim_angles=_BETWEEN_LUGS)
    z, out = height - 0.014, radius + 0.016
    paths: list[list[Vector]] = [
        [
            (side * (radius - 0.002), -0.018, z),
            (side * out, -0.015, z + 0.001),
            (side * out, 0.015, z + 0.001),
            (side * (radius - 0.002), 0.018, z),
        ]
        for side in (-1, 1)
    ]
    lugs = [Visual(tube(path, 0.004, 10), "handle") for path in paths]
    boxes = [
        Piece("box", (0.004, 0.016, 0.004), (side * (out - 0.002), 0.0, z)) for side in (-1, 1)
    ]
    return replace(
        shape,
        visuals=(*shape.visuals, *lugs, Visual(band(radius, height - 0.006, height - 0.002))),
        pieces=(*shape.pieces, *boxes),
        radius=out + 0.004,
    )


def _frying_pan(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = vessel(radius * 0.84, radius, height, 0.0045, rim_angles=_AWAY_FROM_HANDLE)
    coat = solid_profile(radius * 0.84 - 0.0055, 0.005, 0.0065, 0.0005)
    shape = replace(shape, visuals=(*shape.visuals, Visual(revolve(coat), "coat")))
    return _with_handle(_low_grasps(shape), radius - 0.004, lengths["handle"], height - 0.007)


def _low_grasps(shape: Shape) -> Shape:
    """A low rim is taken with the fingertips just above the table."""
    grasps = tuple(
        replace(g, position=np.array([g.position[0], g.position[1], max(0.016, g.position[2])]))
        for g in shape.grasps
    )
    return replace(shape, grasps=grasps)


def _saucepan(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = vessel(radius, radius, height, 0.004, rim_angles=_AWAY_FROM_HANDLE)
    lip = Visual(band(radius, height - 0.006, height - 0.002), "metal")
    shape = replace(shape, visuals=(*shape.visuals, lip))
    return _with_handle(shape, radius - 0.002, lengths["handle"], height - 0.012)


def _wok(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    shape = rounded_bowl(radius * 0.42, radius, height, 0.0045)
    angles = _AWAY_FROM_HANDLE
    shape = replace(shape, grasps=grasps_rim(radius - 0.00225, height - 0.016, 0.0045, angles))
    return _with_handle(shape, radius - 0.004, lengths["handle"], height - 0.008)


def _kettle(lengths: Lengths) -> Shape:
    radius, height = lengths["radius"], lengths["height"]
    body, bar = height * 0.62, height - 0.006
    profile = [
        (0.0, 0.0),
        (radius * 0.92, 0.0),
        (radius, 0.006),
        (radius * 0.98, body * 0.4),
        (radius * 0.8, body * 0.75),
        (radius * 0.45, body * 0.95),
        (radius * 0.4, body),
        (0.0, body),
    ]
    knob = moved(revolve(solid_profile(0.006, 0.0, 0.008), 16), (0.0, 0.0, body - 0.001))
    spout: list[Vector] = [
        (radius * 0.8, 0.0, body * 0.45),
        (radius * 1.1, 0.0, body * 0.62),
        (radius * 1.22, 0.0, body * 0.85),
    ]
    return Shape(
        visuals=(
            Visual(revolve(profile)),
            Visual(tube(spout, [0.012, 0.009, 0.0065])),
            Visual(_bail(radius * 0.62, body * 0.8, bar), "handle"),
            Visual(knob, "handle"),
        ),
        pieces=(
            base_plate(radius * 0.68, radius * 0.68),
            disc(radius, LIFT, body * 0.5),
            disc(radius * 0.82, body * 0.5, body * 0.78),
            disc(radius * 0.5, body * 0.78, body),
            rod(radius, radius * 1.22 + 0.004, 0.007, body * 0.7),
            rod(-radius * 0.5, radius * 0.5, 0.0055, bar - 0.0005),
            *(slab(0.008, 0.008, body * 0.8, bar, side * radius * 0.56) for side in (-1, 1)),
        ),
        height=height,
        radius=radius * 1.22 + 0.006,
        grasps=grasps_across_bar(0.011, bar - 0.002),
    )


def _bail(half: float, low: float, high: float) -> Mesh:
    """An upright handle over the lid, level where it is held."""
    path: list[Vector] = [
        (-half, 0.0, low),
        (-half, 0.0, (low + high) / 2),
        (-half * 0.8, 0.0, high),
        (half * 0.8, 0.0, high),
        (half, 0.0, (low + high) / 2),
        (half, 0.0, low),
    ]
    return tube(path, 0.0055)


POT = Category(
    name="pot",
    family="cookware",
    split="seen",
    super_category="cooking vessel",
    form="hollow",
    use="something to boil noodles in",
    knowledge=("thing for simmering a stew", "thing with two ears for cooking soup"),
    fits=frozenset({"saucepan", "kettle"}),
    material="metal",
    density=1550.0,
    colors=("red", "blue", "teal", "white"),
    lengths={"radius": (0.06, 0.072), "height": (0.05, 0.064)},
    roles=frozenset({"cookware"}),
    build=_pot,
    synonyms=("cooking pot", "casserole"),
    trim={"handle": (0.1, 0.1, 0.11)},
)

FRYING_PAN = Category(
    name="frying pan",
    family="cookware",
    split="seen",
    super_category="cooking vessel",
    form="flat",
    use="something to fry eggs in",
    knowledge=("thing for making pancakes", "thing to make bacon sizzle"),
    fits=frozenset({"wok"}),
    material="metal",
    density=1700.0,
    colors=("black", "red", "green"),
    lengths={"radius": (0.058, 0.066), "height": (0.03, 0.036), "handle": (0.045, 0.052)},
    roles=frozenset({"cookware"}),
    build=_frying_pan,
    synonyms=("skillet", "pan"),
    trim={"handle": (0.16, 0.12, 0.1), "metal": (0.62, 0.63, 0.65), "coat": (0.2, 0.2, 0.21)},
)

SAUCEPAN = Category(
    name="saucepan",
    family="cookware",
    split="seen",
    super_category="cooking vessel",
    form="hollow",
    use="something to warm milk in",
    knowledge=("thing for making gravy", "small deep thing for melting butter"),
    fits=frozenset({"pot", "frying pan", "kettle"}),
    material="metal",
    density=1700.0,
    colors=("orange", "blue", "yellow", "white"),
    lengths={"radius": (0.052, 0.06), "height": (0.048, 0.06), "handle": (0.048, 0.058)},
    roles=frozenset({"cookware"}),
    build=_saucepan,
    synonyms=("sauce pan", "milk pan"),
    trim={"handle": (0.1, 0.1, 0.11), "metal": (0.62, 0.63, 0.65)},
)

WOK = Category(
    name="wok",
    family="cookware",
    split="unseen",
    super_category="cooking vessel",
    form="hollow",
    use="something to stir vegetables in over a big flame",
    knowledge=("thing for making fried rice", "thing from a chinese kitchen"),
    fits=frozenset({"frying pan"}),
    material="metal",
    density=1500.0,
    colors=("black", "brown", "teal"),
    lengths={"radius": (0.066, 0.074), "height": (0.042, 0.052), "handle": (0.042, 0.048)},
    roles=frozenset({"cookware"}),
    build=_wok,
    synonyms=("stir-fry pan",),
    trim={"handle": (0.5, 0.33, 0.18), "metal": (0.62, 0.63, 0.65)},
)

KETTLE = Category(
    name="kettle",
    family="cookware",
    split="unseen",
    super_category="cooking vessel",
    form="round",
    use="something to boil water for tea in",
    knowledge=("thing that whistles when it is hot", "thing with a spout that steams"),
    fits=frozenset({"pot", "saucepan"}),
    material="metal",
    density=600.0,
    colors=("red", "teal", "white", "yellow"),
    lengths={"radius": (0.05, 0.058), "height": (0.095, 0.112)},
    roles=frozenset({"cookware"}),
    build=_kettle,
    synonyms=("teakettle", "water kettle"),
    trim={"handle": (0.1, 0.1, 0.11)},
)
