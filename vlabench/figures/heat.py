"""Heat maps: gaps to the twin, grey where they may be none; and success at k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlabench.figures.scene import Box, Figure, Scene, Words, extent, fitted_apart
from vlabench.report.form import percent, signed
from vlabench.report.summary import Gap, Row, Summary
from vlabench.report.tables import row_label

LABEL, CELL, TALL = 240.0, 40.0, 26.0
"""Names have `LABEL` pixels at most, or what columns of `CELL` leave of the width."""

TURNED = 150.0
MOST_WIDE = 72.0
STEPS = (0.1, 0.3, 0.5)
"""Where one shade of a gap ends and the next begins."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell: what stands in it, its colour, that of its text, and what is told of it."""

    text: str
    color: str
    ink: str
    tip: str
    bold: bool = False


def gap_cell(gap: Gap) -> HeatCell:
    """The cell of a gap: neutral and grey where its interval contains 0."""
    told = f"gap {signed(gap.value)} ({signed(gap.low)} to {signed(gap.high)}), {gap.pairs} pairs"
    number = f"{100 * gap.value:+.0f}".replace("-", "−")
    if not gap.clear:
        number = "0" if number in ("+0", "−0") else number
        return HeatCell(number, "surface", "muted", f"{told}; may be none")
    step = 1 + sum(abs(gap.value) >= edge for edge in STEPS)
    return HeatCell(number, f"{'loss' if gap.value > 0 else 'gain'}-{step}", "ink", told, True)


def share_cell(share: float, tip: str) -> HeatCell:
    """The cell of a share: the more, the deeper."""
    step = 1 + sum(share >= edge for edge in (0.25, 0.5, 0.75))
    return HeatCell(f"{100 * share:.0f}", f"gain-{step}", "ink", tip)


def heat_scene(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], HeatCell],
    width: float,
    *,
    level: bool = False,
    strong: int = 0,
) -> Scene:
    """The picture: as wide as its columns ask for, at least; names above them are turned.

    Args:
        rows: Names of the rows.
        columns: Names of the columns.
        cells: By row and column, from 0; what is not there stays empty.
        width: What may be used, where the columns do not need more.
        level: Whether the columns' names are short enough to stand level.
        strong: So many columns, from the first, are set apart from the rest.
    """
    room = max(LABEL, width - 24 - CELL * len(columns))
    label = min(room, 12 + max(extent(name, 12) for name in rows))
    cell = min(MOST_WIDE, max(CELL, (width - label - 10) / max(1, len(columns))))
    top = 26.0 if level else 14 + min(TURNED, max(extent(name, 12) for name in columns))
    split = 8.0 if strong else 0.0
    scene = Scene(label + cell * len(columns) + split + 6, top + TALL * len(rows) + 4)
    above = fitted_apart(columns, TURNED, 12)
    for number, name in enumerate(columns):
        x = label + cell * (number + 0.5) + (split if number >= strong else 0)
        if level:
            scene.write(x, 12, name, color="muted", anchor="middle")
        else:
            bold = number < strong
            scene.write(x, top - 8, name, turned=True, bold=bold, short=above[name])
    beside = fitted_apart(rows, label - 10, 12)
    for number, name in enumerate(rows):
        scene.write(2, top + TALL * (number + 0.5), name, short=beside[name])
    for (row, column), told in cells.items():
        x = label + cell * column + (split if column >= strong else 0)
        y = top + TALL * row
        tip = f"{rows[row]}, {columns[column]}: {told.tip}"[:500]
        scene.add(
            Box(x + 1, y + 1, cell - 2, TALL - 2, told.color, tip, radius=3),
            Words(x + cell / 2, y + TALL / 2, told.text, told.ink, 11.5, told.bold, "middle"),
        )
    return scene


def gaps(summary: Summary) -> Figure | None:
    """The gap of each task under each change, the mean over tasks first; None without pairs."""
    changed = [row for row in summary.cells if row.kind == "level"]
    means = [*summary.axes] if _one_level_each(summary) else [*summary.levels]
    if not any(row.gap for row in changed):
        return None
    tasks = sorted({row.task for row in changed if row.task is not None})
    conditions = [(row.axis, row.level) for row in summary.levels]
    names = [row_label(row) for row in summary.levels]
    cells: dict[tuple[int, int], HeatCell] = {}
    for number, row in enumerate(summary.levels):
        if row.gap is not None:
            cells[number, 0] = gap_cell(row.gap)
    for row in changed:
        if row.gap is not None and row.task is not None:
            place = conditions.index((row.axis, row.level)), 1 + tasks.index(row.task)
            cells[place] = gap_cell(row.gap)
    columns = ["all tasks", *tasks]
    many = len(tasks) > 1
    if not many:
        cells = {(row, 0): told for (row, column), told in cells.items() if column == 0}
        columns = [tasks[0]]
    certain = sum(told.bold for told in cells.values())
    return Figure(
        name="gaps",
        title="Gap to the unchanged twin, task by task",
        alt=(
            f"Heat map of {len(conditions)} changes by {len(tasks)} tasks: {certain} of "
            f"{len(cells)} gaps are certain at 95 %; the others are grey."
        ),
        note=(
            "Points of success that the change costs (orange, +) or brings (blue, −). Grey: the "
            "95 % interval contains 0, so it may be none. No cell: no pairs."
        ),
        draw=lambda width: heat_scene(names, columns, cells, width, strong=int(many)),
        head=("change", "task", "gap", "95 % interval", "pairs"),
        rows=[_numbers(row, gap) for row in [*means, *changed] if (gap := row.gap)],
        fixed=True,
    )


def success_at(summary: Summary) -> Figure | None:
    """The share of episodes that finished at least 1, 2, ... stages; None without chains."""
    chains = summary.chains
    if not chains:
        return None
    longest = max(len(chain.stages) for chain in chains)
    names = [f"{chain.task}, {_condition(chain.condition)}" for chain in chains]
    cells = {
        (row, k): share_cell(share, f"{percent(share)} % of {chain.n}")
        for row, chain in enumerate(chains)
        for k, share in enumerate(chain.success_at)
    }
    columns = [str(k) for k in range(1, longest + 1)]
    return Figure(
        name="success-at-k",
        title="Success at k",
        alt=(
            f"Share of the episodes of {len(chains)} chains that finished at least 1 to {longest} "
            "stages, in percent."
        ),
        note="Percent of the episodes that finished at least k stages of their task.",
        draw=lambda width: heat_scene(names, columns, cells, width, level=True),
        head=("chain", "n", "average", *(f"at {k}" for k in columns)),
        rows=[
            (
                name,
                str(chain.n),
                f"{chain.mean:.2f} of {len(chain.stages)}",
                *(percent(share) for share in chain.success_at),
                *("" for _ in range(longest - len(chain.stages))),
            )
            for name, chain in zip(names, chains, strict=True)
        ],
        fixed=True,
    )


def _one_level_each(summary: Summary) -> bool:
    return len(summary.axes) == len(summary.levels)


def _condition(condition: str) -> str:
    return "unchanged" if condition == "nominal" else condition


def _numbers(row: Row, gap: Gap) -> tuple[str, ...]:
    return (
        row_label(row),
        row.task or "all tasks",
        signed(gap.value),
        f"{signed(gap.low)} to {signed(gap.high)}",
        str(gap.pairs),
    )
