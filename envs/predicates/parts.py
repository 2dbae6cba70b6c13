"""Open and closed: where the joint of a fixture's part stands."""

from __future__ import annotations

import mujoco

from vlabench.envs.scene import Scene

OPEN = 0.7
"""Share of its travel from which on a drawer or a door is open."""

CLOSED = 0.08
"""Share of its travel up to which it is closed."""


def is_open(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a drawer or a door is open."""
    return opening(scene, data, name) >= OPEN


def is_closed(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a drawer or a door is closed."""
    return opening(scene, data, name) <= CLOSED


def opening(scene: Scene, data: mujoco.MjData, name: str) -> float:
    """Share of its travel by which the joint of a part is open."""
    part = scene.parts[name]
    return float(data.qpos[part.qpos]) / part.part.travel
