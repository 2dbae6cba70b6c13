"""OpenVLA-OFT loaded in process: the whole pass derived anew, and what can be wrong."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_oft import DIMENSION, ENCODERS, ROWS, STATISTICS, WIDTH, timm, tiny_oft
from tiny_openvla import MEANS, STDS, rewrite
from torch.nn.functional import gelu, layer_norm, linear, silu

from vlabench.cli import main
from vlabench.contract.negotiate import negotiate
from vlabench.errors import UsageError
from vlabench.policies.openvla_oft import OpenVlaOftInProcess
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation

NAME = "openvla-7b-oft-finetuned-libero-goal"


def load(folder, **args):
    return OpenVlaOftInProcess(checkpoint=str(folder), device="cpu", **{"dtype": "float32", **args})


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return tiny_oft(tmp_path_factory.mktemp("hub") / NAME)


@pytest.fixture
def copied(published, tmp_path):
    return shutil.copytree(published, tmp_path / NAME)


@pytest.fixture(scope="module")
def policy(published):
    return load(published)


def seen(policy, step=0):
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    return pipeline.to_policy(example_observation(pipeline, "e", step))


# --- the whole pass, derived anew from the weights in the files ---------------------------------


class Files:
    """What lies in a checkpoint's files, under the authors' names."""

    def __init__(self, folder):
        self.trunk = load_file(folder / "model.safetensors")
        head = torch.load(folder / "action_head--5_checkpoint.pt", weights_only=True)
        self.head = {key.removeprefix("module.model."): value for key, value in head.items()}
        path = folder / "proprio_projector--5_checkpoint.pt"
        self.state = torch.load(path, weights_only=True)

    def patches(self, image):
        both = []
        for part, name in enumerate(("featurizer", "fused_featurizer")):
            prefix = f"vision_backbone.{name}."
            vit = timm.create_model(ENCODERS[part], num_classes=0, img_size=224).eval()
            vit.load_state_dict(
                {
                    key.removeprefix(prefix).replace(".scale_factor", ".gamma"): value
                    for key, value in self.trunk.items()
                    if key.startswith(prefix)
                }
            )
            colours = (image / 255 - MEANS[part]) / STDS[part]
            x = torch.from_numpy(colours.transpose(2, 0, 1)[None].astype(np.float32))
            x = vit.norm_pre(vit._pos_embed(vit.patch_embed(x)))
            for block in vit.blocks[:-1]:  # the layer before the last
                x = block(x)
            both.append(x[:, vit.num_prefix_tokens :])
        return torch.cat(both, dim=2)

    def project(self, x):
        for number in (1, 2, 3):
            name = f"projector.fc{number}."
            x = linear(x, self.trunk[name + "weight"], self.trunk[name + "bias"])
            x = gelu(x) if number < 3 else x
        return x

    def embed_state(self, state):
        x = gelu(linear(state, self.state["fc1.weight"], self.state["fc1.bias"]))
        return linear(x, self.state["fc2.weight"], self.state["fc2.bias"])

    def llama(self, x):
        """Every place sees every place."""
        weights = {k.removeprefix("language_model.model."): v for k, v in self.trunk.items()}
        length, half = x.shape[1], WIDTH // 2 // 2
        angle = torch.arange(length)[:, None] / 10000 ** (torch.arange(half) / half)
        cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)

        def norm(x, name):
            return weights[name] * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()

        def turned(x):
            a, b = x[..., :half], x[..., half:]
            return x * cos + torch.cat([-b, a], -1) * sin

        for layer in range(2):
            name = f"layers.{layer}."
            y = norm(x, name + "input_layernorm.weight")
            q, k, v = (
                linear(y, weights[f"{name}self_attn.{part}_proj.weight"])
                .view(1, length, 2, WIDTH // 2)
                .transpose(1, 2)
                for part in "qkv"
            )
            share = (turned(q) @ turned(k).transpose(2, 3) / (WIDTH // 2) ** 0.5).softmax(-1)
            y = (share @ v).transpose(1, 2).reshape(1, length, WIDTH)
            x = x + linear(y, weights[name + "self_attn.o_proj.weight"])
            y = norm(x, name + "post_attention_layernorm.weight")
            up, gate = (linear(y, weights[f"{name}mlp.{w}_proj.weight"]) for w in ("up", "gate"))
            x = x + linear(up * silu(gate), weights[name + "mlp.down_proj.weight"])
        return norm(x, "norm.weight")

    def regress(self, x):
        h = self.head

        def both(x, name):
            return linear(x, h[name + ".weight"], h[name + ".bias"])

        def norm(x, name):
            return layer_norm(x, x.shape[-1:], h[name + ".weight"], h[name + ".bias"])

        x = torch.relu(both(norm(x, "layer_norm1"), "fc1"))
        for block in range(2):
            name = f"mlp_resnet_blocks.{block}.ffn."
            x = x + torch.relu(both(norm(x, name + "0"), name + "1"))
        return both(norm(x, "layer_norm2"), "fc2")


def expected(folder, look, prompt_ids):
    """``predict_action`` of the authors, for what the contract's converters delivered."""
    files = Files(folder)
    stats = STATISTICS["libero_goal_no_noops"]
    low, high = (np.array(stats["proprio"][name]) for name in ("q01", "q99"))
    state = np.clip(2 * (look.state - low) / (high - low + 1e-8) - 1, -1, 1)
    with torch.inference_mode():
        images = [look.images[role] for role in ("exterior/0", "wrist/0")]
        patches = files.project(torch.cat([files.patches(image) for image in images], dim=1))
        own = files.embed_state(torch.from_numpy(state[None].astype(np.float32)))[:, None]
        table = files.trunk["language_model.model.embed_tokens.weight"]
        words = table[torch.tensor([prompt_ids])]
        places = torch.zeros(1, ROWS * DIMENSION, WIDTH)
        parts = [words[:, :1], patches, own, words[:, 1:], places, table[None, None, 2]]
        states = files.llama(torch.cat(parts, dim=1))
        first = patches.shape[1] + 1 + len(prompt_ids) - 1
        rows = states[:, first : first + ROWS * DIMENSION].reshape(ROWS, -1)
        numbers = files.regress(rows).numpy().astype(float)
    low, high = (np.array(stats["action"][name]) for name in ("q01", "q99"))
    meant = 0.5 * (numbers + 1) * (high - low + 1e-8) + low
    return np.where(stats["action"]["mask"], meant, numbers)


def test_the_whole_pass_is_that_of_the_authors(policy, published):
    found = []
    for step in range(2):
        look = seen(policy, step)
        (chunk,) = policy.act([look])
        ids = [*policy._tokenizer(look.instruction)["input_ids"], 29871]
        assert look.instruction.startswith("In: What action should the robot take to ")
        np.testing.assert_allclose(chunk.actions, expected(published, look, ids), atol=2e-5)
        found.append(chunk.actions)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert np.ptp(found[0], axis=0).max() > 1e-3  # the rows differ


def test_it_conforms_and_answers_one_by_one(policy):
    check_policy(policy)
    looks = [seen(policy, step) for step in range(2)]
    alone = [policy.act([look])[0] for look in looks]
    for one, other in zip(policy.act(looks), alone, strict=True):
        np.testing.assert_array_equal(one.actions, other.actions)


def test_weights_of_half_precision_answer_about_the_same(policy, published):
    look = seen(policy)
    half = load(published, dtype="")
    assert next(half._model.parameters()).dtype == torch.bfloat16
    difference = half.act([look])[0].actions - policy.act([look])[0].actions
    assert np.abs(difference).max() < 0.2
    assert torch.get_default_dtype() == torch.float32


# --- what can be wrong --------------------------------------------------------------------------


def test_nothing_of_the_checkpoints_code_is_run_or_needed(published):
    OpenVlaOftInProcess.check_before_run({"checkpoint": str(published)})
    assert not list(published.glob("*.py"))


@pytest.mark.parametrize(
    ("file", "key", "part"),
    [
        ("action_head--5_checkpoint.pt", "module.model.fc2.bias", "action_head.model.fc2.bias"),
        ("proprio_projector--5_checkpoint.pt", "fc1.weight", "proprio_projector.fc1.weight"),
    ],
)
def test_missing_and_extra_weights_of_a_head_are_named(copied, file, key, part):
    content = torch.load(copied / file, weights_only=True)
    value = content.pop(key)
    torch.save(content, copied / file)
    with pytest.raises(UsageError, match=rf"1 missing \({part}\)"):
        load(copied)
    torch.save({**content, key: value, "more": value}, copied / file)
    with pytest.raises(UsageError, match=r"1 unexpected .*more"):
        load(copied)
    torch.save({**content, key: value[:1]}, copied / file)
    with pytest.raises(UsageError, match=rf"1 of another shape \({part}\)"):
        load(copied)


def test_missing_weights_of_the_trunk_are_named(copied):
    weights = load_file(copied / "model.safetensors")
    del weights["vision_backbone.featurizer.blocks.0.ls1.scale_factor"]
    save_file(weights, copied / "model.safetensors")
    with pytest.raises(UsageError, match=r"1 missing .*blocks\.0\.ls1\.gamma"):
        load(copied)


def test_a_pickle_is_not_opened(copied):
    class Bad:
        def __reduce__(self):
            return (open, (str(copied / "ran"), "w"))

    torch.save({"fc1.weight": Bad()}, copied / "proprio_projector--5_checkpoint.pt")
    with pytest.raises(UsageError, match="cannot be loaded"):
        load(copied)
    assert not (copied / "ran").exists()


def test_heads_that_are_not_there_or_twice_or_of_another_kind(copied):
    head = copied / "action_head--5_checkpoint.pt"
    shutil.copy(head, copied / "action_head--9_checkpoint.pt")
    with pytest.raises(UsageError, match=r"one file action_head--\*\.pt and has action_head--5"):
        load(copied)
    for path in copied.glob("action_head*"):
        path.unlink()
    with pytest.raises(UsageError, match=r"one file action_head--\*\.pt and has none"):
        load(copied)
    torch.save({}, copied / "vision_backbone--5_checkpoint.pt")
    with pytest.raises(UsageError, match=r"FiLM.*--policy oft-rest"):
        load(copied)


def test_an_openvla_checkpoint_is_told_apart(copied):
    rewrite(copied / "config.json", timm_model_ids=None)
    with pytest.raises(UsageError, match="has no timm_model_ids"):
        load(copied)


def test_statistics_of_the_state_must_fit(copied):
    changed = {**STATISTICS["libero_goal_no_noops"], "proprio": {"q01": [0] * 7, "q99": [1] * 7}}
    rewrite(copied / "dataset_statistics.json", libero_goal_no_noops=changed)
    with pytest.raises(UsageError, match=r"'proprio'.*8 finite numbers"):
        load(copied)


def test_a_run_through_the_command(published, tmp_path, brief):
    words = [f"--policy-arg=checkpoint={published}", "--policy-arg=dtype=float32"]
    place = ["--suite", brief, "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as caught:
        main(["eval", "--policy", "openvla-oft", *place, *words, "--quiet"])
    assert not caught.value.code
    run = Run.open(tmp_path / "run")
    assert [record.error for record in run.records] == [None, None]
    assert all(record.policy_calls == -(-record.steps // 8) > 0 for record in run.records)
