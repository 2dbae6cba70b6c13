"""What adapters share that load a checkpoint by transformers: whose code, which device, which type.

A folder that is called after a published checkpoint picks its card; of any other folder the user
says which card it has: conventions are never guessed. A run is planned from the card alone; what
could not be loaded is told before an environment is built, see `InProcess.check_before_run`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vlabench.errors import UsageError
from vlabench.policies.arguments import boolean, text
from vlabench.policies.card import Card, find_card, packaged_cards
from vlabench.policies.checkpoints import (
    check_consent,
    check_memory,
    check_ready,
    checkpoint_files,
    device_named,
    is_local,
    loading,
    local_folder,
)
from vlabench.policies.hub import published_in_cache
from vlabench.policies.local import LocalPolicy, checkpoint_of
from vlabench.types import Json

DTYPES = ("bfloat16", "float16", "float32")


@dataclass(eq=False, repr=False, kw_only=True)
class InProcess(LocalPolicy):
    """A policy that loads its model when it is made; its fields are what the user gives.

    Attributes:
        brings_code: Whether every checkpoint of the family brings Python code of its own.
        runs_code: Whether such code would be run.
        beside: Patterns of files with weights that are loaded beside the model's own.
        dtype: Of the weights: one of `DTYPES`, the first unless told.
    """

    needed: ClassVar[tuple[str, ...]] = ("config.json",)
    brings_code: ClassVar[bool] = False
    runs_code: ClassVar[bool] = True
    beside: ClassVar[tuple[str, ...]] = ()

    dtype: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_named(self._card, self.checkpoint)
        self.dtype = text(self.dtype) or DTYPES[0]
        if self.dtype not in DTYPES:
            raise UsageError(
                f"Policy {self.name!r} got dtype={self.dtype}; write {', '.join(DTYPES)}."
            )
        revision = "" if is_local(self.checkpoint) else text(self.revision)
        with loading(self.name, self.checkpoint):
            self.device = device_named(self.name, self.device)
            self._folder = checkpoint_files(
                self.name, self.checkpoint, revision=revision, needed=self.needed
            )
            check_consent(self.name, self._folder, trusted=self._trusted or not self.runs_code)
            dtype = self._torch_dtype()
            check_memory(self.name, self._folder, self.device, dtype.itemsize, self.beside)
            self._load()

    @abstractmethod
    def _load(self) -> None:
        """Loads the model from `_folder`, onto `device`."""

    @classmethod
    def check_before_run(cls, args: Mapping[str, Json]) -> None:
        """Refuses what could not be loaded, before an environment is built for it.

        Raises:
            UsageError: See `check_ready` and `LocalPolicy.check`.
        """
        card = cls._chosen(args)
        checkpoint = checkpoint_of(card, text(args.get("checkpoint")))
        _check_named(card, checkpoint)
        trusted = boolean(cls.name, "trust_remote_code", args.get("trust_remote_code", False))
        check_ready(
            cls.name,
            checkpoint,
            trusted=trusted or not cls.runs_code,
            needed=cls.needed,
            brings_code=cls.brings_code,
        )
        if is_local(checkpoint):
            cls.check(card, Path(checkpoint).expanduser(), args, trusted=trusted)

    @classmethod
    def _chosen(cls, args: Mapping[str, Json]) -> Card:
        checkpoint, card = text(args.get("checkpoint")), text(args.get("card"))
        if checkpoint and is_local(checkpoint):
            folder = local_folder(cls.name, checkpoint, cls.needed)
            return find_card(cls.adapter, card=card or cls._card_named_by(folder))
        return find_card(cls.adapter, checkpoint, card)

    @classmethod
    def _card_named_by(cls, folder: Path) -> str:
        """The packaged card of the checkpoint that `folder` is called after.

        Its own name counts, and none further up: what lies in ``openvla-7b/runs/mine`` may be
        anything. Only the cache of the hub's client says it above, see `published_in_cache`.
        """
        called = folder.resolve().name
        fetched = published_in_cache(folder)
        mine = [card for card in packaged_cards() if card.adapter == cls.adapter]
        for card in mine:
            names = {name.rpartition("/")[2] for name in card.checkpoints}
            if called in names or fetched in card.checkpoints:
                return card.name
        raise UsageError(
            f"The folder {folder} is called after no checkpoint that policy {cls.name!r} knows, so "
            "what its numbers mean is not known; give --policy-arg card=NAME "
            f"({', '.join(card.name for card in mine) or 'none is packaged'}), or card=FILE with a "
            "card of your own."
        )

    def _torch_dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


def _check_named(card: Card, checkpoint: str) -> None:
    if not checkpoint:
        raise UsageError(
            f"The card {card.name!r} of policy {card.adapter!r} lists no published checkpoint; "
            f"give yours as --policy-arg checkpoint=FOLDER --policy-arg card={card.name}."
        )
