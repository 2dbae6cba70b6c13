"""Runs as rows of one CSV file that is kept in git.

Two rows stand in one ranking only where they met the same episodes in the same world under the
same conditions: equal suite, version, manifest hash, environment fingerprint and simulated
latency. A measured latency, or a mismatch that was allowed, is the run's own, so it has no rank.
A rank needs the episodes themselves, so it is worked out among the runs that are given; a row of
the same ranking whose run was not given loses its rank, because what it stood for has changed, and
keeps all else. A cell without data is empty, never 0. Diagnostic episodes are in the columns of
compliance alone; a suite that changes nothing else has no overall success rate, and so no rank.
"""

from __future__ import annotations

import csv
import itertools
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TypeAlias

from vlabench import stats
from vlabench.errors import InvalidRunError, UsageError
from vlabench.registry import AXES, load_attribute
from vlabench.report import Row, Summary, summarize
from vlabench.runinfo import Conditions
from vlabench.store import Run
from vlabench.types import EpisodeRecord

Cell: TypeAlias = str | int | float | bool | None

IDENTITY: Mapping[str, str] = {
    "rank": "1 + the number of rows of the same ranking that are significantly better",
    "policy": "name of the policy",
    "privileged": "whether it reads the simulator's state",
    "suite": "name of the suite",
    "suite_version": "its version",
    "complete": "whether these are all the suite's own episodes; if not, there is no overall",
    "certified": "whether each of the episodes is known to be solvable in this world",
    "latency_setting_ms": "simulated milliseconds of every answer; 'measured' for what each took, "
    "which no other machine repeats; empty where the world waited",
    "allow_mismatch": "in what policy and environment did not agree and were let run; no rank then",
    "manifest_hash": "of the episodes",
    "env_fingerprint": "of the world",
    "contract_fingerprint": "of the policy's own pipeline; no part of the ranking",
}

SCORES: Mapping[str, str] = {
    "success_rate": "mean over tasks of the changed episodes, or of all where nothing changes; "
    "empty where all that is changed is diagnostic",
    "ci_low": "lower end of its 95 % interval",
    "ci_high": "upper end",
    "n": "episodes that it is the mean of",
    "success_rate_nominal": "mean over tasks of the unchanged episodes",
}

AXIS_SCORES: Mapping[str, str] = {
    "success_rate": "mean over tasks under this axis",
    "gap": "success rate of the unchanged twins less that under this axis",
    "retention": "ratio of the two; empty where the twins' rate is under 20 %",
}
"""Each becomes a column ``<score>_<axis>`` for each axis that is no diagnostic."""

COMPLIANCE: Mapping[str, str] = {
    "compliance": "mean over tasks of the share of episodes under this axis that complied",
}
"""A column ``compliance_<axis>`` for each diagnostic axis."""

REST: Mapping[str, str] = {
    "worst_axis": "axis with the lowest success rate",
    "avg_chain_length": "stages finished in a row, mean over the tasks that have several",
    "progress": "mean over tasks of the share of stages finished, of the episodes of success_rate",
    "latency_ms_p95": "median over episodes of the 95th percentile of an answer's latency",
    "inference_s_per_episode": "mean seconds that the model took for an episode, as whoever ran it "
    "says; where nobody does, those that the worker waited for it, queue and network included",
    "collision_rate": "share of episodes in which the robot collided with something",
    "max_force_p95_n": "95th percentile over episodes of the largest contact force, in newtons, "
    "sampled at 20 Hz",
    "n_missing": "episodes without a result",
    "provenance": "self-reported until somebody else has repeated the run",
    "date": "day on which the run ended, or began if it has not",
    "run_id": "name of the run; one row each",
}

MET = ("suite", "suite_version", "manifest_hash", "env_fingerprint")
"""Which episodes a row is of; every leaderboard has these columns."""

RANKING = (*MET, "latency_setting_ms", "allow_mismatch")
"""What the rows of one ranking share; the last two are empty in files that are older than they."""


@dataclass(frozen=True)
class Leaderboard:
    """The content of the file.

    Attributes:
        columns: Names of the columns, in order.
        rows: Each row's cells by column, as text, in the order of the file.
        unranked: Names of the runs that lost their rank because they were not given.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    unranked: tuple[str, ...] = ()


def leaderboard_row(run: Run) -> dict[str, Cell]:
    """The row of one run, without a rank, which only several runs can have.

    A run that left out a part of its suite has no overall success rate, and so has one of a suite
    of diagnostics alone.

    Raises:
        InvalidRunError: If too many of its episodes are missing, or it is still running: nothing
            of it can be compared.
    """
    if not run.valid:
        raise InvalidRunError(
            f"{run.path} is not valid: {len(run.missing)} of {run.info.planned} episodes are "
            "missing; the same eval command finishes it."
        )
    if run.running:
        raise InvalidRunError(f"{run.path} is still running; wait until it ends.")
    info, summary = run.info, summarize(run)
    row: dict[str, Cell] = {
        "rank": None,
        "policy": info.policy.label,
        "privileged": info.policy.privileged,
        "suite": info.suite,
        "suite_version": info.suite_version,
        "complete": info.complete,
        "certified": info.certified,
        **_conditions(info.conditions),
        "manifest_hash": info.manifest_hash,
        "env_fingerprint": info.env_fingerprint,
        "contract_fingerprint": info.contract_fingerprint,
        **_overall(summary, run.records),
    }
    if summary.nominal is not None and summary.nominal.rate is not None:
        row["success_rate_nominal"] = summary.nominal.rate.value
    for axis in summary.axes:
        row |= _axis(axis)
    for axis in summary.compliance_axes:
        row[f"compliance_{axis.axis}"] = None if axis.rate is None else axis.rate.value
    worst, rough = summary.worst_axis, summary.roughness
    return row | {
        "worst_axis": worst.axis if worst is not None and summary.overall is not None else None,
        "latency_ms_p95": _latency(run.records),
        "inference_s_per_episode": _mean([_thought_s(record) for record in run.records]),
        "collision_rate": None if rough is None else rough.collision_rate,
        "max_force_p95_n": None if rough is None else rough.max_force_p95_n,
        "n_missing": summary.missing,
        "provenance": "self-reported",
        "date": (info.finished_at or info.created_at)[:10],
        "run_id": info.run_id,
    }


def update_leaderboard(runs: Sequence[Run], path: Path) -> Leaderboard:
    """Adds or replaces the rows of `runs` in the file, ranks them, and keeps every other row.

    The file is replaced as a whole or not at all.

    Args:
        runs: Runs to enter, each once.
        path: The CSV file; it is made if it is not there.

    Raises:
        UsageError: If the file is no leaderboard or cannot be written, or a run is given twice.
        InvalidRunError: If too many episodes of a run are missing, or it is still running; the
            file stays as it was.
    """
    _refuse_twice(runs)
    before = read_leaderboard(path)
    new = [
        leaderboard_row(run) | {"rank": rank} for run, rank in zip(runs, ranks(runs), strict=True)
    ]
    given = {run.info.run_id for run in runs}
    kept = [dict(row) for row in before.rows if row["run_id"] not in given]
    written = [{name: _text(cell) for name, cell in row.items()} for row in new]
    changed = {_ranking(row) for row in written}
    unranked = [row for row in kept if _ranking(row) in changed and row.get("rank")]
    for row in unranked:
        row["rank"] = ""
    rows = sorted([*kept, *written], key=_order)
    board = Leaderboard(
        columns=_columns(before.columns, written),
        rows=tuple(rows),
        unranked=tuple(row["run_id"] for row in unranked),
    )
    _write(board, path)
    return board


def read_leaderboard(path: Path) -> Leaderboard:
    """What the file says now; empty if there is none.

    Raises:
        UsageError: If it cannot be read or is no leaderboard.
    """
    if not path.exists():
        return Leaderboard((), ())
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"Cannot read {path} ({error}); give another --out.") from error
    columns = tuple(reader.fieldnames or ())
    absent = [name for name in ("run_id", *MET) if name not in columns]
    if absent or any(None in row for row in rows):
        what = f"it has no column {absent[0]!r}" if absent else "a row has too many cells"
        raise UsageError(f"{path} is no leaderboard ({what}); mend it, or give another --out.")
    return Leaderboard(columns, tuple(rows))


def ranks(runs: Sequence[Run]) -> list[int | None]:
    """For each run, 1 + how many of the others in its ranking are significantly better.

    Each scene counts once: the policy that wins more of its episodes wins it. So a scene that is
    used under several axes is not counted as several, and where each is used once this is
    McNemar's test. A run without an overall success rate, or under conditions of its own, has no
    rank.
    """
    rankings: dict[tuple[Cell, ...], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        overall = summarize(run).overall
        info = run.info
        if overall is not None and overall.rate is not None and info.conditions.comparable:
            met = info.suite, info.suite_version, info.manifest_hash, info.env_fingerprint
            rankings[*met, info.conditions.latency_ms].append(number)
    found: list[int | None] = [None] * len(runs)
    for members in rankings.values():
        wins = {
            (i, j): _scenes_won(runs[members[i]], runs[members[j]])
            for i, j in itertools.combinations(range(len(members)), 2)
        }
        for number, rank in zip(members, stats.ranks(len(members), wins), strict=True):
            found[number] = rank
    return found


# --- a row ------------------------------------------------------------------------------------


def _overall(summary: Summary, records: Sequence[EpisodeRecord]) -> dict[str, Cell]:
    if summary.overall is None or summary.overall.rate is None:
        return {}
    rate = summary.overall.rate
    chains: dict[str, list[float]] = defaultdict(list)
    for chain in summary.chains:
        if (chain.condition != "nominal") == bool(summary.axes):
            chains[chain.task].append(chain.mean)
    progress: dict[str, list[float]] = defaultdict(list)
    for record in _compared(records):
        progress[record.task].append(record.progress)
    return {
        "success_rate": rate.value,
        "ci_low": rate.low,
        "ci_high": rate.high,
        "n": rate.n,
        "avg_chain_length": _mean([fmean(values) for values in chains.values()]),
        "progress": _mean([fmean(values) for values in progress.values()]),
    }


def _conditions(conditions: Conditions) -> dict[str, Cell]:
    return {
        "latency_setting_ms": conditions.latency_ms,
        "allow_mismatch": "; ".join(conditions.mismatches) or None,
    }


def _axis(axis: Row) -> dict[str, Cell]:
    scores: dict[str, Cell] = {
        "success_rate": None if axis.rate is None else axis.rate.value,
        "gap": None if axis.gap is None else axis.gap.value,
        "retention": axis.retention,
    }
    return {f"{score}_{axis.axis}": scores[score] for score in AXIS_SCORES}


def _latency(records: Sequence[EpisodeRecord]) -> float | None:
    values = [r.latency_ms_p95 for r in records if r.latency_ms_p95 is not None]
    return median(values) if values else None


def _thought_s(record: EpisodeRecord) -> float:
    return record.inference_s if record.infer_s is None else record.infer_s


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _compared(records: Sequence[EpisodeRecord]) -> list[EpisodeRecord]:
    """The results that the overall rate is made of: changed episodes, or all if none is changed."""
    results = [r for r in records if r.status != "infra_error" and r.compliance is None]
    return [record for record in results if record.changes] or results


# --- the ranking ------------------------------------------------------------------------------


def _scenes_won(first: Run, second: Run) -> tuple[int, int]:
    """How many scenes each of two runs wins, over the episodes that have a result in both."""
    theirs = {record.episode_id: record for record in _compared(second.records)}
    scores: dict[tuple[str, int], int] = defaultdict(int)
    for record in _compared(first.records):
        other = theirs.get(record.episode_id)
        if other is not None:
            won = (record.status == "success") - (other.status == "success")
            scores[record.task, record.index] += won
    return sum(score > 0 for score in scores.values()), sum(s < 0 for s in scores.values())


def _ranking(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in RANKING)


# --- the file ---------------------------------------------------------------------------------


def _columns(before: Sequence[str], rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The known columns in their fixed order, then those that the file had besides."""
    present = [*before, *(name for row in rows for name in row)]
    diagnostic = set(load_attribute("vlabench.envs.axes:DIAGNOSTIC"))
    by_axis = _by_axis(AXIS_SCORES, set(AXES.names()) - diagnostic, present)
    complied = _by_axis(COMPLIANCE, diagnostic, present)
    return tuple(dict.fromkeys([*IDENTITY, *SCORES, *by_axis, *complied, *REST, *before]))


def _by_axis(scores: Mapping[str, str], known: set[str], present: Sequence[str]) -> list[str]:
    """A column for each of the scores and each axis, known or in a present column's name."""
    prefixes = [f"{score}_" for score in scores]
    axes = known | {
        name.removeprefix(prefix)
        for name in present
        for prefix in prefixes
        if name.startswith(prefix) and name not in SCORES
    }
    return [f"{prefix}{axis}" for axis in sorted(axes) for prefix in prefixes]


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:.6f}" if isinstance(cell, float) else str(cell)


def _order(row: Mapping[str, str]) -> tuple[object, ...]:
    """By ranking; in it by rank, the ranked first, then by falling success rate."""
    rank, rate = row.get("rank", ""), row.get("success_rate", "")
    return (
        *_ranking(row),
        _value(rank, otherwise=float("inf")),
        -_value(rate, otherwise=-1.0),
        row.get("policy", ""),
        row["run_id"],
    )


def _value(cell: str, otherwise: float) -> float:
    try:
        return float(cell)
    except ValueError:
        return otherwise


def _write(board: Leaderboard, path: Path) -> None:
    scratch = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, board.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(board.rows)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); give another --out."
        ) from error


def _refuse_twice(runs: Sequence[Run]) -> None:
    names = [run.info.run_id for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"The run {name!r} is given twice; give each run once.")
