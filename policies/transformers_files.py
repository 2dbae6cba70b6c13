"""What the files of a pi0 checkpoint say, read without transformers, and whether a card agrees.

``config.json`` has the lengths (``configuration_pi0.py``); ``processor_config.json`` the statistics
(``PI0Processor``: ``state_mean``, ``state_std``, ``actions_mean``, ``actions_std``). A folder that
lerobot wrote has them in the state of its pipelines' steps instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vlabench.errors import UsageError
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import check_ready, read_json
from vlabench.policies.lerobot_files import renames, shown_images
from vlabench.policies.options import read_options
from vlabench.policies.vectors import state_size
from vlabench.types import Json

NAME = "transformers"
CONFIG = "config.json"
PROCESSOR = "processor_config.json"
PIPELINE = "policy_preprocessor.json"
TOKENIZER = "google/paligemma-3b-pt-224"
"""What lerobot's pi0 names (``policies/pi0/processor_pi0.py``), and transformers' own tests use."""

_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_STATISTICS = ("state_mean", "state_std", "actions_mean", "actions_std")


class Options(BaseModel):
    """What a card says beside the conventions.

    Attributes:
        type: The model, as ``config.json`` names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = "pi0"


@dataclass(frozen=True, slots=True)
class Lengths:
    """What ``config.json`` says of a pi0; what it leaves out is what ``PI0Config`` has.

    Attributes:
        type: The model.
        chunk_size: Rows of an answer.
        max_state_dim: Most numbers of the state.
        max_action_dim: Most numbers of an action.
        image: ``(height, width)`` that the model sees: ``image_resolution`` of lerobot's, or
            ``image_size`` of the native vision model.
    """

    type: str
    chunk_size: int
    max_state_dim: int
    max_action_dim: int
    image: tuple[int, int]


def check_card(card: Card, folder: Path, processor: str) -> None:
    """Refuses a checkpoint that contradicts `card`, or lacks a processor or statistics.

    Raises:
        UsageError: If it does.
    """
    wrong = list(_differences(card, lengths_of(folder), _images(folder)))
    if wrong:
        raise UsageError(
            f"The card {card.name!r} and the checkpoint in {folder} contradict each other: "
            f"{'; '.join(wrong)}; give the card of this checkpoint, or mend it."
        )
    sizes = statistics_of(folder)
    if sizes is not None:
        mine = (state_size(card.spec().state), card.spec().action.dimension - card.action.padding)
        if sizes != mine:
            raise UsageError(
                f"The statistics of the checkpoint in {folder} are of {sizes[0]} numbers of the "
                f"state and {sizes[1]} of an action, the card {card.name!r} has {mine[0]} and "
                f"{mine[1]}; give the card of this checkpoint, or mend it."
            )
    processor_folder(folder, processor)


def lengths_of(folder: Path) -> Lengths:
    """What ``config.json`` in `folder` says.

    Raises:
        UsageError: If it cannot be read.
    """
    config = read_json(folder / CONFIG)
    try:
        return Lengths(
            type=str(config.get("model_type") or config.get("type")),
            chunk_size=int(config.get("chunk_size", 50)),
            max_state_dim=int(config.get("max_state_dim", 32)),
            max_action_dim=int(config.get("max_action_dim", 32)),
            image=_image_size(config),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"The file {folder / CONFIG} is no configuration of a model ({error}); give the folder "
            "that save_pretrained wrote."
        ) from error


def statistics_of(folder: Path) -> tuple[int, int] | None:
    """How many numbers of the state and of an action there are statistics of.

    None where lerobot's pipelines have them, whose files are read with the model.

    Raises:
        UsageError: If there are none.
    """
    said = read_json(folder / PROCESSOR) if (folder / PROCESSOR).is_file() else {}
    missing = [name for name in _STATISTICS if not said.get(name)]
    if not missing:
        return len(said["state_mean"]), len(said["actions_mean"])
    if (folder / PIPELINE).is_file():
        return None
    raise UsageError(
        f"The checkpoint in {folder} has no statistics: its {PROCESSOR} lacks "
        f"{', '.join(missing)}, and it has no {PIPELINE} of lerobot's; without them the actions "
        "would be numbers without a unit: save its PI0Processor with those of its data set."
    )


def processor_folder(folder: Path, processor: str) -> str:
    """Where the tokenizer is: the user's folder, the checkpoint's own, or a name on the hub.

    Raises:
        UsageError: If it is nowhere to be had.
    """
    if processor:
        if not Path(processor).expanduser().is_dir():
            raise UsageError(
                f"Policy {NAME!r} got processor={processor}, which is no folder; give the folder "
                "with the tokenizer."
            )
        return processor
    if any((folder / name).is_file() for name in _TOKENIZERS):
        return str(folder)
    try:
        check_ready(NAME, TOKENIZER, trusted=False, needed=())
    except UsageError as error:
        raise UsageError(
            f"The checkpoint in {folder} has no tokenizer, and {TOKENIZER!r} cannot be fetched "
            f"from the Hugging Face hub; fetch it where the hub can be reached ('hf download "
            f"{TOKENIZER} --local-dir FOLDER') and give --policy-arg processor=FOLDER."
        ) from error
    return TOKENIZER


def _image_size(config: Json) -> tuple[int, int]:
    if config.get("image_resolution"):
        height, width = config["image_resolution"]
        return int(height), int(width)
    vision = (config.get("vlm_config") or {}).get("vision_config") or {}
    return int(vision.get("image_size", 224)), int(vision.get("image_size", 224))


def _images(folder: Path) -> list[str] | None:
    """The images of lerobot's ``input_features``, in order; None in a configuration without."""
    features = read_json(folder / CONFIG).get("input_features")
    if features is None:
        return None
    try:
        steps = read_json(folder / PIPELINE) if (folder / PIPELINE).is_file() else {"steps": []}
        return list(shown_images(features, renames(steps)))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"The file {folder / CONFIG} or {PIPELINE} beside it lacks or garbles {error}; "
            "give the folder that save_pretrained wrote."
        ) from error


def _differences(card: Card, lengths: Lengths, images: list[str] | None) -> Iterator[str]:
    spec, options = card.spec(), read_options(card, Options)
    if options.type != lengths.type:
        yield f"the card is of a {options.type!r}, config.json of a {lengths.type!r}"
    if spec.chunk_length != lengths.chunk_size:
        yield (
            f"rows of an answer: {spec.chunk_length} in the card, {lengths.chunk_size} in "
            "config.json (chunk_size)"
        )
    for what, mine, most, name in (
        ("the state", state_size(spec.state), lengths.max_state_dim, "max_state_dim"),
        ("an action", spec.action.dimension, lengths.max_action_dim, "max_action_dim"),
    ):
        if mine > most:
            yield f"numbers of {what}: {mine} in the card, at most {most} in config.json ({name})"
    for camera in spec.cameras:
        if (camera.layout, camera.dtype, camera.history) != ("hwc", "uint8", 1):
            yield f"the card has {camera.role} other than as one uint8 image (hwc)"
        shown = camera.resized or (camera.height, camera.width)
        if shown != lengths.image:
            yield (
                f"the card makes {camera.role} {shown[0]} x {shown[1]}, the model of config.json "
                f"sees {lengths.image[0]} x {lengths.image[1]}"
            )
    keys = [camera.key or camera.role for camera in spec.cameras]
    if images is not None and images != keys:
        yield (
            f"the card has the images {', '.join(keys) or 'none'} (keys of its cameras, in order), "
            f"config.json {', '.join(images) or 'none'}"
        )
