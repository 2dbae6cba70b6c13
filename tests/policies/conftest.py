"""Makes the fake servers importable here and in every process that is started from here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlabench.policies import patience

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

TINY = """
name: tiny
version: 1
description: One short episode of the real world.
seed: 0
episodes: 1
tasks: [press-button]
"""


@pytest.fixture(scope="session", autouse=True)
def _workers_find_the_fakes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE, prepend=os.pathsep)
        yield


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long before the next attempt to connect, or for a server that is gone."""
    monkeypatch.setattr(patience, "PAUSE_S", 0.001)
    monkeypatch.setattr(patience, "is_known", lambda url: False)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A suite of one nominal episode."""
    path = tmp_path_factory.mktemp("suite") / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the hub, wherever these tests run."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
