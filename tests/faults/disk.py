"""A disk that a process can be killed at, and that a power cut can rob of what was not synced.

`Disk.watch` puts itself between this process and the operating system: every write is done in two
halves, and before, between and after them, and before and after whatever else changes a folder, is
a *point*. At the point number `at` the process is killed with SIGKILL, after the disk has done what
`cut` says to everything that was not synced:

``kill``
    nothing: a killed process loses none of what the operating system has been given;
``lost``
    files end where they ended when they were last synced, and names that were made, renamed or
    deleted since their folder was last synced are as they were before;
``zeros``
    the same, but files are as long as they were, with zeros instead of what was not synced: what
    file systems do that note the length before the data;
``full``, ``failing``
    the process goes on, and from this point on nothing can be written: the disk is full, or has
    become read-only after an error, as ext4 does.

So that every point can be tried, this is for a child made by `os.fork`: see `ending`.
"""

# pathlib is among what is watched
# ruff: noqa: PTH100, PTH110, PTH112, PTH115, PTH120, PTH202

from __future__ import annotations

import errno
import io
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vlabench.errors import UsageError

Cut = Literal["kill", "lost", "zeros", "full", "failing"]
_REFUSALS = {"full": errno.ENOSPC, "failing": errno.EROFS}
_OPEN, _FSYNC, _REPLACE = io.open, os.fsync, os.replace
_UNLINK, _MKDIR, _OS_OPEN = os.unlink, os.mkdir, os.open


@dataclass
class Disk:
    """What has been written below `root` and is not synced."""

    root: Path
    at: int
    cut: Cut = "kill"
    points: int = field(default=0, init=False)
    _sizes: dict[str, int] = field(default_factory=dict, init=False)
    _before: dict[str, bytes | None] = field(default_factory=dict, init=False)

    def point(self) -> None:
        """Ends the process here if this is the point that was asked for."""
        self.points += 1
        if self.points < self.at:
            return
        if self.cut in _REFUSALS:
            code = _REFUSALS[self.cut]
            raise OSError(code, os.strerror(code))
        if self.cut != "kill":
            self._lose()
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Stands between this process and the operating system from now on."""
        io.open = self._open  # what pathlib opens files with
        os.fsync, os.replace, os.unlink = self._fsync, self._replace, self._unlink
        os.mkdir, os.open = self._mkdir, self._os_open

    def _ours(self, path: Any) -> str | None:
        text = os.path.abspath(os.fspath(path)) if not isinstance(path, int) else ""
        return text if text.startswith(str(self.root)) else None

    def _open(self, file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        path = self._ours(file)
        if path is None or path.endswith(".lock") or not set(mode) & set("wa+"):
            return _OPEN(file, mode, *rest, **named)
        assert "b" in mode, "only bytes are written to a run's folder"
        self._renamed(path, made=True)
        self._sizes.setdefault(path, os.path.getsize(path) if os.path.exists(path) else 0)
        if "w" in mode:
            self._sizes[path] = 0
        raw = _Torn(file, mode.replace("b", ""))
        raw.disk = self
        if named.get("buffering", rest[0] if rest else -1) == 0:
            return raw
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def _renamed(self, path: str, *, made: bool = False) -> None:
        """A name is about to be made, or to mean another file; one that is there is not made."""
        there = os.path.exists(path)
        if path not in self._before and not (made and there):
            self._before[path] = _OPEN(path, "rb").read() if there else None

    def _os_open(self, path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if self._ours(path) is not None and flags & os.O_CREAT:
            self._renamed(str(self._ours(path)), made=True)
            self.point()
        return _OS_OPEN(path, flags, *rest, **named)

    def _mkdir(self, path: Any, *rest: Any, **named: Any) -> None:
        self.point()
        _MKDIR(path, *rest, **named)
        self.point()

    def _fsync(self, descriptor: int) -> None:
        self.point()
        _FSYNC(descriptor)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if os.path.isdir(path):
            for name in [n for n in self._before if os.path.dirname(n) == path]:
                del self._before[name]
        else:
            self._sizes.pop(path, None)
        self.point()

    def _replace(self, source: Any, target: Any, **named: Any) -> None:
        self.point()
        one, other = self._ours(source), self._ours(target)
        if one and other:
            self._renamed(other)
            if one in self._sizes:
                self._sizes[other] = self._sizes.pop(one)
            else:
                self._sizes.pop(other, None)
        _REPLACE(source, target, **named)
        self.point()

    def _unlink(self, path: Any, **named: Any) -> None:
        self.point()
        ours = self._ours(path)
        if ours is not None and os.path.exists(ours):
            self._renamed(ours)
        _UNLINK(path, **named)
        self.point()

    def _lose(self) -> None:
        for path, content in self._before.items():
            if content is not None:
                if os.path.exists(path):
                    _UNLINK(path)
                with _OPEN(path, "wb") as file:
                    file.write(content)
            elif os.path.exists(path):
                _UNLINK(path)
        for path, size in self._sizes.items():
            if path not in self._before and os.path.exists(path):
                whole = os.path.getsize(path)
                os.truncate(path, min(size, whole))
                if self.cut == "zeros":
                    os.truncate(path, whole)


class _Torn(io.FileIO):
    """A file that is written in two halves."""

    disk: Disk

    def write(self, data: Any) -> int:
        whole = memoryview(data).cast("B")
        self.disk.point()
        half = super().write(whole[: len(whole) // 2])
        self.disk.point()
        rest = super().write(whole[half:])
        self.disk.point()
        return half + rest

    def truncate(self, size: int | None = None) -> int:
        self.disk.point()
        cut = super().truncate(size)
        self.disk.point()
        return cut


Ending = Literal["done", "killed", "refused"]


def ending(work: Callable[[], object], disk: Disk) -> Ending:
    """How a child ends that does `work` on that `disk`; ``refused`` is one clear sentence."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            disk.watch()
            work()
            code = 0
        except UsageError as error:
            said = str(error)
            code = 3 if "Cannot write to" in said and "\n" not in said else 2
        finally:
            if code == 2:
                traceback.print_exc()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return "killed"
    assert os.WEXITSTATUS(status) in (0, 3), "the child failed; its traceback is above"
    return "refused" if os.WEXITSTATUS(status) else "done"
