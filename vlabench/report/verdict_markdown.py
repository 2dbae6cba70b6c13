"""A comparison as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vlabench.report.form import escape_markdown, pipes
from vlabench.report.verdict import (
    LEGEND,
    LEGEND_UNPAIRED,
    facts,
    flip_lines,
    flips,
    headline,
    left_out,
    sides,
    table_of,
)

if TYPE_CHECKING:
    from vlabench.comparison import Comparison

SIGNS = {"REGRESSED": "❌", "IMPROVED": "✅", "NON-INFERIOR": "✅", "INCONCLUSIVE": "❔"}


def verdict_markdown(comparison: Comparison) -> str:
    """The verdict, the rates, and the flipped episodes, folded away."""
    sign = "⚠️" if comparison.verdict.tolerable else SIGNS[comparison.verdict.outcome]
    head, rows = table_of(comparison)
    compared = [(label, tuple(map(escape_markdown, what))) for label, what in sides(comparison)]
    blocks = [
        f"### {sign} {escape_markdown(headline(comparison))}",
        "\n".join(pipes([("", ("success", "run")), *compared])),
        "\n".join(f"- {escape_markdown(fact)}" for fact in facts(comparison)),
        *(f"> **Warning:** {escape_markdown(warning)}" for warning in comparison.warnings),
        *(f"> {escape_markdown(note)}" for note in comparison.notes),
        "\n".join(pipes([head, *rows])),
        *_flips(comparison),
        escape_markdown(LEGEND if comparison.paired else LEGEND_UNPAIRED),
    ]
    return "\n\n".join(blocks) + "\n"


def _flips(comparison: Comparison) -> Iterator[str]:
    for title, shown, more in flips(comparison):
        lines = [line.strip() for line in flip_lines(comparison, shown)]
        rest = [f"{left_out(more).strip()}."] if more else []
        summary = f"<details><summary>{escape_markdown(title)}</summary>"
        yield "\n\n".join([summary, _fenced(lines), *rest, "</details>"])


def _fenced(lines: list[str]) -> str:
    """A block of code that no line in it can end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}shell", *lines, fence])
