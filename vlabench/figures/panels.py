"""Several small pictures of one kind, side by side, as many in a line as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlabench.figures.scene import Scene

Drawer: TypeAlias = Callable[[Scene, float, float, float, float], None]
"""Draws into a box of a scene: its left, its top, its width and its height."""

NARROWEST, TALL = 250.0, 118.0
HEAD, FOOT, MARGIN = 44.0, 34.0, 44.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One of them: its title, a line below it, and what draws it."""

    title: str
    below: str
    draw: Drawer


def panels(shown: Sequence[Panel], width: float, tall: float = TALL) -> Scene:
    """The picture of all of them."""
    across = max(1, min(len(shown), int(width // NARROWEST)))
    lines = -(-len(shown) // across)
    each = width / across
    scene = Scene(width, lines * (HEAD + tall + FOOT))
    for number, panel in enumerate(shown):
        left = each * (number % across) + MARGIN
        top = (HEAD + tall + FOOT) * (number // across) + HEAD
        room = each - MARGIN - 16
        scene.write(left, top - 32, panel.title, room, bold=True, size=12.5)
        scene.write(left, top - 15, panel.below, room, color="muted", size=11)
        panel.draw(scene, left, top, room, tall)
    return scene
