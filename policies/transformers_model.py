"""Loads a pi0 with transformers and its processor, and asks it; the only importer of transformers.

``from_pretrained`` goes on with random numbers for what the weights lack; here that is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import check_keys, read_json
from vlabench.policies.lerobot_steps import state_file
from vlabench.policies.torchvision_beside import import_torchvision
from vlabench.policies.transformers_files import NAME, PIPELINE, PROCESSOR

if TYPE_CHECKING:
    import torch

_WORDS = 48
"""Tokens of a sentence: ``max_length`` of ``PI0Processor``, and of pi0 in openpi and lerobot."""

_EPSILON = 1e-08
"""What ``PI0Processor.normalize`` adds to a standard deviation."""


@dataclass(eq=False)
class Model:
    """A pi0 and its processor, loaded.

    Attributes:
        network: ``PI0ForConditionalGeneration``.
        processor: ``PI0Processor``, which has the statistics.
        device: Where the network lives.
    """

    network: Any
    processor: Any
    device: str

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Of one session's noise."""
        config = self.network.config
        return config.chunk_size, config.max_action_dim

    def chunks(
        self,
        images: Sequence[Sequence[npt.NDArray[np.uint8]]],
        sentences: Sequence[str],
        states: npt.NDArray[np.float32],
        noise: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Actions ``(B, T, D)`` in the robot's own numbers.

        Args:
            images: For each session, one ``(H, W, 3)`` image a camera.
            sentences: The instructions.
            states: ``(B, S)``, as the robot tells them.
            noise: ``(B, *noise_shape)``, where the flow begins.
        """
        import torch

        inputs = self.inputs(images, sentences, states)
        start = torch.from_numpy(noise).to(self.device, self.network.dtype)
        with torch.inference_mode():
            answer = self.network.sample_actions(**inputs, noise=start).float().cpu().numpy()
        mean = np.asarray(self.processor.actions_mean, dtype=np.float32)
        deviation = np.asarray(self.processor.actions_std, dtype=np.float32) + _EPSILON
        actions: npt.NDArray[np.float32] = answer[..., : len(mean)] * deviation + mean
        return actions.astype(np.float32)

    def inputs(
        self,
        images: Sequence[Sequence[npt.NDArray[np.uint8]]],
        sentences: Sequence[str],
        states: npt.NDArray[np.float32],
    ) -> Mapping[str, Any]:
        """What the network is asked with; every sentence takes as many tokens as any could.

        So a batch's shape depends on nobody's sentence, and the same bits come out whoever asks.
        """
        import torch

        tokens = self.processor.image_seq_length * len(images[0]) + _WORDS
        made = self.processor(
            images=[list(session) for session in images],
            text=list(sentences),
            state=torch.from_numpy(states),
            padding="max_length",
            padding_side="right",
            truncation=True,
            max_length=tokens,
            return_tensors="pt",
        )
        allowed = ("input_ids", "attention_mask", "pixel_values", "pixel_attention_mask", "state")
        return {name: self._taken(made[name]) for name in allowed}

    def _taken(self, values: torch.Tensor) -> torch.Tensor:
        """On the network's device; numbers with a fraction in the network's own type."""
        moved = values.to(self.device)
        return moved.to(self.network.dtype) if moved.is_floating_point() else moved


def load(folder: Path, processor: str, device: str, dtype: str) -> Model:
    """The pi0 in `folder`.

    Args:
        folder: With its configuration and weights.
        processor: Folder or hub name of its tokenizer.
        device: Where it shall live.
        dtype: Of its weights, whatever its files have: a name of torch's.

    Raises:
        UsageError: If keys are missing or left over, or there are no statistics.
    """
    import torch

    import_torchvision()
    from transformers import PI0ForConditionalGeneration, PI0Processor

    network, report = PI0ForConditionalGeneration.from_pretrained(
        str(folder),
        dtype=getattr(torch, dtype),
        output_loading_info=True,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # so that the report has them too
    )
    check_keys(
        NAME,
        str(folder),
        report["missing_keys"],
        report["unexpected_keys"],
        [str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"]],
    )
    made = PI0Processor.from_pretrained(processor, trust_remote_code=False)
    for name, values in _statistics(folder).items():
        setattr(made, name, values)
    made.max_state_dim = network.config.max_state_dim
    return Model(network.to(device).eval(), made, device)


def _statistics(folder: Path) -> dict[str, list[float]]:
    """What ``PI0Processor`` is given: its own, or those of lerobot's normalizer.

    Raises:
        UsageError: If lerobot's are not means and standard deviations.
    """
    said = read_json(folder / PROCESSOR) if (folder / PROCESSOR).is_file() else {}
    names = ("state_mean", "state_std", "actions_mean", "actions_std")
    if all(said.get(name) for name in names):
        return {name: said[name] for name in names}
    from safetensors.numpy import load_file

    for step in read_json(folder / PIPELINE)["steps"]:
        if step.get("registry_name") != "normalizer_processor":
            continue
        modes = step["config"]["norm_map"]
        if {modes.get("STATE"), modes.get("ACTION")} != {"MEAN_STD"}:
            raise UsageError(
                f"The statistics in {folder / PIPELINE} normalise the state by "
                f"{modes.get('STATE')} and the actions by {modes.get('ACTION')}; transformers' pi0 "
                "knows MEAN_STD alone: load the checkpoint with --policy lerobot."
            )
        found = load_file(state_file(folder, step.get("state_file")))
        keys = ("observation.state.mean", "observation.state.std", "action.mean", "action.std")
        return {name: found[key].tolist() for name, key in zip(names, keys, strict=True)}
    raise UsageError(
        f"The file {folder / PIPELINE} has no step that normalises; give a checkpoint with its "
        "statistics."
    )
