"""What LIBERO's conventions make of an observation, derived with scipy and numpy alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from vlabench.contract.negotiate import negotiate
from vlabench.seeding import stream
from vlabench.testing import EXAMPLE_ENV, example_observation
from vlabench.types import EpisodeStart


def observations(policy, count, step=0, sentences=("Press the red button.", "Open it.")):
    """What `count` sessions see, raw and as the policy is shown it; hands tilt every way."""
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    raw, shown = [], []
    for number in range(count):
        seen = example_observation(pipeline, f"session-{number}", step)
        tilt = Rotation.from_rotvec(stream("tilt", number, step).uniform(-0.6, 0.6, 3))
        quaternion = (tilt * Rotation.from_quat([1.0, 0, 0, 0])).as_quat()
        quaternion *= 1 if quaternion[3] >= 0 else -1
        seen = replace(
            seen,
            instruction=sentences[number % len(sentences)],
            proprio={**seen.proprio, "ee_quaternion": quaternion},
        )
        raw.append(seen)
        shown.append(pipeline.to_policy(seen))
    return raw, shown


def begin(policy, count):
    policy.reset(
        [EpisodeStart(f"session-{n}", 100 + n, "Open it.", EXAMPLE_ENV) for n in range(count)]
    )
    return policy


def state(seen):
    """LIBERO's eight numbers: position in the world, raw axis-angle of the hand, two fingers."""
    position = seen.proprio["ee_position"] + [-0.66, 0, 0.912]
    turned = Rotation.from_quat(seen.proprio["ee_quaternion"]) * Rotation.from_euler("z", 90, True)
    quaternion = turned.as_quat()
    quaternion *= 1 if quaternion[0] > 0 else -1
    angle = 2 * np.arccos(quaternion[3])
    axis = quaternion[:3] / np.sqrt(1 - quaternion[3] ** 2)
    finger = 0.04 * seen.proprio["gripper_opening"]
    return np.concatenate([position, angle * axis, finger, -finger])


def picture(seen, role):
    """An upright frame with left and right exchanged, ``(3, H, W)`` in [0, 1]."""
    return seen.images[role][:, ::-1].transpose(2, 0, 1) / 255
