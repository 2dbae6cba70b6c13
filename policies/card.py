"""Policy cards: what a checkpoint's numbers mean, and how that is known.

A card is a YAML file in ``cards/``, or one of the user's own. It is read strictly, and a
convention without a source is an error: a guessed gripper costs a whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    model_validator,
)

from vlabench.contract.declared import disagreements
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Control,
    Ensembling,
    Filter,
    Fit,
    Layout,
    Need,
    PolicySpec,
    PromptSpec,
    Rotation,
    StateField,
)
from vlabench.errors import UnknownNameError, UsageError
from vlabench.policies.arguments import text
from vlabench.types import Json
from vlabench.yamlio import load_model

SOURCED = (
    "cameras.role",
    "cameras.size",
    "cameras.rotated",
    "cameras.mirrored",
    "cameras.jpeg_quality",
    "cameras.resized",
    "cameras.crop_area",
    "proprio",
    "state",
    "prompt",
    "action.control",
    "action.frame",
    "action.rotation",
    "action.scale",
    "action.max_step",
    "action.gripper",
    "action.gripper_threshold",
    "action.dimension",
    "chunk_length",
    "executed",
    "control_hz",
    "deterministic",
    "stateful",
    "max_batch",
)
"""The facts of a card; each must say where it comes from."""

SOURCED_IF_TOLD = (
    "cameras.key",
    "cameras.history",
    "cameras.layout",
    "cameras.dtype",
    "action.padding",
    "action.gripper_relative",
    "action.gripper_sticky_steps",
    "action.bound",
    "action.offset",
    "action.turned",
    "ensembling",
    "needs",
    "fixed_batch",
    "while_waiting",
    "params",
    "weight_type",
    "requires",
    "options",
)
"""Facts that have a usual value; a card that says another must say where it comes from."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraCard(_Strict):
    """See `CameraSpec`; what is commonly wrong is left to no default."""

    role: str
    height: StrictInt
    width: StrictInt
    rotated: StrictBool
    mirrored: StrictBool
    jpeg_quality: StrictInt | None
    resized: tuple[StrictInt, StrictInt] | None
    resize_filter: Filter | None = None
    resize_fit: Fit | None = None
    crop_area: FiniteFloat | None
    history: StrictInt = 1
    history_stride: StrictInt = 1
    layout: Layout = "hwc"
    dtype: Literal["uint8", "float32"] = "uint8"
    key: str = ""

    @model_validator(mode="after")
    def _a_new_size_says_how(self) -> CameraCard:
        for name in ("resize_filter", "resize_fit"):
            if (getattr(self, name) is None) != (self.resized is None):
                raise ValueError(
                    f"{name} and resized go together; give {name} where the image is resized, "
                    "and leave it out where it is not."
                )
        return self

    def spec(self) -> CameraSpec:
        """The camera that this declares."""
        given = {name: value for name, value in self if name not in _HOW or value is not None}
        return CameraSpec(**given)


_HOW = ("resize_filter", "resize_fit")


class StateCard(_Strict):
    """See `StateField`; in a card `as_` is written ``as``."""

    source: str
    as_: str = Field("same", alias="as")
    size: StrictInt | None = None
    scale: FiniteFloat | None = None
    offset: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    turned: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    towards: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None


class PromptCard(_Strict):
    """See `PromptSpec`; nothing is left to a default."""

    template: str
    case: Literal["as-is", "lower", "upper"]
    strip_period: StrictBool


class EnsemblingCard(_Strict):
    """See `Ensembling`; nothing is left to a default."""

    decay: FiniteFloat
    every: StrictInt


class ActionCard(_Strict):
    """See `ActionSpec`; what is commonly wrong is left to no default."""

    control: Control
    frame: Literal["base", "hand", "joints"]
    rotation: Rotation
    scale: Literal["normalized", "metric"]
    max_translation_m: FiniteFloat | None
    max_rotation_rad: FiniteFloat | None
    max_joint: FiniteFloat | None = None
    gripper_open: FiniteFloat
    gripper_close: FiniteFloat
    gripper_threshold: FiniteFloat | None
    gripper_relative: StrictBool = False
    gripper_sticky_steps: StrictInt = 1
    dimension: StrictInt
    padding: StrictInt = 0
    bound: FiniteFloat | None = None
    offset: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    turned: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None


class Card(_Strict):
    """One card: the fields of `PolicySpec`, the checkpoints they hold for, and the sources.

    Attributes:
        default: Whether it is the one that its adapter takes where no checkpoint is named.
        requires: What pip must install where the policy runs, for example
            ``["transformers==4.40.1"]``.
        options: What its adapter alone reads, and reads strictly, for example the keys of a
            request.
    """

    name: str
    adapter: str
    default: StrictBool = False
    checkpoints: tuple[str, ...]
    requires: tuple[str, ...] = ()
    cameras: tuple[CameraCard, ...]
    proprio: tuple[str, ...]
    state: tuple[StateCard, ...]
    prompt: PromptCard
    action: ActionCard
    chunk_length: StrictInt
    executed: StrictInt
    ensembling: EnsemblingCard | None = None
    control_hz: FiniteFloat | None
    needs: tuple[Need, ...] = ()
    deterministic: StrictBool
    stateful: StrictBool
    max_batch: StrictInt
    fixed_batch: StrictBool = False
    while_waiting: Literal["hold", "rest"] = "hold"
    params: StrictInt | None = None
    weight_type: Literal["", "shared", "finetuned"] = ""
    options: dict[str, Json] = {}
    sources: dict[str, str]

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Card:
        known = (*SOURCED, *SOURCED_IF_TOLD)
        unknown = sorted(self.sources.keys() - set(known))
        if unknown:
            raise ValueError(f"sources has {unknown[0]!r}, which is none of {', '.join(known)}.")
        for fact in (*SOURCED, *self._told()):
            if not self.sources.get(fact, "").strip():
                raise ValueError(f"sources does not say where {fact} comes from; add it.")
        return self

    def _told(self) -> list[str]:
        """Which facts of `SOURCED_IF_TOLD` the card gives another value than the usual one."""
        spec, usual = self.spec(), PolicySpec("")
        told = []
        for fact in SOURCED_IF_TOLD:
            part, _, field = fact.partition(".")
            if part == "cameras":
                default = CameraSpec("", 0, 0)
                here = any(getattr(c, field) != getattr(default, field) for c in spec.cameras)
            elif part == "action":
                here = getattr(spec.action, field) != getattr(usual.action, field)
            elif part in ("requires", "options"):
                here = bool(getattr(self, part))
            else:
                here = getattr(spec, part) != getattr(usual, part)
            if here:
                told.append(fact)
        return told

    def spec(self, revision: str = "") -> PolicySpec:
        """The declaration that the card makes for its policy, of which `revision` is loaded."""
        ensembling = self.ensembling
        return PolicySpec(
            name=self.name,
            cameras=tuple(camera.spec() for camera in self.cameras),
            proprio=self.proprio,
            state=tuple(StateField(**dict(field)) for field in self.state),
            prompt=PromptSpec(**dict(self.prompt)),
            action=ActionSpec(**dict(self.action)),
            chunk_length=self.chunk_length,
            executed=self.executed,
            ensembling=None if ensembling is None else Ensembling(**dict(ensembling)),
            control_hz=self.control_hz,
            needs=self.needs,
            deterministic=self.deterministic,
            stateful=self.stateful,
            max_batch=self.max_batch,
            fixed_batch=self.fixed_batch,
            while_waiting=self.while_waiting,
            revision=revision,
            params=self.params,
            weight_type=self.weight_type,
        )


class FromCard:
    """Mixed into a policy that is made from a card, by its arguments ``checkpoint`` and ``card``.

    Attributes:
        adapter: What the cards of this policy call it.
        shared: That all who ask it ask the same server, so that one process should ask for all
            workers; see `vlabench.runner.placement`.
    """

    adapter: ClassVar[str]
    shared: ClassVar[bool] = True

    @classmethod
    def requires(cls, args: Mapping[str, Json]) -> tuple[str, ...]:
        """What pip must install where the policy that `args` make runs.

        Raises:
            UsageError: If they name no card.
        """
        return card_of(cls.adapter, args).requires

    @classmethod
    def declares(cls, args: Mapping[str, Json]) -> PolicySpec:
        """What the policy that `args` make would declare; it need not be made for that.

        Raises:
            UsageError: If they name no card.
        """
        return card_of(cls.adapter, args).spec(text(args.get("revision")))


def card_of(adapter: str, args: Mapping[str, Json]) -> Card:
    """The card that a policy's arguments ``checkpoint`` and ``card`` mean; see `find_card`."""
    return find_card(adapter, text(args.get("checkpoint")), text(args.get("card")))


def find_card(adapter: str, checkpoint: str = "", card: str = "") -> Card:
    """The card of a checkpoint.

    Args:
        adapter: What cards call the policy that speaks to it.
        checkpoint: A name that stands in a card's ``checkpoints``; empty for the adapter's default.
        card: The name of a packaged card, or the path of one of the user's own.

    Raises:
        UsageError: If there is none, the card is another adapter's or does not know the
            checkpoint, or a user's card contradicts the packaged one of the same checkpoint.
    """
    if card:
        return _chosen(adapter, checkpoint, card)
    mine = [found for found in packaged_cards() if found.adapter == adapter]
    if not checkpoint:
        return _default(adapter, mine)
    for found in mine:
        if checkpoint in found.checkpoints:
            return found
    known = [name for found in mine for name in found.checkpoints]
    raise UnknownNameError("checkpoint", checkpoint, known, f"the cards of policy {adapter!r}")


def read_card(path: str | Path) -> Card:
    """The card in the YAML file at `path`.

    Raises:
        UsageError: If the file cannot be read or is no card; the text names file, line and key.
    """
    return load_model(Path(path), Card)


def packaged_card(name: str) -> Card:
    """The card called `name` that comes with vlabench."""
    with as_file(files("vlabench.policies") / "cards" / f"{name}.yaml") as path:
        return read_card(path)


@cache
def packaged_cards() -> tuple[Card, ...]:
    """All cards that come with vlabench, in the order of their names."""
    folder = files("vlabench.policies") / "cards"
    names = (entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(packaged_card(name.removesuffix(".yaml")) for name in sorted(names))


def _default(adapter: str, mine: list[Card]) -> Card:
    """The adapter's only card, or the one that says that it is the default."""
    chosen = [card for card in mine if card.default] or mine
    if len(chosen) != 1:
        names = ", ".join(card.name for card in mine) or "none"
        raise UsageError(
            f"Policy {adapter!r} has no one card that is taken unless told (it has {names}); give "
            "--policy-arg checkpoint=NAME, or --policy-arg card=FILE."
        )
    return chosen[0]


def _chosen(adapter: str, checkpoint: str, card: str) -> Card:
    """The card that the user named, once nothing speaks against it."""
    packaged = {found.name: found for found in packaged_cards()}
    found = packaged.get(card)
    if found is None:
        found = _users_own(card, sorted(packaged))
    if found.adapter != adapter:
        raise UsageError(
            f"The card {card} is of policy {found.adapter!r} and not of {adapter!r}; write "
            f"--policy {found.adapter}, or give another card."
        )
    if checkpoint and checkpoint not in found.checkpoints:
        raise UnknownNameError("checkpoint", checkpoint, found.checkpoints, f"the card {card}")
    return found


def _users_own(path: str, packaged: list[str]) -> Card:
    if not Path(path).suffix and not Path(path).exists():
        raise UnknownNameError("card", path, packaged)
    mine = read_card(path)
    for theirs in packaged_cards():
        if theirs.adapter != mine.adapter:  # another server, which prepares other things itself
            continue
        shared = sorted(set(mine.checkpoints) & set(theirs.checkpoints))
        names = (path, f"the packaged card {theirs.name!r}")
        different = disagreements(mine.spec(), theirs.spec(), names) if shared else []
        if different:
            raise UsageError(
                f"The card {path} contradicts the packaged one of {shared[0]!r}: "
                f"{'; '.join(different)}; mend it."
            )
        if mine.name == theirs.name and disagreements(mine.spec(), theirs.spec(), names):
            raise UsageError(
                f"The card {path} is called {mine.name!r} like a packaged one and declares "
                "something else; give it a 'name' of its own, so that nobody takes its results for "
                "the other's."
            )
    return mine
