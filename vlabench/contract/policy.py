"""The protocol that every policy speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from vlabench.contract.specs import PolicySpec
from vlabench.types import ActionChunk, EpisodeStart, Observation


@runtime_checkable
class Policy(Protocol):
    """A policy serves several sessions at once; each session is one episode.

    The rollout owns chunk buffers: `act` is called only for sessions whose buffer is empty.
    """

    def spec(self) -> PolicySpec:
        """What it needs and what its numbers mean; never changes."""
        ...

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        ...

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Answers each observation with a chunk of ``(T, D)`` actions, in the same order."""
        ...

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...
