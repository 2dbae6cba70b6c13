"""Films of a run, in its folder: which there are, which are wanted, and how they come there.

::

    videos/<episode_id>.mp4    the film
    videos/<episode_id>.jpg    its last moment, for a list
    videos/<episode_id>.json   what happened step by step: `vlabench.film.shooting.timeline_json`

The JSON is written last: where it is, the others are whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from vlabench.errors import UsageError, in_one_line
from vlabench.film.shooting import FORM, Footage, Shot, shoot
from vlabench.film.style import USUAL, Style
from vlabench.folders import check_inside
from vlabench.registry import load_attribute
from vlabench.runner.job import RunnerOptions
from vlabench.store import Run

Choice: TypeAlias = Literal["failures", "all", "none"]
CHOICES: tuple[Choice, ...] = ("failures", "all", "none")

VIDEOS = "videos"
_SPREAD = "vlabench.runner.ray:each"


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one film.

    Attributes:
        episode_id: Of which episode.
        path: Where it lies; None if it could not be made.
        made: Whether it was made now, and not there already.
        verified: Whether the replay came out as the record says.
        left_at: The control step at which it left the record, if it did.
        error: Why it could not be made.
        note: What it does not show, and why; see `vlabench.film.shooting.Footage`.
    """

    episode_id: str
    path: Path | None
    made: bool = True
    verified: bool = True
    left_at: int | None = None
    error: str = ""
    note: str = ""


def chosen(run: Run, choice: Choice, limit: int | None = None) -> list[str]:
    """Names of the episodes to film, in the manifest's order, at most `limit` of them.

    ``"failures"`` are those without success, policy errors among them, and of diagnostic episodes
    those that did not comply.

    Raises:
        UsageError: If there is no such choice.
    """
    if choice not in CHOICES:
        raise UsageError(f"There is no choice {choice!r} of films; take {', '.join(CHOICES)}.")
    if choice == "none":
        return []
    names = [
        result.episode_id
        for result in run.results
        if choice == "all"
        or not (result.success if result.compliance is None else result.compliance)
    ]
    return names[:limit]


def film(
    run: Run,
    episode_ids: Sequence[str],
    *,
    style: Style = USUAL,
    runner: str = "ray",
    options: RunnerOptions | None = None,
    filed: Callable[[Filed], None] = lambda filed: None,
) -> list[Filed]:
    """Films episodes of `run` into its folder; those that are there in this style stay.

    A film that cannot be made is told by `Filed.error`, and the others are made all the same.

    Args:
        run: A run, finished or not.
        episode_ids: Which of its episodes.
        style: How they are to look.
        runner: ``"ray"`` for as many at a time as there are workers, ``"serial"`` for one after
            another in this process.
        options: Workers, and where they render.
        filed: Told of each film as soon as it is there.

    Raises:
        UsageError: If an episode has not run, the style is none, the folder cannot be written, or
            Ray cannot be started.
    """
    style.check()
    if runner not in ("ray", "serial"):
        raise UsageError(f"There is no runner {runner!r} for films; take ray or serial.")
    found: dict[str, Filed] = {}

    def keep(one: Filed) -> None:
        found[one.episode_id] = one
        filed(one)

    wanted = list(dict.fromkeys(episode_ids))
    for name in wanted:
        there = _filed_before(run, name, style)
        if there is not None:
            keep(there)
    missing = [name for name in wanted if name not in found]
    shots = [Shot.of(run, name, style) for name in missing]
    for number, footage in _shot(shots, runner, options or RunnerOptions()):
        if isinstance(footage, Footage):
            keep(_file(run, missing[number], footage))
        else:
            keep(Filed(missing[number], None, verified=False, error=footage))
    return [found[name] for name in wanted]


def film_one(
    run: Run, episode_id: str, *, style: Style = USUAL, path: Path | None = None
) -> Footage:
    """Films one episode in this process, to `path` or into the run's folder.

    Raises:
        UsageError: If it has not run, this vlabench has another world, there is no OpenGL here, or
            the file cannot be written.
    """
    footage = shoot(Shot.of(run, episode_id, style))
    if path is None:
        _file(run, episode_id, footage)
    else:
        _write(path, footage.mp4)
    return footage


def film_of(run: Run, episode_id: str) -> Path:
    """Where the film of an episode lies, or would lie."""
    return run.path / VIDEOS / f"{episode_id}.mp4"


def _shot(
    shots: Sequence[Shot], runner: str, options: RunnerOptions
) -> Iterator[tuple[int, Footage | str]]:
    """Each shot's number with its footage, or with why there is none."""
    if runner == "ray" and shots:
        spread = load_attribute(_SPREAD, "runner")
        yield from spread(shoot_safely, shots, options)
        return
    for number, shot in enumerate(shots):
        yield number, shoot_safely(shot)


def shoot_safely(shot: Shot) -> Footage | str:
    """The footage, or one line that says why there is none: one film must not cost the others."""
    try:
        return shoot(shot)
    except Exception as error:  # noqa: BLE001  (one film must not cost the others)
        return in_one_line(error)


def _filed_before(run: Run, episode_id: str, style: Style) -> Filed | None:
    """The film of an episode that is there already, if it shows what was executed, in `style`."""
    path = film_of(run, episode_id)
    try:
        told = json.loads(path.with_suffix(".json").read_text())
        trace = run.trace(episode_id)
        wanted = (FORM, trace.actions_hash, json.loads(json.dumps(asdict(style))))
        if (told["form"], told["actions_hash"], told["style"]) != wanted:
            return None
        verified = told["left_at"] is None and not told["faults"]
        there = path.exists() and path.with_suffix(".jpg").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Filed(episode_id, path, False, verified, told["left_at"]) if there else None


def _file(run: Run, episode_id: str, footage: Footage) -> Filed:
    path = film_of(run, episode_id)
    for ending in (".mp4", ".jpg", ".json"):
        check_inside(run.path, path.with_suffix(ending))
    with _writing(path):
        path.with_suffix(".json").unlink(missing_ok=True)
    _write(path, footage.mp4)
    _write(path.with_suffix(".jpg"), footage.poster)
    told = json.dumps(footage.timeline, ensure_ascii=False, sort_keys=True)
    _write(path.with_suffix(".json"), f"{told}\n".encode())
    replay = footage.replay
    return Filed(episode_id, path, True, replay.verified, replay.left_at, note=footage.note)


def _write(path: Path, data: bytes) -> None:
    """Writes a file, all of it or nothing."""
    scratch = path.with_name(f"{path.name}.tmp")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.unlink(missing_ok=True)  # it may be a link that somebody has put there
        scratch.write_bytes(data)
        scratch.replace(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into one sentence."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); free some space, or give another "
            "place."
        ) from error
