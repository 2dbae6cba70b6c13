"""Ranks that do not tell apart what the data do not tell apart."""

from __future__ import annotations

from collections.abc import Mapping

from vlabench.stats.paired import holm, mcnemar_midp

ALPHA = 0.05


def ranks(
    count: int, wins: Mapping[tuple[int, int], tuple[int, int]], alpha: float = ALPHA
) -> list[int]:
    """For each of `count` policies, 1 + how many others are significantly better.

    Every pair is tested two-sided by mid-p, and Holm corrects over all pairs. Policies that do
    not differ share a rank.

    Args:
        count: How many policies there are; they are called 0 to `count` - 1.
        wins: For each pair of them, how often only the first succeeded and only the second.
        alpha: Largest corrected p-value that counts as a difference.
    """
    adjusted = holm([mcnemar_midp(b, c) for b, c in wins.values()])
    found = [1] * count
    for ((first, second), (b, c)), p in zip(wins.items(), adjusted, strict=True):
        if p <= alpha:
            found[second if b > c else first] += 1
    return found
