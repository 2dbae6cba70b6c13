"""Models of transformers that say their actions in tokens."""

from __future__ import annotations

import shutil
from importlib.resources import files

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_openvla import ACTIONS, rewrite, tiny_llama, tiny_llava

from vlabench.cli import main
from vlabench.contract.negotiate import negotiate
from vlabench.errors import PolicyError, UsageError
from vlabench.policies.tokens import ActionTokens
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import Observation

PACKAGED = files("vlabench.policies") / "cards" / "rt2-style.yaml"
PLAIN = {"max_translation_m": None, "max_rotation_rad": None}


def card(folder, prompt="Q: what action should the robot take to {instruction}? A:", **options):
    """The path of a card of one's own: seven numbers in [-1, 1], of 16 bins each."""
    content = yaml.safe_load(PACKAGED.read_text("utf-8")) | {"name": "mine", "control_hz": None}
    content["prompt"]["template"] = prompt
    content["action"] |= {"gripper_relative": False, "gripper_threshold": 0.0, "bound": 1.0}
    content["action"] |= {"scale": "normalized", "rotation": "axis_angle"}
    content["options"] = {
        "model": "vision2seq",
        "tokens": "last",
        "bins": 16,
        "values": "centres",
        "low": [-1] * 7,
        "high": [1] * 7,
        "layout": ["terminate", *range(7)],
        "terminate_bins": [0],
    } | options
    if content["options"]["model"] == "causal":
        content["cameras"] = []
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    return tiny_llava(tmp_path_factory.mktemp("models") / "llava")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("models") / "llama")


def load(checkpoint, path):
    return ActionTokens(checkpoint=str(checkpoint), card=path, device="cpu", dtype="float32")


def seen(policy, seed=0, instruction="Open the top drawer."):
    image = np.random.default_rng(seed).integers(0, 255, (256, 320, 3), dtype=np.uint8)
    image[seed * 20 : seed * 20 + 60] = 255 * (seed % 2)
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    return pipeline.to_policy(Observation("e", 0, 0.0, instruction, {"exterior/0": image}, {}))


SEES = "<image>\nQ: what action should the robot take to {instruction}? A:"


def test_tokens_of_a_model_that_sees_become_actions(llava, tmp_path):
    policy = load(llava, card(tmp_path, SEES))
    check_policy(policy)
    found = set()
    for seed in range(4):
        look = seen(policy, seed)
        (chunk,) = policy.act([look])
        said = "<image>\nQ: what action should the robot take to Open the top drawer? A:"
        assert look.instruction == said
        inputs = policy._processor(
            text=said, images=Image.fromarray(look.images["exterior/0"]), return_tensors="pt"
        )
        with torch.inference_mode():
            out = policy._model.generate(**inputs, max_new_tokens=8, do_sample=False)
        words = [policy._tokenizer.decode(token) for token in out[0, -8:]]
        bins = [ACTIONS.index(word) for word in words]
        expected = [-1 + 2 * (place + 0.5) / 16 for place in bins[1:]]
        np.testing.assert_allclose(chunk.actions, [expected], atol=1e-12)
        assert chunk.extras == ({"terminate": True} if bins[0] == 0 else {})
        found.add(tuple(expected))
    assert len(found) > 1


def test_a_language_model_alone(llama, tmp_path):
    policy = load(llama, card(tmp_path, model="causal"))
    one, other = (seen(policy, 0, text) for text in ("open the drawer", "put the mug on it"))
    together = policy.act([one, other])
    alone = [policy.act([look])[0] for look in (one, other)]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a.actions, b.actions)
    assert together[0].actions.tolist() != together[1].actions.tolist()


def test_a_word_instead_of_an_action_is_the_policys_error(tmp_path):
    checkpoint = tiny_llama(tmp_path / "talks", ["?"])
    policy = load(checkpoint, card(tmp_path, model="causal"))
    with pytest.raises(PolicyError, match=r"answered the token \d+ \('\?'\) as number 1 of 8"):
        policy.act([seen(policy)])
    held = load(checkpoint, card(tmp_path, model="causal", constrained=True))
    assert held.act([seen(held)])[0].actions.shape == (1, 7)


def test_an_answer_that_ends_early_is_the_policys_error(llama, tmp_path, monkeypatch):
    policy = load(llama, card(tmp_path, model="causal"))
    end = torch.tensor([[policy._tokenizer.eos_token_id]])
    monkeypatch.setattr(
        policy._model, "generate", lambda input_ids, **_: torch.cat([input_ids, end], dim=1)
    )
    with pytest.raises(PolicyError, match=r"answered 0 tokens \[\] where 8 make an action"):
        policy.act([seen(policy)])


def test_numbers_in_text(llama, tmp_path, monkeypatch):
    path = card(
        tmp_path, model="causal", tokens="text", bins=256, values="edges", max_new_tokens=40
    )
    policy = load(llama, path)

    def say(text):
        said = policy._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        end = torch.tensor([[policy._tokenizer.eos_token_id]])
        monkeypatch.setattr(
            policy._model,
            "generate",
            lambda input_ids, **_: torch.cat([input_ids, said, end], dim=1),
        )
        return policy.act([seen(policy)])[0]

    chunk = say(" 0 128 91 241 5 101 127 255")
    expected = [2 * place / 255 - 1 for place in (128, 91, 241, 5, 101, 127, 255)]
    np.testing.assert_allclose(chunk.actions, [expected])
    assert chunk.extras == {"terminate": True}
    with pytest.raises(PolicyError, match=r"word 3 \('256'\) is no whole number from 0 to 255"):
        say("1 128 256 241 5 101 127 255")


def test_a_checkpoint_without_a_head_or_with_another_is_refused(llama, tmp_path):
    spoilt = shutil.copytree(llama, tmp_path / "spoilt")
    weights = load_file(spoilt / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"1 missing \(lm_head.weight\)"):
        load(spoilt, card(tmp_path, model="causal"))
    with pytest.raises(UsageError, match="cannot be loaded"):
        load(llama, card(tmp_path))


def test_code_runs_only_with_consent(llama, tmp_path):
    brings = shutil.copytree(llama, tmp_path / "brings")
    rewrite(brings / "config.json", auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    with pytest.raises(UsageError, match=r"modeling_mine.py.*trust_remote_code=true"):
        load(brings, card(tmp_path, model="causal"))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"low": [-1] * 6, "high": [1] * 6, "layout": ["terminate", *range(6)]}, "6 numbers"),
        ({"model": "causal", "bins": 5000}, "vocabulary has"),
        ({"binz": 3}, "binz"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(llama, tmp_path, change, part):
    with pytest.raises(UsageError, match=part):
        load(llama, card(tmp_path, **change))


def test_a_run_through_the_command(llava, tmp_path, brief):
    given = {"checkpoint": llava, "card": card(tmp_path, SEES), "dtype": "float32"}
    words = [f"--policy-arg={name}={value}" for name, value in given.items()]
    place = ["--suite", brief, "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "action-tokens", *place, *words, "--quiet"])
    assert not caught.value.code
    run = Run.open(tmp_path / "run")
    assert [record.error for record in run.records] == [None, None]
    assert all(record.policy_calls == record.steps > 0 for record in run.records)
