"""Is the new policy worse than the base? One rule, of paired counts alone.

With the difference in success rate, new less base, and its interval of coverage 1 - 2 alpha:

- ``REGRESSED`` if it is negative and the one-sided mid-p value is at most alpha;
- ``IMPROVED`` if the interval lies above 0, and so does the test the other way round;
- ``NON-INFERIOR`` if the interval lies above -margin;
- ``INCONCLUSIVE`` otherwise: there are too few pairs to say.

A policy can be worse for certain and yet not by much: such a regression, whose interval lies above
the smallest drop that matters, is a warning and no failure.

Test and interval are of the same number, the mean over tasks: McNemar's mid-p value and Tango's
interval of the same effective counts. Where few pairs differ the mid-p value is the more cautious
of the two; an interval then reaches to 0 where the test does not refuse 0, so that none lies below
0 without a regression, and none above 0 without an improvement.

Throughout, `b` counts the pairs in which only the base succeeded and `c` those in which only the
new policy did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlabench.stats.aggregate import effective_counts, stratified_gap
from vlabench.stats.intervals import Interval
from vlabench.stats.paired import mcnemar_midp

Outcome: TypeAlias = Literal["REGRESSED", "IMPROVED", "NON-INFERIOR", "INCONCLUSIVE"]

ALPHA = 0.05
"""One-sided: how often a policy that is as good as the base may be called worse."""

MARGIN = 0.05
"""The largest drop of the success rate that still counts as not worse."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a verdict is measured by.

    Attributes:
        alpha: Share of false alarms that is allowed, one-sided, above 0 and below 1/2.
        margin: The largest drop of the success rate that still counts as not worse, above 0.
        min_effect: A regression that is shown to be smaller is a warning; `margin` if None, and
            0 to fail on every regression.

    Raises:
        ValueError: If one of them is out of range.
    """

    alpha: float = ALPHA
    margin: float = MARGIN
    min_effect: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha}; it lies above 0 and below 0.5.")
        if not 0 < self.margin < 1:
            raise ValueError(f"The margin is {self.margin}; it lies between 0 and 1.")
        if self.min_effect is not None and not 0 <= self.min_effect < 1:
            raise ValueError(
                f"The smallest effect is {self.min_effect}; it is at least 0, under 1."
            )

    @property
    def confidence(self) -> float:
        """Coverage of the interval that goes with a one-sided test at `alpha`."""
        return 1 - 2 * self.alpha

    @property
    def tolerated(self) -> float:
        """Regressions that are shown to be smaller than this are no failures."""
        return self.margin if self.min_effect is None else self.min_effect


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of a new policy against the base.

    Attributes:
        outcome: See the module.
        difference: Success rate of the new policy less that of the base.
        interval: Of the difference, with coverage 1 - 2 alpha.
        p_value: One-sided mid-p value of "the new policy is worse"; None of a verdict that was
            reached pair by pair.
        rule: What it was measured by.
    """

    outcome: Outcome
    difference: float
    interval: Interval
    p_value: float | None
    rule: Rule

    @property
    def tolerable(self) -> bool:
        """Whether it is a regression that is shown to be too small to matter."""
        return self._below(self.rule.tolerated)

    @property
    def failed(self) -> bool:
        """Whether it is a regression that matters."""
        return self.outcome == "REGRESSED" and not self.tolerable

    @property
    def non_inferior(self) -> bool:
        """Whether the new policy is shown to be worse by no more than the margin."""
        if self.outcome in ("IMPROVED", "NON-INFERIOR"):
            return True
        return self._below(self.rule.margin)

    def _below(self, drop: float) -> bool:
        """Whether it is a regression, and its interval is to be trusted and lies above -`drop`."""
        fixed = self.p_value is not None
        return self.outcome == "REGRESSED" and fixed and self.interval.low > -drop


def decide(
    worse: float, better: float, difference: float, interval: Interval, rule: Rule
) -> Verdict:
    """The verdict on a difference, whichever way its p-values and its interval were found.

    Args:
        worse: One-sided p-value of "the new policy is worse".
        better: One-sided p-value of "the new policy is better".
        difference: Success rate of the new policy less that of the base.
        interval: Of the difference, with coverage 1 - 2 alpha.
        rule: What to measure by.
    """
    outcome: Outcome = "INCONCLUSIVE"
    if worse > rule.alpha and interval.high < 0:
        interval = Interval(interval.low, 0.0)
    if better > rule.alpha and interval.low > 0:
        interval = Interval(0.0, interval.high)
    if worse <= rule.alpha and difference < 0:
        outcome = "REGRESSED"
    elif interval.low > 0:
        outcome = "IMPROVED"
    elif interval.low > -rule.margin:
        outcome = "NON-INFERIOR"
    return Verdict(outcome, difference, interval, worse, rule)


def judge(b: int, c: int, pairs: int, *, alpha: float = ALPHA, margin: float = MARGIN) -> Verdict:
    """The verdict on pairs that are independent of each other, by McNemar's test and Tango.

    Args:
        b: Pairs in which only the base succeeded.
        c: Pairs in which only the new policy did.
        pairs: All pairs, those that agree included; above 0.
        alpha: As in `Rule`.
        margin: As in `Rule`.

    Raises:
        ValueError: If there are no pairs, or the counts or the rule make no sense.
    """
    return judge_strata([b], [c], [pairs], Rule(alpha, margin))


def judge_strata(
    b: Sequence[int],
    c: Sequence[int],
    pairs: Sequence[int],
    rule: Rule,
    *,
    design_effect: float = 1.0,
    null_effect: float | None = None,
) -> Verdict:
    """The verdict on the mean over strata, such as tasks, each of the same weight.

    Pairs that share a scene succeed and fail together, so they count for fewer: the design effect
    says for how many. Where every pair has a scene of its own and strata are equally large, the
    test is McNemar's of the pooled counts.

    Args:
        b: Per stratum, pairs in which only the base succeeded.
        c: Per stratum, pairs in which only the new policy did.
        pairs: Per stratum, each above 0.
        rule: What to measure by.
        design_effect: What `vlabench.stats.scene_design_effects` says first, where scenes are
            shared.
        null_effect: What it says second; the design effect if None.

    Raises:
        ValueError: If there is no stratum, one has no pairs, or counts make no sense.
    """
    difference, interval = stratified_gap(
        c, b, pairs, confidence=rule.confidence, design_effect=design_effect
    )
    lost, won, _ = effective_counts(b, c, pairs, design_effect=null_effect or design_effect)
    worse, better = (mcnemar_midp(lost, won, side) for side in ("greater", "less"))
    return decide(worse, better, difference, interval, rule)


def judge_sequence(
    fired: Literal["regressed", "non-inferior"] | None,
    b: Sequence[int],
    c: Sequence[int],
    pairs: Sequence[int],
    rule: Rule,
) -> Verdict:
    """The verdict of a gate that was fed pair by pair and stopped when it fired.

    The gate's e-values allow for the looking; the interval does not, and says only where the
    difference stood when it stopped. So a regression is never called tolerable by it. The gate
    counts pairs and not tasks: where tasks differ in size and the mean over them contradicts what
    it said, nothing is decided.

    Args:
        fired: What the gate said; None if it said nothing up to the last pair.
        b: Per stratum, pairs fed in which only the base succeeded.
        c: Per stratum, pairs fed in which only the new policy did.
        pairs: Per stratum, all pairs fed, above 0.
        rule: What the gate was set to.

    Raises:
        ValueError: If there is no stratum, one has no pairs, or counts make no sense.
    """
    difference, interval = stratified_gap(c, b, pairs, confidence=rule.confidence)
    outcome: Outcome = "INCONCLUSIVE"
    if fired == "regressed" and difference < 0:
        outcome = "REGRESSED"
    elif fired == "non-inferior" and difference > -rule.margin:
        outcome = "NON-INFERIOR"
    return Verdict(outcome, difference, interval, None, rule)
