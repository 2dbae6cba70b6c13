"""Folders that somebody else made: nothing is written through a link that leads out of them.

A run's folder comes in an archive or a repository, which can hold links. Whoever has made
``report/index.html`` a link to a file of the user's would otherwise have it overwritten by the
next report.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vlabench.errors import UsageError


def check_inside(folder: Path, path: Path) -> None:
    """Refuses to write to `path` if a link on its way leads out of `folder`.

    A link in the place of the file itself is taken away, since what it leads to is not what is to
    be written over.

    Raises:
        UsageError: If one does.
    """
    inside = folder.resolve()
    if not path.parent.resolve().is_relative_to(inside):
        raise UsageError(
            f"{path} leads out of {folder} by a link, and nothing is written there; take the link "
            "away, or give another place."
        )
    if path.is_symlink():
        path.unlink()


def check_no_links(folder: Path, names: Iterable[str]) -> None:
    """Refuses a folder in which one of `names` is a link that leads out of it.

    Raises:
        UsageError: If one is.
    """
    inside = folder.resolve()
    for name in sorted(names):
        place = folder / name
        if place.is_symlink() and not place.resolve().is_relative_to(inside):
            raise UsageError(
                f"{place} is a link that leads out of the run's folder, and nothing is written "
                "there; put what it leads to in its place."
            )
