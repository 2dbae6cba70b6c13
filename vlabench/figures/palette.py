"""The colours of every page and figure, by what they mean, on light ground and on dark.

Marks are those of Okabe and Ito (2008), which colour-blind readers tell apart, moved in lightness
where the ground asks for it. Nothing is said by colour alone: marks differ in shape or place too.
Text on any of the grounds has a contrast of at least 4.5, marks one of at least 3 (WCAG 2.2, AA);
a test computes them.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "ground": "#ffffff",
    "surface": "#f6f6f4",
    "ink": "#1b1c1e",
    "muted": "#5b5d60",
    "grid": "#dedfdc",
    "edge": "#8b8d8f",
    "link": "#005a8f",
    "before": "#0072b2",
    "after": "#d55e00",
    "well": "#00875f",
    "bad-ink": "#a34000",
    "good-ink": "#00694a",
    "loss-1": "#fdead9",
    "loss-2": "#fad1ab",
    "loss-3": "#f4b077",
    "loss-4": "#e98f45",
    "gain-1": "#e2f0f9",
    "gain-2": "#bcdcf1",
    "gain-3": "#8fc4e6",
    "gain-4": "#62aad9",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#00875f",
    "series-4": "#b85c91",
    "series-5": "#8a6d00",
    "series-6": "#5b5d60",
}

DARK: Mapping[str, str] = {
    "ground": "#15171a",
    "surface": "#1e2125",
    "ink": "#ecece9",
    "muted": "#a9abad",
    "grid": "#34383d",
    "edge": "#74787d",
    "link": "#7fc4f2",
    "before": "#56b4e9",
    "after": "#ff8f45",
    "well": "#2fc495",
    "bad-ink": "#ffa569",
    "good-ink": "#4fd3a8",
    "loss-1": "#3a291d",
    "loss-2": "#56361f",
    "loss-3": "#74441f",
    "loss-4": "#91521b",
    "gain-1": "#1b2b38",
    "gain-2": "#1d3c52",
    "gain-3": "#1e4e6e",
    "gain-4": "#1e618c",
    "series-1": "#56b4e9",
    "series-2": "#ff8f45",
    "series-3": "#2fc495",
    "series-4": "#e39ac4",
    "series-5": "#e6d23c",
    "series-6": "#a9abad",
}

SERIES = 6
"""How many colours there are for things that have no meaning of their own."""


def series(number: int) -> str:
    """The colour of the `number`-th of several alike things, from 0."""
    return f"series-{1 + number % SERIES}"


def stylesheet() -> str:
    """The palette as custom properties of CSS, which follow the reader's system."""
    light, dark = ("".join(f"  --{k}: {v};\n" for k, v in p.items()) for p in (LIGHT, DARK))
    return (
        f":root {{\n  color-scheme: light dark;\n{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{\n{dark}}} }}\n"
        f':root[data-theme="light"] {{\n  color-scheme: light;\n{light}}}\n'
        f':root[data-theme="dark"] {{\n  color-scheme: dark;\n{dark}}}\n'
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours ``#rrggbb``, from 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
