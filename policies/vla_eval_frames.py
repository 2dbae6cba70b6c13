"""The frames of vla-eval's protocol, ``src/vla_eval/protocol`` of allenai/vla-evaluation-harness.

A frame is the msgpack map ``{"type", "payload", "seq", "timestamp"}``. In it an array is ``{
"__ndarray__": True, "data", "dtype", "shape"}``, and an image, which is any ``(H, W, 1, 3 or 4)
uint8`` array, ``{"__image__": True, "format": "png", "data", "shape"}``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgpack
import numpy as np
import numpy.typing as npt
from PIL import Image

from vlabench.arrays import NUMBERS, array_of, shape_of
from vlabench.contract.unpacking import check_depth, unpack_msgpack
from vlabench.contract.wire import MAX_BYTES, Plain, WireError

Kind = Literal["hello", "observation", "action", "episode_start", "episode_end", "error"]

KINDS: tuple[str, ...] = get_args(Kind)

_FIELDS = ("type", "payload", "seq", "timestamp")


@dataclass(frozen=True, slots=True)
class Message:
    """One frame.

    Attributes:
        kind: What it is.
        payload: What it carries.
        seq: Its number; an answer repeats that of its request.
        timestamp: Seconds since 1970, of the sender's clock.
    """

    kind: Kind
    payload: Mapping[str, Plain]
    seq: int
    timestamp: float


def pack(message: Message) -> bytes:
    """The bytes of `message`, as ``pack_message`` writes them.

    Raises:
        WireError: If something in its payload cannot travel.
    """
    raw = dict(
        zip(
            _FIELDS,
            (message.kind, dict(message.payload), message.seq, message.timestamp),
            strict=True,
        )
    )
    try:
        data: bytes = msgpack.packb(raw, default=_packed, use_bin_type=True)
    except (OverflowError, TypeError, ValueError) as error:
        raise WireError(f"A value cannot travel over vla-eval's protocol ({error}).") from error
    return data


def unpack(data: bytes, max_bytes: int = MAX_BYTES) -> Message:
    """What `pack` made a frame of; arrays own their numbers.

    Raises:
        WireError: If `data` is no such frame, or longer than `max_bytes`.
    """
    if len(data) > max_bytes:
        raise WireError(f"A frame has {len(data)} bytes; the limit is {max_bytes}.")
    try:
        raw = unpack_msgpack(data, map_hook=_Reader(max_bytes).read)
        check_depth(raw)
    except WireError:
        raise
    except Exception as error:  # foreign bytes: msgpack, numpy and Pillow raise what they like
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise WireError(f"A frame is not of vla-eval's protocol ({reason}).") from error
    return _message(raw)


def _message(raw: Plain) -> Message:
    missing = [name for name in _FIELDS if name not in raw] if isinstance(raw, dict) else _FIELDS
    if missing:
        raise WireError(f"A frame of vla-eval's protocol has no {missing[0]!r}.")
    kind, payload, seq, timestamp = (raw[name] for name in _FIELDS)
    if kind not in KINDS:
        raise WireError(f"A frame has the type {kind!r}; vla-eval's are {', '.join(KINDS)}.")
    if not isinstance(payload, dict) or not isinstance(seq, int):
        raise WireError("A frame's payload is no map, or its seq no whole number.")
    return Message(kind, payload, seq, timestamp)


def _packed(value: Any) -> Plain:
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS:
        if value.ndim == 3 and value.dtype == np.uint8 and value.shape[2] in (1, 3, 4):
            return _png(value)
        return {
            "__ndarray__": True,
            "data": value.tobytes(),
            "dtype": value.dtype.str,
            "shape": list(value.shape),
        }
    if isinstance(value, np.generic) and value.dtype.kind in NUMBERS:
        return value.item()
    kind = getattr(value, "dtype", type(value).__name__)
    raise TypeError(f"a value of type {kind} has no form in it")


def _png(image: npt.NDArray[np.uint8]) -> dict[str, Plain]:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(buffer, format="PNG")
    return {
        "__image__": True,
        "format": "png",
        "data": buffer.getvalue(),
        "shape": list(image.shape),
    }


class _Reader:
    """Makes arrays and pictures of the maps of one frame, as long as their bytes are bearable."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    def read(self, found: dict[Any, Plain]) -> Plain:
        """The value that a map stands for; itself, if it is nothing but a map."""
        if found.get("__image__") and found["format"] != "raw":
            return self._picture(found)
        if found.get("__image__") or found.get("__ndarray__"):
            return array_of(found["data"], found["dtype"], found["shape"])
        return found

    def _picture(self, found: Mapping[Any, Plain]) -> npt.NDArray[Any]:
        """A picture whose size is as declared; looked at before anything of it is decoded."""
        shape = shape_of(found["shape"])
        with Image.open(io.BytesIO(found["data"]), formats=["PNG", "JPEG"]) as picture:
            if shape[:2] != picture.size[::-1]:
                raise WireError(f"An image {list(shape)} is {picture.size[::-1]} in its file.")
            self._left -= math.prod(picture.size) * _MOST_BYTES_OF_A_PIXEL
            if self._left < 0:
                raise WireError("The images of a frame are too large once they are decoded.")
            return np.array(picture).reshape(shape)


_MOST_BYTES_OF_A_PIXEL = 8
