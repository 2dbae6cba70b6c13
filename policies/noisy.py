"""Any policy with a hand that trembles: ``--policy noisy:expert --policy-arg noise=0.6``.

A policy that is worse in a known way, and by a known amount: what a comparison that is to find
regressions is tried on. It stands before any name of a policy, as every wrapper does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.arguments import text
from vlabench.seeding import stream
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation

NOISE = 0.6
"""Standard deviation of the trembling unless told otherwise, as a share of the largest step."""

DECIMALS = 3
"""Steps that tremble are rounded to this many decimals, so that no machine's last bit matters."""


class Noisy:
    """A policy whose hand trembles: normal noise on each step along x, y and z.

    Rotation and gripper are the inner policy's. Every answer has its own random stream, keyed by
    the session's seed and the control step, so neither batches nor workers nor their order change
    what an episode gets.

    Args:
        policy: The inner policy; what it answers must be changes of the hand's pose, normalized.
        noise: Standard deviation as a share of the largest step, above 0.

    Raises:
        UsageError: If the policy answers something else, or the noise is no such number.
    """

    def __init__(self, policy: Policy, *, noise: Json = NOISE) -> None:
        inner = policy.spec()
        if (inner.action.control, inner.action.scale) != ("ee_delta", "normalized"):
            raise UsageError(
                f"The policy {inner.name!r} answers {inner.action.scale} {inner.action.control}, "
                "and 'noisy:' makes only normalized ee_delta tremble; wrap one that answers those."
            )
        self._policy, self._noise = policy, _share(noise)
        self._spec = replace(inner, name=f"noisy:{inner.name}")
        self._seeds: dict[str, int] = {}

    @staticmethod
    def hide(observation: Observation) -> Observation:
        """All of `observation`: nothing is hidden."""
        return observation

    def spec(self) -> PolicySpec:
        """The inner policy's, under a name that says that it trembles."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        self._policy.reset(starts)
        self._seeds.update({start.episode_id: start.seed for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Asks the inner policy, and shakes its answers."""
        answers = self._policy.act(observations)
        return [self._shaken(s, a) for s, a in zip(observations, answers, strict=True)]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions."""
        self._policy.end(episode_ids)
        for episode_id in episode_ids:
            self._seeds.pop(episode_id, None)

    def close(self) -> None:
        """Frees what the inner policy holds."""
        self._policy.close()

    def _shaken(self, seen: Observation, answer: ActionChunk) -> ActionChunk:
        rng = stream("noisy-policy", self._seeds[seen.episode_id], seen.step)
        actions = answer.actions.astype(np.float64)
        shaken = actions[:, :3] + self._noise * rng.standard_normal((len(actions), 3))
        bound = self._spec.action.bound
        if bound is not None:
            shaken = shaken.clip(-bound, bound)
        actions[:, :3] = shaken.round(DECIMALS)
        return replace(answer, actions=actions)


def _share(noise: Json) -> float:
    try:
        share = float(text(noise))
    except ValueError:
        share = math.nan
    if not (math.isfinite(share) and share > 0):
        raise UsageError(
            f"The wrapper 'noisy:' got noise={noise}; write a number above 0, for example {NOISE}."
        )
    return share
