"""Background: other walls and another floor.

A visual axis. Each level has pools of its own:

======== ============== ==============================================================
level    pool           surfaces
======== ============== ==============================================================
nominal  seen           walls: blue, cream, grey, sage plaster;
                        floors: grey boards, oak boards, dark boards, grey tiles
L1       similar        walls: lilac, mint, rose, sand plaster;
                        floors: red boards, bleached boards, beige tiles, green tiles
L2       unlike         walls: brick, concrete, marble, wood panels;
                        floors: carpet, cork, marble, terrazzo
L3       high-contrast  walls: checker, dots, stripes, zigzag;
                        floors: checker, mosaic, stripes, zigzag
======== ============== ==============================================================
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

FACTOR = "room"

WALL, FLOOR = "wall", "floor"
"""Names of their materials in the model."""


def _plaster(color: Color) -> Surface:
    return Surface("plaster", (0.0, 0.0, 0.0), color, repeat=2.0)


def _boards(color: Color) -> Surface:
    return Surface("planks", (0.0, 0.0, 0.0), color, repeat=3.0)


def _floor_tiles(color: Color) -> Surface:
    joint = (color[0] * 0.7, color[1] * 0.7, color[2] * 0.7)
    return Surface("tiles", joint, color, "plastic", repeat=3.0)


_BLACK, _WHITE = (0.08, 0.08, 0.09), (0.78, 0.77, 0.74)

WALLS: Mapping[str, Mapping[str, Surface]] = {
    "seen": {
        "blue plaster": _plaster((0.54, 0.6, 0.67)),
        "cream plaster": _plaster((0.72, 0.67, 0.56)),
        "grey plaster": _plaster((0.66, 0.65, 0.62)),
        "sage plaster": _plaster((0.58, 0.64, 0.55)),
    },
    "L1": {
        "lilac plaster": _plaster((0.62, 0.56, 0.68)),
        "mint plaster": _plaster((0.5, 0.68, 0.62)),
        "rose plaster": _plaster((0.7, 0.53, 0.52)),
        "sand plaster": _plaster((0.68, 0.56, 0.4)),
    },
    "L2": {
        "brick": Surface("brick", (0.36, 0.13, 0.09), (0.74, 0.64, 0.58), repeat=3.0),
        "concrete": Surface("concrete", (0.26, 0.27, 0.28), (0.6, 0.6, 0.6), repeat=1.0),
        "marble": Surface("marble", (0.2, 0.3, 0.27), (0.64, 0.7, 0.66), "ceramic", 1.0),
        "wood panels": Surface("panels", (0.1, 0.05, 0.02), (0.55, 0.36, 0.2), "wood", 3.0),
    },
    "L3": {
        "checker": Surface("checker", _BLACK, _WHITE, repeat=2.0),
        "dots": Surface("dots", (0.5, 0.06, 0.3), (0.84, 0.78, 0.4), repeat=2.0),
        "stripes": Surface("stripes", (0.6, 0.08, 0.08), _WHITE, repeat=2.0),
        "zigzag": Surface("zigzag", (0.05, 0.14, 0.42), (0.8, 0.72, 0.3), repeat=2.0),
    },
}
"""Pool to walls; a nominal room has ``"seen"`` ones, a level those of its own pool."""

FLOORS: Mapping[str, Mapping[str, Surface]] = {
    "seen": {
        "dark boards": _boards((0.33, 0.25, 0.2)),
        "grey boards": _boards((0.52, 0.47, 0.43)),
        "grey tiles": _floor_tiles((0.52, 0.53, 0.54)),
        "oak boards": _boards((0.58, 0.43, 0.28)),
    },
    "L1": {
        "beige tiles": _floor_tiles((0.66, 0.58, 0.46)),
        "bleached boards": _boards((0.7, 0.66, 0.58)),
        "green tiles": _floor_tiles((0.36, 0.47, 0.4)),
        "red boards": _boards((0.48, 0.23, 0.15)),
    },
    "L2": {
        "carpet": Surface("fabric", (0.2, 0.1, 0.28), (0.44, 0.3, 0.52), "foam", 6.0),
        "cork": Surface("cork", (0.38, 0.24, 0.12), (0.7, 0.52, 0.32), repeat=3.0),
        "marble": Surface("marble", (0.3, 0.32, 0.34), (0.8, 0.79, 0.77), "ceramic", 3.0),
        "terrazzo": Surface("speckle", (0.25, 0.2, 0.2), (0.75, 0.7, 0.64), "plastic", 8.0),
    },
    "L3": {
        "checker": Surface("checker", _BLACK, _WHITE, repeat=3.0),
        "mosaic": Surface("mosaic", (0.04, 0.2, 0.3), (0.86, 0.74, 0.3), repeat=3.0),
        "stripes": Surface("stripes", (0.06, 0.32, 0.16), _WHITE, repeat=3.0),
        "zigzag": Surface("zigzag", (0.5, 0.1, 0.08), (0.82, 0.76, 0.6), repeat=3.0),
    },
}
"""Pool to floors, in the same way."""


class Background(Axis):
    """Walls and floor from held-out pools."""

    name = "background"
    kind = "visual"
    levels = ("L1", "L2", "L3")

    def factors(self, task: Task) -> frozenset[str]:
        """The room alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A room from the pools of `level`."""
        return {FACTOR: draw_room(level, rng)}


def draw_room(pool: str, rng: np.random.Generator) -> dict[str, str]:
    """Names of a wall and of a floor of that pool."""
    return {
        "wall": str(rng.choice(sorted(WALLS[pool]))),
        "floor": str(rng.choice(sorted(FLOORS[pool]))),
    }


def apply(spec: mujoco.MjSpec, room: Mapping[str, str]) -> None:
    """Covers walls and floor.

    Raises:
        UnknownNameError: If there is no such wall or floor.
    """
    for material, kind, pools in ((WALL, "wall", WALLS), (FLOOR, "floor", FLOORS)):
        known = {name: surface for pool in pools.values() for name, surface in pool.items()}
        if room[kind] not in known:
            raise UnknownNameError(kind, room[kind], known)
        cover(spec, material, known[room[kind]])
