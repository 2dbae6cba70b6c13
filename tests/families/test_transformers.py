"""transformers' own pi0 on a tiny checkpoint that its own code has saved, without a hub."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_pi0 as tiny
import torch
from derived import begin, observations, picture, state
from safetensors.torch import load_file, save_file

from vlabench.cli import main
from vlabench.contract.specs import PADDING
from vlabench.errors import UsageError
from vlabench.policies.transformers import Transformers
from vlabench.runner.job import declaration_of
from vlabench.seeding import stream
from vlabench.store import Run
from vlabench.testing import check_policy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint and its card."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny.pi0(folder / "pi0")
    tiny.card(folder, requires=[])
    return folder


def loaded(made, **arguments):
    card = arguments.pop("card", made / "pi0.yaml")
    return Transformers(str(arguments.pop("checkpoint", made / "pi0")), card=str(card), **arguments)


def refusal(made, **arguments):
    with pytest.raises(UsageError) as caught:
        loaded(made, **arguments)
    text = str(caught.value)
    assert text.count("\n") == 0
    return text


@pytest.fixture
def copied(made, tmp_path):
    """A copy of the checkpoint, to be spoiled."""
    return Path(shutil.copytree(made / "pi0", tmp_path / "pi0"))


def evaluated(made, brief, out, *words):
    place = ["--suite", brief, "--out", str(out), "--quiet"]
    given = [f"--policy-arg=checkpoint={made / 'pi0'}", f"--policy-arg=card={made / 'pi0.yaml'}"]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "transformers", *place, *given, *words])
    assert not caught.value.code
    run = Run.open(out)
    assert len(run.records) == 2
    assert not [record.error for record in run.records if record.error]
    return {record.episode_id: record.stable() for record in run.records}


def test_it_is_evaluated_the_same_here_and_in_an_inference_actor(made, brief, tmp_path):
    alone = evaluated(made, brief, tmp_path / "serial", "--runner", "serial")
    assert len({record["actions_hash"] for record in alone.values()}) == 2
    assert evaluated(made, brief, tmp_path / "ray", "--workers", "2") == alone


def test_it_keeps_the_contract_and_answers_the_same_in_batches_and_alone(made):
    with closing(loaded(made)) as policy:
        assert check_policy(policy).policy.deterministic
        arguments = {"checkpoint": str(made / "pi0"), "card": str(made / "pi0.yaml")}
        assert declaration_of("transformers", arguments) == policy.spec()
        _, seen = observations(policy, 4)
        together = [chunk.actions for chunk in begin(policy, 4).act(seen)]
        for one, rows in zip(seen, together, strict=True):
            filled = [replace(one, episode_id=f"{PADDING}{n}") for n in range(3)]
            assert rows.shape == (5, 7)
            assert np.array_equal(policy.act([one, *filled])[0].actions, rows)
            np.testing.assert_allclose(policy.act([one])[0].actions, rows, atol=1e-6)
        assert len({rows.tobytes() for rows in together}) == 4


def test_it_is_shown_images_words_state_and_noise(made, monkeypatch):
    stats = tiny.statistics()
    words = json.loads((made / "pi0" / "tokenizer.json").read_text())["model"]["vocab"]
    with closing(loaded(made)) as policy:
        calls = []
        fixed = torch.linspace(-1, 1, 2 * 5 * 9).reshape(2, 5, 9)

        def answer(**named):
            calls.append(named)
            return fixed

        monkeypatch.setattr(policy._model.network, "sample_actions", answer)
        raw, shown = observations(policy, 2, step=6)
        answers = begin(policy, 2).act(shown)
    (given,) = calls
    assert given["pixel_attention_mask"].all()
    for number, seen in enumerate(raw):
        for place, role in enumerate(("exterior/0", "wrist/0")):
            shown_there = given["pixel_values"][number, place].numpy()
            assert shown_there.shape == (3, 32, 32)
            levels = np.abs(shown_there - (2 * halved(seen, role) - 1)) * 127.5
            assert levels.max() < 2  # each of the two passes rounds to whole grey levels
            assert levels.mean() < 0.5
        sentence = seen.instruction.lower().rstrip(".").split(" ")
        ids = [words.get(word, words["<unk>"]) for word in [*sentence, "\n"]]
        due = [words["<image>"]] * 2 * tiny.IMAGE_TOKENS + [words["<bos>"], *ids]
        assert given["input_ids"][number].tolist() == due + [0] * (32 + 48 - len(due))
        assert given["attention_mask"][number].tolist() == [1] * len(due) + [0] * (80 - len(due))
        normalised = (state(seen) - stats["state_mean"]) / stats["state_std"]
        told = given["state"][number].numpy()
        np.testing.assert_allclose(told, np.pad(normalised, (0, 2)), atol=1e-4)
        noise = stream("transformers", 100 + number, 6).standard_normal((5, 9), dtype=np.float32)
        assert np.array_equal(given["noise"][number].numpy(), noise)
        back = fixed[number, :, :7].numpy() * stats["actions_std"] + stats["actions_mean"]
        np.testing.assert_allclose(answers[number].actions, back, atol=1e-6)


@pytest.mark.parametrize("kind", ["pi0", "paligemma"])
def test_the_processor_leaves_the_images_size_alone(made, copied, monkeypatch, kind):
    """Whatever image processor lies beside the tokenizer: the contract has done the resizing."""
    if kind == "paligemma":  # as in google/paligemma-3b-pt-224: bicubic, and no padding
        (copied / "processor_config.json").unlink()
        settings = {
            "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_seq_length": tiny.IMAGE_TOKENS,
            "image_processor_type": "SiglipImageProcessor", "processor_class": "PaliGemmaProcessor",
            "resample": 3, "rescale_factor": 1 / 255, "size": {"height": 32, "width": 32},
        }  # fmt: skip
        (copied / "preprocessor_config.json").write_text(json.dumps(settings))
    with closing(loaded(made, processor=str(copied))) as policy:
        calls = []
        fixed = torch.zeros(1, 5, 9)
        monkeypatch.setattr(
            policy._model.network, "sample_actions", lambda **named: calls.append(named) or fixed
        )
        _, (seen,) = observations(policy, 1)
        begin(policy, 1).act([seen])
    for place, role in enumerate(("exterior/0", "wrist/0")):
        due = seen.images[role].transpose(2, 0, 1) / 127.5 - 1
        assert due.shape == (3, 32, 32)
        np.testing.assert_allclose(calls[0]["pixel_values"][0, place].numpy(), due, atol=1e-6)


@pytest.mark.parametrize("where", ["config", "weights", "both"])
def test_a_checkpoint_in_bfloat16_answers_as_one_in_float32(made, copied, where):
    with closing(loaded(made)) as policy:
        _, seen = observations(policy, 2)
        due = [chunk.actions for chunk in begin(policy, 2).act(seen)]
    native = json.loads((copied / "config.json").read_text())
    sizes = {name: native[name] for name in ("vlm_config", "dit_config")}  # else 2 billion weights
    config = tiny.LEROBOTS | sizes | {"dtype": "float32" if where == "weights" else "bfloat16"}
    (copied / "config.json").write_text(json.dumps(config))
    if where != "config":
        weights = load_file(copied / "model.safetensors")
        short = {key: value.bfloat16() for key, value in weights.items()}
        save_file(short, copied / "model.safetensors", metadata={"format": "pt"})
    exact = 0 if where == "config" else 0.05
    with closing(loaded(made, checkpoint=copied)) as policy:
        assert policy._model.network.dtype == torch.float32
        assert policy._model.network.config.num_inference_steps == 3
        for chunk, rows in zip(begin(policy, 2).act(seen), due, strict=True):
            np.testing.assert_allclose(chunk.actions, rows, rtol=0, atol=exact)
    with closing(loaded(made, checkpoint=copied, dtype="bfloat16")) as policy:
        assert policy._model.network.dtype == torch.bfloat16
        for chunk, rows in zip(begin(policy, 2).act(seen), due, strict=True):
            np.testing.assert_allclose(chunk.actions, rows, rtol=0, atol=0.05)
    assert "write float32, bfloat16, float16" in refusal(made, checkpoint=copied, dtype="int8")


def halved(seen, role):
    """The picture at half its size: bilinear, widened by 2 so that nothing aliases.

    Pillow's filter, written out.
    """
    image = picture(seen, role)
    for axis in (2, 1):  # columns first, as Pillow does
        size = image.shape[axis]
        weights = np.zeros((size // 2, size))
        for row in range(size // 2):
            x = np.abs((np.arange(size) + 0.5) / 2 - (row + 0.5))
            weights[row] = np.clip(1 - x, 0, None)
        weights /= weights.sum(axis=1, keepdims=True)
        image = np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)
    return image


def test_the_weights_and_statistics_that_lerobot_saved_are_understood(made, copied, tmp_path):
    """The names of ``lerobot/pi0_base``, and statistics in the state of a pipeline's step."""
    with closing(loaded(made)) as policy:
        _, seen = observations(policy, 1)
        due = begin(policy, 1).act(seen)[0].actions
    renamed = {}
    for key, value in load_file(copied / "model.safetensors").items():
        renamed[_as_lerobot_names(key)] = value
    save_file(renamed, copied / "model.safetensors")
    config = json.loads((copied / "config.json").read_text())
    config["type"] = config.pop("model_type")
    (copied / "config.json").write_text(json.dumps(config))
    said = json.loads((copied / "processor_config.json").read_text())
    stats = {name: torch.tensor(said.pop(name)) for name in tiny.statistics()}
    (copied / "processor_config.json").write_text(json.dumps(said))
    assert "has no statistics" in refusal(made, checkpoint=copied)
    names = ("observation.state.mean", "observation.state.std", "action.mean", "action.std")
    save_file(dict(zip(names, stats.values(), strict=True)), copied / "step.safetensors")
    step = {
        "registry_name": "normalizer_processor",
        "config": {"norm_map": {"STATE": "MEAN_STD", "ACTION": "MEAN_STD"}},
        "state_file": "step.safetensors",
    }
    (copied / "policy_preprocessor.json").write_text(json.dumps({"steps": [step]}))
    with closing(loaded(made, checkpoint=copied)) as policy:
        assert np.array_equal(begin(policy, 1).act(seen)[0].actions, due)
    step["config"]["norm_map"]["ACTION"] = "QUANTILES"
    (copied / "policy_preprocessor.json").write_text(json.dumps({"steps": [step]}))
    assert "knows MEAN_STD alone" in refusal(made, checkpoint=copied)


def _as_lerobot_names(key):
    for ours, theirs in (
        ("model.vlm.language_model.embed_tokens", "paligemma_with_expert.paligemma.lm_head"),
        ("model.dit.embed_tokens", "paligemma_with_expert.gemma_expert.lm_head"),
        ("model.vlm", "paligemma_with_expert.paligemma.model"),
        ("model.dit", "paligemma_with_expert.gemma_expert.model"),
        ("embed_action_time.", ""),
    ):
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    return key


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_key_that_is_missing_or_left_over_is_named(made, copied):
    weights = load_file(copied / "model.safetensors")
    name = "embed_action_time.state_proj.bias"
    own = next(key for key in weights if key.endswith("state_proj.bias"))
    spoiled = {key: value for key, value in weights.items() if key != own}
    save_file(spoiled | {"extra.weight": torch.zeros(2)}, copied / "model.safetensors")
    text = refusal(made, checkpoint=copied)
    assert f"1 missing ({name})" in text
    assert "1 unexpected (extra.weight)" in text
    save_file(weights | {own: torch.zeros(3)}, copied / "model.safetensors")
    assert f"1 of another shape ({name})" in refusal(made, checkpoint=copied)


def test_a_folder_without_a_part_says_which(made, copied, tmp_path):
    assert "does not exist" in refusal(made, checkpoint=tmp_path / "nowhere")
    (copied / "model.safetensors").unlink()
    assert "cannot be loaded" in refusal(made, checkpoint=copied)
    (copied / "tokenizer.json").unlink()
    text = refusal(made, checkpoint=copied)
    assert "has no tokenizer" in text
    assert "processor=FOLDER" in text
    assert "is no folder" in refusal(made, checkpoint=copied, processor="nowhere")
    (copied / "config.json").unlink()
    assert "it has no config.json" in refusal(made, checkpoint=copied)


def test_a_card_that_does_not_fit_is_told_with_both_sides(made, tmp_path):
    card = tiny.card(tmp_path, requires=[], chunk_length=9)
    assert "rows of an answer: 9 in the card, 5" in refusal(made, card=card)
    card = tiny.card(tmp_path, requires=[], state=[{"source": "ee_position"}])
    assert "are of 8 numbers of the state and 7 of an action" in refusal(made, card=card)
    assert "card=NAME (transformers-" in refusal(made, card="")


def test_without_a_hub_the_sentence_says_what_to_fetch():
    with pytest.raises(UsageError, match=r"hf download lerobot/pi0_libero_finetuned --local-dir"):
        Transformers()
