"""The episodes of a run as data for the pages: a short row of each, and all of it in parts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from vlabench.figures.stages import UNKNOWN, failure_mode
from vlabench.index import PlannedEpisode
from vlabench.pages.site import Site
from vlabench.report.summarize import control_hz_of
from vlabench.store import Run
from vlabench.types import EpisodeRecord, Json

FILMS = "videos"
PART = 50
"""Episodes in one file of details."""

COLUMNS = (
    "id",
    "task",
    "changes",
    "scene",
    "status",
    "failure",
    "reached",
    "stages",
    "steps",
    "time_s",
    "collisions",
    "force_n",
    "drops",
    "latency_ms",
    "film",
    "poster",
    "twin",
    "complied",
)
LONGEST_TEXT = 20_000
"""Characters of one text of a policy that a page shows."""


def write_episodes(site: Site, run: Run, number: int) -> None:
    """Writes the rows of all episodes and their details, and puts their films beside them."""
    records = {record.episode_id: record for record in run.records}
    rows = []
    timelines: dict[str, Json] = {}
    for episode in run.needed:
        name = episode.episode_id
        timelines[name] = _timeline(run.path / FILMS / f"{name}.json", records.get(name))
        film, poster = (
            timelines[name] is not None
            and site.link(run.path / FILMS / f"{name}.{form}", f"media/{number}/{name}.{form}")
            for form in ("mp4", "jpg")
        )
        rows.append(_row(episode, records.get(name), film, poster, timelines[name]))
    hz = control_hz_of(run.results)
    index = {"columns": COLUMNS, "rows": rows, "part": PART, "hz": hz}
    site.data(f"{number}/index", index)
    for start in range(0, len(rows), PART):
        part = run.needed[start : start + PART]
        told = {e.episode_id: _details(run, e.episode_id, records, timelines) for e in part}
        site.data(f"{number}/{start // PART}", told)


def _row(
    episode: PlannedEpisode,
    record: EpisodeRecord | None,
    film: bool,
    poster: bool,
    timeline: Json,
) -> list[Json]:
    changes = " + ".join(map(str, episode.changes))
    drawn = [episode.episode_id, episode.task, changes, episode.index]
    if record is None:
        nothing: list[Json] = [None] * (len(COLUMNS) - len(drawn) - 5)
        return [*drawn, "missing", *nothing, film, poster, episode.control_id, None]
    return [
        *drawn,
        record.status,
        "" if record.success else _failure(record, timeline),
        record.chain_length,
        len(record.stages),
        record.steps,
        record.time_to_success_s,
        record.n_collisions,
        record.max_contact_force_n,
        record.n_drops,
        record.latency_ms_p95,
        film,
        poster,
        record.control_id,
        record.compliance,
    ]


def _failure(record: EpisodeRecord, timeline: Json) -> str:
    """How it failed, as the record says; of an older one, as its replay found."""
    mode = failure_mode(record)
    if mode != UNKNOWN:
        return mode
    found = (timeline or {}).get("failure")
    return found.replace("_", " ")[:40] if isinstance(found, str) else ""


def _details(
    run: Run, name: str, records: Mapping[str, EpisodeRecord], timelines: Mapping[str, Json]
) -> Json:
    """All that the page of an episode shows; null of one that has no record."""
    record = records.get(name)
    if record is None:
        return None
    twin = records.get(record.control_id or "")
    return {
        "instruction": _cut(record.instruction),
        "twin_instruction": None if twin is None else _cut(twin.instruction),
        "factors": _factors(record, twin),
        "stages": [[s.name, s.success, s.step] for s in record.stages],
        "events": [[event.step, _cut(event.what)] for event in record.events],
        "said": [[said.step, _spoken(said.extras)] for said in record.said],
        "said_left_out": record.said_left_out,
        "error": None if record.error is None else _cut(record.error),
        "numbers": _numbers(record),
        "horizon": record.horizon,
        "replay": shlex.join(["vlabench", "replay", str(run.path), name]),
        "timeline": timelines[name],
    }


def _factors(record: EpisodeRecord, twin: EpisodeRecord | None) -> list[list[Json]]:
    """Name, value, and whether the unchanged twin has another."""
    own = dict(record.factors)
    others = own if twin is None else dict(twin.factors)
    return [
        [name, _value(own.get(name)), own.get(name) != others.get(name)]
        for name in sorted({*own, *others})
    ]


def _value(value: Json) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _spoken(extras: Mapping[str, Json]) -> list[list[str]]:
    return [[name, _value(value)] for name, value in extras.items()]


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}… ({len(text) - LONGEST_TEXT} characters more)"


def _numbers(record: EpisodeRecord) -> list[list[Json]]:
    """Name, value and unit of what is measured, as far as it is known."""
    told: list[tuple[str, Json, str]] = [
        ("steps", record.steps, f"of {record.horizon}"),
        ("time to success", record.time_to_success_s, "s"),
        ("progress", record.progress, ""),
        ("path of the hand", record.path_length_m, "m"),
        ("collisions", record.n_collisions, ""),
        ("largest contact force", record.max_contact_force_n, "N"),
        ("drops", record.n_drops, ""),
        ("steps at a joint's limit", record.n_joint_limit_steps, ""),
        ("steps outside the workspace", record.n_workspace_steps, ""),
        ("answers of the policy", record.policy_calls, ""),
        ("latency, median", record.latency_ms_p50, "ms"),
        ("latency, 95th percentile", record.latency_ms_p95, "ms"),
        ("robot", record.embodiment, ""),
        ("certified", record.certified, ""),
        ("seed", record.seed, ""),
        ("first state", record.init_state_hash, ""),
        ("last state", record.final_state_hash, ""),
        ("actions", record.actions_hash, ""),
    ]
    return [list(one) for one in told if one[1] is not None]


def _timeline(path: Path, record: EpisodeRecord | None) -> Json:
    """What was found while the episode was filmed; null where these very actions were not."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or record is None:
        return None
    return found if found.get("actions_hash") == record.actions_hash else None
