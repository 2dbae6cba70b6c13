"""What a policy answers, on its way to the environment: of every control, frame and gripper."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.transform import Rotation as Scipy

from vlabench.contract.actions import DropPadding, Gripper, Scale, ScaleJoints, Turn
from vlabench.contract.execution import (
    HandToBase,
    JointsToDelta,
    PoseToDelta,
    RelativeGripper,
    StickyGripper,
)
from vlabench.contract.negotiate import negotiate
from vlabench.contract.rotations import from_quaternion, multiply, rotate, to_quaternion
from vlabench.contract.specs import ROTATION_SIZES, ActionSpec, PolicySpec
from vlabench.errors import PolicyError
from vlabench.testing import EXAMPLE_ENV, EXAMPLE_ENVS

KINDS = [kind for kind in ROTATION_SIZES if kind != "none"]
VECTORS = arrays.arrays(np.float64, 3, elements=st.floats(-1, 1))
SMALL = arrays.arrays(np.float64, 3, elements=st.floats(-0.2, 0.2))
QUATERNIONS = arrays.arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
    lambda q: np.linalg.norm(q) > 0.1
)
METRIC = ActionSpec(scale="metric")
JOINTS = ActionSpec(control="joint_delta", frame="joints", rotation="none", dimension=8)


def one(row, proprio=None, env=EXAMPLE_ENV, **action):
    """The environment's action for one row of a policy's."""
    spec = PolicySpec("probe", action=ActionSpec(**{"dimension": len(row), **action}))
    pipeline = negotiate(spec, env, allow_mismatch=True)
    (converted,) = pipeline.to_env(np.array([row], dtype=float), proprio)
    return converted


def stance(position=(0, 0, 0), quaternion=(0, 0, 0, 1), joints=(0,) * 7):
    return {
        "ee_position": np.array(position, dtype=float),
        "ee_quaternion": np.array(quaternion, dtype=float) / np.linalg.norm(quaternion),
        "joint_positions": np.array(joints, dtype=float),
    }


# --- changes of pose ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@given(moved=SMALL, turned=SMALL)
def test_a_change_means_the_same_however_its_rotation_is_written(kind, moved, turned):
    written = from_quaternion(to_quaternion(turned, "axis_angle"), kind)
    expected = one([*moved, *turned, 0.5], scale="metric")
    found = one([*moved, *written, 0.5], scale="metric", rotation=kind)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(SMALL)
def test_a_change_without_a_rotation_turns_nothing(moved):
    found = one([*moved, 1.0], scale="metric", rotation="none")
    np.testing.assert_array_equal(found, one([*moved, 0, 0, 0, 1.0], scale="metric"))


def test_normalized_euler_angles_are_scaled_before_they_are_turned():
    found = one([0, 0, 0, 0.4, -0.2, 0.1, 1], rotation="euler_xyz", max_rotation_rad=0.25)
    turned = Scipy.from_euler("xyz", [0.1, -0.05, 0.025]).as_rotvec() / 0.5
    np.testing.assert_allclose(found, [0, 0, 0, *turned, 1], atol=1e-7)


@given(SMALL, SMALL, QUATERNIONS)
def test_a_change_in_the_hands_frame_moves_along_and_about_the_hands_axes(moved, turned, hand):
    robot = stance(quaternion=hand)
    found = one([*moved, *turned, 0], robot, scale="metric", frame="hand")
    base = Scipy.from_quat(robot["ee_quaternion"])
    expected = [
        *np.clip(base.apply(moved) / 0.05, -1, 1),
        *np.clip(base.apply(turned) / 0.5, -1, 1),
    ]
    np.testing.assert_allclose(found[:6], expected, atol=1e-6)
    # turning by the change in the base's frame is turning by it in the hand's
    (row, _) = HandToBase()(np.array([*moved, *turned, 0]), robot, ())
    in_base = Scipy.from_rotvec(row[3:6]) * base
    assert (in_base.inv() * (base * Scipy.from_rotvec(turned))).magnitude() < 1e-6


def test_padding_at_the_end_means_nothing():
    action = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, -1.0]
    found = one([*action, 9.0, 9.0], padding=2)
    np.testing.assert_array_equal(found, np.float32(action))


# --- poses and joints ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@given(position=VECTORS, hand=QUATERNIONS, moved=SMALL, turned=SMALL)
def test_a_pose_becomes_the_change_that_leads_to_it(kind, position, hand, moved, turned):
    robot = stance(position, hand)
    change = to_quaternion(turned, "axis_angle")
    there = multiply(change, to_quaternion(robot["ee_quaternion"], "quaternion_xyzw"))
    target = [*(position + moved / 10), *from_quaternion(there, kind), -1.0]
    found = one(target, robot, control="ee_pose", scale="metric", rotation=kind)
    # roll and yaw near a pitch of a right angle lose half of their digits
    exact = 1e-3 if kind == "euler_xyz" else 1e-6
    np.testing.assert_allclose(found, [*(moved / 0.5), *(turned / 0.5), -1.0], atol=exact)


@given(VECTORS, QUATERNIONS)
def test_the_pose_where_the_hand_is_asks_for_nothing(position, hand):
    robot = stance(position, hand)
    row = [*position, *robot["ee_quaternion"], 1.0]
    found = one(row, robot, control="ee_pose", scale="metric", rotation="quaternion_xyzw")
    np.testing.assert_allclose(found, [0] * 6 + [1], atol=1e-7)


def test_a_pose_is_gone_to_the_short_way_round():
    robot = stance(quaternion=(0, 0, math.sin(0.05), math.cos(0.05)))
    row = np.array([0, 0, 0, 0, 0, -math.sin(-0.05), -math.cos(-0.05), 0])
    (found, _) = PoseToDelta()(row, robot, ())
    np.testing.assert_allclose(found[3:6], [0, 0, -0.2], atol=1e-9)


@given(
    arrays.arrays(np.float64, 7, elements=st.floats(-3, 3)),
    arrays.arrays(np.float64, 7, elements=st.floats(-0.05, 0.05)),
)
def test_joint_positions_become_the_change_that_leads_there(joints, change):
    row = [*(joints + change), 1.0]
    action = replace(JOINTS, control="joint_position", scale="metric")
    found = one(row, stance(joints=joints), EXAMPLE_ENVS[1], **spec_of(action))
    np.testing.assert_allclose(found, [*(change / 0.05), 1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("action", "env", "number", "expected"),
    [
        (JOINTS, 1, 0.4, 0.4),
        (replace(JOINTS, scale="metric"), 1, 0.02, 0.4),
        (replace(JOINTS, max_joint=0.1), 1, 0.2, 0.4),
        (replace(JOINTS, control="joint_velocity"), 2, 0.4, 0.4),
        (replace(JOINTS, control="joint_velocity", scale="metric"), 2, 0.2, 0.4),
        (replace(JOINTS, control="joint_velocity", max_joint=1.0), 2, 0.2, 0.4),
        (replace(JOINTS, control="joint_velocity", max_joint=1.0), 2, 0.8, 1.0),
    ],
)
def test_joints_are_scaled_to_the_environments_largest_step(action, env, number, expected):
    found = one([number] * 7 + [-0.5], None, EXAMPLE_ENVS[env], **spec_of(action))
    np.testing.assert_allclose(found, [expected] * 7 + [-0.5], rtol=1e-6)


def spec_of(action):
    return {field.name: getattr(action, field.name) for field in fields(action)}


@pytest.mark.parametrize(
    ("row", "action", "part"),
    [
        ([0.0] * 8, {"control": "ee_pose", "rotation": "quaternion_xyzw"}, "length 0"),
        ([0.0] * 10, {"rotation": "rot6d"}, "no direction"),
        ([1.7e308] * 7, {"frame": "hand"}, "not finite"),
    ],
)
def test_numbers_that_cannot_be_meant_are_the_policys_error(row, action, part):
    with pytest.raises(PolicyError, match=part) as caught:
        one(row, stance(quaternion=(0.1, 0.2, 0.3, 0.4)), scale="metric", **action)
    assert "'probe'" in str(caught.value)


# --- grippers -----------------------------------------------------------------------------------


def grips(numbers, **action):
    """What the gripper is told at each control step of one session."""
    spec = PolicySpec("probe", action=ActionSpec(**action))
    execute = negotiate(spec, EXAMPLE_ENV).executor()
    return [float(execute(np.array([0.0] * 6 + [number]), {})[6]) for number in numbers]


def test_a_relative_gripper_moves_past_the_threshold_and_stays_as_it_was_told():
    told = grips([0, 0.4, 0.6, 0, -0.4, -0.6, 0.1], gripper_relative=True, gripper_threshold=0.5)
    assert told == [0, 0, 1, 1, 1, -1, -1]


def test_the_threshold_of_a_relative_gripper_lies_as_far_on_both_sides_of_the_middle():
    told = grips(
        [0.5, 0.7, 0.25, 0.8, 0.19, 0.5],
        gripper_open=1.0,
        gripper_close=0.0,
        gripper_relative=True,
        gripper_threshold=0.75,
    )
    assert told == [0, 0, 0, -1, 1, 1]


def test_without_a_threshold_every_change_moves_a_relative_gripper():
    assert grips([0, 1e-3, 0, -1e-3], gripper_relative=True) == [0, 1, 1, -1]


def test_a_sticky_gripper_holds_a_change_whatever_is_asked_for_meanwhile():
    numbers = [-1, 1, -1, 1, -1, -1, 0.5, 0.25]
    told = grips(numbers, gripper_sticky_steps=3)
    assert told == [-1, 1, 1, 1, -1, -1, -1, 0.25]
    assert grips(numbers) == numbers


def test_a_sticky_gripper_lets_the_same_way_through():
    assert grips([1, 0.5, -1, -0.5, 0.5], gripper_sticky_steps=2) == [1, 0.5, -1, -0.5, 0.5]


def test_a_gripper_can_be_relative_and_sticky():
    told = grips([1, -1, 0, -1, 0], gripper_relative=True, gripper_sticky_steps=3)
    assert told == [1, -1, -1, -1, -1]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40), st.integers(1, 8))
def test_a_sticky_gripper_changes_its_mind_no_more_often_than_it_says(numbers, steps):
    told = grips(numbers, gripper_sticky_steps=steps)
    changes = [k for k in range(1, len(told)) if (told[k] > 0) != (told[k - 1] > 0)]
    assert all(later - earlier >= steps for earlier, later in pairwise(changes))


# --- one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "converter",
    [
        DropPadding(3),
        Turn("euler_xyz", "axis_angle"),
        Scale(1.0, 1.0, 0.05, 0.5),
        ScaleJoints(1.0, 0.05),
        Gripper(1.0, 0.0, -1.0, 1.0),
        HandToBase(),
        PoseToDelta(),
        JointsToDelta(),
        RelativeGripper(-1.0, 1.0, -1.0, 1.0),
        StickyGripper(3, -1.0, 1.0),
    ],
)
def test_a_converter_leaves_what_it_is_given_alone(converter):
    rows = np.full((2, 8), 0.5)
    before = rows.copy()
    if hasattr(converter, "reads"):
        found, _ = converter(rows[0], stance(), ())
        assert found is not rows
    else:
        found = converter(rows)
        assert len(found) == 2
        assert not np.shares_memory(found, rows)
    np.testing.assert_array_equal(rows, before)
    assert converter.describe()


@given(QUATERNIONS, VECTORS)
def test_there_and_back_between_frames_is_nothing(hand, moved):
    rotation = to_quaternion(hand, "quaternion_xyzw")
    (row, _) = HandToBase()(np.array([*moved, *moved, 0.0]), stance(quaternion=hand), ())
    x, y, z, w = rotation
    np.testing.assert_allclose(rotate((-x, -y, -z, w), tuple(row[:3])), moved, atol=1e-12)
