"""Checkpoints that are loaded in process: what is told of them before any of that happens."""

from __future__ import annotations

import json
from importlib.metadata import version
from importlib.resources import files

import numpy as np
import pytest
import yaml

from vlabench.errors import UsageError
from vlabench.evaluation import plan
from vlabench.policies import torchvision_beside
from vlabench.policies.card import find_card
from vlabench.policies.local import fingerprint
from vlabench.policies.torchvision_beside import torchvision_for_torch
from vlabench.registry import POLICIES
from vlabench.runner.hosts import environment_of
from vlabench.runner.job import check_before_run, declaration_of, requirements_of

CARDS = files("vlabench.policies") / "cards"
LIBERO, NATIVE = "lerobot-smolvla-libero", "transformers-pi0-libero"
IMAGE = {"type": "VISUAL", "shape": [3, 256, 256]}
CONFIG = {
    "type": "smolvla",
    "n_obs_steps": 1,
    "input_features": {
        "observation.images.image": IMAGE,
        "observation.images.image2": IMAGE,
        "observation.images.empty_camera_0": IMAGE,
        "observation.state": {"type": "STATE", "shape": [8]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [7]}},
    "chunk_size": 50,
    "n_action_steps": 1,
}


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")


def checkpoint(folder, config=None, before=(), after=()):
    """The files of a lerobot checkpoint, with `config` over the usual."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    (folder / "policy_preprocessor.json").write_text(json.dumps({"steps": list(before)}))
    (folder / "policy_postprocessor.json").write_text(json.dumps({"steps": list(after)}))
    (folder / "model.safetensors").write_bytes(bytes(100))
    return folder


def declared(folder, name="lerobot", **arguments):
    """What is declared, once nothing speaks against a run."""
    given = {"checkpoint": str(folder), "card": LIBERO, **arguments}
    check_before_run(name, given)
    return declaration_of(name, given)


def refusal(folder, name="lerobot", **arguments):
    with pytest.raises(UsageError) as caught:
        declared(folder, name, **arguments)
    return str(caught.value)


def renamed(old, new):
    return {"registry_name": "rename_observations_processor", "config": {"rename_map": {old: new}}}


# --- before an environment is built -------------------------------------------------------------


def test_a_run_of_a_folder_is_planned_without_the_packages_of_its_family(tmp_path, tiny):
    folder = checkpoint(tmp_path / "mine")
    planned = plan("lerobot", tiny, policy_args={"checkpoint": str(folder), "card": LIBERO})
    assert planned.job.declared.cameras == find_card("lerobot", card=LIBERO).spec().cameras
    assert planned.job.declared.revision == fingerprint(folder)
    assert "lerobot==0.4.4" in planned.job.requires


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"type": "act"}, "of a policy 'smolvla', the checkpoint of 'act'"),
        ({"chunk_size": 10}, "rows of an answer: 50 in the card, 10 in config.json (chunk_size)"),
        ({"n_obs_steps": 2}, "a policy that remembers: 50 in the card, 1 in config.json"),
        (
            {"output_features": {"action": {"type": "ACTION", "shape": [6]}}},
            "numbers of an action: 7 in the card, 6 in config.json (action)",
        ),
        (
            {"input_features": {"observation.image": IMAGE}},
            "the card has the images observation.images.image, observation.images.image2, "
            "config.json observation.image",
        ),
        (
            {
                "input_features": CONFIG["input_features"]
                | {"observation.environment_state": {"type": "ENV", "shape": [3]}}
            },
            "also reads observation.environment_state, which no card can give",
        ),
        ({"temporal_ensemble_coeff": 0.01}, "decay of ensembling: None in the card, 0.01"),
        ({"input_features": None}, "holds no checkpoint of lerobot 0.4 or later"),
    ],
)
def test_a_checkpoint_that_contradicts_its_card_is_told_with_both_sides(tmp_path, config, part):
    assert part in refusal(checkpoint(tmp_path / "mine", config))


def test_an_executed_length_is_replaced_only_where_the_card_says_so(tmp_path):
    card = yaml.safe_load((CARDS / f"{LIBERO}.yaml").read_text())
    card |= {"name": "mine", "checkpoints": ["me/mine"], "options": {"type": "smolvla"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    folder = checkpoint(tmp_path / "mine")
    part = "rows that are executed: 10 in the card, 1 in config.json (n_action_steps)"
    assert part in refusal(folder, card=str(tmp_path / "mine.yaml"))
    assert declared(folder).executed == 10


def test_names_that_the_pipeline_changes_are_those_before_it(tmp_path):
    features = dict(CONFIG["input_features"])
    features["observation.images.main"] = features.pop("observation.images.image")
    steps = [renamed("observation.images.image", "observation.images.main")]
    assert declared(checkpoint(tmp_path / "a", {"input_features": features}, steps))
    assert "images" in refusal(checkpoint(tmp_path / "b", {"input_features": features}))


def test_a_number_that_later_steps_change_is_left_to_the_answer(tmp_path):
    six = {"output_features": {"action": {"type": "ACTION", "shape": [20]}}}
    steps = [{"registry_name": "xvla_rotation_6d_to_axis_angle", "config": {}}]
    assert declared(checkpoint(tmp_path / "a", six, after=steps))
    assert "numbers of an action" in refusal(checkpoint(tmp_path / "b", six))


@pytest.mark.parametrize(
    ("steps", "part"),
    [
        ([{"class": "os.path.join", "config": {}}], "lets lerobot import os.path.join"),
        ([{"class": "lerobot.processor.DeviceProcessorStep"}], "lets lerobot import lerobot."),
        ([{"registry_name": "device_processor", "class": "os.path.join"}], "import os.path.join"),
        ([{"registry_name": "action_tokenizer_processor"}], "step 'action_tokenizer_processor'"),
        ([{"registry_name": "groot_eagle_encode_v3"}], "has a step 'groot_eagle_encode_v3'"),
        ([{"registry_name": ["device_processor"]}], "has a step ['device_processor']"),
        ([{}], "has a step None"),
        (
            [{"registry_name": "device_processor", "config": {"a": [{"trust_remote_code": 1}]}}],
            "asks for trust_remote_code",
        ),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_step_that_may_run_foreign_code_needs_consent(tmp_path, steps, part, place):
    folder = checkpoint(tmp_path / "mine", **{place: steps})
    text = refusal(folder)
    assert part in text
    assert "give --policy-arg trust_remote_code=true" in text
    assert declared(folder, trust_remote_code="true")
    assert "write true or false" in refusal(folder, trust_remote_code="perhaps")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"type": "groot"}, "is of a policy 'groot'"),
        ({"type": "pi0_fast"}, "is of a policy 'pi0_fast'"),
        ({"vlm": {"trust_remote_code": "yes"}}, "asks for trust_remote_code"),
    ],
)
def test_a_policy_that_may_run_foreign_code_needs_consent(tmp_path, config, part):
    card = yaml.safe_load((CARDS / f"{LIBERO}.yaml").read_text())
    card |= {"name": "mine", "checkpoints": ["me/mine"]}
    card["options"]["type"] = config.get("type", "smolvla")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    folder, mine = checkpoint(tmp_path / "mine", config), {"card": str(tmp_path / "mine.yaml")}
    assert part in refusal(folder, **mine)
    assert declared(folder, **mine, trust_remote_code="true")


@pytest.mark.parametrize("name", ["/etc/state.safetensors", "../state", "a/b", "..", "", 3])
def test_the_state_of_a_step_lies_in_the_checkpoints_own_folder(tmp_path, name):
    step = {"registry_name": "normalizer_processor", "config": {}, "state_file": name}
    folder = checkpoint(tmp_path / "mine", before=[step])
    for trusted in ("false", "true"):
        text = refusal(folder, trust_remote_code=trusted)
        assert f"has its state_file at {name!r}" in text
    step["state_file"] = "policy_preprocessor_step_3_normalizer_processor.safetensors"
    assert declared(checkpoint(tmp_path / "other", before=[step]))


def test_a_tokenizer_that_only_the_hub_has_is_named(tmp_path):
    step = {"registry_name": "tokenizer_processor", "config": {"tokenizer_name": "me/words"}}
    folder = checkpoint(tmp_path / "mine", before=[step])
    assert "names the tokenizer 'me/words'" in refusal(folder)
    assert declared(folder, backbone=str(tmp_path))
    assert "is no folder" in refusal(folder, backbone=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", ["lerobot", "transformers"])
def test_a_folder_is_known_for_what_it_is(tmp_path, name):
    assert "is no checkpoint" in refusal(tmp_path, name, card="")
    assert "does not exist" in refusal(tmp_path / "nowhere", name, card="")
    folder = checkpoint(tmp_path / "mine")
    assert f"card=NAME ({name}-" in refusal(folder, name, card="")


@pytest.mark.parametrize("name", ["lerobot", "transformers"])
def test_a_run_of_one_on_the_hub_is_planned_where_there_is_no_hub(tiny, name):
    card = find_card(name)
    assert plan(name, tiny).job.declared == card.spec(card.checkpoints[0])
    with pytest.raises(UsageError, match="fetched from the Hugging Face hub"):
        check_before_run(name, {})


LEROBOTS_PI0 = {
    "type": "pi0",
    "dtype": "bfloat16",
    "image_resolution": [224, 224],
    "input_features": CONFIG["input_features"],
    "output_features": CONFIG["output_features"],
    "chunk_size": 50,
    "n_action_steps": 50,
}


def _with_images(*names):
    features = {f"observation.images.{name}": IMAGE for name in names}
    return {"input_features": features | {"observation.state": {"type": "STATE", "shape": [8]}}}


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        (_with_images("image"), "config.json observation.images.image"),
        (_with_images("image2", "image"), "observation.images.image2, observation.images.image"),
        (_with_images("image", "wrist"), "observation.images.image, observation.images.wrist"),
        (_with_images("image", "image2", "image3"), "image2, observation.images.image3"),
        ({"input_features": {"observation.images.image": {}}}, "lacks or garbles 'type'"),
        ({"input_features": []}, "lacks or garbles"),
        ({"image_resolution": [448, 448]}, "the model of config.json sees 448 x 448"),
        ({"image_resolution": [448]}, "is no configuration of a model"),
    ],
)
def test_the_images_of_lerobots_pi0_are_held_against_its_card(tmp_path, changed, part):
    mine = {"name": "transformers", "card": NATIVE, "processor": str(tmp_path)}
    assert declared(checkpoint(tmp_path / "a", LEROBOTS_PI0), **mine)
    text = refusal(checkpoint(tmp_path / "b", LEROBOTS_PI0 | changed), **mine)
    assert part in text
    if "input_features" in changed and "lacks" not in part:
        assert "has the images observation.images.image, observation.images.image2 (" in text


def test_the_images_of_pi0_are_called_as_before_its_pipeline(tmp_path):
    mine = {"name": "transformers", "card": NATIVE, "processor": str(tmp_path)}
    config = LEROBOTS_PI0 | _with_images("base", "image2", "empty_camera_0")
    steps = [renamed("observation.images.image", "observation.images.base")]
    assert declared(checkpoint(tmp_path / "a", config, steps), **mine)
    assert "observation.images.base" in refusal(checkpoint(tmp_path / "b", config), **mine)


def test_pi0s_files_are_held_against_its_card(tmp_path):
    folder = tmp_path / "pi0"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "pi0", "chunk_size": 50}))
    mine = {"name": "transformers", "card": NATIVE}
    assert "has no statistics" in refusal(folder, **mine)
    numbers = {"state_mean": [0.0] * 8, "state_std": [1.0] * 8}
    numbers |= {"actions_mean": [0.0] * 7, "actions_std": [1.0] * 7}
    (folder / "processor_config.json").write_text(json.dumps(numbers))
    assert "has no tokenizer" in refusal(folder, **mine)
    assert declared(folder, **mine, processor=str(tmp_path)).chunk_length == 50
    (folder / "processor_config.json").write_text(json.dumps(numbers | {"state_mean": [0.0] * 6}))
    assert "are of 6 numbers of the state" in refusal(folder, **mine)
    (folder / "config.json").write_text(json.dumps({"model_type": "pi1", "max_state_dim": 4}))
    text = refusal(folder, **mine)
    assert "the card is of a 'pi0', config.json of a 'pi1'" in text
    assert "numbers of the state: 8 in the card, at most 4" in text


# --- which one it is ----------------------------------------------------------------------------


def test_a_fingerprint_sees_weights_and_settings_and_nothing_else(tmp_path):
    folder = checkpoint(tmp_path / "mine")
    first = fingerprint(folder)
    (folder / "README.md").write_text("x")
    assert fingerprint(folder) == first
    big = np.random.default_rng(0).bytes(5_000_000)
    (folder / "model.safetensors").write_bytes(big)
    second = fingerprint(folder)
    (folder / "model.safetensors").write_bytes(big[:-1] + bytes([big[-1] ^ 1]))
    assert len({first, second, fingerprint(folder)}) == 3
    (folder / "config.json").write_text("{}")
    assert fingerprint(folder) not in (first, second)


# --- what pip is told ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lerobot", "transformers"])
def test_torchvision_is_asked_for_as_the_torch_here_wants_it(name):
    minor = int(version("torch").split(".")[1])
    assert f"torchvision==0.{minor + 15}.*" in requirements_of(name, {})
    assert POLICIES.load(name).shared


@pytest.mark.parametrize("found", ["1.13.1", "3.0", "2"])
def test_another_torch_is_refused(monkeypatch, found):
    monkeypatch.setattr(torchvision_beside, "version", lambda _: found)
    with pytest.raises(UsageError, match="torch 2 is needed"):
        torchvision_for_torch()


def test_options_of_pip_are_told_apart_from_packages(tmp_path, tiny):
    folder = checkpoint(tmp_path / "mine")
    planned = plan("lerobot", tiny, policy_args={"checkpoint": str(folder), "card": LIBERO})
    pip = environment_of(planned.job)["pip"]
    assert "--no-deps" in pip["pip_install_options"]
    assert "lerobot==0.4.4" in pip["packages"]
    assert not [package for package in pip["packages"] if package.startswith("-")]
