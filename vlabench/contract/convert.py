"""What the converters between a policy's conventions and the canonical ones have in common.

Each is a frozen dataclass of plain numbers that is called with an array and returns a new one, so a
pipeline of them can be printed, hashed and tested one by one. They live by room: `images`,
`proprio`, `prompt`; `actions` for a whole answer, and `execution` for one control step. What feeds
the physics uses elementwise algebra alone, which gives the same bits on every processor.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from vlabench.types import Json


class Converter(Protocol):
    """A frozen dataclass that says what it does."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def describe(self) -> str:
        """What it does, in a few words."""
        ...


def to_json(converter: Converter) -> dict[str, Json]:
    """The converter's name and its numbers, as plain values."""
    return {"converter": type(converter).__name__, **asdict(converter)}
