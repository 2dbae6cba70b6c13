"""Scenes as PDF and PNG for a paper, by matplotlib: the marks of the page, on white."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlabench.errors import UsageError
from vlabench.figures.palette import LIGHT
from vlabench.figures.scene import Area, Box, Dot, Figure, Line, Mark, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 0.75
"""Points a pixel."""

FONT = 0.9
"""DejaVu is wider than the fonts of most systems."""

DPI = 300
PAPER_WIDTH = 700.0
"""Pixels, 7.3 inches: a figure over two columns."""

ALIGN = {"start": "left", "middle": "center", "end": "right"}


def write_paper(figure: Figure, folder: Path, prefix: str = "") -> list[Path]:
    """Writes ``<name>.pdf`` and ``<name>.png``; equal figures give equal files.

    Raises:
        UsageError: If the folder cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    scene = figure.draw(PAPER_WIDTH)
    paths = [folder / f"{prefix}{figure.name}.{form}" for form in ("pdf", "png")]
    with rc_context({"font.family": "DejaVu Sans", "text.parse_math": False, "pdf.fonttype": 42}):
        size = (scene.width * POINTS / 72, scene.height * POINTS / 72)
        canvas = Canvas(figsize=size, facecolor="white")
        FigureCanvasAgg(canvas)
        axes = canvas.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, scene.width)
        axes.set_ylim(scene.height, 0)
        for order, mark in enumerate(scene.marks):
            _draw(axes, mark, order)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            canvas.savefig(paths[0], metadata={"CreationDate": None, "Title": figure.title})
            canvas.savefig(paths[1], dpi=DPI, metadata={"Software": None})
        except OSError as error:
            raise UsageError(
                f"Cannot write to {folder} ({error.strerror or error}); give another --out."
            ) from error
    return paths


def _draw(axes: Axes, mark: Mark, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch, Polygon

    match mark:
        case Line():
            xs, ys = zip(*mark.points, strict=True)
            line = axes.plot(xs, ys, color=LIGHT[mark.color], linewidth=mark.width * POINTS)[0]
            line.set(zorder=order, clip_on=False, solid_capstyle="butt")
            if mark.dash:
                line.set_dashes([part * POINTS / (mark.width * POINTS) for part in mark.dash])
        case Area():
            axes.add_patch(
                Polygon(
                    mark.points,
                    closed=True,
                    facecolor=LIGHT[mark.color],
                    alpha=mark.opacity,
                    linewidth=0,
                    zorder=order,
                )
            )
        case Box():
            style = f"round,pad=0,rounding_size={min(mark.radius, mark.width / 2)}"
            axes.add_patch(
                FancyBboxPatch(
                    (mark.x, mark.y),
                    mark.width,
                    mark.height,
                    boxstyle=style if mark.radius else "square,pad=0",
                    facecolor=LIGHT[mark.color],
                    linewidth=0,
                    zorder=order,
                )
            )
        case Dot():
            axes.plot(
                [mark.x],
                [mark.y],
                marker="o",
                markersize=2 * mark.radius * POINTS,
                markerfacecolor=LIGHT[mark.color] if mark.filled else "white",
                markeredgecolor=LIGHT[mark.color],
                markeredgewidth=1.6 * POINTS,
                linestyle="none",
                zorder=order,
                clip_on=False,
            )
        case Words():
            axes.text(
                mark.x,
                mark.y,
                mark.text,
                color=LIGHT[mark.color],
                fontsize=mark.size * POINTS * FONT,
                fontweight="bold" if mark.bold else "normal",
                ha="center" if mark.turned and mark.anchor == "middle" else ALIGN[mark.anchor],
                va="center_baseline",
                rotation=90 if mark.turned else 0,
                rotation_mode="anchor",
                zorder=order,
            )
