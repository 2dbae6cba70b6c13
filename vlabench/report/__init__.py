"""Tables and pictures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlabench.errors import UsageError
from vlabench.folders import check_inside
from vlabench.naming import no_formula
from vlabench.report.plots import plot
from vlabench.report.summarize import summarize, summarize_results
from vlabench.report.summary import Chain, Gap, Header, Rate, Roughness, Row, Summary
from vlabench.report.tables import markdown, stages_frame, text, to_frame
from vlabench.store import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Chain",
    "Gap",
    "Header",
    "Rate",
    "Roughness",
    "Row",
    "Summary",
    "markdown",
    "plot",
    "stages_frame",
    "summarize",
    "summarize_results",
    "text",
    "to_frame",
    "write",
]


def write(run: Run) -> list[Path]:
    """Writes the tables and the plot into the run's folder, over older ones.

    Returns:
        The files: ``tables/summary.txt``, ``.md`` and ``.csv``, ``tables/stages.csv`` where tasks
        have several, and ``plots/generalization.png``.

    Raises:
        UsageError: If the disk is full or the folder cannot be written.
    """
    summary = summarize(run)
    tables, picture = run.path / "tables", run.path / "plots" / "generalization.png"
    contents = {
        tables / "summary.txt": text(summary),
        tables / "summary.md": markdown(summary),
        tables / "summary.csv": _csv(to_frame(summary)),
    }
    if summary.chains:
        contents[tables / "stages.csv"] = _csv(stages_frame(summary))
    try:
        tables.mkdir(exist_ok=True)
        for path in (*contents, picture):
            check_inside(run.path, path)
        for path, content in contents.items():
            path.write_text(content, encoding="utf-8")
        plot(summary, picture)
    except OSError as error:
        raise UsageError(
            f"Cannot write the tables of {run.path} ({error.strerror or error}); free some space, "
            "or make the folder writable: the episodes are kept."
        ) from error
    return [*contents, picture]


def _csv(frame: pd.DataFrame) -> str:
    """The text of a file in which no name of a suite, task or policy is a formula."""
    plain = frame.map(lambda cell: no_formula(cell) if isinstance(cell, str) else cell)
    text: str = plain.to_csv(index=False, lineterminator="\n")
    return text
