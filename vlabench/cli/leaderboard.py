"""``vlabench leaderboard``: enter finished runs into the leaderboard, print it, and check it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlabench.errors import InvalidRunError, UsageError

if TYPE_CHECKING:
    from vlabench.leaderboard import Leaderboard
    from vlabench.store import Run

NO_DATA = "–"


class WeightType(StrEnum):
    """Whether many tasks share a policy's weights."""

    SHARED = "shared"
    FINETUNED = "finetuned"


class TrainedOn(StrEnum):
    """What of this benchmark a policy was trained on."""

    ZERO_SHOT = "zero-shot"
    NOMINAL = "nominal"
    AXIS = "axis"


class Provenance(StrEnum):
    """Who vouches for a row."""

    SELF_REPORTED = "self-reported"
    REPRODUCED = "reproduced"
    VERIFIED = "verified"


def leaderboard_command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of runs; with --check, files.", metavar="RUN..."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The CSV file.")] = Path("results/leaderboard.csv"),
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write it as a page too, with the reports of the given runs below it; without "
            "runs, the page of the file as it is.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check every row of the files (--out by default).")
    ] = False,
    checkpoint: Annotated[str | None, typer.Option(help="The policy's weights.")] = None,
    params: Annotated[int | None, typer.Option(min=0, help="Number of its parameters.")] = None,
    weight_type: Annotated[
        WeightType | None, typer.Option(help="Whether many tasks share its weights.")
    ] = None,
    trained_on: Annotated[
        TrainedOn | None, typer.Option(help="What of this benchmark it was trained on.")
    ] = None,
    gpu_memory_gb: Annotated[
        float | None, typer.Option(min=0, help="GPU memory that it needs.")
    ] = None,
    submitter: Annotated[str | None, typer.Option(help="Who enters the runs.")] = None,
    provenance: Annotated[
        Provenance | None, typer.Option(help="Who vouches for them; self-reported by default.")
    ] = None,
) -> None:
    """Add finished runs to the leaderboard, or check it."""
    if check:
        _check(runs or [out])
        return
    if not runs:
        if html is None:
            raise UsageError("No run is given; give the folders of runs, --check or --html.")
        _show(out, html)
        return
    from vlabench.leaderboard import Declared, update_leaderboard
    from vlabench.store import Run

    declared = Declared(
        checkpoint=checkpoint,
        params=params,
        weight_type=None if weight_type is None else weight_type.value,
        trained_on=None if trained_on is None else trained_on.value,
        gpu_memory_gb=gpu_memory_gb,
        submitter=submitter,
        provenance=None if provenance is None else provenance.value,
    )
    opened = _fit([Run.open(path) for path in runs])
    board = update_leaderboard(opened, out, declared)
    typer.echo(table(board))
    if board.unranked:
        typer.echo(
            f"{len(board.unranked)} of these lost their rank, because a rank needs the episodes; "
            f"give their runs too: {', '.join(board.unranked)}"
        )
    typer.echo(
        "Ranks count within one suite, manifest, world and latency; rows that share a letter do "
        f"not differ significantly. Written to {out}"
    )
    if html is not None:
        from vlabench.pages import write_board

        typer.echo(f"Open {write_board(board, html, opened)} in a browser.")


def _show(path: Path, html: Path) -> None:
    """The page of a leaderboard that is there."""
    from vlabench.leaderboard import read_leaderboard
    from vlabench.pages import write_board

    if not path.exists():
        raise UsageError(f"{path} is not there; give the folders of runs, or another --out.")
    typer.echo(f"Open {write_board(read_leaderboard(path), html)} in a browser.")


def _fit(runs: Sequence[Run]) -> list[Run]:
    """Those that can be entered; the others are told.

    Raises:
        InvalidRunError: If there is none.
    """
    from vlabench.leaderboard import refuse_unfit

    fit, unfit = [], []
    for run in runs:
        try:
            refuse_unfit(run)
        except InvalidRunError as error:
            unfit.append(str(error))
        else:
            fit.append(run)
    if not fit:
        raise InvalidRunError(" ".join(unfit))
    for sentence in unfit:
        typer.echo(f"Left out: {sentence}", err=True)
    return fit


def _check(paths: Sequence[Path]) -> None:
    from vlabench.leaderboard import check_leaderboard, read_leaderboard

    faults = [fault for path in paths for fault in check_leaderboard(path)]
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise UsageError(
            f"{len(faults)} faults in {', '.join(map(str, paths))}; enter the runs again with "
            "'vlabench leaderboard', or mend the cells that are yours."
        )
    for path in paths:
        typer.echo(f"{path}: all {len(read_leaderboard(path).rows)} rows are as they must be")


def table(board: Leaderboard) -> str:
    """The leaderboard's main columns as aligned text, in percent.

    Compliance has a column where any row has one.
    """
    head = (
        "rank",
        "",
        "policy",
        "suite",
        "success",
        "95 % interval",
        "unchanged",
        "worst axis",
        "n",
    )
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
        row.get("letters", ""),
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
