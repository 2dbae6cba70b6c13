"""How much memory weights take, as their files tell it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import check_memory
from vlabench.policies.openvla_oft import OpenVlaOftInProcess
from vlabench.policies.weights import weight_bytes


def tensors(path, **shapes):
    """A safetensors file, of ``DTYPE_name=shape``."""
    size = {"F32": 4, "BF16": 2, "I64": 8}
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        dtype = name.partition("_")[0]
        count = size[dtype] * int(np.prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


def test_weights_are_counted_once_and_as_they_are_loaded(tmp_path):
    assert weight_bytes(tmp_path) == 0
    for name in ("optimizer.pt", "optimizer.bin", "training_args.bin", "scheduler.pt"):
        (tmp_path / name).write_bytes(bytes(5000))
    assert weight_bytes(tmp_path) == 0
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(4000))
    assert weight_bytes(tmp_path) == 4000
    assert weight_bytes(tmp_path, 2) == 2000
    tensors(tmp_path / "part-1.safetensors", F32_a=[10, 10], BF16_b=[50], I64_c=[2])
    assert weight_bytes(tmp_path) == 400 + 100 + 16
    assert weight_bytes(tmp_path, 2) == 200 + 100 + 16
    tensors(tmp_path / "part-2.safetensors", F32_d=[])
    tensors(tmp_path / "consolidated.safetensors", F32_a=[10, 10])
    named = {"weight_map": {"a": "part-1.safetensors", "d": "part-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(named))
    assert weight_bytes(tmp_path, 4) == 400 + 200 + 16 + 4
    (tmp_path / "action_head--5_checkpoint.pt").write_bytes(bytes(800))
    assert weight_bytes(tmp_path, 2) == 200 + 100 + 16 + 2
    assert weight_bytes(tmp_path, 2, OpenVlaOftInProcess.beside) == 318 + 400


@pytest.mark.parametrize("spoilt", [b"", b"\xff" * 20, b"\x02" + bytes(7) + b"[]", bytes(9)])
def test_a_header_that_cannot_be_read_leaves_the_files_size(tmp_path, spoilt):
    (tmp_path / "model.safetensors").write_bytes(spoilt)
    assert weight_bytes(tmp_path) == len(spoilt)


def test_a_card_is_large_enough_for_the_type_that_is_loaded(tmp_path, monkeypatch):
    import torch

    tensors(tmp_path / "model.safetensors", F32_a=[1000])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3000, 2**30))
    check_memory("p", tmp_path, "cuda", torch.bfloat16.itemsize)
    with pytest.raises(UsageError, match="free the card"):
        check_memory("p", tmp_path, "cuda")
