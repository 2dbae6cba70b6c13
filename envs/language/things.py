"""What stands in a scene, and what words are true of it: colour, form, material, kind of thing.

A word is three-valued of a thing: true, false, or doubtful, where two honest listeners could
disagree. All is decided from an episode's factors: no model, no pixels. Lengths are metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TypeAlias

import numpy as np

from vlabench.envs.fixtures.base import fixture
from vlabench.envs.language.grammar import Referent
from vlabench.envs.materials import PALETTE
from vlabench.envs.objects.catalog import Category, category
from vlabench.types import Json

Verdict: TypeAlias = bool | None
"""Whether words are true of a thing; None where one could doubt it."""


@dataclass(frozen=True)
class Thing:
    """An object or a fixture, as far as words can tell it.

    Attributes:
        name: Role, or name of the fixture.
        called: What sentences call it: colour and category, or the fixture's name.
        at: Where it stands.
        reach: How far it extends around that, for what is too large to be a point.
        colour: Its name.
        kind: Its category; None for a fixture.
        shape: Coordinates of the instance; empty for a fixture.
        scale: How much larger than these coordinates say it is.
        clad: Whether it is made of something else than its category is.
        lying: Whether it is on its side.
        on: The thing that carries it; empty for the table.
        placed: Whether it stands among the objects, as all but the large fixtures do.
        meant: Whether an expression for what the robot moves could mean it: no fixture moves.
    """

    name: str
    called: str
    at: tuple[float, float]
    reach: float
    colour: str
    kind: Category | None = None
    shape: tuple[float, ...] = ()
    scale: float = 1.0
    clad: bool = False
    lying: bool = False
    on: str = ""
    placed: bool = True
    meant: bool = True

    @property
    def size(self) -> float:
        """Its longest side."""
        if self.kind is None:
            return 2 * self.reach
        measured = _proportions(self.kind.name, self.shape)
        return self.scale * max(measured.height, measured.length)


@dataclass(frozen=True)
class Expression:
    """Words without an article, such as "red" or "thing nearest to the red plate".

    Attributes:
        words: What is said.
        holds: Whether it is true of a thing of the scene.
    """

    words: str
    holds: Callable[[Thing], Verdict]


def things(factors: Mapping[str, Json], unmeant: Collection[str] = ()) -> list[Thing]:
    """All that stands in the scene with these factors: fixtures, then objects, by name.

    Those in `unmeant` are there, but no expression could mean them.
    """
    keys = sorted(factors)
    fixtures = [_fixture(k.removesuffix(".parts"), factors) for k in keys if k.endswith(".parts")]
    roles = [k.removesuffix(".category") for k in keys if k.endswith(".category")]
    found = fixtures + [_object(role, factors) for role in roles]
    return [replace(t, meant=t.meant and t.name not in unmeant) for t in found]


def all_of(*verdicts: Verdict) -> Verdict:
    """True if all are, false if one is, doubtful otherwise."""
    if False in verdicts:
        return False
    return None if None in verdicts else True


def negated(verdict: Verdict) -> Verdict:
    """The opposite; a doubt stays a doubt."""
    return None if verdict is None else not verdict


THING = Expression("thing", lambda thing: True if thing.kind else None)
"""An object is a thing for sure; whether one would count a fixture is doubtful."""


def nouns(thing: Thing) -> list[Expression]:
    """Kinds of thing that `thing` is of, none of them its category."""
    super_category = thing.kind.super_category if thing.kind else ""
    return [_noun(super_category)] if super_category in NOUNS else []


def adjectives(thing: Thing) -> list[Expression]:
    """What is true of `thing`, in the order in which it is said: form, colour, material."""
    known = [
        *(Expression(form, partial(_has_form, form)) for form in FORMS),
        Expression(thing.colour, partial(_is_coloured, thing.colour)),
        *(Expression(said, partial(_is_made_of, material)) for material, said in MATERIALS.items()),
    ]
    return [word for word in known if word.holds(thing)]


NOUNS: Mapping[str, frozenset[str]] = {
    "fruit": frozenset({"vegetable"}),
    "vegetable": frozenset({"fruit"}),
    "baked good": frozenset(),
    "toy": frozenset(),
    "tool": frozenset({"utensil", "office item", "cleaning item"}),
    "utensil": frozenset({"tool"}),
    "office item": frozenset({"tool"}),
    "cleaning item": frozenset({"tool"}),
    "drinking vessel": frozenset({"container", "cooking vessel", "dish"}),
    "cooking vessel": frozenset({"container", "drinking vessel", "dish"}),
}
"""Super-categories that can stand for "thing", each with others that some would call so too."""

FORMS = ("round", "long", "flat", "tall")

MATERIALS: Mapping[str, str] = {
    "wood": "wooden",
    "metal": "metal",
    "glass": "glass",
    "ceramic": "ceramic",
    "cardboard": "cardboard",
    "foam": "spongy",
    "rubber": "rubber",
    "plastic": "plastic",
}
"""Finish to adjective, for those that have one."""

_OF_FIXTURES = frozenset({"wood", "metal", "plastic"})
"""What parts of a fixture may be made of."""

_LIKE: Mapping[str, frozenset[str]] = {
    "teal": frozenset({"green", "blue"}),
    "green": frozenset({"teal"}),
    "blue": frozenset({"teal"}),
    "orange": frozenset({"brown"}),
    "brown": frozenset({"orange"}),
}
"""Colours that some would take for one another."""

_ALIKE = 0.4
"""Between colours, whose parts lie in [0, 1]: how far apart none would take them for the same."""

_STANDING_REACH = 0.15
"""Of the fixtures that do not stand among the objects."""


def _fixture(name: str, factors: Mapping[str, Json]) -> Thing:
    kind, (x, y, _) = fixture(name), factors[f"{name}.pose"]
    reach = _STANDING_REACH if kind.stand else kind.clearance
    return Thing(
        name=name,
        called=name,
        at=(x, y),
        reach=reach,
        colour=factors[f"{name}.color"],
        placed=kind.stand is None,
        meant=False,
    )


def _object(role: str, factors: Mapping[str, Json]) -> Thing:
    kind, colour = category(factors[f"{role}.category"]), factors[f"{role}.color"]
    x, y, _ = factors[f"{role}.pose"]
    return Thing(
        name=role,
        called=Referent(kind.name, colour=colour).called(kind.name),
        at=(x, y),
        reach=0.0,
        colour=colour,
        kind=kind,
        shape=tuple(factors[f"{role}.shape"]),
        scale=factors.get(f"{role}.scale", 1.0),
        clad=f"{role}.material" in factors,
        lying=factors.get(f"{role}.lying", False),
        on=factors.get(f"{role}.on", ""),
    )


def _noun(name: str) -> Expression:
    def holds(thing: Thing) -> Verdict:
        if thing.kind is None:
            return False
        doubtful = thing.kind.super_category in NOUNS[name]
        return None if doubtful else thing.kind.super_category == name

    return Expression(name, holds)


def _is_coloured(colour: str, thing: Thing) -> Verdict:
    if thing.colour == colour:
        return True
    if thing.kind is None:
        # the colours of fixtures have names of their own
        known = fixture(thing.name)
        near = math.dist(known.colors[thing.colour], PALETTE[colour]) < _ALIKE
        return None if near or any(colour in part.name for part in known.parts) else False
    return None if colour in _LIKE.get(thing.colour, ()) or colour in thing.kind.trim else False


def _is_made_of(material: str, thing: Thing) -> Verdict:
    if thing.kind is None:
        return None if material in _OF_FIXTURES else False
    return None if thing.clad else thing.kind.material == material


def _has_form(form: str, thing: Thing) -> Verdict:
    if thing.kind is None:
        return None
    measured = _proportions(thing.kind.name, thing.shape)
    if form == "tall" and thing.lying:
        return None
    value, false, true = {
        "round": (-measured.uneven, -0.2, -0.06),
        "long": (measured.length / max(measured.width, measured.height), 1.6, 2.2),
        "flat": (-measured.height / measured.width, -0.6, -0.35),
        "tall": (measured.height / measured.length, 1.1, 1.4),
    }[form]
    if value >= true:
        return True
    return None if value > false or thing.kind.form == form else False


@dataclass(frozen=True, slots=True)
class _Proportions:
    """Sizes of an instance.

    Attributes:
        height: Of its highest point over its lowest.
        length: Of its widest side, seen from above.
        width: Of its narrowest side, seen from above.
        uneven: By how much that outline differs from a circle, as a share of its radius.
    """

    height: float
    length: float
    width: float
    uneven: float


@cache
def _proportions(name: str, coordinates: tuple[float, ...]) -> _Proportions:
    shape = category(name).shape(coordinates)
    points = np.concatenate([visual.mesh.vertices for visual in shape.visuals])
    angles = [math.pi * i / 12 for i in range(24)]
    radii = [float(np.max(points[:, 0] * math.cos(a) + points[:, 1] * math.sin(a))) for a in angles]
    widths = [radii[i] + radii[i + 12] for i in range(12)]
    return _Proportions(
        height=float(np.ptp(points[:, 2])),
        length=max(widths),
        width=min(widths),
        uneven=(max(radii) - min(radii)) / max(radii),
    )
