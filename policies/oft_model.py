"""The network of OpenVLA-OFT, to be filled with the weights of its checkpoints.

github.com/moojink/openvla-oft keeps its model in a package that is on no package index, wants a
fork of transformers for attention in both directions, and its checkpoints' own code imports that
package. The network itself is small to write down: two image encoders of timm and a projector, as
in ``prismatic/extern/hf/modeling_prismatic.py``, Llama of transformers, which takes a full mask
where the fork takes none, and the two heads of ``prismatic/models/action_heads.py`` and
``prismatic/models/projectors.py``. The names of the parameters are those of the checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import check_keys, read_json
from vlabench.types import Json

STOP_TOKEN = 2
"""``STOP_INDEX`` of ``prismatic/vla/constants.py``: it follows the places of the actions."""


class Vision(nn.Module):
    """Both encoders: the patches of an image, from their layers before the last."""

    def __init__(self, config: Mapping[str, Json]) -> None:
        import timm

        super().__init__()
        made = [
            timm.create_model(
                name, pretrained=False, num_classes=0, img_size=size, act_layer=activation
            )
            for name, size, activation in zip(
                config["timm_model_ids"],
                config["image_sizes"],
                config["timm_override_act_layers"],
                strict=True,
            )
        ]
        self.featurizer, self.fused_featurizer = made
        self.width = sum(int(one.embed_dim) for one in made)

    def forward(self, pixels: Tensor) -> Tensor:
        """Patches ``(1, N, width)`` of one image ``(1, 6, H, W)``, three channels an encoder."""
        encoders: tuple[Any, Any] = (self.featurizer, self.fused_featurizer)
        seen = [
            encoder.get_intermediate_layers(part, n={len(encoder.blocks) - 2})[0]
            for encoder, part in zip(encoders, torch.split(pixels, 3, dim=1), strict=True)
        ]
        return torch.cat(seen, dim=2)


class Projector(nn.Module):
    """From patches to the language model's embeddings: ``PrismaticProjector``, fused."""

    def __init__(self, vision: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(vision, 4 * vision)
        self.fc2 = nn.Linear(4 * vision, width)
        self.fc3 = nn.Linear(width, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Embeddings ``(1, N, width)``."""
        gelu = nn.functional.gelu
        embedded: Tensor = self.fc3(gelu(self.fc2(gelu(self.fc1(patches)))))
        return embedded


class ProprioProjector(nn.Module):
    """One embedding of the robot's state."""

    def __init__(self, state: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(state, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, state: Tensor) -> Tensor:
        """``(1, width)`` of a normalised state ``(1, D)``."""
        embedded: Tensor = self.fc2(nn.functional.gelu(self.fc1(state)))
        return embedded


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ffn = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.ffn(x)
        return x + changed


class _Mlp(nn.Module):
    def __init__(self, wide: int, width: int, out: int) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(wide)
        self.fc1 = nn.Linear(wide, width)
        self.mlp_resnet_blocks = nn.ModuleList(_Residual(width) for _ in range(2))
        self.layer_norm2 = nn.LayerNorm(width)
        self.fc2 = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.fc1(self.layer_norm1(x)))
        for block in self.mlp_resnet_blocks:
            x = block(x)
        out: Tensor = self.fc2(self.layer_norm2(x))
        return out


class ActionHead(nn.Module):
    """``L1RegressionActionHead``: the numbers of an action from the states of their places."""

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        self.model = _Mlp(width * dimension, width, dimension)

    def forward(self, states: Tensor, rows: int) -> Tensor:
        """Actions ``(1, rows, D)`` from the states ``(1, rows * D, width)``."""
        actions: Tensor = self.model(states.reshape(1, rows, -1))
        return actions


class OftModel(nn.Module):
    """All of it.

    Args:
        config: ``config.json`` of the checkpoint.
        state: Numbers of the robot's state; 0 for a checkpoint without one.
        rows: Actions of an answer.
        dimension: Numbers of an action.
    """

    def __init__(self, config: Mapping[str, Json], state: int, rows: int, dimension: int) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        super().__init__()
        text = LlamaConfig(**config["text_config"])
        width = int(text.hidden_size)
        self.vision_backbone = Vision(config)
        self.projector = Projector(self.vision_backbone.width, width)
        self.language_model: Any = LlamaForCausalLM(text)
        self.action_head = ActionHead(width, dimension)
        self.proprio_projector = ProprioProjector(state, width) if state else None
        self.rows, self.dimension = rows, dimension

    def forward(self, ids: Tensor, images: Sequence[Tensor], state: Tensor | None) -> Tensor:
        """Normalised actions ``(rows, dimension)``, all in one pass.

        The sequence is: the first token, the patches of all images, the state, the prompt, a zero
        for every number that is due, and the stop token; everything sees everything. What stands
        before a place speaks for it, as in generation.

        Args:
            ids: The prompt's tokens ``(1, L)``, the first and the blank at the end included.
            images: One ``(1, 6, H, W)`` a camera.
            state: ``(1, D)``, normalised.
        """
        embed = self.language_model.get_input_embeddings()
        words = embed(ids)
        seen = self.projector(torch.cat([self.vision_backbone(one) for one in images], dim=1))
        if self.proprio_projector is not None and state is not None:
            seen = torch.cat([seen, self.proprio_projector(state)[:, None]], dim=1)
        due = self.rows * self.dimension
        places = words.new_zeros(1, due, words.shape[2])
        stop = embed(torch.full_like(ids[:, :1], STOP_TOKEN))
        sequence = torch.cat([words[:, :1], seen, words[:, 1:], places, stop], dim=1)
        length = sequence.shape[1]
        everything = sequence.new_ones(1, 1, length, length)
        states = self.language_model.model(
            inputs_embeds=sequence, attention_mask=everything, use_cache=False
        )[0]
        first = seen.shape[1] + ids.shape[1] - 1
        actions: Tensor = self.action_head(states[:, first : first + due], self.rows)[0]
        return actions


def load_oft(
    policy: str, folder: Path, state: int, rows: int, dimension: int, dtype: torch.dtype
) -> OftModel:
    """The model of the checkpoint in `folder`, with all of its weights.

    Raises:
        UsageError: If it is another kind of checkpoint, or weights are missing or left over.
    """
    from transformers.modeling_utils import no_init_weights

    config = _config(policy, folder)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # a model of 7B in float32 would not fit where it fits in half
    try:
        with no_init_weights():
            model = OftModel(config, state, rows, dimension)
    finally:
        torch.set_default_dtype(before)
    weights = _trunk(folder)
    weights |= _component(policy, folder, "action_head")
    if state:
        weights |= _component(policy, folder, "proprio_projector")
    wanted = model.state_dict()
    check_keys(
        policy,
        str(folder),
        wanted.keys() - weights.keys(),
        weights.keys() - wanted.keys(),
        [key for key in wanted.keys() & weights.keys() if wanted[key].shape != weights[key].shape],
    )
    model.load_state_dict(weights)
    return model


def _config(policy: str, folder: Path) -> dict[str, Json]:
    for name, what in (("vision_backbone", "FiLM"), ("noisy_action_projector", "diffusion")):
        if any(folder.glob(f"{name}--*.pt")):
            raise UsageError(
                f"The checkpoint {folder} of policy {policy!r} has a {name}, so it was trained "
                f"with {what}, which is not loaded in process; serve it with its own deploy.py "
                "and write --policy oft-rest."
            )
    config = read_json(folder / "config.json")
    due = ("timm_model_ids", "image_sizes", "timm_override_act_layers", "text_config")
    missing = [key for key in due if not isinstance(config, dict) or key not in config]
    if missing or len(config["timm_model_ids"]) != 2:
        raise UsageError(
            f"config.json in {folder} has no {missing[0] if missing else 'second image encoder'}; "
            "is it an OpenVLA-OFT checkpoint?"
        )
    found: dict[str, Json] = config
    return found


def _trunk(folder: Path) -> dict[str, Tensor]:
    """The weights of the model itself; of a scale of a layer under timm's own name.

    The authors rename timm's ``gamma``, since transformers would take it for an old name.
    """
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= load_file(path)
    return {key.replace(".scale_factor", ".gamma"): value for key, value in found.items()}


def _component(policy: str, folder: Path, name: str) -> dict[str, Tensor]:
    """The weights of a head, from its own file ``NAME--STEP_checkpoint.pt``."""
    files = sorted(folder.glob(f"{name}--*.pt"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise UsageError(
            f"The checkpoint {folder} of policy {policy!r} needs one file {name}--*.pt and has "
            f"{found}; take its step's own, or a card that fits the checkpoint."
        )
    content = torch.load(files[0], map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise UsageError(f"The file {files[0]} holds no weights; fetch it again.")
    return {f"{name}.{key.removeprefix('module.')}": value for key, value in content.items()}
