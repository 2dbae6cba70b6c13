"""Examines a policy: asks it along the expert's ways, and tries every suspect on its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace

from vlabench.contract.negotiate import choose_environment
from vlabench.contract.policy import Policy
from vlabench.contract.specs import EnvSpec
from vlabench.conventions import acted, seen
from vlabench.conventions.asking import Asking, Cast, Made, looks, moments
from vlabench.conventions.diagnosis import Diagnosis
from vlabench.conventions.judging import FEWEST
from vlabench.conventions.path import Look, walk
from vlabench.conventions.reading import Reading, as_declared
from vlabench.conventions.trying import by_row, rounds
from vlabench.errors import UnknownNameError, UsageError
from vlabench.registry import TASKS, load_attribute
from vlabench.rollout import RunContext
from vlabench.runner.job import (
    Job,
    RunnerOptions,
    alternatives_of,
    check_before_run,
    make_policy,
    make_world,
    requirements_of,
)
from vlabench.suite import load_suite
from vlabench.types import Json

SCENES = "train"
"""The packaged suite whose seed draws the episodes: unchanged scenes, which policies may know."""

TASK_NAMES = (
    "lift",
    "open-drawer",
    "place-in",
    "place-on",
    "push-to",
    "stack",
    "stand-upright",
    "turn-knob",
)
"""Short tasks in which the expert goes everywhere, turns its hand, and opens and closes it."""

QUESTIONS = 20
"""How often a policy that keeps no time is asked in an episode, and about each suspect."""

_HOSTED = "vlabench.runner.ray:hosted"
"""Makes a policy where the packages that it requires are."""


def examine(
    policy: str,
    *,
    policy_args: Mapping[str, Json] | None = None,
    tasks: Sequence[str] | None = None,
    episodes: int = 1,
    seed: int | None = None,
    questions: int = QUESTIONS,
    alternatives: Mapping[str, Sequence[Json]] | None = None,
    ray_address: str | None = None,
    world: str = "tabletop",
    expert: str = "expert",
    told: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Finds the likeliest fault of what `policy` declares.

    Args:
        policy: A registered name or ``module:attribute``, wrappers before it.
        policy_args: Its keyword arguments.
        tasks: `TASK_NAMES` unless told.
        episodes: Nominal episodes of each task.
        seed: Of their draws; that of the packaged suite `SCENES` unless told.
        questions: How often a policy that keeps no time is asked in an episode about each suspect.
        alternatives: Arguments that might be wrong, each with other values to try.
        ray_address: A running Ray cluster, for a policy that requires packages of its own.
        world: A registered world or ``module:attribute``.
        expert: The policy whose actions are the reference.
        told: Called with a line for each thing that is done.

    Raises:
        UsageError: If a name or a number is wrong, the policy could not be made (see
            `check_before_run`), or policy and environment do not agree.
        PolicyError: If the policy fails, or answers what its declaration makes no answer.
        InfrastructureError: If its server is lost.
    """
    chosen = _chosen(tasks, episodes, questions)
    check_before_run(policy, policy_args or {})
    made = _maker(policy, dict(policy_args or {}), world, ray_address)
    the_world = make_world(world)
    draws = load_suite(SCENES).seed if seed is None else seed
    with closing(Cast(made)) as cast:
        spec = cast.policy(()).spec()
        offer = choose_environment(spec, the_world.specs())
        reading = as_declared(spec)
        reading.pipeline(offer)  # refuses what nothing can be passed on for
        look = _look(reading, offer, questions)
        paths = []
        for path in walk(the_world, expert, chosen, draws, look, offer):
            told(f"the expert: {path.episode.task} {path.episode.index}, {len(path.stances)} steps")
            paths.append(path)
        asking = Asking(cast, offer, paths, questions, told)
        others = _alternatives(policy, dict(policy_args or {}), alternatives or {})
        return Diagnosis(
            policy=spec.name,
            spec=spec,
            rounds=tuple(rounds(reading, asking, others)),
            rows=by_row(reading, asking),
            episodes=tuple((path.episode.task, path.episode.index) for path in paths),
            seed=draws,
            calls=asking.calls,
        )


# --- before anything is asked -------------------------------------------------------------------


def _chosen(tasks: Sequence[str] | None, episodes: int, questions: int) -> dict[str, int]:
    names = list(dict.fromkeys(TASK_NAMES if tasks is None else tasks))
    for name in names:
        if name not in TASKS.names():
            raise UnknownNameError("task", name, TASKS.names(), where="--tasks")
    for option, value in (("--episodes", episodes), ("--questions", questions)):
        if value < 1:
            raise UsageError(f"{option} is {value}; give at least 1.")
    if len(names) * episodes < FEWEST:
        raise UsageError(
            f"{len(names) * episodes} episodes are too few to tell a fault from chance; give at "
            f"least {FEWEST} by --tasks and --episodes."
        )
    return dict.fromkeys(names, episodes)


def _alternatives(
    policy: str, args: Mapping[str, Json], given: Mapping[str, Sequence[Json]]
) -> dict[str, list[Json]]:
    """Other values of arguments: the user's, and those that the policy knows of."""
    known = {**alternatives_of(policy, args), **given}
    return {
        name: [value for value in values if value != args.get(name)]
        for name, values in known.items()
    }


def _maker(policy: str, args: Mapping[str, Json], world: str, ray_address: str | None) -> Made:
    """Makes the policy here, or where its packages are if it requires some of its own."""

    def made(other: Mapping[str, Json]) -> AbstractContextManager[Policy]:
        changed = {**args, **other}
        requires = requirements_of(policy, changed)
        if not requires:
            return closing(make_policy(policy, changed))
        job = Job(world, policy, changed, RunContext("", "", 0, ""), requires=requires)
        hosted: Callable[..., AbstractContextManager[Policy]] = load_attribute(_HOSTED, "function")
        return hosted(job, RunnerOptions(ray_address=ray_address))

    return made


def _look(reading: Reading, offer: EnvSpec, questions: int) -> Look:
    """Everything that any suspect needs to be watched."""
    readings = [reading]
    for suspect in (*acted.suspects(reading, offer), *seen.suspects(reading, offer, ())):
        readings += [suspect.reading] if suspect.asks_anew else []
    declared = {camera.role: camera for camera in reading.pipeline(offer).cameras}
    cameras = {camera.role: camera for camera in declared.values()}
    for other in readings:
        for role, source in other.sources:
            cameras.setdefault(source, replace(declared[role], role=source))

    def when(length: int) -> set[int]:
        asked = ((one.spec.cameras, moments(one, offer, length, questions)) for one in readings)
        return set().union(*(looks(cameras, steps) for cameras, steps in asked))

    return Look(tuple(cameras.values()), reading.spec.privileged, when)
