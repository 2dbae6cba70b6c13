"""Object appearance: what a goal speaks of has a colour and a material that training never shows.

A visual axis. The sentence must stay true, so a colour keeps its name: another red is still red.

======== ====================================================================
level    what changes on every object that a goal speaks of
======== ====================================================================
color    its shade: one of two held-out ones of the same colour name
material what it is made of: one of eight held-out materials, in tones of its colour
both     both
======== ====================================================================

Nominal objects have one even colour and the finish of their category.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from vlabench.envs import materials
from vlabench.envs.axes.base import Axis
from vlabench.envs.materials import FINISHES, Color, Surface
from vlabench.envs.objects.catalog import category
from vlabench.envs.tasks.base import Task
from vlabench.types import Json

SHADES: Mapping[str, Mapping[str, Color]] = {
    "red": {"crimson": (0.54, 0.03, 0.11), "scarlet": (0.87, 0.18, 0.09)},
    "blue": {"navy": (0.05, 0.1, 0.4), "cornflower": (0.25, 0.44, 0.84)},
    "green": {"bottle": (0.05, 0.28, 0.13), "grass": (0.3, 0.64, 0.18)},
    "yellow": {"lemon": (0.88, 0.82, 0.3), "mustard": (0.72, 0.57, 0.06)},
    "orange": {"apricot": (0.88, 0.52, 0.24), "burnt": (0.76, 0.33, 0.03)},
    "purple": {"violet": (0.31, 0.12, 0.6), "mauve": (0.56, 0.36, 0.66)},
    "white": {"ivory": (0.86, 0.81, 0.68), "ice": (0.76, 0.82, 0.88)},
    "black": {"charcoal": (0.16, 0.16, 0.18), "ink": (0.04, 0.05, 0.12)},
    "pink": {"blossom": (0.87, 0.62, 0.68), "fuchsia": (0.82, 0.27, 0.52)},
    "brown": {"chocolate": (0.28, 0.14, 0.08), "caramel": (0.55, 0.36, 0.18)},
    "teal": {"turquoise": (0.16, 0.62, 0.6), "petrol": (0.03, 0.33, 0.37)},
}
"""Name of a colour to held-out shades that anybody would call by that name."""

MATERIALS: Mapping[str, tuple[str, str]] = {
    "brushed metal": ("brushed", "metal"),
    "checked plastic": ("checker", "plastic"),
    "cloth": ("fabric", "foam"),
    "dotted plastic": ("dots", "plastic"),
    "marble": ("marble", "ceramic"),
    "speckled stone": ("speckle", "ceramic"),
    "striped plastic": ("stripes", "plastic"),
    "wood": ("straight grain", "wood"),
}
"""Held-out materials: a pattern and a finish each."""

_DARKEST, _LIGHTEST = 0.25, 0.35
"""A pattern goes from this share of a colour to the colour with this much white."""

_LEVELS = ("color", "material", "both")


class ObjectAppearance(Axis):
    """Held-out shades and materials for the objects that a goal speaks of."""

    name = "object-appearance"
    kind = "visual"
    levels = _LEVELS

    def applies(self, task: Task) -> bool:
        """Only where a goal speaks of an object."""
        return bool(task.goal_roles)

    def factors(self, task: Task) -> frozenset[str]:
        """Shades and materials of those objects."""
        return frozenset(
            f"{role.name}.{what}" for role in task.goal_roles for what in ("shade", "material")
        )

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A shade and a material for each object, as far as `level` asks for them."""
        drawn: dict[str, Json] = {}
        for role in task.goal_roles:
            shade, made_of = int(rng.integers(2)), str(rng.choice(sorted(MATERIALS)))
            if level != "material":
                drawn[f"{role.name}.shade"] = shade
            if level != "color":
                drawn[f"{role.name}.material"] = made_of
        return drawn


def add_material(spec: mujoco.MjSpec, name: str, role: str, factors: Mapping[str, Json]) -> str:
    """Adds the material of what plays `role`; returns `name`.

    The factor ``ROLE.shade`` counts the held-out shades of its colour, and ``ROLE.material`` names
    a held-out material; an object that has neither is nominal.
    """
    color, made_of = _color(role, factors), factors.get(f"{role}.material")
    if made_of is None:
        finish = FINISHES[category(factors[f"{role}.category"]).material]
        return materials.add_material(spec, name, color, finish)
    pattern, finish_name = MATERIALS[made_of]
    dark, light = (_mixed(color, 0.0, 1 - _DARKEST), _mixed(color, 1.0, _LIGHTEST))
    return materials.add_solid(spec, name, Surface(pattern, dark, light, finish_name))


def _color(role: str, factors: Mapping[str, Json]) -> Color:
    name, shade = factors[f"{role}.color"], factors.get(f"{role}.shade")
    if shade is None:
        return category(factors[f"{role}.category"]).rgb(name)
    return list(SHADES[name].values())[shade]


def _mixed(color: Color, grey: float, share: float) -> Color:
    """A colour with so much of a grey in it."""
    red, green, blue = (round(part + (grey - part) * share, 6) for part in color)
    return red, green, blue
