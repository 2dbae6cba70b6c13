"""A robot at its table as data: what is made of robosuite's models, and kept on disk.

robosuite takes seconds to import and hundreds of megabytes, and thinning its meshes takes as long
again. What comes of it is a scene in XML, the meshes that it shows and feels, and pairs of bodies
that may overlap. With those on disk a process needs neither robosuite nor `fast_simplification`.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import msgspec

from vlabench import diskcache
from vlabench.envs import embodiments
from vlabench.envs.embodiments import Embodiment
from vlabench.envs.thinning import CAUTION, KEPT_FACES, SMALL_MESH
from vlabench.hashing import bytes_hash, content_hash


class Composed(msgspec.Struct, frozen=True):
    """A robot at its table.

    Attributes:
        xml: robosuite's scene; where it names files of meshes, the two below count instead.
        meshes: Name of a mesh to its file in robosuite's folder.
        thinned: Name of a mesh to an MSH file with fewer faces that replaces it, at scale 1.
        overlapping: Pairs of bodies that touch while the robot is at home.
        sources: The files of robosuite that all this was made of.
    """

    xml: str
    meshes: dict[str, str]
    thinned: dict[str, bytes]
    overlapping: list[tuple[str, str]]
    sources: dict[str, Source]


class Source(msgspec.Struct, frozen=True):
    """What a file was like: bytes, nanoseconds of its last change, SHA-256."""

    size: int
    changed: int
    sha256: str


def kept(kind: Embodiment) -> Composed | None:
    """What was composed of robosuite's files as they are now; None if that must be done anew."""
    data = diskcache.read(_key(kind))
    if data is None:
        return None
    try:
        found = msgspec.msgpack.decode(data, type=Composed)
    except msgspec.MsgspecError:
        return None
    root = robosuite_folder()
    if all(_is_unchanged(root / name, source) for name, source in found.sources.items()):
        return found
    return None


def keep(kind: Embodiment, composed: Composed) -> None:
    """Keeps it for other processes."""
    diskcache.write(_key(kind), msgspec.msgpack.encode(composed))


def sources(files: Iterable[Path]) -> dict[str, Source]:
    """These files of robosuite as they are now."""
    root = robosuite_folder()
    return {path.relative_to(root).as_posix(): _source(path) for path in sorted(set(files))}


@cache
def robosuite_folder() -> Path:
    """Where robosuite is installed.

    Raises:
        ModuleNotFoundError: If it is not.
    """
    found = importlib.util.find_spec("robosuite")  # finds it, and does not import it
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'robosuite'", name="robosuite")
    return Path(found.origin).parent.resolve()


def _key(kind: Embodiment) -> str:
    """Of everything that an entry depends on but the files it was made of."""
    parts = {
        "embodiment": asdict(kind),
        "table": [embodiments.TABLE_SIZE, embodiments.TABLE_HEIGHT],
        "thinning": [KEPT_FACES, SMALL_MESH, CAUTION],
        "versions": _versions(),
        "code": _code(),
    }
    return f"{kind.name}-{content_hash(parts, 32)}"


@cache
def _versions() -> Mapping[str, str]:
    names = ("mujoco", "numpy", "fast-simplification", "robosuite")
    return {name: version(name) for name in names} | {"installed": _installed()}


def _installed() -> str:
    """The hash of what was installed as robosuite: its RECORD lists the hashes of its files."""
    try:
        record = distribution("robosuite").read_text("RECORD")
    except PackageNotFoundError:
        record = None
    return bytes_hash((record or "").encode())


@cache
def _code() -> str:
    """The hash of our own modules that compose."""
    here = Path(__file__).parent
    names = ("composed.py", "robots.py", "thinning.py")
    return bytes_hash(b"".join((here / name).read_bytes() for name in names))


def _source(path: Path) -> Source:
    found = path.stat()
    return Source(found.st_size, found.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())


def _is_unchanged(path: Path, source: Source) -> bool:
    try:
        found = path.stat()
        if (found.st_size, found.st_mtime_ns) == (source.size, source.changed):
            return True
        return found.st_size == source.size and _source(path).sha256 == source.sha256
    except OSError:
        return False
