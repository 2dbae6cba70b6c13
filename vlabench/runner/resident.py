"""The policy inside an inference actor, and its sessions; see `vlabench.runner.host`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from vlabench.contract.batching import answers_of
from vlabench.contract.compute import compute_of, count_parameters
from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.errors import (
    InfrastructureError,
    PolicyError,
    SessionLostError,
    UsageError,
    in_one_line,
)
from vlabench.runner.batches import Answer
from vlabench.types import ActionChunk, Compute, EpisodeStart, Observation

T = TypeVar("T")


@dataclass
class Resident:
    """The policy and the sessions that it knows; everything here happens in one thread.

    A policy whose server was lost is closed, and made anew for whoever asks next. If it remembers
    nothing between two questions, the sessions that it knew go on; if it does, they are lost. A
    session that it does not begin anew, or that lost a connection of its own, is lost alone: its
    episode runs again, and errs by itself.

    Attributes:
        make: Makes the policy.
        unwatched: Around whatever may take as long as it wants: to make the policy, and to ask
            what it declares.
    """

    make: Callable[[], Policy]
    unwatched: Callable[[], AbstractContextManager[None]] = nullcontext
    _policy: Policy | None = field(default=None, init=False)
    _declared: PolicySpec | None = field(default=None, init=False)
    _starts: dict[str, EpisodeStart] = field(default_factory=dict, init=False)
    _params: int | None = field(default=None, init=False)
    _counted: bool = field(default=False, init=False)

    def spec(self) -> PolicySpec:
        """What the policy declares; makes it if there is none yet."""
        return self._there().spec() if self._declared is None else self._declared

    def reset(self, start: EpisodeStart) -> None:
        """Begins a session, anew if it is there already."""
        if start.episode_id in self._starts:
            self.end(start.episode_id)
        policy = self._there()
        self._starts[start.episode_id] = start
        try:
            self._guarded(lambda: policy.reset([start]))
        except SessionLostError:
            self._forget(policy, start.episode_id)
            raise

    def act(self, seen: Sequence[Observation]) -> Sequence[Answer]:
        """One answer a session; one that spoils the batch for others is asked alone.

        Args:
            seen: Of no more sessions than `most_together` says, so that nobody who remembers is
                asked twice.
        """
        try:
            policy = self._there()
        except (InfrastructureError, UsageError) as error:
            return [error] * len(seen)
        known = [one.episode_id in self._starts for one in seen]
        answers = iter(self._asked(policy, [one for one, k in zip(seen, known, strict=True) if k]))
        return [next(answers) if k else _gone() for k in known]

    def end(self, episode_id: str) -> None:
        """Forgets a session; one that is not known has been forgotten already."""
        policy = self._policy
        if self._starts.pop(episode_id, None) is not None and policy is not None:
            self._guarded(lambda: policy.end([episode_id]))

    def close(self) -> None:
        """Frees the policy."""
        policy, self._policy = self._policy, None
        if policy is not None:
            policy.close()

    def _there(self) -> Policy:
        if self._policy is not None:
            return self._policy
        with self.unwatched():
            policy, spec = self._made()
        try:
            self._take_over(policy, spec)
        except BaseException:
            with suppress(Exception):
                policy.close()
            raise
        self._policy = policy
        return policy

    def _made(self) -> tuple[Policy, PolicySpec]:
        policy = self.make()
        try:
            return policy, policy.spec()
        except BaseException:
            with suppress(Exception):
                policy.close()
            raise

    def _take_over(self, policy: Policy, spec: PolicySpec) -> None:
        """Begins with a new `policy` the sessions that the old one left."""
        if self._declared is not None and spec != self._declared:
            raise UsageError(
                f"The policy {spec.name!r} declares something else since its server was lost; "
                "run the same command again."
            )
        self._declared = spec
        for start in list(self._starts.values()):
            self._begin_anew(policy, start)

    def _begin_anew(self, policy: Policy, start: EpisodeStart) -> None:
        try:
            self._guarded(lambda: policy.reset([start]))
        except (PolicyError, SessionLostError):
            self._forget(policy, start.episode_id)

    def _forget(self, policy: Policy, episode_id: str) -> None:
        """Ends a session that did not begin, or was lost alone."""
        self._starts.pop(episode_id, None)
        with suppress(PolicyError, SessionLostError):
            self._guarded(lambda: policy.end([episode_id]))

    def _asked(self, policy: Policy, seen: Sequence[Observation]) -> Sequence[Answer]:
        """The answers of `policy`, in the order of `seen`."""
        try:
            return self._guarded(lambda: self._batch(policy, seen)) if seen else []
        except SessionLostError as error:
            if len(seen) == 1:
                self._forget(policy, seen[0].episode_id)
                return [error]
        except InfrastructureError as error:
            return [error] * len(seen)
        except PolicyError as error:
            if len(seen) == 1:
                return [error]
        alone: list[Answer] = []
        for one in seen:
            alone += self._asked(policy, [one]) if self._policy is policy else [_gone()]
        return alone

    def _batch(self, policy: Policy, seen: Sequence[Observation]) -> list[ActionChunk]:
        began = time.perf_counter()
        chunks = answers_of(policy, self.spec(), seen)
        infer_ms = 1000 * (time.perf_counter() - began)
        compute = self._compute(policy)
        return [_told(chunk, len(seen), infer_ms, compute) for chunk in chunks]

    def _compute(self, policy: Policy) -> Compute | None:
        """What the policy takes up; its parameters are counted once, after its first answer."""
        if not self._counted:
            self._counted, declared = True, self.spec().params
            self._params = count_parameters(policy) if declared is None else declared
        found = compute_of(policy, count=False) or Compute()
        found = replace(found, params=self._params)
        return None if found == Compute() else found

    def _guarded(self, ask: Callable[[], T]) -> T:
        """What `ask` returns; whatever the policy raises in it is the policy's error."""
        try:
            return ask()
        except (PolicyError, SessionLostError):
            raise
        except InfrastructureError:
            self._lost()
            raise
        except (Exception, SystemExit) as error:  # a policy is foreign code and may raise anything
            raise PolicyError(in_one_line(error)) from error

    def _lost(self) -> None:
        """Its server is gone: the next question makes the policy anew."""
        with suppress(Exception):
            self.close()
        if self.spec().stateful:
            self._starts.clear()


def _told(chunk: Any, sessions: int, infer_ms: float, compute: Compute | None) -> Any:
    """`chunk` with how many were answered together, how long it took, and what the policy takes up.

    Of the last two, what the policy says itself stands.
    """
    if not isinstance(chunk, ActionChunk):
        return chunk
    return replace(
        chunk,
        batch_size=max(sessions, chunk.batch_size),
        infer_ms=infer_ms if chunk.infer_ms is None else chunk.infer_ms,
        compute=compute if chunk.compute is None else chunk.compute,
    )


def _gone() -> InfrastructureError:
    return InfrastructureError(
        "The policy was started anew in the middle of this episode; it runs again."
    )
