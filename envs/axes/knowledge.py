"""Knowledge: a thing is named by what everybody knows about it, "the fruit that monkeys like".

A semantic axis with one level; the scene stays as it is to the bit. Each category of the catalog
has such phrases (`Category.knowledge`) and the other categories that they would fit too
(`Category.fits`). Where something else in the scene fits, a word is added that is not true of it:
"the green thing to chop onions on".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.wording import called, moved_and_named
from vlabench.envs.language.grammar import joined
from vlabench.envs.language.things import Thing, adjectives, things
from vlabench.envs.tasks.base import Task
from vlabench.types import Json


class Knowledge(Axis):
    """The thing to be moved, by commonsense that pretraining should have."""

    name = "knowledge"
    kind = "semantic"
    levels = ("L1",)

    def applies(self, task: Task) -> bool:
        """Where the sentences name what is moved."""
        return moved_and_named(task) is not None

    def factors(self, task: Task) -> frozenset[str]:
        """The phrase alone."""
        return frozenset({"phrase"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The nominal phrase with what is known in place of the name."""
        role = moved_and_named(task)
        if role is None:
            raise AssertionError(f"{task.name} names nothing that is moved")
        return called(nominal, role.name, str(rng.choice(known_as(role.name, nominal))))


def known_as(role: str, factors: Mapping[str, Json]) -> list[str]:
    """Noun phrases without an article that fit the thing in `role` and nothing else there."""
    scene = things(factors)
    thing = next(thing for thing in scene if thing.name == role)
    if thing.kind is None:
        raise AssertionError(f"{role} is no object")
    for added in _distinctions(thing, rivals(thing, scene)):
        before = {*added.partition("{}")[0].split()}
        told = [known for known in thing.kind.knowledge if before.isdisjoint(known.split())]
        if told:
            return sorted(added.format(known) for known in told)
    raise AssertionError(f"nothing that is known of the {role} fits it alone")


def rivals(thing: Thing, scene: Sequence[Thing]) -> list[Thing]:
    """What else in the scene the knowledge about `thing` fits."""
    fits = {thing.kind.name, *thing.kind.fits} if thing.kind else set()
    return [o for o in scene if o != thing and (o.kind.name if o.kind else o.name) in fits]


def _distinctions(thing: Thing, others: Sequence[Thing]) -> Iterator[str]:
    """Templates around the phrase that leave out `others`: as few words as will do."""
    words = adjectives(thing)
    for count in range(3):
        for chosen in combinations(words, count):
            if all(any(word.holds(other) is False for word in chosen) for other in others):
                yield " ".join([*(word.words for word in chosen), "{}"])
    unwanted = [f"the {other.called}" for other in others]
    said = f"not {unwanted[0]}" if len(unwanted) == 1 else f"neither {joined(unwanted, 'nor')}"
    yield f"{{}} that is {said}"
