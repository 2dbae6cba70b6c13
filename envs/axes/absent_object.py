"""Absent object: the sentence names a thing that is nowhere in the scene.

A diagnostic with one level; the scene stays as it is to the bit. What is named could play the role
of the thing to be moved, but neither its name nor any of its synonyms is that of anything there.
The right answer is to touch nothing, and complying means just that, to the end of the episode. So
it applies only where no part of the sentence could be done without that thing: not where a drawer
is to be opened first, nor where another thing is to be put away as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.wording import called, moved_and_named
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.language import Referent
from vlabench.envs.objects.catalog import Category, categories, category
from vlabench.envs.scene import fixtures_in, roles_in
from vlabench.envs.tasks.base import Role, Task
from vlabench.types import Json


class AbsentObject(Axis):
    """A wish that cannot be granted."""

    name = "absent-object"
    kind = "diagnostic"
    levels = ("L1",)

    def applies(self, task: Task) -> bool:
        """Where the sentences name what is moved, and every goal speaks of it."""
        role = moved_and_named(task)
        goals = [goal for stage in task.stages for goal in stage.goals]
        return role is not None and all(role.name in goal.arguments for goal in goals)

    def factors(self, task: Task) -> frozenset[str]:
        """The phrase, and how the episode is scored."""
        return frozenset({"phrase", "diagnostic"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The nominal phrase about a thing that is not there."""
        role = moved_and_named(task)
        if role is None:
            raise AssertionError(f"{task.name} names nothing that is moved")
        missing = absent(role, nominal)
        kind = missing[int(rng.integers(len(missing)))]
        words = Referent(kind.name, colour=str(rng.choice(kind.colors))).called(kind.name)
        return {**called(nominal, role.name, words), "diagnostic": {"kind": "absent"}}


def absent(role: Role, factors: Mapping[str, Json]) -> list[Category]:
    """Seen categories, of those that may play `role`, that share no name with anything there.

    Where all of those are in the scene, other things to take with a hand.
    """
    present = names_in(factors)

    def missing(kinds: Iterable[Category]) -> list[Category]:
        return [kind for kind in kinds if present.isdisjoint({kind.name, *kind.synonyms})]

    fitting = [category(name) for name in categories(role.kind)]
    alike = [kind for kind in fitting if role.super_category in {None, kind.super_category}]
    return missing(alike) or missing(map(category, categories("manipulated")))


def names_in(factors: Mapping[str, Json]) -> frozenset[str]:
    """All that anything in the scene may be called: objects, fixtures and their parts."""
    kinds = [category(factors[f"{role}.category"]) for role in roles_in(factors)]
    fixtures = [fixture(name) for name in fixtures_in(factors)]
    parts = [part for kind in fixtures for part in kind.parts]
    named = [(x.name, *x.synonyms) for x in kinds] + [(x.name, *x.synonyms) for x in parts]
    return frozenset(chain([kind.name for kind in fixtures], *named))
