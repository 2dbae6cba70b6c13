"""An OpenVLA-shaped model, small enough to be made in a test: what a checkpoint brings as its code.

It has the interface of ``prismatic/extern/hf/modeling_prismatic.py`` of github.com/openvla/openvla:
``forward`` puts the image's patches after the first token, generation takes one observation, and
``predict_action`` goes from tokens to un-normalised actions. The two image encoders are one
convolution each.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class TinyConfig(PretrainedConfig):
    model_type = "openvla"
    is_composition = False

    def __init__(
        self,
        text_config=None,
        norm_stats=None,
        n_action_bins=256,
        pad_to_multiple_of=64,
        pad_token_id=0,
        **kwargs,
    ):
        self.text_config = LlamaConfig(**(text_config or {}))
        self.norm_stats = norm_stats
        self.n_action_bins = n_action_bins
        self.pad_to_multiple_of = pad_to_multiple_of
        super().__init__(pad_token_id=pad_token_id, **kwargs)


class TinyForActionPrediction(PreTrainedModel):
    config_class = TinyConfig
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        width = config.text_config.hidden_size
        self.featurizer = nn.Conv2d(3, width, 56, 56)
        self.fused_featurizer = nn.Conv2d(3, width, 56, 56)
        self.projector = nn.Linear(2 * width, width)
        self.language_model = LlamaForCausalLM(config.text_config)
        self.norm_stats = config.norm_stats
        edges = np.linspace(-1, 1, config.n_action_bins)
        self.bin_centers = (edges[:-1] + edges[1:]) / 2.0
        self.vocab_size = config.text_config.vocab_size - config.pad_to_multiple_of
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            module.weight.data.normal_(std=0.3)
        if isinstance(module, nn.Conv2d):
            module.bias.data.zero_()

    def forward(
        self, input_ids=None, attention_mask=None, pixel_values=None, past_key_values=None, **kwargs
    ):
        kwargs = {name: kwargs.get(name) for name in ("use_cache", "return_dict")}
        if input_ids.shape[1] == 1:
            assert input_ids.shape[0] == 1, "Generation is for batches of 1."
            return self.language_model(
                input_ids=input_ids, past_key_values=past_key_values, **kwargs
            )
        assert past_key_values is None
        first, second = torch.split(pixel_values, [3, 3], dim=1)
        seen = torch.cat([self.featurizer(first), self.fused_featurizer(second)], dim=1)
        patches = self.projector(seen.flatten(2).transpose(1, 2))
        words = self.language_model.get_input_embeddings()(input_ids)
        embedded = torch.cat([words[:, :1], patches, words[:, 1:]], dim=1)
        beside = torch.ones(patches.shape[:2], dtype=attention_mask.dtype)
        mask = torch.cat([attention_mask[:, :1], beside, attention_mask[:, 1:]], dim=1)
        answer = self.language_model(inputs_embeds=embedded, attention_mask=mask, **kwargs)
        return CausalLMOutputWithPast(answer.loss, answer.logits, answer.past_key_values)

    def prepare_inputs_for_generation(
        self, input_ids, past_key_values=None, pixel_values=None, attention_mask=None, **kwargs
    ):
        if input_ids.shape[0] > 1:
            raise ValueError("Generation with batch size > 1 is not supported.")
        return {
            "input_ids": input_ids if past_key_values is None else input_ids[:, -1:],
            "attention_mask": attention_mask,
            "pixel_values": pixel_values,
            "past_key_values": past_key_values,
            "use_cache": kwargs.get("use_cache"),
        }

    def predict_action(self, input_ids, unnorm_key=None, **kwargs):
        if not torch.all(input_ids[:, -1] == 29871):
            input_ids = torch.cat([input_ids, torch.tensor([[29871]])], dim=1)
        stats = self.norm_stats[unnorm_key or next(iter(self.norm_stats))]["action"]
        count = len(stats["q01"])
        generated = self.generate(input_ids, max_new_tokens=count, **kwargs)
        places = self.vocab_size - generated[0, -count:].numpy()
        numbers = self.bin_centers[np.clip(places - 1, 0, len(self.bin_centers) - 1)]
        high, low = np.array(stats["q99"]), np.array(stats["q01"])
        meant = 0.5 * (numbers + 1) * (high - low) + low
        return np.where(stats.get("mask", np.ones(count, dtype=bool)), meant, numbers)
