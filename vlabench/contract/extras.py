"""What a policy says beside its actions, as a record keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vlabench.contract.wire import WireError, decode, encode
from vlabench.errors import PolicyError
from vlabench.hashing import canonical_json
from vlabench.types import Json, Said

MOST_SAID = 16_384
"""Characters of JSON that one episode's record keeps of it."""

MAX_LEVELS = 16
"""Maps and lists within each other, at most; a frame that carries them has room for more."""


class Heard:
    """What the policy of one session has said: every change, until the record is full.

    Attributes:
        said: What is kept, first things first.
        left_out: How many changes came after those, and are not kept.
    """

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.left_out = 0
        self._last, self._kept = "{}", 0

    def add(self, step: int, extras: object) -> None:
        """An answer that was asked for after `step` control steps carries `extras`.

        Raises:
            PolicyError: If they are no plain JSON values.
        """
        found = plain(extras)
        told = canonical_json(found) if found else "{}"  # as most are, in every step
        if told == self._last:
            return
        self._last = told
        if self.left_out or self._kept + len(told) > MOST_SAID:
            self.left_out += 1
            return
        self._kept += len(told)
        self.said.append(Said(step, json.loads(told)))


def plain(extras: object) -> dict[str, Json]:
    """A copy of `extras`, once it is known that a wire can carry and a record can hold them.

    So they mean the same whether the policy lives in the worker or elsewhere.

    Raises:
        PolicyError: If they are no map of plain JSON values, or too deep.
    """
    if not isinstance(extras, Mapping):
        raise PolicyError(f"The policy's extras are a {type(extras).__name__}; they must be a map.")
    if not extras:
        return {}
    try:
        found: dict[str, Json] = decode(encode(extras))
        canonical_json(found)
    except (WireError, TypeError, ValueError) as error:
        raise PolicyError(
            f"The policy's extras cannot stand in a record ({error}); put numbers, text, lists and "
            "maps into them."
        ) from error
    if _levels(found) > MAX_LEVELS:
        raise PolicyError(f"The policy's extras have more than {MAX_LEVELS} levels; flatten them.")
    return found


def _levels(value: Json) -> int:
    """How many maps and lists lie within each other."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_levels, inner), default=0) if isinstance(value, dict | list) else 0
