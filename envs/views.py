"""Exterior cameras: where they are, how they turn, and what is in their frame.

Positions are metres in the world frame of `vlabench.envs.scene`. What is in a frame is worked out
from positions alone: a draw that asked a renderer would depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import mujoco

from vlabench.envs.objects.geometry import steady
from vlabench.types import Json

Vector: TypeAlias = tuple[float, float, float]
Direction: TypeAlias = tuple[float, float]
"""Azimuth and elevation in degrees."""

VIEWS: Mapping[str, tuple[Vector, Vector, float]] = {
    "agentview": ((0.8, -0.46, 1.46), (-0.04, 0.04, 0.865), 43.0),
    "frontview": ((1.1, 0.0, 1.4), (-0.1, 0.0, 0.9), 45.0),
    "sideview": ((-0.02, -1.1, 1.35), (-0.02, 0.0, 0.87), 45.0),
}
"""Where a camera is, what it looks at, and degrees of view from the top to the bottom."""

MAIN = "agentview"

FACTOR = "camera"

NOMINAL = {"azimuth_deg": 0.0, "elevation_deg": 0.0, "distance": 1.0}
"""Turns about what a camera looks at, in degrees, and the share of its nominal distance."""


@dataclass(frozen=True, slots=True)
class View:
    """One camera: where it is, what it looks at, and degrees of view from top to bottom."""

    eye: Vector
    target: Vector
    degrees: float

    @property
    def direction(self) -> Direction:
        """The direction of the camera as seen from what it looks at."""
        x, y, z = (e - t for e, t in zip(self.eye, self.target, strict=True))
        return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))

    @property
    def quaternion(self) -> list[float]:
        """Turn wxyz of an upright camera: it looks along its -z, its y is up."""
        azimuth, elevation = (math.radians(angle) for angle in self.direction)
        half_turn, half_tilt = (azimuth + math.pi / 2) / 2, (math.pi / 2 - elevation) / 2
        c, s = math.cos(half_turn), math.sin(half_turn)
        u, v = math.cos(half_tilt), math.sin(half_tilt)
        return steady((c * u, c * v, s * v, s * u))

    def shows(self, point: Vector, margin: float = 0.0) -> bool:
        """Whether a point is in a square frame, and not in its outer `margin` (a share of it)."""
        azimuth, elevation = (math.radians(angle) for angle in self.direction)
        x, y, z = (p - e for p, e in zip(point, self.eye, strict=True))
        ahead = -x * math.cos(azimuth) - y * math.sin(azimuth)
        depth = ahead * math.cos(elevation) - z * math.sin(elevation)
        right = -x * math.sin(azimuth) + y * math.cos(azimuth)
        up = ahead * math.sin(elevation) + z * math.cos(elevation)
        half = depth * math.tan(math.radians(self.degrees / 2)) * (1 - 2 * margin)
        return depth > 0 and abs(right) < half and abs(up) < half


def view(name: str, camera: Mapping[str, Json] = NOMINAL) -> View:
    """The exterior camera called `name`, turned and moved as the factor `camera` says."""
    eye, target, degrees = VIEWS[name]
    azimuth, elevation = View(eye, target, degrees).direction
    azimuth = math.radians(azimuth + camera["azimuth_deg"])
    elevation = math.radians(elevation + camera["elevation_deg"])
    distance = math.dist(eye, target) * camera["distance"]
    flat = distance * math.cos(elevation)
    x, y, z = target
    turned = (
        round(x + flat * math.cos(azimuth), 6),
        round(y + flat * math.sin(azimuth), 6),
        round(z + distance * math.sin(elevation), 6),
    )
    return View(turned, target, degrees)


def add(spec: mujoco.MjSpec) -> None:
    """Adds the exterior cameras."""
    for name in VIEWS:
        nominal = view(name)
        spec.worldbody.add_camera(
            name=name,
            pos=list(nominal.eye),
            quat=nominal.quaternion,
            fovy=nominal.degrees,
        )


def apply(spec: mujoco.MjSpec, camera: Mapping[str, Json]) -> None:
    """Moves the exterior cameras of a spec."""
    for name in VIEWS:
        moved, placed = view(name, camera), spec.camera(name)
        placed.pos, placed.quat = list(moved.eye), moved.quaternion


def turned(azimuth_deg: float, elevation_deg: float, by_deg: float, heading: float) -> Direction:
    """The direction that lies `by_deg` from another, towards `heading` (radians from the zenith).

    The destination of a great circle, with the elevation as latitude; degrees, rounded.
    """
    azimuth, elevation, turn = (math.radians(a) for a in (azimuth_deg, elevation_deg, by_deg))
    sine = math.sin(elevation) * math.cos(turn)
    sine += math.cos(elevation) * math.sin(turn) * math.cos(heading)
    east = math.sin(heading) * math.sin(turn) * math.cos(elevation)
    north = math.cos(turn) - math.sin(elevation) * sine
    return (
        round(math.degrees(azimuth + math.atan2(east, north)), 6),
        round(math.degrees(math.asin(sine)), 6),
    )
