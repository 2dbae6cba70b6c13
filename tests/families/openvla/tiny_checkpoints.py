"""Builds small checkpoints of model families, with the files that published ones have."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

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
    code = HERE / "tiny_openvla"
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
