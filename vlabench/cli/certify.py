"""``vlabench certify``: the expert solves every episode of a suite, or the ledger says why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlabench.errors import UsageError
from vlabench.types import Json

if TYPE_CHECKING:
    from vlabench.certification import Check, Labour
    from vlabench.published import Publication

DIFFERENT = 1
"""Exit code if an episode came out otherwise than its certificate says."""

SHOWN = 20
"""Most differences that are printed; the file of ``--out`` has all."""


def certify_command(
    suites: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE...", help="Packaged suites or YAML files.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All packaged suites.")] = False,
    check: Annotated[
        int | None,
        typer.Option(metavar="N", help="Only run N published episodes again and compare; 0: all."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sample that --check draws.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for what --check finds.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all by default.")] = None,
    runner: Annotated[str, typer.Option(help="ray or serial.")] = "ray",
    ray_address: Annotated[str | None, typer.Option(help="A running Ray cluster.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Plain lines instead of a bar.")] = False,
    world: Annotated[str, typer.Option(hidden=True)] = "tabletop",
    expert: Annotated[str, typer.Option(hidden=True)] = "expert",
) -> None:
    """The expert solves every episode of a suite, or the ledger says why not.

    What it solves is published beside the suite's YAML with all drawn values and a certificate;
    what it does not solve is replaced. The same command again goes on where it stopped.
    """
    from vlabench.certification import Labour, certify
    from vlabench.cli.progress import shown_progress
    from vlabench.runner.job import RunnerOptions
    from vlabench.suite import suite_names

    if bool(suites) == every:
        raise UsageError("Name one or more suites, or give --all.")
    names = suite_names() if every else suites or []
    options = RunnerOptions(workers, ray_address)
    labour = Labour(
        world, expert, runner, options, shown_progress(quiet, f"certifying {', '.join(names)}")
    )
    if check is not None:
        if fresh:
            raise UsageError("--fresh does not go with --check, which publishes nothing.")
        _check(names, check or None, seed or 0, out, labour)
        return
    if seed is not None or out is not None:
        raise UsageError("--seed and --out belong to --check; give them with --check N.")
    publications = certify(names, labour, fresh=fresh)
    for line in (_HEADER, *(_row(publication) for publication in publications)):
        typer.echo(line)


def _check(
    names: list[str], count: int | None, seed: int, out: Path | None, labour: Labour
) -> None:
    from vlabench.certification import check

    results = []
    for name in names:
        results.append(check(name, count, labour, seed=seed))
        for line in _lines(results[-1]):
            typer.echo(line)
        if out is not None:
            _save(out, [result.to_json() for result in results])
    if any(result.differences for result in results):
        raise typer.Exit(DIFFERENT)


def _save(out: Path, results: list[dict[str, Json]]) -> None:
    from vlabench.jsonfiles import write_json

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, results)
    except OSError as error:
        raise UsageError(f"Cannot write {out} ({error}); give another --out.") from error


def _lines(result: Check) -> list[str]:
    suite = result.publication.suite
    same = result.checked - len(result.differences)
    lines = [f"{suite}: {same} of {result.checked} episodes as certified"]
    then, now = result.publication.versions, result.versions
    for package in sorted(then.keys() | now.keys()):
        if then.get(package) != now.get(package):
            was = then.get(package, "absent")
            lines.append(f"  {package} was {was} and is {now.get(package, 'absent')} here")
    counts = Counter(what for difference in result.differences for what in difference.what)
    lines += [f"  {number} of {result.checked}: {what}" for what, number in counts.most_common()]
    for difference in result.differences[:SHOWN]:
        episode = difference.episode
        changes = "".join(f" {change}" for change in episode.changes)
        lines.append(f"  {episode.task} {episode.index}{changes}: {', '.join(difference.what)}")
    if len(result.differences) > SHOWN:
        lines.append(f"  ... and {len(result.differences) - SHOWN} more; --out FILE has all")
    return lines


_HEADER = "suite                 episodes   drawn  rejected  expert's steps  minutes (1 core)"


def _row(publication: Publication) -> str:
    return (
        f"{publication.label:<20}  {len(publication.episodes):>8}  {publication.drawn:>6}  "
        f"{len(publication.rejected):>8}  {publication.steps:>14}  {publication.wall_s / 60:>16.1f}"
    )
