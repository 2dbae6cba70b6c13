"""Deciding early without lying: evidence that may be looked at after every pair.

An e-process is a bet against a hypothesis that cannot win on average while the hypothesis holds.
By Ville's inequality it ever reaches 1/alpha with a probability of at most alpha, however often
one looks and whenever one stops. Here one bets against "the new policy is no worse", the other
against "it is worse by the margin or more"; the first to reach 1/alpha decides.

As in `vlabench.stats.paired`, `b` counts the pairs in which only the base succeeded and `c` those
in which only the new policy did. The order of the pairs must not depend on their outcomes: feed
them in the manifest's order, not as they finish, because fast episodes are the easy ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from vlabench.stats.verdict import ALPHA, MARGIN
from vlabench.types import Floats

Decision: TypeAlias = Literal["regressed", "non-inferior"]

STAKES: Floats = 0.75 ** np.arange(8)
"""The stakes that the bet against inferiority is spread over, as shares of the largest bearable.

Large ones win fast where the policies hardly differ, small ones survive where they often do. Eight
from 1 down to 0.13 need 90 pairs where nothing differs, and lose little up to a third.
"""


def e_mcnemar(b: int, c: int) -> float:
    """How much a bet against "the new policy is no worse" has won, starting from 1.

    It is the likelihood ratio of X ~ Bin(b + c, p) against p = 1/2, the alternatives p spread
    evenly over [1/2, 1]: 2^(b+c+1) B(b+1, c+1) P(Beta(b+1, c+1) > 1/2).

    Args:
        b: Pairs in which only the base succeeded.
        c: Pairs in which only the new policy did.

    Returns:
        The e-value, 0 or above; infinity where it is beyond what a float holds.

    Raises:
        ValueError: If a count is negative.

    Grünwald, de Heide and Koolen (2024), JRSS B 86, 1091-1128; Ville (1939).
    """
    if b < 0 or c < 0:
        raise ValueError(f"Counts of pairs are not negative; these are {b} and {c}.")
    tail = float(special.betainc(c + 1, b + 1, 0.5))
    if tail == 0:
        return 0.0
    logarithm = (b + c + 1) * math.log(2) + float(special.betaln(b + 1, c + 1)) + math.log(tail)
    return _exp(logarithm)


def noninferiority_e(differences: Sequence[int], margin: float) -> float:
    """How much a bet against "the new policy is worse by `margin` or more" has won, from 1.

    The mean over `STAKES` of the products of 1 + stake (difference + margin) / (1 - margin).

    Args:
        differences: Success of the new policy less that of the base, a pair each: -1, 0 or 1.
        margin: The largest drop in success rate that is borne, between 0 and 1.

    Returns:
        The e-value, 0 or above; 1 where there are no pairs.

    Raises:
        ValueError: If the margin or a difference makes no sense.

    Waudby-Smith and Ramdas (2024), JRSS B 86, 1-27.
    """
    wins = _factors(margin)
    counts = dict.fromkeys(wins, 0)
    for difference in differences:
        if difference not in counts:
            raise ValueError(f"A pair differs by -1, 0 or 1, not by {difference}.")
        counts[difference] += 1
    with np.errstate(divide="ignore"):
        logs = sum(
            (count * np.log(wins[value]) for value, count in counts.items() if count),
            start=np.zeros_like(STAKES),
        )
    return _exp(float(special.logsumexp(logs)) - math.log(len(STAKES)))


class SequentialGate:
    """Takes pairs one by one, in the manifest's order, and says when they have decided.

    A decision stands: what is fed after it changes nothing. Each pair costs the same, however
    many came before.

    Args:
        alpha: Largest probability of calling a policy regressed that is no worse, and of calling
            one non-inferior that is worse by the margin or more.
        margin: The largest drop in success rate that is borne, between 0 and 1.

    Attributes:
        pairs: How many pairs were fed, up to the decision.
        b: Of those, in how many only the base succeeded.
        c: In how many only the new policy did.
        e_regressed: What the bet against "no worse" has won; see `e_mcnemar`.
        decision: What was decided; None so far.

    Raises:
        ValueError: If alpha or the margin is not strictly between 0 and 1.
    """

    def __init__(self, alpha: float = ALPHA, margin: float = MARGIN) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"Alpha is {alpha}; it must lie between 0 and 1.")
        self.alpha, self.margin = alpha, margin
        self.pairs = self.b = self.c = 0
        self.e_regressed = 1.0
        self.decision: Decision | None = None
        self._wins = _factors(margin)
        self._products = np.ones_like(STAKES)

    @property
    def e_noninferior(self) -> float:
        """What the bet against "worse by the margin" has won; see `noninferiority_e`."""
        return float(self._products.mean())

    def feed(self, base: bool, new: bool) -> Decision | None:
        """Takes the outcomes of the next pair.

        Args:
            base: Whether the base succeeded.
            new: Whether the new policy did.

        Returns:
            The decision, once there is one.
        """
        if self.decision is not None:
            return self.decision
        self.pairs += 1
        self._products = self._products * self._wins[int(new) - int(base)]
        if base != new:
            self.b, self.c = self.b + int(base), self.c + int(new)
            self.e_regressed = e_mcnemar(self.b, self.c)
        if self.e_regressed >= 1 / self.alpha:
            self.decision = "regressed"
        elif self.e_noninferior >= 1 / self.alpha:
            self.decision = "non-inferior"
        return self.decision


def _factors(margin: float) -> dict[int, Floats]:
    """What each stake is multiplied by, for each difference that a pair can show."""
    if not 0 < margin < 1:
        raise ValueError(f"The margin is {margin}; it must lie between 0 and 1.")
    return {
        difference: np.maximum(0.0, 1 + STAKES * (difference + margin) / (1 - margin))
        for difference in (-1, 0, 1)
    }


def _exp(logarithm: float) -> float:
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf
