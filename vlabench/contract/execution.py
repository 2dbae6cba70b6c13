"""Converters of the one row that is executed now: what needs to know how the robot stands.

They are pure, too: what one remembers of a session comes in as its memory and goes out anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np

from vlabench.contract.actions import DECIMALS
from vlabench.contract.convert import Converter
from vlabench.contract.rotations import (
    Quaternion,
    Vector,
    from_quaternion,
    inverse,
    multiply,
    rotate,
    to_quaternion,
)
from vlabench.types import Floats

Memory: TypeAlias = tuple[float, ...]
"""What a converter remembers of a session; empty at its beginning."""

Proprio: TypeAlias = Mapping[str, Floats]


class StepConverter(Converter, Protocol):
    """Turns the row of this control step into another.

    Attributes:
        reads: The fields of proprioception that it needs.
    """

    reads: ClassVar[tuple[str, ...]]

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """A new ``(n,)`` row, and the memory for the next one.

        Raises:
            ValueError: If the numbers cannot be meant.
        """
        ...

    def waited(self, memory: Memory) -> Memory:
        """The memory after a control step that had no row."""
        ...


class _Timeless:
    """What it remembers does not depend on how much time goes by."""

    __slots__ = ()

    def waited(self, memory: Memory) -> Memory:
        """The same memory."""
        return memory


@dataclass(frozen=True, slots=True)
class HandToBase(_Timeless):
    """A change of pose along and about the axes of the hand becomes one along the base's.

    Attributes:
        turned: From the policy's hand frame to the grip site; see `ActionSpec.turned`.
    """

    turned: Quaternion | None = None

    reads: ClassVar[tuple[str, ...]] = ("ee_quaternion",)

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """The row in the base's frame; its rotation is an axis-angle."""
        hand = _hand(proprio)
        if self.turned is not None:
            hand = multiply(hand, to_quaternion(self.turned, "quaternion_xyzw"))
        moved = rotate(hand, _vector(action[:3]))
        turned = rotate(hand, _vector(action[3:6]))
        return np.array([*moved, *turned, *action[6:].tolist()]), memory

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"from the frame of the hand{_turned(self.turned)} to the base's"


@dataclass(frozen=True, slots=True)
class PoseToDelta(_Timeless):
    """A pose to go to (metres, quaternion xyzw) becomes the change from where the hand is.

    Attributes:
        offset: Metres that the policy's positions have more; see `ActionSpec.offset`.
        turned: From the policy's hand frame to the grip site; see `ActionSpec.turned`.
    """

    offset: Vector | None = None
    turned: Quaternion | None = None

    reads: ClassVar[tuple[str, ...]] = ("ee_position", "ee_quaternion")

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """The change: metres and axis-angle in the base's frame, the short way round."""
        target = to_quaternion(action[3:7].tolist(), "quaternion_xyzw")
        if self.turned is not None:
            target = multiply(target, inverse(to_quaternion(self.turned, "quaternion_xyzw")))
        with np.errstate(over="ignore"):
            position = action[:3] if self.offset is None else action[:3] - self.offset
            moved = position - proprio["ee_position"]
        turned = from_quaternion(multiply(target, inverse(_hand(proprio))), "axis_angle")
        rounded = [round(number, DECIMALS) for number in turned]
        return np.array([*moved.tolist(), *rounded, *action[7:].tolist()]), memory

    def describe(self) -> str:
        """What it does, in a few words."""
        less = "" if self.offset is None else " less ({:g}, {:g}, {:g}) m".format(*self.offset)
        of = "" if self.turned is None else f" of a hand{_turned(self.turned)}"
        return f"from a pose{less}{of} to the change from where the hand is"


@dataclass(frozen=True, slots=True)
class JointsToDelta(_Timeless):
    """Joint positions to go to become the change from where the joints are, in radians."""

    reads: ClassVar[tuple[str, ...]] = ("joint_positions",)

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """The change."""
        changed = action.copy()
        with np.errstate(over="ignore"):
            changed[:-1] = action[:-1] - proprio["joint_positions"]
        return changed, memory

    def describe(self) -> str:
        """What it does, in a few words."""
        return "from joint positions to the change from where the joints are"


@dataclass(frozen=True, slots=True)
class RelativeGripper(_Timeless):
    """A change of the gripper becomes what the gripper is told from then on.

    A number that lies beyond `threshold`, as far from the middle between `policy_open` and
    `policy_close` as that is, opens or closes; every other leaves the gripper as it was told
    before. Until the first change it is told the middle of the environment's range.

    Attributes:
        policy_open: The policy's number that opens.
        policy_close: The policy's number that closes.
        env_open: The environment's number that opens.
        env_close: The environment's number that closes.
        threshold: None for the middle itself, which leaves it; every other number moves it then.
    """

    policy_open: float
    policy_close: float
    env_open: float
    env_close: float
    threshold: float | None = None

    reads: ClassVar[tuple[str, ...]] = ()

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """The row with what the gripper is told; the memory holds that."""
        del proprio
        (told,) = memory or ((self.env_open + self.env_close) / 2,)
        middle = (self.policy_open + self.policy_close) / 2
        least = 0.0 if self.threshold is None else abs(self.threshold - middle)
        opening = (float(action[-1]) - middle) * math.copysign(
            1.0, self.policy_open - self.policy_close
        )
        if opening > least:
            told = self.env_open
        elif opening < -least:
            told = self.env_close
        return np.array([*action[:-1].tolist(), told]), (told,)

    def describe(self) -> str:
        """What it does, in a few words."""
        past = "" if self.threshold is None else f" past {self.threshold:g}"
        return (
            f"gripper by changes towards {self.policy_open:g} open, {self.policy_close:g} closed"
            f"{past} -> {self.env_open:g} open, {self.env_close:g} closed"
        )


@dataclass(frozen=True, slots=True)
class StickyGripper:
    """A change between opening and closing is held for at least `steps` control steps.

    Those in which the robot stands still and waits for an answer count too.

    Attributes:
        steps: How long; what is asked for meanwhile is not done.
        env_open: The environment's number that opens.
        env_close: The environment's number that closes.
    """

    steps: int
    env_open: float
    env_close: float

    reads: ClassVar[tuple[str, ...]] = ()

    def __call__(self, action: Floats, proprio: Proprio, memory: Memory) -> tuple[Floats, Memory]:
        """The row with the gripper that is held; the memory: that, and how long it still is."""
        del proprio
        asked = float(action[-1])
        held, left = memory or (asked, 0.0)
        if left > 0 and self._closes(asked) != self._closes(held):
            asked = held
        elif self._closes(asked) != self._closes(held):
            left = float(self.steps)
        return np.array([*action[:-1].tolist(), asked]), (asked, max(left - 1, 0.0))

    def waited(self, memory: Memory) -> Memory:
        """The memory after a control step in which the gripper was told what it was told before."""
        if not memory:
            return memory
        held, left = memory
        return held, max(left - 1, 0.0)

    def _closes(self, told: float) -> bool:
        middle = (self.env_open + self.env_close) / 2
        return (told - middle) * (self.env_close - self.env_open) > 0

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"a change of the gripper is held for {self.steps} control steps"


def _turned(by: Quaternion | None) -> str:
    return "" if by is None else " turned by ({:g}, {:g}, {:g}, {:g}) xyzw".format(*by)


def _hand(proprio: Proprio) -> Quaternion:
    return to_quaternion(proprio["ee_quaternion"].tolist(), "quaternion_xyzw")


def _vector(numbers: Floats) -> Vector:
    x, y, z = numbers.tolist()
    return x, y, z
