"""Arrays as the package json-numpy writes them, which OpenVLA's and OpenVLA-OFT's servers speak.

An array is ``{"__numpy__": base64, "dtype": "|u1", "shape": [224, 224, 3]}``; some servers answer
with JSON inside a JSON text ("doubly encoded"), which is read as well.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.arrays import array_of
from vlabench.contract.unpacking import read_json
from vlabench.types import Json

_KEYS = {"__numpy__", "dtype", "shape"}


def encode_array(array: npt.NDArray[Any]) -> dict[str, Json]:
    """An array in json-numpy's form (its ``default``, version 1 and 2)."""
    return {
        "__numpy__": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii"),
        "dtype": array.dtype.str,
        "shape": list(array.shape),
    }


def decode_array(value: Json) -> npt.NDArray[Any] | None:
    """The array that json-numpy wrote, once or doubly encoded; None if it is something else."""
    value = unwrapped(value)
    if not isinstance(value, dict) or not value.keys() >= _KEYS:
        return None
    try:
        data = base64.b64decode(value["__numpy__"], validate=True)
        return array_of(data, value["dtype"], value["shape"])
    except (binascii.Error, TypeError, ValueError):
        return None


def decode_rows(value: Json) -> list[npt.NDArray[Any]] | None:
    """The arrays of a list that json-numpy wrote, once or doubly encoded; None if it is none."""
    value = unwrapped(value)
    if not isinstance(value, list):
        return None
    rows = [decode_array(row) for row in value]
    found = [row for row in rows if row is not None]
    return found if rows and len(found) == len(rows) else None


def unwrapped(value: Json) -> Json:
    """What stands in a text of JSON; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value
