"""Converters of images, from an upright RGB image to what a policy looks at.

All but `Floats01` and `ChannelsFirst`, which come last, turn ``(H, W, 3) uint8`` into the same.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.contract.convert import Converter
from vlabench.contract.specs import CameraSpec, Filter, Fit
from vlabench.types import Floats

Image: TypeAlias = npt.NDArray[np.uint8]
"""``(H, W, 3)``, RGB, upright."""

Shown: TypeAlias = npt.NDArray[Any]
"""An image as a policy sees it: perhaps turned, in floats, or with its channels first."""


class ImageConverter(Converter, Protocol):
    """Turns one image into another."""

    def __call__(self, image: Shown) -> Shown:
        """A new image."""
        ...


def image_steps(camera: CameraSpec) -> tuple[ImageConverter, ...]:
    """What is done to the image of `camera` before its policy looks, in order."""
    steps: list[ImageConverter] = []
    if camera.rotated:
        steps.append(HalfTurn())
    if camera.mirrored:
        steps.append(Mirror())
    if camera.jpeg_quality is not None:
        steps.append(JpegRoundTrip(camera.jpeg_quality))
    if camera.resized is not None:
        steps.append(Resize(*camera.resized, camera.resize_filter, camera.resize_fit))
    if camera.crop_area is not None:
        steps.append(CentreCrop(camera.crop_area))
    if camera.dtype == "float32":
        steps.append(Floats01())
    if camera.layout == "chw":
        steps.append(ChannelsFirst())
    return tuple(steps)


def as_pictures(shown: Shown, camera: CameraSpec) -> tuple[Image, ...]:
    """What a policy sees through `camera`, as images that a person can look at, oldest first.

    Layout, type and the axis of time are undone; what the policy sees turned stays turned.
    """
    several: Sequence[Shown] = list(shown) if camera.history > 1 else [shown]
    upright = [np.moveaxis(one, 0, -1) if camera.layout == "chw" else one for one in several]
    if camera.dtype == "float32":
        upright = [np.rint(np.clip(one, 0, 1) * 255).astype(np.uint8) for one in upright]
    return tuple(np.ascontiguousarray(one, dtype=np.uint8) for one in upright)


@dataclass(frozen=True, slots=True)
class HalfTurn:
    """The image stands on its head: turned by 180 degrees."""

    def __call__(self, image: Shown) -> Shown:
        """The turned image."""
        return np.ascontiguousarray(image[::-1, ::-1])

    def describe(self) -> str:
        """What it does, in a few words."""
        return "turned by 180 degrees"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Left and right change places."""

    def __call__(self, image: Shown) -> Shown:
        """The mirrored image."""
        return np.ascontiguousarray(image[:, ::-1])

    def describe(self) -> str:
        """What it does, in a few words."""
        return "mirrored left to right"


@dataclass(frozen=True, slots=True)
class JpegRoundTrip:
    """What JPEG leaves of an image: 4:2:0 chroma, `quality` from 1 to 95."""

    quality: int

    def __call__(self, image: Shown) -> Shown:
        """The image after it was encoded and decoded."""
        from PIL import Image as Pillow

        buffer = io.BytesIO()
        Pillow.fromarray(image).save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
        buffer.seek(0)
        with Pillow.open(buffer) as decoded:
            return np.array(decoded, dtype=np.uint8)

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"JPEG round trip at quality {self.quality}"


@dataclass(frozen=True, slots=True)
class Resize:
    """Pillow's resampling, with antialiasing, to `height` × `width` pixels.

    With ``"pad"`` the image keeps its shape, is as large as fits, and lies in the middle of black:
    the sizes and the borders are those of ``resize_with_pad`` in openpi's ``image_tools.py``, which
    rounds them down.
    """

    height: int
    width: int
    filter: Filter = "lanczos"
    fit: Fit = "stretch"

    def __call__(self, image: Shown) -> Shown:
        """The resampled image."""
        if self.fit == "stretch":
            return self._resampled(image, self.height, self.width)
        height, width = image.shape[:2]
        if (height, width) == (self.height, self.width):
            return image.copy()
        ratio = max(width / self.width, height / self.height)
        inner = self._resampled(image, int(height / ratio), int(width / ratio))
        top = max(0, int((self.height - inner.shape[0]) / 2))
        left = max(0, int((self.width - inner.shape[1]) / 2))
        padded = np.zeros((self.height, self.width, 3), dtype=np.uint8)
        padded[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return padded

    def _resampled(self, image: Shown, height: int, width: int) -> Shown:
        from PIL import Image as Pillow

        kind = Pillow.Resampling[_PILLOW[self.filter]]
        return np.array(Pillow.fromarray(image).resize((width, height), kind), dtype=np.uint8)

    def describe(self) -> str:
        """What it does, in a few words."""
        how = "" if self.fit == "stretch" else ", padded with black"
        return f"resized to {self.height} x {self.width} ({self.filter}{how})"


_PILLOW = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "lanczos": "LANCZOS",
    "area": "BOX",
}


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """Keeps the middle `area` (a share of the whole) and scales it back, bilinearly.

    Follows ``tf.image.crop_and_resize`` and the cast to uint8 after it, with which OpenVLA's
    evaluation crops (``crop_and_resize`` of its ``openvla_utils.py``): the corners of the crop
    land on the corners of the result, and a value is scaled by 255.5 / 255 and cut off.
    """

    area: float

    def __call__(self, image: Shown) -> Shown:
        """The crop, as large as `image`."""
        height, width = image.shape[:2]
        side = self.area**0.5
        top, bottom, down = _neighbours(height, side)
        left, right, across = _neighbours(width, side)
        down, across = down[:, None, None], across[None, :, None]
        pixels = image.astype(np.float64)
        above = pixels[top][:, left] * (1 - across) + pixels[top][:, right] * across
        below = pixels[bottom][:, left] * (1 - across) + pixels[bottom][:, right] * across
        mixed = above * (1 - down) + below * down
        cut: Image = np.floor(np.clip(mixed * (255.5 / 255.0), 0, 255)).astype(np.uint8)
        return cut

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"centre crop of {self.area:g} of the area"


def _neighbours(
    pixels: int, side: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Where each of `pixels` samples of the middle `side` of a line falls: between, how far."""
    first, step = (1 - side) / 2 * (pixels - 1), side
    where = first + np.arange(pixels) * step
    low = np.clip(np.floor(where), 0, pixels - 1).astype(np.intp)
    return low, np.minimum(low + 1, pixels - 1), where - low


@dataclass(frozen=True, slots=True)
class Floats01:
    """Bytes become float32 in [0, 1]."""

    def __call__(self, image: Shown) -> Shown:
        """The image in floats."""
        return image.astype(np.float32) / np.float32(255)

    def describe(self) -> str:
        """What it does, in a few words."""
        return "float32 in [0, 1]"


@dataclass(frozen=True, slots=True)
class ChannelsFirst:
    """``(H, W, 3)`` becomes ``(3, H, W)``."""

    def __call__(self, image: Shown) -> Shown:
        """The image, channels first."""
        return np.ascontiguousarray(np.moveaxis(image, -1, 0))

    def describe(self) -> str:
        """What it does, in a few words."""
        return "channels first"
