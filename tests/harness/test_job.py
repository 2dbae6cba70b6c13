"""The station: what it finds, and what it frees."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from harness_fakes import FakeEnvironment, FakePolicy, FakeWorld

from vlabench.errors import UsageError
from vlabench.manifest import build_manifest
from vlabench.provenance import code_hash
from vlabench.rollout import RunContext
from vlabench.runner.job import Finished, Job, Station
from vlabench.suite import load_suite
from vlabench.types import EpisodeSpec

CONTEXT = RunContext("run", "small", 3, "hash")


@pytest.fixture
def episode(suite_file: Path) -> EpisodeSpec:
    return build_manifest(load_suite(str(suite_file)), FakeWorld()).episodes[0]


def test_a_worker_finds_the_modules_of_who_made_the_job(
    episode: EpisodeSpec, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job("harness_fakes:FakeWorld", "mine:Mine", {}, CONTEXT)
    monkeypatch.chdir(Path(__file__).parent)
    assert str(mine.parent) not in sys.path
    assert isinstance(Station(job).attempt(episode, 0), Finished)


def test_the_environment_is_freed_whatever_the_policy_does(
    episode: EpisodeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(policy: FakePolicy) -> None:
        raise RuntimeError("cannot close")

    freed: list[FakeEnvironment] = []
    monkeypatch.setattr(FakeEnvironment, "close", lambda self: freed.append(self))
    monkeypatch.setattr(FakePolicy, "close", refuse)
    station = Station(Job("harness_fakes:FakeWorld", "harness_fakes:FakePolicy", {}, CONTEXT))
    station.attempt(episode, 0)
    with pytest.raises(RuntimeError, match="cannot close"):
        station.close()
    assert len(freed) == 1
    station.close()


def test_a_worker_that_runs_other_code_is_refused(episode: EpisodeSpec) -> None:
    job = Job("harness_fakes:FakeWorld", "harness_fakes:FakePolicy", {}, CONTEXT)
    assert isinstance(Station(replace(job, code_hash=code_hash())).attempt(episode, 0), Finished)
    with pytest.raises(UsageError, match=r"another vlabench, .*vlabench; install the same one"):
        Station(replace(job, code_hash="0123456789abcdef")).attempt(episode, 0)
