"""The tabletop world: draws episodes, and makes environments that run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlabench.contract.environment import DrawnEpisode
from vlabench.contract.specs import EnvSpec
from vlabench.envs.axes import from_stage
from vlabench.envs.axes.base import Axis, by_turn
from vlabench.envs.control import CONTROLLERS
from vlabench.envs.draw import EMBODIMENT, nominal_factors
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.inspection import InspectedSimulation
from vlabench.envs.language import LISTED, WORDS, Phrase, Referent, realise
from vlabench.envs.objects.catalog import category
from vlabench.envs.profile import OSC_POSE, VERSION, env_spec
from vlabench.envs.scene import fixtures_in, roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Task, task
from vlabench.errors import UsageError
from vlabench.registry import AXES
from vlabench.seeding import stream
from vlabench.types import Change, Json


class TabletopWorld:
    """A robot at a table with objects and fixtures."""

    version = VERSION

    def draw(
        self,
        task_name: str,
        changes: Sequence[Change],
        *,
        seed: int,
        index: int,
        begin: Mapping[str, Json] | None = None,
        embodiment: str = EMBODIMENT,
    ) -> DrawnEpisode:
        """Every factor of one episode; see `vlabench.contract.environment.World`.

        `embodiment` is the robot of the nominal scene: a start is free for that robot.
        """
        kind = task(task_name)
        factors = nominal_factors(kind, seed, index) | {"embodiment": embodiment}
        given = {} if begin is None else {from_stage.FACTOR: begin}
        for axis, change in _in_order(changes, kind):
            rng = stream("axis", seed, kind.name, index, change.axis, change.level)
            factors |= axis.draw(kind, {**factors, **given}, change.level, rng)
        return DrawnEpisode(
            factors=dict(sorted(factors.items())),
            instruction=instruction(factors),
            horizon=kind.steps(factors),
            embodiment=factors["embodiment"],
            diagnostic=any(axis.kind == "diagnostic" for axis, _ in _in_order(changes, kind)),
        )

    def spec(self) -> EnvSpec:
        """What every environment of this world offers under OSC_POSE."""
        return env_spec()

    def specs(self) -> Sequence[EnvSpec]:
        """What it offers under each of `vlabench.envs.control.CONTROLLERS`, OSC_POSE first."""
        return tuple(env_spec(name) for name in CONTROLLERS)

    def make(self, *, inspect: bool = False, controller: str = "") -> Simulation:
        """An environment that can run any episode of this world, one after another.

        Its actions are those of `controller`, of OSC_POSE if that is empty. With `inspect`, one
        that ends an episode at once if its start has a fault; see `vlabench.envs.inspection`.
        """
        kind = InspectedSimulation if inspect else Simulation
        return kind(control=controller or OSC_POSE)


def instruction(factors: Mapping[str, Json]) -> str:
    """The sentence that these factors say."""
    listed = LISTED[: factors.get("chain", 0)]
    return realise(Phrase(**factors["phrase"]), referents(factors), listed)


def referents(factors: Mapping[str, Json]) -> dict[str, Referent]:
    """What a sentence can call things: roles and choices by what they stand for."""
    words = {role: _object_words(role, factors) for role in roles_in(factors)}
    for name in fixtures_in(factors):
        for part in fixture(name).parts:
            words[part.name] = Referent(part.name, part.synonyms, "", part.use)
    cast: Mapping[str, str] = factors["cast"]
    spoken_of = {argument: words.get(name) or WORDS[name] for argument, name in cast.items()}
    unspoken = {name: said for name, said in words.items() if name not in cast.values()}
    return {f"other {name}" if name in cast else name: said for name, said in unspoken.items()} | (
        spoken_of
    )


def _object_words(role: str, factors: Mapping[str, Json]) -> Referent:
    kind = category(factors[f"{role}.category"])
    return Referent(kind.name, kind.synonyms, factors[f"{role}.color"], kind.use)


def _in_order(changes: Sequence[Change], kind: Task) -> list[tuple[Axis, Change]]:
    """The axes of `changes` in the order in which they are drawn, words last.

    Raises:
        UsageError: If two of them change the same factor.
    """
    found = [(_axis(change, kind), change) for change in changes]
    owners: dict[str, Change] = {}
    for axis, change in found:
        for factor in axis.factors(kind):
            if factor in owners:
                raise UsageError(
                    f"{owners[factor]} and {change} both change {factor!r}; leave one out."
                )
            owners[factor] = change
    return sorted(found, key=lambda pair: (by_turn(pair[0]), pair[1]))


def _axis(change: Change, kind: Task) -> Axis:
    axis: Axis = AXES.load(change.axis)()
    if change.level not in axis.levels:
        raise UsageError(
            f"The axis {change.axis!r} has no level {change.level!r}; "
            f"it has {', '.join(axis.levels)}."
        )
    if not axis.applies(kind):
        raise UsageError(f"The axis {change.axis!r} does not apply to the task {kind.name!r}.")
    if change.level not in axis.levels_of(kind):
        raise UsageError(
            f"The level {change.level!r} of the axis {change.axis!r} does not apply to the task "
            f"{kind.name!r}; {', '.join(axis.levels_of(kind))} do."
        )
    return axis
