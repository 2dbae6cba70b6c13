"""Tools: handles with something at the end, lying on their side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlabench.envs.objects.catalog import Category, Lengths
from vlabench.envs.objects.geometry import (
    LIFT,
    Piece,
    Shape,
    Visual,
    about_y,
    grasps_across,
    moved,
    revolve,
    rounded_box,
    turned,
)


def _bar(profile: Sequence[tuple[float, float]], start: float, axis_height: float) -> Visual:
    """A profile of (radius, distance) revolved about x, beginning at x = `start`."""
    return Visual(moved(turned(revolve(profile, 24)), (start, 0.0, axis_height)))


def _rod(start: float, end: float, radius: float, axis_height: float) -> Piece:
    half = (end - start) / 2
    return Piece(
        "cylinder", (radius, half, 0.0), (start + half, 0.0, axis_height), about_y(math.pi / 2)
    )


def _feet(length: float, radius: float) -> Piece:
    return Piece("box", (length * 0.42, radius * 0.7, 0.002), (0.0, 0.0, 0.002))


def _marker(lengths: Lengths) -> Shape:
    r, length = lengths["radius"], lengths["length"]
    back, cap = -length / 2, length * 0.32
    body = _bar(
        [(0.0, 0.0), (r - 0.001, 0.0), (r, 0.001), (r, length - cap), (0.0, length - cap)], back, r
    )
    lid = _bar(
        [
            (0.0, 0.0),
            (r + 0.0008, 0.0),
            (r + 0.0008, cap * 0.8),
            (r * 0.7, cap),
            (0.0, cap),
        ],
        length / 2 - cap,
        r,
    )
    return Shape(
        visuals=(Visual(body.mesh, "trim"), lid),
        pieces=(_feet(length, r), _rod(back, length / 2, r, r + LIFT)),
        mass=0.04,
        height=2 * r,
        radius=length / 2,
        grasps=grasps_across(2 * r, 0.013, [math.pi / 2]),
        rolling=True,
    )


def _screwdriver(lengths: Lengths) -> Shape:
    r, handle, shaft = lengths["radius"], lengths["handle"], lengths["shaft"]
    length = handle + shaft
    back, joint = -length / 2, -length / 2 + handle
    grip = _bar(
        [
            (0.0, 0.0),
            (r * 0.8, 0.001),
            (r, 0.006),
            (r, handle * 0.7),
            (r * 0.7, handle * 0.86),
            (r * 0.8, handle),
            (0.0, handle),
        ],
        back,
        r,
    )
    rod = _bar(
        [(0.0, 0.0), (0.0034, 0.0), (0.0034, shaft - 0.01), (0.0014, shaft), (0.0, shaft)],
        joint,
        r,
    )
    middle = back + handle * 0.45
    return Shape(
        visuals=(grip, Visual(rod.mesh, "trim")),
        pieces=(
            Piece("box", (handle * 0.4, r * 0.7, 0.002), (middle, 0.0, 0.002)),
            _rod(back, joint, r, r + LIFT),
            _rod(joint, length / 2, 0.0034, r + LIFT),
        ),
        mass=0.08,
        height=2 * r,
        radius=length / 2,
        grasps=grasps_across(2 * r, 0.013, [math.pi / 2], middle),
        rolling=True,
    )


def _brush(lengths: Lengths) -> Shape:
    width, length = lengths["width"], lengths["length"]
    height, head = 0.02, length * 0.38
    head_x = length / 2 - head / 2
    return Shape(
        visuals=(
            Visual(rounded_box((length - head, width, 0.016), 0.005, (-head / 2, 0.0, 0.008))),
            Visual(rounded_box((head, width * 1.7, 0.009), 0.003, (head_x, 0.0, height - 0.0045))),
            Visual(
                rounded_box((head * 0.92, width * 1.55, 0.012), 0.002, (head_x, 0.0, 0.006)),
                "trim",
            ),
        ),
        pieces=(
            Piece("box", ((length - head) / 2, width / 2, 0.008), (-head / 2, 0.0, 0.008)),
            Piece("box", (head / 2, width * 0.85, height / 2), (head_x, 0.0, height / 2)),
        ),
        mass=0.07,
        height=height,
        radius=length / 2,
        grasps=grasps_across(width, 0.013, [math.pi / 2], -head / 4),
    )


MARKER = Category(
    name="marker",
    family="tools",
    split="seen",
    super_category="tool",
    use="something to write with",
    material="plastic",
    colors=("red", "blue", "black", "green"),
    lengths={"radius": (0.0085, 0.012), "length": (0.11, 0.135)},
    roles=frozenset({"manipulated"}),
    build=_marker,
    synonyms=("felt pen", "marker pen"),
    trim={"trim": (0.84, 0.84, 0.82)},
)

SCREWDRIVER = Category(
    name="screwdriver",
    family="tools",
    split="seen",
    super_category="tool",
    use="something to turn screws with",
    material="plastic",
    colors=("orange", "red", "blue", "yellow"),
    lengths={"radius": (0.011, 0.015), "handle": (0.075, 0.09), "shaft": (0.05, 0.065)},
    roles=frozenset({"manipulated"}),
    build=_screwdriver,
    trim={"trim": (0.55, 0.56, 0.58)},
)

BRUSH = Category(
    name="brush",
    family="tools",
    split="unseen",
    super_category="tool",
    use="something to scrub with",
    material="plastic",
    colors=("teal", "pink", "white"),
    lengths={"width": (0.02, 0.028), "length": (0.12, 0.145)},
    roles=frozenset({"manipulated"}),
    build=_brush,
    synonyms=("scrubbing brush",),
    trim={"trim": (0.25, 0.2, 0.15)},
)
