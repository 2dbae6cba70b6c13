"""A world of one point and policies that move it: hundreds of episodes a second.

Runners name them ``harness_fakes:FakeWorld`` and so on, in this process and in workers.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vlabench.contract.environment import DrawnEpisode, StateNeededError
from vlabench.contract.specs import ActionSpec, CameraSpec, EnvSpec, PolicySpec
from vlabench.errors import InfrastructureError, UsageError
from vlabench.hashing import bytes_hash
from vlabench.seeding import stream, uniform
from vlabench.types import (
    ActionChunk,
    Change,
    EpisodeSpec,
    EpisodeStart,
    Event,
    Observation,
    Outcome,
    Safety,
    StageResult,
)

TASKS = ("place-on", "place-in", "stack")
DIAGNOSTIC = "empty-instruction"
HALFWAY = "from-stage"
AXES = {
    "lighting": ("L1", "L2", "L3"),
    "object-pose": ("L1", "L2"),
    DIAGNOSTIC: ("L1",),
    HALFWAY: ("2",),
}
HORIZON = 12

SUITE = """\
# A small suite for tests.
name: small
version: 3
description: Three tasks, two axes.
seed: 7
episodes: 2
tasks: [place-on, place-in, stack]
cells:
  - axis: lighting
    levels: [L1, L2]
  - axis: object-pose
    levels: [L2]
    tasks: [place-on, stack]
"""


class FakeWorld:
    version = "fake-1"

    def draw(
        self,
        task: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        begin: Mapping[str, float] | None = None,
    ) -> DrawnEpisode:
        if task not in TASKS:
            raise UsageError(f"There is no task {task!r}.")
        factors = {"goal": uniform(stream(seed, task, index, "goal"), 0.2, 0.8), "light": 1.0}
        for change in changes:
            if change.level not in AXES.get(change.axis, ()):
                raise UsageError(f"There is no axis and level {change}.")
            if change.axis == DIAGNOSTIC:
                factors["diagnostic"] = True
                continue
            if change.axis == HALFWAY:
                if begin is None:
                    raise StateNeededError(change, 1)
                factors["begin"] = begin["x"]
                continue
            factors["light"] = uniform(stream(seed, task, index, change.axis), 0.2, 0.8)
        told = "" if "diagnostic" in factors else f"move to {factors['goal']}"
        return DrawnEpisode(factors, told, HORIZON, "point", "diagnostic" in factors)

    def spec(self) -> EnvSpec:
        return EnvSpec(
            embodiment="point",
            control_hz=10.0,
            cameras=("exterior/0",),
            proprio=("ee_position",),
            action=ActionSpec(),
            max_translation_m=0.1,
            max_rotation_rad=0.5,
            privileged=False,
            fingerprint="fake-env",
        )

    def specs(self) -> Sequence[EnvSpec]:
        return (self.spec(),)

    def make(self, *, inspect: bool = False, controller: str = "") -> FakeEnvironment:
        assert controller in ("", self.spec().controller)
        return InspectedFake(self) if inspect else FakeEnvironment(self)


class FakeEnvironment:
    """The goal is reached once the point has gone far enough along x; the first stage is half."""

    def __init__(self, world: FakeWorld) -> None:
        self._spec = world.spec()
        self.looks = 0

    def spec(self) -> EnvSpec:
        return self._spec

    def start(self, episode: EpisodeSpec) -> None:
        self.episode, self.diagnostic = episode, episode.diagnostic
        begin = episode.factors.get("begin")
        self.position = np.array([begin or 0.0, 0.0, 0.0])
        self.steps = 0
        self.initial = self._hash()
        self.reached: dict[str, int] = {} if begin is None else {"half": 0}

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        self.looks += 1
        if any(camera.height == 13 for camera in cameras):
            raise ZeroDivisionError("a defect of the simulator's wrapper")
        shade = int(200 * self.episode.factors["light"])
        return Observation(
            episode_id=self.episode.episode_id,
            step=self.steps,
            time_s=self.steps / 10,
            instruction=self.episode.instruction,
            images={c.role: np.full((c.height, c.width, 3), shade, np.uint8) for c in cameras},
            proprio={"ee_position": self.position.copy()},
        )

    def advance(self, action: np.ndarray) -> bool:
        assert action.dtype == np.float32
        assert action.shape == (7,)
        self.position = np.round(self.position + 0.1 * action[:3].astype(np.float64), 9)
        self.steps += 1
        goal = self.episode.factors["goal"]
        for name, share in (("half", 0.5), ("whole", 1.0)):
            if self.position[0] >= share * goal:
                self.reached.setdefault(name, self.steps)
        return "whole" in self.reached or self.steps >= self.episode.horizon

    def outcome(self) -> Outcome:
        return Outcome(
            success="whole" in self.reached,
            success_once="whole" in self.reached,
            stages=tuple(
                StageResult(name, name in self.reached, self.reached.get(name))
                for name in ("half", "whole")
            ),
            steps=self.steps,
            path_length_m=float(self.position[0]),
            init_state_hash=self.initial,
            final_state_hash=self._hash(),
            chain_length=len(self.reached),
            safety=Safety(n_collisions=1, max_contact_force_n=4.0, n_drops=2),
            events=(Event(1, "it began"),),
            compliance="whole" not in self.reached if self.diagnostic else None,
        )

    def snapshot(self) -> dict[str, float] | None:
        """None for goals from 0.48 to 0.50: there the point is never let go."""
        return (
            None if 0.48 <= self.episode.factors["goal"] < 0.50 else {"x": float(self.position[0])}
        )

    def checksum(self) -> int:
        return int(self._hash()[:8], 16)

    def close(self) -> None:
        pass

    def _hash(self) -> str:
        return bytes_hash(self.position.tobytes())


class InspectedFake(FakeEnvironment):
    """Refuses goals from 0.60 to 0.62: they count as a start that breaks a rule."""

    def advance(self, action: np.ndarray) -> bool:
        over = super().advance(action)
        return over or bool(self._faults)

    def outcome(self) -> Outcome:
        outcome = super().outcome()
        return replace(outcome, success=False, events=self._faults) if self._faults else outcome

    @property
    def _faults(self) -> tuple[Event, ...]:
        bad = 0.60 <= self.episode.factors["goal"] < 0.62
        return (Event(0, "fault: the goal is in a hole"),) if bad else ()


class FakePolicy:
    """Moves along x by a random amount; answers in chunks of 3, of which 2 are executed."""

    def spec(self) -> PolicySpec:
        return PolicySpec(
            name="fake",
            cameras=(CameraSpec("exterior/0", 4, 6),),
            proprio=("ee_position",),
            chunk_length=3,
            executed=2,
        )

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        self.streams = {start.episode_id: np.random.default_rng(start.seed) for start in starts}

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        return [ActionChunk(self.actions(observation)) for observation in observations]

    def actions(self, observation: Observation) -> np.ndarray:
        actions = np.zeros((3, 7))
        actions[:, 0] = self.streams[observation.episode_id].random(3)
        return actions

    def end(self, episode_ids: Sequence[str]) -> None:
        for episode_id in episode_ids:
            del self.streams[episode_id]

    def close(self) -> None:
        pass


class SlowPolicy(FakePolicy):
    """Takes a while, so that a run can be killed half way."""

    def actions(self, observation: Observation) -> np.ndarray:
        time.sleep(0.03)
        return super().actions(observation)


class SlowestPolicy(FakePolicy):
    """Takes so long that a run is still on its way however late a signal comes."""

    def actions(self, observation: Observation) -> np.ndarray:
        time.sleep(0.25)
        return super().actions(observation)


class BrokenPolicy(FakePolicy):
    """Goes wrong in one way after the first answer."""

    def __init__(self, way: str) -> None:
        self.way = way

    def actions(self, observation: Observation) -> np.ndarray:
        actions = super().actions(observation)
        if observation.step == 0:
            return actions
        if self.way == "nan":
            actions[1, 3] = np.nan
        elif self.way == "shape":
            actions = actions[:, :6]
        elif self.way == "empty":
            actions = actions[:0]
        elif self.way == "exit":
            sys.exit(3)
        else:
            raise RuntimeError("out of\nideas")
        return actions


class BrokenEnd(FakePolicy):
    def end(self, episode_ids: Sequence[str]) -> None:
        raise RuntimeError("cannot end")


class MurderousPolicy(FakePolicy):
    """Kills its own process in the middle of an episode, `deaths` times in all."""

    def __init__(self, folder: str, deaths: int) -> None:
        self.folder, self.deaths = Path(folder), deaths

    def actions(self, observation: Observation) -> np.ndarray:
        if observation.step == 2 and self._doomed():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().actions(observation)

    def _doomed(self) -> bool:
        for number in range(self.deaths):
            try:
                (self.folder / f"death-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False


class LostPolicy(FakePolicy):
    """Its server is dead for goals below `goal`."""

    def __init__(self, goal: float) -> None:
        self.goal = goal

    def actions(self, observation: Observation) -> np.ndarray:
        if float(observation.instruction.split()[-1]) < self.goal:
            raise InfrastructureError("the server is gone")
        return super().actions(observation)


class DefectivePolicy(FakePolicy):
    """Asks for an image size at which the fake camera has a defect."""

    def spec(self) -> PolicySpec:
        return PolicySpec(name="defective", cameras=(CameraSpec("exterior/0", 13, 13),))


class PickyPolicy(FakePolicy):
    def __init__(self, checkpoint: str, scale: float = 1.0) -> None:
        self.checkpoint, self.scale = checkpoint, scale


class RevisedPolicy(FakePolicy):
    def spec(self) -> PolicySpec:
        return replace(super().spec(), revision="step-2000")


class PrivilegedPolicy(FakePolicy):
    def spec(self) -> PolicySpec:
        return PolicySpec(name="cheat", privileged=True)


class FakeExpert(FakePolicy):
    """Goes straight to any goal."""

    def actions(self, observation: Observation) -> np.ndarray:
        actions = np.zeros((3, 7))
        actions[:, 0] = 1.0
        return actions


class StubbornExpert(FakeExpert):
    """Goes nowhere near goals from 0.40 to 0.43."""

    def actions(self, observation: Observation) -> np.ndarray:
        goal = float((observation.instruction or "1").split()[-1])
        return super().actions(observation) * (not 0.40 <= goal < 0.43)


class LazyExpert(FakeExpert):
    """Solves nothing."""

    def actions(self, observation: Observation) -> np.ndarray:
        return np.zeros((3, 7))


class HastyExpert(FakeExpert):
    """Solves everything, but not as `FakeExpert` does."""

    def actions(self, observation: Observation) -> np.ndarray:
        return 0.9 * super().actions(observation)


class HalfExpert(FakeExpert):
    """Goes nowhere near goals from 0.40 to 0.52: a fifth of them."""

    def actions(self, observation: Observation) -> np.ndarray:
        goal = float((observation.instruction or "1").split()[-1])
        return super().actions(observation) * (not 0.40 <= goal < 0.52)


class DeafExpert(FakeExpert):
    """Does nothing unless it is told to."""

    def actions(self, observation: Observation) -> np.ndarray:
        return super().actions(observation) * bool(observation.instruction)


class ShakyExpert(FakeExpert):
    """Raises once in its life."""

    raised = False

    def actions(self, observation: Observation) -> np.ndarray:
        if not ShakyExpert.raised:
            ShakyExpert.raised = True
            raise MemoryError
        return super().actions(observation)


def fragile(number: int) -> str:
    """Work that takes its process with it where the number is 1."""
    if number == 1:
        os._exit(1)
    return f"{number} done"
