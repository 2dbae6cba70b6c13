"""Policies to be served, a server in a thread, and one in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PADDING, PolicySpec
from vlabench.serving import Server
from vlabench.serving.remote import remote_protocol
from vlabench.types import ActionChunk, EpisodeStart, Observation


@contextmanager
def served(make: Callable[[], Policy], protocol=remote_protocol, **options) -> Iterator[Server]:
    """A server with the policy that `make` makes, which lives in a thread of its own."""
    made: list[Server] = []
    ready = threading.Event()

    def live() -> None:
        try:
            made.append(Server(make, protocol, address="127.0.0.1", port=0, **options))
            made[0].start()
        finally:
            ready.set()
        made[0].run()

    thread = threading.Thread(target=live)
    thread.start()
    ready.wait()
    try:
        yield made[0]
    finally:
        made[0].stop()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def serving(*arguments: str, folder: Path | None = None) -> Iterator[tuple[subprocess.Popen, str]]:
    """``vlabench serve`` in a process of its own, and where it listens."""
    command = [sys.executable, "-m", "vlabench", "serve", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        try:
            found = re.search(r"ws://\S+(?=;)", process.stdout.readline())
            assert found, process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


class Counting:
    """Answers how often each session was asked, and keeps what it was asked.

    Attributes:
        batches: The sessions of each question.
        ended: Sessions that were ended, in order.
        closed: Whether it was closed.
        seeds: Session to its seed.
    """

    def __init__(self, pause_s: float = 0.0, **declared) -> None:
        self.declared, self.pause_s = declared, pause_s
        self.batches, self.ended, self.closed = [], [], False
        self.seeds, self.counts = {}, {}
        self.thread = threading.get_ident()

    def spec(self) -> PolicySpec:
        return PolicySpec(**{"name": "counting", "stateful": True, "max_batch": 4, **self.declared})

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        for start in starts:
            self.seeds[start.episode_id], self.counts[start.episode_id] = start.seed, 0

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        assert threading.get_ident() == self.thread
        self.batches.append([seen.episode_id for seen in observations])
        time.sleep(self.pause_s)
        return [self.answer(seen) for seen in observations]

    def answer(self, seen: Observation) -> ActionChunk:
        if seen.episode_id.startswith(PADDING):
            return ActionChunk(np.full((1, 7), -1.0))
        if seen.instruction == "raise":
            raise ValueError("out of\nideas")
        self.counts[seen.episode_id] += 1
        return ActionChunk(np.full((1, 7), float(self.counts[seen.episode_id])))

    def end(self, episode_ids: Sequence[str]) -> None:
        self.ended += episode_ids

    def close(self) -> None:
        assert threading.get_ident() == self.thread
        self.closed = True


class Odd(Counting):
    """Answers something that is no chunk of actions."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.odd = answer

    def answer(self, seen: Observation) -> ActionChunk:
        return self.odd


class Diary(Counting):
    """Answers slowly, and writes into a file when it ends a session and when it is closed."""

    def __init__(self, path: str, pause_s: float = 0.05) -> None:
        super().__init__(pause_s)
        self.path = Path(path)

    def _write(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def end(self, episode_ids: Sequence[str]) -> None:
        for episode_id in episode_ids:
            self._write(f"end {episode_id}")

    def close(self) -> None:
        self._write("close")
