"""Policies for gates, and a suite that uses every scene once: 36 episodes of three tasks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from harness_fakes import FakeExpert, FakeWorld

from vlabench.contract.specs import EnvSpec
from vlabench.errors import InfrastructureError
from vlabench.evaluation import execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.store import Run
from vlabench.types import EpisodeRecord, EpisodeStart, Observation

WORLD = "harness_fakes:FakeWorld"
EPISODES = 36

SINGLES = """\
name: singles
version: 1
description: Every scene once.
seed: 5
episodes: 6
layout: singles
tasks: [place-on, place-in, stack]
cells:
  - axis: lighting
    levels: [L1, L2]
"""


class OtherWorld(FakeWorld):
    """The same episodes under another physics."""

    def spec(self) -> EnvSpec:
        return replace(super().spec(), fingerprint="another")


class TwiceExpert(FakeExpert):
    """Solves everything once; the second time in this process it leaves far goals alone."""

    times: ClassVar[Counter[str]] = Counter()

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        self.times.update(start.episode_id for start in starts)

    def actions(self, observation: Observation) -> np.ndarray:
        goal = float(observation.instruction.split()[-1])
        tired = self.times[observation.episode_id] > 1 and goal > 0.5
        return super().actions(observation) * (not tired)


class Hesitant(FakeExpert):
    """Begins the goal that it is told once a file has so many lines, and a little later."""

    def __init__(self, goal: float, file: str, lines: int) -> None:
        self.goal, self.file, self.lines = goal, Path(file), lines

    def actions(self, observation: Observation) -> np.ndarray:
        if observation.step == 0 and float(observation.instruction.split()[-1]) == self.goal:
            until = time.monotonic() + 120
            while len(self.file.read_text().splitlines()) < self.lines:
                assert time.monotonic() < until, "nobody ran ahead"
                time.sleep(0.05)
            time.sleep(0.3)
        return super().actions(observation)


class FewLost(FakeExpert):
    """Its server is gone for the goals that it is told, as long as a file is not there."""

    def __init__(self, goals: list[float], mended: str) -> None:
        self.goals, self.mended = goals, Path(mended)

    def actions(self, observation: Observation) -> np.ndarray:
        if float(observation.instruction.split()[-1]) in self.goals and not self.mended.exists():
            raise InfrastructureError("the server at 10.0.0.7 is gone.")
        return super().actions(observation)


class InterruptedProgress(Silent):
    """Somebody presses Ctrl-C after so many episodes."""

    def __init__(self, after: int) -> None:
        self.left = after

    def finished(self, record: EpisodeRecord) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def evaluate(suite: Path, folder: Path, policy: str = "FakeExpert", **options: Any) -> Run:
    """A run of one of `harness_fakes` unless the policy says otherwise, in this process."""
    name = policy if ":" in policy else f"harness_fakes:{policy}"
    planned = plan(name, str(suite), out=folder, **{"world": WORLD, **options})
    return execute(planned, "serial", RunnerOptions(), Silent())
