"""How much of the world the scripted expert solves: every task, every axis at every level.

    .venv/bin/python benchmarks/expert.py [--episodes 20] [--workers 2] [--only lighting,stack]

Every task is run nominally, and every axis at every level on tasks that it applies to, which take
turns. What the expert cannot solve nobody can be asked to solve, so each line should say 95 % or
more; the failures are listed with what is needed to look at them again. Episodes are drawn with a
seed of their own, so that no published suite is what the expert was tuned on. Exits with 1 if a
line is below the bound. Diagnostics are left out: their right answer is another.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from vlabench.contract.environment import draw_episode
from vlabench.envs.axes.base import Axis
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.policies.expert import Expert
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec, EpisodeStart

BOUND = 0.95
SEED = 20_000
NOMINAL = "nominal"


@dataclass(frozen=True)
class Episode:
    """What one worker is asked to run."""

    task: str
    changes: tuple[Change, ...]
    index: int


@dataclass(frozen=True)
class Result:
    """What came of it; `note` says where it stopped."""

    episode: Episode
    success: bool
    steps: int
    note: str


def main() -> int:
    """Runs everything and prints two tables."""
    parser = argparse.ArgumentParser(description="How much of the world the expert solves.")
    parser.add_argument("--episodes", type=int, default=20, help="of each line")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="tasks and axes, with commas between them")
    options = parser.parse_args()
    only = set(options.only.split(",")) if options.only else None
    episodes = [e for e in _episodes(options.episodes) if only is None or _name(e) in only]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        results = list(tqdm(pool.map(run, episodes, chunksize=2), total=len(episodes)))
    return _print(results)


def run(asked: Episode) -> Result:
    """One episode of the expert."""
    try:
        world = TabletopWorld()
        episode = draw_episode(world, asked.task, asked.changes, seed=SEED, index=asked.index)
        return _solve(asked, episode)
    except Exception as error:  # noqa: BLE001  whatever it is, it is a line of the table
        return Result(asked, False, 0, f"{type(error).__name__}: {error}"[:160])


def _solve(asked: Episode, episode: EpisodeSpec) -> Result:
    simulation, expert, over = _simulation(), Expert(), False
    simulation.start(episode)
    start = EpisodeStart(episode.episode_id, 0, episode.instruction, simulation.spec())
    expert.reset([start])
    while not over:
        chunk = expert.act([simulation.observe(privileged=True)])[0]
        over = simulation.advance(chunk.actions[0].astype(np.float32))
    outcome = simulation.outcome()
    missed = next((stage.name for stage in outcome.stages if not stage.success), "")
    things = [v for k, v in episode.factors.items() if k.endswith(".category")]
    return Result(asked, outcome.success, outcome.steps, f"not {missed}: {', '.join(things)}")


@cache
def _simulation() -> Simulation:
    return Simulation()


def _episodes(count: int) -> Iterator[Episode]:
    for name in TASKS.names():
        yield from (Episode(name, (), index) for index in range(count))
    for name in AXES.names():
        axis: Axis = AXES.load(name)()
        if axis.kind == "diagnostic" or not axis.drawn:
            continue
        for number, level in enumerate(axis.levels):
            tasks = [t for t in TASKS.names() if level in axis.levels_of(task(t))]
            for k in range(count):
                turn = tasks[(k + number * count) % len(tasks)]
                yield Episode(turn, (Change(name, level),), 1000 + k)


def _name(episode: Episode) -> str:
    return episode.changes[0].axis if episode.changes else episode.task


def _print(results: list[Result]) -> int:
    lines: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        changes = result.episode.changes
        level = changes[0].level if changes else NOMINAL
        lines[_name(result.episode), level].append(result)
    below = 0
    print(f"{'task or axis':24} {'level':16} {'solved':>9} {'steps':>7} {'longest':>8}")
    for (name, level), line in lines.items():
        solved = sum(r.success for r in line)
        short = solved < BOUND * len(line)
        below += short
        steps = [r.steps for r in line if r.success] or [0]
        print(
            f"{name:24} {level:16} {solved:3} of {len(line):3} {np.median(steps):6.0f}"
            f" {max(steps):8}{' !' if short else ''}"
        )
    failures = [r for r in results if not r.success]
    print(
        f"{len(results) - len(failures)} of {len(results)} solved; {below} lines below {BOUND:.0%}"
    )
    for failure in failures:
        e = failure.episode
        print(f"  {e.task} {' '.join(map(str, e.changes))} index {e.index}: {failure.note}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
