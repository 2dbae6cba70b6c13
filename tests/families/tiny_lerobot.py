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


def xvla(folder, words, **changed):
    """Its tokenizer is that of `words`; DaViT and BART have a handful of channels."""
    from lerobot.policies.xvla.configuration_xvla import XVLAConfig

    florence = {
        "vision_config": {
            "dim_embed": [8, 8, 16, 16], "num_heads": [2, 2, 2, 2], "num_groups": [2, 2, 2, 2],
            "depths": [1, 1, 1, 1], "window_size": 2, "projection_dim": 16,
            "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 2], "patch_padding": [3, 1, 1, 1],
            "patch_prenorm": [False, True, True, True], "drop_path_rate": 0.0,
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 10},
            "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 10},
        },
        "text_config": {
            "vocab_size": 60, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32, "max_position_embeddings": 256, "pad_token_id": 0,
        },
        "vocab_size": 60,
        "projection_dim": 16,
    }  # fmt: skip
    settings = {
        "chunk_size": 5,
        "n_action_steps": 3,
        "florence_config": florence,
        "tokenizer_name": str(words),
        "tokenizer_max_length": 12,
        "hidden_size": 32,
        "depth": 2,
        "num_heads": 2,
        "num_domains": 4,
        "len_soft_prompts": 2,
        "dim_time": 8,
        "max_len_seq": 64,
        "action_mode": "auto",
        "max_action_dim": 9,
        "max_state_dim": 10,
        "num_denoising_steps": 3,
    }

    def filled(config):
        """Some of its weights are whatever was in memory, until a checkpoint is loaded."""
        policy = get_policy_class("xvla")(config)
        for name, weights in policy.named_parameters():
            if weights.dim() > 1:
                torch.nn.init.normal_(weights, std=0.1)
            else:
                torch.nn.init.constant_(weights, float("norm" in name and "weight" in name))
        return policy

    return saved(XVLAConfig(**{**features(64), **settings, **changed}), folder, filled)


def vqbet(folder, **changed):
    """As after the first phase of its training, when the actions' codes are fixed."""
    from lerobot.policies.vqbet.configuration_vqbet import VQBeTConfig

    given = features(64)
    del given["input_features"][WRIST]
    settings = {
        "n_obs_steps": 2,
        "n_action_pred_token": 2,
        "action_chunk_size": 3,
        "crop_shape": (56, 56),
        "spatial_softmax_num_keypoints": 4,
        "vqvae_embedding_dim": 8,
        "vqvae_enc_hidden_dim": 8,
        "gpt_input_dim": 16,
        "gpt_output_dim": 16,
        "gpt_n_layer": 1,
        "gpt_n_head": 2,
        "gpt_hidden_dim": 16,
        "bet_softmax_temperature": 5.0,
        "pretrained_backbone_weights": None,
    }

    def trained(config):
        policy = get_policy_class("vqbet")(config)
        policy.vqbet.action_head.vqvae_model.discretized = torch.tensor(True)
        return policy

    return saved(VQBeTConfig(**{**given, **settings, **changed}), folder, trained)


def card(folder, kind, cameras=2, **changed):
    """A card file for one of these with so many cameras, from the packaged one of LIBERO."""
    from vlabench.policies import card as cards

    path = Path(cards.__file__).parent / "cards" / "lerobot-smolvla-libero.yaml"
    content = yaml.safe_load(path.read_text())
    content |= {"name": f"tiny-{kind}", "default": False, "checkpoints": [f"me/{kind}"]}
    content["options"] = {"type": kind}
    content["cameras"] = content["cameras"][:cameras]
    for camera in content["cameras"]:
        camera |= {"height": 64, "width": 64}
    content |= changed
    written = Path(folder) / f"{kind}.yaml"
    written.write_text(yaml.safe_dump(content))
    return str(written)
