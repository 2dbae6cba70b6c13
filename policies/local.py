"""What adapters share that load a checkpoint themselves: which one, its card, its noise.

A folder does not say what its numbers mean, so the card of one is always named; a checkpoint on
the hub picks its card as a server's does. Nothing here needs the packages of a family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import PADDING, PolicySpec
from vlabench.errors import UsageError
from vlabench.hashing import content_hash
from vlabench.policies.arguments import boolean, text
from vlabench.policies.card import Card, FromCard, find_card, packaged_cards
from vlabench.policies.checkpoints import check_ready, is_local, local_folder
from vlabench.policies.hub import commit_of
from vlabench.policies.torchvision_beside import torchvision_for_torch
from vlabench.seeding import stream
from vlabench.types import EpisodeStart, Json

_LOOKED_AT = 16
_LOOK_BYTES = 2**16


@dataclass(eq=False, repr=False, kw_only=True)
class LocalPolicy(FromCard):
    """A policy whose weights are loaded here; its fields are what the user gives.

    Attributes:
        name: What the user calls the policy.
        needed: Files without which a folder is no checkpoint of it.
        checkpoint: A folder or ``owner/name`` on the hub; the card's first one where it is empty.
        revision: Of a checkpoint on the hub: its branch, tag or commit. Of a folder: in the user's
            words; a fingerprint of its files where it is empty.
        card: A card file, or a packaged card's name.
        device: Where the model lives.
        trust_remote_code: Whether code that the checkpoint names or brings may run.
    """

    name: ClassVar[str]
    needed: ClassVar[tuple[str, ...]]
    shared: ClassVar[bool] = True

    checkpoint: str = field(default="", kw_only=False)
    revision: str = ""
    card: str = ""
    device: str = ""
    trust_remote_code: str | bool = False

    def __post_init__(self) -> None:
        given = {"checkpoint": self.checkpoint, "card": self.card}
        self._card = self._chosen(given)
        self.checkpoint = checkpoint_of(self._card, text(self.checkpoint))
        self.device = text(self.device)
        self._trusted = boolean(self.name, "trust_remote_code", self.trust_remote_code)
        self._spec = self._declared(self._card, self.checkpoint, text(self.revision))
        self._seeds: dict[str, int] = {}

    @classmethod
    def requires(cls, args: Mapping[str, Json]) -> tuple[str, ...]:
        """What pip must install where the policy lives, torchvision as the torch here wants it.

        Raises:
            UsageError: If the arguments name no card.
        """
        return tuple(
            torchvision_for_torch() if package == "torchvision" else package
            for package in cls._chosen(args).requires
        )

    @classmethod
    def declares(cls, args: Mapping[str, Json]) -> PolicySpec:
        """What its card declares; the checkpoint need not be fetched for that.

        Raises:
            UsageError: If the arguments name no card, or a folder that is no checkpoint.
        """
        card = cls._chosen(args)
        checkpoint = checkpoint_of(card, text(args.get("checkpoint")))
        return cls._declared(card, checkpoint, text(args.get("revision")))

    @classmethod
    def check_before_run(cls, args: Mapping[str, Json]) -> None:
        """Refuses what could not be loaded, before an environment is built for it.

        Raises:
            UsageError: If the checkpoint is none, does not fit its card, or cannot be reached.
        """
        card = cls._chosen(args)
        checkpoint = checkpoint_of(card, text(args.get("checkpoint")))
        trusted = boolean(cls.name, "trust_remote_code", args.get("trust_remote_code", False))
        check_ready(cls.name, checkpoint, trusted=trusted, needed=cls.needed)
        if is_local(checkpoint):
            cls.check(card, Path(checkpoint).expanduser(), args, trusted=trusted)

    @classmethod
    def check(cls, card: Card, folder: Path, args: Mapping[str, Json], *, trusted: bool) -> None:
        """Refuses a checkpoint that its files show not to fit `card`, before anything is loaded.

        Args:
            card: What the user says that it is.
            folder: Where its files lie.
            args: The policy's arguments.
            trusted: Whether code that it names may run.

        Raises:
            UsageError: If it does not fit.
        """

    def spec(self) -> PolicySpec:
        """What its card and arguments declare."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        self._seeds.update({start.episode_id: start.seed for start in starts})

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        for episode_id in episode_ids:
            self._seeds.pop(episode_id, None)

    def close(self) -> None:
        """Forgets every session; the model goes with the policy."""
        self._seeds.clear()

    def _seed(self, episode_id: str) -> int:
        """The session's own; any for one that only fills a batch up."""
        return 0 if episode_id.startswith(PADDING) else self._seeds[episode_id]

    def _noise(
        self, sessions: Sequence[tuple[str, int]], shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        """Standard normal ``(sessions, *shape)`` noise: of each session and step its own.

        Args:
            sessions: Episode id and control step of each.
            shape: Of one session's noise.
        """
        drawn = [stream(self.name, self._seed(name), step) for name, step in sessions]
        return np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in drawn])

    @classmethod
    def _chosen(cls, args: Mapping[str, Json]) -> Card:
        checkpoint, card = text(args.get("checkpoint")), text(args.get("card"))
        if not checkpoint or not is_local(checkpoint):
            return find_card(cls.adapter, checkpoint, card)
        if not card:
            local_folder(cls.name, checkpoint, cls.needed)
            known = ", ".join(c.name for c in packaged_cards() if c.adapter == cls.adapter)
            raise UsageError(
                f"The folder {checkpoint} does not say what its numbers mean to a robot; give "
                f"--policy-arg card=NAME ({known}) if it follows that card, or a card of your own "
                "with --policy-arg card=FILE."
            )
        return find_card(cls.adapter, "", card)

    @classmethod
    def _declared(cls, card: Card, checkpoint: str, revision: str) -> PolicySpec:
        return card.spec(cls._identity(checkpoint, revision))

    @classmethod
    def _identity(cls, checkpoint: str, revision: str) -> str:
        """Which weights these are: of a folder what the user says, or what its files are.

        Of one on the hub ``owner/name``, the user's revision and the commit, as far as they are
        known, with ``@`` between them.
        """
        if not checkpoint:
            return revision
        if is_local(checkpoint):
            return revision or fingerprint(local_folder(cls.name, checkpoint, cls.needed))
        told = dict.fromkeys((checkpoint, revision, commit_of(checkpoint, revision)))
        return "@".join(filter(None, told))


def fingerprint(folder: Path) -> str:
    """Which checkpoint lies in `folder`: a hash of samples of its settings, weights and code."""
    seen = []
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".safetensors", ".bin", ".pt", ".py"):
            seen.append([path.name, path.stat().st_size, _samples(path)])
    return content_hash(seen)


def _samples(path: Path) -> list[str]:
    """Evenly spaced parts of a file; all of a small one."""
    size = path.stat().st_size
    places = sorted({int(p) for p in np.linspace(0, max(0, size - _LOOK_BYTES), _LOOKED_AT)})
    with path.open("rb") as file:
        parts = []
        for place in places:
            file.seek(place)
            parts.append(file.read(_LOOK_BYTES).hex())
    return parts


def checkpoint_of(card: Card, checkpoint: str) -> str:
    """What the user names, or the first checkpoint of the card; empty if it has none."""
    if checkpoint or not card.checkpoints:
        return checkpoint
    return card.checkpoints[0]
