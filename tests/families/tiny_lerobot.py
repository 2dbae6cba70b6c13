"""Tiny lerobot checkpoints, made offline by lerobot's own ``save_pretrained``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml

from vlabench.policies.torchvision_beside import import_torchvision

import_torchvision()

from lerobot.configs.types import FeatureType, PolicyFeature  # noqa: E402
from lerobot.policies.factory import get_policy_class, make_pre_post_processors  # noqa: E402

IMAGE, WRIST, STATE = "observation.images.image", "observation.images.image2", "observation.state"


def features(size):
    inputs = {key: PolicyFeature(FeatureType.VISUAL, (3, size, size)) for key in (IMAGE, WRIST)}
    inputs[STATE] = PolicyFeature(FeatureType.STATE, (8,))
    return {
        "input_features": inputs,
        "output_features": {"action": PolicyFeature(FeatureType.ACTION, (7,))},
        "device": "cpu",
        "push_to_hub": False,
    }


def statistics():
    """Such that a tiny model's numbers, near 0 after it, are actions that a robot can take."""
    rng = np.random.default_rng(3)
    stats = {
        key: {"mean": np.full((3, 1, 1), 0.4), "std": np.full((3, 1, 1), 0.3)}
        for key in (IMAGE, WRIST)
    }
    for key, size in ((STATE, 8), ("action", 7)):
        mean, std = rng.uniform(-0.2, 0.2, size), rng.uniform(0.1, 0.3, size)
        stats[key] = {"mean": mean, "std": std, "min": mean - 2 * std, "max": mean + 2 * std}
    return {
        key: {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
        for key, values in stats.items()
    }


def saved(config, folder, kind=None):
    """The folder of a policy of `config` with random weights."""
    torch.manual_seed(7)
    policy = (kind or get_policy_class(config.type))(config)
    before, after = make_pre_post_processors(config, dataset_stats=statistics())
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)
    return folder


def act(folder, **changed):
    from lerobot.policies.act.configuration_act import ACTConfig

    settings = {
        "chunk_size": 6,
        "n_action_steps": 4,
        "dim_model": 16,
        "n_heads": 2,
        "dim_feedforward": 32,
        "n_encoder_layers": 1,
        "n_vae_encoder_layers": 1,
        "latent_dim": 4,
        "pretrained_backbone_weights": None,
    }
    return saved(ACTConfig(**{**features(64), **settings, **changed}), folder)


def diffusion(folder, **changed):
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig

    settings = {
        "n_obs_steps": 2,
        "horizon": 8,
        "n_action_steps": 4,
        "crop_shape": (56, 56),
        "down_dims": (16, 32),
        "n_groups": 4,
        "spatial_softmax_num_keypoints": 4,
        "diffusion_step_embed_dim": 8,
        "num_train_timesteps": 5,
        "kernel_size": 3,
        "pretrained_backbone_weights": None,
    }
    return saved(DiffusionConfig(**{**features(64), **settings, **changed}), folder)


def backbone(folder):
    """A SmolVLM of a few thousand weights: configuration, tokenizer and image processor."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        SmolVLMConfig,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    words = (
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
    special = ["<pad>", "<unk>", "<image>", "<fake_token_around_image>", "<global-img>",
               "<end_of_utterance>", "\n"]  # fmt: skip
    table = {word: number for number, word in enumerate([*special, *words])}
    inner = Tokenizer(models.WordLevel(table, unk_token="<unk>"))  # noqa: S106
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Split("\n", "isolated")]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        extra_special_tokens={
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
    )
    config = SmolVLMConfig(
        vision_config={
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
        },
        text_config={
            "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "vocab_size": len(table), "pad_token_id": 0,
        },
        scale_factor=2,
        image_token_id=2,
        pad_token_id=0,
    )  # fmt: skip
    config.save_pretrained(folder)
    SmolVLMProcessor(SmolVLMImageProcessor(), tokenizer, SmolVLMVideoProcessor()).save_pretrained(
        folder
    )
    return folder


def smolvla(folder, vlm, **changed):
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig

    settings = {
        "chunk_size": 5,
        "n_action_steps": 3,
        "vlm_model_name": str(vlm),
        "load_vlm_weights": False,
        "resize_imgs_with_padding": (32, 32),
        "num_vlm_layers": 2,
        "num_steps": 3,
        "max_state_dim": 10,
        "max_action_dim": 9,
        "tokenizer_max_length": 12,
    }
    return saved(SmolVLAConfig(**{**features(64), **settings, **changed}), folder)


def card(folder, kind, **changed):
    """A card file for one of these, from the packaged one of LIBERO."""
    from vlabench.policies import card as cards

    path = Path(cards.__file__).parent / "cards" / "lerobot-smolvla-libero.yaml"
    content = yaml.safe_load(path.read_text())
    content |= {"name": f"tiny-{kind}", "default": False, "checkpoints": [f"me/{kind}"]}
    content["options"] = {"type": kind}
    for camera in content["cameras"]:
        camera |= {"height": 64, "width": 64}
    content |= changed
    written = Path(folder) / f"{kind}.yaml"
    written.write_text(yaml.safe_dump(content))
    return str(written)
