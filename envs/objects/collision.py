"""Convex pieces that follow a shape, hollows included.

Only a box base touches the support: walls and round bodies start a little above it. That rests
flat, and is several times faster than letting every piece touch.
"""

from __future__ import annotations

import math

from vlabench.envs.objects.geometry import Piece, Vector, about_x, about_y, about_z, multiply

LIFT = 0.001
"""Walls and round bodies start this far above the support."""


def base_plate(
    half_x: float, half_y: float, thickness: float = 0.004, *, x: float = 0.0, y: float = 0.0
) -> Piece:
    """The box that an object stands on."""
    return Piece("box", (half_x, half_y, thickness / 2), (x, y, thickness / 2))


def slab(length: float, width: float, low: float, high: float, x: float = 0.0) -> Piece:
    """A level box of full `length` (x) and `width` (y) between two heights."""
    middle = (low + high) / 2
    return Piece("box", (length / 2, width / 2, (high - low) / 2), (x, 0.0, middle))


def disc(radius: float, low: float, high: float) -> Piece:
    """An upright cylinder between two heights."""
    half = (high - low) / 2
    return Piece("cylinder", (radius, half, 0.0), (0.0, 0.0, low + half))


def column(radius: float, low: float, high: float) -> list[Piece]:
    """An upright cylinder with four narrow flats: laid on one of them, it does not roll."""
    half, level = (high - low) / 2, (low + high) / 2
    flat, across = radius + FLAT, 0.2 * radius
    return [
        disc(radius, low, high),
        Piece("box", (flat, across, half), (0.0, 0.0, level), inside=True),
        Piece("box", (across, flat, half), (0.0, 0.0, level), inside=True),
    ]


FLAT = 0.0003
"""How far the flats of a column stick out of it."""


def rod(start: float, end: float, radius: float, z: float, *, y: float = 0.0) -> Piece:
    """A cylinder along x at height `z`."""
    half = (end - start) / 2
    return Piece("cylinder", (radius, half, 0.0), (start + half, y, z), about_y(math.pi / 2))


def capsule_between(a: Vector, b: Vector, radius: float) -> Piece:
    """A capsule along a level line; its caps reach beyond both ends."""
    x, y, z = ((p + q) / 2 for p, q in zip(a, b, strict=True))
    along = multiply(about_z(math.atan2(b[1] - a[1], b[0] - a[0])), about_y(math.pi / 2))
    return Piece("capsule", (radius, math.dist(a, b) / 2, 0.0), (x, y, z), along)


def axle(width: float, radius: float, x: float, z: float) -> Piece:
    """A cylinder along y, `width` long."""
    return Piece("cylinder", (radius, width / 2, 0.0), (x, 0.0, z), about_x(math.pi / 2))


def feet(length: float, radius: float, x: float = 0.0) -> Piece:
    """The flat that a long round thing lies on."""
    return Piece("box", (length / 2, radius * 0.7, 0.002), (x, 0.0, 0.002), inside=True)


def wall(
    radius_low: float,
    radius_high: float,
    low: float,
    high: float,
    thickness: float,
    *,
    pieces: int = 12,
) -> list[Piece]:
    """Boxes around a hollow whose outer radius goes from `radius_low` to `radius_high`.

    A wall that leans outwards touches `low` with its outer edge, and rises above `high` with its
    inner one.
    """
    lean = math.atan2(radius_high - radius_low, high - low)
    slant = math.hypot(radius_high - radius_low, high - low)
    middle = (radius_low + radius_high) / 2 - thickness / 2 * math.cos(lean)
    level = (low + high) / 2 + thickness / 2 * math.sin(lean)
    half_chord = max(radius_low, radius_high) * math.tan(math.pi / pieces)
    boxes = []
    for k in range(pieces):
        angle = 2 * math.pi * k / pieces
        boxes.append(
            Piece(
                "box",
                (thickness / 2, half_chord, slant / 2),
                (middle * math.cos(angle), middle * math.sin(angle), level),
                multiply(about_z(angle), about_y(lean)),
            )
        )
    return boxes


def ring_of_boxes(inner: float, outer: float, low: float, high: float) -> list[Piece]:
    """A ring lying flat, made of boxes, on four small spheres."""
    middle, half, level = (inner + outer) / 2, (outer - inner) / 2, (low + high) / 2
    count = 12
    boxes = [
        Piece(
            "box",
            (half, middle * math.tan(math.pi / count), (high - low) / 2),
            (middle * math.cos(a), middle * math.sin(a), level),
            about_z(a),
        )
        for a in (2 * math.pi * k / count for k in range(count))
    ]
    ball = min(0.003, high / 2)
    under = [
        Piece("sphere", (ball, 0.0, 0.0), (x * middle, y * middle, ball), inside=True)
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    return [*boxes, *under]
