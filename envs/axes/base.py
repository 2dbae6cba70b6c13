"""What an axis is: something that changes, and nothing else does.

An axis redraws its own factors of an episode from its own random stream. The episode it starts
from, the control twin, keeps all the rest to the bit.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np

from vlabench.envs.tasks.base import Role, Task
from vlabench.errors import UsageError
from vlabench.seeding import uniform
from vlabench.types import Json

Kind: TypeAlias = Literal[
    "visual", "behaviour", "dynamic", "horizon", "semantic", "diagnostic", "combination"
]

Turn: TypeAlias = Literal[
    "things", "several", "places", "views", "extras", "robot", "stages", "events", "words", "test"
]

TURNS: tuple[Turn, ...] = get_args(Turn)
"""Where an episode has several changes, they are made in this order, so that each is drawn for the
scene as it will be: first what things there are, then where they stand and how large they are, from
where they are seen, what else stands there and how the robot starts; then how much is asked for and
what happens on the way; words last."""

_USUAL: Mapping[Kind, Turn] = {
    "visual": "views",
    "behaviour": "places",
    "dynamic": "events",
    "horizon": "stages",
    "semantic": "words",
    "diagnostic": "test",
    "combination": "several",
}


class Axis(abc.ABC):
    """One way in which an episode can differ from nominal.

    Attributes:
        name: What it is called in suites and tables.
        kind: What it tries. A diagnostic axis is scored as compliance, outside every rate.
        levels: Its levels, mildest first; a level is a ring, so levels do not overlap.
        turn: When it is drawn among others; None for what is usual for its kind.
        drawn: Whether it is drawn from numbers alone; False where somebody has to go there first,
            so that its episodes are made when a suite is certified.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    levels: ClassVar[tuple[str, ...]]
    turn: ClassVar[Turn | None] = None
    drawn: ClassVar[bool] = True

    def applies(self, task: Task) -> bool:
        """Whether it can change an episode of this task; all can unless they say otherwise."""
        return True

    def levels_of(self, task: Task) -> tuple[str, ...]:
        """The levels that an episode of this task can have; all unless they say otherwise."""
        return self.levels if self.applies(task) else ()

    @abc.abstractmethod
    def factors(self, task: Task) -> frozenset[str]:
        """The factors it may change in an episode of this task."""

    @abc.abstractmethod
    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """New values for some of its factors; `nominal` has the twin's values of all factors."""


def by_turn(axis: Axis) -> tuple[int, str]:
    """The key by which the axes of an episode are sorted before they are drawn."""
    return TURNS.index(axis.turn or _USUAL[axis.kind]), axis.name


def handled(task: Task) -> Role:
    """The role that the first such goal wants somewhere else.

    Raises:
        UsageError: If the task moves no object.
    """
    if task.handled is None:
        raise UsageError(f"The task {task.name!r} moves no object; take an axis that applies.")
    return task.handled


def another_cast(
    task: Task, factors: Mapping[str, Json], rng: np.random.Generator
) -> dict[str, str]:
    """A cast that makes another goal of the same scene, not the same goals in another order.

    Raises:
        UsageError: If there is none, because all that the scene allows is asked for already.
    """
    casts = [{**factors["cast"], **other} for other in task.others]
    usual = task.wanted(factors)
    others = [cast for cast in casts if task.wanted({**factors, "cast": cast}) != usual]
    if not others:
        raise UsageError(
            f"This episode of {task.name!r} asks for all that its scene allows, so no other goal "
            "is left; leave one of the changes out."
        )
    return others[int(rng.integers(len(others)))]


@dataclass(frozen=True, slots=True)
class Ring:
    """An interval of strengths."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """A strength in the interval."""
        return uniform(rng, self.low, self.high)


@dataclass(frozen=True, slots=True)
class TwoRings:
    """Factors below 1 and factors above it, each as likely."""

    less: Ring
    more: Ring

    def draw(self, rng: np.random.Generator) -> float:
        """A factor in one of the two."""
        return (self.less if rng.random() < 0.5 else self.more).draw(rng)
