"""Makes the fakes of the harness's tests importable here and in every process started from here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

HERE = Path(__file__).parent
FOLDERS = [str(HERE), str(HERE.parent / "harness")]
sys.path[:0] = FOLDERS


@pytest.fixture
def tell() -> Iterator[Callable[..., None]]:
    """Compares a run with an undisturbed one, after noting for the table what it is short of."""
    from fault_runs import Row, Told

    rows: dict[str, Row] = {}

    def do(fault: str, times: int, expected: Told, got: Told, at: object = "") -> None:
        rows.setdefault(fault, Row(fault)).add(times, expected, got)
        assert got == expected, (fault, at)

    yield do
    if "VLABENCH_FAULT_ROWS" in os.environ:
        with Path(os.environ["VLABENCH_FAULT_ROWS"]).open("a") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows.values())


@pytest.fixture(scope="session", autouse=True)
def _workers_find_the_fakes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(FOLDERS), prepend=os.pathsep)
        yield


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: there a file is synced at once."""
    memory = Path("/dev/shm")  # noqa: S108  (a folder of its own is made there)
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A small suite of three tasks and two axes, as a file."""
    from harness_fakes import SUITE

    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path
