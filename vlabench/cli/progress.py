"""The progress that a command shows on its terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vlabench.runner.progress import Bar, Lines


def shown_progress(quiet: bool) -> Bar | Lines:
    """A bar on a terminal; plain lines elsewhere, or if it is to be quiet."""
    from vlabench.runner.progress import Bar, Lines

    return Bar() if sys.stdout.isatty() and not quiet else Lines(typer.echo)
