"""Cameras: frames are drawn only when somebody asks, and always with the same profile.

The profile is part of the environment's fingerprint: shadows from one light in a map of
`scene.SHADOW_MAP` texels, thrown by all but walls and floor, `scene.MULTISAMPLES` samples a pixel,
thinned robot meshes, collision shapes and sites hidden.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes import background
from vlabench.envs.contexts import ReusedContext
from vlabench.envs.culling import Culler, table_top
from vlabench.envs.offscreen import GlContext, check_colors, open_gl
from vlabench.envs.opengl import OpenGL
from vlabench.envs.scene import CAMERAS
from vlabench.envs.shadows import SharedShadows
from vlabench.errors import UsageError

_DECORATIONS = 100
"""Room in a picture for more than geoms; MuJoCo takes long to make a picture with much of it."""


class Renderer:
    """Draws frames of one model after another; holds one OpenGL context.

    Not for use by two threads: an OpenGL context belongs to the thread that made it.

    Args:
        plain: Leaves everything to MuJoCo, as it is done too where our own passes cannot be trusted
            to give the same frames to the bit: they are what this is compared with.
    """

    def __init__(self, *, plain: bool = False) -> None:
        self._gl: GlContext | None = None
        # MuJoCo ends EGL when Python exits; a context that is still open must be freed before
        self._at_exit = partial(_close, weakref.ref(self))
        self._thread = threading.current_thread()
        self._size, self._plain = (0, 0), plain
        self._functions: OpenGL | None = None
        self._shadows: SharedShadows | None = None
        self._exact: bool | None = None
        self._shared = False
        self._model: mujoco.MjModel | None = None
        self._context: ReusedContext | None = None
        self._scene: mujoco.MjvScene | None = None
        self._culler: Culler | None = None
        self._backdrop: frozenset[int] = frozenset()
        self._option = _what_to_show()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[CameraSpec]
    ) -> dict[str, npt.NDArray[np.uint8]]:
        """Role to an upright RGB frame ``(H, W, 3) uint8`` for each camera.

        Kinematics must be up to date. Things, lights and cameras may be moved between two looks at
        a model; shapes, materials and textures may not be changed.

        Raises:
            UsageError: If there is no OpenGL here (the text says what to install), or another
                thread made the context.
        """
        if not cameras:
            return {}
        size = (max(c.width for c in cameras), max(c.height for c in cameras))
        context = self._prepare(model, data, size)
        frames = {}
        for number, camera in enumerate(cameras):
            self._aim(model, data, camera)
            if number == 0:
                self._shared = self._cast()
            frames[camera.role] = self._frame(context, data, camera)
        return frames

    @property
    def shares_shadows(self) -> bool:
        """Whether the cameras of the last look had one shadow map, drawn by us."""
        return self._shared

    def close(self) -> None:
        """Frees the context; the next `render` makes a new one.

        OpenGL frees names in whatever context is current, so ours is made current first: another
        renderer of this process would lose its own otherwise.

        Raises:
            UsageError: If another thread made the context.
        """
        if self._gl is not None:
            self._make_current(self._gl)
            self._free_context()
            self._gl.free()
            atexit.unregister(self._at_exit)
        self._gl = self._functions = self._model = self._scene = self._culler = None
        self._size, self._exact = (0, 0), None

    def __del__(self) -> None:
        self.close()

    def _prepare(
        self, model: mujoco.MjModel, data: mujoco.MjData, size: tuple[int, int]
    ) -> mujoco.MjrContext:
        """A context with `model` in it, and current."""
        if self._gl is None or size[0] > self._size[0] or size[1] > self._size[1]:
            size = (max(size[0], self._size[0]), max(size[1], self._size[1]))
            self.close()
            self._gl, self._size, self._thread = open_gl(*size), size, threading.current_thread()
            self._functions = None if self._plain else _functions()
            atexit.register(self._at_exit)
        self._make_current(self._gl)
        if self._context is not None and self._model is model:
            return self._context.own
        model.vis.global_.offwidth, model.vis.global_.offheight = self._size
        if self._context is None or not self._context.fit(model):
            self._context = self._make_context(model)
        if self._shadows is not None:
            self._shadows.begin(model)
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + _DECORATIONS)
        self._backdrop = _backdrop(model)
        self._culler = Culler(model, data, table_top(model, "table_visual"))
        self._model = model
        return self._context.own

    def _make_current(self, gl: GlContext) -> None:
        thread = threading.current_thread()
        if thread is not self._thread:
            raise UsageError(
                f"This renderer belongs to the thread {self._thread.name!r}, not to "
                f"{thread.name!r}; use it where its first frame was drawn, or make one for each "
                "thread."
            )
        gl.make_current()

    def _make_context(self, model: mujoco.MjModel) -> ReusedContext:
        self._free_context()
        context = ReusedContext(self._functions, model, self._option.geomgroup)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context.own)
        if self._model is None:
            check_colors(context.own, self._size)
        self._exact = None
        if self._functions is not None and context.own.shadowFBO:
            self._shadows = SharedShadows(self._functions, context.own)
        return context

    def _free_context(self) -> None:
        if self._shadows is not None:
            self._shadows.close()
        if self._context is not None:
            self._context.free()
        self._shadows = self._context = None

    def _aim(self, model: mujoco.MjModel, data: mujoco.MjData, camera: CameraSpec) -> None:
        view = mujoco.MjvCamera()
        view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        view.fixedcamid = model.camera(CAMERAS[camera.role]).id
        everything = int(mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(model, data, self._option, None, view, everything, self._scene)
        _cast_no_shadow(self._scene, self._backdrop)

    def _cast(self) -> bool:
        """Draws the shadow map for all cameras of this look, if it can be shared."""
        if self._shadows is None:
            return False
        if self._exact is None:
            self._exact = self._shadows.is_exact(self._scene)
        return self._exact is True and self._shadows.cast(self._scene)

    def _frame(
        self, context: mujoco.MjrContext, data: mujoco.MjData, camera: CameraSpec
    ) -> npt.NDArray[np.uint8]:
        area = mujoco.MjrRect(0, 0, camera.width, camera.height)
        with ExitStack() as stack:
            if self._shared and self._shadows is not None and self._culler is not None:
                self._culler.cull(self._scene, data, camera.width / camera.height)
                stack.enter_context(self._shadows.kept(self._scene))
            mujoco.mjr_render(area, self._scene, context)
        frame = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(frame, None, area, context)
        return np.ascontiguousarray(frame[::-1])


def _backdrop(model: mujoco.MjModel) -> frozenset[int]:
    """The geoms of walls and floor, if there are any."""
    kind, names = mujoco.mjtObj.mjOBJ_MATERIAL, (background.WALL, background.FLOOR)
    materials = {mujoco.mj_name2id(model, kind, name) for name in names} - {-1}
    return frozenset(g for g in range(model.ngeom) if int(model.geom_matid[g]) in materials)


def _cast_no_shadow(scene: mujoco.MjvScene, backdrop: frozenset[int]) -> None:
    """Makes walls and floor decoration, which gets shadows but throws none.

    They reach beyond the shadow map, and its last texels would be repeated all over them.
    """
    found, index = 0, 0
    while found < len(backdrop) and index < scene.ngeom:
        geom = scene.geoms[index]
        if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.objid in backdrop:
            geom.category = mujoco.mjtCatBit.mjCAT_DECOR
            found += 1
        index += 1


def _functions() -> OpenGL | None:
    """OpenGL for our own passes; None if it lacks something."""
    try:
        return OpenGL()
    except (AttributeError, ImportError):
        return None


def _close(reference: weakref.ref[Renderer]) -> None:
    renderer = reference()
    if renderer is not None:
        renderer.close()


def _what_to_show() -> mujoco.MjvOption:
    option = mujoco.MjvOption()
    option.geomgroup[0] = 0  # collision shapes
    option.sitegroup[:] = 0
    return option
