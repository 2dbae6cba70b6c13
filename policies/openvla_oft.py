"""OpenVLA-OFT in process: checkpoints of github.com/moojink/openvla-oft, without their code.

They are asked as ``experiments/robot/openvla_utils.py``, ``get_vla_action``, asks them: several
images, the state and the prompt go in, and a chunk of actions comes out in one pass, by regression.
The network is `vlabench.policies.oft_model`; FiLM and diffusion are left to their server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlabench.contract.proprio import natural_size
from vlabench.errors import UsageError
from vlabench.policies.arguments import text
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import inferring, read_json
from vlabench.policies.data_sets import OfDataSets
from vlabench.policies.openvla import EMPTY_TOKEN, OpenVlaOptions
from vlabench.policies.options import read_options
from vlabench.policies.statistics import (
    Bounds,
    choose_key,
    read_bounds,
    read_statistics,
)
from vlabench.policies.torchvision_beside import import_torchvision
from vlabench.types import ActionChunk, Floats, Observation

_EPSILON = 1e-8
"""``_unnormalize_actions`` and ``normalize_proprio`` add it to a range."""


@dataclass(eq=False, repr=False, kw_only=True)
class OpenVlaOftInProcess(OfDataSets):
    """Loads an OpenVLA-OFT checkpoint and asks it, one observation at a time.

    Args:
        checkpoint: A folder with the checkpoint, its heads included, or its name on the hub, for
            example ``moojink/openvla-7b-oft-finetuned-libero-goal``: it picks the card.
        card: A packaged card's name, or a card file, where the checkpoint's name says nothing.
        revision: Of a checkpoint on the hub: its branch, tag or commit; of a folder, your name for
            its state.
        unnorm_key: The data set whose statistics scale state and actions; the card's, or the only
            one, unless told.
        trust_remote_code: Nothing of the checkpoint's code is run, whatever is given.
        device: ``cpu``, ``cuda`` or ``cuda:N``; a graphics card if there is one.
        dtype: Of the weights: ``bfloat16`` as the authors load them, ``float16`` or ``float32``.

    Raises:
        UsageError: If the checkpoint cannot be found or loaded, or its statistics do not fit.
    """

    adapter = name = "openvla-oft"
    runs_code = False
    beside = ("action_head--*.pt", "proprio_projector--*.pt")

    @classmethod
    def bounds(cls, card: Card, folder: Path, key: str) -> tuple[Bounds, Bounds | None]:
        """What actions and the state are scaled with; None for a card without a state."""
        options = read_options(card, OpenVlaOptions)
        statistics = read_statistics(card.adapter, folder)
        chosen = choose_key(card.adapter, folder, statistics, key, options.unnorm_keys)
        actions = read_bounds(statistics, chosen, "action", card.action.dimension)
        if not card.state:
            return actions, None
        return actions, read_bounds(statistics, chosen, "proprio", _state_size(card))

    def _load(self) -> None:
        from transformers import AutoTokenizer

        import_torchvision()
        from vlabench.policies.oft_model import load_oft

        self._actions, self._state = self.bounds(self._card, self._folder, text(self.unnorm_key))
        self._means, self._deviations = _normalisation(self._folder)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self._folder)
        size = 0 if self._state is None else len(self._state.low)
        spec = self._spec
        model = load_oft(
            self.name,
            self._folder,
            size,
            spec.chunk_length,
            spec.action.dimension,
            self._torch_dtype(),
        )
        self._model: Any = model.to(self.device).eval()

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One pass for each observation, as the authors ask.

        Raises:
            InfrastructureError: If the memory does not suffice.
        """
        with inferring(self.name):
            return [self._answer(seen) for seen in observations]

    def _answer(self, seen: Observation) -> ActionChunk:
        import torch

        ids = self._tokenizer(seen.instruction, return_tensors="pt")["input_ids"]
        if int(ids[0, -1]) != EMPTY_TOKEN:
            ids = torch.cat([ids, torch.tensor([[EMPTY_TOKEN]])], dim=1)
        images = [self._tensor(self._pixels(seen.images[one.role])) for one in self._spec.cameras]
        state = None
        if self._state is not None and seen.state is not None:
            state = self._tensor(self._state.scaled(seen.state, _EPSILON)[np.newaxis])
        with torch.inference_mode():
            normalised = self._model(ids.to(self.device), images, state)
        numbers: Floats = normalised.float().cpu().numpy().astype(np.float64)
        return ActionChunk(self._actions.unscaled(numbers, _EPSILON))

    def _pixels(self, image: Any) -> Floats:
        """``(1, 6, H, W)``: the image normalised for either encoder, as its processor does."""
        shown: Floats = image.transpose(2, 0, 1)[np.newaxis] / 255
        return (np.concatenate([shown, shown], axis=1) - self._means) / self._deviations

    def _tensor(self, numbers: Floats) -> Any:
        import torch

        return torch.from_numpy(numbers).to(self.device, self._torch_dtype())


def _state_size(card: Card) -> int:
    """How many numbers the state of `card` has, of the Panda's seven joints."""
    fields = card.spec().state
    return sum(natural_size(field, 7) if field.size is None else field.size for field in fields)


def _normalisation(folder: Path) -> tuple[Floats, Floats]:
    """Means and deviations ``(1, 6, 1, 1)`` of the colours, an encoder after the other."""
    settings = read_json(folder / "preprocessor_config.json")
    try:
        both = [
            np.array(settings[name], dtype=np.float64).reshape(1, 6, 1, 1)
            for name in ("means", "stds")
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"preprocessor_config.json in {folder} has no means and stds of two encoders; is it an "
            "OpenVLA-OFT checkpoint?"
        ) from error
    return both[0], both[1]
