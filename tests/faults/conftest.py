"""Makes the fakes of the harness's tests importable here and in every process started from here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

HERE = Path(__file__).parent
FOLDERS = [str(HERE), str(HERE.parent / "harness")]
sys.path[:0] = FOLDERS


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Notes what was done to a run, how often, and how many records that cost, for the table."""

    def do(fault: str, times: int, lost: int, note: str = "") -> None:
        record_property("fault", json.dumps([fault, times, lost, note]))

    return do


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
