"""GR00T's ZeroMQ protocol, byte by byte, against servers of both generations that speak it."""

from __future__ import annotations

import builtins
import socket
import threading
from importlib.resources import files

import numpy as np
import pytest
import yaml
from fake_groot import HANG, HANG_UP, FakeGroot, config, split
from fake_rest import dead_port
from recalled import recall
from rest_runs import in_process, runs, through_the_command

from vlabench.contract.negotiate import negotiate
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies.groot import Groot
from vlabench.policies.groot_wire import decode, encode
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import EpisodeStart, Observation

N15, N16 = "groot-n1.5-libero", "groot-n1.6-libero"
IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
STATE = np.array([0.5, 0.0, 1.25, 3.0, 0.0, -0.5, 0.04, -0.04])
ACTIONS = np.linspace(-1, 1, 2 * 16 * 7, dtype=np.float32).reshape(2, 16, 7)
KEYS = [
    *("video.image", "video.wrist_image"),
    *(f"state.{name}" for name in ("x", "y", "z", "roll", "pitch", "yaw", "gripper")),
    "annotation.human.action.task_description",
]
START = EpisodeStart("e", 0, "open the top drawer", EXAMPLE_ENV)


def npy(array_header, data):
    """The bytes of a .npy file of version 1.0."""
    header = array_header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00v\x00" + header + data


PING = b"\x81\xa8endpoint\xa4ping"
MODALITIES = b"\x81\xa8endpoint\xb3get_modality_config"
GOLDEN_ARRAY = b"\x82\xb1__ndarray_class__\xc3\xa6as_npy\xc4\x84" + npy(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"\x00\x00\x80>"
)


def answering(observation, options=None):
    """What the policy of N1.6's server does."""
    sessions = len(observation["annotation.human.action.task_description"])
    return [split(ACTIONS[:sessions]), {}]


def answering_alone(observation):
    """What the policy of N1.5's server does: one session, squeezed."""
    return {name: part[..., 0] for name, part in split(ACTIONS[0]).items()}


@pytest.fixture
def server():
    with FakeGroot("n1.6", answering) as fake:
        yield fake


@pytest.fixture
def old_server():
    with FakeGroot("n1.5", answering_alone) as fake:
        yield fake


@pytest.fixture
def made():
    """Makes policies that are closed in the end."""
    policies = []

    def make(url, **arguments):
        policies.append(Groot(url, **({"card": N16} | arguments)))
        return policies[-1]

    yield make
    for policy in policies:
        policy.close()


def see(session="e"):
    images = {"exterior/0": IMAGE, "wrist/0": IMAGE + 100}
    return Observation(session, 0, 0.0, "open the top drawer", images, {}, state=STATE)


# --- the bytes --------------------------------------------------------------------------------


def test_arrays_travel_as_npy_files():
    assert encode(np.array([0.25], np.float32)) == GOLDEN_ARRAY
    np.testing.assert_array_equal(decode(GOLDEN_ARRAY), np.array([0.25], np.float32))
    for array in (IMAGE, IMAGE[:, ::-1], ACTIONS, np.zeros((0, 7))):
        np.testing.assert_array_equal(decode(encode({"a": array}))["a"], array)


def test_nothing_is_unpickled():
    pickled = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04]\x94.")
    frame = b"\x82\xb1__ndarray_class__\xc3\xa6as_npy\xc4" + bytes([len(pickled)]) + pickled
    with pytest.raises(ValueError, match="send numbers"):
        decode(frame)


def test_the_handshake_and_a_request_of_n1_6_match_the_golden_bytes(server, made):
    (chunk,) = made(server.url).act([see()])
    assert server.frames[:2] == [PING, MODALITIES]
    frame = server.frames[2]
    assert frame.endswith(b"\x91\xb3open the top drawer\xa7options\xc0")
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 2, 2, 3), }"
    assert frame.startswith(
        b"\x82\xa8endpoint\xaaget_action\xa4data\x82\xabobservation\x8a\xabvideo.image"
        b"\x82\xb1__ndarray_class__\xc3\xa6as_npy\xc4\x8c" + npy(header, IMAGE.tobytes())
    )
    state = np.split(STATE.astype(np.float32)[np.newaxis, np.newaxis], range(1, 7), axis=2)
    images = [IMAGE[np.newaxis, np.newaxis], IMAGE[np.newaxis, np.newaxis] + 100]
    values = [*images, *state, ["open the top drawer"]]
    data = {"observation": dict(zip(KEYS, values, strict=True)), "options": None}
    assert frame == server.to_bytes({"endpoint": "get_action", "data": data})
    np.testing.assert_array_equal(chunk.actions, ACTIONS[0])


def test_a_request_of_n1_6_is_a_batch_of_float32(server, made):
    asked = []
    server.act = lambda observation, options: asked.append(observation) or answering(observation)
    chunks = made(server.url).act([see("a"), see("b")])
    (observation,) = asked
    assert list(observation) == KEYS
    assert observation["video.wrist_image"].shape == (2, 1, 2, 2, 3)
    assert observation["video.wrist_image"].dtype == np.uint8
    assert observation["state.x"].shape == (2, 1, 1)
    assert observation["state.gripper"].shape == (2, 1, 2)
    assert observation["state.gripper"].dtype == np.float32
    np.testing.assert_array_equal(observation["state.gripper"][1], np.float32([[0.04, -0.04]]))
    assert observation["annotation.human.action.task_description"] == ["open the top drawer"] * 2
    assert [chunk.batch_size for chunk in chunks] == [2, 2]
    np.testing.assert_array_equal([chunk.actions for chunk in chunks], ACTIONS)


def test_a_request_of_n1_5_is_one_session(old_server, made):
    asked = []
    old_server.act = lambda observation: asked.append(observation) or answering_alone(observation)
    chunks = made(old_server.url, card=N15).act([see("a"), see("b")])
    assert len(asked) == 2
    state = np.split(STATE[np.newaxis], range(1, 7), axis=1)
    values = [IMAGE[np.newaxis], IMAGE[np.newaxis] + 100, *state, ["open the top drawer"]]
    data = dict(zip(KEYS, values, strict=True))
    assert old_server.frames[2] == old_server.to_bytes({"endpoint": "get_action", "data": data})
    assert asked[0]["video.image"].shape == (1, 2, 2, 3)
    assert asked[0]["state.z"].tolist() == [[1.25]]
    assert asked[0]["state.z"].dtype == np.float64
    assert asked[0]["annotation.human.action.task_description"] == ["open the top drawer"]
    np.testing.assert_array_equal(chunks[1].actions, ACTIONS[0])


def test_an_answer_of_n1_5_may_keep_the_axis_of_its_numbers(old_server, made):
    old_server.act = lambda observation: split(ACTIONS[0])
    (chunk,) = made(old_server.url, card=N15).act([see()])
    np.testing.assert_array_equal(chunk.actions, ACTIONS[0])


# --- the contract -----------------------------------------------------------------------------


@pytest.mark.parametrize("card", [N15, N16])
def test_the_policy_conforms_and_its_gripper_is_turned_round(request, made, card):
    server = request.getfixturevalue("old_server" if card == N15 else "server")
    policy = made(server.url, card=card)
    if card == N16:
        server.act = lambda observation, options: [
            split(np.repeat(ACTIONS[:1], len(observation["state.x"]), axis=0)),
            {},
        ]
    pipeline = check_policy(policy)
    assert pipeline.to_env(np.float32([[0, 0, 0, 0, 0, 0, 1]] * 16))[0, 6] == -1
    assert pipeline.to_env(np.float32([[0, 0, 0, 0, 0, 0, 0]] * 16))[0, 6] == 1


def test_the_server_is_sent_what_was_agreed(server, made):
    asked = []
    server.act = lambda observation, options: asked.append(observation) or answering(observation)
    policy = made(server.url)
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    policy.act([seen])
    np.testing.assert_array_equal(asked[0]["video.image"][0, 0], seen.images["exterior/0"])
    assert asked[0]["video.image"].shape == (1, 1, 256, 256, 3)
    sent = np.concatenate([asked[0][key][0, 0] for key in KEYS[2:9]])
    np.testing.assert_array_equal(sent, seen.state.astype(np.float32))


def changed(modality, **values):
    modalities = config(prefix=False)
    for name, value in values.items():
        setattr(modalities[modality], name, value)
    return modalities


@pytest.mark.parametrize(
    ("modalities", "parts"),
    [
        (changed("video", modality_keys=["image"]), ("video keys", "['image']", "wrist_image")),
        (changed("video", delta_indices=[-1, 0]), ("video steps", "[-1, 0]", "[0]")),
        (changed("state", modality_keys=["joints"]), ("state keys", "['joints']", "'roll'")),
        (changed("action", delta_indices=list(range(8))), ("action steps", "6, 7]", "14, 15]")),
        (changed("language", modality_keys=["task"]), ("language keys", "['task']", "annotation")),
        ({}, ("video keys are []", "action keys are []")),
        ([], ("is a list and no map",)),
    ],
)
def test_a_server_of_something_else_is_refused_naming_both_sides(server, modalities, parts):
    server.modalities = modalities
    with pytest.raises(ContractError) as caught:
        Groot(server.url, card=N16)
    for part in (*parts, server.url, N16):
        assert part in str(caught.value)


def test_n1_5_tells_its_keys_with_their_modality(old_server, made):
    made(old_server.url, card=N15)
    assert old_server.asked == ["ping", "get_modality_config"]
    old_server.modalities["video"].modality_keys.reverse()
    with pytest.raises(ContractError, match="video keys"):
        Groot(old_server.url, card=N15)


def test_a_checkpoint_picks_its_card(server, made):
    assert made(server.url, card="").spec().name == "groot-n1.7-libero"
    floor = made(server.url, card="", checkpoint="nvidia/GR00T-N1.7-LIBERO/libero_object").spec()
    assert floor.state[0].offset == (-0.6, 0.0, 0.0)
    old = made(server.url, card=N15).spec()
    assert (old.executed, old.max_batch) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"options": {"protocol": "n2"}}, "options.protocol"),
        ({"options": None}, "options.protocol"),
        ({"state": {"x": 1}}, "8 numbers in its state, and its options.state has 1"),
        ({"action": {"x": 6}}, "7 numbers in its action, and its options.action has 6"),
        ({"action": {"x": 0}}, "options.action.x"),
        ({"key": ""}, "'exterior/0'"),
    ],
)
def test_a_card_that_does_not_add_up_is_refused(tmp_path, changes, part):
    packaged = (files("vlabench.policies") / "cards" / f"{N16}.yaml").read_text("utf-8")
    card = yaml.safe_load(packaged) | {"checkpoints": ["mine"]}
    if "options" in changes:
        card["options"] = changes["options"] or {}
    elif "key" in changes:
        card["cameras"][0]["key"] = changes["key"]
    else:
        card["options"] |= changes
    card["name"] = "mine"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError) as caught:
        Groot("tcp://127.0.0.1:5555", card=str(tmp_path / "mine.yaml"))
    assert part in str(caught.value)


# --- what can go wrong ------------------------------------------------------------------------


def one(**parts):
    return [split(ACTIONS[:1]) | {f"action.{name}": part for name, part in parts.items()}, {}]


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (ValueError("no such key"), "the error 'no such key'"),
        (split(ACTIONS[:1]), "NoneType where"),
        ([{}, {}], "[] where"),
        (one(extra=ACTIONS[:1]), "'action.extra'"),
        (one(x=ACTIONS[:1, :8, :1]), "'action.x' as float32 (1, 8, 1) where a float (1, 16, 1)"),
        (one(x=ACTIONS[0, :, :1]), "'action.x' as float32 (16, 1)"),
        (one(x=np.zeros((1, 16, 1), int)), "'action.x' as int64"),
        (one(x=[0.0] * 16), "'action.x' as list"),
        (one(yaw=np.full((1, 16, 1), np.nan, "f4")), "nan as number 5 of action 0"),
        (one(z=np.full((1, 16, 1), 9, "f4")), "9.0 as number 2 of action 0"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(server, made, answer, part):
    def act(observation, options):
        if isinstance(answer, Exception):
            raise answer
        return answer

    server.act = act
    policy = made(server.url)
    with pytest.raises(PolicyError) as caught:
        policy.act([see()])
    assert part in str(caught.value)
    assert server.url in str(caught.value)
    server.act = answering
    np.testing.assert_array_equal(policy.act([see()])[0].actions, ACTIONS[0])


def test_of_several_only_the_wrong_one_fails(server, made):
    actions = ACTIONS.copy()
    actions[1, 0, 0] = np.nan
    server.act = lambda observation, options: [split(actions), {}]
    policy = made(server.url)
    good, bad = policy.act([see("a"), see("b")])
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    pipeline.to_env(good.actions)
    with pytest.raises(PolicyError, match="nan"):
        pipeline.to_env(bad.actions)


def test_bytes_of_another_protocol_are_an_infrastructure_error(server, made):
    server.act = lambda observation, options: b"\xc1"
    with pytest.raises(InfrastructureError, match="something else than GR00T's msgpack"):
        made(server.url).act([see()])


def test_the_bare_error_of_an_older_server_is_the_policys(server, made):
    server.act = lambda observation, options: b"ERROR"
    with pytest.raises(PolicyError, match="reported an error of its own"):
        made(server.url).act([see()])


def test_a_server_that_is_not_there_is_told_when_a_session_begins(made):
    port = dead_port()
    policy = made(f"tcp://127.0.0.1:{port}", connect_timeout_s="0.2")
    with pytest.raises(InfrastructureError, match=rf":{port} cannot be reached \(within 0.2 s"):
        policy.reset([START])
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        policy.act([see()])


def test_another_kind_of_server_is_told(made):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            for _ in range(2):
                accepted, _ = listener.accept()
                with accepted:
                    accepted.recv(1000)
                    accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(64))

        thread = threading.Thread(target=greet)
        thread.start()
        policy = made(f"tcp://127.0.0.1:{listener.getsockname()[1]}", connect_timeout_s="2")
        with pytest.raises(InfrastructureError, match="does not speak ZeroMQ"):
            policy.reset([START])
        thread.join()


def test_a_server_that_hangs_is_given_up_and_asked_again_over_a_new_socket(server, made):
    policy = made(server.url, timeout_s="0.3")
    server.act = lambda observation, options: HANG
    with pytest.raises(InfrastructureError, match=r"took too long \(over 0.3 s\)"):
        policy.act([see()])
    server.act = answering
    server.release.set()
    policy.reset([START])
    np.testing.assert_array_equal(policy.act([see()])[0].actions, ACTIONS[0])


def test_a_server_that_hangs_up_is_an_infrastructure_error_at_once(server, made):
    policy = made(server.url, timeout_s="60")
    server.act = lambda observation, options: HANG_UP
    with pytest.raises(InfrastructureError, match="broke off before its answer"):
        policy.act([see()])


def test_a_server_that_comes_back_with_another_checkpoint_is_not_used(server, made):
    policy = made(server.url)
    server.act = lambda observation, options: HANG_UP
    with pytest.raises(InfrastructureError, match="broke off"):
        policy.act([see()])
    server.modalities = changed("video", modality_keys=["image"])
    with pytest.raises(InfrastructureError, match="video keys"):
        policy.reset([START])


def test_a_token_travels_and_a_wrong_one_is_refused(made, monkeypatch):
    with FakeGroot("n1.6", answering, wanted="sesame") as server:
        with pytest.raises(ContractError, match=r"Unauthorized: Invalid API token.*api_token_env"):
            Groot(server.url, card=N16)
        monkeypatch.setenv("MY_TOKEN", "sesame")
        policy = made(server.url, **{"api_token_env": "MY_TOKEN"})
        assert len(policy.act([see()])) == 1
        assert server.frames[-1].endswith(b"\xa9api_token\xa6sesame")


def test_without_a_url_it_says_what_to_start_and_what_to_give():
    with pytest.raises(UsageError) as caught:
        Groot()
    for part in ("run_gr00t_server.py", "--use-sim-policy-wrapper", "url=tcp://127.0.0.1:5555"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"url": "127.0.0.1:5555"}, "no tcp address"),
        ({"url": "http://127.0.0.1:5555"}, "no tcp address"),
        ({"url": "tcp://127.0.0.1"}, "no tcp address"),
        ({"url": "tcp://host:port"}, "no tcp address"),
        ({"url": "tcp://127.0.0.1:5555/act"}, "no tcp address"),
        ({"url": "tcp://me@host:1"}, "more in it than the tcp address"),
        ({"url": "tcp://:secret@host:1"}, "more in it than the tcp address"),
        ({"url": "tcp://me:secret@host:port"}, "more in it than the tcp address"),
        ({"url": "tcp://host:1?token=secret"}, "more in it than the tcp address"),
        ({"url": "tcp://host:1", "timeout_s": "soon"}, "timeout_s=soon"),
        ({"url": "tcp://host:1", "connect_timeout_s": 0}, "connect_timeout_s=0"),
        ({"url": "tcp://host:1", "checkpoint": "nvidia/GR00T"}, "did you mean"),
        ({"url": "tcp://host:1", "card": "oft-libero"}, "--policy oft-rest"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments, part):
    with pytest.raises(UsageError) as caught:
        Groot(**arguments)
    assert part in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_pyzmq_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name == "zmq":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'vlabench\[zmq\]'"):
        Groot("tcp://127.0.0.1:5555")


def recalled(observation, session, old):
    """What is recalled of one session of a request."""
    at = (0,) if old else (session, 0)
    images = [observation[key][at] for key in KEYS[:2]]
    state = np.concatenate([observation[key][at] for key in KEYS[2:9]])
    return recall(observation[KEYS[9]][session], images, state, 16, 7, np.float32)


def recalling_alone(observation):
    return split(recalled(observation, 0, old=True))


def recalling(observation, options):
    sessions = range(len(observation[KEYS[9]]))
    return [split(np.stack([recalled(observation, i, old=False) for i in sessions])), {}]


@pytest.mark.slow
def test_a_run_through_n1_5_is_the_run_in_process(tmp_path):
    with FakeGroot("n1.5", recalling_alone) as server:
        remote = through_the_command(tmp_path, "groot-zmq", url=server.url, card=N15)
    assert runs(remote) == runs(in_process(tmp_path, N15, dtype="f4"))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_a_run_through_n1_6_is_the_run_in_process(tmp_path, runner):
    with FakeGroot("n1.6", recalling) as server:
        remote = through_the_command(
            tmp_path, "groot-zmq", "--workers", "2", runner=runner, url=server.url, card=N16
        )
    assert runs(remote) == runs(in_process(tmp_path, N16, state_dtype="f4", dtype="f4"))
