"""OpenGL where there is no screen: which one, and whether it draws at all."""

from __future__ import annotations

import importlib
import os
from ctypes.util import find_library
from typing import Protocol

import mujoco
import numpy as np

from vlabench.errors import UsageError

_KNOWN_COLOR = (51, 153, 204)

_BACKENDS = {"egl": "mujoco.egl", "osmesa": "mujoco.osmesa", "glfw": "mujoco.glfw"}


class GlContext(Protocol):
    """One of MuJoCo's."""

    def make_current(self) -> None:
        """Whatever is drawn from now on is drawn here."""

    def free(self) -> None:
        """Ends it."""


def open_gl(width: int, height: int) -> GlContext:
    """An off-screen OpenGL context: what MUJOCO_GL names, else EGL where it is, else OSMesa.

    Raises:
        UsageError: If none can be made; the text says what to install.
    """
    name = os.environ.get("MUJOCO_GL", "").lower() or ("egl" if find_library("EGL") else "osmesa")
    if name not in _BACKENDS:
        raise UsageError(
            f"MUJOCO_GL is {name!r}; unset it, or set it to one of {', '.join(_BACKENDS)}."
        )
    try:
        context: GlContext = importlib.import_module(_BACKENDS[name]).GLContext(width, height)
        context.make_current()
    except Exception as error:
        raise UsageError(
            f"No OpenGL for rendering here ({name}: {error}); install a software one with "
            "'apt-get install libegl1 libgl1-mesa-dri', or 'apt-get install libosmesa6' and set "
            "MUJOCO_GL=osmesa; see 'vlabench doctor'."
        ) from error
    return context


def check_colors(context: mujoco.MjrContext, size: tuple[int, int]) -> None:
    """Draws a known colour and reads it back: a broken OpenGL may draw nothing, very fast."""
    area = mujoco.MjrRect(0, 0, *size)
    mujoco.mjr_rectangle(area, *(part / 255 for part in _KNOWN_COLOR), 1.0)
    frame = np.empty((size[1], size[0], 3), dtype=np.uint8)
    mujoco.mjr_readPixels(frame, None, area, context)
    if np.abs(frame.astype(int) - _KNOWN_COLOR).max() > 1:
        raise UsageError(
            f"OpenGL draws wrong colours here ({frame[0, 0].tolist()} instead of "
            f"{list(_KNOWN_COLOR)}); try another with MUJOCO_GL, and see 'vlabench doctor'."
        )
