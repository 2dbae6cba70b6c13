"""Success against the strength of a change, with the strength at which half is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vlabench import stats
from vlabench.figures.panels import Drawer, Panel, panels
from vlabench.figures.scene import Anchor, Area, Dot, Figure, Line, Scene
from vlabench.report.form import NO_DATA, percent
from vlabench.report.summary import Rate, Summary
from vlabench.results import Result

STEPS = 60


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: its rates by strength, 0 being the unchanged twins, and the curve through them."""

    name: str
    strengths: tuple[int, ...]
    rates: tuple[Rate | None, ...]
    curve: stats.StrengthCurve | None


def strengths(summary: Summary, results: Sequence[Result]) -> Figure | None:
    """A panel for each axis that has two levels or more; None where none has."""
    axes = [axis for row in summary.axes if (axis := _axis(summary, results, row.axis or ""))]
    if not axes:
        return None
    drawn = [Panel(axis.name, _told(axis), _drawer(axis)) for axis in axes]
    halves = [f"{axis.name} {_told(axis)}" for axis in axes]
    return Figure(
        name="strength",
        title="Success against strength",
        alt=f"A curve of success for each of {len(axes)} axes. {'; '.join(halves)}."[:1500],
        note=(
            "Dots: success by level with 95 % intervals; strength 0 is the unchanged twins. Curve: "
            "the likeliest logistic one through the counts of all tasks; its 50 % point with "
            "Fieller's 95 % interval, where success falls to one half within what was tried."
        ),
        draw=lambda width: panels(drawn, width),
        head=("axis", "strength", "success %", "95 % interval", "n", "50 % point"),
        rows=[line for axis in axes for line in _numbers(axis)],
    )


def _axis(summary: Summary, results: Sequence[Result], name: str) -> _Axis | None:
    levels = {
        int(found[1]): row
        for row in summary.levels
        if row.axis == name and (found := re.fullmatch(r"L(\d{1,3})", row.level or ""))
    }
    if len(levels) < 2:
        return None
    twin = next(row.twin for row in summary.axes if row.axis == name)
    rates = {0: twin, **{level: row.rate for level, row in sorted(levels.items())}}
    return _Axis(name, tuple(rates), tuple(rates.values()), _curve(results, name, set(levels)))


def _curve(results: Sequence[Result], name: str, levels: set[int]) -> stats.StrengthCurve | None:
    """Through the counts over all tasks; each unchanged twin is counted once."""
    found = {result.episode_id: result for result in results}
    tried: Counter[int] = Counter()
    solved: Counter[int] = Counter()
    twins: set[str] = set()
    for result in results:
        changes = result.changes
        if len(changes) != 1 or changes[0].axis != name or result.compliance is not None:
            continue
        level = int(changes[0].level.removeprefix("L") or 0)
        tried[level] += 1
        solved[level] += result.success
        twins.add(result.episode.control_id or "")
    for twin in twins & set(found):
        tried[0] += 1
        solved[0] += found[twin].success
    at = sorted(level for level in {0, *levels} if tried[level])
    if len(at) < 2:
        return None
    return stats.strength_curve(at, [solved[k] for k in at], [tried[k] for k in at])


def _told(axis: _Axis) -> str:
    """The 50 % point in words."""
    curve = axis.curve
    if curve is None:
        return "no curve"
    if curve.half is None:
        return "stays above 50 %" if _high(axis) else "no 50 % point"
    told = f"50 % at {curve.half:.2f}"
    if curve.interval is None:
        return f"{told} (unbounded)"
    return f"{told} ({curve.interval.low:.2f} to {curve.interval.high:.2f})"


def _high(axis: _Axis) -> bool:
    return all(rate is None or rate.value > 0.5 for rate in axis.rates)


def _drawer(axis: _Axis) -> Drawer:
    def draw(scene: Scene, x: float, y: float, width: float, height: float) -> None:
        last = max(axis.strengths)

        def across(strength: float) -> float:
            return x + 8 + (width - 16) * strength / last

        def up(rate: float) -> float:
            return y + height * (1 - rate)

        for share in (0.0, 0.5, 1.0):
            dash = (3.0, 3.0) if share == 0.5 else ()
            ends = ((x, up(share)), (x + width, up(share)))
            scene.add(Line(ends, "edge" if share == 0.5 else "grid", dash=dash))
            name = f"{100 * share:.0f} %"
            scene.write(x - 6, up(share), name, color="muted", size=11, anchor="end")
        for strength in axis.strengths:
            name = "unchanged" if strength == 0 else f"L{strength}"
            anchor: Anchor = "start" if strength == 0 else "middle"
            place = x if strength == 0 else across(strength)
            scene.write(place, y + height + 13, name, color="muted", size=11, anchor=anchor)
        curve = axis.curve
        if curve is not None:
            if curve.half is not None and curve.interval is not None:
                low, high = (across(min(max(e, 0), last)) for e in curve.interval)
                corners = ((low, y), (high, y), (high, y + height), (low, y + height))
                scene.add(Area(corners, "after", 0.13))
            places = [last * k / STEPS for k in range(STEPS + 1)]
            points = tuple((across(place), up(curve.rate(place))) for place in places)
            scene.add(Line(points, "after", 1.8))
            if curve.half is not None:
                half = across(curve.half)
                scene.add(Line(((half, up(0.5)), (half, y + height)), "after", 1.2, (3.0, 3.0)))
        for strength, rate in zip(axis.strengths, axis.rates, strict=True):
            if rate is None:
                continue
            color, at = ("after" if strength else "before"), across(strength)
            scene.add(Line(((at, up(rate.low)), (at, up(rate.high))), color, 1.6))
            tip = f"{percent(rate.value)} % ({percent(rate.low)} to {percent(rate.high)}), "
            scene.add(Dot(at, up(rate.value), color, bool(strength), tip=f"{tip}n = {rate.n}"))

    return draw


def _numbers(axis: _Axis) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for strength, rate in zip(axis.strengths, axis.rates, strict=True):
        told = (NO_DATA, NO_DATA, NO_DATA)
        if rate is not None:
            told = percent(rate.value), f"{percent(rate.low)} to {percent(rate.high)}", str(rate.n)
        name = "unchanged" if strength == 0 else f"L{strength}"
        lines.append((axis.name, name, *told, _told(axis) if strength == 0 else ""))
    return lines
