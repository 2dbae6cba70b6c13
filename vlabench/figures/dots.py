"""Dot plots with intervals: one line a row, its name on the left, its numbers on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlabench.figures.scene import Box, Dot, Line, Scene, Words, extent, fitted_apart

WIDE_FROM = 560.0
"""Below this width names stand above their dots."""

LABEL, DOTS = 196.0, 320.0
"""Names have `LABEL` pixels beside the dots, and more as long as these keep `DOTS`."""


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value with its interval, in the unit of the scale."""

    value: float
    low: float
    high: float
    color: str
    filled: bool = True
    tip: str = ""


@dataclass(frozen=True, slots=True)
class DotRow:
    """One line of a dot plot.

    Attributes:
        label: Its name.
        whiskers: What is drawn on it, at most three, from top to bottom.
        numbers: What stands on its right, a text for each column.
        strong: Whether it has a band behind it.
        clear: Whether its first number says something for certain; it is grey else.
    """

    label: str
    whiskers: tuple[Whisker, ...]
    numbers: tuple[str, ...]
    strong: bool = False
    clear: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """What lies along the line.

    Attributes:
        low: Its left end.
        high: Its right end.
        ticks: Places and their names.
        zero: Where a stronger line stands; None for none.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    zero: float | None = None


PERCENT = Scale(0.0, 1.0, tuple((k / 4, f"{25 * k} %") for k in range(5)))


def dot_plot(
    rows: Sequence[DotRow],
    scale: Scale,
    heads: Sequence[str],
    key: Sequence[tuple[str, str, bool]],
    width: float,
) -> Scene:
    """The picture.

    Args:
        rows: From top to bottom; one without whiskers and numbers is the title of what follows.
        scale: Along the line.
        heads: Titles of the columns of numbers.
        key: Name, colour, and whether it is filled, of each kind of dot.
        width: In pixels.
    """
    wide = width >= WIDE_FROM
    tall = 26.0 if wide else 46.0
    ends = _columns(rows, heads, width)
    right = width - (_room(rows, heads) if wide else 0) - 10
    left = _left(rows, right) if wide else 10.0
    top = (30.0 if key else 6.0) + (20.0 if wide else 4.0)
    scene = Scene(width, top + tall * len(rows) + 26)
    _key(scene, key)
    if wide:
        for place, head in zip(ends, heads, strict=True):
            scene.write(place, top - 12, head, color="muted", size=11.5, anchor="end")
    bottom = top + tall * len(rows)

    def across(value: float) -> float:
        share = (min(max(value, scale.low), scale.high) - scale.low) / (scale.high - scale.low)
        return left + share * (right - left)

    for number, row in enumerate(rows):
        if row.strong:
            scene.add(Box(0, top + tall * number, width, tall, "surface", radius=3))
    for value, name in scale.ticks:
        strong = scale.zero is not None and value == scale.zero
        x = across(value)
        scene.add(Line(((x, top), (x, bottom)), "edge" if strong else "grid"))
        half = extent(name, 11.5) / 2
        place = min(max(x, half), width - half)
        scene.write(place, bottom + 14, name, color="muted", size=11.5, anchor="middle")
    named = [row for row in rows if not _is_title(row)]
    room = left - 18 if wide else min((_above(row, width) for row in named), default=width)
    names = fitted_apart([row.label for row in named], room, 12)
    for number, row in enumerate(rows):
        y = top + tall * (number + 0.5)
        _row(scene, row, y, ends if wide else (), names.get(row.label))
        middle = y if wide else y + 10
        for place, whisker in enumerate(row.whiskers):
            at = middle + 9 * (place - (len(row.whiskers) - 1) / 2)
            span = ((across(whisker.low), at), (across(whisker.high), at))
            scene.add(Line(span, whisker.color, 1.8))
            dot = Dot(across(whisker.value), at, whisker.color, whisker.filled, tip=whisker.tip)
            scene.add(dot)
    return scene


def _is_title(row: DotRow) -> bool:
    return not row.whiskers and not any(row.numbers)


def _left(rows: Sequence[DotRow], right: float) -> float:
    """Where the dots begin, beside the names."""
    longest = max((extent(row.label, 12) for row in rows if not _is_title(row)), default=0.0)
    return max(LABEL, min(longest + 20, right - DOTS))


def _widths(rows: Sequence[DotRow], heads: Sequence[str]) -> list[float]:
    """What each column of numbers needs."""
    columns = zip(*(row.numbers for row in rows if row.numbers), strict=True)
    texts = [(head, *column) for head, column in zip(heads, columns, strict=True)]
    return [20 + max(extent(text, 12) for text in column) for column in texts]


def _room(rows: Sequence[DotRow], heads: Sequence[str]) -> float:
    return sum(_widths(rows, heads)) + 6


def _columns(rows: Sequence[DotRow], heads: Sequence[str], width: float) -> list[float]:
    """Where each column of numbers ends."""
    widths = _widths(rows, heads)
    return [width - 6 - sum(widths[number + 1 :]) for number in range(len(widths))]


def _row(scene: Scene, row: DotRow, y: float, ends: Sequence[float], name: str | None) -> None:
    """Its name and numbers, in columns that end at `ends`, or above its dots without them.

    `name` is what is shown of its name; None of a title, which has the whole width.
    """
    title = _is_title(row)
    bold, short = row.strong or title, None if title else name
    if ends:
        scene.write(8, y, row.label, scene.width - 8, bold=bold, short=short)
        for number, words in enumerate(row.numbers):
            sure = number == 0 and row.clear
            scene.add(
                Words(
                    ends[number],
                    y,
                    words,
                    "ink" if sure else "muted",
                    bold=sure and row.strong,
                    anchor="end",
                )
            )
        return
    scene.write(8, y - 12, row.label, _above(row, scene.width), bold=bold, short=short)
    told = _briefly(row)
    color = "ink" if row.clear else "muted"
    scene.write(scene.width - 8, y - 12, told, color=color, size=11.5, anchor="end")


def _briefly(row: DotRow) -> str:
    """Its numbers where names stand above their dots."""
    return " · ".join(word for word in row.numbers[:2] if word)


def _above(row: DotRow, width: float) -> float:
    """The room of its name there."""
    return width - 24 - 6.8 * len(_briefly(row))


def _key(scene: Scene, key: Sequence[tuple[str, str, bool]]) -> None:
    x = 14.0
    for name, color, filled in key:
        scene.add(Dot(x, 12, color, filled))
        scene.write(x + 10, 12, name, color="ink", size=12)
        x += 34 + 6.9 * len(name)
