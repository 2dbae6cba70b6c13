"""openpi's protocol, from its server's side: frame by frame, and behind our own client."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import replace

import msgpack
import numpy as np
import pytest
from harness_fakes import FakePolicy
from serve_fakes import Counting, served
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vlabench.contract.openpi_codec import pack, unpack
from vlabench.contract.specs import CameraSpec, PolicySpec, StateField
from vlabench.contract.wire import policy_spec_from_wire
from vlabench.errors import UnknownNameError, UsageError
from vlabench.policies.card import packaged_card
from vlabench.policies.openpi import OpenPi
from vlabench.seeding import seed_of
from vlabench.serving.openpi import openpi_protocol
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk

SPEC = PolicySpec(
    name="seeing",
    cameras=(
        CameraSpec("exterior/0", 256, 256, resized=(2, 3), key="observation/image"),
        CameraSpec("wrist/0", 2, 2, history=2, layout="chw", dtype="float32"),
    ),
    proprio=("joint_positions",),
    state=(StateField("ee_position"), StateField("gripper_opening")),
    needs=("last_action",),
    chunk_length=10,
    executed=5,
    control_hz=10.0,
)
REQUEST = {
    "observation/image": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    "wrist/0": np.zeros((2, 3, 2, 2), np.float32),
    "observation/joint_positions": np.arange(7, dtype=np.float32),
    "observation/state": np.array([1, 2, 3, 0.5], np.float32),
    "observation/last_action": np.zeros(7),
    "prompt": "lift",
}


class Seeing(Counting):
    """Answers chunks of ten, and keeps what it was shown.

    Attributes:
        seen: Every observation.
    """

    def __init__(self, spec=SPEC):
        super().__init__()
        self.seen, self._spec = [], spec

    def spec(self):
        return self._spec

    def answer(self, seen):
        self.seen.append(seen)
        return ActionChunk(np.full((10, 7), len(self.seen), np.float32), infer_ms=2.5)


def ask(socket, **changes):
    request = {key: value for key, value in {**REQUEST, **changes}.items() if value is not None}
    socket.send(pack(request))
    answer = socket.recv(5)
    return answer if isinstance(answer, str) else unpack(answer)


def test_the_first_frame_is_the_servers_and_declares_the_policy():
    with served(Seeing, openpi_protocol()) as server, connect(server.url) as socket:
        metadata = unpack(socket.recv(5))
        assert list(metadata) == ["policy_spec"]
        assert policy_spec_from_wire(metadata["policy_spec"]) == SPEC


def test_every_observation_is_answered_as_openpi_answers():
    with served(Seeing, openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        first, second = ask(socket), ask(socket)
        for answer, value in ((first, 1), (second, 2)):
            np.testing.assert_array_equal(answer["actions"], np.full((10, 7), value))
            assert answer["actions"].dtype == np.float32
            assert answer["policy_timing"] == {"infer_ms": 2.5}
        assert list(first["server_timing"]) == ["infer_ms"]
        assert list(second["server_timing"]) == ["infer_ms", "prev_total_ms"]
        assert second["server_timing"]["prev_total_ms"] > 0


def test_actions_travel_in_openpis_own_bytes():
    with served(Seeing, openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        socket.send(pack(REQUEST))
        raw = msgpack.unpackb(socket.recv(5), strict_map_key=False)
    assert raw["actions"] == {
        b"__ndarray__": True,
        b"data": np.ones((10, 7), np.float32).tobytes(),
        b"dtype": "<f4",
        b"shape": [10, 7],
    }


def test_the_policy_sees_what_was_sent():
    made = []
    with (
        served(lambda: made.append(Seeing()) or made[0], openpi_protocol()) as server,
        connect(server.url) as socket,
    ):
        socket.recv(5)
        ask(socket)
        ask(socket)
    first, second = made[0].seen
    np.testing.assert_array_equal(first.images["exterior/0"], REQUEST["observation/image"])
    np.testing.assert_array_equal(first.images["wrist/0"], REQUEST["wrist/0"])
    np.testing.assert_array_equal(first.state, [1, 2, 3, 0.5])
    np.testing.assert_array_equal(first.proprio["joint_positions"], np.arange(7))
    np.testing.assert_array_equal(first.last_action, np.zeros(7))
    assert first.state.dtype == first.proprio["joint_positions"].dtype == np.float64
    assert (first.instruction, first.step, first.time_s) == ("lift", 0, 0.0)
    assert (second.step, second.time_s) == (5, 0.5)


def test_a_connection_is_a_session():
    made = []
    with served(lambda: made.append(Seeing()) or made[0], openpi_protocol()) as server:
        for _ in range(2):
            with connect(server.url) as socket:
                socket.recv(5)
                ask(socket)
                ask(socket)
    assert [seen.episode_id for seen in made[0].seen] == ["openpi-1"] * 2 + ["openpi-2"] * 2
    assert made[0].seeds == {f"openpi-{i}": seed_of("openpi", i) for i in (1, 2)}
    assert made[0].ended == ["openpi-1", "openpi-2"]


def test_parts_may_be_called_otherwise():
    made = []
    keys = {
        "exterior/0": "cam",
        "state": "observation/position+observation/gripper",
        "prompt": "task",
    }
    with (
        served(lambda: made.append(Seeing()) or made[0], openpi_protocol(keys)) as server,
        connect(server.url) as socket,
    ):
        socket.recv(5)
        ask(
            socket,
            cam=REQUEST["observation/image"],
            task="push",
            **{"observation/position": np.array([1.0, 2.0, 3.0]), "observation/gripper": 0.5},
            **{"observation/image": None, "observation/state": None, "prompt": None},
        )
    np.testing.assert_array_equal(made[0].seen[0].state, [1, 2, 3, 0.5])
    assert made[0].seen[0].instruction == "push"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"prompt": None}, "has no 'prompt' but 'observation/image', 'wrist/0'"),
        ({"prompt": 3}, "'prompt' is a int; send text"),
        ({"observation/image": None}, "has no 'observation/image'"),
        ({"observation/image": "picture"}, "'observation/image' is a str"),
        (
            {"observation/image": np.zeros((4, 4, 3), np.uint8)},
            "uint8 (4, 4, 3), where the policy 'seeing' wants uint8 (2, 3, 3)",
        ),
        ({"observation/image": np.zeros((2, 3, 3))}, "float64 (2, 3, 3), where"),
        ({"wrist/0": np.zeros((2, 2, 3), np.float32)}, "wants float32 (2, 3, 2, 2)"),
        ({"observation/state": np.zeros((2, 2))}, "float64 (2, 2); send a vector"),
        ({"observation/state": np.array(["x"])}, "send a vector of numbers"),
        ({"observation/state": np.zeros(5)}, "has 5 numbers, where the policy 'seeing' wants 4"),
        ({"observation/state": np.array([0, 0, np.nan, 1])}, "a number that is not finite"),
        ({"observation/last_action": np.zeros(8)}, "has 8 numbers, where"),
    ],
)
def test_a_wrong_observation_is_answered_with_a_traceback_and_1011(changes, part):
    with served(Seeing, openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        answer = ask(socket, **changes)
        assert answer.startswith("Traceback (most recent call last):")
        assert part in answer
        with pytest.raises(ConnectionClosed, match=r"1011.*Traceback included in previous frame"):
            socket.recv(5)


@pytest.mark.parametrize(
    ("actions", "part"),
    [
        (np.full((10, 7), np.nan), "answered nan in row 0, column 0"),
        (np.zeros((4, 7)), "answered actions of shape (4, 7)"),
        (np.zeros((10, 7), int), "they must be floats"),
    ],
)
def test_nothing_is_sent_that_the_declaration_does_not_allow(actions, part):
    class Wrong(Seeing):
        def answer(self, seen):
            return ActionChunk(actions)

    with served(Wrong, openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        answer = ask(socket)
        assert answer.startswith("Traceback (most recent call last):")
        assert part in answer


@pytest.mark.parametrize("data", ["text", b"\xc1", pack([1])])
def test_a_frame_that_is_none_is_answered_likewise(data):
    with served(Seeing, openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        socket.send(data)
        assert "WireError" in socket.recv(5)
        with pytest.raises(ConnectionClosed, match="1011"):
            socket.recv(5)


def test_a_policy_that_raises_is_told_of():
    spec = replace(SPEC, cameras=(), proprio=(), state=(), needs=())
    with served(lambda: Broken(spec), openpi_protocol()) as server, connect(server.url) as socket:
        socket.recv(5)
        assert "ValueError: out of ideas" in ask(socket, prompt="raise")


class Broken(Seeing):
    def answer(self, seen):
        return Counting.answer(self, seen)


def test_it_tells_that_it_is_well():
    with served(FakePolicy, openpi_protocol()) as server:
        probe = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        probe.request("GET", "/healthz")
        answer = probe.getresponse()
        assert (answer.status, answer.read()) == (200, b"OK\n")
        probe.close()


def test_what_the_protocol_cannot_carry_is_refused():
    for spec, part in (
        (replace(SPEC, privileged=True), "reads the simulator's state"),
        (replace(SPEC, needs=("depth", "last_action")), "needs depth, which"),
    ):
        with pytest.raises(UsageError) as caught:
            openpi_protocol()(spec)
        assert part in str(caught.value)
    with pytest.raises(UnknownNameError, match=r"'wrist/1' in --key; did you mean 'wrist/0'"):
        openpi_protocol({"wrist/1": "w"})(SPEC)


class Steady(Seeing):
    """Answers by what it sees, and by nothing else."""

    def answer(self, seen):
        return ActionChunk(np.full((10, 7), np.tanh(seen.state.sum() + seen.step), np.float32))


def test_our_own_client_and_card_get_on_with_it():
    spec = packaged_card("pi05-libero").spec()
    with (
        served(lambda: Steady(spec), openpi_protocol()) as server,
        closing(OpenPi(server.url)) as policy,
    ):
        assert policy.spec() == spec
        check_policy(policy, EXAMPLE_ENV)
