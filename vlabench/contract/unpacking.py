"""Reads what somebody else's server or client sent, without giving it more memory than it is worth.

A frame of a few megabytes can hold millions of empty maps, each of which takes sixty times its own
size in memory, or ten thousand lists within each other, on which whatever walks through them later
fails. So values are counted while they are unpacked, and their levels afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from vlabench.types import Json

MOST_VALUES = 2**20
"""Entries of all maps and lists of one frame, at most; the numbers of an array count as none."""

MAX_DEPTH = 32
"""Maps and lists within each other in one frame, at most."""


class TooMuchError(ValueError):
    """A frame has more in it than anything that is honestly sent."""


def unpack_msgpack(
    data: bytes,
    *,
    map_hook: Callable[[dict[Any, Any]], Any] | None = None,
    pairs_hook: Callable[[list[tuple[Any, Any]]], Any] | None = None,
    raw: bool = False,
    strict_map_key: bool = False,
) -> Any:
    """The value in `data`, which is one frame of msgpack.

    Args:
        data: The bytes.
        map_hook: Makes a value of every map.
        pairs_hook: The same of its entries in order, instead.
        raw: Whether text stays bytes.
        strict_map_key: Whether keys must be text or bytes.

    Raises:
        TooMuchError: If it has too many entries; see `MOST_VALUES`.
        Exception: Whatever msgpack or a hook raises.
    """
    left = MOST_VALUES

    def counted(found: Any) -> Any:
        nonlocal left
        left -= len(found) + 1
        if left < 0:
            raise TooMuchError(f"it has more than {MOST_VALUES} values; send numbers as arrays")
        return found

    hooks: dict[str, Any] = {"list_hook": counted}
    if pairs_hook is not None:
        hooks["object_pairs_hook"] = lambda pairs: pairs_hook(counted(pairs))
    else:
        hooks["object_hook"] = (
            counted if map_hook is None else lambda found: map_hook(counted(found))
        )
    return msgpack.unpackb(
        data,
        raw=raw,
        strict_map_key=strict_map_key,
        max_array_len=MOST_VALUES,
        max_map_len=MOST_VALUES,
        **hooks,
    )


def read_json(text: str | bytes) -> Json:
    """The value in `text`.

    Its commas and opening brackets are counted before it is parsed: a value in a map or list has
    at most one of each. Those inside texts count too; nobody honest sends so many.

    Raises:
        ValueError: If it is no JSON, has more than `MOST_VALUES` values, or is nested more than
            `MAX_DEPTH` levels deep.
    """
    if isinstance(text, str):
        values = sum(text.count(mark) for mark in ",[{")
    else:
        values = sum(text.count(mark) for mark in b",[{")
    if values > MOST_VALUES:
        raise TooMuchError(f"it has more than {MOST_VALUES} values; send something smaller")
    try:
        value: Json = json.loads(text)
    except RecursionError as error:
        raise TooMuchError("it is nested too deeply; send something flatter") from error
    check_depth(value)
    return value


def check_depth(value: Any, depth: int = MAX_DEPTH) -> None:
    """Refuses maps and lists that lie deeper than `depth` within each other.

    Raises:
        TooMuchError: If there are any.
    """
    if isinstance(value, Mapping):
        inner: Any = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    else:
        return
    if not depth:
        raise TooMuchError(f"it has more than {MAX_DEPTH} levels; send something flatter")
    for one in inner:
        check_depth(one, depth - 1)
