"""Statistics of training data that come with a checkpoint: how its numbers are scaled back.

``dataset_statistics.json``, and ``norm_stats`` of ``config.json`` where there is none, hold for
each data set and vector (``action``, ``proprio``) quantiles, extremes and a mask of the numbers
that were scaled. In github.com/openvla/openvla, ``prismatic/vla/datasets/rlds/utils/data_utils.py``
writes them, ``modeling_prismatic.py`` and ``experiments/robot/openvla_utils.py`` read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vlabench.errors import UnknownNameError, UsageError
from vlabench.policies.checkpoints import is_local, read_json
from vlabench.policies.hub import snapshot
from vlabench.types import Floats, Json

FILE = "dataset_statistics.json"


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What -1 and 1 stand for in each number of a vector.

    Attributes:
        low: ``(D,)``, what -1 means.
        high: ``(D,)``, what 1 means.
        mask: ``(D,) bool``, which numbers were scaled; the others mean themselves.
    """

    low: Floats
    high: Floats
    mask: npt.NDArray[np.bool_]

    def unscaled(self, numbers: Floats, epsilon: float = 0.0) -> Floats:
        """From [-1, 1] to the data's own numbers, along the last axis."""
        meant: Floats = 0.5 * (numbers + 1) * (self.high - self.low + epsilon) + self.low
        return np.where(self.mask, meant, numbers)

    def scaled(self, numbers: Floats, epsilon: float = 1e-8) -> Floats:
        """From the data's own numbers to [-1, 1], cut off there, along the last axis."""
        meant = 2 * (numbers - self.low) / (self.high - self.low + epsilon) - 1
        return np.clip(np.where(self.mask, meant, numbers), -1, 1)


def read_statistics(policy: str, folder: Path) -> dict[str, Json]:
    """Data set to statistics, of the checkpoint in `folder`.

    Raises:
        UsageError: If it has none, or they cannot be read.
    """
    path = folder / FILE
    if path.is_file():
        found = read_json(path)
    else:
        config = read_json(folder / "config.json")
        found = config.get("norm_stats") if isinstance(config, dict) else None
    if not isinstance(found, dict) or not found:
        raise UsageError(
            f"The checkpoint {folder} of policy {policy!r} has no statistics of its training data, "
            f"neither in {FILE} nor as norm_stats in config.json; copy the file that training "
            "wrote there."
        )
    return found


def known_keys(
    policy: str, checkpoint: str, revision: str, fits: Callable[[Path, str], object]
) -> list[str]:
    """The data sets whose statistics `checkpoint` has; none where its files are not here.

    Args:
        policy: Whose they are, for errors.
        checkpoint: A folder, or ``owner/name`` that may have been fetched.
        revision: Of the latter.
        fits: Called with the folder and each key; a key for which it raises `UsageError` is left
            out.
    """
    local = Path(checkpoint).expanduser() if is_local(checkpoint) else None
    folder = local or snapshot(checkpoint, revision)
    if folder is None:
        return []
    try:
        keys = sorted(read_statistics(policy, folder))
    except UsageError:
        return []
    return [key for key in keys if _does(fits, folder, key)]


def _does(fits: Callable[[Path, str], object], folder: Path, key: str) -> bool:
    try:
        fits(folder, key)
    except UsageError:
        return False
    return True


def choose_key(
    policy: str, folder: Path, statistics: Mapping[str, Json], told: str, usual: Sequence[str]
) -> str:
    """Which data set's statistics count.

    Args:
        policy: Whose they are, for errors.
        folder: Where they come from, for errors.
        statistics: All there are.
        told: What the user says; empty if nothing.
        usual: What the card says: candidates, of which a checkpoint has one.

    Raises:
        UsageError: If there is no such key, or several could be meant.
    """
    where = f"the statistics of {folder}"
    if told:
        if told not in statistics:
            raise UnknownNameError("unnorm_key", told, statistics, where)
        return told
    fitting = [key for key in usual if key in statistics] or list(statistics)
    if len(fitting) != 1:
        raise UsageError(
            f"The checkpoint {folder} of policy {policy!r} has the statistics of several data sets "
            f"({', '.join(sorted(fitting))}), and which of them scales its numbers changes all; "
            "give --policy-arg unnorm_key=NAME."
        )
    return fitting[0]


def read_bounds(
    statistics: Mapping[str, Json],
    key: str,
    vector: str,
    size: int,
    names: tuple[str, str] = ("q01", "q99"),
) -> Bounds:
    """The bounds of `vector` (``action`` or ``proprio``) in the data set `key`.

    Args:
        statistics: As `read_statistics` returns them.
        key: One of them.
        vector: Which of its vectors.
        size: How many numbers are due.
        names: What the low and the high ones are called: quantiles, or ``("min", "max")``.

    Raises:
        UsageError: If they are not there, or not so many finite numbers.
    """
    entry = statistics[key]
    found = entry.get(vector) if isinstance(entry, dict) else None
    where = f"{vector!r} of the statistics {key!r}"
    missing = [name for name in names if not isinstance(found, dict) or name not in found]
    if missing or not isinstance(found, dict):
        raise UsageError(
            f"{where} has no {missing[0]}; give --policy-arg unnorm_key=NAME of another data set, "
            f"or mend {FILE} of the checkpoint."
        )
    low, high = (_numbers(where, name, found[name], size) for name in names)
    mask = _mask(where, found.get("mask"), size)
    if (mask & (low > high)).any():
        raise UsageError(
            f"{where} has a {names[0]} above its {names[1]}; mend {FILE} of the checkpoint."
        )
    return Bounds(low, high, mask)


def _numbers(where: str, name: str, value: Json, size: int) -> Floats:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (size,) or not np.isfinite(numbers).all():
        raise UsageError(
            f"{where} has {str(value)[:60]} as {name} where {size} finite numbers are due; does "
            "the card fit the checkpoint?"
        )
    return numbers


def _mask(where: str, value: Json, size: int) -> npt.NDArray[np.bool_]:
    if value is None:
        return np.ones(size, dtype=bool)
    if not isinstance(value, list) or [type(one) for one in value] != [bool] * size:
        raise UsageError(
            f"{where} has {str(value)[:60]} as mask where {size} of true and false are due; mend "
            f"{FILE} of the checkpoint."
        )
    return np.array(value, dtype=bool)
