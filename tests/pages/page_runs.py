"""Made-up runs for pages: plain ones, large ones, and ones whose every text is hostile."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

from report_fakes import episode, episodes, make_run, rewrite

from vlabench.runinfo import PolicyInfo
from vlabench.store import Run
from vlabench.types import EpisodeRecord, EpisodeSpec, Said, StageResult, Status

HERE = Path(__file__).parent
HURT = {"camera": 30, "lighting": 8, "paraphrase": 0, "swapped-goal": 40}
LEVELS = [(axis, f"L{k}") for axis in ("camera", "lighting", "paraphrase") for k in (1, 2, 3)]
HACK = "<script>window.hacked=1</script>"
IMAGE = "<img src=x onerror=window.hacked=1>"
QUOTES = "\"'`&amp;</script><!--"
FAR = "مرحبا بالعالم \u202e🦾🧪 \u2028\u2029"
LONG = "x" * 10_000


def chance(spec: EpisodeSpec, salt: str) -> int:
    """0 to 99, the same for a scene whatever is changed in it."""
    return zlib.crc32(f"{salt}{spec.task}{spec.index}".encode()) % 100


def outcome(salt: str, skill: int):
    """Loses more the stronger a change is."""

    def came(spec: EpisodeSpec) -> Status:
        lost = sum(HURT.get(c.axis, 0) * int(c.level[-1]) for c in spec.changes)
        return "success" if chance(spec, salt) < skill - lost else "failure"

    return came


def plain_run(folder: Path, *, skill: int = 85, count: int = 6, **info: object) -> Run:
    """Two tasks, one of them a chain, under three axes at three levels and a diagnostic."""
    planned = episodes(["lift", "chain"], [*LEVELS, ("swapped-goal", "L1")], count)
    policy = PolicyInfo(folder.name, {}, {"name": folder.name}, privileged=False)
    run = make_run(folder, planned, outcome("a", skill), **{"policy": policy, **info})
    return rewrite(run, timed)


def timed(record: EpisodeRecord) -> EpisodeRecord:
    """Steps and times that differ."""
    steps = 30 + record.index % 50
    if not record.success:
        mode = None if record.compliance is not None else ("dropped", "timeout")[record.index % 2]
        return replace(record, steps=record.horizon, failure=mode)
    return replace(record, steps=steps, time_to_success_s=steps / 20)


def large_run(folder: Path) -> Run:
    """2,142 episodes."""
    tasks = ["lift", "place-in", "place-on", "stack", "push-to", "open-drawer", "chain"]
    changes = [*LEVELS, *[(a, f"L{k}") for a in ("pose", "scale") for k in (1, 2, 3)]]
    planned = episodes(tasks, [*changes, ("swapped-goal", "L1")], 18)
    return rewrite(make_run(folder, planned, outcome("b", 80)), timed)


def hostile_run(folder: Path, salt: str = "h") -> Run:
    """Everything that somebody else can write is markup, very long, or turned round."""
    tasks = [IMAGE, "lift"]
    planned = []
    for index in range(12):
        for task in tasks:
            twin = hostile_episode(task, index)
            planned += [twin, hostile_episode(task, index, twin)]
    policy = PolicyInfo(HACK, {}, {"name": f"{HACK}{QUOTES}{salt}"}, privileged=True)
    run = make_run(
        folder,
        planned,
        outcome(salt, 60),
        suite=f"{IMAGE}{FAR}",
        policy=policy,
        command=f"vlabench eval {HACK} {LONG}",
        contract=(f"camera {IMAGE}", LONG),
        cpu=HACK,
    )
    run = rewrite(run, hostile_record)
    films(run, 4)
    return run


def hostile_episode(task: str, index: int, twin: EpisodeSpec | None = None) -> EpisodeSpec:
    """Its factors and its instruction are hostile."""
    told = f"{HACK} {FAR} {LONG if index == 0 else QUOTES}"
    factors = {HACK: IMAGE, "__proto__": {"polluted": 1}, "far": [FAR, QUOTES]}
    change = None if twin is None else ("lighting", "L1")
    return replace(episode(task, index, change, twin), instruction=told, factors=factors)


def hostile_record(record: EpisodeRecord) -> EpisodeRecord:
    """So are its stages, what its policy said, how it failed, and its error."""
    record = timed(record)
    stages = tuple(StageResult(IMAGE, s.success, s.step) for s in record.stages)
    said = (Said(3, {"subtask": f"{HACK}{FAR}", "__proto__": IMAGE}), Said(9, {"plan": LONG}))
    failed = not record.success
    return replace(
        record,
        stages=stages,
        said=said,
        failure=IMAGE if failed else None,
        error=f"{IMAGE}\n{LONG}" if failed and record.index % 2 else None,
    )


def films(run: Run, count: int, **told: object) -> list[str]:
    """Gives the first episodes films that a browser plays; their names."""
    folder = run.path / "videos"
    folder.mkdir(exist_ok=True)
    names = [record.episode_id for record in run.records[:count]]
    for record in run.records[:count]:
        stem = "ball" if record.success else "slow"
        for form in ("mp4", "jpg"):
            shutil.copyfile(HERE / f"{stem}.{form}", folder / f"{record.episode_id}.{form}")
        found = {
            "contact_force_n": [float(k % 17) for k in range(record.steps)],
            "collisions": [5, 20],
            "drops": [30],
            "grasps": [[8, 30, IMAGE], [40, None, "mug"]],
            "left_at": None,
            "failure": "wrong_place",
            "actions_hash": record.actions_hash,
            **told,
        }
        (folder / f"{record.episode_id}.json").write_text(json.dumps(found))
    return names
