"""Several runs beside each other: success, gaps, latency; and two of them pair by pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlabench.comparison import Comparison
from vlabench.comparison.model import Line as Compared
from vlabench.figures.dots import PERCENT, DotRow, Scale, Whisker, dot_plot
from vlabench.figures.heat import HeatCell, gap_cell, heat_scene
from vlabench.figures.palette import series
from vlabench.figures.scene import Anchor, Dot, Figure, Line, Scene
from vlabench.report.form import NO_DATA, percent, signed
from vlabench.report.summary import Rate, Summary
from vlabench.report.verdict import headline, probability
from vlabench.results import Result


@dataclass(frozen=True, slots=True)
class Named:
    """A run under the name that it has in these figures, different from all others."""

    name: str
    summary: Summary
    results: Sequence[Result]


def policies(runs: Sequence[Named]) -> Figure:
    """Success of each run, changed and unchanged."""
    drawn = []
    for run in runs:
        pairs = ((_nominal(run), "before", False), (_overall(run), "after", True))
        whiskers = tuple(
            Whisker(rate.value, rate.low, rate.high, color, filled, _told(rate))
            for rate, color, filled in pairs
            if rate
        )
        drawn.append(DotRow(run.name, whiskers, _numbers(_overall(run))))
    told = ", ".join(f"{run.name} {_percent(_overall(run))} %" for run in runs)
    key = (("unchanged", "before", False), ("changed", "after", True))
    return Figure(
        name="policies",
        title="Success of each run",
        alt=f"Overall success: {told}.",
        note=(
            "Means over tasks with 95 % intervals. There is no overall rate of a run that is not "
            "valid or not complete."
        ),
        draw=lambda width: dot_plot(drawn, PERCENT, ("success", "95 % interval", "n"), key, width),
        head=("run", "success %", "95 % interval", "n", "unchanged %"),
        rows=[(r.name, *_numbers(_overall(r)), _percent(_nominal(r))) for r in runs],
    )


def policy_gaps(runs: Sequence[Named]) -> Figure | None:
    """Each policy under each axis; None where no run has pairs."""
    axes = sorted({row.axis or "" for run in runs for row in run.summary.axes if row.gap})
    if not axes:
        return None
    cells: dict[tuple[int, int], HeatCell] = {}
    rows: list[tuple[str, ...]] = []
    for column, run in enumerate(runs):
        for row in run.summary.axes:
            if row.gap is None or row.axis not in axes:
                continue
            cells[axes.index(row.axis), column] = gap_cell(row.gap)
            interval = f"{signed(row.gap.low)} to {signed(row.gap.high)}"
            success = _percent(row.rate)
            rows.append((run.name, row.axis, success, signed(row.gap.value), interval))
    names = [run.name for run in runs]
    certain = sum(cell.bold for cell in cells.values())
    return Figure(
        name="policy-gaps",
        title="Gap to the unchanged twin, policy by axis",
        alt=(
            f"Heat map of {len(axes)} axes by {len(runs)} runs: {certain} of {len(cells)} gaps are "
            "certain at 95 %; the others are grey."
        ),
        note=(
            "Points of success that an axis costs (orange, +) or brings (blue, −), over tasks. "
            "Grey: the 95 % interval contains 0, so it may be none."
        ),
        draw=lambda width: heat_scene(axes, names, cells, width),
        head=("run", "axis", "success %", "gap", "95 % interval"),
        rows=rows,
        fixed=True,
    )


def speed(runs: Sequence[Named]) -> Figure | None:
    """Success against latency, a dot a run; None where fewer than two have both."""
    known = [
        (number, run, rate, latency)
        for number, run in enumerate(runs)
        if (rate := _overall(run)) and (latency := _latency(run.results))
    ]
    if len(known) < 2:
        return None
    low = math.floor(min(math.log10(latency) for *_, latency in known) - 0.1)
    high = math.ceil(max(math.log10(latency) for *_, latency in known) + 0.1)

    def draw(width: float) -> Scene:
        top, tall, left, right = 22.0, 230.0, 48.0, 16.0
        scene = Scene(width, top + tall + 42)

        def across(value: float) -> float:
            return left + (width - left - right) * (math.log10(value) - low) / (high - low)

        def up(share: float) -> float:
            return top + tall * (1 - share)

        for share in (0, 0.25, 0.5, 0.75, 1):
            scene.add(Line(((left, up(share)), (width - right, up(share))), "grid"))
            name = f"{100 * share:.0f} %"
            scene.write(left - 6, up(share), name, color="muted", size=11.5, anchor="end")
        for power in range(low, high + 1):
            x = across(10.0**power)
            name = f"{10.0**power:g}"
            scene.write(x, top + tall + 14, name, color="muted", size=11.5, anchor="middle")
        unit = "milliseconds an answer"
        scene.write(width - right, top + tall + 32, unit, color="muted", size=11.5, anchor="end")
        for number, run, rate, latency in known:
            x, color = across(latency), series(number)
            scene.add(Line(((x, up(rate.low)), (x, up(rate.high))), color, 1.6))
            tip = f"{run.name}: {_told(rate)}, {latency:.3g} ms"
            scene.add(Dot(x, up(rate.value), color, radius=5, tip=tip))
            after = x < width * 0.6
            place = x + 9 if after else x - 9
            room = width - right - place if after else place - left
            anchor: Anchor = "start" if after else "end"
            scene.write(place, up(rate.value) - 9, run.name, room, size=11.5, anchor=anchor)
        return scene

    return Figure(
        name="speed",
        title="Success against latency",
        alt="; ".join(f"{run.name} {percent(r.value)} % at {ms:.3g} ms" for _, run, r, ms in known),
        note=(
            "Median over episodes of the 95th percentile of an answer's latency, as in the "
            "leaderboard; success with its 95 % interval."
        ),
        draw=draw,
        head=("run", "success %", "latency ms"),
        rows=[(run.name, percent(r.value), f"{ms:.3g}") for _, run, r, ms in known],
    )


def forest(comparison: Comparison, name: str = "forest") -> Figure:
    """The paired difference of each axis and each task, all episodes first."""
    parts: Mapping[str, Sequence[Compared]] = {
        "by axis": comparison.axes,
        "by task": comparison.tasks,
    }
    lines = [comparison.overall, *comparison.axes, *comparison.tasks]
    reach = max(0.1, *(abs(end) for line in lines for end in line.interval))
    reach = min(1.0, math.ceil(reach * 10) / 10)
    step = 0.5 if reach > 0.6 else 0.2 if reach > 0.3 else 0.1
    count = int(reach / step + 1e-9)
    ticks = tuple((k * step, signed(k * step).removesuffix(".0")) for k in range(-count, count + 1))
    rows = [_difference(comparison.overall, "all episodes", strong=True)]
    for title, part in parts.items():
        if part:
            rows.append(DotRow(title, (), ()))
            rows += [_difference(line, line.name or "") for line in part]
    coverage = f"{100 * comparison.verdict.rule.confidence:g} %"
    heads = ("change", f"{coverage} interval", "p")
    scale = Scale(-reach, reach, ticks, 0.0)
    return Figure(
        name=name,
        title="New less base",
        alt=f"Forest plot of paired differences. {headline(comparison)}",
        note=(
            "Points of success that the new run is better (right) or worse (left), with "
            f"{coverage} intervals. p is one-sided, of 'the new run is worse', by Holm over the "
            "axes. Grey: an axis that is not certain after that correction, or a task whose "
            "interval contains 0; about single tasks nothing is tested."
        ),
        draw=lambda width: dot_plot(rows, scale, heads, (), width),
        head=("", "base %", "new %", "change", f"{coverage} interval", "lost", "won", "pairs", "p"),
        rows=[_compared(line) for line in lines],
    )


def _difference(line: Compared, label: str, *, strong: bool = False) -> DotRow:
    low, high = line.interval
    # one axis of many is certain only after Holm's correction
    clear = line.outcome is not None if line.kind == "axis" else low > 0 or high < 0
    color = "edge" if not clear else "before" if line.difference > 0 else "after"
    interval = f"{signed(low)} to {signed(high)}"
    whisker = Whisker(line.difference, low, high, color, clear, f"{signed(line.difference)}")
    numbers = (signed(line.difference), interval, probability(line.p_value))
    return DotRow(label, (whisker,), numbers, strong, clear)


def _compared(line: Compared) -> tuple[str, ...]:
    low, high = line.interval
    counts = [line.base_only, line.new_only]
    return (
        f"{line.name or 'all episodes'}",
        percent(line.base_rate),
        percent(line.new_rate),
        signed(line.difference),
        f"{signed(low)} to {signed(high)}",
        *(NO_DATA if count is None else str(count) for count in counts),
        str(line.new_n),
        probability(line.p_value),
    )


def _overall(run: Named) -> Rate | None:
    return run.summary.overall.rate if run.summary.overall else None


def _nominal(run: Named) -> Rate | None:
    return run.summary.nominal.rate if run.summary.nominal else None


def _latency(results: Sequence[Result]) -> float | None:
    found = [result.latency_ms_p95 for result in results if result.latency_ms_p95]
    return float(np.median(found)) if found else None


def _told(rate: Rate) -> str:
    return f"{percent(rate.value)} % ({percent(rate.low)} to {percent(rate.high)}), n = {rate.n}"


def _numbers(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return NO_DATA, NO_DATA, NO_DATA
    return percent(rate.value), f"{percent(rate.low)} to {percent(rate.high)}", str(rate.n)


def _percent(rate: Rate | None) -> str:
    return NO_DATA if rate is None else percent(rate.value)
