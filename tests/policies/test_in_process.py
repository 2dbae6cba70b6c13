"""Checkpoints that are loaded in process: what is seen of them before anything is installed."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest

from vlabench.cli import main
from vlabench.contract.prompt import worded
from vlabench.conventions import examine, examining
from vlabench.errors import InfrastructureError, UnknownNameError, UsageError
from vlabench.evaluation import plan
from vlabench.policies import checkpoints
from vlabench.policies.card import packaged_cards
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
from vlabench.runner.job import (
    alternatives_of,
    check_before_run,
    declaration_of,
    make_policy,
    requirements_of,
)

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


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The cache of the hub's client, empty, and a hub that nobody asks."""
    for name in ("HF_HUB_CACHE", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hf" / "hub"


@contextmanager
def hub(monkeypatch, commits):
    """A hub that says which commit ``owner/name/revision/R`` is, and refuses what it lacks."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            sha = commits.get(self.path.removeprefix("/api/models/"))
            self.send_response(200 if sha else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"sha": sha}).encode())

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        try:
            yield
        finally:
            server.shutdown()
            monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def fetched(cache, checkpoint, commit):
    """Where the hub's client would have put the files of `checkpoint`, its branch noted."""
    kept = cache / f"models--{checkpoint.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True, exist_ok=True)
    (kept / "refs" / "main").write_text(commit)
    folder = kept / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


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
        monkeypatch.delenv("HF_HUB_OFFLINE")
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


def test_a_folder_further_up_picks_no_card(folder):
    for above in ("openvla-7b/runs/mine", "openvla-7b/mine", "models--openvla--openvla-7b/x/mine"):
        mine = folder.parent / above
        mine.parent.mkdir(parents=True)
        folder = folder.rename(mine)
        with pytest.raises(UsageError, match="is called after no checkpoint"):
            OpenVla.declares({"checkpoint": str(mine)})
    ours = folder.parent / "models--me--openvla-7b" / "snapshots" / "1234"
    ours.parent.mkdir(parents=True)
    with pytest.raises(UsageError, match="is called after no checkpoint"):
        OpenVla.declares({"checkpoint": str(folder.rename(ours))})


def test_a_checkpoint_on_the_hub_is_known_by_its_name_and_commit(cache, monkeypatch):
    spatial, goal = (f"openvla/openvla-7b-finetuned-libero-{name}" for name in ("spatial", "goal"))

    def revision(checkpoint, **args):
        return OpenVla.declares({"checkpoint": checkpoint, **args}).revision

    assert [revision(spatial), revision(goal), revision("")] == [spatial, goal, spatial]
    assert revision(goal, revision="v2") == f"{goal}@v2"
    assert revision(goal, revision="c" * 40) == f"{goal}@{'c' * 40}"
    fetched(cache, goal, "a" * 40)
    assert revision(goal) == f"{goal}@{'a' * 40}"
    assert revision(goal, revision="v2") == f"{goal}@v2"
    said = {f"{goal}/revision/main": "b" * 40, f"{goal}/revision/v2%2Fx": "d" * 40}
    with hub(monkeypatch, said):  # where the branch has moved on since
        assert revision(goal) == f"{goal}@{'b' * 40}"
        assert revision(goal, revision="v2/x") == f"{goal}@v2/x@{'d' * 40}"
        assert revision(spatial) == spatial  # which it does not show to everybody
        assert (
            declaration_of("lerobot", {}).revision.partition("@")[0]
            == "HuggingFaceVLA/smolvla_libero"
        )
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert revision(goal) == f"{goal}@{'a' * 40}"  # nobody is there any more


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


@pytest.mark.parametrize("name", ["openvla", "openvla-oft"])
def test_the_doctor_is_told_every_key_that_fits(cache, folder, name):
    vector = STATISTICS["libero_spatial"]["action"]
    state = {"q01": [-1] * 8, "q99": [1] * 8}
    two = {"mine": {"action": vector, "proprio": state}, "libero_spatial": {"action": vector}}
    two["libero_spatial"]["proprio"] = state
    (folder / "config.json").write_text("{}")
    (folder / "dataset_statistics.json").write_text(json.dumps(two | {"empty": {}}))
    card = {"openvla": "openvla", "openvla-oft": "openvla-oft-libero"}[name]
    given = {"checkpoint": str(folder), "card": card, "unnorm_key": "mine"}
    both = {"unnorm_key": ["libero_spatial", "mine"]}
    assert alternatives_of(name, given) == both
    on_hub = POLICIES.load(name)._chosen({}).checkpoints[0]
    assert alternatives_of(name, {}) == {"unnorm_key": []}
    place = fetched(cache, on_hub, "a" * 40)
    for path in folder.iterdir():
        path.rename(place / path.name)
    assert alternatives_of(name, {}) == both
    (place / "dataset_statistics.json").unlink()
    assert alternatives_of(name, {}) == {"unnorm_key": []}


def test_the_doctor_asks_for_consent_before_it_builds_anything(folder, monkeypatch, capsys):
    def built(*_):
        pytest.fail("an environment is built")

    monkeypatch.setattr(examining, "load_attribute", built)
    with pytest.raises(UsageError, match="trust_remote_code=true"):
        examine("openvla", policy_args={"checkpoint": str(folder), "card": "openvla"})
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--policy", "openvla", "--policy-arg", f"checkpoint={folder}"])
    assert caught.value.code == 2
    assert "trust_remote_code=true" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["openvla", "openvla-rest"])
def test_a_full_stop_does_not_stand_before_the_question_mark(name):
    for card in packaged_cards():
        if card.adapter == name:
            said = worded("Open it.", card.spec().prompt).lower()
            assert "open it" in said, card.name
            assert "." not in said, card.name


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
