"""Object scale: the thing to be handled is larger or smaller than any of its kind.

A behaviour axis. Each level is a ring around the nominal size, 1:

====== ========================
level  size
====== ========================
L1     x 0.9-0.97, x 1.03-1.1
L2     x 0.8-0.9, x 1.1-1.2
L3     x 0.75-0.8, x 1.2-1.25
====== ========================

All its lengths are scaled, and its mass with their cube. A size at which the gripper could not hold
it, or at which it would come too near to its neighbours, is drawn again; where one side of the
ring has none, the other has. Everything else keeps its size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis, Ring, TwoRings, handled
from vlabench.envs.draw import GAP
from vlabench.envs.objects.catalog import category
from vlabench.envs.tasks.base import Role, Task
from vlabench.types import Json

_LEVELS: Mapping[str, TwoRings] = {
    "L1": TwoRings(Ring(0.9, 0.97), Ring(1.03, 1.1)),
    "L2": TwoRings(Ring(0.8, 0.9), Ring(1.1, 1.2)),
    "L3": TwoRings(Ring(0.75, 0.8), Ring(1.2, 1.25)),
}

_TRIES = 40


class ObjectScale(Axis):
    """The size of the object that is moved, in three rings around nominal."""

    name = "object-scale"
    kind = "behaviour"
    levels = tuple(_LEVELS)

    def applies(self, task: Task) -> bool:
        """Only where an object is moved."""
        return task.handled is not None

    def factors(self, task: Task) -> frozenset[str]:
        """One size."""
        return frozenset({f"{handled(task).name}.scale"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A size from the ring of `level` at which it can be handled."""
        role = handled(task)
        for _ in range(_TRIES):
            scale = _LEVELS[level].draw(rng)
            if _can_be_handled(role, nominal, scale):
                return {f"{role.name}.scale": scale}
        # none of either side will do: the smallest is the likeliest to be solved
        return {f"{role.name}.scale": _LEVELS[level].less.draw(rng)}


def _can_be_handled(role: Role, factors: Mapping[str, Json], scale: float) -> bool:
    kind, coordinates = category(factors[f"{role.name}.category"]), factors[f"{role.name}.shape"]
    return (
        kind.graspable(coordinates, scale)
        and kind.shape(coordinates, scale).radius <= role.clearance + GAP
    )
