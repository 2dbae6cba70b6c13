"""A run as one row of the leaderboard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Literal

from vlabench.errors import InvalidRunError
from vlabench.leaderboard.columns import AXIS_SCORES, Cell
from vlabench.leaderboard.ranking import compared
from vlabench.report import Row, Summary, summarize
from vlabench.results import Result
from vlabench.runinfo import Conditions
from vlabench.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a submitter says of a policy, where no run knows it or to correct it; None for nothing.

    Attributes:
        checkpoint: Name or path of its weights, where the policy's arguments do not say it.
        params: Number of its parameters.
        weight_type: Whether many tasks share its weights.
        trained_on: What of this benchmark it was trained on.
        gpu_memory_gb: GPU memory that it needs.
        submitter: Who enters the run.
        provenance: Who vouches for it.
    """

    checkpoint: str | None = None
    params: int | None = None
    weight_type: Literal["shared", "finetuned"] | None = None
    trained_on: Literal["zero-shot", "nominal", "axis"] | None = None
    gpu_memory_gb: float | None = None
    submitter: str | None = None
    provenance: Literal["self-reported", "reproduced", "verified"] | None = None

    def cells(self) -> dict[str, Cell]:
        """What was said, by column."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def of_policy(self) -> dict[str, Cell]:
        """Of that, what is true of one policy alone."""
        whose = ("submitter", "provenance")
        return {name: value for name, value in self.cells().items() if name not in whose}


def leaderboard_row(run: Run, summary: Summary | None = None) -> dict[str, Cell]:
    """The row of one run, without a rank, which only several runs can have.

    A run that left out a part of its suite has no overall success rate, and so has one of a suite
    of diagnostics alone.

    Args:
        run: The run.
        summary: Its summary, if that has been made.

    Raises:
        InvalidRunError: If too many of its episodes are missing, it is still running, or it ended
            as soon as a comparison was decided: nothing of it can be compared.
    """
    refuse_unfit(run)
    summary = summarize(run) if summary is None else summary
    info = run.info
    row: dict[str, Cell] = {
        "rank": None,
        "letters": None,
        "policy": info.policy.label,
        "checkpoint": _checkpoint(run),
        "revision": info.policy.revision or None,
        "params": info.policy.params,
        "weight_type": info.policy.weight_type or None,
        "privileged": info.policy.privileged,
        "suite": info.suite,
        "suite_version": info.suite_version,
        "complete": info.complete,
        "certified": info.certified,
        **_conditions(info.conditions),
        "manifest_hash": info.manifest_hash,
        "env_fingerprint": info.env_fingerprint,
        "contract_fingerprint": info.contract_fingerprint,
        **_overall(summary, run.results),
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
        "latency_ms_p95": _latency(run.results),
        "inference_s_per_episode": _mean([result.thought_s for result in run.results]),
        "gpu_memory_gb": _gigabytes(run.results),
        "collision_rate": None if rough is None else rough.collision_rate,
        "max_force_p95_n": None if rough is None else rough.max_force_p95_n,
        "flip_rate": None if info.determinism is None else info.determinism.flip_rate,
        "n_missing": summary.missing,
        "provenance": "self-reported",
        "date": (info.finished_at or info.created_at)[:10],
        "run_id": info.run_id,
    }


def refuse_unfit(run: Run) -> None:
    """Refuses a run that has no place on a leaderboard.

    Raises:
        InvalidRunError: As `leaderboard_row`.
    """
    if not run.valid:
        raise InvalidRunError(
            f"{run.path} is not valid: {len(run.missing)} of {len(run.needed)} episodes are "
            "missing; the same eval command finishes it."
        )
    if run.running:
        raise InvalidRunError(f"{run.path} is still running; wait until it ends.")
    if run.info.stopped_early:
        raise InvalidRunError(
            f"{run.path} ended as soon as a comparison was decided, so its success rates are "
            "biased; enter a run of 'vlabench eval', which runs all episodes."
        )


def _checkpoint(run: Run) -> str | None:
    told = run.info.policy.args.get("checkpoint")
    return told if isinstance(told, str) and told else None


def _overall(summary: Summary, results: Sequence[Result]) -> dict[str, Cell]:
    if summary.overall is None or summary.overall.rate is None:
        return {}
    rate = summary.overall.rate
    chains: dict[str, list[float]] = defaultdict(list)
    for chain in summary.chains:
        if (chain.condition != "nominal") == bool(summary.axes):
            chains[chain.task].append(chain.mean)
    progress: dict[str, list[float]] = defaultdict(list)
    for result in compared(results):
        progress[result.task].append(result.progress)
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


def _latency(results: Sequence[Result]) -> float | None:
    values = [r.latency_ms_p95 for r in results if r.latency_ms_p95 is not None]
    return median(values) if values else None


def _gigabytes(results: Sequence[Result]) -> float | None:
    peaks = [r.gpu_memory_bytes for r in results if r.gpu_memory_bytes is not None]
    return max(peaks) / 1e9 if peaks else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
