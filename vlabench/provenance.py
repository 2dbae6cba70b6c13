"""What code ran on what machine: the facts that let somebody else repeat a run."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from vlabench.hashing import bytes_hash, content_hash

PACKAGES = ("mujoco", "robosuite", "gymnasium", "ray", "torch", "numpy")
"""Distributions whose versions a run keeps."""

_WITHOUT_EFFECT = frozenset(
    {
        "baseline.py",
        "cli",
        "comparison",
        "gate.py",
        "export.py",
        "leaderboard",
        "outcomes.py",
        "pytest_plugin.py",
        "repetition.py",
        "replaying.py",
        "report",
        "stats",
        "suites",
    }
)
"""Parts of the package that cannot change what happens in an episode."""

_DECISIVE = (".py", ".yaml", ".xml", ".json", ".npz")
"""Endings of files that can: code, and the data that tasks, policies and robots are made of."""

_ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Checkout:
    """The git commit that the code is from, and whether files differ from it."""

    commit: str
    dirty: bool


def vlabench_version() -> str:
    """The installed version; ``"0+unknown"`` for a copy that was never installed."""
    try:
        return version("vlabench")
    except PackageNotFoundError:
        return "0+unknown"


def versions() -> Mapping[str, str]:
    """The versions of Python and of `PACKAGES`, without importing them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def checkout() -> Checkout | None:
    """The git checkout that holds this package; None for an installed copy."""
    if not (_ROOT.parent / ".git").exists():
        return None
    commit = _git("rev-parse", "--verify", "HEAD")
    status = _git("status", "--porcelain")
    if not commit or status is None:
        return None
    return Checkout(commit=commit, dirty=bool(status))


@cache
def code_hash() -> str:
    """Hash of every source file that can change what happens in an episode.

    It is taken once a process: what is changed later is not what has been imported.
    """
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(_ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_hash(modules: Iterable[ModuleType]) -> str:
    """Hash of the source files of `modules`, not of what they import; empty without a source."""
    sources = {
        module.__name__: bytes_hash(path.read_bytes())
        for module in modules
        if (path := _source_of(module)) is not None
    }
    return content_hash(sources) if sources else ""


def operating_system() -> str:
    """For example ``"Linux-6.8-x86_64"``."""
    return platform.platform()


def cpu() -> str:
    """The processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _source_of(module: ModuleType) -> Path | None:
    try:
        name = inspect.getsourcefile(module)
    except TypeError:  # built into Python
        return None
    path = None if name is None else Path(name)
    return path if path is not None and path.is_file() else None


def _sources() -> Iterator[Path]:
    for folder, folders, names in os.walk(_ROOT, followlinks=True):
        at_root = Path(folder) == _ROOT
        folders[:] = [f for f in folders if f != "__pycache__" and not (at_root and _skipped(f))]
        for name in names:
            if name.endswith(_DECISIVE) and not (at_root and _skipped(name)):
                yield Path(folder) / name


def _skipped(name: str) -> bool:
    return name in _WITHOUT_EFFECT


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", "-C", str(_ROOT.parent), *arguments),
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
