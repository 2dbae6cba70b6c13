"""The picture of a run: success under each change beside the unchanged twin, task by task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vlabench.report.summary import Gap, Rate, Row, Summary
from vlabench.report.tables import policy_label, row_label
from vlabench.runinfo import Conditions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNCHANGED, CHANGED, COMPLIED = "#0072B2", "#D55E00", "#009E73"
"""Blue, vermilion and green of Okabe and Ito, which colour-blind readers tell apart."""

INK, MUTED, BAND, GRID = "#1A1A1A", "#6B6B6B", "#F4F4F2", "#DDDDDA"
MOST_LINES = 48
WIDTH_IN, LINE_IN, DPI = 9.0, 0.28, 160
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 2.1, 2.6, 1.3, 0.95
MARGIN_IN, KEY_IN = 0.25, 0.35
GAP_IN, INTERVAL_IN, COUNT_IN = 7.1, 8.2, 8.75
"""Where the columns of numbers end, from the left edge."""


def plot(summary: Summary, path: Path) -> None:
    """Draws a dot plot by task and axis with 95 % intervals, gaps and counts, as one PNG.

    Where tasks and axes would make more lines than a page holds, only the means over tasks are
    drawn, and the picture says so. Equal summaries give equal pictures.

    Args:
        summary: What to draw.
        path: The PNG file; its folder is made if need be.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}):
        figure = _figure(summary)
        FigureCanvasAgg(figure)
        figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


# --- what is drawn, line by line --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the picture: a label, in bold if it is a title, and the dots of `row` if any."""

    label: str
    row: Row | None = None
    title: bool = False
    emphasis: bool = False


def _lines(summary: Summary) -> tuple[list[_Line], bool]:
    """The lines from top to bottom, and whether tasks had to be left out."""
    title = "All tasks, unchanged" if summary.compliance and not summary.axes else "All tasks"
    means = list(_block(title, list(_means(summary)), emphasis=True))
    tasks = sorted({row.task for row in summary.cells if row.task is not None})
    by_task = [
        line
        for task in tasks
        for line in _block(task, [r for r in _shown(summary, summary.cells) if r.task == task])
    ]
    complied = [_Line(row_label(row), row, emphasis=True) for row in summary.compliance]
    if complied:
        complied.insert(0, _Line(_COMPLIANCE, title=True, emphasis=True))
    if len(tasks) == 1:
        return by_task + complied, False
    if len(means) + len(by_task) + len(complied) > MOST_LINES:
        return means + complied, True
    return means + complied + by_task, False


_COMPLIANCE = "Compliance (diagnostic)"


def _means(summary: Summary) -> Iterator[Row]:
    if summary.axes:
        several = len(summary.axes) > 1
        if summary.overall is not None and (several or len(summary.levels) > 1):
            yield summary.overall
        yield from summary.levels
    elif summary.nominal is not None:
        yield summary.nominal


def _shown(summary: Summary, rows: Sequence[Row]) -> list[Row]:
    """Changed rows, whose twins are drawn beside them; unchanged ones where nothing changes."""
    kind = "level" if summary.axes else "nominal"
    return [row for row in rows if row.kind == kind]


def _block(title: str, rows: Sequence[Row], *, emphasis: bool = False) -> Iterator[_Line]:
    """A title and its rows, or one line for both if there is a single row."""
    if len(rows) == 1:
        yield _Line(title, rows[0], title=True, emphasis=emphasis)
        return
    yield _Line(title, title=True, emphasis=emphasis)
    for row in rows:
        label = "all changes" if row.kind == "overall" else row_label(row)
        yield _Line(label, row, emphasis=emphasis)


# --- drawing ----------------------------------------------------------------------------------


def _figure(summary: Summary) -> Figure:
    from matplotlib.figure import Figure

    lines, shortened = _lines(summary)
    body = LINE_IN * (len(lines) + 0.6)
    paired = bool(summary.axes)
    height = TOP_IN - (0 if paired else KEY_IN) + body + BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
    left, width = LEFT_IN / WIDTH_IN, _axes_width() / WIDTH_IN
    axes = figure.add_axes((left, BOTTOM_IN / height, width, body / height))
    _frame(axes, lines)
    _column_heads(axes, paired=paired)
    for y, line in enumerate(lines):
        indent = 0.0 if line.title else 0.14
        _write(axes, MARGIN_IN + indent, y, _shortened(line.label, 28), bold=line.title)
        if line.row is not None:
            _draw_dots(axes, y, line.row)
            _write_numbers(axes, y, line.row, paired=paired)
    _write_titles(figure, summary, height)
    complied = bool(summary.compliance)
    _write_notes(figure, height, paired=paired, complied=complied, shortened=shortened)
    return figure


def _frame(axes: Axes, lines: Sequence[_Line]) -> None:
    from matplotlib.patches import Rectangle

    axes.set_xlim(-2, 102)
    axes.set_ylim(len(lines) - 0.4, -1.0)
    axes.set_xticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)], color=MUTED)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, pad=5)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    start, end = _across(0.1), _across(WIDTH_IN - 0.1)
    for y, line in enumerate(lines):
        if line.emphasis:
            corner, size = (start, y - 0.5), (end - start, 1.0)
            band = Rectangle(corner, *size, facecolor=BAND, linewidth=0)
            band.set(transform=axes.get_yaxis_transform(), clip_on=False, zorder=-1)
            axes.add_patch(band)
        elif line.title:
            ends, height = (start, end), (y - 0.5, y - 0.5)
            rule = axes.plot(ends, height, color=GRID, linewidth=0.8, clip_on=False)[0]
            rule.set_transform(axes.get_yaxis_transform())


def _draw_dots(axes: Axes, y: float, row: Row) -> None:
    if row.kind in ("nominal", "compliance"):
        color = UNCHANGED if row.kind == "nominal" else COMPLIED
        _draw_rate(axes, y, row.rate, color, filled=row.kind == "compliance")
        return
    _draw_rate(axes, y - 0.17, row.twin, UNCHANGED, filled=False)
    _draw_rate(axes, y + 0.17, row.rate, CHANGED, filled=True)


def _draw_rate(axes: Axes, y: float, rate: Rate | None, color: str, *, filled: bool) -> None:
    if rate is None:
        return
    span = (100 * rate.low, 100 * rate.high)
    axes.plot(span, (y, y), color=color, linewidth=1.5, alpha=0.55, solid_capstyle="butt")
    axes.plot(
        [100 * rate.value],
        [y],
        marker="o",
        markersize=5.6,
        markerfacecolor=color if filled else "white",
        markeredgecolor=color,
        markeredgewidth=1.4,
        linestyle="none",
        clip_on=False,
    )


def _column_heads(axes: Axes, *, paired: bool) -> None:
    heads = [("gap", GAP_IN), ("95 % interval", INTERVAL_IN), ("n", COUNT_IN)]
    for head, place in heads if paired else [("success", GAP_IN), *heads[1:]]:
        _write(axes, place, -0.8, head, color=MUTED, size=8, align="right")


def _write_numbers(axes: Axes, y: float, row: Row, *, paired: bool) -> None:
    """The gap and its interval, grey where the interval contains 0, and the number of episodes.

    Of compliance, the share itself.
    """
    paired = paired and row.kind != "compliance"
    shown: Gap | Rate | None = row.gap if paired else row.rate
    if shown is None:
        _write(axes, GAP_IN, y, "no data", color=MUTED, align="right")
    else:
        sign = "+" if paired else ""
        clear = not isinstance(shown, Gap) or shown.clear
        value, low, high = (
            _number(100 * part, sign) for part in (shown.value, shown.low, shown.high)
        )
        _write(axes, GAP_IN, y, value, color=INK if clear else MUTED, bold=clear, align="right")
        _write(axes, INTERVAL_IN, y, f"{low} to {high}", color=MUTED, align="right")
    count = 0 if row.rate is None else row.rate.n
    _write(axes, COUNT_IN, y, str(count), color=MUTED, align="right")


def _write_titles(figure: Figure, summary: Summary, height: float) -> None:
    header = summary.header
    changed = "when something changes" if summary.axes else "task by task"
    name = policy_label(replace(header, policy=_shortened(header.policy, 28)))
    title = f"How often {name} succeeds {changed}"
    left, size = MARGIN_IN / WIDTH_IN, min(14, 14 * 62 / len(title))
    figure.text(left, 1 - 0.38 / height, title, size=size, weight="bold", color=INK)
    facts = [f"suite {header.suite} v{header.suite_version}", _done(summary)]
    if not summary.valid:
        facts.append("NOT VALID: too many are missing")
    if not header.complete:
        facts.append("PARTIAL: not all of the suite")
    if header.stopped_early:
        facts.append("STOPPED EARLY: biased")
    facts += _conditions(header.conditions)
    figure.text(left, 1 - 0.64 / height, "  ·  ".join(facts), size=9.5, color=MUTED)
    if summary.axes:
        only = f": {row_label(summary.levels[0])}" if len(summary.levels) == 1 else ""
        _write_key(figure, left, 1 - 0.93 / height, f"changed{only}")


def _conditions(conditions: Conditions) -> list[str]:
    facts = []
    if not conditions.reproducible:
        facts.append("NOT REPRODUCIBLE: measured latency")
    elif conditions.latency_ms is not None:
        facts.append(f"LATENCY {conditions.latency_ms:g} ms")
    return [*facts, "MISMATCH ALLOWED"] if conditions.mismatches else facts


def _done(summary: Summary) -> str:
    done = summary.planned - summary.missing
    if not summary.missing:
        return f"{done} episodes"
    return f"{done} of {summary.planned} episodes ({summary.missing} missing)"


def _write_key(figure: Figure, x: float, y: float, changed: str) -> None:
    """The legend, in words of the colours that they explain."""
    from matplotlib.lines import Line2D

    entries = (("unchanged twin", UNCHANGED, "white"), (changed, CHANGED, CHANGED))
    handles = [
        Line2D(
            [],
            [],
            color=color,
            marker="o",
            markersize=5.6,
            markerfacecolor=face,
            markeredgewidth=1.4,
            linewidth=1.5,
            label=label,
        )
        for label, color, face in entries
    ]
    figure.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(x, y),
        ncols=2,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        labelcolor=[UNCHANGED, CHANGED],
        columnspacing=1.6,
    )


def _write_notes(
    figure: Figure, height: float, *, paired: bool, complied: bool, shortened: bool
) -> None:
    notes = ["Whiskers are 95 % intervals. Means over tasks give every task the same weight."]
    if paired:
        notes.append(
            "Gap: success unchanged less changed, in points, on the same scenes; "
            "grey where its interval contains 0. n: changed episodes."
        )
    if complied:
        notes[0] += " Of compliance the columns say the share itself."
    if shortened:
        notes[0] += " Single tasks stand in the tables."
    for number, note in enumerate(notes):
        place = (0.38 - 0.17 * number) / height
        figure.text(MARGIN_IN / WIDTH_IN, place, note, size=8, color=MUTED)


def _write(
    axes: Axes,
    inches: float,
    y: float,
    words: str,
    *,
    color: str = INK,
    size: float = 9,
    bold: bool = False,
    align: Literal["left", "right"] = "left",
) -> None:
    """Text at `inches` from the left edge of the figure, on the line `y`."""
    transform = axes.get_yaxis_transform()
    place = _across(inches)
    axes.text(
        place,
        y,
        words,
        transform=transform,
        color=color,
        size=size,
        weight="bold" if bold else "normal",
        ha=align,
        va="center",
    )


def _across(inches: float) -> float:
    """Inches from the left edge of the figure, as a fraction of the axes' width."""
    return (inches - LEFT_IN) / _axes_width()


def _axes_width() -> float:
    return WIDTH_IN - LEFT_IN - RIGHT_IN


def _number(value: float, sign: str) -> str:
    number = f"{value:{sign}.0f}"
    return "0" if number in ("+0", "-0") else number.replace("-", "−")


def _shortened(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"
