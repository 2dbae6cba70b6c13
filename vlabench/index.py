"""What tables and comparisons need of a manifest: every episode, without its scene.

``manifest.json`` is the canonical JSON of a manifest with a line break before and after each
episode. Without the breaks its SHA-256 is the manifest's hash, and that of a line is the episode's
name, so the file proves itself while it is read and no scene is built in memory. A file in another
layout, as older versions wrote it, is understood too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec
import numpy as np
import numpy.typing as npt

from vlabench.errors import UsageError
from vlabench.hashing import bytes_hash, canonical_json, content_hash
from vlabench.jsonfiles import read_json, understanding, write_lines
from vlabench.manifest import Manifest
from vlabench.types import Change, EpisodeSpec


class PlannedEpisode(msgspec.Struct, frozen=True, gc=False):
    """One episode of a manifest; see `vlabench.types.EpisodeSpec` for its fields."""

    episode_id: str
    task: str
    changes: tuple[Change, ...]
    index: int
    seed: int
    horizon: int
    control_id: str | None
    diagnostic: bool


@dataclass(frozen=True, eq=False)
class ManifestIndex:
    """The episodes of a manifest in its order; runs of the same manifest share one.

    Attributes:
        episodes: All of them.
    """

    episodes: tuple[PlannedEpisode, ...]

    @staticmethod
    def of(manifest: Manifest) -> ManifestIndex:
        """The index of a manifest that is in memory."""
        shared = _Shared()
        return ManifestIndex(
            tuple(shared.episode(name, spec) for name, spec in manifest.by_id.items())
        )

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The place of each episode in the order, by its name."""
        return {episode.episode_id: row for row, episode in enumerate(self.episodes)}

    @cached_property
    def scenes(self) -> npt.NDArray[np.int64]:
        """A number for each episode that those of the same task and index share."""
        numbers: dict[tuple[str, int], int] = {}
        return np.array(
            [numbers.setdefault((e.task, e.index), len(numbers)) for e in self.episodes],
            dtype=np.int64,
        )


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes `manifest` to `path`, all of it or nothing.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    write_lines(path, _lines(manifest))


def read_manifest(path: Path) -> Manifest:
    """The manifest with all its scenes.

    Raises:
        UsageError: If the file cannot be read or is no manifest.
    """
    data = read_json(path)
    with understanding(str(path)):
        return Manifest.from_json(data)


def read_index(path: Path, manifest_hash: str) -> ManifestIndex:
    """The index of the manifest in the file `path`.

    Args:
        path: The file.
        manifest_hash: What the manifest's hash must be.

    Raises:
        UsageError: If the file cannot be read, is no manifest, or is another one.
    """
    digest = _digest(path)
    index = _INDICES.get((digest, manifest_hash))
    if index is None:
        if digest[:16] == manifest_hash and _in_lines(path):
            found = _episodes_by_line(path)
        else:
            found = _episodes_of_any_layout(path, manifest_hash)
        index = _INDICES[digest, manifest_hash] = ManifestIndex(tuple(found))
    return index


_INDICES: WeakValueDictionary[tuple[str, str], ManifestIndex] = WeakValueDictionary()
"""Those in use, by the SHA-256 of the text without line breaks, and the manifest's hash."""


# --- the file ---------------------------------------------------------------------------------


def _lines(manifest: Manifest) -> Iterator[str]:
    """The canonical JSON of `manifest`, with a break before and after each episode."""
    empty = replace(manifest, episodes=())
    head, tail = canonical_json(empty.to_json()).split(_NO_EPISODES, maxsplit=1)
    yield f"{head}{_NO_EPISODES[:-1]}"
    for number, episode in enumerate(manifest.episodes, start=1):
        comma = "," if number < len(manifest.episodes) else ""
        yield f"{canonical_json(episode.to_json())}{comma}"
    yield f"]{tail}"


_NO_EPISODES = '"episodes":[]'


def _digest(path: Path) -> str:
    """The SHA-256 of the file's text without line breaks."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for line in file:
                digest.update(line.rstrip(b"\n"))
    except OSError as error:
        raise UsageError(
            f"Cannot read {path} ({error.strerror or error}); start over with --fresh."
        ) from error
    return digest.hexdigest()


def _in_lines(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().endswith(b"%s\n" % _NO_EPISODES[:-1].encode())


def _episodes_by_line(path: Path) -> Iterator[PlannedEpisode]:
    """The episodes of a file whose text is known to be that of its manifest's hash."""
    shared = _Shared()
    with understanding(str(path)), path.open("rb") as file:
        file.readline()
        for line in file:
            if line.startswith(b"]"):
                return
            text = line.rstrip(b",\n")
            yield shared.episode(bytes_hash(text), _DECODER.decode(text))


def _episodes_of_any_layout(path: Path, manifest_hash: str) -> Iterator[PlannedEpisode]:
    data = read_json(path)
    shared = _Shared()
    with understanding(str(path)):
        found = content_hash(data)
        if found != manifest_hash:
            raise UsageError(
                f"{path} holds the manifest {found}, and run.json speaks of {manifest_hash}; "
                "put the run's own files back, or run again with --fresh."
            )
        for episode in data["episodes"]:
            drawn = msgspec.convert(episode, _Drawn)
            yield shared.episode(content_hash(episode), drawn)


class _Drawn(msgspec.Struct, frozen=True, gc=False):
    """What is read of an episode; the scene's factors are passed over."""

    task: str
    changes: tuple[Change, ...]
    index: int
    seed: int
    horizon: int
    control_id: str | None = None
    diagnostic: bool = False


_DECODER = msgspec.json.Decoder(_Drawn)


class _Shared:
    """Makes planned episodes that share what is equal in them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._changes: dict[tuple[Change, ...], tuple[Change, ...]] = {}

    def episode(self, name: str, drawn: _Drawn | EpisodeSpec) -> PlannedEpisode:
        """The planned episode of this name."""
        control = drawn.control_id
        return PlannedEpisode(
            self._texts.setdefault(name, name),
            self._texts.setdefault(drawn.task, drawn.task),
            self._changes.setdefault(drawn.changes, drawn.changes),
            drawn.index,
            drawn.seed,
            drawn.horizon,
            None if control is None else self._texts.setdefault(control, control),
            drawn.diagnostic,
        )
