"""One policy for many sessions, without Ray: workers are threads, and a host is an object."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from vlabench.contract.wire import decode, encode
from vlabench.errors import InfrastructureError, UsageError
from vlabench.evaluation import Plan, plan
from vlabench.runner import serial
from vlabench.runner.host import PolicyHost
from vlabench.runner.inference import Ask, HostedPolicy, host_of, question
from vlabench.runner.job import Finished, Job, LostAttempt, RunnerOptions, Station
from vlabench.types import EpisodeRecord, EpisodeSpec, Json

WORLD = "harness_fakes:FakeWorld"
EPISODES = 28


@dataclass
class Ran:
    """What came of all episodes."""

    records: dict[str, EpisodeRecord] = field(default_factory=dict)
    lost: list[LostAttempt] = field(default_factory=list)

    def add(self, event: Finished | LostAttempt) -> None:
        if isinstance(event, Finished):
            self.records[event.record.episode_id] = event.record
        else:
            self.lost.append(event)

    @property
    def stable(self) -> dict[str, dict[str, Any]]:
        return {name: record.stable() for name, record in self.records.items()}

    @property
    def actions(self) -> dict[str, str]:
        return {name: record.actions_hash for name, record in self.records.items()}

    @property
    def batches(self) -> list[float]:
        return [record.batch_size_mean or 0.0 for record in self.records.values()]


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def link(host: PolicyHost, loop: asyncio.AbstractEventLoop) -> Ask:
    return lambda what, data: asyncio.run_coroutine_threadsafe(host.ask(what, data), loop).result()


def host_for(job: Job, wait_ms: float = 50.0) -> PolicyHost:
    return PolicyHost(job.policy, json.dumps(job.policy_args), job.folder, wait_ms)


def in_threads(planned: Plan, workers: int, hosts: int) -> Ran:
    """As the Ray runner does it: one station a worker, all of them before the same hosts."""
    left: SimpleQueue[tuple[EpisodeSpec, int]] = SimpleQueue()
    for episode in planned.manifest.episodes:
        left.put((episode, 0))
    ran, lock = Ran(), threading.Lock()
    job = planned.job

    def work(links: list[Ask]) -> None:
        station = Station(job, lambda: HostedPolicy(links))
        while True:
            try:
                episode, attempt = left.get_nowait()
            except Empty:
                break
            event = station.attempt(episode, attempt)
            with lock:
                ran.add(event)
            if isinstance(event, LostAttempt) and not event.final:
                left.put((episode, attempt + 1))
        station.close()

    with event_loop() as loop:
        links = [link(host_for(job), loop) for _ in range(hosts)]
        with ThreadPoolExecutor(workers) as pool:
            for future in [pool.submit(work, links) for _ in range(workers)]:
                future.result()
        for one in links:
            question(one, "close")
    return ran


def alone(planned: Plan) -> Ran:
    ran = Ran()
    for event in serial.run(planned.job, planned.manifest.episodes, RunnerOptions()):
        ran.add(event)
    return ran


Planned = Callable[..., Plan]


@pytest.fixture
def planned(suite_file: Path, tmp_path: Path) -> Planned:
    def do(policy: str, **args: Json) -> Plan:
        return plan(
            f"inference_fakes:{policy}",
            str(suite_file),
            policy_args=args,
            world=WORLD,
            out=tmp_path / "run",
        )

    return do


@pytest.fixture
def claims(tmp_path: Path) -> str:
    (tmp_path / "claims").mkdir()
    return str(tmp_path / "claims")


@pytest.mark.parametrize("hosts", [1, 2])
def test_batches_fill_and_change_nothing(hosts: int, planned: Planned) -> None:
    what = planned("BatchedPolicy")
    mine, shared = alone(what), in_threads(what, 4, hosts)
    assert {record.status for record in mine.records.values()} == {"success", "failure"}
    assert len(mine.records) == EPISODES
    assert shared.stable == mine.stable
    assert set(mine.batches) == {1.0}
    assert sum(shared.batches) / EPISODES > 1.0
    assert max(shared.batches) <= 4
    assert all(record.latency_ms_p50 for record in shared.records.values())


def test_one_request_policies_go_the_same_way(planned: Planned) -> None:
    what = planned("LonelyPolicy")
    shared = in_threads(what, 3, 1)
    assert shared.stable == alone(what).stable
    assert set(shared.batches) == {1.0}


def test_a_batch_of_a_fixed_size_is_filled_up_everywhere(planned: Planned) -> None:
    what = planned("FixedPolicy")
    mine, shared = alone(what), in_threads(what, 3, 1)
    assert {record.error for record in mine.records.values()} == {None}
    assert shared.stable == mine.stable
    assert max(shared.batches) > 1.0


@pytest.mark.parametrize(
    ("policy", "args", "error"),
    [
        ("SpoiltPolicy", {"way": "raise"}, "RuntimeError: no idea what to do"),
        ("SpoiltPolicy", {"way": "exit"}, "SystemExit: 3"),
        ("SpoiltPolicy", {"way": "nan"}, "nan in row 1, column 2"),
        ("SpoiltPolicy", {"way": "few"}, "answers to 1 observations"),
        ("ResetPolicy", {}, "RuntimeError: not this one"),
    ],
)
def test_one_bad_session_does_not_spoil_the_others(
    policy: str, args: dict[str, str], error: str, planned: Planned
) -> None:
    what = planned(policy, **args)
    shared = in_threads(what, 4, 1)
    assert shared.lost == []
    assert shared.stable == alone(what).stable
    bad = [record for record in shared.records.values() if record.factors["goal"] < 0.4]
    assert 0 < len(bad) < EPISODES
    for record in shared.records.values():
        assert record.status == "policy_error" or record not in bad
        assert (error in str(record.error)) == (record in bad)


@pytest.mark.parametrize("stateful", [False, True])
def test_a_lost_server_costs_attempts_and_no_results(
    stateful: bool, planned: Planned, claims: str
) -> None:
    ran = in_threads(
        planned("DisconnectedPolicy", folder=claims, losses=2, stateful=stateful), 3, 1
    )
    assert {record.error for record in ran.records.values()} == {None}
    assert len(ran.lost) >= 2
    assert any("the server is gone" in attempt.error for attempt in ran.lost)
    assert ran.actions == alone(planned("BatchedPolicy")).actions


def test_an_answer_that_is_no_chunk_is_the_policys_error(planned: Planned) -> None:
    ran = in_threads(planned("SpoiltPolicy", way="text"), 2, 1)
    errors = {record.error for record in ran.records.values()} - {None}
    assert len(errors) == 1
    assert "no chunk of actions" in str(errors.pop())


def test_what_a_host_does_not_know_runs_again(planned: Planned) -> None:
    """A host that was started anew in the middle of an episode has not seen its beginning."""
    what = planned("BatchedPolicy")
    with event_loop() as loop:
        links: list[Ask] = [link(host_for(what.job), loop)]
        policy = HostedPolicy([lambda what, data: links[0](what, data)])
        station = Station(what.job, lambda: policy)
        assert isinstance(station.attempt(what.manifest.episodes[0], 0), Finished)
        answered = 0

        def forgetful(what_: str, data: bytes) -> bytes:
            nonlocal answered
            answered += what_ == "act"
            if answered == 2:
                links[0] = link(host_for(what.job), loop)
            return links[0](what_, data)

        station = Station(what.job, lambda: HostedPolicy([forgetful]))
        lost = station.attempt(what.manifest.episodes[0], 0)
    assert isinstance(lost, LostAttempt)
    assert "started anew in the middle of this episode" in lost.error


def test_a_policy_that_cannot_be_made_says_why(planned: Planned) -> None:
    job = planned("BatchedPolicy").job
    with event_loop() as loop:
        host = PolicyHost(job.policy, '{"size": 3}', job.folder, 5.0)
        with pytest.raises(UsageError, match="takes no arguments; leave 'size' out"):
            HostedPolicy([link(host, loop)]).spec()


def test_a_session_that_was_broken_off_is_ended(planned: Planned) -> None:
    what = planned("BatchedPolicy")
    asked: list[str] = []
    with event_loop() as loop:
        whole = link(host_for(what.job), loop)

        def cut(question_: str, data: bytes) -> bytes:
            asked.append(question_)
            if question_ == "act":
                raise InfrastructureError("the line is cut")
            return whole(question_, data)

        station = Station(what.job, lambda: HostedPolicy([cut]))
        assert isinstance(station.attempt(what.manifest.episodes[0], 0), LostAttempt)
    assert asked == ["spec", "reset", "act", "end"]


def test_a_session_finds_its_host_by_its_name_alone() -> None:
    names = [f"{number:016x}" for number in range(400)]
    places = [host_of(name, 4) for name in names]
    assert places == [host_of(name, 4) for name in names]
    assert all(70 < places.count(host) < 130 for host in range(4))
    assert {host_of(name, 1) for name in names} == {0}


def test_a_question_that_nobody_knows_is_a_defect(planned: Planned) -> None:
    host = host_for(planned("BatchedPolicy").job)
    with pytest.raises(KeyError):
        asyncio.run(host.ask("dance", encode(None)))
    assert decode(asyncio.run(host.ask("end", encode("nobody")))) == {"answer": None}
