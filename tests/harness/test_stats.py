"""Every function against reference values, against statsmodels, and against what it means."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binom, norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from vlabench import stats

GRID = [(k, n) for n in (1, 2, 5, 20, 137) for k in sorted({0, 1, n // 3, n // 2, n - 1, n})]


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((7, 10), 0.396778, 0.892209),
        ((0, 20), 0, 0.161125),
        ((20, 20), 0.838875, 1),
        ((42, 50), 0.714858, 0.916626),
        ((137, 200), 0.617650, 0.745377),
        ((485, 500), 0.951096, 0.981737),
    ],
)
def test_wilson_reference(counts: tuple[int, int], low: float, high: float) -> None:
    assert stats.wilson_interval(*counts) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((7, 10), 0.347547, 0.933260),
        ((0, 20), 0, 0.168433),
        ((20, 20), 0.831567, 1),
        ((42, 50), 0.708874, 0.928299),
    ],
)
def test_clopper_pearson_reference(counts: tuple[int, int], low: float, high: float) -> None:
    assert stats.clopper_pearson_interval(*counts) == pytest.approx((low, high), abs=1e-6)


def test_jeffreys_reference() -> None:
    assert stats.jeffreys_interval(7, 10) == pytest.approx((0.394182, 0.907305), abs=1e-6)


@pytest.mark.parametrize(
    ("b", "c", "exact", "midp"),
    [
        (3, 12, 0.03515625, 0.021271),
        (0, 5, 0.0625, 0.03125),
        (1, 8, 0.039062, 0.021484),
        (10, 20, 0.098737, 0.070756),
        (5, 5, 1, 0.876953),
    ],
)
def test_mcnemar_reference(b: int, c: int, exact: float, midp: float) -> None:
    assert stats.mcnemar_exact(b, c) == pytest.approx(exact, abs=1e-6)
    assert stats.mcnemar_midp(b, c) == pytest.approx(midp, abs=1e-6)


def test_mcnemar_one_sided_reference() -> None:
    assert stats.mcnemar_exact(3, 12, "less") == pytest.approx(0.017578, abs=1e-6)
    assert stats.mcnemar_midp(3, 12, "less") == pytest.approx(0.010635, abs=1e-6)
    assert stats.mcnemar_midp(12, 3, "greater") == pytest.approx(0.010635, abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((12, 3, 100), 0.01598, 0.17374),
        ((40, 20, 500), 0.00993, 0.07160),
        ((0, 0, 50), -0.071348, 0.071348),
    ],
)
def test_tango_reference(counts: tuple[int, int, int], low: float, high: float) -> None:
    assert stats.tango_interval(*counts) == pytest.approx((low, high), abs=5e-6)


def test_newcombe_reference() -> None:
    found = stats.newcombe_interval(42, 50, 35, 50)
    assert found == pytest.approx((-0.025933, 0.297413), abs=1e-6)


def test_holm_reference() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([]) == []


def test_stratified_reference() -> None:
    found = stats.stratified_rate([10, 8, 2, 20], [20] * 4)
    assert found.rate == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(0.042573, abs=1e-6)


# --- a second opinion ---------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), GRID)
def test_intervals_agree_with_statsmodels(k: int, n: int, confidence: float) -> None:
    def theirs(method: str) -> tuple[float, float]:
        return proportion_confint(k, n, alpha=1 - confidence, method=method)

    assert stats.wilson_interval(k, n, confidence) == pytest.approx(theirs("wilson"), abs=1e-9)
    exact = stats.clopper_pearson_interval(k, n, confidence)
    assert exact == pytest.approx(theirs("beta"), abs=1e-9)
    if 0 < k < n:
        jeffreys = stats.jeffreys_interval(k, n, confidence)
        assert jeffreys == pytest.approx(theirs("jeffreys"), abs=1e-9)


@pytest.mark.parametrize(("b", "c"), list(itertools.product((0, 1, 4, 9, 30), repeat=2)))
def test_mcnemar_agrees_with_statsmodels(b: int, c: int) -> None:
    theirs = mcnemar([[10, b], [c, 10]], exact=True).pvalue if b + c else 1.0
    assert stats.mcnemar_exact(b, c) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("a", "b"), list(itertools.product([(0, 5), (3, 9), (20, 20)], repeat=2)))
def test_newcombe_agrees_with_statsmodels(a: tuple[int, int], b: tuple[int, int]) -> None:
    theirs = confint_proportions_2indep(*a, *b, method="newcomb", compare="diff")
    assert stats.newcombe_interval(*a, *b) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_holm_agrees_with_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p_values = (rng.random(1 + seed) ** 3).round(2).tolist()
    theirs = multipletests(p_values, method="holm")[1]
    assert stats.holm(p_values) == pytest.approx(list(theirs), abs=1e-12)


@pytest.mark.parametrize(("b", "c", "n"), [(12, 3, 100), (40, 20, 500), (0, 4, 9), (6, 0, 40)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_tango_ends_where_the_score_test_turns(b: int, c: int, n: int, confidence: float) -> None:
    """With the likelihood maximized by search, and the score by its definition."""
    for end in stats.tango_interval(b, c, n, confidence):
        lowest, highest = max(0.0, -end), (1 - end) / 2

        def loss(rate: float, end: float = end) -> float:
            return -float(
                xlogy(b, rate + end) + xlogy(c, rate) + xlogy(n - b - c, 1 - 2 * rate - end)
            )

        options = {"xatol": 1e-12}
        rate = minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options=options).x
        score = (b - c - n * end) / math.sqrt(n * (2 * rate + end * (1 - end)))
        assert abs(score) == pytest.approx(norm.isf((1 - confidence) / 2), abs=1e-3)


@pytest.mark.parametrize(("b", "c"), list(itertools.product((0, 1, 4, 9, 30), repeat=2)))
def test_midp_is_half_way_to_the_next_table(b: int, c: int) -> None:
    tail = [float(binom.pmf(k, b + c, 0.5)) for k in range(b, b + c + 1)]
    assert stats.mcnemar_midp(b, c, "greater") == pytest.approx(sum(tail) - tail[0] / 2)
    assert stats.mcnemar_midp(c, b, "less") == pytest.approx(sum(tail) - tail[0] / 2)


# --- what they mean -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "c", "n"), [(12, 3, 100), (0, 4, 9), (7, 0, 7), (1, 1, 2), (0, 3, 3)]
)
def test_tango_mirrors_and_holds_the_difference(b: int, c: int, n: int) -> None:
    low, high = stats.tango_interval(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert stats.tango_interval(c, b, n) == pytest.approx((-high, -low), abs=1e-9)


def test_tango_covers_what_it_says() -> None:
    """Exact coverage over all tables of 30 pairs, for a middling and a one-sided truth."""
    for rate_b, rate_c in ((0.2, 0.1), (0.05, 0.3)):
        covered = 0.0
        for b in range(31):
            for c in range(31 - b):
                weight = binom.pmf(b, 30, rate_b) * binom.pmf(c, 30 - b, rate_c / (1 - rate_b))
                low, high = stats.tango_interval(b, c, 30)
                covered += weight * (low <= rate_b - rate_c <= high)
        assert 0.93 < covered < 0.98


def test_midp_false_alarms_stay_at_alpha() -> None:
    """By exact enumeration over tables of identical policies, which differ in up to half the pairs.

    Mid-p is no exact test: given few differing pairs it can alarm in 7 % of cases. Over all tables
    of a run it exceeds alpha by no more than 0.0002.
    """
    given_differing = [
        sum(
            binom.pmf(b, n, 0.5)
            for b in range(n // 2, n + 1)
            if stats.mcnemar_midp(b, n - b, "greater") <= 0.05
        )
        for n in range(101)
    ]
    assert max(given_differing) < 0.075
    for discordance in np.arange(0.02, 0.51, 0.02):
        alarms = binom.pmf(np.arange(101), 100, discordance) @ given_differing
        assert alarms <= 0.0502


@given(st.integers(1, 60), st.data())
@settings(max_examples=60)
def test_one_stratum_is_the_plain_interval(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    found = stats.stratified_rate([k], [n])
    assert found.rate == k / n
    assert found.interval == pytest.approx(stats.wilson_interval(k, n), abs=1e-9)


def test_stratified_interval_knows_that_tasks_differ() -> None:
    even = stats.stratified_rate([25, 25], [50, 50]).interval
    uneven = stats.stratified_rate([49, 1], [50, 50]).interval
    assert uneven.high - uneven.low < (even.high - even.low) / 2
    perfect = stats.stratified_rate([20, 20], [20, 20])
    assert perfect.standard_error == 0
    assert perfect.interval.low < 0.92


def test_stratified_coverage_by_simulation() -> None:
    rng = np.random.default_rng(0)
    for truth, n in (((0.9, 0.5, 0.2, 0.7), 10), ((0.95, 0.98, 0.9), 20), ((0.5,) * 20, 1)):
        covered = 0
        for _ in range(400):
            k = rng.binomial(n, truth)
            low, high = stats.stratified_rate(k.tolist(), [n] * len(truth)).interval
            covered += low <= np.mean(truth) <= high
        assert covered / 400 > 0.93


def test_weights_move_the_mean() -> None:
    found = stats.stratified_rate([10, 0, 0], [10, 10, 10], weights=[2, 1, 1])
    assert found.rate == pytest.approx(0.5)


def test_balanced_gap_is_that_of_the_pooled_counts() -> None:
    value, interval = stats.stratified_gap([8, 4], [1, 2], [50, 50])
    assert value == pytest.approx(0.09)
    assert interval == pytest.approx(stats.tango_interval(12, 3, 100), abs=1e-9)


def test_unbalanced_gap_gives_tasks_equal_weight() -> None:
    value, interval = stats.stratified_gap([5, 0], [0, 0], [10, 90])
    assert value == pytest.approx(0.25)
    pooled = stats.tango_interval(5, 0, 100)
    assert interval.high - interval.low > pooled.high - pooled.low


def test_shared_scenes_widen_the_interval() -> None:
    together, apart = [0.5, 0.5, -0.5, -0.5], [0.5, -0.5, 0.5, -0.5]
    scenes = ["a", "a", "b", "b"]
    assert stats.scene_design_effect(together, scenes) == pytest.approx(2)
    assert stats.scene_design_effect(apart, scenes) == 1
    assert stats.scene_design_effect([0.0] * 6, ["a", "a", "a", "b", "b", "b"]) == 3
    plain = stats.stratified_rate([30], [50]).interval
    shared = stats.stratified_rate([30], [50], design_effect=2.0).interval
    assert shared.high - shared.low > 1.3 * (plain.high - plain.low)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.wilson_interval(0, 0),
        lambda: stats.clopper_pearson_interval(0, 0),
        lambda: stats.jeffreys_interval(0, 0),
        lambda: stats.newcombe_interval(1, 2, 0, 0),
        lambda: stats.wilson_interval(3, 2),
        lambda: stats.wilson_interval(-1, 2),
        lambda: stats.wilson_interval(1, 2, confidence=95),
        lambda: stats.tango_interval(0, 0, 0),
        lambda: stats.tango_interval(3, 3, 5),
        lambda: stats.mcnemar_exact(-1, 2),
        lambda: stats.mcnemar_midp(1, 2, "sideways"),
        lambda: stats.holm([0.5, math.nan]),
        lambda: stats.stratified_rate([], []),
        lambda: stats.stratified_rate([1, 0], [2, 0]),
        lambda: stats.stratified_rate([1], [2], weights=[0]),
        lambda: stats.stratified_gap([], [], []),
        lambda: stats.effective_counts([1], [1, 1], [5, 5]),
        lambda: stats.effective_counts([3], [3], [5]),
        lambda: stats.scene_design_effect([], []),
    ],
)
def test_no_data_is_an_error(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
