"""Makes `harness_fakes` importable here and in every process that is started from here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

settings.register_profile("busy-machine", deadline=None)
settings.load_profile("busy-machine")

MINE = """
import numpy as np
from harness_fakes import FakePolicy


def act(observation):
    return np.full(7, 0.5)


def make(way="well"):
    return Mine(way)


def make_text():
    return "no policy"


class Mine(FakePolicy):
    def __init__(self, way="well"):
        if way == "exit":
            raise SystemExit(3)
        if way != "well":
            raise ValueError(f"no such\\nway: {way}")


policy = Mine()
"""


@pytest.fixture(scope="session", autouse=True)
def _workers_find_the_fakes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE, prepend=os.pathsep)
        yield


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's own module ``mine``, in the working folder, which is on no import path."""
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield path
    sys.modules.pop("mine", None)


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A small suite of three tasks and two axes, as a file."""
    from harness_fakes import SUITE

    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path
