"""What an environment offers and what a policy needs, declared before anything runs.

Canonical forms, which both sides are described in:

- images: upright RGB ``(H, W, 3) uint8``, named by role (``exterior/0``, ``wrist/0``);
- proprioception: the named fields of `PROPRIO_FIELDS`;
- actions: the environment's own 7 numbers, see `ActionSpec`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from vlabench.types import Json

PROPRIO_FIELDS = {
    "ee_position": "(3,) metres, of the grip site, in the robot's base frame",
    "ee_quaternion": "(4,) xyzw with w >= 0, of the grip site, in the robot's base frame",
    "gripper_opening": "(1,) 0 closed to 1 open",
    "joint_positions": "(7,) radians",
    "joint_velocities": "(7,) radians per second",
}
"""Every proprioceptive field there is, with its shape, unit and frame."""


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One camera that a policy looks through, and what is done to its image before it looks.

    The environment renders `role` at `height` × `width`; the other fields are a policy's own
    preprocessing, which the pipeline does in the order of their declaration here.

    Attributes:
        role: For example ``exterior/0`` or ``wrist/0``.
        height: Pixels that are rendered.
        width: Pixels that are rendered.
        mirrored: Left and right change places. So does whoever turns robosuite's bottom-up
            image by 180 degrees instead of flipping it, as the LIBERO data sets were made.
        jpeg_quality: Of a JPEG round trip, 1 to 95; None for none.
        resized: Height and width after Lanczos resampling; None to leave the size alone.
        crop_area: Share of the area, in (0, 1], that a centre crop keeps; the crop is scaled
            back to the size it was cut from. None for no crop.
    """

    role: str
    height: int
    width: int
    mirrored: bool = False
    jpeg_quality: int | None = None
    resized: tuple[int, int] | None = None
    crop_area: float | None = None


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """How seven numbers are read: three of translation, three of rotation, one of gripper.

    Attributes:
        control: ``"ee_delta"``: a change of the end effector's pose each control step;
            ``"joint_delta"``: a change of each joint; ``"joint_velocity"``: its speed.
        frame: ``"base"``: translation along, and rotation about, the axes of the robot's base;
            ``"joints"``: a number a joint.
        rotation: ``"axis_angle"``; ``"none"`` where joints are controlled.
        scale: ``"normalized"`` (1 is the environment's largest step) or ``"metric"`` (metres
            and radians).
        gripper_open: The last number that opens the gripper.
        gripper_close: The last number that closes it.
        dimension: How many numbers there are.
        gripper_threshold: Of a policy: its last number is made all open or all closed at this
            value, so that nothing between reaches the environment; None to leave it alone.
        max_translation_m: Of a normalized policy: the metres that its 1 means; None if it means
            the environment's own.
        max_rotation_rad: The same in radians.
    """

    control: Literal["ee_delta", "joint_delta", "joint_velocity"] = "ee_delta"
    frame: Literal["base", "joints"] = "base"
    rotation: Literal["axis_angle", "none"] = "axis_angle"
    scale: Literal["normalized", "metric"] = "normalized"
    gripper_open: float = -1.0
    gripper_close: float = 1.0
    dimension: int = 7
    gripper_threshold: float | None = None
    max_translation_m: float | None = None
    max_rotation_rad: float | None = None


@dataclass(frozen=True, slots=True)
class EnvSpec:
    """What an environment offers.

    Attributes:
        embodiment: The robot and its gripper.
        control_hz: Control steps per simulated second.
        cameras: The camera roles it can render, at any size.
        proprio: The proprioceptive fields it delivers.
        action: What it executes.
        max_translation_m: Metres that a normalized translation of 1 means.
        max_rotation_rad: Radians that a normalized rotation of 1 means.
        privileged: Whether it can show its own state.
        fingerprint: Hash of physics, control, cameras, rendering and world; where it differs,
            results must not be compared.
    """

    embodiment: str
    control_hz: float
    cameras: tuple[str, ...]
    proprio: tuple[str, ...]
    action: ActionSpec
    max_translation_m: float
    max_rotation_rad: float
    privileged: bool
    fingerprint: str

    def to_json(self) -> dict[str, Json]:
        """Plain values, for a file or a hash."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a policy needs and what it answers.

    Attributes:
        name: What it is called in tables.
        cameras: What it looks through; empty for a policy that does not look.
        proprio: The fields it reads.
        action: What its numbers mean.
        chunk_length: Rows of an answer.
        executed: How many of them are executed before it is asked again.
        control_hz: The rate it was trained at; None if it does not care.
        privileged: Whether it reads the simulator's state; such a policy is marked in tables.
        deterministic: Whether equal observations give equal answers.
        stateful: Whether it remembers earlier steps of a session.
        max_batch: Most sessions in one call.
        revision: Which checkpoint or state of it this is, where arguments and source do not say;
            results of two revisions never share a run.
    """

    name: str
    cameras: tuple[CameraSpec, ...] = ()
    proprio: tuple[str, ...] = ()
    action: ActionSpec = ActionSpec()
    chunk_length: int = 1
    executed: int = 1
    control_hz: float | None = None
    privileged: bool = False
    deterministic: bool = True
    stateful: bool = False
    max_batch: int = 1
    revision: str = ""

    def to_json(self) -> dict[str, Json]:
        """Plain values, for a file or a hash."""
        return asdict(self)
