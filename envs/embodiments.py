"""Embodiments: arms and grippers of robosuite, and what must be known of each.

All take the same actions, and their hands start in the same place. `vlabench.envs.robots` composes
them; this module says what a scene, a controller or a planner must know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import pi

from vlabench.errors import UnknownNameError

TABLE_SIZE = (0.8, 0.8, 0.05)
"""Metres; the middle of its top is the origin of the world, lifted by `TABLE_HEIGHT`."""

TABLE_HEIGHT = 0.8

ARM_PREFIX = "robot0_"
GRIPPER_PREFIX = "gripper0_right_"
"""robosuite's, of the names of whatever belongs to the arm and to the gripper."""

GRIPPER_CLOSED_M = -0.02
"""Metres from the middle that a closed finger of the Panda aims for.

robosuite aims for 0. The finger is a servo, so it would press in proportion to the thickness of
what it holds: a 4 mm rim would get 2 N, and slip. Aiming 2 cm past the middle gives every object
the full 20 N of the motor.
"""


@dataclass(frozen=True, slots=True)
class Gripper:
    """A gripper of two fingers; names are without prefix.

    Attributes:
        robosuite: robosuite's name of it.
        joints: All that move, and `home`, where they start (metres or radians).
        opened: What its actuators aim for when it is open, in their order in the model.
        closed: The same when it is closed; beyond what they can reach, so that whatever is held
            gets the full force.
        pads: Collision geoms that touch what is held.
        pad_gap: Metres between the middles of the pads when they touch.
        max_opening: Metres between the pads when the gripper is open.
        fingertip_reach: Metres that the fingertips reach beyond the grip site, along the fingers,
            at most: those of a linkage move as it closes.
        palm_clearance: Metres behind the grip site that what is held can fill.
        followers: Joint to the joint that it follows, and how many times as far it turns.
        force: Largest force or torque of an actuator; None where robosuite limits it.
    """

    robosuite: str
    joints: tuple[str, ...]
    home: tuple[float, ...]
    opened: tuple[float, float]
    closed: tuple[float, float]
    pads: tuple[str, str]
    pad_gap: float
    max_opening: float
    fingertip_reach: float
    palm_clearance: float
    followers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    force: float | None = None


@dataclass(frozen=True, slots=True)
class WristCamera:
    """A camera on `body`: metres and a quaternion wxyz in its frame, degrees of view."""

    body: str
    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]
    degrees: float


@dataclass(frozen=True, slots=True)
class Embodiment:
    """An arm and its gripper; names are without prefix.

    Attributes:
        robot: robosuite's name of the arm.
        joints: Of the arm, from the base to the hand; 6 or 7.
        home: Radians in which they start: the hand is where the Panda's is, and turned like it.
        wrist_camera: Where it looks from.
        prefix: Of the arm's bodies, joints and actuators.
        gripper_prefix: Of the gripper's.
    """

    name: str
    robot: str
    joints: tuple[str, ...]
    home: tuple[float, ...]
    gripper: Gripper
    wrist_camera: WristCamera
    prefix: str = ARM_PREFIX
    gripper_prefix: str = GRIPPER_PREFIX

    @property
    def base_body(self) -> str:
        """The body whose frame the state and the actions are given in, with its prefix."""
        return f"{self.prefix}base"

    @property
    def grip_site(self) -> str:
        """The site between the fingertips: z along the fingers, x the direction of closing."""
        return f"{self.gripper_prefix}grip_site"

    @property
    def finger_joints(self) -> tuple[str, ...]:
        """All joints of the gripper."""
        return self.gripper.joints

    @property
    def finger_home(self) -> tuple[float, ...]:
        """Where they start, in metres or radians."""
        return self.gripper.home

    @property
    def max_opening(self) -> float:
        """Metres between the pads when the gripper is open."""
        return self.gripper.max_opening


# --- the table of them ------------------------------------------------------------------------

PANDA_GRIPPER = Gripper(
    robosuite="PandaGripper",
    joints=("finger_joint1", "finger_joint2"),
    home=(0.020833, -0.020833),
    opened=(0.04, -0.04),
    closed=(GRIPPER_CLOSED_M, -GRIPPER_CLOSED_M),
    pads=("finger1_pad_collision", "finger2_pad_collision"),
    pad_gap=0.007,
    max_opening=0.08,
    fingertip_reach=0.0092,
    palm_clearance=0.031,
)

ROBOTIQ85 = Gripper(
    robosuite="Robotiq85Gripper",
    joints=(
        "finger_joint",
        "left_inner_finger_joint",
        "left_inner_knuckle_joint",
        "right_outer_knuckle_joint",
        "right_inner_finger_joint",
        "right_inner_knuckle_joint",
    ),
    home=(0.4, -0.4, 0.4, 0.4, -0.4, 0.4),
    opened=(0.0, 0.0),
    closed=(1.2, 1.2),
    pads=("left_fingerpad_collision", "right_fingerpad_collision"),
    pad_gap=0.002,
    max_opening=0.085,
    fingertip_reach=0.018,
    palm_clearance=0.021,
    followers={
        "left_inner_finger_joint": ("finger_joint", -1.0),
        "left_inner_knuckle_joint": ("finger_joint", 1.0),
        "right_inner_finger_joint": ("right_outer_knuckle_joint", -1.0),
        "right_inner_knuckle_joint": ("right_outer_knuckle_joint", 1.0),
    },
    force=1.5,
)
"""Its fingers are parallelograms, in which two joints follow the motor's, as the maker's own model
has them. robosuite ties them with a spring instead, so that the pads tilt and the motors work
against it. The torque of 1.5 N·m presses with 26 to 35 N, whatever the opening."""

_ALONG_THE_FINGERS = (0.0, 0.707108, 0.707108, 0.0)

_EYES = {
    # robosuite's own
    "PandaGripper": WristCamera("right_hand", (0.05, 0.0, 0.0), _ALONG_THE_FINGERS, 75.0),
    # further out, to look past the gripper's body
    "Robotiq85Gripper": WristCamera("right_hand", (0.08, 0.0, 0.03), _ALONG_THE_FINGERS, 75.0),
}

_ARM_JOINTS = {
    "Panda": tuple(f"joint{k}" for k in range(1, 8)),
    "UR5e": tuple(
        f"{name}_joint"
        for name in ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")
    ),
    "Sawyer": tuple(f"right_j{k}" for k in range(7)),
}


def _embodiment(robot: str, gripper: Gripper, *home: float) -> Embodiment:
    name = f"{robot.lower()}-{_SHORT[gripper.robosuite]}"
    return Embodiment(name, robot, _ARM_JOINTS[robot], home, gripper, _EYES[gripper.robosuite])


_SHORT = {"PandaGripper": "panda", "Robotiq85Gripper": "robotiq85"}

# robosuite's own home; the others are where its hand is, by inverse kinematics
_PANDA = Embodiment(
    name="panda",
    robot="Panda",
    joints=_ARM_JOINTS["Panda"],
    home=(0.0, pi / 16, 0.0, -pi / 2 - pi / 3, 0.0, pi - 0.2, pi / 4),
    gripper=PANDA_GRIPPER,
    wrist_camera=_EYES["PandaGripper"],
)

_ALL = (
    _PANDA,
    _embodiment("Panda", ROBOTIQ85, 0.0, 0.0385, 0.0, -2.6463, 0.0, 2.8121, 0.7854),
    _embodiment("UR5e", PANDA_GRIPPER, -0.315, -1.4218, 2.3049, -2.5749, -1.5315, -1.8839),
    _embodiment("UR5e", ROBOTIQ85, -0.3197, -1.5426, 2.2671, -2.4162, -1.5309, -1.8886),
    _embodiment("Sawyer", PANDA_GRIPPER, -0.4082, -1.2098, 0.0369, 2.3846, 0.1214, 0.2797, -1.886),
    _embodiment("Sawyer", ROBOTIQ85, -0.374, -1.3493, -0.0178, 2.367, 0.1234, 0.4381, -1.8966),
)

EMBODIMENTS: Mapping[str, Embodiment] = {kind.name: kind for kind in _ALL}


def embodiment(name: str) -> Embodiment:
    """The embodiment called `name`.

    Raises:
        UnknownNameError: If there is none.
    """
    if name not in EMBODIMENTS:
        raise UnknownNameError("embodiment", name, EMBODIMENTS)
    return EMBODIMENTS[name]
