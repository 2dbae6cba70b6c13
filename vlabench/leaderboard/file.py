"""The leaderboard's CSV file: read, entered into, and written as a whole."""

from __future__ import annotations

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from vlabench.errors import UsageError
from vlabench.leaderboard.columns import MET, RANKING, Cell, Column, columns, schema
from vlabench.leaderboard.ranking import Standing, standings
from vlabench.leaderboard.rows import Declared, leaderboard_row
from vlabench.naming import no_formula
from vlabench.report import summarize
from vlabench.store import Run, refuse_run_file

BOM = "\ufeff"
"""Which some programs write before the first line."""

KEPT = tuple(field.name for field in fields(Declared))
"""What a row keeps of an older one of the same run, where nothing new is said."""


@dataclass(frozen=True)
class Leaderboard:
    """The content of the file.

    Attributes:
        columns: Names of the columns, in order.
        rows: Each row's cells by column, as text, in the order of the file.
        unranked: Names of the runs that lost their rank because they were not given.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    unranked: tuple[str, ...] = ()


def schema_path(path: Path) -> Path:
    """Where the JSON Schema of a leaderboard's rows stands."""
    return path.with_suffix(".schema.json")


def update_leaderboard(
    runs: Sequence[Run], path: Path, declared: Declared | None = None
) -> Leaderboard:
    """Adds or replaces the rows of `runs` in the file, ranks them, and keeps every other row.

    The file is replaced as a whole or not at all, and its schema is written beside it.

    Args:
        runs: Runs to enter, each once.
        path: The CSV file; it is made if it is not there.
        declared: What their submitter says; what an older row of the same run said is kept else.

    Raises:
        UsageError: If the file is no leaderboard or cannot be written, a run is given twice, or
            something that is true of one policy is declared for several.
        InvalidRunError: If too many episodes of a run are missing, it is still running, or it ended
            as soon as a comparison was decided; the file stays as it was.
    """
    declared = Declared() if declared is None else declared
    _refuse_twice(runs)
    _refuse_declaring(declared, runs)
    before = read_leaderboard(path)
    older = {row["run_id"]: row for row in before.rows}
    summaries = [summarize(run) for run in runs]
    rows = [leaderboard_row(run, summary) for run, summary in zip(runs, summaries, strict=True)]
    known = columns()
    cells = columns(before.columns)
    written = [
        _written(
            row, standing, declared, _kept(older.get(no_formula(str(row["run_id"])), {}), known)
        )
        for row, standing in zip(rows, standings(runs, summaries), strict=True)
    ]
    given = {row["run_id"] for row in written}
    kept = [_harmless(row, cells) for row in before.rows if row["run_id"] not in given]
    replaced = [row for row in before.rows if row["run_id"] in given]
    changed = {_ranking(row) for row in [*written, *replaced] if row.get("rank")}
    unranked = [row for row in kept if _ranking(row) in changed and row.get("rank")]
    for row in unranked:
        row |= {"rank": "", "letters": ""}
    present = [*before.columns, *(name for row in written for name in row)]
    board = Leaderboard(
        columns=tuple(columns(present)),
        rows=tuple(sorted([*kept, *written], key=_order)),
        unranked=tuple(row["run_id"] for row in unranked),
    )
    _write(board, path)
    return board


def read_leaderboard(path: Path) -> Leaderboard:
    """What the file says now; empty if there is none.

    Raises:
        UsageError: If it cannot be read or is no leaderboard.
    """
    if not path.exists():
        return Leaderboard((), ())
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"Cannot read {path} ({error}); give another --out.") from error
    names = tuple(reader.fieldnames or ())
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or (names and names[0].startswith(BOM)):
        what = f"it has the column {twice[0]!r} twice" if twice else "it begins with a BOM"
        raise UsageError(f"{path} is no leaderboard ({what}); mend it, or give another --out.")
    absent = [name for name in ("run_id", *MET) if name not in names]
    if absent or any(None in row for row in rows):
        what = f"it has no column {absent[0]!r}" if absent else "a row has too many cells"
        raise UsageError(f"{path} is no leaderboard ({what}); mend it, or give another --out.")
    return Leaderboard(names, tuple(rows))


def schema_text() -> str:
    """What stands in the file of the schema."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


# --- rows as text -----------------------------------------------------------------------------


def _written(
    row: Mapping[str, Cell],
    standing: Standing | None,
    declared: Declared,
    kept: dict[str, str],
) -> dict[str, str]:
    stands: dict[str, Cell] = {}
    if standing is not None:
        stands = {"rank": standing.rank, "letters": standing.letters}
    known = {name: _text(cell) for name, cell in row.items() if cell is not None}
    told = {name: _text(cell) for name, cell in {**stands, **declared.cells()}.items()}
    cells = dict.fromkeys(row, "") | known | kept | told
    return _harmless(cells, columns(tuple(cells)))


def _harmless(row: Mapping[str, str], known: Mapping[str, Column | None]) -> dict[str, str]:
    """The row without anything that a spreadsheet takes for a formula; numbers are none."""
    return {
        name: no_formula(cell) if _is_text(cell, known.get(name)) else cell
        for name, cell in row.items()
    }


def _is_text(cell: str, column: Column | None) -> bool:
    if column is None:
        return math.isnan(_value(cell, otherwise=math.nan))
    return isinstance(column.read(cell), str)


def _kept(older: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """What of an older row of the same run nobody but its submitter knows."""
    return {
        name: cell for name, cell in older.items() if cell and (name in KEPT or name not in known)
    }


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:.6f}" if isinstance(cell, float) else str(cell)


def _ranking(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in RANKING)


def _order(row: Mapping[str, str]) -> tuple[object, ...]:
    """By ranking; in it by rank, the ranked first, then by falling success rate."""
    rank, rate = row.get("rank", ""), row.get("success_rate", "")
    return (
        *_ranking(row),
        _value(rank, otherwise=float("inf")),
        -_value(rate, otherwise=-1.0),
        row.get("policy", ""),
        row["run_id"],
    )


def _value(cell: str, otherwise: float) -> float:
    try:
        return float(cell)
    except ValueError:
        return otherwise


# --- the file ---------------------------------------------------------------------------------


def _write(board: Leaderboard, path: Path) -> None:
    refuse_run_file(path)
    scratch = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, board.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(board.rows)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        schema_path(path).write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); give another --out."
        ) from error


def _refuse_twice(runs: Sequence[Run]) -> None:
    names = [run.info.run_id for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"The run {name!r} is given twice; give each run once.")


def _refuse_declaring(declared: Declared, runs: Sequence[Run]) -> None:
    policies = sorted({run.info.policy.label for run in runs})
    if declared.of_policy and len(policies) > 1:
        raise UsageError(
            f"{sorted(declared.of_policy)[0]!r} is said of the policies {', '.join(policies)} at "
            "once; enter the runs of one policy at a time."
        )
