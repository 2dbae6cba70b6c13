"""Bottles: closed and tall, with a neck."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.collision import LIFT, base_plate, disc, slab, wall
from vlabench.envs.objects.cuboids import grasps_on_sides
from vlabench.envs.objects.geometry import Piece, Shape, Visual
from vlabench.envs.objects.grasps import grasps_round
from vlabench.envs.objects.lathes import Profile, band, closed, solid_profile
from vlabench.envs.objects.meshes import revolve, rounded_box


def _shouldered(body: float, neck: float, shoulder: float, slope: float, top: float) -> Profile:
    """A body up to `shoulder` that narrows into a neck within `slope`."""
    narrowing = [
        (neck + (body - neck) * 0.5 * (1 + math.cos(a)), shoulder + slope * (a / math.pi))
        for a in (k * math.pi / 6 for k in range(7))
    ]
    foot = [(0.0, 0.0), (body - 0.004, 0.0), (body, 0.004)]
    return [*foot, *narrowing, (neck, top), (0.0, top)]


def _label(radius: float, low: float, high: float) -> Visual:
    return Visual(band(radius, low, high), "label")


def _bottle(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    shoulder, neck = h * 0.6, 0.0135
    glass = Visual(revolve(_shouldered(r, neck, shoulder, h * 0.2, h - 0.014)))
    cap = Visual(revolve(solid_profile(neck + 0.0015, h - 0.02, h, 0.001)), "cap")
    visuals = [glass, _label(r, h * 0.16, h * 0.5), cap]
    return closed(visuals, r, h, shoulder=shoulder + h * 0.1, neck=neck)


def _ketchup(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    tip, top = 0.006, h - 0.034
    squeeze = [
        (0.0, 0.0),
        (r - 0.004, 0.0),
        (r, 0.004),
        (r, top * 0.86),
        (r * 0.6, top),
        (0.0, top),
    ]
    nozzle = [
        (0.0, top - 0.001),
        (r * 0.62, top - 0.001),
        (r * 0.62, top + 0.008),
        (r * 0.4, top + 0.012),
        (tip, h - 0.002),
        (tip - 0.002, h),
        (0.0, h),
    ]
    visuals = [
        Visual(revolve(squeeze)),
        Visual(revolve(nozzle), "cap"),
        _label(r, top * 0.25, top * 0.62),
    ]
    shape = closed(visuals, r, h, shoulder=top * 0.94, neck=r * 0.3, grasp_z=top * 0.94 - 0.016)
    return replace(shape, surface_radius=tip)


def _thermos(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    lid = h * 0.74
    flask = Visual(revolve(solid_profile(r, 0.0, lid)))
    cover = [(0.0, lid), (r * 0.93, lid), (r * 0.8, h - 0.004), (r * 0.74, h), (0.0, h)]
    rings = [Visual(band(r, z, z + 0.006), "cap") for z in (0.004, lid - 0.004)]
    visuals = [flask, Visual(revolve(cover), "cap"), *rings]
    return closed(visuals, r, h, shoulder=lid, neck=r * 0.85)


def _shampoo(lengths: Lengths) -> Shape:
    """A flat bottle with a pump: wide along y, as deep along x as it is high when it lies."""
    width, depth, h = lengths["width"], lengths["depth"], lengths["height"]
    body = h - 0.04
    head = (0.013, 0.036, 0.009)
    visuals = (
        Visual(rounded_box((depth, width, body), 0.009, (0.0, 0.0, body / 2))),
        Visual(
            rounded_box((depth + 0.001, width * 0.7, body * 0.5), 0.004, (0.0, 0.0, body * 0.48)),
            "label",
        ),
        Visual(revolve(solid_profile(0.012, body - 0.002, body + 0.012), 24), "cap"),
        Visual(revolve(solid_profile(0.004, body + 0.01, h - 0.006, 0.001), 12), "cap"),
        Visual(rounded_box(head, 0.004, (0.0, 0.009, h - 0.0045)), "cap"),
    )
    return Shape(
        visuals=visuals,
        pieces=(
            slab(depth, width, 0.0, body),
            disc(0.012, body, body + 0.012),
            disc(0.004, body + 0.012, h - 0.009),
            Piece("box", (head[0] / 2, head[1] / 2, head[2] / 2), (0.0, 0.009, h - head[2] / 2)),
        ),
        height=h,
        radius=math.hypot(depth, width) / 2,
        grasps=grasps_on_sides(depth, width, body - 0.012),
        lying=depth / 2,
    )


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
    lip = (inner[0][0] + thickness / 2, h + 0.001)
    profile = [(0.0, 0.0), *outer, lip, *inner, (0.0, floor)]
    mouth = neck + 0.002
    bands = (_label(r, h * 0.36, h * 0.44), _label(neck + 0.0008, h * 0.79, h * 0.82))
    return Shape(
        visuals=(Visual(revolve(profile)), *bands),
        pieces=(
            base_plate(neck * 0.68, neck * 0.68, floor),
            *wall(neck, r, LIFT, h * 0.4, thickness),
            *wall(r, neck, h * 0.4, h * 0.8, thickness),
            *wall(neck, mouth, h * 0.8, h, thickness),
        ),
        height=h,
        radius=r,
        grasps=grasps_round(2 * mouth, h - 0.014),
        surface_height=floor,
        surface_radius=neck - thickness,
    )


BOTTLE = Category(
    name="bottle",
    family="bottles",
    split="seen",
    super_category="container",
    form="tall",
    use="something to pour from",
    knowledge=("thing that carries a message across the sea", "thing from a wine cellar"),
    fits=frozenset({"carton", "ketchup", "kettle", "thermos"}),
    material="glass",
    density=800.0,
    colors=("green", "brown", "teal", "purple"),
    lengths={"radius": (0.027, 0.034), "height": (0.14, 0.175)},
    roles=frozenset({"manipulated", "standing"}),
    build=_bottle,
    synonyms=("flask", "wine bottle"),
    trim={"cap": (0.8, 0.78, 0.72), "label": (0.82, 0.79, 0.7)},
)

KETCHUP = Category(
    name="ketchup",
    family="bottles",
    split="seen",
    super_category="container",
    form="tall",
    use="something to squeeze over fries",
    knowledge=("thing with sauce for a hot dog", "thing that diners squeeze over fries"),
    material="plastic",
    density=900.0,
    colors=("red", "yellow", "brown"),
    lengths={"radius": (0.026, 0.031), "height": (0.135, 0.165)},
    roles=frozenset({"manipulated", "standing"}),
    build=_ketchup,
    synonyms=("sauce bottle", "squeeze bottle"),
    trim={"cap": (0.84, 0.83, 0.8), "label": (0.84, 0.8, 0.68)},
)

THERMOS = Category(
    name="thermos",
    family="bottles",
    split="seen",
    super_category="container",
    form="tall",
    use="something that keeps coffee hot on the way",
    knowledge=("thing for tea on a winter hike", "thing with a double wall against the cold"),
    material="metal",
    density=750.0,
    colors=("blue", "black", "red", "green"),
    lengths={"radius": (0.027, 0.033), "height": (0.13, 0.16)},
    roles=frozenset({"manipulated", "standing"}),
    build=_thermos,
    synonyms=("vacuum flask", "insulated bottle"),
    trim={"cap": (0.62, 0.63, 0.65)},
)

SHAMPOO = Category(
    name="shampoo",
    family="bottles",
    split="unseen",
    super_category="container",
    form="tall",
    use="something to wash hair with",
    knowledge=("thing for a shower", "thing with a pump that makes foam"),
    fits=frozenset({"soap"}),
    material="plastic",
    density=900.0,
    colors=("purple", "teal", "white", "orange"),
    lengths={"width": (0.056, 0.066), "height": (0.13, 0.155), "depth": (0.036, 0.042)},
    roles=frozenset({"manipulated", "standing"}),
    build=_shampoo,
    synonyms=("shampoo bottle", "pump bottle"),
    trim={"cap": (0.82, 0.82, 0.8), "label": (0.84, 0.82, 0.74)},
)

VASE = Category(
    name="vase",
    family="bottles",
    split="unseen",
    super_category="container",
    form="tall",
    use="something to put flowers in",
    knowledge=("thing for a bunch of roses", "precious porcelain of the ming dynasty"),
    fits=frozenset({"bottle", "glass"}),
    material="ceramic",
    density=1900.0,
    colors=("teal", "pink", "white", "purple"),
    lengths={"radius": (0.034, 0.042), "height": (0.1, 0.13)},
    roles=frozenset({"manipulated"}),
    build=_vase,
    synonyms=("flower vase", "urn"),
    trim={"label": (0.8, 0.66, 0.3)},
)
