"""Table texture: the table top is made of something else.

A visual axis. Nominal scenes have tables of wood; each level has a pool of its own:

======== ============ ======================================================
level    pool         tables
======== ============ ======================================================
nominal  seen         ash, cherry, maple, oak, teak, walnut
L1       similar      bamboo, birch, ebony, mahogany, olive wood, pine
L2       unlike       concrete, cork, granite, linen, marble, steel
L3       high-contrast  checker, dots, mosaic, plaid, stripes, zigzag
======== ============ ======================================================
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from vlabench.envs.axes.base import Axis
from vlabench.envs.materials import Color, Surface, cover
from vlabench.envs.tasks.base import Task
from vlabench.errors import UnknownNameError
from vlabench.types import Json

FACTOR = "table"

MATERIAL = "table top"
"""Its name in the model."""


def _wood(color: Color, pattern: str = "grain", repeat: float = 1.0) -> Surface:
    return Surface(pattern, (0.0, 0.0, 0.0), color, "wood", repeat)


_BLACK, _WHITE = (0.06, 0.06, 0.07), (0.84, 0.83, 0.8)

TABLES: Mapping[str, Mapping[str, Surface]] = {
    "seen": {
        "ash": _wood((0.72, 0.62, 0.49)),
        "cherry": _wood((0.58, 0.35, 0.23)),
        "maple": _wood((0.74, 0.58, 0.4)),
        "oak": _wood((0.64, 0.45, 0.27)),
        "teak": _wood((0.56, 0.34, 0.18)),
        "walnut": _wood((0.43, 0.27, 0.17)),
    },
    "L1": {
        "bamboo": _wood((0.78, 0.66, 0.4), "planks", 2.0),
        "birch": _wood((0.82, 0.73, 0.58), "straight grain"),
        "ebony": _wood((0.24, 0.18, 0.15), "straight grain"),
        "mahogany": _wood((0.48, 0.2, 0.13), "straight grain"),
        "olive wood": _wood((0.6, 0.54, 0.33), "straight grain"),
        "pine": _wood((0.8, 0.6, 0.33), "planks"),
    },
    "L2": {
        "concrete": Surface("concrete", (0.34, 0.34, 0.34), (0.62, 0.61, 0.59)),
        "cork": Surface("cork", (0.42, 0.27, 0.14), (0.78, 0.58, 0.37), repeat=2.0),
        "granite": Surface("speckle", (0.12, 0.13, 0.15), (0.52, 0.53, 0.55), "ceramic", 4.0),
        "linen": Surface("fabric", (0.38, 0.46, 0.56), (0.66, 0.74, 0.8), "foam", 3.0),
        "marble": Surface("marble", (0.4, 0.42, 0.44), (0.84, 0.83, 0.81), "ceramic"),
        "steel": Surface("brushed", (0.4, 0.42, 0.45), (0.66, 0.68, 0.7), "metal"),
    },
    "L3": {
        "checker": Surface("checker", _BLACK, _WHITE, "plastic", 2.0),
        "dots": Surface("dots", (0.1, 0.2, 0.55), (0.86, 0.82, 0.3), "plastic", 2.0),
        "mosaic": Surface("mosaic", (0.08, 0.12, 0.2), (0.85, 0.6, 0.35), "ceramic", 1.5),
        "plaid": Surface("plaid", (0.45, 0.04, 0.05), (0.9, 0.86, 0.76), "foam", 2.0),
        "stripes": Surface("stripes", (0.64, 0.07, 0.07), _WHITE, "plastic", 2.0),
        "zigzag": Surface("zigzag", (0.05, 0.28, 0.3), (0.88, 0.84, 0.72), "plastic", 1.5),
    },
}
"""Pool to what a table top may be made of: ``"seen"`` in nominal scenes, else the level's."""


class TableTexture(Axis):
    """A table top from a held-out pool."""

    name = "table-texture"
    kind = "visual"
    levels = ("L1", "L2", "L3")

    def factors(self, task: Task) -> frozenset[str]:
        """The table alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A table from the pool of `level`."""
        return {FACTOR: draw_table(level, rng)}


def draw_table(pool: str, rng: np.random.Generator) -> str:
    """The name of a table top of that pool."""
    return str(rng.choice(sorted(TABLES[pool])))


def apply(spec: mujoco.MjSpec, name: str) -> None:
    """Covers the table.

    Raises:
        UnknownNameError: If there is no such table top.
    """
    known = {table: surface for pool in TABLES.values() for table, surface in pool.items()}
    if name not in known:
        raise UnknownNameError("table top", name, known)
    cover(spec, MATERIAL, known[name])
