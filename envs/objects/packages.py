"""Packages: what is bought in a box."""

from __future__ import annotations

from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import slab
from vlabench.envs.objects.cuboids import cuboid
from vlabench.envs.objects.geometry import Mesh, Shape, Visual
from vlabench.envs.objects.lathes import solid_profile
from vlabench.envs.objects.meshes import (
    ellipsoid,
    hexahedron,
    joined,
    moved,
    revolve,
    rotated,
    rounded_box,
)


def _wrap(length: float, width: float, low: float, high: float, slot: str) -> Visual:
    """A printed band around a box."""
    size = (length + 0.0012, width + 0.0012, high - low)
    return Visual(rounded_box(size, 0.0008, (0.0, 0.0, (low + high) / 2)), slot)


def _carton(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    body = height * 0.8
    visuals = (
        Visual(rounded_box((length, width, body), 0.0015, (0.0, 0.0, body / 2))),
        Visual(_gable(length, width, body - 0.002, height)),
        Visual(rounded_box((length, 0.004, 0.01), 0.001, (0.0, 0.0, height - 0.005)), "print"),
        _wrap(length, width, body * 0.2, body * 0.62, "print"),
    )
    shape = cuboid(length, width, body, visuals=visuals)
    top = slab(length, 0.005, height - 0.01, height)
    roof = slab(length, width * 0.55, body, body + (height - body) * 0.45)
    return replace(
        shape,
        pieces=(*shape.pieces, roof, top),
        height=height,
        surface_radius=0.0,
        surface_half=None,
        surface_height=0.0,
    )


def _gable(length: float, width: float, low: float, high: float) -> Mesh:
    """The roof of a milk carton."""
    x, y, ridge = length / 2 - 0.0005, width / 2 - 0.0005, 0.0012
    at = [(-x, -y, low), (x, -y, low), (x, y, low), (-x, y, low)]
    top = high - 0.009
    at += [(-x, -ridge, top), (x, -ridge, top), (x, ridge, top), (-x, ridge, top)]
    return hexahedron(at)


def _cereal_box(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    picture = ellipsoid(
        (length / 2 + 0.0008, width * 0.34, height * 0.14), (0.0, 0.0, height * 0.36)
    )
    rings = [
        moved(
            ellipsoid((0.0009, 0.006, 0.006), (0.0, 0.0, 0.0), 6, 14),
            (side * (length / 2 + 0.0005), y, z),
        )
        for side in (-1, 1)
        for y, z in (
            (-width * 0.14, height * 0.36),
            (width * 0.12, height * 0.41),
            (0.0, height * 0.3),
        )
    ]
    trim = [
        _wrap(length, width, height * 0.66, height * 0.86, "print"),
        Visual(picture, "print"),
        Visual(joined(*rings), "flakes"),
    ]
    return cuboid(length, width, height, trim=trim)


def _butter(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    paper = length * 0.72
    visuals = (
        Visual(rounded_box((paper, width, height), 0.002, ((paper - length) / 2, 0.0, height / 2))),
        Visual(
            rounded_box(
                (length * 0.5, width - 0.002, height - 0.002),
                0.004,
                (length * 0.25, 0.0, (height - 0.002) / 2),
            ),
            "butter",
        ),
        Visual(
            rounded_box(
                (0.008, width + 0.0012, height + 0.0008), 0.002, (-length * 0.1, 0.0, height / 2)
            ),
            "print",
        ),
    )
    return cuboid(length, width, height, visuals=visuals)


def _tea_box(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    leaf = [
        rotated(ellipsoid((0.011, 0.005, 0.0006), (0.0, 0.0, 0.0), 6, 14), angle)
        for angle in (0.5, 2.6)
    ]
    leaves = [
        moved(part, (side * 0.008, 0.0, height + 0.0002))
        for side, part in zip((1, -1), leaf, strict=True)
    ]
    bag = rounded_box((0.012, 0.0008, 0.012), 0.0003, (0.0, -width / 2 - 0.0004, height * 0.5))
    trim = [
        _wrap(length, width, height * 0.3, height * 0.72, "print"),
        Visual(joined(*leaves), "leaf"),
        Visual(bag, "leaf"),
    ]
    return cuboid(length, width, height, trim=trim)


def _gift(lengths: Lengths) -> Shape:
    side, height = lengths["side"], lengths["height"]
    ribbons = [
        rounded_box(
            (side + 0.0014, 0.008, height + 0.0012), 0.001, (0.0, 0.0, (height + 0.0012) / 2)
        ),
        rounded_box(
            (0.008, side + 0.0014, height + 0.0012), 0.001, (0.0, 0.0, (height + 0.0012) / 2)
        ),
    ]
    loops = [
        moved(
            rotated(ellipsoid((0.009, 0.005, 0.003), (0.008, 0.0, 0.0), 8, 14), angle),
            (0.0, 0.0, height + 0.003),
        )
        for angle in (0.5, 2.4, 3.8, 5.7)
    ]
    knot = moved(revolve(solid_profile(0.004, 0.0, 0.006, 0.0015), 14), (0.0, 0.0, height))
    bow = Visual(joined(*ribbons, *loops, knot), "ribbon")
    shape = cuboid(side, side, height, trim=[bow])
    return replace(
        shape,
        pieces=(*shape.pieces, slab(0.02, 0.012, height, height + 0.006)),
        height=height + 0.006,
        surface_height=0.0,
        surface_radius=0.0,
        surface_half=None,
    )


CARTON = Category(
    name="carton",
    family="packages",
    split="seen",
    super_category="package",
    form="tall",
    use="something with milk in it",
    knowledge=(
        "thing full of milk",
        "folded paper thing with juice inside",
    ),
    fits=frozenset({"bottle", "butter"}),
    material="cardboard",
    density=700.0,
    colors=("blue", "orange", "green", "red"),
    lengths={"length": (0.046, 0.058), "width": (0.042, 0.054), "height": (0.095, 0.125)},
    roles=frozenset({"manipulated", "standing"}),
    build=_carton,
    synonyms=("milk carton", "drink carton"),
    trim={"print": (0.84, 0.83, 0.8)},
)

CEREAL_BOX = Category(
    name="cereal box",
    family="packages",
    split="seen",
    super_category="package",
    form="boxy",
    use="something with cornflakes in it",
    knowledge=(
        "crunchy breakfast that milk is poured over",
        "thing with a toy inside at breakfast",
    ),
    material="cardboard",
    density=350.0,
    colors=("yellow", "red", "blue", "purple"),
    lengths={"length": (0.034, 0.042), "width": (0.058, 0.066), "height": (0.1, 0.125)},
    roles=frozenset({"manipulated", "standing"}),
    build=_cereal_box,
    synonyms=("cornflakes box", "muesli box"),
    trim={"print": (0.85, 0.82, 0.74), "flakes": (0.72, 0.42, 0.1)},
)

BUTTER = Category(
    name="butter",
    family="packages",
    split="seen",
    super_category="package",
    form="boxy",
    use="something to spread on bread",
    knowledge=("dairy product that melts on toast", "fat that is churned from cream"),
    fits=frozenset({"jar"}),
    material="cardboard",
    density=900.0,
    colors=("blue", "green", "red", "white"),
    lengths={"length": (0.072, 0.086), "width": (0.044, 0.056), "height": (0.03, 0.04)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_butter,
    synonyms=("butter packet", "pack of butter"),
    trim={"butter": (0.87, 0.77, 0.45), "print": (0.8, 0.68, 0.3)},
)

TEA_BOX = Category(
    name="tea box",
    family="packages",
    split="unseen",
    super_category="package",
    form="boxy",
    use="something that little bags for a hot drink come in",
    knowledge=("thing with earl grey inside", "leaves from darjeeling for a pot of hot water"),
    material="cardboard",
    density=500.0,
    colors=("purple", "green", "red", "black"),
    lengths={"length": (0.058, 0.075), "width": (0.045, 0.06), "height": (0.04, 0.052)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_tea_box,
    synonyms=("tea packet", "box of tea"),
    trim={"print": (0.85, 0.78, 0.55), "leaf": (0.2, 0.42, 0.14)},
)

GIFT = Category(
    name="gift",
    family="packages",
    split="unseen",
    super_category="package",
    form="boxy",
    use="something to bring to a birthday party",
    knowledge=("thing to unwrap under a christmas tree", "surprise tied up with a ribbon"),
    material="cardboard",
    density=450.0,
    colors=("red", "blue", "green", "purple"),
    lengths={"side": (0.05, 0.062), "height": (0.036, 0.046)},
    roles=frozenset({"manipulated", "small", "pushable"}),
    build=_gift,
    synonyms=("present", "gift box"),
    trim={"ribbon": (0.86, 0.74, 0.3)},
)
