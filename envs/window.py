"""A window on a scene: MuJoCo's viewer, where there is a screen."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mujoco

from vlabench.envs import views
from vlabench.errors import UsageError

BACK = 1.25
"""How much further away than the main camera the viewer begins."""


@contextmanager
def viewer(model: mujoco.MjModel, data: mujoco.MjData) -> Iterator[Callable[[], bool]]:
    """Opens MuJoCo's viewer; what is yielded draws `data` as it is, and says whether it is open.

    The viewer only looks: steps are taken by whoever opened it.

    Raises:
        UsageError: If there is no screen; the text says what else there is.
    """
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in screens):
        raise UsageError(
            "There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set) for a window; "
            "leave out --interactive to make a film instead."
        )
    try:
        handle = importlib.import_module("mujoco.viewer").launch_passive(
            model, data, show_left_ui=False, show_right_ui=False
        )
    except Exception as error:
        raise UsageError(
            f"MuJoCo's viewer does not open here ({error}); leave out --interactive to make a film "
            "instead."
        ) from error

    view = views.view(views.MAIN)
    azimuth, elevation = view.direction  # of the camera as seen from what it looks at
    with handle.lock():
        handle.opt.geomgroup[0] = 0  # collision shapes
        handle.opt.sitegroup[:] = 0
        handle.cam.lookat[:] = view.target
        handle.cam.distance = BACK * math.dist(view.eye, view.target)
        handle.cam.azimuth, handle.cam.elevation = azimuth + 180.0, -elevation

    def show() -> bool:
        if not handle.is_running():
            return False
        handle.sync()
        return True

    with handle:
        yield show
