"""What it means that a goal is true: physics checks on one instant of a scene.

How long a goal must hold is not decided here but in `vlabench.envs.progress`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mujoco

from vlabench.envs.predicates.moved import away_from, beside, in_region, lifted, upright
from vlabench.envs.predicates.parts import is_closed, is_open, is_pressed, is_turned
from vlabench.envs.predicates.placed import inside, on
from vlabench.envs.scene import Scene
from vlabench.envs.tasks.base import Goal

PREDICATES: Mapping[str, Callable[..., bool]] = {
    "on": on,
    "in": inside,
    "lifted": lifted,
    "beside": beside,
    "upright": upright,
    "in-region": in_region,
    "away-from": away_from,
    "open": is_open,
    "closed": is_closed,
    "turned": is_turned,
    "pressed": is_pressed,
}
"""Name to the check, which takes the scene, its data and the goal's arguments."""


def holds(goal: Goal, scene: Scene, data: mujoco.MjData) -> bool:
    """Whether `goal` is true now; contacts and kinematics must be up to date."""
    return bool(PREDICATES[goal.predicate](scene, data, *goal.arguments))
