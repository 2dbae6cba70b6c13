"""From the records of a run to its summary: cells, pairs, means over tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench import stats
from vlabench.index import PlannedEpisode
from vlabench.report.effort import cost_of, planning_of
from vlabench.report.summary import PASS_AT, Chain, Gap, Header, Kind, Rate, Roughness, Row, Summary
from vlabench.results import Result
from vlabench.stats.graded import FEWEST_CLUSTERS
from vlabench.store import Run
from vlabench.types import Change, Floats

Integers: TypeAlias = npt.NDArray[np.int64]

COMBINATION = "combination"
"""What episodes that change several axes at once are filed under."""


def summarize(run: Run) -> Summary:
    """The summary of a run, finished or not."""
    info = run.info
    header = Header(
        run_id=info.run_id,
        policy=info.policy.label,
        privileged=info.policy.privileged,
        suite=info.suite,
        suite_version=info.suite_version,
        manifest_hash=info.manifest_hash,
        env_fingerprint=info.env_fingerprint,
        contract_fingerprint=info.contract_fingerprint,
        complete=info.complete,
        published_draws=info.published_draws,
        certified=info.certified,
        conditions=info.conditions,
        stopped_early=info.stopped_early,
        determinism=info.determinism,
        params=info.policy.params,
    )
    return summarize_results(header, run.needed, run.results, valid=run.valid)


def summarize_results(
    header: Header,
    planned: Sequence[PlannedEpisode],
    results: Sequence[Result],
    *,
    valid: bool,
) -> Summary:
    """The summary of `results`, which are those of some or all of the `planned` episodes.

    Args:
        header: What it is a summary of.
        planned: Episodes of a manifest.
        results: One for each of them that has one.
        valid: Whether few enough are missing for the run to be published.
    """
    cells = _cells(planned, {result.episode_id: result for result in results})
    nominal = [cell for cell in cells if cell.kind == "nominal"]
    changed = [cell for cell in cells if cell.kind == "level"]
    diagnostic = [cell for cell in cells if cell.kind == "compliance"]
    compared = changed if changed or diagnostic else nominal
    overall = _over_tasks("overall", compared) if compared else None
    rows = [_row(cell) for cell in cells]
    whole = valid and header.complete and not header.stopped_early
    return Summary(
        header=header,
        planned=len(planned),
        missing=sum(row.missing for row in rows),
        policy_errors=sum(row.policy_errors for row in rows),
        valid=valid,
        overall=overall if whole else None,
        nominal=_over_tasks("nominal", nominal) if nominal else None,
        axes=tuple(_over_tasks("axis", group) for group in _grouped(changed, by_level=False)),
        levels=tuple(_over_tasks("level", group) for group in _grouped(changed, by_level=True)),
        cells=tuple(row for row in rows if row.kind != "compliance"),
        chains=tuple(_chains([*nominal, *changed])),
        compliance=tuple(
            _over_tasks("compliance", group) for group in _grouped(diagnostic, by_level=True)
        ),
        compliance_axes=tuple(
            replace(_over_tasks("compliance", group), level=None)
            for group in _grouped(diagnostic, by_level=False)
        ),
        roughness=_roughness([r for r in results if r.compliance is None]),
        new_tasks=_new_tasks(compared) if whole and overall and overall.rate else None,
        planning=planning_of(results),
        cost=cost_of(results, header.params),
    )


def condition(changes: Sequence[Change]) -> tuple[str, str] | None:
    """The axis and level that an episode is filed under; None if nothing was changed."""
    if not changes:
        return None
    if len(changes) == 1:
        return changes[0].axis, changes[0].level
    return COMBINATION, " + ".join(str(change) for change in changes)


# --- cells: one task under one condition ------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Unchanged twins and changed episodes of which both have a result.

    Attributes:
        scenes: What both share, a number each.
        twin: Success of the unchanged twin, 0 or 1.
        changed: Success of the changed episode.
    """

    scenes: Integers
    twin: Floats
    changed: Floats

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def difference(self) -> Floats:
        return self.twin - self.changed


@dataclass(frozen=True, eq=False)
class _Cell:
    """The results of one task under one condition, and for each the result of its twin.

    `control_hz` has the control steps a second, if they are known.
    """

    task: str
    condition: tuple[str, str] | None
    diagnostic: bool
    planned: int
    results: Sequence[Result]
    twins: Sequence[Result | None]
    control_hz: float | None

    @property
    def kind(self) -> Kind:
        if self.diagnostic:
            return "compliance"
        return "nominal" if self.condition is None else "level"

    @cached_property
    def scenes(self) -> Integers:
        return np.array([result.index for result in self.results], dtype=np.int64)

    @cached_property
    def scores(self) -> Floats:
        """Success of each episode, or its compliance: 0 or 1."""
        if self.diagnostic:
            return np.array([r.compliance is True for r in self.results], dtype=np.float64)
        return _succeeded(self.results)

    @cached_property
    def pairs(self) -> _Pairs:
        twins = [] if self.diagnostic else self.twins
        both = [(t, r) for t, r in zip(twins, self.results, strict=False) if t is not None]
        return _Pairs(
            np.array([changed.index for _, changed in both], dtype=np.int64),
            _succeeded([twin for twin, _ in both]),
            _succeeded([changed for _, changed in both]),
        )

    @cached_property
    def time_s(self) -> float | None:
        """The restricted mean time to success; failures are censored at their horizon."""
        if self.control_hz is None:
            return None
        horizons = [result.episode.horizon / self.control_hz for result in self.results]
        times = [
            horizon if result.time_to_success_s is None else result.time_to_success_s
            for result, horizon in zip(self.results, horizons, strict=True)
        ]
        succeeded = [result.success for result in self.results]
        return stats.restricted_mean_time(times, succeeded, min(horizons))

    @cached_property
    def policy_errors(self) -> int:
        return sum(result.status == "policy_error" for result in self.results)


def _succeeded(results: Sequence[Result]) -> Floats:
    return np.array([result.success for result in results], dtype=np.float64)


def _cells(planned: Sequence[PlannedEpisode], results: Mapping[str, Result]) -> list[_Cell]:
    """Tasks by name; within a task the unchanged cell first, then axes and levels by name."""
    groups: dict[tuple[str, tuple[Change, ...]], list[PlannedEpisode]] = defaultdict(list)
    for episode in planned:
        groups[episode.task, episode.changes].append(episode)
    hz = control_hz_of(results.values())
    cells = [
        _cell(task, condition(changes), episodes, results, hz)
        for (task, changes), episodes in groups.items()
    ]
    return sorted(cells, key=lambda cell: (cell.task, cell.condition or ("", "")))


def _cell(
    task: str,
    what: tuple[str, str] | None,
    episodes: Sequence[PlannedEpisode],
    results: Mapping[str, Result],
    control_hz: float | None,
) -> _Cell:
    present = [e for e in episodes if e.episode_id in results]
    return _Cell(
        task=task,
        condition=what,
        diagnostic=episodes[0].diagnostic,
        planned=len(episodes),
        results=[results[episode.episode_id] for episode in present],
        twins=[results.get(episode.control_id or "") for episode in present],
        control_hz=control_hz,
    )


def _grouped(cells: Sequence[_Cell], *, by_level: bool) -> list[list[_Cell]]:
    groups: dict[tuple[str, ...], list[_Cell]] = defaultdict(list)
    for cell in cells:
        if cell.condition is not None:
            groups[cell.condition if by_level else cell.condition[:1]].append(cell)
    return [groups[key] for key in sorted(groups)]


# --- rows: what is said of one or several cells -----------------------------------------------


def _row(cell: _Cell) -> Row:
    axis, level = cell.condition or (None, None)
    return _mean_row(cell.kind, cell.task, axis, level, [cell])


def _over_tasks(kind: Kind, cells: Sequence[_Cell]) -> Row:
    axis, level = cells[0].condition or (None, None)
    return _mean_row(
        kind,
        None,
        axis if kind in ("axis", "level", "compliance") else None,
        level if kind in ("level", "compliance") else None,
        cells,
    )


def _mean_row(
    kind: Kind, task: str | None, axis: str | None, level: str | None, cells: Sequence[_Cell]
) -> Row:
    """The mean over tasks, each of the same weight; of one cell it is that cell's own rate.

    A task whose cells are empty in part is told by the others; one without any leaves no mean.
    """
    ran = _of_every_task(cells, [cell for cell in cells if cell.results])
    paired = _of_every_task(cells, [cell for cell in cells if len(cell.pairs)])
    return Row(
        kind=kind,
        task=task,
        axis=axis,
        level=level,
        planned=sum(cell.planned for cell in cells),
        missing=sum(cell.planned - len(cell.results) for cell in cells),
        policy_errors=sum(cell.policy_errors for cell in cells),
        rate=_changed_rate(ran, _task_weights(ran)) if ran else None,
        twin=_twin_rate(paired, _task_weights(paired)) if paired else None,
        gap=_gap(paired, _task_weights(paired)) if paired else None,
        time_s=_mean_time_s(ran, _task_weights(ran)) if ran and kind != "compliance" else None,
        pass_at=tuple(_pass_at(k, cells) for k in PASS_AT),
    )


def _of_every_task(cells: Sequence[_Cell], some: Sequence[_Cell]) -> Sequence[_Cell]:
    """`some` of the `cells`, if no task is left out; else none."""
    return some if {cell.task for cell in some} == {cell.task for cell in cells} else ()


def _new_tasks(cells: Sequence[_Cell]) -> stats.Interval | None:
    """The interval of the mean over tasks, were the tasks drawn anew."""
    of_task: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        if cell.results:
            of_task[cell.task].append(float(cell.scores.mean()))
    if len(of_task) < FEWEST_CLUSTERS:
        return None
    return stats.cluster_bootstrap([fmean(rates) for rates in of_task.values()])


def _task_weights(cells: Sequence[_Cell]) -> list[float]:
    """Weights of the cells that sum to 1, each task having the same share."""
    cells_of = Counter(cell.task for cell in cells)
    return [1 / cells_of[cell.task] / len(cells_of) for cell in cells]


def _changed_rate(cells: Sequence[_Cell], weights: Sequence[float]) -> Rate:
    scenes = [cell.scenes for cell in cells]
    return _rate(cells, scenes, [cell.scores for cell in cells], weights)


def _twin_rate(cells: Sequence[_Cell], weights: Sequence[float]) -> Rate:
    scenes = [cell.pairs.scenes for cell in cells]
    return _rate(cells, scenes, [cell.pairs.twin for cell in cells], weights)


def _rate(
    cells: Sequence[_Cell],
    scenes: Sequence[Integers],
    outcomes: Sequence[Floats],
    weights: Sequence[float],
) -> Rate:
    mean = stats.stratified_rate(
        [int(values.sum()) for values in outcomes],
        [len(values) for values in outcomes],
        weights,
        design_effect=_design_effect(cells, scenes, outcomes, weights),
    )
    n = sum(len(values) for values in outcomes)
    return Rate(mean.rate, mean.interval.low, mean.interval.high, n)


def _gap(cells: Sequence[_Cell], weights: Sequence[float]) -> Gap:
    outcomes = [cell.pairs.difference for cell in cells]
    twin_only = [int(np.count_nonzero(values > 0)) for values in outcomes]
    changed_only = [int(np.count_nonzero(values < 0)) for values in outcomes]
    pairs = [len(values) for values in outcomes]
    effect = _design_effect(cells, [cell.pairs.scenes for cell in cells], outcomes, weights)
    value, interval = stats.stratified_gap(
        twin_only, changed_only, pairs, weights, design_effect=effect
    )
    return Gap(value, interval.low, interval.high, sum(pairs), sum(twin_only), sum(changed_only))


def _design_effect(
    cells: Sequence[_Cell],
    scenes: Sequence[Integers],
    outcomes: Sequence[Floats],
    weights: Sequence[float],
) -> float:
    """1 unless a scene, a task's index, was used under several axes."""
    tasks = {task: number for number, task in enumerate(dict.fromkeys(c.task for c in cells))}
    span = 1 + max(int(indices.max()) for indices in scenes)
    used = np.concatenate(
        [tasks[cell.task] * span + own for cell, own in zip(cells, scenes, strict=True)]
    )
    if len(np.unique(used)) == len(used):
        return 1.0
    deviations = np.concatenate(
        [
            weight * (values - values.mean()) / len(values)
            for values, weight in zip(outcomes, weights, strict=True)
        ]
    )
    return stats.scene_design_effect(deviations.tolist(), used.tolist())


# --- time and reliability ---------------------------------------------------------------------


def control_hz_of(results: Iterable[Result]) -> float | None:
    """Control steps a second, as the successes tell; None where there are none."""
    for result in results:
        if result.time_to_success_s:
            return round(result.steps / result.time_to_success_s, 6)
    return None


def _mean_time_s(cells: Sequence[_Cell], weights: Sequence[float]) -> float | None:
    times = [cell.time_s for cell in cells]
    known = [weight * time for weight, time in zip(weights, times, strict=True) if time is not None]
    return sum(known) if len(known) == len(cells) else None


def _pass_at(k: int, cells: Sequence[_Cell]) -> float | None:
    """The mean over tasks; None where a task has fewer than `k` episodes."""
    succeeded: dict[str, int] = defaultdict(int)
    ran: dict[str, int] = defaultdict(int)
    for cell in cells:
        succeeded[cell.task] += int(cell.scores.sum())
        ran[cell.task] += len(cell.results)
    if min(ran.values()) < k:
        return None
    return fmean(stats.pass_hat_k(succeeded[task], ran[task], k) for task in ran)


# --- long horizon -----------------------------------------------------------------------------


def _chains(cells: Sequence[_Cell]) -> list[Chain]:
    """A chain for each cell of several stages; stages that have no order are numbered."""
    unordered = {
        result.task for cell in cells for result in cell.results if not result.stages_in_order
    }
    chains = []
    for cell in cells:
        names = {tuple(stage.name for stage in result.stages) for result in cell.results}
        stages = max(sorted(names), key=len, default=())
        if cell.task in unordered:
            stages = tuple(f"any {k}" for k in range(1, len(stages) + 1))
        if len(stages) > 1:
            chains.append(_chain(cell, stages))
    return chains


def _chain(cell: _Cell, stages: tuple[str, ...]) -> Chain:
    reached = [result.chain_length for result in cell.results]
    lengths = stats.chain_length(reached, len(stages))
    failed = Counter(reached)
    return Chain(
        task=cell.task,
        condition="nominal" if cell.condition is None else ":".join(cell.condition),
        stages=stages,
        n=len(cell.results),
        success_at=lengths.success_at,
        mean=lengths.mean,
        given_before=tuple(
            _given_before(stage) for stage in stats.conditional_stage_success(reached, len(stages))
        ),
        first_failed=tuple(failed[k] / len(reached) for k in range(len(stages))),
    )


def _given_before(stage: stats.StageSuccess) -> Rate | None:
    if stage.rate is None or stage.interval is None:
        return None
    return Rate(stage.rate, stage.interval.low, stage.interval.high, stage.reached)


# --- safety -----------------------------------------------------------------------------------


def _roughness(results: Sequence[Result]) -> Roughness | None:
    forces = [r.max_contact_force_n for r in results if r.max_contact_force_n is not None]
    collisions = [r.n_collisions for r in results if r.n_collisions is not None]
    drops = [r.n_drops for r in results if r.n_drops is not None]
    if not (forces and collisions and drops):
        return None
    collided, n = sum(count > 0 for count in collisions), len(collisions)
    return Roughness(
        n=n,
        collision_rate=collided / n,
        collision_interval=stats.clopper_pearson_interval(collided, n),
        max_force_p95_n=float(np.percentile(forces, 95)),
        drops=sum(drops) / len(drops),
    )
