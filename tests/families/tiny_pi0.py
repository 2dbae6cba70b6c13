"""A tiny native pi0, made offline by transformers' own ``save_pretrained``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml

from vlabench.policies.torchvision_beside import import_torchvision

import_torchvision()

from transformers import (  # noqa: E402
    PI0Config,
    PI0ForConditionalGeneration,
    PI0ImageProcessor,
    PI0Processor,
    PreTrainedTokenizerFast,
)

WORDS = (
    "the",
    "a",
    "open",
    "close",
    "put",
    "on",
    "in",
    "of",
    "to",
    "button",
    "press",
    "drawer",
    "bowl",
    "red",
    "blue",
    "and",
    "it",
)
SPECIAL = ["<pad>", "<unk>", "<bos>", "<image>", "\n"]
IMAGE_TOKENS = 16
"""(32 / 8)^2 patches of one image."""


def statistics():
    """Means and standard deviations, such that the actions are small ones."""
    rng = np.random.default_rng(5)
    return {
        "state_mean": rng.uniform(-0.2, 0.2, 8).tolist(),
        "state_std": rng.uniform(0.5, 1.0, 8).tolist(),
        "actions_mean": rng.uniform(-0.2, 0.2, 7).tolist(),
        "actions_std": rng.uniform(0.1, 0.3, 7).tolist(),
    }


def tokenizer():
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    table = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    inner = Tokenizer(models.WordLevel(table, unk_token="<unk>"))  # noqa: S106
    inner.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL[:4]])
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Split("\n", "isolated")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        bos_token="<bos>",  # noqa: S106
        extra_special_tokens={"image_token": "<image>"},
    )


def processor(**values):
    images = PI0ImageProcessor(
        size={"max_height": 32, "max_width": 32}, pad_size={"height": 32, "width": 32}
    )
    images.image_seq_length = IMAGE_TOKENS
    return PI0Processor(images, tokenizer(), max_state_dim=10, chunk_size=5, **values)


def pi0(folder, **changed):
    torch.manual_seed(11)
    made = processor(**(statistics() | changed))
    words = len(made.tokenizer)
    text = {
        "model_type": "gemma", "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    }  # fmt: skip
    config = PI0Config(
        vlm_config={
            "model_type": "paligemma",
            "text_config": {**text, "vocab_size": words},
            "vision_config": {
                "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 32,
                "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
                "patch_size": 8, "vision_use_head": False,
            },
            "projection_dim": 32,
            "image_token_id": made.image_token_id,
        },
        dit_config=text,
        chunk_size=5,
        max_state_dim=10,
        max_action_dim=9,
        num_inference_steps=3,
    )  # fmt: skip
    PI0ForConditionalGeneration(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


LEROBOTS = {
    "type": "pi0",
    "n_obs_steps": 1,
    "input_features": {
        "observation.images.image": {"type": "VISUAL", "shape": [3, 64, 64]},
        "observation.images.image2": {"type": "VISUAL", "shape": [3, 64, 64]},
        "observation.state": {"type": "STATE", "shape": [8]},
        "observation.images.empty_camera_0": {"type": "VISUAL", "shape": [3, 32, 32]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [7]}},
    "device": "cpu",
    "use_amp": False,
    "use_peft": False,
    "push_to_hub": False,
    "repo_id": None,
    "private": None,
    "tags": None,
    "license": None,
    "pretrained_path": None,
    "paligemma_variant": "gemma_2b",
    "action_expert_variant": "gemma_300m",
    "dtype": "bfloat16",
    "chunk_size": 5,
    "n_action_steps": 3,
    "max_state_dim": 10,
    "max_action_dim": 9,
    "num_inference_steps": 3,
    "time_sampling_beta_alpha": 1.5,
    "time_sampling_beta_beta": 1.0,
    "time_sampling_scale": 0.999,
    "time_sampling_offset": 0.001,
    "min_period": 0.004,
    "max_period": 4.0,
    "rtc_config": None,
    "image_resolution": [32, 32],
    "empty_cameras": 1,
    "normalization_mapping": {"VISUAL": "IDENTITY", "STATE": "MEAN_STD", "ACTION": "MEAN_STD"},
    "gradient_checkpointing": False,
    "compile_model": False,
    "compile_mode": "max-autotune",
    "freeze_vision_encoder": False,
    "train_expert_only": False,
    "optimizer_lr": 2.5e-05,
    "optimizer_betas": [0.9, 0.95],
    "optimizer_eps": 1e-08,
    "optimizer_weight_decay": 0.01,
    "optimizer_grad_clip_norm": 1.0,
    "scheduler_warmup_steps": 1000,
    "scheduler_decay_steps": 30000,
    "scheduler_decay_lr": 2.5e-06,
    "tokenizer_max_length": 48,
}
"""What ``PI0Config.save_pretrained`` of lerobot 0.4.4 wrote as ``config.json``, of these sizes."""


def card(folder, **changed):
    """A card file for it, from the packaged one."""
    from vlabench.policies import card as cards

    path = Path(cards.__file__).parent / "cards" / "transformers-pi0-libero.yaml"
    content = yaml.safe_load(path.read_text())
    content |= {"name": "tiny-pi0", "default": False, "checkpoints": ["me/pi0"]}
    content |= {"chunk_length": 5, "executed": 3, "max_batch": 4, **changed}
    for camera in content["cameras"]:
        camera |= {"height": 64, "width": 64, "resized": [32, 32]}
    written = Path(folder) / "pi0.yaml"
    written.write_text(yaml.safe_dump(content))
    return str(written)
