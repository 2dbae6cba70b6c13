"""One frame of a film: the panels, what was said above them, how far it came below them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vlabench.contract.images import Image
from vlabench.film.texts import fitted, font, printable, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

Color = tuple[int, int, int]
Kind = Literal["good", "bad", "plain"]

GROUND: Color = (20, 23, 28)
LINE: Color = (52, 58, 68)
TEXT: Color = (242, 244, 247)
MUTED: Color = (163, 172, 184)
# Okabe and Ito's colours, which the colour-blind tell apart, a little lighter for a dark ground
GREEN: Color = (38, 178, 135)
VERMILION: Color = (236, 120, 50)
BLUE: Color = (86, 180, 233)
YELLOW: Color = (240, 228, 66)
COLORS: dict[Kind, Color] = {"good": GREEN, "bad": VERMILION, "plain": MUTED}


@dataclass(frozen=True, slots=True)
class Telling:
    """What is written around the panels at one moment.

    Attributes:
        title: Which episode of which policy this is.
        instruction: What the policy is told.
        said: What the policy says beside its actions; empty for nothing.
        step: Control steps so far.
        horizon: Most control steps.
        time_s: Simulated time.
        stages: Name of each stage, and the step at which it was reached, if it has been.
        outcome: What came of it, once it is over.
        kind: What kind of outcome that is.
        warning: What is wrong with the replay; empty for nothing.
    """

    title: str
    instruction: str
    said: str
    step: int
    horizon: int
    time_s: float
    stages: Sequence[tuple[str, int | None]]
    outcome: str = ""
    kind: Kind = "plain"
    warning: str = ""


@dataclass
class Marks:
    """What the bar under the panels shows, as steps: things in the hand, drops, collisions."""

    grasps: Sequence[tuple[int, int]] = ()
    drops: Sequence[int] = ()
    collisions: Sequence[int] = ()


@dataclass
class Sheet:
    """Paints frames of one film.

    Args:
        size: Height of the main panel in pixels.
        shapes: Width over height of each panel, the main one first.
        labels: What stands in the corner of each panel.
        sentences: All that the policy will be told, one after the other.
        speaks: Whether the policy says anything.
    """

    size: int
    shapes: Sequence[float]
    labels: Sequence[str]
    sentences: Sequence[str] = ()
    speaks: bool = False
    unit: float = field(init=False)

    def __post_init__(self) -> None:
        self.unit = self.size / 480

    @cached_property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Left, top, width and height of each panel: one large, the others in a column beside."""
        height, gap, top = 2 * (self.size // 2), self._px(4), self._head
        main, *others = self.shapes
        boxes = [(0, top, _even(height * main), height)]
        if not others:
            return boxes
        each, column = self._each, self._column
        left = boxes[0][2] + gap
        for number, shape in enumerate(others):
            width = min(column, round(each * shape))
            inner = min(round(each), round(width / shape))
            y = top + round(number * (each + gap)) + (round(each) - inner) // 2
            boxes.append((left + (column - width) // 2, y, width, inner))
        return boxes

    @property
    def _each(self) -> float:
        """Height that each panel of the column has."""
        count = len(self.shapes) - 1
        return (2 * (self.size // 2) - self._px(4) * (count - 1)) / count

    @property
    def _column(self) -> int:
        """Width of the column: that of the widest panel in it, if that is not too wide."""
        widest = max(self._each * shape for shape in self.shapes[1:])
        return _even(min(widest, self.size * 1.2))

    @cached_property
    def width(self) -> int:
        """Of the whole frame in pixels; even."""
        return _even(max(x + width for x, _, width, _ in self.boxes))

    @cached_property
    def height(self) -> int:
        """Of the whole frame in pixels; even."""
        return _even(self._head + 2 * (self.size // 2) + self._foot)

    def paint(self, pictures: Sequence[Image], told: Telling, marks: Marks) -> Image:
        """One frame, ``(height, width, 3)``."""
        from PIL import Image as Pillow
        from PIL import ImageDraw

        frame = Pillow.new("RGB", (self.width, self.height), GROUND)
        for box, picture in zip(self.boxes, pictures, strict=True):
            frame.paste(_scaled(picture, box[2:]), box[:2])
        draw = ImageDraw.Draw(frame)
        for box, label in zip(self.boxes, self.labels, strict=True):
            self._label(frame, box, label)
        self._write_head(draw, told)
        self._write_foot(draw, told, marks)
        if told.outcome:
            x, y, width, height = self.boxes[0]
            color, thick = COLORS[told.kind], self._px(4)
            draw.rectangle((x, y, x + width - 1, y + height - 1), outline=color, width=thick)
        painted: npt.NDArray[np.uint8] = np.asarray(frame, dtype=np.uint8)
        return painted

    # --- above and below ----------------------------------------------------------------------

    def _write_head(self, draw: ImageDraw, told: Telling) -> None:
        edge, wide = self._px(10), self.width - 2 * self._px(10)
        small, large = font(self._px(12)), font(self._px(17), bold=True)
        draw.text((edge, self._px(7)), fitted(printable(told.title), small, wide), MUTED, small)
        lines = wrapped(printable(told.instruction) or "(no instruction)", large, wide, 2)
        for number, line in enumerate(lines):
            draw.text((edge, self._px(26 + 22 * number)), line, TEXT, large)

    def _write_foot(self, draw: ImageDraw, told: Telling, marks: Marks) -> None:
        top = self._head + 2 * (self.size // 2)
        self._bar(draw, top + self._px(6), told, marks)
        edge, right = self._px(10), self.width - self._px(10)
        face, bold = font(self._px(13)), font(self._px(13), bold=True)
        y = top + self._px(22)
        verdict = told.warning or told.outcome
        if verdict:
            color = VERMILION if told.warning else COLORS[told.kind]
            verdict = fitted(printable(verdict), bold, 0.6 * self.width)
            right -= round(bold.getlength(verdict))
            draw.text((right, y), verdict, color, bold)
            right -= self._px(14)
        clock = f"{told.time_s:.2f} s   step {told.step} of {told.horizon}"
        clock = fitted(clock, face, right - edge)
        draw.text((edge, y), clock, TEXT, face)
        self._stages(draw, edge, y + self._px(22), told.stages)
        if told.said:
            said = fitted(f"policy: {printable(told.said)}", face, self.width - 2 * edge)
            draw.text((edge, y + self._px(44)), said, BLUE, face)

    def _stages(
        self, draw: ImageDraw, x: int, y: int, stages: Sequence[tuple[str, int | None]]
    ) -> None:
        """Each stage with a box before it, which is ticked once it has been reached."""
        face, side, gap = font(self._px(13)), self._px(11), self._px(18)
        texts = [
            printable(name) if step is None else f"{printable(name)} · {step}"
            for name, step in stages
        ]
        widths = [side + self._px(6) + face.getlength(text) + gap for text in texts]
        more = face.getlength("… 99  ")
        room = self.width - 2 * self._px(10) - 2 * more
        current = next((k for k, (_, step) in enumerate(stages) if step is None), len(stages) - 1)
        first, last = window(widths, current, room)
        if first:
            draw.text((x, y), f"{first} …", MUTED, face)
            x += round(more)
        for (_, step), text, width in list(zip(stages, texts, widths, strict=True))[first:last]:
            box = (x, y + self._px(3), x + side, y + self._px(3) + side)
            reached = step is not None
            draw.rectangle(
                box, outline=GREEN if reached else MUTED, fill=GREEN if reached else None
            )
            if reached:
                self._tick(draw, box)
            shown = fitted(text, face, room - side)
            draw.text((x + side + self._px(6), y), shown, TEXT if reached else MUTED, face)
            x += round(width)
        if last < len(stages):
            draw.text((x, y), f"… {len(stages) - last}", MUTED, face)

    def _tick(self, draw: ImageDraw, box: tuple[int, int, int, int]) -> None:
        left, top, right, bottom = box
        across, down = right - left, bottom - top
        points = [(0.2, 0.55), (0.42, 0.77), (0.82, 0.25)]
        line = [(left + u * across, top + v * down) for u, v in points]
        draw.line(line, fill=GROUND, width=max(1, self._px(2)))

    def _bar(self, draw: ImageDraw, y: int, told: Telling, marks: Marks) -> None:
        """Time from the left to the right: what was in the hand, stages, drops, collisions."""
        left, wide, thick = self._px(10), self.width - 2 * self._px(10), self._px(6)
        scale = wide / max(1, told.horizon)
        draw.rectangle((left, y, left + wide, y + thick), fill=LINE)
        draw.rectangle((left, y, left + told.step * scale, y + thick), fill=(96, 105, 118))
        for since, until in marks.grasps:
            draw.rectangle((left + since * scale, y, left + until * scale, y + thick), fill=BLUE)
        kinds: list[tuple[Sequence[int], Color]] = [
            (marks.collisions, YELLOW),
            (marks.drops, VERMILION),
            ([step for _, step in told.stages if step], GREEN),
        ]
        for steps, color in kinds:
            for step in steps:
                x = left + step * scale
                box = (x - self._px(1), y - self._px(2), x + self._px(1), y + thick + self._px(2))
                draw.rectangle(box, fill=color)

    def _label(self, frame: Picture, box: tuple[int, int, int, int], label: str) -> None:
        """A name in the corner of a panel, on a veil so that it can be read on any picture."""
        from PIL import Image as Pillow
        from PIL import ImageDraw

        face, edge = font(self._px(11)), self._px(5)
        text = fitted(printable(label), face, box[2] - 4 * edge)
        size = (round(face.getlength(text)) + 2 * edge, self._px(17))
        veil = Pillow.new("RGBA", size, (*GROUND, 190))
        ImageDraw.Draw(veil).text((edge, self._px(1)), text, (*TEXT, 255), face)
        frame.paste(veil, (box[0] + edge, box[1] + edge), veil)

    @property
    def _head(self) -> int:
        """A line for the title, and one or two for the instruction."""
        face, wide = font(self._px(17), bold=True), self._wide
        long = any(face.getlength(printable(sentence)) > wide for sentence in self.sentences)
        return self._px(76 if long else 54)

    @property
    def _foot(self) -> int:
        return self._px(92 if self.speaks else 70)

    @cached_property
    def _wide(self) -> int:
        """Pixels that a line of text has."""
        across = 2 * (self.size // 2) * self.shapes[0]
        if len(self.shapes) > 1:
            across += self._px(4) + self._column
        return round(across) - 2 * self._px(10)

    def _px(self, pixels: float) -> int:
        return max(1, round(pixels * self.unit))


def window(widths: Sequence[float], current: int, room: float) -> tuple[int, int]:
    """First and last (excluded) of the things that are shown where not all fit: `current` is."""
    if not widths:
        return 0, 0
    first, last = current, current + 1
    while first > 0 and sum(widths[first - 1 : last]) <= room:
        first -= 1
    while last < len(widths) and sum(widths[first : last + 1]) <= room:
        last += 1
    return first, last


def _scaled(picture: Image, size: tuple[int, int]) -> Picture:
    from PIL import Image as Pillow

    image = Pillow.fromarray(picture)
    if image.size == size:
        return image
    grows = size[0] >= image.size[0]
    kind = Pillow.Resampling.NEAREST if grows and size[0] >= 3 * image.size[0] else None
    return image.resize(size, kind or Pillow.Resampling.LANCZOS)


def _even(pixels: float) -> int:
    """The next even number."""
    return 2 * max(1, math.ceil(pixels / 2))
