"""From the tokens of a discretised policy to the numbers of an action.

RT-1 (Brohan et al. 2022, arXiv:2212.06817) and RT-2 (Brohan et al. 2023, arXiv:2307.15818) cut the
range of every number into 256 bins and let a model say one bin after the other. What differs from
checkpoint to checkpoint stands in the card: which tokens the bins are, in which order the numbers
come, their bounds, and whether a bin means its edge or its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, StrictInt, model_validator

from vlabench.errors import PolicyError, UsageError
from vlabench.types import Floats

Place: TypeAlias = StrictInt | Literal["terminate", "unused"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenOptions(_Strict):
    """What a card of a discretised policy says beside the conventions.

    Attributes:
        model: Whether the checkpoint is a language model (``causal``) or sees images too
            (``vision2seq``).
        tokens: What the bins are: the ``last`` tokens of the vocabulary, the tokens ``ids``, or
            ``text``: whole numbers between blanks, as RT-2 with PaLI-X says them.
        ids: Of ``ids``: the token of each bin.
        vocabulary: Of ``last``: how many tokens there are, without those that only fill an
            embedding up; the tokenizer's own number unless told.
        descending: Of ``last``: whether the last token is the first bin, as OpenVLA has it.
        bins: How many bins a number has.
        values: ``edges``: the first bin is the low bound and the last the high one, as RT-1's
            tokenizer has it; ``centres``: the middles of equal bins between the bounds.
        low: What each number of an action is at least, in its order.
        high: What it is at most.
        layout: What each token is, in the order they are said: the place of a number in the
            action, ``terminate``, or ``unused``.
        terminate_bins: The bins of ``terminate`` that say that the policy is done.
        constrained: Whether only tokens of bins are decoded, the likeliest of them, as RT-2 does.
        max_new_tokens: Of ``text``: how many tokens an answer has at most.
    """

    model: Literal["causal", "vision2seq"]
    tokens: Literal["last", "ids", "text"]
    ids: tuple[StrictInt, ...] = ()
    vocabulary: StrictInt | None = None
    descending: bool = False
    bins: StrictInt
    values: Literal["edges", "centres"]
    low: tuple[FiniteFloat, ...]
    high: tuple[FiniteFloat, ...]
    layout: tuple[Place, ...]
    terminate_bins: tuple[StrictInt, ...] = ()
    constrained: bool = False
    max_new_tokens: StrictInt | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> TokenOptions:
        told = [place for place in self.layout if isinstance(place, int)]
        wrong = {
            "bins must be at least 2": self.bins < 2,
            "ids needs as many tokens as there are bins, each once": self.tokens == "ids"
            and not (len(self.ids) == len(set(self.ids)) == self.bins),
            "ids are for tokens: ids": self.tokens != "ids" and bool(self.ids),
            "low and high need as many numbers": len(self.low) != len(self.high),
            "low must be below high": any(
                low >= high for low, high in zip(self.low, self.high, strict=False)
            ),
            "layout needs every place from 0 on once": sorted(told) != list(range(len(self.low))),
            "layout has no terminate for terminate_bins": bool(self.terminate_bins)
            != ("terminate" in self.layout),
            "terminate_bins must be bins": any(
                not 0 <= place < self.bins for place in self.terminate_bins
            ),
            "text cannot be constrained": self.tokens == "text" and self.constrained,
            "max_new_tokens and tokens: text go together": (self.tokens == "text")
            != (self.max_new_tokens is not None),
        }
        for text, is_wrong in wrong.items():
            if is_wrong:
                raise ValueError(text)
        return self


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which token is which bin.

    Attributes:
        policy: Whose it is, for errors.
        options: What the card says.
        size: How many tokens the tokenizer has.
    """

    policy: str
    options: TokenOptions
    size: int

    def __post_init__(self) -> None:
        tokens = self.tokens()
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.count:
            raise UsageError(
                f"The card of policy {self.policy!r} means the tokens {min(tokens)} to "
                f"{max(tokens)} and the vocabulary has {self.count}; mend bins, ids or vocabulary "
                "of its options."
            )

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return self.options.vocabulary or self.size

    def tokens(self) -> list[int]:
        """The token of each bin, the first bin first; none where bins are words."""
        match self.options.tokens:
            case "ids":
                return list(self.options.ids)
            case "last":
                first = self.count - self.options.bins
                ascending = list(range(first, self.count))
                return ascending[::-1] if self.options.descending else ascending
            case "text":
                return []

    def bins_of(self, tokens: Sequence[int], words: Sequence[str]) -> list[int]:
        """The bins that `tokens` say, which are written as `words`.

        Raises:
            PolicyError: If there are too few or too many, or one is no bin.
        """
        due = len(self.options.layout)
        if len(tokens) != due:
            raise PolicyError(
                f"Policy {self.policy!r} answered {len(tokens)} tokens {list(tokens)} where {due} "
                "make an action."
            )
        places = {token: place for place, token in enumerate(self.tokens())}
        for number, (token, word) in enumerate(zip(tokens, words, strict=True), 1):
            if token not in places:
                raise PolicyError(
                    f"Policy {self.policy!r} answered the token {token} ({word!r}) as number "
                    f"{number} of {due}, which is no bin of an action."
                )
        return [places[token] for token in tokens]

    def bins_in(self, text: str) -> list[int]:
        """The bins that `text` says: whole numbers between blanks.

        Raises:
            PolicyError: If there are too few or too many, or a word is no bin.
        """
        words, due = text.split(), len(self.options.layout)
        for number, word in enumerate(words, 1):
            is_number = word.isascii() and word.isdigit() and len(word) < 10
            if not is_number or int(word) >= self.options.bins:
                raise PolicyError(
                    f"Policy {self.policy!r} answered {text!r}, of which word {number} ({word!r}) "
                    f"is no whole number from 0 to {self.options.bins - 1}."
                )
        if len(words) != due:
            raise PolicyError(
                f"Policy {self.policy!r} answered {len(words)} numbers ({text!r}) where {due} make "
                "an action."
            )
        return [int(word) for word in words]

    def action(self, bins: Sequence[int]) -> tuple[Floats, bool]:
        """The numbers ``(D,)`` that `bins` mean, and whether they say that the policy is done."""
        options = self.options
        numbers = np.empty(len(options.low))
        done = False
        for place, found in zip(options.layout, bins, strict=True):
            if place == "terminate":
                done = found in options.terminate_bins
            elif isinstance(place, int):
                low, high = options.low[place], options.high[place]
                numbers[place] = low + self._share(found) * (high - low)
        return numbers, done

    def _share(self, found: int) -> float:
        """Where a bin lies between the bounds, from 0 to 1."""
        if self.options.values == "edges":
            return found / (self.options.bins - 1)
        return (found + 0.5) / self.options.bins
