"""``vlabench compare``: is the new policy worse than the base?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlabench.cli.verdicts import FORMAT_HELP


def compare_command(
    base: Annotated[
        Path, typer.Argument(metavar="BASE", help="A run's folder, or a promoted baseline.")
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The run in question, likewise.")],
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit with 1 if it is worse.")
    ] = False,
    require_noninferiority: Annotated[
        bool,
        typer.Option(
            "--require-noninferiority",
            help="Exit with 1 if it is worse, and with 3 if it is not shown to be no worse.",
        ),
    ] = False,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Share of false alarms that is allowed, one-sided: 0.05; of a sequential check "
            "its own.",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Drop of the success rate that still counts as no worse: 0.05; of a sequential "
            "check its own.",
        ),
    ] = None,
    min_effect: Annotated[
        float | None,
        typer.Option(
            help="A regression that is shown to be smaller is a warning; by default the margin."
        ),
    ] = None,
    allow_unpaired: Annotated[
        bool,
        typer.Option("--allow-unpaired", help="Compare rates where episodes or worlds differ."),
    ] = False,
    by: Annotated[
        str, typer.Option(metavar="axis,task", help="Which tables to show; none: no table.")
    ] = "axis,task",
    form: Annotated[
        list[str] | None, typer.Option("--format", metavar="FORMAT[=FILE]", help=FORMAT_HELP)
    ] = None,
) -> None:
    """Compare two runs of the same episodes, pair by pair."""
    from vlabench.cli.verdicts import annotated, parse_by, parse_forms, show
    from vlabench.comparison import compare, exit_code

    forms, tables = parse_forms(form or []), parse_by(by)
    with annotated(forms):
        comparison = compare(
            base,
            new,
            alpha=alpha,
            margin=margin,
            min_effect=min_effect,
            allow_unpaired=allow_unpaired,
        )
    code = exit_code(
        comparison,
        fail_on_regression=fail_on_regression,
        require_noninferiority=require_noninferiority,
    )
    show(comparison.by(tables), forms, code)
    raise typer.Exit(code)
