"""Ways to make the state in which a goal is true, whatever the predicates think of it.

Each is a function of a bench, a goal in names of its scene and a generator, and says whether it
has found a way. Lengths are metres, in the world's frame; directions are the robot's own.

Nothing here looks at `vlabench.envs.predicates`: places follow from the lengths that shapes and
fixtures are built from, limits are those of the tasks' own pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from vlabench.envs.audit.bench import CLEAR, Bench
from vlabench.envs.audit.places import (
    TOLERANCE,
    Place,
    apart,
    frame_at,
    free_spot,
    leaning,
    lying,
    outline,
    place_of,
    standing,
)
from vlabench.envs.embodiments import TABLE_HEIGHT, TABLE_SIZE
from vlabench.envs.objects.geometry import Quaternion
from vlabench.envs.tasks.base import SIDES, Goal
from vlabench.types import Floats

Maker: TypeAlias = Callable[[Bench, Goal, np.random.Generator], bool]

TRIES = 30
"""Places that are tried before a scene is said to have no room."""

LIFTED_FROM, LIFTED_TO = 0.1, 0.22
"""Heights of its underside over the table at which a thing is held up."""

FARTHEST_BESIDE = 0.12
"""How far apart the edges of two things may be that are beside each other."""

SECTOR = math.radians(45.0)
"""How far off its direction a side reaches."""

OFF = math.radians(10.0)
"""Two tolerances of a direction."""

SHARES: Mapping[str, tuple[float, float]] = {
    "open": (0.75, 1.0),
    "closed": (0.0, 0.03),
    "turned": (0.85, 1.0),
    "pressed": (0.75, 1.3),
}
"""Shares of its travel at which a part is as it is to be: 5 % of the travel beyond the limit at the
least. A button is pushed with the force that brings it there, or with more."""


def within(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Puts a thing on or in its place, a tolerance or more from the edge."""
    name, target = goal.arguments
    deep = goal.predicate == "in"
    return put_within(bench, name, place_of(bench, target), rng, deep=deep)


def put_within(
    bench: Bench, name: str, place: Place, rng: np.random.Generator, *, deep: bool
) -> bool:
    """Puts a thing over a place, as low as it goes; `deep`: between its walls."""
    room = place.depth - 2 * TOLERANCE if deep else place.space

    def turn() -> Quaternion:
        """Between walls a thing may lean on them too."""
        if deep and rng.uniform() < 0.25:
            return leaning(rng, 10.0, 80.0)
        return as_it_may(bench, name, rng)

    return any(put_at(bench, name, place.inside(rng), turn(), room) for _ in range(TRIES))


def as_it_may(bench: Bench, name: str, rng: np.random.Generator) -> Quaternion:
    """Upright, or now and then on its side where it can lie."""
    can_lie = bench.scene.objects[name].shape.lying > 0
    return lying(rng) if rng.uniform() < 0.25 and can_lie else standing(rng)


def put_at(
    bench: Bench, name: str, point: Floats, quaternion: Quaternion, room: float = 0.0
) -> bool:
    """Puts a thing with its foot on a point, or by up to `room` above where that is taken."""
    level = float(point[2]) - CLEAR / 2
    bench.put(name, frame_at(bench, name, point, quaternion, level), quaternion)
    return bench.raise_until_clear(name, room)


def on_table(bench: Bench, name: str, point: Floats, quaternion: Quaternion) -> bool:
    """Puts a thing on the table, if it is free there."""
    if any(abs(at) > size / 2 - 0.03 for at, size in zip(point[:2], TABLE_SIZE[:2], strict=True)):
        return False
    return put_at(bench, name, np.array([point[0], point[1], TABLE_HEIGHT]), quaternion, CLEAR)


def somewhere(bench: Bench, name: str, rng: np.random.Generator, *, upright: bool = False) -> bool:
    """Puts a thing on the table, wherever it is free."""
    turn = standing if upright else (lambda rng: as_it_may(bench, name, rng))
    return any(on_table(bench, name, free_spot(rng), turn(rng)) for _ in range(TRIES))


def stood_up(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Stands a thing on the table."""
    return somewhere(bench, goal.arguments[0], rng, upright=True)


def on_the_mat(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Stands a thing on the table, its middle over a marked place."""
    name, region = goal.arguments
    place = place_of(bench, region)
    return any(on_table(bench, name, place.inside(rng), standing(rng)) for _ in range(TRIES))


def away(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Puts a thing on the table, two tolerances or more from what it is to be away from."""
    name, other = goal.arguments
    return any(
        on_table(bench, name, free_spot(rng), as_it_may(bench, name, rng))
        and apart(outline(bench, name), outline(bench, other)) >= 2 * TOLERANCE
        for _ in range(TRIES)
    )


def beside(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Puts a thing at its side of another, with some room between their edges."""
    return put_beside(bench, goal, rng, (0.0, SECTOR - OFF), (0.5 * TOLERANCE, BESIDE_TO))


BESIDE_TO = FARTHEST_BESIDE - 2 * TOLERANCE


def put_beside(
    bench: Bench,
    goal: Goal,
    rng: np.random.Generator,
    off: tuple[float, float],
    gap: tuple[float, float],
) -> bool:
    """Puts a thing beside another: so far off its direction, with such a gap between the edges."""
    name, side, target = goal.arguments
    x, y = SIDES[side]
    facing, middle = math.atan2(y, x), bench.middle(target)
    for _ in range(TRIES):
        turn = facing + math.copysign(rng.uniform(*off), rng.uniform(-1.0, 1.0))
        direction = np.array([math.cos(turn), math.sin(turn), 0.0])
        quaternion, wanted = as_it_may(bench, name, rng), rng.uniform(*gap)
        far = _distance_for(bench, name, target, direction, quaternion, wanted)
        if on_table(bench, name, middle + far * direction, quaternion):
            return True
    return False


def _distance_for(
    bench: Bench,
    name: str,
    target: str,
    direction: Floats,
    quaternion: Quaternion,
    gap: float,
) -> float:
    """How far apart two middles are when there is such a gap between the edges."""
    middle = bench.middle(target)
    bench.put(name, frame_at(bench, name, middle, quaternion, TABLE_HEIGHT), quaternion)
    bench.forward()
    moved, still = outline(bench, name), outline(bench, target)
    low, high = 0.0, 1.0
    for _ in range(14):
        far = (low + high) / 2
        if apart(moved + far * direction[:2], still) < gap:
            low = far
        else:
            high = far
    return high


def slid(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Opens, closes or turns a part."""
    bench.slide(goal.arguments[0], rng.uniform(*SHARES[goal.predicate]))
    return True


def pushed(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Pushes a button down."""
    push_to(bench, goal.arguments[0], rng.uniform(*SHARES[goal.predicate]))
    return True


def push_to(bench: Bench, name: str, share: float) -> None:
    """Pushes a button with the force that its spring gives way to by a share of its travel."""
    part = bench.scene.parts[name]
    stiffness = float(bench.model.jnt_stiffness[part.joint])
    bench.push(name, share * part.part.travel * stiffness)


def held_up(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Takes a thing into the hand, high above the table."""
    return grip(bench, goal.arguments[0], rng, rng.uniform(LIFTED_FROM, LIFTED_TO))


def grip(bench: Bench, name: str, rng: np.random.Generator, height: float) -> bool:
    """Closes the hand around a thing that has been raised from where it is by `height`.

    Its weight is carried until the fingers have closed.
    """
    grasps = bench.scene.objects[name].shape.grasps
    if not grasps:
        return False
    first = bench.addresses[name]
    bench.data.qpos[first + 2] += height
    bench.forward()
    for k in rng.permutation(len(grasps))[:4]:
        reached = bench.hand.grasp(bench.data, name, grasps[int(k)])
        bench.forward()
        if reached and bench.robot_is_clear():
            break
    else:
        return False
    if height > 0.0:
        bench.carry(name)
    bench.close_hand(name)
    bench.carry(name, 0.0)
    return bench.squeezed(name)


TRUE: Mapping[str, Maker] = {
    "on": within,
    "in": within,
    "beside": beside,
    "upright": stood_up,
    "in-region": on_the_mat,
    "away-from": away,
    "lifted": held_up,
    "open": slid,
    "closed": slid,
    "turned": slid,
    "pressed": pushed,
}
"""Predicate to how its goal is made true."""
