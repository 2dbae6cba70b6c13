"""OpenVLA in process: github.com/openvla/openvla, loaded by transformers with its own code.

A model of the family is asked as ``experiments/robot/openvla_utils.py``, ``get_vla_action``, asks
it: one image and one prompt go through the checkpoint's processor, and seven tokens come back by
greedy decoding. How the image and the prompt are prepared stands in the card and is done by the
contract's converters; what follows, from tokens to numbers, is ``predict_action`` of
``prismatic/extern/hf/modeling_prismatic.py``, done here: see `action_bins` and `Bounds`.

The checkpoint's code takes one observation at a time, and so does this policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from vlabench.errors import PolicyError, UsageError, in_one_line
from vlabench.policies.arguments import text
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import (
    check_keys,
    inferring,
)
from vlabench.policies.data_sets import OfDataSets
from vlabench.policies.options import read_options
from vlabench.policies.statistics import (
    Bounds,
    choose_key,
    read_bounds,
    read_statistics,
)
from vlabench.policies.torchvision_beside import import_torchvision
from vlabench.types import ActionChunk, Floats, Json, Observation

EMPTY_TOKEN = 29871
"""Llama's token of a lone blank, with which every prompt ended in training: ``predict_action``
appends it where the tokenizer did not."""


class OpenVlaOptions(BaseModel):
    """What a card says beside the conventions.

    Attributes:
        unnorm_keys: The data sets whose statistics un-normalise the actions of the card's
            checkpoints, of which each has one; empty where every checkpoint has one data set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unnorm_keys: tuple[str, ...] = ()


@dataclass(eq=False, repr=False, kw_only=True)
class OpenVla(OfDataSets):
    """Loads an OpenVLA checkpoint and asks it, one observation at a time.

    Args:
        checkpoint: A folder with the checkpoint, or its name on the hub, for example
            ``openvla/openvla-7b``: it picks the card. Without it, the first one that was
            fine-tuned on LIBERO.
        card: A packaged card's name, or a card file, where the checkpoint's name says nothing.
        revision: Of a checkpoint on the hub: its branch, tag or commit; of a folder, your name for
            its state.
        unnorm_key: The data set whose statistics un-normalise the actions; the card's, or the only
            one, unless told.
        trust_remote_code: OpenVLA's checkpoints bring the code of the model; it runs only with
            ``true``.
        device: ``cpu``, ``cuda`` or ``cuda:N``; a graphics card if there is one.
        dtype: Of the weights: ``bfloat16`` as the authors load them, ``float16`` or ``float32``.
        url: Taken by ``openvla-rest``, and refused here.

    Raises:
        UsageError: If the checkpoint cannot be found or loaded, brings code that was not allowed
            to run, or its statistics do not fit.
    """

    adapter = name = "openvla"
    brings_code = True

    unnorm_key: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        _refuse_url(self.url)
        super().__post_init__()

    @classmethod
    def _chosen(cls, args: Mapping[str, Json]) -> Card:
        _refuse_url(args.get("url"))
        return super()._chosen(args)

    @classmethod
    def bounds(cls, card: Card, folder: Path, key: str) -> Bounds:
        """What the checkpoint's actions are un-normalised with."""
        options = read_options(card, OpenVlaOptions)
        statistics = read_statistics(card.adapter, folder)
        chosen = choose_key(card.adapter, folder, statistics, key, options.unnorm_keys)
        return read_bounds(statistics, chosen, "action", card.action.dimension)

    def _load(self) -> None:
        from transformers import AutoModelForVision2Seq, AutoProcessor

        with suppress(ImportError):  # the published code needs it, by way of timm
            import_torchvision()

        if len(self._spec.cameras) != 1:
            raise UsageError(
                f"The card of policy {self.name!r} has {len(self._spec.cameras)} cameras; the "
                "model takes one image, so declare one."
            )
        self._bounds = self.bounds(self._card, self._folder, text(self.unnorm_key))
        self._processor: Any = AutoProcessor.from_pretrained(
            self._folder, trust_remote_code=self._trusted
        )
        model, info = AutoModelForVision2Seq.from_pretrained(
            self._folder,
            torch_dtype=self._torch_dtype(),
            trust_remote_code=self._trusted,
            output_loading_info=True,
        )
        check_keys(
            self.name, self.checkpoint, info["missing_keys"], info["unexpected_keys"],
            [key for key, *_ in info["mismatched_keys"]],
        )  # fmt: skip
        self._bins = _Bins.of(model.config, self.checkpoint)
        self._model: Any = model.to(self.device).eval()

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One forward pass for each observation: the authors' code takes no batches.

        Raises:
            PolicyError: If the model answers fewer tokens than an action has.
            InfrastructureError: If the memory does not suffice.
        """
        with inferring(self.name):
            return [self._answer(seen) for seen in observations]

    def _answer(self, seen: Observation) -> ActionChunk:
        tokens = self._tokens(seen)
        actions = self._bounds.unscaled(self._bins.values(tokens))
        strangers = [int(token) for token in tokens if not self._bins.has(token)]
        return ActionChunk(
            actions[np.newaxis], extras={"no_action_tokens": strangers} if strangers else {}
        )

    def _tokens(self, seen: Observation) -> npt.NDArray[np.int64]:
        """The tokens ``(D,)`` that the model answers."""
        import torch
        from PIL import Image

        image = Image.fromarray(seen.images[self._spec.cameras[0].role])
        inputs = self._processor(seen.instruction, image)
        ids = inputs["input_ids"]
        if int(ids[0, -1]) != EMPTY_TOKEN:
            ids = torch.cat([ids, torch.tensor([[EMPTY_TOKEN]])], dim=1)
        due = self._spec.action.dimension
        with torch.inference_mode():
            generated = self._model.generate(
                ids.to(self.device),
                attention_mask=torch.ones_like(ids).to(self.device),
                pixel_values=inputs["pixel_values"].to(self.device, self._torch_dtype()),
                max_new_tokens=due,
                do_sample=False,
            )
        tokens: npt.NDArray[np.int64] = generated[0, ids.shape[1] :].cpu().numpy()
        if len(tokens) != due:
            raise PolicyError(
                f"Policy {self.name!r} answered {len(tokens)} tokens ({tokens.tolist()}) where "
                f"{due} make an action; is {self.checkpoint} fine-tuned to act?"
            )
        return tokens


@dataclass(frozen=True, slots=True)
class _Bins:
    """Which tokens mean which numbers.

    Attributes:
        vocabulary: How many tokens there are, without those that only fill the embedding up.
        count: The edges of the bins, one more than there are bins.
    """

    vocabulary: int
    count: int

    @staticmethod
    def of(config: Any, checkpoint: str) -> _Bins:
        """The bins of a model's configuration, as `OpenVLAForActionPrediction` makes them."""
        try:
            padding = int(config.pad_to_multiple_of)
            return _Bins(int(config.text_config.vocab_size) - padding, int(config.n_action_bins))
        except (AttributeError, TypeError) as error:
            raise UsageError(
                f"The configuration of {checkpoint} does not say what OpenVLA's action tokens are "
                f"({in_one_line(error)}); is it an OpenVLA checkpoint?"
            ) from error

    def values(self, tokens: npt.NDArray[np.int64]) -> Floats:
        """Numbers in (-1, 1): see `action_bins`."""
        centres = action_bins(self.count)
        places = np.clip(self.vocabulary - tokens - 1, 0, len(centres) - 1)
        return centres[places]

    def has(self, token: int) -> bool:
        """Whether `token` is an action's; the authors read any other as the nearest bin."""
        return self.vocabulary - self.count <= token < self.vocabulary


def action_bins(count: int) -> Floats:
    """The middles ``(count - 1,)`` between `count` equally spaced edges from -1 to 1.

    The last token of the vocabulary means the first, the one before it the second, and so on
    (``prismatic/vla/action_tokenizer.py``).
    """
    edges = np.linspace(-1, 1, count)
    centres: Floats = (edges[:-1] + edges[1:]) / 2
    return centres


def _refuse_url(url: Json) -> None:
    if text(url):
        raise UsageError(
            "Policy 'openvla' loads the model in process and asks no server; write --policy "
            "openvla-rest where deploy.py runs, or leave out --policy-arg url."
        )
