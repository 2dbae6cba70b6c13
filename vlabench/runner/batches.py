"""Fills batches: many sessions ask, one at a time, and are answered together.

Simulated time stands still while a session waits, so nothing is lost by waiting but the wall
clock's. A batch goes as soon as it is full, or everybody who could still join is in it, or its
first member has waited for the longest wait; whatever arrives while one is under way makes the
next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from vlabench.contract.specs import PolicySpec
from vlabench.errors import InfrastructureError
from vlabench.types import ActionChunk, Observation

Answer: TypeAlias = ActionChunk | Exception
"""What comes back for one session: its chunk, or what went wrong with it."""

AskTogether: TypeAlias = Callable[[Sequence[Observation]], Awaitable[Sequence[Answer]]]


def most_together(spec: PolicySpec) -> int:
    """How many sessions of a policy are answered together, at most.

    A policy that remembers is asked for one session at a time. If a batch of several goes wrong,
    whose fault it was is found by asking each of them alone; who remembers has been asked twice
    then, and its answers would depend on who was in the batch, and so on the number of workers.
    """
    return 1 if spec.stateful else spec.max_batch


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    seen: Observation
    since: float
    answer: asyncio.Future[ActionChunk]


@dataclass
class Batches:
    """One queue of observations, for one policy; belongs to one event loop.

    Attributes:
        ask: Answers a batch, in its order; is never called twice at a time.
        size: Most sessions in a batch.
        wait_s: Seconds that the first of a batch waits for others, at most.
        live: How many sessions there are that could ask.
    """

    ask: AskTogether
    size: int
    wait_s: float
    live: Callable[[], int]
    _queue: deque[_Waiting] = field(default_factory=deque, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _pump: asyncio.Task[None] | None = field(default=None, init=False)

    async def answer(self, seen: Observation) -> ActionChunk:
        """The policy's answer to one session, given in one batch with others.

        Raises:
            Exception: Whatever `ask` gave back for this session.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(seen, loop.time(), loop.create_future())
        self._queue.append(waiting)
        self._changed.set()
        if self._pump is None or self._pump.done():
            self._pump = loop.create_task(self._run())
        return await waiting.answer

    def forget(self, episode_id: str) -> None:
        """Takes a session that is over out of the queue; those that wait for it wait no longer."""
        over = [waiting for waiting in self._queue if waiting.seen.episode_id == episode_id]
        for waiting in over:
            self._queue.remove(waiting)
            waiting.answer.set_exception(InfrastructureError("The session ended while it waited."))
        self._changed.set()

    async def _run(self) -> None:
        while self._queue:
            await self._fill()
            batch = [self._queue.popleft() for _ in range(min(self.size, len(self._queue)))]
            if batch:
                await self._answer(batch)

    async def _fill(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue and len(self._queue) < min(self.size, self.live()):
            left = self._queue[0].since + self.wait_s - loop.time()
            if left <= 0:
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = await self.ask([waiting.seen for waiting in batch])
        except Exception as error:  # noqa: BLE001  (whoever waits must hear of it)
            answers = [error] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
