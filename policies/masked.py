"""Any policy with its eyes or its ears shut: ``--policy blind:openvla``, ``--policy deaf:openvla``.

What a policy reaches blind, a suite gives to those who do not look; what it reaches deaf, to those
who do not listen. Wrappers stand before any name of a policy, one after another if need be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from vlabench.contract.images import Shown
from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.types import ActionChunk, EpisodeStart, Observation

GREY = 127
"""Every value of every pixel of an image that is hidden; of 255, where images are floats."""


class _Masked(ABC):
    """A policy that is shown less than there is; all else is the inner policy's.

    Args:
        policy: The inner policy.

    Raises:
        UsageError: If it reads the simulator's state.
    """

    name: ClassVar[str]

    def __init__(self, policy: Policy) -> None:
        inner = policy.spec()
        if inner.privileged:
            raise UsageError(
                f"The policy {inner.name!r} reads the simulator's state, from which "
                f"'{self.name}:' hides nothing; wrap one that does not."
            )
        self._policy = policy
        self._spec = replace(inner, name=f"{self.name}:{inner.name}")

    @staticmethod
    @abstractmethod
    def hide(observation: Observation) -> Observation:
        """What is left of `observation`."""

    def spec(self) -> PolicySpec:
        """The inner policy's, under a name that says what is hidden."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        self._policy.reset(starts)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Asks the inner policy."""
        return self._policy.act([self.hide(seen) for seen in observations])

    def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions."""
        self._policy.end(episode_ids)

    def close(self) -> None:
        """Frees what the inner policy holds."""
        self._policy.close()


class Blind(_Masked):
    """A policy that sees mid-grey where its images were, after the contract's conversion.

    What it is told and what it feels (proprioception) stays.

    Raises:
        UsageError: Also if it looks through no camera.
    """

    name = "blind"

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        planner = self.spec().planner
        if not self.spec().cameras and not (planner and planner.cameras):
            raise UsageError(
                f"The policy {policy.spec().name!r} looks through no camera, so 'blind:' changes "
                "nothing; leave it out."
            )

    @staticmethod
    def hide(observation: Observation) -> Observation:
        """The same with every pixel grey, those that a planner sees too."""
        grey = {role: _grey(image) for role, image in observation.images.items()}
        planner = None if observation.planner is None else Blind.hide(observation.planner)
        return replace(observation, images=grey, planner=planner)


class Deaf(_Masked):
    """A policy that is told nothing: its instruction is empty text from the start.

    What it sees and feels stays.
    """

    name = "deaf"

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start, with no instruction."""
        super().reset([replace(start, instruction="") for start in starts])

    @staticmethod
    def hide(observation: Observation) -> Observation:
        """The same without an instruction, for a planner too."""
        planner = None if observation.planner is None else Deaf.hide(observation.planner)
        return replace(observation, instruction="", planner=planner)


def _grey(image: Shown) -> Shown:
    """An image of the same shape and type, all of it mid-grey."""
    floats = np.issubdtype(image.dtype, np.floating)
    return np.full_like(image, GREY / 255 if floats else GREY)
