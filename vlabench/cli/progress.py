"""The progress that a command shows on its terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

from vlabench.naming import one_line

if TYPE_CHECKING:
    from vlabench.runner.live import LiveView
    from vlabench.runner.progress import Lines

_LINES = 10
"""Most plain lines of something that is counted."""


def shown_progress(quiet: bool, title: str = "", *, err: bool = False) -> LiveView | Lines:
    """A view that is drawn anew on a terminal; plain lines elsewhere, or if it is to be quiet.

    Args:
        quiet: Plain lines.
        title: What is running.
        err: Leave the standard output alone.
    """
    from vlabench.runner.progress import Lines

    shown_on = sys.stderr if err else sys.stdout
    if quiet or not shown_on.isatty():
        return Lines(partial(typer.echo, err=err))
    from rich.console import Console

    from vlabench.runner.live import LiveView

    return LiveView(Console(stderr=err, highlight=False), one_line(title))


@contextmanager
def counted(what: str, total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """Shows how many of `total` things are done; what is yielded counts one more.

    A bar with the remaining time on a terminal, at most `_LINES` plain lines elsewhere.
    """
    if quiet or not sys.stdout.isatty():
        done = 0

        def count() -> None:
            nonlocal done
            before, done = _LINES * done // total, done + 1
            if _LINES * done // total > before:
                typer.echo(f"{done}/{total} {what}")

        yield count
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
