"""openpi's websocket protocol, byte by byte, against a server that speaks it."""

from __future__ import annotations

import threading
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import yaml
from fake_openpi import FakeOpenPi, pack
from fake_websocket import HANG_UP
from recorded import in_process, recorded, runs, through_the_command
from sessions import NOBODY, begin, making

from vlabench.cli import main
from vlabench.contract.negotiate import negotiate
from vlabench.contract.wire import policy_spec_to_wire
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies.card import find_card, packaged_cards
from vlabench.policies.openpi import OpenPi
from vlabench.testing import EXAMPLE_ENV, example_observation
from vlabench.types import Observation

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
CARDS = files("vlabench.policies") / "cards"
STATE = np.array([0.5, -0.25, 1.0, 3.0, 0.125, -0.0625, 0.03125, -0.03125])
PIXELS = bytes(range(12))


def array(data: bytes, dtype: bytes, shape: bytes) -> bytes:
    """An array of at most 255 bytes as msgpack_numpy writes it: keys are bytes, in this order."""
    return (
        b"\x84"
        + (b"\xc4\x0b__ndarray__" + b"\xc3")
        + (b"\xc4\x04data" + b"\xc4" + bytes([len(data)]) + data)
        + (b"\xc4\x05dtype" + bytes([0xA0 + len(dtype)]) + dtype)
        + (b"\xc4\x05shape" + shape)
    )


GOLDEN_REQUEST = (
    b"\x84"
    + (b"\xb1observation/image" + array(PIXELS, b"|u1", b"\x93\x02\x02\x03"))
    + (b"\xb7observation/wrist_image" + array(PIXELS[::-1], b"|u1", b"\x93\x02\x02\x03"))
    + b"\xb1observation/state"
    + array(
        bytes.fromhex(
            "000000000000e03f 000000000000d0bf 000000000000f03f 0000000000000840"
            "000000000000c03f 000000000000b0bf 000000000000a03f 000000000000a0bf"
        ),
        b"<f8",
        b"\x91\x08",
    )
    + (b"\xa6prompt" + b"\xb4open the top drawer!")
)
GOLDEN_ANSWER = (
    b"\x83"
    + b"\xa7actions"
    + (b"\x84" + b"\xc4\x0b__ndarray__\xc3" + b"\xc4\x04data\xc5\x01\x18")
    + b"\x00\x00\x00\x3f" * 70
    + (b"\xc4\x05dtype\xa3<f4" + b"\xc4\x05shape\x92\x0a\x07")
    + (b"\xadpolicy_timing\x81\xa8infer_ms\xcb" + bytes.fromhex("4045000000000000"))
    + (b"\xadserver_timing\x81\xa8infer_ms\xcb" + bytes.fromhex("4046800000000000"))
)
"""Ten rows of seven 0.5; the model took 42 ms of the server's 45."""


def zeros(observation, call):
    return {"actions": np.zeros((10, 7), dtype=np.float32)}


def see(episode_id="e"):
    images = {"exterior/0": IMAGE, "wrist/0": IMAGE.reshape(-1)[::-1].reshape(2, 2, 3)}
    return Observation(episode_id, 0, 0.0, "open the top drawer!", images, {}, state=STATE)


@pytest.fixture
def policy_of():
    with making(OpenPi) as make:
        yield make


# --- the frames ---------------------------------------------------------------------------------


def test_the_request_and_the_answer_match_the_golden_bytes(policy_of):
    with FakeOpenPi(lambda observation, call: GOLDEN_ANSWER) as server:
        (chunk,) = policy_of(server).act([see()])
        assert server.frames == [GOLDEN_REQUEST]
    np.testing.assert_array_equal(chunk.actions, np.full((10, 7), 0.5))
    assert chunk.infer_ms == 42.0


def test_the_fakes_own_codec_writes_the_golden_bytes():
    request = {
        "observation/image": IMAGE,
        "observation/wrist_image": IMAGE.reshape(-1)[::-1].reshape(2, 2, 3),
        "observation/state": STATE,
        "prompt": "open the top drawer!",
    }
    assert pack(request) == GOLDEN_REQUEST
    timing = {"policy_timing": {"infer_ms": 42.0}, "server_timing": {"infer_ms": 45.0}}
    answer = {"actions": np.full((10, 7), 0.5, np.float32), **timing}
    assert pack(answer) == GOLDEN_ANSWER


def test_the_servers_time_is_taken_where_the_model_tells_none(policy_of):
    with FakeOpenPi(zeros) as server:
        (chunk,) = policy_of(server).act([see()])
    assert chunk.infer_ms is not None
    assert 0 <= chunk.infer_ms < 1000


def test_droids_state_is_cut_into_its_two_keys(policy_of):
    def answer(observation, call):
        return {"actions": np.zeros((15, 8))}

    with FakeOpenPi(answer) as server:
        policy_of(server, checkpoint="pi05_droid").act([see()])
        (request,) = server.requests
    assert list(request) == [
        "observation/exterior_image_1_left",
        "observation/wrist_image_left",
        "observation/joint_position",
        "observation/gripper_position",
        "prompt",
    ]
    np.testing.assert_array_equal(request["observation/joint_position"], STATE[:7])
    np.testing.assert_array_equal(request["observation/gripper_position"], STATE[7:])


def test_an_api_key_travels_in_the_header_alone(policy_of, monkeypatch):
    monkeypatch.setenv("MY_KEY", "s3cret")
    with FakeOpenPi(zeros) as server:
        server.api_key = "s3cret"
        policy = policy_of(server, **{"token_env": "MY_KEY"})
        policy.act([see()])
        assert server.headers[0]["authorization"] == "Api-Key s3cret"
        assert b"s3cret" not in server.frames[0]
        assert "s3cret" not in repr(policy.spec())
        with pytest.raises(UsageError, match="token_env"):
            OpenPi(server.url).spec()
        with pytest.raises(InfrastructureError, match="token_env"):
            policy_of(server)


def test_a_server_that_compiles_for_long_is_waited_for(policy_of):
    ready = threading.Event()

    def answer(observation, call):
        ready.wait(5)
        return zeros(observation, call)

    with FakeOpenPi(answer) as server:
        threading.Timer(0.5, ready.set).start()
        policy_of(server, connect_timeout_s=0.3).act([see()])


# --- the declaration ----------------------------------------------------------------------------


def test_the_server_is_sent_what_the_pipeline_prepared(policy_of):
    with FakeOpenPi(zeros) as server:
        policy = policy_of(server)
        pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
        seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
        policy.act([seen])
        (request,) = server.requests
    assert request["observation/image"].shape == (224, 224, 3)
    assert request["observation/image"].dtype == np.uint8
    np.testing.assert_array_equal(request["observation/wrist_image"], seen.images["wrist/0"])
    np.testing.assert_array_equal(request["observation/state"], seen.state)
    assert request["prompt"] == "put the red mug on the white plate"


def test_the_cards_say_what_the_projects_files_say():
    chunks = {card.name: card.chunk_length for card in packaged_cards() if card.adapter == "openpi"}
    assert chunks == {
        "pi0-libero": 50,
        "pi0-fast-libero": 10,
        "pi05-libero": 10,
        "pi0-droid": 10,
        "pi0-fast-droid": 10,
        "pi05-droid": 15,
    }
    for name in chunks:
        spec = find_card("openpi", card=name).spec()
        libero = name.endswith("libero")
        assert spec.executed == (5 if libero else 8)
        assert spec.control_hz == (20.0 if libero else 15.0)
        assert {camera.resized for camera in spec.cameras} == {(224, 224)}
        assert {camera.mirrored for camera in spec.cameras} == {libero}
        assert spec.deterministic == ("fast" in name)
        gripper = spec.action.gripper_open, spec.action.gripper_close
        assert gripper == ((-1, 1) if libero else (0, 1))


def test_a_checkpoint_picks_its_card():
    for checkpoint in ("pi0_fast_droid", "gs://openpi-assets/checkpoints/pi0_fast_droid"):
        assert OpenPi(NOBODY, checkpoint=checkpoint).spec().name == "pi0-fast-droid"
    with pytest.raises(UsageError, match="did you mean 'pi05_libero'"):
        OpenPi(NOBODY, checkpoint="pi05libero")


def test_a_server_that_declares_what_the_card_does_is_welcome(policy_of):
    spec = replace(find_card("openpi").spec(), name="another name", max_batch=16)
    with FakeOpenPi(zeros, {"policy_spec": policy_spec_to_wire(spec)}) as server:
        policy = policy_of(server)
        assert policy.spec() == find_card("openpi").spec()
        policy.act([see()])


def turned_round(spec):
    return replace(spec, action=replace(spec.action, gripper_open=1.0, gripper_close=-1.0))


def upside_down(spec):
    return replace(spec, cameras=(replace(spec.cameras[0], rotated=True), spec.cameras[1]))


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (turned_round, ("action.gripper_open", "-1.0", "1.0")),
        (upside_down, ("camera 'exterior/0'.rotated", "False", "True")),
        (lambda spec: replace(spec, executed=10), ("executed", "5", "10")),
        (lambda spec: replace(spec, control_hz=10.0), ("control_hz", "20.0", "10.0")),
        (lambda spec: replace(spec, cameras=spec.cameras[:1]), ("cameras", "'wrist/0'")),
    ],
)
def test_a_server_that_declares_something_else_is_refused(policy_of, changed, parts):
    spec = changed(find_card("openpi").spec())
    with FakeOpenPi(zeros, {"policy_spec": policy_spec_to_wire(spec)}) as server:
        with pytest.raises(ContractError) as caught:
            OpenPi(server.url).spec()
        for part in (*parts, "the card 'pi05-libero'", "the server's metadata", server.url):
            assert part in str(caught.value)
        with pytest.raises(InfrastructureError, match="not what was declared"):
            policy_of(server)
        assert not server.frames


def test_a_server_with_half_a_declaration_is_a_stranger(policy_of):
    with (
        FakeOpenPi(zeros, {"policy_spec": {"name": "half"}}) as server,
        pytest.raises(InfrastructureError, match="wrong declaration"),
    ):
        policy_of(server)


def test_a_revision_is_declared():
    spec = OpenPi(NOBODY, revision="step 29999").spec()
    assert replace(spec, revision="") == OpenPi(NOBODY).spec()


@pytest.fixture
def card_with(tmp_path):
    def make(**changes):
        options = yaml.safe_load((CARDS / "pi05-libero.yaml").read_text("utf-8"))
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**options, "name": "mine", "checkpoints": [], **changes}))
        return str(path)

    return make


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"state": {"observation/state": 7}, "prompt": "prompt"}, "room for 7"),
        ({"state": {"observation/state": 0}, "prompt": "prompt"}, "options.state"),
        ({"state": {"observation/state": 8}}, "options.prompt"),
        ({"state": {"observation/state": 8}, "prompt": "prompt", "sate": 1}, "options.sate"),
    ],
)
def test_wrong_options_of_a_card_are_a_usage_error(card_with, options, part):
    with pytest.raises(UsageError) as caught:
        OpenPi(NOBODY, card=card_with(options=options))
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({}, "serve_policy.py"),
        ({"url": None}, "ws://127.0.0.1:8000"),
        ({"url": NOBODY, "token_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
        ({"url": NOBODY, "card": "openvla"}, "openvla"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments, part):
    with pytest.raises(UsageError) as caught:
        OpenPi(**arguments)
    assert part in str(caught.value)


# --- what goes wrong ----------------------------------------------------------------------------


def broken(observation, call):
    raise KeyError("observation/state")


def with_one(value):
    actions = np.zeros((10, 7))
    actions[3, 2] = value
    return lambda observation, call: {"actions": actions}


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (broken, "KeyError: 'observation/state'"),
        (lambda observation, call: "Traceback:\nOutOfMemory: no GPU", "OutOfMemory: no GPU"),
        (lambda observation, call: {"action": np.zeros((10, 7))}, "no actions but the keys action"),
        (lambda observation, call: {"actions": [[0.0] * 7] * 10}, "no actions"),
        (lambda observation, call: pack([1, 2]), "a list"),
        (lambda observation, call: {"actions": np.zeros((50, 7))}, "float64 (50, 7)"),
        (lambda observation, call: {"actions": np.zeros((10, 32))}, "float64 (10, 32)"),
        (lambda observation, call: {"actions": np.zeros(7)}, "float64 (7,)"),
        (lambda observation, call: {"actions": np.zeros((10, 7), dtype=int)}, "int64 (10, 7)"),
        (with_one(np.nan), "nan as number 2 of action 3"),
        (with_one(-np.inf), "-inf as number 2 of action 3"),
        (with_one(57.3), "57.3 as number 2 of action 3"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(policy_of, answer, part):
    with FakeOpenPi(answer) as server:
        with pytest.raises(PolicyError) as caught:
            policy_of(server).act([see()])
        assert part in str(caught.value)
        assert server.url in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(server.frames) == 1


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda observation, call: b"{}", "cannot be read"),
        (
            lambda observation, call: pack({"actions": np.zeros((10, 7))}).replace(b"<f8", b"|O8"),
            "cannot be read",
        ),
    ],
)
def test_a_sick_server_is_an_infrastructure_error(policy_of, answer, part):
    with FakeOpenPi(answer) as server:
        policy = policy_of(server)
        with pytest.raises(InfrastructureError) as caught:
            policy.act([see()])
        assert part in str(caught.value)
        assert server.url in str(caught.value)
        assert len(server.frames) == 1


@pytest.mark.parametrize("metadata", ["Traceback", pack([1]), b"\xc1"])
def test_a_stranger_is_an_infrastructure_error(policy_of, metadata):
    with (
        FakeOpenPi(zeros, metadata) as server,
        pytest.raises(InfrastructureError, match=r"serve_policy\.py"),
    ):
        policy_of(server)


def test_after_its_own_error_the_server_can_be_left_and_asked_again(policy_of):
    def once(observation, call, calls=[]):  # noqa: B006  (remembers across connections)
        calls.append(call)
        return broken(observation, call) if len(calls) == 1 else zeros(observation, call)

    with FakeOpenPi(once) as server:
        policy = policy_of(server)
        with pytest.raises(PolicyError):
            policy.act([see()])
        policy.end(["e"])
        begin(policy, "e").act([see()])


# --- the real world -----------------------------------------------------------------------------


def played_back(rows, columns):
    def answer(observation, call):
        return {"actions": recorded(observation["prompt"], call, rows, columns)}

    return answer


@pytest.fixture(scope="module")
def libero_in_process(tiny, tmp_path_factory):
    return runs(in_process(tiny, tmp_path_factory.mktemp("here") / "run", "openpi", "pi05_libero"))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_recorded_libero_actions_make_the_records_of_the_run_in_process(
    tiny, tmp_path, libero_in_process, runner
):
    with FakeOpenPi(played_back(10, 7)) as server:
        there = through_the_command(tiny, tmp_path / "run", "openpi", runner, url=server.url)
        assert len(server.frames) == 20
    assert runs(there) == libero_in_process


@pytest.mark.slow
def test_an_episode_that_lost_its_server_is_run_again(tiny, tmp_path, libero_in_process):
    lost = []

    def answer(observation, call):
        if call == 2 and not lost:
            lost.append(call)
            return HANG_UP
        return played_back(10, 7)(observation, call)

    with FakeOpenPi(answer) as server:
        there = through_the_command(tiny, tmp_path / "run", "openpi", "serial", url=server.url)
        assert len(server.frames) == 3 + 20
    assert [record.attempt for record in there.records] == [1]
    assert runs(there) == libero_in_process


@pytest.mark.slow
def test_recorded_droid_actions_make_the_records_of_the_run_in_process(tiny, tmp_path, capsys):
    here = in_process(tiny, tmp_path / "here", "openpi", "pi05_droid", allow_mismatch=True)
    with FakeOpenPi(played_back(15, 8)) as server:
        droid = {"url": server.url, "checkpoint": "pi05_droid"}
        with pytest.raises(SystemExit):
            main(
                [
                    "eval",
                    "--policy",
                    "openpi",
                    "--suite",
                    tiny,
                    f"--policy-arg=url={server.url}",
                    "--policy-arg=checkpoint=pi05_droid",
                    "--dry-run",
                ]
            )
        assert "max_joint is 3 and the environment's 0.5" in capsys.readouterr().err
        passed = "--allow-mismatch"
        there = through_the_command(tiny, tmp_path / "there", "openpi", "serial", passed, **droid)
        assert len(server.frames) == 10
    assert runs(there) == runs(here)
    (mismatch,) = there.records[0].allow_mismatch
    assert "cut off" in mismatch
