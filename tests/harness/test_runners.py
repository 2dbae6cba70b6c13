"""The set of results is the same in this process, in workers, and after a kill."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ray import exceptions

import vlabench
from vlabench.errors import InfrastructureError, InvalidRunError, UsageError
from vlabench.store import Run

WORLD = "harness_fakes:FakeWorld"
EPISODES = 28


def results(run: Run) -> dict[str, dict[str, Any]]:
    return {record.episode_id: record.stable() for record in run.records}


Evaluate = Callable[..., Run]


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Evaluate:
    def do(folder: str, policy: str = "FakePolicy", **options: Any) -> Run:
        return vlabench.evaluate(
            f"harness_fakes:{policy}",
            str(suite_file),
            world=WORLD,
            out=tmp_path / folder,
            **options,
        )

    return do


def command(suite_file: Path, folder: Path, runner: str, policy: str) -> list[str]:
    return [
        *(sys.executable, "-m", "vlabench", "eval", "--suite", str(suite_file)),
        *("--policy", f"harness_fakes:{policy}", "--world", WORLD, "--out", str(folder)),
        *("--runner", runner, "--workers", "2", "--quiet"),
    ]


def test_one_process_one_worker_and_two_workers_agree(evaluate: Evaluate) -> None:
    serial = evaluate("serial", runner="serial")
    assert len(serial.records) == EPISODES
    assert {record.status for record in serial.records} == {"success", "failure"}
    for workers in (1, 2):
        ray = evaluate(f"ray-{workers}", runner="ray", workers=workers)
        assert results(ray) == results(serial)
        assert ray.info.manifest_hash == serial.info.manifest_hash
        for record in ray.records:
            there, here = ray.trace(record.episode_id), serial.trace(record.episode_id)
            assert there.actions_hash == here.actions_hash == record.actions_hash
            assert there.checksums.tolist() == here.checksums.tolist()


@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_a_killed_run_resumes_to_the_same_set(
    runner: str, evaluate: Evaluate, suite_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    log = folder / "episodes.jsonl"
    words = command(suite_file, folder, runner, "SlowPolicy")
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as driver:
        while driver.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < 4):
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL
    kept = log.read_bytes()
    assert 4 <= kept.count(b"\n") < EPISODES
    resumed = evaluate("killed", "SlowPolicy", runner="serial")
    assert log.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert len(resumed.records) == EPISODES
    assert results(resumed) == results(evaluate("whole", "SlowPolicy", runner="serial"))


def test_ctrl_c_keeps_what_is_done(suite_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    log = folder / "episodes.jsonl"
    words = command(suite_file, folder, "ray", "SlowestPolicy")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        while driver.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < 4):
            time.sleep(0.01)
        os.kill(driver.pid, signal.SIGINT)
        _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert errors.splitlines() == [
        f"Stopped: {Run.open(folder).info.completed} of {EPISODES} episodes are kept in {folder}, "
        "and the same command resumes."
    ]
    run = Run.open(folder)
    assert 4 <= run.info.completed == len(run.records) < EPISODES


def test_a_worker_that_dies_is_replaced(evaluate: Evaluate, tmp_path: Path) -> None:
    args = {"folder": str(tmp_path), "deaths": 2}
    run = evaluate("run", "MurderousPolicy", policy_args=args, runner="ray", workers=1)
    assert (run.missing, run.valid) == ([], True)
    assert [attempt.attempt for attempt in run.attempts] == [0, 1]
    assert len({attempt.episode_id for attempt in run.attempts}) == 1
    attempts = {record.episode_id: record.attempt for record in run.records}
    assert attempts.pop(run.attempts[0].episode_id) == 2
    assert set(attempts.values()) == {0}

    def outcomes(run: Run) -> dict[str, str]:
        return {record.episode_id: record.actions_hash for record in run.records}

    assert outcomes(run) == outcomes(evaluate("plain", runner="serial"))


@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_an_episode_that_is_lost_three_times_is_missing(runner: str, evaluate: Evaluate) -> None:
    args = {"goal": 0.3}
    run = evaluate("run", "LostPolicy", policy_args=args, runner=runner, workers=2)
    lost = [
        name
        for name, episode in run.manifest.by_id.items()
        if float(episode.factors["goal"]) < args["goal"]
    ]
    assert 0 < len(lost) < EPISODES
    assert run.missing == lost
    assert not run.valid
    assert (run.info.completed, run.info.missing) == (EPISODES - len(lost), len(lost))
    tried = sorted((attempt.episode_id, attempt.attempt) for attempt in run.attempts)
    assert tried == sorted((name, attempt) for name in lost for attempt in range(3))
    assert "the server is gone" in run.attempts[0].error


def test_a_hopeless_run_stops_early(evaluate: Evaluate, tmp_path: Path) -> None:
    with pytest.raises(InvalidRunError, match=r"10 episodes in a row .*server is gone"):
        evaluate("run", "LostPolicy", policy_args={"goal": 9.0}, runner="serial")
    run = Run.open(tmp_path / "run")
    assert len(run.attempts) == 30
    assert not run.valid


@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_a_defect_of_ours_ends_the_run_and_is_shown(runner: str, evaluate: Evaluate) -> None:
    with pytest.raises(ZeroDivisionError):
        evaluate("run", "DefectivePolicy", runner=runner, workers=1)


def test_an_error_that_came_without_its_cause_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = importlib.import_module("vlabench.runner.pool")
    bare = runner.ray.exceptions.RayTaskError("attempt", "a traceback", ZeroDivisionError())
    bare.cause = None

    def get(future: object) -> None:
        raise bare

    monkeypatch.setattr(runner.ray, "get", get)
    with pytest.raises(runner.ray.exceptions.RayTaskError) as caught:
        runner.received(None)
    assert caught.value is bare


@pytest.mark.parametrize(
    "error",
    [
        exceptions.OutOfMemoryError("the node has no memory left"),
        exceptions.ObjectLostError("00", b"", ""),
        exceptions.ObjectStoreFullError("the store is full"),
        exceptions.NodeDiedError("the node died"),
        exceptions.ActorDiedError(),
        exceptions.RayTaskError("ask", "a traceback", ValueError()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_ray_raises_is_a_loss(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = importlib.import_module("vlabench.runner.hosts")

    def get(future: object) -> None:
        raise error

    monkeypatch.setattr(runner.ray, "get", get)
    ask = runner.link(mock.MagicMock())
    with pytest.raises(InfrastructureError, match="process was lost"):
        ask("act", b"")


def test_an_unknown_cluster_is_told(evaluate: Evaluate) -> None:
    with pytest.raises(UsageError, match="--ray-address"):
        evaluate("run", runner="ray", ray_address="127.0.0.1:1")


@pytest.mark.slow
def test_a_process_that_is_lost_costs_one_piece_of_work() -> None:
    from harness_fakes import fragile

    from vlabench.runner.job import RunnerOptions
    from vlabench.runner.ray import each

    found = dict(each(fragile, range(4), RunnerOptions(workers=2)))
    assert sorted(found) == [0, 1, 2, 3]
    assert [found[number] for number in (0, 2, 3)] == ["0 done", "2 done", "3 done"]
    assert "WorkerCrashedError" in found[1]
