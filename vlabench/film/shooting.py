"""Films one episode while it is replayed."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from vlabench.contract.environment import Environment
from vlabench.contract.images import Image
from vlabench.contract.watching import TellsTimeline, Timeline
from vlabench.film.declared import declared_by
from vlabench.film.painting import Kind, Marks, Sheet, Telling
from vlabench.film.style import Style, look, views_of
from vlabench.film.video import VideoFile
from vlabench.registry import search_in
from vlabench.replaying import Recorded, Replay, replay_in
from vlabench.store import Run
from vlabench.types import EpisodeRecord, Json, Outcome, Said

LINGER_S = 1.2
"""Seconds for which the last frame stays, with the outcome on it."""

POSTER_WIDTH = 320

FORM = 1
"""Version of what a film's JSON says."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is to be filmed; plain values, so that it can be filmed in any process.

    Attributes:
        recorded: The episode, and what was executed.
        policy: Reference of the policy.
        spec: What it declared, as ``run.json`` has it.
        style: How it is to look.
        folder: Where the user's own modules are searched too.
    """

    recorded: Recorded
    policy: str
    spec: Mapping[str, Json]
    style: Style
    folder: str

    @staticmethod
    def of(run: Run, episode_id: str, style: Style) -> Shot:
        """A shot of an episode of `run`.

        Raises:
            UsageError: If it has not run, or the style is none.
        """
        style.check()
        info = run.info.policy
        return Shot(Recorded.of(run, episode_id), info.name, info.spec, style, str(Path.cwd()))


@dataclass(frozen=True, slots=True)
class Footage:
    """What has been filmed.

    Attributes:
        replay: What became of the replay.
        mp4: The film.
        poster: A JPEG of the last moment, `POSTER_WIDTH` wide.
        timeline: What happened step by step, for a page that shows the film; see `timeline_json`.
        note: Why it does not show what the policy saw, although it is one that may have looked.
    """

    replay: Replay
    mp4: bytes
    poster: bytes
    timeline: Mapping[str, Json]
    note: str = ""


def shoot(shot: Shot) -> Footage:
    """Replays an episode, and films it on the way.

    Raises:
        UsageError: If this vlabench has another world, or there is no OpenGL here.
    """
    search_in(shot.folder)
    environment = shot.recorded.environment()
    try:
        return _shoot(shot, environment)
    finally:
        environment.close()


def _shoot(shot: Shot, environment: Environment) -> Footage:
    env = environment.spec()
    declared, note = declared_by(shot.spec, shot.policy, shot.style, shot.recorded)
    views = views_of(shot.style, env, declared)
    shapes = [view.width_over_height for view in views]
    record = shot.recorded.record
    sentences = [record.instruction, *(event.what for event in record.events)]
    labels = [view.label for view in views]
    sheet = Sheet(shot.style.size, shapes, labels, sentences, bool(record.said))
    reporter = _Reporter(shot, environment)
    last: list[Image] = []

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "film.mp4")
        with VideoFile(path, (sheet.width, sheet.height), env.control_hz) as video:

            def watch(left_at: int | None) -> None:
                last[:] = look(environment, views, shot.policy)
                video.add(sheet.paint(last, reporter.now(left_at), reporter.marks))

            replay = replay_in(environment, shot.recorded, watch)
            ending = sheet.paint(last, reporter.ending(replay), reporter.marks)
            for _ in range(round(LINGER_S * env.control_hz)):
                video.add(ending)
        mp4 = path.read_bytes()
    told = timeline_json(shot, replay, environment)
    told |= {"width": sheet.width, "height": sheet.height}
    return Footage(replay, mp4, _poster(last[0]), told, note)


def timeline_json(shot: Shot, replay: Replay, environment: Environment) -> dict[str, Json]:
    """What the JSON beside a film says; control steps count from 1.

    ``stages`` with the step at which each was reached, or null; ``contact_force_n`` for each
    control step; the steps of ``collisions`` and ``drops``; ``grasps`` as ``[from, to, name]``;
    ``said`` and ``events`` as the record has them; ``left_at``, the step at which the replay left
    the record, or null; ``faults``, what else did not come out as the record says; ``failure``, the
    mode, which older records do not have.
    """
    record, outcome, told = replay.record, environment.outcome(), _timeline(environment)
    return {
        "form": FORM,
        "episode_id": record.episode_id,
        "actions_hash": record.actions_hash,
        "style": json.loads(json.dumps(asdict(shot.style))),
        "hz": environment.spec().control_hz,
        "steps": replay.steps,
        "horizon": record.horizon,
        "status": record.status,
        "failure": _failure(record, outcome),
        "stages": [{"name": stage.name, "step": stage.step} for stage in outcome.stages],
        "contact_force_n": list(told.contact_force_n),
        "collisions": list(told.collisions),
        "drops": list(told.drops),
        "grasps": [[held.since, held.until, held.thing] for held in told.grasps],
        "said": [asdict(said) for said in record.said],
        "events": [asdict(event) for event in record.events],
        "left_at": replay.left_at,
        "faults": list(replay.faults),
    }


class _Reporter:
    """Says what stands around the panels."""

    def __init__(self, shot: Shot, environment: Environment) -> None:
        self._record, self._environment = shot.recorded.record, environment
        self._hz = environment.spec().control_hz
        record = self._record
        changes = " + ".join(str(change) for change in record.changes) or "unchanged"
        name = shot.spec.get("name", shot.policy)
        self._title = f"{record.task}  ·  {changes}  ·  scene {record.index}  ·  {name}"

    @property
    def marks(self) -> Marks:
        """What the bar shows."""
        told = _timeline(self._environment)
        grasps = [(held.since, held.until) for held in told.grasps]
        return Marks(grasps, told.drops, told.collisions)

    def now(self, left_at: int | None, outcome: str = "", kind: Kind = "plain") -> Telling:
        """What is told in the middle of the episode."""
        shown, so_far = self._environment.observe(), self._environment.outcome()
        warning = "" if left_at is None else f"the replay left the record at step {left_at}"
        return Telling(
            title=self._title,
            instruction=shown.instruction,
            said=_words(self._record.said, so_far.steps),
            step=so_far.steps,
            horizon=self._record.horizon,
            time_s=so_far.steps / self._hz,
            stages=[(stage.name, stage.step) for stage in so_far.stages],
            outcome=outcome,
            kind=kind,
            warning=warning,
        )

    def ending(self, replay: Replay) -> Telling:
        """What is told in the end."""
        text, kind = ending(self._record, _failure(self._record, self._environment.outcome()))
        if replay.faults and replay.left_at is None:
            text, kind = f"NOT VERIFIED: {replay.faults[0]}", "bad"
        return self.now(replay.left_at, text, kind)


def ending(record: EpisodeRecord, failure: str | None) -> tuple[str, Kind]:
    """What came of an episode in a few words, and whether that is good."""
    if record.status == "policy_error":
        return f"POLICY ERROR: {record.error or ''}", "bad"
    if record.compliance is not None:
        return ("COMPLIED", "good") if record.compliance else ("DID NOT COMPLY", "bad")
    if record.success:
        return f"SUCCESS after {record.time_to_success_s:.2f} s", "good"
    return f"FAILURE: {failure.replace('_', ' ')}" if failure else "FAILURE", "bad"


def _failure(record: EpisodeRecord, outcome: Outcome) -> str | None:
    """The mode, from the replay where the record is older than modes are."""
    if record.status != "failure" or record.compliance is not None:
        return None
    return record.failure or outcome.failure


def _words(said: tuple[Said, ...], step: int) -> str:
    """What the policy has said last, before the step that is shown."""
    latest = next((one for one in reversed(said) if one.step <= step), None)
    if latest is None:
        return ""
    return "   ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in latest.extras.items()
    )


def _timeline(environment: Environment) -> Timeline:
    return environment.timeline() if isinstance(environment, TellsTimeline) else Timeline()


def _poster(picture: Image) -> bytes:
    from PIL import Image as Pillow

    image, buffer = Pillow.fromarray(picture), io.BytesIO()
    height = max(1, round(POSTER_WIDTH * image.height / image.width))
    small = image.resize((POSTER_WIDTH, height), Pillow.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
