"""Forms of things that are a handle with something at its end, lying along x."""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.envs.objects.collision import LIFT, feet, rod, slab
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.meshes import moved, revolve, rounded_box, turned


def bar(profile: Sequence[tuple[float, float]], start: float, z: float) -> Mesh:
    """A profile of (radius, distance) revolved about x, beginning at x = `start`."""
    return moved(turned(revolve(profile, 24)), (start, 0.0, z))


def stick(radius: float, start: float, end: float, z: float, edge: float = 0.001) -> Mesh:
    """A round bar with slightly rounded ends."""
    length = end - start
    profile = [
        (0.0, 0.0),
        (radius - edge, 0.0),
        (radius, edge),
        (radius, length - edge),
        (radius - edge, length),
        (0.0, length),
    ]
    return bar(profile, start, z)


def round_tool(
    visuals: Sequence[Visual],
    radius: float,
    length: float,
    handle: tuple[float, float],
    *,
    others: Sequence[Piece] = (),
    height: float | None = None,
    grasp_x: float | None = None,
) -> Shape:
    """A tool with a round handle from `handle[0]` to `handle[1]`, taken across it.

    `length` is that of the whole tool, whose middle is at x = 0; its handle lies on the table.
    """
    back, front = handle
    middle = (back + front) / 2
    return Shape(
        visuals=tuple(visuals),
        pieces=(
            feet((front - back) * 0.84, radius, middle),
            rod(back, front, radius, radius + LIFT),
            *others,
        ),
        height=2 * radius if height is None else height,
        radius=length / 2,
        grasps=grasps_across_bar(2 * radius, radius, middle if grasp_x is None else grasp_x),
        rolling=True,
    )


def flat_tool(
    visuals: Sequence[Visual],
    width: float,
    height: float,
    length: float,
    handle: tuple[float, float],
    *,
    others: Sequence[Piece] = (),
    top: float | None = None,
) -> Shape:
    """A tool with a flat handle `width` across and `height` high, taken where it balances.

    A thin strip under its whole length touches the table, so that it does not rock.
    """
    back, front = handle
    strip = Piece("box", (length * 0.47, width * 0.35, 0.0012), (0.0, 0.0, 0.0012), inside=True)
    solid = (slab(front - back, width, LIFT, height, (back + front) / 2), *others)
    balance = sum(p.volume * p.position[0] for p in solid) / sum(p.volume for p in solid)
    hold = max(back + _PAD, min(front - _PAD, round(balance, 6)))
    return Shape(
        visuals=tuple(visuals),
        pieces=(strip, *solid),
        height=height if top is None else top,
        radius=length / 2,
        grasps=grasps_across_bar(width, 0.0, hold),
    )


_PAD = 0.014
"""Metres that a finger needs of a handle, to either side."""


def flat_handle(width: float, height: float, back: float, front: float) -> Mesh:
    """The handle of a flat tool."""
    edge = min(width, height) * 0.42
    return rounded_box((front - back, width, height), edge, ((back + front) / 2, 0.0, height / 2))
