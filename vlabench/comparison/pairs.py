"""Counting pairs: the same episode by two policies, task by task and scene by scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from vlabench import stats
from vlabench.comparison.model import UNCHANGED, Kind, Line
from vlabench.outcomes import Codes, Outcomes
from vlabench.stats.verdict import Rule, Verdict, judge_strata
from vlabench.types import Floats

COMBINATION = "combination"
"""What episodes that change several axes at once are filed under."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which task, axis and scene each episode of a run belongs to, as codes from 0.

    Attributes:
        tasks: Names of the tasks, in order.
        axes: Names of the axes, in order; the unchanged episodes first.
        task: ``(N,)``, places in `tasks`.
        axis: ``(N,)``, places in `axes`.
        scene: ``(N,)``; episodes of one scene share a number.
    """

    tasks: Sequence[str]
    axes: Sequence[str]
    task: Codes
    axis: Codes
    scene: Codes

    @staticmethod
    def of(outcomes: Outcomes) -> Groups:
        """The groups of a run's episodes."""
        tasks, task = _coded(outcomes.tasks)
        filed = {changes: _axis(changes) for changes in set(outcomes.changes)}
        axes, axis = _coded([filed[changes] for changes in outcomes.changes])
        keys = np.stack([task, outcomes.seeds, outcomes.indices])
        return Groups(tasks, axes, task, axis, _numbered(keys))


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs that have both halves, or some of them.

    Attributes:
        base: ``(N,)``, whether the base succeeded.
        new: ``(N,)``, whether the new run did.
        task: ``(N,)``, a number for each task.
        scene: ``(N,)``, a number for each scene.
    """

    base: Mask
    new: Mask
    task: Codes
    scene: Codes

    def __len__(self) -> int:
        return len(self.base)

    def part(self, mask: Mask) -> Pairs:
        """Those that `mask` picks."""
        return Pairs(self.base[mask], self.new[mask], self.task[mask], self.scene[mask])

    @property
    def difference(self) -> Codes:
        """``(N,)``: 1 where only the new run succeeded, -1 where only the base did."""
        return self.new.astype(np.int64) - self.base.astype(np.int64)

    @property
    def base_only(self) -> int:
        """Pairs in which only the base succeeded."""
        return int(np.count_nonzero(self.base & ~self.new))

    @property
    def new_only(self) -> int:
        """Pairs in which only the new run did."""
        return int(np.count_nonzero(self.new & ~self.base))

    def per_task(self, of: Mask | None = None) -> Codes:
        """How many pairs each task has, of those that `of` picks; tasks without pairs left out."""
        counts = np.bincount(self.task)
        picked = counts if of is None else np.bincount(self.task[of], minlength=len(counts))
        return np.asarray(picked[counts > 0], dtype=np.int64)

    @property
    def balanced(self) -> bool:
        """Whether every task has the same number of pairs."""
        return len(set(self.per_task().tolist())) == 1

    @cached_property
    def scenes(self) -> int:
        """How many scenes they use."""
        return int(np.count_nonzero(np.bincount(self.scene)))

    @property
    def design_effect(self) -> float:
        """How many times larger a variance is because pairs share scenes; 1 if none does."""
        return self._effects[0]

    @property
    def null_effect(self) -> float:
        """The same for the test that there is no difference; at least as large."""
        return self._effects[1]

    @cached_property
    def _effects(self) -> tuple[float, float]:
        if self.scenes == len(self):
            return 1.0, 1.0
        difference = self.difference.tolist()
        return stats.scene_design_effects(difference, self.task.tolist(), self.scene.tolist())


def scene_values(difference: Floats, pairs: Pairs) -> Floats:
    """``(S,)``: what each scene brings to the mean over tasks; the mean of these is that mean."""
    counts = np.maximum(np.bincount(pairs.task), 1)
    share = difference / counts[pairs.task] / len(pairs.per_task())
    scenes, place = np.unique(pairs.scene, return_inverse=True)
    return np.asarray(np.bincount(place, weights=share) * len(scenes), dtype=np.float64)


def verdict_of(pairs: Pairs, rule: Rule) -> Verdict:
    """The verdict on a fixed number of pairs."""
    return judge_strata(
        *counts_of(pairs), rule, design_effect=pairs.design_effect, null_effect=pairs.null_effect
    )


def counts_of(pairs: Pairs) -> tuple[list[int], list[int], list[int]]:
    """Per task, pairs that only the base solved, that only the new run did, and all."""
    lost, won = pairs.base & ~pairs.new, pairs.new & ~pairs.base
    return (
        pairs.per_task(lost).tolist(),
        pairs.per_task(won).tolist(),
        pairs.per_task().tolist(),
    )


def line_of(kind: Kind, name: str | None, pairs: Pairs, verdict: Verdict) -> Line:
    """What is said of `pairs`; the verdict on them is known."""
    counts = pairs.per_task()
    return Line(
        kind=kind,
        name=name,
        base_n=len(pairs),
        new_n=len(pairs),
        base_rate=float(np.mean(pairs.per_task(pairs.base) / counts)),
        new_rate=float(np.mean(pairs.per_task(pairs.new) / counts)),
        difference=verdict.difference,
        interval=verdict.interval,
        base_only=pairs.base_only,
        new_only=pairs.new_only,
        p_value=verdict.p_value if kind != "task" else None,
    )


def better(pairs: Pairs) -> float:
    """The one-sided mid-p value of "the new run is better"."""
    lost, won, _ = stats.effective_counts(*counts_of(pairs), design_effect=pairs.null_effect)
    return stats.mcnemar_midp(won, lost, "greater")


def changed(worse: float, better: float, alpha: float) -> Literal["REGRESSED", "IMPROVED"] | None:
    """What two adjusted p-values of an axis say."""
    if worse <= alpha:
        return "REGRESSED"
    return "IMPROVED" if better <= alpha else None


def _axis(changes: Sequence[object]) -> str:
    if not changes:
        return UNCHANGED
    return COMBINATION if len(changes) > 1 else str(changes[0]).partition(":")[0]


def _numbered(keys: Codes) -> Codes:
    """``(N,)``: a number for each column of ``(K, N)``; equal columns share one."""
    order = np.lexsort(keys)
    ordered = keys[:, order]
    begins = np.append(False, np.any(ordered[:, 1:] != ordered[:, :-1], axis=0))[: keys.shape[1]]
    numbers = np.empty(keys.shape[1], dtype=np.int64)
    numbers[order] = np.cumsum(begins)
    return numbers


def _coded(names: Sequence[str]) -> tuple[list[str], Codes]:
    """The different names in order, the unchanged first, and the place of each in them."""
    different = sorted(set(names), key=lambda name: (name != UNCHANGED, name))
    place = {name: number for number, name in enumerate(different)}
    return different, np.array([place[name] for name in names], dtype=np.int64)
