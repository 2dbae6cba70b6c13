"""Small pieces of Markdown, and numbers as the card writes them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

NOTHING = "–"
"""What a cell without data says."""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "") -> str:
    """A table.

    Args:
        heads: Of the columns.
        rows: Their cells; None for one without data.
        right: A letter for each column: ``r`` for numbers, which are set to the right.
    """
    lines = [_row(heads), _row("---:" if side == "r" else "---" for side in _sides(heads, right))]
    lines += [_row(NOTHING if cell is None else cell for cell in row) for row in rows]
    return "\n".join(lines)


def _sides(heads: Sequence[str], right: str) -> str:
    return right.ljust(len(heads), "l")


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in cells)} |"


def number(value: float, decimals: int = 0) -> str:
    """A number with commas between thousands: 1,977."""
    return f"{value:,.{decimals}f}"


def span(low: float, high: float) -> str:
    """An interval: 0.7–0.85."""
    return f"{low:g}–{high:g}"


def share(part: float, whole: float, decimals: int = 1) -> str:
    """A part of a whole in percent; nothing of nothing is a dash."""
    return f"{100 * part / whole:.{decimals}f} %" if whole else NOTHING


def counted(count: int, noun: str) -> str:
    """A number and its noun: 1 thing, 2 things, 3 categories."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun[-1] == "y" and noun[-2] not in "aeou" else f"{noun}s"
    return f"{number(count)} {plural}"


def code(names: Iterable[str]) -> str:
    """Names as code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


def link(heading: str) -> str:
    """A link to the heading of this page that is a name."""
    return f"[`{heading}`](#{anchor(heading)})"


def anchor(heading: str) -> str:
    """What GitHub calls a heading in an address."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def picture(path: str, alt: str) -> str:
    """A picture."""
    return f"![{alt}]({path})"


def paragraphs(docstring: str | None) -> list[str]:
    """The paragraphs of a docstring after its first line, each in one line.

    Tables are left out, and the sentences that lead to them.
    """
    blocks = inspect.cleandoc(docstring or "").split("\n\n")[1:]
    found = []
    for block, following in zip(blocks, [*blocks[1:], ""], strict=True):
        if not _is_table(block):
            text = _prose(block)
            found.append(_without_last_sentence(text) if _is_table(following) else text)
    return [text for text in found if text and not re.fullmatch(_ABOUT_KIND, text)]


_ABOUT_KIND = r"A \w+ axis( with one level a kind)?\."
"""What says nothing but of what kind an axis is."""


def _without_last_sentence(text: str) -> str:
    return text.rpartition(". ")[0] + "." if ". " in text else ""


def _is_table(block: str) -> bool:
    return re.match(r"={3,} ", block) is not None


def _prose(block: str) -> str:
    """One paragraph without line breaks; items of a list keep theirs."""
    text = re.sub(r"\s*\n\s*(?!- )", " ", block)
    text = re.sub(r"\s*\n\s*- ", "\n- ", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return text.replace(" x ", " × ").strip()
