"""Evaluates a policy on a suite: from names to a run's folder.

`plan` fixes everything before anything runs: the episodes, the agreement between policy and
environment, and the folder. `evaluate` runs what is not yet in the folder, so that the same call
resumes. `verify_run` runs some of it a second time.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from vlabench import provenance, report
from vlabench.contract.environment import World
from vlabench.contract.latency import Latency
from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.specs import PolicySpec
from vlabench.errors import InvalidRunError, UnknownNameError, UsageError
from vlabench.hashing import canonical_json
from vlabench.layout import arrange
from vlabench.manifest import Manifest, build_manifest
from vlabench.published import open_published
from vlabench.registry import load_attribute
from vlabench.repetition import check_count, determinism, sample
from vlabench.rollout import RunContext
from vlabench.runinfo import Conditions, PolicyInfo, RunInfo, Stopping, run_name
from vlabench.runner import RUNNERS
from vlabench.runner.discreet import discreet
from vlabench.runner.job import (
    BATCH_WAIT_MS,
    Events,
    Finished,
    Job,
    LostAttempt,
    Runner,
    RunnerOptions,
    argument_text,
    check_before_run,
    declaration_of,
    is_shared,
    make_policy,
    make_world,
    policy_code_hash,
    requirements_of,
    seen_by,
)
from vlabench.runner.placement import check_options
from vlabench.runner.progress import Progress, Silent
from vlabench.runner.watchdog import STEP_TIMEOUT_S
from vlabench.secrets import Secrets, hide_arguments
from vlabench.store import ATTEMPTS, Run, RunWriter
from vlabench.suite import Suite, load_suite, suite_names
from vlabench.types import EpisodeRecord, Json, Observation

RUNS = Path("results/runs")
"""Where runs go unless told otherwise."""

TRAINING = "train"
"""The packaged suite that policies may learn from."""

HOPELESS = 10
"""A run stops after so many episodes in a row went missing."""

_ASKED_IN_AN_ACTOR = "vlabench.runner.ray:declaration"
"""What learns a policy's declaration where its packages are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it runs: what `evaluate` will do, and where."""

    folder: Path
    info: RunInfo
    manifest: Manifest
    pipeline: Pipeline
    job: Job


class Referee(Protocol):
    """Looks on while a run is under way, and may end it."""

    @property
    def over(self) -> bool:
        """Whether nothing more need run."""
        ...

    @property
    def stopping(self) -> Stopping:
        """The rule that it follows, and what has come of it so far."""
        ...

    def finished(self, record: EpisodeRecord) -> None:
        """An episode has run, now or earlier; in any order."""
        ...

    def missing(self, episode_id: str) -> None:
        """An episode has been lost for good."""
        ...


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
    inference_actors: int | None = None,
    gpus: float | None = None,
    batch_wait_ms: float = BATCH_WAIT_MS,
    render_device: str | None = None,
    recycle: int | None = None,
    step_timeout_s: float = STEP_TIMEOUT_S,
    latency: float | Literal["measured"] | None = None,
    allow_mismatch: bool = False,
    out: Path | str | None = None,
    fresh: bool = False,
    verify: int | None = None,
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
        workers: Processes; as many as there are processors and memory for by default.
        runner: ``"ray"`` or ``"serial"``.
        ray_address: A running Ray cluster.
        inference_actors: Processes that the policy lives in, apart from the workers, which they
            answer in batches; 0 for a policy in every worker. By default one, for a policy that
            looks and answers several sessions at once, or that needs packages of its own.
        gpus: Graphics cards for each of them, a fraction too; by default they share what there is.
        batch_wait_ms: Milliseconds that a question waits in them for others, at most.
        render_device: Where workers render: ``"cpu"``, the number of an EGL device, or
            ``"spread"`` (the default) for one graphics card of their node after another.
        recycle: After how many episodes a worker is replaced by a fresh one; 0 for never.
        step_timeout_s: Seconds without a control step after which an attempt is given up, because
            the policy or the simulation hangs.
        latency: Milliseconds of simulated time that every answer takes, or ``"measured"`` for
            those that it took; the environment runs on meanwhile. None for none.
        allow_mismatch: Go on where policy and environment do not agree; every record says so.
        out: The run's folder; by default one under ``results/runs`` that is named by policy,
            suite and what they mean.
        fresh: Start over, deleting what an older run left in the folder.
        verify: So many finished episodes of a valid run, at random, run a second time; see
            `verify_run`.
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
    if verify is not None:
        check_count(verify)
    planned = plan(
        policy,
        suite,
        policy_args=policy_args,
        episodes=episodes,
        tasks=tasks,
        seed=seed,
        limit=limit,
        latency=latency,
        allow_mismatch=allow_mismatch,
        ray_address=ray_address,
        out=out,
        world=world,
    )
    options = RunnerOptions(
        *(workers, ray_address, inference_actors, gpus, batch_wait_ms, render_device),
        step_timeout_s=step_timeout_s,
        recycle=recycle,
    )
    run = execute(planned, runner, options, progress or Silent(), fresh=fresh)
    if verify is not None and run.valid:
        run = verify_run(planned, verify, runner, options, progress or Silent())
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
    latency: float | Literal["measured"] | None = None,
    allow_mismatch: bool = False,
    ray_address: str | None = None,
    out: Path | str | None = None,
    stopping: Stopping | None = None,
    world: str = "tabletop",
) -> Plan:
    """What `evaluate` would run with the same arguments; runs nothing.

    The policy is made, to learn what it declares: here, or where its packages are if it has some
    of its own and does not say without them (`vlabench.runner.job.declaration_of`). A run with a
    rule to stop by is another one than the run of all episodes, and has its own folder.

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
    requires = requirements_of(name, args)
    spec = _declared(name, args, world, requires, ray_address)
    offer = choose_environment(spec, the_world.specs())
    pipeline = negotiate(spec, offer, allow_mismatch=allow_mismatch)
    thinking = _latency(latency)
    unlimited, certified = _manifest(whole, chosen, the_world, offer.fingerprint)
    certified = certified and thinking is None  # certificates are for a world that waits
    manifest = unlimited if limit is None else unlimited.limit(limit)
    _refuse_other_arms(pipeline, manifest)
    complete = manifest.hash == unlimited.hash and arrange(chosen) == arrange(whole)
    code_hash = policy_code_hash(name, args)
    told = hide_arguments(args)
    policy_info = PolicyInfo(
        name,
        told,
        Secrets.of(args).hide_in(spec.to_json()),
        spec.privileged,
        code_hash,
        params=spec.params,
        weight_type=spec.weight_type,
    )
    setting = None if thinking is None else thinking.setting
    conditions = Conditions(setting, pipeline.mismatches)
    run_id = run_name(
        policy_info, chosen.name, manifest.hash, manifest.env_fingerprint, conditions, stopping
    )
    info = RunInfo(
        run_id=run_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(
            name,
            suite,
            told,
            {
                "--episodes": episodes,
                "--tasks": tasks and ",".join(tasks),
                "--seed": seed,
                "--limit": limit,
                "--latency": latency,
            },
            ["--allow-mismatch"] if allow_mismatch else [],
        ),
        suite=chosen.name,
        suite_version=chosen.version,
        manifest_hash=manifest.hash,
        env_fingerprint=manifest.env_fingerprint,
        contract=tuple(pipeline.describe()),
        contract_fingerprint=pipeline.fingerprint,
        policy=policy_info,
        conditions=conditions,
        stopping=stopping,
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
    job = Job(
        world,
        name,
        args,
        context,
        declared=spec,
        requires=requires,
        shared=is_shared(name),
        latency=thinking,
        allow_mismatch=allow_mismatch,
        code_hash=info.code_hash,
    )
    return Plan(folder, info, manifest, pipeline, job)


def execute(
    planned: Plan,
    runner: str,
    options: RunnerOptions,
    progress: Progress,
    *,
    fresh: bool = False,
    referee: Referee | None = None,
) -> Run:
    """Runs what of `planned` is not yet in its folder, or as much of it as `referee` needs.

    A run that its referee has ended before is left as it is.

    Raises:
        UsageError: If the folder is another run's or cannot be written, or there is no such
            runner, or an option that it cannot follow.
        InvalidRunError: If episode after episode is lost to the infrastructure.
    """
    run = _runner(planned, runner, options)
    checked = fresh or not planned.folder.exists()
    if checked:  # before anything is deleted or written
        check_before_run(planned.job.policy, planned.job.policy_args)
    with RunWriter(planned.folder, planned.info, planned.manifest, fresh) as writer:
        if not checked and writer.left and not writer.info.stopped_early:
            check_before_run(planned.job.policy, planned.job.policy_args)
        progress.begin(len(planned.manifest.episodes), tuple(writer.done.values()))
        try:
            if not writer.info.stopped_early:
                _run_what_is_left(run, planned.job, options, _Keep(writer, progress, referee))
        finally:
            progress.end()
    return Run.open(planned.folder)


def verify_run(
    planned: Plan, count: int, runner: str, options: RunnerOptions, progress: Progress
) -> Run:
    """Runs so many finished episodes of a run a second time, and publishes how far they agree.

    Which ones is drawn once and for all (`vlabench.repetition.sample`), and what has been
    repeated before is not run again. ``run.json`` tells the outcome as `RunInfo.determinism`.

    Raises:
        UsageError: As `execute`, or if there is nothing to repeat.
        InvalidRunError: If episode after episode is lost to the infrastructure.
    """
    run = _runner(planned, runner, options)
    with RunWriter(planned.folder, planned.info, planned.manifest) as writer:
        chosen = sample(writer.manifest, writer.done, count)
        second = writer.repeated()
        progress.begin(
            len(chosen), [second[e.episode_id] for e in chosen if e.episode_id in second]
        )
        left = [episode for episode in chosen if episode.episode_id not in second]
        try:
            _drain(run(planned.job, left, options), _KeepRepeated(writer, progress))
        finally:
            found = determinism(writer.done, writer.repeated(), [e.episode_id for e in chosen])
            writer.info = replace(writer.info, determinism=found)
            progress.end()
    return Run.open(planned.folder)


def not_valid(run: Run) -> str:
    """One sentence for a run that misses too many episodes: how many, and most of all why."""
    last = {attempt.episode_id: attempt.error for attempt in run.attempts}
    reasons = Counter(last[name] for name in run.missing if name in last)
    because = ""
    if reasons:
        (reason, count), *_ = reasons.most_common(1)
        because = f", {count} of them because of {reason.rstrip('.')!r}"
    return (
        f"The run is not valid: {len(run.missing)} of {len(run.needed)} episodes are missing"
        f"{because} (all reasons are in {run.path / ATTEMPTS}); the same command tries them again."
    )


def first_look(planned: Plan) -> Observation:
    """What the policy, and its planner, would see before the first action of the first episode."""
    pipeline = planned.pipeline
    privileged, planner = pipeline.policy.privileged, pipeline.planner
    environment = make_world(planned.job.world).make(controller=pipeline.env.controller)
    try:
        environment.start(planned.manifest.episodes[0])
        seen = pipeline.to_policy(environment.observe(pipeline.cameras, privileged=privileged))
        if planner is not None:
            shown = environment.observe(planner.cameras, privileged=privileged)
            seen = replace(seen, planner=planner.to_policy(shown))
    finally:
        environment.close()
    return seen_by(planned.job.policy, seen)


def _declared(
    name: str,
    args: Mapping[str, Json],
    world: str,
    requires: tuple[str, ...],
    ray_address: str | None,
) -> PolicySpec:
    """What the policy declares, wherever it can be made."""
    if requires:
        told = declaration_of(name, args)
        if told is not None:
            return told
        ask: Callable[..., PolicySpec] = load_attribute(_ASKED_IN_AN_ACTOR, "function")
        job = Job(world, name, args, RunContext("", "", 0, ""), requires=requires)
        return ask(job, RunnerOptions(ray_address=ray_address))
    made = make_policy(name, args)
    try:
        return made.spec()
    finally:
        made.close()


def _latency(setting: float | Literal["measured"] | None) -> Latency | None:
    if setting is None:
        return None
    return Latency() if setting == "measured" else Latency(setting)


def _manifest(whole: Suite, chosen: Suite, world: World, here: str) -> tuple[Manifest, bool]:
    """The episodes of `chosen`, and whether each of them has a certificate that counts here.

    `here` is the fingerprint of the environment that will run them.

    They are the published ones, where `whole` has been published by this version of the world;
    others are drawn.
    """
    published = open_published(whole)
    if published is not None and published.publication.world_version == world.version:
        manifest = published.part(chosen)
        if manifest is not None:
            return replace(manifest, env_fingerprint=here), here == manifest.env_fingerprint
    return replace(build_manifest(chosen, world), env_fingerprint=here), False


def _refuse_other_arms(pipeline: Pipeline, manifest: Manifest) -> None:
    """Raises `UsageError` if the policy counts joints that an arm of the manifest has not."""
    arms = pipeline.env.same_arms
    if not arms or not pipeline.counts_joints:
        return
    others = sorted({e.embodiment for e in manifest.episodes} - set(arms))
    if others:
        count = sum(episode.embodiment in others for episode in manifest.episodes)
        raise UsageError(
            f"The policy {pipeline.policy.name!r} moves or reads the joints of "
            f"{pipeline.env.embodiment!r}, and {count} episodes of {manifest.suite!r} have "
            f"{' and '.join(others)}, whose arms have another number of them; choose a suite "
            "without the axis 'embodiment'."
        )


def _runner(planned: Plan, runner: str, options: RunnerOptions) -> Runner:
    if runner not in RUNNERS:
        raise UnknownNameError("runner", runner, RUNNERS)
    check_options(planned.job, runner, options)
    found: Runner = load_attribute(RUNNERS[runner], "runner")
    return discreet(found, Secrets.of(planned.job.policy_args))


def _run_what_is_left(run: Runner, job: Job, options: RunnerOptions, keep: _Keep) -> None:
    """Runs it until there is no more, or the referee has seen enough."""
    writer, referee = keep.writer, keep.referee
    if referee is None:
        _drain(run(job, writer.left, options), keep)
        return
    try:
        for record in writer.done.values():
            referee.finished(record)
        if not referee.over:
            _drain(run(job, writer.left, options), keep)
    finally:
        writer.info = replace(writer.info, stopping=referee.stopping)


@dataclass
class _Keep:
    """Takes what happens: writes it down, shows it, and tells the referee."""

    writer: RunWriter
    progress: Progress
    referee: Referee | None = None
    lost_in_a_row: int = 0

    @property
    def over(self) -> bool:
        return self.referee is not None and self.referee.over

    def finished(self, event: Finished) -> None:
        self.lost_in_a_row = 0
        self.write(event)
        self.progress.finished(event.record)
        if self.referee is not None:
            self.referee.finished(event.record)

    def write(self, event: Finished) -> None:
        record, info = event.record, self.writer.info
        self.writer.add(record, event.trace)
        policy = info.policy.having_run(record.params, record.gpu_memory_bytes)
        self.writer.info = replace(info, policy=policy)

    def lost(self, event: LostAttempt) -> None:
        self.writer.add_attempt(event.episode.episode_id, event.attempt, event.error)
        self.progress.lost(event)
        if self.referee is not None and event.final:
            self.referee.missing(event.episode.episode_id)
        self.lost_in_a_row += event.final
        if self.lost_in_a_row >= HOPELESS:
            raise InvalidRunError(
                f"{HOPELESS} episodes in a row could not be run, the last because of: "
                f"{event.error.rstrip('.')}; mend that, and run the same command again."
            )


class _KeepRepeated(_Keep):
    """The same of episodes that run a second time."""

    def write(self, event: Finished) -> None:
        self.writer.add_repeated(event.record)


def _drain(events: Events, keep: _Keep) -> None:
    """Keeps what happens until nothing more does, or need."""
    try:
        for event in events:
            if isinstance(event, Finished):
                keep.finished(event)
            else:
                keep.lost(event)
            if keep.over:
                return
    finally:
        events.close()


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
    options: Mapping[str, Json],
    flags: Sequence[str],
) -> str:
    words = ["vlabench", "eval", "--policy", policy, "--suite", suite]
    for name, value in args.items():
        words += ["--policy-arg", f"{name}={argument_text(value)}"]
    for option, value in options.items():
        if value is not None:
            words += [option, str(value)]
    return shlex.join([*words, *flags])
