"""How long workers stand idle at the end of a run, with and without the longest episodes first.

    .venv/bin/python benchmarks/tail.py RUN... [--workers 2,16,64] [--episodes 1000]

Runs are played back, not run: an episode lasts as many units of time as the record says that it
took control steps, each worker takes its next from `vlabench.runner.order.Line`, and nothing else
takes time. So many episodes are taken from the records of `RUN` at random, again and again. What is
printed, for each number of episodes a worker that are handed out longest first: how long the last
worker works on after the first has nothing more to do, in control steps and as a share of the run;
and the workers' time that is lost so.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from vlabench.runner.order import TAIL, Line, Turn
from vlabench.seeding import stream
from vlabench.store import Run
from vlabench.types import EpisodeSpec

TAILS = (0, 2, 4, TAIL, 16)
REPEATS = 10


@dataclass(frozen=True)
class End:
    """How a run ended, in control steps."""

    length: int
    first_idle: int
    lost: int


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--workers", default="2,16,64")
    parser.add_argument("--episodes", type=int, default=1000)
    options = parser.parse_args()
    known = [pair for run in options.runs for pair in durations(Run.open(run))]
    print("workers  longest first  last works on alone  share of the run  workers' time lost")
    for workers in map(int, options.workers.split(",")):
        for tail in TAILS:
            ends = [played(known, workers, tail, options.episodes, n) for n in range(REPEATS)]
            alone = float(np.mean([end.length - end.first_idle for end in ends]))
            length = float(np.mean([end.length for end in ends]))
            lost = float(np.mean([end.lost / (workers * end.length) for end in ends]))
            row = f"{workers:7}  {tail:13}  {alone:13.0f} steps"
            print(f"{row}  {alone / length:16.2%}  {lost:18.2%}")


def durations(run: Run) -> list[tuple[EpisodeSpec, int]]:
    """Each episode that has run, and its control steps."""
    by_id = run.manifest.by_id
    return [(by_id[record.episode_id], record.steps) for record in run.records]


def played(
    known: list[tuple[EpisodeSpec, int]], workers: int, tail: int, episodes: int, repeat: int
) -> End:
    """Plays `episodes` of `known` back, in their order but from a random place on."""
    start = int(stream(0, repeat, "tail").integers(len(known)))
    chosen = [known[(start + number) % len(known)] for number in range(min(episodes, len(known)))]
    line = Line([episode for episode, _ in chosen], workers, tail=tail)
    order = count()
    at_work: list[tuple[int, int, Turn]] = []
    ends = []

    def take(now: int) -> None:
        turn = line.next()
        if turn is None:
            ends.append(now)
            return
        heapq.heappush(at_work, (now + chosen[turn.place][1], next(order), turn))

    for _ in range(workers):
        take(0)
    while at_work:
        now, _, turn = heapq.heappop(at_work)
        line.over(turn)
        take(now)
    return End(max(ends), min(ends), sum(max(ends) - end for end in ends))


if __name__ == "__main__":
    main()
