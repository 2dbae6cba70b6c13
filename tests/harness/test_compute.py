"""What a policy takes up: counted where it lives, told over every wire, in records and rows."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from harness_fakes import FakePolicy, FakeWorld
from serve_fakes import served

import vlabench
from vlabench import report
from vlabench.contract import compute
from vlabench.contract.compute import check_compute, compute_of, count_parameters
from vlabench.contract.protocol import KNOWS, Act, Actions, Reset, for_older, read, write
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import chunk_from_wire, chunk_to_wire, decode, encode, to_wire
from vlabench.errors import PolicyError
from vlabench.leaderboard.rows import leaderboard_row
from vlabench.plans import Plan
from vlabench.policies.remote import Remote
from vlabench.policies.websocket import Connection
from vlabench.runner.resident import Resident
from vlabench.store import Run
from vlabench.testing import EXAMPLE_ENV
from vlabench.types import VOLATILE_FIELDS, ActionChunk, Compute, EpisodeStart, Observation

WORLD = "harness_fakes:FakeWorld"
MODEL = torch.nn.Linear(4, 3)


class Torch(FakePolicy):
    """Holds two models that share a layer, deep inside: 15 + 8 parameters."""

    def __init__(self, **declared: object) -> None:
        shared = torch.nn.Linear(4, 3)
        self.parts = {"nets": [types.SimpleNamespace(net=torch.nn.Sequential(shared))]}
        self.head = torch.nn.Sequential(shared, torch.nn.Linear(3, 2))
        self.declared = declared

    def spec(self) -> PolicySpec:
        return replace(super().spec(), **self.declared)


class Telling(FakePolicy):
    """Says itself what it takes up, more with every answer."""

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        self.asked = getattr(self, "asked", 0) + 1
        told = Compute(1_000_000 * self.asked, 77)
        return [replace(chunk, compute=told) for chunk in super().act(observations)]


class Touchy:
    """Raises whatever it is asked."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def linear(observation: Observation) -> np.ndarray:
    """A policy that is one function, whose model is global."""
    del observation
    return MODEL(torch.zeros(4)).detach().numpy()


def test_the_parameters_of_all_models_count_once() -> None:
    assert count_parameters(Torch()) == 23
    assert count_parameters(torch.nn.Linear(2, 2)) == 6
    assert count_parameters(linear) == 15
    assert count_parameters(lambda net=MODEL: MODEL) == 15
    assert count_parameters(FakePolicy()) is None
    assert count_parameters([Touchy(), Torch()]) == 23
    assert count_parameters([torch.nn.LazyLinear(3)]) is None
    round_about = Torch()
    round_about.parts["self"] = round_about
    assert count_parameters(round_about) == 23


def test_nothing_is_known_without_torch_or_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compute_of(FakePolicy()) is None
    assert compute_of(Torch()) == Compute(None, 23)
    monkeypatch.delitem(sys.modules, "torch")
    assert compute_of(Torch()) is None


def test_the_memory_is_that_of_all_cards_and_never_0(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = [3_000, 4_000]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda card: peaks[card])
    assert compute_of(FakePolicy()) == Compute(7_000, None)
    peaks[:] = [0, 0]
    assert compute_of(FakePolicy()) is None
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    peaks[:] = [5, 5]
    assert compute_of(FakePolicy()) is None


@pytest.mark.parametrize(
    "wrong", [Compute(-1), Compute(params=1.5), Compute(gpu_memory_bytes=True), 3, {"params": 1}]
)
def test_what_is_no_size_is_the_policys_error(wrong: object) -> None:
    with pytest.raises(PolicyError, match=r"^The policy says that"):
        check_compute(wrong)
    assert check_compute(Compute(0, 0)) == Compute(None, 0)


# --- records, run.json, rows ----------------------------------------------------------------------


def run_of(policy: str, folder, suite_file, **args) -> Run:
    return vlabench.evaluate(
        f"test_compute:{policy}",
        str(suite_file),
        policy_args=args,
        limit=2,
        runner="serial",
        world=WORLD,
        out=folder,
    )


def test_counted_parameters_stand_in_records_run_and_row(tmp_path, suite_file) -> None:
    run = run_of("Torch", tmp_path / "run", suite_file)
    assert {record.params for record in run.records} == {23}
    assert {record.gpu_memory_bytes for record in run.records} == {None}
    assert Run.open(run.path).info.policy.params == 23
    row = leaderboard_row(run)
    assert (row["params"], row["weight_type"], row["gpu_memory_gb"]) == (23, None, None)
    assert "answers an episode, 23 parameters." in report.text(report.summarize(run))
    again = run_of("Torch", tmp_path / "run", suite_file)
    assert again.info.policy.params == 23


def test_what_is_declared_stands_before_what_is_counted(tmp_path, suite_file) -> None:
    run = run_of("Torch", tmp_path / "run", suite_file, params=7_000_000_000, weight_type="shared")
    assert {record.params for record in run.records} == {7_000_000_000}
    row = leaderboard_row(run)
    assert (row["params"], row["weight_type"]) == (7_000_000_000, "shared")


def test_what_the_policy_says_of_itself_stands_and_the_most_of_it_counts(
    tmp_path, suite_file
) -> None:
    run = run_of("Telling", tmp_path / "run", suite_file)
    peaks = [record.gpu_memory_bytes for record in run.records]
    assert max(peaks) == 1_000_000 * sum(record.policy_calls for record in run.records)
    assert Run.open(run.path).info.policy.gpu_memory_bytes == max(peaks)
    assert leaderboard_row(run)["gpu_memory_gb"] == max(peaks) / 1e9
    assert {record.params for record in run.records} == {77}
    assert {"gpu_memory_bytes", "params"} < VOLATILE_FIELDS
    told = " ".join(report.text(report.summarize(run)).split())
    assert "at most 0.03 GB of GPU memory, 77 parameters." in told


def test_a_run_of_before_can_be_read_and_gone_on_with(tmp_path, suite_file) -> None:
    run = run_of("Torch", tmp_path / "run", suite_file)
    new = ("params", "weight_type", "gpu_memory_bytes")
    info = json.loads((run.path / "run.json").read_text())
    info["policy"] = {name: value for name, value in info["policy"].items() if name not in new}
    info |= {"episodes_sha256": None, "finished_at": None, "schema_version": "1.3", "completed": 0}
    (run.path / "run.json").write_text(json.dumps(info))
    lines = [json.loads(line) for line in (run.path / "episodes.jsonl").read_text().splitlines()]
    later = {"planner", "planner_left_out", "planner_calls", "subtask_changes", "subtask_s_mean"}
    later |= {"stages_named", "stages_named_in_order", "gpu_memory_bytes", "params"}
    kept = [{k: v for k, v in line.items() if k not in later} for line in lines[:2]]
    text = "".join(json.dumps({**line, "schema_version": "1.3"}) + "\n" for line in kept)
    (run.path / "episodes.jsonl").write_text(text)
    before = Run.open(run.path)
    assert [record.params for record in before.records] == [None, None]
    assert before.info.policy.params is None
    assert report.text(report.summarize(before))
    after = run_of("Torch", tmp_path / "run", suite_file)
    assert after.valid
    assert after.info.policy.params == 23
    assert sorted({record.params for record in after.records}, key=str) == [23, None]


# --- hosts and servers ----------------------------------------------------------------------------


def start(name: str) -> EpisodeStart:
    return EpisodeStart(name, 0, "do it", EXAMPLE_ENV)


def see(name: str) -> Observation:
    return Observation(name, 0, 0.0, "do it", {}, {})


def test_a_host_counts_once_and_says_it_with_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    count = compute.count_parameters
    counting = "vlabench.runner.resident.count_parameters"
    monkeypatch.setattr(counting, lambda policy: counted.append(policy) or count(policy))
    resident = Resident(Torch)
    resident.reset(start("e"))
    answers = [resident.act([see("e")])[0] for _ in range(3)]
    assert [answer.compute for answer in answers] == [Compute(None, 23)] * 3
    assert len(counted) == 1
    travelled = chunk_from_wire(decode(encode(chunk_to_wire(answers[0]))))
    assert travelled.compute == Compute(None, 23)


def test_a_server_tells_a_client_that_knows_and_spares_one_that_does_not() -> None:
    with served(lambda: Torch(params=9, weight_type="shared")) as server:
        policy = Remote(server.url)
        assert (policy.spec().params, policy.spec().weight_type) == (9, "shared")
        policy.reset([start("new")])
        assert policy.act([see("new")])[0].compute == Compute(None, 9)
        policy.close()
        old = Connection(
            "old", server.url, connect_timeout_s=5, timeout_s=5, attempts=1, headers={}
        )
        old.connect()
        hello = decode(old.receive())
        assert not {"params", "weight_type", "planner", "reads"} & hello["policy"].keys()
        old.send(write(Reset(1, (start("old"),))))
        old.receive()
        old.send(write(Act(2, (see("old"),))))
        (chunk,) = decode(old.receive())["chunks"]
        assert chunk.keys() == {"actions", "infer_ms", "batch_size", "extras"}
        old.close()
    assert KNOWS[0].isascii()


def test_an_older_frame_is_read_and_one_for_older_peers_has_nothing_new() -> None:
    chunk = ActionChunk(np.zeros((1, 7)), compute=Compute(5, 6), plan=Plan("go"))
    older = for_older(Actions(1, (chunk,)))
    assert isinstance(older, Actions)
    assert older.chunks[0].compute is None
    assert older.chunks[0].plan == Plan("go")
    plain = write(Actions(1, (ActionChunk(np.zeros((1, 7))),)))
    assert b"compute" not in plain
    assert b"plan" not in plain
    found = read(plain)
    assert isinstance(found, Actions)
    assert found.chunks[0].compute is None
    assert to_wire(FakeWorld().spec()).keys() == to_wire(EXAMPLE_ENV).keys()
