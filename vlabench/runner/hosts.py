"""Inference actors in Ray: where a policy lives that serves the sessions of many workers.

See `vlabench.runner.host`. One that dies takes the attempts with it that it was serving; Ray starts
it again, `RESTARTS` times.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any

import ray
import ray.exceptions

from vlabench.contract.wire import encode
from vlabench.errors import InfrastructureError, UsageError
from vlabench.hashing import canonical_json
from vlabench.runner.cluster import last_words, no_vlabench, without_advice
from vlabench.runner.host import PolicyHost
from vlabench.runner.inference import Ask, HostedPolicy, host_of
from vlabench.runner.job import Job, RunnerOptions
from vlabench.runner.placement import WORKER_ENVIRONMENT
from vlabench.types import EpisodeSpec

RESTARTS = 5
"""How often an inference actor that died is started again."""

CLOSING_SECONDS = 10
"""What waits for no answer that matters waits no longer."""

_INSTALLING_SECONDS = 3600
_RESTARTING_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Place:
    """Where an inference actor came up.

    Attributes:
        node: Its node; empty if nobody knows.
        cards: The graphics cards that it was given, by CUDA's numbers.
    """

    node: str = ""
    cards: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosts:
    """The inference actors of a run, and where each came up; none where there are none."""

    actors: Sequence[Any] = ()
    places: Sequence[Place] = ()

    def cards_on(self, node: str) -> frozenset[int]:
        """The graphics cards of `node` that policies compute on."""
        here = [place.cards for place in self.places if place.node == node]
        return frozenset(chain.from_iterable(here))

    def nearness(self, node: str) -> Callable[[EpisodeSpec], bool] | None:
        """Whether an episode is served on `node`; None where that tells nothing apart."""
        if len({place.node for place in self.places}) < 2:
            return None
        return lambda episode: self._place(episode).node == node

    def _place(self, episode: EpisodeSpec) -> Place:
        return self.places[host_of(episode.episode_id, len(self.places))]


class PlacedHost(PolicyHost):
    """A `PolicyHost` that says where it is."""

    def where(self) -> tuple[str, tuple[str, ...]]:
        """Its node, and the graphics cards that it was given."""
        context = ray.get_runtime_context()
        cards = context.get_accelerator_ids().get("GPU", [])
        return context.get_node_id(), tuple(cards)


@contextmanager
def hosts(job: Job, options: RunnerOptions, count: int) -> Iterator[Hosts]:
    """So many inference actors, each with the policy of `job` in it, spread over the nodes.

    Where they have graphics cards, those are the nodes that have some.
    """
    if not count:
        yield Hosts()
        return
    make = ray.remote(PlacedHost).options(
        num_cpus=0,
        num_gpus=_gpus_each(options.gpus, count),
        scheduling_strategy="SPREAD",
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
        yield Hosts(actors, [_place_of(actor) for actor in actors])
    finally:
        closing = [actor.ask.remote("close", encode(None)) for actor in actors]
        ray.wait(closing, num_returns=count, timeout=CLOSING_SECONDS)
        for actor in actors:
            ray.kill(actor)


def _place_of(actor: Any) -> Place:
    try:
        node, cards = ray.get(actor.where.remote())
    except ray.exceptions.RayError:
        return Place()
    return Place(node, tuple(int(card) for card in cards if card.isdecimal()))


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
        lacking = no_vlabench(error.__cause__)
        if lacking is not None:
            raise lacking from error
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
    reason = " ".join(without_advice(str(error)).split())[-300:].rstrip(".")
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
