"""Leaves out of a picture what cannot be seen in it, which changes none of its pixels.

A geom is left out if its bounding box lies outside the camera's view. Where the table's top fills
the view, that ends at the top: whatever lies beyond is hidden wherever it would be drawn. Boxes are
enlarged by `MARGIN`. Nothing here may be used where things are seen in mirrors, or where a geom
still has to throw its shadow.
"""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

MARGIN = 1e-3
"""Metres by which boxes are larger, and the table's top smaller, than they are."""

_BOX, _MESH = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_MESH
_PLANE = mujoco.mjtGeom.mjGEOM_PLANE
_ENDLESS = 1e6

_Numbers = npt.NDArray[np.float64]


class Culler:
    """Knows the bounding boxes of one model's geoms.

    Boxes are MuJoCo's, in the frame of the geom; those of meshes that stand still are as tight as
    they can be, along the axes of the world.

    Args:
        model: Whose pictures are drawn.
        data: Where its geoms are; only how tight the boxes are depends on it.
        cover: A box that is opaque, always upright, and may hide what is below its top; -1 for
            none.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, cover: int) -> None:
        self._cover = cover
        self._middles = model.geom_aabb[:, :3].copy()
        self._halves = model.geom_aabb[:, 3:] + MARGIN
        planes = model.geom_type == _PLANE
        self._middles[planes] = 0.0
        sizes = model.geom_size[planes] * (1.0, 1.0, 0.0)
        sizes[:, :2][sizes[:, :2] <= 0] = _ENDLESS
        self._halves[planes] = sizes + MARGIN
        self._axes = np.tile(np.eye(3), (model.ngeom, 1, 1))
        standing = model.body_weldid[model.geom_bodyid] == 0
        for geom in np.flatnonzero(standing & (model.geom_type == _MESH)):
            self._tighten(model, geom, data.geom_xmat[geom].reshape(3, 3))
        self._mirrors = bool((model.mat_reflectance > 0).any())

    def _tighten(self, model: mujoco.MjModel, geom: int, turn: _Numbers) -> None:
        mesh = int(model.geom_dataid[geom])
        first = int(model.mesh_vertadr[mesh])
        vertices = model.mesh_vert[first : first + int(model.mesh_vertnum[mesh])] @ turn.T
        lowest, highest = vertices.min(axis=0), vertices.max(axis=0)
        self._axes[geom] = turn.T
        self._middles[geom] = (lowest + highest) / 2
        self._halves[geom] = (highest - lowest) / 2 + MARGIN

    def cull(self, scene: mujoco.MjvScene, data: mujoco.MjData, aspect: float) -> int:
        """Empties the geoms of `scene` that its camera cannot see; returns how many.

        Args:
            scene: Of the model, for one camera.
            data: The state that `scene` shows.
            aspect: Width of the picture by its height.
        """
        camera = mujoco.mjv_averageCamera(*scene.camera)
        if self._mirrors or camera.orthographic:
            return 0
        hidden = self._hidden(data, camera, aspect)
        culled = 0
        for geom in scene.geoms[: scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and hidden[geom.objid]:
                geom.type, geom.dataid = _MESH, -1  # a mesh of no faces
                culled += 1
        return culled

    def _hidden(
        self, data: mujoco.MjData, camera: mujoco.MjvGLCamera, aspect: float
    ) -> npt.NDArray[np.bool_]:
        """For every geom of the model, whether nothing of it can be seen."""
        eye = np.array(camera.pos, dtype=float)
        corners = _corner_rays(camera, aspect)
        normals = np.cross(corners, np.roll(corners, -1, axis=0))  # inwards
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        turns = data.geom_xmat.reshape(-1, 3, 3) @ self._axes
        middles = data.geom_xpos + np.einsum("gij,gj->gi", turns, self._middles) - eye
        reach = np.einsum("pi,gij->gpj", normals, turns)
        reach = np.einsum("gpj,gj->gp", np.abs(reach), self._halves)
        hidden: npt.NDArray[np.bool_] = (middles @ normals.T + reach < 0).any(axis=1)
        ends = self._top_seen(data, eye, corners, camera.frustum_near)
        if ends is not None:
            # what can be seen lies in the pyramid from the eye to the top: compare world boxes
            lowest, highest = np.minimum(ends.min(axis=0), 0), np.maximum(ends.max(axis=0), 0)
            extents = np.einsum("gij,gj->gi", np.abs(turns), self._halves)
            beside = (middles - extents > highest) | (middles + extents < lowest)
            beside[self._cover] = False
            hidden |= beside.any(axis=1)
        return hidden

    def _top_seen(
        self, data: mujoco.MjData, eye: _Numbers, corners: _Numbers, near: float
    ) -> _Numbers | None:
        """``(4, 3)``: where the corners of the picture show the cover's top, seen from the eye.

        None if they do not all show it.
        """
        if self._cover < 0 or (corners[:, 2] >= 0).any():
            return None
        top = data.geom_xpos[self._cover] - eye
        top[2] += self._halves[self._cover, 2] - MARGIN
        depths = top[2] / corners[:, 2]
        ends = depths[:, None] * corners
        inside = np.abs(ends - top)[:, :2] < self._halves[self._cover, :2] - 2 * MARGIN
        fills = inside.all() and (depths > near + MARGIN).all()
        return ends if fills else None


def _corner_rays(camera: mujoco.MjvGLCamera, aspect: float) -> _Numbers:
    """``(4, 3)``: rays to the corners of the picture, of depth 1 along the camera's axis.

    In the order in which the cross product of one and the next points into the view.
    """
    forward, up = np.array(camera.forward, dtype=float), np.array(camera.up, dtype=float)
    right = np.cross(forward, up)
    near = camera.frustum_near
    half = camera.frustum_width or aspect * (camera.frustum_top - camera.frustum_bottom) / 2
    left_, right_ = (camera.frustum_center + side * half for side in (-1, 1))
    bottom, top = camera.frustum_bottom, camera.frustum_top
    corners = [(left_, bottom), (left_, top), (right_, top), (right_, bottom)]
    return np.array([forward + (x * right + y * up) / near for x, y in corners])


def table_top(model: mujoco.MjModel, name: str) -> int:
    """The geom of that name if it can be a cover of `Culler`: an opaque, upright, fixed box."""
    geom = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name)
    if geom < 0 or model.geom_type[geom] != _BOX or model.geom_rgba[geom, 3] < 1:
        return -1
    material = int(model.geom_matid[geom])
    opaque = material < 0 or model.mat_rgba[material, 3] == 1
    upright = np.array_equal(model.geom_quat[geom], (1, 0, 0, 0))
    fixed = not model.body_weldid[model.geom_bodyid[geom]]
    return geom if opaque and upright and fixed else -1
