"""Lighting: how bright the key light is, where it comes from, and how warm it is.

A visual axis. The light of a nominal scene is always the same; each level is a ring around it:

====== ================= ================= ============
level  intensity factor  direction         warmth
====== ================= ================= ============
L1     0.7-0.85, 1.15-1.3   5-15 degrees   up to 0.3
L2     0.4-0.7, 1.3-2       15-45 degrees  0.3-0.6
L3     0.2-0.4, 2-3         45-90 degrees  0.6-1
====== ================= ================= ============
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.materials import warm
from vlabench.envs.tasks.base import Task
from vlabench.envs.views import Direction, turned
from vlabench.seeding import uniform
from vlabench.types import Json

FACTOR = "lighting"

NOMINAL = {"intensity": 1.0, "azimuth_deg": -35.0, "elevation_deg": 58.0, "warmth": 0.0}
"""The key light of a nominal scene: from the right of the camera, well above."""

KEY = 0.52
"""Diffuse light of the key at intensity 1; the fill and the ambient light are weaker."""

FILL = 0.16
AMBIENT = 0.3

_LOWEST_DEG = 12.0

_CENTRE = (-0.05, 0.0, 0.9)
_DISTANCE = 1.6
"""Metres: where the key light aims, and from how far; its shadow map covers what is around."""


@dataclass(frozen=True, slots=True)
class _Level:
    dimmer: Ring
    brighter: Ring
    turn_deg: Ring
    warmth: Ring


_LEVELS: Mapping[str, _Level] = {
    "L1": _Level(Ring(0.7, 0.85), Ring(1.15, 1.3), Ring(5.0, 15.0), Ring(0.0, 0.3)),
    "L2": _Level(Ring(0.4, 0.7), Ring(1.3, 2.0), Ring(15.0, 45.0), Ring(0.3, 0.6)),
    "L3": _Level(Ring(0.2, 0.4), Ring(2.0, 3.0), Ring(45.0, 90.0), Ring(0.6, 1.0)),
}


class Lighting(Axis):
    """Brightness, direction and colour of the key light, in three rings around nominal."""

    name = "lighting"
    kind = "visual"
    levels = tuple(_LEVELS)

    def factors(self, task: Task) -> frozenset[str]:
        """The light alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A light from the ring of `level`."""
        ring = _LEVELS[level]
        intensity = (ring.dimmer if rng.random() < 0.5 else ring.brighter).draw(rng)
        turn = ring.turn_deg.draw(rng)
        azimuth, elevation = _turned(turn, uniform(rng, 0.0, 2 * math.pi))
        while elevation < _LOWEST_DEG:
            azimuth, elevation = _turned(turn, uniform(rng, 0.0, 2 * math.pi))
        return {
            FACTOR: {
                "intensity": intensity,
                "azimuth_deg": azimuth,
                "elevation_deg": elevation,
                "warmth": ring.warmth.draw(rng) * (1 if rng.random() < 0.5 else -1),
            }
        }


def apply(spec: mujoco.MjSpec, light: Mapping[str, float]) -> None:
    """Adds the lights of a scene: a key that casts shadows, a weak fill, and ambient light."""
    azimuth = math.radians(light["azimuth_deg"])
    elevation = math.radians(light["elevation_deg"])
    direction = [
        -math.cos(elevation) * math.cos(azimuth),
        -math.cos(elevation) * math.sin(azimuth),
        -math.sin(elevation),
    ]
    color = warm((1.0, 1.0, 1.0), light["warmth"])
    spec.worldbody.add_light(
        name="key",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[c - _DISTANCE * d for c, d in zip(_CENTRE, direction, strict=True)],
        dir=direction,
        diffuse=[KEY * light["intensity"] * c for c in color],
        specular=[0.35 * min(1.0, light["intensity"]) * c for c in color],
        ambient=[0.0, 0.0, 0.0],
        castshadow=True,
    )
    spec.worldbody.add_light(
        name="fill",
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[-1.0, 1.5, 2.5],
        dir=[0.35, -0.5, -0.8],
        diffuse=[FILL * c for c in color],
        specular=[0.0, 0.0, 0.0],
        ambient=[0.0, 0.0, 0.0],
        castshadow=False,
    )
    head = spec.visual.headlight
    ambient = AMBIENT * ambient_share(light["intensity"])
    head.ambient = [ambient * c for c in color]
    head.diffuse = [0.15 * c for c in color]
    head.specular = [0.0, 0.0, 0.0]


def ambient_share(intensity: float) -> float:
    """How much of the ambient light there is when the key has that intensity."""
    return 0.55 + 0.45 * min(intensity, 1.6)


def _turned(turn_deg: float, heading: float) -> Direction:
    """The nominal direction turned towards `heading`."""
    return turned(NOMINAL["azimuth_deg"], NOMINAL["elevation_deg"], turn_deg, heading)
