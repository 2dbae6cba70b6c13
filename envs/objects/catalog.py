"""What a category is, and how one instance of it is drawn.

A category is continuous in shape: its instances are points of a unit cube, mapped to lengths.
The first two coordinates fall into a 3 × 3 grid of cells. Instances from some cells are held out:
training never sees them, and the axis ``unseen-instances`` shows nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from vlabench.envs.materials import PALETTE, Color
from vlabench.envs.objects.geometry import Shape
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

SHAPE_COORDINATES = 4
GRID = 3


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing.

    Attributes:
        name: What it is called.
        family: The module that builds it.
        split: ``"unseen"`` categories never occur in training or in a nominal episode.
        super_category: For language, for example ``"fruit"``.
        use: For language, for example ``"something to drink from"``.
        material: A key of `FINISHES`.
        colors: Names of the colours it comes in.
        lengths: Name to the smallest and largest value, in metres; at most four.
        roles: What it may be in a task.
        build: Lengths to shape.
        synonyms: Other words for it.
        tints: Colours that mean something else on this category, such as a lemon's yellow.
        trim: Colours of the parts that do not take the instance's colour.
    """

    name: str
    family: str
    split: Split
    super_category: str
    use: str
    material: str
    colors: tuple[str, ...]
    lengths: Mapping[str, tuple[float, float]]
    roles: frozenset[Role]
    build: Callable[[Lengths], Shape]
    synonyms: tuple[str, ...] = ()
    tints: Mapping[str, Color] = field(default_factory=dict)
    trim: Mapping[str, Color] = field(default_factory=dict)

    def shape(self, coordinates: Sequence[float], scale: float = 1.0) -> Shape:
        """The instance at these coordinates of the unit cube, with all lengths times `scale`."""
        lengths = {
            name: round((low + (high - low) * u) * scale, 6)
            for (name, (low, high)), u in zip(self.lengths.items(), coordinates, strict=False)
        }
        return self.build(lengths)

    def rgb(self, color: str) -> Color:
        """Red, green and blue in [0, 1] of one of its colours."""
        return self.tints.get(color) or PALETTE[color]


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
