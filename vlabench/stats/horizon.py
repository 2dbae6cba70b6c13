"""Episodes of several stages, and episodes that are tried more than once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlabench.stats.intervals import Interval, wilson_interval


@dataclass(frozen=True, slots=True)
class ChainLengths:
    """How far episodes of several stages came.

    Attributes:
        success_at: Share of the episodes that finished at least 1, 2, ... stages.
        mean: Average number of stages finished.
    """

    success_at: tuple[float, ...]
    mean: float


@dataclass(frozen=True, slots=True)
class StageSuccess:
    """One stage, among the episodes that came to it.

    Attributes:
        reached: Episodes that finished all stages before it.
        finished: Of those, how many finished it too.
        rate: Their share; None where no episode came to it.
        interval: Wilson's interval of the share; None likewise.
    """

    reached: int
    finished: int
    rate: float | None
    interval: Interval | None

    @property
    def failed(self) -> int:
        """Episodes whose first failed stage it is."""
        return self.reached - self.finished


def chain_length(lengths: Sequence[int], stages: int) -> ChainLengths:
    """Success at k, and the average length, of episodes that go through `stages` stages.

    Args:
        lengths: Stages that each episode finished in a row, 0 to `stages`.
        stages: How many there were to finish.

    Raises:
        ValueError: If there are no episodes, or a length is out of range.
    """
    reached = _reached(lengths, stages)
    n = len(lengths)
    return ChainLengths(tuple(count / n for count in reached[1:]), sum(lengths) / n)


def conditional_stage_success(
    lengths: Sequence[int], stages: int, confidence: float = 0.95
) -> tuple[StageSuccess, ...]:
    """For each stage, the success of the episodes that came to it.

    The product over the stages is the success of the whole; `failed` counts where episodes that
    did not finish failed first.

    Args:
        lengths: Stages that each episode finished in a row, 0 to `stages`.
        stages: How many there were to finish.
        confidence: Coverage of the intervals, between 0 and 1.

    Raises:
        ValueError: If there are no episodes, or a length is out of range.
    """
    reached = _reached(lengths, stages)
    return tuple(
        StageSuccess(
            reached=before,
            finished=after,
            rate=after / before if before else None,
            interval=wilson_interval(after, before, confidence) if before else None,
        )
        for before, after in itertools.pairwise(reached)
    )


def pass_hat_k(successes: int, trials: int, k: int) -> float:
    """Probability that `k` tries of the same episode all succeed, without bias: C(s, k) / C(n, k).

    Args:
        successes: How many of the tries succeeded.
        trials: How many there were, at least `k`.
        k: How many must succeed, at least 1.

    Raises:
        ValueError: If there were fewer than `k` tries, or the counts make no sense.

    Yao et al. (2024), τ-bench.
    """
    if k < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} tries, {k} at a time, make no sense.")
    if trials < k:
        raise ValueError(f"pass^{k} needs {k} tries of the episode; there are {trials}.")
    return math.comb(successes, k) / math.comb(trials, k)


def _reached(lengths: Sequence[int], stages: int) -> list[int]:
    """How many episodes finished at least 0, 1, ... stages."""
    if not lengths:
        raise ValueError("A chain length needs at least one episode.")
    if min(lengths) < 0 or max(lengths) > stages:
        raise ValueError(
            f"Chain lengths lie between 0 and {stages}, not {min(lengths)} to {max(lengths)}."
        )
    return [sum(length >= k for length in lengths) for k in range(stages + 1)]
