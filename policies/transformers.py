"""pi0 as transformers has it (``PI0ForConditionalGeneration``, transformers 5.4 and later).

It loads what transformers' own ``save_pretrained`` wrote, and the weights of a pi0 that lerobot
saved, whose names it knows (``conversion_mapping.py``, ``"pi0"``). The statistics that normalise
the state and un-normalise the actions are those of the saved ``PI0Processor``, or of lerobot's
pipelines in the same folder.

The contract hands over ``uint8`` images of the model's size, so that ``PI0Processor`` has nothing
to resize (its filter depends on the image processor beside the tokenizer); it normalises them, and
puts the tokens of the images before the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlabench.errors import UsageError
from vlabench.policies.arguments import text
from vlabench.policies.card import Card
from vlabench.policies.checkpoints import (
    check_memory,
    check_ready,
    checkpoint_files,
    device_named,
    inferring,
    loading,
)
from vlabench.policies.local import LocalPolicy
from vlabench.policies.transformers_files import CONFIG, check_card, processor_folder
from vlabench.policies.transformers_model import Model, load
from vlabench.policies.vectors import loaded_rows, states_of
from vlabench.types import ActionChunk, Json, Observation

DTYPES = ("float32", "bfloat16", "float16")
"""Of the weights; the first unless told."""


@dataclass(eq=False, repr=False, kw_only=True)
class Transformers(LocalPolicy):
    """Loads a pi0 with transformers, and asks it for as many sessions at once as its card allows.

    Args:
        checkpoint: A folder that ``save_pretrained`` wrote, or ``owner/name`` on the Hugging Face
            hub, for example ``lerobot/pi0_libero_finetuned``, which is taken unless told. One on
            the hub picks its card.
        revision: Of a checkpoint on the hub: a branch, tag or commit.
        card: What the checkpoint's numbers mean: a card file, or a packaged card's name. A folder
            needs one.
        device: ``cpu``, ``cuda`` or ``cuda:1``; a graphics card if there is one, unless told.
        processor: A folder with the tokenizer, where the checkpoint has none and the hub cannot be
            reached.
        dtype: Of the weights: ``float32`` unless told, whatever the files have, ``bfloat16`` or
            ``float16``.
        trust_remote_code: Nothing here needs it: no code of a checkpoint is ever run.

    Raises:
        UsageError: If there is no checkpoint, it does not fit its card or its model, or something
            that it needs cannot be had.
    """

    adapter = name = "transformers"
    needed = (CONFIG,)

    processor: str = ""
    dtype: str = ""
    _model: Model = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.dtype = text(self.dtype) or DTYPES[0]
        if self.dtype not in DTYPES:
            raise UsageError(
                f"Policy {self.name!r} got dtype={self.dtype}; write {', '.join(DTYPES)}."
            )
        with loading(self.name, self.checkpoint):
            check_ready(self.name, self.checkpoint, trusted=False, needed=self.needed)
            folder = checkpoint_files(
                self.name, self.checkpoint, revision=text(self.revision), needed=self.needed
            )
            self.check(self._card, folder, {"processor": self.processor}, trusted=False)
            device = device_named(self.name, self.device)
            check_memory(self.name, folder, device)
            tokenizer = processor_folder(folder, text(self.processor))
            self._model = load(folder, tokenizer, device, self.dtype)

    @classmethod
    def check(cls, card: Card, folder: Path, args: Mapping[str, Json], *, trusted: bool) -> None:
        """Refuses a checkpoint that contradicts `card`, or lacks a processor or statistics."""
        check_card(card, folder, text(args.get("processor")))

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One answer each, all in one batch; the flow of each begins at its own noise.

        Raises:
            PolicyError: If it answers something else than the card declares.
            InfrastructureError: If the memory does not suffice.
        """
        sessions = [(seen.episode_id, seen.step) for seen in observations]
        with inferring(self.name):
            answers = self._model.chunks(
                [
                    [seen.images[camera.role] for camera in self._spec.cameras]
                    for seen in observations
                ],
                [seen.instruction for seen in observations],
                states_of(observations),
                self._noise(sessions, self._model.noise_shape),
            )
        checked = (loaded_rows(self.checkpoint, rows, self._spec) for rows in answers)
        return [ActionChunk(rows) for rows in checked]
