"""The EGL devices of a machine, and which of them a worker draws on.

Asked of libEGL directly, in the order that MuJoCo numbers them by (``MUJOCO_EGL_DEVICE_ID``, see
``mujoco/egl/__init__.py``): EGL_EXT_device_enumeration, EGL_EXT_device_query, and
EGL_NV_device_cuda, which says what CUDA calls a device.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from typing import Any

DEVICE, BACKEND = "MUJOCO_EGL_DEVICE_ID", "MUJOCO_GL"
"""The variables that MuJoCo chooses its renderer by."""

_MOST_DEVICES = 10  # as mujoco.egl.egl_ext.eglQueryDevicesEXT
_EXTENSIONS, _CUDA_DEVICE, _PLATFORM_DEVICE = 0x3055, 0x323A, 0x313F


@dataclass(frozen=True, slots=True)
class Device:
    """One EGL device.

    Attributes:
        number: What MuJoCo calls it.
        software: Whether it is no graphics card.
        cuda: What CUDA calls it; None if CUDA does not know it.
    """

    number: int
    software: bool = False
    cuda: int | None = None


def device_of_turn(devices: Sequence[Device], turn: int, taken: Collection[int] = ()) -> int | None:
    """The number of the device that the `turn`-th worker of a machine draws on.

    Where CUDA knows some devices, only those count: the others may be the same cards by another
    driver. Those that no policy computes on are preferred, because CUDA and EGL on one card may
    abort.

    Args:
        devices: What there is.
        turn: Counted from 0, among the workers of the machine.
        taken: The cards, by CUDA's numbers, that inference actors of the machine have been given.

    Returns:
        None where there are not several cards: then it is left to the machine.
    """
    cards = [device for device in devices if not device.software]
    cards = [device for device in cards if device.cuda is not None] or cards
    if len(cards) < 2:
        return None
    free = [device for device in cards if device.cuda not in taken] or cards
    return free[turn % len(free)].number


def choose_device(turn: int, taken: Collection[int], environment: Mapping[str, str]) -> int | None:
    """As `device_of_turn` for this machine; None where somebody has chosen already."""
    if DEVICE in environment or environment.get(BACKEND, "egl") != "egl":
        return None
    return device_of_turn(egl_devices(), turn, taken)


def egl_devices() -> list[Device]:
    """The EGL devices of this machine that can be drawn on; none if there is no libEGL."""
    name = find_library("EGL")
    if name is None:
        return []
    try:
        return _usable(ctypes.CDLL(name))
    except (OSError, AttributeError):
        return []


def _usable(egl: Any) -> list[Device]:
    address = egl.eglGetProcAddress
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    pointer, number = ctypes.c_void_p, ctypes.c_int

    def function(name: str, result: Any, *arguments: Any) -> Any:
        found = address(name.encode())
        if not found:
            raise AttributeError(name)
        return ctypes.CFUNCTYPE(result, *arguments)(found)

    query = function("eglQueryDevicesEXT", ctypes.c_uint, number, pointer, pointer)
    words = function("eglQueryDeviceStringEXT", ctypes.c_char_p, pointer, number)
    attribute = function("eglQueryDeviceAttribEXT", ctypes.c_uint, pointer, number, pointer)
    display_of = function("eglGetPlatformDisplayEXT", pointer, number, pointer, pointer)
    begin = function("eglInitialize", ctypes.c_uint, pointer, pointer, pointer)
    end = function("eglTerminate", ctypes.c_uint, pointer)
    handles, count = (ctypes.c_void_p * _MOST_DEVICES)(), ctypes.c_int()
    if not query(_MOST_DEVICES, handles, ctypes.byref(count)):
        return []
    found = []
    for which, handle in enumerate(handles[: count.value]):
        display = display_of(_PLATFORM_DEVICE, handle, None)
        if not display or not begin(display, None, None):
            continue
        if "mujoco.egl" not in sys.modules:  # whose display it may be, and in use
            end(display)
        extensions = (words(handle, _EXTENSIONS) or b"").decode().split()
        cuda = ctypes.c_ssize_t()
        known = "EGL_NV_device_cuda" in extensions
        known = known and attribute(handle, _CUDA_DEVICE, ctypes.byref(cuda))
        software = "EGL_MESA_device_software" in extensions
        found.append(Device(which, software, cuda.value if known else None))
    return found


def draw_on(device: int | None) -> None:
    """Makes this process draw on `device`; to be called before it draws anything."""
    if device is not None:
        os.environ.update({BACKEND: "egl", DEVICE: str(device)})
