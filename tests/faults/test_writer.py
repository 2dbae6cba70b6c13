"""The driver is killed at every point of the record writer, and the power is cut there.

What a point is stands in `disk`. However it ended, the same command brings the run to the same
records and traces, and no record that was on disk before the end runs again.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disk import Cut, Disk, ending
from fault_runs import THOROUGH, told
from harness_fakes import FakePolicy

from vlabench import store
from vlabench.errors import UsageError
from vlabench.evaluation import Plan, execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.store import Run
from vlabench.trace import Trace, save_trace

WORLD = "harness_fakes:FakeWorld"
CUTS: dict[Cut, str] = {
    "kill": "kill -9 of the driver",
    "lost": "power cut, what was not synced is gone",
    "zeros": "power cut, what was not synced is zeros",
    "full": "the disk is full",
    "failing": "the disk becomes read-only",
}
MOMENTS = {"new": 60, "taken up": 25, "begun afresh": 60}
QUICK = 4
"""Every how manieth point is tried, unless `THOROUGH` asks for all."""


@pytest.fixture
def planned(suite_file: Path, quick_folder: Path) -> Plan:
    """A run of three episodes; the hash of the sources is not asked for again at each point."""
    made = plan(FakePolicy, str(suite_file), limit=1, out=quick_folder / "run", world=WORLD)
    return replace(made, job=replace(made.job, code_hash=""))


def work(planned: Plan, fresh: bool = False) -> Run:
    return execute(planned, "serial", RunnerOptions(), Silent(), fresh=fresh)


def acknowledged(folder: Path) -> list[str]:
    """The lines that are whole on disk."""
    path = folder / store.EPISODES
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line.decode() for line in lines if line.endswith(b"\n") and b"\0" not in line]


def every_point(planned: Plan, cut: Cut, begin: Callable[[], None], fresh: bool) -> Iterator[int]:
    """Ends the run at one point after the other, until there is no further one."""
    for at in itertools.count(1) if THOROUGH else itertools.count(1, QUICK):
        shutil.rmtree(planned.folder, ignore_errors=True)
        begin()
        disk = Disk(planned.folder, at, cut)
        if ending(lambda: work(planned, fresh), disk) == "done":
            return
        yield at


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_survives_its_end_at_every_point(
    moment: str, cut: Cut, planned: Plan, quick_folder: Path, tell: Callable[..., None]
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
        fault = f"{CUTS[cut]}, at every point of a run that is {moment}"
        tell(fault, 1, expected, told(run), at)
        lines = acknowledged(planned.folder)
        assert len(lines) == len(expected), (at, cut)
        assert run.valid
        assert run.info.finished_at is not None
        assert not list((planned.folder / store.TRACES).glob("*.tmp"))
        if not gone:
            assert lines[: len(before)] == before, (at, cut)
    assert points > MOMENTS[moment]


def keep_half(folder: Path) -> None:
    """Makes a finished run what it was after two episodes, and half of the third line."""
    path = folder / store.EPISODES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:300])
    data = json.loads((folder / store.RUN).read_text())
    data |= {"completed": 0, "finished_at": None, "episodes_sha256": None}
    (folder / store.RUN).write_text(json.dumps(data))


@pytest.mark.parametrize("damage", ["half", "empty", "zeros", "gone", "another"])
def test_a_record_whose_trace_is_torn_is_found_and_runs_again(
    damage: str, planned: Plan, quick_folder: Path, tell: Callable[..., None]
) -> None:
    whole = replace(planned, folder=quick_folder / "whole")
    expected = told(work(whole))
    _, second, _ = expected
    shutil.copytree(whole.folder, planned.folder)
    keep_half(planned.folder)
    path = planned.folder / store.TRACES / f"{second}.npz"
    content = path.read_bytes()
    match damage:
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "zeros":
            path.write_bytes(bytes(len(content)))
        case "gone":
            path.unlink()
        case "another":
            save_trace(path, Trace(np.zeros((3, 7), np.float32), np.zeros(3, np.uint32)))
    if damage not in ("gone", "another"):
        said = r"npz is no trace, or is damaged .*run the same command again"
        with pytest.raises(UsageError, match=said):
            Run.open(planned.folder).trace(second)
    run = work(planned)
    tell(f"a trace that the disk lost under its record ({damage})", 1, expected, told(run))
    assert [(a.episode_id, a.error) for a in run.attempts] == [
        (second, "the trace was lost with the disk's cache")
    ]


def test_a_last_line_of_zeros_is_dropped_and_another_is_told(planned: Plan) -> None:
    run = work(planned)
    expected, path = told(run), planned.folder / store.EPISODES
    keep_half(planned.folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + bytes(4096) + b'"x"}\n' + bytes(10))
    assert told(work(planned)) == expected
    keep_half(planned.folder)
    path.write_bytes(b"".join(lines[:1]) + b'{"x"}\n')
    with pytest.raises(UsageError, match=r"episodes\.jsonl:2: this line is no JSON"):
        work(planned)
