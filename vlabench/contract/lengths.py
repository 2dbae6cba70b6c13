"""How long the texts and lists of a declaration may be that somebody else's server sends.

A declaration is shown in tables, searched for secrets, hashed and written into every run. What is
honestly declared is a name, a revision, some cameras and skills.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from vlabench.contract.specs import PolicySpec
from vlabench.errors import ContractError

LONGEST_TEXT = 1000
"""Characters of one text."""

MOST_ENTRIES = 1000
"""Entries of one list."""


def check_lengths(spec: PolicySpec, whose: str) -> None:
    """Refuses a declaration with a text or a list that is too long.

    Args:
        spec: The declaration.
        whose: Who declares it, as a sentence begins: ``"The server at ws://host:8000"``.

    Raises:
        ContractError: If there is one; names the first field.
    """
    wrong = next(_too_long("PolicySpec", spec), None)
    if wrong is not None:
        raise ContractError(f"{whose} declares too much: {wrong}; shorten it there.")


def _too_long(path: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            yield f"{path} has {len(value)} characters, where {LONGEST_TEXT} are the most"
    elif isinstance(value, Sequence):
        if len(value) > MOST_ENTRIES:
            yield f"{path} has {len(value)} entries, where {MOST_ENTRIES} are the most"
            return
        for number, one in enumerate(value):
            yield from _too_long(f"{path}[{number}]", one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _too_long(f"{path}.{field.name}", getattr(value, field.name))
