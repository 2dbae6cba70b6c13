"""Policies that are served: what they answer is what they answer at home."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from harness_fakes import FakeWorld
from serve_fakes import Counting, Odd, served, serving
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vlabench.cli import main
from vlabench.contract import protocol
from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import PADDING
from vlabench.contract.wire import encode
from vlabench.errors import InfrastructureError, PolicyError, UsageError
from vlabench.policies.random import Random
from vlabench.policies.remote import Remote
from vlabench.registry import POLICIES, WORLDS
from vlabench.rollout import RunContext
from vlabench.runner.job import Finished, Job, LostAttempt, Station
from vlabench.serving.packages import check_packages
from vlabench.serving.remote import remote_protocol
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk, EpisodeStart, Observation

CONTEXT = RunContext("run", "suite", 1, "hash")


def see(episode_id, instruction="lift"):
    return Observation(episode_id, 0, 0.0, instruction, {}, {})


def start(episode_id, seed=7):
    return EpisodeStart(episode_id, seed, "lift", EXAMPLE_ENV)


def begun(server, *episode_ids, **arguments):
    policy = Remote(server.url, **arguments)
    policy.reset([start(name) for name in episode_ids])
    return policy


def run(world, policy, args, episodes):
    station = Station(Job(world, policy, args, CONTEXT))
    with closing(station):
        return [station.attempt(episode, 0) for episode in episodes]


def stable(events):
    assert all(isinstance(event, Finished) for event in events), events
    return [event.record.stable() for event in events]


# --- over the protocol `remote` -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["expert", "random", "random-goal", "prior"])
def test_a_served_policy_keeps_the_promises_of_a_policy(name):
    with served(POLICIES.load(name)) as server, closing(Remote(server.url)) as policy:
        assert policy.spec() == POLICIES.load(name)().spec()
        check_policy(policy)


def test_answers_say_how_many_sessions_they_had_and_how_long_they_took():
    make = lambda: Counting(0.01, stateful=False)  # noqa: E731
    with served(make) as server, closing(begun(server, "a", "b")) as policy:
        one, two = policy.act([see("a"), see("b")])
        assert (one.batch_size, two.batch_size) == (2, 2)
        assert 10 <= one.infer_ms < 1000
        assert policy.act([see("b")])[0].actions[0, 0] == 2


def test_sessions_of_several_connections_are_answered_together():
    counting = []
    make = lambda: counting.append(Counting(stateful=False)) or counting[0]  # noqa: E731
    with served(make, wait_ms=2000) as server:
        policies = [begun(server, f"e{i}") for i in range(6)]
        with ThreadPoolExecutor(6) as threads:
            asked = [threads.submit(policies[i].act, [see(f"e{i}")]) for i in range(6)]
            chunks = [future.result()[0] for future in asked]
        assert sorted(map(len, counting[0].batches)) == [2, 4]
        assert sorted(chunk.batch_size for chunk in chunks) == [2, 2, 4, 4, 4, 4]
        assert all(chunk.actions[0, 0] == 1 for chunk in chunks)
        for policy in policies:
            policy.close()


def test_a_policy_that_wants_full_batches_gets_them():
    counting, declared = [], {"fixed_batch": True, "stateful": False}
    make = lambda: counting.append(Counting(**declared)) or counting[0]  # noqa: E731
    with served(make) as server, closing(begun(server, "a", "b")) as policy:
        assert not policy.spec().fixed_batch
        assert [chunk.actions[0, 0] for chunk in policy.act([see("a"), see("b")])] == [1, 1]
        assert counting[0].batches == [["a", "b", f"{PADDING}0", f"{PADDING}1"]]


def test_more_sessions_than_a_batch_holds_are_answered_in_several():
    counting = []
    names = [f"e{i}" for i in range(9)]
    with (
        served(lambda: counting.append(Counting(stateful=False)) or counting[0]) as server,
        closing(begun(server, *names)) as policy,
    ):
        assert len(policy.act([see(name) for name in names])) == 9
        assert sorted(map(len, counting[0].batches)) == [1, 4, 4]


def test_a_policy_that_remembers_is_asked_for_one_session_at_a_time():
    counting = []
    make = lambda: counting.append(Counting()) or counting[0]  # noqa: E731
    with served(make, wait_ms=500) as server:
        well, ill = begun(server, "well"), begun(server, "ill")
        with ThreadPoolExecutor(2) as threads:
            good = threads.submit(well.act, [see("well")])
            bad = threads.submit(ill.act, [see("ill", "raise")])
            with pytest.raises(PolicyError, match="out of ideas"):
                bad.result()
            assert good.result()[0].actions[0, 0] == 1
        well.close()
        ill.close()
    assert sorted(counting[0].batches) == [["ill"], ["well"]]


def test_one_session_that_goes_wrong_leaves_the_others_alone():
    with served(lambda: Counting(stateful=False), wait_ms=500) as server:
        well, ill = begun(server, "well"), begun(server, "ill")
        with ThreadPoolExecutor(2) as threads:
            good = threads.submit(well.act, [see("well")])
            bad = threads.submit(ill.act, [see("ill", "raise")])
            with pytest.raises(PolicyError, match=r"^ValueError: out of ideas$"):
                bad.result()
            assert good.result()[0].actions[0, 0] >= 1
        well.close()
        ill.close()


def test_the_same_episode_on_two_connections_is_two_sessions():
    counting = []
    with served(lambda: counting.append(Counting()) or counting[0]) as server:
        one, two = begun(server, "e"), begun(server, "e")
        assert [one.act([see("e")])[0].actions[0, 0] for _ in range(2)] == [1, 2]
        assert two.act([see("e")])[0].actions[0, 0] == 1
        one.close()
        assert two.act([see("e")])[0].actions[0, 0] == 2
        two.close()
    assert sorted(counting[0].ended) == ["e", "e#2"]


def test_a_client_that_leaves_takes_its_sessions_with_it():
    counting = []
    with served(lambda: counting.append(Counting()) or counting[0]) as server:
        begun(server, "a", "b").close()
        with closing(begun(server, "c")) as policy:
            policy.act([see("c")])
            policy.end(["c"])
    assert counting[0].ended == ["a", "b", "c"]
    assert counting[0].closed


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ([0.0] * 7, "answered a list; it must answer an ActionChunk"),
        (ActionChunk([[0.0] * 7]), "answered a list; actions must be a float array"),
        (ActionChunk(np.array([[object()] * 7])), "type object cannot travel"),
        (ActionChunk(np.zeros((1, 7)), extras={"plan": object()}), "object cannot travel"),
    ],
)
def test_an_answer_that_is_none_is_the_policys_error(answer, part):
    with served(lambda: Odd(answer)) as server, closing(begun(server, "e")) as policy:
        with pytest.raises(PolicyError) as caught:
            policy.act([see("e")])
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        ("text", "binary frames"),
        (b"\xc1", "no msgpack"),
        (encode({"type": "dance", "request": 5}), "dance"),
        (encode({"type": "act", "request": 5}), "has no field 'observations'"),
        (protocol.write(protocol.Done(5)), "clients send reset, act or end"),
        (protocol.write(protocol.Act(5, (see("never"),))), "no session 'never'"),
        (protocol.write(protocol.End(5, ("never",))), "no session 'never'"),
    ],
)
def test_what_is_no_request_is_told_and_ends_the_connection(sent, part):
    with served(Counting) as server, connect(server.url) as raw:
        assert isinstance(protocol.read(raw.recv(5)), protocol.Hello)
        raw.send(sent)
        answer = protocol.read(raw.recv(5))
        assert answer.kind == "protocol"
        assert part in answer.text
        assert answer.request in (None, 5)
        with pytest.raises(ConnectionClosed, match="1002"):
            raw.recv(5)


def test_an_api_key_is_asked_for(monkeypatch):
    monkeypatch.setenv("KEY", "sesame")
    monkeypatch.setenv("WRONG", "sesam")
    with served(Counting, token="sesame") as server:  # noqa: S106
        Remote(server.url, token_env="KEY").close()  # noqa: S106
        for arguments in ({}, {"token_env": "WRONG"}):
            with pytest.raises(UsageError, match=r"HTTP 401.*token_env=NAME"):
                Remote(server.url, **arguments)
        probe = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        probe.request("GET", "/healthz")
        assert (probe.getresponse().status, server.url) == (200, f"ws://127.0.0.1:{server.port}")
        probe.close()


def test_a_port_in_use_is_told_and_the_policy_closed():
    counting = Counting()
    with served(Counting) as server:
        from vlabench.serving import Server

        second = Server(lambda: counting, remote_protocol, address="127.0.0.1", port=server.port)
        with pytest.raises(UsageError, match=rf"Port {server.port} of 127\.0\.0\.1 is in use"):
            second.start()
    assert counting.closed


def test_a_server_that_stops_answers_what_it_was_asked():
    with served(lambda: Counting(0.4)) as server:
        policy = begun(server, "e")
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(policy.act, [see("e")])
            time.sleep(0.15)
            server.stop()
            assert asked.result()[0].actions[0, 0] == 1
        with pytest.raises(InfrastructureError, match=r"1001.*the server is stopping"):
            policy.act([see("e")])


def test_records_of_episodes_that_share_batches_are_those_of_home(suite_file):
    from vlabench.manifest import build_manifest
    from vlabench.suite import load_suite

    episodes = build_manifest(load_suite(str(suite_file)), FakeWorld()).episodes
    home = stable(run("harness_fakes:FakeWorld", "random", {}, episodes))
    with served(Random) as server:
        parts = [episodes[i::3] for i in range(3)]
        with ThreadPoolExecutor(3) as threads:
            away = threads.map(
                lambda some: stable(
                    run("harness_fakes:FakeWorld", "remote", {"url": server.url}, some)
                ),
                parts,
            )
            found = {record["episode_id"]: record for some in away for record in some}
    assert [found[record["episode_id"]] for record in home] == home


# --- the command --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "tasks"), [("expert", ["place-on", "lift"]), ("replay", ["lift"])]
)
def test_records_of_the_world_are_those_of_home(policy, tasks):
    world = WORLDS.load("tabletop")()
    episodes = [draw_episode(world, task, (), seed=0, index=3) for task in tasks]
    home = stable(run("tabletop", policy, {}, episodes))
    with serving(policy, "--port", "0") as (_, url):
        assert stable(run("tabletop", "remote", {"url": url}, episodes)) == home


def test_an_episode_whose_server_died_runs_again(tmp_path):
    world = FakeWorld()
    episode = draw_episode(world, "stack", (), seed=0, index=0)
    (home,) = stable(run("harness_fakes:FakeWorld", "harness_fakes:FakePolicy", {}, [episode]))
    murderous = (
        "harness_fakes:MurderousPolicy",
        *("--policy-arg", f"folder={tmp_path}", "--policy-arg", "deaths=1"),
    )
    with serving(*murderous, "--port", "0") as (process, url):
        args = {"url": url, "away_s": 1.0}
        station = Station(Job("harness_fakes:FakeWorld", "remote", args, CONTEXT))
        lost = station.attempt(episode, 0)
        assert isinstance(lost, LostAttempt)
        assert "closed the connection" in lost.error
        assert process.wait(10) == -signal.SIGKILL
    again = station.attempt(episode, 1)
    assert isinstance(again, LostAttempt)
    assert "cannot be reached" in again.error
    with serving(*murderous, "--port", url.rpartition(":")[2]):
        finished = station.attempt(episode, 2)
        station.close()
    assert finished.record.attempt == 2
    assert stable([finished]) == [home]


def test_a_signal_stops_it_when_everybody_has_been_answered(tmp_path):
    diary = tmp_path / "diary"
    arguments = ("serve_fakes:Diary", "--policy-arg", f"path={diary}", "--port", "0")
    with serving(*arguments) as (process, url):
        answered, lost = [], []

        def ask(name):
            policy = Remote(url)
            try:
                policy.reset([start(name)])
                while True:
                    answered.append(policy.act([see(name)])[0])
            except InfrastructureError as error:
                lost.append(str(error))
            finally:
                policy.close()

        threads = [threading.Thread(target=ask, args=[f"e{i}"]) for i in range(6)]
        for thread in threads:
            thread.start()
        while len(answered) < 20:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(20)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")
    assert len(lost) == 6
    assert all("1001" in text and "the server is stopping" in text for text in lost), lost
    lines = diary.read_text().splitlines()
    assert sorted(lines[:-1]) == [f"end e{i}" for i in range(6)]
    assert lines[-1] == "close"


def test_a_second_ctrl_c_stops_it_at_once(tmp_path):
    arguments = ("--policy-arg", f"path={tmp_path / 'diary'}", "--policy-arg", "pause_s=60")
    with serving("serve_fakes:Diary", *arguments, "--port", "0") as (process, url):
        policy = Remote(url)
        policy.reset([start("e")])
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(policy.act, [see("e")])
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
            with pytest.raises(InfrastructureError, match="closed the connection"):
                asked.result()


MINE = """
import numpy as np


def act(observation):
    mean = observation.images["exterior/0"].mean() / 255
    return np.full(7, mean)
"""


def test_ten_lines_wrap_a_model(tmp_path: Path):
    (tmp_path / "mine.py").write_text(MINE)
    arguments = ("--policy-arg", "cameras=exterior/0", "--policy-arg", "image_size=64")
    with (
        serving("mine:act", *arguments, "--port", "0", folder=tmp_path) as (_, url),
        closing(Remote(url)) as policy,
    ):
        assert [camera.height for camera in policy.spec().cameras] == [64]
        check_policy(policy)


def test_a_policy_that_lacks_its_packages_names_them(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["serve", "inference_fakes:HomelessPolicy"])
    assert caught.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    here = version("numpy")
    assert f"not here: numpy==2.0.2 ({here} is installed), cowsay==6.1 (not installed)" in told
    assert "run 'pip install numpy==2.0.2 cowsay==6.1'" in told


@pytest.mark.parametrize(
    "requirement",
    [
        "numpy",
        "NumPy>=1.20",
        "numpy @ https://example.org/numpy.whl",
        "cowsay==6.1; python_version < '3'",
        "/no/such/folder/a-package-1.0-py3-none-any.whl",
    ],
)
def test_packages_that_are_here_are_not_asked_for(requirement):
    check_packages("mine", [requirement])


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["noop", "--protocol", "remoet"], "did you mean 'remote'"),
        (["noop", "--key", "state=s"], "--key belongs to --protocol openpi"),
        (["noop", "--protocol", "openpi", "--key", "state"], "not of the form PART=KEY"),
        (["noop", "--protocol", "openpi", "--key", "wrist=w"], "Unknown part of an observation"),
        (["noop", "--token-env", "VLABENCH_UNSET"], "VLABENCH_UNSET of --token-env holds no"),
        (["noop", "--host", "192.0.2.1"], "Cannot listen on 192.0.2.1:8000"),
        (["expert", "--protocol", "openpi"], "reads the simulator's state"),
        (["nop"], "did you mean 'noop'"),
        (["noop", "--policy-arg", "speed=2"], "takes no arguments"),
    ],
)
def test_a_wrong_command_is_one_sentence(words, part, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["serve", *words])
    assert caught.value.code == 2
    assert part in " ".join(capsys.readouterr().err.split())


def test_an_open_address_is_warned_of():
    with serving("noop", "--port", "0", "--host", "0.0.0.0") as (process, _):  # noqa: S104
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert err.startswith("Warning: 0.0.0.0 is open to other machines: anyone who can reach it")
    assert process.returncode == 0


def test_the_command_is_listed():
    from vlabench.cli import _app

    shown = CliRunner().invoke(_app(["--help"]), ["--help"])
    assert "Let others ask a policy over the network." in shown.output


def test_random_streams_are_those_of_home():
    home = Random()
    home.reset([start("e")])
    with served(Random) as server, closing(begun(server, "e")) as policy:
        (away,) = policy.act([see("e")])
    np.testing.assert_array_equal(away.actions, home.act([see("e")])[0].actions)
