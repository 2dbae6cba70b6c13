"""``vlabench leaderboard``: enter finished runs into the leaderboard, and print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vlabench.leaderboard import Leaderboard

NO_DATA = "–"


def leaderboard_command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.", metavar="RUN...")],
    out: Annotated[Path, typer.Option(help="The CSV file.")] = Path("results/leaderboard.csv"),
) -> None:
    """Add finished runs to the leaderboard."""
    from vlabench.leaderboard import update_leaderboard
    from vlabench.store import Run

    board = update_leaderboard([Run.open(path) for path in runs], out)
    typer.echo(table(board))
    if board.unranked:
        typer.echo(
            f"{len(board.unranked)} of these lost their rank, because a rank needs the episodes; "
            f"give their runs too: {', '.join(board.unranked)}"
        )
    typer.echo(f"Ranks count within one suite, manifest, world and latency. Written to {out}")


def table(board: Leaderboard) -> str:
    """The leaderboard's main columns as aligned text, in percent.

    Compliance has a column where any row has one.
    """
    head = ("rank", "policy", "suite", "success", "95 % interval", "unchanged", "worst axis", "n")
    rows = [head, *(_cells(row) for row in board.rows)]
    complied = [_compliance(row) for row in board.rows]
    if any(complied):
        told = ("compliance", *(cell or NO_DATA for cell in complied))
        rows = [(*row, cell) for row, cell in zip(rows, told, strict=True)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _cells(row: Mapping[str, str]) -> tuple[str, ...]:
    interval = NO_DATA
    if row.get("ci_low") and row.get("ci_high"):
        interval = f"{_percent(row['ci_low'])} to {_percent(row['ci_high'])}"
    cells = (
        row.get("rank") or NO_DATA,
        "".join([row.get("policy", ""), *(f" ({mark})" for mark in _marks(row))]),
        f"{row['suite']} v{row['suite_version']}",
        _percent(row.get("success_rate", "")),
        interval,
        _percent(row.get("success_rate_nominal", "")),
        row.get("worst_axis") or NO_DATA,
        row.get("n") or NO_DATA,
    )
    return tuple(_printable(cell) for cell in cells)


def _marks(row: Mapping[str, str]) -> Iterator[str]:
    """What must be known of a policy's row before it is compared with others."""
    if row.get("privileged") == "true":
        yield "privileged"
    latency = row.get("latency_setting_ms")
    if latency == "measured":
        yield "measured latency"
    elif latency:
        yield f"latency {_milliseconds(latency)} ms"
    if row.get("allow_mismatch"):
        yield "mismatch allowed"


def _compliance(row: Mapping[str, str]) -> str:
    """Each diagnostic axis that was measured, and its share in percent."""
    prefix = "compliance_"
    return _printable(
        ", ".join(
            f"{name.removeprefix(prefix)} {_percent(cell)}"
            for name, cell in row.items()
            if name.startswith(prefix) and cell
        )
    )


def _printable(cell: str) -> str:
    return "".join(char if char.isprintable() else " " for char in cell)


def _milliseconds(cell: str) -> str:
    try:
        return f"{float(cell):g}"
    except ValueError:
        return cell


def _percent(cell: str) -> str:
    try:
        return f"{100 * float(cell):.1f}"
    except ValueError:
        return NO_DATA
