"""The expert's way through an episode, and all that a policy would have been shown on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import Environment, World, draw_episode
from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import CameraSpec, EnvSpec
from vlabench.errors import UsageError
from vlabench.rollout import RunContext, run_episode
from vlabench.runner.job import make_policy
from vlabench.types import EpisodeSpec, Floats, Observation

Actions: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """What is watched on the way.

    Attributes:
        cameras: What is rendered, where somebody looks.
        privileged: Whether the simulator's own state is shown then too.
        moments: From the length of a path to the control steps at which somebody looks.
    """

    cameras: Sequence[CameraSpec]
    privileged: bool
    moments: Callable[[int], Collection[int]]


@dataclass(frozen=True, slots=True)
class Path:
    """What the expert did.

    Attributes:
        episode: In which episode.
        reference: ``(N, n)``, what it did in each control step, as the policy's controller would
            be told: 1 is that controller's largest step, and the gripper is last.
        stances: Proprioception before each of these steps.
        shown: Control step to all that the environment showed then.
    """

    episode: EpisodeSpec
    reference: Floats
    stances: tuple[Mapping[str, Floats], ...]
    shown: Mapping[int, Observation]


def walk(
    world: World,
    expert: str,
    tasks: Mapping[str, int],
    seed: int,
    look: Look,
    offer: EnvSpec,
) -> Iterator[Path]:
    """The expert's ways through nominal episodes, one after another.

    The expert runs each once, without being looked at; what it did is then done again, and
    watched. An episode that it does not solve teaches nothing, and is passed over.

    Args:
        world: Where.
        expert: A registered policy or ``module:attribute``.
        tasks: Task to how many episodes of it.
        seed: Of the draws.
        look: What is watched.
        offer: What the environment offers to the policy that is examined.

    Raises:
        UsageError: If the expert fails too often.
    """
    with closing(make_policy(expert, {})) as guide, closing(world.make()) as environment:
        pipeline = negotiate(guide.spec(), environment.spec())
        context = RunContext("conventions", "conventions", 0, "")
        for task, count in tasks.items():
            solved = 0
            for index in range(count + SPARE):
                if solved == count:
                    break
                episode = draw_episode(world, task, (), seed=seed, index=index)
                record, trace = run_episode(environment, guide, pipeline, episode, context)
                if record.success:
                    solved += 1
                    yield _watched(environment, episode, trace.actions, offer, look)
            if solved < count:
                raise UsageError(
                    f"The policy {expert!r} solves {solved} of {count + SPARE} episodes of "
                    f"{task} with seed {seed}, and what it does is the reference; give another "
                    "--seed, or leave the task out."
                )


SPARE = 3
"""Episodes of a task, beyond those that are needed, that the expert may fail in."""


def _watched(
    environment: Environment,
    episode: EpisodeSpec,
    actions: Actions,
    offer: EnvSpec,
    look: Look,
) -> Path:
    environment.start(episode)
    looks = frozenset(look.moments(len(actions)))
    shown: dict[int, Observation] = {}
    stances: list[Mapping[str, Floats]] = []
    for step, action in enumerate(actions):
        if step in looks:
            shown[step] = environment.observe(look.cameras, privileged=look.privileged)
        stances.append(environment.observe().proprio)
        environment.advance(action)
    stances.append(environment.observe().proprio)
    return Path(episode, _reference(actions, stances, offer), tuple(stances[:-1]), shown)


def _reference(actions: Actions, stances: Sequence[Mapping[str, Floats]], offer: EnvSpec) -> Floats:
    """The expert's actions, or, for a controller of joints, how the joints moved by them."""
    told: Floats = actions.astype(np.float64)
    if offer.action.control == "ee_delta":
        return told
    joints = np.array([stance["joint_positions"] for stance in stances])
    moved = np.diff(joints, axis=0)
    if offer.action.control == "joint_velocity":
        moved = moved * offer.control_hz
    return np.concatenate([moved / (offer.max_joint or 1.0), told[:, -1:]], axis=1)
