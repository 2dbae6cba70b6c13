"""What the files of a lerobot checkpoint say, and whether a card says the same.

``config.json`` holds the policy's type, its features and lengths (``PreTrainedConfig`` in
lerobot/configs/policies.py); ``policy_preprocessor.json`` and ``policy_postprocessor.json`` the
steps before and after the model (``DataProcessorPipeline`` in lerobot/processor/pipeline.py).
Nothing of lerobot is needed to read them, so that a card that does not fit is refused before an
environment is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import read_json
from vlabench.policies.lerobot_steps import steps_of
from vlabench.policies.options import read_options
from vlabench.policies.vectors import state_size
from vlabench.types import Json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
BEFORE = "policy_preprocessor.json"
AFTER = "policy_postprocessor.json"
NEEDED = (CONFIG, WEIGHTS, BEFORE, AFTER)
"""Files that ``save_pretrained`` of a policy and of its two pipelines write."""

STATE = "observation.state"
_EMPTY = "observation.images.empty_camera_"
_LENGTHS = ("chunk_size", "action_chunk_size", "horizon")
_REMEMBERING = ("diffusion", "vqbet", "tdmpc")
_USUAL_LAST_STEPS = ("unnormalizer_processor", "absolute_actions_processor", "device_processor")


class Options(BaseModel):
    """What a card says beside the conventions.

    Attributes:
        type: lerobot's name of the policy, as in ``config.json``.
        replaces: Facts of ``config.json`` for which the card has others, as lerobot's own
            evaluation replaces them on its command line (``--policy.n_action_steps``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """What a checkpoint says of itself.

    Attributes:
        type: lerobot's name of the policy.
        images: Key in the request to ``(height, width)``, without those that the model itself
            fills with nothing.
        state: Numbers of ``observation.state``; 0 if it reads none.
        action: Numbers of an action after the model; None if later steps may change that.
        chunk: Rows of an answer; None if it does not say.
        executed: How many of them are executed.
        remembers: Whether it keeps earlier observations itself.
        ensembling: ACT's coefficient of temporal ensembling; None for none.
        other: Features that no declaration can give.
    """

    type: str
    images: Mapping[str, tuple[int, int]]
    state: int
    action: int | None
    chunk: int | None
    executed: int
    remembers: bool
    ensembling: float | None
    other: tuple[str, ...]


def read_files(folder: Path) -> Files:
    """What the checkpoint in `folder` says of itself.

    Raises:
        UsageError: If its files cannot be read, or are not those of a lerobot policy.
    """
    config, before, after = (read_json(folder / name) for name in (CONFIG, BEFORE, AFTER))
    try:
        return _understood(config, before, after)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"The folder {folder} holds no checkpoint of lerobot 0.4 or later: its {CONFIG}, "
            f"{BEFORE} or {AFTER} lacks or garbles {error}; an older one is brought up to date by "
            "lerobot's own src/lerobot/processor/migrate_policy_normalization.py."
        ) from error


def check_card(card: Card, folder: Path) -> None:
    """Refuses a checkpoint that says otherwise than `card`.

    Raises:
        UsageError: If it does; the sentence has every difference with both sides.
    """
    options, files = read_options(card, Options), read_files(folder)
    wrong = [
        text
        for fact, text in _differences(card.spec(), options, files)
        if fact not in options.replaces
    ]
    if wrong:
        raise UsageError(
            f"The card {card.name!r} and the checkpoint in {folder} contradict each other: "
            f"{'; '.join(wrong)}; give the card of this checkpoint, or mend it."
        )


def names_elsewhere(folder: Path) -> Iterator[tuple[str, str]]:
    """What else must be fetched to load it: pairs of what it is and its name or folder.

    These are the backbone's configuration (SmolVLA's ``vlm_model_name``) and tokenizers.
    """
    config = read_json(folder / CONFIG)
    if config.get("vlm_model_name"):
        yield "backbone", str(config["vlm_model_name"])
    for step in steps_of(read_json(folder / BEFORE)):
        tokenizer = step.get("config", {}).get("tokenizer_name")
        if tokenizer:
            yield "tokenizer", str(tokenizer)


def has_step(folder: Path, name: str, registered: str) -> bool:
    """Whether the pipeline in the file `name` has a step that is registered so."""
    return any(s.get("registry_name") == registered for s in steps_of(read_json(folder / name)))


def renames(before: Json) -> dict[str, str]:
    """Each name of a feature in ``config.json`` to the one before the steps of `before`."""
    return {
        new: old
        for step in steps_of(before)
        for old, new in (step.get("config", {}).get("rename_map") or {}).items()
    }


def shown_images(
    inputs: Mapping[str, Any], renamed: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Keys of the request and ``(height, width)`` of the images, in the order of the model.

    Args:
        inputs: ``input_features`` of ``config.json``; those that the model itself fills with
            nothing are left out.
        renamed: See `renames`.
    """
    return {
        renamed.get(key, key): (int(feature["shape"][-2]), int(feature["shape"][-1]))
        for key, feature in inputs.items()
        if feature["type"] == "VISUAL" and not key.startswith(_EMPTY)
    }


def _understood(config: Json, before: Json, after: Json) -> Files:
    inputs: Mapping[str, Any] = config["input_features"]
    renamed = renames(before)
    state, other = 0, []
    for key, feature in inputs.items():
        told = renamed.get(key, key)
        if feature["type"] == "VISUAL":
            continue
        if told == STATE:
            state = int(feature["shape"][0])
        else:
            other.append(told)
    usual = {str(step.get("registry_name")) for step in steps_of(after)} <= set(_USUAL_LAST_STEPS)
    lengths = [int(config[name]) for name in _LENGTHS if config.get(name) is not None]
    return Files(
        type=str(config["type"]),
        images=shown_images(inputs, renamed),
        state=state,
        action=int(config["output_features"]["action"]["shape"][0]) if usual else None,
        chunk=lengths[0] if lengths else None,
        executed=int(config.get("n_action_steps") or config.get("action_chunk_size") or 1),
        remembers=config["type"] in _REMEMBERING or int(config.get("n_obs_steps", 1)) > 1,
        ensembling=config.get("temporal_ensemble_coeff"),
        other=tuple(other),
    )


def _differences(spec: PolicySpec, options: Options, files: Files) -> Iterator[tuple[str, str]]:
    """Each fact in which a card and a checkpoint differ, and both sides in words."""
    if options.type != files.type:
        yield "type", f"the card is of a policy {options.type!r}, the checkpoint of {files.type!r}"
    for camera in spec.cameras:
        if (camera.layout, camera.dtype, camera.history) != ("chw", "float32", 1):
            yield (
                "images",
                f"the card has {camera.role} as {camera.history} x {camera.layout} {camera.dtype}, "
                "lerobot takes 1 x chw float32",
            )
    mine = {camera.key or camera.role: _shown(camera) for camera in spec.cameras}
    if mine.keys() != files.images.keys():
        yield (
            "images",
            f"the card has the images {_listed(mine)}, config.json {_listed(files.images)}",
        )
    for key in sorted(mine.keys() & files.images.keys()):
        if mine[key] != files.images[key]:
            yield (
                "images",
                f"the card makes {key} {mine[key][0]} x {mine[key][1]}, config.json has "
                f"{files.images[key][0]} x {files.images[key][1]}",
            )
    if files.other:
        yield (
            "features",
            f"the checkpoint also reads {_listed(files.other)}, which no card can give",
        )
    numbers = [
        ("state", "numbers of the state", state_size(spec.state) if spec.state else 0, files.state),
        ("action", "numbers of an action", spec.action.dimension, files.action),
        *_lengths(spec, files),
    ]
    for fact, what, card, checkpoint in numbers:
        if checkpoint is not None and card != checkpoint:
            yield fact, f"{what}: {card} in the card, {checkpoint} in config.json ({fact})"


def _lengths(spec: PolicySpec, files: Files) -> Iterator[tuple[str, str, object, object]]:
    coefficient = None if spec.ensembling is None else spec.ensembling.decay
    if files.remembers:
        yield "n_obs_steps", "rows of an answer of a policy that remembers", spec.chunk_length, 1
        yield "n_obs_steps", "that it is stateful", spec.stateful, True
        return
    yield "chunk_size", "rows of an answer", spec.chunk_length, files.chunk
    if files.ensembling is None and coefficient is None:
        yield "n_action_steps", "rows that are executed", spec.executed, files.executed
        return
    yield "temporal_ensemble_coeff", "decay of ensembling", coefficient, files.ensembling or "none"


def _shown(camera: CameraSpec) -> tuple[int, int]:
    return camera.resized or (camera.height, camera.width)


def _listed(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"
