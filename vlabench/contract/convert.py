"""Pure converters between a policy's conventions and the canonical ones.

Each is a frozen dataclass of plain numbers that is called with an array and returns a new one,
so a pipeline of them can be printed, hashed and tested one by one. What feeds the physics uses
elementwise algebra alone, which gives the same bits on every processor.
"""

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.types import Floats, Json

Image: TypeAlias = npt.NDArray[np.uint8]
"""``(H, W, 3)``, RGB, upright."""


class ImageConverter(Protocol):
    """Turns one image into another."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, image: Image) -> Image:
        """A new ``(H, W, 3) uint8`` image."""
        ...

    def describe(self) -> str:
        """What it does, in a few words."""
        ...


class ActionConverter(Protocol):
    """Turns one chunk of actions into another."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, actions: Floats) -> Floats:
        """A new ``(T, 7)`` array of float64."""
        ...

    def describe(self) -> str:
        """What it does, in a few words."""
        ...


def to_json(converter: ImageConverter | ActionConverter) -> dict[str, Json]:
    """The converter's name and its numbers, as plain values."""
    return {"converter": type(converter).__name__, **asdict(converter)}


# --- images -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mirror:
    """Left and right change places."""

    def __call__(self, image: Image) -> Image:
        """The mirrored image."""
        return np.ascontiguousarray(image[:, ::-1])

    def describe(self) -> str:
        """What it does, in a few words."""
        return "mirrored left to right"


@dataclass(frozen=True, slots=True)
class JpegRoundTrip:
    """What JPEG leaves of an image: 4:2:0 chroma, `quality` from 1 to 95."""

    quality: int

    def __call__(self, image: Image) -> Image:
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
    """Lanczos resampling with antialiasing, to `height` × `width` pixels."""

    height: int
    width: int

    def __call__(self, image: Image) -> Image:
        """The resampled image."""
        from PIL import Image as Pillow

        resized = Pillow.fromarray(image).resize(
            (self.width, self.height), Pillow.Resampling.LANCZOS
        )
        return np.array(resized, dtype=np.uint8)

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"resized to {self.height} x {self.width} (Lanczos)"


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """Keeps the middle `area` (a share of the whole) and scales it back, bilinearly.

    Follows ``tf.image.crop_and_resize`` and the cast to uint8 after it, with which OpenVLA's
    evaluation crops (``crop_and_resize`` of its ``openvla_utils.py``): the corners of the crop
    land on the corners of the result, and a value is scaled by 255.5 / 255 and cut off.
    """

    area: float

    def __call__(self, image: Image) -> Image:
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


# --- actions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """Makes steps normalized: 1 becomes `translation` and `rotation` of the largest step.

    The quotients are kept as two numbers, so that a division happens once and rounds once.

    Attributes:
        translation: Metres that the policy's 1 means.
        rotation: Radians that the policy's 1 means.
        max_translation: Metres of the environment's largest step.
        max_rotation: Radians of the environment's largest step.
    """

    translation: float
    rotation: float
    max_translation: float
    max_rotation: float

    def __call__(self, actions: Floats) -> Floats:
        """Actions in units of the environment's largest step."""
        scaled = actions.copy()
        with np.errstate(over="ignore"):
            scaled[:, :3] = actions[:, :3] * self.translation / self.max_translation
            scaled[:, 3:6] = actions[:, 3:6] * self.rotation / self.max_rotation
        return scaled

    def describe(self) -> str:
        """What it does, in a few words."""
        return (
            f"1 of {self.translation:g} m and {self.rotation:g} rad -> "
            f"1 of {self.max_translation:g} m and {self.max_rotation:g} rad"
        )


@dataclass(frozen=True, slots=True)
class Gripper:
    """Maps the last number from the policy's range and polarity to the environment's.

    Attributes:
        policy_open: The policy's number that opens.
        policy_close: The policy's number that closes.
        env_open: The environment's number that opens.
        env_close: The environment's number that closes.
        threshold: The policy's numbers are split here into all open and all closed; the
            threshold itself closes. None to map in proportion.
    """

    policy_open: float
    policy_close: float
    env_open: float
    env_close: float
    threshold: float | None = None

    def __call__(self, actions: Floats) -> Floats:
        """Actions with the environment's gripper."""
        closing = self._closing_share(actions[:, 6])
        mapped = actions.copy()
        mapped[:, 6] = self.env_open * (1 - closing) + self.env_close * closing
        return mapped

    def _closing_share(self, grip: Floats) -> Floats:
        if self.threshold is not None:
            towards_open = math.copysign(1.0, self.policy_open - self.policy_close)
            return np.where((grip - self.threshold) * towards_open > 0, 0.0, 1.0)
        share: Floats = (grip - self.policy_open) / (self.policy_close - self.policy_open)
        return np.clip(share, 0, 1)

    def describe(self) -> str:
        """What it does, in a few words."""
        split = "" if self.threshold is None else f", split at {self.threshold:g}"
        return (
            f"gripper {self.policy_open:g} open, {self.policy_close:g} closed{split} -> "
            f"{self.env_open:g} open, {self.env_close:g} closed"
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """Cuts every number off at `low` and `high`."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, actions: Floats) -> Floats:
        """Actions inside the environment's range."""
        return np.clip(actions, self.low, self.high)

    def describe(self) -> str:
        """What it does, in a few words."""
        return f"clipped to [{self.low:g}, {self.high:g}]"
