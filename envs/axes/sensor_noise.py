"""Sensor noise: what the cameras deliver is worse than what they see.

Four visual axes, one a kind of noise. Every camera has it, at any size, in every frame. The
severity is drawn from the ring of the level; a frame without noise has severity 0:

====== ================ ============== ============ ==================
level  noise-blur       noise-gaussian noise-jpeg   noise-occlusion
====== ================ ============== ============ ==================
L1     0.3-0.6 %        4-9            50-70        3-6 %
L2     0.6-1.2 %        9-18           70-85        6-12 %
L3     1.2-2.4 %        18-36          85-92        12-24 %
====== ================ ============== ============ ==================

- blur: standard deviation of a Gaussian, in hundredths of the frame's height;
- gaussian: standard deviation in grey levels, each channel of each pixel on its own;
- jpeg: 100 less the quality of the compression, colours at half size;
- occlusion: part of the frame that lies behind dark spots, as of dirt on the lens; they have soft
  edges and stay where they are for the whole episode.

What is random is keyed by the episode's noise, the camera and the step, so a frame does not depend
on which others were looked at. The arithmetic is in whole numbers.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.tasks.base import Task
from vlabench.errors import UsageError
from vlabench.seeding import stream
from vlabench.types import Json

FACTOR = "noise"

Frame: TypeAlias = npt.NDArray[np.uint8]
Kind: TypeAlias = Literal["blur", "gaussian", "jpeg", "occlusion"]


class _SensorNoise(Axis):
    """Noise of one kind."""

    kind = "visual"
    levels = ("L1", "L2", "L3")
    noise: ClassVar[Kind]
    rings: ClassVar[tuple[Ring, Ring, Ring]]

    def factors(self, task: Task) -> frozenset[str]:
        """The noise alone."""
        return frozenset({FACTOR})

    def draw(
        self, task: Task, nominal: Mapping[str, Json], level: str, rng: np.random.Generator
    ) -> dict[str, Json]:
        """A severity from the ring of `level`, and a seed for what is random in the frames."""
        severity = self.rings[self.levels.index(level)].draw(rng)
        seed = int(rng.integers(2**31))
        return {FACTOR: {"kind": self.noise, "severity": severity, "seed": seed}}


class Blur(_SensorNoise):
    """The lens is out of focus."""

    name = "noise-blur"
    noise = "blur"
    rings = (Ring(0.3, 0.6), Ring(0.6, 1.2), Ring(1.2, 2.4))


class Gaussian(_SensorNoise):
    """The sensor is noisy."""

    name = "noise-gaussian"
    noise = "gaussian"
    rings = (Ring(4.0, 9.0), Ring(9.0, 18.0), Ring(18.0, 36.0))


class Jpeg(_SensorNoise):
    """Frames come through a narrow line."""

    name = "noise-jpeg"
    noise = "jpeg"
    rings = (Ring(50.0, 70.0), Ring(70.0, 85.0), Ring(85.0, 92.0))


class Occlusion(_SensorNoise):
    """The lens is dirty."""

    name = "noise-occlusion"
    noise = "occlusion"
    rings = (Ring(3.0, 6.0), Ring(6.0, 12.0), Ring(12.0, 24.0))


def apply(frame: Frame, noise: Mapping[str, Json] | None, role: str, step: int) -> Frame:
    """What the camera delivers of `frame`, ``(H, W, 3) uint8``; with no noise, the frame itself.

    Args:
        frame: What it sees.
        noise: The factor's value.
        role: Of the camera.
        step: Of the episode.

    Raises:
        UsageError: If there is no noise of that kind.
    """
    if noise is None:
        return frame
    severity, seed = float(noise["severity"]), int(noise["seed"])
    match noise["kind"]:
        case "blur":
            return _blurred(frame, severity)
        case "gaussian":
            return _noisy(frame, severity, stream("noise", seed, role, step))
        case "jpeg":
            return _compressed(frame, severity)
        case "occlusion":
            return _dirty(frame, _dirt(seed, role, severity, *frame.shape[:2]))
    raise UsageError(
        f"There is no noise of the kind {noise['kind']!r}; use blur, gaussian, jpeg or occlusion."
    )


# --- kinds ------------------------------------------------------------------------------------


def _blurred(frame: Frame, severity: float) -> Frame:
    radius = severity / 100 * frame.shape[0]
    return np.array(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(radius)))


_BYTES = 4
_SPREAD = 147.79
"""The sum of four random bytes is close to normal: its mean is 510, this its deviation."""


def _noisy(frame: Frame, severity: float, rng: np.random.Generator) -> Frame:
    drawn = np.frombuffer(rng.bytes(_BYTES * frame.size), dtype=np.uint8).reshape(_BYTES, -1)
    total = drawn[0].astype(np.int32)
    for more in drawn[1:]:
        total += more
    total -= 510
    total *= round(severity / _SPREAD * 65536)
    total >>= 16
    total += frame.ravel()
    noisy: Frame = total.clip(0, 255).astype(np.uint8).reshape(frame.shape)
    return noisy


def _compressed(frame: Frame, severity: float) -> Frame:
    sent = io.BytesIO()
    quality = max(1, 100 - round(severity))
    Image.fromarray(frame).save(sent, "JPEG", quality=quality, subsampling=2)
    return np.array(Image.open(sent).convert("RGB"))


_SPOTS = 40
"""More are never needed."""

_DIRT = np.array([26, 23, 19], dtype=np.int32)

_OPAQUE = 224
"""Of 256: a little light comes through."""


def _dirty(frame: Frame, dirt: npt.NDArray[np.int32]) -> Frame:
    seen: Frame = ((frame * (256 - dirt) + _DIRT * dirt) >> 8).astype(np.uint8)
    return seen


@lru_cache(maxsize=16)
def _dirt(seed: int, role: str, severity: float, height: int, width: int) -> npt.NDArray[np.int32]:
    """How opaque each pixel is, of 256, ``(height, width, 1)``.

    Spots are added until they cover as much as they should.
    """
    rng = stream("dirt", seed, role)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    dirt = np.zeros((height, width), dtype=np.int32)
    for _ in range(_SPOTS):
        y, x = int(rng.integers(1000)) * height, int(rng.integers(1000)) * width
        radius = int(rng.integers(40, 110)) * height
        squared = (rows * 1000 - y) ** 2 + (columns * 1000 - x) ** 2
        # from the middle out: opaque up to half the radius, then fading
        left = 4 * 256 - squared * 4 * 256 // radius**2
        dirt = np.maximum(dirt, np.clip(left * _OPAQUE // (3 * 256), 0, _OPAQUE).astype(np.int32))
        if 100 * int(dirt.sum()) >= severity * _OPAQUE * height * width:
            break
    dirt.setflags(write=False)
    return dirt[:, :, None]
