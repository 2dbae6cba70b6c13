"""A summary as plain text, as Markdown and as a data frame.

Numbers are percent in the first two, with one decimal, and fractions at full precision in the
third. Names come from policies and suites, so they are made harmless before they are printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vlabench.report.summary import Chain, Gap, Header, Rate, Roughness, Row, Summary
from vlabench.runinfo import Conditions

if TYPE_CHECKING:
    import pandas as pd

NO_DATA = "–"
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


def text(summary: Summary) -> str:
    """Aligned plain text, at most 100 columns wide where names are of moderate length."""
    table = [(_plain(label), values) for label, values in _table(summary)]
    chains = [(_plain(label), values) for label, values in _chain_table(summary.chains)]
    heading = [line for fact in _heading(summary) for line in _wrapped(_plain(fact), 98)]
    blocks = [heading, _aligned(table)]
    if chains:
        blocks.append(["Long horizon", *_aligned(chains)])
    if summary.compliance:
        lines = [(_plain(label), values) for label, values in _compliance(summary.compliance)]
        blocks.append(["Compliance", *_aligned(lines)])
    blocks += [_wrapped(paragraph, 98) for paragraph in _notes(summary)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def markdown(summary: Summary) -> str:
    """GitHub's Markdown: a heading, the table, and success at k where tasks have stages."""
    title, *facts = (escape_markdown(line) for line in _heading(summary))
    blocks = [f"### {title}", "  \n".join(facts), "\n".join(_pipes(_table(summary)))]
    if summary.chains:
        blocks += ["#### Long horizon", "\n".join(_pipes(_chain_table(summary.chains)))]
    if summary.compliance:
        blocks += ["#### Compliance", "\n".join(_pipes(_compliance(summary.compliance)))]
    return "\n\n".join([*blocks, *_notes(summary)]) + "\n"


def to_frame(summary: Summary) -> pd.DataFrame:
    """One line a row of the table, in its order; empty where there is no data.

    The columns repeat what the summary is of, so that frames of several runs can be joined.
    """
    import pandas as pd

    return pd.DataFrame([_record(summary, row) for row in rows(summary)])


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


def escape_markdown(raw: str) -> str:
    """`raw` as text of one line that Markdown and HTML take for nothing but text."""
    escaped = re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", _plain(raw))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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


def _table(summary: Summary) -> list[tuple[str, Sequence[str]]]:
    """Labels and values; a label alone is the title of what follows."""
    lines: list[tuple[str, Sequence[str]]] = [("", COLUMNS)]
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
        NO_DATA if row.twin is None else _percent(row.twin.value),
        *_gap(row.gap),
        str(row.missing),
        str(row.policy_errors),
    )


def _rate(rate: Rate | None) -> tuple[str, str]:
    if rate is None:
        return NO_DATA, NO_DATA
    return _percent(rate.value), f"{_percent(rate.low)} to {_percent(rate.high)}"


def _gap(gap: Gap | None) -> tuple[str, str]:
    if gap is None:
        return NO_DATA, NO_DATA
    return _signed(gap.value), f"{_signed(gap.low)} to {_signed(gap.high)}"


def _chain_table(chains: Sequence[Chain]) -> list[tuple[str, Sequence[str]]]:
    if not chains:
        return []
    longest = max(len(chain.stages) for chain in chains)
    head = [*(f"at {k}" for k in range(1, longest + 1)), "average", "n"]
    lines: list[tuple[str, Sequence[str]]] = [("stages finished, percent", head)]
    for chain in chains:
        shares = [_percent(share) for share in chain.success_at]
        shares += [NO_DATA] * (longest - len(shares))
        label = f"  {chain.task}, {chain.condition}"
        lines.append((label, [*shares, f"{chain.mean:.2f} of {len(chain.stages)}", str(chain.n)]))
    return lines


def _compliance(rows: Sequence[Row]) -> list[tuple[str, Sequence[str]]]:
    head = ("complied", "95 % interval", "n", "missing", "errors")
    lines: list[tuple[str, Sequence[str]]] = [("mean over tasks, percent", head)]
    for row in rows:
        count = NO_DATA if row.rate is None else str(row.rate.n)
        values = (*_rate(row.rate), count, str(row.missing), str(row.policy_errors))
        lines.append((f"  {row_label(row)}", values))
    return lines


def _notes(summary: Summary) -> list[str]:
    """What stands below the tables, a paragraph each."""
    notes = [] if summary.roughness is None else [_roughness(summary.roughness)]
    return [*notes, LEGEND, *([COMPLIANCE] if summary.compliance else [])]


def _roughness(roughness: Roughness) -> str:
    return (
        f"Safety, of {roughness.n} episodes: collisions in {_percent(roughness.collision_rate)} %, "
        f"largest contact force {roughness.max_force_p95_n:.1f} N (95th percentile; sampled at "
        "20 Hz, so peaks may be higher), "
        f"{roughness.drops:.2f} drops an episode."
    )


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
        "compliance": complied.value if complied else None,
        "compliance_ci_low": complied.low if complied else None,
        "compliance_ci_high": complied.high if complied else None,
    }


# --- form -------------------------------------------------------------------------------------


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float) -> str:
    """Percent with a sign, and none at 0.0."""
    number = f"{100 * value:+.1f}"
    return "0.0" if number in ("+0.0", "-0.0") else number.replace("-", "−")


def _plain(raw: str) -> str:
    """`raw` on one line, without control characters, its blanks kept."""
    return "".join(char if char.isprintable() else " " for char in raw)


def _aligned(table: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """The first column flush left, the others flush right; a rule below the first line."""
    first = max(len(label) for label, _ in table)
    count = max(len(values) for _, values in table)
    widths = [
        max((len(values[i]) for _, values in table if values), default=0) for i in range(count)
    ]
    lines = []
    for label, values in table:
        cells = (f"{value:>{width}}" for value, width in zip(values, widths, strict=False))
        lines.append("  ".join([f"{label:<{first}}", *cells]).rstrip())
    return [lines[0], "-" * max(len(line) for line in lines), *lines[1:]]


def _pipes(table: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    (corner, head), *body = table
    lines = [
        f"| {escape_markdown(corner)} | {' | '.join(head)} |",
        f"|:--{'|--:' * len(head)}|",
    ]
    for label, values in body:
        name = escape_markdown(label.strip())
        if not values:
            name, values = f"**{name}**", [""] * len(head)
        lines.append(f"| {name} | {' | '.join(values)} |")
    return lines


def _wrapped(paragraph: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
