"""JSON on disk that survives a kill: whole files by renaming, logs by appending whole lines."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from vlabench.errors import UsageError
from vlabench.hashing import canonical_json
from vlabench.types import Json


def write_json(path: Path, value: Json) -> None:
    """Writes `value` to `path`, all of it or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    scratch = path.with_suffix(".tmp")
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def read_json(path: Path) -> Json:
    """The value in the file `path`.

    Raises:
        UsageError: If it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path} ({error}); start over with --fresh.") from error


def append_line(path: Path, row: Mapping[str, Json]) -> None:
    """Adds one line, all of it or nothing, and returns when it is on disk.

    Raises:
        OSError: If the disk is full or the file cannot be written; earlier lines are untouched.
    """
    with path.open("ab") as file:
        before = file.tell()
        try:
            file.write(f"{canonical_json(row)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, before)
            raise


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Json]]]:
    """The number and value of each line that was written whole; none if there is no file.

    Raises:
        UsageError: If a line that was written whole is no JSON.
    """
    data = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(data[: _whole(data)].splitlines(), start=1):
        try:
            yield number, json.loads(line)
        except ValueError:
            raise UsageError(
                f"{path}:{number}: this line is no JSON; the file is damaged, delete the line "
                "and run the same command again."
            ) from None


def drop_torn_line(path: Path) -> None:
    """Cuts what follows the last line that was written whole.

    Raises:
        OSError: If the file cannot be written.
    """
    data = path.read_bytes() if path.exists() else b""
    if _whole(data) < len(data):
        os.truncate(path, _whole(data))


def _whole(data: bytes) -> int:
    return data.rfind(b"\n") + 1


@contextlib.contextmanager
def understanding(where: str) -> Iterator[None]:
    """Turns a lack of fields, or fields of another form, into a sentence about the file.

    Raises:
        UsageError: If what is done inside cannot make sense of what was read.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{where} is not what this version of vlabench writes ({reason}); read it with the "
            "version that wrote it, or run again."
        ) from error
