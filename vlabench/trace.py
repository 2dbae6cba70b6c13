"""The trace of an episode: the actions that were executed, and a checksum after each.

Physics is deterministic, so the actions replay to the same states; where a replay leaves the path,
the first checksum that differs says at which control step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vlabench.arrays import read_npz
from vlabench.errors import UsageError
from vlabench.hashing import bytes_hash

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
    scratch = path.with_suffix(".tmp")
    scratch.unlink(missing_ok=True)  # it may be a link that somebody has put there
    with scratch.open("wb") as file:
        np.savez_compressed(file, actions=trace.actions, checksums=trace.checksums)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load_trace(path: Path) -> Trace:
    """The trace that `save_trace` wrote.

    Raises:
        OSError: If there is none.
        UsageError: If the file is no trace.
    """
    try:
        found = read_npz(path, ("actions", "checksums"), limit=LARGEST)
        actions, checksums = found["actions"], found["checksums"]
        if actions.ndim != 2 or checksums.shape != actions.shape[:1]:
            raise ValueError(f"{actions.shape} actions and {checksums.shape} checksums")
    except ValueError as error:
        raise UsageError(
            f"{path} is no trace ({error}); put the run's own file back, or run the episode again."
        ) from error
    return Trace(actions=actions, checksums=checksums)
