"""The command line: one module a command, one line in `COMMANDS` each.

Only the command that was asked for is imported, so that ``vlabench --help`` answers at once.
Whatever a user can mend is printed as one sentence, and the exit code says what kind it was.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from vlabench.errors import VlabenchError
from vlabench.naming import one_line
from vlabench.registry import load_attribute


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the function that runs it, and a line for the list of commands."""

    function: str
    summary: str


COMMANDS = {
    "eval": Command("vlabench.cli.eval:eval_command", "Evaluate a policy on a suite."),
    "check": Command(
        "vlabench.cli.check:check_command", "Evaluate a policy and compare it with a baseline."
    ),
    "list": Command(
        "vlabench.cli.list:list_command", "Show policies, suites, tasks, axes and objects."
    ),
    "compare": Command(
        "vlabench.cli.compare:compare_command", "Say whether a run is worse than another."
    ),
    "baseline": Command(
        "vlabench.cli.baseline:baseline_command", "Keep what a run came to in a file to commit."
    ),
    "power": Command("vlabench.cli.power:power_command", "Say how many episodes a question needs."),
    "replay": Command(
        "vlabench.cli.replay:replay_command", "Simulate an episode again from its actions."
    ),
    "report": Command(
        "vlabench.cli.report:report_command", "Write what runs came to as pages and figures."
    ),
    "leaderboard": Command(
        "vlabench.cli.leaderboard:leaderboard_command", "Add finished runs to the leaderboard."
    ),
    "export": Command(
        "vlabench.cli.export:export_command", "Write a run as Parquet, CSV or for Hugging Face."
    ),
    "certify": Command(
        "vlabench.cli.certify:certify_command", "Let the expert solve every episode of a suite."
    ),
    "audit": Command(
        "vlabench.cli.audit:audit_command", "Measure how often the success tests are wrong."
    ),
    "serve": Command(
        "vlabench.cli.serve:serve_command", "Let others ask a policy over the network."
    ),
    "doctor": Command(
        "vlabench.cli.doctor:doctor_command",
        "Say what is missing here, or wrong with a policy's declaration.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits; `arguments` are the process's own by default."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    try:
        _app(words)(words, prog_name="vlabench")
    except VlabenchError as error:
        typer.echo(f"vlabench: {one_line(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None


def _app(words: Sequence[str]) -> typer.Typer:
    """The commands, of which only the one that `words` asks for is imported."""
    app = typer.Typer(
        name="vlabench",
        help="How well does a robot policy do when something changes?",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top_level)
    wanted = next((word for word in words if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        if name == wanted or "_VLABENCH_COMPLETE" in os.environ:
            app.command(name)(load_attribute(command.function, "command"))
        else:
            app.command(name, help=command.summary)(_placeholder)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from vlabench.provenance import vlabench_version

        typer.echo(vlabench_version())
        raise typer.Exit


def _top_level(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version."
    ),
) -> None:
    """How well does a robot policy do when something changes?"""


def _placeholder() -> None:
    """Stands in the list of commands for one that was not asked for."""
