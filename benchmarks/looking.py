"""A policy that looks and costs nothing, for programs that measure what is around a policy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.seeding import stream
from vlabench.types import ActionChunk, EpisodeStart, Observation

ROLES = ("exterior/0", "wrist/0")


class Looking:
    """Answers moderate random actions, keyed by the session's seed and the step.

    Args:
        chunk: Actions of an answer, all of which are executed before it looks again.
        size: Pixels of its two cameras, each way; 0 for no camera.
        weigh: A folder to note in, after every episode, how much memory this process has.
    """

    def __init__(self, chunk: int = 8, size: int = 256, weigh: str = "") -> None:
        self._chunk, self._size, self._weigh = chunk, size, weigh
        self._seeds: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        """Two cameras, and chunks that are executed whole."""
        cameras = tuple(CameraSpec(role, self._size, self._size) for role in ROLES)
        return PolicySpec(
            name="looking",
            cameras=cameras if self._size else (),
            chunk_length=self._chunk,
            executed=self._chunk,
        )

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Takes each session's seed."""
        self._seeds.update({start.episode_id: start.seed for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One chunk each."""
        return [self._draw(seen) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets the seeds, and weighs the process."""
        for episode_id in episode_ids:
            self._seeds.pop(episode_id, None)
        if self._weigh:
            with (Path(self._weigh) / f"{os.getpid()}.txt").open("a") as notes:
                notes.write(f"{resident_bytes()}\n")

    def close(self) -> None:
        """Holds nothing."""

    def _draw(self, seen: Observation) -> ActionChunk:
        rng = stream("looking", self._seeds[seen.episode_id], seen.step)
        return ActionChunk(rng.uniform(-0.4, 0.4, size=(self._chunk, 7)))


def resident_bytes() -> int:
    """Memory of this process that is in use now (resident set), from ``/proc``."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
