"""Films that are made after a run, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from vlabench.cli.progress import counted
from vlabench.errors import UsageError, VlabenchError, in_one_line
from vlabench.naming import one_line

if TYPE_CHECKING:
    from vlabench.film import Filed
    from vlabench.film.archive import Choice
    from vlabench.runner.job import RunnerOptions
    from vlabench.store import Run

MOST_TOLD = 3
"""So many films that went wrong are told one by one."""

Video: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="failures|all|none",
        help="Film these episodes after the run, by replaying them: RUN/videos/EPISODE.mp4.",
    ),
]


def parse_video(text: str) -> Choice:
    """The value of ``--video``.

    Raises:
        UsageError: If it is none of the choices.
    """
    from vlabench.film.archive import CHOICES

    if text not in CHOICES:
        raise UsageError(f"--video is {text!r}; give {', '.join(CHOICES[:-1])} or {CHOICES[-1]}.")
    return text


def film_after(
    run: Run, choice: Choice, runner: str, options: RunnerOptions, *, quiet: bool
) -> None:
    """Films episodes of a run that is over, and says so; what goes wrong costs films alone."""
    from vlabench.film import chosen

    names = chosen(run, choice)
    if names:
        film_names(run, names, runner, options, quiet=quiet)
    elif choice != "none":
        typer.echo("nothing to film")


def film_names(
    run: Run, names: Sequence[str], runner: str, options: RunnerOptions, *, quiet: bool
) -> None:
    """Films these episodes, and says so; what goes wrong costs films alone."""
    from vlabench.film import film

    try:
        with counted("films", len(names), quiet) as count:
            films = film(run, names, runner=runner, options=options, filed=lambda filed: count())
    except Exception as error:  # noqa: BLE001  (the run is over, and no film may cost it)
        reason = str(error) if isinstance(error, VlabenchError) else in_one_line(error)
        typer.echo(one_line(f"The run is kept, but not all was filmed: {reason}"), err=True)
        return
    except KeyboardInterrupt:
        typer.echo(f"Stopped filming; the run and its films are kept in {run.path}.", err=True)
        return
    _tell(run, films)


def _tell(run: Run, films: list[Filed]) -> None:
    there = [film for film in films if not film.error]
    typer.echo(one_line(f"{len(there)} films in {run.path / 'videos'}"))
    trouble = [
        *(f"{film.episode_id} was not filmed: {film.error}" for film in films if film.error),
        *(
            f"{film.episode_id} does not replay as its record says"
            for film in there
            if not film.verified
        ),
        *dict.fromkeys(film.note for film in there if film.note),
    ]
    for line in trouble[:MOST_TOLD]:
        typer.echo(one_line(line), err=True)
    if len(trouble) > MOST_TOLD:
        typer.echo(f"and {len(trouble) - MOST_TOLD} more like these", err=True)
