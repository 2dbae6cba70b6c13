"""For tests that load models: they run in an environment of their own, see ``make families``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
os.environ["HF_MODULES_CACHE"] = tempfile.mkdtemp(prefix="modules-")  # where remote code is copied


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in a folder that is called after a published one."""
    from tiny_checkpoints import tiny_openvla

    folder = tmp_path_factory.mktemp("hub") / "openvla-7b-finetuned-libero-spatial"
    return tiny_openvla(folder)


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    """A copy of `published` that a test may spoil."""
    import shutil

    return Path(shutil.copytree(published, tmp_path / published.name))
