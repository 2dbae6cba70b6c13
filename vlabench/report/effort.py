"""What a policy's answers took to compute, and what its planner's plans were like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from vlabench.report.summary import Cost, Planned
from vlabench.results import Result


def cost_of(results: Sequence[Result], params: int | None) -> Cost | None:
    """The cost of all `results`; None if there are none."""
    if not results:
        return None
    calls = [result.policy_calls for result in results if result.policy_calls is not None]
    peaks = [r.gpu_memory_bytes for r in results if r.gpu_memory_bytes is not None]
    return Cost(
        n=len(results),
        seconds=fmean(result.thought_s for result in results),
        calls=fmean(calls) if calls else None,
        gpu_memory_bytes=max(peaks, default=None),
        params=params,
    )


def planning_of(results: Iterable[Result]) -> tuple[Planned, ...]:
    """The mean over tasks, then every task by its name; nothing where there was no planner."""
    tasks: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.planning is not None:
            tasks[result.task].append(result)
    rows = [_planned(task, tasks[task]) for task in sorted(tasks)]
    return (_mean(rows), *rows) if rows else ()


def _planned(task: str, results: Sequence[Result]) -> Planned:
    plans = [(r.planning, len(r.stages)) for r in results if r.planning is not None]
    return Planned(
        task=task,
        n=len(plans),
        calls=fmean(plan.planner_calls for plan, _ in plans),
        changes=fmean(plan.subtask_changes for plan, _ in plans),
        seconds=_known(plan.subtask_s_mean for plan, _ in plans),
        named=_known(plan.stages_named / stages if stages else None for plan, stages in plans),
        in_order=_known(
            plan.stages_named_in_order / plan.stages_named if plan.stages_named else None
            for plan, _ in plans
        ),
    )


def _mean(rows: Sequence[Planned]) -> Planned:
    return Planned(
        task=None,
        n=sum(row.n for row in rows),
        calls=fmean(row.calls for row in rows),
        changes=fmean(row.changes for row in rows),
        seconds=_known(row.seconds for row in rows),
        named=_known(row.named for row in rows),
        in_order=_known(row.in_order for row in rows),
    )


def _known(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known; None if none is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
