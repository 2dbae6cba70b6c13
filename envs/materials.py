"""Colours, finishes and generated textures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.seeding import stream

Color: TypeAlias = tuple[float, float, float]

TEXTURE_SIZE = 256

PALETTE: Mapping[str, Color] = {
    "red": (0.74, 0.11, 0.10),
    "blue": (0.10, 0.26, 0.66),
    "green": (0.13, 0.48, 0.20),
    "yellow": (0.87, 0.70, 0.11),
    "orange": (0.86, 0.42, 0.08),
    "purple": (0.42, 0.19, 0.56),
    "white": (0.86, 0.85, 0.81),
    "black": (0.09, 0.09, 0.10),
    "pink": (0.85, 0.46, 0.58),
    "brown": (0.42, 0.24, 0.13),
    "teal": (0.07, 0.48, 0.50),
}
"""Colours with plain names; none is so bright that a light can wash it out."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How light leaves a material; MuJoCo's specular and shininess, both in [0, 1]."""

    specular: float
    shininess: float


FINISHES: Mapping[str, Finish] = {
    "ceramic": Finish(0.6, 0.7),
    "glass": Finish(0.7, 0.8),
    "metal": Finish(0.8, 0.6),
    "plastic": Finish(0.4, 0.5),
    "wood": Finish(0.15, 0.2),
    "cardboard": Finish(0.05, 0.1),
    "foam": Finish(0.0, 0.0),
    "organic": Finish(0.25, 0.3),
    "rubber": Finish(0.1, 0.1),
    "matt": Finish(0.02, 0.05),
}

TABLE_TOPS: Mapping[str, Color] = {
    "oak": (0.64, 0.45, 0.27),
    "walnut": (0.43, 0.27, 0.17),
    "maple": (0.74, 0.58, 0.4),
    "teak": (0.56, 0.34, 0.18),
}
"""Wood of the nominal table tops."""


def add_material(
    spec: mujoco.MjSpec,
    name: str,
    color: Color,
    finish: Finish,
    *,
    texture: str | None = None,
    repeat: float = 1.0,
) -> str:
    """Adds a material to a spec, with a generated texture if one is named; returns `name`."""
    material = spec.add_material(
        name=name,
        rgba=[*color, 1.0],
        specular=finish.specular,
        shininess=finish.shininess,
        texrepeat=[repeat, repeat],
    )
    if texture is not None:
        _add_texture(spec, texture)
        role = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)
        material.textures[role] = texture
    return name


def _add_texture(spec: mujoco.MjSpec, name: str) -> None:
    if any(texture.name == name for texture in spec.textures):
        return
    cube = name in _ON_CUBES
    added = spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_CUBE if cube else mujoco.mjtTexture.mjTEXTURE_2D,
        width=TEXTURE_SIZE,
        height=TEXTURE_SIZE * (6 if cube else 1),
        nchannel=3,
    )
    added.data = _pixels(name)


@cache
def _pixels(name: str) -> bytes:
    """The bytes of a texture, six times over for the faces of a cube."""
    return _IMAGES[name]().tobytes() * (6 if name in _ON_CUBES else 1)


def _noise(key: str, across: int, along: int) -> npt.NDArray[np.float64]:
    """Smooth tiling noise in [0, 1] with that many bumps each way."""
    rng = stream("texture", key, across, along)
    grid = rng.random((along, across))
    size = TEXTURE_SIZE

    def spread(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        at = np.arange(size) * count / size
        low = np.floor(at).astype(np.int64)
        t = at - low
        return low, t * t * (3 - 2 * t)

    rows, v = spread(along)
    columns, u = spread(across)
    up, left = (rows + 1) % along, (columns + 1) % across
    top = grid[np.ix_(rows, columns)] * (1 - u) + grid[np.ix_(rows, left)] * u
    bottom = grid[np.ix_(up, columns)] * (1 - u) + grid[np.ix_(up, left)] * u
    mixed: npt.NDArray[np.float64] = top * (1 - v[:, None]) + bottom * v[:, None]
    return mixed


def _image(shade: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """A grey image from a brightness in [0, 1]; a material's colour multiplies it."""
    grey = np.round(np.clip(shade, 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _grain() -> npt.NDArray[np.uint8]:
    """Wood: long fibres along x, and rings that wander."""
    fibre = _noise("fibre", 5, 128) * 0.6 + _noise("fibre", 3, 64) * 0.4
    wander = _noise("wander", 2, 5)
    rows = np.arange(TEXTURE_SIZE)[:, None] / TEXTURE_SIZE
    phase = (rows * 7 + wander * 2.2) % 1.0
    rings = np.abs(phase - 0.5) * 2
    return _image(0.74 + 0.14 * rings + 0.16 * (fibre - 0.5))


def _tiles() -> npt.NDArray[np.uint8]:
    """A floor of planks laid in a brick pattern."""
    size, planks = TEXTURE_SIZE, 4
    shade = 0.82 + 0.1 * (_noise("plank", 6, 64) - 0.5) + 0.06 * (_noise("plank", 3, 8) - 0.5)
    tone = stream("texture", "tone").random((planks, 2)) * 0.1
    high = size // planks
    for row in range(planks):
        for column in range(2):
            shift = (row % 2) * size // 4
            span = (np.arange(size // 2) + column * size // 2 + shift) % size
            shade[row * high : (row + 1) * high, span] -= tone[row, column]
            shade[row * high : (row + 1) * high, span[0]] = 0.5
        shade[row * high, :] = 0.5
    return _image(shade)


def _plaster() -> npt.NDArray[np.uint8]:
    """A wall, slightly uneven."""
    return _image(
        0.94 + 0.05 * (_noise("plaster", 48, 48) - 0.5) + 0.05 * (_noise("plaster", 6, 6) - 0.5)
    )


def _wicker() -> npt.NDArray[np.uint8]:
    """Withies along x that go over and under upright stakes; it fills a wall of 4 to 1."""
    size, stakes, rows = TEXTURE_SIZE, 24, 7
    across = np.arange(size)[None, :] * stakes / size
    along = np.arange(size)[:, None] * rows / size
    row, up = np.floor(along), along % 1.0
    swing = (across + row) % 2.0  # 0 to 2: once over and once under
    over = np.where(swing < 1.0, 4 * swing * (1 - swing), -4 * (swing - 1) * (2 - swing))
    bulge = 4 * up * (1 - up)
    return _image(0.3 + 0.5 * bulge * (0.72 + 0.28 * over) + 0.2 * over * bulge)


_IMAGES = {"wicker": _wicker, "grain": _grain, "tiles": _tiles, "plaster": _plaster}
_ON_CUBES = {"grain", "wicker"}


def warm(color: Color, kelvin_shift: float) -> Color:
    """A light's colour moved towards warm (positive) or cold (negative), in [-1, 1]."""
    r, g, b = color
    red = min(1.0, r * (1 + 0.18 * kelvin_shift))
    blue = min(1.0, b * (1 - 0.32 * kelvin_shift))
    return (round(red, 6), round(g * (1 - 0.04 * math.fabs(kelvin_shift)), 6), round(blue, 6))
