"""Checkpoints that are loaded in process: what is seen of them before anything is installed."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest

from vlabench.cli import main
from vlabench.errors import InfrastructureError, UnknownNameError, UsageError
from vlabench.evaluation import plan
from vlabench.policies import checkpoints
from vlabench.policies.checkpoints import (
    check_keys,
    check_memory,
    inferring,
    is_local,
    loading,
    own_code,
)
from vlabench.policies.openvla import OpenVla
from vlabench.policies.statistics import choose_key, read_bounds, read_statistics
from vlabench.registry import POLICIES
from vlabench.runner.job import check_before_run, declaration_of, make_policy, requirements_of

SPATIAL = "openvla-7b-finetuned-libero-spatial"
STATISTICS = {
    "libero_spatial": {
        "action": {
            "q01": [-1, -0.5, -0.25, -0.1, -0.1, -0.1, 0],
            "q99": [1, 0.5, 0.75, 0.1, 0.1, 0.1, 1],
            "mask": [True] * 6 + [False],
        }
    }
}


@pytest.fixture
def folder(tmp_path):
    """What a checkpoint looks like to whoever has no packages to load it with."""
    path = tmp_path / SPATIAL
    path.mkdir()
    config = {
        "auto_map": {"AutoConfig": "configuration_x.Config", "AutoModel": "me/x--modeling_x.Model"},
        "norm_stats": STATISTICS,
    }
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(bytes(3 * 2**20))
    return path


def asked(checkpoint, **args):
    """What is said before a run of ``openvla`` begins."""
    check_before_run("openvla", {"checkpoint": str(checkpoint), **args})


# --- one sentence each --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda folder: folder / "nowhere", ("does not exist", "checkpoint=FOLDER")),
        (lambda folder: folder / "config.json", ("is a file and no folder",)),
        (lambda folder: folder.parent, ("is no checkpoint of policy 'openvla'", "no config.json")),
        (lambda folder: folder.rename(folder.parent / "mine"), ("card=NAME", "card=FILE")),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_refused_before_a_plan(folder, tiny, spoil, parts):
    with pytest.raises(UsageError) as caught:
        plan("openvla", tiny, policy_args={"checkpoint": str(spoil(folder))})
    for part in parts:
        assert part in str(caught.value)


def test_code_of_a_checkpoint_is_named_and_waits_for_consent(folder):
    assert own_code(folder) == ["configuration_x.py", "modeling_x.py"]
    with pytest.raises(
        UsageError, match=r"\(configuration_x.py, modeling_x.py\).*remote_code=true"
    ):
        asked(folder)
    asked(folder, trust_remote_code=True)
    with pytest.raises(UsageError, match="write true or false"):
        asked(folder, trust_remote_code="perhaps")


def test_a_checkpoint_on_the_hub_waits_for_consent_and_then_for_the_hub(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match=r"remote_code=true"):
        check_before_run("openvla", {})
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)
        check_before_run("openvla", {"trust_remote_code": "true"})
    with pytest.raises(UsageError) as caught:
        check_before_run("openvla", {"trust_remote_code": "true"})
    for part in ("cannot be fetched", "--local-dir FOLDER", "checkpoint=FOLDER"):
        assert part in str(caught.value)
    kept = tmp_path / "hub" / f"models--openvla--{SPATIAL}" / "snapshots" / "abc"
    kept.mkdir(parents=True)
    (kept / "config.json").write_text("{}")
    check_before_run("openvla", {"trust_remote_code": "true"})  # fetched before


def test_a_run_ends_with_that_sentence_and_leaves_nothing(tiny, tmp_path, capsys):
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "openvla", "--suite", tiny, "--out", str(out)])
    assert caught.value.code == 2
    assert "trust_remote_code=true" in capsys.readouterr().err
    assert not out.exists()


def test_a_url_belongs_to_the_other_adapter():
    for ask in (requirements_of, declaration_of, make_policy):
        with pytest.raises(UsageError, match="--policy openvla-rest"):
            ask("openvla", {"url": "http://127.0.0.1:8000"})


def test_every_family_plans_from_its_card_and_has_one_process():
    for name in ("openvla", "openvla-oft", "action-tokens"):
        assert declaration_of(name, {}).name
        assert any(package.startswith("transformers") for package in requirements_of(name, {}))
        assert POLICIES.load(name).shared
    with pytest.raises(UsageError, match="lists no published checkpoint"):
        check_before_run("action-tokens", {})


def test_a_folder_picks_the_card_it_is_called_after(folder):
    assert OpenVla.declares({"checkpoint": str(folder)}).name == "openvla"
    cached = folder.parent / "models--openvla--openvla-7b" / "snapshots" / "1234"
    cached.parent.mkdir(parents=True)
    folder.rename(cached)
    assert OpenVla.declares({"checkpoint": str(cached)}).name == "openvla-bridge"
    named = OpenVla.declares({"checkpoint": str(cached), "card": "openvla"})
    assert named.name == "openvla"


def test_other_weights_have_another_revision(folder):
    def revision():
        return OpenVla.declares({"checkpoint": str(folder)}).revision

    before = revision()
    assert before == revision() != ""
    weights = bytearray(3 * 2**20)
    weights[-1] = 1
    (folder / "model.safetensors").write_bytes(weights)
    assert revision() != before
    told = OpenVla.declares({"checkpoint": str(folder), "revision": "step 3"})
    assert told.revision == "step 3"


def test_a_name_on_the_hub_is_none_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_local("openvla/openvla-7b")
    (tmp_path / "openvla" / "openvla-7b").mkdir(parents=True)
    for name in ("openvla/openvla-7b", "./mine", "/mine", "~/mine", "mine", "a/b/c"):
        assert is_local(name)


# --- statistics ---------------------------------------------------------------------------------


def test_numbers_are_scaled_back_but_for_the_masked_one(folder):
    bounds = read_bounds(read_statistics("p", folder), "libero_spatial", "action", 7)
    numbers = np.array([[-1, 0, 1, 0.5, 0, 0, 0.25], [1] * 7])
    expected = [[-1, 0, 0.75, 0.05, 0, 0, 0.25], [1, 0.5, 0.75, 0.1, 0.1, 0.1, 1]]
    np.testing.assert_allclose(bounds.unscaled(numbers), expected, atol=1e-15)
    np.testing.assert_allclose(bounds.scaled(bounds.unscaled(numbers), 0), numbers, atol=1e-15)
    assert bounds.scaled(np.full(7, 9.0)).tolist() == [1] * 7


def test_without_a_mask_all_numbers_are_scaled():
    entry = {"s": {"action": {"q01": [0], "q99": [4]}}}
    assert read_bounds(entry, "s", "action", 1).unscaled(np.zeros(1)).tolist() == [2]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"q01": None}, "q01"),
        ({"q01": [0] * 6}, "7 finite numbers"),
        ({"q99": [float("nan")] * 7}, "7 finite numbers"),
        ({"q99": ["a"] * 7}, "7 finite numbers"),
        ({"q99": [-2] * 7}, "q01 above its q99"),
        ({"mask": [True] * 6}, "true and false"),
        ({"mask": [1] * 7}, "true and false"),
    ],
    ids=str,
)
def test_statistics_that_are_none_are_refused(change, part):
    vector = {**STATISTICS["libero_spatial"]["action"], **change}
    with pytest.raises(UsageError, match=part):
        read_bounds({"s": {"action": vector}}, "s", "action", 7)
    with pytest.raises(UsageError, match="has no q01"):
        read_bounds({"s": {}}, "s", "action", 7)


def test_a_key_is_the_users_or_the_cards_or_the_only_one(folder):
    two = {"a": 1, "b": 2}
    assert choose_key("p", folder, two, "b", ()) == "b"
    assert choose_key("p", folder, two, "", ("c", "a")) == "a"
    assert choose_key("p", folder, {"x": 1}, "", ("c", "a")) == "x"
    with pytest.raises(UsageError, match=r"\(a, b\).*unnorm_key=NAME"):
        choose_key("p", folder, two, "", ("a", "b"))
    with pytest.raises(UnknownNameError, match="did you mean 'bridge_orig'"):
        choose_key("p", folder, {"bridge_orig": 1}, "bridge", ())


def test_a_statistics_key_is_looked_at_before_anything_is_installed(folder):
    with pytest.raises(UnknownNameError, match="did you mean 'libero_spatial'"):
        asked(folder, trust_remote_code=True, unnorm_key="libero_spatail")
    (folder / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="has no statistics"):
        asked(folder)
    (folder / "dataset_statistics.json").write_text(json.dumps(STATISTICS))
    asked(folder)
    (folder / "dataset_statistics.json").write_text("{")
    with pytest.raises(UsageError, match=r"dataset_statistics\.json of the checkpoint cannot be"):
        asked(folder)


# --- loading and asking -------------------------------------------------------------------------


def test_missing_and_extra_keys_are_named():
    check_keys("p", "c", [], [])
    with pytest.raises(UsageError) as caught:
        check_keys("p", "c", ["b", "a"], ["x", "y", "z", "w"], ["s"])
    text = str(caught.value)
    for part in ("2 missing (a, b)", "4 unexpected (w, x, y, …)", "1 of another shape (s)"):
        assert part in text


def test_a_card_too_small_is_told_before_loading(folder, monkeypatch):
    import torch

    check_memory("p", folder, "cpu")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**20, 2**30))
    with pytest.raises(UsageError, match=r"0\.0 GB and cuda has 0\.0 GB free"):
        check_memory("p", folder, "cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**22, 2**30))
    check_memory("p", folder, "cuda")


@pytest.mark.parametrize(
    ("raised", "part"),
    [
        (ImportError("No module named 'timm'"), "needs a package"),
        (MemoryError(), "too little memory"),
        (RuntimeError("[enforce] DefaultCPUAllocator: not enough memory: you tried"), "too little"),
        (ValueError("two\nlines"), "two lines"),
    ],
)
def test_what_goes_wrong_while_loading_is_one_sentence(raised, part):
    with pytest.raises(UsageError, match=part) as caught, loading("p", "c"):
        raise raised
    assert "\n" not in str(caught.value)


def test_a_full_card_is_no_failure_of_the_policy():
    import torch

    with pytest.raises(InfrastructureError, match="too little memory"), inferring("p"):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(ValueError, match="mine"), inferring("p"):
        raise ValueError("mine")


def test_a_device_that_is_not_there_is_told():
    assert checkpoints.device_named("p", "cpu") == "cpu"
    with pytest.raises(UsageError, match="cannot use device=gpu"):
        checkpoints.device_named("p", "gpu")
