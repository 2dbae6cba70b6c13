"""What a comparison says: one verdict, what it rests on, and where the two runs differ."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from vlabench.stats.graded import Effect
from vlabench.stats.intervals import Interval
from vlabench.stats.verdict import Verdict

Kind: TypeAlias = Literal["overall", "axis", "task"]

UNCHANGED = "unchanged"
"""What the line of the episodes is called in which nothing is changed."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs.

    Attributes:
        policy: Name of the policy.
        privileged: Whether it reads the simulator's state.
        run_id: Name of the run.
        source: The run's folder, or the baseline's file.
        replayable: Whether the source has the executed actions.
        episodes: How many were asked for, diagnostic ones left out.
        missing: How many of them have no outcome.
        policy_errors: How many failed by the policy's own error.
    """

    policy: str
    privileged: bool
    run_id: str
    source: str
    replayable: bool
    episodes: int
    missing: int
    policy_errors: int

    @property
    def label(self) -> str:
        """The policy's name, marked if it reads the simulator's state."""
        return f"{self.policy} (privileged)" if self.privileged else self.policy


@dataclass(frozen=True, slots=True)
class Line:
    """Two success rates, each the mean over tasks of the same weight, and their difference.

    Attributes:
        kind: Of all episodes, of one axis (or of the unchanged ones), or of one task.
        name: The axis or task; None for all.
        base_n: Episodes of the base; where runs are paired, the pairs.
        new_n: Episodes of the new run; the same number where runs are paired.
        base_rate: Success rate of the base.
        new_rate: Success rate of the new run.
        difference: The second less the first.
        interval: Of the difference, with coverage 1 - 2 alpha.
        base_only: Pairs in which only the base succeeded; None where runs are not paired.
        new_only: Pairs in which only the new run did; None where runs are not paired.
        p_value: One-sided, of "the new run is worse"; over the axes Holm's. None for a task, about
            which nothing is tested, and for what was stopped pair by pair.
        outcome: Of an axis, whether it changed for certain; else None.
    """

    kind: Kind
    name: str | None
    base_n: int
    new_n: int
    base_rate: float
    new_rate: float
    difference: float
    interval: Interval
    base_only: int | None
    new_only: int | None
    p_value: float | None = None
    outcome: Literal["REGRESSED", "IMPROVED"] | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """An episode that one policy solved and the other did not.

    Attributes:
        episode_id: Its name.
        task: Its task.
        changes: What was changed in it, for example ``"lighting:L2"``.
        index: Which draw of its task it is.
        lost: Whether it was the base that solved it.
    """

    episode_id: str
    task: str
    changes: str
    index: int
    lost: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new run against a base.

    Attributes:
        base: The base.
        new: The new run.
        suite: Name and version of the suite, for example ``"ci v1"``; of the new run.
        manifest_hash: Of the new run.
        env_fingerprint: Of the new run.
        differences: What the runs do not share, by field, base first; empty where they are paired.
        verdict: What can be said.
        overall: The rates it rests on.
        axes: A line for each axis, the unchanged episodes first.
        tasks: A line for each task, for information.
        discordance: The share of pairs in which one succeeded and the other did not; None where
            runs are not paired.
        flip_rate: The share of episodes that come out otherwise when the same policy runs them
            again, the larger of the two runs; None where neither was tried.
        smallest_effect: The smallest drop that so many pairs show with a probability of 80 %;
            None where there are too few, or where runs are not paired or were stopped early.
        progress: The change of the share of stages reached, each task of the same weight; None
            where it says no more than success does, or where runs are not paired or were stopped.
        flips: The episodes that came out otherwise, in the manifest's order.
        evidence: Of a verdict that was reached pair by pair, what the bets against "no worse" and
            against "worse by the margin" had won when it ended, from 1; each decides at 1 / alpha.
        warnings: What somebody must look at although it decides nothing.
        notes: What else must be known to read the figures.
    """

    base: Side
    new: Side
    suite: str
    manifest_hash: str
    env_fingerprint: str
    differences: Mapping[str, tuple[str, str]]
    verdict: Verdict
    overall: Line
    axes: tuple[Line, ...]
    tasks: tuple[Line, ...]
    discordance: float | None
    flip_rate: float | None
    smallest_effect: float | None
    progress: Effect | None
    flips: tuple[Flip, ...]
    evidence: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def paired(self) -> bool:
        """Whether both runs met the same episodes."""
        return not self.differences

    @property
    def sequential(self) -> bool:
        """Whether the verdict was reached pair by pair."""
        return self.verdict.p_value is None

    def by(self, kinds: Set[Kind]) -> Comparison:
        """The same with the lines of these kinds alone; the verdict stays."""
        return replace(
            self,
            axes=self.axes if "axis" in kinds else (),
            tasks=self.tasks if "task" in kinds else (),
        )

    def replays(self, flip: Flip) -> tuple[str, ...]:
        """The commands that show an episode again, the base's first where it can be replayed."""
        return tuple(
            shlex.join(["vlabench", "replay", side.source, flip.episode_id])
            for side in (self.base, self.new)
            if side.replayable
        )


def exit_code(
    comparison: Comparison, *, fail_on_regression: bool, require_noninferiority: bool
) -> int:
    """0; 1 of a regression that matters; 3 where non-inferiority is required and not shown."""
    if comparison.verdict.failed and (fail_on_regression or require_noninferiority):
        return 1
    return 3 if require_noninferiority and not comparison.verdict.non_inferior else 0
