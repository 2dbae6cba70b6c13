"""Rotations survive every way of writing them, and go the short way round."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as Scipy

from vlabench.contract.rotations import (
    IDENTITY,
    canonical,
    columns,
    from_quaternion,
    inverse,
    multiply,
    rotate,
    to_quaternion,
)
from vlabench.contract.specs import ROTATION_SIZES

KINDS = [kind for kind in ROTATION_SIZES if kind != "none"]
NUMBER = st.floats(-1, 1)
VECTORS = st.tuples(NUMBER, NUMBER, NUMBER)
QUATERNIONS = (
    st.tuples(NUMBER, NUMBER, NUMBER, NUMBER)
    .filter(lambda q: math.hypot(*q) > 0.1)
    .map(lambda q: to_quaternion(q, "quaternion_xyzw"))
)
TIGHT = 1e-9


def apart(one, other):
    """The angle between two rotations in radians."""
    x, y, z, w = multiply(inverse(one), other)
    return 2 * math.atan2(math.hypot(x, y, z), abs(w))


def scipys(q):
    return Scipy.from_quat(q)


@pytest.mark.parametrize("kind", KINDS)
@given(rotation=QUATERNIONS)
def test_a_rotation_survives_there_and_back(kind, rotation):
    numbers = from_quaternion(rotation, kind)
    assert len(numbers) == ROTATION_SIZES[kind]
    # near a pitch of a right angle, roll and yaw say the same and lose half of their digits
    steep = kind == "euler_xyz" and math.hypot(*columns(rotation)[0][:2]) < 1e-4
    assert apart(to_quaternion(numbers, kind), rotation) < (1e-3 if steep else TIGHT)


@given(QUATERNIONS)
def test_every_way_is_scipys(rotation):
    theirs = scipys(rotation)
    matrix = theirs.as_matrix()
    near = {"atol": 1e-9}
    np.testing.assert_allclose(np.column_stack(columns(rotation)), matrix, **near)
    np.testing.assert_allclose(from_quaternion(rotation, "matrix"), matrix.ravel(), **near)
    np.testing.assert_allclose(from_quaternion(rotation, "rot6d"), matrix[:, :2].T.ravel(), **near)
    x, y, z, w = from_quaternion(rotation, "quaternion_xyzw")
    np.testing.assert_allclose(from_quaternion(rotation, "quaternion_wxyz"), (w, x, y, z), **near)
    assert w >= 0
    for kind in ("axis_angle", "euler_xyz"):
        numbers = from_quaternion(rotation, kind)
        back = (
            Scipy.from_rotvec(numbers) if kind == "axis_angle" else Scipy.from_euler("xyz", numbers)
        )
        assert (theirs.inv() * back).magnitude() < 1e-6


@given(QUATERNIONS)
def test_axis_angle_goes_the_short_way_and_knows_no_sign_of_the_quaternion(rotation):
    turn = from_quaternion(rotation, "axis_angle")
    assert math.hypot(*turn) <= math.pi + TIGHT
    negative = tuple(-number for number in rotation)
    for kind in KINDS:
        assert from_quaternion(negative, kind) == from_quaternion(rotation, kind)


@given(VECTORS, st.floats(0, math.pi))
def test_axis_angle_is_exact_from_nothing_up_to_half_a_turn(axis, angle):
    length = math.hypot(*axis)
    assume(length > 1e-3)
    turn = tuple(angle * number / length for number in axis)
    back = from_quaternion(to_quaternion(turn, "axis_angle"), "axis_angle")
    if angle < math.pi - 1e-9:
        np.testing.assert_allclose(back, turn, atol=1e-12)
    else:  # half a turn about an axis is half a turn about the opposite one
        assert min(math.dist(back, turn), math.dist(back, [-n for n in turn])) < 1e-8


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 1e-6, 1.1e-6, 1e-3])
def test_small_turns_keep_all_their_digits(angle):
    quaternion = to_quaternion((0.0, angle, 0.0), "axis_angle")
    assert from_quaternion(quaternion, "axis_angle")[1] == pytest.approx(angle, rel=1e-14)
    assert quaternion[1] == pytest.approx(angle / 2, rel=1e-6)


def test_nothing_jumps_on_the_way_to_half_a_turn():
    angles = [math.pi - gap for gap in (1e-3, 1e-6, 1e-9, 1e-12, 0.0)]
    for angle in angles:
        quaternion = (math.sin(angle / 2), 0.0, 0.0, math.cos(angle / 2))
        np.testing.assert_allclose(
            from_quaternion(quaternion, "axis_angle"), (angle, 0, 0), atol=1e-12
        )
    assert from_quaternion((1.0, 0.0, 0.0, 0.0), "axis_angle") == (math.pi, 0.0, 0.0)
    assert from_quaternion((-1.0, 0.0, 0.0, 0.0), "axis_angle") == (math.pi, 0.0, 0.0)


def test_euler_angles_turn_about_the_fixed_axes_x_then_y_then_z():
    roll, pitch, yaw = (
        to_quaternion(a, "euler_xyz") for a in ((0.3, 0, 0), (0, 0.4, 0), (0, 0, 0.5))
    )
    together = to_quaternion((0.3, 0.4, 0.5), "euler_xyz")
    assert apart(together, multiply(yaw, multiply(pitch, roll))) < TIGHT
    np.testing.assert_allclose(from_quaternion(together, "euler_xyz"), (0.3, 0.4, 0.5))


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
def test_a_pitch_of_a_right_angle_leaves_yaw_at_0(pitch):
    rotation = to_quaternion((0.3, pitch, 0.5), "euler_xyz")
    numbers = from_quaternion(rotation, "euler_xyz")
    assert numbers[2] == 0.0
    assert apart(to_quaternion(numbers, "euler_xyz"), rotation) < 1e-7


@given(QUATERNIONS, QUATERNIONS, VECTORS)
def test_a_product_turns_first_by_the_right_one(left, right, vector):
    together = rotate(multiply(left, right), vector)
    np.testing.assert_allclose(together, rotate(left, rotate(right, vector)), atol=1e-12)
    np.testing.assert_allclose(rotate(left, vector), scipys(left).apply(vector), atol=1e-12)
    np.testing.assert_allclose(multiply(left, inverse(left)), IDENTITY, atol=1e-12)


@given(VECTORS, VECTORS, st.floats(0.1, 10))
def test_six_numbers_are_made_orthonormal_first_column_first(first, second, stretch):
    assume(math.hypot(*first) > 0.1)
    assume(np.linalg.norm(np.cross(first, second)) > 0.01)
    x, y, z = columns(to_quaternion((*first, *second), "rot6d"))
    np.testing.assert_allclose(x, np.array(first) / np.linalg.norm(first), atol=1e-9)
    np.testing.assert_allclose(np.cross(x, y), z, atol=1e-9)
    assert np.dot(y, second) > 0
    longer = (*(stretch * n for n in first), *second)
    assert apart(to_quaternion(longer, "rot6d"), to_quaternion((*first, *second), "rot6d")) < 1e-7


@pytest.mark.parametrize(
    ("kind", "numbers", "part"),
    [
        ("axis_angle", (0.0, 0.0), "takes 3 numbers and got 2"),
        ("axis_angle", (1.7e308, 1.7e308, 1.7e308), "not finite"),
        ("quaternion_xyzw", (0.0,) * 4, "length 0"),
        ("quaternion_wxyz", (1e308,) * 4, "length inf"),
        ("rot6d", (0.0, 0.0, 0.0, 0.0, 1.0, 0.0), "no direction"),
        ("rot6d", (1.0, 0.0, 0.0, 2.0, 0.0, 0.0), "no direction"),
        ("matrix", (1.0, 0, 0, 0, 1, 0, 0, 0, -1), "mirrors"),
        ("matrix", (0.0,) * 9, "no direction"),
        ("none", (0.0,), "takes 0 numbers"),
    ],
)
def test_what_is_no_rotation_is_refused(kind, numbers, part):
    with pytest.raises(ValueError, match=part):
        to_quaternion(numbers, kind)


def test_no_rotation_is_written_with_no_numbers():
    assert to_quaternion((), "none") == IDENTITY
    assert from_quaternion(IDENTITY, "none") == ()


@given(QUATERNIONS)
def test_the_canonical_quaternion_is_one_of_the_two(rotation):
    chosen = canonical(rotation)
    assert chosen in (rotation, tuple(-number for number in rotation))
    assert next(number for number in reversed(chosen) if number != 0) > 0
