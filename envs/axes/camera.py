"""Camera: the exterior cameras look from elsewhere.

A visual axis. The cameras turn about what they look at and come nearer or go further away; each
level is a ring:

====== ============== =====================
level  turned by      distance
====== ============== =====================
L1     5-10 degrees   x 1-1.1 or / 1-1.1
L2     10-20 degrees  x 1.1-1.3 or / 1.1-1.3
L3     20-40 degrees  x 1.3-1.6 or / 1.3-1.6
====== ============== =====================

The turn of the first exterior camera is given, along a great circle; the others get the same
azimuth and elevation. All stay at least 15 degrees above the table and at most 75. What a goal
speaks of stays in every exterior frame that showed it, and nothing tall comes to stand before it;
so where the table is full, a camera rarely comes nearer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vlabench.envs import views
from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.draw import SIGHT_HALF_WIDTH, discs, standing
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.tasks.base import Task
from vlabench.envs.views import VIEWS, Vector, View, turned, view
from vlabench.seeding import DECIMALS, uniform
from vlabench.types import Json

FACTOR = views.FACTOR
NOMINAL = views.NOMINAL

LOWEST_DEG, HIGHEST_DEG = 15.0, 75.0


@dataclass(frozen=True, slots=True)
class _Level:
    turn_deg: Ring
    further: Ring


_LEVELS: Mapping[str, _Level] = {
    "L1": _Level(Ring(5.0, 10.0), Ring(1.0, 1.1)),
    "L2": _Level(Ring(10.0, 20.0), Ring(1.1, 1.3)),
    "L3": _Level(Ring(20.0, 40.0), Ring(1.3, 1.6)),
}


class Camera(Axis):
    """Where the exterior cameras are, in three rings around nominal."""

    name = "camera"
    kind = "visual"
    levels = tuple(_LEVELS)

    def factors(self, task: Task) -> frozenset[str]:
        """The exterior cameras alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A turn and a distance from the ring of `level`."""
        rings, stage = _LEVELS[level], _Stage.of(task, nominal)
        for _ in range(500):
            camera = _drawn(rings, rng)
            if _is_high_enough(camera) and stage.shown_to(camera):
                return {FACTOR: camera}
        raise AssertionError(f"no camera of {level} shows all of {task.name}")


def _drawn(rings: _Level, rng: np.random.Generator) -> dict[str, float]:
    azimuth, elevation = view(views.MAIN).direction
    turn, heading = rings.turn_deg.draw(rng), uniform(rng, 0.0, 2 * math.pi)
    to_azimuth, to_elevation = turned(azimuth, elevation, turn, heading)
    further = rings.further.draw(rng)
    return {
        "azimuth_deg": round(to_azimuth - azimuth, DECIMALS),
        "elevation_deg": round(to_elevation - elevation, DECIMALS),
        "distance": round(further if rng.random() < 0.5 else 1 / further, DECIMALS),
    }


def _is_high_enough(camera: Mapping[str, float]) -> bool:
    return all(LOWEST_DEG <= view(name, camera).direction[1] <= HIGHEST_DEG for name in VIEWS)


# --- what must be seen ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Something between two heights above the table that may hide what is behind it."""

    x: float
    y: float
    radius: float
    low: float
    high: float

    def hides(self, point: Vector, eye: Vector) -> bool:
        """Whether the line of sight passes through it at its nearest."""
        dx, dy, dz = (e - p for e, p in zip(eye, point, strict=True))
        px, py = self.x - point[0], self.y - point[1]
        share = (px * dx + py * dy) / (dx * dx + dy * dy)
        away = math.hypot(px - share * dx, py - share * dy)
        height = point[2] + share * dz - TABLE_HEIGHT
        return 0 < share < 1 and away < self.radius and self.low < height < self.high


_HAND = _Obstacle(-0.1, 0.0, 0.08, 0.12, 0.4)
"""Where the hand of every robot starts."""

_TALL, _FIXTURE = 0.15, 0.3
"""Metres: how high a tall thing and a fixture at the side may be."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Points that frames must not lose, the middles of what must not be hidden, and what hides."""

    corners: tuple[Vector, ...]
    middles: tuple[Vector, ...]
    obstacles: tuple[_Obstacle, ...]

    @staticmethod
    def of(task: Task, factors: Mapping[str, Json]) -> _Stage:
        """The stage of an episode."""
        corners: list[Vector] = []
        middles: list[Vector] = []
        obstacles = [_HAND]
        for (x, y), disc in standing(factors, discs(task)):
            if disc.shown:
                corners += _around(x, y, disc.clearance, 0.0)
                corners.append((x, y, TABLE_HEIGHT + _TALL))
                middles.append((x, y, TABLE_HEIGHT + 0.02))
            if disc.tall:
                obstacles.append(_Obstacle(x, y, SIGHT_HALF_WIDTH, 0.0, _TALL))
        for name in task.fixtures:
            if fixture(name).stand is not None:
                x, y = factors[f"{name}.pose"][:2]
                corners += [*_around(x, y, 0.14, 0.0), *_around(x, y, 0.14, 0.2)]
                middles.append((x, y, TABLE_HEIGHT + 0.1))
                obstacles.append(_Obstacle(x, y, 0.12, 0.0, _FIXTURE))
        return _Stage(tuple(corners), tuple(middles), tuple(obstacles))

    def shown_to(self, camera: Mapping[str, float]) -> bool:
        """Whether the moved cameras lose nothing that the nominal ones show."""
        before, after = view(views.MAIN), view(views.MAIN, camera)
        if any(self._hidden(m, after) and not self._hidden(m, before) for m in self.middles):
            return False
        return all(
            view(name, camera).shows(corner)
            for name in VIEWS
            for corner in self.corners
            if view(name).shows(corner)
        )

    def _hidden(self, middle: Vector, seen_from: View) -> bool:
        return any(
            obstacle.hides(middle, seen_from.eye)
            for obstacle in self.obstacles
            if math.dist((obstacle.x, obstacle.y), middle[:2]) > obstacle.radius
        )


def _around(x: float, y: float, radius: float, height: float) -> list[Vector]:
    """Four points around a place on the table."""
    z = TABLE_HEIGHT + height
    return [(x + radius, y, z), (x - radius, y, z), (x, y + radius, z), (x, y - radius, z)]
