"""Discretised actions: which token is which bin, which bin is which number, and what is none."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from vlabench.errors import PolicyError, UsageError
from vlabench.policies.card import packaged_card
from vlabench.policies.openvla import action_bins
from vlabench.policies.options import read_options
from vlabench.policies.tokens_vocabulary import TokenOptions, Vocabulary


def options(**changes):
    given = {
        "model": "causal",
        "tokens": "last",
        "bins": 256,
        "values": "edges",
        "low": (-1, -1, -0.5),
        "high": (1, 1, 0.5),
        "layout": ("terminate", 2, 0, "unused", 1),
        "terminate_bins": (1, 2),
    }
    return TokenOptions(**{**given, **changes})


def vocabulary(size=1000, **changes):
    return Vocabulary("p", options(**changes), size)


def test_the_last_tokens_up_and_down():
    up, down = vocabulary().tokens(), vocabulary(descending=True).tokens()
    assert (up[0], up[-1], len(up)) == (744, 999, 256)
    assert down == up[::-1]
    assert vocabulary(vocabulary=900).tokens()[-1] == 899


def test_openvlas_bins_as_a_card():
    """Its 256 edges make 255 bins; token 31999 is the first one's, and so on downwards."""
    card = options(
        bins=255, values="centres", descending=True, vocabulary=32000,
        low=(-1,), high=(1,), layout=(0,), terminate_bins=(),
    )  # fmt: skip
    words = Vocabulary("p", card, 32064)
    centres = action_bins(256)
    for token in (31999, 31998, 31872, 31745):
        numbers, _ = words.action(words.bins_of([token], ["x"]))
        assert numbers[0] == pytest.approx(centres[31999 - token], abs=1e-12)
    with pytest.raises(PolicyError, match="token 31744"):
        words.bins_of([31744], ["x"])


def test_rt1s_tokenizer_derived_anew():
    """``RT1ActionTokenizer``: token / (vocab_size - 1) * (high - low) + low."""
    numbers, done = vocabulary().action([1, 255, 0, 7, 128])
    assert done
    assert numbers.tolist() == pytest.approx([-1.0, 128 / 255 * 2 - 1, 0.5])
    assert not vocabulary().action([0, 255, 0, 7, 128])[1]


def test_middles_of_bins():
    numbers, _ = vocabulary(values="centres", bins=4, layout=(0, 1, 2), terminate_bins=()).action(
        [0, 3, 1]
    )
    assert numbers.tolist() == pytest.approx([-0.75, 0.75, -0.125])


def test_rt2s_text():
    card = packaged_card("rt2-style")
    words = Vocabulary("p", read_options(card, TokenOptions), 1000)
    numbers, done = words.action(words.bins_in("1 128 91 241 5 101 127 217"))
    assert done
    low, high = [-1] * 3 + [-math.pi / 2] * 3 + [-1], [1] * 3 + [math.pi / 2] * 3 + [1]
    bins = [128, 91, 241, 5, 101, 127, 217]
    expected = [a + (b - a) * n / 255 for a, b, n in zip(low, high, bins, strict=True)]
    assert numbers.tolist() == pytest.approx(expected)
    assert max(abs(numbers)) <= card.action.bound


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("1 128 91 241", "answered 4 numbers"),
        ("1 2 3 4 5 6", "answered 6 numbers"),
        ("", "answered 0 numbers"),
        ("1 128 256 4 5", "word 3 ('256')"),
        ("1 -2 3 4 5", "word 2 ('-2')"),
        ("1 2.5 3 4 5", "word 2 ('2.5')"),
        ("I will 3 4 5", "word 1 ('I')"),
        ("1 ²  3 4 5", "word 2 ('²')"),
        ("1 2 3 4 " + "9" * 5000, "word 5"),
    ],
)
def test_text_that_is_no_action_is_the_policys_error(text, part):
    words = vocabulary(tokens="text", max_new_tokens=20)
    with pytest.raises(PolicyError) as caught:
        words.bins_in(text)
    assert part in str(caught.value)


def test_a_token_that_is_no_bin_is_named():
    with pytest.raises(PolicyError, match=r"token 17 \('the'\) as number 3 of 5"):
        vocabulary().bins_of([744, 745, 17, 746, 747], ["a", "b", "the", "c", "d"])
    with pytest.raises(PolicyError, match=r"answered 2 tokens \[744, 745\] where 5"):
        vocabulary().bins_of([744, 745], ["a", "b"])


def test_tokens_by_name():
    words = vocabulary(tokens="ids", ids=(5, 9, 7), bins=3)
    assert words.bins_of([7, 5, 9, 9, 7], "abcde") == [2, 0, 1, 1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"bins": 1},
        {"tokens": "ids", "ids": (1, 2)},
        {"tokens": "ids", "ids": (1, 1, 2), "bins": 3},
        {"ids": (1,)},
        {"high": (1, 1)},
        {"high": (1, 1, -0.5)},
        {"low": (-1, -1, math.nan)},
        {"layout": ("terminate", 0, 1)},
        {"layout": ("terminate", 0, 1, 1)},
        {"layout": (0, 1, 2)},
        {"terminate_bins": ()},
        {"terminate_bins": (256,)},
        {"tokens": "text"},
        {"tokens": "text", "max_new_tokens": 9, "constrained": True},
        {"max_new_tokens": 9},
        {"binz": 3},
    ],
    ids=str,
)
def test_options_that_do_not_fit_together_are_refused(changes):
    with pytest.raises(ValidationError):
        options(**changes)


def test_tokens_outside_the_vocabulary_are_refused():
    with pytest.raises(UsageError, match="vocabulary has 100"):
        vocabulary(100)
    with pytest.raises(UsageError, match="tokens 5 to 5000"):
        vocabulary(tokens="ids", ids=(5, 5000), bins=2, terminate_bins=(1,))
