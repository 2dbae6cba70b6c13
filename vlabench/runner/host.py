"""Where a policy lives that serves the sessions of many workers: what runs inside a Ray actor.

The actor may run under other packages than everybody else, another numpy among them, so nothing
crosses its border but text and the bytes of `vlabench.contract.wire`, and this module and what it
imports need numpy and msgpack alone. Ray is not imported here: an actor is any class with
coroutines.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

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
    UsageError,
    in_one_line,
)
from vlabench.registry import search_in
from vlabench.runner.batches import Answer, Batches, most_together
from vlabench.runner.job import make_policy
from vlabench.runner.resident import Resident
from vlabench.runner.watchdog import end_in, with_grace
from vlabench.types import Observation

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
        self._resident = Resident(lambda: make_policy(policy, json.loads(args)), self._unwatched)
        self._thread = ThreadPoolExecutor(1, "policy")
        self._wait_s, self._timeout_s = wait_ms / 1000, timeout_s
        self._live: set[str] = set()
        self._batches: Batches | None = None
        self._watched = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hung: asyncio.Future[None] | None = None

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
        return policy_spec_to_wire(await self._do(self._resident.spec, watched=False))

    async def _reset(self, data: Plain) -> Plain:
        start = start_from_wire(data)
        self._live.add(start.episode_id)
        await self._do(lambda: self._resident.reset(start))

    async def _act(self, data: Plain) -> Plain:
        if self._batches is None:
            spec = await self._do(self._resident.spec, watched=False)
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

    async def _do(self, task: Callable[[], T], *, watched: bool = True) -> T:
        """What comes of `task` in the policy's thread; its time begins when that thread begins it.

        Raises:
            HungError: If that thread has come to nothing for too long; this process ends then.
        """
        self._loop = loop = asyncio.get_running_loop()
        if self._hung is None or self._hung.get_loop() is not loop:
            self._hung = loop.create_future()
        if self._hung.done():  # whoever asks now waits for this process to end, and for the next
            await loop.create_future()
        watched = watched and math.isfinite(self._timeout_s)
        done = loop.run_in_executor(self._thread, self._in_thread, task, watched)
        either: set[asyncio.Future[Any]] = {done, self._hung}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            return await done
        raise HungError(
            f"The policy has not answered for {self._timeout_s:g} s; its process is started anew."
        )

    def _in_thread(self, task: Callable[[], T], watched: bool) -> T:
        self._watched = watched
        self._watch(on=True)
        try:
            return task()
        except KeyboardInterrupt as error:  # it would end the event loop
            raise InfrastructureError("The policy's process was told to stop.") from error
        finally:
            self._watch(on=False)

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        """In the policy's thread: what is done inside may take as long as it wants."""
        self._watch(on=False)
        try:
            yield
        finally:
            self._watch(on=True)

    def _watch(self, *, on: bool) -> None:
        """In the policy's thread: begins or ends to count its time.

        The event loop gives up first, and tells whoever waits; what holds the interpreter, so that
        the loop stands still too, is ended with the process.
        """
        if not self._watched or self._loop is None:
            return
        if on:
            end_in(with_grace(self._timeout_s))
        else:
            faulthandler.cancel_dump_traceback_later()
        self._loop.call_soon_threadsafe(self._set_timer, on)

    def _set_timer(self, on: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._timeout_s, self._give_up) if on else None

    def _give_up(self) -> None:
        if self._hung is not None and not self._hung.done():
            self._hung.set_result(None)
        asyncio.get_running_loop().call_later(_LAST_WORDS_S, os._exit, 1)


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
