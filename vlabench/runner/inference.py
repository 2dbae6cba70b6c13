"""A policy that lives elsewhere: what a worker holds in its place.

`HostedPolicy` speaks the `vlabench.contract.policy.Policy` protocol to the rollout and asks one of
several `vlabench.runner.host.PolicyHost` s, through whatever carries text and bytes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from vlabench.contract.specs import PADDING, PolicySpec
from vlabench.contract.wire import (
    Plain,
    chunk_from_wire,
    decode,
    encode,
    observation_to_wire,
    policy_spec_from_wire,
    start_to_wire,
)
from vlabench.errors import InfrastructureError, PlacementError, PolicyError
from vlabench.hashing import bytes_hash
from vlabench.types import ActionChunk, EpisodeStart, Observation

Ask: TypeAlias = Callable[[str, bytes], bytes]
"""Carries a question to `vlabench.runner.host.PolicyHost.ask` and its answer back."""

_RAISED: Mapping[str, type[Exception]] = {
    "policy": PolicyError,
    "infrastructure": InfrastructureError,
    "usage": PlacementError,
}
"""What comes here of the errors that `vlabench.runner.host.KINDS` names: where a policy cannot be
made, or has become another, no episode is to blame."""


@dataclass
class HostedPolicy:
    """A policy in one or more hosts; a session stays with the host that its name gives it.

    So an episode meets the same host for any number of workers, in any order, and after a restart.
    """

    hosts: Sequence[Ask]
    _spec: PolicySpec | None = field(default=None, init=False)
    _live: set[str] = field(default_factory=set, init=False)

    def spec(self) -> PolicySpec:
        """What the policy declares."""
        if self._spec is None:
            self._spec = policy_spec_from_wire(question(self.hosts[0], "spec"))
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        for start in starts:
            self._live.add(start.episode_id)
            question(self._host(start.episode_id), "reset", start_to_wire(start))

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Asks for each observation, which may be answered together with other workers'.

        Those that only fill a batch up are not asked for: the host fills its own.

        Raises:
            PolicyError: If the policy did wrong.
            InfrastructureError: If its server or its host was lost.
            PlacementError: If its server came back with another policy.
        """
        answers = [self._act(seen) for seen in observations if not _is_padding(seen)]
        return [*answers, *answers[:1] * (len(observations) - len(answers))]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions."""
        for episode_id in episode_ids:
            self._live.discard(episode_id)
            question(self._host(episode_id), "end", episode_id)

    def close(self) -> None:
        """Ends the sessions that were broken off; the policy stays, for others."""
        left, self._live = self._live, set()
        for episode_id in left:
            with suppress(InfrastructureError, PolicyError):
                question(self._host(episode_id), "end", episode_id)

    def _act(self, seen: Observation) -> ActionChunk:
        host = self._host(seen.episode_id)
        return chunk_from_wire(question(host, "act", observation_to_wire(seen)))

    def _host(self, episode_id: str) -> Ask:
        return self.hosts[host_of(episode_id, len(self.hosts))]


def _is_padding(seen: Observation) -> bool:
    return seen.episode_id.startswith(PADDING)


def host_of(episode_id: str, hosts: int) -> int:
    """Which of so many hosts serves an episode."""
    return int(bytes_hash(episode_id.encode(), 8), 16) % hosts


def question(host: Ask, what: str, value: Plain = None) -> Plain:
    """What `host` answers.

    Raises:
        PolicyError: If the policy did wrong.
        InfrastructureError: If its server or its host was lost.
        PlacementError: If it cannot be made, or has become another.
    """
    answer = decode(host(what, encode(value)))
    if "error" in answer:
        raise _RAISED[answer["error"]](answer["text"])
    return answer["answer"]
