"""Forms of things that are a handle with something at its end, lying along x."""

from __future__ import annotations

from collections.abc import Sequence

from vlabench.envs.objects.collision import LIFT, feet, rod, slab
from vlabench.envs.objects.geometry import Mesh, Piece, Shape, Vector, Visual
from vlabench.envs.objects.grasps import grasps_across_bar
from vlabench.envs.objects.meshes import blob, moved, revolve, rounded_box, tube, turned


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


THICK = 0.017
"""Flat handles are this high: what is thinner slips out below the fingertips."""


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


def scoop(half_x: float, half_y: float, depth: float, x: float) -> Mesh:
    """A shallow hollow, open above: the head of a spoon or a ladle."""

    def place(direction: Vector) -> Vector:
        dx, dy, dz = direction
        inner = 0.9 if dz > 0 else 1.0
        level = depth - depth * abs(dz) * (0.82 if dz > 0 else 1.0)
        return (x + half_x * dx * inner, half_y * dy * inner, level)

    return blob(place, rows=13, columns=28)


def neck(start: float, end: float, low: float, high: float) -> Mesh:
    """A thin bar that joins a handle to a head, from one height to another."""
    middle = (start + end) / 2
    path: list[Vector] = [(start, 0.0, low), (middle, 0.0, (low + high) / 2), (end, 0.0, high)]
    return tube(path, [0.0042, 0.0032, 0.0034], 10)
