"""Inference actors in Ray: processes of their own, with packages of their own; see test_host."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vlabench
from vlabench.errors import ContractError, PlacementError, UsageError
from vlabench.runner.job import RunnerOptions, declaration_of, make_policy, requirements_of
from vlabench.store import Run

WORLD = "harness_fakes:FakeWorld"
EPISODES = 28

Evaluate = Callable[..., Run]


@pytest.fixture(scope="module", autouse=True)
def _one_cluster(_workers_find_the_fakes: None) -> Iterator[None]:
    """All of these tests share one, which saves its start."""
    with importlib.import_module("vlabench.runner.ray").cluster(RunnerOptions(workers=3)):
        yield


def results(run: Run) -> dict[str, dict[str, Any]]:
    return {record.episode_id: record.stable() for record in run.records}


def actions(run: Run) -> dict[str, str]:
    return {record.episode_id: record.actions_hash for record in run.records}


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Evaluate:
    def do(folder: str, policy: str, **options: Any) -> Run:
        wrapper, _, name = policy.rpartition(":")
        return vlabench.evaluate(
            f"{wrapper}:inference_fakes:{name}".removeprefix(":"),
            str(suite_file),
            world=WORLD,
            out=tmp_path / folder,
            **options,
        )

    return do


def batches(run: Run) -> list[float]:
    sizes = [record.batch_size_mean for record in run.records]
    assert None not in sizes
    return [size for size in sizes if size is not None]


def test_batches_fill_from_several_workers_and_change_nothing(evaluate: Evaluate) -> None:
    serial = evaluate("serial", "BatchedPolicy", runner="serial")
    assert {record.status for record in serial.records} == {"success", "failure"}
    assert set(batches(serial)) == {1.0}
    shared = evaluate("shared", "BatchedPolicy", workers=3, batch_wait_ms=50.0)
    assert results(shared) == results(serial)
    assert 1.0 < max(batches(shared)) <= 3.0
    apart = evaluate("apart", "BatchedPolicy", workers=1, inference_actors=0, limit=2)
    assert set(batches(apart)) == {1.0}


def test_a_killed_actor_is_started_again(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    args = {"folder": str(tmp_path / "claims"), "deaths": 2}
    run = evaluate("run", "MortalPolicy", policy_args=args, workers=2)
    assert (run.missing, run.valid) == ([], True)
    assert len(run.attempts) >= 2
    assert all("process was lost" in attempt.error for attempt in run.attempts)
    assert actions(run) == actions(evaluate("plain", "BatchedPolicy", runner="serial"))


def test_a_server_that_everybody_shares_is_asked_by_one_process(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    args = {"folder": str(tmp_path)}
    run = evaluate("run", "SharedPolicy", policy_args=args, workers=3)
    assert len(list(tmp_path.glob("asked-*"))) == 1
    assert actions(run) == actions(evaluate("plain", "BatchedPolicy", runner="serial"))


def test_a_server_that_comes_back_otherwise_stops_the_run(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    args = {"folder": str(tmp_path), "how": "other"}
    with pytest.raises(PlacementError, match="declares something else since its server was lost"):
        evaluate("run", "ReturnedPolicy", policy_args=args, workers=2)
    assert {record.error for record in Run.open(tmp_path / "run").records} <= {None}


def test_a_policy_that_declares_something_else_where_it_runs_is_refused(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=r"control_hz is .* in the plan and .*; run again"):
        evaluate("run", "FicklePolicy", policy_args={"folder": str(tmp_path)}, workers=1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"runner": "serial", "inference_actors": 1}, "--inference-actors is for workers"),
        ({"runner": "serial", "gpus": 0.5}, "--gpus is for workers"),
        ({"runner": "serial", "render_device": "cpu"}, "--render-device is for workers"),
        ({"inference_actors": -1}, "-1; give 0 or more"),
        ({"gpus": -0.5}, "-0.5 GPUs"),
        ({"gpus": float("inf")}, "inf GPUs"),
        ({"gpus": 1.5}, "1.5 GPUs"),
        ({"batch_wait_ms": -1.0}, "--batch-wait-ms is -1.0"),
        ({"render_device": "gpu"}, "--render-device is 'gpu'"),
        ({"latency": -1.0}, "-1.0 ms is no time"),
        ({"inference_actors": 1, "gpus": 64}, "too few for --inference-actors 1 with --gpus 64"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], text: str, evaluate: Evaluate) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate("run", "BatchedPolicy", limit=1, **options)
    assert text in str(caught.value)


def test_packages_of_its_own_need_an_actor(evaluate: Evaluate) -> None:
    with pytest.raises(UsageError, match=r"packages of its own \(/no/such/.*--runner ray"):
        evaluate("run", "HopelessPolicy", runner="serial")
    with pytest.raises(UsageError, match=r"packages of its own .*leave out --inference-actors 0"):
        evaluate("run", "HopelessPolicy", inference_actors=0)
    wrapped = requirements_of("blind:inference_fakes:HopelessPolicy", {})
    assert wrapped == requirements_of("inference_fakes:HopelessPolicy", {}) != ()
    assert requirements_of("inference_fakes:BatchedPolicy", {}) == ()
    assert declaration_of("inference_fakes:HopelessPolicy", {}) is not None
    assert declaration_of("inference_fakes:HomelessPolicy", {}) is None
    deaf, heard = (
        declaration_of(f"{before}inference_fakes:HopelessPolicy", {}) for before in ("deaf:", "")
    )
    assert deaf is not None
    assert heard is not None
    assert (deaf.name, deaf.action) == (f"deaf:{heard.name}", heard.action)


@pytest.mark.slow
def test_an_environment_that_cannot_be_built_is_told_in_pips_words(evaluate: Evaluate) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate("run", "HopelessPolicy", workers=1)
    said = str(caught.value)
    assert "cannot be built: " in said
    assert "No such file or directory" in said
    assert "'/no/such/folder/a-package-1.0-py3-none-any.whl'" in said
    assert "\n" not in said


@pytest.mark.slow
def test_a_policy_runs_under_packages_of_its_own(evaluate: Evaluate, tmp_path: Path) -> None:
    note = tmp_path / "where.txt"
    with pytest.raises(UsageError, match="cowsay"):
        make_policy("inference_fakes:HomelessPolicy", {"where": str(note)})
    run = evaluate("run", "HomelessPolicy", policy_args={"where": str(note)}, workers=2, limit=4)
    assert note.read_text() == "2.0.2 cowsay"
    assert np.__version__ != "2.0.2"
    assert run.valid
    assert results(run) == results(evaluate("here", "BatchedPolicy", runner="serial", limit=4))
