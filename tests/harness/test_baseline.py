"""Promoted baselines: what the file holds, what is refused, and what a promotion says."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_fakes import episode, episodes, make_run

from vlabench.baseline import BASELINES, default_path, open_outcomes, promote, read_baseline
from vlabench.cli import main
from vlabench.errors import InvalidRunError, UsageError
from vlabench.runinfo import Conditions, PolicyInfo, Stopping
from vlabench.store import LOCK, Run
from vlabench.types import EpisodeSpec, Status

PLANNED = (
    *(episode("stack", index, ("lighting", "L2") if index % 2 else None) for index in range(110)),
    *episodes(["chain"], [("swapped-goal", "L1")], 4),
)


def some(spec: EpisodeSpec) -> Status | None:
    if spec.task == "stack" and spec.index == 9:
        return None
    return {0: "failure", 1: "policy_error"}.get(spec.index, "success")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run", PLANNED, some, os="Linux-6", cpu="fast")


def call(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    return caught.value.code


def test_a_baseline_is_the_run_without_its_actions(run: Run, tmp_path: Path) -> None:
    path = promote(run, tmp_path / "base.json")
    mine, kept = open_outcomes(run), open_outcomes(path)
    for name in ("names", "tasks", "changes"):
        assert list(getattr(mine, name)) == list(getattr(kept, name))
    for name in ("seeds", "indices", "statuses", "progress"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(kept, name))
    assert kept.info == replace(mine.info, os="", cpu="", sessions=())
    assert mine.hash == kept.hash
    assert (mine.missing, mine.policy_errors, len(mine)) == (1, 2, 114)
    assert (mine.replayable, kept.replayable) == (True, False)


def test_a_line_an_episode_so_that_a_diff_shows_what_changed(run: Run, tmp_path: Path) -> None:
    before = promote(run, tmp_path / "base.json").read_text().splitlines()
    other = make_run(tmp_path / "run2" / "run", PLANNED, lambda spec: "success")
    after = promote(other, tmp_path / "base.json").read_text().splitlines()
    assert len(before) == len(after)
    changed = [line for line, now in zip(before, after, strict=True) if line != now]
    assert len(changed) == 1 + 5
    assert sum('"status":"failure"' in line for line in changed) == 2
    assert len(json.loads("\n".join(after))["episodes"]) == 114


def test_promoting_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = promote(run, tmp_path / "base.json")
    before = path.read_bytes()
    assert promote(run, path).read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"status":"failure"', '"status":"success"'),
        ('"progress":1.0', '"progress":0.5'),
        ('"name": "run"', '"name": "another"'),
        ('"index":17', '"index":18'),
    ],
)
def test_an_edited_baseline_is_refused(old: str, new: str, run: Run, tmp_path: Path) -> None:
    path = promote(run, tmp_path / "base.json")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match="was changed after it was written"):
        read_baseline(path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read as a baseline"),
        (lambda text: "", "cannot be read as a baseline"),
        (lambda text: "[]", "is no baseline"),
        (lambda text: '{"episodes": 3, "run": {}}', "is not what this version"),
        (
            lambda text: text.replace('  "schema_version": "1.', '  "schema_version": "2.'),
            "has schema version 2",
        ),
    ],
    ids=["torn", "empty", "list", "stranger", "version"],
)
def test_a_damaged_baseline_is_one_sentence(
    damage: Callable[[str], str], told: str, run: Run, tmp_path: Path
) -> None:
    path = promote(run, tmp_path / "base.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=told):
        open_outcomes(path)


def test_a_run_that_others_cannot_repeat_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    lossy = make_run(tmp_path / "lossy", PLANNED, lambda s: None if s.index < 5 else "success")
    with pytest.raises(InvalidRunError, match="lossy is not valid"):
        promote(lossy, path)
    measured = make_run(tmp_path / "measured", PLANNED, some, conditions=Conditions("measured"))
    with pytest.raises(InvalidRunError, match="measured latency"):
        promote(measured, path)
    rule = Stopping("base", "hash", 0.05, 0.05, asked=50)
    ended = make_run(tmp_path / "ended", PLANNED, lambda spec: "success", stopping=rule)
    with pytest.raises(InvalidRunError, match="biased"):
        promote(ended, path)
    whole = make_run(tmp_path / "whole", PLANNED, some)
    with (whole.path / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InvalidRunError, match="still running"):
            promote(whole, path)
    alone = [spec for spec in PLANNED if spec.diagnostic]
    deaf = make_run(tmp_path / "deaf", alone, lambda spec: "success")
    with pytest.raises(UsageError, match="all of them are diagnostic"):
        promote(deaf, path)
    assert not path.exists()


def test_a_file_of_somebody_elses_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "thesis.json"
    path.write_text('{"chapter": 1}')
    with pytest.raises(UsageError, match="is no baseline"):
        promote(run, path)
    assert path.read_text() == '{"chapter": 1}'


def test_an_unwritable_place_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot write .*give another --out"):
        promote(run, tmp_path / "file" / "base.json")


def test_the_default_place_is_named_by_policy_and_suite(tmp_path: Path) -> None:
    policy = PolicyInfo(name="x", args={}, spec={"name": "../my policy:v2"}, privileged=False)
    run = make_run(tmp_path / "run", PLANNED, some, policy=policy)
    assert default_path(run.info) == BASELINES / "my-policy-v2-made-up.json"


def test_the_command_says_what_a_promotion_changes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("baseline", "promote", str(run.path)) == 0
    told = capsys.readouterr().out
    assert "a new baseline, 109 of 114 episodes solved" in told
    assert "results/baselines/run-made-up.json" in told
    other = make_run(
        tmp_path / "b" / "run", PLANNED, lambda s: "failure" if s.index < 1 else "success"
    )
    assert call("baseline", "promote", str(other.path)) == 0
    assert "0 lost and 3 won against the baseline before" in capsys.readouterr().out
    fewer = make_run(tmp_path / "c" / "run", PLANNED[:50], lambda spec: "success")
    assert call("baseline", "promote", str(fewer.path)) == 0
    assert "other episodes or another world than before" in capsys.readouterr().out
    assert call("baseline", "demote", str(run.path)) == 2
