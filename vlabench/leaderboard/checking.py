"""Whether a committed leaderboard is one: every row against the schema, and against the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from vlabench.errors import UsageError
from vlabench.leaderboard.columns import (
    AXIS_SCORES,
    IDENTITY,
    RANKING,
    REST,
    SCORES,
    Cell,
    Column,
    columns,
    schema,
)
from vlabench.leaderboard.file import read_leaderboard


def check_leaderboard(path: Path) -> list[str]:
    """All that is wrong with the file, a sentence each; none if nothing is.

    Raises:
        UsageError: If there is no file, or it cannot be read or is no leaderboard.
    """
    if not path.exists():
        raise UsageError(f"There is no {path}; give the file to check.")
    board = read_leaderboard(path)
    known = columns(board.columns)
    rows = [_values(row, known) for row in board.rows]
    absent = [name for name in (*IDENTITY, *SCORES, *REST) if name not in board.columns]
    faults = [f"{path}: there is no column {name!r}" for name in absent]
    for line, row in enumerate(rows, start=2):
        where = f"{path}:{line} ({row['run_id']})"
        faults += [f"{where}: {fault}" for fault in _faults(row)]
    return [*faults, *(f"{path}: {fault}" for fault in _together(rows))]


def _values(row: Mapping[str, str], known: Mapping[str, Column | None]) -> dict[str, Cell]:
    """The cells as values, None where they are empty."""
    values: dict[str, Cell] = {}
    for name, text in row.items():
        column = known[name]
        values[name] = (text or None) if column is None else column.read(text)
    return values


def _faults(row: Mapping[str, Cell]) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    wrong = False
    for error in Draft202012Validator(schema()).iter_errors(dict(row)):
        wrong = True
        column = f"{error.absolute_path[0]!r}: " if error.absolute_path else ""
        why = error.schema.get("description", "") if column else ""
        yield f"{column}{error.message}{f'; {why}' if why else ''}"
    if not wrong:
        yield from _contradictions(row)


def _contradictions(row: Mapping[str, Cell]) -> Iterator[str]:
    """What a schema cannot say: how the numbers of one row hang together."""
    rate, low, high = (_number(row, name) for name in ("success_rate", "ci_low", "ci_high"))
    if rate is not None and low is not None and high is not None and not low <= rate <= high:
        yield f"the success rate {rate:g} is not between its ends {low:g} and {high:g}"
    rates = {
        name.removeprefix("success_rate_"): value
        for name in row
        if name.startswith("success_rate_") and name != "success_rate_nominal"
        if (value := _number(row, name)) is not None
    }
    worst = row.get("worst_axis")
    if worst is not None and rates.get(str(worst)) != min(rates.values(), default=None):
        yield f"the worst axis is said to be {worst!r}, and another has a lower success rate"
    for axis in rates:
        given = [name for name in AXIS_SCORES if row.get(f"{name}_{axis}") is not None]
        if "retention" in given and "gap" not in given:
            yield f"there is a retention under {axis!r} and no gap"


def _number(row: Mapping[str, Cell], name: str) -> float | None:
    cell = row.get(name)
    return float(cell) if isinstance(cell, int | float) else None


def _together(rows: list[dict[str, Cell]]) -> Iterator[str]:
    for name, count in Counter(row["run_id"] for row in rows).items():
        if count > 1:
            yield f"the run {name!r} has {count} rows; keep one"
    rankings: dict[tuple[Cell, ...], list[int]] = defaultdict(list)
    for row in rows:
        rank = row.get("rank")
        if isinstance(rank, int) and not isinstance(rank, bool):
            rankings[tuple(row.get(name) for name in RANKING)].append(rank)
    for (suite, *_), ranks in rankings.items():
        # of each two runs, at most one is better
        count = len(ranks)
        if max(ranks) > count or sum(ranks) - count > count * (count - 1) // 2:
            told = ", ".join(map(str, sorted(ranks)))
            yield f"a ranking of {count} on {suite!r} cannot have the ranks {told}"
