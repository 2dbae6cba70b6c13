"""The expert behind another convention than it declares: one fault each, as they happen.

What it knows it takes from the simulator, so that it is as good as the expert; what it says, and
what it understands of what it is shown, is up to `Miswired.fault`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vlabench.contract.rotations import from_quaternion, inverse, multiply, rotate, to_quaternion
from vlabench.contract.specs import ActionSpec, CameraSpec
from vlabench.registry import POLICIES
from vlabench.seeding import seed_of
from vlabench.types import ActionChunk

CAMERA = CameraSpec("exterior/0", 48, 48)
WRIST = CameraSpec("wrist/0", 48, 48)
POSE = ActionSpec(control="ee_pose", scale="metric", rotation="quaternion_xyzw", dimension=8)
JOINTS = ActionSpec(control="joint_delta", frame="joints", rotation="none", dimension=8)
MAX_JOINT = 0.05
"""Radians of the largest step."""

STATE = ("ee_position", "ee_quaternion")

LOW = np.array([-1.0, -1.0, -1.0, -0.4, -0.4, -0.4])
STATISTICS = {
    "ours": (LOW, -LOW),
    "theirs": (
        np.array([-0.2, -0.9, -0.5, -0.1, -0.3, -0.9]),
        np.array([0.9, 0.3, 1, 0.5, 0.1, 0.4]),
    ),
}
"""Data set to the lowest and highest action in it, which -1 and 1 of the model mean."""

TURNS = {
    "": lambda image: image,
    "turned": lambda image: image[::-1, ::-1],
    "mirrored": lambda image: image[:, ::-1],
    "flipped": lambda image: image[::-1],
}


class Miswired:
    """The expert, wired wrongly.

    Args:
        fault: What is wrong; empty for nothing.
        unnorm_key: Of `STATISTICS`; the model has been trained on "ours".
        memory: A file of `remember`: what the expert did and how scenes look. With it the policy
            needs neither the simulator's state nor to be asked at every step.
    """

    def __init__(self, *, fault: str = "", unnorm_key: str = "ours", memory: str = "") -> None:
        self.fault, self.key = fault, unnorm_key
        self._expert = POLICIES.load("expert")()
        self._memory = dict(np.load(memory)) if memory else None
        self._episodes: dict[str, str] = {}
        self._calls: dict[str, int] = {}

    @staticmethod
    def alternatives(args):
        """The data sets whose statistics it has."""
        return {"unnorm_key": list(STATISTICS)}

    def spec(self):
        spec = replace(self._expert.spec(), name="miswired", proprio=STATE)
        if self._memory is not None:
            spec = replace(spec, privileged=False, stateful=False)
        match self.fault:
            case "image" | "turned image" | "unseeing":
                return replace(spec, cameras=(CAMERA,))
            case "cameras" | "swapped cameras":
                return replace(spec, cameras=(CAMERA, WRIST))
            case "rotation" | "pose" | "origin":
                return replace(spec, action=POSE)
            case "joints" | "joint scale":
                return replace(spec, action=JOINTS)
            case "padding":
                return replace(spec, chunk_length=8, executed=8)
            case "clock":
                return replace(spec, chunk_length=8, executed=1, stateful=True)
            case "chunk" | "rate":
                return replace(spec, chunk_length=8, executed=8)
        return spec

    def reset(self, starts):
        self._expert.reset(starts)
        self._episodes.update({start.episode_id: str(start.seed) for start in starts})
        self._calls.update({start.episode_id: 0 for start in starts})

    def end(self, episode_ids):
        self._expert.end(episode_ids)

    def close(self):
        self._expert.close()

    def act(self, observations):
        return [ActionChunk(self._said(seen, self._wanted(seen))) for seen in observations]

    def _wanted(self, seen):
        """What the expert does here."""
        if self.fault == "elsewhere":  # the same thing everywhere
            return self._memory[min(key for key in self._memory if "/" not in key)][seen.step % 40]
        if self._memory is not None:
            return self._demonstrated(seen, seen.step).copy()
        return self._expert.act([seen])[0].actions[0]

    def _demonstrated(self, seen, steps, what=""):
        demonstration = self._memory[self._episodes[seen.episode_id] + what]
        return demonstration[np.minimum(steps, len(demonstration) - 1)]

    def _said(self, seen, action):
        hand = to_quaternion(seen.proprio["ee_quaternion"].tolist(), "quaternion_xyzw")
        match self.fault:
            case "gripper":
                action[6] = -action[6]
            case "frame" | "two":
                action[6] *= -1 if self.fault == "two" else 1
                action[:3] = rotate(inverse(hand), action[:3])
                action[3:6] = rotate(inverse(hand), action[3:6])
            case "scale":
                action[:6] *= [0.05] * 3 + [0.5] * 3
            case "axes":
                action[:2], action[3:5] = (-action[1], action[0]), (-action[4], action[3])
            case "statistics":
                action[:6] = unnormalised(normalised(action[:6], "ours"), self.key)
            case "pose":
                return pose(seen, hand, action)[None]
            case "origin":
                return (pose(seen, hand, action) + np.array([0.5, -0.1, 0.9, 0, 0, 0, 0, 0]))[None]
            case "joints" | "joint scale":
                moved = self._demonstrated(seen, seen.step, "/joints").copy()
                moved[:-1] *= 1 if self.fault == "joints" else MAX_JOINT
                return moved[None]
            case "rotation":
                return pose(seen, hand, action)[None, [0, 1, 2, 6, 3, 4, 5, 7]]
            case "padding":  # only its first row means anything
                return np.concatenate([action[None], np.zeros((7, 7))])
            case "clock":  # it believes that all 8 rows of an answer have been executed since
                call = self._calls[seen.episode_id]
                self._calls[seen.episode_id] += 1
                return self._demonstrated(seen, 8 * call + np.arange(8))
            case "chunk":
                return self._demonstrated(seen, seen.step + np.arange(8))
            case "rate":  # its rows are a tenth of a second apart
                return self._demonstrated(seen, seen.step + 2 * np.arange(8))
            case "image":
                action[:3] = self._as_it_looks(action[:3], seen.images[CAMERA.role])
            case "turned image":  # it has learned from images that are turned
                action[:3] = self._as_it_looks(action[:3], seen.images[CAMERA.role][::-1, ::-1])
            case "cameras":
                self._look(action, seen, CAMERA.role, WRIST.role)
            case "swapped cameras":
                self._look(action, seen, WRIST.role, CAMERA.role)
        return action[None]

    def _as_it_looks(self, motion, image):
        """The motion that somebody makes who goes by the picture, however it is turned."""
        likeness = {
            turn: similar(turned(image), self._memory[CAMERA.role])
            for turn, turned in TURNS.items()
        }
        turn = max(likeness, key=likeness.get)
        return motion * {"": 1, "turned": [1, -1, -1], "mirrored": [1, -1, 1]}.get(turn, [1, 1, -1])

    def _look(self, action, seen, outside, hand):
        """Without a picture of each kind where it belongs it is lost, and goes slowly up."""
        here = similar(seen.images[outside], self._memory[CAMERA.role])
        there = similar(seen.images[outside], self._memory[WRIST.role])
        if here < there:
            action[:3] = 0.0, 0.0, 0.2


class Broken(Miswired):
    """It cannot answer."""

    def act(self, observations):
        raise ValueError("no model")


def similar(image, picture):
    """The correlation of an image with a grey picture."""
    one, other = image.mean(axis=-1), picture
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def remember(path, walks, joints):
    """Writes what the expert did in each episode, and how scenes look on the whole.

    `joints` are the same ways in the numbers of a controller of joints.
    """
    looks = [shown.images for walk in walks for shown in walk.shown.values()]
    pictures = {
        role: np.mean([images[role].mean(axis=-1) for images in looks], axis=0)
        for role in (CAMERA.role, WRIST.role)
    }
    done = {key_of(walk.episode): walk.reference for walk in walks}
    done |= {f"{key_of(walk.episode)}/joints": walk.reference for walk in joints}
    np.savez(path, **done, **pictures)


def key_of(episode):
    """What the policy can know the episode by: the seed that its session begins with."""
    return str(seed_of("policy", episode.seed, episode.task, episode.index))


def pose(seen, hand, action):
    """The pose to go to: metres, quaternion xyzw, and the gripper."""
    turn = to_quaternion((0.5 * action[3:6]).tolist(), "axis_angle")
    there = from_quaternion(multiply(turn, hand), "quaternion_xyzw")
    return np.array([*(seen.proprio["ee_position"] + 0.05 * action[:3]), *there, action[6]])


def normalised(numbers, key):
    low, high = STATISTICS[key]
    return 2 * (numbers - low) / (high - low) - 1


def unnormalised(numbers, key):
    low, high = STATISTICS[key]
    return (numbers + 1) / 2 * (high - low) + low
