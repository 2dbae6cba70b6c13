"""The form that openpi's websocket protocol gives to values: msgpack with arrays in it.

The same bytes as ``packages/openpi-client/src/openpi_client/msgpack_numpy.py`` of
github.com/Physical-Intelligence/openpi: an array is the map ``{b"__ndarray__": True, b"data",
b"dtype", b"shape"}`` and a scalar of numpy ``{b"__npgeneric__": True, b"data", b"dtype"}``, whose
keys are bytes. That file refuses the kinds V, O and c; so does this one, and it also refuses an
array whose bytes are not as many as its shape says, and a scalar whose data are not the one plain
value of its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from vlabench.arrays import NUMBERS_AND_TEXT, array_of
from vlabench.contract.unpacking import check_depth, unpack_msgpack
from vlabench.contract.wire import MAX_BYTES, Plain, WireError

_PLAIN: Mapping[str, tuple[type, ...]] = {
    "b": (bool,),
    "i": (int,),
    "u": (int,),
    "f": (float, int),
    "S": (bytes,),
    "U": (str,),
}
"""What ``numpy.generic.item()`` gives of each kind of type, which is what a server writes."""


def pack(value: Plain) -> bytes:
    """The bytes of one frame, as ``msgpack_numpy.packb`` writes them.

    Raises:
        WireError: If something in `value` cannot travel.
    """
    try:
        data: bytes = msgpack.packb(value, default=_packed)
    except (OverflowError, TypeError, ValueError) as error:
        raise WireError(f"A value cannot travel over openpi's protocol ({error}).") from error
    return data


def unpack(data: bytes, max_bytes: int = MAX_BYTES) -> Plain:
    """What `pack` made a frame of; arrays own their numbers.

    Raises:
        WireError: If `data` is no such frame, or longer than `max_bytes`.
    """
    if len(data) > max_bytes:
        raise WireError(f"A frame has {len(data)} bytes; the limit is {max_bytes}.")
    try:
        found: Plain = unpack_msgpack(data, map_hook=_unpacked)
        check_depth(found)
        return found
    except WireError:
        raise
    except Exception as error:  # foreign bytes: msgpack and numpy raise what they like
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise WireError(f"A frame is not of openpi's protocol ({reason}).") from error


def _packed(value: Any) -> dict[bytes, Plain]:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "VOc":
        raise ValueError(f"Unsupported dtype: {value.dtype}")
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"a {type(value).__name__} has no form in it")


def _unpacked(found: dict[Any, Plain]) -> Plain:
    if b"__ndarray__" in found:
        return array_of(found[b"data"], _text(found), found[b"shape"], NUMBERS_AND_TEXT)
    if b"__npgeneric__" in found:
        return _scalar(found)
    return found


def _scalar(found: Mapping[Any, Plain]) -> Plain:
    dtype = np.dtype(_text(found))
    if dtype.kind not in NUMBERS_AND_TEXT:
        raise WireError(f"A number has the type {found[b'dtype']!r}; send numbers.")
    data, due = found[b"data"], _PLAIN[dtype.kind]
    if type(data) not in due:
        raise WireError(
            f"A number of type {dtype} is a {type(data).__name__}, not {due[0].__name__}."
        )
    return dtype.type(data)


def _text(found: Mapping[Any, Plain]) -> str:
    return str(found[b"dtype"])
