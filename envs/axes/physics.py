"""Physics: the objects are heavier or lighter, smoother or rougher, and joints turn otherwise.

A behaviour axis. Each level is a ring around the nominal world, in which every factor is 1; mass,
friction and damping are drawn one by one:

====== ============================
level  mass, friction, damping
====== ============================
L1     x 0.7-0.85, x 1.15-1.4
L2     x 0.5-0.7, x 1.4-2
L3     x 0.3-0.5, x 2-3
====== ============================

Mass is that of the free objects, with their inertia. Friction is the sliding friction of
everything: a contact takes the larger of two, so that a smooth object on a rough table would be as
rough as ever. Damping is that of the joints of fixtures.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from vlabench.envs.axes.base import Axis, Ring, TwoRings
from vlabench.envs.tasks.base import Task
from vlabench.types import Json

FACTOR = "physics"

NOMINAL = {"mass": 1.0, "friction": 1.0, "damping": 1.0}
"""Shares of what the catalog says."""

_LEVELS: Mapping[str, TwoRings] = {
    "L1": TwoRings(Ring(0.7, 0.85), Ring(1.15, 1.4)),
    "L2": TwoRings(Ring(0.5, 0.7), Ring(1.4, 2.0)),
    "L3": TwoRings(Ring(0.3, 0.5), Ring(2.0, 3.0)),
}


class Physics(Axis):
    """Mass, friction and damping, in three rings around nominal."""

    name = "physics"
    kind = "behaviour"
    levels = tuple(_LEVELS)

    def factors(self, task: Task) -> frozenset[str]:
        """All three as one factor."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """Each of the three from the ring of `level`."""
        return {FACTOR: {quantity: _LEVELS[level].draw(rng) for quantity in NOMINAL}}


def apply(
    spec: mujoco.MjSpec,
    physics: Mapping[str, float],
    objects: Collection[str],
    fixtures: Collection[str],
) -> None:
    """Changes a scene before it is compiled.

    Args:
        spec: With all that is in the scene.
        physics: The factor.
        objects: Names of the bodies of free objects.
        fixtures: Names of the bodies of fixtures and their parts.
    """
    if physics == NOMINAL:
        return
    for geom in spec.geoms:
        if geom.parent.name in objects and not math.isnan(geom.mass):
            geom.mass = round(geom.mass * physics["mass"], 9)
        sliding, *others = geom.friction
        geom.friction = [round(sliding * physics["friction"], 9), *others]
    for joint in spec.joints:
        if joint.parent.name in fixtures:
            joint.damping = [round(value * physics["damping"], 9) for value in joint.damping]
