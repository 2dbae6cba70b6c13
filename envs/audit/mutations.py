"""The kinds of states in which a goal is false, each for one reason.

A kind is made in one of three ways: in place of the goal's own state, before the scene comes to
rest; out of a state in which all goals are true and at rest, and looked at in that instant, because
it would not stay; or out of such a state by closing the hand around the thing where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlabench.envs.audit import false_parts as parts
from vlabench.envs.audit import false_places as places
from vlabench.envs.audit import false_poses as poses
from vlabench.envs.audit.makers import Maker

Way: TypeAlias = Literal["still", "instant", "held"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One kind of state in which a goal is false.

    Attributes:
        make: Makes it.
        way: When it is made and how it is looked at.
        stays: Whether a thing that has come to rest elsewhere than where it was put makes the
            state another one. Otherwise it need only be outside of its place still.
    """

    make: Maker
    way: Way = "still"
    stays: bool = True


_PUT: Mapping[str, Mutation] = {
    "left where it was": Mutation(places.left),
    "in mid-air": Mutation(places.in_mid_air, "instant"),
    "held in its place": Mutation(places.held, "held"),
    "held above its place": Mutation(places.held_above, "held"),
    "something else instead": Mutation(places.another),
}
_PLACED: Mapping[str, Mutation] = {
    **_PUT,
    "beside its place": Mutation(places.outside, stays=False),
    "leaning on its place": Mutation(places.against, stays=False),
    "over the edge": Mutation(places.over_the_edge, "instant"),
    "in another place": Mutation(places.on_another),
    "in mid-air with its place": Mutation(places.carried, "instant"),
    "place on the thing": Mutation(places.swapped, "instant"),
}
_MOVED: Mapping[str, Mutation] = {
    "untouched": Mutation(parts.untouched),
    "not far enough": Mutation(parts.too_short),
    "another part instead": Mutation(parts.another_part),
}

FALSE: Mapping[str, Mapping[str, Mutation]] = {
    "on": _PLACED,
    "in": {
        **_PLACED,
        "on the roof": Mutation(places.on_the_roof),
        "place upside down": Mutation(places.turned_over),
    },
    "beside": {
        **_PUT,
        "on the wrong side": Mutation(poses.wrong_side),
        "too far away": Mutation(poses.too_far),
        "on the other": Mutation(poses.on_the_other),
        "other knocked over": Mutation(poses.knocked_over),
    },
    "upright": {
        **_PUT,
        "on its side": Mutation(poses.lies),
        "tilted": Mutation(poses.tilted, "instant"),
        "on its head": Mutation(poses.on_its_head, "instant"),
        "on something": Mutation(poses.on_something_there, "instant"),
    },
    "in-region": {
        **_PUT,
        "beside its place": Mutation(places.outside, stays=False),
        "on its side": Mutation(poses.lies_there),
        "on something there": Mutation(poses.on_something_there, "instant"),
    },
    "away-from": {key: _PUT[key] for key in _PUT if key != "something else instead"},
    "lifted": {
        "left where it was": Mutation(places.left),
        "held too low": Mutation(poses.held_low, "held"),
        "held on the table": Mutation(places.held, "held"),
        "in mid-air": Mutation(poses.thrown, "instant"),
        "propped up": Mutation(poses.propped_up, "instant"),
        "something else instead": Mutation(poses.another_held, "held"),
    },
    "open": _MOVED,
    "closed": _MOVED,
    "turned": _MOVED,
    "pressed": _MOVED,
}
"""Predicate to the kinds of states in which its goal is false."""
