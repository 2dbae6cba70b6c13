"""Full disks, read-only folders and clocks that jump."""

from __future__ import annotations

import itertools
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_runs import told

import vlabench
from vlabench.errors import UsageError
from vlabench.store import EPISODES, Run

WORLD = "harness_fakes:FakeWorld"
SOURCES = Path(vlabench.__file__).parent


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Mounts something at `folder`; skips the test where nobody may."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(["mount", *words, str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("only root may mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.fixture
def evaluate(suite_file: Path) -> Callable[..., Run]:
    def do(folder: Path, **options: object) -> Run:
        return vlabench.evaluate(
            "harness_fakes:FakePolicy",
            str(suite_file),
            world=WORLD,
            runner="serial",
            out=folder,
            **options,
        )

    return do


def test_a_full_disk_is_one_sentence_and_the_rest_runs_when_there_is_room(
    evaluate: Callable[..., Run], tmp_path: Path, tell: Callable[..., None]
) -> None:
    expected = told(evaluate(tmp_path / "whole"))
    place = tmp_path / "small"
    said: list[str] = []
    with mounted(place, "-t", "tmpfs", "-o", "size=40k,huge=never", "none"):
        for kilobytes in itertools.count(40, 40):
            remount(place, f"size={kilobytes}k")
            try:
                run = evaluate(place / "run")
                break
            except UsageError as error:
                said.append(str(error))
        fault = "the disk is full (a file system of 40 kB that grows)"
        tell(fault, len(said), expected, told(run))
    assert len(said) > 2
    assert all("No space left on device" in sentence for sentence in said), said


def test_a_read_only_folder_is_one_sentence_and_loses_nothing(
    evaluate: Callable[..., Run], tmp_path: Path, tell: Callable[..., None]
) -> None:
    expected = told(evaluate(tmp_path / "whole"))
    place = tmp_path / "place"
    with mounted(place, "-t", "tmpfs", "-o", "size=10m", "none"):
        remount(place, "ro")
        with pytest.raises(UsageError, match=r"Cannot write to .*Read-only file system"):
            evaluate(place / "run")
        remount(place, "rw")
        evaluate(place / "run")
        lines = (place / "run" / EPISODES).read_bytes()
        remount(place, "ro")
        with pytest.raises(UsageError, match=r"Cannot write to .*Read-only file system"):
            evaluate(place / "run")
        tell("a folder that cannot be written", 2, expected, told(Run.open(place / "run")))
        assert (place / "run" / EPISODES).read_bytes() == lines


def test_a_clock_that_goes_backwards_changes_nothing(
    evaluate: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[..., None],
) -> None:
    expected = told(evaluate(tmp_path / "whole"))
    hours = itertools.count()
    monkeypatch.setattr(time, "time", lambda: 1e9 - 3600.0 * next(hours))
    run = evaluate(tmp_path / "run")
    tell("the clock jumps an hour back whenever somebody looks", 1, expected, told(run))
    assert all(0 <= record.wall_s < 600 for record in run.records)


LABELS = {"evaluation.py", "store.py", "vla_eval.py", "diskcache.py"}
"""Where the time of the day is written down for people, or sent with a message, and never read;
and where it says how old a scrap of a killed writer is, which nobody reads."""


def test_nothing_is_measured_or_ordered_by_the_time_of_the_day() -> None:
    asks = re.compile(r"\btime\.time(_ns)?\(|datetime\.(utc)?now\(|from time import .*\btime\b")
    folders = [SOURCES, *(SOURCES / name for name in ("envs", "policies"))]
    found = {p.name for f in folders for p in f.rglob("*.py") if asks.search(p.read_text())}
    assert found == LABELS
