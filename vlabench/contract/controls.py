"""The ways to move a robot: which are alike, and which executes which."""

from __future__ import annotations

from collections.abc import Mapping

from vlabench.contract.specs import ActionSpec, Control, EnvSpec

DRIVEN_BY: Mapping[Control, Control] = {
    "ee_delta": "ee_delta",
    "ee_pose": "ee_delta",
    "joint_delta": "joint_delta",
    "joint_position": "joint_delta",
    "joint_velocity": "joint_velocity",
}
"""A policy's control to the environment's that can execute it."""

DELTAS = ("ee_delta", "joint_delta")
"""Those that say how much to go on from where the robot is."""

ABSOLUTE = ("ee_pose", "joint_position")
"""Those that say where to go to."""

OF_JOINTS = ("joint_delta", "joint_position", "joint_velocity")
"""Those with a number for each joint of the arm."""

NOMINAL_JOINTS = 7
"""Joints of the Panda, the usual arm, where nothing else says how many there are."""


def resamples(action: ActionSpec) -> bool:
    """Whether rows of another rate can be held until the next one's time: all but changes can."""
    return action.control not in DELTAS


def joints_of(env: EnvSpec) -> int:
    """How many joints the arm has, where an action has a number for each."""
    return env.action.dimension - 1 if env.action.control in OF_JOINTS else NOMINAL_JOINTS
