"""Poses told from another origin, or of another hand, than the environment's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.transform import Rotation as Scipy

from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import ROTATION_SIZES, ActionSpec, PolicySpec, StateField
from vlabench.errors import ContractError
from vlabench.testing import EXAMPLE_ENV
from vlabench.types import Observation

KINDS = [kind for kind in ROTATION_SIZES if kind != "none"]
VECTORS = arrays.arrays(np.float64, 3, elements=st.floats(-1, 1))
SMALL = arrays.arrays(np.float64, 3, elements=st.floats(-0.03, 0.03))
QUATERNIONS = arrays.arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(
    lambda q: np.linalg.norm(q) > 0.1
)
UNIT = (0.5, -0.5, 0.5, 0.5)
"""A quaternion that changes all axes for others."""


def unit(quaternion):
    return tuple((quaternion / np.linalg.norm(quaternion)).tolist())


def stance(position, quaternion):
    return {"ee_position": position, "ee_quaternion": np.array(unit(quaternion))}


def absolute(kind="quaternion_xyzw", **placed):
    size = 4 + ROTATION_SIZES[kind]
    return ActionSpec("ee_pose", rotation=kind, scale="metric", dimension=size, **placed)


@pytest.mark.parametrize("kind", KINDS)
@given(VECTORS, QUATERNIONS, VECTORS, QUATERNIONS)
def test_who_answers_the_state_that_it_is_shown_stands_still(kind, position, hand, offset, turned):
    placed = {"offset": tuple(offset.tolist()), "turned": unit(turned)}
    state = (
        StateField("ee_position", offset=placed["offset"]),
        StateField("ee_quaternion", kind, turned=placed["turned"]),
    )
    pipeline = negotiate(PolicySpec("p", state=state, action=absolute(kind, **placed)), EXAMPLE_ENV)
    robot = stance(position, hand)
    seen = pipeline.to_policy(Observation("e", 0, 0.0, "", {}, robot))
    (action,) = pipeline.to_env(np.array([[*seen.state, 1.0]]), robot)
    # roll and yaw near a pitch of a right angle lose half of their digits
    exact = 1e-3 if kind == "euler_xyz" else 1e-6
    np.testing.assert_allclose(action, [0, 0, 0, 0, 0, 0, 1], atol=exact)


@given(VECTORS, QUATERNIONS, VECTORS, QUATERNIONS, SMALL)
def test_a_placed_pose_is_the_pose_seen_from_the_base(position, hand, offset, turned, moved):
    robot, placed = stance(position, hand), Scipy.from_quat(turned)
    there = Scipy.from_rotvec(moved) * Scipy.from_quat(hand)
    pose = [*(position + moved), *there.as_quat(), -1.0]
    told = [*(position + moved + offset), *(there * placed).as_quat(), -1.0]
    spec = absolute(offset=tuple(offset.tolist()), turned=unit(turned))
    plain, shifted = (
        negotiate(PolicySpec("p", action=action), EXAMPLE_ENV).to_env(np.array([row]), robot)
        for action, row in ((absolute(), pose), (spec, told))
    )
    np.testing.assert_allclose(shifted, plain, atol=1e-6)


@given(VECTORS, QUATERNIONS, QUATERNIONS, SMALL, SMALL)
def test_a_change_may_be_told_in_the_frame_of_a_turned_hand(position, hand, turned, moved, about):
    action = ActionSpec(scale="metric", frame="hand", turned=unit(turned))
    pipeline = negotiate(PolicySpec("p", action=action), EXAMPLE_ENV)
    (found,) = pipeline.to_env(np.array([[*moved, *about, 0.0]]), stance(position, hand))
    frame = Scipy.from_quat(hand) * Scipy.from_quat(turned)
    expected = [*(frame.apply(moved) / 0.05), *(frame.apply(about) / 0.5), 0.0]
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), atol=1e-5)


def test_a_placement_is_told_and_has_a_fingerprint_of_its_own():
    placed = [
        absolute(),
        absolute(offset=(-0.6, 0.0, 0.912)),
        absolute(turned=UNIT),
        absolute(offset=(-0.6, 0.0, 0.912), turned=UNIT),
    ]
    pipelines = [negotiate(PolicySpec("p", action=action), EXAMPLE_ENV) for action in placed]
    assert len({pipeline.fingerprint for pipeline in pipelines}) == len(placed)
    told = "\n".join(pipelines[3].describe())
    for part in ("less (-0.6, 0, 0.912) m", "of a hand turned by (0.5, -0.5, 0.5, 0.5) xyzw"):
        assert part in told


@pytest.mark.parametrize(
    ("action", "part"),
    [
        (ActionSpec(offset=(0.1, 0.0, 0.0)), "'ee_delta' has an offset, which only the pose"),
        (ActionSpec(turned=UNIT), "'ee_delta' is turned, which only the pose"),
        (absolute(turned=(0.0, 0.0, 0.0, 2.0)), "(0.0, 0.0, 0.0, 2.0), which is no unit"),
        (absolute(offset=(0.0, float("inf"), 0.0)), "inf, 0.0), which is not finite"),
    ],
)
def test_what_has_no_placement_is_refused(action, part):
    with pytest.raises(ContractError) as caught:
        negotiate(PolicySpec("p", action=action), EXAMPLE_ENV)
    assert part in str(caught.value)
