"""A baseline: what a run came to, in one small file that is committed and reviewed like code.

The file has what ``run.json`` says, but for the machine, and one line for each episode, in the
manifest's order, so that a later promotion shows in a diff which episodes come out otherwise. It
compares as the run itself does, to the last digit; it can be replayed no longer, because the
executed actions stay behind.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from vlabench.errors import InvalidRunError, UsageError
from vlabench.hashing import canonical_json, content_hash
from vlabench.jsonfiles import read_json, understanding
from vlabench.naming import file_name
from vlabench.outcomes import MISSING, STATUSES, Outcomes
from vlabench.runinfo import RunInfo, check_schema
from vlabench.store import RUN, Run, refuse_run_file
from vlabench.types import SCHEMA_VERSION, Change, Json

BASELINES = Path("results/baselines")
"""Where baselines go unless told otherwise."""

_STATUS = {code: name for name, code in STATUSES.items() if name != "infra_error"}


def open_outcomes(place: Path | str | Run) -> Outcomes:
    """The outcomes of a run, of the run in a folder, or of a promoted file.

    Raises:
        UsageError: If it is neither, or cannot be read.
    """
    if isinstance(place, Run):
        return Outcomes.of(place)
    if not isinstance(place, str | Path):
        raise UsageError(
            f"What was given is neither a run nor a path but of type {type(place).__name__}; give "
            "what vlabench.evaluate returned, a run's folder, or a baseline's file."
        )
    path = Path(place)
    if path.is_dir():
        return Outcomes.of(Run.open(path))
    if path.is_file() and path.name != RUN:
        return read_baseline(path)
    raise UsageError(
        f"{path} is neither a run's folder nor a baseline; give a folder that 'vlabench eval' "
        "wrote, or a file that 'vlabench baseline promote' wrote."
    )


def promote(run: Run, path: Path | None = None) -> Path:
    """Writes the outcomes of `run` to `path`, over an older baseline.

    Args:
        run: The run; it must be one that others can repeat.
        path: The file; by default ``results/baselines/<policy>-<suite>.json``.

    Returns:
        The file.

    Raises:
        InvalidRunError: If the run is not valid, still running, ended early by a rule, or not to
            be repeated because each answer took its own time.
        UsageError: If its records were changed, nothing of it can be compared, or the file is no
            baseline of an older promotion, or cannot be written.
    """
    _refuse_unfit(run)
    path = default_path(run.info) if path is None else path
    refuse_run_file(path)
    if path.exists():
        read_baseline(path)
    outcomes = Outcomes.of(run)
    if not len(outcomes):
        raise UsageError(
            f"{run.path} has no episode that success is compared by: all of them are diagnostic; "
            "promote a run of another suite."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        scratch.unlink(missing_ok=True)  # it may be a link that somebody has put there
        scratch.write_text(_text(outcomes), encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); give another --out."
        ) from error
    return path


def changes_to(path: Path, run: Run) -> str:
    """What promoting `run` to `path` changes, in words.

    Raises:
        UsageError: If there is a file that is no baseline, or the run cannot be read.
    """
    new = Outcomes.of(run)
    solved = f"{int(np.count_nonzero(new.succeeded))} of {len(new)} episodes solved"
    if not path.exists():
        return f"a new baseline, {solved}"
    old = read_baseline(path)
    if list(old.names) != list(new.names) or old.info.env_fingerprint != new.info.env_fingerprint:
        return f"other episodes or another world than before, {solved}"
    lost = int(np.count_nonzero(old.succeeded & ~new.succeeded))
    won = int(np.count_nonzero(new.succeeded & ~old.succeeded))
    return f"{solved}, {lost} lost and {won} won against the baseline before"


def default_path(info: RunInfo) -> Path:
    """Where the baseline of a run goes unless told otherwise."""
    policy, suite = file_name(info.policy.label, "policy"), file_name(info.suite, "suite")
    return BASELINES / f"{policy}-{suite}.json"


def read_baseline(path: Path) -> Outcomes:
    """What `promote` wrote.

    Raises:
        UsageError: If the file is no baseline, was written in another major schema version, or
            is not as it was written.
    """
    data = _read(path)
    with understanding(str(path)):
        check_schema(data["schema_version"], str(path))
        info = RunInfo.from_json(data["run"])
        rows = msgspec.convert(data["episodes"], list[_Row])
        statuses = np.array([STATUSES[row.status] for row in rows], dtype=np.int64)
        outcomes = Outcomes(
            source=path,
            info=info,
            names=[row.episode for row in rows],
            tasks=[row.task for row in rows],
            changes=[tuple(map(_change, row.changes)) for row in rows],
            seeds=np.array([row.seed for row in rows], dtype=np.int64),
            indices=np.array([row.index for row in rows], dtype=np.int64),
            statuses=statuses,
            progress=np.array([_progress(row) for row in rows], dtype=np.float64),
        )
        unchanged = data["hash"] == content_hash([data["run"], data["episodes"]])
    if not unchanged or not len(outcomes) or len(outcomes.by_name) != len(outcomes):
        raise UsageError(
            f"{path} was changed after it was written (its content does not give its 'hash'); "
            "promote the run again, or take the file from git."
        )
    return outcomes


# --- the file ---------------------------------------------------------------------------------


def _text(outcomes: Outcomes) -> str:
    """JSON, a line for each episode."""
    info, rows = _portable(outcomes.info).to_json(), list(_rows(outcomes))
    head = {"hash": content_hash([info, rows]), "run": info, "schema_version": SCHEMA_VERSION}
    opened = json.dumps(head, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    lines = ",\n".join(f"    {canonical_json(row)}" for row in rows)
    return f'{opened.removesuffix("}").rstrip()},\n  "episodes": [\n{lines}\n  ]\n}}\n'


def _rows(outcomes: Outcomes) -> Iterator[dict[str, Json]]:
    for place, name in enumerate(outcomes.names):
        status = int(outcomes.statuses[place])
        progress = float(outcomes.progress[place])
        yield {
            "episode": name,
            "task": outcomes.tasks[place],
            "changes": [str(change) for change in outcomes.changes[place]],
            "seed": int(outcomes.seeds[place]),
            "index": int(outcomes.indices[place]),
            "status": _STATUS[status],
            "progress": None if status == MISSING or math.isnan(progress) else progress,
        }


def _read(path: Path) -> Json:
    try:
        data = read_json(path)
    except UsageError as error:
        raise UsageError(
            f"{path} cannot be read as a baseline; promote the run again, or take the file from "
            "git."
        ) from error
    if not isinstance(data, dict) or "episodes" not in data or "run" not in data:
        raise UsageError(
            f"{path} is no baseline; give a file that 'vlabench baseline promote' wrote."
        )
    return data


class _Row(msgspec.Struct, frozen=True, gc=False):
    """What is said of an episode."""

    episode: str
    task: str
    changes: tuple[str, ...]
    seed: int
    index: int
    status: str
    progress: Annotated[float, msgspec.Meta(ge=0, le=1)] | None


def _change(text: str) -> Change:
    axis, _, level = text.partition(":")
    return Change(axis, level)


def _progress(row: _Row) -> float:
    if (row.progress is None) != (STATUSES[row.status] == MISSING):
        raise ValueError(f"the episode {row.episode} has a progress and is missing, or the reverse")
    return math.nan if row.progress is None else row.progress


def _portable(info: RunInfo) -> RunInfo:
    """`info` without what says only on which machines it was."""
    return replace(info, os="", cpu="", sessions=())


def _refuse_unfit(run: Run) -> None:
    info = run.info
    if run.running:
        raise InvalidRunError(f"{run.path} is still running; wait until it ends.")
    if not run.valid:
        raise InvalidRunError(
            f"{run.path} is not valid: {len(run.missing)} of {info.planned} episodes are missing; "
            "the same eval command finishes it."
        )
    if info.stopped_early:
        raise InvalidRunError(
            f"{run.path} ended as soon as a comparison was decided, so its success rate is "
            "biased; promote a run of 'vlabench eval', which runs all episodes."
        )
    if not info.conditions.reproducible:
        raise InvalidRunError(
            f"{run.path} was run with measured latency, which no other machine repeats; promote "
            "one with none, or with a fixed --latency."
        )
