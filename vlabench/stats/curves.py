"""How success falls off as a change grows stronger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from vlabench.stats.intervals import Interval, normal_quantile
from vlabench.types import Floats

_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class StrengthCurve:
    """A logistic curve: success = 1 / (1 + exp(-(intercept + slope strength))).

    Attributes:
        intercept: Log odds of success at strength 0.
        slope: Change of the log odds with each unit of strength; below 0 where strength hurts.
        slope_error: Standard error of the slope.
        half: The strength at which half of the episodes succeed; None where success does not fall
            to one half within the strengths that were tried.
        interval: Fieller's confidence interval of `half`; None without it, and where the slope is
            too uncertain to bound it.
    """

    intercept: float
    slope: float
    slope_error: float
    half: float | None
    interval: Interval | None

    def rate(self, strength: float) -> float:
        """The success rate at `strength`."""
        return float(special.expit(self.intercept + self.slope * strength))


def strength_curve(
    strengths: Sequence[float],
    successes: Sequence[int],
    trials: Sequence[int],
    confidence: float = 0.95,
) -> StrengthCurve | None:
    """The likeliest logistic curve through the success at several strengths of a change.

    Args:
        strengths: Each strength once, 0 for the unchanged episodes; two or more.
        successes: How many episodes succeeded at each.
        trials: How many there were at each, above 0.
        confidence: Coverage of the interval of the 50 % point, between 0 and 1.

    Returns:
        The curve; None where none is likeliest, because all episodes went alike or some strength
        parts all successes from all failures: any steeper curve would fit better.

    Raises:
        ValueError: If there are fewer than two strengths, one has no trials, or counts make no
            sense.

    Finney (1971), Probit Analysis, chapter 4, for Fieller's interval.
    """
    z = normal_quantile(confidence)
    x, s, n = (np.asarray(values, dtype=np.float64) for values in (strengths, successes, trials))
    if x.size < 2 or len(set(x.tolist())) < x.size or x.shape != s.shape or x.shape != n.shape:
        raise ValueError("A strength curve needs two or more strengths, each once with its counts.")
    if not (np.all(n > 0) and np.all(s >= 0) and np.all(s <= n) and np.all(np.isfinite(x))):
        raise ValueError("Every strength needs its successes, no more than its trials.")
    if _separable(x, s, n):
        return None
    centre, scale = float(x.mean()), float(x.std())
    fit, covariance = _fit((x - centre) / scale, s, n)
    slope = float(fit[1]) / scale
    half, interval = None, None
    at = -float(fit[0]) / float(fit[1]) * scale + centre if fit[1] < 0 else math.nan
    if x.min() <= at <= x.max():
        half = at
        interval = _fieller(fit, covariance, z, centre, scale)
    return StrengthCurve(
        intercept=float(fit[0]) - slope * centre,
        slope=slope,
        slope_error=math.sqrt(covariance[1, 1]) / scale,
        half=half,
        interval=interval,
    )


def _separable(x: Floats, s: Floats, n: Floats) -> bool:
    """Whether some strength parts all successes from all failures."""
    good, bad = x[s > 0], x[s < n]
    if not (good.size and bad.size):
        return True
    return bool(good.max() <= bad.min() or bad.max() <= good.min())


def _fit(x: Floats, s: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope by Newton's method, and their covariance."""
    design, fit = np.column_stack([np.ones_like(x), x]), np.zeros(2)
    for _ in range(_STEPS):
        rates = special.expit(design @ fit)
        information = design.T @ (design * (n * rates * (1 - rates))[:, None])
        step = np.linalg.solve(information, design.T @ (s - n * rates))
        if float(np.max(np.abs(step))) < _CLOSE:
            break
        value = _log_likelihood(design @ fit, s, n)
        while _log_likelihood(design @ (fit + step), s, n) < value - _CLOSE * abs(value):
            step = step / 2
        fit = fit + step
    return fit, np.asarray(np.linalg.inv(information))


def _log_likelihood(log_odds: Floats, s: Floats, n: Floats) -> float:
    return float(np.sum(s * log_odds - n * np.logaddexp(0, log_odds)))


def _fieller(
    fit: Floats, covariance: Floats, z: float, centre: float, scale: float
) -> Interval | None:
    """The strengths at which log odds of 0 lie within the curve's own confidence band."""
    quadratic = fit[1] ** 2 - z**2 * covariance[1, 1]
    linear = 2 * (fit[0] * fit[1] - z**2 * covariance[0, 1])
    constant = fit[0] ** 2 - z**2 * covariance[0, 0]
    inside = linear**2 - 4 * quadratic * constant
    if quadratic <= 0 or inside < 0:
        return None
    ends = [(-linear + sign * math.sqrt(inside)) / (2 * quadratic) for sign in (-1, 1)]
    return Interval(ends[0] * scale + centre, ends[1] * scale + centre)
