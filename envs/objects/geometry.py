"""Meshes, collision pieces and grasps from a few numbers.

Lengths are metres. Every shape stands on z = 0 with its up axis along z. Vertices are rounded to
1e-6 before they become float32, so that the last bit of a sine on some machine cannot change a
model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.types import Grasp

Vector: TypeAlias = tuple[float, float, float]
Quaternion: TypeAlias = tuple[float, float, float, float]

SEGMENTS = 40
"""Facets around a revolved shape: smooth at 512 pixels, and cheap."""

FINGER_BELOW_GRIP_SITE = 0.013
"""The fingertips reach this far below the point between the pads, plus a margin."""

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
    """One convex collision piece; `size` is MuJoCo's for its kind, `quaternion` is wxyz."""

    kind: Literal["box", "cylinder", "ellipsoid", "capsule", "sphere"]
    size: Vector
    position: Vector
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)

    @property
    def volume(self) -> float:
        """Cubic metres."""
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
    """Everything about one object that its parameters decide; see `ObjectState` for the terms.

    `surface_half` gives half the length and width of a surface that is a rectangle, not a circle;
    `rolling` marks shapes that touch along lines and need rolling friction to stay in the hand;
    `lying` is the height of the axis above the table when the thing lies on its side.
    """

    visuals: tuple[Visual, ...]
    pieces: tuple[Piece, ...]
    mass: float
    height: float
    radius: float
    grasps: tuple[Grasp, ...] = ()
    surface_height: float = 0.0
    surface_radius: float = 0.0
    surface_half: tuple[float, float] | None = None
    rolling: bool = False
    lying: float = 0.0


# --- meshes -----------------------------------------------------------------------------------


def mesh(vertices: npt.ArrayLike, faces: npt.ArrayLike) -> Mesh:
    """A mesh of ``(N, 3)`` vertices, which are rounded, and ``(M, 3)`` faces."""
    rounded = np.round(np.array(vertices, dtype=np.float64), 6).astype(np.float32)
    return Mesh(rounded, np.array(faces, dtype=np.int32))


def revolve(profile: Sequence[tuple[float, float]], segments: int = SEGMENTS) -> Mesh:
    """Turns a profile of (radius, z), bottom axis point to top axis point, about the z axis.

    The first and last points must lie on the axis; walk up the outside, then down the inside.
    """
    rings = np.array(profile[1:-1])
    circle = _circle(segments)
    around = np.empty((len(rings), segments, 3))
    around[:, :, :2] = rings[:, None, :1] * circle[None]
    around[:, :, 2] = rings[:, None, 1]
    ends = np.array([[0.0, 0.0, profile[0][1]], [0.0, 0.0, profile[-1][1]]])
    vertices = np.concatenate([ends[:1], around.reshape(-1, 3), ends[1:]])
    return mesh(vertices, _rings_to_faces(len(rings), segments))


def blob(place: Callable[[Vector], Vector], rows: int = 20, columns: int = 32) -> Mesh:
    """A sphere of unit directions, each moved by `place`: ellipsoids, rounded boxes, bananas."""
    circle = _circle(columns)
    vertices: list[Vector] = [place((0.0, 0.0, -1.0))]
    for i in range(1, rows):
        polar = math.pi * i / rows
        high, wide = -math.cos(polar), math.sin(polar)
        vertices += [place((wide * float(c), wide * float(s), high)) for c, s in circle]
    vertices.append(place((0.0, 0.0, 1.0)))
    return mesh(vertices, _rings_to_faces(rows - 1, columns))


def rounded_box(size: Vector, edge: float, centre: Vector) -> Mesh:
    """A box of full `size` with its edges rounded to radius `edge`."""
    half = [s / 2 - edge for s in size]

    def place(direction: Vector) -> Vector:
        x, y, z = (
            c + math.copysign(h, d) + edge * d
            for c, h, d in zip(centre, half, direction, strict=True)
        )
        return (x, y, z)

    return blob(place, rows=17, columns=28)


def tube(path: Sequence[Vector], radius: float, segments: int = 12) -> Mesh:
    """A round bar along `path`, closed at both ends; a sideways normal is carried along."""
    points = np.array(path)
    tangents = np.gradient(points, axis=0)
    tangents /= np.sqrt((tangents**2).sum(axis=1, keepdims=True))
    vertices: list[Vector] = []
    helper = np.array([0.0, 0.0, 1.0]) if abs(tangents[0][2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    for point, tangent in zip(points, tangents, strict=True):
        side = _unit(helper - tangent * float((helper * tangent).sum()))
        up = _cross(tangent, side)
        helper = side
        for k in range(segments):
            angle = 2 * math.pi * k / segments
            x, y, z = point + radius * (math.cos(angle) * side + math.sin(angle) * up)
            vertices.append((float(x), float(y), float(z)))
    first, last = len(vertices), len(vertices) + 1
    vertices += [_vector(points[0]), _vector(points[-1])]
    faces: list[tuple[int, int, int]] = []
    for k in range(segments):
        following = (k + 1) % segments
        faces.append((first, following, k))
        for ring in range(len(points) - 1):
            a, b = ring * segments + k, ring * segments + following
            faces += [(a, b, b + segments), (a, b + segments, a + segments)]
        top = (len(points) - 1) * segments
        faces.append((last, top + k, top + following))
    return mesh(vertices, faces)


def turned(shape: Mesh) -> Mesh:
    """A mesh revolved about z, laid along x."""
    x, y, z = shape.vertices.T
    return Mesh(np.stack([z, y, -x], axis=1), shape.faces)


def moved(shape: Mesh, offset: Vector) -> Mesh:
    """A mesh moved by `offset`."""
    vertices = np.round(shape.vertices.astype(np.float64) + np.array(offset), 6)
    return Mesh(vertices.astype(np.float32), shape.faces)


@cache
def _circle(segments: int) -> npt.NDArray[np.float64]:
    """Cosine and sine of equal steps around a circle, ``(segments, 2)``."""
    angles = [2 * math.pi * k / segments for k in range(segments)]
    return np.array([(math.cos(angle), math.sin(angle)) for angle in angles])


@cache
def _rings_to_faces(rings: int, segments: int) -> npt.NDArray[np.int32]:
    """Faces of a point, then `rings` of `segments` vertices each, then a point."""
    k = np.arange(segments)
    following = (k + 1) % segments
    last = 1 + rings * segments
    faces = [np.stack([np.zeros_like(k), 1 + following, 1 + k], axis=1)]
    for ring in range(rings - 1):
        low, high = 1 + ring * segments, 1 + (ring + 1) * segments
        a, b, c, d = low + k, low + following, high + k, high + following
        faces += [np.stack([a, b, d], axis=1), np.stack([a, d, c], axis=1)]
    top = last - segments
    faces.append(np.stack([np.full_like(k, last), top + k, top + following], axis=1))
    joined: npt.NDArray[np.int32] = np.concatenate(faces).astype(np.int32)
    return joined


# --- collision --------------------------------------------------------------------------------

LIFT = 0.001
"""Walls and round bodies start this far above the support, so that only a box base touches it:
that is several times faster, and rests flat."""


def base_plate(half_x: float, half_y: float, thickness: float = 0.004) -> Piece:
    """The box that an object stands on."""
    return Piece("box", (half_x, half_y, thickness / 2), (0.0, 0.0, thickness / 2))


def wall(
    radius_low: float,
    radius_high: float,
    low: float,
    high: float,
    thickness: float,
    *,
    pieces: int = 12,
    start: float = 0.0,
) -> list[Piece]:
    """Boxes around a hollow whose outer radius goes from `radius_low` to `radius_high`.

    A wall that leans outwards touches `low` with its outer edge, and rises above `high` with its
    inner one.
    """
    lean = math.atan2(radius_high - radius_low, high - low)
    slant = math.hypot(radius_high - radius_low, high - low)
    middle = (radius_low + radius_high) / 2 - thickness / 2 * math.cos(lean)
    level = (low + high) / 2 + thickness / 2 * math.sin(lean)
    half_chord = max(radius_low, radius_high) * math.tan(math.pi / pieces)
    boxes = []
    for k in range(pieces):
        angle = start + 2 * math.pi * k / pieces
        boxes.append(
            Piece(
                "box",
                (thickness / 2, half_chord, slant / 2),
                (middle * math.cos(angle), middle * math.sin(angle), level),
                multiply(about_z(angle), about_y(lean)),
            )
        )
    return boxes


# --- grasps -----------------------------------------------------------------------------------


def grasp_height(height: float) -> float:
    """Where the point between the pads goes on a thing of this height: deep, but not too deep."""
    return max(FINGER_BELOW_GRIP_SITE, height / 2, height - FINGER_DEPTH)


def grasps_across(
    width: float, z: float, yaws: Sequence[float], x: float = 0.0, y: float = 0.0
) -> tuple[Grasp, ...]:
    """From above, the fingers on both sides of (x, y); each closing direction and its opposite."""
    return tuple(
        Grasp(np.array([x, y, z]), from_above(yaw + turn), width)
        for yaw in yaws
        for turn in (0.0, math.pi)
    )


def grasps_round(width: float, z: float) -> tuple[Grasp, ...]:
    """From above around an upright body, in any of 8 closing directions."""
    return grasps_across(width, z, [k * math.pi / 8 for k in range(8)])


def grasps_rim(
    radius: float, z: float, thickness: float, angles: Sequence[float]
) -> tuple[Grasp, ...]:
    """From above, one finger inside and one outside of a rim, at these angles around it."""
    return tuple(
        grasp
        for angle in angles
        for grasp in grasps_across(
            thickness, z, [angle], radius * math.cos(angle), radius * math.sin(angle)
        )
    )


def from_above(yaw: float) -> npt.NDArray[np.float64]:
    """A hand that points down (z) and closes along the direction `yaw` (y)."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.round(np.array([[-s, c, 0.0], [c, s, 0.0], [0.0, 0.0, -1.0]]), 9)


# --- small algebra ----------------------------------------------------------------------------


def about_y(angle: float) -> Quaternion:
    """The quaternion wxyz of a turn about y."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


def about_z(angle: float) -> Quaternion:
    """The quaternion wxyz of a turn about z."""
    return (math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2))


def steady(values: Sequence[float]) -> list[float]:
    """Values rounded to 1e-9, so that no machine's last bit of a sine gets into the physics."""
    return [round(value, 9) for value in values]


def multiply(p: Quaternion, q: Quaternion) -> Quaternion:
    """The quaternion wxyz of `q` followed by `p`."""
    a, b, c, d = p
    e, f, g, h = q
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def _unit(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return v / math.sqrt(float((v * v).sum()))


def _cross(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def _vector(point: npt.NDArray[np.float64]) -> Vector:
    return (float(point[0]), float(point[1]), float(point[2]))
