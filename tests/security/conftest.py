"""Makes the fakes of the other tests importable here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = [str(HERE), *(str(HERE.parent / name) for name in ("harness", "pages", "policies"))]
for folder in FOLDERS:
    sys.path.insert(0, folder)


@pytest.fixture(scope="session", autouse=True)
def _workers_find_the_fakes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(FOLDERS), prepend=os.pathsep)
        yield


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A small suite, as a file."""
    from harness_fakes import SUITE

    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path
