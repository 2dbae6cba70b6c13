"""From tasks to one number: means in which each task counts alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlabench.stats.intervals import Interval, normal_quantile, wilson_interval
from vlabench.stats.paired import tango_interval
from vlabench.types import Floats


@dataclass(frozen=True, slots=True)
class StratifiedRate:
    """A weighted mean of success rates.

    Attributes:
        rate: The mean.
        standard_error: Its standard error, strata being fixed: these tasks, not new ones.
        interval: Its confidence interval.
    """

    rate: float
    standard_error: float
    interval: Interval


def stratified_rate(
    successes: Sequence[int],
    trials: Sequence[int],
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> StratifiedRate:
    """The mean of the strata's success rates, each task counting alike however often it ran.

    The standard error is that of statistics of fixed strata, SE² = Σ w² p(1-p)/n. It is 0 where
    every stratum is at 0 or 1, so the interval is not built from it: it is Wilson's, with as many
    effective trials as give the variance of the strata's rates after each was drawn towards 1/2
    as Wilson's centre is. For one stratum that is Wilson's interval.

    Args:
        successes: Per stratum.
        trials: Per stratum, each above 0.
        weights: Per stratum, of any positive sum; equal if None.
        confidence: Coverage, between 0 and 1.
        design_effect: What `scene_design_effect` says, where strata share scenes.

    Raises:
        ValueError: If there is no stratum, one has no trials, or counts make no sense.
    """
    w = _weights(trials, weights)
    s, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    if len(s) != len(n) or np.any(s < 0) or np.any(s > n):
        raise ValueError("Every stratum needs its successes, no more than its trials.")
    z2 = normal_quantile(confidence) ** 2
    p, shrunk = s / n, (s + z2 / 2) / (n + z2)
    rate, centre = min(1.0, float(w @ p)), float(w @ shrunk)
    spread = design_effect * float(np.sum(w**2 * shrunk * (1 - shrunk) / n))
    effective = centre * (1 - centre) / spread
    return StratifiedRate(
        rate=rate,
        standard_error=math.sqrt(design_effect * float(np.sum(w**2 * p * (1 - p) / n))),
        interval=wilson_interval(rate * effective, effective, confidence),
    )


class EffectiveCounts(NamedTuple):
    """Counts of independent pairs that say as much as the weighted mean of strata does.

    Attributes:
        b: Pairs in which only the first member succeeded.
        c: Pairs in which only the second did.
        pairs: All of them.
    """

    b: float
    c: float
    pairs: float


def effective_counts(
    b: Sequence[int],
    c: Sequence[int],
    pairs: Sequence[int],
    weights: Sequence[float] | None = None,
    design_effect: float = 1.0,
) -> EffectiveCounts:
    """What McNemar's test and Tango's interval of the strata's mean difference are made of.

    Their rates are the weighted ones, and there are as many as give the mean's variance,
    Σ w² d/n, in which d is the share of a stratum's pairs that differ, drawn towards 1/2 by four
    pairs: a small stratum is not certain because nothing was seen to differ in it. Where all
    strata have equally many pairs and weights these are the pooled counts.

    Args:
        b: Per stratum, pairs in which only the first member succeeded.
        c: Per stratum, pairs in which only the second did.
        pairs: Per stratum, each above 0.
        weights: Per stratum, of any positive sum; equal if None.
        design_effect: What `scene_design_effect` says, where pairs share scenes.

    Raises:
        ValueError: If there is no stratum, one has no pairs, or counts make no sense.
    """
    w = _weights(pairs, weights)
    n = np.asarray(pairs, dtype=float)
    lost, won = np.asarray(b, dtype=float), np.asarray(c, dtype=float)
    if len(lost) != len(n) or len(won) != len(n) or np.any(lost < 0) or np.any(won < 0):
        raise ValueError("Every stratum needs its counts of differing pairs, none below 0.")
    if np.any(lost + won > n):
        raise ValueError("A stratum has no more differing pairs than pairs.")
    effective = 1 / (design_effect * float(np.sum(w**2 / n)))
    if np.any(n != n[0]) or np.any(w != w[0]):
        differing = (lost + won + 2) / (n + 4)
        spread = design_effect * float(np.sum(w**2 * differing / n))
        effective = float(w @ differing) / spread
    rates = float(w @ (lost / n)), float(w @ (won / n))
    return EffectiveCounts(rates[0] * effective, rates[1] * effective, effective)


def stratified_gap(
    b: Sequence[int],
    c: Sequence[int],
    pairs: Sequence[int],
    weights: Sequence[float] | None = None,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> tuple[float, Interval]:
    """The mean of the strata's paired differences, and Tango's interval for it.

    Where all strata have equally many pairs and weights, both are those of the pooled counts;
    elsewhere the counts are `effective_counts`.

    Args:
        b: Per stratum, pairs in which only the first member succeeded.
        c: Per stratum, pairs in which only the second did.
        pairs: Per stratum, each above 0.
        weights: Per stratum, of any positive sum; equal if None.
        confidence: Coverage, between 0 and 1.
        design_effect: What `scene_design_effect` says, where strata share scenes.

    Raises:
        ValueError: If there is no stratum, one has no pairs, or counts make no sense.
    """
    w, n = _weights(pairs, weights), np.asarray(pairs, dtype=float)
    counts = effective_counts(b, c, pairs, weights, design_effect)
    rate_b, rate_c = (float(w @ (np.asarray(count, dtype=float) / n)) for count in (b, c))
    return rate_b - rate_c, tango_interval(*counts, confidence)


def scene_design_effect(deviations: Sequence[float], scenes: Sequence[Hashable]) -> float:
    """How many times larger a mean's variance is because episodes share scenes; at least 1.

    The same scene under several axes succeeds or fails together more often than chance, so that
    many axes on few scenes say less than as many scenes would. This is the ratio of the
    cluster-robust variance to the one of independent episodes. Where nothing deviates it cannot
    be estimated, and is taken to be its largest value: the episodes of a scene count as one.

    Args:
        deviations: Per episode, its weight in the mean times its distance from its stratum's mean;
            of paired differences under the null hypothesis that there are none, from 0.
        scenes: Per episode, the scene it belongs to.

    Raises:
        ValueError: If there are no episodes.
    """
    if not deviations:
        raise ValueError("A design effect needs at least one episode.")
    totals: dict[Hashable, float] = defaultdict(float)
    for deviation, scene in zip(deviations, scenes, strict=True):
        totals[scene] += deviation
    independent = sum(deviation**2 for deviation in deviations)
    if independent == 0:
        return len(deviations) / len(totals)
    return max(1.0, sum(total**2 for total in totals.values()) / independent)


def scene_design_effects(
    values: Sequence[float], strata: Sequence[int], scenes: Sequence[int]
) -> tuple[float, float]:
    """`scene_design_effect` of a mean over strata of the same weight, twice.

    Args:
        values: Per episode, such as whether it succeeded, or a pair's difference.
        strata: Per episode, the number of its stratum.
        scenes: Per episode, the scene it belongs to.

    Returns:
        That around the strata's means, for an interval; and the larger of it and that around 0,
        for the test that the mean is 0. The latter is what flipping the signs of whole scenes
        would say, and keeps nearer to its level where a few scenes decide.

    Raises:
        ValueError: If there are no episodes.
    """
    stratum, value = np.asarray(strata, dtype=np.int64), np.asarray(values, dtype=np.float64)
    counts = np.maximum(np.bincount(stratum), 1)
    means = np.bincount(stratum, weights=value) / counts
    numbers = np.asarray(scenes, dtype=np.int64).tolist()
    around, null = (
        scene_design_effect((deviation / counts[stratum]).tolist(), numbers)
        for deviation in (value - means[stratum], value)
    )
    return around, max(around, null)


def _weights(counts: Sequence[int], weights: Sequence[float] | None) -> Floats:
    """Weights that sum to 1, once the strata are known to hold something."""
    if len(counts) == 0 or min(counts) <= 0:
        raise ValueError("A mean over strata needs at least one stratum and data in each.")
    w = np.ones(len(counts)) if weights is None else np.asarray(weights, dtype=float)
    if w.shape != (len(counts),) or np.any(w < 0) or not w.sum() > 0:
        raise ValueError("Weights are one a stratum, not negative and not all 0.")
    return np.asarray(w / w.sum(), dtype=np.float64)
