"""Two rates of runs that did not meet the same episodes: weaker, and marked as such.

The test is Boschloo's and the intervals are Newcombe's, of pooled counts. Where episodes share
scenes, both take as many episodes as would say the same were they independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vlabench.comparison.model import Kind, Line
from vlabench.comparison.pairs import Groups, Mask, changed, shared_scenes
from vlabench.errors import UsageError
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
    def counts(self) -> tuple[int, int]:
        """Successes and trials, as many as independent episodes would say the same by."""
        successes, trials = int(np.count_nonzero(self.succeeded)), len(self.succeeded)
        if len(np.unique(self.scene)) == trials:
            return successes, trials
        effect = shared_scenes(self.succeeded, self.task, self.scene)
        effective = max(1, round(trials / effect))
        return round(successes * effective / trials), effective

    @property
    def rate(self) -> float:
        return float(np.mean(self.succeeded))


def unpaired_verdict(base: Outcomes, new: Outcomes, rule: Rule) -> tuple[Verdict, Line]:
    """The verdict on all episodes, and its line.

    Raises:
        UsageError: If a run has no episode that success is compared by.
    """
    arms = [_arm(outcomes, Groups.of(outcomes)) for outcomes in (base, new)]
    for outcomes, arm in zip((base, new), arms, strict=True):
        if not len(arm.succeeded):
            raise UsageError(
                f"{outcomes.source} has no episode that success is compared by; compare runs of a "
                "suite that is not made of diagnostics alone."
            )
    line, worse, _ = _line("overall", None, arms[0], arms[1], rule)
    return decide(worse, line.difference, line.interval, rule), line


def unpaired_lines(
    base: Outcomes, new: Outcomes, rule: Rule
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """A line for each axis and for each task that both runs have."""
    groups = [Groups.of(outcomes) for outcomes in (base, new)]
    arms = [_arm(outcomes, group) for outcomes, group in zip((base, new), groups, strict=True)]
    codes = {"axis": [g.axis for g in groups], "task": [g.task for g in groups]}
    names = {"axis": [g.axes for g in groups], "task": [g.tasks for g in groups]}

    def of(kind: Literal["axis", "task"]) -> list[tuple[Line, float, float]]:
        found = []
        for name in names[kind][0]:
            if name not in names[kind][1]:
                continue
            parts = [
                arm.part(code[outcomes.present] == listed.index(name))
                for arm, code, listed, outcomes in zip(
                    arms, codes[kind], names[kind], (base, new), strict=True
                )
            ]
            if all(len(part.succeeded) for part in parts):
                found.append(_line(kind, name, parts[0], parts[1], rule))
        return found

    axes = of("axis")
    worse, finer = holm([p for _, p, _ in axes]), holm([q for _, _, q in axes])
    lines = tuple(
        replace(line, p_value=p, outcome=changed(p, q, rule.alpha))
        for (line, _, _), p, q in zip(axes, worse, finer, strict=True)
    )
    return lines, tuple(replace(line, p_value=None) for line, _, _ in of("task"))


def _arm(outcomes: Outcomes, groups: Groups) -> _Arm:
    return _Arm(outcomes.succeeded, groups.task, groups.scene).part(outcomes.present)


def _line(
    kind: Kind, name: str | None, base: _Arm, new: _Arm, rule: Rule
) -> tuple[Line, float, float]:
    """The line, and the one-sided p-values of "worse" and of "better"."""
    (base_successes, base_n), (new_successes, new_n) = base.counts, new.counts
    counts = base_successes, base_n, new_successes, new_n
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
