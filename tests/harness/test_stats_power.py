"""How many episodes a question needs, against references, enumeration and statsmodels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scipy.stats import multinomial, norm
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from vlabench import stats


@pytest.mark.parametrize(("discordance", "pairs"), [(0.1, 246), (0.2, 493), (0.3, 740)])
def test_required_pairs_reference(discordance: float, pairs: int) -> None:
    assert stats.required_pairs(0.05, discordance) == pairs


def test_required_unpaired_reference() -> None:
    assert stats.required_unpaired(0.05, 0.8) == 862


@pytest.mark.parametrize("power", [0.8, 0.9])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize(("rate", "effect"), [(0.8, 0.05), (0.5, 0.1), (0.95, 0.2), (0.3, 0.3)])
def test_required_unpaired_agrees_with_statsmodels(
    rate: float, effect: float, alpha: float, power: float
) -> None:
    theirs = samplesize_proportions_2indep_onetail(
        -effect, rate, power, alpha=alpha, alternative="smaller"
    )
    assert stats.required_unpaired(effect, rate, alpha, power) == pytest.approx(theirs, abs=1)


@pytest.mark.parametrize("discordance", [0.1, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("effect", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_required_pairs_keep_what_they_promise(
    effect: float, discordance: float, power: float
) -> None:
    """By enumeration; the formula is asked for more than it gives where hardly a pair agrees."""
    pairs = stats.required_pairs(effect, discordance, power=power)
    found = stats.paired_power(pairs, effect, discordance)
    assert power - 0.005 < found < power + (0.02 if effect < discordance / 2 else 0.2)


@pytest.mark.parametrize(("margin", "discordance"), [(0.05, 0.1), (0.05, 0.2), (0.1, 0.3)])
def test_pairs_that_clear_a_policy(margin: float, discordance: float) -> None:
    """The normal power of the interval's lower end, at just that many pairs."""
    pairs = stats.required_pairs_noninferiority(margin, discordance)
    power = norm.cdf(margin * (pairs / discordance) ** 0.5 - norm.isf(0.05))
    assert 0.8 <= power < 0.802


@pytest.mark.parametrize(("effect", "discordance"), [(0, 0.3), (0.1, 0.3), (0.3, 0.3), (0, 0)])
def test_paired_power_is_the_sum_over_all_tables(effect: float, discordance: float) -> None:
    lost, won = (discordance + effect) / 2, (discordance - effect) / 2
    alarms = sum(
        float(multinomial.pmf((b, c, 40 - b - c), 40, (lost, won, 1 - lost - won)))
        for b in range(41)
        for c in range(min(b, 41 - b))
        if stats.mcnemar_midp(b, c, "greater") <= 0.05
    )
    assert stats.paired_power(40, effect, discordance) == pytest.approx(alarms, abs=1e-9)


@pytest.mark.parametrize("pairs", [20, 100, 500, 3000])
@pytest.mark.parametrize("discordance", [0.0, 0.02, 0.2, 0.5])
def test_the_smallest_effect_is_seen_just_so_often(pairs: int, discordance: float) -> None:
    effect = stats.smallest_effect(pairs, discordance)
    assert effect is not None
    assert stats.paired_power(pairs, effect, max(effect, discordance)) == pytest.approx(0.8)


@pytest.mark.parametrize("discordance", [0.1, 0.2, 0.3])
def test_the_smallest_effect_turns_required_pairs_around(discordance: float) -> None:
    pairs = stats.required_pairs(0.05, discordance)
    assert stats.smallest_effect(pairs, discordance) == pytest.approx(0.05, rel=0.03)


def test_too_few_pairs_see_nothing() -> None:
    assert stats.smallest_effect(3, 0.5) is None
    assert stats.smallest_effect(4, 0.5) == pytest.approx(0.8**0.25)


def test_flips_hide_small_effects() -> None:
    alone = stats.smallest_effect(500, 0.02)
    flipping = stats.smallest_effect(500, 0.02, flip_rate=0.2)
    assert flipping == stats.smallest_effect(500, 0.2)
    assert alone is not None
    assert flipping is not None
    assert flipping > 2 * alone


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.required_pairs(0, 0.2),
        lambda: stats.required_pairs(0.3, 0.2),
        lambda: stats.required_pairs(0.05, 1.2),
        lambda: stats.required_pairs(0.05, 0.2, alpha=0.6),
        lambda: stats.required_pairs(0.05, 0.2, power=0.01),
        lambda: stats.required_pairs_noninferiority(0.05, 0),
        lambda: stats.required_unpaired(0.3, 0.2),
        lambda: stats.paired_power(0, 0.05, 0.2),
        lambda: stats.paired_power(10, 0.3, 0.2),
        lambda: stats.smallest_effect(0, 0.2),
        lambda: stats.smallest_effect(10, -0.1),
        lambda: stats.smallest_effect(10, 0.1, flip_rate=2),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
