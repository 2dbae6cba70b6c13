"""Reads the ``options`` of a card: what its adapter alone understands, as strictly as the rest."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vlabench.errors import UsageError
from vlabench.policies.card import Card

Options = TypeVar("Options", bound=BaseModel)


def read_options(card: Card, kind: type[Options]) -> Options:
    """The options of `card`.

    Raises:
        UsageError: If there is an unknown one, one is missing, or has a wrong value; the text names
            card and option.
    """
    try:
        return kind.model_validate(card.options)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(["options", *map(str, first["loc"])])
        raise UsageError(
            f"The card {card.name!r} has a wrong {path} ({first['msg']}); policy {card.adapter!r} "
            f"reads {', '.join(kind.model_fields)}."
        ) from error
