"""What adapters share that load a checkpoint in process: which card, whose code, which device.

A checkpoint is a folder here or ``owner/name`` on the Hugging Face hub. One that a card lists picks
that card. A folder picks the card of the checkpoint that it is called after; of any other folder
the user says which card it has: conventions are never guessed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.arguments import boolean, text
from vlabench.policies.card import Card, FromCard, find_card, packaged_cards
from vlabench.policies.checkpoints import (
    check_consent,
    check_memory,
    check_ready,
    checkpoint_files,
    device_named,
    folder_revision,
    is_local,
    loading,
    local_folder,
)
from vlabench.types import EpisodeStart, Json

DTYPES = ("bfloat16", "float16", "float32")


@dataclass(eq=False, repr=False, kw_only=True)
class InProcess(FromCard):
    """A policy that loads its model where it runs; its fields are what the user gives.

    Attributes:
        name: What the user calls the policy, and cards their adapter.
        needed: Files without which a folder is no checkpoint of the family.
        brings_code: Whether every checkpoint of the family brings Python code of its own.
        runs_code: Whether such code would be run.
        checkpoint: A folder, or ``owner/name`` on the hub; the card's first one unless told.
        revision: Of a checkpoint on the hub: its branch, tag or commit. Of a folder, your name for
            its state; without one, it is told by its files.
        card: A packaged card's name, or a card file of your own.
        trust_remote_code: Whether Python code that comes with the checkpoint may run.
        device: ``cpu``, ``cuda`` or ``cuda:N``; a graphics card if there is one.
        dtype: Of the weights: one of `DTYPES`; the card's or the family's usual one unless told.
    """

    name: ClassVar[str]
    needed: ClassVar[tuple[str, ...]] = ("config.json",)
    brings_code: ClassVar[bool] = False
    runs_code: ClassVar[bool] = True

    checkpoint: str = ""
    revision: str | int = ""
    card: str = ""
    trust_remote_code: str | bool = False
    device: str = ""
    dtype: str = ""

    def __post_init__(self) -> None:
        args = {field.name: getattr(self, field.name) for field in fields(self)}
        self._card, self.checkpoint = self._chosen(args)
        self._check_named(self._card, self.checkpoint)
        self._spec = self._card.spec(self._revision(args, self.checkpoint))
        self._trusted = boolean(self.name, "trust_remote_code", self.trust_remote_code)
        self._dtype = self._dtype_named(text(self.dtype))
        with loading(self.name, self.checkpoint):
            self._device = device_named(self.name, text(self.device))
            self._folder = checkpoint_files(
                self.name, self.checkpoint, revision=self._of_hub(args), needed=self.needed
            )
            check_consent(self.name, self._folder, trusted=self._trusted or not self.runs_code)
            check_memory(self.name, self._folder, self._device)
            self._load()

    @abstractmethod
    def _load(self) -> None:
        """Loads the model from `_folder`, onto `_device`."""

    def spec(self) -> PolicySpec:
        """What its card and arguments declare."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """The model remembers nothing between two questions."""

    def end(self, episode_ids: Sequence[str]) -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """The model goes with its process."""

    # --- before it is made --------------------------------------------------------------------

    @classmethod
    def requires(cls, args: Mapping[str, Json]) -> tuple[str, ...]:
        """See `FromCard.requires`."""
        return cls._chosen(args)[0].requires

    @classmethod
    def declares(cls, args: Mapping[str, Json]) -> PolicySpec:
        """See `FromCard.declares`."""
        card, checkpoint = cls._chosen(args)
        return card.spec(cls._revision(args, checkpoint))

    @classmethod
    def check_before_run(cls, args: Mapping[str, Json]) -> None:
        """Refuses what could not be loaded, before an environment is built for it.

        Raises:
            UsageError: See `check_ready`.
        """
        card, checkpoint = cls._chosen(args)
        cls._check_named(card, checkpoint)
        trusted = boolean(cls.name, "trust_remote_code", args.get("trust_remote_code", False))
        check_ready(
            cls.name,
            checkpoint,
            trusted=trusted or not cls.runs_code,
            needed=cls.needed,
            brings_code=cls.brings_code,
        )

    @classmethod
    def _chosen(cls, args: Mapping[str, Json]) -> tuple[Card, str]:
        """The card that the arguments mean, and the checkpoint."""
        checkpoint, card = text(args.get("checkpoint")), text(args.get("card"))
        if checkpoint and is_local(checkpoint):
            folder = local_folder(cls.name, checkpoint, cls.needed)
            card = card or cls._card_named_by(folder)
            return find_card(cls.adapter, card=card), str(folder.resolve())
        found = find_card(cls.adapter, checkpoint, card)
        return found, checkpoint or next(iter(found.checkpoints), "")

    @classmethod
    def _check_named(cls, card: Card, checkpoint: str) -> None:
        if not checkpoint:
            raise UsageError(
                f"The card {card.name!r} of policy {cls.name!r} lists no published checkpoint; "
                f"give yours as --policy-arg checkpoint=FOLDER --policy-arg card={card.name}."
            )

    @classmethod
    def _card_named_by(cls, folder: Path) -> str:
        """The packaged card of the checkpoint that `folder` is called after.

        A folder in the cache of the hub's client is called ``models--owner--name`` further up.
        """
        called = {part.rpartition("--")[2] for part in folder.resolve().parts[-3:]}
        mine = [card for card in packaged_cards() if card.adapter == cls.adapter]
        for card in mine:
            if called & {name.rpartition("/")[2] for name in card.checkpoints}:
                return card.name
        raise UsageError(
            f"The folder {folder} is called after no checkpoint that policy {cls.name!r} knows, so "
            "what its numbers mean is not known; give --policy-arg card=NAME "
            f"({', '.join(card.name for card in mine) or 'none is packaged'}), or card=FILE with a "
            "card of your own."
        )

    @classmethod
    def _revision(cls, args: Mapping[str, Json], checkpoint: str) -> str:
        told = text(args.get("revision"))
        here = bool(checkpoint) and is_local(checkpoint)
        return told or (folder_revision(Path(checkpoint)) if here else "")

    def _of_hub(self, args: Mapping[str, Json]) -> str:
        return "" if is_local(self.checkpoint) else text(args.get("revision"))

    def _dtype_named(self, dtype: str) -> str:
        if dtype and dtype not in DTYPES:
            raise UsageError(f"Policy {self.name!r} got dtype={dtype}; write {', '.join(DTYPES)}.")
        return dtype or DTYPES[0]

    def _torch_dtype(self) -> Any:
        import torch

        return getattr(torch, self._dtype)
