"""What a runner is given, what it gives back, and the station that runs one episode.

A `Job` is a few names and plain values, so that it travels to any process, which then builds its
own environment and its own policy from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from vlabench.contract.environment import Environment, World
from vlabench.contract.negotiate import Pipeline, negotiate
from vlabench.contract.policy import Policy
from vlabench.errors import InfrastructureError, UnknownNameError, UsageError
from vlabench.registry import POLICIES, WORLDS, Registry, load_attribute
from vlabench.rollout import RunContext, run_episode
from vlabench.trace import Trace
from vlabench.types import EpisodeRecord, EpisodeSpec, Json

MAX_ATTEMPTS = 3
"""An episode that was lost this often to the infrastructure is missing."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every episode of a run shares.

    Attributes:
        world: A registered name or ``module:attribute``.
        policy: A registered name or ``module:attribute``.
        policy_args: The policy's keyword arguments.
        context: What every record repeats.
    """

    world: str
    policy: str
    policy_args: Mapping[str, Json]
    context: RunContext


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How a runner spreads the work.

    Attributes:
        workers: Processes; None for as many as there are processors.
        ray_address: A running Ray cluster; None for one of its own on this machine.
    """

    workers: int | None = None
    ray_address: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """An episode that ran to its end."""

    record: EpisodeRecord
    trace: Trace


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt that ended in an infrastructure error; the `attempt`-th, counted from 0."""

    episode: EpisodeSpec
    attempt: int
    error: str

    @property
    def final(self) -> bool:
        """Whether the episode will not be tried again."""
        return self.attempt + 1 >= MAX_ATTEMPTS


Event: TypeAlias = Finished | LostAttempt
Events: TypeAlias = Generator[Event, None, None]


class Runner(Protocol):
    """What every entry of `vlabench.runner.RUNNERS` names."""

    def __call__(self, job: Job, episodes: Sequence[EpisodeSpec], options: RunnerOptions) -> Events:
        """Runs `episodes`; closing the iterator ends the work."""
        ...


@dataclass
class Station:
    """One environment and one policy, which run one episode after another.

    Both are built at the first episode, and anew after one was lost.
    """

    job: Job
    _parts: tuple[Environment, Policy, Pipeline] | None = field(default=None, init=False)

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Event:
        """Runs `episode` once."""
        try:
            self._parts = self._parts or self._build()
            return Finished(*run_episode(*self._parts, episode, self.job.context, attempt))
        except InfrastructureError as error:
            self.close()
            return LostAttempt(episode, attempt, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Frees the environment and the policy."""
        parts, self._parts = self._parts, None
        if parts is not None:
            parts[1].close()
            parts[0].close()

    def _build(self) -> tuple[Environment, Policy, Pipeline]:
        environment = make_world(self.job.world).make()
        policy = make_policy(self.job.policy, self.job.policy_args)
        return environment, policy, negotiate(policy.spec(), environment.spec())


def make_world(reference: str) -> World:
    """The world that `reference` names.

    Raises:
        UsageError: If there is none.
    """
    world: World = _load(WORLDS, reference)()
    return world


def make_policy(reference: str, args: Mapping[str, Json]) -> Policy:
    """The policy that `reference` names, made with `args`.

    Raises:
        UsageError: If there is none, it has no such argument, or it needs another.
    """
    factory: Callable[..., Any] = _load(POLICIES, reference)
    _check_args(reference, factory, args)
    policy: Policy = factory(**args)
    return policy


def _load(registry: Registry, reference: str) -> Any:
    if ":" in reference and reference not in registry.names():
        return load_attribute(reference, registry.kind)
    return registry.load(reference)


def _check_args(reference: str, factory: Callable[..., Any], args: Mapping[str, Json]) -> None:
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    valid = [p.name for p in named]
    where = f"--policy-arg of the policy {reference!r}"
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in args:
            if not valid:
                raise UsageError(
                    f"The policy {reference!r} takes no arguments; leave {name!r} out."
                )
            if name not in valid:
                raise UnknownNameError("argument", name, valid, where)
    for parameter in named:
        if parameter.default is parameter.empty and parameter.name not in args:
            raise UsageError(
                f"The policy {reference!r} needs {parameter.name!r}; "
                f"give it as --policy-arg {parameter.name}=VALUE."
            )
