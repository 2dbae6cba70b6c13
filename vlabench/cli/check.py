"""``vlabench check``: evaluate a policy, and say whether it is worse than a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlabench.cli import options
from vlabench.cli.verdicts import FORMAT_HELP
from vlabench.naming import one_line

if TYPE_CHECKING:
    from vlabench.gate import Check
    from vlabench.store import Run


def check_command(
    policy: options.Policy,
    suite: options.Suite,
    baseline: Annotated[Path, typer.Option(help="A run's folder, or a promoted baseline.")],
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Stop as soon as it is decided.")
    ] = False,
    alpha: Annotated[
        float, typer.Option(help="Share of false alarms that is allowed, one-sided.")
    ] = 0.05,
    margin: Annotated[
        float, typer.Option(help="Drop of the success rate that still counts as no worse.")
    ] = 0.05,
    min_effect: Annotated[
        float | None,
        typer.Option(
            help="A regression that is shown to be smaller is a warning; by default the margin. "
            "Not with --sequential."
        ),
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option("--format", metavar="FORMAT[=FILE]", help=FORMAT_HELP)
    ] = None,
    policy_arg: options.PolicyArg = None,
    episodes: options.Episodes = None,
    tasks: options.Tasks = None,
    seed: options.Seed = None,
    limit: options.Limit = None,
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
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    world: options.World = "tabletop",
) -> None:
    """Evaluate and compare in one: 0 not worse, 1 worse, 3 undecided, 4 not comparable, 5 invalid.

    The verdict goes to the standard output, all else to the standard error.
    """
    from vlabench.cli.eval import parse_latency, parse_policy_args, parse_tasks
    from vlabench.cli.progress import shown_progress
    from vlabench.cli.stopping import resumable
    from vlabench.cli.verdicts import annotated, parse_forms, show
    from vlabench.comparison import exit_code
    from vlabench.gate import plan_check, rule_of, run_check
    from vlabench.runner.job import RunnerOptions
    from vlabench.runner.placement import check_options

    forms = parse_forms(form or [])
    spread = RunnerOptions(
        *(workers, ray_address, inference_actors, gpus, batch_wait_ms, render_device),
        step_timeout_s=step_timeout,
        recycle=recycle,
    )
    with annotated(forms):
        check = plan_check(
            policy,
            suite,
            baseline,
            rule=rule_of(alpha, margin, min_effect, sequential=sequential),
            sequential=sequential,
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
        check_options(check.planned.job, runner, spread)
        _describe(check)
        with resumable(check.planned):
            info = check.planned.info
            progress = shown_progress(quiet, f"{info.policy.label} on {info.suite}", err=True)
            run, comparison = run_check(check, runner, spread, progress, fresh=fresh)
        _tell_the_end(run)
    code = exit_code(comparison, fail_on_regression=True, require_noninferiority=True)
    show(comparison, forms, code)
    raise typer.Exit(code)


def _describe(check: Check) -> None:
    info, base = check.planned.info, check.baseline
    asked = f"evaluating {info.policy.label} on {info.suite} v{info.suite_version}"
    typer.echo(one_line(asked), err=True)
    typer.echo(one_line(f"against {base.info.policy.label}: {base.source}"), err=True)
    how = "one pair after the other until it is decided" if check.sequential else "all of them"
    typer.echo(one_line(f"{info.planned} episodes, {how} -> {check.planned.folder}"), err=True)


def _tell_the_end(run: Run) -> None:
    """Writes the tables, and says what the run did not need."""
    from vlabench import report

    report.write(run)
    typer.echo(f"{run.path}", err=True)
    if run.info.stopped_early:
        typer.echo(
            f"decided after {run.info.asked} of {run.info.planned} episodes; the others are not "
            "needed, and the run has no overall success rate",
            err=True,
        )
