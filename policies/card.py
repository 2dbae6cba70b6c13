"""Policy cards: what a checkpoint's numbers mean, and how that is known.

A card is a YAML file in ``cards/``, or one of the user's own. It is read strictly, and a
convention without a source is an error: a guessed gripper costs a whole table.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, StrictBool, StrictInt, model_validator

from vlabench.contract.specs import ActionSpec, CameraSpec, PolicySpec
from vlabench.yamlio import load_model

SOURCED = (
    "cameras.role",
    "cameras.size",
    "cameras.mirrored",
    "cameras.jpeg_quality",
    "cameras.resized",
    "cameras.crop_area",
    "proprio",
    "action.control",
    "action.frame",
    "action.rotation",
    "action.scale",
    "action.max_step",
    "action.gripper",
    "action.gripper_threshold",
    "action.dimension",
    "chunk_length",
    "control_hz",
    "deterministic",
    "stateful",
    "max_batch",
)
"""The facts of a card; each must say where it comes from."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraCard(_Strict):
    """See `CameraSpec`; nothing is left to a default."""

    role: str
    height: StrictInt
    width: StrictInt
    mirrored: StrictBool
    jpeg_quality: StrictInt | None
    resized: tuple[StrictInt, StrictInt] | None
    crop_area: FiniteFloat | None


class ActionCard(_Strict):
    """See `ActionSpec`; nothing is left to a default."""

    control: Literal["ee_delta"]
    frame: Literal["base"]
    rotation: Literal["axis_angle"]
    scale: Literal["normalized", "metric"]
    max_translation_m: FiniteFloat | None
    max_rotation_rad: FiniteFloat | None
    gripper_open: FiniteFloat
    gripper_close: FiniteFloat
    gripper_threshold: FiniteFloat | None
    dimension: StrictInt


class Card(_Strict):
    """One card: the fields of `PolicySpec`, the checkpoints they hold for, and the sources."""

    name: str
    adapter: str
    checkpoints: tuple[str, ...]
    cameras: tuple[CameraCard, ...]
    proprio: tuple[str, ...]
    action: ActionCard
    chunk_length: StrictInt
    executed: StrictInt
    control_hz: FiniteFloat | None
    deterministic: StrictBool
    stateful: StrictBool
    max_batch: StrictInt
    sources: dict[str, str]

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Card:
        unknown = sorted(self.sources.keys() - set(SOURCED))
        missing = [fact for fact in SOURCED if not self.sources.get(fact, "").strip()]
        if unknown:
            raise ValueError(f"sources has {unknown[0]!r}, which is none of {', '.join(SOURCED)}.")
        if missing:
            raise ValueError(f"sources does not say where {missing[0]} comes from; add it.")
        return self

    def spec(self) -> PolicySpec:
        """The declaration that the card makes for its policy."""
        return PolicySpec(
            name=self.name,
            cameras=tuple(CameraSpec(**dict(camera)) for camera in self.cameras),
            proprio=self.proprio,
            action=ActionSpec(**dict(self.action)),
            chunk_length=self.chunk_length,
            executed=self.executed,
            control_hz=self.control_hz,
            deterministic=self.deterministic,
            stateful=self.stateful,
            max_batch=self.max_batch,
        )


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
