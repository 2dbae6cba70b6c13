"""When a batch goes: full, everybody there, or waited long enough."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import pytest

from vlabench.errors import InfrastructureError, PolicyError
from vlabench.runner.batches import Answer, Batches
from vlabench.types import ActionChunk, Observation

PATIENT = 30.0
"""Seconds that no test waits for."""


def seen(name: str) -> Observation:
    return Observation(name, 0, 0.0, "", {}, {})


class Model:
    """Remembers the batches that it was asked for."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.busy = False

    async def __call__(self, asked: Sequence[Observation]) -> Sequence[Answer]:
        assert not self.busy
        self.busy = True
        self.batches.append([one.episode_id for one in asked])
        await asyncio.sleep(self.seconds)
        self.busy = False
        return [answer(one.episode_id) for one in asked]


def answer(name: str) -> Answer:
    if name == "bad":
        return PolicyError("this one")
    return ActionChunk(np.full((1, 7), float(ord(name[0]))))


async def ask(batches: Batches, *names: str) -> list[float]:
    chunks = await asyncio.gather(*(batches.answer(seen(name)) for name in names))
    return [float(chunk.actions[0, 0]) for chunk in chunks]


def test_a_full_batch_goes_at_once() -> None:
    async def run() -> None:
        model = Model()
        batches = Batches(model, 2, PATIENT, lambda: 9)
        assert await ask(batches, "a", "b") == [97.0, 98.0]
        assert model.batches == [["a", "b"]]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_nobody_waits_for_somebody_who_cannot_come() -> None:
    async def run() -> None:
        model = Model()
        batches = Batches(model, 8, PATIENT, lambda: 3)
        assert await ask(batches, "a", "b", "c") == [97.0, 98.0, 99.0]
        assert model.batches == [["a", "b", "c"]]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_the_first_waits_no_longer_than_the_deadline() -> None:
    async def run() -> None:
        model = Model()
        batches = Batches(model, 8, 0.1, lambda: 9)
        began = time.monotonic()
        assert await ask(batches, "a", "b") == [97.0, 98.0]
        assert 0.1 <= time.monotonic() - began < 3
        assert model.batches == [["a", "b"]]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_who_comes_while_the_model_is_busy_is_in_the_next_batch() -> None:
    async def run() -> None:
        model = Model(0.05)
        batches = Batches(model, 2, 0.0, lambda: 9)
        first = asyncio.create_task(ask(batches, "a"))
        await asyncio.sleep(0.02)
        assert await ask(batches, "b", "c", "d") == [98.0, 99.0, 100.0]
        assert await first == [97.0]
        assert model.batches == [["a"], ["b", "c"], ["d"]]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_session_that_ends_is_waited_for_no_longer() -> None:
    async def run() -> None:
        model, live = Model(), {"a", "b"}
        batches = Batches(model, 8, PATIENT, lambda: len(live))
        waiting = asyncio.create_task(ask(batches, "a"))
        await asyncio.sleep(0.02)
        assert model.batches == []
        live.discard("b")
        batches.forget("b")
        assert await waiting == [97.0]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_session_that_is_forgotten_is_not_asked_for() -> None:
    async def run() -> None:
        model, live = Model(), {"a", "b", "c"}
        batches = Batches(model, 8, PATIENT, lambda: len(live))
        gone = asyncio.create_task(ask(batches, "a"))
        await asyncio.sleep(0.02)
        live.discard("a")
        batches.forget("a")
        assert await ask(batches, "b", "c") == [98.0, 99.0]
        assert model.batches == [["b", "c"]]
        with pytest.raises(InfrastructureError, match="ended while it waited"):
            await gone

    asyncio.run(asyncio.wait_for(run(), 5))


def test_everybody_gets_an_own_answer() -> None:
    async def run() -> None:
        batches = Batches(Model(), 3, PATIENT, lambda: 3)
        good = asyncio.create_task(ask(batches, "a", "b"))
        with pytest.raises(PolicyError, match="this one"):
            await ask(batches, "bad")
        assert await good == [97.0, 98.0]

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_model_that_breaks_leaves_nobody_waiting() -> None:
    async def broken(asked: Sequence[Observation]) -> Sequence[Answer]:
        raise ZeroDivisionError

    async def run() -> None:
        batches = Batches(broken, 2, PATIENT, lambda: 2)
        both = await asyncio.gather(
            *(batches.answer(seen(name)) for name in "ab"), return_exceptions=True
        )
        assert [type(error) for error in both] == [ZeroDivisionError] * 2

    asyncio.run(asyncio.wait_for(run(), 5))
