"""All baselines on every suite: what can be had for nothing, without looking, without listening.

    .venv/bin/python benchmarks/baselines.py [--policies noop,random] [--suites smoke,ci]
        [--whole] [--workers 2] [--out FOLDER]

Each baseline runs over the suite `full`, whose records are then told apart by suite, and over the
suites that are not part of it. `noop` and `random` run every episode of `full`; for everything
else `SAMPLES` says how many episodes of each task and cell are run, the first ones, with their
twins; the tables say how many that are. With ``--whole`` all run everything.

The expert solves at least 97 % of the episodes, which shows that they can be solved; doing nothing
and doing anything solve at most 2 %, which shows that success is not given away. Where `replay`,
`prior` or `random-goal` pass 20 %, the last lines say so: that suite measures less than it seems.

Writes ``baselines.csv`` (one row a suite, baseline and change, means over tasks) and
``baselines.txt``; into ``results`` after all of it, and else only where ``--out`` says. Runs are
kept under ``results/runs`` and go on where they stopped. Exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

import vlabench
from vlabench.errors import VlabenchError
from vlabench.evaluation import Plan, plan
from vlabench.index import ManifestIndex
from vlabench.report.summarize import summarize, summarize_results
from vlabench.report.summary import Header, Row, Summary
from vlabench.report.tables import row_label, to_frame
from vlabench.store import LARGEST_MISSING_SHARE, Run
from vlabench.suite import load_suite

EXPERT, IDLE, HONEST = ("expert",), ("noop", "random"), ("replay", "prior", "random-goal")
LEAST, MOST = 0.97, 0.02
"""Bounds of the expert's overall rate in each suite, and of every success rate of the idle."""

TELLING = 0.2
"""Success rate from which on a baseline is worth a line."""

SUITES = ("full", "generalization", "ci", "smoke", "stages")
"""Everything that is published but `train`: what is not here is a part of `full`."""

_FEW = {"full": 1, "generalization": 1, "stages": 1}
_MANY = {"generalization": 2}
SAMPLES: Mapping[str, Mapping[str, int]] = {
    name: _MANY if name in IDLE else _FEW for name in (*EXPERT, *IDLE, *HONEST)
}
"""Baseline to suite to how many episodes of each task and cell are run; where there is no number,
all."""


def main() -> int:
    """Runs, splits, prints and writes."""
    parser = argparse.ArgumentParser(description="All baselines on every suite.")
    parser.add_argument("--policies", help="names with commas between them; all if left out")
    parser.add_argument("--suites", help=f"likewise; {', '.join(SUITES)} if left out")
    parser.add_argument("--whole", action="store_true", help="every episode, whatever the policy")
    parser.add_argument("--workers", type=int, help="processes; one a processor by default")
    parser.add_argument("--out", type=Path, help="where the tables go; see above")
    options = parser.parse_args()
    policies = _names(options.policies) or (*EXPERT, *IDLE, *HONEST)
    suites = _names(options.suites) or SUITES
    try:
        summaries = list(evaluated(policies, suites, options.workers, whole=options.whole))
    except VlabenchError as error:
        parser.exit(2, f"{error}\n")
    misses = list(missed(summaries))
    report = (
        "\n".join([*table(summaries), "", *misses, *bounded(summaries), *telling(summaries)]) + "\n"
    )
    print(report, end="")
    everything = not options.suites and not options.policies
    folder = options.out or (Path("results") if everything else None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "baselines.txt").write_text(report, encoding="utf-8")
        frame(summaries).to_csv(folder / "baselines.csv", index=False, float_format="%.4f")
    return 1 if misses else 0


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text else ()


def evaluated(
    policies: Sequence[str], suites: Sequence[str], workers: int | None, *, whole: bool
) -> Iterator[Summary]:
    """The summary of every policy on every suite, and on every suite that one includes."""
    for suite in suites:
        load_suite(suite)
    for policy in policies:
        for suite in suites:
            sample = None if whole else SAMPLES.get(policy, {}).get(suite)
            run = vlabench.evaluate(policy, suite, episodes=sample, workers=workers)
            print(f"{policy} on {suite}: {len(run.results)} episodes, {run.path}", flush=True)
            yield from split(run, suite, sample)


def split(run: Run, suite: str, sample: int | None = None) -> list[Summary]:
    """The summary of `suite`, and of each suite that it includes; `sample` as `SAMPLES` has it."""
    whole = load_suite(suite)
    header = summarize(run).header
    names = (suite, *(part.name for part in whole.parts))
    return [_part(run, header, name, sample) for name in names]


def _part(run: Run, whole: Header, suite: str, sample: int | None) -> Summary:
    planned = _plan(suite, sample)
    wanted = planned.manifest.by_id
    results = [result for result in run.results if result.episode_id in wanted]
    header = replace(
        whole,
        suite=suite,
        suite_version=planned.info.suite_version,
        manifest_hash=planned.manifest.hash,
        certified=planned.info.certified and run.info.certified,
        complete=True,  # of the sample, whose size the tables tell
    )
    valid = len(wanted) - len(results) <= LARGEST_MISSING_SHARE * len(wanted)
    episodes = ManifestIndex.of(planned.manifest).episodes
    summary = summarize_results(header, episodes, results, valid=valid)
    return replace(summary, header=replace(header, complete=planned.info.complete))


@cache
def _plan(suite: str, sample: int | None) -> Plan:
    """The plan of a suite, which is the same for every policy but for the policy."""
    return plan("noop", suite, episodes=sample)


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
        yield _line("  episodes", [str(s.planned) for s in those])
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


def bounded(summaries: Sequence[Summary]) -> Iterator[str]:
    """One line for each of the idle: its highest rate, and how high it could be."""
    for name in IDLE:
        those = [s for s in summaries if s.header.policy == name]
        rows = [row for s in those for row in (s.overall, s.nominal) if row is not None]
        rates = [row.rate for row in rows if row.rate is not None]
        ends = [rate.high for rate in rates if rate.n >= ENOUGH]
        if ends:
            yield (
                f"{name}: at most {100 * max(rate.value for rate in rates):.1f} % in a suite, "
                f"changed or unchanged; its 95 % intervals end at {100 * max(ends):.1f} % or less "
                f"where there are {ENOUGH} episodes or more"
            )


ENOUGH = 100
"""Episodes from which on the end of an interval says something about a bound."""


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
