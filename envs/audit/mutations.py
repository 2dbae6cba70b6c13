"""Ways to make a state in which a goal is false, each for one reason.

A kind is made in one of three ways: in place of the goal's own state, before the scene comes to
rest (`STILL`); out of a state in which all goals are true and at rest, and looked at in that
instant (`INSTANT`), because it would not stay; or out of such a state by closing the hand around
the thing where it is (`HELD`). Lengths are metres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from vlabench.envs.audit.bench import CLEAR, Bench
from vlabench.envs.audit.makers import (
    FARTHEST_BESIDE,
    OFF,
    SECTOR,
    TRIES,
    TRUE,
    Maker,
    grip,
    on_table,
    push_to,
    put_at,
    put_beside,
    put_within,
)
from vlabench.envs.audit.places import (
    TOLERANCE,
    Place,
    frame_at,
    free_spot,
    leaning,
    lying,
    place_of,
    standing,
)
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.objects.geometry import Quaternion, about_x, multiply
from vlabench.envs.tasks.base import Goal
from vlabench.types import Floats

Way: TypeAlias = Literal["still", "instant", "held"]

SHORT: Mapping[str, tuple[float, float]] = {
    "open": (0.0, 0.6),
    "closed": (0.18, 1.0),
    "turned": (0.0, 0.7),
    "pressed": (0.0, 0.6),
}
"""Shares of its travel at which a part is not yet as it is to be: 10 % of the travel, which is two
tolerances, short of the limit at the least."""

HIGHEST, LOWEST = 0.15, 0.02
"""Metres above its place at which a thing hangs in mid-air."""

HELD_LOW = (0.015, 0.06)
"""Heights of its underside at which a thing that is held is not lifted yet."""

FAR_BESIDE = (FARTHEST_BESIDE + 2 * TOLERANCE, 0.22)
"""Gaps between the edges of things that are too far apart."""


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


# --- anything that is put somewhere -----------------------------------------------------------


def left(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The thing is where it was."""
    del rng
    return _back(bench, goal.arguments[0])


def outside(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the table, two tolerances or more beyond all that belongs to the place."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[-1])
    shape = bench.scene.objects[name].shape
    for k in range(TRIES):
        turn = lying(rng) if rng.uniform() < 0.25 and shape.lying > 0 else standing(rng)
        if on_table(bench, name, place.outside(rng, rng.exponential(0.01 + 0.003 * k)), turn):
            return True
    return False


def against(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Let fall against its place from the table beside it."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[-1])
    for k in range(TRIES):
        point = place.outside(rng, rng.uniform(0.0, 0.02 + 0.004 * k))
        point[2] = TABLE_HEIGHT
        if put_at(bench, name, point, leaning(rng, 20.0, 75.0), 0.06):
            return True
    return False


def over_the_edge(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """As high as its place, touching it perhaps, the middle beyond the edge."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[-1])
    points = (place.outside(rng, rng.exponential(0.01)) for _ in range(TRIES))
    return any(put_at(bench, name, at, standing(rng), place.depth + 0.02) for at in points)


def in_mid_air(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Above its place, touching nothing."""
    name = goal.arguments[0]
    return _lifted_clear(bench, (name, *riders(bench, name)), rng)


def carried(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """In mid-air together with what it is on."""
    name, target = goal.arguments
    if target not in bench.scene.objects:
        return False
    lot = (target, *riders(bench, target))
    return name in lot and _lifted_clear(bench, lot, rng)


def held(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """In its place, between the closed fingers."""
    return grip(bench, goal.arguments[0], rng, 0.0)


def held_above(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Above its place, between the closed fingers."""
    name = goal.arguments[0]
    return not riders(bench, name) and grip(bench, name, rng, rng.uniform(LOWEST, HIGHEST))


def another(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The same has been done with something else."""
    name, *rest = goal.arguments
    free = [other for other in bench.scene.objects if other not in bench.spoken_of]
    if not free or not _back(bench, name):
        return False
    bench.put_aside(free)
    chosen = str(rng.choice(free))
    instead = Goal(goal.predicate, (chosen, *rest))
    if not TRUE[goal.predicate](bench, instead, rng):
        return False
    return all(_back(bench, other) for other in free if other != chosen)


def on_another(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On or in some other thing, or another part of a fixture."""
    name, scene = goal.arguments[0], bench.scene
    wrong = {*goal.arguments, *riders(bench, name)}
    place = place_of(bench, goal.arguments[-1])
    others = [
        key
        for key, thing in scene.objects.items()
        if key not in wrong
        and thing.shape.surface_radius > 0
        and place.distance(bench.middle(key)) > place.rim
    ]
    others += [
        key for key, part in scene.parts.items() if part.floor_site is not None and key not in wrong
    ]
    if not others:
        return False
    target = str(rng.choice(others))
    return put_within(bench, name, place_of(bench, target), rng, deep=False)


def swapped(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The place is on the thing."""
    name, target = goal.arguments
    if target not in bench.scene.objects or not _back(bench, name):
        return False
    top = bench.middle(name)
    top[2] += bench.scene.objects[name].shape.height / 2
    return put_at(bench, target, top, standing(rng), 0.02)


def on_the_roof(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On top of what closes its place."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[1])
    for _ in range(TRIES):
        point, turn = place.inside(rng), standing(rng)
        covered = _let_down(bench, name, place, point, turn)
        if covered:
            return True
    return False


def turned_over(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the bottom of its place, which has been turned upside down."""
    name, target = goal.arguments
    if target not in bench.scene.objects:
        return False
    bottom_up, at = multiply(about_x(math.pi), standing(rng)), bench.middle(target)
    at[2] = TABLE_HEIGHT
    if not put_at(bench, target, at, bottom_up, 0.01):
        return False
    at[2] += bench.scene.objects[target].shape.height
    at[:2] += rng.uniform(-TOLERANCE, TOLERANCE, 2)
    return put_at(bench, name, at, standing(rng), 0.02)


# --- beside -----------------------------------------------------------------------------------


def wrong_side(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Beside the other, two tolerances or more out of the sector of its side."""
    gap = (0.5 * TOLERANCE, FARTHEST_BESIDE)
    return put_beside(bench, goal, rng, (SECTOR + OFF, math.pi), gap)


def too_far(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the right side, too far from the other."""
    return put_beside(bench, goal, rng, (0.0, SECTOR - OFF), FAR_BESIDE)


def on_the_other(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the other, instead of beside it."""
    name, _, target = goal.arguments
    if bench.scene.objects[target].shape.surface_radius <= 0.0:
        return False
    return put_within(bench, name, place_of(bench, target), rng, deep=False)


def knocked_over(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Beside the other, which lies on its side."""
    target = goal.arguments[-1]
    if bench.scene.objects[target].shape.lying <= 0.0:
        return False
    return on_table(bench, target, bench.middle(target), lying(rng)) and TRUE["beside"](
        bench, goal, rng
    )


# --- upright and in a region ------------------------------------------------------------------


def lies(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On its side, elsewhere on the table."""
    name = goal.arguments[0]
    return any(on_table(bench, name, free_spot(rng), lying(rng)) for _ in range(TRIES))


def tilted(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On an edge of its foot or of its top, two tolerances of 5 degrees too far over."""
    name = goal.arguments[0]
    return any(
        on_table(bench, name, free_spot(rng), leaning(rng, 25.0, 155.0)) for _ in range(TRIES)
    )


def on_its_head(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Upside down."""
    name = goal.arguments[0]
    over = multiply(about_x(math.pi), standing(rng))
    return any(on_table(bench, name, free_spot(rng), over) for _ in range(TRIES))


def lies_there(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the marked place, on its side."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[1])
    if bench.scene.objects[name].shape.lying <= 0.0:
        return False
    return any(on_table(bench, name, place.inside(rng), lying(rng)) for _ in range(TRIES))


def on_something_there(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On top of something else that stands on the table: on the marked place, if there is one."""
    name, *region = goal.arguments
    others = [o for o in bench.scene.objects if o != name]
    other = str(rng.choice(others))
    if region:
        if not TRUE["in-region"](bench, Goal("in-region", (other, *region)), rng):
            return False
    elif not _back(bench, other):
        return False
    top = bench.middle(other)
    top[2] += bench.scene.objects[other].shape.height / 2
    return put_at(bench, name, top, standing(rng), 0.02)


# --- lifted -----------------------------------------------------------------------------------


def held_low(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """In the hand, two tolerances or more too low."""
    return grip(bench, goal.arguments[0], rng, rng.uniform(*HELD_LOW))


def thrown(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """In mid-air by itself."""
    at = free_spot(rng) + np.array([0.0, 0.0, rng.uniform(0.1, 0.4)])
    name, turn = goal.arguments[0], leaning(rng, 0.0, 90.0)
    return put_at(bench, name, at, turn) and not bench.neighbours(name)


def propped_up(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """High up on something else, which is in mid-air with it."""
    name = goal.arguments[0]
    other = str(rng.choice([o for o in bench.scene.objects if o != name]))
    at, turn = free_spot(rng), standing(rng)
    at[2] += rng.uniform(0.1, 0.2)
    if not put_at(bench, other, at, turn):
        return False
    at[2] += bench.scene.objects[other].shape.height
    return put_at(bench, name, at, standing(rng), 0.02)


def another_held(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Something else is lifted."""
    others = [o for o in bench.scene.objects if o not in goal.arguments]
    return bool(others) and TRUE["lifted"](bench, Goal("lifted", (str(rng.choice(others)),)), rng)


# --- parts of fixtures ------------------------------------------------------------------------


def too_short(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Moved, but not far enough."""
    name, (low, high) = goal.arguments[0], SHORT[goal.predicate]
    near = rng.uniform() < 0.5
    if goal.predicate == "closed":
        high = min(high, low + 0.1) if near else high
    else:
        low = max(low, high - 0.1) if near else low
    share = rng.uniform(low, high)
    if goal.predicate == "pressed":
        push_to(bench, name, share)
    else:
        bench.slide(name, share)
    return True


def untouched(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The part is as the episode starts."""
    del rng
    return _slid_back(bench, goal)


def another_part(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Another part of its kind is as this one is to be, and this one as it was."""
    name, parts = goal.arguments[0], bench.scene.parts
    kind = parts[name].part.kind
    others = [o for o, part in parts.items() if part.part.kind == kind and o != name]
    others = [o for o in others if o not in bench.spoken_of]
    if not others or not _slid_back(bench, goal):
        return False
    instead = Goal(goal.predicate, (str(rng.choice(others)),))
    return TRUE[goal.predicate](bench, instead, rng)


_PUT: Mapping[str, Mutation] = {
    "left where it was": Mutation(left),
    "in mid-air": Mutation(in_mid_air, "instant"),
    "held in its place": Mutation(held, "held"),
    "held above its place": Mutation(held_above, "held"),
    "something else instead": Mutation(another),
}
_PLACED: Mapping[str, Mutation] = {
    **_PUT,
    "beside its place": Mutation(outside, stays=False),
    "leaning on its place": Mutation(against, stays=False),
    "over the edge": Mutation(over_the_edge, "instant"),
    "in another place": Mutation(on_another),
    "in mid-air with its place": Mutation(carried, "instant"),
    "place on the thing": Mutation(swapped, "instant"),
}
_MOVED: Mapping[str, Mutation] = {
    "untouched": Mutation(untouched),
    "not far enough": Mutation(too_short),
    "another part instead": Mutation(another_part),
}

FALSE: Mapping[str, Mapping[str, Mutation]] = {
    "on": _PLACED,
    "in": {
        **_PLACED,
        "on the roof": Mutation(on_the_roof),
        "place upside down": Mutation(turned_over),
    },
    "beside": {
        **_PUT,
        "on the wrong side": Mutation(wrong_side),
        "too far away": Mutation(too_far),
        "on the other": Mutation(on_the_other),
        "other knocked over": Mutation(knocked_over),
    },
    "upright": {
        **_PUT,
        "on its side": Mutation(lies),
        "tilted": Mutation(tilted, "instant"),
        "on its head": Mutation(on_its_head, "instant"),
        "on something": Mutation(on_something_there, "instant"),
    },
    "in-region": {
        **_PUT,
        "beside its place": Mutation(outside, stays=False),
        "on its side": Mutation(lies_there),
        "on something there": Mutation(on_something_there, "instant"),
    },
    "away-from": {key: _PUT[key] for key in _PUT if key != "something else instead"},
    "lifted": {
        "left where it was": Mutation(left),
        "held too low": Mutation(held_low, "held"),
        "held on the table": Mutation(held, "held"),
        "in mid-air": Mutation(thrown, "instant"),
        "propped up": Mutation(propped_up, "instant"),
        "something else instead": Mutation(another_held, "held"),
    },
    "open": _MOVED,
    "closed": _MOVED,
    "turned": _MOVED,
    "pressed": _MOVED,
}
"""Predicate to the kinds of states in which its goal is false."""


# --- helpers ----------------------------------------------------------------------------------


def riders(bench: Bench, name: str) -> tuple[str, ...]:
    """What the goals have put on a thing, and on what is on it."""
    above = [rider for rider, below in bench.riders.items() if below == name]
    return tuple(lot for rider in above for lot in (rider, *riders(bench, rider)))


def _back(bench: Bench, name: str) -> bool:
    """Puts a thing where it was at the start of the episode, if it is free there."""
    bench.put_back(name)
    bench.forward()
    return bench.depth(name) <= 2 * CLEAR


def _slid_back(bench: Bench, goal: Goal) -> bool:
    """Puts a part where it was at the start of the episode, unless it was as it is to be."""
    low, high = SHORT[goal.predicate]
    return low <= bench.slide_back(goal.arguments[0]) <= high


def _lifted_clear(bench: Bench, names: tuple[str, ...], rng: np.random.Generator) -> bool:
    """Lifts things together to where they touch nothing but each other."""
    inner = {geom for name in names for geom in bench.scene.objects[name].geoms}
    starts = {name: bench.addresses[name] + 2 for name in names}
    levels = {name: float(bench.data.qpos[k]) for name, k in starts.items()}
    for _ in range(6):
        height = rng.uniform(LOWEST, HIGHEST)
        for name, k in starts.items():
            bench.data.qpos[k] = levels[name] + height
        bench.forward()
        if all(bench.neighbours(name) <= inner for name in names):
            return True
    return False


def _let_down(bench: Bench, name: str, place: Place, point: Floats, turn: Quaternion) -> bool:
    """Lets a thing down over a place; whether something above its walls has stopped it."""
    floor = float(place.origin[2])
    for above in np.arange(0.3, place.depth, -0.004):
        bench.put(name, frame_at(bench, name, point, turn, floor + float(above)), turn)
        bench.forward()
        if bench.depth(name) > CLEAR:
            return put_at(bench, name, point + np.array([0.0, 0.0, above]), turn, 0.008)
    return False
