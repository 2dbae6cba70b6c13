"""Combination: several things differ from nominal at once.

Two, three, or all of a pool, as far as they apply to the task, each at the first or the second of
its levels. What was taken, and at which level, is in the factor ``combination``; each draws from a
stream of its own, in the order in which an episode's changes are made.

The pool has the axes that leave the task as it is and whose changes can all be made together: no
two of them change the same factor. Not in it are those that bring in other things (distractors,
appearance, unseen instances and categories, composition) or another robot, which would decide the
episode by themselves; those that apply to few tasks only (articulation, horizon); those that change
the phrase, as the paraphrase does (referring, knowledge); those that change the goal or its time
(dynamic); and the diagnostic ones, which are not scored by success. "All" means all of the pool.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.axes.base import Axis, by_turn
from vlabench.envs.tasks.base import Task
from vlabench.registry import AXES
from vlabench.seeding import stream
from vlabench.types import Change, Json

FACTOR = "combination"

POOL: tuple[tuple[str, ...], ...] = (
    ("background",),
    ("camera",),
    ("lighting",),
    ("noise-blur", "noise-gaussian", "noise-jpeg", "noise-occlusion"),
    ("object-pose",),
    ("object-scale",),
    ("paraphrase",),
    ("physics",),
    ("robot-init",),
    ("table-texture",),
)
"""Where an entry has several axes, one of them is taken."""

_COUNTS: Mapping[str, int] = {"two": 2, "three": 3, "all": len(POOL)}

MILD = 2
"""So many of an axis's levels, from the mildest on, may occur."""


class Combination(Axis):
    """Two, three or all axes of a pool at once, each at one of its two mildest levels."""

    name = "combination"
    kind = "combination"
    levels = tuple(_COUNTS)

    def factors(self, task: Task) -> frozenset[str]:
        """What was taken, and all that the pool may change."""
        own = (
            factor for entry in _entries(task) for axis in entry for factor in axis.factors(task)
        )
        return frozenset({FACTOR, *own})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """The changes of some axes, one after another."""
        entries = _entries(task)
        count = min(_COUNTS[level], len(entries))
        taken = rng.choice(len(entries), count, replace=False).tolist()
        axes = [entries[k][int(rng.integers(len(entries[k])))] for k in taken]
        changes = {axis: _mild_level(axis, task, rng) for axis in axes}
        seed = int(rng.integers(2**63))
        drawn: dict[str, Json] = {
            FACTOR: sorted(str(Change(axis.name, mild)) for axis, mild in changes.items())
        }
        for axis in sorted(axes, key=by_turn):
            own = stream("combination", seed, axis.name, changes[axis])
            drawn |= axis.draw(task, {**nominal, **drawn}, changes[axis], own)
        return drawn


def _entries(task: Task) -> list[list[Axis]]:
    """The pool, without what does not apply to the task."""
    loaded = [[AXES.load(name)() for name in entry] for entry in POOL]
    return [entry for axes in loaded if (entry := [a for a in axes if a.levels_of(task)])]


def _mild_level(axis: Axis, task: Task, rng: np.random.Generator) -> str:
    return str(rng.choice(axis.levels_of(task)[:MILD]))
