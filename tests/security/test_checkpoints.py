"""A checkpoint from a stranger: nothing of it runs, and none of its files is a bomb."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import pytest

from vlabench.errors import UsageError
from vlabench.policies.checkpoints import check_consent, check_ready, own_code, read_json
from vlabench.policies.weights import weight_bytes


class Marker:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def test_weights_of_a_head_are_no_pickle(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from vlabench.policies.oft_model import _component

    marker = tmp_path / "pwned"
    path = tmp_path / "action_head--1_checkpoint.pt"
    torch.save({"weight": torch.ones(2), "extra": Marker(marker)}, path)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        _component("openvla-oft", tmp_path, "action_head")
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # the marker does work


@pytest.mark.parametrize("length", [2**62, 10**9, 50])
@pytest.mark.parametrize("header", [b"[" * 100_000, b'{"a": 1}', b"", b'{"a": {"dtype": "F32"}}'])
def test_a_header_of_safetensors_is_only_counted(
    length: int, header: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + header)
    assert weight_bytes(tmp_path) == path.stat().st_size


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "\udcff"])
def test_a_configuration_that_is_none_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match="cannot be read"):
        read_json(tmp_path / "config.json")


def test_an_index_leads_to_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"\0" * 999)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    names = {"a": "../secret.safetensors", "b": str(tmp_path / "secret.safetensors")}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}))
    assert weight_bytes(folder) == 0


@pytest.mark.parametrize(
    "named", ["modeling.Evil", "owner/name--modeling.Evil", ["a.B", "modeling.Evil"]]
)
@pytest.mark.parametrize("name", ["config.json", "processor_config.json", "tokenizer_config.json"])
def test_code_needs_consent(name: str, named: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(json.dumps({"auto_map": {"AutoModel": named}}))
    assert "modeling.py" in own_code(tmp_path)
    with pytest.raises(UsageError, match="trust_remote_code=true"):
        check_consent("openvla", tmp_path, trusted=False)
    with pytest.raises(UsageError, match="trust_remote_code=true"):
        check_ready("openvla", str(tmp_path), trusted=False)
    check_consent("openvla", tmp_path, trusted=True)


def test_the_source_asks_for_no_pickle() -> None:
    """A loader that may run code stands nowhere, nor a command for a shell."""
    root = Path(__file__).parents[2]
    for folder in ("vlabench", "envs", "policies"):
        for path in (root / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for word in (
                *("import pickle", "pickle.load", "allow_pickle=True", "weights_only=False"),
                *("yaml.load(", "yaml.unsafe_load", "shell=True", "os.system("),
                *("import joblib", "import dill", "marshal.load", "import shelve"),
            ):
                assert word not in text, f"{path} has {word!r}"
