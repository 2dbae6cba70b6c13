"""The driver is told to stop, is killed, or meets another one; in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_runs import THOROUGH, Told, told

import vlabench
from vlabench.errors import UsageError
from vlabench.store import EPISODES, Run

WORLD = "harness_fakes:FakeWorld"
SLOW = "harness_fakes:SlowPolicy"
PLANNED = 28
GONE_S = 120.0
"""Seconds within which nothing of a run may be left; it takes two or three on a quiet machine."""


class Driver:
    """``vlabench eval`` in a process group of its own, as a terminal would run it."""

    def __init__(self, suite: Path, folder: Path, runner: str, policy: str) -> None:
        self.folder, self.mark = folder, uuid.uuid4().hex
        words = [
            *(sys.executable, "-m", "vlabench", "eval", "--suite", str(suite), "--world", WORLD),
            *("--policy", policy, "--out", str(folder), "--runner", runner),
            *("--workers", "2", "--quiet"),
        ]
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "FAULTS_MARK": self.mark},
        )

    def wait_for_records(self, count: int) -> None:
        log = self.folder / EPISODES
        while not log.exists() or log.read_bytes().count(b"\n") < count:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def left(self) -> list[str]:
        """Processes that were started by this one or by those, and live."""
        mark, found = f"FAULTS_MARK={self.mark}".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def wait_until_nothing_is_left(self) -> None:
        began = time.monotonic()
        while self.left():
            assert time.monotonic() - began < GONE_S, self.left()
            time.sleep(0.1)


@pytest.fixture
def drive(suite_file: Path) -> Iterator[Callable[..., Driver]]:
    begun: list[Driver] = []

    def do(folder: Path, runner: str, policy: str = SLOW) -> Driver:
        begun.append(Driver(suite_file, folder, runner, policy))
        return begun[-1]

    yield do
    for driver in begun:
        if driver.process.poll() is None:
            driver.process.kill()
        driver.process.communicate()


def _in_the_end(suite: Path, folder: Path, policy: str = SLOW) -> tuple[Told, Told]:
    """An undisturbed run, and what the same command makes of what the fault left in `folder`."""
    before = (folder / EPISODES).read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    options = {"world": WORLD, "runner": "serial"}
    run = vlabench.evaluate(policy, str(suite), out=folder, **options)
    assert (folder / EPISODES).read_bytes().startswith(whole)
    assert len(run.records) == PLANNED
    expected = vlabench.evaluate(policy, str(suite), out=folder.parent / "expected", **options)
    return told(expected), told(run)


STOPS = {
    "Ctrl-C in the terminal": (signal.SIGINT, "ray", True),
    "SIGTERM": (signal.SIGTERM, "ray", False),
    "SIGTERM, --runner serial": (signal.SIGTERM, "serial", False),
}


@pytest.mark.parametrize("name", STOPS if THOROUGH else list(STOPS)[1:])
def test_a_run_that_is_told_to_stop_stops_in_good_order(
    name: str,
    drive: Callable[..., Driver],
    suite_file: Path,
    tmp_path: Path,
    tell: Callable[..., None],
) -> None:
    number, runner, everybody = STOPS[name]
    folder = tmp_path / "run"
    driver = drive(folder, runner)
    driver.wait_for_records(3)
    (os.killpg if everybody else os.kill)(driver.process.pid, number)
    _, errors = driver.process.communicate(timeout=60)
    assert driver.process.returncode == 130, errors
    info = Run.open(folder).info
    assert 3 <= info.completed < PLANNED
    assert errors.splitlines() == [
        f"Stopped: {info.completed} of {PLANNED} episodes are kept in {folder}, and the same "
        "command resumes."
    ]
    driver.wait_until_nothing_is_left()
    tell(f"{name}: exit code 130", 1, *_in_the_end(suite_file, folder))


def test_who_asks_twice_waits_for_nothing(
    drive: Callable[..., Driver], tmp_path: Path, suite_file: Path, tell: Callable[..., None]
) -> None:
    policy, folder = "fault_fakes:StickyPolicy", tmp_path / "run"
    driver = drive(folder, "serial", policy)
    driver.wait_for_records(3)
    driver.process.send_signal(signal.SIGINT)
    assert driver.process.stdout is not None
    assert any("closing" in line for line in driver.process.stdout)
    driver.process.send_signal(signal.SIGINT)
    driver.process.communicate(timeout=20)
    assert driver.process.returncode == -signal.SIGINT
    assert 3 <= len(Run.open(folder).records) < PLANNED
    tell("Ctrl-C twice: the process ends at once", 1, *_in_the_end(suite_file, folder, policy))


def test_a_killed_driver_leaves_nobody_and_two_never_write_to_one_folder(
    drive: Callable[..., Driver], suite_file: Path, tmp_path: Path, tell: Callable[..., None]
) -> None:
    folder = tmp_path / "run"
    driver = drive(folder, "ray")
    driver.wait_for_records(3)
    before = (folder / EPISODES).read_bytes()
    with pytest.raises(UsageError, match="Another run is writing to"):
        vlabench.evaluate(SLOW, str(suite_file), out=folder, world=WORLD, runner="serial")
    assert (folder / EPISODES).read_bytes().startswith(before)
    driver.process.kill()
    driver.process.wait()
    both = _in_the_end(suite_file, folder)
    driver.wait_until_nothing_is_left()
    fault = "a second driver is refused while the first, on Ray, lives; kill -9 of the first"
    tell(fault, 1, *both)
