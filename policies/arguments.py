"""Reads the values of ``--policy-arg key=value``, and says what to write where one is wrong.

A value arrives as text, or as what JSON or a Python caller made of it already.
"""

from __future__ import annotations

import math

from vlabench.contract.specs import CameraSpec
from vlabench.errors import UsageError
from vlabench.types import Json

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def text(value: Json) -> str:
    """Text; what is absent or null is empty."""
    return "" if value is None else str(value).strip()


def boolean(policy: str, key: str, value: Json) -> bool:
    """Yes or no.

    Raises:
        UsageError: If it is neither.
    """
    word = text(value).lower()
    if word not in _WORDS:
        raise _wrong(policy, key, value, "write true or false")
    return _WORDS[word]


def count(policy: str, key: str, value: Json) -> int:
    """A whole number of at least 1.

    Raises:
        UsageError: If it is anything else.
    """
    digits = text(value)
    if not (digits.isascii() and digits.isdigit() and int(digits) > 0):
        raise _wrong(policy, key, value, "write a whole number of at least 1")
    return int(digits)


def seconds(policy: str, key: str, value: Json) -> float:
    """A time above 0, in seconds.

    Raises:
        UsageError: If it is anything else.
    """
    try:
        number = float(text(value))
    except ValueError:
        number = 0.0
    if not (math.isfinite(number) and number > 0):
        raise _wrong(policy, key, value, "write a number of seconds above 0")
    return number


def names(policy: str, key: str, value: Json) -> tuple[str, ...]:
    """Names: a list, or text with commas; nothing means none.

    Raises:
        UsageError: If one of them is empty.
    """
    parts = value if isinstance(value, list | tuple) else text(value).split(",")
    found = tuple(text(part) for part in parts)
    if found == ("",):
        return ()
    if not all(found):
        raise _wrong(policy, key, value, "write names between commas, like exterior/0,wrist/0")
    return found


def square_cameras(roles: tuple[str, ...], size: int) -> tuple[CameraSpec, ...]:
    """A camera of `size` × `size` pixels for each role."""
    return tuple(CameraSpec(role, size, size) for role in roles)


def _wrong(policy: str, key: str, value: object, mend: str) -> UsageError:
    return UsageError(f"Policy {policy!r} got {key}={value}; {mend}.")
