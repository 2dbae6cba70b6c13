"""A policy's own state vector, and its own words."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlabench.contract import prompt, proprio
from vlabench.contract.mismatch import find_mismatches
from vlabench.contract.prompt import worded
from vlabench.contract.proprio import natural_size, state_vector, ways
from vlabench.contract.specs import PROPRIO_FIELDS, PolicySpec, PromptSpec, StateField
from vlabench.testing import EXAMPLE_ENV, example_observation

HALF = math.sqrt(0.5)
Side: TypeAlias = tuple[float, float, float, float]
PROPRIO = {
    "ee_position": np.array([0.1, 0.2, 0.3]),
    "ee_quaternion": np.array([1.0, 0.0, 0.0, 0.0]),
    "gripper_opening": np.array([0.75]),
    "joint_positions": np.arange(7.0),
    "joint_velocities": -np.arange(7.0),
}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (StateField("ee_position"), [0.1, 0.2, 0.3]),
        (StateField("ee_position", offset=(1.0, 0.0, -0.3)), [1.1, 0.2, 0.0]),
        (StateField("ee_quaternion", "quaternion_xyzw"), [1, 0, 0, 0]),
        (StateField("ee_quaternion", "quaternion_wxyz"), [0, 1, 0, 0]),
        (StateField("ee_quaternion", "axis_angle"), [math.pi, 0, 0]),
        (StateField("ee_quaternion", "euler_xyz"), [math.pi, 0, 0]),
        (StateField("ee_quaternion", "rot6d"), [1, 0, 0, 0, -1, 0]),
        (StateField("ee_quaternion", "matrix"), [1, 0, 0, 0, -1, 0, 0, 0, -1]),
        (
            # the hand that points down, seen from a frame turned by 90 degrees about its z
            StateField("ee_quaternion", "matrix", turned=(0.0, 0.0, HALF, HALF)),
            [0, -1, 0, -1, 0, 0, 0, 0, -1],
        ),
        (StateField("gripper_opening", "opening"), [0.75]),
        (StateField("gripper_opening", "closing"), [0.25]),
        (StateField("gripper_opening", "width", scale=0.08), [0.06]),
        (StateField("gripper_opening", "fingers", scale=0.08), [0.03, -0.03]),
        (StateField("joint_positions", size=9), [0, 1, 2, 3, 4, 5, 6, 0, 0]),
        (StateField("joint_velocities"), [0, -1, -2, -3, -4, -5, -6]),
        (StateField("zeros", size=2), [0, 0]),
    ],
)
def test_each_field_in_its_representation(field, expected):
    found = state_vector((field,), PROPRIO)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.dtype == np.float64
    assert len(found) == (field.size or natural_size(field, 7))
    assert proprio.describe(field)


def test_the_fields_come_one_after_another_and_nothing_gives_nothing():
    fields = (StateField("gripper_opening", "opening"), StateField("ee_position"))
    np.testing.assert_array_equal(state_vector(fields, PROPRIO), [0.75, 0.1, 0.2, 0.3])
    assert state_vector((), PROPRIO).shape == (0,)


def test_a_field_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="7 numbers, and 6 were agreed"):
        state_vector((StateField("joint_positions", size=6),), PROPRIO)


@pytest.mark.parametrize("source", PROPRIO_FIELDS)
def test_every_canonical_field_can_be_written_in_every_way_that_it_offers(source):
    from vlabench.contract.negotiate import negotiate
    from vlabench.contract.specs import PolicySpec

    for way in ways(source):
        scale = 0.08 if way in proprio.METRES else None
        field = StateField(source, way, scale=scale)
        pipeline = negotiate(PolicySpec("probe", state=(field,)), EXAMPLE_ENV)
        seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
        assert len(seen.state) == natural_size(field, 7)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (PromptSpec(), "Put the Red mug down."),
        (PromptSpec(case="lower"), "put the red mug down."),
        (PromptSpec(case="upper", strip_period=True), "PUT THE RED MUG DOWN"),
        (PromptSpec("In: {instruction}\nOut: {x} %s"), "In: Put the Red mug down.\nOut: {x} %s"),
        (
            PromptSpec("What? {instruction}", "lower", strip_period=True),
            "What? put the red mug down",
        ),
    ],
)
def test_an_instruction_is_worded_as_the_policy_knows_it(spec, told):
    assert worded("Put the Red mug down.", spec) == told
    assert prompt.describe(spec)


@given(st.text())
def test_the_usual_prompt_says_what_is_said(instruction):
    assert worded(instruction, PromptSpec()) == instruction
    assert worded(instruction, PromptSpec("<{instruction}>")) == f"<{instruction}>"


def axis_angle_of(quaternion: tuple[float, ...], towards: Side | None = None) -> np.ndarray:
    field = StateField("ee_quaternion", "axis_angle", towards=towards)
    return state_vector([field], {**PROPRIO, "ee_quaternion": np.array(quaternion)})


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_towards_a_side_an_axis_angle_goes_on_beyond_a_half_turn(
    y: float, z: float, w: float
) -> None:
    """As LIBERO's own formula has it, of robosuite's quaternion, whose x is positive then."""
    length = math.sqrt(1 + y * y + z * z + w * w)
    raw = (1 / length, y / length, z / length, w / length)
    angle = 2 * math.acos(raw[3])
    expected = np.array(raw[:3]) * angle / math.sqrt(1 - raw[3] ** 2)
    shown = raw if w >= 0 else tuple(-number for number in raw)
    found = axis_angle_of(shown, towards=(1.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[0] > 0
    short = axis_angle_of(shown)
    assert np.linalg.norm(short) <= math.pi + 1e-12
    if w < -1e-3:
        assert np.linalg.norm(found) > math.pi
        assert short[0] < 0


def test_towards_is_checked() -> None:
    def said(field: StateField) -> list[str]:
        return [m.text for m in find_mismatches(PolicySpec("mine", state=(field,)), EXAMPLE_ENV)]

    side = (1.0, 0.0, 0.0, 0.0)
    assert said(StateField("ee_quaternion", "axis_angle", towards=side)) == []
    assert said(StateField("ee_quaternion", "rot6d", towards=side)) == [
        "state[0] (ee_quaternion) has a side to turn towards, which 'rot6d' has not"
    ]
    assert said(StateField("ee_quaternion", "axis_angle", towards=(0.0, 0.0, 0.0, 0.0))) == [
        "state[0] (ee_quaternion) turns towards (0.0, 0.0, 0.0, 0.0), which is no direction"
    ]
