"""What batching gains, what the harness costs a policy call, and whether batches change results.

    .venv/bin/python benchmarks/inference.py [--workers 8] [--episodes 96] [--repeats 3]

A flow-matching policy of 52 million weights, in torch on one thread, lives in one inference actor
and answers all workers: in batches of up to 8, and one session at a time. Its noise is drawn for
each session from `EpisodeStart.seed` and the step. The world is a point that costs nothing, so the
ratio is that of the policy alone: reading the weights dominates, which a batch does once. Where a
simulator takes its share of the wall clock, a run gains less.

The three ways take turns, and a ratio is that of neighbours: the median, and in brackets the
smallest and the largest. Rates leave out the first third of the episodes, while workers start; the
machine must have nothing else to do. The cost of the harness is what a worker waits for an answer
of a policy that does nothing, with two images of 224 x 224, above what it waits for the same policy
in its own process. Records are compared without their timings. Exits with 1 if batches of a fixed
size changed a record.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import DrawnEpisode, draw_episode
from vlabench.contract.specs import PADDING, ActionSpec, CameraSpec, EnvSpec, PolicySpec
from vlabench.hashing import bytes_hash
from vlabench.registry import load_attribute
from vlabench.rollout import RunContext
from vlabench.runner import RUNNERS
from vlabench.runner.job import Finished, Job, RunnerOptions
from vlabench.runner.ray import cluster
from vlabench.seeding import stream, uniform
from vlabench.types import (
    ActionChunk,
    Change,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Json,
    Observation,
    Outcome,
)

HORIZON, CHUNK, EXECUTED = 48, 8, 4
WIDTH, LAYERS, FLOW_STEPS = 4096, 3, 4
BATCH = 8
SIZE = 224
HERE = Path(__file__)

ALONE = "one at a time"
WAYS: Mapping[str, Mapping[str, Json]] = {
    ALONE: {"batch": 1},
    "batched": {"batch": BATCH},
    "batched, fixed size": {"batch": BATCH, "fixed": True},
}


def main() -> int:
    """Runs everything and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--episodes", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with cluster(RunnerOptions(options.workers)):
        return compare(options.workers, options.episodes, options.repeats)


def compare(workers: int, count: int, repeats: int) -> int:
    """Measures in the cluster that is there."""
    episodes = [draw_episode(PointWorld(), "reach", seed=1, index=index) for index in range(count)]
    turns: dict[str, list[Measured]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        for name, args in WAYS.items():
            turns[name].append(measure("FlowPolicy", args, episodes, workers))
    print(f"{'':20}  calls/s  batch  wait (ms)  times {ALONE}")
    for name, results in turns.items():
        ratios = [mine.rate / other.rate for mine, other in zip(results, turns[ALONE], strict=True)]
        print(
            f"{name:20}  {median(one.rate for one in results):7.1f}"
            f"  {median(one.batch for one in results):5.2f}"
            f"  {median(one.wait_ms for one in results):9.1f}"
            f"  {median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    one, loose, fixed = (turns[name][0] for name in WAYS)

    few = episodes[: max(4, count // 8)]
    hosted = measure("IdlePolicy", {}, few, 1, actors=1).wait_ms
    direct = measure("IdlePolicy", {}, few, 1, actors=0).wait_ms
    print(f"harness: {hosted - direct:.2f} ms a call ({hosted:.2f} hosted, {direct:.2f} direct)")

    alone = {"batch": BATCH, "fixed": True}
    serial = measure("FlowPolicy", alone, few, 1, runner="serial")
    changed = different(serial, fixed)
    print(f"fixed size, batched against alone: {changed} of {len(few)} records differ")
    print(f"any size, batched against alone: {different(one, loose)} of {len(episodes)} differ")
    return int(changed > 0)


@dataclass(frozen=True)
class Measured:
    """Policy calls a second, sessions a batch, and the median wait for an answer."""

    records: Mapping[str, EpisodeRecord]
    rate: float
    batch: float
    wait_ms: float


def measure(
    policy: str,
    args: Mapping[str, Json],
    episodes: Sequence[EpisodeSpec],
    workers: int,
    *,
    runner: str = "ray",
    actors: int = 1,
) -> Measured:
    """Runs `episodes`, with the policy in so many inference actors, or in the workers."""
    job = Job(
        f"{HERE.stem}:PointWorld",
        f"{HERE.stem}:{policy}",
        args,
        RunContext("benchmark", "benchmark", 1, ""),
        folder=str(HERE.parent),
    )
    run = load_attribute(RUNNERS[runner], "runner")
    finished: list[tuple[float, EpisodeRecord]] = []
    options = RunnerOptions(workers, inference_actors=actors if runner == "ray" else None)
    for event in run(job, episodes, options):
        assert isinstance(event, Finished), event
        assert event.record.error is None, event.record.error
        finished.append((time.perf_counter(), event.record))
    warm = len(finished) // 3
    seconds = finished[-1][0] - finished[warm - 1][0]
    records = [record for _, record in finished]
    calls = sum(record.policy_calls for record in records[warm:])
    return Measured(
        records={record.episode_id: record for record in records},
        rate=calls / seconds,
        batch=mean(float(record.batch_size_mean or 0) for record in records[warm:]),
        wait_ms=median(float(record.latency_ms_p50 or 0) for record in records[warm:]),
    )


def different(one: Measured, other: Measured) -> int:
    """How many records of `one` differ from those of `other` in more than timings and names."""
    ignored = {"contract_fingerprint"}
    return sum(
        {k: v for k, v in record.stable().items() if k not in ignored}
        != {k: v for k, v in other.records[name].stable().items() if k not in ignored}
        for name, record in one.records.items()
    )


# --- a world that costs nothing -----------------------------------------------------------------


class PointWorld:
    """A point that actions move; each episode runs to its horizon."""

    version = "point-1"

    def draw(
        self,
        task: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        begin: Mapping[str, Json] | None = None,
    ) -> DrawnEpisode:
        """A shade of grey, which is all that its cameras see."""
        shade = uniform(stream(seed, task, index, "shade"), 0.1, 0.9)
        return DrawnEpisode({"shade": shade}, "go on", HORIZON, "point")

    def spec(self) -> EnvSpec:
        """Two cameras and a position."""
        return EnvSpec(
            embodiment="point",
            control_hz=20.0,
            cameras=("exterior/0", "wrist/0"),
            proprio=("ee_position",),
            action=ActionSpec(),
            max_translation_m=0.05,
            max_rotation_rad=0.5,
            privileged=False,
            fingerprint="point",
        )

    def specs(self) -> Sequence[EnvSpec]:
        """The only one."""
        return (self.spec(),)

    def make(self, *, inspect: bool = False, controller: str = "") -> PointEnvironment:
        """One point."""
        return PointEnvironment(self.spec())


class PointEnvironment:
    """See `vlabench.contract.environment.Environment`."""

    def __init__(self, spec: EnvSpec) -> None:
        self._spec = spec

    def spec(self) -> EnvSpec:
        """The world's."""
        return self._spec

    def start(self, episode: EpisodeSpec) -> None:
        """Back to the origin."""
        self.episode, self.position, self.steps = episode, np.zeros(3), 0

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        """Grey images."""
        shade = int(255 * self.episode.factors["shade"])
        return Observation(
            episode_id=self.episode.episode_id,
            step=self.steps,
            time_s=self.steps / self._spec.control_hz,
            instruction=self.episode.instruction,
            images={c.role: np.full((c.height, c.width, 3), shade, np.uint8) for c in cameras},
            proprio={"ee_position": self.position.copy()},
        )

    def advance(self, action: npt.NDArray[np.float32]) -> bool:
        """Moves the point."""
        self.position = self.position + 0.05 * action[:3].astype(np.float64)
        self.steps += 1
        return self.steps >= self.episode.horizon

    def outcome(self) -> Outcome:
        """Where it is."""
        state = bytes_hash(self.position.tobytes())
        return Outcome(False, False, (), self.steps, 0.0, "", state, 0)

    def snapshot(self) -> Mapping[str, Json] | None:
        """There is nothing to go on from."""
        return None

    def checksum(self) -> int:
        """Of the position."""
        return int(bytes_hash(self.position.tobytes(), 8), 16)

    def close(self) -> None:
        """Holds nothing."""


# --- policies -----------------------------------------------------------------------------------


class IdlePolicy:
    """Looks twice and does nothing: what is left is the harness."""

    def __init__(self, batch: int = 1, fixed: bool = False) -> None:
        self._batch, self._fixed = batch, fixed
        self._seeds: dict[str, int] = {}

    def spec(self) -> PolicySpec:
        """Chunks of 8, of which 4 are executed."""
        return PolicySpec(
            name=type(self).__name__,
            cameras=(CameraSpec("exterior/0", SIZE, SIZE), CameraSpec("wrist/0", SIZE, SIZE)),
            proprio=("ee_position",),
            chunk_length=CHUNK,
            executed=EXECUTED,
            max_batch=self._batch,
            fixed_batch=self._fixed,
        )

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Remembers the seeds."""
        self._seeds.update({start.episode_id: start.seed for start in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """Zeros."""
        return [ActionChunk(np.zeros((CHUNK, 7))) for _ in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets the seeds."""
        for episode_id in episode_ids:
            del self._seeds[episode_id]

    def close(self) -> None:
        """Holds nothing."""


class FlowPolicy(IdlePolicy):
    """Turns noise into a chunk in `FLOW_STEPS` steps of a wide perceptron.

    Each step sees the noise so far, the time, the position, and every image thinned to 8 x 8.
    """

    def __init__(self, batch: int = 1, fixed: bool = False) -> None:
        super().__init__(batch, fixed)
        import torch

        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(0)
        sizes = [CHUNK * 7 + 1 + 3 + 2 * 8 * 8 * 3, *[WIDTH] * (LAYERS + 1), CHUNK * 7]
        self._torch = torch
        self._weights = [
            torch.randn(inputs, outputs, generator=generator) * (2 / inputs) ** 0.5
            for inputs, outputs in pairwise(sizes)
        ]

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One chunk each."""
        torch = self._torch
        with torch.inference_mode():
            context = torch.stack([self._context(seen) for seen in observations])
            chunks = torch.stack([self._noise(seen) for seen in observations])
            for step in range(FLOW_STEPS):
                now = torch.full((len(observations), 1), step / FLOW_STEPS)
                chunks = chunks + self._flow(torch.cat([chunks, now, context], 1)) / FLOW_STEPS
            actions = torch.tanh(chunks).reshape(-1, CHUNK, 7).double().numpy()
        return [ActionChunk(action) for action in actions]

    def _flow(self, values: Any) -> Any:
        for weight in self._weights[:-1]:
            values = self._torch.relu(values @ weight)
        return values @ self._weights[-1]

    def _context(self, seen: Observation) -> Any:
        thinned = [image[:: SIZE // 8, :: SIZE // 8] / 255 for image in seen.images.values()]
        parts = [seen.proprio["ee_position"], *(image.ravel() for image in thinned)]
        return self._torch.from_numpy(np.concatenate(parts)).float()

    def _noise(self, seen: Observation) -> Any:
        padding = seen.episode_id.startswith(PADDING)
        seed = 0 if padding else self._seeds[seen.episode_id]
        noise = stream(seed, seen.step, "noise").standard_normal(CHUNK * 7)
        return self._torch.from_numpy(noise).float()


if __name__ == "__main__":
    sys.exit(main())
