"""States in which a thing is not where it was to be put, each for one reason.

They are functions like those in `vlabench.envs.audit.makers`. Lengths are metres.
"""

from __future__ import annotations

import math

import numpy as np

from vlabench.envs.audit.bench import CLEAR, Bench
from vlabench.envs.audit.makers import TRIES, TRUE, grip, on_table, put_at, put_within
from vlabench.envs.audit.places import (
    TOLERANCE,
    Place,
    frame_at,
    leaning,
    lying,
    place_of,
    standing,
)
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.objects.geometry import Quaternion, about_x, multiply
from vlabench.envs.tasks.base import Goal
from vlabench.types import Floats

HIGHEST, LOWEST = 0.15, 0.02
"""Metres above its place at which a thing hangs in mid-air."""


def left(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The thing is where it was."""
    del rng
    return put_back(bench, goal.arguments[0])


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
    if not put_back(bench, name):
        return False
    bench.put_aside(free)
    chosen = str(rng.choice(free))
    instead = Goal(goal.predicate, (chosen, *rest))
    if not TRUE[goal.predicate](bench, instead, rng):
        return False
    return all(put_back(bench, other) for other in free if other != chosen)


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
    if not put_back(bench, name):
        return False
    top = bench.middle(name)
    top[2] += bench.scene.objects[name].shape.height / 2
    return put_at(bench, target, top, standing(rng), 0.02)


def on_the_roof(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On top of what closes its place."""
    name, place = goal.arguments[0], place_of(bench, goal.arguments[1])
    return any(
        _let_down(bench, name, place, place.inside(rng), standing(rng)) for _ in range(TRIES)
    )


def turned_over(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On the bottom of its place, which has been turned upside down."""
    name, target = goal.arguments
    bottom_up, at = multiply(about_x(math.pi), standing(rng)), bench.middle(target)
    at[2] = TABLE_HEIGHT
    if not put_at(bench, target, at, bottom_up, 0.01):
        return False
    at[2] += bench.scene.objects[target].shape.height
    at[:2] += rng.uniform(-TOLERANCE, TOLERANCE, 2)
    return put_at(bench, name, at, standing(rng), 0.02)


# --- helpers ----------------------------------------------------------------------------------


def riders(bench: Bench, name: str) -> tuple[str, ...]:
    """What the goals have put on a thing, and on what is on it."""
    above = [rider for rider, below in bench.riders.items() if below == name]
    return tuple(lot for rider in above for lot in (rider, *riders(bench, rider)))


def put_back(bench: Bench, name: str) -> bool:
    """Puts a thing where it was at the start of the episode, if it is free there."""
    bench.put_back(name)
    bench.forward()
    return bench.depth(name) <= 2 * CLEAR


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
    """Lets a thing down over a place; whether a roof over its walls has stopped it.

    What lies in the place already, and sticks out of it, is no roof.
    """
    things = {geom for thing in bench.scene.objects.values() for geom in thing.geoms}
    floor = float(place.origin[2])
    for above in np.arange(0.3, place.depth, -0.004):
        bench.put(name, frame_at(bench, name, point, turn, floor + float(above)), turn)
        bench.forward()
        if bench.depth(name) > CLEAR:
            on_top = point + np.array([0.0, 0.0, above])
            return not bench.neighbours(name) & things and put_at(bench, name, on_top, turn, 0.008)
    return False
