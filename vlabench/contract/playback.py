"""One session's answers on their way to being executed: chunk buffer, ensembling, rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vlabench.contract.specs import Ensembling
from vlabench.types import Floats

DECIMALS = 12
"""The weights of an ensemble are rounded so, because the exponential's last bit is not the same
everywhere."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer's rows, the first of which is for the control step `start`."""

    start: int
    rows: Floats


class Playback:
    """Says which row of which answer is for this control step, in the policy's own numbers.

    The first row of an answer is for the control step after `take`. Where the policy works at
    another rate than the environment, a row lasts until the next one's time has come.

    Args:
        executed: Rows of an answer until the policy is asked again.
        ratio: Rows in a control step: the policy's rate by the environment's.
        ensembling: How overlapping answers are averaged; None to use the newest alone.
    """

    def __init__(
        self, executed: int, ratio: Fraction = Fraction(1), ensembling: Ensembling | None = None
    ) -> None:
        self._executed, self._ensembling = executed, ensembling
        self._rows, self._per_steps = ratio.numerator, ratio.denominator
        self._answers: list[_Answer] = []
        self._step = 0

    @property
    def is_due(self) -> bool:
        """Whether the policy is to be asked now."""
        return not self._answers or self._index(self._answers[-1]) >= self._executed

    def take(self, rows: Floats) -> None:
        """An answer ``(T, D)`` has come, and counts from this control step on."""
        kept = [] if self._ensembling is None else self._answers
        reaching = [answer for answer in kept if self._has_row(answer)]
        self._answers = [*reaching, _Answer(self._step, rows)]

    def drop(self) -> None:
        """What was answered is void, those answers too that would be averaged with the next."""
        self._answers = []

    def row(self) -> Floats | None:
        """``(D,)`` for this control step; None if no answer reaches so far."""
        answers = [answer for answer in self._answers if self._has_row(answer)]
        found: list[Floats] = [answer.rows[self._index(answer)] for answer in answers]
        if not found:
            return None
        if self._ensembling is None:
            return found[-1]
        return ensemble(found, self._ensembling.decay)

    def advance(self) -> None:
        """A control step has been executed."""
        self._step += 1

    def _index(self, answer: _Answer) -> int:
        return (self._step - answer.start) * self._rows // self._per_steps

    def _has_row(self, answer: _Answer) -> bool:
        return self._index(answer) < len(answer.rows)


def steps_of(executed: int, ratio: Fraction) -> int:
    """Control steps that `executed` rows last, with `ratio` rows in a control step."""
    return math.ceil(executed / ratio)


def ensemble(rows: Sequence[Floats], decay: float) -> Floats:
    """The weighted mean of `rows`, oldest first; the ``i``-th weighs ``exp(-decay * i)``.

    It is one of numbers; `vlabench.contract.mismatch` refuses those of which it has no meaning.
    """
    weights = [round(math.exp(-decay * i), DECIMALS) for i in range(len(rows))]
    total = np.zeros_like(rows[0])
    with np.errstate(over="ignore", invalid="ignore"):
        for weight, row in zip(weights, rows, strict=True):
            total = total + weight * row
    mean: Floats = total / sum(weights)
    return mean
