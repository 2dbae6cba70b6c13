"""Reads dataclasses out of plain values, field by field, by the types that they declare.

A reader takes a plain value and gives what a field of its type holds, or raises `WrongFieldError`.
There is one for each type that a field of `vlabench.types` or `vlabench.contract.specs` has; a
field of a new type is an error of whoever declared it, until it gets a reader here.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np

from vlabench.contract.specs import EnvSpec

Plain: TypeAlias = Any
"""None, a boolean, a number, text, bytes, an array, or lists and text-keyed maps of these."""

Reader: TypeAlias = Callable[[Plain], Any]
"""From a plain value to what a field holds."""


class WrongFieldError(Exception):
    """A value that is not what it should be: where, from the outside in, and what is wrong."""

    def __init__(self, what: str, path: tuple[str, ...] = ()) -> None:
        self.what, self.path = what, path
        super().__init__(what)

    def within(self, name: str) -> WrongFieldError:
        """The same, seen from the value that has it as `name`."""
        return WrongFieldError(self.what, (name, *self.path))


@cache
def names_of(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass."""
    return tuple(field.name for field in fields(kind))


@cache
def later_of(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass that may be missing, with what they are then; see `types.LATER`."""
    return {field.name: field.default for field in fields(kind) if field.metadata.get("later")}


@cache
def reader_of(hint: Any) -> Reader:
    """The reader of a dataclass, or of whatever else a field can be declared as.

    Raises:
        TypeError: If there is none.
    """
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
        return _optional_reader(reader_of(next(a for a in arguments if a is not type(None))))
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_reader(reader_of(arguments[1]))
    if origin is np.ndarray:
        return _array_reader(arguments[1])
    raise TypeError(f"A field of type {hint} has no form on the wire; give it one here.")


_PLAIN: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (float, int)),
    str: ("text", (str,)),
}


def _plain_reader(kind: Any) -> Reader:
    due, allowed = _PLAIN[kind]

    def read(value: Plain) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise WrongFieldError(f"is {_shown(value)}, where {due} is due")
        return value

    return read


def _noun_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind, localns={"EnvSpec": EnvSpec})
    readers = {name: _reader_within(kind, hints[name]) for name in names_of(kind)}
    later = later_of(kind)

    def read(value: Plain) -> Any:
        found = _text_keys(value)
        for name in found:
            if name not in readers:
                raise WrongFieldError(_unknown(name, readers))
        for name in readers:
            if name not in found and name not in later:
                raise WrongFieldError(f"has no field {name!r}; send every field")
        return kind(**{name: _within(name, readers[name], item) for name, item in found.items()})

    return read


def _reader_within(kind: Any, hint: Any) -> Reader:
    """The reader of a field of `kind`, which may hold another of its kind."""
    if kind in get_args(hint):
        return _optional_reader(lambda value: reader_of(kind)(value))
    return reader_of(hint)


def _choice_reader(choices: tuple[Any, ...]) -> Reader:
    def read(value: Plain) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise WrongFieldError(f"is {_shown(value)}, where one of {', '.join(choices)} is due")
        return value

    return read


def _optional_reader(read_it: Reader) -> Reader:
    return lambda value: None if value is None else read_it(value)


def _tuple_reader(arguments: tuple[Any, ...]) -> Reader:
    repeated = len(arguments) == 2 and arguments[1] is Ellipsis
    readers = [reader_of(hint) for hint in (arguments[:1] if repeated else arguments)]

    def read(value: Plain) -> Any:
        if not isinstance(value, list | tuple):
            raise WrongFieldError(f"is {_shown(value)}, where a list is due")
        if not repeated and len(value) != len(readers):
            raise WrongFieldError(f"has {len(value)} entries, where {len(readers)} are due")
        each = readers * len(value) if repeated else readers
        pairs = zip(each, value, strict=True)
        return tuple(_within(str(i), reader, item) for i, (reader, item) in enumerate(pairs))

    return read


def _map_reader(read_item: Reader) -> Reader:
    def read(value: Plain) -> Any:
        found = _text_keys(value)
        return {name: _within(name, read_item, item) for name, item in found.items()}

    return read


def _array_reader(dtype: Any) -> Reader:
    exact = np.float64 in get_args(dtype)

    def read(value: Plain) -> Any:
        if not isinstance(value, np.ndarray):
            raise WrongFieldError(f"is {_shown(value)}, where an array is due")
        if exact and value.dtype != np.float64:
            raise WrongFieldError(f"is an array of {value.dtype}, where float64 is due")
        return value

    return read


def _within(name: str, reader: Reader, value: Plain) -> Any:
    try:
        return reader(value)
    except WrongFieldError as wrong:
        raise wrong.within(name) from None


def _text_keys(value: Plain) -> Mapping[str, Plain]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise WrongFieldError(f"is {_shown(value)}, where a map of named values is due")
    return value


def _unknown(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"do you mean {nearest[0]!r}" if nearest else f"its fields are {', '.join(known)}"
    return f"has the unknown field {name!r}; {hint}"


def _shown(value: Plain) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}..."
