"""Whether episodes come out the same when their actions are executed again, on every task and axis.

    .venv/bin/python benchmarks/replays.py RUN... [--episodes 200] [--workers N]

From finished runs it takes so many episodes, spread over tasks and axes (and over successes and
failures, where a run has both), replays each in a process that has not run it, and holds what comes
out against the record: the state's checksum after every control step, the first and the last
state's hash, the outcome. Exits with 1 if one of them differs, or if a task or an axis of this
vlabench is in none of the runs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vlabench.registry import AXES, TASKS
from vlabench.replaying import replay
from vlabench.seeding import stream
from vlabench.store import Run


@dataclass(frozen=True, slots=True)
class Choice:
    """One episode of a run."""

    run: str
    episode_id: str
    task: str
    axes: tuple[str, ...]
    success: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What became of its replay: nothing but the steps, where all was the same."""

    steps: int
    wrong: str = ""


def main() -> None:
    """Prints what was replayed, and exits with 1 if something differs."""
    parser = argparse.ArgumentParser(description="Whether episodes replay.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    began = time.perf_counter()
    chosen = spread([each for path in given.runs for each in choices(path)], given.episodes)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.workers, mp_context=context) as pool:
        found = list(pool.map(replayed, chosen, chunksize=5))
    wrong = [f"{c.run} {c.episode_id}: {f.wrong}" for c, f in zip(chosen, found, strict=True)]
    wrong = [line for line in wrong if not line.endswith(": ")]
    tasks, axes = {c.task for c in chosen}, {axis for c in chosen for axis in c.axes}
    unseen = sorted({*TASKS.names()} - tasks) + sorted({*AXES.names()} - axes)
    print(f"{len(chosen) - len(wrong)} of {len(chosen)} replays match, to the bit:")
    print(f"  {len(tasks)} of {len(TASKS.names())} tasks, {len(axes)} of {len(AXES.names())} axes")
    print(
        f"  {sum(c.success for c in chosen)} successes, "
        f"{sum(not c.success for c in chosen)} other episodes"
    )
    print(f"  {sum(f.steps for f in found)} control steps, in {time.perf_counter() - began:.0f} s")
    for line in wrong:
        print(f"DIFFERS: {line}")
    if unseen:
        print(f"IN NONE OF THE RUNS: {', '.join(unseen)}")
    sys.exit(bool(wrong or unseen))


def choices(path: Path) -> list[Choice]:
    """All episodes of a run that have been executed."""
    return [
        Choice(
            str(path),
            result.episode_id,
            result.task,
            tuple(change.axis for change in result.changes),
            result.success,
        )
        for result in Run.open(path).results
    ]


def spread(episodes: Iterable[Choice], count: int) -> list[Choice]:
    """So many of the episodes, over tasks, axes and outcomes as evenly as they come.

    What has been seen least goes first; ties are broken at random, and always in the same way.
    """
    left = list(episodes)
    left = [left[k] for k in stream("replays").permutation(len(left))]
    seen: defaultdict[str, int] = defaultdict(int)
    chosen: list[Choice] = []
    while left and len(chosen) < count:
        best = min(left, key=lambda each: _rank(each, seen))
        left.remove(best)
        chosen.append(best)
        for name in _names(best):
            seen[name] += 1
    return chosen


def _rank(each: Choice, seen: dict[str, int]) -> tuple[int, int]:
    counts = [seen.get(name, 0) for name in _names(each)]
    return min(counts), sum(counts)


def _names(each: Choice) -> list[str]:
    return [f"task {each.task}", *(f"axis {axis}" for axis in each.axes), f"{each.success}"]


def replayed(choice: Choice) -> Found:
    """Replays one episode; says in a few words what differs."""
    result = replay(_opened(choice.run), choice.episode_id)
    if result.verified:
        return Found(result.steps)
    where = "" if result.left_at is None else f"left at step {result.left_at}"
    return Found(result.steps, "; ".join(filter(None, [where, *result.faults])))


@cache
def _opened(path: str) -> Run:
    return Run.open(path)


if __name__ == "__main__":
    main()
