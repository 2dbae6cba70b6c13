"""``vlabench eval``: evaluate a policy on a suite; the same command again resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlabench.cli import options
from vlabench.cli.films import Video, film_after, parse_video
from vlabench.errors import InvalidRunError, UsageError
from vlabench.naming import one_line
from vlabench.types import Json, Observation

if TYPE_CHECKING:
    from vlabench.contract.specs import CameraSpec
    from vlabench.evaluation import Plan
    from vlabench.store import Run

_UNASKED = "No observation was sent to the policy."
"""Its server may have been asked what it is, though."""


def eval_command(
    policy: options.Policy,
    suite: options.Suite,
    policy_arg: options.PolicyArg = None,
    episodes: options.Episodes = None,
    tasks: options.Tasks = None,
    seed: options.Seed = None,
    workers: options.Workers = None,
    runner: options.Runner = "ray",
    ray_address: options.RayAddress = None,
    inference_actors: options.InferenceActors = None,
    gpus: options.Gpus = None,
    batch_wait_ms: options.BatchWaitMs = 5.0,
    render_device: options.RenderDevice = None,
    recycle: options.Recycle = None,
    step_timeout: options.StepTimeout = 1800.0,
    latency: options.Latency = None,
    allow_mismatch: options.AllowMismatch = False,
    out: options.Out = None,
    limit: options.Limit = None,
    verify: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Run so many of the finished episodes, at random, a second time, and publish how "
            "many come out otherwise.",
        ),
    ] = None,
    video: Video = "none",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")
    ] = False,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    world: options.World = "tabletop",
) -> None:
    """Evaluate a policy on a suite; the same command again resumes."""
    from vlabench.cli.progress import shown_progress
    from vlabench.cli.stopping import resumable
    from vlabench.evaluation import execute, not_valid, plan, verify_run
    from vlabench.repetition import check_count
    from vlabench.runner.job import RunnerOptions
    from vlabench.runner.placement import (
        bound_by_memory,
        check_options,
        describe_place,
        describe_workers,
    )

    if verify is not None:
        check_count(verify)
    filmed = parse_video(video)
    planned = plan(
        policy,
        suite,
        policy_args=parse_policy_args(policy_arg or []),
        episodes=episodes,
        tasks=parse_tasks(tasks),
        seed=seed,
        limit=limit,
        latency=parse_latency(latency),
        allow_mismatch=allow_mismatch,
        ray_address=ray_address,
        out=out,
        world=world,
    )
    spread = RunnerOptions(
        *(workers, ray_address, inference_actors, gpus, batch_wait_ms, render_device),
        step_timeout_s=step_timeout,
        recycle=recycle,
    )
    check_options(planned.job, runner, spread)
    _describe(planned)
    told = describe_workers if dry_run else bound_by_memory
    for line in told(planned.job, runner, spread):
        typer.echo(line)
    if dry_run:
        for line in describe_place(planned.job, runner, spread):
            typer.echo(one_line(line))
        _save_first_frames(planned)
        return
    progress = shown_progress(quiet, f"{planned.info.policy.label} on {planned.info.suite}")
    with resumable(planned):
        run = execute(planned, runner, spread, progress, fresh=fresh)
        if progress.tally.before == progress.tally.planned:
            finished = (run.info.finished_at or run.info.created_at)[:10]
            typer.echo(f"nothing to run: all {run.info.planned} episodes were done on {finished}")
        if verify is not None and run.valid:
            typer.echo(f"once more, to see whether they come out alike: {verify} at random")
            run = verify_run(planned, verify, runner, spread, progress)
    _report(run)
    film_after(run, filmed, runner, spread, quiet=quiet)
    if not run.valid:
        raise InvalidRunError(not_valid(run))


def parse_tasks(text: str | None) -> list[str] | None:
    """The value of ``--tasks``."""
    return None if text is None else [task.strip() for task in text.split(",")]


def parse_policy_args(pairs: list[str]) -> dict[str, Json]:
    """The values of ``--policy-arg``: ``["scale=0.5"]`` gives ``{"scale": 0.5}``.

    A value is what JSON makes of it, or else the text itself; JSON's own quotes keep a number text.

    Raises:
        UsageError: If one has no ``=``, or its name is given twice.
    """
    from vlabench.runner.job import argument_of

    args: dict[str, Json] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UsageError(f"--policy-arg {pair!r} is not of the form KEY=VALUE; write it so.")
        if name in args:
            raise UsageError(f"--policy-arg {name!r} is given twice; keep one.")
        args[name] = argument_of(text)
    return args


def parse_latency(text: str | None) -> float | Literal["measured"] | None:
    """The value of ``--latency``.

    Raises:
        UsageError: If it is neither a number nor ``measured``.
    """
    if text is None:
        return None
    if text == "measured":
        return "measured"
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--latency is {text!r}; give milliseconds, or 'measured' for what each answer took."
        ) from None


def _describe(planned: Plan) -> None:
    info = planned.info
    marked = "" if info.complete else " (not all of the suite's own episodes)"
    asked = f"evaluating {info.policy.label} on {info.suite} v{info.suite_version}{marked}"
    typer.echo(one_line(asked))
    typer.echo(f"manifest {info.manifest_hash}, {info.planned} episodes -> {planned.folder}")
    typer.echo(f"contract {info.contract_fingerprint}:")
    for line in info.contract:
        typer.echo(f"  {one_line(line)}")
    if info.conditions.latency_ms is not None:
        unit = "" if info.conditions.latency_ms == "measured" else " ms"
        typer.echo(f"latency in simulated time: {info.conditions.latency_ms}{unit}")


def _save_first_frames(planned: Plan) -> None:
    """Saves what the policy would see first, exactly as it would see it."""
    from vlabench.evaluation import first_look

    planner = planned.pipeline.planner
    if not planned.pipeline.cameras and not (planner and planner.cameras):
        typer.echo(f"The policy does not look: there is no image to save. {_UNASKED}")
        return
    folder = planned.folder / "dry-run"
    try:
        seen = first_look(planned)
        typer.echo("what the policy would see first:")
        _save_images(folder, seen, planned.pipeline.policy.cameras)
        if planner is not None and seen.planner is not None:
            typer.echo(one_line(f"and its planner {planner.policy.name}:"))
            _save_images(folder / "planner", seen.planner, planner.policy.cameras)
    except OSError as error:
        raise UsageError(f"Cannot write to {folder} ({error}); give another --out.") from error
    typer.echo(_UNASKED)


def _save_images(folder: Path, seen: Observation, cameras: Sequence[CameraSpec]) -> None:
    from PIL import Image

    from vlabench.contract.images import as_pictures

    folder.mkdir(parents=True, exist_ok=True)
    typer.echo(f"  instruction: {seen.instruction!r}")
    if seen.state is not None:
        typer.echo(f"  state: {', '.join(f'{number:.4g}' for number in seen.state.tolist())}")
    for camera in cameras:
        pictures = as_pictures(seen.images[camera.role], camera)
        for number, picture in enumerate(pictures, start=1):
            several = len(pictures) > 1
            place = f"-{number}-of-{len(pictures)}" if several else ""
            path = folder / f"{camera.role.replace('/', '-')}{place}.png"
            Image.fromarray(picture).save(path)
            which = f" ({number} of {len(pictures)}, oldest first)" if several else ""
            typer.echo(f"  camera {camera.role}{which}: {path}")


def _report(run: Run) -> None:
    from vlabench import report

    report.write(run)
    typer.echo(report.text(report.summarize(run)))
    typer.echo(f"{run.path}")
