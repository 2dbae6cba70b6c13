"""Draws the nominal scene of a task: every factor from its own named stream.

Places are drawn in discs whose size depends on the role, never on the shape that fills it: so a
change of shape or category leaves every place as it was. Metres and radians, in the frame of
`vlabench.envs.scene`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from vlabench.envs.axes import lighting
from vlabench.envs.fixtures import cabinet
from vlabench.envs.language import draw_phrase
from vlabench.envs.materials import TABLE_TOPS
from vlabench.envs.objects.catalog import categories, category, draw_shape
from vlabench.envs.scene import roles_in
from vlabench.envs.tasks.base import DISTRACTOR, Role, Task
from vlabench.seeding import stream, uniform
from vlabench.types import Json

EMBODIMENT = "panda"

REACH = ((-0.14, 0.13), (-0.25, 0.25))
"""Where objects are put: the range of x and of y. Nearer to the robot its elbow meets its limit,
further away its arm is stretched."""

REACH_BESIDE_CABINET = ((-0.14, 0.13), (-0.28, -0.1))

CABINET_X = (-0.06, 0.06)
CABINET_Y = 0.31
CABINET_TURN = math.radians(20.0)
"""The cabinet stands at the robot's left; its drawers open towards the middle."""

GAP = 0.02
"""Metres between the discs of two roles, so that a hand fits."""

JOINTS = 7
JOINT_NOISE = 0.02
"""Radians by which each joint may start away from home."""


def nominal_factors(task: Task, seed: int, index: int) -> dict[str, Json]:
    """Every factor of the nominal episode `index` of `task`."""

    def rng(factor: str) -> np.random.Generator:
        return stream("factor", seed, task.name, index, factor)

    factors: dict[str, Json] = {
        "embodiment": EMBODIMENT,
        "robot": _joint_offsets(rng("robot")),
        "table": str(rng("table").choice(sorted(TABLE_TOPS))),
        lighting.FACTOR: dict(lighting.NOMINAL),
        "phrase": asdict(draw_phrase(task.name, "seen", rng("phrase"))),
    }
    if task.cabinet:
        factors |= _cabinet_factors(task, rng)
    for role in task.roles:
        draw = rng(f"{role.name}.category")
        factors[f"{role.name}.category"] = draw_category(role, factors, draw)
        factors[f"{role.name}.shape"] = draw_shape(rng(f"{role.name}.shape"))
        factors[f"{role.name}.color"] = draw_color(role.name, factors, rng(f"{role.name}.color"))
    factors |= _places(task, rng("places"))
    return factors


def draw_category(
    role: Role, factors: Mapping[str, Json], rng: np.random.Generator, *, unseen: bool = False
) -> str:
    """A category that may play `role`; a distractor is of no category that is in the scene."""
    choices = categories(role.kind, "unseen" if unseen else "seen")
    if role is DISTRACTOR:
        taken = {v for key, v in factors.items() if key.endswith(".category")}
        choices = [name for name in choices if name not in taken]
    return str(rng.choice(choices))


def draw_color(role: str, factors: Mapping[str, Json], rng: np.random.Generator) -> str:
    """A colour of the category that plays `role`, so that no two things have the same name."""
    name = factors[f"{role}.category"]
    taken = {
        factors[f"{other}.color"]
        for other in roles_in(factors)
        if other != role and factors[f"{other}.category"] == name and f"{other}.color" in factors
    }
    return str(rng.choice([c for c in category(name).colors if c not in taken]))


def free_place(
    around: Mapping[str, tuple[float, float]],
    clearances: Mapping[str, float],
    role: str,
    place: tuple[float, float],
) -> bool:
    """Whether the disc of `role` at `place` keeps its distance from all discs in `around`."""
    return all(
        math.dist(place, other) >= clearances[role] + clearances[name] + GAP
        for name, other in around.items()
        if name != role
    )


def reach(task: Task) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ranges of x and y in which the task's objects stand."""
    return REACH_BESIDE_CABINET if task.cabinet else REACH


def _places(task: Task, rng: np.random.Generator) -> dict[str, Json]:
    """A pose (x, y, yaw) for every role; starts over when the last one finds no room."""
    clearances = {role.name: role.clearance for role in task.roles}
    (left, right), (near, far) = reach(task)
    while True:
        placed: dict[str, tuple[float, float]] = {}
        for role in task.roles:
            for _ in range(50):
                place = (uniform(rng, left, right), uniform(rng, near, far))
                if free_place(placed, clearances, role.name, place):
                    placed[role.name] = place
                    break
        if len(placed) == len(task.roles):
            break
    return {
        f"{name}.pose": [x, y, uniform(rng, -math.pi, math.pi)] for name, (x, y) in placed.items()
    }


def _joint_offsets(rng: np.random.Generator) -> list[float]:
    return [uniform(rng, -JOINT_NOISE, JOINT_NOISE) for _ in range(JOINTS)]


def _cabinet_factors(task: Task, rng: Callable[[str], np.random.Generator]) -> dict[str, Json]:
    place = rng("cabinet.pose")
    top_only = len(task.stages) > 1
    return {
        "cabinet.shape": draw_shape(rng("cabinet.shape")),
        "cabinet.color": str(rng("cabinet.color").choice(sorted(cabinet.COLORS))),
        "cabinet.pose": [
            uniform(place, *CABINET_X),
            CABINET_Y,
            uniform(place, -math.pi / 2 - CABINET_TURN, -math.pi / 2 + CABINET_TURN),
        ],
        "cabinet.drawer": 0 if top_only else int(rng("cabinet.drawer").integers(2)),
    }
