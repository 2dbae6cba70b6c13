"""Values as bytes, for other processes: msgpack, and never pickle.

A frame holds what JSON holds, bytes, and arrays. An array is the map
``{"__ndarray__": "<f4", "shape": [2, 3], "data": bytes}`` with its numbers in C order; booleans,
integers and floats travel, always little-endian, and nothing else does: whatever could run code
or has no fixed meaning (objects, records, complex numbers, extension types) is refused at both
ends. `to_wire` and `from_wire` turn the nouns of `vlabench.types` and the declarations of
`vlabench.contract.specs` into such values and back, field by field: an unknown field, a missing
one or one of another type is an error that names it.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import (
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgpack
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import EnvSpec, PolicySpec
from vlabench.errors import VlabenchError
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation

MAX_BYTES = 256 * 2**20
"""The longest frame, unless told otherwise."""

MAX_DEPTH = 32
"""Maps and lists within each other in one frame, at most."""

MARK = "__ndarray__"
"""The key that makes an array of a map; its value is the type."""

DTYPES = (
    *("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4"),
    *("<i8", "<u8", "<f2", "<f4", "<f8"),
)
"""Every type of number an array can have."""

Plain: TypeAlias = Any
"""None, a boolean, a number, text, bytes, an array, or lists and text-keyed maps of these."""

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
        raw = msgpack.unpackb(data, raw=False, strict_map_key=False, object_pairs_hook=_map)
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
    """A frozen dataclass of plain values as a map of its fields, and so on inside it."""
    return {name: _written(getattr(noun, name)) for name in _names(cast(Hashable, type(noun)))}


def from_wire(kind: type[T], data: Plain) -> T:
    """The dataclass `kind` that `to_wire` made `data` of.

    Raises:
        WireError: If a field is unknown, missing, or of another type than `kind` declares.
    """
    read: _Reader = _reader(cast(Hashable, kind))
    try:
        noun: T = read(data)
    except _WrongError as wrong:
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


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


# --- readers: one for each type that a field can have -------------------------------------------

_Reader: TypeAlias = Callable[[Plain], Any]


class _WrongError(Exception):
    """A value that is not what it should be: where, from the outside in, and what is wrong."""

    def __init__(self, what: str, path: tuple[str, ...] = ()) -> None:
        self.what, self.path = what, path
        super().__init__(what)

    def within(self, name: str) -> _WrongError:
        return _WrongError(self.what, (name, *self.path))


@cache
def _reader(hint: Any) -> _Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if hint in _PLAIN:
        return _plain_reader(hint)
    if is_dataclass(hint):
        return _noun_reader(hint)
    if origin is Literal:
        return _choice_reader(arguments)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return _optional_reader(_reader(next(a for a in arguments if a is not type(None))))
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_reader(_reader(arguments[1]))
    if origin is np.ndarray:
        return _array_reader(arguments[1])
    raise TypeError(f"A field of type {hint} has no form on the wire; give it one here.")


_PLAIN: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (float, int)),
    str: ("text", (str,)),
}


def _plain_reader(kind: Any) -> _Reader:
    due, allowed = _PLAIN[kind]

    def read(value: Plain) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise _WrongError(f"is {_shown(value)}, where {due} is due")
        return value

    return read


def _noun_reader(kind: Any) -> _Reader:
    hints = get_type_hints(kind, localns={"EnvSpec": EnvSpec})
    readers = {name: _reader(hints[name]) for name in _names(kind)}

    def read(value: Plain) -> Any:
        found = _text_keys(value)
        for name in found:
            if name not in readers:
                raise _WrongError(_unknown(name, readers))
        for name in readers:
            if name not in found:
                raise _WrongError(f"has no field {name!r}; send every field")
        return kind(**{name: _within(name, readers[name], item) for name, item in found.items()})

    return read


def _choice_reader(choices: tuple[Any, ...]) -> _Reader:
    def read(value: Plain) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise _WrongError(f"is {_shown(value)}, where one of {', '.join(choices)} is due")
        return value

    return read


def _optional_reader(read_it: _Reader) -> _Reader:
    return lambda value: None if value is None else read_it(value)


def _tuple_reader(arguments: tuple[Any, ...]) -> _Reader:
    repeated = len(arguments) == 2 and arguments[1] is Ellipsis
    readers = [_reader(hint) for hint in (arguments[:1] if repeated else arguments)]

    def read(value: Plain) -> Any:
        if not isinstance(value, list | tuple):
            raise _WrongError(f"is {_shown(value)}, where a list is due")
        if not repeated and len(value) != len(readers):
            raise _WrongError(f"has {len(value)} entries, where {len(readers)} are due")
        each = readers * len(value) if repeated else readers
        pairs = zip(each, value, strict=True)
        return tuple(_within(str(i), reader, item) for i, (reader, item) in enumerate(pairs))

    return read


def _map_reader(read_item: _Reader) -> _Reader:
    def read(value: Plain) -> Any:
        found = _text_keys(value)
        return {name: _within(name, read_item, item) for name, item in found.items()}

    return read


def _array_reader(dtype: Any) -> _Reader:
    exact = np.float64 in get_args(dtype)

    def read(value: Plain) -> Any:
        if not isinstance(value, np.ndarray):
            raise _WrongError(f"is {_shown(value)}, where an array is due")
        if exact and value.dtype != np.float64:
            raise _WrongError(f"is an array of {value.dtype}, where float64 is due")
        return value

    return read


def _within(name: str, reader: _Reader, value: Plain) -> Any:
    try:
        return reader(value)
    except _WrongError as wrong:
        raise wrong.within(name) from None


def _text_keys(value: Plain) -> Mapping[str, Plain]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _WrongError(f"is {_shown(value)}, where a map of named values is due")
    return value


def _unknown(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"do you mean {nearest[0]!r}" if nearest else f"its fields are {', '.join(known)}"
    return f"has the unknown field {name!r}; {hint}"


def _shown(value: Json) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}..."
