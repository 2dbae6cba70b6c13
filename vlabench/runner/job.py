"""What a runner is given, what it gives back, and the station that runs one episode.

A `Job` is a few names and plain values, so that it travels to any process, which then builds its
own environment and its own policy from it.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeAlias

from vlabench import provenance
from vlabench.contract.declared import disagreements
from vlabench.contract.environment import Environment, World
from vlabench.contract.latency import Latency
from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.planner import Hierarchical, Planner, joined
from vlabench.contract.policy import Policy
from vlabench.contract.specs import PlannerSpec, PolicySpec
from vlabench.errors import (
    BrokenSceneError,
    ContractError,
    HungError,
    InfrastructureError,
    UnknownNameError,
    UsageError,
    VlabenchError,
    in_one_line,
)
from vlabench.hashing import canonical_json
from vlabench.registry import PLANNERS, POLICIES, WORLDS, WRAPPERS, Registry, load_own, search_in
from vlabench.rollout import RunContext, run_episode
from vlabench.runner.watchdog import STEP_TIMEOUT_S, watching
from vlabench.trace import Trace
from vlabench.types import (
    ActionChunk,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Json,
    Observation,
)

MAX_ATTEMPTS = 3
"""An episode that was lost this often to the infrastructure is missing."""

MAX_PREEMPTIONS = 20
"""So is one that was lost this often with its node. These losses count apart: a node that is taken
away says nothing about the episode."""

BATCH_WAIT_MS = 5.0
"""Milliseconds that a question waits for others in an inference actor, unless told otherwise."""

_PLANNERS = "planner."
"""What the name of an argument begins with that is the planner's."""

_CALLABLE = "callable"
"""The registered policy that makes one of a user's function, which its ``target`` names."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every episode of a run shares.

    Attributes:
        world: A registered name or ``module:attribute``.
        policy: A registered name or ``module:attribute``, wrappers before it.
        policy_args: The policy's keyword arguments.
        context: What every record repeats.
        inspect: Whether environments refuse episodes whose start breaks a rule of the world.
        folder: Where the user's own modules are searched too; the working folder of whoever made
            the job.
        declared: What the policy has declared; None where nobody has asked it yet. One that says
            something else where it runs is an error.
        requires: What pip must install where the policy lives; see `requirements_of`.
        shared: Whether one copy of the policy should ask for everybody; see `is_shared`.
        latency: How long each answer takes in simulated time; None for no time at all.
        allow_mismatch: Whether the run goes on where policy and environment do not agree.
        code_hash: Of the sources that a worker must have too; empty where nobody asks.
    """

    world: str
    policy: str
    policy_args: Mapping[str, Json]
    context: RunContext
    inspect: bool = False
    folder: str = field(default_factory=lambda: str(Path.cwd()))
    declared: PolicySpec | None = None
    requires: tuple[str, ...] = ()
    shared: bool = False
    latency: Latency | None = None
    allow_mismatch: bool = False
    code_hash: str = ""


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How a runner spreads the work.

    Attributes:
        workers: Processes; None for as many as there are processors and memory for, see
            `vlabench.runner.capacity`.
        ray_address: A running Ray cluster; None for one of its own on this machine.
        inference_actors: Processes that the policy lives in, apart from the workers; 0 for a
            policy in every worker; None to let the policy decide, see `vlabench.runner.placement`.
        gpus: Graphics cards that each of them is given, a fraction too; None to share out what
            there is.
        batch_wait_ms: Milliseconds that a question waits in them for others, at most.
        render_device: Where workers render: ``"cpu"``, the number of an EGL device, or
            ``"spread"`` (as None) for one card after another, see `vlabench.runner.egl`.
        recycle: After how many episodes a worker is replaced by a fresh one; 0 for never; None for
            `vlabench.runner.crew.RECYCLED_AFTER`.
        step_timeout_s: Seconds without a control step after which an attempt is given up; see
            `vlabench.runner.watchdog`.
        ahead: How many episodes, for each worker, may be begun beyond the first that is not over,
            where the run may be ended at any moment; None for no bound.
    """

    workers: int | None = None
    ray_address: str | None = None
    inference_actors: int | None = None
    gpus: float | None = None
    batch_wait_ms: float = BATCH_WAIT_MS
    render_device: str | None = None
    ahead: int | None = None
    recycle: int | None = None
    step_timeout_s: float = STEP_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Finished:
    """An episode that ran to its end."""

    record: EpisodeRecord
    trace: Trace


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt that ended in an infrastructure error; the `attempt`-th, counted from 0.

    Attributes:
        episode: What was to run.
        attempt: How often it had been tried before.
        error: Why it was lost.
        forgiven: How many of its attempts, this one included, were lost with their node.
        with_its_node: Whether this one was.
        hung: Whether what it ran in may still be at it, and is not to be used again.
        hopeless: Whether every other attempt would end in the same way.
    """

    episode: EpisodeSpec
    attempt: int
    error: str
    forgiven: int = 0
    with_its_node: bool = False
    hung: bool = False
    hopeless: bool = False

    @property
    def final(self) -> bool:
        """Whether the episode will not be tried again."""
        return self.hopeless or self.counted >= MAX_ATTEMPTS or self.forgiven >= MAX_PREEMPTIONS

    @property
    def counted(self) -> int:
        """How many of its attempts count against the episode."""
        return self.attempt + 1 - self.forgiven


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

    Attributes:
        job: What to run.
        hosted: Stands in for a policy that lives elsewhere; None to make the policy here.
        step_timeout_s: Seconds without a control step after which an attempt is given up.
        deadly: Whether this process may be ended where an attempt cannot be given up otherwise.
    """

    job: Job
    hosted: Callable[[], Policy] | None = None
    step_timeout_s: float = STEP_TIMEOUT_S
    deadly: bool = False
    _parts: tuple[Environment, Policy, Pipeline] | None = field(default=None, init=False)

    def prepare(self) -> None:
        """Builds both, so that the first episode begins at once.

        Where a server is gone nothing is built; the episode will say so.
        """
        with suppress(InfrastructureError, KeyboardInterrupt):
            self._parts = self._parts or self._build()

    def attempt(self, episode: EpisodeSpec, attempt: int) -> Event:
        """Runs `episode` once."""
        try:
            self._parts = self._parts or self._build()
            with watching(self.step_timeout_s, deadly=self.deadly) as dog:
                ran = run_episode(
                    *self._parts,
                    episode,
                    self.job.context,
                    attempt,
                    watch=dog.beat,
                    latency=self.job.latency,
                )
            return Finished(*ran)
        except HungError as error:
            self._parts = None  # to close what hangs might hang
            return LostAttempt(episode, attempt, f"{type(error).__name__}: {error}", hung=True)
        except InfrastructureError as error:
            hung = not self.closes()
            said, hopeless = f"{type(error).__name__}: {error}", isinstance(error, BrokenSceneError)
            return LostAttempt(episode, attempt, said, hung=hung, hopeless=hopeless)
        except KeyboardInterrupt:
            if not self.deadly:  # else nobody sits at this process
                raise
            self._parts = None
            return LostAttempt(episode, attempt, "The worker was told to stop.", hung=True)

    def closes(self) -> bool:
        """Frees the environment and the policy; whether that came to an end."""
        try:
            with watching(self.step_timeout_s, deadly=self.deadly):
                self.close()
        except HungError:
            return False
        return True

    def close(self) -> None:
        """Frees the environment and the policy."""
        parts, self._parts = self._parts, None
        if parts is None:
            return
        environment, policy, _ = parts
        try:
            policy.close()
        finally:
            environment.close()

    def _check_code(self) -> None:
        """Raises `UsageError` if another vlabench is running here than where the job was made."""
        if self.job.code_hash not in ("", provenance.code_hash()):
            raise UsageError(
                f"A worker runs another vlabench, {Path(provenance.__file__).parent}; install the "
                "same one everywhere, and start from a folder that holds none."
            )

    def _build(self) -> tuple[Environment, Policy, Pipeline]:
        self._check_code()
        search_in(self.job.folder)
        make = self.hosted or (lambda: make_policy(self.job.policy, self.job.policy_args))
        policy = make()
        try:
            spec = policy.spec()
            self._check(spec)
            world = make_world(self.job.world)
            offer = choose_environment(spec, world.specs())
            pipeline = negotiate(spec, offer, allow_mismatch=self.job.allow_mismatch)
            environment = world.make(inspect=self.job.inspect, controller=offer.controller)
        except BaseException:
            policy.close()
            raise
        return environment, policy, pipeline

    def _check(self, spec: PolicySpec) -> None:
        """Refuses a policy that is another here than it was when the run was planned."""
        planned = self.job.declared
        if planned is None or planned == spec:
            return
        names = ("the plan", "the policy where it runs")
        found = disagreements(planned, spec, names, ignored=())
        raise ContractError(
            f"Policy {planned.name!r} declares something else where it runs than it did when the "
            f"run was planned: {'; '.join(found)}; run again."
        )


def make_world(reference: str) -> World:
    """The world that `reference` names.

    Raises:
        UsageError: If there is none.
    """
    world: World = _load(WORLDS, reference)()
    return world


def make_policy(reference: str, args: Mapping[str, Json]) -> Policy:
    """The policy that `reference` names, made with `args`.

    A class of a user's own module makes the policy; anything else of it becomes one in the way of
    the policy ``callable``. A wrapper before it (``blind:openvla``) wraps what the rest makes; of
    the arguments it takes those that it names, and the rest are the policy's. A planner before it
    and a slash (``stages/openvla``) takes those that begin with ``planner.``.

    Raises:
        UsageError: If there is none, it has no such argument, needs another, or cannot be made,
            wrapped or planned for.
    """
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        own, rest = _shared_out(wrapper, args)
        return _wrapped(wrapper, make_policy(inner, rest), own)
    planner, inner = _without_planner(reference)
    if planner:
        own, rest = _planners_own(args)
        return _planned(planner, own, make_policy(inner, rest))
    if reference in WRAPPERS.names():
        raise UsageError(
            f"{reference!r} is no policy but wraps one; write {reference}:POLICY, for example "
            f"{reference}:openvla."
        )
    factory: Callable[..., Any] = _load(POLICIES, reference)
    if _is_own(POLICIES, reference) and not isinstance(factory, type):
        return make_policy(_CALLABLE, _with_target(reference, args))
    _check_args(reference, factory, args)
    policy = _made("policy", reference, factory, args)
    if not isinstance(policy, Policy):
        raise UsageError(
            f"The policy {reference!r} makes a {type(policy).__name__}, which is no policy; "
            "see vlabench.contract.policy.Policy for its methods."
        )
    return policy


def _made(kind: str, reference: str, factory: Callable[..., Any], args: Mapping[str, Json]) -> Any:
    try:
        return factory(**args)
    except VlabenchError:
        raise
    except (Exception, SystemExit) as error:  # it is foreign code and may raise anything
        raise UsageError(
            f"The {kind} {reference!r} cannot be made with the arguments {canonical_json(args)} "
            f"({in_one_line(error)}); give other --policy-arg values, or mend the {kind}."
        ) from error


def requirements_of(reference: str, args: Mapping[str, Json]) -> tuple[str, ...]:
    """What pip must install where the policy lives: what its class's ``requires(args)`` says."""
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        return requirements_of(inner, _shared_out(wrapper, args)[1])
    planner, inner = _without_planner(reference)
    if planner:
        own, rest = _planners_own(args)
        mine: tuple[str, ...] = _said_of(PLANNERS, planner, "requires", own) or ()
        return tuple(dict.fromkeys((*mine, *requirements_of(inner, rest))))
    said: tuple[str, ...] = _said_of(POLICIES, reference, "requires", args) or ()
    return tuple(said)


def alternatives_of(reference: str, args: Mapping[str, Json]) -> Mapping[str, Sequence[Json]]:
    """Arguments that are easily wrong, with all values there are: ``alternatives(args)``."""
    said: Mapping[str, Sequence[Json]] = _said_of_policy(reference, "alternatives", args) or {}
    return said


def is_shared(reference: str) -> bool:
    """Whether all who ask this policy ask the same server: what its class's ``shared`` says.

    Of a planner and a policy, if one of them does.
    """
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        return is_shared(inner)
    planner, inner = _without_planner(reference)
    if planner:
        return bool(getattr(_load(PLANNERS, planner), "shared", False)) or is_shared(inner)
    return bool(getattr(_load(POLICIES, reference), "shared", False))


def check_before_run(reference: str, args: Mapping[str, Json]) -> None:
    """Asks a policy's class whether the policy could be made: its ``check_before_run(args)``.

    So nobody waits for an environment that is built in vain. A class without it is not asked.

    Raises:
        UsageError: If it could not.
    """
    _said_of_policy(reference, "check_before_run", args)


def declaration_of(reference: str, args: Mapping[str, Json]) -> PolicySpec | None:
    """What its class's ``declares(args)`` says that the policy would; None if it says nothing.

    So a plan needs no environment of the policy's own to be built.
    """
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        own, rest = _shared_out(wrapper, args)
        declared = declaration_of(inner, rest)
        return None if declared is None else _wrapped(wrapper, _Declared(declared), own).spec()
    planner, inner = _without_planner(reference)
    if planner:
        own, rest = _planners_own(args)
        mine: PlannerSpec | None = _said_of(PLANNERS, planner, "declares", own)
        theirs = None if mine is None else declaration_of(inner, rest)
        return None if mine is None or theirs is None else joined(mine, theirs)
    said: PolicySpec | None = _said_of(POLICIES, reference, "declares", args)
    return said


@dataclass(frozen=True, slots=True)
class _Declared:
    """Stands where a policy will be, to ask a wrapper what it makes of the declaration."""

    declared: PolicySpec

    def spec(self) -> PolicySpec:
        return self.declared

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        raise AssertionError("nobody plays a declaration")

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        raise AssertionError("nobody plays a declaration")

    def end(self, episode_ids: Sequence[str]) -> None:
        raise AssertionError("nobody plays a declaration")

    def close(self) -> None:
        """Holds nothing."""


def policy_code_hash(reference: str, args: Mapping[str, Json]) -> str:
    """Hash of the source of a user's own policy and planner; empty if neither is the user's.

    Two files of each count: that of the module it is named by, and the one that defines it if it is
    another. What these import does not count; a `revision` may tell of it. Wrappers are not the
    user's, so with them it is that of the inner policy.
    """
    return provenance.source_hash(modules) if (modules := _own_modules(reference, args)) else ""


def _own_modules(reference: str, args: Mapping[str, Json]) -> set[ModuleType]:
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        return _own_modules(inner, args)
    planner, inner = _without_planner(reference)
    if planner:
        return _modules_of(PLANNERS, planner) | _own_modules(inner, args)
    target = str(args.get("target", "")).strip() if reference == _CALLABLE else reference
    return _modules_of(POLICIES, target)


def _modules_of(registry: Registry, target: str) -> set[ModuleType]:
    if not _is_own(registry, target):
        return set()
    defining = inspect.getmodule(load_own(target, registry.kind))
    modules = {sys.modules[target.partition(":")[0]], defining}
    return {module for module in modules if module is not None}


def seen_by(reference: str, observation: Observation) -> Observation:
    """What the wrappers of `reference` leave of what its policy, and its planner, are shown."""
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        left: Observation = WRAPPERS.load(wrapper).hide(observation)
        return seen_by(inner, left)
    planner, inner = _without_planner(reference)
    if not planner:
        return observation
    mine = seen_by(inner, replace(observation, planner=None))
    return replace(mine, planner=observation.planner)


def argument_of(text: str) -> Json:
    """The value of a ``--policy-arg``: what JSON makes of it, or else the text itself.

    So ``0.5`` is a number, ``no`` and ``0012345`` are text, and so is ``"0.5"`` in its quotes.
    """
    try:
        value: Json = json.loads(text)
        canonical_json(value)
    except ValueError:
        return text
    return value


def argument_text(value: Json) -> str:
    """The text that `argument_of` turns back into `value`."""
    plain = isinstance(value, str) and argument_of(value) == value
    return value if plain else canonical_json(value)


def _without_wrapper(reference: str) -> tuple[str, str]:
    """The outermost wrapper of a policy, empty if there is none, and what it wraps.

    ``blind:mine:Policy`` is the wrapper ``blind`` around ``mine:Policy``: the name of a wrapper
    goes before that of a module.
    """
    prefix, colon, inner = reference.partition(":")
    wraps = colon and prefix in WRAPPERS.names() and reference not in POLICIES.names()
    return (prefix, inner) if wraps else ("", reference)


def _without_planner(reference: str) -> tuple[str, str]:
    """The planner before a policy, empty if there is none, and the policy behind it."""
    if "/" not in reference or reference in POLICIES.names():
        return "", reference
    planner, _, inner = reference.partition("/")
    if not planner or not inner:
        raise UsageError(f"{reference!r} names no planner and policy; write PLANNER/POLICY.")
    return planner, inner


def _planners_own(args: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """The arguments of the planner, without what marks them, and those of the policy."""
    own = {n.removeprefix(_PLANNERS): v for n, v in args.items() if n.startswith(_PLANNERS)}
    return own, {name: value for name, value in args.items() if not name.startswith(_PLANNERS)}


def _planned(reference: str, args: Mapping[str, Json], policy: Policy) -> Policy:
    """The planner that `reference` names, in front of `policy`."""
    planner: object = None
    try:
        factory = _load(PLANNERS, reference)
        if _is_own(PLANNERS, reference) and not isinstance(factory, type):
            raise UsageError(
                f"{reference!r} is no class, so it makes no planner; see "
                "vlabench.contract.planner.Planner for the methods of one."
            )
        _check_args(reference, factory, args, "planner")
        planner = _made("planner", reference, factory, args)
        if not isinstance(planner, Planner):
            raise UsageError(
                f"{reference!r} makes a {type(planner).__name__}, which is no planner; see "
                "vlabench.contract.planner.Planner for its methods."
            )
        return Hierarchical(planner, policy)
    except BaseException:
        policy.close()
        if isinstance(planner, Planner):
            planner.close()
        raise


def _shared_out(wrapper: str, args: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """The arguments that the wrapper itself names, and the inner policy's."""
    _, *named = inspect.signature(WRAPPERS.load(wrapper)).parameters
    own = {name: value for name, value in args.items() if name in named}
    return own, {name: value for name, value in args.items() if name not in named}


def _wrapped(wrapper: str, policy: Policy, args: Mapping[str, Json]) -> Policy:
    try:
        wrapped: Policy = WRAPPERS.load(wrapper)(policy, **args)
    except BaseException:
        policy.close()
        raise
    return wrapped


def _said_of(registry: Registry, reference: str, method: str, args: Mapping[str, Json]) -> Any:
    """What a class says of what it would make without making it; None if it does not."""
    factory = _load(registry, reference)
    if not hasattr(factory, method):
        return None
    _check_args(reference, factory, args, registry.kind)
    return getattr(factory, method)(args)


def _said_of_policy(reference: str, method: str, args: Mapping[str, Json]) -> Any:
    """The same of the policy behind all wrappers and the planner."""
    wrapper, inner = _without_wrapper(reference)
    if wrapper:
        return _said_of_policy(inner, method, _shared_out(wrapper, args)[1])
    planner, inner = _without_planner(reference)
    if planner:
        return _said_of_policy(inner, method, _planners_own(args)[1])
    return _said_of(POLICIES, reference, method, args)


def _load(registry: Registry, reference: str) -> Any:
    if _is_own(registry, reference):
        return load_own(reference, registry.kind)
    return registry.load(reference)


def _is_own(registry: Registry, reference: str) -> bool:
    return ":" in reference and reference not in registry.names()


def _with_target(reference: str, args: Mapping[str, Json]) -> dict[str, Json]:
    if "target" in args:
        raise UsageError(
            f"The policy {reference!r} is no class, so it cannot have the argument 'target'; "
            "rename that argument."
        )
    return {"target": reference, **args}


def _check_args(
    reference: str, factory: Callable[..., Any], args: Mapping[str, Json], kind: str = "policy"
) -> None:
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    valid = [p.name for p in named]
    before = _PLANNERS if kind == "planner" else ""
    option = f"--policy-arg {before}KEY" if before else "--policy-arg"
    where = f"{option} of the {kind} {reference!r}"
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in args:
            if not valid:
                raise UsageError(
                    f"The {kind} {reference!r} takes no arguments; leave {before + name!r} out."
                )
            if name not in valid:
                raise UnknownNameError("argument", name, valid, where)
    for parameter in named:
        if parameter.default is parameter.empty and parameter.name not in args:
            raise UsageError(
                f"The {kind} {reference!r} needs {parameter.name!r}; "
                f"give it as --policy-arg {before}{parameter.name}=VALUE."
            )
