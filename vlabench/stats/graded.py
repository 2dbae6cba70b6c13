"""Scores that are more than success or failure, and intervals by resampling, all seeded.

Resampling draws how often each distinct value appears, not which episode it came from: the result
is the same in distribution, does not depend on the episodes' order, and costs as many draws as
there are distinct values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from vlabench.seeding import stream
from vlabench.stats.intervals import Interval, normal_quantile, wilson_interval
from vlabench.stats.paired import Alternative
from vlabench.types import Floats

RESAMPLES = 9999
FEWEST_CLUSTERS = 10
"""Tasks below which nothing is said of new tasks."""

_DECIMALS = 12
_EXHAUSTIVE = 12
_CELLS = 4_000_000
"""Numbers that are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean of scores.

    Attributes:
        value: The mean.
        interval: Its confidence interval by the BCa bootstrap.
        p_value: Two-sided, that it is 0, by the paired permutation test.
    """

    value: float
    interval: Interval
    p_value: float


def paired_permutation(
    differences: Sequence[float],
    seed: int = 0,
    alternative: Alternative = "two-sided",
    resamples: int = RESAMPLES,
) -> float:
    """The p-value that the mean difference is 0, by flipping the signs of the differences.

    Up to 12 pairs that differ it tries all flips, beyond that `resamples` random ones, of which
    the observed one counts as another.

    Args:
        differences: Score of the first member less that of the second, a pair each.
        seed: Of the random flips.
        alternative: ``"greater"`` asks whether the first is better, ``"less"`` whether it is
            worse.
        resamples: How many random flips, at least 1.

    Raises:
        ValueError: If there are no pairs, a difference is not finite or the alternative unknown.

    Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9:39.
    """
    d = _finite(differences, "differences", fewest=1)
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"{alternative!r} is no alternative; take two-sided, greater or less.")
    d = d[d != 0]
    if not len(d):
        return 1.0
    observed = float(np.sum(np.sort(d)))
    if len(d) <= _EXHAUSTIVE:
        signs = np.array(list(itertools.product((-1, 1), repeat=len(d))))
        sums, counted_already = signs @ d, 0
    else:
        sums, counted_already = _flipped_sums(np.abs(d), seed, resamples), 1
    slack = 1e-9 * float(np.sum(np.abs(d)))
    as_extreme = {
        "two-sided": np.abs(sums) >= abs(observed) - slack,
        "greater": sums >= observed - slack,
        "less": sums <= observed + slack,
    }[alternative]
    hits = int(np.count_nonzero(as_extreme))
    return (hits + counted_already) / (len(sums) + counted_already)


def bca_interval(
    values: Sequence[float],
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """The bias-corrected and accelerated bootstrap interval for the mean of `values`.

    Args:
        values: One an episode, or a difference a pair; at least 2.
        seed: Of the resamples.
        confidence: Coverage, between 0 and 1.
        resamples: How many.

    Returns:
        The interval; where all values are the same it is that value alone.

    Raises:
        ValueError: If there are fewer than 2 values or one is not finite.

    Efron (1987), JASA 82, 171-185.
    """
    z = normal_quantile(confidence)
    x = np.sort(_finite(values, "values", fewest=2))
    mean = float(x.mean())
    deviations = x - mean
    squares = float(np.sum(deviations**2))
    if math.isclose(x[0], x[-1], rel_tol=1e-12, abs_tol=1e-12):
        return Interval(float(x[0]), float(x[-1]))
    means = _resampled_means(x, seed, resamples)
    slack = 1e-12 * max(1.0, abs(mean))
    ties = np.count_nonzero(np.abs(means - mean) <= slack)
    below = np.count_nonzero(means < mean - slack) + ties / 2
    bias = float(special.ndtri(min(max(below / resamples, 0.5 / resamples), 1 - 0.5 / resamples)))
    acceleration = float(np.sum(deviations**3)) / (6 * squares**1.5)
    ends = [bias + sign * z for sign in (-1, 1)]
    levels = special.ndtr([bias + end / (1 - acceleration * end) for end in ends])
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high))


def cluster_bootstrap(
    rates: Sequence[float], seed: int = 0, confidence: float = 0.95, resamples: int = RESAMPLES
) -> Interval:
    """An interval for the mean rate on *new* tasks like these: the tasks are resampled.

    It is the bootstrap-t of the tasks' own rates, each task counting alike; what the episodes of
    a task leave open is part of how the tasks differ. Tasks with this mean can differ by no more
    than if each were always or never solved, and so no end is beyond that of Wilson's interval,
    in which each task counts as one episode. Where resamples, or all tasks, do not differ at all,
    an end that rests on them is Wilson's.

    Args:
        rates: Success rate of each task, at least 10.
        seed: Of the resamples.
        confidence: Coverage, between 0 and 1.
        resamples: How many.

    Raises:
        ValueError: If there are fewer than 10 tasks or a rate is not between 0 and 1.

    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 12.
    """
    x = np.sort(_finite(rates, "tasks", FEWEST_CLUSTERS))
    if x[0] < 0 or x[-1] > 1:
        raise ValueError(f"Rates lie between 0 and 1, not {x[0]:g} to {x[-1]:g}.")
    count, mean, error = len(x), float(x.mean()), float(_standard_error(x[None, :])[0])
    widest = wilson_interval(mean * count, count, confidence)
    if x[-1] - x[0] < 1e-12:
        return widest
    tail = (1 - confidence) / 2
    drawn = x[stream("cluster-bootstrap", seed).integers(count, size=(resamples, count))]
    errors, deviations = _standard_error(drawn), drawn.mean(axis=1) - mean
    alike = errors <= 1e-12
    pivots = np.where(alike, np.copysign(np.inf, deviations), 0.0)
    pivots[~alike] = deviations[~alike] / errors[~alike]
    upper, lower = np.quantile(pivots, [tail, 1 - tail], method="nearest")
    return Interval(
        max(widest.low, mean - float(lower) * error), min(widest.high, mean - float(upper) * error)
    )


def interaction(
    nominal: Sequence[float],
    first: Sequence[float],
    second: Sequence[float],
    both: Sequence[float],
    seed: int = 0,
    confidence: float = 0.95,
) -> Effect:
    """What two changes cost together beyond what each costs alone, on the same scenes.

    Of each scene it is (both - second) - (first - nominal): below 0 where the two make each
    other worse.

    Args:
        nominal: Score of each unchanged scene.
        first: The same scenes under the first change, in the same order.
        second: Under the second.
        both: Under both.
        seed: Of the resamples.
        confidence: Coverage, between 0 and 1.

    Raises:
        ValueError: If there are fewer than 2 scenes, or the four differ in length.
    """
    if not len(nominal) == len(first) == len(second) == len(both):
        raise ValueError("An interaction needs the same scenes under all four conditions.")
    contrasts = [(d - c) - (b - a) for a, b, c, d in zip(nominal, first, second, both, strict=True)]
    return Effect(
        value=math.fsum(contrasts) / max(1, len(contrasts)),
        interval=bca_interval(contrasts, seed, confidence),
        p_value=paired_permutation(contrasts, seed),
    )


def _standard_error(samples: Floats) -> Floats:
    """Of the mean of each row."""
    return np.asarray(samples.std(axis=1, ddof=1) / math.sqrt(samples.shape[1]), dtype=np.float64)


def _flipped_sums(magnitudes: Floats, seed: int, resamples: int) -> Floats:
    sizes, counts = np.unique(magnitudes.round(_DECIMALS), return_counts=True)
    rng, found = stream("paired-permutation", seed), []
    for rows in _portions(resamples, len(sizes)):
        positive = rng.binomial(counts, 0.5, size=(rows, len(sizes)))
        found.append((2 * positive - counts) @ sizes)
    return np.concatenate(found)


def _resampled_means(values: Floats, seed: int, resamples: int) -> Floats:
    distinct, counts = np.unique(values.round(_DECIMALS), return_counts=True)
    rng, found, n = stream("bca-bootstrap", seed), [], len(values)
    for rows in _portions(resamples, len(distinct)):
        drawn = rng.multinomial(n, counts / n, size=rows)
        found.append(drawn @ distinct / n)
    return np.concatenate(found)


def _portions(total: int, width: int) -> list[int]:
    """`total` split so that each part, `width` wide, fits into memory."""
    size = max(1, _CELLS // width)
    return [min(size, total - at) for at in range(0, total, size)]


def _finite(values: Sequence[float], what: str, fewest: int) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < fewest or not np.all(np.isfinite(x)):
        raise ValueError(f"Resampling needs {fewest} or more {what}, all of them finite.")
    return x
