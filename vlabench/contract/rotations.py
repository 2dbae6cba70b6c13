"""Rotations: the algebra between the ways in which policies write them.

Everything goes through unit quaternions ``(x, y, z, w)``. It is written out by hand, number by
number, because what numpy makes of products and arc tangents depends on the processor. The ways:

- ``axis_angle``: the axis times the angle in radians; of the two that mean the same, the short one;
- ``euler_xyz``: roll, pitch and yaw in radians, about the fixed axes x, then y, then z (robosuite's
  and ROS's ``sxyz``): the matrix is ``Rz(yaw) Ry(pitch) Rx(roll)``;
- ``quaternion_xyzw``, ``quaternion_wxyz``: a quaternion of any length above nothing; written with
  ``w >= 0``;
- ``rot6d``: the first two columns of the matrix, one column after the other (Zhou et al. 2019,
  arXiv:1812.07035), made orthonormal by Gram and Schmidt's way, the first column first;
- ``matrix``: nine numbers, row after row, made orthonormal in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from vlabench.contract.specs import ROTATION_SIZES, Rotation

Vector: TypeAlias = tuple[float, float, float]
Quaternion: TypeAlias = tuple[float, float, float, float]
"""``(x, y, z, w)``, of length 1."""

Columns: TypeAlias = tuple[Vector, Vector, Vector]
"""The columns of a rotation matrix."""

IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)

_NOTHING = 1e-6
"""A vector shorter than this has no direction."""

_UPRIGHT = 1e-9
"""A pitch whose cosine is smaller leaves roll and yaw undetermined: yaw is then 0."""


def to_quaternion(numbers: Sequence[float], kind: Rotation) -> Quaternion:
    """The rotation that `numbers` mean.

    Raises:
        ValueError: If they are no rotation: too few or too many, without a direction, or a matrix
            that mirrors.
    """
    size = ROTATION_SIZES[kind]
    if len(numbers) != size:
        raise ValueError(f"{kind} takes {size} numbers and got {len(numbers)}")
    n = [float(number) for number in numbers]
    match kind:
        case "axis_angle":
            return _from_axis_angle((n[0], n[1], n[2]))
        case "euler_xyz":
            return _from_euler(n[0], n[1], n[2])
        case "quaternion_xyzw":
            return _unit((n[0], n[1], n[2], n[3]))
        case "quaternion_wxyz":
            return _unit((n[1], n[2], n[3], n[0]))
        case "rot6d":
            return _from_columns(_orthonormal((n[0], n[1], n[2]), (n[3], n[4], n[5])))
        case "matrix":
            return _from_matrix(n)
        case "none":
            return IDENTITY


def from_quaternion(rotation: Quaternion, kind: Rotation) -> tuple[float, ...]:
    """`rotation`, written as `kind`; the same numbers for a quaternion and its negative."""
    return as_it_is(canonical(rotation), kind)


def as_it_is(rotation: Quaternion, kind: Rotation) -> tuple[float, ...]:
    """`rotation`, written as `kind`; of a quaternion with ``w < 0`` the angle is beyond pi."""
    x, y, z, w = rotation
    match kind:
        case "axis_angle":
            return _axis_angle(x, y, z, w)
        case "euler_xyz":
            return _euler((x, y, z, w))
        case "quaternion_xyzw":
            return x, y, z, w
        case "quaternion_wxyz":
            return w, x, y, z
        case "rot6d":
            first, second, _ = columns((x, y, z, w))
            return (*first, *second)
        case "matrix":
            return tuple(
                number for row in zip(*columns((x, y, z, w)), strict=True) for number in row
            )
        case "none":
            return ()


def canonical(rotation: Quaternion) -> Quaternion:
    """Of a quaternion and its negative, the one whose last number that is not 0 is positive.

    The last number is ``w``, so its angle is at most half a turn.
    """
    for number in reversed(rotation):
        if number != 0:
            x, y, z, w = rotation
            return rotation if number > 0 else (-x, -y, -z, -w)
    return rotation


def towards(rotation: Quaternion, direction: Quaternion) -> Quaternion:
    """Of a quaternion and its negative, the one whose product with `direction` is not negative."""
    x, y, z, w = rotation
    ax, ay, az, aw = direction
    along = x * ax + y * ay + z * az + w * aw
    return rotation if along >= 0 else (-x, -y, -z, -w)


def multiply(left: Quaternion, right: Quaternion) -> Quaternion:
    """First `right`, then `left`, both about fixed axes; or `left`, then `right` in its frame."""
    ax, ay, az, aw = left
    bx, by, bz, bw = right
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def inverse(rotation: Quaternion) -> Quaternion:
    """The rotation back."""
    x, y, z, w = rotation
    return -x, -y, -z, w


def rotate(rotation: Quaternion, vector: Vector) -> Vector:
    """`vector` after `rotation`."""
    first, second, third = columns(rotation)
    x, y, z = vector
    return (
        first[0] * x + second[0] * y + third[0] * z,
        first[1] * x + second[1] * y + third[1] * z,
        first[2] * x + second[2] * y + third[2] * z,
    )


def columns(rotation: Quaternion) -> Columns:
    """The columns of its matrix: where it takes the axes x, y and z."""
    x, y, z, w = rotation
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
    )


# --- axis and angle ---------------------------------------------------------------------------


def _from_axis_angle(turn: Vector) -> Quaternion:
    angle = math.hypot(*turn)
    if not math.isfinite(angle):
        raise ValueError("the angle of axis_angle is not finite")
    # sin(a / 2) / a, whose limit at 0 is 1/2
    share = math.sin(angle / 2) / angle if angle > _NOTHING else 0.5 - angle * angle / 48
    x, y, z = turn
    return x * share, y * share, z * share, math.cos(angle / 2)


def _axis_angle(x: float, y: float, z: float, w: float) -> Vector:
    """The short way round where w is not negative; the angle is between 0 and a whole turn."""
    sine = math.hypot(x, y, z)
    # the arc tangent stays exact where the usual arc cosine does not: near 0
    share = 2 * math.atan2(sine, w) / sine if sine > _NOTHING else 2.0
    return x * share, y * share, z * share


# --- roll, pitch and yaw ----------------------------------------------------------------------


def _from_euler(roll: float, pitch: float, yaw: float) -> Quaternion:
    about_x = (math.sin(roll / 2), 0.0, 0.0, math.cos(roll / 2))
    about_y = (0.0, math.sin(pitch / 2), 0.0, math.cos(pitch / 2))
    about_z = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
    return multiply(about_z, multiply(about_y, about_x))


def _euler(rotation: Quaternion) -> Vector:
    first, second, third = columns(rotation)
    flat = math.hypot(first[0], first[1])
    pitch = math.atan2(-first[2], flat)
    if flat > _UPRIGHT:
        return math.atan2(second[2], third[2]), pitch, math.atan2(first[1], first[0])
    return math.atan2(-third[1], second[1]), pitch, 0.0


# --- vectors and matrices ---------------------------------------------------------------------


def _unit(quaternion: Quaternion) -> Quaternion:
    length = math.hypot(*quaternion)
    if not _NOTHING < length < math.inf:
        raise ValueError(f"a quaternion of length {length:g} is no rotation")
    x, y, z, w = quaternion
    return x / length, y / length, z / length, w / length


def _orthonormal(first: Vector, second: Vector) -> Columns:
    """Gram and Schmidt's way, and the third column that makes it a rotation."""
    x = _direction(first)
    second = _direction(second)
    along = _dot(x, second)
    y = _direction((second[0] - along * x[0], second[1] - along * x[1], second[2] - along * x[2]))
    return x, y, _cross(x, y)


def _from_matrix(rows: Sequence[float]) -> Quaternion:
    first, second, third = ((rows[k], rows[3 + k], rows[6 + k]) for k in range(3))
    found = _orthonormal(first, second)
    if _dot(found[2], _direction(third)) <= 0:
        raise ValueError("a matrix that mirrors is no rotation")
    return _from_columns(found)


def _from_columns(found: Columns) -> Quaternion:
    """Shepperd's way: begins with the largest of the four, so that nothing is divided by little."""
    (xx, yx, zx), (xy, yy, zy), (xz, yz, zz) = found
    candidates = (1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz, 1 + xx + yy + zz)
    largest = max(range(4), key=lambda k: candidates[k])
    twice = math.sqrt(candidates[largest])
    part = 0.5 / twice
    match largest:
        case 0:
            return 0.5 * twice, (xy + yx) * part, (xz + zx) * part, (zy - yz) * part
        case 1:
            return (xy + yx) * part, 0.5 * twice, (yz + zy) * part, (xz - zx) * part
        case 2:
            return (xz + zx) * part, (yz + zy) * part, 0.5 * twice, (yx - xy) * part
        case _:
            return (zy - yz) * part, (xz - zx) * part, (yx - xy) * part, 0.5 * twice


def _direction(vector: Vector) -> Vector:
    length = math.hypot(*vector)
    if not _NOTHING < length < math.inf:
        raise ValueError(f"a column of length {length:g} has no direction")
    return vector[0] / length, vector[1] / length, vector[2] / length


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
