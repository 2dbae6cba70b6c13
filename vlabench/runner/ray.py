"""Runs episodes in worker processes, one environment in each, and one policy in each or elsewhere.

Several GL contexts in one process have shown one environment the frames of another, so every
environment has a process of its own. A worker that dies takes one attempt with it: the episode
runs again, with the same seed, in a new worker (`vlabench.runner.pool`).

Workers run with `vlabench.runner.placement.WORKER_ENVIRONMENT`, so with ``OMP_NUM_THREADS=1``; the
serial runner stays in the process that it finds itself in, and keeps that one's number of threads.

Where `vlabench.runner.placement` says so, the policy lives in inference actors, which every worker
asks (`vlabench.runner.hosts`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import ray
import ray.exceptions

from vlabench.contract.specs import PolicySpec
from vlabench.runner.capacity import BLIND_WORKER_BYTES, LOOKING_WORKER_BYTES
from vlabench.runner.cluster import cluster, last_words
from vlabench.runner.hosts import hosts, link
from vlabench.runner.inference import HostedPolicy
from vlabench.runner.job import Events, Job, RunnerOptions
from vlabench.runner.placement import actors_of, bytes_of_worker, worker_environment
from vlabench.runner.pool import Pool
from vlabench.types import EpisodeSpec

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
    """See `vlabench.runner.job.Runner`.

    Raises:
        UsageError: If the cluster at `options.ray_address` cannot be reached, has too few GPUs, or
            an environment or a policy cannot be made there.
    """
    if not episodes:
        return
    each_bytes, actors = bytes_of_worker(job, options), actors_of(job, options)
    with cluster(options, each_bytes) as workers, hosts(job, options, actors) as found:
        pool = Pool(job, min(workers, len(episodes)), found, options)
        try:
            yield from pool.run(episodes)
        finally:
            pool.close()


def declaration(job: Job, options: RunnerOptions) -> PolicySpec:
    """What the policy of `job` declares, asked in an inference actor that is made for it.

    Raises:
        UsageError: If its environment cannot be built, or the policy cannot be made in it.
        InfrastructureError: If a server that it needs is not there.
    """
    with cluster(options, BLIND_WORKER_BYTES), hosts(job, options, 1) as found:
        return HostedPolicy([link(found.actors[0])]).spec()


@contextmanager
def hosted(job: Job, options: RunnerOptions) -> Iterator[HostedPolicy]:
    """The policy of `job`, in an inference actor where its packages are.

    Raises:
        UsageError: If its environment cannot be built, or the policy cannot be made in it.
    """
    with cluster(options, BLIND_WORKER_BYTES), hosts(job, options, 1) as found:
        policy = HostedPolicy([link(found.actors[0])])
        try:
            yield policy
        finally:
            policy.close()


def each(
    work: Callable[[Item], Result], items: Sequence[Item], options: RunnerOptions
) -> Iterator[tuple[int, Result | str]]:
    """Does `work` on every item, as many at a time as there are workers, in any order.

    Args:
        work: A function of a module that workers can import; it must not raise.
        items: What it is given, one each.
        options: Workers, and where they render.

    Yields:
        The number of an item, and what came of it; one line of text if a process was lost with it.

    Raises:
        UsageError: If the cluster cannot be reached.
    """
    with cluster(options, LOOKING_WORKER_BYTES) as workers:
        environment = {"env_vars": worker_environment(options)}
        make = ray.remote(work).options(num_cpus=1, max_retries=1, runtime_env=environment)
        waiting, busy = deque(enumerate(items)), dict[Any, int]()
        try:
            while waiting or busy:
                while waiting and len(busy) < workers:
                    number, item = waiting.popleft()
                    busy[make.remote(item)] = number
                ready, _ = ray.wait(list(busy), num_returns=1)
                number = busy.pop(ready[0])
                try:
                    found: Result | str = ray.get(ready[0])
                except ray.exceptions.RayError as error:
                    found = f"{type(error).__name__}: {last_words(str(error))}"
                yield number, found
        finally:
            for future in busy:
                ray.cancel(future, force=True)
