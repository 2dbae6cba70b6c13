"""``vlabench replay``: simulate an episode again from its actions, and verify it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vlabench.replaying import Replay
    from vlabench.types import EpisodeRecord

LEFT = 1
"""Exit code of a replay that does not come out as the run says."""


def replay_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="Name of one of its episodes.")],
) -> None:
    """Simulate an episode again from its actions, and verify that it comes out the same."""
    from vlabench.replaying import replay
    from vlabench.store import Run

    result = replay(Run.open(run), episode)
    for line in _told(result.record):
        typer.echo(_printable(line))
    typer.echo(_found(result))
    if not result.verified:
        raise typer.Exit(LEFT)


def _told(record: EpisodeRecord) -> list[str]:
    """What the run says of the episode."""
    changes = " + ".join(str(change) for change in record.changes) or "unchanged"
    stages = ", ".join(
        f"{stage.name} {'at step ' + str(stage.step) if stage.success else 'not reached'}"
        for stage in record.stages
    )
    lines = [
        f"{record.episode_id}: {record.task}, {changes}, scene {record.index}",
        f"instruction: {record.instruction}",
        f"{record.status} after {record.steps} of {record.horizon} control steps: {stages}",
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
