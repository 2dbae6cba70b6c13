"""Distractors: more things stand on the table.

Two visual axes that add objects, which no sentence and no goal speaks of:

====== ==========
level  how many
====== ==========
L1     1-2
L2     3-4
L3     5-8
====== ==========

``distractors`` adds things of other kinds. ``confusable-distractors`` adds things of the kind of
the first object that a goal speaks of, in other colours, and when those run out, of kinds that are
most like it (a cup for a mug). So that the sentence stays as clear as it was, no two things that
could be called by one name have one colour. And so that it stays true, nothing is added that it
would mean too: no fruit where it says "the fruit", and nothing at all where it says "everything".

They stand anywhere on the table that the first exterior camera shows, but not in the way: not where
a fixture is or where it opens to, 8 cm from what a goal speaks of (less where the table is full),
and never tall between the camera and that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import mujoco
import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.draw import Disc, discs, extra_role, hides, measured, standing
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.objects.catalog import categories, category, draw_shape
from vlabench.envs.scene import roles_in
from vlabench.envs.tasks.base import EVERYTHING, Task
from vlabench.envs.views import FACTOR as CAMERA
from vlabench.envs.views import MAIN, View, view
from vlabench.seeding import uniform
from vlabench.types import Json

TABLE = ((-0.3, 0.3), (-0.36, 0.36))
"""Where they stand: the range of x and of y."""

GAPS = (0.08, 0.06, 0.04, 0.02)
"""Metres between them and what a goal speaks of: the first for which there is room."""

_BETWEEN = 0.015
"""Metres between them and everything else."""

_MARGIN = 0.03
"""The outer part of the frame of the first exterior camera in which none has its middle."""

_LEVELS: Mapping[str, tuple[int, int]] = {"L1": (1, 2), "L2": (3, 4), "L3": (5, 8)}


class Distractors(Axis):
    """More things, of other kinds."""

    name = "distractors"
    kind = "visual"
    levels = tuple(_LEVELS)
    turn = "extras"

    def applies(self, task: Task) -> bool:
        """Only where the sentence does not mean all that stands there."""
        return EVERYTHING not in task.exhaustive

    def factors(self, task: Task) -> frozenset[str]:
        """Everything about what is added."""
        most = max(most for _, most in _LEVELS.values())
        return frozenset(
            f"{extra_role(number)}.{what}"
            for number in range(1, most + 1)
            for what in ("category", "shape", "color", "pose")
        )

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """As many things as `level` says, and where they stand."""
        least, most = _LEVELS[level]
        count = int(rng.integers(least, most + 1))
        for _ in range(20):
            drawn: dict[str, Json] = {}
            for number in range(1, count + 1):
                role = extra_role(number)
                choices = self._wanted(task, {**nominal, **drawn})
                drawn |= _thing(role, (_unmeant(kinds, task) for kinds in choices), rng)
            if places := _places(task, nominal, drawn, rng):
                return drawn | places
        raise AssertionError(f"no room for {count} more things in {task.name}")

    def _wanted(self, task: Task, factors: Mapping[str, Json]) -> Iterator[list[Kind]]:
        """What to choose from, the best first."""
        yield _unlike(factors)


class ConfusableDistractors(Distractors):
    """More things of the kind that is spoken of, or of kinds most like it."""

    name = "confusable-distractors"

    def applies(self, task: Task) -> bool:
        """Only where a goal speaks of an object, and the sentence does not mean all objects."""
        return super().applies(task) and bool(task.goal_roles)

    def _wanted(self, task: Task, factors: Mapping[str, Json]) -> Iterator[list[Kind]]:
        own = category(factors[f"{task.goal_roles[0].name}.category"])
        alike = [
            name
            for name in categories("manipulated")
            if category(name).super_category == own.super_category
        ]
        yield _told_apart([own.name], factors)
        yield _told_apart(alike, factors)
        yield _unlike(factors)


# --- what ------------------------------------------------------------------------------------

Kind: TypeAlias = tuple[str, str]
"""A category and a colour."""


def _thing(role: str, choices: Iterator[list[Kind]], rng: np.random.Generator) -> dict[str, Json]:
    kinds = next(kinds for kinds in choices if kinds)
    name, color = kinds[int(rng.integers(len(kinds)))]
    return {
        f"{role}.category": name,
        f"{role}.color": color,
        f"{role}.shape": draw_shape(rng),
    }


def _unmeant(kinds: list[Kind], task: Task) -> list[Kind]:
    """Those that the sentence does not mean when it says "the fruit" or "all toys"."""
    return [kind for kind in kinds if category(kind[0]).super_category not in task.exhaustive]


def _unlike(factors: Mapping[str, Json]) -> list[Kind]:
    """Kinds that share no name with anything in the scene, in every colour they come in."""
    spoken = {word for role in roles_in(factors) for word in _names(factors[f"{role}.category"])}
    return [
        (name, color)
        for name in categories("manipulated")
        if spoken.isdisjoint(_names(name))
        for color in category(name).colors
    ]


def _told_apart(names: Sequence[str], factors: Mapping[str, Json]) -> list[Kind]:
    """Those kinds in colours that nothing has that could be called by the same name."""
    return [
        (name, color)
        for name in names
        for color in category(name).colors
        if not any(
            factors[f"{role}.color"] == color and _names(name) & _names(factors[f"{role}.category"])
            for role in roles_in(factors)
        )
    ]


def _names(name: str) -> frozenset[str]:
    return frozenset({name, *category(name).synonyms})


# --- where -----------------------------------------------------------------------------------


def _places(
    task: Task,
    nominal: Mapping[str, Json],
    things: Mapping[str, Json],
    rng: np.random.Generator,
) -> dict[str, Json]:
    """A pose for each of the things; empty if there is no room for all."""
    ground = _Ground.of(task, nominal)
    for gap in GAPS:
        for _ in range(3):
            taken = list(ground.taken)
            poses: dict[str, Json] = {}
            for role in roles_in(things):
                disc = measured(role, things)
                place = ground.free_place(disc, taken, gap, rng)
                if place is None:
                    break
                taken.append((place, disc))
                poses[f"{role}.pose"] = [*place, uniform(rng, -math.pi, math.pi)]
            else:
                return poses
    return {}


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is on the table already, and from where it is looked at."""

    taken: tuple[tuple[tuple[float, float], Disc], ...]
    blocked: tuple[_Rectangle, ...]
    camera: View

    @staticmethod
    def of(task: Task, factors: Mapping[str, Json]) -> _Ground:
        taken = standing(factors, discs(task))
        blocked = []
        for name in task.fixtures:
            if fixture(name).stand is not None:
                coordinates = tuple(factors[f"{name}.shape"])
                x, y, yaw = factors[f"{name}.pose"]
                blocked.append(_Rectangle(x, y, yaw, *_footprint(name, coordinates)))
                taken.append(((x, y), Disc(0.0, False, True)))
        return _Ground(tuple(taken), tuple(blocked), view(MAIN, factors[CAMERA]))

    def free_place(
        self,
        disc: Disc,
        taken: Sequence[tuple[tuple[float, float], Disc]],
        gap: float,
        rng: np.random.Generator,
    ) -> tuple[float, float] | None:
        """Somewhere a disc fits; None if none was found."""
        for _ in range(120):
            place = (uniform(rng, *TABLE[0]), uniform(rng, *TABLE[1]))
            if (
                self.camera.shows((*place, TABLE_HEIGHT), _MARGIN)
                and all(
                    math.dist(place, at)
                    >= disc.clearance + other.clearance + (gap if other.shown else _BETWEEN)
                    and not (disc.tall and other.shown and hides(place, at, self.camera.eye))
                    for at, other in taken
                )
                and not any(r.is_within(place, disc.clearance + gap) for r in self.blocked)
            ):
                return place
        return None


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A turned rectangle: a pose, and its sides in the frame of that pose."""

    x: float
    y: float
    yaw: float
    near: float
    far: float
    right: float
    left: float

    def is_within(self, place: tuple[float, float], distance: float) -> bool:
        """Whether a place is no further away than that."""
        dx, dy = place[0] - self.x, place[1] - self.y
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        along, across = c * dx + s * dy, c * dy - s * dx
        out = max(self.near - along, along - self.far, 0.0)
        aside = max(self.right - across, across - self.left, 0.0)
        return math.hypot(out, aside) <= distance


@lru_cache(maxsize=64)
def _footprint(name: str, coordinates: tuple[float, ...]) -> tuple[float, float, float, float]:
    """What a fixture covers of the table, closed and open: its range of x and y, in its frame."""
    kind = fixture(name)
    spec = mujoco.MjSpec()
    kind.add(spec, coordinates, sorted(kind.colors)[0], (0.0, 0.0, 0.0), 0.0)
    model = spec.compile()
    data = mujoco.MjData(model)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        for part in kind.parts:
            if part.travel:
                data.joint(f"{part.name} joint").qpos = share * part.travel
        mujoco.mj_kinematics(model, data)
        turn = np.abs(data.geom_xmat.reshape(-1, 3, 3))
        centre = data.geom_xpos[:, :2]
        half = (turn * model.geom_aabb[:, None, 3:]).sum(axis=2)[:, :2]
        low = np.minimum(low, (centre - half).min(axis=0))
        high = np.maximum(high, (centre + half).max(axis=0))
    (near, right), (far, left) = np.round(low, 3).tolist(), np.round(high, 3).tolist()
    return near, far, right, left
