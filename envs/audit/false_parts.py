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


def _slid_back(bench: Bench, goal: Goal) -> bool:
    """Puts a part where it was at the start of the episode, unless it was as it is to be."""
    low, high = SHORT[goal.predicate]
    return low <= bench.slide_back(goal.arguments[0]) <= high
