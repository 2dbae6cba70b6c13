"""Referring expressions: what a thing can be called in its scene without its category.

An expression denotes a thing when it is true of that and plainly false of everything else in the
scene that could be meant: no fixture is moved, and what the sentence names besides is not meant.
The expressions of a thing come in tiers, plain ones first; a draw takes the first tier in which one
denotes it. At most `MOST_EXCLUDED` things are left out by name. Where no expression of a level
denotes a thing, which is rare, the levels after it lend the plainest of theirs.

Directions are the robot's own, and say so: its left is +y, its far side of a thing is further away
from it (+x), its side of a thing is nearer to it. Lengths are metres.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, combinations

from vlabench.envs.fixtures.base import fixture
from vlabench.envs.language.grammar import article
from vlabench.envs.language.relations import (
    SIDES,
    all_but,
    along_y,
    beside,
    by_name,
    closer,
    further,
    head_of,
    meant,
    nearest,
    no,
    other_than,
    rank,
    smaller,
    with_clause,
)
from vlabench.envs.language.things import THING, Expression, Thing, adjectives, nouns, things
from vlabench.types import Json

LEVELS = ("attribute", "spatial", "negation-ordinal")
"""By what a thing is, by where it is, by what it is not or as which it counts."""


MOST_EXCLUDED = 2
"""So many things may an expression leave out by name; with more it is a list, not an expression."""


def unambiguous(
    name: str, level: str, factors: Mapping[str, Json], unmeant: Collection[str] = ()
) -> list[str]:
    """The plainest expressions of `level` that denote `name` and nothing else, sorted.

    Args:
        name: Role of an object, or a part of a fixture that is in `PARTS`.
        level: One of `LEVELS`.
        factors: Of the episode.
        unmeant: What the expression cannot mean, as the sentence names it besides.

    Raises:
        AssertionError: If there is none, of no level.
    """
    if name in PARTS:
        return sorted(PARTS[name].get(level, ()))
    scene = things(factors, unmeant)
    thing = next(thing for thing in scene if thing.name == name)
    first = LEVELS.index(level)
    for source in (*LEVELS[first:], *LEVELS[:first]):
        for tier in _TIERS[source](thing, scene):
            found = {e.words for e in tier if e.holds(thing) and meant(e, scene) == [thing]}
            if found:
                return sorted(found)
    raise AssertionError(f"nothing denotes the {name} alone")


def denotes(
    expression: str, factors: Mapping[str, Json], unmeant: Collection[str] = ()
) -> frozenset[str]:
    """Names of all things and parts that one could take `expression` for; `unmeant` as above."""
    scene = things(factors, unmeant)
    known = chain.from_iterable(
        tier for thing in scene for level in LEVELS for tier in _TIERS[level](thing, scene)
    )
    said = next((e for e in known if e.words == expression), None)
    return frozenset(thing.name for thing in (meant(said, scene) if said else ())) | {
        part.name
        for key in factors
        if key.endswith(".parts")
        for part in fixture(key.removesuffix(".parts")).parts
        if any(expression in words for words in PARTS.get(part.name, {}).values())
    }


PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "top drawer": {
        "attribute": ("drawer with the higher handle", "drawer that is further from the table top"),
        "spatial": ("drawer that is above the other one", "drawer with another one below it"),
        "negation-ordinal": ("drawer that is not at the bottom", "second drawer from below"),
    },
    "bottom drawer": {
        "attribute": ("drawer with the lower handle", "drawer that is nearer to the table top"),
        "spatial": ("drawer that is below the other one", "drawer with another one above it"),
        "negation-ordinal": ("drawer that is not at the top", "second drawer from above"),
    },
    "left knob": {
        "spatial": (
            "knob that is to the robot's left of the other one",
            "knob that is furthest to the robot's left",
        ),
        "negation-ordinal": (
            "knob that is not the one furthest to the robot's right",
            "second knob from the robot's right",
        ),
    },
    "right knob": {
        "spatial": (
            "knob that is to the robot's right of the other one",
            "knob that is furthest to the robot's right",
        ),
        "negation-ordinal": (
            "knob that is not the one furthest to the robot's left",
            "second knob from the robot's left",
        ),
    },
    "red button": {
        "attribute": ("button of the colour of blood", "button as red as a ripe tomato"),
        "spatial": ("button nearest to the robot", "button at the robot's end of the row"),
        "negation-ordinal": ("button that is neither green nor blue",),
    },
    "green button": {
        "attribute": ("button of the colour of grass", "button as green as a frog"),
        "spatial": ("button between the other two", "button in the middle"),
        "negation-ordinal": ("button that is neither red nor blue",),
    },
    "blue button": {
        "attribute": ("button of the colour of a clear sky", "button as blue as the sea"),
        "spatial": (
            "button furthest from the robot",
            "button at the end of the row away from the robot",
        ),
        "negation-ordinal": ("button that is neither red nor green",),
    },
}
"""Expressions for parts that stand beside others like them; each is true of one part alone."""

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

_ENDS: Mapping[str, float] = {"left": 1.0, "right": -1.0}
"""Where the robot can begin to count, to the sign of y there."""

_Tiers = Iterator[list[Expression]]


# --- what it is -------------------------------------------------------------------------------


def _attributes(thing: Thing, scene: Sequence[Thing]) -> _Tiers:
    """Such as "round wooden thing" or "fruit": with two words, with more, then by size.

    Last come expressions that leave out by name what they would be true of as well.
    """
    for most in (2, 3, 4, 5):
        yield [e for count in range(1, most + 1) for e in _heads(thing, count)]
    heads = [e for count in range(4) for e in _heads(thing, count)]
    yield [
        Expression(f"{word} {head.words}", rank(1, before, head, scene))
        for head in heads
        for word, before in (("smallest", smaller), ("largest", lambda a, b: smaller(b, a)))
    ]
    yield [e for head in heads[1:] for e in _all_but_few(head, thing, scene)]


def _heads(thing: Thing, count: int) -> list[Expression]:
    """Nouns behind adjectives, `count` words that tell something; "thing" tells nothing."""
    return [
        head_of(*chosen, noun)
        for noun in (THING, *(nouns(thing) if count else ()))
        for chosen in combinations(adjectives(thing), count - (noun is not THING))
    ]


def _vague(heads: Sequence[Expression], scene: Sequence[Thing]) -> list[Expression]:
    """Those that could be several things, so that there is something to add."""
    return [head for head in heads if len(meant(head, scene)) > 1]


def _all_but_few(
    head: Expression, thing: Thing, scene: Sequence[Thing], joint: str = "that is"
) -> Iterator[Expression]:
    """`head` without what else it could be, where that is not too much to name."""
    others = [by_name(other) for other in meant(head, scene) if other != thing]
    if 0 < len(others) <= MOST_EXCLUDED:
        yield all_but(head, others, joint)


# --- where it is ------------------------------------------------------------------------------


def _places(thing: Thing, scene: Sequence[Thing]) -> _Tiers:
    """Such as "thing nearest to the red plate": of all, then of a kind, then two places at once.

    Last come expressions that leave out by name what stands on the same side as well.
    """
    near, far, told = (_vague(_heads(thing, count), scene) for count in range(3))
    near = near or _heads(thing, 0)
    for heads in (near, far):
        yield [e for head in heads for e in _placed(head, thing, scene)]
    for heads in (near, far):
        yield [
            with_clause(head, f"that is {first.words} and {second.words}", first, second)
            for head in heads
            for first, second in combinations(_relations(thing, scene), 2)
        ]
    yield [e for head in told for e in _placed(head, thing, scene)]
    yield [
        Expression(
            f"{head.words} furthest from the {anchor.called}",
            rank(1, further(anchor), other_than(anchor, head), scene),
        )
        for head in (*near, *far, *told)
        for anchor in _anchors(thing, scene)
    ]
    yield [
        e
        for head in (*near, *far)
        for relation in _relations(thing, scene)
        for e in _all_but_few(
            with_clause(head, f"that is {relation.words}", relation), thing, scene, "and is"
        )
    ]


def _placed(head: Expression, thing: Thing, scene: Sequence[Thing]) -> Iterator[Expression]:
    for end, sign in _ENDS.items():
        yield Expression(
            f"{head.words} furthest to the robot's {end}", rank(1, along_y(sign), head, scene)
        )
    for relation in _relations(thing, scene):
        yield with_clause(head, f"that is {relation.words}", relation)
    for anchor in _anchors(thing, scene):
        yield Expression(
            f"{head.words} nearest to the {anchor.called}", nearest(anchor, head, scene)
        )


def _relations(thing: Thing, scene: Sequence[Thing]) -> list[Expression]:
    """Such as "on the robot's side of the mug", and on what it stands: what is true of `thing`."""
    found = [
        Expression(f"{words} the {anchor.called}", beside(anchor, direction))
        for anchor in _anchors(thing, scene)
        for words, direction in SIDES.items()
    ]
    found += [
        Expression(f"on the {other.called}", lambda t: t.on == thing.on)
        for other in scene
        if other.name == thing.on
    ]
    return [relation for relation in found if relation.holds(thing)]


def _anchors(thing: Thing, scene: Sequence[Thing]) -> list[Thing]:
    return [other for other in scene if other.placed and other != thing and other.name != thing.on]


# --- what it is not, and as which it counts -----------------------------------------------------


def _negations(thing: Thing, scene: Sequence[Thing]) -> _Tiers:
    """Such as "second thing from the robot's left" or "thing that is not red"."""
    heads = _heads(thing, 0), *(_vague(_heads(thing, count), scene) for count in (1, 2, 3))
    others = [other for other in scene if other != thing]
    others = [other for other in others if other.meant] or others
    not_it = _unlike(thing, others)
    for some in heads:
        yield [e for head in some for e in _counted(head, scene)] + [
            with_clause(head, f"that is not {n.words}", no(n)) for head in some for n in not_it
        ]
    for some in heads:
        yield [all_but(head, pair) for head in some for pair in combinations(not_it, 2)]
    yield [
        Expression(
            f"{head.words} {ordinal} nearest to the {anchor.called}",
            rank(place, closer(anchor), other_than(anchor, head), scene),
        )
        for head in chain.from_iterable(heads)
        for place, ordinal in enumerate(_ORDINALS[:2], 2)
        for anchor in _anchors(thing, scene)
    ]


def _counted(head: Expression, scene: Sequence[Thing]) -> Iterator[Expression]:
    for end, sign in _ENDS.items():
        for place, ordinal in enumerate(_ORDINALS, 2):
            words = f"{ordinal} {head.words} from the robot's {end}"
            yield Expression(words, rank(place, along_y(sign), head, scene))


def _unlike(thing: Thing, others: Sequence[Thing]) -> list[Expression]:
    """Such as "red", "a fruit", "the red mug": what others are and `thing` is not, each once."""
    found = {}
    for other in others:
        for word in adjectives(other) if other.kind else ():
            found[word.words] = word
        for noun in nouns(other):
            said = f"{article(noun.words)} {noun.words}"
            found[said] = Expression(said, noun.holds)
    told = [e for e in found.values() if e.holds(thing) is False]
    return told + [by_name(other) for other in others if other.placed]


_TIERS: Mapping[str, Callable[[Thing, Sequence[Thing]], _Tiers]] = {
    "attribute": _attributes,
    "spatial": _places,
    "negation-ordinal": _negations,
}
