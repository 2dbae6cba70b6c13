"""What a category is, and how one instance of it is drawn.

A category is continuous in shape: its instances are points of a unit cube, mapped to lengths.
The first two coordinates fall into a 3 × 3 grid of cells. Instances from some cells are held out:
training never sees them, and the axis ``unseen-instances`` shows nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal, TypeAlias

import numpy as np

from vlabench.envs.materials import PALETTE, Color
from vlabench.envs.objects.geometry import Shape, scaled
from vlabench.errors import UsageError
from vlabench.registry import OBJECTS
from vlabench.seeding import uniform

Split: TypeAlias = Literal["seen", "unseen"]
Lengths: TypeAlias = Mapping[str, float]

Role: TypeAlias = Literal[
    "manipulated",
    "support",
    "receptacle",
    "stackable",
    "small",
    "standing",
    "pushable",
    "utensil",
    "cookware",
    "plate-like",
]
"""What a thing may be in a task.

- ``manipulated``: taken and put elsewhere; within a radius of 75 mm.
- ``support``: others are put on it; ``plate-like``: one that a table is set with.
- ``receptacle``: others are put into it.
- ``stackable``: flat below and above; within 55 mm.
- ``small``: fits into a drawer; within 55 mm.
- ``standing``: tall; can be laid on its side, taken across its body and stood up again.
- ``pushable``: low and flat below; slides upright when it is pushed along the table.
- ``utensil``: long, thin and flat; taken across its handle.
- ``cookware``: stands on a stove; within 120 mm, at most 400 g.
"""

SuperCategory: TypeAlias = Literal[
    "baked good",
    "cleaning item",
    "container",
    "cooking vessel",
    "dish",
    "drinking vessel",
    "fruit",
    "mat",
    "office item",
    "package",
    "tool",
    "toy",
    "utensil",
    "vegetable",
]
"""The plainest noun for a kind of category: "the fruit", "the cooking vessel"."""

Form: TypeAlias = Literal["boxy", "flat", "hollow", "long", "pointed", "round", "tall"]
"""The word for how a thing is shaped as it stands: "the round one", "the long thing"."""

SHAPE_COORDINATES = 4
GRID = 3


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing.

    Attributes:
        name: What it is called.
        family: What it belongs to; one module each.
        split: ``"unseen"`` categories never occur in training or in a nominal episode.
        super_category: For language, for example ``"fruit"``.
        form: For language, for example ``"round"``.
        use: For language, for example ``"something to drink from"``.
        knowledge: What one may know of it, as noun phrases that say neither its name nor a
            synonym: ``"fruit that monkeys like"``.
        material: A key of `FINISHES`.
        density: Kilograms for a cubic metre of its collision pieces, as it is with what is in it.
        colors: Names of the colours it comes in.
        lengths: Name to the smallest and largest value, in metres (or a ratio); at most four.
        roles: What it may be in a task.
        build: Lengths to shape.
        synonyms: Other words for it.
        fits: Other categories that `use` or a phrase of `knowledge` may also mean.
        tints: Colours that mean something else on this category, such as a lemon's yellow.
        trim: Colours of the parts that do not take the instance's colour.
    """

    name: str
    family: str
    split: Split
    super_category: SuperCategory
    form: Form
    use: str
    knowledge: tuple[str, ...]
    material: str
    density: float
    colors: tuple[str, ...]
    lengths: Mapping[str, tuple[float, float]]
    roles: frozenset[Role]
    build: Callable[[Lengths], Shape]
    synonyms: tuple[str, ...] = ()
    fits: frozenset[str] = frozenset()
    tints: Mapping[str, Color] = field(default_factory=dict)
    trim: Mapping[str, Color] = field(default_factory=dict)

    def shape(self, coordinates: Sequence[float], scale: float = 1.0) -> Shape:
        """The instance at these coordinates of the unit cube, all its lengths times `scale`."""
        lengths = {
            name: round(low + (high - low) * u, 6)
            for (name, (low, high)), u in zip(self.lengths.items(), coordinates, strict=False)
        }
        shape = scaled(self.build(lengths), scale)
        return replace(shape, mass=round(self.density * shape.volume, 6))

    def graspable(self, coordinates: Sequence[float], scale: float = 1.0) -> bool:
        """Whether a hand can still take the instance at that scale."""
        return bool(self.shape(coordinates, scale).grasps)

    def rgb(self, color: str) -> Color:
        """Red, green and blue in [0, 1] of one of its colours."""
        return self.tints.get(color) or PALETTE[color]


@cache
def category(name: str) -> Category:
    """The category called `name`.

    Raises:
        UnknownNameError: If there is none.
    """
    found = OBJECTS.load(name)
    if not isinstance(found, Category):
        raise UsageError(f"The object category {name!r} is registered as {found!r}, no Category.")
    return found


def categories(role: Role, split: Split = "seen") -> list[str]:
    """Names of all categories of a split that may play `role`, sorted."""
    return [
        name
        for name in OBJECTS.names()
        if role in category(name).roles and category(name).split == split
    ]


def held_out(coordinates: Sequence[float]) -> bool:
    """Whether the instance at these coordinates lies in a held-out cell."""
    i, j = (min(int(u * GRID), GRID - 1) for u in coordinates[:2])
    return (i + j) % GRID == 2


def draw_shape(rng: np.random.Generator, *, unseen: bool = False) -> list[float]:
    """Coordinates of an instance, from the seen cells or from the held-out ones."""
    while True:
        coordinates = [uniform(rng, 0.0, 1.0) for _ in range(SHAPE_COORDINATES)]
        if held_out(coordinates) == unseen:
            return coordinates
