"""The policy that moves at random: what flailing about achieves."""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.contract.specs import PolicySpec
from vlabench.seeding import stream
from vlabench.types import ActionChunk, EpisodeStart, Observation


class Random:
    """Answers uniform numbers in [-1, 1); looks at nothing.

    Every action has its own stream, keyed by the session's seed and the step, so that neither
    batching nor order changes what a session does.
    """

    def __init__(self) -> None:
        self._seeds: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        """What it needs, which is nothing."""
        return PolicySpec(name="random", max_batch=1024)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Takes each session's seed."""
        self._seeds.update({start.episode_id: start.seed for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One action drawn for each observation."""
        return [self._draw(seen) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets their seeds."""
        for episode_id in episode_ids:
            self._seeds.pop(episode_id, None)

    def close(self) -> None:
        """Holds nothing."""

    def _draw(self, seen: Observation) -> ActionChunk:
        rng = stream("random-policy", self._seeds[seen.episode_id], seen.step)
        return ActionChunk(rng.uniform(-1.0, 1.0, size=(1, 7)))
