"""The progress that a command shows on its terminal."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vlabench.runner.progress import Bar, Lines


def shown_progress(quiet: bool, *, err: bool = False) -> Bar | Lines:
    """A bar on a terminal; plain lines elsewhere, or if it is to be quiet.

    Args:
        quiet: No bar.
        err: Leave the standard output alone.
    """
    from vlabench.runner.progress import Bar, Lines

    shown_on = sys.stderr if err else sys.stdout
    return Bar() if shown_on.isatty() and not quiet else Lines(partial(typer.echo, err=err))
