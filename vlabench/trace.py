"""The trace of an episode: the actions that were executed, and a checksum after each.

Physics is deterministic, so the actions replay to the same states; where a replay leaves the path,
the first checksum that differs says at which control step.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vlabench.arrays import read_npz
from vlabench.errors import UsageError
from vlabench.hashing import bytes_hash
from vlabench.jsonfiles import whole_file

_DAMAGED = (EOFError, KeyError, ValueError, OSError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises of a file that is no trace, or half of one."""

LARGEST = 64 * 2**20
"""Bytes of the actions of one episode: 2 million control steps."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What was executed in one episode of T control steps.

    Attributes:
        actions: ``(T, 7) float32``, the environment's own numbers.
        checksums: ``(T,) uint32``, of the state after each action.
    """

    actions: npt.NDArray[np.float32]
    checksums: npt.NDArray[np.uint32]

    @property
    def actions_hash(self) -> str:
        """Names the sequence of actions."""
        return bytes_hash(np.ascontiguousarray(self.actions, dtype="<f4").tobytes())


def save_trace(path: Path, trace: Trace) -> None:
    """Writes `trace` to `path`, all of it or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    memory = io.BytesIO()  # an archive on a full disk would go on trying
    np.savez_compressed(memory, actions=trace.actions, checksums=trace.checksums)
    with whole_file(path) as file:
        file.write(memory.getbuffer())


def load_trace(path: Path) -> Trace:
    """The trace that `save_trace` wrote.

    Raises:
        FileNotFoundError: If there is none.
        UsageError: If the file is no trace, or is damaged.
    """
    try:
        found = read_npz(path, ("actions", "checksums"), limit=LARGEST)
        actions, checksums = found["actions"], found["checksums"]
        if actions.ndim != 2 or checksums.shape != actions.shape[:1]:
            raise ValueError(f"{actions.shape} actions and {checksums.shape} checksums")
    except FileNotFoundError:
        raise
    except _DAMAGED as error:
        raise UsageError(
            f"{path} is no trace, or is damaged ({' '.join(str(error).split())}); put the file "
            "back, or delete the episode's line in episodes.jsonl and run the same command again."
        ) from error
    return Trace(actions=actions, checksums=checksums)


def is_whole(path: Path, actions_hash: str) -> bool:
    """Whether the file `path` is a trace of the actions that `actions_hash` names."""
    try:
        return load_trace(path).actions_hash == actions_hash
    except (FileNotFoundError, UsageError):
        return False
