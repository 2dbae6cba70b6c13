"""Object pose: the thing to be handled starts elsewhere, and turned.

A behaviour axis. Each level is a ring around the nominal pose:

====== ============= =================
level  moved by      turned by
====== ============= =================
L1     3-6 cm        5-15 degrees
L2     6-12 cm       15-45 degrees
L3     12-20 cm      45-180 degrees
====== ============= =================

What is moved is what the first such goal of the task speaks of; a thing that stands on another is
moved together with it. Where a task moves no object, its fixture is moved instead: one that stands
among the objects as they are; any other along its row by 3-5, 5-8 and 8-11 cm, and turned by up to
5, 5-10 and 10-15 degrees, because it must still face the robot's reach.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.draw import as_they_are, discs, fits, on_table, reach, standing, within
from vlabench.envs.fixtures.base import Fixture, Stand, fixture
from vlabench.envs.tasks.base import Task
from vlabench.seeding import DECIMALS, uniform
from vlabench.types import Json


@dataclass(frozen=True, slots=True)
class _Level:
    shift: Ring
    turn: Ring
    fixture_shift: Ring
    fixture_turn: Ring


def _level(shift: Ring, turn_deg: Ring, fixture_shift: Ring, fixture_deg: Ring) -> _Level:
    turn, fixture_turn = (
        Ring(math.radians(r.low), math.radians(r.high)) for r in (turn_deg, fixture_deg)
    )
    return _Level(shift, turn, fixture_shift, fixture_turn)


_LEVELS: Mapping[str, _Level] = {
    "L1": _level(Ring(0.03, 0.06), Ring(5, 15), Ring(0.03, 0.05), Ring(0, 5)),
    "L2": _level(Ring(0.06, 0.12), Ring(15, 45), Ring(0.05, 0.08), Ring(5, 10)),
    "L3": _level(Ring(0.12, 0.2), Ring(45, 180), Ring(0.08, 0.11), Ring(10, 15)),
}


class ObjectPose(Axis):
    """Where the object (or the fixture) starts and how it is turned, in three rings."""

    name = "object-pose"
    kind = "behaviour"
    levels = tuple(_LEVELS)

    def factors(self, task: Task) -> frozenset[str]:
        """The pose of the thing, and of what it stands on."""
        role = task.handled
        if role is None:
            return frozenset({f"{_fixture(task).name}.pose"})
        return frozenset(f"{name}.pose" for name in (role.name, role.on) if name is not None)

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A pose from the ring of `level`, within reach and free of the other objects."""
        rings, role = _LEVELS[level], task.handled
        if role is None:
            kind = _fixture(task)
            pose = nominal[f"{kind.name}.pose"]
            if kind.stand is not None:
                moved = _moved_along_its_row(kind.stand, pose, rings, rng)
            else:
                moved = _moved(task, nominal, kind.name, rings, rng)
            return {f"{kind.name}.pose": moved}
        x, y, turned = _moved(task, nominal, role.on or role.name, rings, rng)
        if role.on is None:
            return {f"{role.name}.pose": [x, y, turned]}
        turn = turned - nominal[f"{role.on}.pose"][2]
        yaw = round(nominal[f"{role.name}.pose"][2] + turn, DECIMALS)
        return {f"{role.on}.pose": [x, y, turned], f"{role.name}.pose": [x, y, yaw]}


_CONCESSIONS = (
    (0.0, 0.0),
    (0.02, 0.0),
    (0.04, 0.0),
    (0.04, 0.01),
    (0.06, 0.015),
    (0.08, 0.02),
    (0.1, 0.02),
)
"""Where the scene is too full: metres by which the area may be left, and by which the thing may be
nearer to the others than they are to each other. From the second on, things count as wide as they
are, not as their roles may be."""

_TRIES = 400


def _moved(
    task: Task,
    nominal: Mapping[str, Json],
    name: str,
    rings: _Level,
    rng: np.random.Generator,
) -> list[float]:
    """Another pose for what stands among the objects."""
    x, y, yaw = nominal[f"{name}.pose"]
    turn = rings.turn.draw(rng) * _sign(rng)
    known = discs(task)
    others = standing(nominal, known, without=name)
    for slack, nearer in _CONCESSIONS:
        disc = replace(known[name], clearance=known[name].clearance - nearer)
        for _ in range(_TRIES):
            angle, shift = uniform(rng, 0.0, 2 * math.pi), rings.shift.draw(rng)
            place = (x + shift * math.cos(angle), y + shift * math.sin(angle))
            if (
                within(place, reach(task), slack)
                and on_table(place, known[name])
                and fits(place, disc, others)
            ):
                return [round(v, DECIMALS) for v in (*place, yaw + turn)]
        known = as_they_are(nominal, known)
        others = standing(nominal, known, without=name)
    raise AssertionError(f"no room to move the {name} of {task.name}")


def _fixture(task: Task) -> Fixture:
    """The fixture that the task is about: the first that has a stand, or else the first."""
    kinds = [fixture(name) for name in task.fixtures]
    return next((kind for kind in kinds if kind.stand is not None), kinds[0])


def _moved_along_its_row(
    stand: Stand, pose: list[float], rings: _Level, rng: np.random.Generator
) -> list[float]:
    """Along its row and turned, both towards the middle of where it may stand."""
    x, y, yaw = pose
    shift = rings.fixture_shift.draw(rng) * (-1 if x > sum(stand.x) / 2 else 1)
    turn = rings.fixture_turn.draw(rng) * (-1 if yaw > sum(stand.yaw) / 2 else 1)
    return [round(v, DECIMALS) for v in (x + shift, y, yaw + turn)]


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1
