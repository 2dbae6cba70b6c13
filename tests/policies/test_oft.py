"""OpenVLA-OFT's REST protocol, byte by byte, against a server that speaks it."""

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
from vlabench.errors import PolicyError, UnknownNameError, UsageError
from vlabench.policies.card import packaged_cards
from vlabench.policies.oft import OpenVlaOft
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import Observation

FULL = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
WRIST = FULL + 100
STATE = np.array([0.5, 0.0, 1.25, 3.0, 0.0, -0.5, 0.04, -0.04])
GOLDEN_REQUEST = (
    b'{"full_image": {"__numpy__": "AAECAwQFBgcICQoL", "dtype": "|u1", "shape": [2, 2, 3]}, '
    b'"wrist_image": {"__numpy__": "ZGVmZ2hpamtsbW5v", "dtype": "|u1", "shape": [2, 2, 3]}, '
    b'"state": {"__numpy__": "AAAAAAAA4D8AAAAAAAAAAAAAAAAAAPQ/AAAAAAAACEAAAAAAAAAAAAAAAAAAAOC/'
    b'exSuR+F6pD97FK5H4Xqkvw==", "dtype": "<f8", "shape": [8]}, '
    b'"instruction": "open the top drawer"}'
)
ACTION = np.array([0.25, -0.5, 0.0, 0.125, 0.0, -1.0, 0.99609375])
GOLDEN_ROW = (
    b'{"__numpy__":"AAAAAAAA0D8AAAAAAADgvwAAAAAAAAAAAAAAAAAAwD8AAAAAAAAAAAAAAAAAAPC/AAAAAADg7z8="'
    b',"dtype":"<f8","shape":[7]}'
)
GOLDEN_ANSWER = b"[" + b",".join([GOLDEN_ROW] * 8) + b"]"


@pytest.fixture
def server():
    with serving(GOLDEN_ANSWER) as fake:
        yield fake


def see():
    images = {"exterior/0": FULL, "wrist/0": WRIST}
    return Observation("e", 0, 0.0, "open the top drawer", images, {}, state=STATE)


def test_the_request_and_the_answer_match_the_golden_bytes(server):
    (chunk,) = OpenVlaOft(server.url).act([see()])
    assert server.requests == [("/act", "application/json", GOLDEN_REQUEST)]
    np.testing.assert_array_equal(chunk.actions, [ACTION] * 8)


def test_the_golden_bytes_are_what_the_server_reads_and_writes():
    read = json.loads(GOLDEN_REQUEST, object_hook=object_hook)
    np.testing.assert_array_equal(read["full_image"], FULL)
    np.testing.assert_array_equal(read["wrist_image"], WRIST)
    np.testing.assert_array_equal(read["state"], STATE)
    assert render([ACTION] * 8) == GOLDEN_ANSWER


def test_the_doubly_encoded_form_goes_both_ways(server):
    server.answer = lambda payload: [payload["state"][:7]] * 8
    (chunk,) = OpenVlaOft(server.url, double_encoded="true").act([see()])
    sent = json.loads(server.requests[0][2])
    assert list(sent) == ["encoded"]
    assert sent["encoded"].encode() == GOLDEN_REQUEST
    np.testing.assert_array_equal(chunk.actions, [STATE[:7]] * 8)


def test_the_policy_conforms_and_its_gripper_is_turned_round(server):
    pipeline = check_policy(OpenVlaOft(server.url))
    (chunk,) = OpenVlaOft(server.url).act([see()])
    expected = [0.25, -0.5, 0.0, 0.125, 0.0, -1.0, -1.0]
    converted = pipeline.to_env(chunk.actions)
    np.testing.assert_array_equal(converted, np.float32([expected] * 8))


def test_the_server_is_sent_both_prepared_images_and_the_state(server):
    policy = OpenVlaOft(server.url)
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    policy.act([seen])
    sent = json.loads(server.requests[0][2], object_hook=object_hook)
    assert sent["full_image"].shape == sent["wrist_image"].shape == (224, 224, 3)
    np.testing.assert_array_equal(sent["full_image"], seen.images["exterior/0"])
    np.testing.assert_array_equal(sent["wrist_image"], seen.images["wrist/0"])
    np.testing.assert_array_equal(sent["state"], seen.state)
    assert sent["state"].shape == (8,)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b'"error"', "--num_images_in_input"),
        (b'{"error": "no"}', "no actions"),
        (b"[]", "no actions"),
        (b"[0, 0]", "no actions"),
        (b'"not json"', "no actions"),
        (GOLDEN_ROW, "no actions"),
        (render([ACTION] * 7), "7 actions where 8"),
        (render([ACTION[:6]] * 8), "float64 (6,)"),
        (render([ACTION.astype(int)] * 8), "int64 (7,)"),
        (render([*[ACTION] * 7, ACTION * np.nan]), "nan as number 0 of action 7"),
        (render([*[ACTION] * 7, ACTION * 12]), "-6.0 as number 1 of action 7"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(server, answer, part):
    server.answer = answer
    with pytest.raises(PolicyError) as caught:
        OpenVlaOft(server.url).act([see()])
    assert part in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.requests) == 1


def test_without_a_url_it_says_what_to_start_and_what_to_give():
    with pytest.raises(UsageError) as caught:
        OpenVlaOft()
    for part in ("deploy.py", "url=http://127.0.0.1:8777", "--num_images_in_input 2"):
        assert part in str(caught.value)


def test_a_checkpoint_picks_the_frame_it_was_trained_in():
    goal = OpenVlaOft("http://h", checkpoint="moojink/openvla-7b-oft-finetuned-libero-goal").spec()
    floor = OpenVlaOft("http://h", checkpoint="moojink/openvla-7b-oft-finetuned-libero-object")
    assert goal.state[0].offset == (-0.66, 0.0, 0.912)
    assert floor.spec().state[0].offset == (-0.6, 0.0, 0.0)
    with pytest.raises(UnknownNameError, match="did you mean"):
        OpenVlaOft("http://h", checkpoint="openvla-7b-oft-finetuned-libero-goal")


def test_a_card_with_other_keys_is_refused(tmp_path):
    packaged = (files("vlabench.policies") / "cards" / "oft-libero.yaml").read_text("utf-8")
    card = yaml.safe_load(packaged) | {"name": "mine", "checkpoints": ["mine"]}
    card["cameras"][1]["key"] = "hand_image"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError, match="full_image, hand_image"):
        OpenVlaOft("http://h", card=str(tmp_path / "mine.yaml"))


def test_the_server_crops_and_not_the_client():
    cards = [card for card in packaged_cards() if card.adapter == "oft-rest"]
    assert len(cards) == 2
    for card in cards:
        assert [camera.crop_area for camera in card.spec().cameras] == [None, None]


@pytest.mark.slow
def test_a_run_through_the_server_is_the_run_in_process(tmp_path):
    def get_server_action(payload):
        assert list(payload) == ["full_image", "wrist_image", "state", "instruction"]
        images = [payload["full_image"], payload["wrist_image"]]
        return list(recall(payload["instruction"], images, payload["state"], 8, 7))

    with serving(get_server_action) as server:
        remote = through_the_command(tmp_path, "oft-rest", url=server.url)
    assert runs(remote) == runs(in_process(tmp_path, "oft-libero"))
