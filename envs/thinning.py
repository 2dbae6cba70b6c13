"""Thins out the visual meshes of a robot.

The Panda's have 182,000 faces, which cost more to draw than everything else together. Collision
meshes and inertias stay as they are.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench import diskcache
from vlabench.hashing import content_hash

KEPT_FACES = 0.08
"""Share of the faces of a large visual mesh that is kept."""

SMALL_MESH = 300
"""Meshes with fewer faces are kept whole, and none is left with fewer."""

CAUTION = 3
"""How readily faces are joined, from 1 on: at 7, the usual, round parts become dented."""


def thinned_meshes(spec: mujoco.MjSpec) -> dict[str, bytes]:
    """Those of the large meshes that are only seen, with fewer faces: name to MSH file.

    Their scale is 1, in the frame of the file that the spec names.
    """
    model = spec.copy().compile()
    shown = {geom.meshname for geom in spec.geoms if geom.contype == 0 and geom.conaffinity == 0}
    solid = {geom.meshname for geom in spec.geoms if geom.contype != 0 or geom.conaffinity != 0}
    names = [mesh.name for mesh in spec.meshes if mesh.name in shown - solid]
    large = [name for name in names if model.mesh(name).facenum[0] >= SMALL_MESH]
    return {name: _thinned(*_mesh_as_written(model, model.mesh(name).id)) for name in large}


def _thinned(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> bytes:
    """A mesh of fewer faces, from disk if this one has been thinned before."""
    digest = hashlib.sha256(vertices.tobytes() + faces.tobytes()).hexdigest()
    given = [digest, KEPT_FACES, SMALL_MESH, CAUTION, version("fast-simplification")]
    key = f"mesh-{content_hash([*given, version('numpy')], 32)}"
    data = diskcache.read(key)
    if data is None:
        data = _msh(*_decimated(*_welded(vertices, faces)))
        diskcache.write(key, data)
    return data


def _msh(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> bytes:
    """A file in MuJoCo's format: counts, vertices, faces; no normals, no texture coordinates.

    See "MSH file format" in the XML reference of MuJoCo, and `mjCMesh::LoadMSH` in its
    ``src/user/user_mesh.cc``.
    """
    counts = np.array([len(vertices), 0, 0, len(faces)], dtype="<i4")
    return counts.tobytes() + vertices.astype("<f4").tobytes() + faces.astype("<i4").tobytes()


def _mesh_as_written(
    model: mujoco.MjModel, index: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """A mesh in the frame of its file: the compiler has moved it to its inertial frame."""
    first, count = model.mesh_vertadr[index], model.mesh_vertnum[index]
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.mesh_quat[index])
    local = model.mesh_vert[first : first + count].astype(np.float64)
    vertices = local @ rotation.reshape(3, 3).T + model.mesh_pos[index]
    first, count = model.mesh_faceadr[index], model.mesh_facenum[index]
    return vertices, model.mesh_face[first : first + count]


def _welded(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Joins vertices that share a place: files repeat them where normals differ."""
    places, inverse = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    joined = inverse.reshape(-1)[faces].astype(np.int32)
    a, b, c = joined.T
    return places, joined[(a != b) & (b != c) & (a != c)]


def _decimated(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    import fast_simplification

    target = max(SMALL_MESH, int(len(faces) * KEPT_FACES))
    if target >= len(faces):
        return vertices, faces
    points, triangles = fast_simplification.simplify(
        vertices.astype(np.float32), faces, target_count=target, agg=CAUTION
    )
    points = np.round(points.astype(np.float64), 5)
    # thin plates can vanish
    if _area(points, triangles) < 0.5 * _area(vertices, faces):
        return vertices, faces
    return points, triangles


def _area(vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> float:
    first, second, third = (vertices[faces[:, k]] for k in range(3))
    twice: float = np.sqrt((np.cross(second - first, third - first) ** 2).sum(axis=1)).sum()
    return 0.5 * twice
