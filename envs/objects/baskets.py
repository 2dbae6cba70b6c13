"""Baskets: large open things to put others into."""

from __future__ import annotations

import math
from dataclasses import replace

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.cuboids import open_box
from vlabench.envs.objects.geometry import Shape, Visual
from vlabench.envs.objects.lathes import vessel
from vlabench.envs.objects.meshes import arc, joined, rounded_box, torus, tube


def _crate(lengths: Lengths) -> Shape:
    length, width, height = lengths["length"], lengths["width"], lengths["height"]
    shape = open_box(length, width, height)
    x, y = length / 2 - 0.003, width / 2 - 0.003
    posts = [
        rounded_box((0.009, 0.009, height - 0.001), 0.0015, (sx * x, sy * y, height / 2))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return replace(shape, visuals=(*shape.visuals, Visual(joined(*posts), "post")))


def _basket(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    foot = rim * 0.9
    shape = vessel(foot, rim, height, 0.006, floor=0.008)
    levels = [k / 4 for k in range(5)]
    withes = [
        torus(foot + (rim - foot) * u, 0.009, 0.0045 + (height - 0.008) * u, 6, 32) for u in levels
    ]
    canes = [
        tube(
            [
                ((r + 0.0025) * math.cos(a), (r + 0.0025) * math.sin(a), z)
                for r, z in ((foot, 0.004), (rim, height - 0.004))
            ],
            0.003,
            6,
        )
        for a in (2 * math.pi * k / 16 for k in range(16))
    ]
    return replace(
        shape,
        visuals=(*shape.visuals, Visual(joined(*withes)), Visual(joined(*canes), "cane")),
        radius=rim + 0.006,
        grasps=(),
        surface_radius=foot - 0.008,
    )


def _bucket(lengths: Lengths) -> Shape:
    rim, height = lengths["radius"], lengths["height"]
    shape = vessel(rim * 0.82, rim, height, 0.005, floor=0.007)
    z = height - 0.01
    bail = tube(arc(rim + 0.0035, 0.0, math.pi, z), 0.0022, 8)
    lip = torus(rim - 0.001, 0.006, height - 0.003, 8)
    ears = [
        rounded_box((0.007, 0.014, 0.012), 0.002, (side * (rim + 0.0005), 0.0, z))
        for side in (-1, 1)
    ]
    trim = (Visual(bail, "metal"), Visual(joined(*ears), "metal"), Visual(lip))
    return replace(
        shape,
        visuals=(*shape.visuals, *trim),
        radius=rim + 0.006,
        grasps=(),
        surface_radius=rim * 0.82 - 0.006,
    )


CRATE = Category(
    name="crate",
    family="baskets",
    split="seen",
    super_category="container",
    form="hollow",
    use="something to store things in",
    knowledge=("thing that fruit is shipped in", "thing that beer bottles are carried in"),
    fits=frozenset({"basket", "bucket", "tin", "canister", "jar"}),
    material="wood",
    density=750.0,
    colors=("brown", "red", "blue", "green"),
    lengths={"length": (0.16, 0.19), "width": (0.13, 0.15), "height": (0.045, 0.06)},
    roles=frozenset({"receptacle"}),
    build=_crate,
    synonyms=("wooden box", "open box"),
    tints={"brown": (0.55, 0.36, 0.19)},
    trim={"post": (0.36, 0.23, 0.12)},
)

BASKET = Category(
    name="basket",
    family="baskets",
    split="seen",
    super_category="container",
    form="hollow",
    use="something to collect mushrooms in",
    knowledge=("woven thing for a picnic", "thing to collect easter eggs in"),
    fits=frozenset({"bucket"}),
    material="wood",
    density=500.0,
    colors=("brown", "white", "yellow"),
    lengths={"radius": (0.08, 0.092), "height": (0.046, 0.058)},
    roles=frozenset({"receptacle"}),
    build=_basket,
    synonyms=("wicker basket", "fruit basket"),
    tints={"brown": (0.58, 0.4, 0.2), "yellow": (0.78, 0.6, 0.25)},
    trim={"cane": (0.36, 0.23, 0.11)},
)

BUCKET = Category(
    name="bucket",
    family="baskets",
    split="unseen",
    super_category="container",
    form="hollow",
    use="something to carry water in",
    knowledge=("thing to build a sandcastle with", "thing that stands under a leaking roof"),
    fits=frozenset({"pot"}),
    material="plastic",
    density=900.0,
    colors=("blue", "red", "green", "teal"),
    lengths={"radius": (0.084, 0.094), "height": (0.052, 0.062)},
    roles=frozenset({"receptacle"}),
    build=_bucket,
    synonyms=("pail", "tub"),
    trim={"metal": (0.64, 0.65, 0.67)},
)
