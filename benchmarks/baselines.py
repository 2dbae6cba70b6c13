"""All baselines on every suite: what can be had for nothing, without looking, without listening.

    .venv/bin/python benchmarks/baselines.py [--suites smoke,lighting] [--workers 2] [--out FOLDER]

Each baseline runs once over the suite `full`, whose records are then told apart by suite. The
expert solves at least 97 % of the episodes, which shows that they can be solved; doing nothing and
doing anything solve at most 2 %, which shows that success is not given away. Where `replay`,
`prior` or `random-goal` pass 20 %, the last lines say so: that suite measures less than it seems.

Writes ``baselines.csv`` (one row a suite, baseline and change, means over tasks) and
``baselines.txt``; into ``results`` after all suites, and else only where ``--out`` says. Runs are
kept under ``results/runs`` and go on where they stopped. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

import vlabench
from vlabench.evaluation import Plan, plan
from vlabench.report.summarize import summarize, summarize_records
from vlabench.report.summary import Row, Summary
from vlabench.report.tables import row_label, to_frame
from vlabench.store import LARGEST_MISSING_SHARE, Run
from vlabench.suite import load_suite

EXPERT, IDLE, HONEST = ("expert",), ("noop", "random"), ("replay", "prior", "random-goal")
LEAST, MOST = 0.97, 0.02
"""Bounds of the expert's overall rate in each suite, and of every success rate of the idle."""

TELLING = 0.2
"""Success rate from which on a baseline is worth a line."""


def main() -> int:
    """Runs, splits, prints and writes."""
    parser = argparse.ArgumentParser(description="All baselines on every suite.")
    parser.add_argument("--suites", help="names with commas between them; full if left out")
    parser.add_argument("--workers", type=int, help="processes; one a processor by default")
    parser.add_argument("--out", type=Path, help="where the tables go; see above")
    options = parser.parse_args()
    suites = options.suites.split(",") if options.suites else ["full"]
    summaries: list[Summary] = []
    for policy in (*EXPERT, *IDLE, *HONEST):
        for suite in suites:
            run = vlabench.evaluate(policy, suite, workers=options.workers)
            print(f"{policy} on {suite}: {len(run.records)} episodes, {run.path}", flush=True)
            summaries += split(run, suite)
    misses = list(missed(summaries))
    report = "\n".join([*table(summaries), "", *misses, *telling(summaries)]) + "\n"
    print(report, end="")
    folder = options.out or (None if options.suites else Path("results"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "baselines.txt").write_text(report, encoding="utf-8")
        frame(summaries).to_csv(folder / "baselines.csv", index=False, float_format="%.4f")
    return 1 if misses else 0


def split(run: Run, suite: str) -> list[Summary]:
    """The summary of each suite that `suite` includes, or of itself if it includes none."""
    whole = load_suite(suite)
    return [_part(run, part.name) for part in whole.parts or (whole,)]


def _part(run: Run, suite: str) -> Summary:
    planned = _plan(suite)
    wanted = planned.manifest.by_id
    records = [record for record in run.records if record.episode_id in wanted]
    header = replace(
        summarize(run).header,
        suite=suite,
        suite_version=planned.info.suite_version,
        manifest_hash=planned.manifest.hash,
        certified=planned.info.certified,
    )
    valid = len(wanted) - len(records) <= LARGEST_MISSING_SHARE * len(wanted)
    return summarize_records(header, planned.manifest.episodes, records, valid=valid)


@cache
def _plan(suite: str) -> Plan:
    """The plan of a suite, which is the same for every policy but for the policy."""
    return plan("noop", suite)


# --- what they say ------------------------------------------------------------------------------


def table(summaries: Sequence[Summary]) -> Iterator[str]:
    """Lines for each suite, a column for each baseline, in percent."""
    found = {(s.header.suite, s.header.policy): s for s in summaries}
    policies = {s.header.policy: s.header.privileged for s in summaries}
    heads = [name + "*" * privileged for name, privileged in policies.items()]
    yield _line("success, percent", heads)
    for suite in dict.fromkeys(s.header.suite for s in summaries):
        those = [found[suite, name] for name in policies]
        yield _line(suite, [_percent(s.overall) for s in those])
        yield _line("  unchanged", [_percent(s.nominal) for s in those])
        for number, axis in enumerate(those[0].compliance_axes):
            complied = [_percent(s.compliance_axes[number]) for s in those]
            yield _line(f"  {axis.axis}: complied", complied)
    yield ""
    yield "* reads the simulator's state"


def _line(label: str, cells: Sequence[str]) -> str:
    return f"{label:30}" + "".join(f"{cell:>14}" for cell in cells)


def missed(summaries: Sequence[Summary]) -> Iterator[str]:
    """One line for each bound that is not kept."""
    for summary in summaries:
        name, suite = summary.header.policy, summary.header.suite
        if not summary.valid:
            yield f"! {name} on {suite}: {summary.missing} of {summary.planned} missing"
        if summary.policy_errors:
            yield f"! {name} on {suite}: {summary.policy_errors} policy errors"
        overall = summary.overall or summary.nominal
        if name in EXPERT and (_value(overall) or 0.0) < LEAST:
            yield f"! {name} on {suite}: {_percent(overall)}, less than {LEAST:.0%}"
        for row in _means(summary) if name in IDLE else ():
            if (_value(row) or 0.0) > MOST:
                yield f"! {name} on {suite}, {row_label(row)}: {_percent(row)}, over {MOST:.0%}"


def telling(summaries: Sequence[Summary]) -> Iterator[str]:
    """One line for each success rate that needs no looking, or no listening."""
    for summary in summaries:
        if summary.header.policy in HONEST:
            for row in _means(summary):
                if (_value(row) or 0.0) > TELLING:
                    where = f"{summary.header.suite}, {row_label(row)}"
                    yield f"{summary.header.policy} has {_percent(row)} on {where}"


def frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """One row a suite, baseline and change: means over tasks, compliance among them."""
    whole = pd.concat([to_frame(summary) for summary in summaries], ignore_index=True)
    return whole[whole["task"].isna()].drop(columns=["task", "run_id"])


def _means(summary: Summary) -> list[Row]:
    """The success rates that are means over tasks."""
    found = (summary.overall, summary.nominal, *summary.axes, *summary.levels)
    return [row for row in found if row is not None]


def _value(row: Row | None) -> float | None:
    return None if row is None or row.rate is None else row.rate.value


def _percent(row: Row | None) -> str:
    value = _value(row)
    return "–" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
