"""``vlabench eval``: evaluate a policy on a suite; the same command again resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlabench.errors import InvalidRunError, UsageError
from vlabench.types import Json, Observation

if TYPE_CHECKING:
    from vlabench.contract.specs import CameraSpec
    from vlabench.evaluation import Plan
    from vlabench.store import Run

_UNASKED = "No observation was sent to the policy."
"""Its server may have been asked what it is, though."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def eval_command(
    policy: Annotated[str, typer.Option(help="A registered policy, or module:attribute.")],
    suite: Annotated[str, typer.Option(help="A packaged suite, or the path of a YAML file.")],
    policy_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An argument of the policy: JSON, else text."),
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="Pairs for each task and cell.")] = None,
    tasks: Annotated[str | None, typer.Option(metavar="A,B", help="Only these tasks.")] = None,
    seed: Annotated[int | None, typer.Option(help="Other draws; marks the run.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all by default.")] = None,
    runner: Annotated[str, typer.Option(help="ray or serial.")] = "ray",
    ray_address: Annotated[str | None, typer.Option(help="A running Ray cluster.")] = None,
    inference_actors: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that the policy lives in, which answer all workers in batches; 0: a "
            "policy in every worker. By default one where it looks and answers several at once, "
            "or needs packages of its own.",
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", help="GPUs for each of them; by default they share what there is."
        ),
    ] = None,
    batch_wait_ms: Annotated[
        float, typer.Option(metavar="MS", help="How long a question waits in them for others.")
    ] = 5.0,
    render_device: Annotated[
        str | None,
        typer.Option(
            metavar="cpu|N",
            help="Where workers render: on the CPU, or on this EGL device, apart from the GPU "
            "that the policy computes on.",
        ),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            metavar="MS|measured",
            help="Simulated time that every answer takes, while the environment runs on; "
            "measured: as long as it took, which no other machine repeats.",
        ),
    ] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            help="Go on where policy and environment do not agree; every record says so.",
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many pairs.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, deleting what the folder holds.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Plain lines instead of a bar.")] = False,
    world: Annotated[str, typer.Option(hidden=True)] = "tabletop",
) -> None:
    """Evaluate a policy on a suite; the same command again resumes."""
    from vlabench.cli.progress import shown_progress
    from vlabench.evaluation import execute, plan
    from vlabench.runner.job import RunnerOptions
    from vlabench.runner.placement import check_options, describe_place

    planned = plan(
        policy,
        suite,
        policy_args=parse_policy_args(policy_arg or []),
        episodes=episodes,
        tasks=None if tasks is None else [task.strip() for task in tasks.split(",")],
        seed=seed,
        limit=limit,
        latency=parse_latency(latency),
        allow_mismatch=allow_mismatch,
        ray_address=ray_address,
        out=out,
        world=world,
    )
    options = RunnerOptions(
        workers, ray_address, inference_actors, gpus, batch_wait_ms, render_device
    )
    check_options(planned.job, runner, options)
    _describe(planned)
    if dry_run:
        for line in describe_place(planned.job, runner, options):
            typer.echo(line)
        _save_first_frames(planned)
        return
    progress = shown_progress(quiet)
    try:
        run = execute(planned, runner, options, progress, fresh=fresh)
    except KeyboardInterrupt:
        typer.echo(
            f"Stopped: what has finished is kept in {planned.folder}, and the same command "
            "resumes.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    if progress.tally.before == progress.tally.planned:
        finished = run.info.finished_at or run.info.created_at
        typer.echo(f"nothing to run: all {run.info.planned} episodes were done on {finished[:10]}")
    _report(run)


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
    typer.echo(f"{info.policy.label} on {info.suite} v{info.suite_version}{marked}")
    typer.echo(f"manifest {info.manifest_hash}, {info.planned} episodes -> {planned.folder}")
    typer.echo(f"contract {info.contract_fingerprint}:")
    for line in info.contract:
        typer.echo(f"  {line}")
    if info.conditions.latency_ms is not None:
        unit = "" if info.conditions.latency_ms == "measured" else " ms"
        typer.echo(f"latency in simulated time: {info.conditions.latency_ms}{unit}")


def _save_first_frames(planned: Plan) -> None:
    """Saves what the policy would see first, exactly as it would see it."""
    from vlabench.evaluation import first_look

    if not planned.pipeline.cameras:
        typer.echo(f"The policy does not look: there is no image to save. {_UNASKED}")
        return
    folder = planned.folder / "dry-run"
    try:
        _save_images(folder, first_look(planned), planned.pipeline.policy.cameras)
    except OSError as error:
        raise UsageError(f"Cannot write to {folder} ({error}); give another --out.") from error
    typer.echo(_UNASKED)


def _save_images(folder: Path, seen: Observation, cameras: Sequence[CameraSpec]) -> None:
    from PIL import Image

    from vlabench.contract.images import as_pictures

    folder.mkdir(parents=True, exist_ok=True)
    typer.echo("what the policy would see first:")
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
    if not run.valid:
        raise InvalidRunError(
            f"The run is not valid: {len(run.missing)} of {run.info.planned} episodes are missing "
            f"(attempts.jsonl in {run.path} says why); the same command tries them again."
        )
