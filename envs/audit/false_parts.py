"""States in which a part of a fixture is not as it was to be.

They are functions like those in `vlabench.envs.audit.makers`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlabench.envs.audit.bench import Bench
from vlabench.envs.audit.makers import TRUE, push_to
from vlabench.envs.tasks.base import Goal

SHORT: Mapping[str, tuple[float, float]] = {
    "open": (0.0, 0.6),
    "closed": (0.18, 1.0),
    "turned": (0.0, 0.7),
    "pressed": (0.0, 0.6),
}
"""Shares of its travel at which a part is not yet as it is to be: 10 % of the travel, which is two
tolerances, short of the limit at the least."""


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


def can_be_left(bench: Bench, goal: Goal) -> bool:
    """The part does not start as it is to be."""
    found = bench.scene.parts[goal.arguments[0]]
    low, high = SHORT[goal.predicate]
    start = bench.scene.starts[found.qpos] if found.qpos is not None else 0.0
    return low <= start / found.part.travel <= high


def can_be_another(bench: Bench, goal: Goal) -> bool:
    """The same, and there is another part of its kind, of which no goal speaks."""
    return can_be_left(bench, goal) and bool(_others(bench, goal))


def untouched(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """The part is as the episode starts."""
    del rng
    bench.slide_back(goal.arguments[0])
    return True


def another_part(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
    """Another part of its kind is as this one is to be, and this one as it was."""
    bench.slide_back(goal.arguments[0])
    instead = Goal(goal.predicate, (str(rng.choice(_others(bench, goal))),))
    return TRUE[goal.predicate](bench, instead, rng)


def _others(bench: Bench, goal: Goal) -> list[str]:
    """The other parts of its kind, of which no goal speaks."""
    parts = bench.scene.parts
    kind = parts[goal.arguments[0]].part.kind
    return [
        name
        for name, part in parts.items()
        if part.part.kind == kind and name not in bench.spoken_of
    ]
