"""Paired comparisons: two policies on the same episodes, or an episode and its control twin.

Throughout, `b` counts the pairs in which only the first member succeeded and `c` those in which
only the second did; a positive difference means that the first did better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy import optimize, special, stats

from vlabench.stats.intervals import Interval, normal_quantile

Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
"""Of the first member's success rate, against the second's."""

_WHOLE = 1e-9
"""A count that is nearer than this to a whole number is that number."""


def mcnemar_exact(b: int, c: int, alternative: Alternative = "two-sided") -> float:
    """The exact p-value of McNemar's test: is X ~ Bin(b + c, 1/2) as far out as `b`?

    Args:
        b: Pairs in which only the first member succeeded.
        c: Pairs in which only the second did.
        alternative: ``"greater"`` asks whether the first is better, ``"less"`` whether it is
            worse.

    Returns:
        The p-value; 1 where no pair differs.

    Raises:
        ValueError: If a count is negative or the alternative unknown.
    """
    _check(b, c, alternative)
    if alternative == "two-sided":
        return min(1.0, 2 * _upper_tail(max(b, c), b + c))
    return _upper_tail(b, b + c) if alternative == "greater" else _upper_tail(c, b + c)


def mcnemar_midp(b: float, c: float, alternative: Alternative = "two-sided") -> float:
    """The mid-p value of McNemar's test: the exact one less half of what was just seen.

    One-sided it is P(X >= b) - P(X = b)/2; two-sided it is the exact p-value less P(X = b), and
    less half of it where b = c. Counts need not be whole: a weighted mean brings effective ones,
    and the binomial tails are those of the incomplete beta function, which at whole counts are the
    same. Args and errors as `mcnemar_exact`.

    Returns:
        The mid-p value; where no pair differs, 1 two-sided and 1/2 one-sided.

    Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
    """
    _check(b, c, alternative)
    whole_b, whole_c = round(b), round(c)
    if abs(b - whole_b) > _WHOLE or abs(c - whole_c) > _WHOLE:
        better = _continuous_midp(b, c)
        tails = {"greater": better, "less": 1 - better, "two-sided": 2 * min(better, 1 - better)}
        return tails[alternative]
    b, c = whole_b, whole_c
    exact = mcnemar_exact(b, c, alternative)
    seen = float(stats.binom.pmf(b, b + c, 0.5))
    if alternative == "two-sided":
        return 1.0 if b + c == 0 else exact - (seen / 2 if b == c else seen)
    return exact - seen / 2


def tango_interval(b: float, c: float, pairs: float, confidence: float = 0.95) -> Interval:
    """Tango's score interval for the difference (b - c) / pairs of two paired success rates.

    Counts need not be whole: a weighted mean brings its effective number of pairs.

    Args:
        b: Pairs in which only the first member succeeded.
        c: Pairs in which only the second did.
        pairs: All pairs, those that agree included; above 0.
        confidence: Coverage, between 0 and 1.

    Raises:
        ValueError: If there are no pairs, or the counts or the confidence make no sense.

    Tango (1998), Statistics in Medicine 17, 891-908.
    """
    if not pairs > 0:
        raise ValueError(f"An interval needs at least one pair; there are {pairs}.")
    if b < 0 or c < 0 or b + c > pairs * (1 + 1e-12):
        raise ValueError(f"{b} and {c} differing pairs of {pairs} make no sense.")
    z, difference = normal_quantile(confidence), (b - c) / pairs

    def excess(delta: float) -> float:
        """Positive where `delta` is refused: outside the interval."""
        variance = pairs * (2 * _constrained_rate(b, c, pairs, delta) + delta * (1 - delta))
        return (b - c - pairs * delta) ** 2 - z**2 * variance

    return Interval(_end(excess, difference, -1.0), _end(excess, difference, 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; an empty list for none.

    Raises:
        ValueError: If a p-value is not between 0 and 1.

    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    p = np.asarray(p_values, dtype=float)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values lie between 0 and 1; these do not: {list(p_values)}.")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(value) for value in adjusted]


def _upper_tail(count: int, trials: int) -> float:
    return float(stats.binom.sf(count - 1, trials, 0.5))


def _continuous_midp(b: float, c: float) -> float:
    """P(X > b) + P(X = b)/2 of X ~ Bin(b + c, 1/2), for counts that need not be whole."""
    at_least = float(special.betainc(b, c + 1, 0.5)) if b > 0 else 1.0
    beyond = float(special.betainc(b + 1, c, 0.5)) if c > 0 else 0.0
    return (at_least + beyond) / 2


def _check(b: float, c: float, alternative: str) -> None:
    if b < 0 or c < 0:
        raise ValueError(f"Counts of pairs are not negative; these are {b} and {c}.")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"{alternative!r} is no alternative; take two-sided, greater or less.")


def _constrained_rate(b: float, c: float, pairs: float, delta: float) -> float:
    """The likeliest rate of "only the second" if the difference were `delta`."""
    linear = -b - c + (2 * pairs - b + c) * delta
    constant = -c * delta * (1 - delta)
    root = math.sqrt(max(0.0, linear**2 - 8 * pairs * constant))
    return (root - linear) / (4 * pairs)


def _end(excess: Callable[[float], float], difference: float, limit: float) -> float:
    """Where `excess` changes sign between the observed difference and `limit`."""
    start = difference + (limit - difference) * 1e-9
    if abs(limit - difference) < 1e-12 or excess(start) >= 0:
        return difference
    return float(optimize.brentq(excess, start, limit, xtol=1e-13, rtol=1e-12))
