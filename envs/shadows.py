"""One shadow map for all cameras of a look, in which what stands still is drawn once an episode.

MuJoCo draws the map of a light anew for every camera, although a directional light sees the same
from wherever one looks, and draws all casters into it, although most of them never move. Here the
map is drawn once a look: that of the things that stand still is copied, and the others are drawn
over it. The calls are those of MuJoCo's own pass (`mjr_render` in its
``src/render/classic/render_gl3.c``), and a texel is the maximum over all depths, whatever their
order: the map is the same to the bit. `SharedShadows.is_exact` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs import opengl
from vlabench.envs.opengl import OpenGL

_OFFSET = (-1.5, -4.0)
"""MuJoCo's polygon offset, factor and units, where OpenGL has clip control."""

_DECOR = int(mujoco.mjtCatBit.mjCAT_DECOR)
_MESH = int(mujoco.mjtGeom.mjGEOM_MESH)
_CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)

_SPHERE_TOP, _SPHERE_BOTTOM, _OPEN_CYLINDER = 1, 2, 4
_LISTS = {
    int(mujoco.mjtGeom.mjGEOM_SPHERE): 0,
    int(mujoco.mjtGeom.mjGEOM_ELLIPSOID): 0,
    int(mujoco.mjtGeom.mjGEOM_CYLINDER): 3,
    int(mujoco.mjtGeom.mjGEOM_BOX): 6,
}
"""Display lists of MuJoCo's builtin shapes (``render_context.h``)."""

_Floats = npt.NDArray[np.float32]


class SharedShadows:
    """Draws the shadow map of one MuJoCo context; `begin` comes first.

    Args:
        gl: Of the OpenGL context in which `context` was made, and which is current now and whenever
            this is used.
        context: MuJoCo's.
    """

    def __init__(self, gl: OpenGL, context: mujoco.MjrContext) -> None:
        self._gl, self._context = gl, context
        self._size = int(context.shadowSize)
        self._still = _DepthMap(gl, self._size)
        self._nothing = _DepthMap(gl, 1)
        self._stands, self._drawn = np.zeros(0, dtype=bool), b""
        mujoco.mjr_restoreBuffer(context)

    def begin(self, model: mujoco.MjModel) -> None:
        """Whatever is cast from now on is of this model, whose meshes are in the context."""
        self._stands = model.body_weldid[model.geom_bodyid] == 0
        self._drawn = b""

    def close(self) -> None:
        """Frees its textures."""
        self._still.close()
        self._nothing.close()

    def cast(self, scene: mujoco.MjvScene) -> bool:
        """Draws the map for what is in `scene`; False if that takes MuJoCo's own pass."""
        light, casters = _only_directional(scene), _casters(scene)
        if light is None or casters is None:
            return False
        view = mujoco.mjv_averageCamera(*scene.camera)
        standing = [g for g in casters if self._stands[g.objid]]
        moving = [g for g in casters if not self._stands[g.objid]]
        self._prepare()
        self._look_along(light, view)
        drawn = _fingerprint(standing, light, view)
        if drawn != self._drawn:
            self._begin(self._still.framebuffer)
            self._gl.Clear(opengl.DEPTH_BUFFER_BIT)
            self._draw(standing)
            self._drawn = drawn
        self._still.copy_to(self._context.shadowTex)
        self._begin(self._context.shadowFBO)
        self._draw(moving)
        self._end()
        return True

    @contextmanager
    def kept(self, scene: mujoco.MjvScene) -> Iterator[None]:
        """While this lasts, MuJoCo draws `scene` with the map that is there.

        Everything becomes decoration, which throws no shadow; mirrors reflect it all the same.
        """
        own = self._context.shadowFBO
        for geom in scene.geoms[: scene.ngeom]:
            geom.category = _DECOR
        self._context.shadowFBO = self._nothing.framebuffer
        try:
            yield
        finally:
            self._context.shadowFBO = own

    def is_exact(self, scene: mujoco.MjvScene) -> bool | None:
        """Whether our map of `scene` is MuJoCo's to the bit; draws over the picture.

        None where `cast` leaves the map to MuJoCo, so that there is nothing to compare.
        """
        if _only_directional(scene) is None or not _casters(scene):
            return None
        mujoco.mjr_render(mujoco.MjrRect(0, 0, 1, 1), scene, self._context)
        theirs = self._depths()
        same = self.cast(scene) and np.array_equal(self._depths(), theirs)
        return same and not self._gl.GetError()

    def _depths(self) -> npt.NDArray[np.uint32]:
        depths = np.empty((self._size, self._size), dtype=np.uint32)
        area = (0, 0, self._size, self._size)
        kind = (opengl.DEPTH_COMPONENT, opengl.UNSIGNED_INT)
        self._gl.BindFramebuffer(opengl.FRAMEBUFFER, self._context.shadowFBO)
        self._gl.ReadPixels(*area, *kind, depths.ctypes.data)
        mujoco.mjr_restoreBuffer(self._context)
        return depths

    def _prepare(self) -> None:
        """All state that the pass depends on, whatever was drawn before."""
        gl = self._gl
        gl.ClipControl(opengl.LOWER_LEFT, opengl.ZERO_TO_ONE)
        gl.Enable(opengl.DEPTH_TEST)
        gl.DepthMask(1)
        gl.DepthFunc(opengl.GEQUAL)
        gl.DepthRange(0.0, 1.0)
        gl.ClearDepth(0.0)
        gl.ShadeModel(opengl.FLAT)
        for switch in opengl.UNUSED_BY_SHADOWS:
            gl.Disable(switch)
        gl.ColorMask(0, 0, 0, 0)
        gl.PolygonMode(opengl.FRONT_AND_BACK, opengl.FILL)
        gl.Enable(opengl.POLYGON_OFFSET_FILL)
        gl.PolygonOffset(*_OFFSET)

    def _look_along(self, light: mujoco.MjvLight, view: mujoco.MjvGLCamera) -> None:
        """Sets the matrices of the light; depths run from 1 near it to 0."""
        gl, clip = self._gl, float(self._context.shadowClip)
        gl.MatrixMode(opengl.PROJECTION)
        gl.LoadIdentity()
        gl.Translatef(0.0, 0.0, 0.5)
        gl.Scalef(1.0, 1.0, -0.5)
        gl.Ortho(-clip, clip, -clip, clip, view.frustum_near, view.frustum_far)
        gl.MatrixMode(opengl.MODELVIEW)
        gl.LoadIdentity()
        gl.MultMatrixf(_looking_from(light.pos, light.dir).ctypes.data)

    def _begin(self, framebuffer: int) -> None:
        self._gl.BindFramebuffer(opengl.FRAMEBUFFER, framebuffer)
        self._gl.DrawBuffer(opengl.NONE)
        # MuJoCo leaves a border, lest the last texels be repeated all over the scene
        self._gl.Viewport(1, 1, self._size - 2, self._size - 2)

    def _draw(self, geoms: Sequence[mujoco.MjvGeom]) -> None:
        gl, context = self._gl, self._context
        poses = _rotations(geoms)
        for geom, pose in zip(geoms, poses, strict=True):
            gl.PushMatrix()
            gl.Translatef(*geom.pos.tolist())
            gl.MultMatrixf(pose.ctypes.data)
            if geom.type == _MESH:
                gl.CallList(context.baseMesh + geom.dataid)
            else:
                self._draw_builtin(geom)
            gl.PopMatrix()

    def _draw_builtin(self, geom: mujoco.MjvGeom) -> None:
        gl, base = self._gl, self._context.baseBuiltin
        size = geom.size
        gl.Scalef(*size.tolist())
        if geom.type != _CAPSULE:
            gl.CallList(base + _LISTS[geom.type])
            return
        radius = np.float32(0.5) * (size[0] + size[1])
        gl.CallList(base + _OPEN_CYLINDER)
        gl.Scalef(1.0, 1.0, radius / size[2])
        gl.Translatef(0.0, 0.0, (size[2] - radius) / radius)
        gl.CallList(base + _SPHERE_TOP)
        gl.Translatef(0.0, 0.0, 2 * (radius - size[2]) / radius)
        gl.CallList(base + _SPHERE_BOTTOM)

    def _end(self) -> None:
        self._gl.Disable(opengl.POLYGON_OFFSET_FILL)
        self._gl.ColorMask(1, 1, 1, 1)
        mujoco.mjr_restoreBuffer(self._context)


class _DepthMap:
    """A texture of depths like MuJoCo's shadow map, and a framebuffer that draws into it."""

    def __init__(self, gl: OpenGL, size: int) -> None:
        self._gl, self._size = gl, size
        self._texture, self.framebuffer = gl.generate("Textures"), gl.generate("Framebuffers")
        kind = (opengl.DEPTH_STENCIL, opengl.UNSIGNED_INT_24_8)
        gl.BindTexture(opengl.TEXTURE_2D, self._texture)
        gl.TexImage2D(opengl.TEXTURE_2D, 0, opengl.DEPTH24_STENCIL8, size, size, 0, *kind, None)
        for option in (opengl.TEXTURE_MIN_FILTER, opengl.TEXTURE_MAG_FILTER):
            gl.TexParameteri(opengl.TEXTURE_2D, option, opengl.NEAREST)
        gl.BindTexture(opengl.TEXTURE_2D, 0)
        gl.BindFramebuffer(opengl.FRAMEBUFFER, self.framebuffer)
        where = (opengl.FRAMEBUFFER, opengl.DEPTH_ATTACHMENT, opengl.TEXTURE_2D)
        gl.FramebufferTexture2D(*where, self._texture, 0)
        gl.DrawBuffer(opengl.NONE)
        gl.ReadBuffer(opengl.NONE)

    def copy_to(self, texture: int) -> None:
        """Copies it to another texture of its size."""
        ours = (self._texture, opengl.TEXTURE_2D, 0, 0, 0, 0)
        theirs = (texture, opengl.TEXTURE_2D, 0, 0, 0, 0)
        self._gl.CopyImageSubData(*ours, *theirs, self._size, self._size, 1)

    def close(self) -> None:
        """Frees both."""
        self._gl.delete("Framebuffers", self.framebuffer)
        self._gl.delete("Textures", self._texture)


def _only_directional(scene: mujoco.MjvScene) -> mujoco.MjvLight | None:
    """The one light that casts shadows, if that is one and it shines in one direction."""
    casting = [light for light in scene.lights[: scene.nlight] if light.castshadow]
    if len(casting) != 1 or casting[0].type != mujoco.mjtLightType.mjLIGHT_DIRECTIONAL:
        return None
    return casting[0]


def _casters(scene: mujoco.MjvScene) -> list[mujoco.MjvGeom] | None:
    """The geoms that throw a shadow, if `SharedShadows` can draw all of them."""
    casters = [g for g in scene.geoms[: scene.ngeom] if g.category != _DECOR]
    return casters if all(_is_solid(g) for g in casters) else None


def _is_solid(geom: mujoco.MjvGeom) -> bool:
    """Whether it is a geom of the model, of a kind that `SharedShadows` can draw."""
    drawn = geom.type in _LISTS or geom.type in (_CAPSULE, _MESH)
    return drawn and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM


def _fingerprint(
    geoms: Sequence[mujoco.MjvGeom], light: mujoco.MjvLight, view: mujoco.MjvGLCamera
) -> bytes:
    """What the map of these geoms depends on, in one model."""
    numbers = [view.frustum_near, view.frustum_far, *light.pos, *light.dir]
    kinds = [number for g in geoms for number in (g.objid, g.type, g.dataid)]
    poses = [array for g in geoms for array in (g.pos, g.size, g.mat)]
    return b"".join(np.asarray(part).tobytes() for part in (numbers, kinds, *poses))


def _rotations(geoms: Sequence[mujoco.MjvGeom]) -> _Floats:
    """``(n, 4, 4)``: for each geom its rotation as OpenGL wants it, column by column."""
    matrices = np.zeros((len(geoms), 4, 4), dtype=np.float32)
    matrices[:, 3, 3] = 1
    for matrix, geom in zip(matrices, geoms, strict=True):
        matrix[:3, :3] = geom.mat.reshape(3, 3).T
    return matrices


def _looking_from(position: _Floats, direction: _Floats) -> _Floats:
    """The view from a light, column by column: `mjr_lookAt` of ``render_util.c``, in its order.

    Single precision throughout, and no numpy sums: the bits count.
    """
    forward = _unit(direction)
    side = _unit(_cross(forward, _orthogonal(direction)))
    up = _unit(_cross(side, forward))
    back = [-part for part in forward]
    offsets = [-_dot(side, position), -_dot(up, position), _dot(forward, position)]
    rows = [[*axis, offset] for axis, offset in zip((side, up, back), offsets, strict=True)]
    return np.array([*rows, [0, 0, 0, 1]], dtype=np.float32).T.copy()


def _orthogonal(direction: _Floats) -> list[np.float32]:
    """`mjr_orthoVec`, which says what is up for a light."""
    across = _cross(direction, np.array([-1, 0, 0], dtype=np.float32))
    if _dot(across, across) > 0.01:
        return _unit(across)
    return _unit(_cross(direction, np.array([0, 1, 0], dtype=np.float32)))


def _cross(
    a: Sequence[np.float32] | _Floats, b: Sequence[np.float32] | _Floats
) -> list[np.float32]:
    return [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]


def _dot(a: Sequence[np.float32] | _Floats, b: Sequence[np.float32] | _Floats) -> np.float32:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _unit(vector: Sequence[np.float32] | _Floats) -> list[np.float32]:
    scale = np.float32(1) / np.sqrt(_dot(vector, vector))
    return [part * scale for part in vector]
