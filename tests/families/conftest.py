"""Makes the builders of tiny checkpoints importable; each file here has an environment of its own.

``make families`` builds those environments and runs them; the ordinary suite collects none of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

torch.set_num_threads(1)
"""As many as an inference actor has: another number gives other last bits."""

SUITE = """
name: brief
version: 1
description: Two short episodes.
seed: 0
episodes: 1
tasks: [press-button]
cells:
  - axis: lighting
    levels: [L2]
"""


@pytest.fixture(scope="session")
def brief(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A suite of a pair of short episodes."""
    path = tmp_path_factory.mktemp("suite") / "brief.yaml"
    path.write_text(SUITE)
    return str(path)


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the hub finds nobody, at once, wherever these tests run."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
