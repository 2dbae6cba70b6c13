"""A card says what a checkpoint's numbers mean, and where each fact comes from."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import files

import pytest
import yaml

from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PromptSpec,
    StateField,
)
from vlabench.errors import UnknownNameError, UsageError
from vlabench.evaluation import plan
from vlabench.policies import card as cards
from vlabench.policies.card import (
    SOURCED,
    SOURCED_IF_TOLD,
    FromCard,
    find_card,
    packaged_card,
    packaged_cards,
    read_card,
)
from vlabench.policies.in_process import InProcess
from vlabench.policies.local import LocalPolicy
from vlabench.registry import POLICIES
from vlabench.runner.job import declaration_of
from vlabench.testing import EXAMPLE_ENVS

CARD = files("vlabench.policies") / "cards" / "openvla-rest.yaml"
SPATIAL = "openvla/openvla-7b-finetuned-libero-spatial"


def packaged():
    """The content of OpenVLA's card."""
    return yaml.safe_load(CARD.read_text(encoding="utf-8"))


def written(folder, content, name="mine.yaml"):
    path = folder / name
    path.write_text(yaml.safe_dump(content))
    return str(path)


# --- what a card declares -----------------------------------------------------------------------


def test_openvlas_card_declares_liberos_conventions():
    card = packaged_card("openvla-rest")
    spec = card.spec()
    assert spec.cameras == (
        CameraSpec(
            "exterior/0",
            256,
            256,
            mirrored=True,
            jpeg_quality=95,
            resized=(224, 224),
            crop_area=0.9,
        ),
    )
    assert spec.action == ActionSpec(
        gripper_open=1.0,
        gripper_close=0.0,
        gripper_threshold=0.5,
        max_translation_m=0.05,
        max_rotation_rad=0.5,
        bound=spec.action.bound,
    )
    assert (spec.control_hz, spec.chunk_length, spec.executed, spec.max_batch) == (20.0, 1, 1, 1)
    assert set(SOURCED) <= set(card.sources)


@pytest.mark.parametrize("card", packaged_cards(), ids=lambda card: card.name)
def test_every_packaged_card_agrees_with_an_environment_and_has_a_file_of_its_name(card):
    assert packaged_card(card.name) == card
    assert card.checkpoints or card.default
    spec = card.spec()
    pipeline = negotiate(spec, choose_environment(spec, EXAMPLE_ENVS), allow_mismatch=True)
    # what may differ is a rate or a largest step, which no declaration can mend
    passable = ("control_hz", "cut off")
    assert all(any(word in mismatch for word in passable) for mismatch in pipeline.mismatches)


def test_no_checkpoint_of_an_adapter_has_two_cards():
    found = [(card.adapter, name) for card in packaged_cards() for name in card.checkpoints]
    assert len(found) == len(set(found))


def everything():
    """A card that tells of every field."""
    card = packaged()
    card["cameras"][0] |= {
        "rotated": True,
        "resize_filter": "area",
        "resize_fit": "pad",
        "history": 2,
        "history_stride": 5,
        "layout": "chw",
        "dtype": "float32",
        "key": "image",
    }
    card["state"] = [
        {"source": "ee_position", "offset": [0.1, 0.0, 0.0]},
        {"source": "ee_quaternion", "as": "axis_angle", "turned": [0, 0, 0, 1]},
        {"source": "gripper_opening", "as": "width", "scale": 0.08, "size": 2},
    ]
    card["prompt"] = {"template": "Do {instruction}", "case": "lower", "strip_period": True}
    card["action"] |= {
        "dimension": 9,
        "padding": 2,
        "gripper_relative": True,
        "gripper_sticky_steps": 15,
        "bound": 4.0,
        "offset": [-0.6, 0.0, 0.9],
        "turned": [0, 0, 1, 0],
    }
    card |= {
        "chunk_length": 4,
        "executed": 2,
        "ensembling": {"decay": 0.1, "every": 2},
        "needs": ["last_action"],
        "fixed_batch": True,
        "while_waiting": "rest",
        "params": 7_000_000_000,
        "weight_type": "finetuned",
        "requires": ["transformers==4.40.1"],
    }
    told = set(SOURCED_IF_TOLD) - {"options"}
    card["sources"] |= dict.fromkeys(told, "a file, a line")
    return card


def test_every_field_of_a_card_reaches_the_declaration(tmp_path):
    card = read_card(written(tmp_path, everything()))
    spec = card.spec()
    (camera,) = spec.cameras
    assert (camera.rotated, camera.resize_filter, camera.resize_fit) == (True, "area", "pad")
    assert (camera.history, camera.history_stride, camera.key) == (2, 5, "image")
    assert (camera.layout, camera.dtype) == ("chw", "float32")
    assert spec.state == (
        StateField("ee_position", offset=(0.1, 0.0, 0.0)),
        StateField("ee_quaternion", "axis_angle", turned=(0, 0, 0, 1)),
        StateField("gripper_opening", "width", scale=0.08, size=2),
    )
    assert spec.prompt == PromptSpec("Do {instruction}", "lower", strip_period=True)
    action = spec.action
    assert (action.dimension, action.padding, action.bound) == (9, 2, 4.0)
    assert (action.offset, action.turned) == ((-0.6, 0.0, 0.9), (0, 0, 1, 0))
    assert (action.gripper_relative, action.gripper_sticky_steps) == (True, 15)
    assert (spec.ensembling, spec.needs) == (Ensembling(0.1, 2), ("last_action",))
    assert (spec.fixed_batch, spec.while_waiting) == (True, "rest")
    assert (spec.params, spec.weight_type) == (7_000_000_000, "finetuned")
    assert card.requires == ("transformers==4.40.1",)


@pytest.mark.parametrize("fact", sorted(set(SOURCED_IF_TOLD) - {"options"}))
def test_what_is_not_usual_needs_a_source(tmp_path, fact):
    card = everything()
    del card["sources"][fact]
    with pytest.raises(UsageError, match=f"where {fact} comes from"):
        read_card(written(tmp_path, card))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda card: card.update(contrl_hz=20), "'control_hz'"),
        (lambda card: card.pop("executed"), "'executed' is missing"),
        (lambda card: card.pop("prompt"), "'prompt' is missing"),
        (lambda card: card["cameras"][0].pop("mirrored"), "'mirrored' is missing"),
        (lambda card: card["cameras"][0].pop("rotated"), "'rotated' is missing"),
        (lambda card: card["cameras"][0].pop("resize_fit"), "resize_fit and resized go together"),
        (lambda card: card["cameras"][0].update(resized=None), "go together"),
        (lambda card: card["cameras"][0].update(resize_filter="cubic"), "'cubic'"),
        (lambda card: card["action"].update(frame="tool"), "'tool'"),
        (lambda card: card["action"].update(rotation="euler"), "'euler'"),
        (lambda card: card.update(executed="1"), "'1'"),
        (lambda card: card.update(deterministic="true"), "'true'"),
        (lambda card: card["action"].update(gripper_open=float("nan")), "nan"),
        (lambda card: card["sources"].pop("control_hz"), "where control_hz comes from"),
        (lambda card: card["sources"].update(stateful=" "), "where stateful comes from"),
        (lambda card: card["sources"].update(colour="red"), "'colour'"),
    ],
)
def test_a_card_is_read_strictly(tmp_path, change, part):
    card = packaged()
    change(card)
    with pytest.raises(UsageError) as caught:
        read_card(written(tmp_path, card))
    assert part in str(caught.value)
    assert "mine.yaml:" in str(caught.value)


# --- which card it is ---------------------------------------------------------------------------


def test_a_checkpoint_names_its_card():
    card = packaged_card("openvla-rest")
    assert find_card(card.adapter, SPATIAL) == card
    assert find_card(card.adapter, SPATIAL, "openvla-rest") == card
    assert find_card(card.adapter, card="openvla-rest") == card


@pytest.mark.parametrize("adapter", sorted({card.adapter for card in packaged_cards()}))
def test_every_adapter_takes_one_card_unless_told(adapter):
    assert find_card(adapter).adapter == adapter


@pytest.mark.parametrize(
    ("checkpoint", "card", "part"),
    [
        ("openvla/openvla-7b-finetuned-libero-spatail", "", f"did you mean {SPATIAL!r}"),
        ("openvla-7b", "openvla-rest", "Unknown checkpoint 'openvla-7b' in the card openvla-rest"),
        ("", "openvls", "did you mean 'openvla'"),
        ("", "nowhere.yaml", "nowhere.yaml"),
        ("", "pi0-libero", "of policy 'openpi' and not of"),
    ],
)
def test_an_unknown_card_or_checkpoint_says_what_is_near(checkpoint, card, part):
    with pytest.raises(UsageError) as caught:
        find_card(packaged_card("openvla-rest").adapter, checkpoint, card)
    assert part in str(caught.value)


def test_an_adapter_without_a_card_of_its_own_says_what_to_give():
    with pytest.raises(UsageError, match="card=FILE"):
        find_card("mine")
    with pytest.raises(UnknownNameError, match="checkpoint 'x'"):
        find_card("mine", "x")


def test_a_card_of_ones_own_is_taken_for_checkpoints_of_ones_own(tmp_path):
    card = packaged() | {"name": "mine", "checkpoints": ["me/mine"], "control_hz": 5.0}
    path = written(tmp_path, card)
    assert find_card(card["adapter"], "me/mine", path).spec().control_hz == 5.0
    with pytest.raises(UnknownNameError, match="did you mean 'me/mine'"):
        find_card(card["adapter"], "me/main", path)


def test_a_card_of_ones_own_may_not_contradict_a_packaged_one(tmp_path):
    card = packaged() | {"name": "mine"}
    assert find_card(card["adapter"], SPATIAL, written(tmp_path, card)).name == "mine"
    card["action"] |= {"gripper_open": 0.0, "gripper_close": 1.0}
    card["cameras"][0]["mirrored"] = False
    card["control_hz"] = 10.0
    path = written(tmp_path, card)
    with pytest.raises(UsageError) as caught:
        find_card(card["adapter"], SPATIAL, path)
    where = f"in {path} and"
    for part in (
        f"action.gripper_open is 0.0 {where} 1.0 in the packaged card 'openvla-rest'",
        f"camera 'exterior/0'.mirrored is False {where} True",
        f"control_hz is 10.0 {where} 20.0",
        "mend it",
    ):
        assert part in str(caught.value)


def test_a_card_of_ones_own_may_not_take_a_packaged_ones_name(tmp_path):
    card = packaged() | {"checkpoints": ["me/mine"]}
    assert find_card(card["adapter"], "", written(tmp_path, card)).name == card["name"]
    card["action"] |= {"gripper_open": 0.0, "gripper_close": 1.0}
    with pytest.raises(UsageError, match="give it a 'name' of its own"):
        find_card(card["adapter"], "", written(tmp_path, card))


# --- what a card says of its policy before there is one -----------------------------------------


def needy(folder, adapter):
    """The path of a card of `adapter` that needs a package which vlabench lacks."""
    card = packaged() | {"name": "mine", "adapter": adapter, "requires": ["tinynumpy==1.2.1"]}
    card |= {"checkpoints": ["me/mine"]}
    card["sources"]["requires"] = "its setup.py"
    return written(folder, card)


def test_a_policy_that_is_made_from_a_card_says_what_it_requires(tmp_path):
    class Mine(FromCard):
        adapter = "mine"

    path = needy(tmp_path, "mine")
    assert Mine.requires({"card": path}) == ("tinynumpy==1.2.1",)
    assert Mine.requires({"card": path, "checkpoint": "me/mine"}) == ("tinynumpy==1.2.1",)
    with pytest.raises(UsageError, match="mine"):
        Mine.requires({})
    assert cards.card_of("mine", {"card": path}).name == "mine"


URLS = {
    "groot-zmq": "tcp://127.0.0.1:1",
    "oft-rest": "http://127.0.0.1:1",
    "openpi": "ws://127.0.0.1:1",
    "openvla-rest": "http://127.0.0.1:1",
    "vla-eval": "ws://127.0.0.1:1",
}
"""An address for each adapter, at which no server listens."""


@pytest.mark.parametrize("name", sorted(POLICIES.names()))
def test_what_a_class_declares_is_what_its_policy_does(name):
    made = POLICIES.load(name)
    if not issubclass(made, FromCard):
        assert declaration_of(name, {}) is None
        return
    if issubclass(made, InProcess):  # which needs a checkpoint to be made of: see tests/families
        card = find_card(made.adapter)
        identity = card.checkpoints[0] if card.checkpoints else ""
        assert declaration_of(name, {}) == card.spec(identity)
        return
    if issubclass(made, LocalPolicy):
        return  # loads weights: tests/families
    usual = {"url": URLS[made.adapter], "revision": 7, "connect_timeout_s": 0.01}
    for card in (card.name for card in packaged_cards() if card.adapter == made.adapter):
        args = {**usual, "card": card}
        with closing(made(**args)) as policy:
            assert declaration_of(name, args) == policy.spec()
            assert policy.spec().revision == "7"
    with pytest.raises(UnknownNameError, match="card"):
        declaration_of(name, {"card": "pi1"})


def test_a_run_is_planned_without_the_packages_that_its_card_requires(tmp_path, tiny, monkeypatch):
    def unwanted(*_):
        raise AssertionError("an environment was built, or a policy made")

    monkeypatch.setattr("vlabench.runner.ray.declaration", unwanted)
    monkeypatch.setattr("vlabench.policies.openvla_rest.OpenVlaRest.__post_init__", unwanted)
    args = {"url": "http://h", "card": needy(tmp_path, "openvla-rest"), "revision": "step 3"}
    planned = plan("deaf:openvla-rest", tiny, policy_args=args)
    assert planned.job.requires == ("tinynumpy==1.2.1",)
    assert planned.job.declared.name == "deaf:mine"
    assert planned.job.declared.revision == "step 3"
