"""How many episodes a question needs, and the smallest drop that a run could have seen.

`discordance` is the share of pairs in which one policy succeeds and the other fails. Policies
that behave alike on the same scenes have a small one, which is why pairs need fewer episodes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from vlabench.stats.verdict import ALPHA
from vlabench.types import Floats

POWER = 0.8

_MASS_LEFT_OUT = 1e-12


def required_pairs(
    effect: float, discordance: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Pairs that show a drop of `effect` one-sided: (z_a √ψ + z_b √(ψ - Δ²))² / Δ².

    Args:
        effect: The drop in success rate, above 0, at most the discordance.
        discordance: Share of pairs that differ, at most 1.
        alpha: Largest probability of a false alarm.
        power: Probability that the drop is seen.

    Raises:
        ValueError: If a share makes no sense.

    Connor (1987), Biometrics 43, 207-211.
    """
    z_alpha, z_beta = _quantiles(alpha, power)
    _check_effect(effect)
    if not effect <= discordance <= 1:
        raise ValueError(
            f"A drop of {effect:g} needs a discordance from {effect:g} to 1, not {discordance:g}."
        )
    spread = z_alpha * math.sqrt(discordance) + z_beta * math.sqrt(discordance - effect**2)
    return _whole((spread / effect) ** 2)


def required_pairs_noninferiority(
    margin: float, discordance: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Pairs that show that a policy is not worse by `margin`, if it is in truth as good.

    (z_a + z_b)² ψ / m². Args and errors as `required_pairs`, the margin in place of the effect;
    a discordance of 0 needs no pairs by this formula, so it is refused.
    """
    z_alpha, z_beta = _quantiles(alpha, power)
    _check_effect(margin)
    if not 0 < discordance <= 1:
        raise ValueError(f"The discordance is {discordance:g}; it must lie between 0 and 1.")
    return _whole((z_alpha + z_beta) ** 2 * discordance / margin**2)


def required_unpaired(
    effect: float, rate: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Episodes *per arm* that show a drop of `effect` from `rate`, where episodes are not paired.

    Args:
        effect: The drop in success rate, above 0, at most the rate.
        rate: Success rate of the base, at most 1.
        alpha: Largest probability of a false alarm, one-sided.
        power: Probability that the drop is seen.

    Raises:
        ValueError: If a share makes no sense.

    Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, chapter 4.
    """
    z_alpha, z_beta = _quantiles(alpha, power)
    _check_effect(effect)
    if not effect <= rate <= 1:
        raise ValueError(f"A rate of {rate:g} cannot drop by {effect:g}.")
    new, middle = rate - effect, rate - effect / 2
    spread = z_alpha * math.sqrt(2 * middle * (1 - middle))
    spread += z_beta * math.sqrt(rate * (1 - rate) + new * (1 - new))
    return _whole((spread / effect) ** 2)


def paired_power(pairs: int, effect: float, discordance: float, alpha: float = ALPHA) -> float:
    """Probability that one-sided mid-p sees a drop of `effect`, by enumeration.

    At an effect of 0 it is the probability of a false alarm.

    Args:
        pairs: How many pairs there are, at least 1.
        effect: The drop in success rate, from 0 to the discordance.
        discordance: Share of pairs that differ, at most 1.
        alpha: Largest p-value that counts.

    Raises:
        ValueError: If there are no pairs or a share makes no sense.
    """
    _check_pairs(pairs, alpha)
    if not 0 <= effect <= discordance <= 1:
        raise ValueError(
            f"A drop of {effect:g} and a discordance of {discordance:g} make no sense together."
        )
    return _power(pairs, effect, discordance, alpha)


def smallest_effect(
    pairs: int,
    discordance: float,
    alpha: float = ALPHA,
    power: float = POWER,
    flip_rate: float = 0.0,
) -> float | None:
    """The smallest drop in success rate that so many pairs show with probability `power`.

    By enumeration of the one-sided mid-p test. A drop larger than the discordance brings its own:
    the discordance is then the drop.

    Args:
        pairs: How many pairs there are.
        discordance: Share of them that differ, 0 to 1.
        alpha: Largest p-value that counts.
        power: Probability that the drop is seen.
        flip_rate: Share of episodes that come out otherwise when the same policy runs them
            again; the discordance cannot be smaller.

    Returns:
        The drop; None where the pairs are too few to show even that nothing succeeds any more.

    Raises:
        ValueError: If there are no pairs or a share makes no sense.
    """
    _check_pairs(pairs, alpha)
    _quantiles(alpha, power)
    if not (0 <= discordance <= 1 and 0 <= flip_rate <= 1):
        raise ValueError(f"Shares lie between 0 and 1, not {discordance:g} and {flip_rate:g}.")
    floor = max(discordance, flip_rate)

    def excess(effect: float) -> float:
        return _power(pairs, effect, max(floor, effect), alpha) - power

    if excess(1.0) < 0:
        return None
    return float(optimize.brentq(excess, 0.0, 1.0, xtol=1e-9))


def _power(pairs: int, effect: float, discordance: float, alpha: float) -> float:
    if discordance == 0:
        return 0.0
    low, high = stats.binom.ppf([_MASS_LEFT_OUT, 1 - _MASS_LEFT_OUT], pairs, discordance)
    differing = np.arange(int(low), int(high) + 1)
    weights = stats.binom.pmf(differing, pairs, discordance)
    share = min(1.0, (discordance + effect) / (2 * discordance))
    seen = stats.binom.sf(_critical(differing, alpha) - 1, differing, share)
    return float(weights @ seen)


def _critical(differing: npt.NDArray[np.int64], alpha: float) -> Floats:
    """The fewest losses, of so many differing pairs each, whose one-sided mid-p is at most alpha.

    Where even all of them are too few it is one more than there are.
    """
    fewest = np.maximum(stats.binom.isf(alpha, differing, 0.5), 0)
    midp = stats.binom.sf(fewest, differing, 0.5) + stats.binom.pmf(fewest, differing, 0.5) / 2
    return np.asarray(np.where(midp <= alpha, fewest, fewest + 1), dtype=np.float64)


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    if not (0 < alpha < 0.5 and alpha < power < 1):
        raise ValueError(
            f"Alpha lies between 0 and 0.5 and the power between alpha and 1,"
            f" not {alpha:g} and {power:g}."
        )
    return float(stats.norm.isf(alpha)), float(stats.norm.isf(1 - power))


def _check_effect(effect: float) -> None:
    if not 0 < effect < 1:
        raise ValueError(f"The drop is {effect:g}; it must lie between 0 and 1.")


def _check_pairs(pairs: int, alpha: float) -> None:
    if pairs < 1:
        raise ValueError(f"Power needs at least one pair; there are {pairs}.")
    if not 0 < alpha < 0.5:
        raise ValueError(f"Alpha is {alpha:g}; it must lie between 0 and 0.5.")


def _whole(number: float) -> int:
    """Rounded up, but not because of the last bit."""
    return math.ceil(number * (1 - 1e-12))
