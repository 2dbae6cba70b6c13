"""How numbers, names and tables look as text and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TypeAlias

from vlabench.naming import one_line

NO_DATA = "–"

TableRow: TypeAlias = tuple[str, Sequence[str]]
"""A label and its values; a label alone is the title of what follows."""


def percent(value: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """Percent with a sign, and none at 0.0."""
    number = f"{100 * value:+.1f}"
    return "0.0" if number in ("+0.0", "-0.0") else number.replace("-", "−")


def plain(raw: str) -> str:
    """`raw` on one line, without control characters, its blanks kept."""
    return one_line(raw)


def escape_markdown(raw: str) -> str:
    """`raw` as text of one line that Markdown and HTML take for nothing but text."""
    escaped = re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", plain(raw))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def aligned(table: Sequence[TableRow]) -> list[str]:
    """The first column flush left, the others flush right; a rule below the first line."""
    first = max(len(label) for label, _ in table)
    count = max(len(values) for _, values in table)
    widths = [
        max((len(values[i]) for _, values in table if values), default=0) for i in range(count)
    ]
    lines = []
    for label, values in table:
        cells = (f"{value:>{width}}" for value, width in zip(values, widths, strict=False))
        lines.append("  ".join([f"{label:<{first}}", *cells]).rstrip())
    return [lines[0], "-" * max(len(line) for line in lines), *lines[1:]]


def pipes(table: Sequence[TableRow]) -> list[str]:
    """GitHub's Markdown; labels are escaped, values are taken as they are."""
    (corner, head), *body = table
    lines = [
        f"| {escape_markdown(corner)} | {' | '.join(head)} |",
        f"|:--{'|--:' * len(head)}|",
    ]
    for label, values in body:
        name = escape_markdown(label.strip())
        if not values:
            name, values = f"**{name}**", [""] * len(head)
        lines.append(f"| {name} | {' | '.join(values)} |")
    return lines


def wrapped(paragraph: str, width: int) -> list[str]:
    """Lines of at most `width` characters, where words are not longer."""
    return textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
