"""Dynamic: something changes in the middle of the episode, when the hand is near.

A dynamic axis with one level a kind of event; the scene starts as its nominal twin does:

============ =========================================================== ==================
level        what happens                                                when the hand
============ =========================================================== ==================
light        every light falls to 0.4-0.6, or rises to 1.4-1.8, and its  is 15-20 cm away
             colour shifts by 0.3-0.6
camera       the exterior cameras turn by 3-6 degrees                    is 15-20 cm away
object       the thing to be handled slides by 5-10 cm                   is 15-20 cm away
target       where it is to go slides by 5-10 cm                         brings it to within
                                                                         15-20 cm
instruction  another goal of the same scene is asked for                 is 15-20 cm away
============ =========================================================== ==================

Distances are from the first thing that a goal speaks of; a hand that starts nearby must first come
nearer, see `vlabench.envs.events.APPROACH`. A mat slides when the hand comes near the thing that is
to be pushed onto it: once that is on its way there is no room left. A thing slides to a free place,
in 0.4 s, and only while the robot does not touch it; where it cannot within 2 s it stays, and the
record has no event. The level ``instruction`` applies to tasks that have
another goal in the same scene, ``object`` and ``target`` to those that move what stands free on
the table, and to places that stand free on it. None goes with a diagnostic: events wait for a hand
that does the nominal task, and what a diagnostic asks for is something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vlabench.envs.axes.base import Axis, Ring, TwoRings, another_cast, handled
from vlabench.envs.draw import as_they_are, discs, fits, on_table, reach, standing, within
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.tasks.base import Goal, Task
from vlabench.envs.world import instruction
from vlabench.seeding import DECIMALS, uniform
from vlabench.types import Json

FACTOR = "events"

NEAR = Ring(0.15, 0.2)
SHIFT = Ring(0.05, 0.1)
NUDGE = TwoRings(Ring(-6.0, -3.0), Ring(3.0, 6.0))
BRIGHTNESS = TwoRings(Ring(0.4, 0.6), Ring(1.4, 1.8))
WARMTH = TwoRings(Ring(-0.6, -0.3), Ring(0.3, 0.6))

SLACK = 0.04
"""Metres by which a thing may at last slide out of the area in which things start."""

_TRIES = 2000


class Dynamic(Axis):
    """One event in the middle of the episode."""

    name = "dynamic"
    kind = "dynamic"
    levels = ("light", "camera", "object", "target", "instruction")

    def levels_of(self, task: Task) -> tuple[str, ...]:
        """The kinds of event that can happen in an episode of this task."""
        missing = {
            "object": _object(task) is None,
            "target": _target(task) is None,
            "instruction": not task.others,
        }
        return tuple(level for level in self.levels if not missing.get(level, False))

    def factors(self, task: Task) -> frozenset[str]:
        """The list of events, and whether the episode is a diagnostic, which it must not be."""
        return frozenset({FACTOR, "diagnostic"})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The event that `level` names."""
        event: dict[str, Json] = {"near": _first_thing(task, nominal), "within_m": NEAR.draw(rng)}
        if level == "light":
            event["do"] = {
                "kind": "light",
                "intensity": BRIGHTNESS.draw(rng),
                "warmth": WARMTH.draw(rng),
            }
        elif level == "camera":
            turns = {f"{angle}_deg": NUDGE.draw(rng) for angle in ("azimuth", "elevation")}
            event["do"] = {"kind": "camera", **turns}
        elif level == "instruction":
            event["do"] = _another_goal(task, nominal, rng)
        else:
            what = (_object(task) if level == "object" else _target(task)) or ""
            what = nominal["cast"].get(what, what)
            event["near"] = what
            if level == "target":
                event |= _on_the_way(task, what)
            to = _free_place(task, nominal, _placed_as(task, what), rng)
            event["do"] = {"kind": "move", "what": what, "to": to}
        return {FACTOR: [event]}


def _first_thing(task: Task, factors: Mapping[str, Json]) -> str:
    """The object or part that the hand goes to first."""
    stages = task.asked(factors)
    return stages[0].goals[0].arguments[0]


def _on_the_way(task: Task, target: str) -> dict[str, Json]:
    """When `target` slides: with the thing in hand, or of a flat place before it is touched."""
    parts = (part for kind in map(fixture, task.fixtures) for part in kind.parts)
    flat = {part.name for part in parts if part.kind == "region"}
    return {"near" if target in flat else "touching": handled(task).name}


def _handling(task: Task) -> Goal | None:
    """The goal that wants the first handled thing somewhere else."""
    goals = (goal for stage in task.stages for goal in stage.goals)
    handled = task.handled
    return next((g for g in goals if handled and g.arguments[0] == handled.name), None)


def _object(task: Task) -> str | None:
    """The thing to be handled, if it stands free on the table."""
    handled = task.handled
    return handled.name if handled is not None and handled.on is None else None


def _target(task: Task) -> str | None:
    """The argument that says where the handled thing is to go, if that stands free on the table."""
    goal = _handling(task)
    if goal is None or _object(task) is None:
        return None
    carrying = {role.on for role in task.roles}
    free = {role.name for role in task.roles if role.on is None and role.name not in carrying}
    kinds = map(fixture, task.fixtures)
    free |= {part.name for kind in kinds if kind.stand is None for part in kind.parts}
    places = (a for a in reversed(goal.arguments[1:]) if free >= set(task.choices.get(a, (a,))))
    return next(places, None)


def _placed_as(task: Task, name: str) -> str:
    """What the factors call the place of an object, or of a part of a fixture."""
    kinds = map(fixture, task.fixtures)
    return next((kind.name for kind in kinds for p in kind.parts if p.name == name), name)


def _free_place(
    task: Task, factors: Mapping[str, Json], name: str, rng: np.random.Generator
) -> list[float]:
    """A place nearby that can be slid to.

    Raises:
        AssertionError: If there is none.
    """
    x, y, _ = factors[f"{name}.pose"]
    known = as_they_are(factors, discs(task))
    disc, others = known[name], standing(factors, known, without=name)
    for attempt in range(_TRIES):
        if attempt == _TRIES // 2:  # rather out of sight than not at all
            disc = replace(disc, tall=False, shown=False)
            others = [(at, replace(other, tall=False, shown=False)) for at, other in others]
        slack = SLACK * attempt / _TRIES
        angle, shift = uniform(rng, 0.0, 2 * math.pi), SHIFT.draw(rng)
        place = (x + shift * math.cos(angle), y + shift * math.sin(angle))
        inside = within(place, reach(task), slack) and on_table(place, disc)
        half_way = ((x + place[0]) / 2, (y + place[1]) / 2)
        if inside and all(fits(at, disc, others) for at in (half_way, place)):
            return [round(v, DECIMALS) for v in place]
    raise AssertionError(f"no room for the {name} of {task.name} to slide")


def _another_goal(
    task: Task, factors: Mapping[str, Json], rng: np.random.Generator
) -> dict[str, Json]:
    """Another cast of the same scene, and the sentence that says it."""
    cast = another_cast(task, factors, rng)
    sentence = instruction({**factors, "cast": cast})
    return {"kind": "instruction", "cast": cast, "sentence": sentence}
