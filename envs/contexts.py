"""One MuJoCo context for one model after another: only what differs is sent to OpenGL again.

A new context for every model costs as much as a frame, nearly all of it for meshes of the robot,
which are the same in every scene, and for meshes that are never shown. What a context holds is in
`mjr_makeContext` (MuJoCo's ``src/render/classic/render_context.c``).
"""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs.opengl import OpenGL

SPARE_MESHES = 64
"""How many more meshes than the first model's a context has room for."""

_MESH_ARRAYS = (
    ("mesh_vertadr", "mesh_vertnum", ("mesh_vert",)),
    ("mesh_normaladr", "mesh_normalnum", ("mesh_normal",)),
    ("mesh_texcoordadr", "mesh_texcoordnum", ("mesh_texcoord",)),
    ("mesh_faceadr", "mesh_facenum", ("mesh_face", "mesh_facenormal", "mesh_facetexcoord")),
)
"""Address and count of a mesh in the arrays that its picture depends on."""

_TEXTURE_FIELDS = ("tex_type", "tex_width", "tex_height", "tex_nchannel", "tex_colorspace")

_QUALITY = ("offsamples", "shadowsize", "numquads", "numslices", "numstacks")
_MAP = ("zfar", "haze", "fogstart", "fogend", "shadowclip", "shadowscale")

_RGB = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)


class ReusedContext:
    """A MuJoCo context that is fitted to one model after another.

    Its frames are those of a new context, to the bit.

    Args:
        gl: Of the OpenGL context, which is current now and whenever this is used; None makes a
            context that fits no other model.
        model: The first.
        groups: For each geom group, whether it is shown; meshes of others are not sent.

    Attributes:
        own: MuJoCo's.
    """

    def __init__(
        self, gl: OpenGL | None, model: mujoco.MjModel, groups: npt.NDArray[np.uint8]
    ) -> None:
        self._gl, self._groups = gl, groups.astype(bool)
        self.own = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        self._model, self._settings = model, _settings(model)
        self._sent: frozenset[int] = frozenset()
        if gl is not None:
            gl.DeleteLists(self.own.baseMesh, self.own.rangeMesh)
            self.own.rangeMesh = 2 * (model.nmesh + SPARE_MESHES)
            self.own.baseMesh = gl.GenLists(self.own.rangeMesh)
            self._send_meshes(model)

    def fit(self, model: mujoco.MjModel) -> bool:
        """Makes it what a new context for `model` would be; False if only a new one can be that."""
        if self._gl is None or _settings(model) != self._settings:
            return False
        if 2 * model.nmesh > self.own.rangeMesh:
            return False
        self._send_meshes(model)
        self._send_textures(self._gl, model)
        self._assign_textures(model)
        self._model = model
        return True

    def free(self) -> None:
        """Frees it; its OpenGL context must be current."""
        self.own.free()

    def _send_meshes(self, model: mujoco.MjModel) -> None:
        """Sends each mesh that is shown and was not there, or not the same, for the last model."""
        shown = (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH) & self._groups[model.geom_group]
        meshes = frozenset(model.geom_dataid[shown].tolist())
        for mesh in sorted(meshes - _unchanged(self._model, model, meshes & self._sent)):
            mujoco.mjr_uploadMesh(model, self.own, mesh)
        self._sent = meshes

    def _send_textures(self, gl: OpenGL, model: mujoco.MjModel) -> None:
        context, before = self.own, self._model
        for texture in range(max(before.ntex, model.ntex)):
            known = texture < min(before.ntex, model.ntex)
            alike = known and _has_same_form(before, model, texture)
            if alike and np.array_equal(_texels(before, texture), _texels(model, texture)):
                continue
            if texture < before.ntex and not alike:  # a name has one type of texture for good
                gl.delete("Textures", int(context.texture[texture]))
            if texture < model.ntex and not alike:
                context.texture[texture] = gl.generate("Textures")
                context.textureType[texture] = model.tex_type[texture]
            if texture < model.ntex:
                mujoco.mjr_uploadTexture(model, context, texture)
        context.ntexture = model.ntex

    def _assign_textures(self, model: mujoco.MjModel) -> None:
        """Which material has which texture: `makeMaterial`."""
        context, count = self.own, model.nmat
        textured = model.mat_texid[:, _RGB] >= 0
        context.mat_texid[:], context.mat_texuniform[:], context.mat_texrepeat[:] = -1, 0, 0
        roles = context.mat_texid[: model.mat_texid.size].reshape(model.mat_texid.shape)
        roles[textured] = model.mat_texid[textured]
        context.mat_texuniform[:count][textured] = model.mat_texuniform[textured]
        context.mat_texrepeat[: 2 * count].reshape(-1, 2)[textured] = model.mat_texrepeat[textured]


def _unchanged(
    one: mujoco.MjModel, other: mujoco.MjModel, meshes: frozenset[int]
) -> frozenset[int]:
    """Those of `meshes` that look the same in both models."""
    same = set(meshes)
    for start, count, arrays in _MESH_ARRAYS:
        numbers = [getattr(model, count).tolist() for model in (one, other)]
        starts = [getattr(model, start).tolist() for model in (one, other)]
        values = [[getattr(model, name) for name in arrays] for model in (one, other)]
        for mesh in tuple(same):
            parts = [
                [array[first[mesh] : first[mesh] + number[mesh]].tobytes() for array in found]
                for first, number, found in zip(starts, numbers, values, strict=True)
                if number[mesh]  # where there is nothing, it starts at -1
            ]
            if numbers[0][mesh] != numbers[1][mesh] or parts[:1] != parts[1:]:
                same.discard(mesh)
    return frozenset(same)


def _has_same_form(one: mujoco.MjModel, other: mujoco.MjModel, texture: int) -> bool:
    return all(
        getattr(one, name)[texture] == getattr(other, name)[texture] for name in _TEXTURE_FIELDS
    )


def _texels(model: mujoco.MjModel, texture: int) -> npt.NDArray[np.uint8]:
    first = int(model.tex_adr[texture])
    size = model.tex_width[texture] * model.tex_height[texture] * model.tex_nchannel[texture]
    texels: npt.NDArray[np.uint8] = model.tex_data[first : first + int(size)]
    return texels


def _settings(model: mujoco.MjModel) -> tuple[object, ...]:
    """What a context takes from a model for good, besides meshes and textures.

    Never the same twice for a model with something that is not sent again here.
    """
    vis, planes = model.vis, model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    endless = (model.geom_size[planes, :2] <= 0).any()
    sky = (model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX).any()
    return (
        object() if endless or sky or model.nskin or model.nhfield else None,
        model.geom_size[planes].tobytes(),
        float(model.stat.extent),
        *(getattr(vis.global_, name) for name in ("offwidth", "offheight", "linewidth")),
        *(getattr(vis.quality, name) for name in _QUALITY),
        *(getattr(vis.map, name) for name in _MAP),
        *(getattr(vis.rgba, name).tobytes() for name in ("fog", "haze")),
    )
