"""Evidence that may be looked at after every pair: values, fair bets, and the gate made of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, multinomial

from vlabench import stats
from vlabench.stats.sequential import STAKES


@pytest.mark.parametrize(
    ("b", "c", "value"),
    [(0, 0, 1), (5, 0, 10.5), (6, 0, 18.14286), (12, 3, 8.90646), (3, 12, 0.09574)],
)
def test_e_mcnemar_reference(b: int, c: int, value: float) -> None:
    assert stats.e_mcnemar(b, c) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("b", "c"), list(itertools.product((0, 1, 3, 10, 40), repeat=2)))
def test_e_mcnemar_is_the_mean_likelihood_ratio(b: int, c: int) -> None:
    mean, _ = quad(lambda p: 2 * (2 * p) ** b * (2 - 2 * p) ** c, 0.5, 1, epsabs=0, limit=200)
    assert stats.e_mcnemar(b, c) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 7, 50, 400])
def test_e_mcnemar_is_a_fair_bet_where_policies_are_alike(n: int) -> None:
    won = [stats.e_mcnemar(b, n - b) for b in range(n + 1)]
    assert binom.pmf(np.arange(n + 1), n, 0.5) @ won == pytest.approx(1)
    assert binom.pmf(np.arange(n + 1), n, 0.4) @ won < 1


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
@pytest.mark.parametrize("discordance", [0.3, 0.5, 1.0])
def test_noninferiority_is_a_fair_bet_at_the_margin(margin: float, discordance: float) -> None:
    """Over all outcomes of six pairs, with the new policy worse by just the margin."""
    lost, won = (discordance + margin) / 2, (discordance - margin) / 2
    chances = (lost, max(0.0, 1 - lost - won), won)
    mean = 0.0
    for counts in itertools.product(range(7), repeat=3):
        if sum(counts) == 6:
            pairs = [-1] * counts[0] + [0] * counts[1] + [1] * counts[2]
            chance = float(multinomial.pmf(counts, 6, chances))
            mean += chance * stats.noninferiority_e(pairs, margin)
    assert mean == pytest.approx(1)


def test_noninferiority_reference() -> None:
    assert stats.noninferiority_e([], 0.05) == 1
    once = float(np.mean(1 + STAKES * 0.05 / 0.95))
    assert stats.noninferiority_e([0], 0.05) == pytest.approx(once)
    both = float(np.mean((1 + STAKES * 1.05 / 0.95) * (1 - STAKES)))
    assert stats.noninferiority_e([-1, 1], 0.05) == pytest.approx(both)
    assert stats.noninferiority_e([1, -1], 0.05) == pytest.approx(both)


def test_evidence_beyond_floats_is_infinite_and_below_them_nothing() -> None:
    assert stats.e_mcnemar(5000, 0) == math.inf
    assert stats.e_mcnemar(0, 5000) == 0
    assert stats.e_mcnemar(20_000, 20_000) < 1
    assert stats.noninferiority_e([0] * 20_000, 0.05) == math.inf
    assert stats.noninferiority_e([-1] * 20_000, 0.05) == 0


@given(st.lists(st.integers(-1, 1), max_size=120), st.sampled_from([0.02, 0.05, 0.2]))
@settings(max_examples=50, deadline=None)
def test_the_gate_says_what_the_evidence_says(pairs: list[int], margin: float) -> None:
    gate = stats.SequentialGate(0.1, margin)
    for at, difference in enumerate(pairs, start=1):
        seen = pairs[:at]
        b, c = seen.count(-1), seen.count(1)
        decision = gate.feed(base=difference < 1, new=difference > -1)
        assert (gate.pairs, gate.b, gate.c) == (at, b, c)
        assert gate.e_regressed == pytest.approx(stats.e_mcnemar(b, c))
        assert gate.e_noninferior == pytest.approx(stats.noninferiority_e(seen, margin))
        assert (decision == "regressed") == (gate.e_regressed >= 10)
        assert (decision == "non-inferior") == (gate.e_noninferior >= 10)
        if decision is not None:
            break


def test_a_decision_stands() -> None:
    gate = stats.SequentialGate()
    said = [gate.feed(base=True, new=False) for _ in range(7)]
    assert said == [None] * 6 + ["regressed"]
    for _ in range(500):
        assert gate.feed(base=False, new=True) == "regressed"
    assert (gate.pairs, gate.b, gate.c) == (7, 7, 0)


def test_equal_policies_are_cleared_after_ninety_pairs() -> None:
    gate = stats.SequentialGate()
    pairs = next(n for n in itertools.count(1) if gate.feed(base=True, new=True))
    assert (gate.decision, pairs) == ("non-inferior", 90)


def test_false_alarms_however_often_one_looks() -> None:
    """Exactly, by walking all paths of 500 differing pairs; also where the new policy is better."""
    for lost, bound in ((0.5, 0.05), (0.4, 0.01)):
        paths, alarms = {0: 1.0}, 0.0
        for n in range(1, 501):
            after: dict[int, float] = {}
            for b, chance in paths.items():
                after[b + 1] = after.get(b + 1, 0) + chance * lost
                after[b] = after.get(b, 0) + chance * (1 - lost)
            decided = {b for b in after if 2 * b > n and stats.e_mcnemar(b, n - b) >= 20}
            alarms += sum(after.pop(b) for b in decided)
            paths = {b: chance for b, chance in after.items() if chance > 1e-9}
        assert 0.0001 < alarms <= bound


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.e_mcnemar(-1, 0),
        lambda: stats.noninferiority_e([2], 0.05),
        lambda: stats.noninferiority_e([0], 0),
        lambda: stats.noninferiority_e([0], 1),
        lambda: stats.SequentialGate(alpha=0),
        lambda: stats.SequentialGate(margin=1),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w{3}"):
        call()
