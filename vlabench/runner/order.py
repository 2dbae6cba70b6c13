"""In which order episodes are handed out to workers; what comes of them does not depend on it.

It is the manifest's order, so that a run that is broken off has run a balanced part of it, with two
liberties. Where policies live in several nodes, a worker is given an episode that a host of its own
node serves, if there is one among the next few. And the last episodes are handed out longest first,
so that no worker is left alone at the end with a long one: see ``benchmarks/tail.py``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlabench.types import EpisodeSpec

TAIL = 8
"""The last so many episodes of each worker are handed out longest first, but no more than half of
the run: with 4 of them workers still stand idle, with more the balanced part gets shorter."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at an episode, the `attempt`-th, counted from 0.

    Attributes:
        place: Where in the manifest's order the episode stands, of those that are to run.
        episode: What is to run.
        attempt: How often it has been tried before.
        forgiven: How many of those attempts were lost with their node.
    """

    place: int
    episode: EpisodeSpec
    attempt: int = 0
    forgiven: int = 0


class Line:
    """The episodes that wait, and those that are under way.

    Args:
        episodes: What is to run, in the manifest's order.
        size: How many workers there may be.
        ahead: How many episodes may be begun beyond the first that is not over; None for no bound.
            Where there is one, the order is the manifest's alone.
        tail: How many of the last episodes, for each worker, go longest first.
    """

    def __init__(
        self,
        episodes: Sequence[EpisodeSpec],
        size: int,
        ahead: int | None = None,
        tail: int = TAIL,
    ) -> None:
        self._waiting = deque(Turn(place, episode) for place, episode in enumerate(episodes))
        self._begun: set[int] = set()
        self._ahead = math.inf if ahead is None else ahead
        self._tail = 0 if ahead is not None else min(tail * size, len(episodes) // 2)
        self._window = 1 if ahead is not None else size
        self._passed_over = 0

    def __len__(self) -> int:
        """How many episodes wait."""
        return len(self._waiting)

    def next(self, is_near: Callable[[EpisodeSpec], bool] | None = None) -> Turn | None:
        """Takes the next from the line; None if there is none, or it must wait for others.

        Args:
            is_near: Whether an episode would find its policy on the node of whoever asks.
        """
        if not self._waiting:
            return None
        which = self._which(is_near)
        turn = self._waiting[which]
        if turn.place > min(self._begun, default=turn.place) + self._ahead:
            return None
        del self._waiting[which]
        self._begun.add(turn.place)
        return turn

    def again(self, turn: Turn) -> None:
        """Puts an attempt at the head of the line."""
        self._waiting.appendleft(turn)

    def over(self, turn: Turn) -> None:
        """The episode of `turn` has run, or is missing."""
        self._begun.remove(turn.place)

    def _which(self, is_near: Callable[[EpisodeSpec], bool] | None) -> int:
        if len(self._waiting) <= self._tail:
            lengths = [turn.episode.horizon for turn in self._waiting]
            return lengths.index(max(lengths))
        if is_near is not None and self._passed_over < self._window:
            for which in range(min(self._window, len(self._waiting))):
                if is_near(self._waiting[which].episode):
                    self._passed_over = self._passed_over + 1 if which else 0
                    return which
        self._passed_over = 0
        return 0
