"""What tables and comparisons need of ``episodes.jsonl``, and what makes its lines credible.

A line counts if it was written whole, is of this run and of one of its episodes, and agrees with
itself. Two lines of one episode that say the same, as far as two equal runs must, are one; two that
do not are refused, and so is whatever else cannot be told right from wrong: there is an error that
names the line, never a number that might be false. The order of the lines says nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from vlabench.errors import UsageError
from vlabench.index import ManifestIndex, PlannedEpisode
from vlabench.jsonfiles import no_json, read_lines, understanding, whole_lines
from vlabench.runinfo import check_schema
from vlabench.types import VOLATILE_FIELDS, Change, EpisodeRecord, Json, Status

T = TypeVar("T")
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]

ROUNDING = 1e-6

CREDIBLE_HZ = 1e-3, 1e6
"""The fewest and most control steps a second; outside, time is counted in something else."""


class Stage(msgspec.Struct, frozen=True, gc=False):
    """A stage of an episode, and whether it was reached."""

    name: str
    success: bool


class Planning(msgspec.Struct, frozen=True, gc=False):
    """What a planner's plans of an episode were like; see `EpisodeRecord` for the fields."""

    planner_calls: int
    subtask_changes: int
    subtask_s_mean: float | None
    stages_named: int
    stages_named_in_order: int


class Result(msgspec.Struct, frozen=True, gc=False):
    """What came of one episode; see `vlabench.types.EpisodeRecord` for its fields."""

    episode: PlannedEpisode
    status: Status
    compliance: bool | None
    progress: float
    stages: tuple[Stage, ...]
    chain_length: int
    steps: int
    time_to_success_s: float | None
    n_collisions: int | None
    max_contact_force_n: float | None
    n_drops: int | None
    latency_ms_p95: float | None
    thought_s: float
    policy_calls: int | None = None
    gpu_memory_bytes: int | None = None
    planning: Planning | None = None

    @property
    def success(self) -> bool:
        """Whether the goal was reached and held."""
        return self.status == "success"

    @property
    def episode_id(self) -> str:
        """Name of the episode."""
        return self.episode.episode_id

    @property
    def task(self) -> str:
        """Name of its task."""
        return self.episode.task

    @property
    def changes(self) -> tuple[Change, ...]:
        """The axes that differ from nominal."""
        return self.episode.changes

    @property
    def index(self) -> int:
        """Which draw of the task it is."""
        return self.episode.index

    @property
    def stages_in_order(self) -> bool:
        """Whether it reached none of its stages before another that comes earlier."""
        return all(stage.success == (k < self.chain_length) for k, stage in enumerate(self.stages))


@dataclass(frozen=True, eq=False)
class Expected:
    """Whose lines a file must hold.

    Attributes:
        path: The file.
        index: The episodes of the run's manifest.
        run_id: Name of the run.
        env_fingerprint: Of the world.
        contract_fingerprint: Of the policy's pipeline.
    """

    path: Path
    index: ManifestIndex
    run_id: str
    env_fingerprint: str
    contract_fingerprint: str


def read_results(expected: Expected) -> list[Result | None]:
    """The result of each episode of the manifest, in its order; None where there is none.

    Raises:
        UsageError: If a line cannot be read, is of another run, or contradicts itself or another.
    """
    stages: dict[tuple[Stage, ...], tuple[Stage, ...]] = {}

    def result(line: _Line, episode: PlannedEpisode, _: bytes) -> Result:
        return Result(
            episode,
            line.status,
            line.compliance,
            line.progress,
            stages.setdefault(line.stages, line.stages),
            line.chain_length,
            line.steps,
            line.time_to_success_s,
            line.n_collisions,
            line.max_contact_force_n,
            line.n_drops,
            line.latency_ms_p95,
            line.inference_s if line.infer_s is None else line.infer_s,
            line.policy_calls,
            line.gpu_memory_bytes,
            line.planning,
        )

    return _read(expected, result)


def read_records(expected: Expected) -> list[EpisodeRecord | None]:
    """As `read_results`, with all that the lines say."""
    decoder = msgspec.json.Decoder(EpisodeRecord)

    def record(line: _Line, _: PlannedEpisode, data: bytes) -> EpisodeRecord:
        with understanding(f"{expected.path}, at the episode {line.episode_id},"):
            return decoder.decode(data)

    return _read(expected, record)


# --- reading ----------------------------------------------------------------------------------


class _Line(msgspec.Struct, frozen=True, gc=False):
    """What is looked at in a line."""

    schema_version: str
    run_id: str
    episode_id: str
    env_fingerprint: str
    contract_fingerprint: str
    task: str
    changes: tuple[Change, ...]
    index: int
    seed: int
    control_id: str | None
    status: Status
    success: bool
    progress: Share
    stages: tuple[Stage, ...]
    chain_length: Count
    steps: Count
    horizon: int
    time_to_success_s: Amount | None
    inference_s: Amount
    infer_s: Amount | None = None
    latency_ms_p95: Amount | None = None
    compliance: bool | None = None
    n_collisions: Count | None = None
    max_contact_force_n: Amount | None = None
    n_drops: Count | None = None
    policy_calls: Count | None = None
    gpu_memory_bytes: Count | None = None
    planner_calls: Count | None = None
    subtask_changes: Count | None = None
    subtask_s_mean: Amount | None = None
    stages_named: Count | None = None
    stages_named_in_order: Count | None = None

    @property
    def planning(self) -> Planning | None:
        """What its plans were like; None without a planner."""
        if (
            self.planner_calls is None
            or self.subtask_changes is None
            or self.stages_named is None
            or self.stages_named_in_order is None
        ):
            return None
        return Planning(
            self.planner_calls,
            self.subtask_changes,
            self.subtask_s_mean,
            self.stages_named,
            self.stages_named_in_order,
        )

    @property
    def seconds(self) -> float:
        """The time to success; 0 where there is none."""
        return self.time_to_success_s or 0.0

    @property
    def control_hz(self) -> float | None:
        """Control steps a second; None where it does not tell."""
        return self.steps / self.seconds if self.seconds else None


_DECODER = msgspec.json.Decoder(_Line)


def _read(expected: Expected, make: Callable[[_Line, PlannedEpisode, bytes], T]) -> list[T | None]:
    """What `make` makes of the one line of each episode, in the manifest's order."""
    index, path = expected.index, expected.path
    found: list[T | None] = [None] * len(index.episodes)
    repeated: set[str] = set()
    versions: set[str] = set()
    control_hz: float | None = None
    for number, data in whole_lines(path):
        line = _decoded(path, number, data)
        if line.schema_version not in versions:
            check_schema(line.schema_version, f"{path}:{number}")
            versions.add(line.schema_version)
        row = index.rows.get(line.episode_id)
        episode = None if row is None else index.episodes[row]
        fault = _fault(line, episode, expected) or _other_clock(line.control_hz, control_hz)
        if row is None or episode is None or fault:
            raise UsageError(
                f"{path}:{number} {fault}; the file is damaged or mixed up with another: put the "
                "run's own file back, or delete the line and run the same command again."
            )
        control_hz = control_hz or line.control_hz
        if line.status == "infra_error":
            continue
        if found[row] is None:
            found[row] = make(line, episode, data)
        else:
            repeated.add(line.episode_id)
    if repeated:
        _refuse_contradictions(path, repeated)
    return found


def _decoded(path: Path, number: int, data: bytes) -> _Line:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _explained(f"{path}:{number}", data)


def _explained(place: str, data: bytes) -> _Line:
    """What is wrong with a line that could not be read: its version, its fields, or all of it."""
    try:
        row = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_json(place) from None
    with understanding(place):
        check_schema(row["schema_version"], place)
        return msgspec.convert(row, _Line)


def _fault(line: _Line, episode: PlannedEpisode | None, expected: Expected) -> str:
    """What is wrong with a line, as the rest of a sentence; empty if nothing is."""
    if line.run_id != expected.run_id:
        return f"is of the run {line.run_id!r} and not of {expected.run_id!r}"
    if line.env_fingerprint != expected.env_fingerprint:
        return f"is of the world {line.env_fingerprint!r} and not of {expected.env_fingerprint!r}"
    if line.contract_fingerprint != expected.contract_fingerprint:
        return "is of another contract between policy and environment than the run"
    if episode is None:
        return f"is of the episode {line.episode_id!r}, which is not in the manifest"
    drawn = episode.task, episode.index, episode.seed, episode.control_id, episode.horizon
    told = line.task, line.index, line.seed, line.control_id, line.horizon
    if told != drawn or line.changes != episode.changes:
        return f"says of the episode {line.episode_id} what the manifest does not say"
    if line.success != (line.status == "success"):
        return f"says 'status' {line.status!r} and 'success' {str(line.success).lower()}"
    if (line.time_to_success_s is not None) != line.success:
        return "has a time to success and no success, or the reverse"
    if (line.compliance is not None) != episode.diagnostic:
        return "has 'compliance' and is no diagnostic, or the reverse"
    if line.success and (line.progress == 0 or not all(stage.success for stage in line.stages)):
        return "is a success without progress, or with a stage that was not reached"
    if line.steps > line.horizon or (line.success and bool(line.steps) != bool(line.seconds)):
        return "has a time to success, or steps, that its horizon does not allow"
    if not (line.stages_named_in_order or 0) <= (line.stages_named or 0) <= len(line.stages):
        return "names more stages than there are, or more in order than it names"
    reached = [stage.success for stage in line.stages] or [line.success]
    if abs(line.progress - sum(reached) / len(reached)) > ROUNDING:
        return f"has a 'progress' of {line.progress:g}, which its stages do not give"
    if line.chain_length > len(line.stages) > 0:
        return f"has a 'chain_length' of {line.chain_length} in {len(line.stages)} stages"
    return ""


def _other_clock(own: float | None, others: float | None) -> str:
    """What is wrong with the control steps a second of a line, beside those of the lines before."""
    if own is None or (
        CREDIBLE_HZ[0] <= own <= CREDIBLE_HZ[1] and (others is None or math.isclose(own, others))
    ):
        return ""
    before = "" if others is None else f", and lines before it {others:g}"
    return f"has a time to success of {own:g} control steps a second{before}"


def _refuse_contradictions(path: Path, names: set[str]) -> None:
    """Lines of one episode may differ only in what may differ between two equal runs.

    Raises:
        UsageError: If two lines of one of the episodes `names` differ in anything else.
    """
    firsts: dict[str, tuple[int, dict[str, Json]]] = {}
    for number, row in read_lines(path):
        name = row["episode_id"]
        if name not in names or row["status"] == "infra_error":
            continue
        first, before = firsts.setdefault(name, (number, row))
        for field in sorted({*before, *row} - VOLATILE_FIELDS):
            one, other = before.get(field), row.get(field)
            if one != other:
                raise UsageError(
                    f"{path}:{first} and :{number} contradict each other about the episode "
                    f"{name}, whose {field!r} is {_short(one)} in one and {_short(other)} in the "
                    "other; delete the line that is wrong, or both, and run the same command "
                    "again."
                )


def _short(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
