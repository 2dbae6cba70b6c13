"""``vlabench replay``: simulate an episode again from its actions, verify it, and film it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vlabench.film import Style
    from vlabench.replaying import Replay
    from vlabench.store import Run
    from vlabench.types import EpisodeRecord

LEFT = 1
"""Exit code of a replay that does not come out as the run says."""


def replay_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="Name of one of its episodes.")],
    video: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the film goes; RUN/videos/EPISODE.mp4 by default."
        ),
    ] = None,
    no_video: Annotated[
        bool, typer.Option("--no-video", help="Verify, and make no film; needs no OpenGL.")
    ] = False,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", help="Height of the film's main view.")
    ] = 480,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE",
            help="A camera such as exterior/0 or wrist/0, or 'policy' for what the policy saw; the "
            "first one is the large one. By default a frontal view beside what the policy saw.",
        ),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Show it in a window instead, in real time.")
    ] = False,
) -> None:
    """Simulate an episode again from its actions, verify that it comes out alike, and film it."""
    from vlabench.film import Style
    from vlabench.replaying import replay
    from vlabench.store import Run, refuse_run_file

    style = Style(size, tuple(camera or ()))
    style.check()
    if video is not None:
        refuse_run_file(video)
    opened = Run.open(run)
    if interactive:
        result = _shown(opened, episode)
    elif no_video:
        result = replay(opened, episode)
    else:
        result = _filmed(opened, episode, style, video)
    for line in _told(result.record):
        typer.echo(_printable(line))
    typer.echo(_printable(_found(result)))
    if not result.verified:
        raise typer.Exit(LEFT)


def _filmed(run: Run, episode: str, style: Style, video: Path | None) -> Replay:
    from vlabench.film import film_one
    from vlabench.film.archive import film_of

    footage = film_one(run, episode, style=style, path=video)
    typer.echo(f"film: {film_of(run, episode) if video is None else video}")
    if footage.note:
        typer.echo(_printable(footage.note), err=True)
    return footage.replay


def _shown(run: Run, episode: str) -> Replay:
    """Plays the episode in a window at the rate at which it was simulated."""
    from vlabench.film.window import replay_in_window

    return replay_in_window(run, episode)


def _told(record: EpisodeRecord) -> list[str]:
    """What the run says of the episode."""
    changes = " + ".join(str(change) for change in record.changes) or "unchanged"
    stages = ", ".join(
        f"{stage.name} {'at step ' + str(stage.step) if stage.success else 'not reached'}"
        for stage in record.stages
    )
    why = "" if record.failure is None else f" ({record.failure.replace('_', ' ')})"
    lines = [
        f"{record.episode_id}: {record.task}, {changes}, scene {record.index}",
        f"instruction: {record.instruction}",
        f"{record.status}{why} after {record.steps} of {record.horizon} control steps: {stages}",
    ]
    return lines if record.error is None else [*lines, f"error: {record.error}"]


def _found(result: Replay) -> str:
    if result.verified:
        return f"Verified: {result.steps} control steps lead to the same states again."
    if result.left_at is None:
        return f"NOT VERIFIED: {'; '.join(result.faults)}."
    where = "it begins otherwise" if result.left_at == 0 else f"left at step {result.left_at}"
    return f"NOT VERIFIED: {'; '.join([where, *result.faults])}."


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)
