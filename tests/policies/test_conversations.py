"""What adapters share whose server knows a session by its connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from fake_openpi import FakeOpenPi
from fake_rest import dead_port
from fake_vla_eval import FakeVlaEval
from fake_websocket import HANG_UP
from sessions import NOBODY, begin, making

from vlabench.errors import InfrastructureError, SessionLostError, UsageError
from vlabench.policies.card import find_card
from vlabench.policies.openpi import OpenPi
from vlabench.policies.vla_eval import VlaEval
from vlabench.runner.resident import Resident
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk, EpisodeStart, Observation

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@dataclass(frozen=True)
class Pair:
    """An adapter, and a fake of the server that it speaks to.

    Attributes:
        rows: The shape of a right answer.
    """

    policy: Callable[..., Any]
    server: Callable[..., Any]
    rows: tuple[int, ...]

    def right(self, observation, call):
        return {"actions": np.full(self.rows, call / 4)}


@pytest.fixture(
    params=[Pair(OpenPi, FakeOpenPi, (10, 7)), Pair(VlaEval, FakeVlaEval, (7,))],
    ids=["openpi", "vla-eval"],
)
def pair(request):
    return request.param


@pytest.fixture
def policy_of(pair):
    with making(pair.policy) as make:
        yield make


def see(episode_id="e"):
    images = {"exterior/0": IMAGE, "wrist/0": IMAGE}
    return Observation(episode_id, 0, 0.0, "open it", images, {}, state=np.zeros(8))


def test_the_policy_conforms(pair):
    with pair.server(pair.right) as server, closing(pair.policy(server.url)) as policy:
        check_policy(policy)


def test_a_dry_run_needs_no_server(pair):
    assert pair.policy(NOBODY).spec() == find_card(pair.policy.adapter).spec()


def test_each_session_has_a_connection_of_its_own(pair, policy_of):
    with pair.server(pair.right) as server:
        policy = begin(policy_of(server), "other")
        first, other = policy.act([see(), see("other")])
        (second,) = policy.act([see()])
        assert server.connections == 2
        policy.end(["e"])
        (again,) = begin(policy, "e").act([see()])
        assert server.connections == 3
    assert [chunk.actions[0, 0] for chunk in (first, other, second, again)] == [0, 0, 0.25, 0]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"url": "http://127.0.0.1:8000"}, "no address of a websocket"),
        ({"url": "127.0.0.1:8000"}, "no address of a websocket"),
        ({"url": "ws://:secret@host"}, "more in it than the address of a websocket"),
        ({"timeout_s": "soon"}, "timeout_s=soon"),
        ({"connect_timeout_s": 0}, "connect_timeout_s=0"),
        ({"attempts": "0"}, "attempts=0"),
        ({"card": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(pair, arguments, part):
    with pytest.raises(UsageError) as caught:
        pair.policy(**{"url": NOBODY, **arguments})
    assert part in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_dead_server_is_an_infrastructure_error(policy_of):
    port = dead_port()
    with pytest.raises(InfrastructureError, match=f"127.0.0.1:{port}.*attempts: 2"):
        policy_of(f"ws://127.0.0.1:{port}", attempts="2")


@pytest.mark.parametrize(
    ("answer", "part"), [(HANG_UP, "closed the connection"), (b"\xc1", "cannot be read")]
)
def test_a_sick_server_is_an_infrastructure_error(pair, policy_of, answer, part):
    with pair.server(lambda observation, call: answer) as server:
        policy = policy_of(server)
        with pytest.raises(InfrastructureError) as caught:
            policy.act([see()])
        assert part in str(caught.value)
        assert server.url in str(caught.value)


def test_a_server_that_hangs_is_an_infrastructure_error(pair, policy_of):
    release = threading.Event()
    with pair.server(lambda observation, call: release.wait(20) and HANG_UP) as server:
        policy = policy_of(server, timeout_s="0.3")
        with pytest.raises(InfrastructureError, match=r"has not answered for 0\.3 s"):
            policy.act([see()])
        release.set()


def test_a_session_that_is_lost_leaves_the_others_alone(pair):
    """A policy that remembers is not made anew because one of its connections broke."""
    asked = []

    def answer(observation, call):
        asked.append(observation)
        words = str(observation.get("prompt", observation.get("task_description")))
        return HANG_UP if words == "bad" else pair.right(observation, 1)

    with pair.server(answer) as server:
        resident = Resident(lambda: pair.policy(url=server.url))
        for name in ("good", "bad", "fine"):
            resident.reset(EpisodeStart(name, 1, name, EXAMPLE_ENV))
        found = {
            name: resident.act([replace(see(name), instruction=name)])[0]
            for name in ("good", "bad", "fine", "good")
        }
        resident.close()
    assert {name: type(answer) for name, answer in found.items()} == {
        "good": ActionChunk,
        "bad": SessionLostError,
        "fine": ActionChunk,
    }
    assert len(asked) == 4


def test_a_session_that_lost_its_server_is_not_continued_but_begun_again(pair, policy_of):
    answers = iter([HANG_UP, pair.right(None, 0)])
    with pair.server(lambda observation, call: next(answers)) as server:
        policy = policy_of(server)
        for _ in range(2):
            with pytest.raises(SessionLostError):
                policy.act([see()])
        begin(policy, "e").act([see()])
        assert server.connections == 2
