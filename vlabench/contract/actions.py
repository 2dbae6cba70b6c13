"""Converters of a whole answer, row by row: what needs to know nothing but the numbers.

A row holds the arm's numbers and, last, the gripper's one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from vlabench.contract.convert import Converter
from vlabench.contract.rotations import from_quaternion, to_quaternion
from vlabench.contract.specs import ROTATION_SIZES, Rotation
from vlabench.types import Floats

DECIMALS = 9
"""What comes of sines and arc tangents is rounded so: their last bit is the C library's affair."""


class ActionConverter(Converter, Protocol):
    """Turns one chunk of actions into another."""

    def __call__(self, actions: Floats) -> Floats:
        """A new ``(T, n)`` array of float64.

        Raises:
            ValueError: If the numbers cannot be meant.
        """
        ...


@dataclass(frozen=True, slots=True)
class DropPadding:
    """Leaves the first `kept` numbers of a row."""

    kept: int

    def __call__(self, actions: Floats) -> Floats:
        """Actions without their padding."""
        return actions[:, : self.kept].copy()

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"the first {self.kept} numbers"


@dataclass(frozen=True, slots=True)
class Turn:
    """Writes the rotation after a translation in another way; what comes after it stays.

    Attributes:
        written: How the policy writes it, metric; ``"none"`` stands for no rotation at all.
        to: How it goes on: a change of pose as axis-angle, a pose as a quaternion.
    """

    written: Rotation
    to: Literal["axis_angle", "quaternion_xyzw"]

    def __call__(self, actions: Floats) -> Floats:
        """Actions whose rotation is written as `to`."""
        end = 3 + ROTATION_SIZES[self.written]
        turns = [self._turned(row[3:end].tolist()) for row in actions]
        rotations = np.array(turns).reshape(len(actions), ROTATION_SIZES[self.to])
        return np.concatenate([actions[:, :3], rotations, actions[:, end:]], axis=1)

    def _turned(self, numbers: list[float]) -> list[float]:
        turned = from_quaternion(to_quaternion(numbers, self.written), self.to)
        return [round(number, DECIMALS) for number in turned]

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"rotation as {self.written} -> {self.to}"


@dataclass(frozen=True, slots=True)
class Scale:
    """Makes steps normalized: 1 becomes `translation` and `rotation` of the largest step.

    The quotients are kept as two numbers, so that a division happens once and rounds once.

    Attributes:
        translation: Metres that the policy's 1 means.
        rotation: Radians that the policy's 1 means.
        max_translation: Metres of the environment's largest step.
        max_rotation: Radians of the environment's largest step.
    """

    translation: float
    rotation: float
    max_translation: float
    max_rotation: float

    def __call__(self, actions: Floats) -> Floats:
        """Actions in units of the environment's largest step."""
        scaled = actions.copy()
        with np.errstate(over="ignore"):
            scaled[:, :3] = actions[:, :3] * self.translation / self.max_translation
            scaled[:, 3:6] = actions[:, 3:6] * self.rotation / self.max_rotation
        return scaled

    def describe(self) -> str:
        """What it does, in a few words."""
        return (
            f"1 of {self.translation:g} m and {self.rotation:g} rad -> "
            f"1 of {self.max_translation:g} m and {self.max_rotation:g} rad"
        )


@dataclass(frozen=True, slots=True)
class ScaleJoints:
    """The same for an arm's joints.

    Attributes:
        joint: Radians, or radians a second, that the policy's 1 means.
        max_joint: The environment's.
    """

    joint: float
    max_joint: float

    def __call__(self, actions: Floats) -> Floats:
        """Actions in units of the environment's largest step."""
        scaled = actions.copy()
        with np.errstate(over="ignore"):
            scaled[:, :-1] = actions[:, :-1] * self.joint / self.max_joint
        return scaled

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"1 of {self.joint:g} a joint -> 1 of {self.max_joint:g}"


@dataclass(frozen=True, slots=True)
class Gripper:
    """Maps the last number from the policy's range and polarity to the environment's.

    Attributes:
        policy_open: The policy's number that opens.
        policy_close: The policy's number that closes.
        env_open: The environment's number that opens.
        env_close: The environment's number that closes.
        threshold: The policy's numbers are split here into all open and all closed; the
            threshold itself closes. None to map in proportion.
    """

    policy_open: float
    policy_close: float
    env_open: float
    env_close: float
    threshold: float | None = None

    def __call__(self, actions: Floats) -> Floats:
        """Actions with the environment's gripper."""
        closing = self._closing_share(actions[:, -1])
        mapped = actions.copy()
        mapped[:, -1] = self.env_open * (1 - closing) + self.env_close * closing
        return mapped

    def _closing_share(self, grip: Floats) -> Floats:
        if self.threshold is not None:
            towards_open = math.copysign(1.0, self.policy_open - self.policy_close)
            return np.where((grip - self.threshold) * towards_open > 0, 0.0, 1.0)
        with np.errstate(over="ignore"):
            share: Floats = (grip - self.policy_open) / (self.policy_close - self.policy_open)
        return np.clip(share, 0, 1)

    def describe(self) -> str:
        """What it does, in a few words."""
        split = "" if self.threshold is None else f", split at {self.threshold:g}"
        return (
            f"gripper {self.policy_open:g} open, {self.policy_close:g} closed{split} -> "
            f"{self.env_open:g} open, {self.env_close:g} closed"
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """Cuts every number off at `low` and `high`."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, actions: Floats) -> Floats:
        """Actions inside the environment's range."""
        return np.clip(actions, self.low, self.high)

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"clipped to [{self.low:g}, {self.high:g}]"
