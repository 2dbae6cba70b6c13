"""Policies of lerobot, in process: ACT, Diffusion, SmolVLA, pi0, pi0.5, GR00T, X-VLA and others.

A checkpoint of github.com/huggingface/lerobot is a folder: the policy's configuration and weights,
and the pipelines before and after it with the statistics of its data. Nothing in it says which
camera is which, in which frame the state is, or whether a gripper's 1 opens: a card does. What card
and checkpoint both say must agree.

The contract prepares what the pipelines expect: ``observation.images.*`` ``(B, 3, H, W)`` in
[0, 1], ``observation.state`` ``(B, S)``, and ``task``, a list of sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
from vlabench.policies.lerobot_files import AFTER, BEFORE, CONFIG, NEEDED, STATE, check_card
from vlabench.policies.lerobot_model import Model, check_backbone, load
from vlabench.policies.lerobot_steps import check_steps
from vlabench.policies.local import LocalPolicy
from vlabench.policies.vectors import loaded_rows, states_of
from vlabench.seeding import seed_of
from vlabench.types import ActionChunk, EpisodeStart, Json, Observation


@dataclass(eq=False, repr=False, kw_only=True)
class LeRobot(LocalPolicy):
    """Loads a lerobot checkpoint, and asks it for as many sessions at once as its card allows.

    Args:
        checkpoint: A folder that lerobot's ``save_pretrained`` wrote, or ``owner/name`` on the
            Hugging Face hub, for example ``HuggingFaceVLA/smolvla_libero``, which is taken unless
            told. One on the hub picks its card.
        revision: Of a checkpoint on the hub: a branch, tag or commit.
        card: What the checkpoint's numbers mean: a card file, or a packaged card's name. A folder
            needs one.
        device: ``cpu``, ``cuda`` or ``cuda:1``; a graphics card if there is one, unless told.
        backbone: A folder with the configuration and the tokenizer of the language model that the
            checkpoint names, where the hub cannot be reached.
        trust_remote_code: ``true`` allows policies and steps that may run code that is not
            lerobot's own; see `vlabench.policies.lerobot_steps`.

    Raises:
        UsageError: If there is no checkpoint, it does not fit its card or its model, or something
            that it needs cannot be had.
    """

    adapter = name = "lerobot"
    needed = NEEDED

    backbone: str = ""
    _queues: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.backbone = text(self.backbone)
        with loading(self.name, self.checkpoint):
            self._model = self._load()

    @classmethod
    def check(cls, card: Card, folder: Path, args: Mapping[str, Json], *, trusted: bool) -> None:
        """Refuses a checkpoint that contradicts `card` or names what cannot be had."""
        check_card(card, folder)
        check_steps(folder, CONFIG, (BEFORE, AFTER), trusted=trusted)
        check_backbone(folder, text(args.get("backbone")))

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start, with queues of its own if the policy remembers."""
        super().reset(starts)
        if self._model.remembers:
            self._queues.update({s.episode_id: self._model.fresh_queues() for s in starts})

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        """One answer each; all in one batch, unless the policy draws its own noise.

        Raises:
            PolicyError: If it answers something else than the card declares.
            InfrastructureError: If the memory does not suffice.
        """
        with inferring(self.name):
            if self._model.remembers:
                answers = [self._remembering(seen) for seen in observations]
            elif self._model.alone:
                answers = [self._alone(seen) for seen in observations]
            else:
                answers = list(self._together(observations))
        checked = (loaded_rows(self.checkpoint, rows, self._spec) for rows in answers)
        return [ActionChunk(rows) for rows in checked]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        super().end(episode_ids)
        for episode_id in episode_ids:
            self._queues.pop(episode_id, None)

    def _load(self) -> Model:
        given = {"backbone": self.backbone}
        check_ready(self.name, self.checkpoint, trusted=self._trusted, needed=self.needed)
        folder = checkpoint_files(
            self.name, self.checkpoint, revision=text(self.revision), needed=self.needed
        )
        self.check(self._card, folder, given, trusted=self._trusted)
        device = device_named(self.name, self.device)
        check_memory(self.name, folder, device)
        model = load(folder, device, self.backbone)
        if model.remembers != self._spec.stateful:
            raise UsageError(
                f"The card {self._card.name!r} says stateful: {str(self._spec.stateful).lower()} "
                f"of a policy that {'keeps' if model.remembers else 'does not keep'} observations "
                "itself; mend the card."
            )
        return model

    def _together(self, observations: Sequence[Observation]) -> npt.NDArray[np.float32]:
        shape = self._model.noise_shape
        sessions = [(seen.episode_id, seen.step) for seen in observations]
        noise = None if shape is None else self._noise(sessions, shape)
        return self._model.chunks(self._batch(observations), noise)

    def _alone(self, seen: Observation) -> npt.NDArray[np.float32]:
        with self._model.drawing_from(self._drawn(seen)):
            rows: npt.NDArray[np.float32] = self._model.chunks(self._batch([seen]), None)[0]
        return rows

    def _remembering(self, seen: Observation) -> npt.NDArray[np.float32]:
        queues = self._queues.get(seen.episode_id)
        self._model.take_queues(self._model.fresh_queues() if queues is None else queues)
        with self._model.drawing_from(self._drawn(seen)):
            return self._model.action(self._batch([seen]))

    def _drawn(self, seen: Observation) -> int:
        return seed_of(self.name, self._seed(seen.episode_id), seen.step)

    def _batch(self, observations: Sequence[Observation]) -> dict[str, Any]:
        """The batch as lerobot's ``envs/utils.py``, ``preprocess_observation``, makes it."""
        import torch

        batch: dict[str, Any] = {"task": [seen.instruction for seen in observations]}
        for camera in self._spec.cameras:
            images = np.stack([seen.images[camera.role] for seen in observations])
            batch[camera.key or camera.role] = torch.from_numpy(images)
        if self._spec.state:
            batch[STATE] = torch.from_numpy(states_of(observations))
        return batch
