"""The kinds of states in which a goal is false, each for one reason.

A kind is made in one of three ways: in place of the goal's own state, before the scene comes to
rest; out of a state in which all goals are true and at rest, and looked at in that instant, because
it would not stay; or out of such a state by closing the hand around the thing where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlabench.envs.audit import applying
from vlabench.envs.audit import false_parts as parts
from vlabench.envs.audit import false_places as places
from vlabench.envs.audit import false_poses as poses
from vlabench.envs.audit.bench import Bench
from vlabench.envs.audit.makers import Maker
from vlabench.envs.tasks.base import Goal

Way: TypeAlias = Literal["still", "instant", "held"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One kind of state in which a goal is false.

    Attributes:
        make: Makes it.
        way: When it is made and how it is looked at.
        stays: Whether a thing that has come to rest elsewhere than where it was put makes the
            state another one. Otherwise it need only be outside of its place still.
        applies: Whether there can be such a state of a goal in a scene at all.
    """

    make: Maker
    way: Way = "still"
    stays: bool = True
    applies: Callable[[Bench, Goal], bool] = applying.always


_PUT: Mapping[str, Mutation] = {
    "left where it was": Mutation(places.left),
    "in mid-air": Mutation(places.in_mid_air, "instant"),
    "held in its place": Mutation(places.held, "held", applies=applying.can_be_held),
    "held above its place": Mutation(places.held_above, "held", applies=applying.can_be_held),
    "something else instead": Mutation(places.another, applies=applying.has_others),
}
_PLACED: Mapping[str, Mutation] = {
    **_PUT,
    "beside its place": Mutation(places.outside, stays=False),
    "leaning on its place": Mutation(places.against, stays=False),
    "over the edge": Mutation(places.over_the_edge, "instant"),
    "in another place": Mutation(places.on_another, applies=applying.has_other_places),
    "in mid-air with its place": Mutation(places.carried, "instant", applies=applying.on_an_object),
    "place on the thing": Mutation(places.swapped, "instant", applies=applying.on_an_object),
}
_MOVED: Mapping[str, Mutation] = {
    "untouched": Mutation(parts.untouched, applies=parts.can_be_left),
    "not far enough": Mutation(parts.too_short),
    "another part instead": Mutation(parts.another_part, applies=parts.can_be_another),
}

FALSE: Mapping[str, Mapping[str, Mutation]] = {
    "on": _PLACED,
    "in": {
        **_PLACED,
        "on the roof": Mutation(places.on_the_roof, applies=applying.has_a_roof),
        "place upside down": Mutation(places.turned_over, applies=applying.on_an_object),
    },
    "beside": {
        **_PUT,
        "on the wrong side": Mutation(poses.wrong_side),
        "too far away": Mutation(poses.too_far),
        "on the other": Mutation(poses.on_the_other, applies=applying.can_carry),
        "other knocked over": Mutation(poses.knocked_over, applies=applying.other_can_lie),
    },
    "upright": {
        **_PUT,
        "on its side": Mutation(poses.lies, applies=applying.can_lie),
        "tilted": Mutation(poses.tilted, "instant"),
        "on its head": Mutation(poses.on_its_head, "instant"),
        "on something": Mutation(poses.on_something_there, "instant", applies=applying.not_alone),
    },
    "in-region": {
        **_PUT,
        "beside its place": Mutation(places.outside, stays=False),
        "on its side": Mutation(poses.lies_there, applies=applying.can_lie),
        "on something there": Mutation(
            poses.on_something_there, "instant", applies=applying.not_alone
        ),
    },
    "away-from": {key: _PUT[key] for key in _PUT if key != "something else instead"},
    "lifted": {
        "left where it was": Mutation(places.left),
        "held too low": Mutation(poses.held_low, "held", applies=applying.can_be_held),
        "held on the table": Mutation(places.held, "held", applies=applying.can_be_held),
        "in mid-air": Mutation(poses.thrown, "instant"),
        "propped up": Mutation(poses.propped_up, "instant", applies=applying.not_alone),
        "something else instead": Mutation(poses.another_held, "held", applies=applying.not_alone),
    },
    "open": _MOVED,
    "closed": _MOVED,
    "turned": _MOVED,
    "pressed": _MOVED,
}
"""Predicate to the kinds of states in which its goal is false."""


def kinds_of(goal: Goal, bench: Bench) -> dict[str, Mutation]:
    """The kinds of states that there can be of a goal in a scene, by their whole names."""
    return {
        named(goal.predicate, kind): mutation
        for kind, mutation in FALSE[goal.predicate].items()
        if mutation.applies(bench, goal)
    }


def named(predicate: str, kind: str) -> str:
    """The whole name of a kind of states."""
    return f"{predicate}: {kind}"
