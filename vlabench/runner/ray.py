"""Runs episodes in worker processes, one environment and one policy in each.

Several GL contexts in one process have shown one environment the frames of another, so every
environment has a process of its own. A worker that dies takes one attempt with it: the episode
runs again, with the same seed, in a new worker.

Workers run with `WORKER_ENVIRONMENT`, so with ``OMP_NUM_THREADS=1``; the serial runner stays in
the process that it finds itself in, and keeps that one's number of threads.

This is the only module that imports ray.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
import ray.exceptions

from vlabench.errors import UsageError
from vlabench.runner.job import Event, Events, Finished, Job, LostAttempt, RunnerOptions, Station
from vlabench.types import EpisodeSpec

WORKER_ENVIRONMENT = {"LP_NUM_THREADS": "0", "OMP_NUM_THREADS": "1"}
"""One thread each for the software renderer and for linear algebra: workers share the machine,
and results must not depend on how many threads there were."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM": "0",
}
"""No telemetry, no log lines, and the graphics card stays visible to workers."""

_OBJECT_STORE_BYTES = 256 * 1024**2
_CLOSING_SECONDS = 10
_KNOCKING_SECONDS = 5


def run(job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
    """See `vlabench.runner.job.Runner`.

    Raises:
        UsageError: If the cluster at `options.ray_address` cannot be reached.
    """
    if not episodes:
        return
    with _cluster(options) as workers:
        pool = _Pool(job, min(workers, len(episodes)))
        try:
            yield from pool.run(episodes)
        finally:
            pool.close()


class _Worker:
    """Lives in its own process."""

    def __init__(self, job: Job) -> None:
        self._station = Station(job)

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Event:
        return self._station.attempt(episode, attempt)

    def close(self) -> None:
        self._station.close()


class _Pool:
    """Workers, and which episode each of them is at."""

    def __init__(self, job: Job, size: int) -> None:
        self._job = ray.put(job)
        self._size = size
        self._make = ray.remote(_Worker).options(
            num_cpus=1, max_restarts=0, runtime_env={"env_vars": WORKER_ENVIRONMENT}
        )
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, EpisodeSpec, int]] = {}

    def run(self, episodes: Sequence[EpisodeSpec]) -> Iterator[Event]:
        waiting = deque((episode, 0) for episode in episodes)
        while waiting or self._busy:
            while waiting and len(self._busy) < self._size:
                self._send(*waiting.popleft())
            ready, _ = ray.wait(list(self._busy), num_returns=1)
            worker, episode, attempt = self._busy.pop(ready[0])
            event = self._receive(ready[0], episode, attempt)
            if isinstance(event, Finished):
                self._idle.append(worker)
            else:
                ray.kill(worker)
                if not event.final:
                    waiting.appendleft((episode, attempt + 1))
            yield event

    def close(self) -> None:
        """Lets idle workers free what they hold, and ends the others."""
        for worker, _, _ in self._busy.values():
            ray.kill(worker)
        if self._idle:
            closing = [worker.close.remote() for worker in self._idle]
            ray.wait(closing, num_returns=len(closing), timeout=_CLOSING_SECONDS)

    def _send(self, episode: EpisodeSpec, attempt: int) -> None:
        worker = self._idle.pop() if self._idle else self._make.remote(self._job)
        self._busy[worker.attempt.remote(episode, attempt)] = (worker, episode, attempt)

    @staticmethod
    def _receive(future: Any, episode: EpisodeSpec, attempt: int) -> Event:
        try:
            event: Event = ray.get(future)
        except ray.exceptions.RayTaskError as error:
            if error.cause is None:
                raise
            raise error.cause from error
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:300]
            return LostAttempt(episode, attempt, f"{type(error).__name__}: {reason}")
        return event


@contextmanager
def _cluster(options: RunnerOptions) -> Iterator[int]:
    """A running Ray, one of its own unless there is one; yields the number of workers."""
    if ray.is_initialized():
        yield _fitting(options.workers)
        return
    processors = options.workers or len(os.sched_getaffinity(0))
    own = {"num_cpus": processors, "object_store_memory": _OBJECT_STORE_BYTES}
    with _environment(_QUIET):
        try:
            _knock(options.ray_address)
            ray.init(
                address=options.ray_address or "local",
                include_dashboard=False if options.ray_address is None else None,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **({} if options.ray_address else own),
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"Cannot start or reach Ray at {options.ray_address or 'this machine'} "
                f"({' '.join(str(error).split())}); check --ray-address, or use --runner serial."
            ) from error
    try:
        yield processors if options.ray_address is None else _fitting(options.workers)
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Asks whether anybody listens at ``host:port``: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCKING_SECONDS).close()


def _fitting(workers: int | None) -> int:
    """As many workers as are wanted and as the cluster has processors for."""
    processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
    return min(workers or processors, processors)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for the processes that are started inside, and no longer."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
