"""What a task is: who takes part, what must become true, in which order, and how long it may take.

A task is data. Its scene is drawn from the roles, its success is computed by the predicates, and
its sentences come from the phrase bank of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from vlabench.envs import language
from vlabench.envs.objects import catalog
from vlabench.errors import UsageError
from vlabench.registry import TASKS
from vlabench.types import Json

Predicate = Literal[
    "on",
    "in",
    "beside",
    "lifted",
    "upright",
    "in-region",
    "open",
    "closed",
    "turned",
    "pressed",
    "away-from",
]

SIDES: Mapping[str, tuple[float, float]] = {
    "left": (0.0, 1.0),
    "right": (0.0, -1.0),
    "front": (-1.0, 0.0),
    "behind": (1.0, 0.0),
}
"""Side of a thing to its direction (x, y) on the table, as the robot sees it."""

Area: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""Ranges of x and y on the table, in metres."""

WIDE: Area = ((-0.17, 0.12), (-0.34, 0.34))
"""All that the arm can reach from above with something in its hand: for scenes with many things."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that must be true, for example ``Goal("on", ("object", "target"))``.

    An argument is a role, a part of a fixture, or a name in the task's `choices`.
    """

    predicate: Predicate
    arguments: tuple[str, ...]

    def cast(self, cast: Mapping[str, str]) -> Goal:
        """The goal with the names of the scene in place of its arguments."""
        return replace(self, arguments=tuple(cast.get(a, a) for a in self.arguments))


@dataclass(frozen=True, slots=True)
class Stage:
    """Goals that must hold together; where the stages have an order, only after those before."""

    name: str
    goals: tuple[Goal, ...]

    def cast(self, cast: Mapping[str, str]) -> Stage:
        """The stage with the names of the scene in place of arguments."""
        return replace(self, goals=tuple(goal.cast(cast) for goal in self.goals))


@dataclass(frozen=True, slots=True)
class Role:
    """A free object of the scene.

    Attributes:
        name: Its name in goals, phrases and factors.
        kind: Which categories may play it, see `vlabench.envs.objects.catalog.Role`.
        clearance: Metres around it that other roles keep free: the radius of the largest thing
            that may play it.
        super_category: Only categories of this kind of thing may play it; None for all.
        lying: Whether it starts on its side.
        on: The role on which it starts; None for the table.
    """

    name: str
    kind: catalog.Role
    clearance: float
    super_category: str | None = None
    lying: bool = False
    on: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A disc of the table that stays free, so that a thing can be put down there.

    Attributes:
        name: Of its factor.
        side: On which side, ``"left"``, ``"right"``, ``"front"`` or ``"behind"``, or an argument
            of the task's `choices`.
        of: The role that it is beside.
        clearance: Its radius in metres.
    """

    name: str
    side: str
    of: str
    clearance: float


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        name: What it is called in suites and tables.
        description: Three parts: what is done, what varies, when it counts; with units.
        roles: The objects that take part; `DISTRACTOR` is one that does not.
        stages: What must become true; the last of ordered stages carries the whole goal.
        horizon: Most control steps, twice what the expert needs; of a task with a `chain`, for each
            of the stages that are asked for.
        fixtures: What stands on the table.
        choices: Argument to what it may stand for: one of them is drawn.
        starts: Argument to the range, in shares of its travel, in which that part starts; parts
            that are not named start closed.
        ordered: Whether a stage counts only after those before it. Stages in any order must all
            hold together in the end.
        others: Casts that make another goal of the same scene: argument to name.
        chain: The numbers of stages that may be asked for; the first of them in a nominal
            episode. Empty for a task that always asks for all of them.
        area: Ranges of x and y in metres in which objects are put; None for the usual ones.
        rooms: What must be left free on the table.
        exhaustive: Super-categories of which its sentences mean all that there are ("the fruit"),
            or `EVERYTHING`: nothing of the kind can be added to the scene.
    """

    name: str
    description: str
    roles: tuple[Role, ...]
    stages: tuple[Stage, ...]
    horizon: int
    fixtures: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    starts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ordered: bool = True
    others: tuple[Mapping[str, str], ...] = ()
    chain: tuple[int, ...] = ()
    area: Area | None = None
    rooms: tuple[Room, ...] = ()
    exhaustive: frozenset[str] = frozenset()

    @property
    def goal_roles(self) -> tuple[Role, ...]:
        """The roles that a goal speaks of."""
        spoken_of = {a for stage in self.stages for goal in stage.goals for a in goal.arguments}
        return tuple(role for role in self.roles if role.name in spoken_of)

    def parts_of(self, role: Role) -> tuple[Role, ...]:
        """The roles of goals that `role` plays, or would play in another goal of the scene."""
        played = {role.name} | {a for cast in self.others for a in cast if cast[a] == role.name}
        return tuple(part for part in self.goal_roles if part.name in played)

    @property
    def handled(self) -> Role | None:
        """The first role that a goal wants somewhere else; None where nothing is moved."""
        roles = {role.name: role for role in self.roles}
        moved = (goal.arguments[0] for stage in self.stages for goal in stage.goals)
        return next((roles[name] for name in moved if name in roles), None)

    def wanted(self, factors: Mapping[str, Json]) -> frozenset[Goal]:
        """All that must become true in the episode with these factors, in whatever order."""
        return frozenset(goal for stage in self.asked(factors) for goal in stage.goals)

    def asked(self, factors: Mapping[str, Json]) -> tuple[Stage, ...]:
        """The stages of the episode with these factors, in names of its scene."""
        stages = self.stages[: factors.get("chain", len(self.stages))]
        return tuple(stage.cast(factors["cast"]) for stage in stages)

    def steps(self, factors: Mapping[str, Json]) -> int:
        """Most control steps of the episode with these factors."""
        return self.horizon * int(factors.get("chain", 1))

    def phrases(self) -> Mapping[str, tuple[str, ...]]:
        """Kind to the templates of what the policy may be told."""
        return language.phrases(self.name)


EVERYTHING = "everything"
"""In `Task.exhaustive`: its sentences speak of all that stands on the table."""

DISTRACTOR = Role("distractor", "manipulated", clearance=0.078)
"""An object that the instruction does not mention."""


def task(name: str, where: str = "") -> Task:
    """The task called `name`.

    Raises:
        UnknownNameError: If there is none.
    """
    found = TASKS.load(name, where)
    if not isinstance(found, Task):
        raise UsageError(f"The task {name!r} is registered as {found!r}, which is no Task.")
    return found
