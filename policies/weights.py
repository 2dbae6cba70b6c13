"""How much memory the weights of a checkpoint take once they are loaded, told from its files.

Nothing is loaded for it. A folder may hold a model in two formats and the state of its training;
what counts is what transformers would load (``modeling_utils.py``, ``from_pretrained``):
safetensors before PyTorch's own format, and the files that an index names before any other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path

from vlabench.types import Json

_FLOAT_BYTES = 4
"""Of a number in a file that does not say: the most that is usual, so that nobody is refused
wrongly."""

_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no longer one."""


def weight_bytes(folder: Path, itemsize: int | None = None, beside: Sequence[str] = ()) -> int:
    """Bytes of the weights in `folder`; 0 where there are none in a known format.

    Args:
        folder: Of the checkpoint.
        itemsize: Bytes of a floating-point number once it is loaded; None for as many as it has in
            its file.
        beside: Patterns of files that are loaded beside the model's own, in PyTorch's format.
    """
    files = _of_format(folder, "model.safetensors", "*.safetensors")
    if files:
        total = sum(_in_safetensors(path, itemsize) for path in files)
    else:
        others = _of_format(folder, "pytorch_model.bin", "pytorch_model*.bin")
        total = sum(_unread(path, itemsize) for path in others)
    heads = {path for pattern in beside for path in folder.glob(pattern)}
    return total + sum(_unread(path, itemsize) for path in heads)


def _of_format(folder: Path, whole: str, pattern: str) -> list[Path]:
    """The files of one format: those that the index names, or the one, or all there are."""
    named = _indexed(folder / f"{whole}.index.json")
    if named:
        return [folder / name for name in named if (folder / name).is_file()]
    one = folder / whole
    return [one] if one.is_file() else sorted(folder.glob(pattern))


def _indexed(index: Path) -> list[str]:
    try:
        content: Json = json.loads(index.read_text("utf-8"))
        named = {str(name) for name in content["weight_map"].values()}
        return sorted(name for name in named if Path(name).name == name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _in_safetensors(path: Path, itemsize: int | None) -> int:
    """Bytes of the tensors that the header tells; of the file, where it cannot be read."""
    try:
        return sum(_of_tensor(entry, itemsize) for entry in _header(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _unread(path, itemsize)


def _header(path: Path) -> list[dict[str, Json]]:
    """What a file says of its tensors: 8 bytes of length, little end first, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"{path} is no safetensors file")
        content: dict[str, dict[str, Json]] = json.loads(file.read(length))
    return [entry for name, entry in content.items() if name != "__metadata__"]


def _of_tensor(entry: dict[str, Json], itemsize: int | None) -> int:
    begin, end = entry["data_offsets"]
    if itemsize is None or not str(entry["dtype"]).startswith(("F", "BF")):
        return int(end - begin)
    return int(prod(entry["shape"])) * itemsize


def _unread(path: Path, itemsize: int | None) -> int:
    size = path.stat().st_size
    return size if itemsize is None else size * min(itemsize, _FLOAT_BYTES) // _FLOAT_BYTES
