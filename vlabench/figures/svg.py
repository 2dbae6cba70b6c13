"""Scenes as SVG for a page: text stays text, colours are the page's own."""

from __future__ import annotations

from html import escape

from vlabench.figures.scene import Area, Box, Dot, Line, Mark, Point, Scene, Words


def svg(scene: Scene, label: str, kind: str = "") -> str:
    """The markup of a scene; `label` is what a screen reader says of it.

    Whatever text is in it is escaped. There is no style attribute and no script in it, so it
    stands under the strictest content security policy.
    """
    body = "".join(map(_mark, scene.marks))
    name = f' class="{escape(kind)}"' if kind else ""
    return (
        f'<svg{name} role="img" aria-label="{escape(label)}" width="{_n(scene.width)}" '
        f'height="{_n(scene.height)}" viewBox="0 0 {_n(scene.width)} {_n(scene.height)}">'
        f"{body}</svg>"
    )


def _mark(mark: Mark) -> str:
    match mark:
        case Line(points, color, width, dash):
            dashed = f' stroke-dasharray="{" ".join(map(_n, dash))}"' if dash else ""
            return (
                f'<polyline points="{_points(points)}" fill="none" stroke="var(--{color})" '
                f'stroke-width="{_n(width)}"{dashed}/>'
            )
        case Area(points, color, opacity):
            return (
                f'<polygon points="{_points(points)}" fill="var(--{color})" '
                f'fill-opacity="{_n(opacity)}"/>'
            )
        case Box():
            return _with_tip(
                f'rect x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.width)}" '
                f'height="{_n(mark.height)}" rx="{_n(mark.radius)}" fill="var(--{mark.color})"',
                "rect",
                mark.tip,
            )
        case Dot():
            fill = mark.color if mark.filled else "ground"
            return _with_tip(
                f'circle cx="{_n(mark.x)}" cy="{_n(mark.y)}" r="{_n(mark.radius)}" '
                f'fill="var(--{fill})" stroke="var(--{mark.color})" stroke-width="1.6"',
                "circle",
                mark.tip,
            )
        case Words():
            return _words(mark)


def _words(mark: Words) -> str:
    turn = f' transform="rotate(-90 {_n(mark.x)} {_n(mark.y)})"' if mark.turned else ""
    bold = ' font-weight="600"' if mark.bold else ""
    tip = f"<title>{escape(mark.tip)}</title>" if mark.tip else ""
    # a third of the size below the middle is where the letters stand
    return (
        f'<text x="{_n(mark.x)}" y="{_n(mark.y)}" dy="{_n(mark.size * 0.35)}" '
        f'fill="var(--{mark.color})" font-size="{_n(mark.size)}"{bold} '
        f'text-anchor="{mark.anchor}"{turn}>{tip}{escape(mark.text)}</text>'
    )


def _with_tip(opening: str, name: str, tip: str) -> str:
    return f"<{opening}><title>{escape(tip)}</title></{name}>" if tip else f"<{opening}/>"


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
