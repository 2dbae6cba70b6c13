"""How much more gets done with more workers, and on another renderer.

    .venv/bin/python benchmarks/throughput.py [--workers 1,2] [--render-devices cpu] [--repeats 3]

Every worker renders on one thread, whatever their number (LP_NUM_THREADS=0). The policy looks
through two 256-pixel cameras at every eighth step and answers at once; its actions are random, so
nearly every episode goes to its horizon. Episodes of `ci` are taken in the manifest's order, as
many for every worker whatever their number, and the numbers of workers take turns. A rate is that
of the control steps while all workers were busy, without their start.

What the machine itself allows is measured beside it: the same loop in bare processes, without Ray,
records or files. Two cores that share a cache, a memory bus or an arithmetic unit are not twice one
core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ["LP_NUM_THREADS"] = "0"
os.environ["OMP_NUM_THREADS"] = "1"

from looking import ROLES, Looking

from vlabench.contract.specs import CameraSpec
from vlabench.envs.world import TabletopWorld
from vlabench.evaluation import Plan, execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.types import EpisodeRecord, EpisodeSpec, EpisodeStart

HERE = Path(__file__).parent
CHUNK, SIZE = 8, 256
LOOKING = "looking:Looking"


@dataclass(frozen=True)
class Finish:
    """An episode that was on disk at a time, in seconds."""

    at: float
    steps: int


def main() -> int:
    """Measures and prints a table."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", default=",".join(map(str, doublings(cores))))
    parser.add_argument("--render-devices", default="", help="cpu, or numbers of EGL devices")
    parser.add_argument("--episodes", type=int, default=8, help="of each worker")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    os.chdir(HERE)  # a policy of one's own is searched where one stands
    for device in options.render_devices.split(","):
        print(f"\n{cores} cores, rendering on {device or 'the default device'}")
        compare(counts, device or None, options.episodes, options.repeats)
    return 0


def doublings(cores: int) -> list[int]:
    """1, 2, 4, ... and the number itself."""
    return sorted({2**k for k in range(cores.bit_length()) if 2**k <= cores} | {cores})


def compare(counts: Sequence[int], device: str | None, episodes: int, repeats: int) -> None:
    """Lets the numbers of workers take turns, and prints how each compares with the first."""
    ray, bare = ({count: [] for count in counts} for _ in range(2))
    for _ in range(repeats):
        for count in counts:
            bare[count].append(bare_rate(count, episodes))
            ray[count].append(ray_rate(count, device, episodes))
    print(
        "| workers | steps/s | times one | bare processes | times one | Ray of bare | episodes/h |"
    )
    print("|---|---|---|---|---|---|---|")
    for count in counts:
        cells = [str(count), f"{statistics.median(r for r, _ in ray[count]):.0f}"]
        cells += [ratio([r for r, _ in ray[count]], [r for r, _ in ray[counts[0]]])]
        cells += [f"{statistics.median(bare[count]):.0f}", ratio(bare[count], bare[counts[0]])]
        cells += [ratio([r for r, _ in ray[count]], bare[count])]
        cells += [f"{statistics.median(per_hour for _, per_hour in ray[count]):.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def ratio(these: Sequence[float], those: Sequence[float]) -> str:
    """The median of the turns' ratios, with the smallest and the largest."""
    found = [one / other for one, other in zip(these, those, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


class Finishes(Silent):
    """Notes when each episode was on disk."""

    def __init__(self) -> None:
        self.found: list[Finish] = []

    def finished(self, record: EpisodeRecord) -> None:
        """Notes one more."""
        self.found.append(Finish(time.perf_counter(), record.steps))


def ray_rate(workers: int, device: str | None, episodes: int) -> tuple[float, float]:
    """Control steps a second, and episodes an hour, of the whole harness."""
    with tempfile.TemporaryDirectory() as folder:
        finishes = Finishes()
        options = RunnerOptions(workers, render_device=device)
        execute(planned(workers * episodes, Path(folder) / "run"), "ray", options, finishes)
    return steady(finishes.found, workers)


def steady(finishes: Sequence[Finish], workers: int) -> tuple[float, float]:
    """Steps a second and episodes an hour while all workers were busy, their starts left out."""
    middle = finishes[workers - 1 : len(finishes) - workers + 1]
    seconds, counted = middle[-1].at - middle[0].at, middle[1:]
    return sum(one.steps for one in counted) / seconds, 3600 * len(counted) / seconds


def planned(episodes: int, folder: Path) -> Plan:
    """A run of the first so many episodes of `ci`, in which every scene stands alone."""
    args = {"chunk": CHUNK, "size": SIZE}
    return plan(LOOKING, "ci", policy_args=args, limit=episodes, out=folder)


def bare_rate(processes: int, episodes: int) -> float:
    """Control steps a second of so many bare loops, the first episode of each left out."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = planned(processes * episodes, Path(folder) / "run").manifest.episodes
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(processes)
    with spawn.Pool(processes, initializer=share, initargs=(ready,)) as pool:
        parts = [manifest[k : processes * episodes : processes] for k in range(processes)]
        rates = pool.map(bare_loop, parts, chunksize=1)
    return sum(rates)


def share(ready: object) -> None:
    """Gives this process the barrier at which all of them begin to count."""
    globals()["_READY"] = ready


def bare_loop(episodes: Sequence[EpisodeSpec]) -> float:
    """Control steps a second in this process."""
    cameras = tuple(CameraSpec(role, SIZE, SIZE) for role in ROLES)
    environment, policy, steps, began = TabletopWorld().make(), Looking(CHUNK, SIZE), 0, 0.0
    for number, episode in enumerate(episodes):
        if number == 1:
            globals()["_READY"].wait()
            steps, began = 0, time.perf_counter()
        environment.start(episode)
        policy.reset([EpisodeStart(episode.episode_id, 0, "", environment.spec())])
        over = False
        while not over:
            (answer,) = policy.act([environment.observe(cameras)])
            for action in answer.actions.astype("float32"):
                over = environment.advance(action)
                steps += 1
                if over:
                    break
    rate = steps / (time.perf_counter() - began)
    environment.close()
    return rate


if __name__ == "__main__":
    sys.exit(main())
