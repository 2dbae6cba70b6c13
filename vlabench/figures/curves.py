"""Staircases over time and latency."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlabench import stats
from vlabench.figures.palette import series
from vlabench.figures.scene import Figure, Line, Point, Scene, extent
from vlabench.report.form import NO_DATA, percent
from vlabench.report.summarize import control_hz_of
from vlabench.results import Result
from vlabench.types import EpisodeRecord

TALL, LEFT, RIGHT = 220.0, 48.0, 12.0
DASHES = ((), (6.0, 3.0), (2.0, 2.0), (8.0, 3.0, 2.0, 3.0))


@dataclass(frozen=True, slots=True)
class Stairs:
    """A staircase: its name, where it steps, its height from each step on, and its colour."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    color: str
    dash: tuple[float, ...] = ()


def times(groups: Sequence[tuple[str, Sequence[Result]]]) -> Figure | None:
    """The share of episodes that has succeeded, over time, for each group; None without success.

    The mean has the weights of the tables: tasks alike, and in each of them its conditions alike.
    So it ends at the success rate. Failures are never left out: they wait until the end.
    """
    own = [(name, [r for r in results if r.compliance is None]) for name, results in groups]
    hz = control_hz_of(result for _, results in own for result in results)
    if hz is None:
        return None
    last = max(result.episode.horizon for _, results in own for result in results) / hz
    curves = [(name, len(results), _curve(results, last)) for name, results in own if results]
    stairs = [
        Stairs(
            f"{name} (n = {n})",
            (*curve.times, last),
            tuple(1 - left for left in (*curve.waiting, curve.waiting[-1])),
            _color(name, number),
            DASHES[number % len(DASHES)],
        )
        for number, (name, n, curve) in enumerate(curves)
    ]
    medians = [f"{name} {_seconds(curve.median)}" for name, _, curve in curves]
    ticks = _ticks(last)
    return Figure(
        name="time-to-success",
        title="Time to success",
        alt=f"Share of episodes that has succeeded, over time. Median: {'; '.join(medians)}.",
        note=(
            "The mean over tasks, as in the tables, of Kaplan and Meier's curves; a failure is "
            "never left out: it waits until the end."
        ),
        draw=lambda width: _scene(stairs, last, ticks, "seconds", width),
        head=("", "n", "median", "succeeded at the end %"),
        rows=[
            (name, str(n), _seconds(curve.median), percent(1 - curve.waiting[-1]))
            for name, n, curve in curves
        ],
    )


def latency(groups: Sequence[tuple[str, Sequence[EpisodeRecord]]]) -> Figure | None:
    """The distribution over episodes of an answer's latency; None where nothing was measured."""
    stairs: list[Stairs] = []
    rows: list[tuple[str, ...]] = []
    for name, records in groups:
        for which, dash in (("p50", ()), ("p95", (6.0, 3.0))):
            found = [getattr(record, f"latency_ms_{which}") for record in records]
            values = np.sort(np.array([v for v in found if v], dtype=np.float64))
            if not values.size:
                continue
            label = f"{name} {which}" if len(groups) > 1 else which
            color = series(len(rows) // 2)
            heights = np.arange(1, values.size + 1) / values.size
            stairs.append(Stairs(label, np.log10(values).tolist(), heights.tolist(), color, dash))
            middle, high = np.percentile(values, [50, 95])
            rows.append((label, str(values.size), f"{middle:.3g}", f"{high:.3g}"))
    if not stairs:
        return None
    low = math.floor(min(s.xs[0] for s in stairs))
    high_end = math.ceil(max(s.xs[-1] for s in stairs))
    high_end = max(high_end, low + 1)
    ticks = tuple((k, _power(k)) for k in range(low, high_end + 1))
    told = "; ".join(f"{row[0]}: median {row[2]} ms" for row in rows)
    return Figure(
        name="latency",
        title="Latency of an answer",
        alt=f"Share of episodes whose latency is at most so long. {told}.",
        note=(
            "Over episodes: the median (p50) and the 95th percentile (p95) of the milliseconds "
            "that one answer took, queue and network included."
        ),
        draw=lambda width: _scene(stairs, high_end, ticks, "milliseconds", width, start=low),
        head=("", "episodes", "median ms", "95th percentile ms"),
        rows=rows,
    )


def _curve(results: Sequence[Result], last: float) -> stats.SurvivalCurve:
    cells: dict[tuple[str, object], list[Result]] = {}
    for result in results:
        cells.setdefault((result.task, result.changes), []).append(result)
    conditions = Counter(task for task, _ in cells)
    curves = [
        (
            1 / (len(conditions) * conditions[task]),
            stats.kaplan_meier(
                [last if r.time_to_success_s is None else r.time_to_success_s for r in cell],
                [result.success for result in cell],
            ),
        )
        for (task, _), cell in cells.items()
    ]
    times = np.unique(np.concatenate([curve.times for _, curve in curves]))
    waiting = np.zeros_like(times)
    for weight, curve in curves:
        step = np.searchsorted(curve.times, times, side="right") - 1
        waiting += weight * np.asarray(curve.waiting)[step]
    return stats.SurvivalCurve(tuple(times.tolist()), tuple(waiting.tolist()))


def _color(name: str, number: int) -> str:
    return {"unchanged": "before", "changed": "after"}.get(name, series(number))


def _scene(
    stairs: Sequence[Stairs],
    end: float,
    ticks: Sequence[tuple[float, str]],
    unit: str,
    width: float,
    start: float = 0.0,
) -> Scene:
    head = 24.0 * len(_key_lines(stairs, width)) + 12
    scene = Scene(width, head + TALL + 42)
    _key(scene, stairs, width)

    def across(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * (value - start) / (end - start)

    def up(share: float) -> float:
        return head + TALL * (1 - share)

    for share in (0, 0.25, 0.5, 0.75, 1):
        scene.add(Line(((LEFT, up(share)), (width - RIGHT, up(share))), "grid"))
        name = f"{100 * share:.0f} %"
        scene.write(LEFT - 6, up(share), name, color="muted", size=11.5, anchor="end")
    for value, name in ticks:
        x = across(value)
        scene.write(x, head + TALL + 13, name, color="muted", size=11.5, anchor="middle")
    scene.write(width - RIGHT, head + TALL + 32, unit, color="muted", size=11.5, anchor="end")
    for one in stairs:
        points: list[Point] = []
        height = 0.0
        for x, y in zip(one.xs, one.ys, strict=True):
            points += [(across(x), up(height)), (across(x), up(y))]
            height = y
        points.append((across(end), up(height)))
        scene.add(Line(tuple(points), one.color, 2.0, one.dash))
    return scene


def _key_lines(stairs: Sequence[Stairs], width: float) -> list[list[Stairs]]:
    lines: list[list[Stairs]] = [[]]
    x = 0.0
    for one in stairs:
        room = 50 + min(260, extent(one.name, 12))
        if lines[-1] and x + room > width:
            lines.append([])
            x = 0.0
        lines[-1].append(one)
        x += room
    return lines


def _key(scene: Scene, stairs: Sequence[Stairs], width: float) -> None:
    for number, line in enumerate(_key_lines(stairs, width)):
        x, y = 4.0, 12.0 + 24 * number
        for one in line:
            scene.add(Line(((x, y), (x + 22, y)), one.color, 2.0, one.dash))
            scene.write(x + 28, y, one.name, 260)
            x += 50 + min(260, extent(one.name, 12))


def _ticks(last: float) -> tuple[tuple[float, str], ...]:
    step = 10 ** math.floor(math.log10(last))
    step = next(step * k for k in (0.2, 0.5, 1, 2) if last / (step * k) <= 7)
    return tuple((k * step, f"{k * step:g}") for k in range(int(last / step + 1e-9) + 1))


def _power(exponent: float) -> str:
    return f"{10.0**exponent:g}"


def _seconds(value: float | None) -> str:
    return NO_DATA if value is None else f"{value:.1f} s"
