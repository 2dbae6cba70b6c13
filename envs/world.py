"""The tabletop world: draws episodes, and makes environments that run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlabench.contract.environment import DrawnEpisode
from vlabench.contract.specs import EnvSpec
from vlabench.envs.axes.base import Axis
from vlabench.envs.draw import EMBODIMENT, nominal_factors
from vlabench.envs.fixtures.cabinet import DRAWERS
from vlabench.envs.language import Phrase, Referent, realise
from vlabench.envs.objects.catalog import category
from vlabench.envs.profile import VERSION, env_spec
from vlabench.envs.scene import roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Task, task
from vlabench.errors import UsageError
from vlabench.registry import AXES
from vlabench.seeding import stream
from vlabench.types import Change, Json


class TabletopWorld:
    """A Panda at a table with objects and a cabinet."""

    version = VERSION

    def draw(
        self, task_name: str, changes: Sequence[Change], *, seed: int, index: int
    ) -> DrawnEpisode:
        """Every factor of one episode; see `vlabench.contract.environment.World`."""
        kind = task(task_name)
        factors = nominal_factors(kind, seed, index)
        for change in changes:
            axis = _axis(change, kind)
            rng = stream("axis", seed, kind.name, index, change.axis, change.level)
            factors |= axis.draw(kind, factors, change.level, rng)
        return DrawnEpisode(
            factors=dict(sorted(factors.items())),
            instruction=instruction(factors),
            horizon=kind.horizon,
            embodiment=EMBODIMENT,
        )

    def spec(self) -> EnvSpec:
        """What every environment of this world offers."""
        return env_spec()

    def make(self) -> Simulation:
        """An environment that can run any episode of this world, one after another."""
        return Simulation()


def instruction(factors: Mapping[str, Json]) -> str:
    """The sentence that these factors say."""
    return realise(Phrase(**factors["phrase"]), referents(factors))


def referents(factors: Mapping[str, Json]) -> dict[str, Referent]:
    """Role to what language can call it by."""
    named = {}
    for role in roles_in(factors):
        kind = category(factors[f"{role}.category"])
        named[role] = Referent(kind.name, kind.synonyms, factors[f"{role}.color"], kind.use)
    if "cabinet.drawer" in factors:
        name = DRAWERS[factors["cabinet.drawer"]]
        other = {"top drawer": "upper drawer", "bottom drawer": "lower drawer"}[name]
        named["drawer"] = Referent(name, (other,), "", "somewhere to keep things")
    return named


def _axis(change: Change, kind: Task) -> Axis:
    axis: Axis = AXES.load(change.axis)()
    if change.level not in axis.levels:
        raise UsageError(
            f"The axis {change.axis!r} has no level {change.level!r}; "
            f"it has {', '.join(axis.levels)}."
        )
    if not axis.applies(kind):
        raise UsageError(f"The axis {change.axis!r} does not apply to the task {kind.name!r}.")
    return axis
