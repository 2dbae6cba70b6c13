"""Values as bytes, for other processes: msgpack, and never pickle.

A frame holds what JSON holds, bytes, and arrays. An array is the map
``{"__ndarray__": "<f4", "shape": [2, 3], "data": bytes}`` with its numbers in C order; booleans,
integers and floats travel, always little-endian, and nothing else does: whatever could run code
or has no fixed meaning (objects, records, complex numbers, extension types) is refused at both
ends. `to_wire` and `from_wire` turn the nouns of `vlabench.types` and the declarations of
`vlabench.contract.specs` into such values and back, field by field: an unknown field, a missing
one or one of another type is an error that names it. Fields that came later than the first version
(`vlabench.types.LATER`) may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

import msgpack
import numpy as np
import numpy.typing as npt

from vlabench.contract.fields import Plain as Plain
from vlabench.contract.fields import Reader, WrongFieldError, later_of, names_of, reader_of
from vlabench.contract.specs import EnvSpec, PolicySpec
from vlabench.contract.unpacking import MAX_DEPTH as MAX_DEPTH
from vlabench.contract.unpacking import unpack_msgpack
from vlabench.errors import VlabenchError
from vlabench.types import ActionChunk, EpisodeStart, Observation

MAX_BYTES = 256 * 2**20
"""The longest frame, unless told otherwise."""

MARK = "__ndarray__"
"""The key that makes an array of a map; its value is the type."""

DTYPES = (
    *("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4"),
    *("<i8", "<u8", "<f2", "<f4", "<f8"),
)
"""Every type of number an array can have."""

T = TypeVar("T")


class WireError(VlabenchError):
    """Bytes that are no frame, or a value that is not what it should be; names the field."""


# --- bytes --------------------------------------------------------------------------------------


def encode(value: Plain, max_bytes: int = MAX_BYTES) -> bytes:
    """One frame.

    Raises:
        WireError: If something in `value` cannot travel, or it is too long or too deep.
    """
    try:
        data: bytes = msgpack.packb(_packable(value, MAX_DEPTH), use_bin_type=True)
    except (OverflowError, ValueError) as error:
        raise WireError(f"A value cannot travel ({error}); send smaller numbers.") from error
    _check_length(data, max_bytes)
    return data


def decode(data: bytes, max_bytes: int = MAX_BYTES) -> Plain:
    """What `encode` made a frame of; tuples have become lists, and arrays own their numbers.

    Raises:
        WireError: If `data` is no such frame, or it is too long or too deep.
    """
    _check_length(data, max_bytes)
    try:
        raw = unpack_msgpack(data, pairs_hook=_map)
    except WireError:
        raise
    except Exception as error:  # foreign bytes: msgpack raises what it likes
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise WireError(f"A frame is no msgpack ({reason}); see vlabench.contract.wire.") from error
    return _revived(raw, MAX_DEPTH)


def _check_length(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise WireError(f"A frame has {len(data)} bytes; the limit is {max_bytes}.")


def _packable(value: Plain, depth: int) -> Plain:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, np.ndarray):
        return _array_to_map(value)
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, Mapping | list | tuple) and not depth:
        raise WireError(f"A value has more than {MAX_DEPTH} levels; send a flatter one.")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == MARK:
                raise WireError(f"A map has the key {key!r}; keys are text, and not {MARK!r}.")
        return {key: _packable(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_packable(item, depth - 1) for item in value]
    raise WireError(
        f"A {type(value).__name__} cannot travel; send numbers, text, bytes, arrays, lists or maps."
    )


def _array_to_map(array: npt.NDArray[Any]) -> dict[str, Plain]:
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise WireError(
            f"An array of type {array.dtype} cannot travel; send booleans, integers or floats of "
            "at most 8 bytes."
        )
    data = array.astype(dtype, copy=False).tobytes()
    return {MARK: dtype.str, "shape": list(array.shape), "data": data}


def _map(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("A map has a key twice; send each once.")
    return found


def _revived(value: Plain, depth: int) -> Plain:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if not depth:
        raise WireError(f"A frame has more than {MAX_DEPTH} levels; send a flatter one.")
    if isinstance(value, list):
        return [_revived(item, depth - 1) for item in value]
    if not isinstance(value, dict):
        raise WireError(f"A frame has a {type(value).__name__} in it; send none.")
    if MARK in value:
        return _map_to_array(value)
    for key in value:
        if not isinstance(key, str):
            raise WireError(f"A map has the key {key!r}; keys are text.")
    return {key: _revived(item, depth - 1) for key, item in value.items()}


def _map_to_array(found: Mapping[str, Plain]) -> npt.NDArray[Any]:
    if found.keys() != {MARK, "shape", "data"}:
        raise WireError(f"An array has the keys {', '.join(map(repr, found))}; see _array_to_map.")
    name, shape, data = found[MARK], found["shape"], found["data"]
    if name not in DTYPES:
        raise WireError(f"An array has the type {name!r}; types are {', '.join(DTYPES)}.")
    if not (isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**31 for n in shape)):
        raise WireError(f"An array has the shape {shape!r}; write a list of lengths.")
    if not isinstance(data, bytes):
        raise WireError(f"An array's data are a {type(data).__name__}; send bytes.")
    dtype = np.dtype(name)
    due = math.prod(shape) * dtype.itemsize
    if len(data) != due:
        raise WireError(f"An array {name} {shape} has {len(data)} bytes, where {due} are due.")
    try:
        return np.frombuffer(data, dtype).reshape(shape).copy()
    except ValueError as error:
        raise WireError(f"An array cannot have the shape {shape} ({error}).") from error


# --- nouns --------------------------------------------------------------------------------------


def observation_to_wire(observation: Observation) -> dict[str, Plain]:
    """What a session sees, the simulator's own state included."""
    return to_wire(observation)


def observation_from_wire(data: Plain) -> Observation:
    """What `observation_to_wire` wrote; raises `WireError`."""
    return from_wire(Observation, data)


def start_to_wire(start: EpisodeStart) -> dict[str, Plain]:
    """How a session begins."""
    return to_wire(start)


def start_from_wire(data: Plain) -> EpisodeStart:
    """What `start_to_wire` wrote; raises `WireError`."""
    return from_wire(EpisodeStart, data)


def chunk_to_wire(chunk: ActionChunk) -> dict[str, Plain]:
    """A policy's answer."""
    return to_wire(chunk)


def chunk_from_wire(data: Plain) -> ActionChunk:
    """What `chunk_to_wire` wrote; raises `WireError`."""
    return from_wire(ActionChunk, data)


def policy_spec_to_wire(spec: PolicySpec) -> dict[str, Plain]:
    """A policy's declaration."""
    return to_wire(spec)


def policy_spec_from_wire(data: Plain) -> PolicySpec:
    """What `policy_spec_to_wire` wrote; raises `WireError`."""
    return from_wire(PolicySpec, data)


def env_spec_to_wire(spec: EnvSpec) -> dict[str, Plain]:
    """An environment's declaration."""
    return to_wire(spec)


def env_spec_from_wire(data: Plain) -> EnvSpec:
    """What `env_spec_to_wire` wrote; raises `WireError`."""
    return from_wire(EnvSpec, data)


def to_wire(noun: object) -> dict[str, Plain]:
    """A frozen dataclass of plain values as a map of its fields, and so on inside it.

    Fields that came later (`vlabench.types.LATER`) are left out where they have their defaults.
    """
    kind = cast(Hashable, type(noun))
    later = later_of(kind)
    values = ((name, getattr(noun, name)) for name in names_of(kind))
    return {
        name: _written(value) for name, value in values if name not in later or value != later[name]
    }


def from_wire(kind: type[T], data: Plain) -> T:
    """The dataclass `kind` that `to_wire` made `data` of.

    Raises:
        WireError: If a field is unknown, missing, or of another type than `kind` declares.
    """
    read: Reader = reader_of(cast(Hashable, kind))
    try:
        noun: T = read(data)
    except WrongFieldError as wrong:
        raise WireError(f"{'.'.join((kind.__name__, *wrong.path))} {wrong.what}.") from None
    return noun


def _written(value: Any) -> Plain:
    if isinstance(value, str | float | np.ndarray):
        return value
    if is_dataclass(value):
        return to_wire(value)
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value
