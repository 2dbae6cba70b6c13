"""Where episodes of several stages end: a funnel a task, and how episodes failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from vlabench.figures.palette import series
from vlabench.figures.scene import Anchor, Box, Figure, Line, Scene, extent
from vlabench.report.form import NO_DATA, percent
from vlabench.report.summary import Chain, Summary
from vlabench.types import EpisodeRecord

MOST_MODES = 6
"""Kinds of failure that have a colour of their own."""

UNKNOWN = "not attributed"
"""What stands where a record does not say how its episode failed."""

Modes = Mapping[tuple[str, str], Counter[tuple[int, str]]]
"""By task and condition: how often each stage was the first not to be reached, and by what."""


def failure_mode(record: EpisodeRecord) -> str:
    """How an episode failed, as its record says; what it does not say is told as such."""
    if record.status == "policy_error":
        return "policy error"
    return (record.failure or UNKNOWN).replace("_", " ")


def funnel(summary: Summary, records: Sequence[EpisodeRecord]) -> Figure | None:
    """Bars of the stages that were reached, unchanged first; None where no task has several."""
    chains = sorted(summary.chains, key=lambda c: (c.task, c.condition != "nominal", c.condition))
    chains = [c for c in chains if c.condition == "nominal"] or chains
    if not chains:
        return None
    modes = _modes(records)
    named = _named(chains, modes)
    weakest = [f"{c.task}: {_weakest(c)}" for c in chains if max(c.first_failed) > 0]
    return Figure(
        name="stages",
        title="Stage by stage",
        alt=(
            f"How many episodes of {len(chains)} tasks reached each stage. Most often first "
            f"missed: {'; '.join(weakest) or 'none'}."
        )[:1500],
        note=(
            "Bar: percent of the episodes that reached the stage. Beside it, its success among "
            "those that had finished as many as come before it. Other "
            "colours: episodes that ended there, by how they failed."
        ),
        draw=lambda width: _scene(chains, modes, named, width),
        head=("task", "condition", "stage", "reached %", "given before %", "95 %", "ended here %"),
        rows=[line for chain in summary.chains for line in _numbers(chain)],
    )


def failures(records: Sequence[EpisodeRecord]) -> Figure | None:
    """How often each kind of failure happened; None where none is attributed."""
    own = [r for r in records if not r.success and r.compliance is None]
    counts = Counter(failure_mode(record) for record in own)
    if not set(counts) - {UNKNOWN}:
        return None
    shown = counts.most_common()
    return Figure(
        name="failures",
        title="How episodes failed",
        alt=f"Of {len(own)} failures: {', '.join(f'{n} {mode}' for mode, n in shown)}.",
        note="By contacts and poses at the end of the episode; diagnostics are left out.",
        draw=lambda width: _bars(shown, len(own), width),
        head=("failure", "episodes", "% of failures"),
        rows=[(mode, str(n), percent(n / len(own))) for mode, n in shown],
    )


def _modes(records: Sequence[EpisodeRecord]) -> Modes:
    found: dict[tuple[str, str], Counter[tuple[int, str]]] = {}
    for record in records:
        if record.success or record.compliance is not None:
            continue
        place = record.task, " + ".join(map(str, record.changes)) or "nominal"
        mode = failure_mode(record)
        found.setdefault(place, Counter())[record.chain_length, mode] += 1
    return found


def _named(chains: Sequence[Chain], modes: Modes) -> list[str]:
    """The commonest kinds of failure, in order."""
    total: Counter[str] = Counter()
    for chain in chains:
        for (_, mode), count in modes.get((chain.task, chain.condition), Counter()).items():
            total[mode] += count
    return [mode for mode, _ in total.most_common(MOST_MODES)]


def _scene(chains: Sequence[Chain], modes: Modes, named: Sequence[str], width: float) -> Scene:
    wide = width >= 560
    tall = 24.0 if wide else 40.0
    left = 210.0 if wide else 10.0
    room = width - left - (190.0 if wide else 10.0)
    lines = sum(len(chain.stages) for chain in chains)
    key = _key_height(named, width)
    scene = Scene(width, key + lines * tall + len(chains) * 38)
    _key(scene, named, width)
    y = key
    for chain in chains:
        condition = "unchanged" if chain.condition == "nominal" else chain.condition
        scene.write(2, y + 20, f"{chain.task}, {condition}", width - 100, bold=True, size=12.5)
        scene.write(width - 2, y + 20, f"n = {chain.n}", color="muted", size=11.5, anchor="end")
        y += 34
        ended = modes.get((chain.task, chain.condition), Counter())
        for k, stage in enumerate(chain.stages):
            bar = y + (3 if wide else 19)
            scene.write(2, y + (12 if wide else 9), stage, 200 if wide else width - 140)
            share = chain.success_at[k]
            tip = f"{stage}: reached by {percent(share)} %"
            scene.add(Box(left, bar, room, 17, "surface", radius=2))
            scene.add(Box(left, bar, room * share, 17, "before", tip, radius=2))
            x = left + room * share
            for mode, count in _here(ended, k, named):
                part = room * count / chain.n
                color = _color(mode, named)
                tip = f"{stage}: {count} of {chain.n} ended here, {mode}"
                scene.add(Box(x, bar, part, 17, color, tip))
                x += part
            told = _given(chain, k)
            place = (left + room + 8, y + 12) if wide else (width - 2, y + 9)
            anchor: Anchor = "start" if wide else "end"
            words = f"{percent(share)} %{told if wide else ''}"
            scene.write(*place, words, size=11.5, color="muted", anchor=anchor)
            y += tall
        scene.add(Line(((left, y), (left + room, y)), "grid"))
        y += 4
    return scene


def _here(
    ended: Counter[tuple[int, str]], stage: int, named: Sequence[str]
) -> list[tuple[str, int]]:
    here = [(mode, count) for (k, mode), count in ended.items() if k == stage]
    order = {mode: place for place, mode in enumerate(named)}
    return sorted(here, key=lambda pair: (order.get(pair[0], len(order)), pair[0]))


def _color(mode: str, named: Sequence[str]) -> str:
    if mode == UNKNOWN or mode not in named:
        return "edge"
    return series(1 + named.index(mode))


def _given(chain: Chain, k: int) -> str:
    rate = chain.given_before[k]
    if rate is None:
        return ", nobody came so far"
    return f", given before {percent(rate.value)} %"


def _key_height(named: Sequence[str], width: float) -> float:
    x, lines = 0.0, 1
    for name in ("reached", *named):
        room = 34 + extent(name, 12)
        if x and x + room > width:
            x, lines = 0.0, lines + 1
        x += room
    return 22.0 * lines + 4


def _key(scene: Scene, named: Sequence[str], width: float) -> None:
    x, y = 2.0, 12.0
    colors = ["before", *(_color(mode, named) for mode in named)]
    for name, color in zip(("reached", *named), colors, strict=True):
        room = 34 + extent(name, 12)
        if x > 2 and x + room > width:
            x, y = 2.0, y + 22
        scene.add(Box(x, y - 6, 12, 12, color, radius=2))
        scene.write(x + 18, y, name)
        x += room


def _bars(shown: Sequence[tuple[str, int]], total: int, width: float) -> Scene:
    left, right = (170.0, width - 110) if width >= 560 else (120.0, width - 84)
    scene = Scene(width, 27.0 * len(shown) + 4)
    most = max(count for _, count in shown)
    for number, (mode, count) in enumerate(shown):
        y = 27.0 * number + 4
        scene.write(2, y + 10, mode, left - 10)
        size = (right - left) * count / most
        scene.add(Box(left, y, size, 20, "after", f"{mode}: {count}", radius=2))
        told = f"{count}  ({percent(count / total)} %)"
        scene.write(left + size + 8, y + 10, told, color="muted", size=11.5)
    return scene


def _weakest(chain: Chain) -> str:
    share = max(chain.first_failed)
    return f"{chain.stages[chain.first_failed.index(share)]} ({percent(share)} %)"


def _numbers(chain: Chain) -> list[tuple[str, ...]]:
    condition = "unchanged" if chain.condition == "nominal" else chain.condition
    return [
        (
            chain.task,
            condition,
            stage,
            percent(chain.success_at[k]),
            NO_DATA if (rate := chain.given_before[k]) is None else percent(rate.value),
            NO_DATA if rate is None else f"{percent(rate.low)} to {percent(rate.high)}",
            percent(chain.first_failed[k]),
        )
        for k, stage in enumerate(chain.stages)
    ]
