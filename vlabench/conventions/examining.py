"""Examines a policy: asks it along the expert's ways, and tries every suspect on its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vlabench.contract.negotiate import choose_environment
from vlabench.contract.policy import Policy
from vlabench.contract.specs import EnvSpec, PolicySpec
from vlabench.conventions import acted, seen
from vlabench.conventions.asking import Answers, Asking, Cast, Made, looks, moments
from vlabench.conventions.judging import (
    BROKEN,
    FEWEST,
    MEANINGFUL,
    Trial,
    Tried,
    attempt,
    follows_the_scene,
    judge,
    ranked,
)
from vlabench.conventions.path import Look, walk
from vlabench.conventions.reading import ALL, Reading, Suspect, as_declared
from vlabench.errors import ContractError, PolicyError, UnknownNameError, UsageError
from vlabench.registry import TASKS, load_attribute
from vlabench.rollout import RunContext
from vlabench.runner.job import (
    Job,
    RunnerOptions,
    argument_text,
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

MOST_FAULTS = 3
SATISFIED = 0.9
"""An agreement that leaves nothing to explain."""

Outcome = Literal["fine", "fault", "cannot say"]

_HOSTED = "vlabench.runner.ray:hosted"
"""Makes a policy where the packages that it requires are."""


@dataclass(frozen=True, slots=True)
class Round:
    """One look at all suspects.

    Attributes:
        base: The reading that they were compared with: the declaration, less what was named.
        before: Its agreement.
        tried: All that could be tried.
        left_out: Names of those that could not, with the reason.
        unheard: Families of suspects that leave every answer as it is.
    """

    base: Reading
    before: Trial
    tried: tuple[Tried, ...]
    left_out: Mapping[str, str]
    unheard: tuple[str, ...]

    @property
    def guilty(self) -> tuple[Tried, ...]:
        """What is named, and then what no episode tells from it; empty if nothing is."""
        return ranked(self.tried)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What came of it.

    Attributes:
        policy: What the policy is called.
        spec: What it declares.
        rounds: The first compares all suspects with the declaration, the next one with the
            declaration after the first named fault was mended, and so on.
        rows: Agreement of the first, a middle and the last row of an answer, each by its number;
            empty where answers have one row.
        episodes: Task and index of each.
        seed: Of the episodes.
        calls: How often the policy was asked.
    """

    policy: str
    spec: PolicySpec
    rounds: tuple[Round, ...]
    rows: Mapping[int, float]
    episodes: tuple[tuple[str, int], ...]
    seed: int
    calls: int

    @property
    def declared(self) -> Trial:
        """The agreement as declared."""
        return self.rounds[0].before

    @property
    def faults(self) -> tuple[Tried, ...]:
        """The faults that were named, the one that explains most first."""
        return tuple(one.guilty[0] for one in self.rounds if one.guilty)

    @property
    def outcome(self) -> Outcome:
        """What can be said."""
        if self.faults:
            return "fault"
        agrees = self.declared.agreement >= MEANINGFUL and follows_the_scene(self.declared)
        return "fine" if agrees else "cannot say"


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
        told: Called with a line for each session of the policy.

    Raises:
        UsageError: If a name or a number is wrong, or policy and environment do not agree.
        PolicyError: If the policy fails, or answers what its declaration makes no answer.
        InfrastructureError: If its server is lost.
    """
    chosen = _chosen(tasks, episodes, questions)
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
        rounds = tuple(_rounds(reading, asking, alternatives or {}))
        return Diagnosis(
            policy=spec.name,
            spec=spec,
            rounds=rounds,
            rows=_rows(reading, asking),
            episodes=tuple((path.episode.task, path.episode.index) for path in paths),
            seed=draws,
            calls=asking.calls,
        )


def _rounds(
    reading: Reading, asking: Asking, alternatives: Mapping[str, Sequence[Json]]
) -> Iterator[Round]:
    """Names the likeliest fault, mends it, and looks for the next one."""
    mended: set[str] = set()
    while len(mended) < MOST_FAULTS:
        tried = _round(reading, asking, mended, alternatives)
        yield tried
        if not tried.guilty:
            return
        named = tried.guilty[0]
        if named.trial.agreement >= SATISFIED:
            return
        mended.add(named.suspect.family)
        reading = named.suspect.reading


def _round(
    reading: Reading,
    asking: Asking,
    mended: set[str],
    alternatives: Mapping[str, Sequence[Json]],
) -> Round:
    before = attempt(reading, asking)
    instructions = [path.episode.instruction for path in asking.paths]
    suspects = [
        *acted.suspects(reading, asking.env),
        *seen.suspects(reading, asking.env, instructions),
        *_other_arguments(reading, asking, alternatives),
        *acted.fits(reading),
    ]
    suspects = [suspect for suspect in suspects if suspect.family not in mended]
    trials: list[tuple[Suspect, Trial]] = []
    left_out: dict[str, str] = {}
    for suspect in suspects:
        try:
            trials.append((suspect, attempt(suspect.reading, asking, suspect.name)))
        except (ContractError, PolicyError) as error:
            left_out[suspect.name] = str(error)
    judged = tuple(
        _judged(reading, asking, before, suspect, trial, len(trials)) for suspect, trial in trials
    )
    unheard = _unheard(reading, asking, [suspect for suspect, _ in trials])
    return Round(reading, before, judged, left_out, unheard)


def _judged(
    reading: Reading, asking: Asking, before: Trial, suspect: Suspect, trial: Trial, suspects: int
) -> Tried:
    base, explained = before, True
    if suspect.family == "rate":
        base = attempt(replace(reading, span=suspect.reading.span), asking)
    if suspect.family == "executed":
        explained = _breaks(reading, asking, suspect.reading, trial)
    return judge(suspect, trial, base, suspects, explained=explained)


def _breaks(reading: Reading, asking: Asking, fewer: Reading, trial: Trial) -> bool:
    """Whether more than age speaks against the declared number of executed rows.

    The later a row, the less its policy knew of the moment when it is executed: fewer rows agree
    better with any expert. A fault is something else: rows that have nothing to do with what the
    expert does then, or a first row that is worse by itself.
    """
    count, declared = fewer.spec.executed, reading.spec.executed
    if count > declared:
        return True
    tail = attempt(replace(reading, first_row=count), asking)
    if tail.agreement <= BROKEN * trial.agreement:
        return True
    first = attempt(replace(reading, span=1), asking)
    return first.agreement <= trial.agreement * (1 - BROKEN)


def _unheard(
    reading: Reading, asking: Asking, suspects: Sequence[Suspect]
) -> tuple[str, ...]:
    """The families of what a policy is shown that change none of its answers."""
    declared = asking.answers(reading)
    heard: dict[str, bool] = {}
    for suspect in suspects:
        if suspect.asks_anew and suspect.family != "executed":
            answers = asking.answers(suspect.reading)
            alike = all(_equal(one, other) for one, other in zip(declared, answers, strict=True))
            heard[suspect.family] = heard.get(suspect.family, False) or not alike
    return tuple(family for family, changes in heard.items() if not changes)


def _equal(one: Answers, other: Answers) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def _other_arguments(
    reading: Reading, asking: Asking, alternatives: Mapping[str, Sequence[Json]]
) -> Iterator[Suspect]:
    """The policy as it is with other arguments, each with its own declaration."""
    if reading.args:
        return
    for name, values in alternatives.items():
        for value in values:
            args = ((name, value),)
            text = f"{name}={argument_text(value)}"
            spec = asking.cast.policy(args).spec()
            other = replace(reading, spec=replace(reading.spec, action=spec.action), args=args)
            mend = f"give --policy-arg {text}"
            yield Suspect(f"it should be made with {text}", "arguments", other, ALL, mend, True)


def _rows(reading: Reading, asking: Asking) -> dict[int, float]:
    """Agreement of single rows of an answer: the first, and later ones that are twice as late."""
    length = reading.spec.chunk_length
    if length == 1:
        return {}
    wanted = sorted({2**k for k in range(length.bit_length())} | {length})
    found = {}
    for row in wanted:
        whole = replace(reading, first_row=row - 1, hz=asking.env.control_hz, span=row)
        found[row] = attempt(whole, asking).agreement
    return found


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


def _maker(
    policy: str, args: Mapping[str, Json], world: str, ray_address: str | None
) -> Made:
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
