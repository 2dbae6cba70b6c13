"""Running a sample twice: which episodes, what is published, and what is not run a third time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gate_fakes import EPISODES, SINGLES, WORLD, InterruptedProgress, TwiceExpert, evaluate

import vlabench
from vlabench.cli import main
from vlabench.errors import UsageError
from vlabench.evaluation import Plan, plan, verify_run
from vlabench.repetition import determinism, sample
from vlabench.runinfo import Determinism, RunInfo
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Progress, Silent
from vlabench.store import Run


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "singles.yaml"
    path.write_text(SINGLES)
    return path


@pytest.fixture(autouse=True)
def _rested() -> Iterator[None]:
    TwiceExpert.times.clear()
    yield
    TwiceExpert.times.clear()


def planned_run(suite: Path, folder: Path, policy: str = "harness_fakes:FakePolicy") -> Plan:
    return plan(policy, str(suite), world=WORLD, out=folder)


def verify(planned: Plan, count: int, progress: Progress | None = None) -> Run:
    return verify_run(planned, count, "serial", RunnerOptions(), progress or Silent())


def test_a_larger_sample_holds_the_smaller_and_none_is_drawn_twice(
    suite: Path, tmp_path: Path
) -> None:
    manifest = planned_run(suite, tmp_path).manifest
    names = set(manifest.by_id)
    samples = [sample(manifest, names, count) for count in (1, 5, 20, EPISODES, 1000)]
    assert [len(one) for one in samples] == [1, 5, 20, EPISODES, EPISODES]
    for small, large in itertools.pairwise(samples):
        assert {e.episode_id for e in small} <= {e.episode_id for e in large}
    assert samples[1] == sample(manifest, names, 5)
    assert samples[3] == list(manifest.episodes)
    places = [list(manifest.by_id).index(e.episode_id) for e in samples[2]]
    assert places == sorted(places) != list(range(20))
    without = names - {samples[0][0].episode_id}
    assert samples[0][0] not in sample(manifest, without, 20)


def test_there_must_be_something_to_repeat(suite: Path, tmp_path: Path) -> None:
    manifest = planned_run(suite, tmp_path).manifest
    with pytest.raises(UsageError, match="--verify is 0; give"):
        sample(manifest, set(manifest.by_id), 0)
    with pytest.raises(UsageError, match="no finished episode"):
        sample(manifest, set(), 3)
    told = tuple(replace(episode, diagnostic=True) for episode in manifest.episodes)
    listening = replace(manifest, episodes=told)
    with pytest.raises(UsageError, match="diagnostic ones apart"):
        sample(listening, set(listening.by_id), 3)


def test_a_deterministic_policy_never_flips(suite: Path, tmp_path: Path) -> None:
    run = vlabench.evaluate(
        "harness_fakes:FakePolicy",
        str(suite),
        world=WORLD,
        runner="serial",
        out=tmp_path / "run",
        verify=10,
    )
    assert run.info.determinism == Determinism(10, 10, (), same_actions=10, same_states=10)
    assert run.info.determinism.flip_rate == 0
    assert len(run.repeated) == 10
    assert len(run.records) == EPISODES
    assert {record.success for record in run.records} == {True, False}


def test_flips_are_counted_named_and_published(suite: Path, tmp_path: Path) -> None:
    evaluate(suite, tmp_path / "run", "gate_fakes:TwiceExpert")
    planned = planned_run(suite, tmp_path / "run", "gate_fakes:TwiceExpert")
    run = verify(planned, 12)
    chosen = sample(run.manifest, set(run.manifest.by_id), 12)
    far = sorted(e.episode_id for e in chosen if e.factors["goal"] > 0.5)
    assert 0 < len(far) < 12
    found = run.info.determinism
    assert found is not None
    assert (found.asked, found.repeated, found.flips) == (12, 12, tuple(far))
    assert found.same_actions == found.same_states == 12 - len(far)
    assert found.flip_rate == len(far) / 12
    assert all(record.success for record in run.records)
    data = json.loads((run.path / "run.json").read_text())
    assert data["determinism"]["flips"] == far
    assert RunInfo.from_json(data) == run.info


def test_what_was_repeated_is_not_run_a_third_time(suite: Path, tmp_path: Path) -> None:
    planned = planned_run(suite, tmp_path / "run", "gate_fakes:TwiceExpert")
    evaluate(suite, tmp_path / "run", "gate_fakes:TwiceExpert")
    with pytest.raises(KeyboardInterrupt):
        verify(planned, 10, InterruptedProgress(after=4))
    half = Run.open(planned.folder).info.determinism
    assert half is not None
    assert (half.asked, half.repeated) == (10, 4)
    with (planned.folder / "repeated.jsonl").open("a") as file:
        file.write('{"torn":')
    verify(planned, 10)
    more = verify(planned, 15).info.determinism
    fewer = verify(planned, 2).info.determinism
    assert more is not None
    assert more == fewer
    assert (more.asked, more.repeated) == (15, 15)
    assert sum(TwiceExpert.times.values()) == EPISODES + 15


def test_what_did_not_come_to_an_end_again_is_not_repeated() -> None:
    found = determinism({}, {}, ["a", "b"])
    assert found == Determinism(2, 0, (), 0, 0)
    assert found.flip_rate is None


def call(*words: str) -> Any:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


def test_the_command_line_shows_it(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--policy", "gate_fakes:TwiceExpert", "--suite", str(suite), "--quiet"]
    words += ["--world", WORLD, "--runner", "serial", "--out", str(tmp_path / "run")]
    assert call(*words, "--verify", "12") == 0
    printed = capsys.readouterr().out
    found = Run.open(tmp_path / "run").info.determinism
    assert found is not None
    assert f"Run twice: 12 episodes, of which {len(found.flips)} " in printed
    assert call(*words) == 0
    assert f"Run twice: 12 episodes, of which {len(found.flips)} " in capsys.readouterr().out


def test_a_sample_of_nothing_is_refused_before_anything_runs(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--policy", "gate_fakes:TwiceExpert", "--suite", str(suite), "--quiet"]
    words += ["--world", WORLD, "--runner", "serial", "--out", str(tmp_path / "run")]
    assert call(*words, "--verify", "0") == 2
    assert "--verify is 0; give how many" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
