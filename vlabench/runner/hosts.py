"""Inference actors in Ray: where a policy lives that serves the sessions of many workers.

See `vlabench.runner.host`. One that dies takes the attempts with it that it was serving; Ray starts
it again, `RESTARTS` times.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
import ray.exceptions

from vlabench.contract.wire import encode
from vlabench.errors import InfrastructureError, UsageError
from vlabench.hashing import canonical_json
from vlabench.runner.cluster import last_words
from vlabench.runner.host import PolicyHost
from vlabench.runner.inference import Ask, HostedPolicy
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.placement import WORKER_ENVIRONMENT

RESTARTS = 5
"""How often an inference actor that died is started again."""

CLOSING_SECONDS = 10
"""What waits for no answer that matters waits no longer."""

_INSTALLING_SECONDS = 3600
_RESTARTING_SECONDS = 600


@contextmanager
def hosts(job: Job, options: RunnerOptions, count: int) -> Iterator[Sequence[Any]]:
    """So many inference actors, each with the policy of `job` in it."""
    if not count:
        yield []
        return
    make = ray.remote(PolicyHost).options(
        num_cpus=0,
        num_gpus=_gpus_each(options.gpus, count),
        max_restarts=RESTARTS,
        max_task_retries=0,
        runtime_env=environment_of(job),
    )
    arguments = (
        *(job.policy, canonical_json(job.policy_args), job.folder),
        *(options.batch_wait_ms, options.step_timeout_s),
    )
    actors = [make.remote(*arguments) for _ in range(count)]
    try:
        for actor in actors:
            _wait_for(actor, job)
        yield actors
    finally:
        closing = [actor.ask.remote("close", encode(None)) for actor in actors]
        ray.wait(closing, num_returns=count, timeout=CLOSING_SECONDS)
        for actor in actors:
            ray.kill(actor)


def environment_of(job: Job) -> dict[str, Any]:
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
        HostedPolicy([link(actor)]).spec()
    except InfrastructureError as error:
        if not isinstance(error.__cause__, ray.exceptions.RuntimeEnvSetupError):
            return  # so every episode will say
        raise UsageError(
            f"The environment of policy {job.policy!r} ({', '.join(job.requires)}) cannot be "
            f"built: {last_words(str(error.__cause__))}; mend the 'requires' of its card, and see "
            "that the package index can be reached."
        ) from error


def link(actor: Any) -> Ask:
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
