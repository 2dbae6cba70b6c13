"""Success under each change beside the unchanged twin, and compliance."""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.figures.dots import PERCENT, DotRow, Whisker, dot_plot
from vlabench.figures.scene import Figure
from vlabench.report.form import NO_DATA, percent, signed
from vlabench.report.summary import Gap, Rate, Row, Summary
from vlabench.report.tables import policy_label, row_label

HEAD = ("", "success %", "95 % interval", "n", "twin %", "gap", "95 % interval of the gap")


def changes(summary: Summary) -> Figure | None:
    """Success of the means over tasks, each axis beside its twins; None where there is no data."""
    rows = _shown(summary)
    if not any(row.rate for row in rows):
        return None
    paired = any(row.gap for row in rows)
    heads = ("gap", "95 % interval", "n") if paired else ("success", "95 % interval", "n")
    key = (
        ("unchanged twin" if paired else "unchanged", "before", False),
        ("changed", "after", True),
    )
    drawn = [_drawn(row, paired) for row in rows]
    return Figure(
        name="success",
        title=_title(summary, paired),
        alt=_alt(summary, rows),
        note=(
            "Means over tasks of the same weight, with 95 % intervals. The gap is the twins' "
            "success less that of the changed episodes, over the pairs that have both; it is grey "
            "where its interval contains 0."
            if paired
            else "Means over tasks of the same weight, with 95 % intervals."
            + (" No changed episode has an unchanged twin here." if summary.axes else "")
        ),
        draw=lambda width: dot_plot(drawn, PERCENT, heads, key if summary.axes else (), width),
        head=HEAD,
        rows=[cells(row) for row in rows],
    )


def compliance(summary: Summary) -> Figure | None:
    """How often the policy did what diagnostic episodes ask; None where there are none."""
    rows = [(row_label(row), rate) for row in summary.compliance if (rate := row.rate)]
    if not rows:
        return None
    drawn = [DotRow(name, (_whisker(rate, "well", True),), _of_rate(rate)) for name, rate in rows]
    told = ", ".join(f"{name} {_percent(rate)} %" for name, rate in rows)
    return Figure(
        name="compliance",
        title="Does it listen?",
        alt=f"Share of diagnostic episodes that {summary.header.policy} passed: {told}.",
        note=(
            "Diagnostic episodes ask for another goal, for nothing, or for what is not there. "
            "They are in no success rate."
        ),
        draw=lambda width: dot_plot(drawn, PERCENT, ("complied", "95 % interval", "n"), (), width),
        head=("", "complied %", "95 % interval", "n"),
        rows=[(name, *_of_rate(rate)) for name, rate in rows],
    )


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table as text: `HEAD` without the first."""
    rate, gap = row.rate, row.gap
    return (
        row_label(row),
        *_of_rate(rate),
        NO_DATA if row.twin is None else percent(row.twin.value),
        NO_DATA if gap is None else signed(gap.value),
        NO_DATA if gap is None else f"{signed(gap.low)} to {signed(gap.high)}",
    )


def _shown(summary: Summary) -> list[Row]:
    """The overall mean, the unchanged one, and each axis; of a single axis its levels."""
    overall = [summary.overall] if summary.overall and len(summary.axes) > 1 else []
    nominal = [summary.nominal] if summary.nominal else []
    axes: Sequence[Row] = summary.axes if len(summary.axes) > 1 else summary.levels
    return [*overall, *nominal, *axes]


def _drawn(row: Row, paired: bool) -> DotRow:
    strong = row.kind in ("overall", "nominal")
    label = "all changes" if row.kind == "overall" else row_label(row)
    if row.kind == "nominal" or not paired:
        numbers = ("", "", _of_rate(row.rate)[2]) if paired else _of_rate(row.rate)
        color, filled = ("before", False) if row.kind == "nominal" else ("after", True)
        return DotRow(label, _whiskers((row.rate, color, filled)), numbers, strong)
    whiskers = _whiskers((row.twin, "before", False), (row.rate, "after", True))
    clear = row.gap is not None and row.gap.clear
    return DotRow(label, whiskers, _of_gap(row.gap, row.rate), strong, clear)


def _whiskers(*told: tuple[Rate | None, str, bool]) -> tuple[Whisker, ...]:
    return tuple(_whisker(rate, color, filled) for rate, color, filled in told if rate)


def _whisker(rate: Rate, color: str, filled: bool) -> Whisker:
    tip = f"{percent(rate.value)} % ({percent(rate.low)} to {percent(rate.high)}), n = {rate.n}"
    return Whisker(rate.value, rate.low, rate.high, color, filled, tip)


def _of_rate(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return NO_DATA, NO_DATA, NO_DATA
    return percent(rate.value), f"{percent(rate.low)} to {percent(rate.high)}", str(rate.n)


def _of_gap(gap: Gap | None, rate: Rate | None) -> tuple[str, str, str]:
    count = NO_DATA if rate is None else str(rate.n)
    if gap is None:
        return "no data", "", count
    return signed(gap.value), f"{signed(gap.low)} to {signed(gap.high)}", count


def _percent(rate: Rate | None) -> str:
    return NO_DATA if rate is None else percent(rate.value)


def _title(summary: Summary, paired: bool) -> str:
    if paired:
        return "What each change costs"
    return "Success under each change" if summary.axes else "Success"


def _alt(summary: Summary, rows: Sequence[Row]) -> str:
    told = [f"Success of {policy_label(summary.header)}, a dot and an interval for each change."]
    told += [f"All changes {_percent(r.rate)} %." for r in rows if r.kind == "overall"]
    told += [f"Unchanged {_percent(r.rate)} %." for r in rows if r.kind == "nominal"]
    worst = summary.worst_axis
    if worst is not None:
        told.append(f"Lowest under {worst.axis}: {_percent(worst.rate)} %.")
    return " ".join(told)
