"""Files that survive a kill and a power cut: whole ones by renaming, logs by appending lines.

What a function here has returned from is on the disk: the contents by ``fsync`` of the file, its
name by ``fsync`` of the folder (see "rename" and "fsync" in Pillai et al., *All File Systems Are
Not Created Equal*, OSDI 2014).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from vlabench.errors import UsageError
from vlabench.hashing import canonical_json
from vlabench.types import Json

_BLOCK = 1 << 16
"""Bytes that are looked through at a time for the end of a file's last whole line."""


_NOT_UNDERSTOOD = (
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)
"""What it raises to take values of one form for values of another."""


def write_json(path: Path, value: Json) -> None:
    """Writes `value` to `path`, all of it or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_lines(path, [text])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes `lines` to `path`, all of them or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    with whole_file(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which becomes `path` at the end, all of it or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    scratch = path.with_suffix(".tmp")
    scratch.unlink(missing_ok=True)  # it may be a link that somebody has put there
    try:
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink()  # a full disk has no room for it
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Returns when it is on disk which files are in the folder `path`.

    Raises:
        OSError: If the disk fails; a file system that knows no such thing is left alone.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def read_json(path: Path) -> Json:
    """The value in the file `path`.

    Raises:
        UsageError: If it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"Cannot read {path} ({error}); start over with --fresh.") from error


def append_line(path: Path, row: Mapping[str, Json]) -> None:
    """Adds one line, all of it or nothing, and returns when it is on disk.

    Raises:
        OSError: If the disk is full or the file cannot be written; earlier lines are untouched.
    """
    left = memoryview(f"{canonical_json(row)}\n".encode())
    with path.open("ab", buffering=0) as file:  # a buffer would write its rest when it is closed
        before = file.tell()
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, before)
            raise


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The number and the bytes of each line that was written whole; none if there is no file.

    Raises:
        UsageError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield number, line
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"Cannot read {path} ({error.strerror or error}); check it.") from error


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Json]]]:
    """The number and value of each line that was written whole; none if there is no file.

    Raises:
        UsageError: If a line that was written whole is no JSON.
    """
    for number, line in whole_lines(path):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            raise no_json(f"{path}:{number}") from None


def no_json(place: str) -> UsageError:
    """What to say of a line that was written whole and cannot be read."""
    return UsageError(
        f"{place}: this line is no JSON; the file is damaged, delete the line and run the same "
        "command again."
    )


def file_sha256(path: Path) -> str:
    """The SHA-256 of what is in the file; of nothing if there is none.

    Raises:
        OSError: If it cannot be read.
    """
    if not path.exists():
        return hashlib.sha256().hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_torn_line(path: Path) -> None:
    """Cuts what follows the last line that was written whole.

    So are last lines with zeros in them: after a power cut some file systems know how long a file
    was and not what was in it, and JSON has no zeros.

    Raises:
        OSError: If the file cannot be written.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        whole = _end_of_whole_lines(file, end)
        while whole > 0:
            start = _end_of_whole_lines(file, whole - 1)
            file.seek(start)
            if b"\0" not in file.read(whole - start):
                break
            whole = start
        if whole < end:
            file.truncate(whole)


def _end_of_whole_lines(file: IO[bytes], end: int) -> int:
    """Where the last line that was written whole ends, looked for from the end backwards."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


@contextlib.contextmanager
def understanding(where: str) -> Iterator[None]:
    """Turns a lack of fields, or fields of another form, into a sentence about the file.

    Raises:
        UsageError: If what is done inside cannot make sense of what was read.
    """
    try:
        yield
    except _NOT_UNDERSTOOD as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{where} is not what this version of vlabench writes ({reason}); read it with the "
            "version that wrote it, or run again."
        ) from error
