"""Where a hand that comes from above can hold a thing that stands upright."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vlabench.envs.objects.geometry import FINGER_BELOW_GRIP_SITE, FINGER_DEPTH, LOWEST_GRASP
from vlabench.types import Grasp

ALL_AROUND = tuple(k * math.pi / 4 for k in range(8))


def grasp_height(height: float) -> float:
    """Where the point between the pads goes on a thing of this height: deep, but not too deep."""
    return max(FINGER_BELOW_GRIP_SITE, height / 2, height - FINGER_DEPTH)


def grasps_across(
    width: float, z: float, yaws: Sequence[float], x: float = 0.0, y: float = 0.0
) -> tuple[Grasp, ...]:
    """From above, the fingers on both sides of (x, y); each closing direction and its opposite."""
    return tuple(
        Grasp(np.array([x, y, z]), from_above(yaw + turn), width)
        for yaw in yaws
        for turn in (0.0, math.pi)
    )


def grasps_across_bar(width: float, z: float = 0.0, x: float = 0.0) -> tuple[Grasp, ...]:
    """Across a bar along x, by default as low as the fingers reach."""
    return grasps_across(width, max(LOWEST_GRASP, z), [math.pi / 2], x)


def grasps_round(width: float, z: float) -> tuple[Grasp, ...]:
    """From above around an upright body, in any of 8 closing directions."""
    return grasps_across(width, z, [k * math.pi / 8 for k in range(8)])


def grasps_rim(
    radius: float, z: float, thickness: float, angles: Sequence[float] = ALL_AROUND
) -> tuple[Grasp, ...]:
    """From above, one finger inside and one outside of a rim, at these angles around it."""
    return tuple(
        grasp
        for angle in angles
        for grasp in grasps_across(
            thickness, z, [angle], radius * math.cos(angle), radius * math.sin(angle)
        )
    )


def from_above(yaw: float) -> npt.NDArray[np.float64]:
    """A hand that points down (z) and closes along the direction `yaw` (y)."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.round(np.array([[-s, c, 0.0], [c, s, 0.0], [0.0, 0.0, -1.0]]), 9)
