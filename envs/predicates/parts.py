"""Open, closed, turned and pressed: where the joint of a fixture's part stands.

Nothing here asks where the hand is: what stays open, or turned, has been opened, and a button can
only be pressed while something presses it.
"""

from __future__ import annotations

import mujoco

from vlabench.envs.scene import Scene

OPEN = 0.7
"""Share of its travel from which on a drawer or a door is open."""

CLOSED = 0.08
"""Share of its travel up to which it is closed."""

TURNED = 0.8
"""Share of its travel from which on a knob is turned."""

PRESSED = 0.7
"""Share of its travel from which on a button is pressed."""


def is_open(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a drawer or a door is open."""
    return opening(scene, data, name) >= OPEN


def is_closed(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a drawer or a door is closed."""
    return opening(scene, data, name) <= CLOSED


def is_turned(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a knob is turned on."""
    return opening(scene, data, name) >= TURNED


def is_pressed(scene: Scene, data: mujoco.MjData, name: str) -> bool:
    """Whether a button is held down at this instant."""
    return opening(scene, data, name) >= PRESSED


def opening(scene: Scene, data: mujoco.MjData, name: str) -> float:
    """Share of its travel by which the joint of a part is open."""
    part = scene.parts[name]
    return float(data.qpos[part.qpos]) / part.part.travel
