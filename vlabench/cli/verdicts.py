"""How commands show a comparison: to the terminal, into files, and to GitHub Actions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vlabench.errors import UnknownNameError, UsageError, VlabenchError

if TYPE_CHECKING:
    from vlabench.comparison import Comparison
    from vlabench.comparison.model import Kind

FORMATS = ("text", "md", "json", "junit", "github")

FORMAT_HELP = (
    "text, md, json, junit or github; FORMAT=FILE writes to a file. Several may be given. github "
    "prints text and annotations, and adds to the job's summary."
)


@dataclass(frozen=True, slots=True)
class Form:
    """One of `FORMATS`, and the file that it goes to; None for the terminal."""

    name: str
    path: Path | None = None


def parse_forms(words: Sequence[str]) -> tuple[Form, ...]:
    """The values of ``--format``; text if there is none.

    Raises:
        UsageError: If one is unknown, or needs no file.
    """
    forms = []
    for word in words or ("text",):
        name, equals, file = word.partition("=")
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS, where="--format")
        if equals and (not file or name == "github"):
            raise UsageError(
                f"--format {word!r} makes no sense; give a name, or NAME=FILE of another than "
                "github."
            )
        forms.append(Form(name, Path(file) if file else None))
    return tuple(forms)


def parse_by(text: str) -> frozenset[Kind]:
    """The value of ``--by``: which tables to show.

    Raises:
        UsageError: If one is unknown.
    """
    names = [word.strip() for word in text.split(",")]
    if names == ["none"]:
        return frozenset()
    known: dict[str, Kind] = {"axis": "axis", "task": "task"}
    for name in names:
        if name not in known:
            raise UnknownNameError("table", name, [*known, "none"], where="--by")
    return frozenset(known[name] for name in names)


@contextlib.contextmanager
def annotated(forms: Sequence[Form]) -> Iterator[None]:
    """Where GitHub, JUnit or JSON is told, it is told of errors too."""
    from vlabench.report.verdict_github import annotation, write_error
    from vlabench.report.verdict_json import error_json
    from vlabench.report.verdict_junit import error_junit

    try:
        yield
    except VlabenchError as error:
        for form in forms:
            if form.name == "github":
                typer.echo(annotation("error", "vlabench", str(error)))
                write_error(error)
            elif form.name == "junit":
                _put(form, error_junit(error))
            elif form.name == "json":
                _put(form, error_json(error))
        raise


def show(comparison: Comparison, forms: Sequence[Form], code: int) -> None:
    """Shows `comparison` in each of `forms`; `code` is the exit code that goes with it.

    Raises:
        UsageError: If a file belongs to a run, or cannot be written.
    """
    from vlabench.report.verdict import verdict_text
    from vlabench.report.verdict_json import verdict_json
    from vlabench.report.verdict_junit import verdict_junit
    from vlabench.report.verdict_markdown import verdict_markdown

    texts: dict[str, Callable[[], str]] = {
        "text": lambda: verdict_text(comparison),
        "md": lambda: verdict_markdown(comparison),
        "json": lambda: verdict_json(comparison),
        "junit": lambda: verdict_junit(comparison, code),
        "github": lambda: _github(comparison, code),
    }
    for form in forms:
        _put(form, texts[form.name]())


def _github(comparison: Comparison, code: int) -> str:
    """What goes to the log; the summary has been written."""
    from vlabench.report.verdict import verdict_text
    from vlabench.report.verdict_github import verdict_annotations, write_summary

    write_summary(comparison)
    return "\n".join([verdict_text(comparison), *verdict_annotations(comparison, code), ""])


def _put(form: Form, text: str) -> None:
    if form.path is None:
        typer.echo(text, nl=False)
    else:
        _write(form.path, text)


def _write(path: Path, text: str) -> None:
    from vlabench.store import refuse_run_file

    refuse_run_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({error.strerror or error}); give another file."
        ) from error
