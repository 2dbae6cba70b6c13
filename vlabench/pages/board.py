"""The leaderboard as a page, with a link to the report of every run that is at hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlabench.figures import svg
from vlabench.figures.scene import Box, Dot, Line, Scene
from vlabench.leaderboard import Leaderboard
from vlabench.leaderboard.columns import RANKING
from vlabench.naming import file_name
from vlabench.pages.report import write_report
from vlabench.pages.site import Site
from vlabench.report.form import NO_DATA, percent
from vlabench.store import Run

if TYPE_CHECKING:
    from markupsafe import Markup

RUNS = "runs"
"""The folder of the reports, below the board's own."""

BAR = 140.0


def write_board(board: Leaderboard, folder: Path, runs: Sequence[Run] = ()) -> Path:
    """Writes the page, and the report of each of `runs` below it.

    Reports of other runs that are there already stay, and stay linked.

    Returns:
        The page to open.

    Raises:
        UsageError: If the folder holds something else, or cannot be written.
    """
    site = Site(folder, "leaderboard")
    for run in runs:
        write_report([run], folder / RUNS / _folder(run.info.run_id))
    rankings = list(_rankings(board, folder))
    return site.page(
        "index.html",
        "board.html",
        title="Leaderboard",
        rankings=rankings,
        suites=sorted({ranking.suite for ranking in rankings}),
        provenances=sorted({row.get("provenance", "") for row in board.rows} - {""}),
        count=len(board.rows),
    )


@dataclass(frozen=True)
class Entry:
    """A row of the board: its cells as they are shown, and what they are sorted by."""

    cells: Mapping[str, str]
    marks: Sequence[tuple[str, str]]
    bar: Markup | str
    report: str
    axes: Mapping[str, str]

    def text(self, name: str) -> str:
        """A cell of the file."""
        return self.cells.get(name, "") or ""

    def share(self, name: str) -> str:
        """A cell in percent."""
        value = _value(self.text(name))
        return NO_DATA if value is None else percent(value)

    def number(self, name: str, digits: int = 1) -> str:
        """A number with so many digits."""
        value = _value(self.text(name))
        return NO_DATA if value is None else f"{value:.{digits}f}"

    @property
    def words(self) -> str:
        """What a search looks in."""
        return " ".join(self.text(n) for n in ("policy", "checkpoint", "submitter", "run_id"))


@dataclass(frozen=True)
class Ranking:
    """Rows whose ranks are of one kind: the same episodes in the same world."""

    suite: str
    facts: str
    entries: Sequence[Entry]
    axes: Sequence[str]


def _rankings(board: Leaderboard, folder: Path) -> Iterator[Ranking]:
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in board.rows:
        groups.setdefault(tuple(row.get(name, "") for name in RANKING), []).append(row)
    for rows in groups.values():
        first = rows[0]
        axes = list(_axes(rows))
        told = [f"manifest {first['manifest_hash']}", f"world {first['env_fingerprint']}"]
        latency = first.get("latency_setting_ms")
        told += [f"latency {latency}"] if latency else []
        yield Ranking(
            f"{first['suite']} v{first['suite_version']}",
            ", ".join(told),
            [_entry(row, axes, folder) for row in rows],
            axes,
        )


def _entry(row: Mapping[str, str], axes: Sequence[str], folder: Path) -> Entry:
    name = _folder(row.get("run_id", ""))
    there = (folder / RUNS / name / "index.html").is_file()
    return Entry(
        cells=row,
        marks=list(_marks(row)),
        bar=_bar(row),
        report=f"{RUNS}/{name}/index.html" if there else "",
        axes={axis: row.get(f"success_rate_{axis}", "") for axis in axes},
    )


def _axes(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Axes that some row has a rate for."""
    prefix = "success_rate_"
    for name in rows[0]:
        axis = name.removeprefix(prefix)
        if name.startswith(prefix) and axis != "nominal" and any(row.get(name) for row in rows):
            yield axis


def _marks(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What must be known of a row before it is compared with others."""
    if row.get("privileged") == "true":
        yield "privileged", ""
    if row.get("certified") == "false":
        yield "uncertified", "bad"
    if row.get("complete") == "false":
        yield "partial", "bad"
    if row.get("latency_setting_ms") == "measured":
        yield "measured latency", "bad"
    if row.get("allow_mismatch"):
        yield "mismatch allowed", "bad"
    if row.get("trained_on"):
        yield f"trained on: {row['trained_on']}", ""
    if row.get("weight_type"):
        yield row["weight_type"], ""


def _bar(row: Mapping[str, str]) -> Markup | str:
    """The success rate with its interval, along a line from 0 to 1."""
    from markupsafe import Markup

    rate, low, high = (_value(row.get(n, "")) for n in ("success_rate", "ci_low", "ci_high"))
    if rate is None or low is None or high is None:
        return ""
    scene = Scene(BAR + 12, 20)
    ends = ((6 + BAR * low, 10.0), (6 + BAR * high, 10.0))
    scene.add(Box(6, 9, BAR, 2, "grid"), Line(ends, "before", 4))
    scene.add(Dot(6 + BAR * rate, 10, "before", radius=5))
    label = f"{percent(rate)} %, 95 % interval {percent(low)} to {percent(high)}"
    return Markup(svg(scene, label))  # noqa: S704 - svg() escapes all text


def _folder(run_id: str) -> str:
    return file_name(run_id, "run")


def _value(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
