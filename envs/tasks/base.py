"""What a task is: who takes part, what must become true, in which order, and how long it may take.

A task is data. Its scene is drawn from the roles, its success is computed by the predicates, and
its sentences come from the phrase bank of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vlabench.envs import language
from vlabench.errors import UsageError
from vlabench.registry import TASKS

Predicate = Literal["on", "in", "open", "closed"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that must be true, for example ``Goal("on", ("object", "target"))``."""

    predicate: Predicate
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Goals that must hold together; a stage counts once the ones before it have been reached."""

    name: str
    goals: tuple[Goal, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """A free object of the scene.

    Attributes:
        name: Its name in goals, phrases and factors.
        kind: Which categories may play it, see `vlabench.envs.objects.catalog.Role`.
        clearance: Metres around it that other roles keep free: the radius of the largest thing
            that may play it.
    """

    name: str
    kind: Literal["manipulated", "support", "receptacle", "stackable", "small"]
    clearance: float


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        name: What it is called in suites and tables.
        description: Three parts: what is done, what varies, when it counts; with units.
        roles: The objects that take part; `DISTRACTOR` is one that does not.
        stages: What must become true, in this order.
        horizon: Most control steps, twice what the expert needs.
        cabinet: Whether a cabinet stands on the table.
    """

    name: str
    description: str
    roles: tuple[Role, ...]
    stages: tuple[Stage, ...]
    horizon: int
    cabinet: bool = False

    def phrases(self) -> Mapping[str, tuple[str, ...]]:
        """Kind to the templates of what the policy may be told."""
        return language.phrases(self.name)


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
