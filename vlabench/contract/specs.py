"""What an environment offers and what a policy needs, declared before anything runs.

Canonical forms, which both sides are described in:

- images: upright RGB ``(H, W, 3) uint8``, named by role (``exterior/0``, ``wrist/0``);
- proprioception: the named fields of `PROPRIO_FIELDS`;
- actions: what a controller of the environment executes, see `ActionSpec`.

Everything is plain values, so that a declaration can be written to a file, sent by a server, hashed
and compared with another declaration of the same policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from vlabench.plans import PlanPart
from vlabench.types import LATER, Json

PROPRIO_FIELDS = {
    "ee_position": "(3,) metres, of the grip site, in the robot's base frame",
    "ee_quaternion": "(4,) xyzw with w >= 0, of the grip site, in the robot's base frame",
    "gripper_opening": "(1,) 0 closed to 1 open",
    "joint_positions": "(n,) radians, one for each joint of the arm: 7 of the Panda",
    "joint_velocities": "(n,) radians per second, one for each joint of the arm",
}
"""Every proprioceptive field there is, with its shape, unit and frame.

Other arms, those of the axis ``embodiment``, may have another number of joints.
"""

Rotation: TypeAlias = Literal[
    "axis_angle", "euler_xyz", "quaternion_xyzw", "quaternion_wxyz", "rot6d", "matrix", "none"
]
"""How a rotation is written: see `vlabench.contract.rotations`. ``"none"`` where there is none."""

ROTATION_SIZES: Mapping[str, int] = {
    "axis_angle": 3,
    "euler_xyz": 3,
    "quaternion_xyzw": 4,
    "quaternion_wxyz": 4,
    "rot6d": 6,
    "matrix": 9,
    "none": 0,
}
"""How many numbers each takes."""

Filter: TypeAlias = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]
Fit: TypeAlias = Literal["stretch", "pad"]
Layout: TypeAlias = Literal["hwc", "chw"]
Control: TypeAlias = Literal[
    "ee_delta", "ee_pose", "joint_delta", "joint_position", "joint_velocity"
]
Need: TypeAlias = Literal["depth", "intrinsics", "last_action"]


# --- what a policy sees -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One camera that a policy looks through, and what is done to its image before it looks.

    The environment renders `role` at `height` × `width`; the other fields are a policy's own
    preprocessing, which the pipeline does in the order of their declaration here.

    Attributes:
        role: For example ``exterior/0`` or ``wrist/0``.
        height: Pixels that are rendered.
        width: Pixels that are rendered.
        rotated: Turned by 180 degrees.
        mirrored: Left and right change places. So does whoever turns robosuite's bottom-up
            image by 180 degrees instead of flipping it, as the LIBERO data sets were made.
        jpeg_quality: Of a JPEG round trip, 1 to 95; None for none.
        resized: Height and width after resampling; None to leave the size alone.
        resize_filter: How it is resampled: Pillow's filters with antialiasing, where ``area`` is
            its box filter.
        resize_fit: ``"stretch"`` to the size whatever the shape; ``"pad"`` keeps the shape and
            fills with black around the middle (``resize_with_pad`` of openpi and TensorFlow).
        crop_area: Share of the area, in (0, 1], that a centre crop keeps; the crop is scaled
            back to the size it was cut from. None for no crop.
        history: How many images the policy sees: the last ones at which it looked or could have
            looked, `history_stride` control steps apart, oldest first, the first one repeated
            where there are none yet. With 1 an image has no axis of time.
        history_stride: Control steps between two images of the history.
        layout: ``"hwc"``, or ``"chw"`` with the channels first.
        dtype: ``"uint8"``, or ``"float32"`` in [0, 1].
        key: What the policy's own request calls it; empty to use the role.
        draws_paths: Whether the planner's 2-D paths in this camera are drawn onto the image, last
            of all (HAMSTER, arXiv:2502.05485).
    """

    role: str
    height: int
    width: int
    rotated: bool = False
    mirrored: bool = False
    jpeg_quality: int | None = None
    resized: tuple[int, int] | None = None
    resize_filter: Filter = "lanczos"
    resize_fit: Fit = "stretch"
    crop_area: float | None = None
    history: int = 1
    history_stride: int = 1
    layout: Layout = "hwc"
    dtype: Literal["uint8", "float32"] = "uint8"
    key: str = ""
    draws_paths: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True, slots=True)
class StateField:
    """A part of the state vector that a policy reads, in its own representation.

    Attributes:
        source: A field of `PROPRIO_FIELDS`, or ``"zeros"`` for padding.
        as_: How it is written. Of ``ee_quaternion`` a `Rotation`; of ``gripper_opening``
            ``"opening"`` (0 closed to 1 open), ``"closing"`` (1 closed), ``"width"`` (metres
            between the fingers, `scale` metres when open) or ``"fingers"`` (two finger joints of
            opposite sign, ``+scale / 2`` and ``-scale / 2`` when open); of every other field
            ``"same"``.
        size: Numbers that are left: a longer vector is an error, a shorter one is filled with
            zeros at its end; None to leave it as it is. Of ``"zeros"`` how many they are.
        scale: Metres between the fingers of the open gripper, where `as_` needs it.
        offset: Metres added to ``ee_position``: where the policy's origin sees the robot's base.
        turned: Unit quaternion xyzw by which ``ee_quaternion`` is multiplied from the right: from
            the policy's hand frame to the grip site.
        towards: Of ``ee_quaternion`` as an axis-angle or a quaternion: of the two quaternions of a
            rotation, the one whose scalar product with this one, xyzw, is positive. None means
            ``w >= 0``, the short way round. robosuite hands out MuJoCo's quaternion as it is,
            whose x is positive for a hand that points down, so that a LIBERO policy's axis-angle
            goes on beyond pi where the short way jumps to the other side.
    """

    source: str
    as_: str = "same"
    size: int | None = None
    scale: float | None = None
    offset: tuple[float, float, float] | None = None
    turned: tuple[float, float, float, float] | None = None
    towards: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """How an instruction is worded for a policy.

    Attributes:
        template: Text with ``{instruction}`` once in it.
        case: ``"as-is"``, ``"lower"`` or ``"upper"``; of the instruction, not of the template.
        strip_period: Whether a full stop at the instruction's end is taken away.
    """

    template: str = "{instruction}"
    case: Literal["as-is", "lower", "upper"] = "as-is"
    strip_period: bool = False


# --- what a policy does -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """How the numbers of an action are read: the arm's first, the gripper's one after them.

    Attributes:
        control: ``"ee_delta"``: a change of the end effector's pose each control step;
            ``"ee_pose"``: the pose to go to; ``"joint_delta"``, ``"joint_position"``: the same
            of the joints; ``"joint_velocity"``: their speed.
        frame: Of the end effector's translation and rotation: ``"base"``, along and about the
            axes of the robot's base, or ``"hand"``, those of the grip site as it is then;
            ``"joints"``: a number a joint.
        rotation: How a rotation is written; ``"none"`` where joints are controlled.
        scale: ``"normalized"`` (1 is the largest step) or ``"metric"`` (metres and radians;
            radians a second of a velocity). A pose and a position are always metric.
        gripper_open: The gripper's number that opens.
        gripper_close: The gripper's number that closes.
        dimension: How many numbers there are, padding included.
        padding: How many of them, at the end, mean nothing.
        gripper_threshold: Of a policy: its gripper's number is made all open or all closed at this
            value, so that nothing between reaches the environment; None to leave it alone.
        gripper_relative: The number is a change of the gripper: only a step past the threshold
            towards open or closed moves it, everything else leaves it as it is.
        gripper_sticky_steps: A change of the gripper is held for at least so many control steps,
            whatever is asked for meanwhile; 1 for none.
        max_translation_m: Of a normalized policy: the metres that its 1 means; None if it means
            the environment's own.
        max_rotation_rad: The same in radians.
        max_joint: The same of a joint: radians, or radians a second.
        bound: The largest size of a number that can be meant; an answer beyond it is an error of
            the policy and not clipped. None for no bound.
        offset: Of a pose to go to: metres by which the policy's positions are those in the robot's
            base frame and more, as of `StateField.offset`.
        turned: Of a pose to go to, or of a change in the hand's frame: unit quaternion xyzw from
            the policy's hand frame to the grip site, as of `StateField.turned`.
    """

    control: Control = "ee_delta"
    frame: Literal["base", "hand", "joints"] = "base"
    rotation: Rotation = "axis_angle"
    scale: Literal["normalized", "metric"] = "normalized"
    gripper_open: float = -1.0
    gripper_close: float = 1.0
    dimension: int = 7
    padding: int = 0
    gripper_threshold: float | None = None
    gripper_relative: bool = False
    gripper_sticky_steps: int = 1
    max_translation_m: float | None = None
    max_rotation_rad: float | None = None
    max_joint: float | None = None
    bound: float | None = None
    offset: tuple[float, float, float] | None = None
    turned: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Ensembling:
    """Overlapping answers are averaged: those for one control step, older ones weighted more.

    The weight of the ``i``-th oldest answer is ``exp(-decay * i)``, as in ACT (Zhao et al. 2023,
    arXiv:2304.13705). The policy is then asked at every `every`-th control step.
    Rotations whose numbers jump from one to its neighbour (all but ``"rot6d"`` and ``"matrix"`` of
    a pose, and quaternions of a change too) have no mean and are refused.

    Attributes:
        decay: ACT's ``m``; 0 for the plain mean.
        every: Control steps between two answers.
    """

    decay: float = 0.01
    every: int = 1


# --- who says what is to be done ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannerSpec:
    """What a planner needs and what it says to the policy that it stands before.

    Attributes:
        name: What it is called in tables.
        says: The parts of `vlabench.plans.Plan` that it may use.
        every: Control steps between two questions; None to ask it whenever the policy is asked. A
            number beyond every horizon asks it once, at the beginning.
        wording: What the policy is told: text with ``{subtask}`` in it, and ``{instruction}``
            where the task's own words are to stay. The policy's own prompt is made of that.
        cameras: What it looks through.
        proprio: The canonical fields that it reads.
        state: What its state vector is made of.
        prompt: How the instruction is worded for it.
        privileged: Whether it reads the simulator's state; so does then, for all tables, the whole.
        deterministic: Whether equal observations give equal plans.
        stateful: Whether it remembers earlier steps of a session. What it said last is told to it
            anyway.
        max_batch: Most sessions in one call.
        fixed_batch: As of a policy.
        revision: As of a policy.
        params: As of a policy; 0 of a script. The whole has the sum, if both are known.
    """

    name: str
    says: tuple[PlanPart, ...] = ("subtask",)
    every: int | None = None
    wording: str = "{subtask}"
    cameras: tuple[CameraSpec, ...] = ()
    proprio: tuple[str, ...] = ()
    state: tuple[StateField, ...] = ()
    prompt: PromptSpec = PromptSpec()
    privileged: bool = False
    deterministic: bool = True
    stateful: bool = False
    max_batch: int = 1
    fixed_batch: bool = False
    revision: str = ""
    params: int | None = None


# --- both sides ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnvSpec:
    """What an environment offers under one controller.

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
        max_joint: Radians, or radians a second, that a normalized joint action of 1 means; None
            where the end effector is controlled.
        needs: What it can deliver beside images and proprioception.
        controller: What `World.make` calls the controller that executes `action`.
        same_arms: The embodiments with as many joints as `embodiment` has; empty if all have.
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
    max_joint: float | None = None
    needs: tuple[Need, ...] = ("last_action",)
    controller: str = ""
    same_arms: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Plain values, for a file or a hash."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a policy needs and what it answers.

    Attributes:
        name: What it is called in tables.
        cameras: What it looks through; empty for a policy that does not look.
        proprio: The canonical fields it reads.
        state: What its state vector is made of, in order; empty for a policy without one.
        prompt: How the instruction is worded for it.
        action: What its numbers mean.
        chunk_length: Rows of an answer.
        executed: How many of them are executed before it is asked again.
        ensembling: How overlapping answers are averaged; None if they are not. `executed` is then
            `Ensembling.every`.
        control_hz: The rate it was trained at; None if it does not care.
        needs: What else it reads.
        privileged: Whether it reads the simulator's state; such a policy is marked in tables.
        deterministic: Whether equal observations give equal answers.
        stateful: Whether it remembers earlier steps of a session.
        max_batch: Most sessions in one call.
        fixed_batch: Whether it is asked for exactly `max_batch` sessions at a time: what is missing
            is filled with copies of the first observation under ids that begin with
            `PADDING`, and the answers to those are thrown away. A shape that never changes gives
            the same bits, however many sessions there happen to be.
        while_waiting: What is executed while it thinks, where latency is simulated: ``"hold"``
            stands still, ``"rest"`` executes what is left of the answer before.
        revision: Which checkpoint or state of it this is, where arguments and source do not say;
            results of two revisions never share a run.
        planner: Of a policy with a planner before it: the planner's declaration.
        reads: What it reads of `Observation.plan`. A subtask reaches every policy as its
            instruction, and needs no declaration.
        skills: The skills that it offers to a planner's programs.
        params: Number of its parameters, as it says; None where they are to be counted.
        weight_type: Whether many tasks share its weights, or they were tuned to one; empty where
            nobody says.
    """

    name: str
    cameras: tuple[CameraSpec, ...] = ()
    proprio: tuple[str, ...] = ()
    state: tuple[StateField, ...] = ()
    prompt: PromptSpec = PromptSpec()
    action: ActionSpec = ActionSpec()
    chunk_length: int = 1
    executed: int = 1
    ensembling: Ensembling | None = None
    control_hz: float | None = None
    needs: tuple[Need, ...] = ()
    privileged: bool = False
    deterministic: bool = True
    stateful: bool = False
    max_batch: int = 1
    fixed_batch: bool = False
    while_waiting: Literal["hold", "rest"] = "hold"
    revision: str = ""
    planner: PlannerSpec | None = field(default=None, metadata=LATER)
    reads: tuple[PlanPart, ...] = field(default=(), metadata=LATER)
    skills: tuple[str, ...] = field(default=(), metadata=LATER)
    params: int | None = field(default=None, metadata=LATER)
    weight_type: Literal["", "shared", "finetuned"] = field(default="", metadata=LATER)

    def to_json(self) -> dict[str, Json]:
        """Plain values, for a file or a hash."""
        return asdict(self)


PADDING = "padding-"
"""What the id of a session begins with that only fills a batch up."""
