"""Evaluates a policy on a suite: from names to a run's folder.

`plan` fixes everything before anything runs: the episodes, the agreement between policy and
environment, and the folder. `evaluate` runs what is not yet in the folder, so that the same call
resumes.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vlabench import provenance, report
from vlabench.contract.environment import World
from vlabench.contract.negotiate import Pipeline, negotiate
from vlabench.errors import InvalidRunError, UnknownNameError, UsageError
from vlabench.hashing import canonical_json
from vlabench.layout import arrange
from vlabench.manifest import Manifest, build_manifest
from vlabench.published import open_published
from vlabench.registry import load_attribute
from vlabench.rollout import RunContext
from vlabench.runinfo import PolicyInfo, RunInfo, run_name
from vlabench.runner import RUNNERS
from vlabench.runner.job import (
    Event,
    Finished,
    Job,
    Runner,
    RunnerOptions,
    argument_text,
    make_policy,
    make_world,
    policy_code_hash,
    seen_by,
)
from vlabench.runner.progress import Progress, Silent
from vlabench.store import Run, RunWriter
from vlabench.suite import Suite, load_suite, suite_names
from vlabench.types import Json, Observation

RUNS = Path("results/runs")
"""Where runs go unless told otherwise."""

TRAINING = "train"
"""The packaged suite that policies may learn from."""

HOPELESS = 10
"""A run stops after so many episodes in a row went missing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it runs: what `evaluate` will do, and where."""

    folder: Path
    info: RunInfo
    manifest: Manifest
    pipeline: Pipeline
    job: Job


def evaluate(
    policy: str | Callable[..., Any],
    suite: str,
    *,
    policy_args: Mapping[str, Json] | None = None,
    episodes: int | None = None,
    tasks: Sequence[str] | None = None,
    seed: int | None = None,
    limit: int | None = None,
    workers: int | None = None,
    runner: str = "ray",
    ray_address: str | None = None,
    out: Path | str | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    world: str = "tabletop",
) -> Run:
    """Runs `policy` on `suite`; the same call again resumes.

    Args:
        policy: A name of `vlabench list policies`, ``module:attribute``, or a class or function
            of a module that workers can import.
        suite: A name of `vlabench list suites`, or the path of a YAML file.
        policy_args: Keyword arguments of the policy.
        episodes: Pairs for each task and cell, instead of the suite's own number.
        tasks: Only these tasks of the suite.
        seed: Other draws than the suite's own; the run is then marked as partial.
        limit: Only the first so many pairs of the manifest.
        workers: Processes; as many as there are processors by default.
        runner: ``"ray"`` or ``"serial"``.
        ray_address: A running Ray cluster.
        out: The run's folder; by default one under ``results/runs`` that is named by policy,
            suite and what they mean.
        fresh: Start over, deleting what an older run left in the folder.
        progress: Told of every episode.
        world: A registered world or ``module:attribute``.

    Returns:
        The run, whether it is valid or not: see `Run.valid`. Its tables and its picture have been
        written; `vlabench.report.text(vlabench.report.summarize(run))` is the table.

    Raises:
        UsageError: If a name, a value or the folder is wrong, or policy and environment do not
            agree; nothing has run then.
        InvalidRunError: If episode after episode is lost to the infrastructure.
    """
    planned = plan(
        policy,
        suite,
        policy_args=policy_args,
        episodes=episodes,
        tasks=tasks,
        seed=seed,
        limit=limit,
        out=out,
        world=world,
    )
    options = RunnerOptions(workers, ray_address)
    run = execute(planned, runner, options, progress or Silent(), fresh=fresh)
    report.write(run)
    return run


def plan(
    policy: str | Callable[..., Any],
    suite: str,
    *,
    policy_args: Mapping[str, Json] | None = None,
    episodes: int | None = None,
    tasks: Sequence[str] | None = None,
    seed: int | None = None,
    limit: int | None = None,
    out: Path | str | None = None,
    world: str = "tabletop",
) -> Plan:
    """What `evaluate` would run with the same arguments; makes the policy, and runs nothing.

    Raises:
        UsageError: As `evaluate`.
    """
    args = dict(policy_args or {})
    name = policy if isinstance(policy, str) else _reference(policy)
    _check_json(args)
    whole = load_suite(suite)
    if seed is not None and seed == load_suite(TRAINING).seed != whole.seed:
        raise UsageError(
            f"The seed {seed} is that of the suite {TRAINING!r}, whose scenes policies may have "
            "learned from; give another."
        )
    chosen = whole.narrowed(tasks=tasks, episodes=episodes, seed=seed)
    the_world = make_world(world)
    made = make_policy(name, args)
    try:
        spec = made.spec()
    finally:
        made.close()
    pipeline = negotiate(spec, the_world.spec())
    unlimited, certified = _manifest(whole, chosen, the_world)
    manifest = unlimited if limit is None else unlimited.limit(limit)
    complete = manifest.hash == unlimited.hash and arrange(chosen) == arrange(whole)
    code_hash = policy_code_hash(name, args)
    policy_info = PolicyInfo(name, args, spec.to_json(), spec.privileged, code_hash)
    run_id = run_name(policy_info, chosen.name, manifest.hash, manifest.env_fingerprint)
    info = RunInfo(
        run_id=run_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(name, suite, args, episodes, tasks, seed, limit),
        suite=chosen.name,
        suite_version=chosen.version,
        manifest_hash=manifest.hash,
        env_fingerprint=manifest.env_fingerprint,
        contract=tuple(pipeline.describe()),
        contract_fingerprint=pipeline.fingerprint,
        policy=policy_info,
        world=world,
        complete=complete,
        published_draws=complete and suite in suite_names(),
        certified=certified,
        planned=len(manifest.episodes),
        missing=len(manifest.episodes),
        vlabench_version=provenance.vlabench_version(),
        code_hash=provenance.code_hash(),
        git=provenance.checkout(),
        versions=provenance.versions(),
        os=provenance.operating_system(),
        cpu=provenance.cpu(),
    )
    context = RunContext(run_id, chosen.name, chosen.version, manifest.hash, certified)
    folder = RUNS / run_id if out is None else Path(out)
    return Plan(folder, info, manifest, pipeline, Job(world, name, args, context))


def execute(
    planned: Plan, runner: str, options: RunnerOptions, progress: Progress, *, fresh: bool = False
) -> Run:
    """Runs what of `planned` is not yet in its folder.

    Raises:
        UsageError: If the folder is another run's or cannot be written, or there is no such
            runner.
        InvalidRunError: If episode after episode is lost to the infrastructure.
    """
    if runner not in RUNNERS:
        raise UnknownNameError("runner", runner, RUNNERS)
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"The number of workers is {options.workers}; give 1 or more.")
    run: Runner = load_attribute(RUNNERS[runner], "runner")
    with RunWriter(planned.folder, planned.info, planned.manifest, fresh) as writer:
        progress.begin(len(planned.manifest.episodes), tuple(writer.done.values()))
        left = [spec for name, spec in planned.manifest.by_id.items() if name not in writer.done]
        events = run(planned.job, left, options)
        try:
            _write(events, writer, progress)
        finally:
            events.close()
            progress.end()
    return Run.open(planned.folder)


def first_look(planned: Plan) -> Observation:
    """What the policy would see before its first action of the first episode."""
    environment = make_world(planned.job.world).make()
    try:
        environment.start(planned.manifest.episodes[0])
        shown = environment.observe(
            planned.pipeline.cameras, privileged=planned.pipeline.policy.privileged
        )
    finally:
        environment.close()
    return seen_by(planned.job.policy, planned.pipeline.to_policy(shown))


def _manifest(whole: Suite, chosen: Suite, world: World) -> tuple[Manifest, bool]:
    """The episodes of `chosen`, and whether each of them has a certificate that counts here.

    They are the published ones, where `whole` has been published by this version of the world;
    others are drawn.
    """
    published = open_published(whole)
    if published is not None and published.publication.world_version == world.version:
        manifest = published.part(chosen)
        if manifest is not None:
            here = world.spec().fingerprint
            return replace(manifest, env_fingerprint=here), here == manifest.env_fingerprint
    return build_manifest(chosen, world), False


def _write(events: Iterable[Event], writer: RunWriter, progress: Progress) -> None:
    lost_in_a_row = 0
    for event in events:
        if isinstance(event, Finished):
            lost_in_a_row = 0
            writer.add(event.record, event.trace)
            progress.finished(event.record)
            continue
        writer.add_attempt(event.episode.episode_id, event.attempt, event.error)
        progress.lost(event)
        lost_in_a_row += event.final
        if lost_in_a_row >= HOPELESS:
            raise InvalidRunError(
                f"{HOPELESS} episodes in a row could not be run, the last because of: "
                f"{event.error}; mend that, and run the same command again."
            )


def _reference(factory: Callable[..., Any]) -> str:
    """``module:attribute`` of a class or function, so that a worker can find it."""
    module, name = factory.__module__, getattr(factory, "__qualname__", repr(factory))
    if module == "__main__" or not name.isidentifier():
        raise UsageError(
            f"The policy {name!r} of the module {module!r} cannot be imported by workers; move it "
            "to the top level of a module."
        )
    return f"{module}:{name}"


def _check_json(args: Mapping[str, Json]) -> None:
    try:
        canonical_json(args)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The policy's arguments cannot be kept as JSON ({error}); give plain values."
        ) from error


def _command(
    policy: str,
    suite: str,
    args: Mapping[str, Json],
    episodes: int | None,
    tasks: Sequence[str] | None,
    seed: int | None,
    limit: int | None,
) -> str:
    words = ["vlabench", "eval", "--policy", policy, "--suite", suite]
    for name, value in args.items():
        words += ["--policy-arg", f"{name}={argument_text(value)}"]
    options = {"--episodes": episodes, "--tasks": tasks and ",".join(tasks), "--seed": seed}
    for option, value in {**options, "--limit": limit}.items():
        if value is not None:
            words += [option, str(value)]
    return shlex.join(words)
