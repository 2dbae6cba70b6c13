"""Figures of runs and comparisons, for pages and for papers.

Every number in them is one of `vlabench.report`, `vlabench.comparison` or `vlabench.stats`.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.comparison import Comparison
from vlabench.figures.changes import changes, compliance
from vlabench.figures.curves import latency, times
from vlabench.figures.heat import gaps, success_at
from vlabench.figures.paper import write_paper
from vlabench.figures.scene import Figure
from vlabench.figures.several import Named, forest, policies, policy_gaps, speed
from vlabench.figures.stages import failures, funnel
from vlabench.figures.strength import strengths
from vlabench.figures.svg import svg
from vlabench.report.summary import Summary
from vlabench.results import Result
from vlabench.types import EpisodeRecord

__all__ = [
    "Figure",
    "Named",
    "figures_of_comparison",
    "figures_of_run",
    "figures_of_runs",
    "svg",
    "write_paper",
]


def figures_of_run(
    summary: Summary, results: Sequence[Result], records: Sequence[EpisodeRecord]
) -> list[Figure]:
    """Every figure that a run has data for."""
    changed = [result for result in results if result.changes]
    unchanged = [result for result in results if not result.changes]
    groups = [("unchanged", unchanged), ("changed", changed)]
    found = [
        changes(summary),
        gaps(summary),
        strengths(summary, results),
        funnel(summary, records),
        success_at(summary),
        failures(records),
        times([(name, group) for name, group in groups if group]),
        latency([(summary.header.policy, records)]),
        compliance(summary),
    ]
    return [figure for figure in found if figure is not None]


def figures_of_runs(runs: Sequence[Named]) -> list[Figure]:
    """What stands beside each other of several runs."""
    found = [
        policies(runs),
        policy_gaps(runs),
        times([(run.name, run.results) for run in runs]),
        speed(runs),
    ]
    return [figure for figure in found if figure is not None]


def figures_of_comparison(comparison: Comparison, name: str = "forest") -> list[Figure]:
    """What is shown of a comparison."""
    return [forest(comparison, name)]
