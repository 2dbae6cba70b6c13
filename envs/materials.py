"""Colours, finishes and what is made of them: the materials of a scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco

from vlabench.envs.textures import Color as Color
from vlabench.envs.textures import add_texture

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


@dataclass(frozen=True, slots=True)
class Surface:
    """A pattern in two colours.

    Attributes:
        pattern: A key of `vlabench.envs.textures.PATTERNS`.
        dark: Its colour where the shade of the pattern is 0.
        light: Its colour where the shade is 1.
        finish: A key of `FINISHES`.
        repeat: How many tiles are laid along each side.
    """

    pattern: str
    dark: Color
    light: Color
    finish: str = "matt"
    repeat: float = 1.0


def add_material(
    spec: mujoco.MjSpec,
    name: str,
    color: Color,
    finish: Finish,
    *,
    texture: str | None = None,
    repeat: float = 1.0,
) -> str:
    """Adds a material to a spec; returns `name`.

    Args:
        spec: Which has no material of that name.
        name: Of the material.
        color: Of the material.
        finish: How it shines.
        texture: A key of `vlabench.envs.textures.PATTERNS` that darkens the colour, laid on all
            six sides.
        repeat: How many tiles of it are laid along each side.
    """
    material = spec.add_material(
        name=name,
        rgba=[*color, 1.0],
        specular=finish.specular,
        shininess=finish.shininess,
        texrepeat=[repeat, repeat],
    )
    if texture is not None:
        material.textures[_RGB] = add_texture(spec, texture, on_cube=True)
    return name


def add_solid(spec: mujoco.MjSpec, name: str, surface: Surface) -> str:
    """Adds a material that shows a surface on all six sides of a thing; returns `name`."""
    _show(spec, spec.add_material(name=name), surface, on_cube=True)
    return name


def cover(spec: mujoco.MjSpec, name: str, surface: Surface) -> None:
    """Gives the material called `name`, of something flat, the looks of a surface."""
    # a copy finds materials by name only after a compilation
    material = next(material for material in spec.materials if material.name == name)
    _show(spec, material, surface, on_cube=False)


def _show(
    spec: mujoco.MjSpec, material: mujoco.MjsMaterial, surface: Surface, *, on_cube: bool
) -> None:
    finish = FINISHES[surface.finish]
    material.rgba = [1.0, 1.0, 1.0, 1.0]
    material.specular, material.shininess = finish.specular, finish.shininess
    material.texrepeat = [surface.repeat, surface.repeat]
    material.textures[_RGB] = add_texture(
        spec, surface.pattern, surface.dark, surface.light, on_cube=on_cube
    )


_RGB = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)


def warm(color: Color, kelvin_shift: float) -> Color:
    """A light's colour moved towards warm (positive) or cold (negative), in [-1, 1]."""
    r, g, b = color
    red = min(1.0, r * (1 + 0.18 * kelvin_shift))
    blue = min(1.0, b * (1 - 0.32 * kelvin_shift))
    return (round(red, 6), round(g * (1 - 0.04 * math.fabs(kelvin_shift)), 6), round(blue, 6))
