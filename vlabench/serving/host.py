"""One policy, many connections: sessions meet in batches, and one thread asks the policy.

Connections live in an event loop. The thread that calls `Host.work` is the only one in which the
policy runs.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

import numpy as np

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PolicySpec
from vlabench.errors import PolicyError, VlabenchError
from vlabench.runner.batches import Answer, Batches, most_together
from vlabench.runner.resident import Resident
from vlabench.types import ActionChunk, EpisodeStart, Observation

T = TypeVar("T")
Call: TypeAlias = Callable[[], None]


class Host:
    """Asks a policy on behalf of its guests.

    Args:
        make: Makes the policy; called here, in the thread that is to call `work`, and again if the
            policy loses a server of its own.
        wait_ms: Milliseconds that an observation waits for those of other sessions, at most.
    """

    def __init__(self, make: Callable[[], Policy], wait_ms: float) -> None:
        self._resident = Resident(make)
        self.spec = self._resident.spec()
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._numbers = itertools.count(1)
        self._names: set[str] = set()
        self._batches = Batches(
            self._together, most_together(self.spec), wait_ms / 1000, lambda: len(self._names)
        )

    @property
    def offered(self) -> PolicySpec:
        """The policy's declaration as clients may read it: batches are filled up here."""
        return replace(self.spec, fixed_batch=False)

    def guest(self) -> Guest:
        """A place for one more connection."""
        return Guest(self, next(self._numbers))

    def work(self) -> None:
        """Asks the policy whatever is to be asked, until `stop`."""
        while (call := self._calls.get()) is not None:
            call()

    def stop(self) -> None:
        """Lets `work` return; no guest may be left."""
        self._calls.put(None)

    def close(self) -> None:
        """Closes the policy."""
        self._resident.close()

    def name(self, episode_id: str, number: int) -> str:
        """What the policy is to call the session `episode_id` of guest `number`.

        It is the same, unless another guest runs the same episode now.
        """
        name = episode_id if episode_id not in self._names else f"{episode_id}#{number}"
        self._names.add(name)
        return name

    async def reset(self, start: EpisodeStart) -> None:
        """Begins a session."""
        await self._do(lambda: self._resident.reset(start))

    async def act(self, seen: Observation) -> ActionChunk:
        """The policy's answer to one session, given in one batch with others."""
        chunk = await self._batches.answer(seen)
        name, columns = self.spec.name, self.spec.action.dimension
        if not isinstance(chunk, ActionChunk):
            raise PolicyError(
                f"Policy {name!r} answered a {type(chunk).__name__}; it must answer an ActionChunk."
            )
        if not isinstance(chunk.actions, np.ndarray):
            raise PolicyError(
                f"Policy {name!r} answered a {type(chunk.actions).__name__}; actions must be a "
                f"float array of shape (T, {columns})."
            )
        return chunk

    async def end(self, name: str) -> None:
        """Ends a session, whose name another may have then."""
        self._names.discard(name)
        self._batches.forget(name)
        await self._do(lambda: self._resident.end(name))

    async def _together(self, seen: Sequence[Observation]) -> Sequence[Answer]:
        return await self._do(lambda: self._resident.act(seen))

    async def _do(self, task: Callable[[], T]) -> T:
        """What `task` returns, called in the policy's thread."""
        future: Future[T] = Future()
        self._calls.put(lambda: _settle(future, task))
        return await asyncio.wrap_future(future)


class Guest:
    """One connection and its sessions."""

    def __init__(self, host: Host, number: int) -> None:
        self._host, self.number = host, number
        self._sessions: dict[str, str] = {}

    async def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        for start in starts:
            episode_id = start.episode_id
            if episode_id not in self._sessions:
                self._sessions[episode_id] = self._host.name(episode_id, self.number)
            await self._host.reset(replace(start, episode_id=self._sessions[episode_id]))

    async def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One answer for each observation, or the error of one of them.

        Raises:
            UnknownSessionError: If one is of no session of this connection.
        """
        names = [self._named(seen.episode_id) for seen in observations]
        answers = await asyncio.gather(
            *(
                self._host.act(replace(seen, episode_id=name))
                for seen, name in zip(observations, names, strict=True)
            ),
            return_exceptions=True,
        )
        chunks = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            chunks.append(answer)
        return chunks

    async def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions.

        Raises:
            UnknownSessionError: If one is none of this connection.
        """
        names = [self._named(episode_id) for episode_id in episode_ids]
        for episode_id, name in zip(episode_ids, names, strict=True):
            self._sessions.pop(episode_id, None)
            await self._host.end(name)

    async def leave(self) -> list[VlabenchError]:
        """Ends what sessions there still are; what went wrong with them."""
        errors = []
        for episode_id in list(self._sessions):
            try:
                await self.end([episode_id])
            except VlabenchError as error:
                errors.append(error)
        return errors

    def _named(self, episode_id: str) -> str:
        if episode_id not in self._sessions:
            raise UnknownSessionError(
                f"There is no session {episode_id!r} on this connection; reset it first."
            )
        return self._sessions[episode_id]


class UnknownSessionError(Exception):
    """A request for a session that its connection never began, or has ended."""


def _settle(future: Future[T], task: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = task()
    except Exception as error:  # noqa: BLE001  (whoever waits must hear of it)
        future.set_exception(error)
    else:
        future.set_result(answer)
