"""Draws a planner's 2-D paths onto the image that a policy sees.

HAMSTER (arXiv:2502.05485) conditions its low-level policy so: a line along the path, its colour
going from start to end, and a ring where the gripper is to open or close. A path is told in the
upright image as the camera renders it; what the policy's own preprocessing does to the image
(turning, mirroring, padding, cropping) is done to the points too, and the line is drawn last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vlabench.contract.images import Shown
from vlabench.contract.specs import CameraSpec
from vlabench.plans import Path2D, Pixel

if TYPE_CHECKING:
    from PIL import ImageDraw

START, END = (0, 0, 255), (255, 0, 0)
"""Colours, RGB, of a path's first and last point."""

OPENS, CLOSES = (0, 255, 0), (255, 255, 0)
"""Colours of the rings where the gripper is to open, and to close."""


def drawn(image: Shown, camera: CameraSpec, paths: Sequence[Path2D]) -> Shown:
    """A copy of `image`, which is as `camera` declares it, with those of `paths` in its camera."""
    mine = [path for path in paths if path.camera == camera.role]
    if not mine:
        return image
    if camera.history > 1:
        return np.stack([_drawn(frame, camera, mine) for frame in image])
    return _drawn(image, camera, mine)


def placed(point: Pixel, camera: CameraSpec) -> Pixel:
    """Where a point of the upright image is in the image that the policy sees, in shares of it.

    What was cropped away is outside [0, 1].
    """
    x, y = point
    if camera.rotated:
        x, y = 1 - x, 1 - y
    if camera.mirrored:
        x = 1 - x
    if camera.resized is not None and camera.resize_fit == "pad":
        height, width = camera.resized
        scale = min(height / camera.height, width / camera.width)
        x = 0.5 + (x - 0.5) * scale * camera.width / width
        y = 0.5 + (y - 0.5) * scale * camera.height / height
    if camera.crop_area is not None:
        side = math.sqrt(camera.crop_area)
        x, y = 0.5 + (x - 0.5) / side, 0.5 + (y - 0.5) / side
    return x, y


def _drawn(image: Shown, camera: CameraSpec, paths: Sequence[Path2D]) -> Shown:
    from PIL import Image, ImageDraw

    upright = image.transpose(1, 2, 0) if camera.layout == "chw" else image
    floats = camera.dtype == "float32"
    pixels = np.round(upright * 255).astype(np.uint8) if floats else upright
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    pen = ImageDraw.Draw(picture)
    width = max(1, round(min(picture.size) / 100))
    for path in paths:
        _draw(pen, path, camera, picture.size, width)
    after: npt.NDArray[np.uint8] = np.asarray(picture)
    touched = (after != pixels).any(axis=-1, keepdims=True)
    marked = np.where(touched, after.astype(image.dtype) / (255 if floats else 1), upright)
    marked = marked.astype(image.dtype)
    return np.ascontiguousarray(marked.transpose(2, 0, 1) if camera.layout == "chw" else marked)


def _draw(
    pen: ImageDraw.ImageDraw, path: Path2D, camera: CameraSpec, size: tuple[int, int], width: int
) -> None:
    shares = [placed(point, camera) for point in path.points]
    points = [(x * size[0] - 0.5, y * size[1] - 0.5) for x, y in shares]
    last = max(1, len(points) - 1)
    for number, (one, other) in enumerate(pairwise(points)):
        pen.line([one, other], fill=_between(number / last), width=width)
    if len(points) == 1:
        pen.ellipse(_around(points[0], width), fill=START)
    before: bool | None = None
    for point, is_open in zip(points, path.gripper_open, strict=False):
        if is_open != before:
            colour = OPENS if is_open else CLOSES
            pen.ellipse(_around(point, 2 * width), outline=colour, width=width)
        before = is_open


def _between(share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(START, END, strict=True))
    return red, green, blue


def _around(point: Pixel, radius: float) -> tuple[float, float, float, float]:
    x, y = point
    return x - radius, y - radius, x + radius, y + radius
