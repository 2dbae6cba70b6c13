"""Runs with outcomes of our choosing, written as folders that `Run.open` reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from vlabench.hashing import canonical_json
from vlabench.index import write_manifest
from vlabench.jsonfiles import write_json, write_lines
from vlabench.manifest import Manifest
from vlabench.runinfo import PolicyInfo, RunInfo
from vlabench.store import Run
from vlabench.types import Change, EpisodeRecord, EpisodeSpec, StageResult, Status

Outcome = Callable[[EpisodeSpec], Status | None]
"""What came of an episode; None for one that never ran."""

DIAGNOSTIC = "swapped-goal"
STAGES = {"chain": ("open", "put in", "close")}


def episode(
    task: str, index: int, change: tuple[str, str] | None = None, twin: EpisodeSpec | None = None
) -> EpisodeSpec:
    return EpisodeSpec(
        task=task,
        changes=() if change is None else (Change(*change),),
        index=index,
        seed=0,
        factors={},
        instruction="do it",
        world_version="fake-1",
        horizon=100,
        embodiment="point",
        control_id=None if twin is None else twin.episode_id,
        diagnostic=change is not None and change[0] == DIAGNOSTIC,
    )


def episodes(
    tasks: Sequence[str], changes: Sequence[tuple[str, str]], count: int
) -> tuple[EpisodeSpec, ...]:
    """`count` scenes a task, each unchanged and under every change."""
    made = []
    for index in range(count):
        for task in tasks:
            twin = episode(task, index)
            made += [twin, *(episode(task, index, change, twin) for change in changes)]
    return tuple(made)


def record(
    spec: EpisodeSpec, status: Status, run_id: str = "run", infer_s: float | None = None
) -> EpisodeRecord:
    names = STAGES.get(spec.task, ("done",))
    reached = len(names) if status == "success" else spec.index % len(names)
    return EpisodeRecord(
        run_id=run_id,
        episode_id=spec.episode_id,
        control_id=spec.control_id,
        suite="made-up",
        suite_version=1,
        suite_hash="hash",
        task=spec.task,
        changes=spec.changes,
        index=spec.index,
        seed=spec.seed,
        embodiment=spec.embodiment,
        factors=spec.factors,
        instruction=spec.instruction,
        instruction_hash="hash",
        env_fingerprint="world",
        contract_fingerprint="contract",
        status=status,
        success_once=status == "success",
        success=status == "success",
        progress=reached / len(names),
        stages=tuple(
            StageResult(name, number < reached, 10 if number < reached else None)
            for number, name in enumerate(names)
        ),
        chain_length=reached,
        steps=50,
        horizon=spec.horizon,
        time_to_success_s=2.5 if status == "success" else None,
        path_length_m=1.0,
        compliance=status == "success" if spec.diagnostic else None,
        n_collisions=spec.index % 2,
        max_contact_force_n=float(spec.index),
        n_drops=int(status != "success"),
        n_joint_limit_steps=0,
        n_workspace_steps=0,
        policy_calls=5,
        batch_size_mean=None,
        latency_ms_p50=10.0,
        latency_ms_p95=20.0,
        inference_s=0.5,
        infer_s=infer_s,
        wall_s=1.0,
        init_state_hash="a",
        final_state_hash="b",
        actions_hash="c",
    )


def make_run(
    folder: Path,
    planned: Sequence[EpisodeSpec],
    outcome: Outcome,
    *,
    suite: str = "made-up",
    infer_s: float | None = None,
    **info: object,
) -> Run:
    """A run in `folder`, whose name is the run's and the policy's unless `info` says otherwise."""
    folder.mkdir(parents=True)
    manifest = Manifest(suite, 1, "fake-1", "world", tuple(planned))
    written = replace(
        RunInfo(
            run_id=folder.name,
            created_at="2026-01-02T03:04:05+00:00",
            command="vlabench eval",
            suite=suite,
            suite_version=1,
            manifest_hash=manifest.hash,
            env_fingerprint="world",
            contract=(),
            contract_fingerprint="contract",
            policy=PolicyInfo(name=folder.name, args={}, spec={}, privileged=False),
            world="fake",
            complete=True,
            published_draws=True,
            certified=True,
            planned=len(planned),
            vlabench_version="0",
            code_hash="code",
            git=None,
        ),
        **info,
    )
    write_json(folder / "run.json", written.to_json())
    write_manifest(folder / "manifest.json", manifest)
    told = []
    for spec in planned:
        status = outcome(spec)
        if status is not None:
            one = replace(
                record(spec, status, written.run_id, infer_s),
                env_fingerprint=written.env_fingerprint,
                contract_fingerprint=written.contract_fingerprint,
            )
            told.append(canonical_json(one.to_json()))
    write_lines(folder / "episodes.jsonl", told)
    return Run.open(folder)


def rewrite(run: Run, change: Callable[[EpisodeRecord], EpisodeRecord]) -> Run:
    """The run with its records changed, as its folder has them now."""
    changed = [change(told) for told in run.records]
    told = [canonical_json(one.to_json()) for one in changed]
    write_lines(run.path / "episodes.jsonl", told)
    return Run.open(run.path)
