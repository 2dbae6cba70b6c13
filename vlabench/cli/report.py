"""``vlabench report``: what runs came to, as pages that open from disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlabench.cli import options
from vlabench.cli.films import film_names, parse_video
from vlabench.errors import UsageError, VlabenchError

if TYPE_CHECKING:
    from vlabench.film.archive import Choice
    from vlabench.store import Run


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
    video: Annotated[
        str,
        typer.Option(
            metavar="failures|all|none",
            help="Film these episodes first, with their unchanged twins and, of several runs, what "
            "only one of two solved. Films that are there are shown anyway.",
        ),
    ] = "none",
    limit_videos: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most so many of each kind, from the first."),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Write every figure as PDF and PNG too, for papers.")
    ] = False,
    workers: options.Workers = None,
    runner: options.Runner = "ray",
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the report of one run, or of several beside each other."""
    from vlabench.pages import default_folder, write_report
    from vlabench.runner.job import RunnerOptions
    from vlabench.store import Run

    choice = parse_video(video)
    opened = [Run.open(path) for path in runs]
    folder = default_folder(opened) if out is None else out
    check(opened, folder)
    for run, names in zip(opened, wanted(opened, choice, limit_videos), strict=True):
        if names:
            film_names(run, names, runner, RunnerOptions(workers), quiet=quiet)
    page = write_report(opened, folder, figures=figures)
    typer.echo(f"Written to {folder}; open {page} in a browser.")
    if open_it:
        typer.launch(page.resolve().as_uri())


def check(runs: Sequence[Run], folder: Path) -> None:
    """Refuses, before the first film is begun, what no report can be made of.

    Raises:
        UsageError: If a run is given twice or cannot be read, or the folder holds something else.
    """
    from vlabench.pages.site import check_folder

    names = [run.info.run_id for run in runs]
    for run in runs:
        if names.count(run.info.run_id) > 1:
            raise UsageError(f"The run {run.info.run_id!r} is given twice; give each run once.")
        _ = run.records
    check_folder(folder, "report")


def wanted(runs: Sequence[Run], choice: Choice, limit: int | None) -> list[list[str]]:
    """What of each run is to be filmed: what was chosen, the twins of that, and what flipped."""
    from vlabench.film import chosen

    wanted = []
    for run in runs:
        names = chosen(run, choice, limit)
        rows, episodes = run.index.rows, run.index.episodes
        twins = [episodes[rows[name]].control_id for name in names]
        wanted.append([*names, *(twin for twin in twins if twin is not None)])
    if choice != "none":
        for number, run in enumerate(runs[1:], start=1):
            flips = _flips(runs[0], run)[:limit]
            wanted[0] += flips
            wanted[number] += flips
    ran = [{result.episode_id for result in run.results} for run in runs]
    return [
        [name for name in dict.fromkeys(names) if name in there]
        for names, there in zip(wanted, ran, strict=True)
    ]


def _flips(base: Run, new: Run) -> list[str]:
    """Episodes that only one of the two solved; none where they are not comparable."""
    from vlabench.comparison import compare

    try:
        return [flip.episode_id for flip in compare(base, new).flips]
    except VlabenchError:
        return []
