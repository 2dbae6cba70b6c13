"""A run's folder: one writer appends, anybody reads, and the same command resumes.

::

    run.json          what ran: see `vlabench.runinfo`
    manifest.json     the frozen list of episodes
    episodes.jsonl    one line an episode, on disk before the next is taken
    attempts.jsonl    attempts that ended in an infrastructure error
    repeated.jsonl    one line for each episode that was run a second time; only if any was
    traces/           the executed actions of each episode and a checksum per control step

Killing the writer at any moment loses at most the line it was writing, which the next start drops.
A trace is on disk before its record is; an interrupted run is taken up by looking at every trace,
and an episode whose trace a failing disk has torn all the same runs again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Self, TypeVar

from vlabench.errors import UsageError
from vlabench.folders import check_no_links
from vlabench.index import (
    ManifestIndex,
    PlannedEpisode,
    read_index,
    read_manifest,
    write_manifest,
)
from vlabench.jsonfiles import (
    append_line,
    drop_torn_line,
    file_sha256,
    read_json,
    read_lines,
    sync_folder,
    understanding,
    whole_file,
    whole_lines,
    write_json,
)
from vlabench.manifest import Manifest
from vlabench.results import Expected, Result, read_records, read_results
from vlabench.runinfo import RunInfo, Session, check_schema, known
from vlabench.trace import Trace, is_whole, load_trace, save_trace
from vlabench.types import SCHEMA_VERSION, EpisodeRecord, EpisodeSpec

RUN, MANIFEST, EPISODES, ATTEMPTS = "run.json", "manifest.json", "episodes.jsonl", "attempts.jsonl"
REPEATED, TRACES = "repeated.jsonl", "traces"
LOCK = ".lock"
OWN_NAMES = frozenset(
    {
        *(RUN, MANIFEST, EPISODES, ATTEMPTS, REPEATED, TRACES, LOCK),
        *("run.tmp", "manifest.tmp", "episodes.tmp"),
    }
)
T = TypeVar("T")
DRY_RUN = "dry-run"
"""What may stand in the folder before there is a run."""

DERIVED_NAMES = frozenset({"tables", "plots", "videos", "report", "report.html", DRY_RUN})
"""What may stand in a run's folder besides; it can be made again from the rest."""

LARGEST_MISSING_SHARE = 0.01
"""A run with a larger share of missing episodes is not valid."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an episode that ended in an infrastructure error."""

    run_id: str
    episode_id: str
    attempt: int
    error: str
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True)
class Run:
    """A run's folder, as it was when it was opened; reading never changes it."""

    path: Path
    info: RunInfo

    @staticmethod
    def open(path: Path | str) -> Run:
        """The run in the folder `path`.

        Raises:
            UsageError: If there is none, it was written in another major schema version, or its
                manifest is not the one that it was begun with.
        """
        path = Path(path)
        if not (path / RUN).exists():
            raise UsageError(f"{path} is not a run's folder ({RUN} is not there); check the path.")
        run = Run(path, _read_info(path))
        _ = run.index
        return run

    @cached_property
    def index(self) -> ManifestIndex:
        """Every episode of the manifest, without its scene."""
        return read_index(self.path / MANIFEST, self.info.manifest_hash)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest with every scene; tables need no more than `index`."""
        return read_manifest(self.path / MANIFEST)

    @property
    def needed(self) -> tuple[PlannedEpisode, ...]:
        """The episodes that belong to the run: all, or those until its stopping rule ended it.

        What ran ahead of that end is in the file, and in no figure.
        """
        return self.index.episodes[: _asked(self.info)]

    @cached_property
    def results(self) -> list[Result]:
        """What came of each episode that has run, in the manifest's order.

        Raises:
            UsageError: If the file of the records is damaged, or not the run's own.
        """
        return self._whole(read_results(self._expected(EPISODES)))

    @cached_property
    def records(self) -> list[EpisodeRecord]:
        """As `results`, with all that is known of each; tables need no more than those.

        Raises:
            UsageError: If the file of the records is damaged, or not the run's own.
        """
        return self._whole(read_records(self._expected(EPISODES)))

    @cached_property
    def repeated(self) -> dict[str, EpisodeRecord]:
        """The second records of the episodes that were run again to see whether they repeat."""
        found = read_records(self._expected(REPEATED))
        return {record.episode_id: record for record in found if record is not None}

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Attempts that ended in an infrastructure error, in the order they were made."""
        with understanding(str(self.path / ATTEMPTS)):
            return [Attempt(**known(Attempt, row)) for _, row in read_lines(self.path / ATTEMPTS)]

    @property
    def missing(self) -> list[str]:
        """Names of the episodes without a record: never failures, never left out in silence."""
        present = {result.episode_id for result in self.results}
        return [e.episode_id for e in self.needed if e.episode_id not in present]

    @property
    def valid(self) -> bool:
        """Whether there are episodes, and at most one percent of them are missing."""
        needed = len(self.needed)
        return needed > 0 and needed - len(self.results) <= LARGEST_MISSING_SHARE * needed

    def _expected(self, name: str) -> Expected:
        return _expected(self.path / name, self.info, self.index)

    def _whole(self, found: list[T | None]) -> list[T]:
        """What there is of the episodes that belong to the run, if nothing of it got lost."""
        path = self.path / EPISODES
        present = [one for one in found[: len(self.needed)] if one is not None]
        if len(present) < self.info.completed:
            raise UsageError(
                f"{path} has {len(present)} of the {self.info.completed} episodes that {RUN} "
                "counts: lines were lost; put the file back, or run the same command again, which "
                "runs what is missing."
            )
        written = self.info.episodes_sha256
        if written is not None and written != file_sha256(path):
            raise UsageError(
                f"{path} was changed after the run ended (its SHA-256 is not the one in {RUN}); "
                "put the file back, or run again with --fresh."
            )
        return present

    @property
    def running(self) -> bool:
        """Whether a writer is at work in the folder right now."""
        try:
            with (self.path / LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def trace(self, episode_id: str) -> Trace:
        """The executed actions and checksums of one episode.

        Raises:
            UsageError: If the episode is none of the run's, or has not run.
        """
        try:
            if episode_id not in self.index.rows:
                raise FileNotFoundError
            return load_trace(self.path / TRACES / f"{episode_id}.npz")
        except FileNotFoundError:
            raise UsageError(
                f"{self.path} has no trace of the episode {episode_id!r}; "
                f"take a name from {EPISODES}."
            ) from None


def refuse_run_file(path: Path) -> None:
    """Refuses to write to `path` if it is one of the files that a run consists of.

    Raises:
        UsageError: If it is.
    """
    place = path.resolve()
    for folder in place.parents:
        own = place.relative_to(folder).parts[0] in OWN_NAMES
        if own and any((folder / name).exists() for name in (RUN, EPISODES)):
            raise UsageError(
                f"{path} belongs to the run in {folder}, whose records would be lost; give "
                "another file."
            )


class RunWriter:
    """The only writer of a run's folder; use it as a context manager.

    Entering takes the folder's lock, refuses a folder of another run, drops a torn last line, and
    says in `done` what need not run again.

    Args:
        path: The folder; it is made if it is not there.
        info: What this run is.
        manifest: Its episodes.
        fresh: Delete an older run's files in the folder first.

    Raises:
        UsageError: If the folder is another run's, is in use, or cannot be written.
    """

    def __init__(self, path: Path, info: RunInfo, manifest: Manifest, fresh: bool = False) -> None:
        self.path, self.info, self.manifest = path, info, manifest
        self.done: dict[str, EpisodeRecord] = {}
        self._fresh = fresh
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            with self._writing():
                _refuse_a_file(self.path)
                _refuse_strangers(self.path)
                check_no_links(self.path, OWN_NAMES | DERIVED_NAMES)
                _make_folder(self.path / TRACES)
                self._take_lock()
                self._prepare()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if exception[0] is None:
                self._finish()
            else:
                # an interrupt may come between a line and its count
                with contextlib.suppress(UsageError, OSError):
                    self._count_what_is_there()
                    self._finish()
        finally:
            self._release()

    def add(self, record: EpisodeRecord, trace: Trace) -> None:
        """Keeps one finished episode; when this returns it is on disk.

        Raises:
            UsageError: If the disk is full or the folder cannot be written; what was kept stays.
        """
        with self._writing():
            save_trace(self.path / TRACES / f"{record.episode_id}.npz", trace)
            append_line(self.path / EPISODES, record.to_json())
        self.done[record.episode_id] = record

    @property
    def left(self) -> list[EpisodeSpec]:
        """The episodes that belong to the run and have no record, in order."""
        needed = islice(self.manifest.by_id.items(), _asked(self.info))
        return [episode for name, episode in needed if name not in self.done]

    def repeated(self) -> dict[str, EpisodeRecord]:
        """The second records that are there."""
        drop_torn_line(self.path / REPEATED)
        return self._read(REPEATED)

    def add_repeated(self, record: EpisodeRecord) -> None:
        """Keeps the second record of an episode; when this returns it is on disk.

        Raises:
            UsageError: If the disk is full or the folder cannot be written; what was kept stays.
        """
        with self._writing():
            append_line(self.path / REPEATED, record.to_json())

    def add_attempt(self, episode_id: str, attempt: int, error: str) -> None:
        """Keeps the account of an attempt that ended in an infrastructure error.

        Raises:
            UsageError: If the disk is full or the folder cannot be written.
        """
        row = Attempt(self.info.run_id, episode_id, attempt, error)
        with self._writing():
            append_line(self.path / ATTEMPTS, asdict(row))

    def _take_lock(self) -> None:
        self._lock = (self.path / LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"Another run is writing to {self.path}; wait until it ends, or give another --out."
            ) from None

    def _prepare(self) -> None:
        """Begins a new run in the folder, or takes up the one that is there."""
        if (self.path / RUN).exists() and not self._fresh:
            self._take_up(_read_info(self.path))
            return
        if self._fresh:
            _empty(self.path)
        self._begin()

    def _take_up(self, before: RunInfo) -> None:
        reason = before.difference(self.info)
        if reason is not None:
            raise UsageError(
                f"The folder {self.path} holds another run: {reason}; "
                "start over with --fresh, or give another --out."
            )
        drop_torn_line(self.path / ATTEMPTS)
        now, self.info = self.info, before
        self._count_what_is_there()
        if before.finished_at is None:
            self._drop_the_untraced()
        if self.left:
            session = Session(now.created_at, now.command, now.os, now.cpu, now.git)
            self.info = replace(before, sessions=(*before.sessions, session))
            self._write_info(finished=False)

    def _count_what_is_there(self) -> None:
        drop_torn_line(self.path / EPISODES)
        self.done = self._read(EPISODES)

    def _drop_the_untraced(self) -> None:
        """Lets the episodes run again whose trace is not what was written.

        Only a disk that loses what it has said to be written brings that about, so it is told.
        """
        torn = {
            name: record
            for name, record in self.done.items()
            if not is_whole(self.path / TRACES / f"{name}.npz", record.actions_hash)
        }
        if not torn:
            return
        for name, record in torn.items():
            self.add_attempt(name, record.attempt, "the trace was lost with the disk's cache")
            del self.done[name]
        lines = whole_lines(self.path / EPISODES)
        kept = [line for _, line in lines if json.loads(line)["episode_id"] not in torn]
        with whole_file(self.path / EPISODES) as file:
            file.writelines(kept)

    def _read(self, name: str) -> dict[str, EpisodeRecord]:
        index = ManifestIndex.of(self.manifest)
        found = read_records(_expected(self.path / name, self.info, index))
        return {record.episode_id: record for record in found if record is not None}

    def _begin(self) -> None:
        """Writes ``run.json`` last: a folder that has one is whole."""
        if (self.path / EPISODES).exists() and (self.path / EPISODES).stat().st_size:
            raise UsageError(
                f"The folder {self.path} holds episodes, but its {RUN} is gone; "
                "start over with --fresh."
            )
        write_manifest(self.path / MANIFEST, self.manifest)
        (self.path / EPISODES).touch()
        (self.path / ATTEMPTS).touch()
        self._write_info(finished=False)

    def _finish(self) -> None:
        with self._writing():
            self._write_info(finished=not self.left)

    def _write_info(self, finished: bool) -> None:
        left, needed = len(self.left), len(self.manifest.episodes[: _asked(self.info)])
        digest = file_sha256(self.path / EPISODES)
        unchanged = finished and digest == self.info.episodes_sha256
        self.info = replace(
            self.info,
            planned=len(self.manifest.episodes),
            completed=needed - left,
            missing=left,
            finished_at=(self.info.finished_at if unchanged else _now()) if finished else None,
            episodes_sha256=digest if finished else None,
        )
        write_json(self.path / RUN, self.info.to_json())

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what the file system refuses into one sentence."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"Cannot write to {self.path} ({error.strerror or error}); free some space or give "
                f"another --out: the {len(self.done)} finished episodes are kept, and the same "
                "command resumes."
            ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _make_folder(path: Path) -> None:
    """Makes a folder and those above it, and returns when that is on disk."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def _empty(path: Path) -> None:
    """Deletes what a run wrote, and nothing else.

    In an order that can be interrupted anywhere: as long as there is a ``run.json`` the old run is
    whole, and as long as there is a file of records the folder is known to be a run's.
    """
    first, last = (*sorted(DERIVED_NAMES), RUN), EPISODES
    for name in (*first, *sorted(OWN_NAMES - {LOCK, RUN, EPISODES}), last):
        entry = path / name
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        if name == RUN:
            sync_folder(path)  # what follows may be on disk before it
    (path / TRACES).mkdir()


def _refuse_a_file(path: Path) -> None:
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is a file; give a new or an empty folder as --out.")


def _refuse_strangers(path: Path) -> None:
    """A folder that holds something, and no run, is not ours to write into."""
    if not path.exists() or (path / RUN).exists():
        return
    strangers = sorted(
        entry.name for entry in path.iterdir() if entry.name not in OWN_NAMES | {DRY_RUN}
    )
    if not strangers and not (path / EPISODES).exists() and (path / TRACES).exists():
        strangers = [f"{TRACES}/{entry.name}" for entry in (path / TRACES).iterdir()]
    if strangers:
        raise UsageError(
            f"The folder {path} holds other things ({strangers[0]}) and no run; "
            "give an empty or a new folder as --out."
        )


def _asked(info: RunInfo) -> int | None:
    return None if info.stopping is None else info.stopping.asked


def _expected(path: Path, info: RunInfo, index: ManifestIndex) -> Expected:
    return Expected(path, index, info.run_id, info.env_fingerprint, info.contract_fingerprint)


def _read_info(path: Path) -> RunInfo:
    data = read_json(path / RUN)
    with understanding(str(path / RUN)):
        check_schema(data["schema_version"], str(path / RUN))
        return RunInfo.from_json(data)
