"""States in which a thing is not beside another, upright, in a region or lifted, as it was to be.

They are functions like those in `vlabench.envs.audit.makers`. Lengths are metres.
"""

from __future__ import annotations

import math

import numpy as np

from vlabench.envs.audit.bench import Bench
from vlabench.envs.audit.false_places import put_back
from vlabench.envs.audit.makers import (
    FARTHEST_BESIDE,
    OFF,
    SECTOR,
    TRIES,
    TRUE,
    grip,
    on_table,
    put_at,
    put_beside,
    put_within,
)
from vlabench.envs.audit.places import TOLERANCE, free_spot, leaning, lying, place_of, standing
from vlabench.envs.objects.geometry import about_x, multiply
from vlabench.envs.tasks.base import Goal

HELD_LOW = (0.015, 0.06)
"""Heights of its underside at which a thing that is held is not lifted yet."""

FAR_BESIDE = (FARTHEST_BESIDE + 2 * TOLERANCE, 0.22)
"""Gaps between the edges of things that are too far apart."""


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
    return put_within(bench, name, place_of(bench, target), rng, deep=False)


def knocked_over(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Beside the other, which lies on its side."""
    target = goal.arguments[-1]
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
    return any(on_table(bench, name, place.inside(rng), lying(rng)) for _ in range(TRIES))


def on_something_there(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """On top of something else that stands on the table: on the marked place, if there is one."""
    name, *region = goal.arguments
    others = [o for o in bench.scene.objects if o != name]
    other = str(rng.choice(others))
    if region:
        if not TRUE["in-region"](bench, Goal("in-region", (other, *region)), rng):
            return False
    elif not put_back(bench, other):
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
    return TRUE["lifted"](bench, Goal("lifted", (str(rng.choice(others)),)), rng)
