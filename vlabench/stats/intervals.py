"""Confidence intervals for one success rate, and for the difference of two unpaired ones."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from scipy import stats


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a success rate: what every table prints.

    Counts need not be whole: a weighted mean brings its effective number of trials.

    Args:
        successes: How many trials succeeded.
        trials: How many there were, above 0.
        confidence: Coverage, between 0 and 1.

    Raises:
        ValueError: If there are no trials, or the counts or the confidence make no sense.

    Wilson (1927), JASA 22, 209-212.
    """
    _check(successes, trials, confidence)
    z = normal_quantile(confidence)
    rate = successes / trials
    centre = rate + z**2 / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    low, high = ((centre + sign * half) / (1 + z**2 / trials) for sign in (-1, 1))
    return Interval(
        0.0 if successes == 0 else max(0.0, low),
        1.0 if successes == trials else min(1.0, high),
    )


def clopper_pearson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's exact interval: never covers less than it says.

    Args and errors as `wilson_interval`. Clopper and Pearson (1934), Biometrika 26, 404-413.
    """
    _check(successes, trials, confidence)
    tail, failures = (1 - confidence) / 2, trials - successes
    low = 0.0 if successes == 0 else stats.beta.ppf(tail, successes, failures + 1)
    high = 1.0 if failures == 0 else stats.beta.isf(tail, successes + 1, failures)
    return Interval(float(low), float(high))


def jeffreys_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The equal-tailed posterior interval under Jeffreys' prior, Beta(1/2, 1/2).

    An end where every trial agreed is 0 or 1, as Brown, Cai and DasGupta (2001), Statistical
    Science 16, 101-133, recommend. Args and errors as `wilson_interval`.
    """
    _check(successes, trials, confidence)
    tail, failures = (1 - confidence) / 2, trials - successes
    posterior = stats.beta(successes + 0.5, failures + 0.5)
    low = 0.0 if successes == 0 else posterior.ppf(tail)
    high = 1.0 if failures == 0 else posterior.isf(tail)
    return Interval(float(low), float(high))


def newcombe_interval(
    successes_a: float,
    trials_a: float,
    successes_b: float,
    trials_b: float,
    confidence: float = 0.95,
) -> Interval:
    """Newcombe's hybrid score interval for rate a minus rate b, where trials are not paired.

    Args and errors as `wilson_interval`. Newcombe (1998), Statistics in Medicine 17, 873-890,
    method 10.
    """
    a = wilson_interval(successes_a, trials_a, confidence)
    b = wilson_interval(successes_b, trials_b, confidence)
    rate_a, rate_b = successes_a / trials_a, successes_b / trials_b
    difference = rate_a - rate_b
    return Interval(
        difference - math.hypot(rate_a - a.low, b.high - rate_b),
        difference + math.hypot(a.high - rate_a, rate_b - b.low),
    )


@lru_cache(maxsize=64)
def normal_quantile(confidence: float) -> float:
    """How many standard deviations hold `confidence` of a normal distribution.

    Raises:
        ValueError: If `confidence` is not strictly between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence is {confidence}; it must lie between 0 and 1.")
    return float(stats.norm.isf((1 - confidence) / 2))


def _check(successes: float, trials: float, confidence: float) -> None:
    normal_quantile(confidence)
    if not trials > 0:
        raise ValueError(f"An interval needs at least one trial; there are {trials}.")
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials make no sense.")
