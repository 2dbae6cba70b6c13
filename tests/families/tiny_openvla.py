"""Builds small checkpoints of model families, with the files that published ones have."""

from __future__ import annotations

import importlib.util
import inspect
import json
import shutil
import tempfile
from os import environ
from pathlib import Path

environ["HF_MODULES_CACHE"] = tempfile.mkdtemp(prefix="modules-")  # where code is copied to

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent
MEANS = ((0.485, 0.456, 0.406), (0.5, 0.5, 0.5))
STDS = ((0.229, 0.224, 0.225), (0.5, 0.5, 0.5))
SPATIAL = {
    "action": {
        "q01": [-0.7, -0.6, -0.9, -0.11, -0.17, -0.2, 0.0],
        "q99": [0.9, 0.8, 0.93, 0.12, 0.15, 0.34, 1.0],
        "mask": [True] * 6 + [False],
    }
}
GOAL = {"action": {**SPATIAL["action"], "q99": [0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 1.0]}}
WORDS = [
    "In: What action should the robot take to open the top drawer and put the mug on it?\nOut:"
]


def tokenizer(**special) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that begins with ``<s>``, made of a few words."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", "<s>", "</s>", *special.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(WORDS, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **special}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_input_names=["input_ids", "attention_mask"], **names
    )


def tiny_openvla(folder: Path, norm_stats=None, seed: int = 0) -> Path:
    """An OpenVLA-shaped checkpoint: Llama's vocabulary of 32,000, padded to 32,064."""
    folder.mkdir(parents=True)
    code = HERE / "openvla_code"
    spec = importlib.util.spec_from_file_location("modeling_tiny", code / "modeling_tiny.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = module.TinyForActionPrediction(
            module.TinyConfig(
                text_config={
                    "vocab_size": 32064,
                    "hidden_size": 16,
                    "intermediate_size": 32,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 2,
                    "pad_token_id": 0,
                },
                norm_stats={"libero_spatial": SPATIAL} if norm_stats is None else norm_stats,
            )
        )
    head = model.language_model.lm_head.weight.data
    head[: 32000 - 256] = 0  # so that what is not an action is never the likeliest
    head[32000:] = 0
    for layer in model.language_model.model.layers:  # so that the answer depends on the image
        layer.self_attn.v_proj.weight.data *= 5
        layer.self_attn.o_proj.weight.data *= 5
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    for name in ("modeling_tiny.py", "processing_tiny.py"):
        shutil.copy(code / name, folder)
    mapped = {
        "AutoConfig": "modeling_tiny.TinyConfig",
        "AutoModelForVision2Seq": "modeling_tiny.TinyForActionPrediction",
    }
    rewrite(folder / "config.json", auto_map=mapped)
    processing = {
        "AutoImageProcessor": "processing_tiny.TinyImageProcessor",
        "AutoProcessor": "processing_tiny.TinyProcessor",
    }
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "auto_map": processing,
                "image_processor_type": "TinyImageProcessor",
                "processor_class": "TinyProcessor",
                "means": MEANS,
                "stds": STDS,
            }
        )
    )
    return folder


def rewrite(path: Path, **changes) -> None:
    """Changes entries of a JSON file; None takes one out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


ACTIONS = [f"<act{place}>" for place in range(16)]
"""Tokens of bins, the last ones of `tiny_llava`'s and `tiny_llama`'s vocabulary."""

_LLAMA = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def _biased(model, layers, allowed: list[int]) -> None:
    """Makes `allowed` the likeliest tokens of a language model, and its answers depend on more."""
    head = model.get_output_embeddings().weight.data
    others = [token for token in range(len(head)) if token not in allowed]
    head[others] = 0
    for layer in layers:
        for one in ("q_proj", "k_proj", "v_proj", "o_proj"):
            getattr(layer.self_attn, one).weight.data *= 40


def tiny_llama(folder: Path, likely: list[str] | None = None, seed: int = 0) -> Path:
    """A language model with its tokenizer, whose last 16 tokens are `ACTIONS`."""
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer()
    words.add_tokens(ACTIONS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **_LLAMA))
    _biased(model, model.model.layers, words.convert_tokens_to_ids(likely or ACTIONS))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def tiny_llava(folder: Path, seed: int = 0) -> Path:
    """A language model that sees images, as transformers has it, with its processor."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlamaTokenizerFast,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    folder.mkdir(parents=True)
    tokenizer().save_pretrained(folder)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    file = str(folder / "tokenizer.json")
    words = LlamaTokenizerFast(tokenizer_file=file, **names | {"pad_token": "</s>"})
    words.add_tokens(["<image>", *ACTIONS])
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(
            LlavaConfig(
                vision,
                LlamaConfig(vocab_size=len(words), **_LLAMA),
                image_token_index=words.convert_tokens_to_ids("<image>"),
                pad_token_id=words.pad_token_id,
            )
        )
    text = model.language_model
    layers = getattr(text, "model", text).layers  # the second since transformers 4.52
    _biased(model, layers, words.convert_tokens_to_ids(ACTIONS))
    model.multi_modal_projector.linear_2.weight.data *= 40
    model.save_pretrained(folder)
    size = {"shortest_edge": 32}
    images = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
    seen = {
        "patch_size": 16,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }  # read since transformers 4.45, which puts as many placeholders as there are patches
    known = inspect.signature(LlavaProcessor).parameters
    told = {name: value for name, value in seen.items() if name in known}
    LlavaProcessor(images, words, **told).save_pretrained(folder)
    return folder
