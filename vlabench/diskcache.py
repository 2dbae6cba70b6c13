"""A folder for what is slow to make and the same every time; it may be deleted whenever you like.

It is ``vlabench`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``; see the XDG
Base Directory Specification), or what ``VLABENCH_CACHE_DIR`` names; set to nothing, that variable
switches the cache off. A key says everything that an entry depends on, so no entry is ever wrong,
only unused. Whatever goes wrong with the folder (it is full, read-only, another user's) costs time
and nothing else: `read` finds nothing, and `write` writes nothing. Neither trusts a folder or a
file in which anybody but this user, or root, could have written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path

VARIABLE = "VLABENCH_CACHE_DIR"

_FORGOTTEN_SECONDS = 3600
"""No writer takes so long: what is older was left by one that was killed."""

_SUM_BYTES = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Where entries are kept; None where there is no such place, or it is switched off."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        try:
            return Path(chosen).expanduser().absolute() if chosen else None
        except RuntimeError:  # "~somebody", who is not here
            return None
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification says to ignore a relative one
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # this user has no home
            return None
    return base / "vlabench"


def read(key: str) -> bytes | None:
    """What was written under `key`; None if nothing was, or if it is damaged or another user's."""
    place = folder()
    if place is None:
        return None
    try:
        with open(place / key, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not (_is_ours(place.stat()) and _is_ours(found) and stat.S_ISREG(found.st_mode)):
                return None
            checksum, data = file.read(_SUM_BYTES), file.read()
    except OSError:
        return None
    return data if hashlib.sha256(data).digest() == checksum else None


def write(key: str, data: bytes) -> None:
    """Keeps `data` under `key`: all of it, or nothing if that is not possible or `read` refuses it.

    Several processes may write the same key at once; each renames a file of its own.
    """
    place = folder()
    if place is None:
        return
    scratch = None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(place.stat()):
            return
        _sweep(place)
        with tempfile.NamedTemporaryFile(dir=place, suffix=".tmp", delete=False) as file:
            scratch = Path(file.name)
            file.write(hashlib.sha256(data).digest())
            file.write(data)
        scratch.replace(place / key)
    except OSError:
        if scratch is not None:
            with contextlib.suppress(OSError):
                scratch.unlink()


def size() -> int:
    """Bytes of all that is kept."""
    place, total = folder(), 0
    with contextlib.suppress(OSError):
        total = sum(path.stat().st_size for path in place.iterdir()) if place else 0
    return total


def works() -> bool:
    """Whether something that is written now can be read."""
    key, place = f"works-{os.getpid()}", folder()
    write(key, b"yes")
    found = read(key) == b"yes"
    if place is not None:
        with contextlib.suppress(OSError):
            (place / key).unlink()
    return found


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to at once, so that it can be looked at and refused."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _sweep(place: Path) -> None:
    """Deletes what writers that were killed have left behind."""
    for path in place.glob("*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _FORGOTTEN_SECONDS:
                path.unlink()


def _is_ours(found: os.stat_result) -> bool:
    """Whether nobody but this user, or root, can have written there."""
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not others and found.st_uid in (os.geteuid(), 0)
