"""The few OpenGL functions that we call ourselves, without PyOpenGL's own cost per call.

MuJoCo draws nearly everything. What it cannot be told (keep this shadow map, draw only these
casters) takes plain calls into the same context, some hundreds a frame.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

NONE = 0
DEPTH_BUFFER_BIT = 0x0100
GEQUAL = 0x0206
FRONT_AND_BACK, FILL = 0x0408, 0x1B02
TEXTURE_2D = 0x0DE1
DEPTH_TEST = 0x0B71
UNSIGNED_INT = 0x1405
MODELVIEW, PROJECTION = 0x1700, 0x1701
DEPTH_COMPONENT = 0x1902
FLAT = 0x1D00
NEAREST, TEXTURE_MAG_FILTER, TEXTURE_MIN_FILTER = 0x2600, 0x2800, 0x2801
POLYGON_OFFSET_FILL = 0x8037
DEPTH_STENCIL, UNSIGNED_INT_24_8, DEPTH24_STENCIL8 = 0x84F9, 0x84FA, 0x88F0
LOWER_LEFT, ZERO_TO_ONE = 0x8CA1, 0x935F
DEPTH_ATTACHMENT, FRAMEBUFFER = 0x8D00, 0x8D40

UNUSED_BY_SHADOWS = (0x0B44, 0x0B50, 0x0B90, 0x0BC0, 0x0BE2, 0x0C11)
"""Culling, lighting, stencil, alpha test, blending, scissor."""

_INT, _FLOAT, _DOUBLE = ctypes.c_int, ctypes.c_float, ctypes.c_double
_BYTE, _ADDRESS = ctypes.c_ubyte, ctypes.c_void_p

_ARGUMENTS: dict[str, tuple[type, ...]] = {
    "BindFramebuffer": (_INT, _INT),
    "BindTexture": (_INT, _INT),
    "CallList": (_INT,),
    "Clear": (_INT,),
    "ClearDepth": (_DOUBLE,),
    "ClipControl": (_INT, _INT),
    "ColorMask": (_BYTE, _BYTE, _BYTE, _BYTE),
    "CopyImageSubData": (_INT,) * 15,
    "DeleteFramebuffers": (_INT, _ADDRESS),
    "DeleteLists": (_INT, _INT),
    "DeleteTextures": (_INT, _ADDRESS),
    "DepthFunc": (_INT,),
    "DepthMask": (_BYTE,),
    "DepthRange": (_DOUBLE, _DOUBLE),
    "Disable": (_INT,),
    "DrawBuffer": (_INT,),
    "Enable": (_INT,),
    "FramebufferTexture2D": (_INT,) * 5,
    "GenFramebuffers": (_INT, _ADDRESS),
    "GenLists": (_INT,),
    "GenTextures": (_INT, _ADDRESS),
    "GetError": (),
    "IsFramebuffer": (_INT,),
    "IsList": (_INT,),
    "IsRenderbuffer": (_INT,),
    "IsTexture": (_INT,),
    "LoadIdentity": (),
    "MatrixMode": (_INT,),
    "MultMatrixf": (_ADDRESS,),
    "Ortho": (_DOUBLE,) * 6,
    "PolygonMode": (_INT, _INT),
    "PolygonOffset": (_FLOAT, _FLOAT),
    "PopMatrix": (),
    "PushMatrix": (),
    "ReadBuffer": (_INT,),
    "ReadPixels": (_INT,) * 6 + (_ADDRESS,),
    "Scalef": (_FLOAT,) * 3,
    "ShadeModel": (_INT,),
    "TexImage2D": (_INT,) * 8 + (_ADDRESS,),
    "TexParameteri": (_INT,) * 3,
    "Translatef": (_FLOAT,) * 3,
    "Viewport": (_INT,) * 4,
}
_RETURNS_INT = frozenset(
    {"GenLists", "GetError", "IsFramebuffer", "IsList", "IsRenderbuffer", "IsTexture"}
)


class OpenGL:
    """Functions of the OpenGL that PyOpenGL has loaded; ``gl.CallList`` is ``glCallList``.

    Made after MuJoCo's context, because MuJoCo says which OpenGL PyOpenGL has to load.

    Raises:
        AttributeError: If this OpenGL lacks one of the functions.
    """

    def __init__(self) -> None:
        platform = importlib.import_module("OpenGL.platform").PLATFORM
        for name, arguments in _ARGUMENTS.items():
            result = _INT if name in _RETURNS_INT else None
            setattr(self, name, _function(platform, f"gl{name}", result, arguments))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"there is no gl{name}")

    def generate(self, kind: str) -> int:
        """A new name of a texture or a framebuffer; `kind` is ``Textures`` or ``Framebuffers``."""
        name = ctypes.c_uint()
        getattr(self, f"Gen{kind}")(1, ctypes.byref(name))
        return name.value

    def delete(self, kind: str, name: int) -> None:
        """Frees what `generate` made; what is gone already is left alone."""
        getattr(self, f"Delete{kind}")(1, ctypes.byref(ctypes.c_uint(name)))

    def names_in_use(self, most: int = 1 << 16) -> dict[str, int]:
        """How many textures, ... of the current context there are with names up to `most`.

        Some OpenGLs never give a name twice, so names grow where things come and go.
        """
        kinds = ("Texture", "Framebuffer", "Renderbuffer", "List")
        asked = {kind: getattr(self, f"Is{kind}") for kind in kinds}
        return {
            kind: sum(1 for name in range(1, most + 1) if is_one(name) & 255)
            for kind, is_one in asked.items()
        }


def _function(
    platform: Any, name: str, result: type[ctypes.c_int] | None, arguments: tuple[type, ...]
) -> Callable[..., Any]:
    known = getattr(platform.GL, name, None)
    if known is None:
        address = platform.getExtensionProcedure(name.encode())
    else:
        address = ctypes.cast(known, ctypes.c_void_p).value
    if not address:
        raise AttributeError(f"there is no {name}")
    return ctypes.CFUNCTYPE(result, *arguments)(address)
