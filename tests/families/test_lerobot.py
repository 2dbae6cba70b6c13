"""lerobot's own code on tiny checkpoints that its own code has saved, without a hub."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_lerobot as tiny
import torch
from derived import begin, observations, picture, state
from lerobot.policies.factory import make_pre_post_processors
from safetensors.torch import load_file, save_file
from torchvision import models

from vlabench.cli import main
from vlabench.contract.specs import PADDING
from vlabench.errors import UsageError
from vlabench.policies.lerobot import LeRobot
from vlabench.runner.job import check_before_run, declaration_of
from vlabench.seeding import seed_of, stream
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import EpisodeStart

ROWS = {"act": 6, "diffusion": 1, "smolvla": 5, "vqbet": 1, "xvla": 5}
KINDS = tuple(ROWS)
REMEMBERING = ("diffusion", "vqbet")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint and a card of each kind."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny.act(folder / "act")
    tiny.diffusion(folder / "diffusion")
    tiny.smolvla(folder / "smolvla", tiny.backbone(folder / "vlm"))
    here = {"requires": [], "max_batch": 4}
    tiny.card(folder, "act", chunk_length=6, executed=4, **here)
    tiny.xvla(folder / "xvla", folder / "vlm")
    tiny.vqbet(folder / "vqbet")
    once = {"chunk_length": 1, "executed": 1, "stateful": True, "fixed_batch": False}
    tiny.card(folder, "diffusion", **once, requires=[], max_batch=1)
    tiny.card(folder, "vqbet", **once, requires=[], max_batch=1, cameras=1)
    tiny.card(folder, "smolvla", chunk_length=5, executed=3, **here)
    tiny.card(folder, "xvla", chunk_length=5, executed=3, **here)
    return folder


def loaded(made, kind, **arguments):
    card = arguments.pop("card", made / f"{kind}.yaml")
    return LeRobot(str(arguments.pop("checkpoint", made / kind)), card=str(card), **arguments)


def refusal(made, kind, **arguments):
    with pytest.raises(UsageError) as caught:
        loaded(made, kind, **arguments)
    text = str(caught.value)
    assert text.count("\n") == 0
    return text


@pytest.fixture
def copied(made, tmp_path):
    """A copy of a checkpoint, to be spoiled."""

    def copy(kind):
        return Path(shutil.copytree(made / kind, tmp_path / kind))

    return copy


# --- evaluated ----------------------------------------------------------------------------------


def evaluated(made, kind, brief, out, *words):
    place = ["--suite", brief, "--out", str(out), "--quiet"]
    given = [f"--policy-arg=checkpoint={made / kind}", f"--policy-arg=card={made / kind}.yaml"]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "lerobot", *place, *given, *words])
    assert not caught.value.code
    run = Run.open(out)
    assert len(run.records) == 2
    assert not [record.error for record in run.records if record.error]
    return {record.episode_id: record.stable() for record in run.records}


@pytest.mark.parametrize("kind", ["act", "diffusion", "smolvla"])
def test_it_is_evaluated(made, kind, brief, tmp_path):
    records = evaluated(made, kind, brief, tmp_path / "serial", "--runner", "serial")
    assert len({record["actions_hash"] for record in records.values()}) == 2
    if kind == "smolvla":
        assert evaluated(made, kind, brief, tmp_path / "ray", "--workers", "2") == records


# --- batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_the_contract_and_answers_the_same_in_batches_and_alone(made, kind):
    with closing(loaded(made, kind)) as policy:
        assert check_policy(policy).policy.deterministic
        arguments = {"checkpoint": str(made / kind), "card": str(made / f"{kind}.yaml")}
        assert declaration_of("lerobot", arguments) == policy.spec()
        _, seen = observations(policy, 4)
        together = [c.actions for c in begin(policy, 4).act(seen)]
        begin(policy, 4)
        for one, rows in zip(seen, together, strict=True):
            filled = [replace(one, episode_id=f"{PADDING}{n}") for n in range(3)]
            if kind in REMEMBERING:
                filled = []
            assert rows.shape == (ROWS[kind], 7)
            assert np.array_equal(policy.act([one, *filled])[0].actions, rows)
        assert len({rows.tobytes() for rows in together}) == 4


@pytest.mark.parametrize("kind", ["diffusion", "smolvla", "xvla"])
def test_noise_is_the_sessions_own(made, kind):
    with closing(loaded(made, kind)) as policy:
        _, (seen,) = observations(policy, 1)

        def answer(seed, step):
            policy.reset([EpisodeStart(seen.episode_id, seed, "Open it.", EXAMPLE_ENV)])
            return policy.act([replace(seen, step=step)])[0].actions

        before = torch.get_rng_state()
        assert np.array_equal(answer(1, 0), answer(1, 0))
        assert not np.array_equal(answer(1, 0), answer(2, 0))
        assert not np.array_equal(answer(1, 0), answer(1, 3))
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", REMEMBERING)
def test_sessions_that_remember_do_not_meet(made, kind):
    """Two interleaved sessions equal lerobot's own `select_action`, one after the other."""
    steps = range(7)
    with closing(loaded(made, kind)) as policy:
        seen = {(n, t): observations(policy, 2, t)[1][n] for n in range(2) for t in steps}
        begin(policy, 2)
        mixed = {}
        for t in steps:
            for n in (0, 1) if t % 2 else (1, 0):
                mixed[n, t] = policy.act([seen[n, t]])[0].actions
        original = policy._model.policy
        before, after = make_pre_post_processors(original.config, str(made / kind))
        for n in range(2):
            original.reset()
            for t in steps:
                one = seen[n, t]
                batch = {
                    tiny.STATE: torch.from_numpy(one.state.astype(np.float32))[None],
                    "task": [one.instruction],
                }
                for key, role in ((tiny.IMAGE, "exterior/0"), (tiny.WRIST, "wrist/0")):
                    if key in original.config.input_features:
                        batch[key] = torch.from_numpy(one.images[role])[None]
                torch.manual_seed(seed_of("lerobot", 100 + n, t))
                with torch.inference_mode():
                    due = after(original.select_action(before(batch)))
                assert np.array_equal(mixed[n, t], due.numpy())


# --- what the model is shown --------------------------------------------------------------------


def spied(policy, monkeypatch, name):
    """What `name` of lerobot's policy is called with."""
    calls = []
    inner = getattr(policy._model.policy, name)

    def spy(*arguments, **named):
        calls.append((arguments, named))
        return inner(*arguments, **named)

    monkeypatch.setattr(policy._model.policy, name, spy)
    return calls


def test_act_is_shown_what_libero_showed_it(made, monkeypatch):
    stats = tiny.statistics()
    with closing(loaded(made, "act")) as policy:
        calls = spied(policy, monkeypatch, "predict_action_chunk")
        raw, shown = observations(policy, 2)
        begin(policy, 2).act(shown)
    ((batch,), _) = calls[0]
    for number, seen in enumerate(raw):
        for key, role in ((tiny.IMAGE, "exterior/0"), (tiny.WRIST, "wrist/0")):
            due = (picture(seen, role) - 0.4) / (0.3 + 1e-8)
            np.testing.assert_allclose(batch[key][number].numpy(), due, atol=1e-5)
        mean, deviation = (stats[tiny.STATE][name].numpy() for name in ("mean", "std"))
        due = (state(seen) - mean) / (deviation + 1e-8)
        np.testing.assert_allclose(batch[tiny.STATE][number].numpy(), due, atol=1e-4)


def test_acts_numbers_come_back_in_the_robots_units(made, monkeypatch):
    stats = {k: v.numpy() for k, v in tiny.statistics()["action"].items()}
    with closing(loaded(made, "act")) as policy:
        fixed = torch.linspace(-1, 1, 2 * 6 * 7).reshape(2, 6, 7)
        monkeypatch.setattr(policy._model.policy, "predict_action_chunk", lambda batch: fixed)
        _, shown = observations(policy, 2)
        answers = begin(policy, 2).act(shown)
    for number, chunk in enumerate(answers):
        due = fixed[number].numpy() * stats["std"] + stats["mean"]
        np.testing.assert_allclose(chunk.actions, due, atol=1e-6)


def test_smolvla_is_shown_images_words_state_and_noise(made, monkeypatch):
    stats = tiny.statistics()
    words = json.loads((made / "vlm" / "tokenizer.json").read_text())["model"]["vocab"]
    with closing(loaded(made, "smolvla")) as policy:
        calls = []
        inner = policy._model.policy.model.sample_actions

        def spy(*arguments, **named):
            calls.append((arguments, named))
            return inner(*arguments, **named)

        monkeypatch.setattr(policy._model.policy.model, "sample_actions", spy)
        raw, shown = observations(policy, 2, step=6)
        begin(policy, 2).act(shown)
    ((images, masks, tokens, attended, states), named) = calls[0]
    assert all(mask.all() for mask in masks)
    for number, seen in enumerate(raw):
        for image, role in zip(images, ("exterior/0", "wrist/0"), strict=True):
            halved = picture(seen, role).reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
            np.testing.assert_allclose(image[number].numpy(), 2 * halved - 1, atol=1e-5)
        sentence = seen.instruction.lower().rstrip(".").split(" ")
        due = [words.get(word, words["<unk>"]) for word in [*sentence, "\n"]]
        assert tokens[number].tolist() == due + [0] * (12 - len(due))
        assert attended[number].tolist() == [True] * len(due) + [False] * (12 - len(due))
        mean, deviation = (stats[tiny.STATE][name].numpy() for name in ("mean", "std"))
        padded = np.pad((state(seen) - mean) / (deviation + 1e-8), (0, 2))
        np.testing.assert_allclose(states[number].numpy(), padded, atol=1e-4)
        noise = stream("lerobot", 100 + number, 6).standard_normal((5, 9), dtype=np.float32)
        assert np.array_equal(named["noise"][number].numpy(), noise)


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_missing_or_left_over_is_named(made, copied, kind):
    folder = copied(kind)
    weights = load_file(folder / "model.safetensors")
    name = next(key for key in sorted(weights) if key.endswith(".bias"))
    spoiled = {key: value for key, value in weights.items() if key != name}
    save_file(spoiled | {"model.extra.weight": torch.zeros(2)}, folder / "model.safetensors")
    text = refusal(made, kind, checkpoint=folder)
    assert f"1 missing ({name})" in text
    assert "1 unexpected (model.extra.weight)" in text
    save_file(weights | {name: torch.zeros(3, 3, 3)}, folder / "model.safetensors")
    assert f"1 of another shape ({name})" in refusal(made, kind, checkpoint=folder)


def test_a_folder_without_a_part_says_which(made, copied, tmp_path):
    folder = copied("act")
    (folder / "policy_postprocessor.json").unlink()
    assert "it has no policy_postprocessor.json" in refusal(made, "act", checkpoint=folder)
    assert "does not exist" in refusal(made, "act", checkpoint=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "is no checkpoint" in refusal(made, "act", checkpoint=tmp_path / "empty")
    (folder / "policy_postprocessor.json").write_text("{}")
    assert "lacks or garbles 'steps'" in refusal(made, "act", checkpoint=folder)
    folder = shutil.copytree(made / "act", tmp_path / "cut")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])
    assert "cannot be loaded" in refusal(made, "act", checkpoint=folder)


def test_a_folder_needs_a_card(made):
    assert "card=NAME (lerobot-" in refusal(made, "act", card="")


def test_a_card_that_does_not_fit_is_told_with_both_sides(made, tmp_path):
    wrong = {"chunk_length": 9, "executed": 4, "state": [{"source": "ee_position"}]}
    card = tiny.card(tmp_path, "act", requires=[], **wrong)
    text = refusal(made, "act", card=card)
    assert "rows of an answer: 9 in the card, 6 in config.json (chunk_size)" in text
    assert "numbers of the state: 3 in the card, 8 in config.json (state)" in text
    text = refusal(made, "act", card=made / "smolvla.yaml")
    assert "the card is of a policy 'smolvla', the checkpoint of 'act'" in text
    text = refusal(made, "smolvla", card="lerobot-smolvla-libero")
    assert "the card makes observation.images.image 256 x 256, config.json has 64 x 64" in text
    arguments = {"checkpoint": str(made / "act"), "card": card}
    with pytest.raises(UsageError, match="rows of an answer"):
        check_before_run("lerobot", arguments)


def test_one_that_remembers_needs_a_card_that_says_so(made, tmp_path):
    card = tiny.card(tmp_path, "diffusion", requires=[], chunk_length=4, executed=4)
    text = refusal(made, "diffusion", card=card)
    assert "rows of an answer of a policy that remembers: 4 in the card, 1" in text


def test_without_a_hub_each_sentence_says_what_to_fetch(made, copied):
    with pytest.raises(UsageError, match=r"hf download HuggingFaceVLA/smolvla_libero --local-dir"):
        LeRobot()
    folder = copied("smolvla")
    for path in (folder / "config.json", folder / "policy_preprocessor.json"):
        path.write_text(path.read_text().replace(str(made / "vlm"), "me/backbone"))
    text = refusal(made, "smolvla", checkpoint=folder)
    assert "names the backbone 'me/backbone'" in text
    assert "backbone=FOLDER" in text
    with closing(loaded(made, "smolvla", checkpoint=folder, backbone=str(made / "vlm"))) as policy:
        check_policy(policy)
    assert "is no folder" in refusal(made, "smolvla", checkpoint=folder, backbone="nowhere")


def test_a_step_from_elsewhere_is_not_imported_unless_it_is_trusted(made, copied):
    folder = copied("act")
    path = folder / "policy_preprocessor.json"
    content = json.loads(path.read_text())
    content["steps"].append({"class": "elsewhere.steps.Step", "config": {}})
    path.write_text(json.dumps(content))
    assert "import elsewhere.steps.Step" in refusal(made, "act", checkpoint=folder)
    text = refusal(made, "act", checkpoint=folder, trust_remote_code="true")
    assert "needs a package that is not there" in text


@pytest.mark.parametrize("spelling", ["registry_name", "class"])
def test_no_code_of_a_tokenizer_runs_without_consent(made, copied, tmp_path, spelling):
    """lerobot's own step for tokens of actions asks transformers to trust what it finds."""
    folder, brought, marker = copied("act"), tmp_path / "tokens", tmp_path / "it-ran"
    brought.mkdir()
    named = {"processor_class": "Own", "auto_map": {"AutoProcessor": "own.Own"}}
    (brought / "processor_config.json").write_text(json.dumps(named))
    (brought / "own.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import ProcessorMixin\n"
        "class Own(ProcessorMixin):\n    pass\n"
    )
    path = folder / "policy_preprocessor.json"
    content = json.loads(path.read_text())
    name = {
        "registry_name": "action_tokenizer_processor",
        "class": "lerobot.processor.tokenizer_processor.ActionTokenizerProcessorStep",
    }[spelling]
    content["steps"].append({spelling: name, "config": {"action_tokenizer_name": str(brought)}})
    path.write_text(json.dumps(content))
    text = refusal(made, "act", checkpoint=folder)
    assert name in text
    assert "give --policy-arg trust_remote_code=true" in text
    assert not marker.exists()
    refusal(made, "act", checkpoint=folder, trust_remote_code="true")  # tokens of a stub
    assert marker.exists()


def test_no_code_of_a_backbone_runs(made, copied, tmp_path):
    brought = Path(shutil.copytree(made / "vlm", tmp_path / "vlm"))
    path, marker = brought / "tokenizer_config.json", tmp_path / "it-ran"
    content = json.loads(path.read_text()) | {"auto_map": {"AutoTokenizer": ["own.Own", None]}}
    path.write_text(json.dumps(content))
    (brought / "own.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Own: pass\n")
    text = refusal(made, "smolvla", backbone=str(brought))
    assert "brings Python code of its own (own.py)" in text
    assert not marker.exists()


def test_nothing_is_fetched_that_the_weights_replace(made, copied, monkeypatch):
    folder = copied("act")
    path = folder / "config.json"
    content = json.loads(path.read_text())
    content["pretrained_backbone_weights"] = "ResNet18_Weights.IMAGENET1K_V1"
    path.write_text(json.dumps(content))

    def unwanted(*_, **__):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", unwanted)
    loaded(made, "act", checkpoint=folder).close()


def test_another_checkpoint_in_the_same_folder_is_another_revision(made, copied):
    folder, card = copied("act"), str(made / "act.yaml")
    arguments = {"checkpoint": str(folder), "card": card}
    first = declaration_of("lerobot", arguments).revision
    assert first == loaded(made, "act", checkpoint=folder).spec().revision
    weights = load_file(folder / "model.safetensors")
    weights["model.action_head.bias"][0] += 1
    save_file(weights, folder / "model.safetensors")
    assert declaration_of("lerobot", arguments).revision != first
    assert declaration_of("lerobot", arguments | {"revision": "mine"}).revision == "mine"
