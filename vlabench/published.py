"""What has been published of a suite: its episodes with all drawn values, and their certificates.

Beside a suite's YAML stand::

    published.json                       suite@version -> hashes of its manifest and certificates
    certificates/<suite>.json            the suite's episodes by name, and the ledger of rejections
    certificates/episodes/<task>.jsonl.xz
                                         every episode of a task with its certificate, a line each

Episodes that suites share are there once. A certificate is what the deterministic expert did: who
runs it again gets the same hashes, or has another simulator. Whatever is read here is checked: an
episode against its name, the manifest and the certificates against their hashes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import lzma
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from vlabench.errors import UsageError, in_one_line
from vlabench.hashing import canonical_json, content_hash
from vlabench.jsonfiles import write_json
from vlabench.layout import Key, arrange
from vlabench.manifest import Manifest, collect
from vlabench.suite import Suite
from vlabench.types import Change, EpisodeSpec, Json

LOCK = "published.json"
CERTIFICATES = "certificates"
EPISODES = "episodes"

_WRITING = ".writing"
"""Held by whoever writes beside a suite's YAML."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the expert did to solve an episode; see the fields of `EpisodeRecord` of these names.

    Attributes:
        env_fingerprint: Of the world in which it was solved.
        wall_s: Seconds it took then, on some machine; no part of what is certified.
    """

    steps: int
    init_state_hash: str
    actions_hash: str
    final_state_hash: str
    env_fingerprint: str
    wall_s: float = field(default=0.0, compare=False)


Certified: TypeAlias = tuple[EpisodeSpec, Certificate]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A draw that was not published, and why; without changes it stands for the whole scene."""

    task: str
    seed: int
    index: int
    changes: tuple[Change, ...]
    reason: str

    @property
    def key(self) -> Key:
        """Names the draw."""
        return self.task, self.seed, self.index, self.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The content of ``certificates/<suite>.json``.

    Attributes:
        suite: Name of the suite.
        suite_version: Its version.
        world_version: Of the world that drew the episodes.
        env_fingerprint: Of the world in which the expert solved them.
        manifest_hash: Of the whole suite's manifest.
        episodes: Names of its episodes, in order.
        drawn: Episodes that were tried: those of the suite, their twins, and the rejected ones.
        rejected: The ledger.
        steps: Control steps of the expert for the suite's episodes, all together.
        wall_s: Seconds that the expert took for them, one after another, where they were certified.
        versions: Of what can change an episode, where the suite was published; see
            `vlabench.provenance.versions`.
    """

    suite: str
    suite_version: int
    world_version: str
    env_fingerprint: str
    manifest_hash: str
    episodes: tuple[str, ...]
    drawn: int
    rejected: tuple[Rejection, ...]
    steps: int
    wall_s: float
    versions: Mapping[str, str]

    @property
    def label(self) -> str:
        """What the suite is called in ``published.json``."""
        return f"{self.suite}@{self.suite_version}"

    @property
    def rejected_keys(self) -> frozenset[Key]:
        """The draws that the suite does without."""
        return frozenset(rejection.key for rejection in self.rejected)

    def to_json(self) -> dict[str, Json]:
        """Plain values for a file."""
        data: dict[str, Json] = _PUBLICATION.dump_python(self, mode="json")
        return data


_PUBLICATION = TypeAdapter(Publication)
_CERTIFICATE = TypeAdapter(Certificate)
_LOCKED = TypeAdapter(dict[str, dict[str, str]])


@dataclass(frozen=True)
class Published:
    """A published suite: everything of it has been read and checked.

    Attributes:
        publication: What its file says.
        manifest: The whole suite's.
        certificates: Name of each episode, and of each twin, to its certificate.
    """

    publication: Publication
    manifest: Manifest
    certificates: Mapping[str, Certificate]
    _known: Mapping[Key, EpisodeSpec] = field(repr=False)

    def part(self, suite: Suite) -> Manifest | None:
        """The manifest of a narrowed `suite`; None if something of it has not been published."""
        try:
            return _manifest(suite, self.publication, self._known)
        except KeyError:
            return None


def open_published(suite: Suite, read: Mapping[str, Certified] | None = None) -> Published | None:
    """What has been published of `suite` in its present version; None if nothing has.

    Args:
        suite: The suite.
        read: What `read_pool` has read of its folder, for who opens several suites; None to read
            what this one needs.

    Raises:
        UsageError: If a file is missing, damaged or does not fit the others, or the suite's YAML
            has been edited since it was published.
    """
    publication = read_publication(suite)
    if publication is None or suite.folder is None:
        return None
    where = _file(suite.folder, suite.name)
    if read is None:
        read = read_pool(suite.folder, suite.all_tasks())
    pool = {
        name: certified
        for name, certified in read.items()
        if certified[0].world_version == publication.world_version
    }
    known = {key_of(episode): episode for episode, _ in pool.values()}
    try:
        manifest = _manifest(suite, publication, known)
    except KeyError as error:
        raise UsageError(
            f"{where} has no certificate for {_say(error.args[0])}: the suite {suite.name!r} was "
            "edited after it was published, or a file is not whole; raise its version and certify "
            "it, or restore the files."
        ) from None
    if manifest.hash != publication.manifest_hash:
        raise UsageError(
            f"The suite {suite.name!r} v{suite.version} was published with the manifest "
            f"{publication.manifest_hash} and has {manifest.hash} now; published episodes never "
            "change: undo the edit, or raise the suite's version and certify it."
        )
    certified = {name: pool[name] for name in _with_twins(manifest, known)}
    found, locked = _hashes(publication, certified), read_lock(suite.folder)[publication.label]
    if locked != found or publication.episodes != tuple(manifest.by_id):
        raise UsageError(
            f"{where} and its certificates have the hashes {canonical_json(found)}, and {LOCK} "
            f"says {canonical_json(locked)}; restore the files, or certify with --fresh."
        )
    certificates = {name: certificate for name, (_, certificate) in certified.items()}
    return Published(publication, manifest, certificates, known)


def read_publication(suite: Suite) -> Publication | None:
    """The file of `suite` in its present version; None if it has not been published.

    Raises:
        UsageError: If it is damaged, or missing though the lock speaks of it.
    """
    if suite.folder is None:
        return None
    locked, label = read_lock(suite.folder), f"{suite.name}@{suite.version}"
    path = _file(suite.folder, suite.name)
    publication: Publication | None = _read(path, _PUBLICATION) if path.exists() else None
    if publication is not None and publication.label == label:
        if label not in locked:
            raise UsageError(
                f"{suite.folder / LOCK} says nothing of {label}, of which there is {path}; restore "
                "it, or certify with --fresh."
            )
        return publication
    if label in locked:
        raise UsageError(
            f"{label} has been published, says {suite.folder / LOCK}, but {path} is not there or "
            "of another version; restore it, or certify with --fresh."
        )
    return None


def read_lock(folder: Path) -> dict[str, dict[str, str]]:
    """Suite and version to the hashes of what was published: ``manifest`` and ``certificates``.

    Raises:
        UsageError: If it is damaged.
    """
    path = folder / LOCK
    return _read(path, _LOCKED) if path.exists() else {}


def read_pool(folder: Path, tasks: Iterable[str]) -> dict[str, Certified]:
    """Every published episode of `tasks` by its name.

    Raises:
        UsageError: If a file is torn, or an episode is not the one that its name says.
    """
    pool: dict[str, Certified] = {}
    for task in tasks:
        path = _pool_file(folder, task)
        if path.exists():
            for number, line in enumerate(_lines(path), start=1):
                name, certified = _read_line(line, f"{path}:{number}")
                pool[name] = certified
    return pool


def publish(
    folder: Path, publications: Sequence[tuple[Publication, Mapping[str, Certified]]]
) -> None:
    """Writes publications, each with its episodes and twins: first those, the lock last.

    Raises:
        UsageError: If one has been published with another manifest, if another suite beside them
            shares an episode whose certificate would change, or the folder cannot be written.
    """
    try:
        (folder / CERTIFICATES / EPISODES).mkdir(parents=True, exist_ok=True)
        with _sole_writer(folder):
            _publish(folder, publications)
    except OSError as error:
        raise UsageError(
            f"Cannot write to {folder} ({error}); mend that, and run the same command again: "
            "nothing that was run is lost."
        ) from error


def _publish(
    folder: Path, publications: Sequence[tuple[Publication, Mapping[str, Certified]]]
) -> None:
    locked = read_lock(folder)
    fresh: dict[str, Certified] = {}
    for publication, certified in publications:
        before = locked.get(publication.label, {}).get("manifest", publication.manifest_hash)
        if before != publication.manifest_hash:
            raise UsageError(
                f"{publication.label} was published with the manifest {before}, and has "
                f"{publication.manifest_hash} now; published episodes never change: raise the "
                "suite's version."
            )
        fresh |= certified
        locked[publication.label] = _hashes(publication, certified)
    others = publications_beside(folder, {publication.suite for publication, _ in publications})
    worlds = {found.world_version for found in (*others, *(found for found, _ in publications))}
    pool = read_pool(folder, _tasks_in(folder))
    _refuse_to_change(others, pool, fresh)
    kept = [entry for entry in (pool | fresh).values() if entry[0].world_version in worlds]
    for task in sorted({episode.task for episode, _ in kept} | set(_tasks_in(folder))):
        _write_pool_file(_pool_file(folder, task), [e for e in kept if e[0].task == task])
    for publication, _ in publications:
        write_json(_file(folder, publication.suite), publication.to_json())
    write_json(folder / LOCK, locked)


def key_of(episode: EpisodeSpec) -> Key:
    """Names the draw that an episode is."""
    return episode.task, episode.seed, episode.index, episode.changes


def _refuse_to_change(
    others: Sequence[Publication],
    pool: Mapping[str, Certified],
    fresh: Mapping[str, Certified],
) -> None:
    """Refuses new certificates for episodes that other suites have published."""
    changed = {name for name in fresh.keys() & pool.keys() if fresh[name][1] != pool[name][1]}
    for other in others:
        twins = {pool[name][0].control_id for name in other.episodes if name in pool}
        if changed & ({*other.episodes} | twins):
            raise UsageError(
                f"The suite {other.suite!r} shares episodes whose certificates would change; "
                "certify all suites beside each other in one command, with --fresh."
            )


def _hashes(publication: Publication, certified: Mapping[str, Certified]) -> dict[str, str]:
    """What the lock keeps of a publication."""
    facts = {k: v for k, v in publication.to_json().items() if k != "wall_s"}
    certificates = {name: _facts_of(certificate) for name, (_, certificate) in certified.items()}
    return {
        "manifest": publication.manifest_hash,
        "certificates": content_hash([facts, certificates]),
    }


def _facts_of(certificate: Certificate) -> dict[str, Json]:
    return {k: v for k, v in asdict(certificate).items() if k != "wall_s"}


def _with_twins(manifest: Manifest, known: Mapping[Key, EpisodeSpec]) -> dict[str, EpisodeSpec]:
    """The episodes of a manifest and the twins of all of them, by name."""
    scenes = dict.fromkeys(key_of(episode)[:3] for episode in manifest.episodes)
    twins = (known[(*scene, ())] for scene in scenes)
    return {twin.episode_id: twin for twin in twins} | dict(manifest.by_id)


def _manifest(suite: Suite, publication: Publication, known: Mapping[Key, EpisodeSpec]) -> Manifest:
    scenes = arrange(suite, publication.rejected_keys)
    return Manifest(
        suite=suite.name,
        suite_version=suite.version,
        world_version=publication.world_version,
        env_fingerprint=publication.env_fingerprint,
        episodes=tuple(collect(scenes, lambda key, _: known[key])),
    )


# --- files ------------------------------------------------------------------------------------


def publications_beside(folder: Path, names: Collection[str]) -> list[Publication]:
    """What is published in a folder of other suites than those called `names`.

    Raises:
        UsageError: If a file is damaged.
    """
    paths = sorted((folder / CERTIFICATES).glob("*.json"))
    return [_read(path, _PUBLICATION) for path in paths if path.stem not in names]


def _tasks_in(folder: Path) -> list[str]:
    pools = (folder / CERTIFICATES / EPISODES).glob("*.jsonl.xz")
    return sorted(path.name.removesuffix(".jsonl.xz") for path in pools)


def _write_pool_file(path: Path, certified: Sequence[Certified]) -> None:
    in_order = sorted(certified, key=lambda entry: key_of(entry[0]))
    text = "".join(f"{canonical_json(_line(*entry))}\n" for entry in in_order)
    scratch = path.with_suffix(".tmp")
    try:
        scratch.write_bytes(lzma.compress(text.encode(), preset=9))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _line(episode: EpisodeSpec, certificate: Certificate) -> dict[str, Json]:
    return {
        "certificate": asdict(certificate),
        "episode": episode.to_json(),
        "episode_id": episode.episode_id,
    }


def _read_line(line: str, where: str) -> tuple[str, Certified]:
    try:
        data = json.loads(line)
        name, episode = data["episode_id"], EpisodeSpec.from_json(data["episode"])
        certificate = _CERTIFICATE.validate_json(json.dumps(data["certificate"]), strict=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(where, error) from error
    if episode.episode_id != name:
        raise UsageError(
            f"{where}: the episode {name} has been edited (it is {episode.episode_id} now); "
            "restore the file, or certify its suites again."
        )
    return name, (episode, certificate)


def _lines(path: Path) -> list[str]:
    try:
        return lzma.decompress(path.read_bytes()).decode().splitlines()
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is torn or damaged ({error}); restore it, or certify its suites again."
        ) from error


def _read(path: Path, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise _damaged(str(path), error) from error


def _damaged(where: str, error: Exception) -> UsageError:
    reason = in_one_line(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        reason = f"{'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
    return UsageError(
        f"{where} is damaged ({reason}); restore it, or delete it and certify with --fresh."
    )


@contextlib.contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Waits until nobody else publishes in `folder`."""
    with (folder / CERTIFICATES / _WRITING).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file(folder: Path, suite: str) -> Path:
    return folder / CERTIFICATES / f"{suite}.json"


def _pool_file(folder: Path, task: str) -> Path:
    return folder / CERTIFICATES / EPISODES / f"{task}.jsonl.xz"


def _say(key: Key) -> str:
    task, seed, index, changes = key
    under = f" under {' + '.join(map(str, changes))}" if changes else ""
    return f"{task} {index} (seed {seed}){under}"
