"""Two rates of runs that did not meet the same episodes: weaker, and marked as such.

Rates are means over the tasks, each of the same weight. The test is Boschloo's and the intervals
are Newcombe's. Where tasks differ in size, or episodes share scenes, both take as many episodes as
would say the same were they independent and of one task; the test the nearest whole number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vlabench import stats
from vlabench.comparison.model import Kind, Line
from vlabench.comparison.pairs import Groups, Mask, changed
from vlabench.errors import NotComparableError
from vlabench.outcomes import Codes, Outcomes
from vlabench.stats.intervals import newcombe_interval
from vlabench.stats.paired import holm
from vlabench.stats.unpaired import boschloo
from vlabench.stats.verdict import Rule, Verdict, decide


@dataclass(frozen=True, eq=False)
class _Arm:
    """The episodes of one run that have an outcome, or some of them."""

    succeeded: Mask
    task: Codes
    scene: Codes

    def part(self, mask: Mask) -> _Arm:
        return _Arm(self.succeeded[mask], self.task[mask], self.scene[mask])

    @property
    def counts(self) -> tuple[float, float]:
        """Successes and trials, as many as independent episodes would say the same by."""
        effect = 1.0
        if len(np.unique(self.scene)) < len(self.succeeded):
            values = self.succeeded.astype(np.int64).tolist()
            effect, _ = stats.scene_design_effects(values, self.task.tolist(), self.scene.tolist())
        solved, trials = self._per_task
        likely = (solved + 2) / (trials + 4)
        variance = likely * (1 - likely)
        spread = effect * float(np.sum(variance / trials))
        effective = len(trials) * float(np.sum(variance)) / spread
        return min(effective, self.rate * effective), effective

    @property
    def rate(self) -> float:
        solved, trials = self._per_task
        return float(np.mean(solved / trials))

    @property
    def _per_task(self) -> tuple[Codes, Codes]:
        """Successes and trials of each task that has any."""
        trials = np.bincount(self.task)
        solved = np.bincount(self.task[self.succeeded], minlength=len(trials))
        return solved[trials > 0], trials[trials > 0]


def unpaired_verdict(base: Outcomes, new: Outcomes, rule: Rule) -> tuple[Verdict, Line]:
    """The verdict on all episodes of the tasks that both runs have, and its line.

    Raises:
        NotComparableError: If the runs have no task in common.
    """
    shared = shared_tasks(base, new)
    if not shared:
        raise NotComparableError(
            f"{base.source} (BASE) and {new.source} (NEW) have no task in common that success is "
            "compared by; compare runs of suites that share tasks."
        )
    arms = [_arm(outcomes, shared) for outcomes in (base, new)]
    line, worse, better = _line("overall", None, arms[0], arms[1], rule)
    verdict = decide(worse, better, line.difference, line.interval, rule)
    return verdict, replace(line, interval=verdict.interval)


def shared_tasks(base: Outcomes, new: Outcomes) -> frozenset[str]:
    """Tasks of which both runs have an outcome."""
    ran = [
        {task for task, present in zip(o.tasks, o.present, strict=True) if present}
        for o in (base, new)
    ]
    return frozenset(ran[0] & ran[1])


def unpaired_lines(
    base: Outcomes, new: Outcomes, rule: Rule
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """A line for each axis and for each task that both runs have."""
    shared = shared_tasks(base, new)
    groups = [Groups.of(outcomes) for outcomes in (base, new)]
    arms = [_arm(outcomes, shared) for outcomes in (base, new)]
    kept = [_kept(outcomes, shared) for outcomes in (base, new)]
    codes = {"axis": [g.axis for g in groups], "task": [g.task for g in groups]}
    names = {"axis": [g.axes for g in groups], "task": [g.tasks for g in groups]}

    def of(kind: Literal["axis", "task"]) -> list[tuple[Line, float, float]]:
        found = []
        for name in names[kind][0]:
            if name not in names[kind][1]:
                continue
            parts = [
                arm.part(code[mask] == listed.index(name))
                for arm, code, listed, mask in zip(
                    arms, codes[kind], names[kind], kept, strict=True
                )
            ]
            if all(len(part.succeeded) for part in parts):
                found.append(_line(kind, name, parts[0], parts[1], rule))
        return found

    axes = of("axis")
    worse, finer = holm([p for _, p, _ in axes]), holm([q for _, _, q in axes])
    lines = tuple(
        replace(
            line,
            p_value=p,
            outcome=changed(p, q, rule.alpha),
            interval=decide(own, other, line.difference, line.interval, rule).interval,
        )
        for (line, own, other), p, q in zip(axes, worse, finer, strict=True)
    )
    return lines, tuple(replace(line, p_value=None) for line, _, _ in of("task"))


def _arm(outcomes: Outcomes, tasks: frozenset[str]) -> _Arm:
    """The outcomes of these tasks."""
    groups = Groups.of(outcomes)
    return _Arm(outcomes.succeeded, groups.task, groups.scene).part(_kept(outcomes, tasks))


def _kept(outcomes: Outcomes, tasks: frozenset[str]) -> Mask:
    return outcomes.present & np.array([task in tasks for task in outcomes.tasks], dtype=np.bool_)


def _whole(rate: float, trials: float) -> tuple[int, int]:
    """Successes and trials as whole numbers, at least one trial."""
    whole = max(1, round(trials))
    return round(rate * whole), whole


def _line(
    kind: Kind, name: str | None, base: _Arm, new: _Arm, rule: Rule
) -> tuple[Line, float, float]:
    """The line, and the one-sided p-values of "worse" and of "better"."""
    (base_successes, base_n), (new_successes, new_n) = base.counts, new.counts
    counts = *_whole(base.rate, base_n), *_whole(new.rate, new_n)
    interval = newcombe_interval(new_successes, new_n, base_successes, base_n, rule.confidence)
    worse = boschloo(*counts, "greater") if kind != "task" else 1.0
    finer = boschloo(*counts, "less") if kind != "task" else 1.0
    line = Line(
        kind=kind,
        name=name,
        base_n=len(base.succeeded),
        new_n=len(new.succeeded),
        base_rate=base.rate,
        new_rate=new.rate,
        difference=new.rate - base.rate,
        interval=interval,
        base_only=None,
        new_only=None,
        p_value=worse,
    )
    return line, worse, finer
