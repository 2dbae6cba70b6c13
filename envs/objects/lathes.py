"""Forms turned on a lathe: open vessels, whose walls are rings of boxes, and closed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlabench.envs.objects.collision import FLAT, LIFT, base_plate, column, disc, wall
from vlabench.envs.objects.geometry import Mesh, Shape, Visual
from vlabench.envs.objects.grasps import ALL_AROUND, grasp_height, grasps_rim, grasps_round
from vlabench.envs.objects.meshes import hoop, revolve

Profile = list[tuple[float, float]]

RIM_GRASP = 0.018
"""How far below a rim the point between the pads goes."""


def open_profile(foot: float, rim: float, height: float, thickness: float, floor: float) -> Profile:
    """The profile of an open vessel with straight walls, slightly rounded at foot and rim."""
    t = thickness
    return [
        (0.0, 0.0),
        (foot - 0.002, 0.0),
        (foot, 0.002),
        (rim, height - t / 2),
        (rim - t / 2, height),
        (rim - t, height - t / 2),
        (foot - t + 0.001, floor + 0.003),
        (foot - t - 0.004, floor),
        (0.0, floor),
    ]


def solid_profile(radius: float, low: float, high: float, edge: float = 0.002) -> Profile:
    """The profile of a cylinder with slightly rounded edges."""
    return [
        (0.0, low),
        (radius - edge, low),
        (radius, low + edge),
        (radius, high - edge),
        (radius - edge, high),
        (0.0, high),
    ]


def band(radius: float, low: float, high: float, out: float = 0.0006) -> Mesh:
    """A band around a round body: a label, a stripe, a rim."""
    inner, outer = radius - 0.001, radius + out
    return hoop([(inner, low), (outer, low), (outer, high), (inner, high)])


def vessel(
    foot: float,
    rim: float,
    height: float,
    thickness: float,
    *,
    floor: float = 0.006,
    rim_angles: Sequence[float] = ALL_AROUND,
    trim: Sequence[Visual] = (),
) -> Shape:
    """An open vessel with straight walls, taken by its rim."""
    return Shape(
        visuals=(Visual(revolve(open_profile(foot, rim, height, thickness, floor))), *trim),
        pieces=(
            base_plate(foot * 0.66, foot * 0.66, floor),
            disc(foot - thickness, LIFT, floor),
            *wall(foot, rim, LIFT, height, thickness),
        ),
        height=height,
        radius=rim,
        grasps=grasps_rim(rim - thickness / 2, height - RIM_GRASP, thickness, rim_angles),
        surface_height=floor,
        surface_radius=foot - thickness - 0.004,
    )


def rounded_bowl(
    foot: float,
    rim: float,
    height: float,
    thickness: float = 0.005,
    *,
    floor: float = 0.008,
    segments: int = 40,
) -> Shape:
    """An open vessel whose wall goes out and then up."""
    outer = [
        (foot + (rim - foot) * math.sin(a), 0.004 + (height - 0.006) * (1 - math.cos(a)))
        for a in (k * math.pi / 2 / 8 for k in range(9))
    ]
    inner = [(r - thickness, max(z, floor)) for r, z in reversed(outer[1:])]
    top = (rim - thickness / 2, height)
    bottom = [(0.0, 0.0), (foot - 0.002, 0.0)]
    profile = [*bottom, *outer, top, *inner, (foot - 0.008, floor), (0.0, floor)]
    knee = (foot + (rim - foot) * 0.72, 0.004 + height * 0.31)
    return Shape(
        visuals=(Visual(revolve(profile, segments)),),
        pieces=(
            base_plate(foot * 0.7, foot * 0.7, floor),
            disc(foot, LIFT, floor),
            *wall(foot, knee[0], LIFT, knee[1], thickness + 0.001),
            *wall(knee[0], rim, knee[1], height, thickness),
        ),
        height=height,
        radius=rim,
        grasps=grasps_rim(rim - thickness / 2, height - 0.016, thickness),
        surface_height=floor,
        surface_radius=rim - thickness - 0.004,
    )


def dish(foot: float, rim: float, height: float, floor: float = 0.006) -> Shape:
    """A flat round dish with a rim that rises a little: plates and saucers."""
    profile = [
        (0.0, 0.0),
        (foot - 0.004, 0.0),
        (foot, 0.002),
        (rim - 0.004, height - 0.004),
        (rim, height - 0.001),
        (rim - 0.002, height),
        (rim - 0.010, height - 0.001),
        (foot - 0.002, floor + 0.0015),
        (foot - 0.008, floor),
        (0.0, floor),
    ]
    return Shape(
        visuals=(Visual(revolve(profile, 48)),),
        pieces=(
            base_plate(foot * 0.71, foot * 0.71, floor),
            disc(foot, LIFT, floor),
            *wall(foot, rim - 0.004, LIFT + 0.001, height - 0.004, 0.005, pieces=16),
        ),
        height=height,
        radius=rim,
        surface_height=floor,
        surface_radius=foot,
    )


def closed(
    visuals: Sequence[Visual],
    body: float,
    height: float,
    *,
    shoulder: float | None = None,
    neck: float | None = None,
    grasp_z: float | None = None,
) -> Shape:
    """A closed round vessel: a body up to `shoulder`, a neck above; it may lie on its side."""
    shoulder = height if shoulder is None else shoulder
    neck = body if neck is None else neck
    level = grasp_height(height) if grasp_z is None else grasp_z
    pieces = [base_plate(body * 0.68, body * 0.68), *column(body, LIFT, shoulder)]
    if height > shoulder:
        pieces.append(disc(neck, shoulder, height))
    return Shape(
        visuals=tuple(visuals),
        pieces=tuple(pieces),
        height=height,
        radius=body,
        grasps=grasps_round(2 * (neck if level > shoulder else body), level),
        surface_height=height,
        surface_radius=neck,
        lying=body + FLAT,
    )
