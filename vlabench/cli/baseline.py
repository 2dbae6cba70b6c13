"""``vlabench baseline promote``: a compact baseline to commit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def baseline_command(
    action: Annotated[Literal["promote"], typer.Argument(help="promote.", metavar="promote")],
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[
        Path | None, typer.Option(help="The file; results/baselines/POLICY-SUITE.json by default.")
    ] = None,
) -> None:
    """Write what a run came to into one small file, to be committed and reviewed like code."""
    from vlabench.baseline import changes_to, default_path, promote
    from vlabench.naming import one_line
    from vlabench.store import Run

    opened = Run.open(run)
    path = default_path(opened.info) if out is None else out
    told = changes_to(path, opened)
    promote(opened, path)
    typer.echo(one_line(f"promoted {opened.info.policy.label} on {opened.info.suite}: {told}"))
    if opened.info.git is not None and opened.info.git.dirty:
        typer.echo("Its checkout had changes that are in no commit: nobody else has that code.")
    typer.echo(
        one_line(f"Written to {path}; commit it, and compare with 'vlabench compare {path} RUN'.")
    )
