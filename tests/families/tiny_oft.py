"""Builds a small checkpoint with the files and the names of OpenVLA-OFT's."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_openvla import MEANS, STDS, tokenizer
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from vlabench.policies.torchvision_beside import import_torchvision

import_torchvision()
import timm  # noqa: E402  (which imports torchvision)

ENCODERS = ("deit3_small_patch16_224", "vit_tiny_patch16_224")
"""The first has scales of its layers, which the authors call ``scale_factor``."""

WIDTH, ROWS, DIMENSION, STATE = 16, 8, 7, 8
STATISTICS = {
    "libero_goal_no_noops": {
        "action": {
            "q01": [-0.7, -0.6, -0.9, -0.11, -0.17, -0.2, 0.0],
            "q99": [0.9, 0.8, 0.93, 0.12, 0.15, 0.34, 1.0],
            "mask": [True] * 6 + [False],
        },
        "proprio": {
            "q01": [-0.4, -0.3, 0.0, 1.0, -2.0, -1.5, 0.0, -0.04],
            "q99": [0.2, 0.3, 1.4, 3.6, 3.5, 1.0, 0.04, 0.0],
        },
    }
}


def tiny_oft(folder: Path) -> Path:
    """A checkpoint of regression with a state and as many images as its card says."""
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights, text = _trunk()
        head, state = _heads()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    torch.save({f"module.{k}": v for k, v in head.items()}, folder / "action_head--5_checkpoint.pt")
    torch.save(state, folder / "proprio_projector--5_checkpoint.pt")
    config = {
        "model_type": "openvla",
        "auto_map": {"AutoConfig": "configuration_prismatic.OpenVLAConfig"},
        "timm_model_ids": ENCODERS,
        "timm_override_act_layers": [None, None],
        "image_sizes": [224, 224],
        "use_fused_vision_backbone": True,
        "pad_to_multiple_of": 64,
        "text_config": text,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "dataset_statistics.json").write_text(json.dumps(STATISTICS))
    (folder / "preprocessor_config.json").write_text(json.dumps({"means": MEANS, "stds": STDS}))
    tokenizer().save_pretrained(folder)
    return folder


def _trunk():
    weights = {}
    for name, encoder in zip(("featurizer", "fused_featurizer"), ENCODERS, strict=True):
        made = timm.create_model(encoder, num_classes=0, img_size=224)
        for key, value in made.state_dict().items():
            told = key.replace(".gamma", ".scale_factor")
            if told != key:  # timm begins with scales that switch layers off
                value.fill_(0.5)
            weights[f"vision_backbone.{name}.{told}"] = value
    vision = 384 + 192
    sizes = {"fc1": (vision, 4 * vision), "fc2": (4 * vision, WIDTH), "fc3": (WIDTH, WIDTH)}
    for name, size in sizes.items():
        for key, value in nn.Linear(*size).state_dict().items():
            weights[f"projector.{name}.{key}"] = value
    text = {
        "vocab_size": 32064,
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "pad_token_id": 0,
    }
    llama = LlamaForCausalLM(LlamaConfig(**text, initializer_range=0.3))
    for key, value in llama.state_dict().items():
        weights[f"language_model.{key}"] = value
    return {key: value.contiguous() for key, value in weights.items()}, text


def _heads():
    def named(name, module):
        return {f"{name}.{key}": value for key, value in module.state_dict().items()}

    wide = WIDTH * DIMENSION
    head = named("model.layer_norm1", nn.LayerNorm(wide))
    head |= named("model.fc1", nn.Linear(wide, WIDTH))
    for block in range(2):
        head |= named(f"model.mlp_resnet_blocks.{block}.ffn.0", nn.LayerNorm(WIDTH))
        head |= named(f"model.mlp_resnet_blocks.{block}.ffn.1", nn.Linear(WIDTH, WIDTH))
    head |= named("model.layer_norm2", nn.LayerNorm(WIDTH))
    head |= named("model.fc2", nn.Linear(WIDTH, DIMENSION))
    state = named("fc1", nn.Linear(STATE, WIDTH)) | named("fc2", nn.Linear(WIDTH, WIDTH))
    return head, state
