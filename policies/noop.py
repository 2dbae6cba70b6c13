"""The policy that does nothing: what a suite gives away for free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlabench.contract.specs import PolicySpec
from vlabench.types import ActionChunk, EpisodeStart, Observation


class Noop:
    """Answers zeros with the gripper open; looks at nothing."""

    def spec(self) -> PolicySpec:
        """What it needs, which is nothing."""
        return PolicySpec(name="noop", max_batch=1024)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Remembers nothing."""

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One action that holds still, for each observation."""
        still = np.zeros((1, 7))
        still[0, 6] = self.spec().action.gripper_open
        return [ActionChunk(still.copy()) for _ in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Has nothing to forget."""

    def close(self) -> None:
        """Holds nothing."""
