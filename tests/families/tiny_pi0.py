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
