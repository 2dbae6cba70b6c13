"""How long a million episodes take to read: tables, a comparison and the leaderboard.

    .venv/bin/python benchmarks/million.py [--episodes 1000000] [--runs 4] [--folder DIR]

So many episodes are made up and written as so many runs of one manifest, each record of the size
of a real one (2 KB). Then a fresh process on two cores makes the table of every run, compares the
first two, and enters all of them into a leaderboard, as the commands do. Every number of it is
held against the counts that the outcomes were made from. Exits with 1 if one is wrong, or if it
takes more than 60 s or 2 GB.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

import vlabench
from vlabench import report, stats
from vlabench.comparison import Line
from vlabench.hashing import canonical_json
from vlabench.index import ManifestIndex, write_manifest
from vlabench.jsonfiles import file_sha256, write_json, write_lines
from vlabench.leaderboard import Leaderboard, update_leaderboard
from vlabench.manifest import Manifest
from vlabench.report import Summary
from vlabench.runinfo import PolicyInfo, RunInfo
from vlabench.seeding import stream
from vlabench.store import EPISODES, MANIFEST, RUN, Run
from vlabench.types import Change, EpisodeRecord, EpisodeSpec, StageResult

MOST_SECONDS, MOST_BYTES = 60.0, 2e9
CORES = 2
TASKS = tuple(f"task-{number:02}" for number in range(20))
AXES = ("camera", "distractors", "lighting", "object-pose")
GROUP = len(TASKS) * (1 + len(AXES))
STAGES = ("opened", "put in", "closed")
FACTORS = {
    f"{thing}.{what}": [0.123456 * place + number for place in range(7)]
    for number, thing in enumerate(("object", "target", "distractor", "drawer", "lamp", "table"))
    for what in ("pose", "shape")
}
WORLD, CONTRACT = "0123456789abcdef", "fedcba9876543210"
TRUTH = "truth.npz"
ROUNDED = 0.05 + 1e-9
"""Percentage points that a number in a table may be off."""

Outcomes = npt.NDArray[np.bool_]
"""``(runs, episodes)``, whether each episode of the manifest succeeded."""


def main() -> None:
    """Writes, measures, and exits with 1 if a number is wrong or a limit is passed."""
    parser = argparse.ArgumentParser(description="How long a million episodes take to read.")
    parser.add_argument("--episodes", type=int, default=1_000_000, help="of all runs together")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="keep the runs here, and use those there are")
    parser.add_argument("--step", choices=["write", "measure"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "write":
        write(options.folder, options.episodes // options.runs, options.runs)
    elif options.step == "measure":
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        seconds, wrong = measure(options.folder)
        sys.exit(1 if wrong or not within_limits(seconds) else 0)
    elif options.folder is not None:
        sys.exit(_apart(options.folder, options.episodes, options.runs))
    else:
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(_apart(Path(folder), options.episodes, options.runs))


def _apart(folder: Path, episodes: int, runs: int) -> int:
    """Writes and measures, each in a process of its own; the exit code."""
    words = [sys.executable, __file__, "--folder", str(folder)]
    words += ["--episodes", str(episodes), "--runs", str(runs), "--step"]
    if not (folder / TRUTH).exists():
        subprocess.run([*words, "write"], check=True)
    return subprocess.run([*words, "measure"], check=False).returncode


# --- what is read -----------------------------------------------------------------------------


def write(folder: Path, episodes: int, runs: int) -> None:
    """Writes the runs, and what came of which episode."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _manifest(episodes)
    index = ManifestIndex.of(manifest)
    draws = stream("million", episodes, runs).random((runs, len(index.episodes)))
    # the k-th run, and the k-th axis, loses 2 k points
    axis = np.arange(len(index.episodes)) % (1 + len(AXES))
    outcomes = draws < 0.8 - 0.02 * np.arange(runs)[:, None] - 0.02 * axis[None, :]
    write_manifest(folder / MANIFEST, manifest)
    for number in range(runs):
        path = folder / f"policy-{number}"
        path.mkdir()
        shutil.copyfile(folder / MANIFEST, path / MANIFEST)
        write_lines(path / EPISODES, _records(path.name, index, outcomes[number]))
        info = _info(path.name, manifest)
        digest, count = file_sha256(path / EPISODES), len(index.episodes)
        told = info.to_json() | {"completed": count, "episodes_sha256": digest}
        write_json(path / RUN, told)
    np.savez(folder / TRUTH, outcomes=outcomes)


def _manifest(episodes: int) -> Manifest:
    """Scenes of all tasks in turn, each unchanged and then under every axis."""
    made: list[EpisodeSpec] = []
    for index in range(max(1, episodes // GROUP)):
        for task in TASKS:
            nominal = _episode(task, index)
            control = nominal.episode_id
            made.append(nominal)
            made += [_episode(task, index, (Change(axis, "L2"),), control) for axis in AXES]
    return Manifest("made-up", 1, "1", WORLD, tuple(made))


def _episode(
    task: str, index: int, changes: tuple[Change, ...] = (), control: str | None = None
) -> EpisodeSpec:
    return EpisodeSpec(
        task=task,
        changes=changes,
        index=index,
        seed=0,
        factors=FACTORS,
        instruction="put the yellow mug into the top drawer and close it",
        world_version="1",
        horizon=300,
        embodiment="panda",
        control_id=control,
    )


def _records(run_id: str, index: ManifestIndex, succeeded: Outcomes) -> Iterator[str]:
    """The lines of the records, which are equal but for the episode and its success."""
    own = ("changes", "control_id", "episode_id", "index", "task")
    between: dict[bool, list[str]] = {}
    for success in (True, False):
        blank = _record(run_id, success).to_json() | {name: f"<{name}>" for name in own}
        between[success] = re.split(f'"<(?:{"|".join(own)})>"', canonical_json(blank))
    for episode, success in zip(index.episodes, succeeded.tolist(), strict=True):
        changes = [{"axis": change.axis, "level": change.level} for change in episode.changes]
        cells = [changes, episode.control_id, episode.episode_id, episode.index, episode.task]
        texts = [*(canonical_json(cell) for cell in cells), ""]
        parts = between[success]
        yield "".join(part + text for part, text in zip(parts, texts, strict=True))


def _record(run_id: str, success: bool) -> EpisodeRecord:
    reached = len(STAGES) if success else 1
    return EpisodeRecord(
        run_id=run_id,
        episode_id="",
        control_id=None,
        suite="made-up",
        suite_version=1,
        suite_hash="0" * 16,
        task="",
        changes=(),
        index=0,
        seed=0,
        embodiment="panda",
        factors=FACTORS,
        instruction="put the yellow mug into the top drawer and close it",
        instruction_hash="0" * 16,
        env_fingerprint=WORLD,
        contract_fingerprint=CONTRACT,
        status="success" if success else "failure",
        success_once=success,
        success=success,
        progress=reached / len(STAGES),
        stages=tuple(
            StageResult(name, place < reached, 40 * place if place < reached else None)
            for place, name in enumerate(STAGES)
        ),
        chain_length=reached,
        steps=150 if success else 300,
        horizon=300,
        time_to_success_s=7.5 if success else None,
        path_length_m=1.234567,
        certified=True,
        n_collisions=0 if success else 2,
        max_contact_force_n=12.345678,
        n_drops=0,
        n_joint_limit_steps=0,
        n_workspace_steps=0,
        policy_calls=30,
        batch_size_mean=4.25,
        latency_ms_p50=41.23456789,
        latency_ms_p95=52.3456789,
        inference_s=1.2345678901,
        infer_s=1.123456789,
        wall_s=9.87654321,
        init_state_hash="0" * 16,
        final_state_hash="1" * 16,
        actions_hash="2" * 16,
    )


def _info(run_id: str, manifest: Manifest) -> RunInfo:
    return RunInfo(
        run_id=run_id,
        created_at="2026-01-02T03:04:05+00:00",
        command="vlabench eval",
        suite=manifest.suite,
        suite_version=manifest.suite_version,
        manifest_hash=manifest.hash,
        env_fingerprint=WORLD,
        contract=(),
        contract_fingerprint=CONTRACT,
        policy=PolicyInfo(name=run_id, args={}, spec={}, privileged=False),
        world="made-up",
        complete=True,
        published_draws=False,
        certified=True,
        planned=len(manifest.episodes),
        vlabench_version="0",
        code_hash="0" * 16,
        git=None,
    )


# --- reading it -------------------------------------------------------------------------------


def measure(folder: Path) -> tuple[float, list[str]]:
    """Prints how long each step takes, and every number that is not as it must be.

    Returns:
        The seconds of all steps, and the wrong numbers.
    """
    outcomes: Outcomes = np.load(folder / TRUTH)["outcomes"]
    size = sum(path.stat().st_size for path in folder.glob(f"*/{EPISODES}"))
    print(f"{outcomes.size} records of {len(outcomes)} runs, {size / 1e9:.2f} GB", flush=True)
    wrong: list[str] = []
    with _timed("opening") as opening:
        runs = [Run.open(folder / f"policy-{number}") for number in range(len(outcomes))]
    with _timed("reading, and the tables") as tables:
        summaries = [report.summarize(run) for run in runs]
        texts = [report.text(summary) for summary in summaries]
    for summary, text, own in zip(summaries, texts, outcomes, strict=True):
        wrong += _wrong_rates(summary, text, own)
    with _timed("the leaderboard") as leaderboard:
        board = update_leaderboard(runs, folder / "leaderboard.csv")
    wrong += _wrong_ranks(board, outcomes)
    with _timed("the comparison") as comparing:
        comparison = vlabench.compare(runs[0], runs[-1])
    wrong += _wrong_counts(comparison.overall, outcomes[0], outcomes[-1])
    for fault in wrong:
        print(f"WRONG: {fault}")
    return sum(lap.wall for lap in (opening, tables, leaderboard, comparing)), wrong


def within_limits(seconds: float) -> bool:
    """Says what it took, and whether that is little enough."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    limits = f"the limits are {MOST_SECONDS:g} s and {MOST_BYTES / 1e9:g} GB"
    print(f"in all {seconds:.1f} s, {peak / 1e9:.2f} GB; {limits}")
    return seconds <= MOST_SECONDS and peak <= MOST_BYTES


@dataclass
class _Lap:
    wall: float = 0.0


@contextmanager
def _timed(name: str) -> Iterator[_Lap]:
    lap, wall, cpu = _Lap(), time.perf_counter(), time.process_time()
    yield lap
    lap.wall = time.perf_counter() - wall
    print(f"{name:<24} {lap.wall:6.1f} s, {time.process_time() - cpu:6.1f} s CPU", flush=True)


def _wrong_rates(summary: Summary, text: str, own: Outcomes) -> Iterator[str]:
    """Every overall and unchanged rate, and that of every axis, beside the outcomes."""
    axis = np.arange(len(own)) % (1 + len(AXES))
    rows = [("overall", summary.overall, axis > 0), ("unchanged", summary.nominal, axis == 0)]
    rows += [(f"{r.axis}:L2", r, axis == 1 + AXES.index(str(r.axis))) for r in summary.levels]
    shown = [float(number) for number in re.findall(r"\d+\.\d", text)]
    if len(rows) != 2 + len(AXES):
        yield f"{summary.header.run_id} has {len(rows)} rates"
    for name, row, of in rows:
        rate = float(own[of].mean())
        if row is None or row.rate is None or abs(row.rate.value - rate) > 1e-9:
            yield f"{summary.header.run_id}, {name}: not {rate}"
        elif not any(abs(number - 100 * rate) <= ROUNDED for number in shown):
            yield f"{summary.header.run_id}, {name}: {100 * rate:g} is not in the table"


def _wrong_counts(line: Line, base: Outcomes, new: Outcomes) -> Iterator[str]:
    lost, won = int(np.count_nonzero(base & ~new)), int(np.count_nonzero(new & ~base))
    if (line.base_only, line.new_only) != (lost, won):
        yield f"the comparison counts other pairs than {lost} and {won}"


def _wrong_ranks(board: Leaderboard, outcomes: Outcomes) -> Iterator[str]:
    """The ranks, from the scenes that each run wins under all axes together."""
    solved = outcomes.reshape(len(outcomes), -1, 1 + len(AXES))[:, :, 1:].sum(axis=2)
    contests: dict[tuple[int, int], stats.Contest] = {
        (i, j): (int((solved[i] > solved[j]).sum()), int((solved[i] < solved[j]).sum()))
        for i, j in combinations(range(len(solved)), 2)
    }
    ranks = stats.ranks(len(solved), contests)
    told = {row["run_id"]: row["rank"] for row in board.rows}
    for number, rank in enumerate(ranks):
        if told[f"policy-{number}"] != str(rank):
            yield f"policy-{number} has rank {told[f'policy-{number}']} and not {rank}"


if __name__ == "__main__":
    main()
