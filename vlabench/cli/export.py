"""``vlabench export``: a run as Parquet, CSV, or Hugging Face's evaluation results."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vlabench.errors import UsageError


class Form(StrEnum):
    """What others read."""

    PARQUET = "parquet"
    CSV = "csv"
    HF = "hf"


def export_command(
    run: Annotated[Path, typer.Argument(help="The run's folder.", metavar="RUN")],
    form: Annotated[
        Form,
        typer.Option(
            "--format", help="A table of the episodes, or the .eval_results YAML of Hugging Face."
        ),
    ] = Form.PARQUET,
    out: Annotated[
        Path | None, typer.Option(help="The file; in the run's folder by default.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="hf: the dataset that holds the leaderboard."),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option(help="hf: which of its tasks; the suite by default.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="URL", help="hf: what shows the result.")
    ] = None,
) -> None:
    """Write a run in a format that others read."""
    from vlabench.export import Benchmark, export_episodes, export_to_hub
    from vlabench.naming import file_name
    from vlabench.store import Run

    opened = Run.open(run)
    if form is not Form.HF:
        _refuse_hub_options(dataset, task_id, source)
        path = out or run / "tables" / f"episodes.{form}"
        _check_own(run, path, out)
        export_episodes(opened, path, "csv" if form is Form.CSV else "parquet")
        needed, missing = len(opened.needed), len(opened.missing)
        typer.echo(f"{needed} episodes, {missing} of them missing, written to {path}")
        return
    if dataset is None:
        raise UsageError(
            "--format hf needs --dataset OWNER/NAME, the dataset on the Hugging Face Hub that "
            "holds the leaderboard; give it."
        )
    path = out or run / "tables" / "eval_results" / f"{file_name(opened.info.suite, 'suite')}.yaml"
    _check_own(run, path, out)
    export_to_hub(opened, path, Benchmark(dataset, task_id, source))
    typer.echo(f"Written to {path}; it belongs into .eval_results/ of the model's repository.")


def _check_own(run: Path, path: Path, out: Path | None) -> None:
    """What goes into the run's own folder leads nowhere else."""
    from vlabench.folders import check_inside

    if out is None:
        check_inside(run, path)


def _refuse_hub_options(*given: str | None) -> None:
    if any(option is not None for option in given):
        raise UsageError("--dataset, --task-id and --source belong to --format hf; leave them out.")
