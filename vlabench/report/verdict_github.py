"""A comparison for GitHub Actions: annotations for the log, Markdown for the job's summary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlabench.errors import UsageError
from vlabench.report.form import escape_markdown, plain
from vlabench.report.verdict import headline
from vlabench.report.verdict_markdown import verdict_markdown

if TYPE_CHECKING:
    from vlabench.comparison import Comparison
    from vlabench.errors import VlabenchError

Level: TypeAlias = Literal["error", "warning", "notice"]

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file of the job's summary."""

LARGEST_SUMMARY = 1_000_000
"""Bytes; GitHub drops the summary of a step that is larger than 1 MiB."""


def verdict_annotations(comparison: Comparison, code: int) -> Iterator[str]:
    """One line for the verdict and one for each warning; `code` is the exit code."""
    verdict = comparison.verdict
    level: Level = "notice"
    if verdict.failed or code != 0:
        level = "error"
    elif verdict.tolerable or verdict.outcome == "INCONCLUSIVE":
        level = "warning"
    yield annotation(level, f"vlabench: {comparison.suite}", headline(comparison))
    for warning in comparison.warnings:
        yield annotation("warning", f"vlabench: {comparison.suite}", warning)


def annotation(level: Level, title: str, text: str) -> str:
    """A workflow command that shows `text`, and nothing but that whatever is in it."""
    return f"::{level} title={_property(plain(title))}::{_data(plain(text))}"


def write_summary(comparison: Comparison) -> Path | None:
    """Adds the comparison to the job's summary; None if there is none to add to.

    Raises:
        UsageError: If the file cannot be written.
    """
    text = verdict_markdown(comparison)
    if len(text.encode()) > LARGEST_SUMMARY:
        text = f"{verdict_markdown_head(text)}\n\nThe rest is too long for a summary.\n"
    return _add_to_summary(text)


def write_error(error: VlabenchError) -> Path | None:
    """Adds why there is no comparison to the job's summary; None if there is none to add to.

    Raises:
        UsageError: If the file cannot be written.
    """
    return _add_to_summary(f"### ⚠️ No comparison\n\n{escape_markdown(str(error))}\n")


def _add_to_summary(text: str) -> Path | None:
    place = os.environ.get(SUMMARY)
    if not place:
        return None
    path = Path(place)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except OSError as error:
        raise UsageError(
            f"Cannot write the job's summary to {path} ({error.strerror or error}); mend {SUMMARY}."
        ) from error
    return path


def verdict_markdown_head(text: str) -> str:
    """The heading and the two runs."""
    return "\n\n".join(text.split("\n\n")[:3])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
