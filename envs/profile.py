"""What makes results comparable: physics, control, cameras, rendering and world, as one hash."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from vlabench.contract.specs import PROPRIO_FIELDS, ActionSpec, EnvSpec
from vlabench.envs.control import GRIPPER_CLOSED_M, MAX_ROTATION_RAD, MAX_TRANSLATION_M
from vlabench.envs.draw import EMBODIMENT
from vlabench.envs.embodiments import KEPT_FACES
from vlabench.envs.scene import CAMERAS, MULTISAMPLES, SHADOW_MAP, VIEWS
from vlabench.hashing import content_hash

VERSION = "2"
"""Version of the world: raised whenever a draw, a shape, a predicate or the physics changes."""

CONTROL_HZ = 20.0


@cache
def env_spec() -> EnvSpec:
    """What every environment of the tabletop world offers."""
    profile = {
        "world": VERSION,
        "mujoco": version("mujoco"),
        "robosuite": version("robosuite"),
        "control": {
            "name": "OSC_POSE",
            "hz": CONTROL_HZ,
            "largest": [MAX_TRANSLATION_M, MAX_ROTATION_RAD],
            "gripper_closed_m": GRIPPER_CLOSED_M,
        },
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
        action=ActionSpec(),
        max_translation_m=MAX_TRANSLATION_M,
        max_rotation_rad=MAX_ROTATION_RAD,
        privileged=True,
        fingerprint=content_hash(profile),
    )
