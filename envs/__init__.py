"""The world: scenes, objects, tasks, axes and predicates in MuJoCo, behind Gymnasium.

Importing this package makes ``vlabench/PlaceOn-v0`` and its siblings known to Gymnasium.
"""

from __future__ import annotations

import os
from contextlib import suppress
from ctypes.util import find_library

from vlabench.errors import UsageError

if __name__ != "vlabench.envs":
    raise ImportError("Import this package as 'vlabench.envs', not as 'envs'.")

_GL_LIBRARIES = {
    "egl": ("EGL", "libegl1 libgl1-mesa-dri"),
    "osmesa": ("OSMesa", "libosmesa6"),
}

_SWITCHES = {"enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0"}
_TAKEN = {"", "glfw", "glx", *_SWITCHES, *_GL_LIBRARIES}

# where MUJOCO_GL names a library that is not there, or nothing, MuJoCo itself cannot be imported
_chosen = os.environ.get("MUJOCO_GL", "").lower()
if _chosen not in _TAKEN:
    raise UsageError(
        f"MUJOCO_GL is {_chosen!r}; unset it, or set it to one of {', '.join(_GL_LIBRARIES)}, glfw."
    )
if _chosen in _GL_LIBRARIES and find_library(_GL_LIBRARIES[_chosen][0]) is None:
    raise UsageError(
        f"MUJOCO_GL is {_chosen!r}, which is not installed; unset it, or install it with "
        f"'apt-get install {_GL_LIBRARIES[_chosen][1]}'."
    )

WORLDS = {"tabletop": "vlabench.envs.world:TabletopWorld"}


def _register_environments() -> None:
    """Makes ``vlabench/<Task>-v0`` known to Gymnasium, which looks for no plugins since 1.0."""
    from gymnasium.envs.registration import register

    from vlabench.envs.tasks import GYM_IDS

    for task, gym_id in GYM_IDS.items():
        register(
            id=f"vlabench/{gym_id}-v0",
            entry_point="vlabench.envs.env:TabletopEnv",
            kwargs={"task": task},
        )


# tables are built without Gymnasium, and may still ask for the names of tasks and axes
with suppress(ImportError):
    _register_environments()
