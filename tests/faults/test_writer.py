"""The driver is killed at every point of the record writer, and the power is cut there.

What a point is stands in `disk`. However it ended, the same command brings the run to the same
records and traces, and no record that was on disk before the end runs again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disk import Cut, Disk, killed_at
from harness_fakes import FakePolicy

from vlabench import store
from vlabench.evaluation import Plan, execute, plan
from vlabench.errors import UsageError
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.store import Run
from vlabench.types import EpisodeRecord

WORLD = "harness_fakes:FakeWorld"
CUTS: tuple[Cut, ...] = ("kill", "lost", "zeros")


@pytest.fixture
def planned(suite_file: Path, quick_folder: Path) -> Plan:
    return plan(FakePolicy, str(suite_file), limit=1, out=quick_folder / "run", world=WORLD)


def work(planned: Plan, fresh: bool = False) -> Run:
    return execute(planned, "serial", RunnerOptions(), Silent(), fresh=fresh)


def told(run: Run) -> dict[str, tuple[dict[str, Any], str, list[int]]]:
    """What a run must come to again, episode for episode."""
    found = {}
    for record in run.records:
        trace = run.trace(record.episode_id)
        stable = record.stable()
        found[record.episode_id] = (stable, trace.actions_hash, trace.checksums.tolist())
    return found


def acknowledged(folder: Path) -> list[str]:
    """The lines that are whole on disk."""
    path = folder / store.EPISODES
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line.decode() for line in lines if line.endswith(b"\n") and b"\0" not in line]


def every_point(planned: Plan, cut: Cut, begin: Callable[[], None], fresh: bool) -> Iterator[int]:
    """Ends the run at one point after the other, until there is no further one."""
    for at in range(1, 1000):
        shutil.rmtree(planned.folder, ignore_errors=True)
        begin()
        disk = Disk(planned.folder, at, cut)
        if not killed_at(lambda: work(planned, fresh), disk):
            return
        yield at


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("moment", ["new", "taken up", "begun afresh"])
def test_a_run_survives_its_end_at_every_point(
    moment: str, cut: Cut, planned: Plan, quick_folder: Path
) -> None:
    whole = replace(planned, folder=quick_folder / "whole")
    expected = told(work(whole))
    assert len(expected) == 3
    half = quick_folder / "half"
    shutil.copytree(whole.folder, half)
    keep_half(half)

    def begin() -> None:
        if moment == "taken up":
            shutil.copytree(half, planned.folder)
        elif moment == "begun afresh":
            shutil.copytree(whole.folder, planned.folder)

    fresh = moment == "begun afresh"
    points = 0
    for at in every_point(planned, cut, begin, fresh):
        points = at
        before = acknowledged(planned.folder)
        gone = fresh and not (planned.folder / store.RUN).exists()
        run = work(planned, fresh=gone)
        assert told(run) == expected, (at, cut)
        lines = acknowledged(planned.folder)
        assert len(lines) == len(expected), (at, cut)
        assert run.valid
        assert run.info.finished_at is not None
        assert not list((planned.folder / store.TRACES).glob("*.tmp"))
        if not gone:
            assert lines[: len(before)] == before, (at, cut)
    assert points > {"new": 100, "taken up": 40, "begun afresh": 100}[moment]


def keep_half(folder: Path) -> None:
    """Makes a finished run what it was after two episodes, and half of the third line."""
    path = folder / store.EPISODES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:300])
    data = json.loads((folder / store.RUN).read_text())
    data |= {"completed": 0, "finished_at": None, "episodes_sha256": None}
    (folder / store.RUN).write_text(json.dumps(data))
