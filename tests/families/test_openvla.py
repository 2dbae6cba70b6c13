"""OpenVLA loaded in process: what the model receives, what its tokens mean, what can be wrong."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_openvla import GOAL, MEANS, SPATIAL, STDS, rewrite, tiny_openvla

from vlabench.cli import main
from vlabench.contract.negotiate import negotiate
from vlabench.errors import InfrastructureError, PolicyError, UnknownNameError, UsageError
from vlabench.policies.openvla import OpenVla
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import Observation


def load(folder, **args):
    given = {"trust_remote_code": True, "device": "cpu", "dtype": "float32", **args}
    return OpenVla(checkpoint=str(folder), **given)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A tiny checkpoint in a folder that is called after a published one."""
    return tiny_openvla(tmp_path_factory.mktemp("hub") / "openvla-7b-finetuned-libero-spatial")


@pytest.fixture
def copied(published, tmp_path):
    """A copy of `published` that a test may spoil."""
    return shutil.copytree(published, tmp_path / published.name)


@pytest.fixture(scope="module")
def policy(published):
    return load(published)


def rendered(seed):
    """What a camera could show: large shapes and some noise, ``(256, 256, 3) uint8``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256] / 256
    waves = [np.sin(rng.uniform(2, 20) * x + rng.uniform(2, 20) * y) for _ in range(3)]
    return np.clip(127 + 90 * np.stack(waves, -1) + rng.normal(0, 8, (256, 256, 3)), 0, 255).astype(
        np.uint8
    )


def seen(policy, image, instruction="Open the top drawer"):
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    shown = Observation("e", 0, 0.0, instruction, {"exterior/0": image}, {})
    return pipeline.to_policy(shown)


def asked(policy, monkeypatch):
    """What reaches the model, once for each answer."""
    calls = []
    generate = policy._model.generate

    def spy(ids, **given):
        calls.append({"input_ids": ids, **given})
        return generate(ids, **given)

    monkeypatch.setattr(policy._model, "generate", spy)
    return calls


# --- what the model receives, derived anew from the authors' formulas -----------------------------


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)  # TensorFlow's default; Pillow: 4:2:0
    return np.array(Image.open(buffer))


def lanczos3(image, size, between):
    """``tf.image.resize(..., "lanczos3", antialias=True)``, rounded, along both axes.

    TensorFlow keeps floats `between` the two passes; Pillow, which the contract uses, bytes.
    """

    def weights(before):
        scale = before / size
        centres = (np.arange(size) + 0.5) * scale
        x = (np.arange(before)[None] + 0.5 - centres[:, None]) / scale
        kernel = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
        return kernel / kernel.sum(axis=1, keepdims=True)

    down, across = weights(image.shape[0]), weights(image.shape[1])
    narrow = between(np.einsum("lk,jkc->jlc", across, image.astype(float)))
    resized = np.tensordot(down, narrow, 1)
    return np.clip(np.round(resized), 0, 255).astype(np.uint8)


def floats(image):
    return image


def in_bytes(image):
    return np.clip(np.round(image), 0, 255)


def crop_and_resize(image, area):
    """``tf.image.crop_and_resize`` of the middle, on an image that was made floats of."""
    size = image.shape[0]
    first, last = (1 - np.sqrt(area)) / 2, (1 + np.sqrt(area)) / 2
    place = first * (size - 1) + np.arange(size) * (last - first) * (size - 1) / (size - 1)
    low, share = np.floor(place).astype(int), place - np.floor(place)
    high = np.minimum(low + 1, size - 1)
    pixels = image / 255
    rows = pixels[low] * (1 - share)[:, None, None] + pixels[high] * share[:, None, None]
    both = rows[:, low] * (1 - share)[None, :, None] + rows[:, high] * share[None, :, None]
    return (np.clip(both, 0, 1) * 255.5).astype(np.uint8)  # convert_image_dtype cuts off


def expected_pixels(image, between):
    """``get_libero_image``, ``resize_image``, ``get_vla_action`` and the processor, in order."""
    turned = image[:, ::-1]  # LIBERO's image is upright and mirrored once it was turned
    cropped = crop_and_resize(lanczos3(jpeg(np.ascontiguousarray(turned)), 224, between), 0.9)
    copies = [(cropped / 255 - m) / s for m, s in zip(MEANS, STDS, strict=True)]
    return np.concatenate([one.transpose(2, 0, 1) for one in copies])[None]


@pytest.mark.parametrize("seed", range(3))
def test_the_model_receives_the_image_as_the_authors_prepare_it(policy, monkeypatch, seed):
    calls = asked(policy, monkeypatch)
    image = rendered(seed)
    policy.act([seen(policy, image)])
    given = calls[0]["pixel_values"].numpy()
    assert given.shape == (1, 6, 224, 224)
    scale = 255 * np.array(STDS).reshape(1, 6, 1, 1)
    levels = {b: np.abs(given - expected_pixels(image, b)) * scale for b in (floats, in_bytes)}
    assert levels[floats].max() <= 2.01
    assert levels[floats].mean() < 0.25
    assert levels[in_bytes].max() <= 1.01
    assert levels[in_bytes].mean() < 0.005


def test_a_wrong_step_in_between_would_be_seen(policy, monkeypatch):
    calls = asked(policy, monkeypatch)
    image = rendered(0)
    policy.act([seen(policy, image)])
    given = calls[0]["pixel_values"].numpy()
    for wrong in (image[:, ::-1], image[::-1]):
        assert np.abs(given - expected_pixels(np.ascontiguousarray(wrong), floats)).mean() > 0.05


def test_the_model_receives_the_prompt_with_the_blank_at_its_end(policy, monkeypatch):
    calls = asked(policy, monkeypatch)
    policy.act([seen(policy, rendered(0), "Open the Top Drawer")])
    prompt = "In: What action should the robot take to open the top drawer?\nOut:"
    ids = [*policy._processor.tokenizer(prompt)["input_ids"], 29871]
    assert calls[0]["input_ids"].tolist() == [ids]
    assert ids[0] == policy._processor.tokenizer.bos_token_id
    assert calls[0]["attention_mask"].tolist() == [[1] * len(ids)]
    assert (calls[0]["max_new_tokens"], calls[0]["do_sample"]) == (7, False)


# --- what its tokens mean -------------------------------------------------------------------------


def test_the_actions_are_those_of_the_checkpoints_own_predict_action(policy):
    differing = set()
    for seed in range(4):
        look = seen(policy, rendered(seed), f"put the mug {seed} on it")
        (chunk,) = policy.act([look])
        inputs = policy._processor(look.instruction, Image.fromarray(look.images["exterior/0"]))
        theirs = policy._model.predict_action(**inputs, do_sample=False)
        np.testing.assert_array_equal(chunk.actions, theirs[None])
        assert chunk.actions.dtype == np.float64
        assert chunk.extras == {}
        differing.add(tuple(chunk.actions[0]))
    assert len(differing) == 4


def test_tokens_bins_and_statistics_derived_anew(policy, monkeypatch):
    tokens = [31999, 31998, 31872, 31745, 31744, 31900, 31999]
    answer = torch.tensor([[*range(5), *tokens]])
    monkeypatch.setattr(
        policy._model, "generate", lambda ids, **_: torch.cat([ids, answer[:, 5:]], 1)
    )
    (chunk,) = policy.act([seen(policy, rendered(0))])
    places = [0, 1, 127, 254, 254, 99, 0]  # 256 edges make 255 bins: the last two tokens share one
    centres = [-1 + (2 * place + 1) / 255 for place in places]
    stats = SPATIAL["action"]
    meant = [
        low + (centre + 1) / 2 * (high - low)
        for centre, low, high in zip(centres, stats["q01"], stats["q99"], strict=True)
    ]
    meant[6] = centres[6]  # masked: it means itself
    np.testing.assert_allclose(chunk.actions[0], meant, rtol=0, atol=1e-12)


def test_tokens_that_are_no_actions_are_read_as_the_authors_do_and_told(policy, monkeypatch):
    tokens = torch.tensor([[31999] * 5 + [17, 32005]])
    monkeypatch.setattr(policy._model, "generate", lambda ids, **_: torch.cat([ids, tokens], 1))
    (chunk,) = policy.act([seen(policy, rendered(0))])
    assert chunk.extras == {"no_action_tokens": [17, 32005]}
    np.testing.assert_allclose(chunk.actions[0, 5], -0.2 + (0.34 + 0.2) * (1 + 254 / 255) / 2)


def test_too_few_tokens_are_the_policys_error(copied):
    rewrite(copied / "config.json", eos_token_id=31999)
    rewrite(copied / "generation_config.json", eos_token_id=list(range(31744, 32000)))
    policy = load(copied)
    look = seen(policy, rendered(0))
    with pytest.raises(PolicyError, match=r"answered 1 tokens \(\[31\d\d\d\]\) where 7 make"):
        policy.act([look])


def test_it_conforms_and_answers_one_by_one(policy):
    check_policy(policy)
    looks = [seen(policy, rendered(seed)) for seed in range(2)]
    together = policy.act(looks)
    alone = [policy.act([look])[0] for look in looks]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.actions, other.actions)


def test_statistics_come_from_the_file_before_the_configuration(copied):
    (copied / "dataset_statistics.json").write_text(json.dumps({"libero_goal": GOAL}))
    policy = load(copied)
    np.testing.assert_array_equal(policy._bounds.high, GOAL["action"]["q99"])


# --- what can be wrong ----------------------------------------------------------------------------


def refused(kind, **given):
    with pytest.raises(kind) as caught:
        load(given.pop("folder"), **given)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_statistics_key_that_is_missing_or_could_be_several(tmp_path):
    two = {"libero_spatial": SPATIAL, "libero_goal": GOAL}
    folder = tiny_openvla(tmp_path / "openvla-7b-finetuned-libero-goal", two)
    text = refused(UsageError, folder=folder)
    assert "(libero_goal, libero_spatial)" in text
    assert "unnorm_key=NAME" in text
    assert "did you mean 'libero_goal'" in refused(
        UnknownNameError, folder=folder, unnorm_key="libero_goat"
    )
    chosen = load(folder, unnorm_key="libero_goal")
    np.testing.assert_array_equal(chosen._bounds.high, GOAL["action"]["q99"])


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_named(copied, change):
    path = copied / "model.safetensors"
    weights = load_file(path)
    if change == "missing":
        del weights["projector.weight"]
    elif change == "extra":
        weights["action_head.weight"] = torch.zeros(2)
    else:
        weights["projector.weight"] = torch.zeros(3, 3)
    save_file(weights, path, {"format": "pt"})
    text = refused(UsageError, folder=copied)
    assert ("action_head.weight" if change == "extra" else "projector.weight") in text


def test_code_runs_only_with_consent(copied):
    marker = copied.parent / "ran"
    code = copied / "processing_tiny.py"
    code.write_text(code.read_text() + f"\nopen({str(marker)!r}, 'w').close()\n")
    text = refused(UsageError, folder=copied, trust_remote_code="false")
    assert "modeling_tiny.py, processing_tiny.py" in text
    assert "trust_remote_code=true" in text
    assert not marker.exists()
    load(copied)
    assert marker.exists()


def test_a_broken_checkpoint_is_one_sentence(copied):
    (copied / "model.safetensors").write_bytes(b"no")
    assert "cannot be loaded" in refused(UsageError, folder=copied)
    (copied / "model.safetensors").unlink()
    assert "cannot be loaded" in refused(UsageError, folder=copied)


def test_too_little_memory_is_the_machines_fault(published, monkeypatch):
    policy = load(published)

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(policy._model, "generate", full)
    with pytest.raises(InfrastructureError, match="too little memory for policy 'openvla'"):
        policy.act([seen(policy, rendered(0))])


def test_without_a_hub_it_says_how_to_point_to_a_folder(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError) as caught:
        OpenVla(checkpoint="openvla/openvla-7b", trust_remote_code=True)
    for part in ("'openvla/openvla-7b'", "--local-dir FOLDER", "checkpoint=FOLDER"):
        assert part in str(caught.value)


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_through_the_command(published, tmp_path, brief):
    given = {"checkpoint": published, "trust_remote_code": "true", "dtype": "float32"}
    words = [f"--policy-arg={name}={value}" for name, value in given.items()]
    place = ["--suite", brief, "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "openvla", *place, *words, "--quiet", "--verify", "1"])
    assert not caught.value.code
    run = Run.open(tmp_path / "run")
    assert len(run.records) == 2
    assert [record.error for record in run.records] == [None, None]
    assert all(record.policy_calls == record.steps > 0 for record in run.records)
    assert (run.info.determinism.repeated, run.info.determinism.same_actions) == (1, 1)
    assert run.info.policy.spec["name"] == "openvla"
