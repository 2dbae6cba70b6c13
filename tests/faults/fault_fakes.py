"""Policies and worlds that go wrong on purpose, at a step that is known beforehand.

What is to happen `times` times in all, in whatever process, is counted by files in `folder`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness_fakes import FakeEnvironment, FakePolicy, FakeWorld, SlowPolicy
from inference_fakes import BatchedPolicy

from vlabench.contract.specs import PolicySpec
from vlabench.errors import InfrastructureError
from vlabench.policies.groot_wire import GrootServer
from vlabench.policies.http import JsonServer
from vlabench.types import Observation

STEP = 2
"""The step at which things go wrong: inside an episode, and at its second question."""


def due(folder: Path, times: int, each: int, episode: str) -> bool:
    """Whether it is to happen once more, at most `each` times in one episode."""
    if len(list(folder.iterdir())) >= times:
        return False
    for number in range(each):
        try:
            (folder / f"{episode}-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


class FaultyPolicy(FakePolicy):
    """Goes wrong in one `way`, `times` times."""

    def __init__(self, way: str, folder: str, times: int = 1, each: int = 3) -> None:
        self.way, self.folder, self.times, self.each = way, Path(folder), times, each

    def actions(self, observation: Observation) -> np.ndarray:
        counts = self.times, self.each, observation.episode_id
        if observation.step == STEP and due(self.folder, *counts):
            go_wrong(self.way)
        return super().actions(observation)


class EndedWhileMadePolicy(FaultyPolicy):
    """Goes wrong while a worker makes it; the driver, which asks what it declares, is spared."""

    def __init__(self, way: str, folder: str, times: int = 1, each: int = 3) -> None:
        super().__init__(way, folder, times=0)
        main = str(getattr(sys.modules["__main__"], "__file__", ""))
        if main.endswith("default_worker.py") and due(self.folder, times, each, "made"):
            go_wrong(way)


class BatchedFaultyPolicy(BatchedPolicy):
    """The same for several sessions at once, so that it lives in an inference actor."""

    def __init__(self, way: str, folder: str, times: int = 1, each: int = 3) -> None:
        super().__init__()
        self.way, self.folder, self.times, self.each = way, Path(folder), times, each

    def actions(self, observation: Observation) -> np.ndarray:
        counts = self.times, self.each, observation.episode_id
        if observation.step == STEP and due(self.folder, *counts):
            go_wrong(self.way)
        return super().actions(observation)


class LonelyFaultyPolicy(BatchedFaultyPolicy):
    """Answers one session at a time, and takes half a second for each first answer."""

    def spec(self) -> PolicySpec:
        return replace(super().spec(), max_batch=1)

    def actions(self, observation: Observation) -> np.ndarray:
        if observation.step == 0:
            time.sleep(0.5)
        return super().actions(observation)


class LostAndStuckPolicy(FaultyPolicy):
    """Loses its server once, and takes for ever to be closed after that."""

    lost = False

    def actions(self, observation: Observation) -> np.ndarray:
        if observation.step == STEP and due(self.folder, self.times, 1, observation.episode_id):
            self.lost = True
            raise InfrastructureError("The server is gone.")
        return FakePolicy.actions(self, observation)

    def close(self) -> None:
        if self.lost:
            go_wrong(self.way)


class StickyPolicy(SlowPolicy):
    """Takes for ever to be closed once it has been asked, in a driver that a test began."""

    asked = False

    def actions(self, observation: Observation) -> np.ndarray:
        self.asked = True
        return super().actions(observation)

    def close(self) -> None:
        if self.asked and "FAULTS_MARK" in os.environ:
            sys.stdout.write("closing\n")
            sys.stdout.flush()
            time.sleep(3600)


class RestPolicy(FakePolicy):
    """Asks a REST server before each answer."""

    def __init__(self, url: str) -> None:
        waits = {"connect_timeout_s": 5, "timeout_s": 5, "attempts": 2, "away_s": 60}
        self.server = JsonServer("rest", url, "/act", **waits)

    def actions(self, observation: Observation) -> np.ndarray:
        assert self.server.post({}) == {}
        return super().actions(observation)


class ZeroMqPolicy(FakePolicy):
    """Asks a ZeroMQ server before each answer."""

    def __init__(self, url: str) -> None:
        waits = {"connect_timeout_s": 0.3, "timeout_s": 5, "away_s": 60}
        self.server = GrootServer("zmq", url, token="", **waits)

    def actions(self, observation: Observation) -> np.ndarray:
        assert self.server.call("ping") == {}
        return super().actions(observation)

    def close(self) -> None:
        self.server.close()


def go_wrong(way: str) -> None:
    """Dies, or hangs in one of the ways in which a process can."""
    if way == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "told to end":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
    elif way == "interrupted":
        raise KeyboardInterrupt
    elif way == "sleeps":
        time.sleep(3600)
    elif way == "loops":
        while True:
            pass
    elif way == "compiled code":
        deadlock(ctypes.CDLL(None))
    elif way == "holds the interpreter":
        deadlock(ctypes.PyDLL(None))
    else:
        raise AssertionError(way)


def deadlock(library: ctypes.CDLL) -> None:
    """Waits outside the interpreter for what never comes, and hears no signal."""
    mutex = ctypes.create_string_buffer(64)  # of zeros: PTHREAD_MUTEX_INITIALIZER
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


class EndlessWorld(FakeWorld):
    """Its episodes never say that they are over."""

    def make(self, *, inspect: bool = False, controller: str = "") -> FakeEnvironment:
        return EndlessEnvironment(self)


class EndlessEnvironment(FakeEnvironment):
    def advance(self, action: np.ndarray) -> bool:
        super().advance(action)
        return False
