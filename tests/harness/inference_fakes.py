"""Policies that answer many sessions at once; their noise is drawn from the seed and the step.

So an answer depends on its session alone, whoever else is in the batch and however often it is
asked.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness_fakes import FakePolicy

from vlabench.contract.specs import PlannerSpec, PolicySpec
from vlabench.errors import InfrastructureError, UsageError
from vlabench.plans import Plan
from vlabench.seeding import stream
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation


class BatchedPolicy(FakePolicy):
    """Answers up to 8 sessions; a batch takes 5 ms, whatever its size."""

    def __init__(self) -> None:
        self.seeds: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        return replace(super().spec(), name="batched", max_batch=8)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        self.seeds.update({start.episode_id: start.seed for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        time.sleep(0.005)
        return [ActionChunk(self.actions(seen)) for seen in observations]

    def actions(self, observation: Observation) -> np.ndarray:
        seed = self.seeds[observation.episode_id]
        actions = np.zeros((3, 7))
        actions[:, 0] = stream(seed, observation.step, "noise").random(3)
        return actions

    def end(self, episode_ids: Sequence[str]) -> None:
        for episode_id in episode_ids:
            del self.seeds[episode_id]


class Talker:
    """A planner that says one word after another, each for 4 steps; remembers nothing."""

    def __init__(self, every: int = 4, words: str = "half,whole") -> None:
        self.every, self.words = every, words.split(",")

    def spec(self) -> PlannerSpec:
        return PlannerSpec("clock", every=self.every, max_batch=4)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Nothing is kept."""

    def plan(self, observations: Sequence[Observation]) -> Sequence[Plan]:
        last = len(self.words) - 1
        return [Plan(self.words[min(seen.step // 4, last)]) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""


class LonelyPolicy(BatchedPolicy):
    """Answers one session at a time; says so if it is asked otherwise."""

    def spec(self) -> PolicySpec:
        return replace(super().spec(), name="lonely", max_batch=1)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        assert len(observations) == 1
        return super().act(observations)


class FixedPolicy(BatchedPolicy):
    """Wants exactly 4 sessions, and mixes them: an answer says how many there were."""

    def spec(self) -> PolicySpec:
        return replace(super().spec(), name="fixed", max_batch=4, fixed_batch=True)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        assert len(observations) == 4
        answers = [self.shared(seen, len(observations)) for seen in observations]
        return [ActionChunk(actions) for actions in answers]

    def shared(self, seen: Observation, sessions: int) -> np.ndarray:
        actions = np.zeros((3, 7))
        seed = self.seeds.get(seen.episode_id)
        if seed is not None:
            actions[:, 0] = stream(seed, seen.step, "noise").random(3) * sessions / 4
        return actions


class SpoiltPolicy(BatchedPolicy):
    """Goes wrong in one way for goals below 0.4, after the first answer."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        chunks = list(super().act(observations))
        if self.way == "few" and any(self.is_bad(seen) for seen in observations):
            return chunks[1:]
        if self.way == "text":
            return ["go left" if self.is_bad(seen) else chunks[0] for seen in observations]
        return chunks

    def is_bad(self, observation: Observation) -> bool:
        return observation.step > 0 and float(observation.instruction.split()[-1]) < 0.4

    def actions(self, observation: Observation) -> np.ndarray:
        actions = super().actions(observation)
        if not self.is_bad(observation):
            return actions
        if self.way == "raise":
            raise RuntimeError("no idea what\nto do")
        if self.way == "exit":
            raise SystemExit(3)
        actions[1, 2] = np.nan if self.way == "nan" else 0.0
        return actions


class CountingPolicy(BatchedPolicy):
    """Remembers how often each session was asked, which shows; raises as `SpoiltPolicy` does.

    Who is asked twice for one step, or is asked in a batch with one that raises, answers otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        return replace(super().spec(), name="counting", stateful=True)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        self.asked.update({start.episode_id: 0 for start in starts})

    def actions(self, observation: Observation) -> np.ndarray:
        self.asked[observation.episode_id] += 1
        if observation.step > 0 and goal_of(observation.instruction) < 0.4:
            raise RuntimeError("no idea")
        actions = np.zeros((3, 7))
        count = self.asked[observation.episode_id]
        actions[:, 0] = stream(self.seeds[observation.episode_id], count, "noise").random(3)
        return actions


class ReturnedPolicy(BatchedPolicy):
    """Its server is gone once, in the middle of an episode, and comes back otherwise.

    Args:
        folder: Where it is kept that this has happened.
        how: ``"other"``: it serves another checkpoint then; ``"broken"``: the policy cannot be made
            any more; ``"mute"``: it cannot say what it declares.
    """

    def __init__(self, folder: str, how: str) -> None:
        super().__init__()
        self.folder, self.how = Path(folder), how
        self.back, self.gone = (self.folder / "claim-0").exists(), False
        if self.back and how == "broken":
            raise UsageError("The server asks for another API key; give it.")

    def spec(self) -> PolicySpec:
        if self.back and self.how == "mute":
            raise ZeroDivisionError
        return replace(super().spec(), revision="another" if self.back else "")

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        if any(seen.step == 2 for seen in observations) and claimed(self.folder, 1):
            self.gone = True
        if self.gone:
            raise InfrastructureError("the server is gone")
        return super().act(observations)


class SharedPolicy(LonelyPolicy):
    """Asks a server that everybody shares; keeps in which processes it was asked."""

    shared = True

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        (self.folder / f"asked-{os.getpid()}").touch()
        return super().act(observations)


class ResetPolicy(BatchedPolicy):
    """Does not begin sessions with goals below 0.4."""

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        if any(float(start.instruction.split()[-1]) < 0.4 for start in starts):
            raise RuntimeError("not this one")


class MortalPolicy(BatchedPolicy):
    """Kills its own process in the middle of an episode, `deaths` times in all."""

    def __init__(self, folder: str, deaths: int) -> None:
        super().__init__()
        self.folder, self.deaths = Path(folder), deaths

    def actions(self, observation: Observation) -> np.ndarray:
        if observation.step == 2 and claimed(self.folder, self.deaths):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().actions(observation)


class DisconnectedPolicy(BatchedPolicy):
    """Its server is gone `losses` times, in the middle of an episode; remembers it or not."""

    def __init__(self, folder: str, losses: int, stateful: bool = False) -> None:
        super().__init__()
        self.folder, self.losses, self.stateful = Path(folder), losses, stateful
        self.broken = False

    def spec(self) -> PolicySpec:
        return replace(super().spec(), stateful=self.stateful)

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        if any(seen.step == 2 for seen in observations) and claimed(self.folder, self.losses):
            self.broken = True
        if self.broken:
            raise InfrastructureError("the server is gone")
        return super().act(observations)


class HomelessPolicy(BatchedPolicy):
    """Can be made nowhere but where cowsay is, which is said by `requires`."""

    def __init__(self, where: str = "") -> None:
        super().__init__()
        import cowsay

        Path(where).write_text(f"{np.__version__} {cowsay.__name__}", encoding="utf-8")

    @staticmethod
    def requires(args: Mapping[str, Json]) -> tuple[str, ...]:
        return ("numpy==2.0.2", "cowsay==6.1")


class HopelessPolicy(BatchedPolicy):
    """Requires what no package index has."""

    @staticmethod
    def requires(args: Mapping[str, Json]) -> tuple[str, ...]:
        return ("/no/such/folder/a-package-1.0-py3-none-any.whl",)

    @staticmethod
    def declares(args: Mapping[str, Json]) -> PolicySpec:
        return BatchedPolicy().spec()


class FicklePolicy(BatchedPolicy):
    """Declares something else each time that it is made."""

    made = 0

    def __init__(self, folder: str) -> None:
        super().__init__()
        folder_ = Path(folder)
        self.number = sum(1 for _ in folder_.glob("made-*"))
        (folder_ / f"made-{self.number}").touch()

    def spec(self) -> PolicySpec:
        return replace(super().spec(), control_hz=10.0 * (1 + self.number % 2))


class HurriedPolicy(BatchedPolicy):
    """Was trained at another rate than the fake world's."""

    def spec(self) -> PolicySpec:
        return replace(super().spec(), name="hurried", control_hz=7.0)


def goal_of(instruction: str) -> float:
    """What the fake world's instructions end with."""
    return float(instruction.split()[-1])


def claimed(folder: Path, times: int) -> bool:
    """True for the first so many callers, in whatever process."""
    for number in range(times):
        try:
            (folder / f"claim-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False
