"""Runs episodes in worker processes, one environment in each, and one policy in each or elsewhere.

Several GL contexts in one process have shown one environment the frames of another, so every
environment has a process of its own. A worker that dies takes one attempt with it: the episode
runs again, with the same seed, in a new worker.

Workers run with `WORKER_ENVIRONMENT`, so with ``OMP_NUM_THREADS=1``; the serial runner stays in
the process that it finds itself in, and keeps that one's number of threads.

Where `vlabench.runner.placement` says so, the policy lives in inference actors, which every worker
asks: see `vlabench.runner.host`. One that dies takes the attempts with it that it was serving; Ray
starts it again, `RESTARTS` times.

This is the only module that imports ray.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import ray
import ray.exceptions
from ray._private import ray_constants

from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import encode
from vlabench.errors import InfrastructureError, UsageError
from vlabench.hashing import canonical_json
from vlabench.runner.host import PolicyHost
from vlabench.runner.inference import Ask, HostedPolicy, host_of
from vlabench.runner.job import Event, Events, Finished, Job, LostAttempt, RunnerOptions, Station
from vlabench.runner.placement import actors_of, render_environment
from vlabench.types import EpisodeSpec

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKER_ENVIRONMENT = {"LP_NUM_THREADS": "0", "OMP_NUM_THREADS": "1"}
"""One thread each for the software renderer and for linear algebra: workers share the machine,
and results must not depend on how many threads there were."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_TQDM": "0",
    "RUNTIME_ENV_RETRY_TIMES": "1",
}
"""No telemetry, no log lines, the graphics card stays visible to workers, and an environment that
pip cannot build is not built again."""

_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes Ray listen on 127.0.0.1 alone where it would listen on every address; whoever reaches
one of its ports can run code here. ``_node_ip_address="127.0.0.1"`` does not: Ray puts the
machine's own address in its place (``get_node_ip_address`` of ray/_private/services.py)."""

RESTARTS = 5
"""How often an inference actor that died is started again."""

_OBJECT_STORE_BYTES = 256 * 1024**2
_CLOSING_SECONDS = 10
_KNOCKING_SECONDS = 5
_INSTALLING_SECONDS = 3600
_RESTARTING_SECONDS = 600


def run(job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
    """See `vlabench.runner.job.Runner`.

    Raises:
        UsageError: If the cluster at `options.ray_address` cannot be reached, has too few GPUs, or
            an environment or a policy cannot be made there.
    """
    if not episodes:
        return
    with cluster(options) as workers, _hosts(job, options, actors_of(job, options)) as hosts:
        pool = _Pool(job, min(workers, len(episodes)), hosts, options)
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
    with cluster(options), _hosts(job, options, 1) as hosts:
        return HostedPolicy([_link(hosts[0])]).spec()


@contextmanager
def hosted(job: Job, options: RunnerOptions) -> Iterator[HostedPolicy]:
    """The policy of `job`, in an inference actor where its packages are.

    Raises:
        UsageError: If its environment cannot be built, or the policy cannot be made in it.
    """
    with cluster(options), _hosts(job, options, 1) as hosts:
        policy = HostedPolicy([_link(hosts[0])])
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
    with cluster(options) as workers:
        environment = {"env_vars": _worker_environment(options)}
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
                    found = f"{type(error).__name__}: {_last_words(str(error))}"
                yield number, found
        finally:
            for future in busy:
                ray.cancel(future, force=True)


class _Worker:
    """Lives in its own process."""

    def __init__(self, job: Job, hosts: Sequence[Any]) -> None:
        links = [_link(host) for host in hosts]
        self._station = Station(job, (lambda: HostedPolicy(links)) if links else None)

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Event:
        return self._station.attempt(episode, attempt)

    def close(self) -> None:
        self._station.close()


class _Pool:
    """Workers, and which episode each of them is at."""

    def __init__(self, job: Job, size: int, hosts: Sequence[Any], options: RunnerOptions) -> None:
        self._job = ray.put(job)
        self._size = size
        self._hosts = hosts
        self._make = ray.remote(_Worker).options(
            num_cpus=1,
            max_restarts=0,
            runtime_env={"env_vars": _worker_environment(options)},
        )
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, EpisodeSpec, int]] = {}
        self._ahead = math.inf if options.ahead is None else options.ahead * size
        self._begun: set[int] = set()

    def run(self, episodes: Sequence[EpisodeSpec]) -> Iterator[Event]:
        waiting = deque((episode, 0) for episode in episodes)
        places = {episode.episode_id: place for place, episode in enumerate(episodes)}
        while waiting or self._busy:
            while waiting and len(self._busy) < self._size and self._may(places, waiting[0][0]):
                self._send(*waiting.popleft())
            ready, _ = ray.wait(list(self._busy), num_returns=1)
            worker, episode, attempt = self._busy.pop(ready[0])
            event, lives = self._receive(ready[0], episode, attempt)
            if lives:
                self._idle.append(worker)
            else:
                ray.kill(worker)
            if not isinstance(event, Finished):
                self._forget(episode)
                if not event.final:
                    waiting.appendleft((episode, attempt + 1))
            if isinstance(event, Finished) or event.final:
                self._begun.remove(places[episode.episode_id])
            yield event

    def close(self) -> None:
        """Lets idle workers free what they hold, and ends the others."""
        for worker, _, _ in self._busy.values():
            ray.kill(worker)
        if self._idle:
            closing = [worker.close.remote() for worker in self._idle]
            ray.wait(closing, num_returns=len(closing), timeout=_CLOSING_SECONDS)

    def _may(self, places: Mapping[str, int], episode: EpisodeSpec) -> bool:
        """Whether `episode` is near enough to the first that is not over; it has begun then."""
        place = places[episode.episode_id]
        if place > min(self._begun, default=place) + self._ahead:
            return False
        self._begun.add(place)
        return True

    def _send(self, episode: EpisodeSpec, attempt: int) -> None:
        worker = self._idle.pop() if self._idle else self._make.remote(self._job, self._hosts)
        self._busy[worker.attempt.remote(episode, attempt)] = (worker, episode, attempt)

    def _forget(self, episode: EpisodeSpec) -> None:
        """Ends the session that a lost worker left behind, before another begins it anew."""
        if self._hosts:
            host = self._hosts[host_of(episode.episode_id, len(self._hosts))]
            ending = host.ask.remote("end", encode(episode.episode_id))
            ray.wait([ending], timeout=_CLOSING_SECONDS)

    @staticmethod
    def _receive(future: Any, episode: EpisodeSpec, attempt: int) -> tuple[Event, bool]:
        """What came of an attempt, and whether the worker is still there to make another."""
        try:
            event: Event = ray.get(future)
        except ray.exceptions.RayTaskError as error:
            if error.cause is None:
                raise
            raise error.cause from error
        except ray.exceptions.RayError as error:
            reason = _last_words(str(error))
            return LostAttempt(episode, attempt, f"{type(error).__name__}: {reason}"), False
        return event, True


def _worker_environment(options: RunnerOptions) -> dict[str, str]:
    """The environment variables of a process that simulates and renders."""
    device = options.render_device
    return {**WORKER_ENVIRONMENT, **({} if device is None else render_environment(device))}


# --- inference actors ---------------------------------------------------------------------------


@contextmanager
def _hosts(job: Job, options: RunnerOptions, count: int) -> Iterator[Sequence[Any]]:
    """So many inference actors, each with the policy of `job` in it."""
    if not count:
        yield []
        return
    make = ray.remote(PolicyHost).options(
        num_cpus=0,
        num_gpus=_gpus_each(options.gpus, count),
        max_restarts=RESTARTS,
        max_task_retries=0,
        runtime_env=_environment_of(job),
    )
    arguments = (job.policy, canonical_json(job.policy_args), job.folder, options.batch_wait_ms)
    actors = [make.remote(*arguments) for _ in range(count)]
    try:
        for actor in actors:
            _wait_for(actor, job)
        yield actors
    finally:
        closing = [actor.ask.remote("close", encode(None)) for actor in actors]
        ray.wait(closing, num_returns=count, timeout=_CLOSING_SECONDS)
        for actor in actors:
            ray.kill(actor)


def _environment_of(job: Job) -> dict[str, Any]:
    """What an inference actor of `job` runs in: this environment, or a copy with more in it."""
    variables = {"OMP_NUM_THREADS": WORKER_ENVIRONMENT["OMP_NUM_THREADS"]}
    if not job.requires:
        return {"env_vars": variables}
    packages = [word for word in job.requires if not word.startswith("--")]
    packages += _kept(packages)
    options = [word for word in job.requires if word.startswith("--")]
    how = ["--disable-pip-version-check", *options]
    return {
        "env_vars": variables,
        "pip": {"packages": packages, "pip_install_options": how},
        "config": {"setup_timeout_seconds": _INSTALLING_SECONDS},
    }


_BUILT_FOR_THE_MACHINE = ("torch",)
"""Packages of this environment that no other package may replace: which build fits the drivers of
the machine is known to whoever installed it, and another one is gigabytes."""


def _kept(requires: Sequence[str]) -> list[str]:
    """What pip must leave as it is here, unless `requires` itself names another version."""
    named = {re.split(r"[^A-Za-z0-9._-]", each.strip(), maxsplit=1)[0].lower() for each in requires}
    kept = []
    for name in _BUILT_FOR_THE_MACHINE:
        with suppress(PackageNotFoundError):
            if name not in named:
                kept.append(f"{name}=={version(name).partition('+')[0]}")
    return kept


def _wait_for(actor: Any, job: Job) -> None:
    """Until the policy has been made, or has been found not to have its server."""
    try:
        HostedPolicy([_link(actor)]).spec()
    except InfrastructureError as error:
        if not isinstance(error.__cause__, ray.exceptions.RuntimeEnvSetupError):
            return  # so every episode will say
        raise UsageError(
            f"The environment of policy {job.policy!r} ({', '.join(job.requires)}) cannot be "
            f"built: {_last_words(str(error.__cause__))}; mend the 'requires' of its card, and see "
            "that the package index can be reached."
        ) from error


def _last_words(text: str) -> str:
    """What pip complained of last, or else the end of what Ray says."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [" ".join(line.split()) for line in plain.splitlines() if line.strip()]
    complaints = [line for line in lines if line.startswith("ERROR:")]
    return " ".join(complaints[-3:] or lines[-2:]).rstrip(".")[-600:]


def _link(actor: Any) -> Ask:
    """Carries questions to `actor`, and waits for it where it is being started again.

    Whatever Ray itself raises is a loss: what the policy raises comes back in words, as an answer.
    """

    def ask(what: str, data: bytes) -> bytes:
        until = time.monotonic() + _RESTARTING_SECONDS
        while True:
            try:
                answer: bytes = ray.get(actor.ask.remote(what, data))
            except ray.exceptions.ActorUnavailableError as error:
                if what not in _BEGINNINGS or time.monotonic() > until:
                    raise _lost(error) from error
                time.sleep(0.2)
            except ray.exceptions.RayError as error:
                raise _lost(error) from error
            else:
                return answer

    return ask


_BEGINNINGS = ("spec", "reset")
"""Questions that can be asked again: nothing of a session is lost by it."""


def _lost(error: Exception) -> InfrastructureError:
    reason = " ".join(str(error).split())[:300]
    return InfrastructureError(f"The policy's process was lost ({reason}).")


def _gpus_each(wanted: float | None, actors: int) -> float:
    """The graphics cards of each of so many actors.

    Raises:
        UsageError: If there are not enough.
    """
    there = int(ray.cluster_resources().get("GPU", 0))
    if wanted is None:
        return 1 / math.ceil(actors / there) if there else 0.0
    fitting = there * int(1 / wanted) if 0 < wanted <= 1 else there // max(wanted, 1)
    if wanted and fitting < actors:
        raise UsageError(
            f"{there} GPUs are too few for --inference-actors {actors} with --gpus {wanted:g}; "
            "give less of one of them."
        )
    return wanted


# --- the cluster --------------------------------------------------------------------------------


@contextmanager
def cluster(options: RunnerOptions) -> Iterator[int]:
    """A running Ray, one of its own unless there is one; yields the number of workers."""
    if ray.is_initialized():
        yield _fitting(options.workers)
        return
    processors = options.workers or len(os.sched_getaffinity(0))
    own = {"num_cpus": processors, "object_store_memory": _OBJECT_STORE_BYTES}
    local = options.ray_address is None
    with _environment(_QUIET | _ON_LOOPBACK if local else _QUIET), _reachable(by_others=not local):
        try:
            _knock(options.ray_address)
            ray.init(
                address=options.ray_address or "local",
                include_dashboard=False if options.ray_address is None else None,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **({} if options.ray_address else own),
            )
        except Exception as error:  # Ray raises a bare one where it does not start in time
            raise UsageError(
                f"Cannot start or reach Ray at {options.ray_address or 'this machine'} "
                f"({' '.join(str(error).split())}); check --ray-address, or use --runner serial."
            ) from error
    try:
        yield processors if options.ray_address is None else _fitting(options.workers)
    finally:
        ray.shutdown()


@contextmanager
def _reachable(by_others: bool) -> Iterator[None]:
    """What `_ON_LOOPBACK` says, for this process too: Ray reads the variable when it is imported.

    Ray asks again for the constant while it starts, and not later.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = by_others
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


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
