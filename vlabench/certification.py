"""Certifies suites: the expert solves every episode that is published, or the ledger says why not.

Every episode of a suite and its control twin are run under the expert, in a world that also looks
whether the start keeps the rules. What is not solved is rejected, and another draw takes its
place (`vlabench.layout`); that goes on until everything is solved. Which draws end up in the suite
depends on the expert alone, not on the order in which workers come to them. Episodes that begin in
the middle of another are made here too, where the expert comes to that state
(`vlabench.halfway`).
"""

from __future__ import annotations

import fcntl
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self

from pydantic import TypeAdapter, ValidationError

from vlabench import provenance
from vlabench.contract.environment import FAULT, World
from vlabench.errors import InvalidRunError, UnknownNameError, UsageError
from vlabench.halfway import NotThereError, StagedWorld
from vlabench.hashing import content_hash
from vlabench.jsonfiles import append_line, drop_torn_line, read_lines
from vlabench.layout import Key, arrange, consulted
from vlabench.manifest import Manifest, build_manifest
from vlabench.published import (
    Certificate,
    Certified,
    Publication,
    Published,
    Rejection,
    key_of,
    open_published,
    publications_beside,
    publish,
    read_pool,
)
from vlabench.registry import load_attribute
from vlabench.rollout import RunContext
from vlabench.runner import RUNNERS
from vlabench.runner.job import Finished, Job, Runner, RunnerOptions, make_world
from vlabench.runner.progress import Progress, Silent
from vlabench.seeding import stream
from vlabench.suite import Suite, load_suite
from vlabench.types import Change, EpisodeRecord, EpisodeSpec, Json

EXPERT = "expert"
LEDGERS = Path("results/certification")
"""Where verdicts are kept while a certification is on its way, so that it can be taken up again."""

MOST_REJECTED = {"level": 0.05, "cell": 0.20}
"""Largest share of rejected draws over an axis level, rounded up to whole draws, and in one task at
one axis level; a single one is always allowed, since in a small cell its share says nothing."""

HOPELESS = 3
"""So many times `MOST_REJECTED` ends a suite's certification before anything else is drawn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the expert made of one episode; `reason` is empty if it was solved."""

    episode_id: str
    reason: str
    certificate: Certificate

    @property
    def solved(self) -> bool:
        """Whether it can be published."""
        return not self.reason


_VERDICT = TypeAdapter(Verdict)


@dataclass(frozen=True, slots=True)
class Difference:
    """An episode that came out otherwise than its certificate says, and in what."""

    episode: EpisodeSpec
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What became of running published episodes again.

    Attributes:
        publication: Of the suite.
        checked: How many were run.
        differences: Those that came out otherwise.
        versions: What they were run with here.
    """

    publication: Publication
    checked: int
    differences: tuple[Difference, ...]
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        """Plain values for a file."""
        return {
            "suite": self.publication.suite,
            "suite_version": self.publication.suite_version,
            "checked": self.checked,
            "certified_with": dict(self.publication.versions),
            "run_with": dict(self.versions),
            "differences": [
                {
                    "episode_id": difference.episode.episode_id,
                    "task": difference.episode.task,
                    "index": difference.episode.index,
                    "changes": [str(change) for change in difference.episode.changes],
                    "what": list(difference.what),
                }
                for difference in self.differences
            ],
        }


@dataclass(frozen=True, slots=True)
class Labour:
    """With what a certification runs its episodes."""

    world: str = "tabletop"
    expert: str = EXPERT
    runner: str = "ray"
    options: RunnerOptions = field(default_factory=RunnerOptions)
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        if self.runner not in RUNNERS:
            raise UnknownNameError("runner", self.runner, RUNNERS)
        if self.options.workers is not None and self.options.workers < 1:
            raise UsageError(f"The number of workers is {self.options.workers}; give 1 or more.")

    def run(self, episodes: Sequence[EpisodeSpec], *, inspect: bool) -> Iterator[EpisodeRecord]:
        """Runs `episodes` under the expert; what the infrastructure loses is left out."""
        run: Runner = load_attribute(RUNNERS[self.runner], "runner")
        context = RunContext("certification", "certification", 0, "")
        job = Job(self.world, self.expert, {}, context, inspect=inspect)
        self.progress.begin(len(episodes), ())
        events = run(job, episodes, self.options)
        try:
            for event in events:
                if isinstance(event, Finished):
                    self.progress.finished(event.record)
                    yield event.record
                else:
                    self.progress.lost(event)
        finally:
            events.close()
            self.progress.end()


def certify(
    names: Sequence[str],
    labour: Labour | None = None,
    *,
    ledgers: Path | str = LEDGERS,
    fresh: bool = False,
) -> list[Publication]:
    """Certifies and publishes the suites `names`; the same call again resumes.

    Args:
        names: Packaged suites or paths of YAML files.
        labour: With what the episodes are run.
        ledgers: Folder of the verdicts that are there already.
        fresh: Run everything anew, what is published and what is in the ledger too.

    Raises:
        UsageError: If a suite is published already with other episodes, or was not read from a
            file.
        InvalidRunError: If too many draws were rejected: then the task has a fault, and its suite
            is not published.
    """
    labour = labour or Labour()
    suites = [load_suite(name) for name in names]
    world = StagedWorld(make_world(labour.world), labour.expert)
    if not fresh:
        _look_before(suites)
    with _Desk(world, Path(ledgers) / f"{_ledger_name(labour, world)}.jsonl", fresh) as desk:
        if not fresh:
            for suite in suites:
                desk.take_over(suite)
        refused = _try(suites, labour, desk)
        suites = [suite for suite in suites if suite.name not in refused]
        finished = {suite: desk.finished(suite) for suite in suites}
    for folder in dict.fromkeys(_folder(suite) for suite in suites):
        publish(folder, [finished[suite] for suite in suites if suite.folder == folder])
    if refused:
        raise InvalidRunError(" ".join(refused.values()))
    return [finished[suite][0] for suite in suites]


def _try(suites: Sequence[Suite], labour: Labour, desk: _Desk) -> dict[str, str]:
    """Runs whatever has no verdict, until nothing is left; says why of each suite that failed."""
    refused: dict[str, str] = {}
    while True:
        for suite in suites:
            sentence = desk.hopeless(suite) or _beyond(suite, desk.rejections(suite))
            if sentence:
                refused[suite.name] = sentence
        wanted = desk.wanted([suite for suite in suites if suite.name not in refused])
        if not wanted:
            return refused
        before = desk.told
        for record in labour.run(wanted, inspect=True):
            desk.hear(record)
        if desk.told == before:
            raise InvalidRunError(
                f"None of {len(wanted)} episodes could be run; mend the machine, and run the same "
                "command again."
            )


def _look_before(suites: Sequence[Suite]) -> None:
    """Finds out what stands in the way before hours are spent.

    Raises:
        UsageError: If a suite was edited after it was published, a file is damaged, or a folder
            cannot be written.
    """
    for folder in dict.fromkeys(_folder(suite) for suite in suites):
        if not os.access(folder, os.W_OK):
            raise UsageError(f"Cannot write to {folder}; copy the suite into a folder of yours.")
        publications_beside(folder, ())
    for suite in suites:
        open_published(suite)


def _ledger_name(labour: Labour, world: World) -> str:
    """Verdicts count for the code, the world and the expert that came to them."""
    expert = [labour.world, labour.expert, provenance.code_hash()]
    return f"{world.spec().fingerprint}-{content_hash(expert, length=8)}"


def check(
    name: str, count: int | None = None, labour: Labour | None = None, *, seed: int = 0
) -> Check:
    """Runs published episodes of the suite `name` again and compares them with their certificates.

    Args:
        name: A packaged suite or the path of a YAML file.
        count: How many, drawn by `seed`; None for all.
        labour: With what they are run.
        seed: Of the sample.

    Raises:
        UsageError: If the suite is not published, or by another version of the world.
    """
    labour = labour or Labour()
    suite = load_suite(name)
    published = open_published(suite)
    if published is None:
        raise UsageError(
            f"The suite {suite.name!r} v{suite.version} has no certificates to check; make them "
            f"with 'vlabench certify {name}'."
        )
    version = make_world(labour.world).version
    if published.publication.world_version != version:
        raise UsageError(
            f"The suite {suite.name!r} was published by world "
            f"{published.publication.world_version}, this is world {version}; install the "
            "vlabench that certified it."
        )
    sample = _sample(published, count, seed)
    found = {r.episode_id: _differences(r, published) for r in labour.run(sample, inspect=False)}
    differences = (Difference(e, found.get(e.episode_id, ("not run",))) for e in sample)
    return Check(
        publication=published.publication,
        checked=len(sample),
        differences=tuple(difference for difference in differences if difference.what),
        versions=provenance.versions(),
    )


def _folder(suite: Suite) -> Path:
    if suite.folder is None:
        raise UsageError(f"The suite {suite.name!r} was not read from a file; write it into one.")
    return suite.folder


class _Desk:
    """Draws, verdicts, and what of it makes a publication; use it as a context manager.

    Raises:
        UsageError: If the ledger cannot be written or read, or another certification writes it.
    """

    def __init__(self, world: World, ledger: Path, fresh: bool) -> None:
        self._world, self._ledger, self._fresh = world, ledger, fresh
        self._drawn: dict[Key, EpisodeSpec] = {}
        self._names: dict[Key, str] = {}
        self._unmade: dict[Key, str] = {}
        self._erred: set[str] = set()
        self._lock: IO[str] | None = None
        self.verdicts: dict[str, Verdict] = {}
        self.told = 0

    def __enter__(self) -> Self:
        try:
            self._ledger.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self._ledger.with_suffix(".lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            drop_torn_line(self._ledger)
        except BlockingIOError:
            raise UsageError(
                f"Another certification is writing to {self._ledger}; wait until it ends."
            ) from None
        except OSError as error:
            raise UsageError(f"Cannot write to {self._ledger} ({error}); mend that.") from error
        if not self._fresh:
            self._read()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def _read(self) -> None:
        for number, row in read_lines(self._ledger):
            try:
                verdict: Verdict = _VERDICT.validate_python(row)
            except ValidationError as error:
                raise UsageError(
                    f"{self._ledger}:{number} is damaged ({str(error).splitlines()[0]}); delete "
                    "the line, and run the same command again."
                ) from error
            self.verdicts[verdict.episode_id] = verdict

    def take_over(self, suite: Suite) -> None:
        """Counts what has been certified beside `suite` in this very world as solved."""
        if suite.folder is None:
            return
        here = self._world.spec().fingerprint
        for name, (_, certificate) in read_pool(suite.folder, suite.all_tasks()).items():
            if certificate.env_fingerprint == here and name not in self.verdicts:
                self.verdicts[name] = Verdict(name, "", certificate)

    def hear(self, record: EpisodeRecord) -> None:
        """Keeps what a record says; when this returns it is on disk.

        A first error of the expert is no verdict on the draw: the episode is tried once more.
        """
        self.told += 1
        if record.error is not None and record.episode_id not in self._erred:
            self._erred.add(record.episode_id)
            return
        verdict = _verdict(record)
        try:
            append_line(self._ledger, asdict(verdict))
        except OSError as error:
            raise UsageError(
                f"Cannot write to {self._ledger} ({error}); free some space, and run the same "
                "command again: it goes on where it stopped."
            ) from error
        self.verdicts[verdict.episode_id] = verdict

    def wanted(self, suites: Sequence[Suite]) -> list[EpisodeSpec]:
        """What of `suites`, as they are arranged by what is known now, has no verdict yet."""
        all_of_them = {n: e for suite in suites for n, e in self._episodes(suite).items()}
        return [e for n, e in all_of_them.items() if n not in self.verdicts]

    def hopeless(self, suite: Suite) -> str | None:
        """A sentence, if draws of `suite` cannot be made time and again; else all are made."""
        while True:
            rejected = self._rejected()
            sentence = _beyond(suite, self._consulted(suite, rejected), HOPELESS)
            if sentence or self._drawn_without(suite, rejected) is not None:
                return sentence

    def rejections(self, suite: Suite) -> tuple[Rejection, ...]:
        """What `suite` would have used and cannot, in order."""
        _, rejected = self._arranged(suite)
        return self._consulted(suite, rejected)

    def finished(self, suite: Suite) -> tuple[Publication, dict[str, Certified]]:
        """What is to be published of `suite`, all of which has been solved."""
        manifest, _ = self._arranged(suite)
        ledger = self.rejections(suite)
        episodes = self._episodes(suite)
        certified = {n: (e, self.verdicts[n].certificate) for n, e in episodes.items()}
        verdicts = [self.verdicts[name] for name in manifest.by_id]
        publication = Publication(
            suite=suite.name,
            suite_version=suite.version,
            world_version=manifest.world_version,
            env_fingerprint=manifest.env_fingerprint,
            manifest_hash=manifest.hash,
            episodes=tuple(manifest.by_id),
            drawn=len(episodes) + len(ledger),
            rejected=ledger,
            steps=sum(verdict.certificate.steps for verdict in verdicts),
            wall_s=round(sum(verdict.certificate.wall_s for verdict in verdicts), 1),
            versions=provenance.versions(),
        )
        return publication, certified

    def _episodes(self, suite: Suite) -> dict[str, EpisodeSpec]:
        """The episodes of `suite` and the twins of all of them, by name, in order."""
        manifest, _ = self._arranged(suite)
        twins = {
            self._names[key]: self._drawn[key]
            for episode in manifest.episodes
            if (key := (*key_of(episode)[:3], ())) in self._drawn
        }
        return twins | dict(manifest.by_id)

    def _arranged(self, suite: Suite) -> tuple[Manifest, frozenset[Key]]:
        """The manifest without what has been rejected, and what that is."""
        while True:
            rejected = self._rejected()
            manifest = self._drawn_without(suite, rejected)
            if manifest is not None and self._rejected() == rejected:
                return manifest, rejected

    def _drawn_without(self, suite: Suite, rejected: frozenset[Key]) -> Manifest | None:
        """The manifest without what has been rejected; None if a draw of it cannot be made."""
        try:
            return build_manifest(suite, self._world, rejected, self._drawn)
        except NotThereError as error:
            self._unmade[error.key] = error.reason
            return None

    def _rejected(self) -> frozenset[Key]:
        for key in self._drawn.keys() - self._names.keys():
            self._names[key] = self._drawn[key].episode_id
        bad = {name for name, verdict in self.verdicts.items() if not verdict.solved}
        return frozenset(key for key, name in self._names.items() if name in bad) | {*self._unmade}

    def _consulted(self, suite: Suite, rejected: frozenset[Key]) -> tuple[Rejection, ...]:
        return tuple(self._rejection(key) for key in consulted(suite, rejected))

    def _rejection(self, key: Key) -> Rejection:
        task, seed, index, changes = key
        reason = self._unmade.get(key) or self.verdicts[self._names[key]].reason
        return Rejection(task, seed, index, changes, reason)


def _verdict(record: EpisodeRecord) -> Verdict:
    certificate = Certificate(
        steps=record.steps,
        init_state_hash=record.init_state_hash,
        actions_hash=record.actions_hash,
        final_state_hash=record.final_state_hash,
        env_fingerprint=record.env_fingerprint,
        wall_s=round(record.wall_s, 3),
    )
    return Verdict(record.episode_id, _reason(record), certificate)


def _reason(record: EpisodeRecord) -> str:
    """Why an episode cannot be published; empty if the expert reached the goal of its scene.

    That holds for diagnostics too: where the right answer is to leave things be, the expert, who
    is told the goal, shows that there was something to be done.
    """
    faults = [event.what for event in record.events if event.what.startswith(FAULT)]
    if faults:
        return "; ".join(faults)
    if record.error is not None:
        return record.error
    if record.success:
        return ""
    return (
        f"not solved in {record.steps} steps; {record.chain_length} of {len(record.stages)} "
        "stages reached"
    )


def _beyond(suite: Suite, rejections: Sequence[Rejection], times: int = 1) -> str | None:
    """A sentence, if so many draws of `suite` were rejected that something must be wrong.

    More than `times` what may be.
    """
    wanted: Counter[tuple[str, ...]] = Counter()
    for scene in arrange(suite):
        kinds = (*scene.changes, *((None,) if scene.nominal else ()))
        wanted.update(group for change in kinds for group in _groups(scene.task, change))
    rejected: Counter[tuple[str, ...]] = Counter()
    for rejection in rejections:
        for change in rejection.changes or (None,):
            rejected.update(_groups(rejection.task, change))
    for group, number in sorted(rejected.items()):
        limit = MOST_REJECTED["cell" if len(group) == 2 else "level"]
        drawn = wanted[group] + number
        if number > times * max(1, _allowed(limit, drawn, whole=len(group) == 1)):
            reasons = sorted({r.reason for r in rejections if r.task == group[-1]})
            return (
                f"The suite {suite.name!r} is not published: {number} of {drawn} draws of "
                f"{' in '.join(group)} were rejected, and at most {limit:.0%} may be; mend the "
                f"task or the axis ({'; '.join(reasons[:3]) or 'see the ledger'})."
            )
    return None


def _allowed(limit: float, drawn: int, *, whole: bool) -> int:
    """How many of `drawn` may be rejected: the share, rounded up over the whole of a level."""
    return math.ceil(limit * drawn) if whole else math.floor(limit * drawn)


def _groups(task: str, change: Change | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The axis level, and the cell of it in one task."""
    level = "unchanged scenes" if change is None else str(change)
    return (level,), (level, task)


def _sample(published: Published, count: int | None, seed: int) -> list[EpisodeSpec]:
    episodes = published.manifest.episodes
    if count is None or count >= len(episodes):
        return list(episodes)
    if count < 1:
        raise UsageError(f"The number of episodes to check is {count}; give 1 or more.")
    order = stream("certificate-check", seed).permutation(len(episodes))
    return [episodes[number] for number in sorted(order[:count])]


def _differences(record: EpisodeRecord, published: Published) -> tuple[str, ...]:
    """In what a record differs from its certificate."""
    certificate = published.certificates[record.episode_id]
    again = _verdict(record)
    what = []
    if not again.solved:
        what.append(again.reason)
    if again.certificate.init_state_hash != certificate.init_state_hash:
        what.append("another first state")
    if again.certificate.actions_hash != certificate.actions_hash:
        what.append("other actions")
    if again.certificate.steps != certificate.steps:
        what.append("another number of steps")
    if again.certificate.final_state_hash != certificate.final_state_hash:
        what.append("another last state")
    return tuple(what)
