"""What a figure is made of: a few kinds of marks at places in pixels, coloured by meaning.

A figure is described once. `vlabench.figures.svg` writes it for a page, where it takes the page's
colours, light or dark; `vlabench.figures.paper` draws the same marks as PDF and PNG.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from vlabench.naming import one_line

Anchor: TypeAlias = Literal["start", "middle", "end"]
Point: TypeAlias = tuple[float, float]

WIDE, NARROW = 920.0, 340.0
"""The widths that a page shows: on a desk, and on a telephone."""

EM = 0.56
"""Mean width of a letter, as a part of the font's size."""

_LONGEST = 400
"""Of a longer text, its first and its last letters are looked at."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; `dash` in pixels on and off."""

    points: tuple[Point, ...]
    color: str
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon, laid over what is below it with some opacity."""

    points: tuple[Point, ...]
    color: str
    opacity: float = 0.16


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; `tip` is told when a pointer rests on it."""

    x: float
    y: float
    width: float
    height: float
    color: str
    tip: str = ""
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc, or a ring where it is not filled."""

    x: float
    y: float
    color: str
    filled: bool = True
    radius: float = 4.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Text on one line, `y` being its middle; `turned` reads upwards."""

    x: float
    y: float
    text: str
    color: str = "ink"
    size: float = 12.0
    bold: bool = False
    anchor: Anchor = "start"
    turned: bool = False
    tip: str = ""


Mark: TypeAlias = Line | Area | Box | Dot | Words


@dataclass(slots=True)
class Scene:
    """Marks, later ones above earlier ones, on a ground of `width` by `height` pixels."""

    width: float
    height: float
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Lays marks on top."""
        self.marks.extend(marks)

    def write(
        self,
        x: float,
        y: float,
        text: str,
        room: float | None = None,
        *,
        color: str = "ink",
        size: float = 12.0,
        bold: bool = False,
        anchor: Anchor = "start",
        turned: bool = False,
        short: str | None = None,
    ) -> None:
        """Lays text down, shortened to `room` pixels or as `short`; a tip tells its whole then."""
        whole = one_line(text) if room is None else fitted(text, room, size)
        shown = whole if short is None else short
        tip = text[:400] if shown != text else ""
        self.add(Words(x, y, shown, color, size, bold, anchor, turned, tip))


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, what it says in words, and its numbers.

    Attributes:
        name: Stem of its files.
        title: What stands above it.
        alt: What it shows, for whoever does not see it.
        note: How to read it.
        draw: The picture in a width of so many pixels.
        head: Titles of the columns of its numbers.
        rows: Its numbers, as text.
        fixed: Whether it has one width only, and is scrolled where there is less room.
    """

    name: str
    title: str
    alt: str
    note: str
    draw: Callable[[float], Scene]
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    fixed: bool = False


def extent(text: str, size: float) -> float:
    """About how many pixels wide a text is."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (EM * (len(text) - wide) + wide)


def fitted(text: str, room: float, size: float, before: float = 0.5) -> str:
    """`text` on one line; where it is wider than `room` pixels, its middle is an ellipsis.

    The end of a label tells it from its neighbours: the level of a change, the number of a run.

    Args:
        text: What is to be shown.
        room: Pixels.
        size: Of the font.
        before: The share of what is left that stands before the ellipsis.
    """
    whole = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
    line = one_line(whole)
    if extent(line, size) <= room:
        return line
    for count in range(min(len(line) - 1, int(room / (size * EM))), 0, -1):
        head = round(count * before)
        short = f"{line[:head].rstrip()}…{line[len(line) - count + head :].lstrip()}"
        if extent(short, size) <= room:
            return short
    return "…"


def fitted_apart(texts: Iterable[str], room: float, size: float) -> dict[str, str]:
    """Each of `texts` as it is shown in `room` pixels: different ones stay different.

    Where the same would be left of two, they are cut elsewhere; where no cut tells them apart, they
    are numbered.
    """
    alike: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        alike.setdefault(fitted(text, room, size), []).append(text)
    shown = {group[0]: short for short, group in alike.items() if len(group) == 1}
    for group in alike.values():
        if len(group) > 1:
            shown |= _apart(group, set(shown.values()), room, size)
    return shown


def _apart(group: Sequence[str], taken: Set[str], room: float, size: float) -> dict[str, str]:
    """Texts of which the same is left when they are cut in the middle."""
    for before in (0.25, 0.75, 0.0, 1.0):
        cut = {text: fitted(text, room, size, before) for text in group}
        if len({*cut.values()} - taken) == len(group):
            return cut
    numbered: dict[str, str] = {}
    number = 0
    for text in group:
        while True:
            number += 1
            mark = f" ({number})"
            short = fitted(text, room - extent(mark, size), size) + mark
            if short not in taken and short not in numbered.values():
                break
        numbered[text] = short
    return numbered
