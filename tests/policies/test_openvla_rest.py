"""OpenVLA's REST protocol, byte by byte, against a server that speaks it."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import yaml
from fake_rest import object_hook, render, serving
from recalled import recall
from rest_runs import in_process, runs, through_the_command

from vlabench.contract.negotiate import negotiate
from vlabench.errors import (
    ContractError,
    PolicyError,
    UnknownNameError,
    UsageError,
)
from vlabench.policies.json_numpy import decode_array, encode_array
from vlabench.policies.openvla_rest import OpenVlaRest
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import Observation

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
GOLDEN_IMAGE = '{"__numpy__": "AAECAwQFBgcICQoL", "dtype": "|u1", "shape": [2, 2, 3]}'
GOLDEN_REQUEST = f'{{"image": {GOLDEN_IMAGE}, "instruction": "open the top drawer"}}'.encode()
ACTION = np.array([0.25, -0.5, 0.0, 0.125, 0.0, -1.0, 0.99609375])
GOLDEN_ANSWER = (
    b'{"__numpy__":"AAAAAAAA0D8AAAAAAADgvwAAAAAAAAAAAAAAAAAAwD8AAAAAAAAAAAAAAAAAAPC/AAAAAADg7z8="'
    b',"dtype":"<f8","shape":[7]}'
)


@pytest.fixture
def server():
    with serving(GOLDEN_ANSWER) as fake:
        yield fake


def see(image=IMAGE, instruction="open the top drawer"):
    return Observation("e", 0, 0.0, instruction, {"exterior/0": image}, {})


def test_the_request_and_the_answer_match_the_golden_bytes(server):
    (chunk,) = OpenVlaRest(server.url).act([see()])
    assert server.requests == [("/act", "application/json", GOLDEN_REQUEST)]
    np.testing.assert_array_equal(chunk.actions, [ACTION])


def test_the_golden_request_is_what_the_server_reads(server):
    read = json.loads(GOLDEN_REQUEST, object_hook=object_hook)
    np.testing.assert_array_equal(read["image"], IMAGE)
    assert render(ACTION) == GOLDEN_ANSWER


def test_an_unnorm_key_travels_with_the_request(server):
    OpenVlaRest(server.url, unnorm_key="libero_spatial").act([see()])
    assert json.loads(server.requests[0][2])["unnorm_key"] == "libero_spatial"


def test_the_doubly_encoded_form_goes_both_ways(server):
    server.answer = json.dumps(GOLDEN_ANSWER.decode()).encode()
    (chunk,) = OpenVlaRest(server.url, double_encoded="true").act([see()])
    sent = json.loads(server.requests[0][2])
    assert list(sent) == ["encoded"]
    assert sent["encoded"].encode() == GOLDEN_REQUEST
    np.testing.assert_array_equal(chunk.actions, [ACTION])


def test_arrays_survive_the_wire():
    for array in (IMAGE, IMAGE[:, ::-1], ACTION, ACTION.astype(np.float32), np.zeros((0, 7))):
        np.testing.assert_array_equal(decode_array(encode_array(array)), array)
        assert decode_array(json.dumps(encode_array(array))).dtype == array.dtype


def test_the_policy_conforms_and_its_gripper_is_turned_round(server):
    pipeline = check_policy(OpenVlaRest(server.url))
    (chunk,) = OpenVlaRest(server.url).act([see()])
    expected = [0.25, -0.5, 0.0, 0.125, 0.0, -1.0, -1.0]
    np.testing.assert_array_equal(pipeline.to_env(chunk.actions), [np.float32(expected)])


def test_the_server_is_sent_the_prepared_image(server):
    policy = OpenVlaRest(server.url)
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    policy.act([seen])
    sent = decode_array(json.loads(server.requests[0][2])["image"])
    assert sent.shape == (224, 224, 3)
    np.testing.assert_array_equal(sent, seen.images["exterior/0"])


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b'"error"', "unnorm_key"),
        (b'{"error": "no"}', "no action"),
        (b"[0, 0]", "no action"),
        (b'"not json"', "no action"),
        (b'{"__numpy__": "AAA", "dtype": "<f8", "shape": [7]}', "no action"),
        (b'{"__numpy__": "AAAA", "dtype": "|O", "shape": [7]}', "no action"),
        (b'{"__numpy__": "AAAA", "dtype": "|u1", "shape": [7]}', "no action"),
        (json.dumps(encode_array(np.zeros(6))).encode(), "float64 (6,)"),
        (json.dumps(encode_array(np.zeros((1, 7)))).encode(), "float64 (1, 7)"),
        (json.dumps(encode_array(np.zeros(7, dtype=int))).encode(), "int64 (7,)"),
        (render(np.full(7, np.nan)), "nan as number 0"),
        (render(np.array([0, 0, 0, 0, 0, 0, 1.5])), "1.5 as number 6 of action 0"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(server, answer, part):
    server.answer = answer
    with pytest.raises(PolicyError) as caught:
        OpenVlaRest(server.url).act([see()])
    assert part in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["", None])
def test_without_a_url_it_says_what_to_start_and_what_to_give(url):
    with pytest.raises(UsageError) as caught:
        OpenVlaRest(url)
    for part in ("deploy.py", "url=http://127.0.0.1:8000", "unnorm_key"):
        assert part in str(caught.value)


def test_a_url_may_name_the_endpoint_or_a_folder_above_it(server):
    for url in (server.url + "/", server.url + "/act", server.url + "/vla"):
        OpenVlaRest(url).act([see()])
    assert [path for path, _, _ in server.requests] == ["/act", "/act", "/vla/act"]


def test_a_revision_is_declared_and_not_sent(server):
    policy = OpenVlaRest(server.url, revision="openvla-7b-finetuned-libero-goal@1234")
    assert policy.spec().revision == "openvla-7b-finetuned-libero-goal@1234"
    assert OpenVlaRest(server.url).spec().revision == ""
    policy.act([see()])
    assert server.requests[0][2] == GOLDEN_REQUEST


def test_another_card_changes_the_declaration(tmp_path):
    packaged = (files("vlabench.policies") / "cards" / "openvla-rest.yaml").read_text(
        encoding="utf-8"
    )
    card = yaml.safe_load(packaged)
    card |= {"name": "mine", "checkpoints": ["mine"], "control_hz": 5.0}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    spec = OpenVlaRest("http://host", card=str(tmp_path / "mine.yaml")).spec()
    assert spec.control_hz == 5.0
    card["cameras"] *= 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError, match="2 cameras"):
        OpenVlaRest("http://host", card=str(tmp_path / "two.yaml"))


def test_a_checkpoint_picks_its_card_and_its_statistics(server):
    policy = OpenVlaRest(server.url, checkpoint="openvla/openvla-7b")
    spec = policy.spec()
    assert (spec.name, spec.control_hz, spec.action.scale) == ("openvla-rest-bridge", 5.0, "metric")
    assert spec.action.rotation == "euler_xyz"
    policy.act([see()])
    OpenVlaRest(server.url, checkpoint="openvla/openvla-7b", unnorm_key="other").act([see()])
    sent = [json.loads(body)["unnorm_key"] for _, _, body in server.requests]
    assert sent == ["bridge_orig", "other"]


def test_a_convention_of_another_rate_is_refused():
    spec = OpenVlaRest("http://host", checkpoint="openvla/openvla-7b").spec()
    with pytest.raises(ContractError, match=r"control_hz is 5 Hz and the environment's 20 Hz"):
        negotiate(spec, EXAMPLE_ENV)


def test_an_unknown_checkpoint_is_told_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'openvla/openvla-7b-finetuned"):
        OpenVlaRest("http://host", checkpoint="openvla-7b-finetuned-libero-goal")


def test_a_card_s_options_are_read_strictly(tmp_path):
    packaged = (files("vlabench.policies") / "cards" / "openvla-rest.yaml").read_text(
        encoding="utf-8"
    )
    card = yaml.safe_load(packaged)
    card |= {"checkpoints": ["mine"], "options": {"unorm_key": "libero"}}
    card["sources"]["options"] = "nowhere"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError, match=r"options\.unorm_key.*reads unnorm_key"):
        OpenVlaRest("http://host", card=str(tmp_path / "mine.yaml"))


@pytest.mark.slow
def test_a_run_through_the_server_is_the_run_in_process(tmp_path):
    def predict_action(payload):
        assert payload.keys() == {"image", "instruction"}
        return recall(payload["instruction"], [payload["image"]], None, 1, 7)[0]

    with serving(predict_action) as server:
        remote = through_the_command(tmp_path, "openvla-rest", url=server.url)
    assert runs(remote) == runs(in_process(tmp_path, "openvla-rest"))
