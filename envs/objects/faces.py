"""Which vertices make the faces of meshes that are rings of vertices, one above another."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt


@cache
def hoop_faces(count: int, segments: int) -> npt.NDArray[np.int32]:
    """Faces between `count` rings of `segments` vertices each, the last joined to the first."""
    faces = []
    for j in range(count):
        for k in range(segments):
            following = (k + 1) % segments
            a, b = j * segments + k, j * segments + following
            c = (j + 1) % count * segments
            faces += [(a, b, c + following), (a, c + following, c + k)]
    return np.array(faces, dtype=np.int32)


@cache
def tube_faces(count: int, segments: int) -> npt.NDArray[np.int32]:
    """Faces of `count` rings of `segments` vertices each, then the two ends."""
    first, last = count * segments, count * segments + 1
    faces: list[tuple[int, int, int]] = []
    for k in range(segments):
        following = (k + 1) % segments
        faces.append((first, following, k))
        for ring in range(count - 1):
            a, b = ring * segments + k, ring * segments + following
            faces += [(a, b, b + segments), (a, b + segments, a + segments)]
        top = (count - 1) * segments
        faces.append((last, top + k, top + following))
    return np.array(faces, dtype=np.int32)


@cache
def ball_faces(rings: int, segments: int) -> npt.NDArray[np.int32]:
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
    together: npt.NDArray[np.int32] = np.concatenate(faces).astype(np.int32)
    return together
