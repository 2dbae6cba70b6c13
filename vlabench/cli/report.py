"""``vlabench report``: what runs came to, as pages that open from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folders of runs; of several, the first is the base that the others are compared "
            "with.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder; by default 'report' in the run's own, and results/reports/... of "
            "several."
        ),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write every figure as PDF and PNG too, for papers.")
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write the report of one run, or of several beside each other."""
    from vlabench.pages import default_folder, write_report
    from vlabench.store import Run

    opened = [Run.open(path) for path in runs]
    folder = default_folder(opened) if out is None else out
    page = write_report(opened, folder, figures=figures)
    typer.echo(f"Written to {folder}; open {page} in a browser.")
    if open_it:
        typer.launch(page.resolve().as_uri())
