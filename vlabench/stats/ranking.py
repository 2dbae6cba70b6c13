"""Ranks and letters that do not tell apart what the data do not tell apart."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from vlabench.stats.paired import holm, mcnemar_midp
from vlabench.stats.unpaired import boschloo

ALPHA = 0.05


class Unpaired(NamedTuple):
    """Counts of two policies that did not meet the same episodes."""

    successes_first: int
    trials_first: int
    successes_second: int
    trials_second: int


class Tested(NamedTuple):
    """A comparison of two policies that was tested elsewhere.

    Attributes:
        p_value: Two-sided and not corrected.
        lead: By how much the first is better; below 0 if it is worse.
    """

    p_value: float
    lead: float


Contest: TypeAlias = tuple[int, int] | Unpaired | Tested
"""Pairs in which only the first of two policies succeeded, and only the second; or as named."""


def pairwise_p_values(contests: Mapping[tuple[int, int], Contest]) -> dict[tuple[int, int], float]:
    """Two-sided p-values of all contests, corrected by Holm: mid-p, or Boschloo's if unpaired."""
    raw = [_p_value(contest) for contest in contests.values()]
    return dict(zip(contests, holm(raw), strict=True))


def ranks(
    count: int, contests: Mapping[tuple[int, int], Contest], alpha: float = ALPHA
) -> list[int]:
    """For each of `count` policies, 1 + how many others are significantly better.

    Every pair is tested two-sided, and Holm corrects over all pairs. Policies that do not differ
    share a rank.

    Args:
        count: How many policies there are; they are called 0 to `count` - 1.
        contests: What came of each pair of them.
        alpha: Largest corrected p-value that counts as a difference.
    """
    found = [1] * count
    for (first, second), p in pairwise_p_values(contests).items():
        if p <= alpha:
            found[second if _first_leads(contests[first, second]) else first] += 1
    return found


def compact_letters(
    count: int, p_values: Mapping[tuple[int, int], float], alpha: float = ALPHA
) -> list[str]:
    """Letters for each of `count` policies: two that share one do not differ significantly.

    Letters go by the order of the policies, so give the best first. After the 52 letters of the
    alphabet come ``a1``, ``b1`` and so on.

    Args:
        count: How many policies there are; they are called 0 to `count` - 1.
        p_values: Of every pair of them, already corrected.
        alpha: Largest p-value that counts as a difference.

    Raises:
        ValueError: If a pair has no p-value, or one is not between 0 and 1.

    Piepho (2004), Journal of Computational and Graphical Statistics 13, 456-466: insert and
    absorb.
    """
    pairs = {tuple(sorted(pair)): p for pair, p in p_values.items()}
    for pair in itertools.combinations(range(count), 2):
        if not 0 <= pairs.get(pair, math.nan) <= 1:
            raise ValueError(f"Policies {pair[0]} and {pair[1]} need a p-value between 0 and 1.")
    groups = {frozenset(range(count))} if count else set()
    for (first, second), p in sorted(pairs.items()):
        if p <= alpha:
            groups = _split(groups, first, second)
    letters = [""] * count
    for at, group in enumerate(sorted(map(sorted, groups))):
        for member in group:
            letters[member] += _letter(at)
    return letters


def _split(groups: set[frozenset[int]], first: int, second: int) -> set[frozenset[int]]:
    """The groups such that no one holds both, and no one lies within another."""
    both = {group for group in groups if first in group and second in group}
    parts = {group - {apart} for group in both for apart in (first, second)}
    kept = groups - both
    return kept | {part for part in parts if not any(part < other for other in kept | parts)}


def _letter(at: int) -> str:
    turn, place = divmod(at, len(string.ascii_letters))
    return string.ascii_letters[place] + (str(turn) if turn else "")


def _p_value(contest: Contest) -> float:
    if isinstance(contest, Tested):
        return contest.p_value
    return boschloo(*contest) if isinstance(contest, Unpaired) else mcnemar_midp(*contest)


def _first_leads(contest: Contest) -> bool:
    if isinstance(contest, Tested):
        return contest.lead > 0
    if isinstance(contest, Unpaired):
        first = contest.successes_first * contest.trials_second
        return first > contest.successes_second * contest.trials_first
    return contest[0] > contest[1]
