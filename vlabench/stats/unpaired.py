"""Two success rates of episodes that have no partners."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from vlabench.stats.paired import Alternative
from vlabench.types import Floats

Counts: TypeAlias = npt.NDArray[np.int64]

_NUISANCE: Floats = np.sin(np.linspace(0.0, np.pi / 2, 402)[1:-1]) ** 2
"""Common success rates that the worst one is looked for among, denser towards 0 and 1."""
_CELLS = 1_000_000
"""Terms that are held in memory at a time."""


def boschloo(
    successes_a: int,
    trials_a: int,
    successes_b: int,
    trials_b: int,
    alternative: Alternative = "two-sided",
) -> float:
    """Boschloo's exact p-value that rates a and b are equal; it finds more than Fisher's test.

    It takes Fisher's p-value as the statistic, and the common rate that makes it look worst.
    Two-sided it is twice the smaller of the one-sided ones.

    Args:
        successes_a: How many trials of a succeeded.
        trials_a: How many there were, above 0.
        successes_b: The same of b.
        trials_b: The same of b.
        alternative: ``"greater"`` asks whether a's rate is higher, ``"less"`` whether it is
            lower.

    Raises:
        ValueError: If an arm has no trials, counts make no sense or the alternative is unknown.

    Boschloo (1970), Statistica Neerlandica 24, 1-9.
    """
    for successes, trials in ((successes_a, trials_a), (successes_b, trials_b)):
        if trials < 1 or not 0 <= successes <= trials:
            raise ValueError(f"{successes} successes in {trials} trials make no sense.")
    if alternative == "greater":
        return _greater(successes_a, trials_a, successes_b, trials_b)
    if alternative == "less":
        return _greater(successes_b, trials_b, successes_a, trials_a)
    if alternative != "two-sided":
        raise ValueError(f"{alternative!r} is no alternative; take two-sided, greater or less.")
    sides = (
        _greater(successes_a, trials_a, successes_b, trials_b),
        _greater(successes_b, trials_b, successes_a, trials_a),
    )
    return min(1.0, 2 * min(sides))


def _greater(successes_a: int, trials_a: int, successes_b: int, trials_b: int) -> float:
    fisher = _Fisher(trials_a, trials_b)
    limit = float(fisher.p(np.array([successes_a]), np.array([successes_b]))[0])
    most_b = fisher.most_b(limit * (1 + 1e-8))

    def as_extreme(rate: float) -> float:
        """Probability, if both arms succeed at `rate`, of what is at least as extreme."""
        a = _likely(trials_a, rate)
        a = a[most_b[a] >= 0]
        weights = np.exp(
            fisher.log_choose(trials_a, a)
            + special.xlogy(a, rate)
            + special.xlog1py(trials_a - a, -rate)
        )
        return float(weights @ special.bdtr(most_b[a], trials_b, rate))

    found = np.array([as_extreme(float(rate)) for rate in _NUISANCE])
    edges = np.concatenate([[0.0], _NUISANCE, [1.0]])
    refined = [
        -optimize.minimize_scalar(
            lambda rate: -as_extreme(rate),
            bounds=(edges[peak], edges[peak + 2]),
            method="bounded",
            options={"xatol": 1e-9},
        ).fun
        for peak in np.argsort(found)[-3:]
    ]
    return min(1.0, float(max(*refined, found.max())))


def _likely(trials: int, rate: float) -> Counts:
    """The counts within 12 standard deviations; what is left out weighs less than 1e-12."""
    middle, reach = trials * rate, 12 * np.sqrt(trials * rate * (1 - rate)) + 30
    return np.arange(max(0, int(middle - reach)), min(trials, int(middle + reach)) + 1)


class _Fisher:
    """Fisher's one-sided p-values for two arms: at least so many of all successes fall to a."""

    def __init__(self, trials_a: int, trials_b: int) -> None:
        self.trials_a, self.trials_b = trials_a, trials_b
        self._log_factorial = special.gammaln(np.arange(trials_a + trials_b + 1) + 1.0)

    def log_choose(self, trials: int | Counts, chosen: Counts) -> Floats:
        logs = self._log_factorial
        return np.asarray(logs[trials] - logs[chosen] - logs[trials - chosen], dtype=np.float64)

    def p(self, a: Counts, b: Counts) -> Floats:
        """The p-value of each table, from the terms of its tail that weigh anything."""
        total, everything = a + b, self.trials_a + self.trials_b
        share = self.trials_a / everything
        reach = int(12 * np.sqrt(everything) / 4 + 30)
        first = np.maximum(a, (total * share).astype(np.int64) - reach)
        last = np.minimum(total, self.trials_a)
        rows = max(1, _CELLS // (2 * reach))
        return np.concatenate(
            [
                self._tail(
                    first[at : at + rows], last[at : at + rows], total[at : at + rows], 2 * reach
                )
                for at in range(0, len(a), rows)
            ]
        )

    def _tail(self, first: Counts, last: Counts, total: Counts, terms: int) -> Floats:
        x = first[:, None] + np.arange(terms)
        inside = x <= last[:, None]
        x = np.where(inside, x, first[:, None])
        logs = self.log_choose(self.trials_a, x) + self.log_choose(
            self.trials_b, total[:, None] - x
        )
        logs -= self.log_choose(self.trials_a + self.trials_b, total)[:, None]
        return np.asarray(np.sum(np.exp(logs), axis=1, where=inside), dtype=np.float64)

    def most_b(self, limit: float) -> Counts:
        """For each count of a, the largest count of b that is as extreme as `limit`; or -1."""
        a = np.arange(self.trials_a + 1)
        low, high = np.full(len(a), -1), np.full(len(a), self.trials_b)
        while np.any(open_ := low < high):
            middle = np.where(open_, (low + high + 1) // 2, 0)
            extreme = self.p(a, middle) <= limit
            low = np.where(open_ & extreme, middle, low)
            high = np.where(open_ & ~extreme, middle - 1, high)
        return low
