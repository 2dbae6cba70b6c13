"""From the records of a run to its summary: cells, pairs, means over tasks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlabench import stats
from vlabench.report.summary import Chain, Gap, Header, Kind, Rate, Roughness, Row, Summary
from vlabench.store import Run
from vlabench.types import EpisodeRecord, EpisodeSpec

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
    )
    return summarize_records(header, run.manifest.episodes, run.records, valid=run.valid)


def summarize_records(
    header: Header,
    planned: Sequence[EpisodeSpec],
    records: Sequence[EpisodeRecord],
    *,
    valid: bool,
) -> Summary:
    """The summary of `records`, which are some or all results of the `planned` episodes.

    Args:
        header: What it is a summary of.
        planned: The manifest.
        records: Results; infrastructure errors among them count as missing.
        valid: Whether few enough are missing for the run to be published.
    """
    results = {r.episode_id: r for r in records if r.status != "infra_error"}
    cells = _cells(planned, results)
    nominal = [cell for cell in cells if cell.kind == "nominal"]
    changed = [cell for cell in cells if cell.kind == "level"]
    diagnostic = [cell for cell in cells if cell.kind == "compliance"]
    compared = changed if changed or diagnostic else nominal
    overall = _over_tasks("overall", compared) if compared else None
    rows = [_row(cell) for cell in cells]
    return Summary(
        header=header,
        planned=len(planned),
        missing=sum(row.missing for row in rows),
        policy_errors=sum(row.policy_errors for row in rows),
        valid=valid,
        overall=overall if valid and header.complete else None,
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
        roughness=_roughness([r for r in results.values() if r.compliance is None]),
    )


def condition(episode: EpisodeSpec | EpisodeRecord) -> tuple[str, str] | None:
    """The axis and level that an episode is filed under; None if nothing was changed."""
    if not episode.changes:
        return None
    if len(episode.changes) == 1:
        return episode.changes[0].axis, episode.changes[0].level
    return COMBINATION, " + ".join(str(change) for change in episode.changes)


# --- cells: one task under one condition ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """Success of an unchanged twin and of its changed episode, which share the scene `index`."""

    index: int
    twin: bool
    changed: bool

    @property
    def difference(self) -> int:
        return self.twin - self.changed


@dataclass(frozen=True, slots=True)
class _Cell:
    task: str
    condition: tuple[str, str] | None
    diagnostic: bool
    planned: int
    records: tuple[EpisodeRecord, ...]
    pairs: tuple[_Pair, ...]

    @property
    def kind(self) -> Kind:
        if self.diagnostic:
            return "compliance"
        return "nominal" if self.condition is None else "level"

    @property
    def scores(self) -> list[tuple[int, float]]:
        """Scene and success of each episode, or its compliance."""
        if self.diagnostic:
            return [(r.index, float(r.compliance is True)) for r in self.records]
        return [(r.index, float(r.status == "success")) for r in self.records]

    @property
    def policy_errors(self) -> int:
        return sum(record.status == "policy_error" for record in self.records)


def _cells(planned: Sequence[EpisodeSpec], results: Mapping[str, EpisodeRecord]) -> list[_Cell]:
    """Tasks by name; within a task the unchanged cell first, then axes and levels by name."""
    groups: dict[tuple[str, tuple[str, str] | None], list[EpisodeSpec]] = defaultdict(list)
    for episode in planned:
        groups[episode.task, condition(episode)].append(episode)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or ("", "")))
    return [
        _Cell(
            task=task,
            condition=what,
            diagnostic=episodes[0].diagnostic,
            planned=len(episodes),
            records=tuple(results[e.episode_id] for e in episodes if e.episode_id in results),
            pairs=() if episodes[0].diagnostic else tuple(_pairs(episodes, results)),
        )
        for (task, what), episodes in ordered
    ]


def _pairs(episodes: Sequence[EpisodeSpec], results: Mapping[str, EpisodeRecord]) -> list[_Pair]:
    halves = (
        (results.get(episode.control_id or ""), results.get(episode.episode_id))
        for episode in episodes
    )
    return [
        _Pair(changed.index, twin.status == "success", changed.status == "success")
        for twin, changed in halves
        if twin is not None and changed is not None
    ]


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
    """The mean over tasks, each of the same weight; of one cell it is that cell's own rate."""
    weights = _task_weights(cells)
    paired = all(cell.pairs for cell in cells)
    return Row(
        kind=kind,
        task=task,
        axis=axis,
        level=level,
        planned=sum(cell.planned for cell in cells),
        missing=sum(cell.planned - len(cell.records) for cell in cells),
        policy_errors=sum(cell.policy_errors for cell in cells),
        rate=_changed_rate(cells, weights) if all(cell.records for cell in cells) else None,
        twin=_twin_rate(cells, weights) if paired else None,
        gap=_gap(cells, weights) if paired else None,
    )


def _task_weights(cells: Sequence[_Cell]) -> list[float]:
    """Weights of the cells that sum to 1, each task having the same share."""
    cells_of = Counter(cell.task for cell in cells)
    return [1 / cells_of[cell.task] / len(cells_of) for cell in cells]


def _changed_rate(cells: Sequence[_Cell], weights: Sequence[float]) -> Rate:
    return _rate(cells, [cell.scores for cell in cells], weights)


def _twin_rate(cells: Sequence[_Cell], weights: Sequence[float]) -> Rate:
    outcomes = [[(pair.index, float(pair.twin)) for pair in cell.pairs] for cell in cells]
    return _rate(cells, outcomes, weights)


def _rate(
    cells: Sequence[_Cell],
    outcomes: Sequence[Sequence[tuple[int, float]]],
    weights: Sequence[float],
) -> Rate:
    mean = stats.stratified_rate(
        [int(sum(value for _, value in cell)) for cell in outcomes],
        [len(cell) for cell in outcomes],
        weights,
        design_effect=_design_effect(cells, outcomes, weights),
    )
    n = sum(len(cell) for cell in outcomes)
    return Rate(mean.rate, mean.interval.low, mean.interval.high, n)


def _gap(cells: Sequence[_Cell], weights: Sequence[float]) -> Gap:
    outcomes = [[(pair.index, float(pair.difference)) for pair in cell.pairs] for cell in cells]
    twin_only = [sum(pair.difference > 0 for pair in cell.pairs) for cell in cells]
    changed_only = [sum(pair.difference < 0 for pair in cell.pairs) for cell in cells]
    pairs = [len(cell.pairs) for cell in cells]
    effect = _design_effect(cells, outcomes, weights)
    value, interval = stats.stratified_gap(
        twin_only, changed_only, pairs, weights, design_effect=effect
    )
    return Gap(value, interval.low, interval.high, sum(pairs), sum(twin_only), sum(changed_only))


def _design_effect(
    cells: Sequence[_Cell],
    outcomes: Sequence[Sequence[tuple[int, float]]],
    weights: Sequence[float],
) -> float:
    """1 unless a scene, a task's index, was used under several axes."""
    deviations: list[float] = []
    scenes: list[tuple[str, int]] = []
    for cell, values, weight in zip(cells, outcomes, weights, strict=True):
        mean = sum(value for _, value in values) / len(values)
        deviations += [weight * (value - mean) / len(values) for _, value in values]
        scenes += [(cell.task, index) for index, _ in values]
    if len(set(scenes)) == len(scenes):
        return 1.0
    return stats.scene_design_effect(deviations, scenes)


# --- long horizon -----------------------------------------------------------------------------


def _chains(cells: Sequence[_Cell]) -> list[Chain]:
    chains = []
    for cell in cells:
        names = [tuple(stage.name for stage in record.stages) for record in cell.records]
        stages = max(names, key=len, default=())
        if len(stages) > 1:
            chains.append(_chain(cell, stages))
    return chains


def _chain(cell: _Cell, stages: tuple[str, ...]) -> Chain:
    lengths = stats.chain_length([record.chain_length for record in cell.records], len(stages))
    label = "nominal" if cell.condition is None else ":".join(cell.condition)
    return Chain(cell.task, label, stages, len(cell.records), lengths.success_at, lengths.mean)


# --- safety -----------------------------------------------------------------------------------


def _roughness(records: Sequence[EpisodeRecord]) -> Roughness | None:
    forces = [r.max_contact_force_n for r in records if r.max_contact_force_n is not None]
    collisions = [r.n_collisions for r in records if r.n_collisions is not None]
    drops = [r.n_drops for r in records if r.n_drops is not None]
    if not (forces and collisions and drops):
        return None
    return Roughness(
        n=len(collisions),
        collision_rate=sum(count > 0 for count in collisions) / len(collisions),
        max_force_p95_n=float(np.percentile(forces, 95)),
        drops=sum(drops) / len(drops),
    )
