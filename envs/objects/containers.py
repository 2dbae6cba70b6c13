"""Containers: round and closed, with a lid."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.lathes import band, closed, solid_profile
from vlabench.envs.objects.meshes import ellipsoid, joined, moved, revolve, tube


def _band(radius: float, low: float, high: float, slot: str) -> Visual:
    return Visual(band(radius, low, high), slot)


def _bead(radius: float, z: float) -> Visual:
    """A thin metal rim around an end."""
    return _band(radius, z - 0.0015, z + 0.0015, "metal")


def _can(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    body = Visual(revolve(solid_profile(r, 0.0, h - 0.004, 0.004)))
    lid = [
        (0.0, h - 0.006),
        (r - 0.003, h - 0.006),
        (r - 0.004, h),
        (r - 0.0055, h),
        (r - 0.007, h - 0.002),
        (0.0, h - 0.002),
    ]
    tab = Visual(
        moved(ellipsoid((0.009, 0.005, 0.0012), (0.006, 0.0, 0.0), 6, 14), (0.0, 0.0, h - 0.001)),
        "metal",
    )
    visuals = [
        body,
        Visual(revolve(lid), "metal"),
        tab,
        _bead(r - 0.002, 0.0015),
        _band(r, h * 0.3, h * 0.44, "stripe"),
    ]
    return closed(visuals, r, h)


def _tin(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    body = Visual(revolve(solid_profile(r - 0.0005, 0.0, h - 0.0035)))
    lid = [
        (0.0, h - 0.004),
        (r - 0.003, h - 0.004),
        (r - 0.003, h),
        (r - 0.005, h),
        (r - 0.006, h - 0.002),
        (0.0, h - 0.002),
    ]
    pull = [
        (0.008 + 0.006 * math.cos(a), 0.006 * math.sin(a), h - 0.0007)
        for a in (k * math.pi / 6 for k in range(13))
    ]
    visuals = [
        body,
        Visual(revolve(lid), "metal"),
        Visual(tube(pull, 0.0011, 6), "metal"),
        _bead(r, 0.0015),
        _bead(r, h - 0.0025),
        _band(r - 0.0005, h * 0.25, h * 0.75, "stripe"),
    ]
    return replace(closed(visuals, r, h), lying=0.0)


def _canister(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    lid = h * 0.82
    body = Visual(revolve(solid_profile(r - 0.0005, 0.0, lid)))
    cover = Visual(revolve(solid_profile(r, lid - 0.001, h - 0.008, 0.003)), "lid")
    knob = Visual(revolve(solid_profile(0.009, h - 0.009, h, 0.003), 20), "lid")
    visuals = [body, cover, knob, _band(r - 0.0005, h * 0.22, h * 0.56, "label")]
    return closed(visuals, r, h, shoulder=h - 0.008, neck=0.009, grasp_z=h - 0.024)


def _jar(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    shoulder, lid = h * 0.76, r * 0.88
    body = [
        (0.0, 0.0),
        (r - 0.003, 0.0),
        (r, 0.003),
        (r, shoulder - 0.006),
        (lid, shoulder),
        (0.0, shoulder),
    ]
    cap = Visual(revolve(solid_profile(lid + 0.001, shoulder - 0.001, h)), "lid")
    visuals = [Visual(revolve(body)), cap, _band(r, h * 0.2, h * 0.55, "label")]
    return closed(visuals, r, h, shoulder=shoulder, neck=lid)


def _shaker(lengths: Lengths) -> Shape:
    r, h = lengths["radius"], lengths["height"]
    cap = h * 0.72
    dome = [
        (0.0, cap - 0.001),
        *(
            (r * math.cos(a), cap + (h - cap) * math.sin(a))
            for a in (k * math.pi / 14 for k in range(7))
        ),
        (0.0, h),
    ]
    hole = ellipsoid((0.0016, 0.0016, 0.0012), (0.0, 0.0, 0.0), 5, 8)
    places = [(0.0, 0.0)] + [
        (0.35 * r * math.cos(a), 0.35 * r * math.sin(a))
        for a in (k * math.pi / 3 for k in range(6))
    ]
    holes = joined(
        *(moved(hole, (x, y, h - (0.0 if x == y == 0.0 else 0.0022))) for x, y in places)
    )
    visuals = [
        Visual(revolve(solid_profile(r - 0.001, 0.0, cap))),
        Visual(revolve(dome), "metal"),
        Visual(holes, "hole"),
    ]
    return replace(closed(visuals, r, h, shoulder=cap, neck=r * 0.84), surface_radius=0.0)


CAN = Category(
    name="can",
    family="containers",
    split="seen",
    super_category="container",
    form="tall",
    use="something with soda in it",
    knowledge=(
        "thing with a ring to pull before drinking",
        "thing from a vending machine that fizzes",
    ),
    fits=frozenset({"bottle", "tin"}),
    material="metal",
    density=900.0,
    colors=("red", "green", "blue", "orange"),
    lengths={"radius": (0.024, 0.032), "height": (0.08, 0.11)},
    roles=frozenset({"manipulated", "standing"}),
    build=_can,
    synonyms=("soda can", "drink can"),
    trim={"metal": (0.66, 0.67, 0.69), "stripe": (0.82, 0.81, 0.78)},
)

TIN = Category(
    name="tin",
    family="containers",
    split="seen",
    super_category="container",
    form="round",
    use="something that tuna is sold in",
    knowledge=("thing full of sardines", "flat thing with cat food inside"),
    fits=frozenset({"can"}),
    material="metal",
    density=1000.0,
    colors=("yellow", "blue", "teal", "red"),
    lengths={"radius": (0.029, 0.034), "height": (0.028, 0.036)},
    roles=frozenset({"manipulated", "stackable", "small", "pushable"}),
    build=_tin,
    synonyms=("tuna can", "fish tin"),
    trim={"metal": (0.66, 0.67, 0.69), "stripe": (0.84, 0.8, 0.66)},
)

CANISTER = Category(
    name="canister",
    family="containers",
    split="seen",
    super_category="container",
    form="tall",
    use="something to keep flour in",
    knowledge=(
        "thing on a pantry shelf for sugar",
        "thing with a knob on its lid for coffee beans",
    ),
    fits=frozenset({"jar", "tin"}),
    material="ceramic",
    density=700.0,
    colors=("white", "teal", "orange", "blue"),
    lengths={"radius": (0.029, 0.034), "height": (0.085, 0.11)},
    roles=frozenset({"manipulated", "standing"}),
    build=_canister,
    synonyms=("storage jar", "kitchen canister"),
    trim={"lid": (0.55, 0.38, 0.22), "label": (0.24, 0.2, 0.17)},
)

JAR = Category(
    name="jar",
    family="containers",
    split="unseen",
    super_category="container",
    form="tall",
    use="something that jam is kept in",
    knowledge=("thing full of honey", "thing for grandmother's marmalade"),
    fits=frozenset({"canister"}),
    material="glass",
    density=1000.0,
    colors=("orange", "purple", "red", "brown"),
    lengths={"radius": (0.025, 0.033), "height": (0.074, 0.092)},
    roles=frozenset({"manipulated", "standing"}),
    build=_jar,
    synonyms=("jam jar", "preserving jar"),
    trim={"lid": (0.78, 0.66, 0.36), "label": (0.84, 0.81, 0.72)},
)

SHAKER = Category(
    name="shaker",
    family="containers",
    split="unseen",
    super_category="container",
    form="tall",
    use="something to season soup with",
    knowledge=("thing with small holes that salt comes from", "thing to pass when food is bland"),
    material="ceramic",
    density=900.0,
    colors=("white", "black", "red", "green"),
    lengths={"radius": (0.02, 0.025), "height": (0.07, 0.09)},
    roles=frozenset({"manipulated", "standing"}),
    build=_shaker,
    synonyms=("salt shaker", "salt cellar"),
    trim={"metal": (0.62, 0.63, 0.65), "hole": (0.1, 0.1, 0.1)},
)
