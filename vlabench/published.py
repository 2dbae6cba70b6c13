"""What has been published of a suite: its episodes with all drawn values, and their certificates.

Beside a suite's YAML stand::

    published.json                       suite@version -> hash of its manifest; never edited
    certificates/<suite>.json            the suite's episodes by name, and the ledger of rejections
    certificates/episodes/<task>.jsonl.xz
                                         every episode of a task with its certificate, a line each

Episodes that suites share are there once. A certificate is what the deterministic expert did: who
runs it again gets the same hashes, or has another simulator. Whatever is read here is checked: an
episode against its name, a manifest against its hash, the hash against ``published.json``.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from vlabench.errors import UsageError
from vlabench.hashing import canonical_json
from vlabench.jsonfiles import read_json, understanding, write_json
from vlabench.layout import Key, arrange
from vlabench.manifest import Manifest, collect
from vlabench.suite import Suite
from vlabench.types import Change, EpisodeSpec, Json

LOCK = "published.json"
CERTIFICATES = "certificates"
EPISODES = "episodes"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the expert did to solve an episode; see the fields of `EpisodeRecord` of these names."""

    steps: int
    init_state_hash: str
    actions_hash: str
    final_state_hash: str


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

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal rejection."""
        return {**asdict(self), "changes": [asdict(change) for change in self.changes]}

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> Rejection:
        """The rejection that `to_json` wrote."""
        changes = tuple(Change(**change) for change in data["changes"])
        return Rejection(**{**data, "changes": changes})


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
        drawn: Episodes that were tried: those of the suite, and those that were rejected.
        rejected: The ledger.
        steps: Control steps of the expert, all episodes together.
        wall_s: Seconds that the expert took for them, one after another, on `cpu`.
        versions: Of what can change an episode; see `vlabench.provenance.versions`.
        cpu: The processor that certified it.
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
    cpu: str

    @property
    def label(self) -> str:
        """What the suite is called in ``published.json``."""
        return f"{self.suite}@{self.suite_version}"

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal publication."""
        rejected = [rejection.to_json() for rejection in self.rejected]
        return {**asdict(self), "episodes": list(self.episodes), "rejected": rejected}

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> Publication:
        """The publication that `to_json` wrote."""
        rejected = tuple(Rejection.from_json(entry) for entry in data["rejected"])
        return Publication(**{**data, "episodes": tuple(data["episodes"]), "rejected": rejected})


@dataclass(frozen=True)
class Published:
    """A published suite: everything of it has been read and checked.

    Attributes:
        publication: What its file says.
        manifest: The whole suite's.
        certificates: Episode's name to its certificate.
    """

    publication: Publication
    manifest: Manifest
    certificates: Mapping[str, Certificate]
    _known: Mapping[Key, EpisodeSpec] = field(repr=False)

    def part(self, suite: Suite) -> Manifest | None:
        """The manifest of a narrowed `suite`; None if something of it has not been published."""
        rejected = frozenset(rejection.key for rejection in self.publication.rejected)
        try:
            return _manifest(suite, self.publication, self._known, rejected)
        except KeyError:
            return None


def open_published(suite: Suite) -> Published | None:
    """What has been published of `suite` in its present version; None if nothing has.

    Raises:
        UsageError: If a file is damaged or does not fit the others, or the suite's YAML has been
            edited since it was published.
    """
    publication = read_publication(suite)
    if publication is None or suite.folder is None:
        return None
    pool = read_pool(suite.folder, suite.all_tasks())
    known = {key_of(episode): episode for episode, _ in pool.values()}
    where = _file(suite.folder, suite.name)
    rejected = frozenset(rejection.key for rejection in publication.rejected)
    try:
        manifest = _manifest(suite, publication, known, rejected)
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
    locked = read_lock(suite.folder).get(publication.label)
    if locked != publication.manifest_hash:
        raise UsageError(
            f"{where} has the manifest {publication.manifest_hash}, and {LOCK} says "
            f"{locked or 'nothing of it'}; restore both, or raise the suite's version and certify."
        )
    certificates = {name: certificate for name, (_, certificate) in pool.items()}
    return Published(publication, manifest, certificates, known)


def read_publication(suite: Suite) -> Publication | None:
    """The file of `suite` in its present version; None if there is none.

    Raises:
        UsageError: If it is damaged.
    """
    if suite.folder is None:
        return None
    path = _file(suite.folder, suite.name)
    if not path.exists():
        return None
    with understanding(str(path)):
        publication = Publication.from_json(read_json(path))
    return publication if publication.suite_version == suite.version else None


def read_lock(folder: Path) -> dict[str, str]:
    """Suite and version to the hash of the manifest that was published."""
    path = folder / LOCK
    locked: dict[str, str] = read_json(path) if path.exists() else {}
    return locked


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


def publish(folder: Path, publication: Publication, episodes: Mapping[str, Certified]) -> None:
    """Writes one publication: first its episodes, then its file, then the lock.

    Episodes that no published suite has any more are dropped.

    Raises:
        UsageError: If this version has been published with another manifest, or the folder cannot
            be written.
    """
    locked = read_lock(folder)
    before = locked.get(publication.label, publication.manifest_hash)
    if before != publication.manifest_hash:
        raise UsageError(
            f"{publication.label} was published with the manifest {before}, and has "
            f"{publication.manifest_hash} now; published episodes never change: raise the suite's "
            "version."
        )
    try:
        (folder / CERTIFICATES / EPISODES).mkdir(parents=True, exist_ok=True)
        _write_pool(folder, publication, episodes)
        write_json(_file(folder, publication.suite), publication.to_json())
        write_json(folder / LOCK, {**locked, publication.label: publication.manifest_hash})
    except OSError as error:
        raise UsageError(
            f"Cannot write to {folder} ({error}); certify in a folder of yours."
        ) from error


def key_of(episode: EpisodeSpec) -> Key:
    """Names the draw that an episode is."""
    return episode.task, episode.seed, episode.index, episode.changes


def _manifest(
    suite: Suite,
    publication: Publication,
    known: Mapping[Key, EpisodeSpec],
    rejected: frozenset[Key],
) -> Manifest:
    return Manifest(
        suite=suite.name,
        suite_version=suite.version,
        world_version=publication.world_version,
        env_fingerprint=publication.env_fingerprint,
        episodes=tuple(collect(arrange(suite, rejected), lambda key, _: known[key])),
    )


def _write_pool(folder: Path, publication: Publication, episodes: Mapping[str, Certified]) -> None:
    wanted = {*publication.episodes}
    for path in sorted((folder / CERTIFICATES).glob("*.json")):
        if path != _file(folder, publication.suite):
            wanted.update(read_json(path)["episodes"])
    tasks = {path.name.partition(".")[0] for path in (folder / CERTIFICATES / EPISODES).iterdir()}
    pool = read_pool(folder, sorted(tasks)) | dict(episodes)
    wanted |= {pool[name][0].control_id or name for name in wanted if name in pool}
    kept = [pool[name] for name in wanted if name in pool]
    for task in sorted(tasks | {episode.task for episode, _ in kept}):
        own = [certified for certified in kept if certified[0].task == task]
        _write_pool_file(_pool_file(folder, task), own)


def _write_pool_file(path: Path, certified: Sequence[Certified]) -> None:
    ordered = sorted(certified, key=lambda entry: key_of(entry[0])[1:])
    text = "".join(
        f"{canonical_json(_line(episode, certificate))}\n" for episode, certificate in ordered
    )
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes(lzma.compress(text.encode(), preset=9))
    scratch.replace(path)


def _line(episode: EpisodeSpec, certificate: Certificate) -> dict[str, Json]:
    return {
        "episode_id": episode.episode_id,
        "episode": episode.to_json(),
        "certificate": asdict(certificate),
    }


def _read_line(line: str, where: str) -> tuple[str, Certified]:
    with understanding(where):
        data = json.loads(line)
        name: str = data["episode_id"]
        episode = EpisodeSpec.from_json(data["episode"])
        certificate = Certificate(**data["certificate"])
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


def _file(folder: Path, suite: str) -> Path:
    return folder / CERTIFICATES / f"{suite}.json"


def _pool_file(folder: Path, task: str) -> Path:
    return folder / CERTIFICATES / EPISODES / f"{task}.jsonl.xz"


def _say(key: Key) -> str:
    task, seed, index, changes = key
    under = f" under {' + '.join(map(str, changes))}" if changes else ""
    return f"{task} {index} (seed {seed}){under}"
