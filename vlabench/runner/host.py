"""Where a policy lives that serves the sessions of many workers: what runs inside a Ray actor.

The actor may run under other packages than everybody else, another numpy among them, so nothing
crosses its border but text and the bytes of `vlabench.contract.wire`, and this module and what it
imports need numpy and msgpack alone. Ray is not imported here: an actor is any class with
coroutines.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from vlabench.contract.batching import answers_of
from vlabench.contract.compute import compute_of, count_parameters
from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import (
    Plain,
    WireError,
    chunk_to_wire,
    decode,
    encode,
    observation_from_wire,
    policy_spec_to_wire,
    start_from_wire,
)
from vlabench.errors import (
    HungError,
    InfrastructureError,
    PolicyError,
    SessionLostError,
    UsageError,
    in_one_line,
)
from vlabench.registry import search_in
from vlabench.runner.batches import Answer, Batches, most_together
from vlabench.runner.job import make_policy
from vlabench.runner.watchdog import ended_after, with_grace
from vlabench.types import ActionChunk, Compute, EpisodeStart, Observation

KINDS: dict[str, type[Exception]] = {
    "policy": PolicyError,
    "infrastructure": InfrastructureError,
    "usage": UsageError,
}
"""What errors are called on their way back."""

_LAST_WORDS_S = 0.5
"""Seconds for an answer to get away before its process ends."""

T = TypeVar("T")


class PolicyHost:
    """Answers the questions of `vlabench.runner.inference.HostedPolicy`.

    The policy is made, asked and closed in one thread of its own, so that the event loop can fill
    the next batch meanwhile, and a policy finds itself in the same thread each time.

    Args:
        policy: A registered name or ``module:attribute``, wrappers before it.
        args: Its keyword arguments as JSON.
        folder: Where the user's own modules are searched too.
        wait_ms: Milliseconds that an observation waits for others, at most.
        timeout_s: Seconds after which a policy that has not answered is given up, and this process
            with it; to be made, it may take as long as it wants.
    """

    def __init__(
        self, policy: str, args: str, folder: str, wait_ms: float, timeout_s: float = math.inf
    ) -> None:
        search_in(folder)
        self._resident = Resident(lambda: make_policy(policy, json.loads(args)))
        self._thread = ThreadPoolExecutor(1, "policy")
        self._wait_s, self._timeout_s = wait_ms / 1000, timeout_s
        self._live: set[str] = set()
        self._batches: Batches | None = None

    async def ask(self, what: str, data: bytes) -> bytes:
        """Answers one question: ``{"answer": ...}``, or ``{"error": kind, "text": ...}``.

        It raises nothing: an exception would cross the border as a pickle.

        Args:
            what: ``spec``, ``reset``, ``act``, ``end`` or ``close``.
            data: One frame; what it holds depends on `what`.
        """
        questions = {
            "spec": self._spec,
            "reset": self._reset,
            "act": self._act,
            "end": self._end,
            "close": self._close,
        }
        try:
            return encode({"answer": await questions[what](decode(data))})
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whoever waits must hear of it)
            return encode(_in_words(what, error))

    async def _spec(self, _: Plain) -> Plain:
        return policy_spec_to_wire(await self._do(self._resident.spec, math.inf))

    async def _reset(self, data: Plain) -> Plain:
        start = start_from_wire(data)
        self._live.add(start.episode_id)
        await self._do(lambda: self._resident.reset(start))

    async def _act(self, data: Plain) -> Plain:
        if self._batches is None:
            spec = await self._do(self._resident.spec, math.inf)
            self._batches = self._batches or Batches(
                self._together, most_together(spec), self._wait_s, lambda: len(self._live)
            )
        chunk = await self._batches.answer(observation_from_wire(data))
        try:
            return decode(encode(chunk_to_wire(chunk)))
        except (AttributeError, TypeError, WireError) as error:
            raise PolicyError(f"The policy's answer is no chunk of actions ({error}).") from error

    async def _end(self, episode_id: Plain) -> Plain:
        self._live.discard(episode_id)
        if self._batches is not None:
            self._batches.forget(episode_id)
        await self._do(lambda: self._resident.end(episode_id))

    async def _close(self, _: Plain) -> Plain:
        await self._do(self._resident.close)

    async def _together(self, seen: Sequence[Observation]) -> Sequence[Answer]:
        return await self._do(lambda: self._resident.act(seen))

    async def _do(self, task: Callable[[], T], timeout_s: float | None = None) -> T:
        """What comes of `task` in the policy's thread.

        Raises:
            HungError: If that thread has come to nothing for too long; this process ends then.
        """
        loop = asyncio.get_running_loop()
        longest = self._timeout_s if timeout_s is None else timeout_s
        done = loop.run_in_executor(self._thread, task)
        if not math.isfinite(longest):
            return await done
        with ended_after(with_grace(longest)):
            found, _ = await asyncio.wait({done}, timeout=longest)
        if not found:
            loop.call_later(_LAST_WORDS_S, os._exit, 1)
            raise HungError(
                f"The policy has not answered for {longest:g} s; its process is started anew."
            )
        return await done


@dataclass
class Resident:
    """The policy and the sessions that it knows; everything here happens in one thread.

    A policy whose server was lost is closed, and made anew for whoever asks next. If it remembers
    nothing between two questions, the sessions that it knew go on; if it does, they are lost. A
    session that it does not begin anew, or that lost a connection of its own, is lost alone: its
    episode runs again, and errs by itself.
    """

    make: Callable[[], Policy]
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
        policy = self.make()
        try:
            self._take_over(policy)
        except BaseException:
            with suppress(Exception):
                policy.close()
            raise
        self._policy = policy
        return policy

    def _take_over(self, policy: Policy) -> None:
        """Begins with a new `policy` the sessions that the old one left."""
        spec = policy.spec()
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


def _in_words(what: str, error: BaseException) -> dict[str, str]:
    """An error as it travels; one that nobody foresaw is told as what stops the run."""
    for kind, raised in KINDS.items():
        if isinstance(error, raised):
            return {"error": kind, "text": _plain(str(error))}
    return {
        "error": "usage",
        "text": f"The process of the policy cannot answer {what!r} ({_plain(in_one_line(error))}); "
        "mend the policy, or run it with --inference-actors 0 to see where this is raised.",
    }


def _plain(text: str) -> str:
    """Text that can travel, whatever was in it."""
    return text.encode(errors="replace").decode()


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
