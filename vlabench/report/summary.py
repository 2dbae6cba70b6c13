"""What a run says: success rates, and what each change costs against the unchanged twin.

A missing episode, one that never ran or that the machinery lost, is never a failure: it is
counted apart, and a pair with a missing half is left out of the gap. Means over tasks give every
task the same weight. Where there is nothing to compute from, the value is None, never 0.
Diagnostic episodes try whether the policy listens: their compliance stands apart, and they are in
no success rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from vlabench.runinfo import Conditions, Determinism
from vlabench.stats import Interval

Kind: TypeAlias = Literal["overall", "nominal", "axis", "level", "compliance"]

PASS_AT = (2, 4, 8)
"""How many episodes of a task must all succeed: a rate of 90 % is 43 % over eight."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a summary is of.

    Attributes:
        run_id: Name of the run.
        policy: Name of the policy.
        privileged: Whether the policy reads the simulator's state.
        suite: Name of the suite.
        suite_version: Its version.
        manifest_hash: Of the list of episodes that were planned.
        env_fingerprint: Of the world they ran in.
        contract_fingerprint: Of the policy's own pipeline.
        complete: Whether all the suite's episodes were planned, and none but those.
        published_draws: Whether the suite is a packaged one, and the run complete.
        certified: Whether every episode is known to be solvable in this world.
        conditions: Simulated latency, and mismatches that were allowed.
        stopped_early: Whether a rule ended the run as soon as a comparison was decided, so that
            its rates are biased.
        determinism: What running some of the episodes again showed; None if none did.
        params: Number of the policy's parameters; None where nobody knows.
    """

    run_id: str
    policy: str
    privileged: bool
    suite: str
    suite_version: int
    manifest_hash: str
    env_fingerprint: str
    contract_fingerprint: str
    complete: bool = True
    published_draws: bool = True
    certified: bool = True
    conditions: Conditions = field(default_factory=Conditions)
    stopped_early: bool = False
    determinism: Determinism | None = None
    params: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A success rate with its 95 % interval, out of `n` episodes."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Success rate of the unchanged twins less that of the changed episodes.

    Attributes:
        value: The difference; positive means that the change costs success.
        low: Lower end of its 95 % interval.
        high: Upper end.
        pairs: Pairs with both halves.
        twin_only: Pairs in which only the unchanged twin succeeded.
        changed_only: Pairs in which only the changed episode succeeded.
    """

    value: float
    low: float
    high: float
    pairs: int
    twin_only: int
    changed_only: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        kind: ``"overall"`` (all changed episodes), ``"nominal"`` (the unchanged ones), ``"axis"``
            (one axis, all its levels), ``"level"`` (one axis at one level) or ``"compliance"``
            (a diagnostic axis, at one level or with all its levels).
        task: The task, or None for the mean over tasks.
        axis: The axis; None for the kinds that have none.
        level: The level; None for the kinds that have none.
        planned: Episodes in the manifest.
        missing: Of those, how many have no result.
        policy_errors: How many failed by the policy's own error.
        rate: Their success rate; of diagnostic episodes the share that complied.
        twin: Success rate of the unchanged twins that have a result for both halves.
        gap: What the change costs, over the same pairs.
        time_s: Mean time to success in seconds, up to the shortest horizon of the episodes; a
            failure counts as its horizon. None where no episode of the run succeeded.
        pass_at: For each k of `PASS_AT`, the probability that k episodes of one task, drawn at
            random, all succeed; None where a task has fewer.
    """

    kind: Kind
    task: str | None
    axis: str | None
    level: str | None
    planned: int
    missing: int
    policy_errors: int
    rate: Rate | None
    twin: Rate | None
    gap: Gap | None
    time_s: float | None = None
    pass_at: tuple[float | None, ...] = (None,) * len(PASS_AT)

    @property
    def retention(self) -> float | None:
        """Changed over unchanged success rate of the pairs; None where the latter is under 20 %."""
        if self.twin is None or self.gap is None or self.twin.value < 0.2:
            return None
        return (self.twin.value - self.gap.value) / self.twin.value


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the episodes of one task of several stages came under one condition.

    Attributes:
        task: The task.
        condition: ``"nominal"``, or ``axis:level``.
        stages: Names of its stages, in order; ``"any 1"``, ``"any 2"`` and so on of stages that
            were not done in order, of which only the number counts.
        n: Episodes with a result.
        success_at: Share of them that finished at least 1, 2, ... stages.
        mean: Average number of stages finished.
        given_before: Per stage, its success among the episodes that finished as many as come
            before it; None where none did.
        first_failed: Share of the episodes in which each stage was the first that was not
            reached, in the order of `stages`.
    """

    task: str
    condition: str
    stages: tuple[str, ...]
    n: int
    success_at: tuple[float, ...]
    mean: float
    given_before: tuple[Rate | None, ...]
    first_failed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Roughness:
    """How rough the robot was, over all episodes that are no diagnostics.

    Attributes:
        n: Episodes with these figures.
        collision_rate: Share of them with at least one collision.
        collision_interval: Its 95 % interval, by Clopper and Pearson: never too narrow.
        max_force_p95_n: 95th percentile of their largest contact forces, in newtons, sampled at
            20 Hz; peaks between two samples are higher.
        drops: Mean number of drops an episode.
    """

    n: int
    collision_rate: float
    collision_interval: Interval
    max_force_p95_n: float
    drops: float


@dataclass(frozen=True, slots=True)
class Planned:
    """What a planner's plans were like, of one task or as the mean over tasks.

    Attributes:
        task: The task; None for the mean over tasks.
        n: Episodes with a result.
        calls: Questions to the planner, an episode.
        changes: How often the subtask became another, an episode.
        seconds: Simulated seconds of a subtask, mean over the episodes that had one; None if none
            had.
        named: Share of the task's stages that were named, mean over episodes; None where the task
            has none.
        in_order: Of those that were named, the share in the task's order, mean over the episodes
            that named any; None where none did.
    """

    task: str | None
    n: int
    calls: float
    changes: float
    seconds: float | None
    named: float | None
    in_order: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the policy's answers took to compute, over all episodes.

    Attributes:
        n: Episodes.
        seconds: Of inference, an episode, as whoever ran the model says, else as the worker waited.
        calls: Questions to the policy, an episode; None in runs that did not count.
        gpu_memory_bytes: The most that its process had allocated on graphics cards; None where
            there is none, or nobody knows.
        params: Its parameters; None where nobody knows.
    """

    n: int
    seconds: float
    calls: float | None
    gpu_memory_bytes: int | None
    params: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All that the tables and the plot show.

    Attributes:
        header: What it is of.
        planned: Episodes in the manifest.
        missing: Of those, how many have no result.
        policy_errors: How many failed by the policy's own error.
        valid: Whether few enough are missing for the run to be published.
        overall: Mean over tasks of the changed episodes (of the unchanged ones in a suite that
            changes nothing); None where the run is not valid, did not plan the whole suite, was
            stopped early, or all that is changed is diagnostic.
        nominal: Mean over tasks of the unchanged episodes; None where there are none.
        axes: Mean over tasks of each axis, with all its levels.
        levels: Mean over tasks of each axis at each level.
        cells: Each task, unchanged and at each level of each axis.
        chains: Success at k of the tasks that have several stages.
        compliance: Mean over tasks of each diagnostic axis at each level.
        compliance_axes: Mean over tasks of each diagnostic axis, with all its levels.
        roughness: How rough the robot was; None where nothing was measured.
        planning: What its planner's plans were like: the mean over tasks, then each task; empty
            without a planner.
        cost: What its answers took to compute; None where there is no episode.
        new_tasks: 95 % interval of the overall rate on new tasks like these; None where there is
            no overall rate, or fewer than ten tasks.
    """

    header: Header
    planned: int
    missing: int
    policy_errors: int
    valid: bool
    overall: Row | None
    nominal: Row | None
    axes: tuple[Row, ...]
    levels: tuple[Row, ...]
    cells: tuple[Row, ...]
    chains: tuple[Chain, ...]
    compliance: tuple[Row, ...] = ()
    compliance_axes: tuple[Row, ...] = ()
    roughness: Roughness | None = None
    planning: tuple[Planned, ...] = ()
    cost: Cost | None = None
    new_tasks: Interval | None = None

    @property
    def worst_axis(self) -> Row | None:
        """The axis with the lowest success rate, once every axis has one."""
        rated = [(row.rate.value, row) for row in self.axes if row.rate is not None]
        if not rated or len(rated) < len(self.axes):
            return None
        return min(rated, key=lambda pair: pair[0])[1]
