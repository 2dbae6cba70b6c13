"""What adapters of REST servers share: an observation is a request, and nothing is remembered."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from vlabench.errors import PolicyError
from vlabench.policies.arguments import boolean, count, seconds
from vlabench.policies.http import JsonServer
from vlabench.policies.server import ServerPolicy
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation


@dataclass(eq=False, repr=False, kw_only=True)
class RestPolicy(ServerPolicy):
    """A policy behind a ``deploy.py``: asked for one observation at a time, with no session.

    Attributes:
        often: Why such a server often answers nothing but ``"error"``.
        double_encoded: Send ``{"encoded": text}``, for a server without json-numpy's patch.
        attempts: How often to try for a connection.
    """

    often: ClassVar[str]

    double_encoded: str | bool = False
    attempts: str | int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._server = JsonServer(
            self.name,
            self.url,
            "/act",
            connect_timeout_s=seconds(self.name, "connect_timeout_s", self.connect_timeout_s),
            timeout_s=seconds(self.name, "timeout_s", self.timeout_s),
            attempts=count(self.name, "attempts", self.attempts),
            away_s=seconds(self.name, "away_s", self.away_s),
        )
        self.url = self._server.url
        self._encodes_twice = boolean(self.name, "double_encoded", self.double_encoded)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """The server remembers nothing."""

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One request for each observation.

        Raises:
            InfrastructureError: If the server is dead, too slow, or answers no JSON.
            PolicyError: If it reports an error of its own, or answers no actions.
        """
        return [ActionChunk(self._rows(self._answered(seen))) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """The server has nothing to forget."""

    def close(self) -> None:
        """Every request has its own connection."""

    @abstractmethod
    def _request(self, seen: Observation) -> dict[str, Json]:
        """What the server is asked with."""

    @abstractmethod
    def _rows(self, answer: Json) -> npt.NDArray[np.floating[Any]]:
        """The rows ``(T, D)`` of the server's answer, in the policy's own numbers.

        Raises:
            PolicyError: If it is none.
        """

    def _answered(self, seen: Observation) -> Json:
        request = self._request(seen)
        return self._server.post(
            {"encoded": json.dumps(request)} if self._encodes_twice else request
        )

    def _refusal(self, answer: Json) -> PolicyError:
        """What is told of an `answer` without actions."""
        if answer == "error":
            return PolicyError(
                f"{self._server_name} answered 'error': its log has the reason, which often is "
                f"{self.often}."
            )
        return PolicyError(
            f"{self._server_name} answered no actions but {json.dumps(answer)[:80]}; is it "
            "deploy.py?"
        )
