"""Text in pictures: one font that comes with Matplotlib, cut and wrapped to a width.

Whatever a suite or a policy says is shown as text: what does not print becomes a space, and what
does not fit ends in an ellipsis.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

LONGEST = 600
"""Characters of a text that are looked at: more than fit into any film's two lines."""


@cache
def font(pixels: int, *, bold: bool = False) -> FreeTypeFont:
    """DejaVu Sans, which has Latin, Greek, Cyrillic, Hebrew and Arabic letters."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), pixels)


def printable(text: str) -> str:
    """One line of `text`, and no more of it than could be shown."""
    cut = text[:LONGEST] + ("…" if len(text) > LONGEST else "")
    plain = (c if unicodedata.category(c)[0] not in "CZ" else " " for c in cut)
    return " ".join("".join(plain).split())


def fitted(text: str, face: FreeTypeFont, width: float) -> str:
    """`text` cut to `width` pixels, with an ellipsis where something is missing."""
    if face.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if face.getlength(text[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, face: FreeTypeFont, width: float, lines: int) -> list[str]:
    """`text` in at most so many lines, the last one cut."""
    words, found = text.split(), list[str]()
    while words and len(found) < lines - 1:
        line = words.pop(0)
        while words and face.getlength(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        if face.getlength(line) > width:  # a word that is longer than a line
            found.append(fitted(line, face, width))
        else:
            found.append(line)
    return [*found, fitted(" ".join(words), face, width)] if words else found
