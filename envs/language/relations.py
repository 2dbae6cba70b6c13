"""What referring expressions are made of: heads, clauses, sides, distances, counting, exclusion.

Each makes words true, false or doubtful of a thing; see `vlabench.envs.language.things`. Lengths
are metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from vlabench.envs.language.grammar import joined
from vlabench.envs.language.things import Expression, Thing, Verdict, all_of, negated

MARGIN = 0.03
"""By so much at least is a thing further left than another, or nearer than another."""

SIZE_MARGIN = 0.25
"""By this share at least is a thing larger than another."""

SIDES: Mapping[str, tuple[float, float]] = {
    "to the robot's left of": (0.0, 1.0),
    "to the robot's right of": (0.0, -1.0),
    "on the robot's side of": (-1.0, 0.0),
    "on the robot's far side of": (1.0, 0.0),
}
"""Words for a side to the direction in x and y; they say that the robot's view counts."""

Test: TypeAlias = Callable[[Thing], Verdict]
Order: TypeAlias = Callable[[Thing, Thing], Verdict]


def possible(expression: Expression, scene: Sequence[Thing]) -> list[Thing]:
    """What `expression` could be true of."""
    return [thing for thing in scene if expression.holds(thing) is not False]


def meant(expression: Expression, scene: Sequence[Thing]) -> list[Thing]:
    """What one could take `expression` for, where it stands for what the robot moves."""
    return [thing for thing in possible(expression, scene) if thing.meant]


def head_of(*words: Expression) -> Expression:
    """Adjectives before a noun."""
    return Expression(
        " ".join(word.words for word in words),
        lambda thing: all_of(*(word.holds(thing) for word in words)),
    )


def with_clause(head: Expression, clause: str, *parts: Expression) -> Expression:
    """`head`, restricted by all of `parts`, which `clause` says."""
    return Expression(
        f"{head.words} {clause}",
        lambda thing: all_of(head.holds(thing), *(part.holds(thing) for part in parts)),
    )


def by_name(other: Thing) -> Expression:
    """The name of a thing behind its article."""
    return Expression(f"the {other.called}", lambda thing: thing.called == other.called)


def all_but(head: Expression, excluded: Sequence[Expression], joint: str = "that is") -> Expression:
    """`head` and none of `excluded`, of which there is at least one."""
    said = joined([e.words for e in excluded], "nor")
    clause = f"{joint} {'neither' if len(excluded) > 1 else 'not'} {said}"
    return with_clause(head, clause, *map(no, excluded))


def no(expression: Expression) -> Expression:
    """The same words, true of what they were false of."""
    return Expression(expression.words, lambda thing: negated(expression.holds(thing)))


# --- places


def beside(anchor: Thing, direction: tuple[float, float]) -> Test:
    """Whether a thing is on that side of `anchor`, rather than on another."""

    def holds(thing: Thing) -> Verdict:
        if thing == anchor:
            return False
        dx, dy = thing.at[0] - anchor.at[0], thing.at[1] - anchor.at[1]
        along = dx * direction[0] + dy * direction[1]
        across = abs(dx * direction[1] - dy * direction[0])
        slack = thing.reach + anchor.reach
        if along <= -slack:
            return False
        return True if along >= MARGIN + slack and across <= along else None

    return holds


def nearest(anchor: Thing, head: Expression, scene: Sequence[Thing]) -> Test:
    """Whether a thing is nearer to `anchor` than all else that `head` is true of."""

    def holds(thing: Thing) -> Verdict:
        rivals = [o for o in possible(head, scene) if o not in (thing, anchor)]
        if thing == anchor or head.holds(thing) is False:
            return False
        distance = math.dist(thing.at, anchor.at)
        verdicts = [head.holds(thing)]
        for rival in rivals:
            further = math.dist(rival.at, anchor.at) - distance
            slack = MARGIN + thing.reach + rival.reach
            beaten = further <= -slack and head.holds(rival)
            verdicts.append(True if further >= slack else False if beaten else None)
        return all_of(*verdicts)

    return holds


# --- counting


def rank(
    place: int,
    before: Order,
    head: Expression,
    scene: Sequence[Thing],
) -> Test:
    """Whether a thing is the one at `place` (from 1) among those that `head` is true of."""

    def holds(thing: Thing) -> Verdict:
        if head.holds(thing) is False:
            return False
        ahead = [
            all_of(head.holds(other), before(other, thing))
            for other in possible(head, scene)
            if other != thing
        ]
        least = 1 + ahead.count(True)
        most = least + ahead.count(None)
        if not least <= place <= most:
            return False
        return head.holds(thing) if least == most else None

    return holds


def along_y(sign: float) -> Order:
    """Whether one thing is further left than another (1), or further right (-1)."""
    return lambda a, b: _more((a.at[1] - b.at[1]) * sign, MARGIN + a.reach + b.reach)


def closer(anchor: Thing) -> Order:
    """Whether one thing is nearer to `anchor` than another."""

    def before(a: Thing, b: Thing) -> Verdict:
        gained = math.dist(b.at, anchor.at) - math.dist(a.at, anchor.at)
        return _more(gained, MARGIN + a.reach + b.reach)

    return before


def further(anchor: Thing) -> Order:
    """Whether one thing is further from `anchor` than another."""
    return lambda a, b: closer(anchor)(b, a)


def other_than(anchor: Thing, head: Expression) -> Expression:
    """The same words, said of all but `anchor`, from which places are told."""
    return Expression(head.words, lambda t: False if t == anchor else head.holds(t))


def smaller(a: Thing, b: Thing) -> Verdict:
    """Whether `a` is smaller than `b`."""
    return _more(b.size / a.size - 1.0, SIZE_MARGIN)


def _more(difference: float, margin: float) -> Verdict:
    return True if difference >= margin else False if difference <= -margin else None
