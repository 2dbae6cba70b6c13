"""Makes `harness_fakes` importable here and in every process that is started from here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)


@pytest.fixture(scope="session", autouse=True)
def _workers_find_the_fakes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE, prepend=os.pathsep)
        yield


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A small suite of three tasks and two axes, as a file."""
    from harness_fakes import SUITE

    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path
