"""A summary as plain text, as Markdown and as a data frame.

Numbers are percent in the first two, with one decimal, and fractions at full precision in the
third. Names come from policies and suites, so they are made harmless before they are printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vlabench.report.form import (
    NO_DATA,
    TableRow,
    aligned,
    escape_markdown,
    percent,
    pipes,
    plain,
    signed,
    wrapped,
)
from vlabench.report.summary import (
    PASS_AT,
    Chain,
    Cost,
    Gap,
    Header,
    Planned,
    Rate,
    Roughness,
    Row,
    Summary,
)
from vlabench.runinfo import Conditions, Determinism
from vlabench.stats import Interval

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("success", "95 % interval", "n", "twin", "gap", "95 % interval", "missing", "errors")
LEGEND = (
    "Success and twin in percent: twin is the same scene unchanged. Gap is twin less success, in "
    "points, over the pairs that have both; positive means that the change costs success. Means "
    "over tasks give every task the same weight. Missing episodes are no failures; errors are "
    "the policy's own and are failures."
)
COMPLIANCE = (
    "Compliance is the share of diagnostic episodes that passed: the new goal was reached "
    "(swapped-goal), the unchanged task was left undone (empty-instruction), no object or fixture "
    "was touched (absent-object). They are in no success rate, and a suite that changes nothing "
    "else has no overall rate."
)
RELIABILITY = (
    "pass^k is the probability that k episodes of one task, drawn at random, all succeed. Seconds "
    "to success are a mean up to the horizon: a failure counts as its horizon, never as nothing."
)
STAGES = (
    "Stage by stage: the success of a stage among the episodes that finished as many as come "
    "before it; and the stage that is most often the first not to be reached, with its share of "
    "episodes. Where stages were not done in order, 'any 2' is the second to be done, whichever."
)
PLANNER = (
    "Planner: the stages of the task that it named, in percent, and of those the percentage in the "
    "task's order; how often its subtask became another, simulated seconds of a subtask, and how "
    "often it was asked."
)
GIGABYTE = 1e9

STAGE_COLUMNS = (
    "run_id",
    "policy",
    "suite",
    "task",
    "condition",
    "n",
    "stage",
    "name",
    "success_at",
    "reached",
    "given_before",
    "given_before_ci_low",
    "given_before_ci_high",
    "first_failed",
)


def text(summary: Summary) -> str:
    """Aligned plain text, at most 100 columns wide where names are of moderate length."""
    heading = [line for fact in _heading(summary) for line in wrapped(plain(fact), 98)]
    blocks = [heading, _as_text(_table(summary))]
    blocks += [[title, *_as_text(table)] for title, table in _further(summary)]
    blocks += [wrapped(paragraph, 98) for paragraph in _notes(summary)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def markdown(summary: Summary) -> str:
    """GitHub's Markdown: a heading, the table, and under headings of their own the further ones."""
    title, *facts = (escape_markdown(line) for line in _heading(summary))
    blocks = [f"### {title}", "  \n".join(facts), "\n".join(_as_markdown(_table(summary)))]
    for name, table in _further(summary):
        blocks += [f"#### {name}", "\n".join(_as_markdown(table))]
    return "\n\n".join([*blocks, *_notes(summary)]) + "\n"


def to_frame(summary: Summary) -> pd.DataFrame:
    """One line a row of the table, in its order; empty where there is no data.

    The columns repeat what the summary is of, so that frames of several runs can be joined.
    """
    import pandas as pd

    return pd.DataFrame([_record(summary, row) for row in rows(summary)])


def stages_frame(summary: Summary) -> pd.DataFrame:
    """One line for each stage of each chain; empty where there is no data."""
    import pandas as pd

    return pd.DataFrame(
        [line for chain in summary.chains for line in _stage_records(summary.header, chain)],
        columns=list(STAGE_COLUMNS),
    )


def rows(summary: Summary) -> list[Row]:
    """All rows in the order of the tables: means over tasks first, then task by task.

    A mean is left out where the row beside it says the same: the overall rate where nothing is
    changed, that of an axis with one level, and that of the only axis.
    """
    overall = [summary.overall] if summary.overall and summary.axes else []
    nominal = [] if summary.nominal is None else [summary.nominal]
    means: list[Row] = []
    for axis in summary.axes:
        levels = [row for row in summary.levels if row.axis == axis.axis]
        repeated = len(levels) == 1 or (len(summary.axes) == 1 and overall)
        means += levels if repeated else [axis, *levels]
    return [*overall, *nominal, *means, *summary.cells, *summary.compliance]


def facts(summary: Summary) -> list[str]:
    """What must be known before the figures are read, a sentence each; the first is its title."""
    return list(_heading(summary))


def row_label(row: Row) -> str:
    """What changed in a row: ``"overall"``, ``"unchanged"``, an axis, or an axis and its level."""
    if row.kind == "overall":
        return "overall"
    if row.kind == "nominal":
        return "unchanged"
    return f"{row.axis}" if row.level is None else f"{row.axis}:{row.level}"


def policy_label(header: Header) -> str:
    """The policy's name, marked if it reads the simulator's state."""
    return f"{header.policy} (privileged)" if header.privileged else header.policy


# --- content, alike in text and Markdown ------------------------------------------------------


def _heading(summary: Summary) -> Iterator[str]:
    header = summary.header
    yield f"{policy_label(header)} on {header.suite} v{header.suite_version}"
    done = summary.planned - summary.missing
    yield (
        f"{done} of {summary.planned} episodes done; missing: {summary.missing}; "
        f"policy errors: {summary.policy_errors}"
    )
    yield f"run {header.run_id}, manifest {header.manifest_hash}, world {header.env_fingerprint}"
    if header.complete and not header.published_draws:
        yield "Not a published suite: its draws are its author's own."
    if not header.certified:
        yield "UNCERTIFIED: nobody has shown that each of these episodes can be solved."
    yield from _conditions(header.conditions)
    if not summary.valid:
        yield "NOT VALID: more than 1 % of the episodes are missing, so there is no overall rate."
    if not header.complete:
        yield "PARTIAL: these are not all of the suite's own episodes, so there is no overall rate."
    if header.stopped_early:
        yield (
            "STOPPED EARLY: a comparison was decided before the last episode, so these rates are "
            "biased, and there is no overall rate."
        )
    if header.determinism is not None:
        yield _repeated(header.determinism)


def _conditions(conditions: Conditions) -> Iterator[str]:
    if not conditions.reproducible:
        yield (
            "NOT REPRODUCIBLE: the simulation ran on for as long as each answer took on its "
            "machine, so the run has no rank."
        )
    elif conditions.latency_ms is not None:
        yield (
            f"LATENCY: the simulation ran on for {conditions.latency_ms:g} ms at every answer; "
            "compare it with runs of the same latency only."
        )
    for mismatch in conditions.mismatches:
        yield f"MISMATCH ALLOWED, so the run has no rank: {mismatch}."


def _repeated(determinism: Determinism) -> str:
    if determinism.flip_rate is None:
        return "Run twice: none of the episodes that were to be."
    return (
        f"Run twice: {determinism.repeated} episodes, of which {len(determinism.flips)} "
        f"({percent(determinism.flip_rate)} %) succeeded once; {determinism.same_actions} did the "
        "same to the bit."
    )


def _further(summary: Summary) -> Iterator[tuple[str, list[TableRow]]]:
    """The tables after the first, each with its title."""
    if summary.overall or summary.nominal:
        yield "Time and reliability", _reliability(summary)
    if summary.chains:
        yield "Long horizon", _chain_table(summary.chains)
        yield "Long horizon, stage by stage", _stage_table(summary.chains)
    if summary.planning:
        yield "Planner", _planning(summary.planning)
    if summary.compliance:
        yield "Compliance", _compliance(summary.compliance)


def _table(summary: Summary) -> list[TableRow]:
    """Labels and values; a label alone is the title of what follows."""
    lines: list[TableRow] = [("", COLUMNS)]
    task: str | None = None
    shown = [row for row in rows(summary) if row.kind != "compliance"]
    for number, row in enumerate(shown):
        if number == 0 or row.task != task:
            task = row.task
            lines.append((task or "mean over tasks", ()))
        lines.append((f"  {row_label(row)}", _values(row)))
    return lines


def _values(row: Row) -> tuple[str, ...]:
    return (
        *_rate(row.rate),
        NO_DATA if row.rate is None else str(row.rate.n),
        NO_DATA if row.twin is None else percent(row.twin.value),
        *_gap(row.gap),
        str(row.missing),
        str(row.policy_errors),
    )


def _rate(rate: Rate | None) -> tuple[str, str]:
    if rate is None:
        return NO_DATA, NO_DATA
    return percent(rate.value), f"{percent(rate.low)} to {percent(rate.high)}"


def _gap(gap: Gap | None) -> tuple[str, str]:
    if gap is None:
        return NO_DATA, NO_DATA
    return signed(gap.value), f"{signed(gap.low)} to {signed(gap.high)}"


def _reliability(summary: Summary) -> list[TableRow]:
    """Of the means over tasks: how long success takes, and how often k episodes all succeed."""
    lines: list[TableRow] = [
        ("mean over tasks", ("success", *(f"pass^{k}" for k in PASS_AT), "seconds to success"))
    ]
    for row in rows(summary):
        if row.task is None and row.kind != "compliance":
            shares = (NO_DATA if share is None else percent(share) for share in row.pass_at)
            seconds = NO_DATA if row.time_s is None else f"{row.time_s:.1f}"
            lines.append((f"  {row_label(row)}", (_rate(row.rate)[0], *shares, seconds)))
    return lines


def _chain_table(chains: Sequence[Chain]) -> list[TableRow]:
    longest = max(len(chain.stages) for chain in chains)
    head = [*(f"at {k}" for k in range(1, longest + 1)), "average", "n"]
    lines: list[TableRow] = [("stages finished, percent", head)]
    for chain in chains:
        shares = _filled([percent(share) for share in chain.success_at], longest)
        length = f"{chain.mean:.2f} of {len(chain.stages)}"
        lines.append((_chain_label(chain), [*shares, length, str(chain.n)]))
    return lines


def _stage_table(chains: Sequence[Chain]) -> list[TableRow]:
    """How often each stage succeeds once those before it did, and which fails first most often."""
    longest = max(len(chain.stages) for chain in chains)
    head = [*map(str, range(1, longest + 1)), "fails first"]
    lines: list[TableRow] = [("stage, given those before, percent", head)]
    for chain in chains:
        shares = [NO_DATA if r is None else percent(r.value) for r in chain.given_before]
        lines.append((_chain_label(chain), [*_filled(shares, longest), _weakest(chain)]))
    return lines


def _weakest(chain: Chain) -> str:
    share = max(chain.first_failed)
    if share == 0:
        return NO_DATA
    return f"{percent(share)} {_shortened(chain.stages[chain.first_failed.index(share)])}"


def _chain_label(chain: Chain) -> str:
    return f"  {chain.task}, {chain.condition}"


def _filled(cells: list[str], count: int) -> list[str]:
    return cells + [NO_DATA] * (count - len(cells))


def _planning(rows: Sequence[Planned]) -> list[TableRow]:
    head = ("stages named", "of them in order", "changes", "seconds a subtask", "asked", "n")
    lines: list[TableRow] = [("an episode", head)]
    for row in rows:
        shares = (NO_DATA if s is None else percent(s) for s in (row.named, row.in_order))
        seconds = NO_DATA if row.seconds is None else f"{row.seconds:.1f}"
        figures = (f"{row.changes:.1f}", seconds, f"{row.calls:.1f}", str(row.n))
        lines.append((f"  {row.task or 'mean over tasks'}", (*shares, *figures)))
    return lines


def _compliance(rows: Sequence[Row]) -> list[TableRow]:
    head = ("complied", "95 % interval", "n", "missing", "errors")
    lines: list[TableRow] = [("mean over tasks, percent", head)]
    for row in rows:
        count = NO_DATA if row.rate is None else str(row.rate.n)
        values = (*_rate(row.rate), count, str(row.missing), str(row.policy_errors))
        lines.append((f"  {row_label(row)}", values))
    return lines


def _notes(summary: Summary) -> list[str]:
    """What stands below the tables, a paragraph each."""
    notes = [] if summary.new_tasks is None else [_new_tasks(summary.new_tasks)]
    notes += [] if summary.roughness is None else [_roughness(summary.roughness)]
    notes += [] if summary.cost is None else [_cost(summary.cost)]
    notes += [LEGEND]
    notes += [RELIABILITY] if summary.overall or summary.nominal else []
    notes += [STAGES] if summary.chains else []
    notes += [PLANNER] if summary.planning else []
    return [*notes, *([COMPLIANCE] if summary.compliance else [])]


def _new_tasks(interval: Interval) -> str:
    return (
        f"Success on new tasks like these: {percent(interval.low)} to {percent(interval.high)} "
        "(95 % interval, the tasks resampled); the intervals of the table are those of these tasks."
    )


def _roughness(roughness: Roughness) -> str:
    low, high = roughness.collision_interval
    return (
        f"Safety, of {roughness.n} episodes: collisions in {percent(roughness.collision_rate)} % "
        f"(95 % interval {percent(low)} to {percent(high)}, Clopper-Pearson's), "
        f"largest contact force {roughness.max_force_p95_n:.1f} N (95th percentile; sampled at "
        "20 Hz, so peaks may be higher), "
        f"{roughness.drops:.2f} drops an episode."
    )


def _cost(cost: Cost) -> str:
    calls = "" if cost.calls is None else f" in {cost.calls:.1f} answers"
    parts = [f"{cost.seconds:.2f} s of inference{calls} an episode"]
    if cost.gpu_memory_bytes is not None:
        parts.append(f"at most {cost.gpu_memory_bytes / GIGABYTE:.2f} GB of GPU memory")
    if cost.params is not None:
        parts.append(f"{cost.params:,} parameters")
    return f"Cost, of {cost.n} episodes: {', '.join(parts)}."


def _record(summary: Summary, row: Row) -> dict[str, str | int | float | bool | None]:
    header, twin, gap = summary.header, row.twin, row.gap
    complied = row.rate if row.kind == "compliance" else None
    rate = None if row.kind == "compliance" else row.rate
    return {
        "run_id": header.run_id,
        "policy": header.policy,
        "privileged": header.privileged,
        "suite": header.suite,
        "suite_version": header.suite_version,
        "manifest_hash": header.manifest_hash,
        "env_fingerprint": header.env_fingerprint,
        "complete": header.complete,
        "published_draws": header.published_draws,
        "certified": header.certified,
        "stopped_early": header.stopped_early,
        "latency_setting_ms": header.conditions.latency_ms,
        "allow_mismatch": "; ".join(header.conditions.mismatches) or None,
        "valid": summary.valid,
        "kind": row.kind,
        "task": row.task,
        "axis": row.axis,
        "level": row.level,
        "planned": row.planned,
        "missing": row.missing,
        "policy_errors": row.policy_errors,
        "n": row.rate.n if row.rate else 0,
        "success_rate": rate.value if rate else None,
        "ci_low": rate.low if rate else None,
        "ci_high": rate.high if rate else None,
        "pairs": gap.pairs if gap else 0,
        "twin_success_rate": twin.value if twin else None,
        "twin_ci_low": twin.low if twin else None,
        "twin_ci_high": twin.high if twin else None,
        "gap": gap.value if gap else None,
        "gap_ci_low": gap.low if gap else None,
        "gap_ci_high": gap.high if gap else None,
        "twin_only": gap.twin_only if gap else None,
        "changed_only": gap.changed_only if gap else None,
        "retention": row.retention,
        "time_to_success_s": row.time_s,
        **{f"pass_hat_{k}": share for k, share in zip(PASS_AT, row.pass_at, strict=True)},
        "compliance": complied.value if complied else None,
        "compliance_ci_low": complied.low if complied else None,
        "compliance_ci_high": complied.high if complied else None,
    }


def _stage_records(header: Header, chain: Chain) -> Iterator[dict[str, str | int | float | None]]:
    for number, name in enumerate(chain.stages, start=1):
        given = chain.given_before[number - 1]
        yield {
            "run_id": header.run_id,
            "policy": header.policy,
            "suite": header.suite,
            "task": chain.task,
            "condition": chain.condition,
            "n": chain.n,
            "stage": number,
            "name": name,
            "success_at": chain.success_at[number - 1],
            "reached": given.n if given else 0,
            "given_before": given.value if given else None,
            "given_before_ci_low": given.low if given else None,
            "given_before_ci_high": given.high if given else None,
            "first_failed": chain.first_failed[number - 1],
        }


# --- form -------------------------------------------------------------------------------------


def _as_text(table: Sequence[TableRow]) -> list[str]:
    return aligned([(plain(label), [plain(value) for value in values]) for label, values in table])


def _as_markdown(table: Sequence[TableRow]) -> list[str]:
    return pipes([(label, [escape_markdown(value) for value in values]) for label, values in table])


def _shortened(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
