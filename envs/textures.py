"""Generated textures: pictures of surfaces, as numbers.

A pattern is a shade between 0 and 1 at every point of a tile that joins on to itself. On a
surface it mixes two colours; on an object it only darkens, so that its colour keeps its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.seeding import stream

Color: TypeAlias = tuple[float, float, float]
Shade: TypeAlias = npt.NDArray[np.float64]

SIZE = 256
"""Pixels along each side of a tile."""

CUBE_SIZE = 128
"""The same where a tile is laid on each of the six sides of a thing."""


def add_texture(
    spec: mujoco.MjSpec,
    pattern: str,
    dark: Color = (0.0, 0.0, 0.0),
    light: Color = (1.0, 1.0, 1.0),
    *,
    on_cube: bool = False,
) -> str:
    """Adds a tile of `pattern` from `dark` to `light`, if the spec lacks it; returns its name.

    A material's colour multiplies the texture's. Textures on a cube suit solids, others what is
    flat.
    """
    kind = "cube" if on_cube else "flat"
    name = " ".join([pattern, kind, *(f"{part:.3g}" for part in (*dark, *light))])
    if any(texture.name == name for texture in spec.textures):
        return name
    size = CUBE_SIZE if on_cube else SIZE
    added = spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_CUBE if on_cube else mujoco.mjtTexture.mjTEXTURE_2D,
        width=size,
        height=size * (6 if on_cube else 1),
        nchannel=3,
    )
    added.data = _pixels(pattern, dark, light, on_cube)
    return name


@cache
def tile(pattern: str) -> Shade:
    """The shade of a pattern, ``(SIZE, SIZE)`` in [0, 1]; rows run along y, columns along x."""
    shade = np.clip(PATTERNS[pattern](), 0.0, 1.0)
    shade.setflags(write=False)
    return shade


@cache
def _pixels(pattern: str, dark: Color, light: Color, on_cube: bool) -> bytes:
    """The bytes of a texture, six times over for the faces of a cube."""
    shade = tile(pattern)
    if on_cube:
        step = SIZE // CUBE_SIZE
        shade = shade.reshape(CUBE_SIZE, step, CUBE_SIZE, step).mean(axis=(1, 3))
    low, high = np.array(dark), np.array(light)
    picture = low + (high - low) * shade[:, :, None]
    pixels: bytes = np.round(picture * 255).astype(np.uint8).tobytes()
    return pixels * (6 if on_cube else 1)


# --- what patterns are made of ----------------------------------------------------------------


def _noise(key: str, across: int, along: int) -> Shade:
    """Smooth noise in [0, 1] that joins on to itself, with that many bumps each way."""
    grid = stream("texture", key, across, along).random((along, across))

    def spread(count: int) -> tuple[npt.NDArray[np.int64], Shade]:
        at = np.arange(SIZE) * count / SIZE
        low = np.floor(at).astype(np.int64)
        t = at - low
        return low, t * t * (3 - 2 * t)

    rows, v = spread(along)
    columns, u = spread(across)
    up, left = (rows + 1) % along, (columns + 1) % across
    top = grid[np.ix_(rows, columns)] * (1 - u) + grid[np.ix_(rows, left)] * u
    bottom = grid[np.ix_(up, columns)] * (1 - u) + grid[np.ix_(up, left)] * u
    mixed: Shade = top * (1 - v[:, None]) + bottom * v[:, None]
    return mixed


def _clouds(key: str, coarsest: int) -> Shade:
    """Noise of four sizes, each half as strong as the one before; in [0, 1]."""
    layers = [_noise(key, coarsest << k, coarsest << k) / (2 << k) for k in range(4)]
    return np.asarray(sum(layers)) * (16 / 15)


def _grid() -> tuple[Shade, Shade]:
    """How far along y and along x each point is, in [0, 1)."""
    at = (np.arange(SIZE) + 0.5) / SIZE
    return at[:, None] + np.zeros(SIZE), at[None, :] + np.zeros((SIZE, 1))


def _wave(phase: Shade) -> Shade:
    """A triangle between 0 and 1 that rises and falls once a unit."""
    return np.asarray(np.abs((phase % 1.0) - 0.5) * 2)


def _step(value: Shade, edge: float, softness: float) -> Shade:
    """0 below the edge and 1 above it, with a ramp of that width."""
    return np.clip((value - edge) / softness + 0.5, 0.0, 1.0)


def _bricks(rows: int, columns: int, joint: float, *, shifted: bool) -> tuple[Shade, Shade]:
    """A tone in [0, 1] for each brick, and 0 in the joints (which are that share of a row)."""
    y, x = _grid()
    row = np.floor(y * rows).astype(np.int64)
    along = x * columns + (row % 2) * (0.5 if shifted else 0.0)
    column = np.floor(along).astype(np.int64) % columns
    tone = stream("texture", "bricks", rows, columns).random((rows, columns))[row, column]
    inside_row = 0.5 - np.abs(y * rows - row - 0.5)
    inside_column = (0.5 - np.abs(along - np.floor(along) - 0.5)) * rows / columns
    edge = np.minimum(inside_row, inside_column)
    return tone, _step(edge, joint / 2, 1.5 * rows / SIZE)


# --- patterns ---------------------------------------------------------------------------------


def _grain() -> Shade:
    """Wood: long fibres along x, and rings that wander."""
    fibre = _noise("fibre", 5, 128) * 0.6 + _noise("fibre", 3, 64) * 0.4
    y, _ = _grid()
    rings = _wave(y * 7 + _noise("wander", 2, 5) * 2.2)
    return 0.74 + 0.14 * rings + 0.16 * (fibre - 0.5)


def _straight_grain() -> Shade:
    """Wood of another cut: straight fine lines, and hardly any rings."""
    y, _ = _grid()
    lines = _wave(y * 32 + _noise("bend", 2, 3) * 1.5)
    return 0.76 + 0.12 * lines + 0.3 * (_noise("straight", 4, 128) - 0.5)


def _planks() -> Shade:
    """Boards laid with shifted ends."""
    tone, joints = _bricks(4, 2, 0.03, shifted=True)
    fibre = 0.1 * (_noise("plank", 6, 64) - 0.5) + 0.06 * (_noise("plank", 3, 8) - 0.5)
    return np.asarray((0.84 + fibre - 0.12 * tone) * (0.65 + 0.35 * joints))


def _plaster() -> Shade:
    """A wall, slightly uneven."""
    return 0.94 + 0.05 * (_noise("plaster", 48, 48) - 0.5) + 0.05 * (_noise("plaster", 6, 6) - 0.5)


def _concrete() -> Shade:
    """Stains and pores."""
    pores = _step(_noise("pores", 64, 64), 0.93, 0.06)
    return 0.3 + 0.6 * _clouds("concrete", 4) - 0.25 * pores


def _tiles() -> Shade:
    """Square tiles with joints, each of its own tone."""
    tone, joints = _bricks(4, 4, 0.05, shifted=False)
    return np.asarray(joints * (0.75 + 0.25 * tone) * (0.95 + 0.05 * _clouds("tiles", 8)))


def _brick() -> Shade:
    """Bricks in mortar: the mortar is light."""
    tone, joints = _bricks(8, 4, 0.12, shifted=True)
    face = 0.15 + 0.35 * tone + 0.15 * (_noise("brick", 64, 64) - 0.5)
    return joints * face + (1 - joints) * 0.95


def _panels() -> Shade:
    """Upright boards with grooves between them, rows running up."""
    _, x = _grid()
    groove = _step(0.5 - np.abs(x * 6 % 1.0 - 0.5), 0.03, 0.03)
    return (0.75 + 0.25 * _noise("panels", 64, 4)) * (0.4 + 0.6 * groove)


def _marble() -> Shade:
    """Thin dark veins through a light stone."""
    y, x = _grid()
    bent = 2.4 * (_clouds("marble", 2) - 0.5)
    broad = _wave(x + y + bent)
    fine = _wave(2 * x - y + 1.7 * bent)
    veins = np.minimum(_step(broad, 0.06, 0.24), 0.35 + 0.65 * _step(fine, 0.03, 0.12))
    return (0.25 + 0.75 * veins) * (0.86 + 0.14 * _clouds("stone", 4))


def _fabric() -> Shade:
    """A weave: threads that go over and under one another."""
    y, x = _grid()
    over = (np.floor(x * 32) + np.floor(y * 32)) % 2
    threads = np.where(over > 0, _wave(x * 32 + 0.5), _wave(y * 32 + 0.5))
    raised = 0.5 * (1 - threads) * (0.7 + 0.3 * over)
    return np.asarray(0.35 + raised + 0.3 * (_noise("fabric", 48, 48) - 0.5))


def _brushed() -> Shade:
    """Metal with fine scratches along x."""
    return 0.55 + 0.5 * (_noise("brushed", 3, 256) - 0.5) + 0.2 * (_noise("brushed", 4, 64) - 0.5)


def _speckle() -> Shade:
    """Terrazzo: chips of many tones in a light ground."""
    chips = _step(_noise("chips", 40, 40), 0.62, 0.06)
    tone = np.floor(_noise("tones", 16, 16) * 4) / 3
    return np.asarray((1 - chips) * 0.8 + chips * tone)


def _cork() -> Shade:
    """Grains pressed together."""
    return 0.2 + 0.45 * _noise("cork", 40, 40) + 0.35 * _noise("cork", 90, 90)


def _wicker() -> Shade:
    """Withies along x that go over and under upright stakes; it fills a wall of 4 to 1."""
    y, x = _grid()
    up = y * 7 % 1.0
    swing = (x * 24 + np.floor(y * 7)) % 2.0  # 0 to 2: once over and once under
    over = np.where(swing < 1.0, 4 * swing * (1 - swing), -4 * (swing - 1) * (2 - swing))
    bulge = 4 * up * (1 - up)
    return 0.3 + 0.5 * bulge * (0.72 + 0.28 * over) + 0.2 * over * bulge


def _checker() -> Shade:
    """Four by four squares."""
    y, x = _grid()
    return np.asarray((np.floor(x * 4) + np.floor(y * 4)) % 2)


def _stripes() -> Shade:
    """Four stripes along x."""
    y, _ = _grid()
    return _step(_wave(y * 4), 0.5, 0.03)


def _zigzag() -> Shade:
    """Stripes that go up and down."""
    y, x = _grid()
    return _step(_wave(y * 4 + _wave(x * 4)), 0.5, 0.04)


def _dots() -> Shade:
    """Round dots in rows that are shifted by half."""
    y, x = _grid()
    away = [
        np.hypot(x * 4 % 1.0 - 0.5, y * 4 % 1.0 - 0.5),
        np.hypot((x * 4 + 0.5) % 1.0 - 0.5, (y * 4 + 0.5) % 1.0 - 0.5),
    ]
    return 1 - _step(np.minimum(*away), 0.24, 0.03)


def _plaid() -> Shade:
    """Bands that cross."""
    y, x = _grid()
    bands = [_step(_wave(at * 3), 0.55, 0.03) + _step(_wave(at * 3), 0.93, 0.03) for at in (x, y)]
    return np.asarray((bands[0] + bands[1]) / 4)


def _mosaic() -> Shade:
    """Small tiles of very different tones."""
    tone, joints = _bricks(8, 8, 0.1, shifted=False)
    return np.asarray(joints * np.round(tone * 2) / 2)


PATTERNS: Mapping[str, Callable[[], Shade]] = {
    "grain": _grain,
    "straight grain": _straight_grain,
    "planks": _planks,
    "plaster": _plaster,
    "concrete": _concrete,
    "tiles": _tiles,
    "brick": _brick,
    "panels": _panels,
    "marble": _marble,
    "fabric": _fabric,
    "brushed": _brushed,
    "speckle": _speckle,
    "cork": _cork,
    "wicker": _wicker,
    "checker": _checker,
    "stripes": _stripes,
    "zigzag": _zigzag,
    "dots": _dots,
    "plaid": _plaid,
    "mosaic": _mosaic,
}
"""Every pattern by name."""
