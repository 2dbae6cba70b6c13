"""Where a thing can be put, by the lengths that shapes and fixtures are built from.

A place is a rectangle or a disc on a level, in the frame of what carries it. How far a thing is
inside or outside of it is known from where it is put: its middle, seen from above. Lengths are
metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from vlabench.envs.audit.bench import Bench
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.objects.geometry import (
    Quaternion,
    about_x,
    about_y,
    about_z,
    multiply,
)
from vlabench.types import Floats

TOLERANCE = 0.01
"""What is put inside is so far from the edge at least, what is put outside twice as far."""

WALL = 0.01
"""Walls, lips and rims of fixtures and of boxes reach no further beyond the place between them."""

DRAWER_WALLS, DRAWER_FLOOR = 0.8, 0.008
"""The walls of a drawer are that share of its height, from its underside, and its floor is so
thick: what lies on two of them in a corner is not claimed to be inside."""

TABLE = ((-0.3, 0.3), (-0.36, 0.36))
"""Where on the table things are put that are to be elsewhere."""


@dataclass(frozen=True)
class Place:
    """Somewhere to put things.

    Attributes:
        origin: ``(3,)`` of its middle, on its level.
        rotation: ``(3, 3)`` of its frame.
        half: Half its length and width; of a disc, its radius twice.
        round: Whether it is a disc.
        rim: How far what is around it reaches beyond its edge.
        space: How high above its level a thing may still be put.
        depth: How high its walls are; 0 for a place without.
    """

    origin: Floats
    rotation: Floats
    half: tuple[float, float]
    round: bool
    rim: float
    space: float
    depth: float

    def inside(self, rng: np.random.Generator) -> Floats:
        """A point of its level that is `TOLERANCE` or more from its edge."""
        margin = min(TOLERANCE, 0.7 * min(self.half))
        if self.round:
            turn = rng.uniform(-math.pi, math.pi)
            far = (self.half[0] - margin) * math.sqrt(rng.uniform())
            return self.at(far * math.cos(turn), far * math.sin(turn))
        x, y = ((half - margin) * rng.uniform(-1.0, 1.0) for half in self.half)
        return self.at(x, y)

    def outside(self, rng: np.random.Generator, more: float) -> Floats:
        """A point beyond all that is around it by two tolerances and `more`."""
        beyond = self.rim + 2 * TOLERANCE + more
        turn = rng.uniform(-math.pi, math.pi)
        x, y = math.cos(turn), math.sin(turn)
        if self.round:
            far = self.half[0] + beyond
            return self.at(far * x, far * y)
        a, b = self.half
        # from a point of the edge straight away from the rectangle
        side = min(a / max(abs(x), 1e-9), b / max(abs(y), 1e-9))
        px, py = side * x, side * y
        if abs(abs(px) - a) < abs(abs(py) - b):
            return self.at(px + math.copysign(beyond, x), py)
        return self.at(px, py + math.copysign(beyond, y))

    def at(self, x: float, y: float, z: float = 0.0) -> Floats:
        """A point of its frame, in the world."""
        point: Floats = self.origin + self.rotation @ np.array([x, y, z])
        return point

    def distance(self, point: Floats) -> float:
        """How far a point is outside its edge, seen from above; negative inside."""
        x, y, _ = np.abs(self.rotation.T @ (point - self.origin)).tolist()
        if self.round:
            return float(math.hypot(x, y) - self.half[0])
        dx, dy = x - self.half[0], y - self.half[1]
        return float(math.hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0))


def place_of(bench: Bench, name: str) -> Place:
    """The place that an object or a part of a fixture offers, as it stands now."""
    if name in bench.scene.parts:
        return _place_of_part(bench, name)
    shape = bench.scene.objects[name].shape
    position, rotation = bench.pose(name)
    half = shape.surface_half or (shape.surface_radius, shape.surface_radius)
    is_round = shape.surface_half is None
    return Place(
        origin=position + rotation[:, 2] * shape.surface_height,
        rotation=rotation,
        half=half,
        round=is_round,
        rim=max(0.0, shape.radius - half[0]) if is_round else WALL,
        space=shape.height - shape.surface_height + 0.004,
        depth=shape.height - shape.surface_height,
    )


def _place_of_part(bench: Bench, name: str) -> Place:
    part, data = bench.scene.parts[name], bench.data
    length, width, height = bench.model.site_size[part.floor_site].tolist()
    depth = {"basin": 2 * height, "drawer": DRAWER_WALLS * 2 * height - DRAWER_FLOOR}
    walled = part.part.kind in depth
    return Place(
        origin=data.site_xpos[part.floor_site].copy(),
        rotation=data.site_xmat[part.floor_site].reshape(3, 3).copy(),
        half=(length, width),
        round=False,
        rim=0.0 if part.part.kind == "region" else WALL,
        space=2 * height if walled else 0.02,
        depth=depth.get(part.part.kind, 0.0),
    )


# --- how things are turned, and what they cover -----------------------------------------------


def standing(rng: np.random.Generator) -> Quaternion:
    """Upright, any way around."""
    return about_z(rng.uniform(-math.pi, math.pi))


def lying(rng: np.random.Generator) -> Quaternion:
    """On its side, any way around; which side is one of two, as things that can lie are built."""
    tipped = about_y(math.copysign(math.pi / 2, rng.uniform(-1.0, 1.0)))
    return multiply(standing(rng), tipped)


def leaning(rng: np.random.Generator, least: float, most: float) -> Quaternion:
    """Tipped over any edge by an angle between these two, in degrees."""
    tipped = about_x(math.radians(rng.uniform(least, most)))
    return multiply(standing(rng), multiply(tipped, standing(rng)))


def matrix(quaternion: Quaternion) -> Floats:
    """The rotation matrix of a unit quaternion wxyz."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def frame_at(
    bench: Bench, name: str, over: Floats, quaternion: Quaternion, level: float
) -> tuple[float, float, float]:
    """Where the frame of an object goes, for its middle to be over a point, its foot on a level."""
    rotation = matrix(quaternion)
    half = bench.scene.objects[name].shape.height / 2
    x, y, _ = (over - rotation[:, 2] * half).tolist()
    lowest = float((bench.corners[name] @ rotation[2]).min())
    return x, y, level - lowest


def outline(bench: Bench, name: str) -> Floats:
    """``(N, 2)``: the convex outline of an object as it stands now, seen from above."""
    position, rotation = bench.pose(name)
    points = (bench.corners[name] @ rotation.T + position)[:, :2]
    hull: Floats = points[ConvexHull(points).vertices]
    return hull


def apart(first: Floats, second: Floats) -> float:
    """The distance between two convex outlines; 0 where they meet or overlap."""
    if _overlap(first, second):
        return 0.0
    return min(_nearest(first, second), _nearest(second, first))


def _nearest(corners: Floats, of: Floats) -> float:
    """The smallest distance of one of `corners` from an edge of the other outline."""
    starts, ends = of, np.roll(of, -1, axis=0)
    edges = ends - starts
    to = corners[:, None, :] - starts[None]
    share = ((to * edges).sum(-1) / np.maximum((edges**2).sum(-1), 1e-12)).clip(0.0, 1.0)
    off = to - share[..., None] * edges
    return float(np.sqrt((off**2).sum(-1).min()))


def _overlap(first: Floats, second: Floats) -> bool:
    """Whether no edge of either separates two convex outlines."""
    for one in (first, second):
        edges = np.roll(one, -1, axis=0) - one
        for nx, ny in zip(edges[:, 1], -edges[:, 0], strict=True):
            a, b = first @ np.array([nx, ny]), second @ np.array([nx, ny])
            if a.max() < b.min() or b.max() < a.min():
                return False
    return True


def free_spot(rng: np.random.Generator) -> Floats:
    """A point of the table, wherever."""
    (near, far), (right, left) = TABLE
    return np.array([rng.uniform(near, far), rng.uniform(right, left), TABLE_HEIGHT])
