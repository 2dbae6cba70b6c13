"""One policy for many sessions, without Ray: workers are threads, and a host is an object."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from inference_fakes import BatchedPolicy
from serve_fakes import Counting, served

from vlabench.contract.wire import decode, encode
from vlabench.errors import InfrastructureError, PlacementError, PolicyError, UsageError
from vlabench.evaluation import Plan, plan
from vlabench.runner import serial
from vlabench.runner.host import PolicyHost
from vlabench.runner.inference import Ask, HostedPolicy, host_of, question
from vlabench.runner.job import Finished, Job, LostAttempt, RunnerOptions, Station
from vlabench.runner.resident import Resident
from vlabench.testing import EXAMPLE_ENV
from vlabench.types import (
    ActionChunk,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Json,
    Observation,
)

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


def test_a_hierarchy_is_answered_in_batches_and_its_plans_are_the_same(planned: Planned) -> None:
    what = planned("Talker/inference_fakes:BatchedPolicy", **{"planner.every": 2})
    mine, shared = alone(what), in_threads(what, 4, 2)
    assert shared.stable == mine.stable
    assert sum(shared.batches) / EPISODES > 1.0
    assert {len(r.planner) for r in mine.records.values() if r.steps > 4} == {2}
    assert {record.planner_calls for record in mine.records.values()} > {3, 6}


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


@pytest.mark.parametrize(("workers", "hosts"), [(4, 1), (4, 2)])
def test_a_policy_that_remembers_is_never_asked_twice(
    workers: int, hosts: int, planned: Planned
) -> None:
    what = planned("CountingPolicy")
    mine, shared = alone(what), in_threads(what, workers, hosts)
    assert {record.status for record in mine.records.values()} >= {"success", "policy_error"}
    assert (shared.lost, shared.stable) == ([], mine.stable)
    assert set(shared.batches) - {0.0} == {1.0}


def test_nor_is_one_behind_a_server_of_its_own(tmp_path: Path) -> None:
    with served(Counting) as server, event_loop() as loop:
        host = PolicyHost("remote", json.dumps({"url": server.url}), str(tmp_path), 500.0)
        policies = [HostedPolicy([link(host, loop)]) for _ in range(2)]
        for policy, name in zip(policies, ("well", "ill"), strict=True):
            policy.reset([EpisodeStart(name, 7, "lift", EXAMPLE_ENV)])

        def ask(policy: HostedPolicy, name: str, instruction: str) -> list[float]:
            seen = Observation(name, 0, 0.0, instruction, {}, {})
            return [float(policy.act([seen])[0].actions[0, 0]) for _ in range(3)]

        with ThreadPoolExecutor(2) as pool:
            well = pool.submit(ask, policies[0], "well", "lift")
            ill = pool.submit(ask, policies[1], "ill", "raise")
            assert well.result() == [1.0, 2.0, 3.0]
            with pytest.raises(PolicyError, match="out of ideas"):
                ill.result()
        question(link(host, loop), "close")


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ("other", "declares something else since its server was lost"),
        ("broken", "asks for another API key"),
        ("mute", "cannot answer 'reset' (ZeroDivisionError); mend the policy"),
    ],
)
def test_a_server_that_comes_back_otherwise_stops_the_run(
    how: str, part: str, planned: Planned, claims: str
) -> None:
    """No episode is charged with it; of one worker the run ends at the first session after."""
    with pytest.raises(PlacementError) as caught:
        in_threads(planned("ReturnedPolicy", folder=claims, how=how), 1, 1)
    assert part in str(caught.value)


class Scripted(BatchedPolicy):
    """Begins no session of `refused`; `gone`, it answers nothing, and begins no other either."""

    def __init__(self, refused: str = "", gone: str = "") -> None:
        super().__init__()
        self.refused, self.gone, self.closed = refused, gone, False

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        super().reset(starts)
        if self.gone == "reset":
            raise InfrastructureError("the server is gone")
        if any(start.episode_id == self.refused for start in starts):
            raise RuntimeError("not this one")

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        if self.gone == "act":
            raise InfrastructureError("the server is gone")
        return super().act(observations)

    def close(self) -> None:
        self.closed = True


def test_one_session_that_a_new_policy_refuses_is_lost_alone() -> None:
    new = Scripted(refused="bad")
    made = iter([Scripted(gone="act"), new])
    resident = Resident(lambda: next(made))
    names = ("good", "bad", "fine")
    starts = {name: EpisodeStart(name, 7, "lift", EXAMPLE_ENV) for name in names}
    seen = [Observation(name, 0, 0.0, "lift", {}, {}) for name in names]
    for start in starts.values():
        resident.reset(start)
    assert [type(answer) for answer in resident.act(seen)] == [InfrastructureError] * 3
    resident.reset(replace(starts["good"], episode_id="another"))
    good, bad, fine = resident.act(seen)
    assert isinstance(good, ActionChunk)
    assert isinstance(fine, ActionChunk)
    assert isinstance(bad, InfrastructureError)
    assert sorted(new.seeds) == ["another", "fine", "good"]
    with pytest.raises(PolicyError, match="not this one"):
        resident.reset(starts["bad"])


def test_a_policy_that_cannot_take_the_sessions_over_is_closed_and_made_anew() -> None:
    policies = [Scripted(gone="act"), Scripted(gone="reset"), Scripted()]
    made = iter(policies)
    resident = Resident(lambda: next(made))
    resident.reset(EpisodeStart("e", 7, "lift", EXAMPLE_ENV))
    seen = [Observation("e", 0, 0.0, "lift", {}, {})]
    answers = [resident.act(seen)[0] for _ in range(3)]
    assert [type(answer) for answer in answers] == [InfrastructureError] * 2 + [ActionChunk]
    assert [policy.closed for policy in policies] == [True, True, False]


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


def test_an_error_that_nobody_foresaw_comes_back_in_words(planned: Planned) -> None:
    host = host_for(planned("BatchedPolicy").job)
    for what, data in (("dance", encode(None)), ("reset", b"\xc1")):
        answer = decode(asyncio.run(host.ask(what, data)))
        assert answer["error"] == "usage"
        assert f"cannot answer {what!r} (" in answer["text"]
    assert decode(asyncio.run(host.ask("end", encode("nobody")))) == {"answer": None}
