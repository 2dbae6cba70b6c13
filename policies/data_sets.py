"""What families share whose checkpoints carry the statistics of the data sets they learned from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlabench.policies.arguments import text
from vlabench.policies.card import Card
from vlabench.policies.in_process import InProcess
from vlabench.policies.local import checkpoint_of
from vlabench.policies.statistics import known_keys
from vlabench.types import Json


@dataclass(eq=False, repr=False, kw_only=True)
class OfDataSets(InProcess):
    """A policy whose numbers are scaled by the statistics of one data set.

    Attributes:
        unnorm_key: Which one; the card's, or the only one, unless told.
    """

    unnorm_key: str = ""

    @classmethod
    @abstractmethod
    def bounds(cls, card: Card, folder: Path, key: str) -> Any:
        """What numbers are scaled by, from the checkpoint in `folder`.

        Raises:
            UsageError: If there are no statistics, or none of that key that fit the card.
        """

    @classmethod
    def check(cls, card: Card, folder: Path, args: Mapping[str, Json], *, trusted: bool) -> None:
        """See `LocalPolicy.check`: there must be statistics."""
        cls.bounds(card, folder, text(args.get("unnorm_key")))

    @classmethod
    def alternatives(cls, args: Mapping[str, Json]) -> dict[str, list[str]]:
        """The data sets that ``unnorm_key`` may name, for who suspects another one."""
        card = cls._chosen(args)
        checkpoint = checkpoint_of(card, text(args.get("checkpoint")))
        keys = known_keys(
            cls.name,
            checkpoint,
            text(args.get("revision")),
            lambda folder, key: cls.bounds(card, folder, key),
        )
        return {"unnorm_key": keys}
