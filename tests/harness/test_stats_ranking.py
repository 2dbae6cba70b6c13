"""Ranks, letters and Boschloo's test, against scipy, scikit-posthocs and what they mean."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import boschloo_exact, fisher_exact, mannwhitneyu

from vlabench import stats
from vlabench.stats import Unpaired


def test_letters_reference() -> None:
    assert stats.compact_letters(3, {(0, 1): 0.2, (1, 2): 0.3, (0, 2): 0.01}) == ["a", "ab", "b"]


def test_letters_of_few() -> None:
    assert stats.compact_letters(0, {}) == []
    assert stats.compact_letters(1, {}) == ["a"]
    assert stats.compact_letters(2, {(1, 0): 0.05}) == ["a", "b"]
    assert stats.compact_letters(2, {(0, 1): 0.051}) == ["a", "a"]


def test_letters_go_on_after_the_alphabet() -> None:
    everyone_differs = dict.fromkeys(itertools.combinations(range(54), 2), 0.0)
    letters = stats.compact_letters(54, everyone_differs)
    assert letters[:2] + letters[25:27] + letters[51:] == ["a", "b", "z", "A", "Z", "a1", "b1"]


@given(st.integers(2, 9), st.randoms(use_true_random=False), st.sampled_from([0.2, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_policies_share_a_letter_if_and_only_if_they_do_not_differ(
    count: int, rng: random.Random, share: float
) -> None:
    p_values = {
        pair: 0.01 if rng.random() < share else 0.5
        for pair in itertools.combinations(range(count), 2)
    }
    letters = stats.compact_letters(count, p_values)
    for (first, second), p in p_values.items():
        assert bool(set(letters[first]) & set(letters[second])) == (p > 0.05)


@pytest.mark.parametrize("seed", range(20))
def test_letters_agree_with_scikit_posthocs(seed: int) -> None:
    """Of policies on a scale, which is what rates are."""
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.uniform(0, 1, rng.integers(2, 12)))[::-1]
    matrix = np.exp(-10 * np.abs(scores[:, None] - scores[None, :]))
    pairs = itertools.combinations(range(len(scores)), 2)
    found = stats.compact_letters(len(scores), {pair: float(matrix[pair]) for pair in pairs})
    theirs = scikit_posthocs.compact_letter_display(matrix, alpha=0.05)
    assert found == ["".join(letters.split()) for letters in theirs]


@pytest.mark.parametrize("seed", range(2))
def test_holm_agrees_with_scikit_posthocs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [rng.normal(shift, 1, 15) for shift in (0, 0.3, 0.9, 2)]
    theirs = scikit_posthocs.posthoc_mannwhitney(groups, p_adjust="holm").to_numpy()
    pairs = list(itertools.combinations(range(4), 2))
    raw = [mannwhitneyu(groups[i], groups[j]).pvalue for i, j in pairs]
    assert stats.holm(raw) == pytest.approx([theirs[pair] for pair in pairs])


def test_ranks_share_what_does_not_differ() -> None:
    contests = {(0, 1): (5, 4), (0, 2): (30, 5), (1, 2): (28, 6)}
    assert stats.ranks(3, contests) == [1, 1, 3]
    assert stats.ranks(1, {}) == [1]
    assert stats.ranks(0, {}) == []


def test_ranks_without_pairs() -> None:
    contests = {
        (0, 1): Unpaired(6, 20, 7, 20),
        (0, 2): Unpaired(6, 20, 17, 20),
        (1, 2): Unpaired(7, 20, 34, 40),
    }
    assert stats.ranks(3, contests) == [2, 2, 1]
    raw = [stats.boschloo(*contest) for contest in contests.values()]
    assert list(stats.pairwise_p_values(contests).values()) == stats.holm(raw)


def test_letters_and_ranks_from_the_same_contests() -> None:
    contests: dict[tuple[int, int], stats.Contest] = {
        (0, 1): (9, 5),
        (0, 2): (30, 5),
        (1, 2): Unpaired(70, 100, 65, 100),
    }
    letters = stats.compact_letters(3, stats.pairwise_p_values(contests))
    assert letters == ["a", "ab", "b"]
    assert stats.ranks(3, contests) == [1, 1, 2]


# --- Boschloo -----------------------------------------------------------------------------------

ARMS = [(1, 1), (3, 5), (10, 4), (12, 30)]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("n", "m"), ARMS)
def test_boschloo_agrees_with_scipy(n: int, m: int, alternative: str) -> None:
    for a, b in itertools.product(sorted({0, n // 3, n}), sorted({0, m // 2, m - 1})):
        theirs = boschloo_exact([[a, b], [n - a, m - b]], alternative=alternative).pvalue
        assert stats.boschloo(a, n, b, m, alternative) == pytest.approx(theirs, abs=1e-5)


def test_boschloo_finds_more_than_fisher() -> None:
    for a, b in ((20, 12), (40, 30), (48, 40)):
        fisher = fisher_exact([[a, b], [50 - a, 50 - b]]).pvalue
        assert stats.boschloo(a, 50, b, 50) < fisher


def test_boschloo_of_a_large_run() -> None:
    assert stats.boschloo(400, 500, 375, 500) == pytest.approx(0.0620232, abs=1e-6)
    assert stats.boschloo(375, 500, 400, 500, "less") == pytest.approx(0.0310116, abs=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.boschloo(0, 0, 1, 2),
        lambda: stats.boschloo(3, 2, 1, 2),
        lambda: stats.boschloo(1, 2, 1, 2, "sideways"),
        lambda: stats.compact_letters(3, {(0, 1): 0.2}),
        lambda: stats.compact_letters(2, {(0, 1): float("nan")}),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
