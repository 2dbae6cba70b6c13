"""Replays of real runs of a fake world, and of what was changed in them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness_fakes import FakeWorld

import vlabench
from vlabench.cli import main
from vlabench.errors import UsageError
from vlabench.replaying import replay
from vlabench.store import Run
from vlabench.trace import Trace, save_trace

Change = Callable[[Trace], Trace]


@pytest.fixture
def run(suite_file: Path, tmp_path: Path) -> Run:
    return vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite_file),
        world="harness_fakes:FakeWorld",
        runner="serial",
        limit=2,
        out=tmp_path / "run",
    )


def call(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


def test_every_episode_comes_out_the_same(run: Run) -> None:
    for record in run.records:
        result = replay(run, record.episode_id)
        assert result.verified
        assert result.steps == record.steps


def bent(trace: Trace) -> Trace:
    actions = trace.actions.copy()
    actions[2] *= 0.5
    return replace(trace, actions=actions)


def short(trace: Trace) -> Trace:
    return Trace(trace.actions[:3], trace.checksums[:3])


def forged(trace: Trace) -> Trace:
    return replace(trace, checksums=trace.checksums + np.uint32(1))


@pytest.mark.parametrize(
    ("change", "left_at", "fault"),
    [(bent, 3, "other actions"), (short, None, "another state"), (forged, 1, None)],
)
def test_a_changed_trace_is_found(
    change: Change, left_at: int | None, fault: str | None, run: Run
) -> None:
    name = run.records[0].episode_id
    save_trace(run.path / "traces" / f"{name}.npz", change(run.trace(name)))
    result = replay(run, name)
    assert not result.verified
    assert result.left_at == left_at
    assert any(fault in told for told in result.faults) if fault else not result.faults


def test_another_world_cannot_replay(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    mars = replace(FakeWorld().spec(), fingerprint="mars")
    monkeypatch.setattr(FakeWorld, "spec", lambda world: mars)
    with pytest.raises(
        UsageError, match="was run in the world fake-env, and this vlabench has mars"
    ):
        replay(run, run.records[0].episode_id)


def test_an_episode_that_has_not_run_is_told(run: Run) -> None:
    with pytest.raises(UsageError, match="no trace of the episode"):
        replay(run, "0123456789abcdef")


def test_the_command_verifies(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    record = run.records[0]
    assert call("replay", str(run.path), record.episode_id) == 0
    printed = capsys.readouterr().out
    assert f"Verified: {record.steps} control steps" in printed
    assert record.instruction in printed
    path = run.path / "traces" / f"{record.episode_id}.npz"
    save_trace(path, bent(run.trace(record.episode_id)))
    assert call("replay", str(run.path), record.episode_id) == 1
    assert "NOT VERIFIED: left at step 3" in capsys.readouterr().out


def test_the_commands_of_a_comparison_are_real(
    run: Run, suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = vlabench.evaluate(
        "harness_fakes:LazyExpert",
        str(suite_file),
        world="harness_fakes:FakeWorld",
        runner="serial",
        limit=2,
        out=tmp_path / "new run",
    )
    call("compare", str(run.path), str(new.path), "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found["flips"]
    for command in found["flips"][0]["replay"]:
        assert call(*shlex.split(command)[1:]) == 0
