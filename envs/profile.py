"""What makes results comparable: physics, control, cameras, rendering and world, as one hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import version

from vlabench.contract.specs import PROPRIO_FIELDS, ActionSpec, EnvSpec
from vlabench.envs.control import (
    MAX_JOINT_SPEED,
    MAX_JOINT_TURN_RAD,
    MAX_ROTATION_RAD,
    MAX_TRANSLATION_M,
    action_size,
)
from vlabench.envs.draw import EMBODIMENT
from vlabench.envs.embodiments import EMBODIMENTS, embodiment
from vlabench.envs.scene import CAMERAS, MULTISAMPLES, SHADOW_MAP
from vlabench.envs.thinning import KEPT_FACES
from vlabench.envs.views import VIEWS
from vlabench.hashing import content_hash

VERSION = "2"
"""Version of the world: raised whenever a draw, a shape, a predicate or the physics changes."""

CONTROL_HZ = 20.0


OSC_POSE = "osc_pose"

_ACTIONS: Mapping[str, ActionSpec] = {
    OSC_POSE: ActionSpec(),
    "joint_position": ActionSpec(control="joint_delta", frame="joints", rotation="none"),
    "joint_velocity": ActionSpec(control="joint_velocity", frame="joints", rotation="none"),
}
"""Name of a controller to what its actions mean, whatever the number of joints."""

_LARGEST_OF_A_JOINT = {"joint_position": MAX_JOINT_TURN_RAD, "joint_velocity": MAX_JOINT_SPEED}
"""Name of a controller to the radians, or radians a second, that an action of 1 means."""


@cache
def env_spec(control: str = OSC_POSE) -> EnvSpec:
    """What every environment of the tabletop world offers.

    Args:
        control: Name of the controller. The number of joints is that of the nominal robot.
    """
    dimension = action_size(control, embodiment(EMBODIMENT))
    profile = {
        "world": VERSION,
        "mujoco": version("mujoco"),
        "robosuite": version("robosuite"),
        "control": {
            "name": control,
            "hz": CONTROL_HZ,
            "largest": [MAX_TRANSLATION_M, MAX_ROTATION_RAD, MAX_JOINT_TURN_RAD, MAX_JOINT_SPEED],
        },
        "embodiments": [asdict(kind) for kind in EMBODIMENTS.values()],
        "cameras": [CAMERAS, VIEWS],
        "render": {
            "shadow_map": SHADOW_MAP,
            "multisamples": MULTISAMPLES,
            "kept_faces": KEPT_FACES,
        },
    }
    return EnvSpec(
        embodiment=EMBODIMENT,
        control_hz=CONTROL_HZ,
        cameras=tuple(CAMERAS),
        proprio=tuple(PROPRIO_FIELDS),
        action=replace(_ACTIONS[control], dimension=dimension),
        max_translation_m=MAX_TRANSLATION_M,
        max_rotation_rad=MAX_ROTATION_RAD,
        privileged=True,
        fingerprint=content_hash(profile),
        max_joint=_LARGEST_OF_A_JOINT.get(control),
        controller=control,
        same_arms=_same_arms(),
    )


def _same_arms() -> tuple[str, ...]:
    """The embodiments with as many joints as the nominal robot."""
    joints = len(embodiment(EMBODIMENT).joints)
    return tuple(name for name, kind in EMBODIMENTS.items() if len(kind.joints) == joints)
