"""Runs every episode in this process, one after another: simple to debug, and the reference.

Environment variables stay as they are; Ray's workers get ``OMP_NUM_THREADS=1`` and
``LP_NUM_THREADS=0`` instead, which one may set here for the same threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.runner.job import MAX_ATTEMPTS, Events, Finished, Job, RunnerOptions, Station
from vlabench.types import EpisodeSpec


def run(job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
    """See `vlabench.runner.job.Runner`; `options` spread nothing here.

    An attempt in which nothing moves is given up where it waits or runs in Python, in the main
    thread; compiled code that never returns is not, for this process is the user's.
    """
    station = Station(job, step_timeout_s=options.step_timeout_s)
    try:
        for episode in episodes:
            for attempt in range(MAX_ATTEMPTS):
                event = station.attempt(episode, attempt)
                yield event
                if isinstance(event, Finished) or event.final:
                    break
    finally:
        station.close()
