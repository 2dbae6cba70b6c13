"""A policy and an environment agree on everything, or nothing runs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vlabench.contract.convert import CentreCrop, Clip, Gripper, JpegRoundTrip, Mirror, Resize
from vlabench.contract.negotiate import negotiate
from vlabench.contract.specs import ActionSpec, CameraSpec, PolicySpec
from vlabench.errors import ContractError, InfrastructureError, PolicyError
from vlabench.testing import EXAMPLE_ENV, example_observation

METRIC = ActionSpec(scale="metric", gripper_open=1.0, gripper_close=0.0)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
CHUNKS = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(7)), elements=FINITE)


def policy(**fields):
    return PolicySpec(**{"name": "probe", **fields})


# --- actions ----------------------------------------------------------------------------------


@given(CHUNKS)
def test_what_the_environment_gets_is_float32_in_range_and_as_long(actions):
    for action in (ActionSpec(), METRIC, ActionSpec(gripper_open=1.0, gripper_close=-1.0)):
        given = actions.copy()
        converted = negotiate(policy(action=action), EXAMPLE_ENV).to_env(given)
        assert converted.dtype == np.float32
        assert converted.shape == actions.shape
        assert np.abs(converted).max() <= 1.0
        np.testing.assert_array_equal(given, actions)


@given(arrays.arrays(np.float64, (3, 7), elements=st.floats(-1, 1)))
def test_the_environments_own_actions_pass_unchanged(actions):
    converted = negotiate(policy(), EXAMPLE_ENV).to_env(actions)
    np.testing.assert_array_equal(converted, actions.astype(np.float32))


@given(arrays.arrays(np.float64, (2, 6), elements=st.floats(-1, 1)), st.floats(0, 1))
def test_metric_steps_come_back_when_multiplied_by_the_largest_step(steps, opening):
    largest = np.array([0.05] * 3 + [0.5] * 3)
    actions = np.column_stack([steps * largest, [opening, opening]])
    converted = negotiate(policy(action=METRIC), EXAMPLE_ENV).to_env(actions)
    np.testing.assert_allclose(converted[:, :6], steps, atol=1e-6)
    np.testing.assert_allclose(converted[:, 6], 1 - 2 * opening, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "opens", "closes", "between", "expected"),
    [
        (ActionSpec(), -1, 1, 0.5, 0.5),
        (ActionSpec(gripper_open=1, gripper_close=0), 1, 0, 0.25, 0.5),
        (ActionSpec(gripper_open=1, gripper_close=-1), 1, -1, 0.25, -0.25),
        (ActionSpec(gripper_open=0, gripper_close=1), 0, 1, 0.75, 0.5),
        (ActionSpec(gripper_open=1, gripper_close=0, gripper_threshold=0.5), 0.51, 0.5, 0.9, -1),
        (ActionSpec(gripper_open=0, gripper_close=1, gripper_threshold=0.5), 0.49, 0.5, 0.9, 1),
    ],
)
def test_gripper_polarity_and_range(spec, opens, closes, between, expected):
    pipeline = negotiate(policy(action=spec), EXAMPLE_ENV)
    actions = np.zeros((3, 7))
    actions[:, 6] = opens, closes, between
    np.testing.assert_allclose(pipeline.to_env(actions)[:, 6], [-1, 1, expected])


def test_a_policy_trained_with_another_largest_step_is_rescaled():
    spec = ActionSpec(max_translation_m=0.025, max_rotation_rad=1.0)
    converted = negotiate(policy(action=spec), EXAMPLE_ENV).to_env(np.full((1, 7), 0.4))
    np.testing.assert_allclose(converted[0], [0.2] * 3 + [0.8] * 3 + [0.4], atol=1e-7)


@pytest.mark.parametrize(
    ("actions", "part"),
    [
        ([[0.0] * 7], "a list"),
        (np.zeros((1, 7), dtype=int), "int64"),
        (np.zeros((1, 7), dtype=complex), "complex128"),
        (np.zeros(7), "(7,)"),
        (np.zeros((1, 8)), "(1, 8)"),
        (np.zeros((1, 1, 7)), "(1, 1, 7)"),
        (np.zeros((0, 7)), "0 actions"),
        (np.zeros((1, 7)), "1 actions, fewer than the 2"),
        (np.array([[0.0] * 7, [0.0, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0]]), "nan in row 1, column 2"),
        (np.full((2, 7), np.inf), "inf in row 0, column 0"),
    ],
)
def test_an_answer_that_is_no_action_is_the_policys_error(actions, part):
    pipeline = negotiate(policy(chunk_length=4, executed=2), EXAMPLE_ENV)
    with pytest.raises(PolicyError) as caught:
        pipeline.to_env(actions)
    assert part in str(caught.value)
    assert "'probe'" in str(caught.value)
    assert "\n" not in str(caught.value)


# --- observations -----------------------------------------------------------------------------


def test_a_policy_sees_what_it_declared_and_nothing_else():
    spec = policy(cameras=(CameraSpec("wrist/0", 8, 12),), proprio=("ee_position",))
    pipeline = negotiate(spec, EXAMPLE_ENV)
    both = negotiate(
        policy(cameras=(CameraSpec("wrist/0", 8, 12), CameraSpec("exterior/0", 4, 4))), EXAMPLE_ENV
    )
    full = example_observation(both, "e", 3)
    seen = pipeline.to_policy(full)
    assert list(seen.images) == ["wrist/0"]
    np.testing.assert_array_equal(seen.images["wrist/0"], full.images["wrist/0"])
    assert list(seen.proprio) == ["ee_position"]
    assert full.privileged is not None
    assert seen.privileged is None
    assert (seen.episode_id, seen.step, seen.instruction) == ("e", 3, full.instruction)


def test_privileged_state_reaches_a_policy_that_declares_it():
    pipeline = negotiate(policy(privileged=True), EXAMPLE_ENV)
    full = example_observation(pipeline, "e", 0)
    assert pipeline.to_policy(full).privileged is full.privileged
    with pytest.raises(InfrastructureError, match="privileged"):
        pipeline.to_policy(replace(full, privileged=None))


def test_an_environment_that_delivers_less_than_it_offered_is_no_failure_of_the_policy():
    spec = policy(cameras=(CameraSpec("wrist/0", 8, 12),), proprio=("ee_position",))
    pipeline = negotiate(spec, EXAMPLE_ENV)
    full = example_observation(pipeline, "e", 0)
    small = {"wrist/0": np.zeros((4, 4, 3), np.uint8)}
    floats = {"wrist/0": np.zeros((8, 12, 3))}
    for broken in ({"images": {}}, {"images": small}, {"images": floats}, {"proprio": {}}):
        with pytest.raises(InfrastructureError):
            pipeline.to_policy(replace(full, **broken))


def test_image_preprocessing_runs_in_the_declared_order_and_is_not_asked_of_the_environment():
    camera = CameraSpec("wrist/0", 32, 48, True, 95, (16, 16), 0.9)
    pipeline = negotiate(policy(cameras=(camera,)), EXAMPLE_ENV)
    assert pipeline.cameras == (CameraSpec("wrist/0", 32, 48),)
    full = example_observation(pipeline, "e", 0)
    image = full.images["wrist/0"]
    expected = CentreCrop(0.9)(Resize(16, 16)(JpegRoundTrip(95)(image[:, ::-1])))
    np.testing.assert_array_equal(pipeline.to_policy(full).images["wrist/0"], expected)


@given(arrays.arrays(np.uint8, (6, 5, 3)))
def test_image_converters_give_images_and_leave_theirs_alone(image):
    before = image.copy()
    for convert in (Mirror(), JpegRoundTrip(90), Resize(6, 5), CentreCrop(0.5), CentreCrop(1.0)):
        converted = convert(image)
        assert converted.shape == image.shape
        assert converted.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(Mirror()(Mirror()(image)), image)
    np.testing.assert_array_equal(CentreCrop(1.0)(image), image)


def test_centre_crop_keeps_the_share_of_the_area_and_the_corners_of_the_crop():
    ramp = np.broadcast_to(np.arange(201, dtype=np.uint8)[None, :, None], (201, 201, 3))
    cropped = CentreCrop(0.25)(ramp)
    assert cropped[0, 0, 0] == 50
    assert cropped[100, 100, 0] == 100
    assert cropped[200, 200, 0] == 150
    np.testing.assert_array_equal(cropped[0], cropped[-1])


def test_jpeg_changes_an_image_a_little():
    noise = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    smooth = Resize(32, 32)(Resize(4, 4)(noise))
    difference = JpegRoundTrip(95)(smooth).astype(int) - smooth
    assert 0 < np.abs(difference).max() < 24


# --- what does not agree ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"cameras": (CameraSpec("exteriour/0", 8, 8),)}, ["'exteriour/0'", "'exterior/0'"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8),) * 2}, ["'wrist/0' 2 times"]),
        ({"cameras": (CameraSpec("wrist/0", 0, 8),)}, ["0 x 8"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, resized=(8, 0)),)}, ["8 x 0"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, jpeg_quality=96),)}, ["quality 96"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, crop_area=1.5),)}, ["1.5 of the area"]),
        ({"proprio": ("ee_pos",)}, ["'ee_pos'", "'ee_position'"]),
        ({"action": ActionSpec(control="joint_delta")}, ["control 'joint_delta'", "'ee_delta'"]),
        ({"action": ActionSpec(frame="tool")}, ["frame 'tool'", "'base'"]),
        ({"action": ActionSpec(rotation="euler")}, ["rotation 'euler'", "'axis_angle'"]),
        ({"action": ActionSpec(scale="furlong")}, ["scale 'furlong'"]),
        ({"action": ActionSpec(dimension=8)}, ["dimension 8", "7"]),
        ({"action": ActionSpec(gripper_open=1.0)}, ["opens at 1.0 and closes at 1.0"]),
        ({"action": ActionSpec(gripper_open=np.nan)}, ["opens at nan"]),
        ({"action": ActionSpec(gripper_threshold=1.0)}, ["threshold 1.0"]),
        ({"action": ActionSpec(max_rotation_rad=0.0)}, ["max_rotation_rad is 0.0"]),
        ({"action": replace(METRIC, max_translation_m=0.1)}, ["scale is metric"]),
        ({"control_hz": 10.0}, ["10 Hz", "20 Hz"]),
        ({"chunk_length": 2, "executed": 3}, ["executes 3", "only 2"]),
        ({"executed": 0}, ["executed is 0"]),
        ({"chunk_length": 0, "executed": 0}, ["chunk_length is 0"]),
        ({"max_batch": 0}, ["max_batch is 0"]),
    ],
)
def test_a_mismatch_names_both_sides_and_what_is_missing(fields, parts):
    with pytest.raises(ContractError) as caught:
        negotiate(policy(**fields), EXAMPLE_ENV)
    for part in ["'probe'", "'Panda'", *parts]:
        assert part in str(caught.value)


def test_all_mismatches_are_told_at_once():
    wrong = policy(cameras=(CameraSpec("front", 8, 8),), control_hz=5.0, privileged=True)
    with pytest.raises(ContractError) as caught:
        negotiate(wrong, replace(EXAMPLE_ENV, privileged=False))
    for part in ("'front'", "5 Hz", "privileged"):
        assert part in str(caught.value)


def test_an_environment_without_a_largest_step_or_with_metric_actions_is_refused():
    for broken in (
        replace(EXAMPLE_ENV, max_translation_m=0.0),
        replace(EXAMPLE_ENV, action=ActionSpec(scale="metric")),
    ):
        with pytest.raises(ContractError, match="environment's"):
            negotiate(policy(), broken)


# --- the agreement as a value -----------------------------------------------------------------


def test_a_pipeline_is_frozen_and_its_fingerprint_is_its_own():
    pipeline = negotiate(policy(), EXAMPLE_ENV)
    with pytest.raises(FrozenInstanceError):
        pipeline.images = ()
    assert pipeline.fingerprint == negotiate(policy(name="other"), EXAMPLE_ENV).fingerprint
    assert pipeline.fingerprint == "16c567abe8220c66"


@pytest.mark.parametrize(
    "fields",
    [
        {"cameras": (CameraSpec("wrist/0", 8, 8),)},
        {"cameras": (CameraSpec("wrist/0", 8, 8, mirrored=True),)},
        {"cameras": (CameraSpec("wrist/0", 8, 8, jpeg_quality=95),)},
        {"proprio": ("ee_position",)},
        {"privileged": True},
        {"action": METRIC},
        {"action": ActionSpec(gripper_open=1.0, gripper_close=-1.0)},
        {"action": ActionSpec(gripper_threshold=0.0)},
        {"chunk_length": 2},
        {"chunk_length": 2, "executed": 2},
    ],
)
def test_whatever_changes_a_number_changes_the_fingerprint(fields):
    seen = {negotiate(policy(**other), EXAMPLE_ENV).fingerprint for other in ({}, fields)}
    assert len(seen) == 2


def test_the_description_tells_people_every_step():
    camera = CameraSpec("wrist/0", 32, 48, True, 95, (16, 16), 0.9)
    spec = policy(cameras=(camera,), proprio=("ee_position",), action=METRIC, chunk_length=2)
    lines = negotiate(spec, EXAMPLE_ENV).describe()
    text = "\n".join(lines)
    for part in ("32 x 48", "mirrored", "quality 95", "16 x 16", "0.9 of the area", "ee_position"):
        assert part in text
    for part in ("1 m and 1 rad", "0.05 m and 0.5 rad", "1 open, 0 closed", "1 of 2", "20 Hz"):
        assert part in text
    assert not any("\n" in line for line in lines)
    assert "cameras: none" in negotiate(policy(), EXAMPLE_ENV).describe()


def test_clip_and_gripper_say_their_numbers():
    assert Clip().describe() == "clipped to [-1, 1]"
    assert "split at 0.5" in Gripper(1, 0, -1, 1, 0.5).describe()
