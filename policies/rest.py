"""What adapters of REST servers share: an observation is a request, and nothing is remembered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import PolicySpec
from vlabench.policies.card import FromCard
from vlabench.types import ActionChunk, EpisodeStart, Observation


class RestPolicy(FromCard):
    """A policy behind a server that is asked for one observation at a time, with no session."""

    _spec: PolicySpec

    def spec(self) -> PolicySpec:
        """What its card and arguments declare."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """The server remembers nothing."""

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One request for each observation.

        Raises:
            InfrastructureError: If the server is dead, too slow, or answers no JSON.
            PolicyError: If it reports an error of its own, or answers no actions.
        """
        return [ActionChunk(self._ask(seen)) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """The server has nothing to forget."""

    def close(self) -> None:
        """Every request has its own connection."""

    @abstractmethod
    def _ask(self, seen: Observation) -> npt.NDArray[np.floating[Any]]:
        """The rows ``(T, D)`` that the server answers, in the policy's own numbers."""
