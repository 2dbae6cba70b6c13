"""vla-eval's websocket protocol, byte by byte, against a server that speaks it."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import yaml
from fake_vla_eval import (
    AXIS_ANGLE,
    CLOSE_POSITIVE,
    DELTA,
    IMAGE,
    OPENVLA,
    PI0,
    STATE,
    FakeVlaEval,
    pack,
)
from PIL import Image
from recorded import in_process, recorded, runs, through_the_command
from sessions import NOBODY, begin, making

from vlabench.contract.negotiate import negotiate
from vlabench.contract.wire import WireError
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies import vla_eval_frames as frames
from vlabench.policies.card import find_card
from vlabench.policies.vla_eval import VlaEval
from vlabench.policies.vla_eval_hello import differences
from vlabench.testing import EXAMPLE_ENV, example_observation
from vlabench.types import Observation

CARDS = files("vlabench.policies") / "cards"
PICTURE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
ACTION = np.array([0.25, -0.5, 0.0, 0.125, 0.0, -1.0, 1.0], dtype=np.float32)
SECONDS = b"\xcbA\xd9\x00\x00\x00\x00\x00\x00"
"""The time stamp of the golden frames, 1677721600.0."""


def png_of(picture):
    """A PNG file, written by hand: header, one block of rows, end."""

    def block(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, _ = picture.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + block(b"IHDR", head)
        + block(b"IDAT", zlib.compress(rows))
        + block(b"IEND", b"")
    )


def golden_observation(png: bytes) -> bytes:
    return (
        b"\x84\xa4type\xabobservation\xa7payload\x83"
        + (b"\xa6images\x81\xa9agentview\x84\xa9__image__\xc3\xa6format\xa3png")
        + (b"\xa4data\xc4" + bytes([len(png)]) + png + b"\xa5shape\x93\x02\x02\x03")
        + b"\xb0task_description\xa7open it"
        + (b"\xa6states\x84\xab__ndarray__\xc3" + b"\xa4data\xc4\x10")
        + bytes.fromhex("000000000000e03f 000000000000d0bf")
        + (b"\xa5dtype\xa3<f8" + b"\xa5shape\x91\x02")
        + (b"\xa3seq\x03" + b"\xa9timestamp" + SECONDS)
    )


GOLDEN_HELLO = (
    b"\x84\xa4type\xa5hello\xa7payload\x82"
    + (b"\xafharness_version\xa8vlabench" + b"\xb0protocol_version\x01")
    + (b"\xa3seq\x01" + b"\xa9timestamp" + SECONDS)
)
GOLDEN_START = b"\x84\xa4type\xadepisode_start\xa7payload\x81\xa4task\x81\xa4name\xa8Open it." + (
    b"\xa3seq\x02" + b"\xa9timestamp" + SECONDS
)
GOLDEN_END = b"\x84\xa4type\xabepisode_end\xa7payload\x80" + (
    b"\xa3seq\x04" + b"\xa9timestamp" + SECONDS
)
GOLDEN_ACTION = (
    b"\x84\xa4type\xa6action\xa7payload\x81\xa7actions\x84\xab__ndarray__\xc3\xa4data\xc4\x1c"
    + bytes.fromhex("0000803e 000000bf 00000000 0000003e 00000000 000080bf 0000803f")
    + (b"\xa5dtype\xa3<f4" + b"\xa5shape\x91\x07")
    + (b"\xa3seq\x03" + b"\xa9timestamp" + SECONDS)
)


def zeros(observation, step):
    return {"actions": np.zeros(7, dtype=np.float32)}


def see(episode_id="e", state=None):
    images = {"exterior/0": PICTURE, "wrist/0": PICTURE[:, ::-1]}
    return Observation(episode_id, 0, 0.0, "open it", images, {}, state=state)


@pytest.fixture
def policy_of():
    with making(VlaEval) as make:
        yield make


# --- the frames ---------------------------------------------------------------------------------


def test_every_frame_of_an_episode_matches_the_golden_bytes(policy_of, monkeypatch):
    monkeypatch.setattr("vlabench.policies.vla_eval.time.time", lambda: 1677721600.0)
    with FakeVlaEval(lambda observation, step: GOLDEN_ACTION) as server:
        policy = policy_of(server)
        (chunk,) = policy.act([see(state=np.array([0.5, -0.25]))])
        policy.end(["e"])
        policy.close()
        server.__exit__()
        hello, start, observation, end = server.frames
    assert (hello, start, end) == (GOLDEN_HELLO, GOLDEN_START, GOLDEN_END)
    png = observation[observation.index(b"\x89PNG") :]
    png = png[: png.index(b"IEND") + 8]
    assert observation == golden_observation(png)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png))), PICTURE)
    np.testing.assert_array_equal(chunk.actions, [ACTION])


def test_golden_frames_are_read():
    message = frames.unpack(golden_observation(png_of(PICTURE)))
    assert (message.kind, message.seq, message.timestamp) == ("observation", 3, 1677721600.0)
    np.testing.assert_array_equal(message.payload["images"]["agentview"], PICTURE)
    np.testing.assert_array_equal(message.payload["states"], [0.5, -0.25])
    assert frames.pack(frames.unpack(GOLDEN_ACTION)) == GOLDEN_ACTION
    assert pack("action", {"actions": ACTION}, 3, 1677721600.0) == GOLDEN_ACTION


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_survive_the_wire(channels):
    image = np.random.default_rng(channels).integers(256, size=(5, 4, channels), dtype=np.uint8)
    sent = frames.Message("observation", {"image": image, "n": np.float64(0.5)}, 1, 0.0)
    found = frames.unpack(frames.pack(sent)).payload
    np.testing.assert_array_equal(found["image"], image)
    assert found["n"] == 0.5


def test_raw_images_are_read_too():
    raw = {
        "__image__": True,
        "format": "raw",
        "data": PICTURE.tobytes(),
        "dtype": "|u1",
        "shape": [2, 2, 3],
    }
    found = frames.unpack(pack("action", {"image": raw}, 1)).payload["image"]
    np.testing.assert_array_equal(found, PICTURE)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"\xc1", "not of vla-eval's protocol"),
        (b"\x93\x01\x02\x03", "no 'type'"),
        (GOLDEN_ACTION.replace(b"\xa3seq", b"\xa3sek"), "no 'seq'"),
        (GOLDEN_ACTION.replace(b"\xa6action\xa7", b"\xa6motion\xa7"), "'motion'"),
        (GOLDEN_ACTION.replace(b"<f4", b"|O4"), "|O4"),
        (GOLDEN_ACTION.replace(b"<f4", b"nan"), "not of vla-eval's protocol"),
        (GOLDEN_ACTION.replace(b"<f4", b"<c8"), "<c8"),
        (GOLDEN_ACTION.replace(b"\x91\x07", b"\x91\x08"), "where 32 are due"),
        (GOLDEN_END.replace(b"\x80", b"\x90"), "payload"),
        (golden_observation(b"no png"), "not of vla-eval's protocol"),
    ],
)
def test_a_wrong_frame_is_refused(data, part):
    with pytest.raises(WireError) as caught:
        frames.unpack(data)
    assert part in str(caught.value)


def test_a_frame_over_the_limit_is_refused():
    with pytest.raises(WireError, match="limit is 10"):
        frames.unpack(GOLDEN_ACTION, max_bytes=10)


def test_what_has_no_form_is_not_sent():
    with pytest.raises(WireError, match="complex"):
        frames.pack(frames.Message("action", {"actions": np.zeros(2, dtype=complex)}, 1, 0.0))


def test_each_session_counts_its_own_messages(policy_of):
    with FakeVlaEval(zeros) as server:
        policy = begin(policy_of(server), "other")
        policy.act([see(), see("other"), see()])
        policy.end(["e"])
        begin(policy, "e").act([see()])
        seqs = [message["seq"] for message in server.messages if message["type"] == "observation"]
    assert seqs == [3, 3, 4, 3]


def test_a_policy_may_ask_for_the_end(policy_of):
    with FakeVlaEval(lambda o, step: {**zeros(o, step), "terminate_episode": True}) as server:
        (chunk,) = policy_of(server).act([see()])
    assert chunk.extras == {"terminate": True}


# --- the declaration ----------------------------------------------------------------------------


def test_the_server_is_sent_what_the_pipeline_prepared(policy_of):
    with FakeVlaEval(zeros, PI0) as server:
        policy = policy_of(server, checkpoint="pi05_libero")
        pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
        seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
        policy.act([seen])
        (payload,) = (m["payload"] for m in server.messages if m["type"] == "observation")
    assert list(payload["images"]) == ["agentview", "wrist"]
    assert payload["images"]["wrist"].shape == (256, 256, 3)
    np.testing.assert_array_equal(payload["images"]["agentview"], seen.images["exterior/0"])
    np.testing.assert_array_equal(payload["states"], seen.state)
    assert payload["states"].shape == (8,)
    assert payload["task_description"] == "put the red mug on the white plate"


def said(base=OPENVLA, **changes):
    """A hello in which parts of a spec are changed."""
    return {**base, **{name: {**base.get(name, {}), **part} for name, part in changes.items()}}


def form(spec, name, **more):
    return {**spec, "format": name, **more}


WRONG = [
    (
        said(action_spec={"gripper": form(CLOSE_POSITIVE, "binary_close_negative")}),
        ("action.gripper_open", "-1.0", "1.0"),
    ),
    (
        said(action_spec={"gripper": form(CLOSE_POSITIVE, "binary_close_01")}),
        ("action.gripper_open", "-1.0", "0.0"),
    ),
    (
        said(action_spec={"rotation": form(AXIS_ANGLE, "euler_xyz")}),
        ("action.rotation", "'axis_angle'", "'euler_xyz'"),
    ),
    (
        said(action_spec={"rotation": form(AXIS_ANGLE, "rot6d_interleaved", dims=6)}),
        ("rotation", "'rot6d_interleaved'"),
    ),
    (
        said(action_spec={"position": form(DELTA, "absolute_xyz")}),
        ("action.control", "'ee_delta'", "'ee_pose'"),
    ),
    (said(action_spec={"position": {**DELTA, "dims": 2}}), ("action.dimension", "7", "6")),
    (
        said(observation_params={"absolute_action": True}),
        ("action.control", "'ee_delta'", "'ee_pose'"),
    ),
    (said(observation_spec={"wrist": IMAGE}), ("cameras", "'exterior/0'", "wrist")),
    (said(observation_params={"send_wrist_image": True}), ("cameras", "'exterior/0'", "wrist")),
    (said(observation_spec={"state": STATE}), ("state", "nothing")),
    (said(observation_params={"send_state": True}), ("state", "nothing")),
]


@pytest.mark.parametrize(("hello", "parts"), WRONG)
def test_a_server_that_says_something_else_is_refused(policy_of, hello, parts):
    with FakeVlaEval(zeros, hello) as server:
        with pytest.raises(ContractError) as caught:
            VlaEval(server.url).spec()
        for part in (*parts, "the card 'vla-eval-openvla-libero'", "the server's hello"):
            if "rot6d_interleaved" not in parts[1] or "card" not in part:
                assert part in str(caught.value)
        assert server.url in str(caught.value)
        with pytest.raises(InfrastructureError, match="not what was declared"):
            policy_of(server)
        assert [message["type"] for message in server.messages] == ["hello", "hello"]


@pytest.mark.parametrize(
    ("state", "parts"),
    [
        (form(STATE, "eef_pos3_euler3_gripper2"), ("axis_angle", "euler_xyz")),
        (form(STATE, "eef_pos3_quat4_gripper1"), ("axis_angle", "quaternion_xyzw")),
        (form(STATE, "rot6d_interleaved_proprio_20d"), ("rot6d_interleaved_proprio_20d",)),
        (STATE, ()),
    ],
)
def test_the_states_form_is_compared(state, parts):
    spec = find_card("vla-eval", "pi05_libero").spec()
    found = differences(said(PI0, observation_spec={"state": state}), spec, "the card")
    assert len(found) == bool(parts)
    for part in parts:
        assert part in found[0]


def test_a_server_may_ask_for_robosuites_own_quaternion():
    spec = find_card("vla-eval", "pi05_libero").spec()
    hello = said(PI0, observation_params={"quat_no_antipodal": True})
    assert not differences(hello, spec, "the card")
    short = replace(spec, state=tuple(replace(field, towards=None) for field in spec.state))
    (found,) = differences(hello, short, "the card")
    assert "the short way round in the card" in found
    assert "quat_no_antipodal" in found


@pytest.mark.parametrize("hello", [OPENVLA, {}, {"action_spec": {}, "observation_params": None}])
def test_a_server_that_agrees_or_says_nothing_is_welcome(policy_of, hello):
    with FakeVlaEval(zeros, hello) as server:
        policy_of(server).act([see()])


def test_another_version_of_the_protocol_is_refused():
    with (
        FakeVlaEval(zeros, version=2) as server,
        pytest.raises(ContractError, match="protocol_version is 1 here and 2"),
    ):
        VlaEval(server.url).spec()


def test_a_card_may_tell_the_server_of_its_task(policy_of, tmp_path):
    card = yaml.safe_load((CARDS / "vla-eval-openvla-libero.yaml").read_text("utf-8"))
    card |= {"name": "mine", "checkpoints": [], "options": {"task": {"suite": "libero_goal"}}}
    card["sources"]["options"] = "src/vla_eval/model_servers/cogact.py: chunk_size_map"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    with FakeVlaEval(zeros) as server:
        policy_of(server, card=str(tmp_path / "mine.yaml")).act([see()])
        (start,) = (m for m in server.messages if m["type"] == "episode_start")
    assert start["payload"] == {"task": {"name": "Open it.", "suite": "libero_goal"}}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "vla-eval serve"),
        ({"url": None}, "ws://127.0.0.1:8000"),
        ({"url": NOBODY, "checkpoint": "pi05libero"}, "pi05_libero"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments, part):
    with pytest.raises(UsageError) as caught:
        VlaEval(**arguments)
    assert part in str(caught.value)


# --- what goes wrong ----------------------------------------------------------------------------


def broken(observation, step):
    raise RuntimeError("CUDA out of memory")


def with_one(value):
    return lambda observation, step: {"actions": np.array([0, 0, value, 0, 0, 0, 0.0])}


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (broken, "observation_failed: RuntimeError: CUDA out of memory"),
        (lambda observation, step: {"action": [0.0] * 7}, "no actions but the keys action"),
        (lambda observation, step: {"actions": [0.0] * 7}, "no actions"),
        (lambda observation, step: {"actions": np.zeros(6)}, "float64 (6,)"),
        (lambda observation, step: {"actions": np.zeros((10, 7))}, "float64 (10, 7)"),
        (lambda observation, step: {"actions": np.zeros(7, dtype=int)}, "int64 (7,)"),
        (with_one(np.nan), "nan as number 2 of action 0"),
        (with_one(57.3), "57.3 as number 2 of action 0"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(policy_of, answer, part):
    with FakeVlaEval(answer) as server:
        with pytest.raises(PolicyError) as caught:
            policy_of(server).act([see()])
        assert part in str(caught.value)
        assert server.url in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda observation, step: "a text", "sent a text"),
        (lambda observation, step: pack("action", zeros(None, 0), 2), "to request 2"),
        (lambda observation, step: pack("hello", {}, 3), "'hello'"),
    ],
)
def test_a_sick_server_is_an_infrastructure_error(policy_of, answer, part):
    with FakeVlaEval(answer) as server:
        policy = policy_of(server)
        with pytest.raises(InfrastructureError) as caught:
            policy.act([see()])
        assert part in str(caught.value)
        assert server.url in str(caught.value)


HELLOS = {"noise": b"\xc1", "an error": pack("error", {"error": "no"}, 1)}


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS)
def test_a_stranger_is_an_infrastructure_error(policy_of, hello):
    with (
        FakeVlaEval(zeros, hello) as server,
        pytest.raises(InfrastructureError, match="vla-eval serve"),
    ):
        policy_of(server)


# --- the real world -----------------------------------------------------------------------------


def played_back(observation, step):
    (actions,) = recorded(observation["task_description"], step, 1, 7)
    return {"actions": actions}


@pytest.fixture(scope="module")
def here(tiny, tmp_path_factory):
    return runs(in_process(tiny, tmp_path_factory.mktemp("here") / "run", "vla-eval"))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_recorded_actions_make_the_records_of_the_run_in_process(tiny, tmp_path, here, runner):
    with FakeVlaEval(played_back) as server:
        there = through_the_command(tiny, tmp_path / "run", "vla-eval", runner, url=server.url)
        kinds = [message["type"] for message in server.messages]
    assert kinds.count("observation") == 100
    assert kinds[-1] == "episode_end"
    assert runs(there) == here
