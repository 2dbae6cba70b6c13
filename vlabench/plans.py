"""What a planner says to the policy that it stands before.

All parts are plain values in tuples, so that two plans can be compared, hashed, written to a record
and sent to another process. Points in an image are shares of its width and height, x to the right
and y down, ``(0, 0)`` the upper left corner of the upright image as the camera renders it: what is
done to the image afterwards does not change them. Points in space are metres in the robot's base
frame.

The parts cover what hierarchical policies say to each other: spoken subtasks (Hi Robot,
arXiv:2502.19417), language motions (RT-H, arXiv:2403.01823), 2-D paths with the gripper's state at
every point (HAMSTER, arXiv:2502.05485), waypoints of the end effector (MoManipVLA,
arXiv:2503.13446), keypoints, and small programs of skills.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

PlanPart: TypeAlias = Literal["subtask", "paths", "waypoints", "keypoints", "program"]
"""What a plan can be made of; the names of the fields of `Plan` but for its stage."""

PARTS: tuple[PlanPart, ...] = ("subtask", "paths", "waypoints", "keypoints", "program")

Pixel: TypeAlias = tuple[float, float]
"""Shares of an image's width and height, in [0, 1]."""

Point: TypeAlias = tuple[float, float, float]
"""Metres in the robot's base frame."""


@dataclass(frozen=True, slots=True)
class Path2D:
    """Where the hand is to go in the image of one camera.

    Attributes:
        camera: Its role, for example ``exterior/0``.
        points: Along the way, first things first.
        gripper_open: Whether the gripper is to be open at each of them; empty if nobody says.
    """

    camera: str
    points: tuple[Pixel, ...]
    gripper_open: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Waypoint:
    """Where the hand is to be.

    Attributes:
        position: Of the grip site.
        rotation: Unit quaternion xyzw of the grip site in the base frame; None if nobody says.
        gripper_opening: 0 closed to 1 open; None if nobody says.
    """

    position: Point
    rotation: tuple[float, float, float, float] | None = None
    gripper_opening: float | None = None


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A point that matters, in an image or in space.

    Attributes:
        name: What it is, for example ``"handle"``.
        camera: In whose image `pixel` is; empty without one.
        pixel: Where it is there.
        position: Where it is in space.
    """

    name: str
    camera: str = ""
    pixel: Pixel | None = None
    position: Point | None = None


@dataclass(frozen=True, slots=True)
class SkillCall:
    """One line of a program: a skill of the policy, and what it is to be used on."""

    skill: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now.

    Attributes:
        subtask: In words.
        stage: The stage of the task that this is meant to be, by its name; empty if the planner
            does not know the task's stages. It is for the record alone.
        paths: In images.
        waypoints: In space, in order.
        keypoints: In images or in space.
        program: Skills, in order.
    """

    subtask: str = ""
    stage: str = ""
    paths: tuple[Path2D, ...] = ()
    waypoints: tuple[Waypoint, ...] = ()
    keypoints: tuple[Keypoint, ...] = ()
    program: tuple[SkillCall, ...] = ()

    def is_another(self, before: Plan | None) -> bool:
        """Whether it is another subtask than `before`, so that what was begun for that is void.

        A subtask is known by its words and its program. Paths, waypoints and keypoints may be
        redrawn for the same subtask; where a plan has neither words nor program, they are all that
        there is, and tell subtasks apart themselves.
        """
        if before is None:
            return True
        mine, theirs = (self.subtask, self.program), (before.subtask, before.program)
        if mine != theirs or self.subtask or self.program:
            return mine != theirs
        return replace(self, stage="") != replace(before, stage="")

    def only(self, parts: tuple[PlanPart, ...]) -> Plan:
        """The same with nothing but these parts."""
        return Plan(**{part: getattr(self, part) for part in parts})

    def to_json(self) -> dict[str, Any]:
        """What is said, as plain values; what is not said is left out."""
        told = {name: value for name, value in asdict(self).items() if value}
        return {name: _plain(value) for name, value in told.items()}


def parts_of(plan: Plan) -> tuple[PlanPart, ...]:
    """The parts that `plan` has."""
    return tuple(part for part in PARTS if getattr(plan, part))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item not in (None, "", ())}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
