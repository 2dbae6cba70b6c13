"""Ctrl-C, SIGTERM, SIGHUP: the first ends a run in good order, the second the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer

from vlabench.errors import UsageError

if TYPE_CHECKING:
    from vlabench.evaluation import Plan

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; after SIGTERM too, for the run is as well off."""

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def resumable(planned: Plan) -> Iterator[None]:
    """Ctrl-C, SIGTERM or SIGHUP inside ends the command with a word about how to go on."""
    here = _listened_to() if threading.current_thread() is threading.main_thread() else ()
    before = [signal.signal(number, _stop) for number in here]
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(_summary(planned), err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in zip(here, before, strict=True):
            signal.signal(number, handler)


def _listened_to() -> tuple[signal.Signals, ...]:
    """Those that nobody ignores: ``nohup`` has SIGHUP ignored."""
    return tuple(each for each in _STOPPING if signal.getsignal(each) != signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Whoever asks a second time wants no good order: what is on disk is safe anyway."""
    for each in _listened_to():
        signal.signal(each, signal.SIG_DFL)
    raise KeyboardInterrupt


def _summary(planned: Plan) -> str:
    """What is there, and how to go on."""
    from vlabench.store import Run

    kept = "what has finished is"
    with suppress(UsageError):
        info = Run.open(planned.folder).info
        kept = f"{info.completed} of {info.planned} episodes are"
    return f"Stopped: {kept} kept in {planned.folder}, and the same command resumes."
