"""Resampling and curves, against scipy, statsmodels, exact tests and their own promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.api import GLM, families

from vlabench import stats

GRADES = [0.0, 0.25, 0.5, 0.5, -0.25, 1.0, 0.0, 0.75, -0.5, 0.25, 0.25]


# --- paired permutation -------------------------------------------------------------------------


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_permutation_agrees_with_scipy(alternative: str) -> None:
    theirs = scipy_stats.permutation_test(
        (GRADES,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    ).pvalue
    assert stats.paired_permutation(GRADES, alternative=alternative) == pytest.approx(theirs)


@pytest.mark.parametrize(("b", "c"), [(3, 8), (10, 20), (40, 22), (31, 30)])
def test_permutation_of_outcomes_is_mcnemar(b: int, c: int) -> None:
    found = stats.paired_permutation([1] * b + [-1] * c + [0] * 50, seed=3)
    assert found == pytest.approx(stats.mcnemar_exact(b, c), abs=0.015)


def test_permutation_knows_no_order_and_its_seed() -> None:
    rng = np.random.default_rng(0)
    d = rng.normal(0.2, 1, 60)
    found = stats.paired_permutation(d, seed=1)
    assert found == stats.paired_permutation(rng.permutation(d), seed=1)
    assert found != stats.paired_permutation(d, seed=2)
    assert found == pytest.approx(stats.paired_permutation(d, seed=2), abs=0.02)


def test_permutation_is_never_zero_and_one_without_a_difference() -> None:
    assert stats.paired_permutation([1.0] * 400) == pytest.approx(1e-4)
    assert stats.paired_permutation([0.0] * 5) == 1
    assert stats.paired_permutation([0.5]) == 1


# --- bootstrap ----------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [GRADES, [0.0] * 30 + [1.0] * 9, list(np.arange(40) ** 2.0)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_bca_agrees_with_scipy(values: Sequence[float], confidence: float) -> None:
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, confidence_level=confidence, method="BCa", rng=0
    ).confidence_interval
    found = stats.bca_interval(values, confidence=confidence)
    width = theirs.high - theirs.low
    assert found == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_bca_knows_no_order_and_its_seed() -> None:
    rng = np.random.default_rng(0)
    x = rng.exponential(1, 80)
    assert stats.bca_interval(x, seed=1) == stats.bca_interval(rng.permutation(x), seed=1)
    assert stats.bca_interval(x, seed=1) != stats.bca_interval(x, seed=2)
    assert stats.bca_interval([0.3] * 7) == (0.3, 0.3)


def test_bca_covers_what_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        d = rng.choice([-0.5, 0, 0, 0.25, 1], 60)
        low, high = stats.bca_interval(d, resamples=600)
        covered += low <= 0.15 <= high
    assert 0.92 < covered / 300 < 0.98


@pytest.mark.parametrize(("tasks", "a", "b"), [(10, 2, 2), (10, 8, 2), (15, 0.5, 0.5), (26, 8, 2)])
def test_new_tasks_are_covered(tasks: int, a: float, b: float) -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        rates = rng.binomial(20, rng.beta(a, b, tasks)) / 20
        low, high = stats.cluster_bootstrap(rates, resamples=600)
        covered += low <= a / (a + b) <= high
    assert covered / 300 > 0.93


def test_new_tasks_that_all_went_alike_are_episodes() -> None:
    assert stats.cluster_bootstrap([1.0] * 10) == stats.wilson_interval(10, 10)
    assert stats.cluster_bootstrap([0.5] * 12) == stats.wilson_interval(6, 12)


def test_new_tasks_are_no_surer_than_so_many_episodes() -> None:
    """A third of the resamples of the first are all 0, and say nothing of how tasks differ."""
    assert stats.cluster_bootstrap([0.0] * 9 + [1.0]) == stats.wilson_interval(1, 10)
    low, high = stats.cluster_bootstrap([1.0] * 9 + [0.9])
    widest = stats.wilson_interval(9.9, 10)
    assert low == widest.low
    assert 0.99 < high <= widest.high


def test_new_tasks_say_less_than_these_tasks() -> None:
    counts = [20, 18, 3, 11, 16, 20, 9, 14, 2, 19]
    fixed = stats.stratified_rate(counts, [20] * 10).interval
    new = stats.cluster_bootstrap([count / 20 for count in counts])
    assert new == stats.cluster_bootstrap([count / 20 for count in reversed(counts)])
    assert 0 <= new.low < fixed.low < fixed.high < new.high <= 1


def test_interaction_is_what_two_changes_cost_beyond_each() -> None:
    nominal, first, second, both = [1] * 40, [1] * 20 + [0] * 20, [1] * 40, [0] * 30 + [1] * 10
    found = stats.interaction(nominal, first, second, both)
    assert found.value == pytest.approx(0.25 - 1 - 0.5 + 1)
    assert found.interval.low < found.value < found.interval.high
    additive = stats.interaction(nominal, first, nominal, first)
    assert (additive.value, additive.p_value) == (0, 1)
    assert additive.interval == (0, 0)


# --- strength curves ----------------------------------------------------------------------------

STRENGTHS, TRIALS = [0.0, 1.0, 2.0, 4.0], [50] * 4


def curve(successes: Sequence[int], unit: float = 1.0) -> stats.StrengthCurve:
    found = stats.strength_curve([unit * strength for strength in STRENGTHS], successes, TRIALS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "successes",
    [(48, 40, 22, 5), (30, 31, 28, 33), (50, 50, 26, 1), (2, 9, 30, 50), (25, 25, 0, 0)],
)
def test_the_curve_agrees_with_statsmodels(successes: tuple[int, ...]) -> None:
    found = curve(successes)
    design = np.column_stack([np.ones(4), STRENGTHS])
    outcomes = np.column_stack([successes, np.subtract(TRIALS, successes)])
    theirs = GLM(outcomes, design, family=families.Binomial()).fit(tol=1e-12, maxiter=200)
    assert (found.intercept, found.slope) == pytest.approx(tuple(theirs.params), rel=1e-5)
    assert found.slope_error == pytest.approx(theirs.bse[1], rel=1e-4)
    assert found.rate(1.0) == pytest.approx(theirs.predict([1, 1.0])[0], rel=1e-5)


def test_the_curve_does_not_depend_on_the_unit() -> None:
    metres = curve((48, 40, 22, 5), unit=0.01)
    hundredths = curve((48, 40, 22, 5))
    assert metres.half is not None
    assert hundredths.half is not None
    assert metres.interval is not None
    assert hundredths.interval is not None
    assert 100 * metres.half == pytest.approx(hundredths.half)
    assert [100 * end for end in metres.interval] == pytest.approx(list(hundredths.interval))
    assert hundredths.rate(hundredths.half) == pytest.approx(0.5)


def test_fieller_covers_what_it_says() -> None:
    rng, covered = np.random.default_rng(0), 0
    truth = 1 / (1 + np.exp(-(3 - 1.5 * np.array(STRENGTHS))))
    for _ in range(300):
        interval = curve(rng.binomial(50, truth)).interval
        assert interval is not None
        covered += interval.low <= 2 <= interval.high
    assert 0.92 < covered / 300 < 0.98


def test_half_is_not_guessed() -> None:
    never = curve((49, 48, 45, 41))
    assert (never.half, never.interval) == (None, None)
    rising = curve((10, 20, 30, 40))
    assert (rising.half, rising.interval) == (None, None)
    unsure = stats.strength_curve([0, 1], (3, 2), (5, 5))
    assert unsure is not None
    assert unsure.half == pytest.approx(0.5)
    assert unsure.interval is None


@pytest.mark.parametrize(
    "successes", [(50, 50, 50, 50), (0, 0, 0, 0), (50, 50, 0, 0), (50, 50, 26, 0), (0, 0, 7, 50)]
)
def test_no_curve_where_a_steeper_one_always_fits_better(successes: tuple[int, ...]) -> None:
    assert stats.strength_curve(STRENGTHS, successes, TRIALS) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.paired_permutation([]),
        lambda: stats.paired_permutation([1.0, float("nan")]),
        lambda: stats.paired_permutation([1.0], alternative="sideways"),
        lambda: stats.bca_interval([1.0]),
        lambda: stats.bca_interval([1.0, float("inf")]),
        lambda: stats.cluster_bootstrap([0.5] * 9),
        lambda: stats.cluster_bootstrap([1.5] * 10),
        lambda: stats.interaction([1, 0], [1, 0], [1, 0], [1]),
        lambda: stats.interaction([], [], [], []),
        lambda: stats.strength_curve([1], [1], [2]),
        lambda: stats.strength_curve([1, 1], [1, 1], [2, 2]),
        lambda: stats.strength_curve([0, 1], [1, 1], [2, 0]),
    ],
)
def test_no_data_is_an_error(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
