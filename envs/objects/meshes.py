"""Meshes from a few numbers: things turned on a lathe, swollen, bent, extruded or joined.

All meshes are closed, with their faces outward. Vertices are rounded to 1e-6 before they become
float32, so that the last bit of a sine on some machine cannot change a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.envs.objects.faces import ball_faces, hoop_faces, tube_faces
from vlabench.envs.objects.geometry import Mesh, Vector

Numbers: TypeAlias = npt.NDArray[np.float64]

Swelling: TypeAlias = Callable[[Numbers, Numbers, Numbers], Iterable[npt.ArrayLike]]
"""From x, y and z of unit directions to x, y and z of places."""

SEGMENTS = 40
"""Facets around a revolved shape: smooth at 512 pixels, and cheap."""


def mesh(vertices: npt.ArrayLike, faces: npt.ArrayLike) -> Mesh:
    """A mesh of ``(N, 3)`` vertices, which are rounded, and ``(M, 3)`` faces."""
    rounded = np.round(np.array(vertices, dtype=np.float64), 6).astype(np.float32)
    return Mesh(rounded, np.array(faces, dtype=np.int32))


def revolve(profile: Sequence[tuple[float, float]], segments: int = SEGMENTS) -> Mesh:
    """Turns a profile of (radius, z), bottom axis point to top axis point, about the z axis.

    The first and last points must lie on the axis; walk up the outside, then down the inside.
    """
    rings = np.array(profile[1:-1])
    around = _around(rings, segments)
    ends = np.array([[0.0, 0.0, profile[0][1]], [0.0, 0.0, profile[-1][1]]])
    vertices = np.concatenate([ends[:1], around, ends[1:]])
    return mesh(vertices, ball_faces(len(rings), segments))


def hoop(loop: Sequence[tuple[float, float]], segments: int = SEGMENTS) -> Mesh:
    """Turns a closed loop of (radius, z), counter-clockwise, about the z axis: rings and rolls."""
    return mesh(_around(np.array(loop), segments), hoop_faces(len(loop), segments))


def torus(
    radius: float, thickness: float, z: float, sides: int = 14, segments: int = SEGMENTS
) -> Mesh:
    """A ring of round bar about the z axis: `radius` to the middle of the bar, at height `z`."""
    half = thickness / 2
    angles = [2 * math.pi * k / sides for k in range(sides)]
    return hoop([(radius + half * math.cos(a), z + half * math.sin(a)) for a in angles], segments)


def blob(place: Callable[[Vector], Vector], rows: int = 20, columns: int = 32) -> Mesh:
    """A sphere of unit directions, each moved by `place`: fruit, toys, spoons."""

    def every(*directions: Numbers) -> Iterable[npt.ArrayLike]:
        x, y, z = (part.tolist() for part in directions)
        return zip(*map(place, zip(x, y, z, strict=True)), strict=True)

    return swollen(every, rows, columns)


def swollen(place: Swelling, rows: int = 20, columns: int = 32) -> Mesh:
    """The same, with all directions moved at once."""
    x, y, z = _directions(rows, columns)
    vertices = np.stack([np.asarray(part) for part in place(x, y, z)], axis=1)
    return mesh(vertices, ball_faces(rows - 1, columns))


def for_each(function: Callable[[float], float], values: Numbers) -> Numbers:
    """`function` of every value, asked once where many are the same."""
    different, places = np.unique(values, return_inverse=True)
    return np.array([function(value) for value in different.tolist()])[places]


def ellipsoid(radii: Vector, centre: Vector, rows: int = 14, columns: int = 24) -> Mesh:
    """An ellipsoid."""

    def place(*direction: Numbers) -> list[Numbers]:
        return [c + r * d for c, r, d in zip(centre, radii, direction, strict=True)]

    return swollen(place, rows, columns)


def rounded_box(size: Vector, edge: float, centre: Vector) -> Mesh:
    """A box of full `size` with its edges rounded to radius `edge`."""
    half = [s / 2 - edge for s in size]

    def place(*direction: Numbers) -> list[Numbers]:
        return [
            c + np.copysign(h, d) + edge * d
            for c, h, d in zip(centre, half, direction, strict=True)
        ]

    return swollen(place, rows=9, columns=16)


def prism(outline: Sequence[tuple[float, float]], low: float, high: float) -> Mesh:
    """An outline (x, y), counter-clockwise and seen whole from its middle, raised along z.

    Its edges are sharp: top, bottom and every side have vertices of their own.
    """
    count = len(outline)
    middle = (sum(x for x, _ in outline) / count, sum(y for _, y in outline) / count)
    vertices: list[Vector] = []
    faces: list[tuple[int, int, int]] = []
    for z, up in ((low, False), (high, True)):
        first = len(vertices)
        vertices += [(*middle, z), *((x, y, z) for x, y in outline)]
        for k in range(count):
            a, b = first + 1 + k, first + 1 + (k + 1) % count
            faces.append((first, a, b) if up else (first, b, a))
    for k in range(count):
        (x, y), (u, v) = outline[k], outline[(k + 1) % count]
        a = len(vertices)
        vertices += [(x, y, low), (u, v, low), (u, v, high), (x, y, high)]
        faces += [(a, a + 1, a + 2), (a, a + 2, a + 3)]
    return mesh(vertices, faces)


def faceted(corners: Sequence[Vector], quads: Sequence[tuple[int, int, int, int]]) -> Mesh:
    """Flat four-sided faces with sharp edges, each given counter-clockwise from outside."""
    vertices: list[Vector] = []
    faces: list[tuple[int, int, int]] = []
    for quad in quads:
        first = len(vertices)
        vertices += [corners[corner] for corner in quad]
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return mesh(vertices, faces)


def hexahedron(corners: Sequence[Vector]) -> Mesh:
    """A body of eight corners: four below or behind, and the four that belong to them."""
    return faceted(
        corners,
        [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)],
    )


def tube(path: Sequence[Vector], radius: float | Sequence[float], segments: int = 12) -> Mesh:
    """A round bar along `path`, closed at both ends; one radius, or one for each point."""
    points = np.array(path)
    radii = [radius] * len(points) if isinstance(radius, int | float) else list(radius)
    circle = _circle(segments)
    rings = [
        point + r * (circle[:, :1] * side + circle[:, 1:] * up)
        for point, r, (side, up) in zip(points, radii, _frames(points), strict=True)
    ]
    vertices = np.concatenate([*rings, points[:1], points[-1:]])
    return mesh(vertices, tube_faces(len(points), segments))


def arc(radius: float, start: float, end: float, z: float, *, count: int = 13) -> list[Vector]:
    """Points on a level circle about the z axis, between two angles."""
    angles = [start + (end - start) * k / (count - 1) for k in range(count)]
    return [(radius * math.cos(a), radius * math.sin(a), z) for a in angles]


def joined(*parts: Mesh) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    vertices = np.concatenate([part.vertices for part in parts])
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


def turned(shape: Mesh) -> Mesh:
    """A mesh revolved about z, laid along x."""
    x, y, z = shape.vertices.T
    return Mesh(np.stack([z, y, -x], axis=1), shape.faces)


def sideways(shape: Mesh) -> Mesh:
    """A mesh revolved about z, laid along y."""
    x, y, z = shape.vertices.T
    return Mesh(np.stack([x, z, -y], axis=1), shape.faces)


def tilted(shape: Mesh, angle: float) -> Mesh:
    """A mesh turned about the y axis."""
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = shape.vertices.astype(np.float64).T
    return mesh(np.stack([c * x + s * z, y, c * z - s * x], axis=1), shape.faces)


def rotated(shape: Mesh, angle: float) -> Mesh:
    """A mesh turned about the z axis."""
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = shape.vertices.astype(np.float64).T
    return mesh(np.stack([c * x - s * y, s * x + c * y, z], axis=1), shape.faces)


def about_axis(shape: Mesh, angle: float) -> Mesh:
    """A mesh turned about the x axis."""
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = shape.vertices.astype(np.float64).T
    return mesh(np.stack([x, c * y - s * z, s * y + c * z], axis=1), shape.faces)


def moved(shape: Mesh, offset: Vector) -> Mesh:
    """A mesh moved by `offset`."""
    return mesh(shape.vertices.astype(np.float64) + np.array(offset), shape.faces)


def fluted(plain: Mesh, count: int, depth: float, above: float) -> Mesh:
    """A revolved mesh whose wall goes in and out around it, above a height."""
    vertices = []
    for x, y, z in plain.vertices.tolist():
        wave = depth * min(1.0, max(0.0, (z - above) / 0.01))
        swell = 1 - wave * (1 + math.cos(count * math.atan2(y, x))) / 2
        vertices.append((x * swell, y * swell, z))
    return mesh(vertices, plain.faces)


# --- below ------------------------------------------------------------------------------------


def _around(rings: npt.NDArray[np.float64], segments: int) -> npt.NDArray[np.float64]:
    """Points of (radius, z) turned about z: ``(rings * segments, 3)``."""
    around = np.empty((len(rings), segments, 3))
    around[:, :, :2] = rings[:, None, :1] * _circle(segments)[None]
    around[:, :, 2] = rings[:, None, 1]
    return around.reshape(-1, 3)


@cache
def _circle(segments: int) -> npt.NDArray[np.float64]:
    """Cosine and sine of equal steps around a circle, ``(segments, 2)``."""
    angles = [2 * math.pi * k / segments for k in range(segments)]
    return np.array([(math.cos(angle), math.sin(angle)) for angle in angles])


@cache
def _directions(rows: int, columns: int) -> tuple[Numbers, Numbers, Numbers]:
    """x, y and z of unit directions: down, rings from below to above, up."""
    angles = [math.pi * i / rows for i in range(1, rows)]
    high = np.repeat([-math.cos(polar) for polar in angles], columns)
    wide = np.repeat([math.sin(polar) for polar in angles], columns)
    circle = np.tile(_circle(columns), (rows - 1, 1))
    x, y = (np.concatenate([[0.0], wide * part, [0.0]]) for part in circle.T)
    return x, y, np.concatenate([[-1.0], high, [1.0]])


def _frames(
    points: npt.NDArray[np.float64],
) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Two directions across the path at each point; the first is carried along it."""
    tangents = np.gradient(points, axis=0)
    tangents /= np.sqrt((tangents**2).sum(axis=1, keepdims=True))
    helper = np.array([0.0, 0.0, 1.0]) if abs(tangents[0][2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    frames = []
    for tangent in tangents:
        helper = _unit(helper - tangent * float((helper * tangent).sum()))
        frames.append((helper, _cross(tangent, helper)))
    return frames


def _unit(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return v / math.sqrt(float((v * v).sum()))


def _cross(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )
