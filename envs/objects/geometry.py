"""What a shape is: meshes to look at, convex pieces to touch, grasps, and a little algebra.

Lengths are metres. Every shape stands on z = 0 with its up axis along z. How meshes, pieces and
grasps are made is in `meshes`, `collision` and `grasps`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.types import Grasp

Vector: TypeAlias = tuple[float, float, float]
Quaternion: TypeAlias = tuple[float, float, float, float]

WIDEST_GRASP = 0.073
"""The Panda's fingers open 80 mm; around wider things they miss too often."""

NARROWEST_RIM = 0.0275
"""An open hand fits over a rim of this radius: one finger inside, clear of the other side."""

FINGER_BELOW_GRIP_SITE = 0.013
"""The fingertips reach this far below the point between the pads, plus a margin."""

LOWEST_GRASP = 0.0105
"""For things so low that the fingertips had better brush the table: the hand stays a little above
where it is sent."""

FINGER_DEPTH = 0.024
"""A top may stick up this far above the point between the pads before it meets the palm."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle mesh: `vertices` ``(N, 3) float32``, `faces` ``(M, 3) int32``, outward."""

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Visual:
    """A mesh and what it is made of: ``"main"`` takes the object's colour, others are fixed."""

    mesh: Mesh
    slot: str = "main"


@dataclass(frozen=True, slots=True)
class Piece:
    """One convex collision piece.

    Attributes:
        kind: MuJoCo's kind of geom.
        size: MuJoCo's for that kind: half lengths or radii.
        position: Its middle, in the object's frame.
        quaternion: Its turn, wxyz.
        inside: Whether it lies within another piece, and so weighs nothing of its own.
    """

    kind: Literal["box", "cylinder", "ellipsoid", "capsule", "sphere"]
    size: Vector
    position: Vector
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    inside: bool = False

    @property
    def volume(self) -> float:
        """Cubic metres that have weight."""
        if self.inside:
            return 0.0
        a, b, c = self.size
        match self.kind:
            case "box":
                return 8 * a * b * c
            case "cylinder":
                return 2 * math.pi * a * a * b
            case "capsule":
                return 2 * math.pi * a * a * b + 4 / 3 * math.pi * a**3
            case "sphere":
                return 4 / 3 * math.pi * a**3
            case "ellipsoid":
                return 4 / 3 * math.pi * a * b * c


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything about one object that its parameters decide.

    Attributes:
        visuals: What is seen.
        pieces: What is touched.
        height: From its underside to its top.
        radius: Of the smallest upright cylinder around it.
        grasps: Where a hand from above can hold it while it stands; see `vlabench.types.Grasp`.
        surface_height: Height of the plane that others can stand on (of a hollow thing: its floor).
        surface_radius: Of the circle on that plane that is free to stand on.
        surface_half: Half the length and width of that surface where it is no circle.
        rolling: Whether it touches along lines, and needs rolling friction to stay in a hand.
        lying: For things that can lie and be stood up: the height of their axis when they have
            been tipped over by a quarter turn about y (either way), so that fingers from above
            close along y. 0 for all others.
        mass: Kilograms; a category gives it, from its density.
    """

    visuals: tuple[Visual, ...]
    pieces: tuple[Piece, ...]
    height: float
    radius: float
    grasps: tuple[Grasp, ...] = ()
    surface_height: float = 0.0
    surface_radius: float = 0.0
    surface_half: tuple[float, float] | None = None
    rolling: bool = False
    lying: float = 0.0
    mass: float = 0.0

    @property
    def volume(self) -> float:
        """Cubic metres of its pieces."""
        return sum(piece.volume for piece in self.pieces)


def scaled(shape: Shape, scale: float) -> Shape:
    """The shape with all lengths times `scale`, and those of its grasps that are still good."""
    if scale == 1.0:
        return shape
    half = shape.surface_half
    return replace(
        shape,
        visuals=tuple(Visual(_scaled_mesh(v.mesh, scale), v.slot) for v in shape.visuals),
        pieces=tuple(
            replace(p, size=_times(p.size, scale), position=_times(p.position, scale))
            for p in shape.pieces
        ),
        height=shape.height * scale,
        radius=shape.radius * scale,
        grasps=tuple(
            _scaled_grasp(grasp, shape.height, scale)
            for grasp in shape.grasps
            if _still_good(grasp, scale)
        ),
        surface_height=shape.surface_height * scale,
        surface_radius=shape.surface_radius * scale,
        surface_half=None if half is None else (half[0] * scale, half[1] * scale),
        lying=shape.lying * scale,
    )


def _scaled_mesh(mesh: Mesh, scale: float) -> Mesh:
    vertices = np.round(mesh.vertices.astype(np.float64) * scale, 6)
    return Mesh(vertices.astype(np.float32), mesh.faces)


def _still_good(grasp: Grasp, scale: float) -> bool:
    """Fingers do not grow: whether they still open, reach and fit."""
    x, y, z = (float(part) * scale for part in grasp.position)
    too_wide = grasp.width * scale > WIDEST_GRASP
    too_low = z < LOWEST_GRASP - 0.0004
    on_a_rim = grasp.width < 0.01 and max(abs(x), abs(y)) > 0
    too_narrow = on_a_rim and math.hypot(x, y) < NARROWEST_RIM
    return not (too_wide or too_low or too_narrow)


def _scaled_grasp(grasp: Grasp, height: float, scale: float) -> Grasp:
    """The fingers stay off the table, and the palm off the top."""
    x, y, z = (float(part) for part in grasp.position)
    level = max(LOWEST_GRASP, z * scale)
    if height - z <= FINGER_DEPTH + 1e-9:
        level = max(level, height * scale - FINGER_DEPTH)
    return Grasp(np.array([x * scale, y * scale, level]), grasp.rotation, grasp.width * scale)


def _times(vector: Vector, scale: float) -> Vector:
    x, y, z = vector
    return (x * scale, y * scale, z * scale)


# --- small algebra ----------------------------------------------------------------------------


def about_x(angle: float) -> Quaternion:
    """The quaternion wxyz of a turn about x."""
    return (math.cos(angle / 2), math.sin(angle / 2), 0.0, 0.0)


def about_y(angle: float) -> Quaternion:
    """The quaternion wxyz of a turn about y."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


def about_z(angle: float) -> Quaternion:
    """The quaternion wxyz of a turn about z."""
    return (math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2))


def multiply(p: Quaternion, q: Quaternion) -> Quaternion:
    """The turn `q` followed by the turn `p`."""
    a, b, c, d = p
    e, f, g, h = q
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def steady(values: Sequence[float]) -> list[float]:
    """Values rounded to 1e-9, so that no machine's last bit of a sine gets into the physics."""
    return [round(value, 9) for value in values]
