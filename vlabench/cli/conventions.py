"""``vlabench doctor --policy P``: whether a policy is wired right, or the likeliest fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vlabench.errors import UsageError
from vlabench.types import Json

if TYPE_CHECKING:
    from vlabench.conventions import Diagnosis

EXIT_CODES = {"fine": 0, "fault": 1, "cannot say": 3}
"""What the command exits with; 3 is what an undecided question has everywhere."""


def report(diagnosis: Diagnosis, file: Path | None) -> None:
    """Prints what was found, writes it to `file`, and exits with `EXIT_CODES`.

    Raises:
        UsageError: If the file cannot be written.
    """
    from vlabench.conventions.telling import text, to_json
    from vlabench.jsonfiles import write_json

    typer.echo(text(diagnosis))
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, to_json(diagnosis))
        except OSError as error:
            raise UsageError(f"Cannot write {file} ({error}); give another --json.") from error
    raise typer.Exit(EXIT_CODES[diagnosis.outcome])


def parse_alternatives(pairs: Sequence[str]) -> dict[str, list[Json]]:
    """The values of ``--alternative``: ``["key=a", "key=b"]`` gives ``{"key": ["a", "b"]}``.

    Raises:
        UsageError: If one has no ``=``.
    """
    from vlabench.runner.job import argument_of

    found: dict[str, list[Json]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UsageError(f"--alternative {pair!r} is not of the form KEY=VALUE; write it so.")
        found.setdefault(name, []).append(argument_of(text))
    return found
