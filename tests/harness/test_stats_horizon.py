"""Stages, tries and times, against references, statsmodels and enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from vlabench import stats

LENGTHS = [5, 3, 0, 1, 5]


def test_chain_length_reference() -> None:
    found = stats.chain_length(LENGTHS, 5)
    assert found.success_at == pytest.approx((0.8, 0.6, 0.6, 0.4, 0.4))
    assert found.mean == pytest.approx(2.8)


def test_each_stage_is_judged_by_those_who_came_to_it() -> None:
    found = stats.conditional_stage_success(LENGTHS, 5)
    assert [(stage.reached, stage.finished) for stage in found] == [
        (5, 4),
        (4, 3),
        (3, 3),
        (3, 2),
        (2, 2),
    ]
    assert [stage.failed for stage in found] == [1, 1, 0, 1, 0]
    assert found[0].interval == stats.wilson_interval(4, 5)
    product = math.prod(stage.rate or 0 for stage in found)
    assert product == pytest.approx(stats.chain_length(LENGTHS, 5).success_at[-1])


def test_a_stage_that_nobody_came_to_has_no_rate() -> None:
    found = stats.conditional_stage_success([0, 1, 1], 3)
    assert (found[1].rate, found[1].failed) == (0.0, 2)
    assert (found[2].reached, found[2].rate, found[2].interval) == (0, None, None)


def test_pass_hat_k_reference() -> None:
    assert stats.pass_hat_k(7, 10, 3) == pytest.approx(0.291667, abs=1e-6)
    assert stats.pass_hat_k(2, 10, 3) == 0
    assert stats.pass_hat_k(10, 10, 3) == 1


@pytest.mark.parametrize("successes", range(7))
@pytest.mark.parametrize("k", range(1, 7))
def test_pass_hat_k_is_the_share_of_choices_without_a_failure(successes: int, k: int) -> None:
    tries = [True] * successes + [False] * (6 - successes)
    choices = [all(choice) for choice in itertools.combinations(tries, k)]
    assert stats.pass_hat_k(successes, 6, k) == pytest.approx(sum(choices) / len(choices))


# --- time to success ----------------------------------------------------------------------------


def test_restricted_mean_reference() -> None:
    times, events = [10, 20, 20, 30, 40, 40, 40, 40], [True] * 4 + [False] * 4
    assert stats.restricted_mean_time(times, events, 40) == pytest.approx(30.0)
    curve = stats.kaplan_meier(times, events)
    assert curve.times == (0, 10, 20, 30)
    assert curve.waiting == pytest.approx((1, 7 / 8, 5 / 8, 4 / 8))
    assert curve.median == 30


@pytest.mark.parametrize("seed", range(12))
def test_survival_agrees_with_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = [*rng.integers(1, 40, rng.integers(1, 30)).tolist(), 40]
    events = [*(rng.random(len(times) - 1) < 0.6).tolist(), False]
    theirs = SurvfuncRight(times, events)
    curve = stats.kaplan_meier(times, events)
    steps = dict(zip(theirs.surv_times, theirs.surv_prob, strict=True))
    assert dict(zip(*curve, strict=True)) == pytest.approx({0: 1.0, **steps})
    moments = np.concatenate([[0], theirs.surv_times, [40]])
    shares = np.concatenate([[1], theirs.surv_prob])
    area = float(np.sum(shares * np.diff(moments)))
    assert stats.restricted_mean_time(times, events, 40) == pytest.approx(area)


def test_a_failure_is_censored_and_not_left_out() -> None:
    assert stats.restricted_mean_time([10, 40], [True, False], 40) == 25
    assert stats.restricted_mean_time([10], [True], 40) == 10
    assert stats.restricted_mean_time([60], [True], 40) == 40
    assert stats.kaplan_meier([10, 40, 40], [True, False, False]).median is None
    assert stats.kaplan_meier([40], [False]) == ((0.0,), (1.0,))


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.chain_length([], 3),
        lambda: stats.chain_length([4], 3),
        lambda: stats.conditional_stage_success([], 3),
        lambda: stats.conditional_stage_success([-1], 3),
        lambda: stats.pass_hat_k(1, 2, 3),
        lambda: stats.pass_hat_k(3, 2, 1),
        lambda: stats.pass_hat_k(1, 2, 0),
        lambda: stats.kaplan_meier([], []),
        lambda: stats.kaplan_meier([1, 2], [True]),
        lambda: stats.kaplan_meier([-1], [True]),
        lambda: stats.kaplan_meier([math.nan], [True]),
        lambda: stats.restricted_mean_time([], [], 40),
        lambda: stats.restricted_mean_time([10], [True], 0),
        lambda: stats.restricted_mean_time([10, 20], [True, False], 40),
    ],
)
def test_no_data_is_an_error(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
