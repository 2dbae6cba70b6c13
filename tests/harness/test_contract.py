"""A policy and an environment agree on everything, or nothing runs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vlabench.contract.actions import Clip, Gripper
from vlabench.contract.history import History
from vlabench.contract.images import CentreCrop, JpegRoundTrip, Resize
from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PolicySpec,
    PromptSpec,
    StateField,
)
from vlabench.errors import ContractError, InfrastructureError, PolicyError
from vlabench.testing import EXAMPLE_ENV, EXAMPLE_ENVS, example_observation

METRIC = ActionSpec(scale="metric", gripper_open=1.0, gripper_close=0.0)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
CHUNKS = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(7)), elements=FINITE)


def policy(**fields):
    return PolicySpec(**{"name": "probe", **fields})


def to_env(actions, proprio=None, env=EXAMPLE_ENV, **fields):
    """The environment's actions for an answer of a policy that declares as many rows."""
    spec = policy(chunk_length=len(actions), **fields)
    return negotiate(spec, env).to_env(actions, proprio)


# --- actions ----------------------------------------------------------------------------------


@given(CHUNKS)
def test_what_the_environment_gets_is_float32_in_range_and_as_long(actions):
    for action in (ActionSpec(), METRIC, ActionSpec(gripper_open=1.0, gripper_close=-1.0)):
        given = actions.copy()
        converted = to_env(given, action=action)
        assert converted.dtype == np.float32
        assert converted.shape == actions.shape
        assert np.abs(converted).max() <= 1.0
        np.testing.assert_array_equal(given, actions)


@given(arrays.arrays(np.float64, (3, 7), elements=st.floats(-1, 1)))
def test_the_environments_own_actions_pass_unchanged(actions):
    converted = to_env(actions)
    np.testing.assert_array_equal(converted, actions.astype(np.float32))


@given(arrays.arrays(np.float64, (2, 6), elements=st.floats(-1, 1)), st.floats(0, 1))
def test_metric_steps_come_back_when_multiplied_by_the_largest_step(steps, opening):
    largest = np.array([0.05] * 3 + [0.5] * 3)
    actions = np.column_stack([steps * largest, [opening, opening]])
    converted = to_env(actions, action=METRIC)
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
    actions = np.zeros((3, 7))
    actions[:, 6] = opens, closes, between
    np.testing.assert_allclose(to_env(actions, action=spec)[:, 6], [-1, 1, expected])


def test_a_policy_trained_with_another_largest_step_is_rescaled():
    spec = ActionSpec(max_translation_m=0.025, max_rotation_rad=0.1)
    converted = to_env(np.full((1, 7), 0.4), action=spec)
    np.testing.assert_allclose(converted[0], [0.2] * 3 + [0.08] * 3 + [0.4], atol=1e-7)


@pytest.mark.parametrize(
    ("actions", "part"),
    [
        ([[0.0] * 7], "a list"),
        (np.zeros((2, 7), dtype=int), "int64"),
        (np.zeros((2, 7), dtype=complex), "complex128"),
        (np.zeros(7), "(7,)"),
        (np.zeros((2, 8)), "(2, 8); it declares 2 rows (chunk_length) of 7 numbers"),
        (np.zeros((1, 1, 7)), "(1, 1, 7)"),
        (np.zeros((0, 7)), "(0, 7); it declares 2 rows"),
        (np.zeros((1, 7)), "(1, 7); it declares 2 rows"),
        (np.zeros((3, 7)), "(3, 7); it declares 2 rows"),
        (np.array([[0.0] * 7, [0.0, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0]]), "nan in row 1, column 2"),
        (np.full((2, 7), np.inf), "inf in row 0, column 0"),
        (np.array([[0.0] * 7, [0.0] * 6 + [-3.1]]), "-3.1 in row 1, column 6"),
    ],
)
def test_an_answer_that_is_no_action_is_the_policys_error(actions, part):
    spec = policy(chunk_length=2, executed=1, action=ActionSpec(bound=3.0))
    with pytest.raises(PolicyError) as caught:
        negotiate(spec, EXAMPLE_ENV).to_env(actions)
    assert part in str(caught.value)
    assert "'probe'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bound_is_the_largest_number_that_can_be_meant():
    converted = to_env(np.full((1, 7), -3.0), action=ActionSpec(bound=3.0))
    np.testing.assert_array_equal(converted, np.full((1, 7), -1.0))
    converted = to_env(np.full((1, 7), 1e300))
    np.testing.assert_array_equal(converted, np.full((1, 7), 1.0))


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


def test_a_policy_is_told_what_it_is_used_to_and_shown_its_own_state_and_last_action():
    spec = policy(
        prompt=PromptSpec("In: {instruction}?", case="upper"),
        state=(StateField("ee_position", offset=(1.0, 0.0, 0.0)), StateField("zeros", size=2)),
        needs=("last_action",),
    )
    pipeline = negotiate(spec, EXAMPLE_ENV)
    full = example_observation(pipeline, "e", 0)
    seen = pipeline.to_policy(full)
    assert seen.instruction == f"In: {full.instruction.upper()}?"
    expected = [*(full.proprio["ee_position"] + [1, 0, 0]), 0, 0]
    np.testing.assert_array_equal(seen.state, expected)
    assert seen.proprio == {}
    np.testing.assert_array_equal(seen.last_action, np.zeros(7))
    before = np.arange(7.0)
    assert pipeline.to_policy(full, last_action=before).last_action is before
    bare = negotiate(policy(), EXAMPLE_ENV).to_policy(full, last_action=before)
    assert (bare.state, bare.last_action, bare.instruction) == (None, None, full.instruction)


def test_a_state_that_is_longer_than_agreed_is_the_environments_error():
    spec = policy(state=(StateField("joint_positions", size=7),))
    pipeline = negotiate(spec, EXAMPLE_ENV)
    full = example_observation(pipeline, "e", 0)
    longer = replace(full, proprio={"joint_positions": np.zeros(8)})
    with pytest.raises(InfrastructureError, match="8 numbers"):
        pipeline.to_policy(longer)


def test_a_history_begins_with_the_first_image_and_keeps_the_last_ones():
    camera = CameraSpec("wrist/0", 4, 4, history=3, history_stride=2, layout="chw")
    pipeline = negotiate(policy(cameras=(camera,)), EXAMPLE_ENV)
    looks = [example_observation(pipeline, "e", step) for step in range(6)]
    frames = [np.moveaxis(look.images["wrist/0"], -1, 0) for look in looks]
    alone = pipeline.to_policy(looks[5]).images["wrist/0"]
    np.testing.assert_array_equal(alone, np.stack([frames[5]] * 3))
    history = History(pipeline.policy.cameras)
    shown = [pipeline.to_policy(look, history).images["wrist/0"] for look in looks]
    np.testing.assert_array_equal(shown[0], np.stack([frames[0]] * 3))
    np.testing.assert_array_equal(shown[3], np.stack([frames[k] for k in (0, 1, 3)]))
    np.testing.assert_array_equal(shown[5], np.stack([frames[k] for k in (1, 3, 5)]))


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
    camera = CameraSpec(
        "wrist/0",
        32,
        48,
        mirrored=True,
        jpeg_quality=95,
        resized=(16, 16),
        crop_area=0.9,
    )
    pipeline = negotiate(policy(cameras=(camera,)), EXAMPLE_ENV)
    assert pipeline.cameras == (CameraSpec("wrist/0", 32, 48),)
    full = example_observation(pipeline, "e", 0)
    image = full.images["wrist/0"]
    expected = CentreCrop(0.9)(Resize(16, 16)(JpegRoundTrip(95)(image[:, ::-1])))
    np.testing.assert_array_equal(pipeline.to_policy(full).images["wrist/0"], expected)


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
        ({"action": ActionSpec(control="torque")}, ["control 'torque'", "ee_pose"]),
        ({"action": ActionSpec(frame="tool")}, ["frame 'tool'", "base, hand"]),
        ({"action": ActionSpec(frame="joints")}, ["frame 'joints'"]),
        ({"action": ActionSpec(rotation="euler")}, ["rotation 'euler'", "euler_xyz"]),
        ({"action": ActionSpec(rotation="rot6d", dimension=10)}, ["'rot6d'", "'metric'"]),
        ({"action": replace(METRIC, control="ee_pose", frame="hand")}, ["frame 'hand'"]),
        (
            {"action": replace(METRIC, control="ee_pose", rotation="none", dimension=4)},
            ["rotation 'none'"],
        ),
        ({"action": ActionSpec(control="ee_pose")}, ["always 'metric'"]),
        ({"action": ActionSpec(scale="furlong")}, ["scale 'furlong'"]),
        ({"action": ActionSpec(dimension=8)}, ["dimension 8", "makes it 7"]),
        ({"action": ActionSpec(dimension=8, padding=2)}, ["dimension 8", "2 of padding"]),
        ({"action": ActionSpec(dimension=6, padding=-1)}, ["padding -1"]),
        ({"action": ActionSpec(gripper_sticky_steps=0)}, ["gripper_sticky_steps is 0"]),
        ({"action": ActionSpec(bound=-1.0)}, ["bound is -1.0"]),
        ({"action": ActionSpec(max_joint=0.1)}, ["max_joint is given", "no use"]),
        ({"action": ActionSpec(gripper_open=1.0)}, ["opens at 1.0 and closes at 1.0"]),
        ({"action": ActionSpec(gripper_open=np.nan)}, ["opens at nan"]),
        ({"action": ActionSpec(gripper_threshold=1.0)}, ["threshold 1.0"]),
        ({"action": ActionSpec(max_rotation_rad=0.0)}, ["max_rotation_rad is 0.0"]),
        ({"action": replace(METRIC, max_translation_m=0.1)}, ["scale is metric"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, history=0),)}, ["history 0"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, history_stride=0),)}, ["history_stride 0"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, resize_filter="cubic"),)}, ["'cubic'", "area"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, resize_fit="crop"),)}, ["'crop'", "pad"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, layout="HWC"),)}, ["'HWC'", "chw"]),
        ({"cameras": (CameraSpec("wrist/0", 8, 8, dtype="float64"),)}, ["'float64'", "float32"]),
        (
            {
                "cameras": (
                    CameraSpec("wrist/0", 8, 8, key="image"),
                    CameraSpec("exterior/0", 8, 8, key="image"),
                )
            },
            ["camera key 'image' 2 times"],
        ),
        ({"state": (StateField("ee_pos"),)}, ["'ee_pos'", "'ee_position'"]),
        ({"state": (StateField("ee_quaternion", "euler"),)}, ["'euler'", "euler_xyz"]),
        ({"state": (StateField("ee_position", "axis_angle"),)}, ["'axis_angle'", "same"]),
        ({"state": (StateField("zeros"),)}, ["has no size"]),
        ({"state": (StateField("joint_positions", size=6),)}, ["size 6", "7 numbers"]),
        ({"state": (StateField("gripper_opening", "width"),)}, ["'width' needs the metres"]),
        ({"state": (StateField("gripper_opening", "opening", scale=0.08),)}, ["takes no scale"]),
        ({"state": (StateField("gripper_opening", "width", scale=0.0),)}, ["scale 0.0"]),
        ({"state": (StateField("joint_positions", offset=(0.0,) * 3),)}, ["offset"]),
        ({"state": (StateField("ee_position", turned=(0.0, 0.0, 0.0, 1.0)),)}, ["is turned"]),
        (
            {"state": (StateField("ee_quaternion", "matrix", turned=(1.0, 0.0, 0.0, 1.0)),)},
            ["no unit quaternion"],
        ),
        ({"prompt": PromptSpec("do it")}, ["'do it'", "0 times"]),
        ({"prompt": PromptSpec("{instruction}, {instruction}")}, ["2 times"]),
        ({"prompt": PromptSpec(case="title")}, ["'title'", "lower"]),
        ({"needs": ("depth",)}, ["'depth'", "last_action"]),
        ({"while_waiting": "wander"}, ["'wander'", "hold"]),
        ({"ensembling": Ensembling(every=2)}, ["every 2 steps", "executed is 1"]),
        ({"ensembling": Ensembling(decay=-0.1)}, ["decay -0.1"]),
        (
            {
                "ensembling": Ensembling(),
                "action": ActionSpec(control="ee_pose", scale="metric"),
            },
            ["ensembling averages", "'ee_pose' with rotation 'axis_angle'", "'rot6d' or 'matrix'"],
        ),
        ({"control_hz": 10.0}, ["10 Hz", "20 Hz", "--allow-mismatch"]),
        (
            {"action": ActionSpec(max_rotation_rad=1.0)},
            ["max_rotation_rad is 1 and the environment's 0.5", "cut off", "--allow-mismatch"],
        ),
        ({"control_hz": 0.0}, ["control_hz is 0.0"]),
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


def test_a_wrist_camera_that_the_environment_has_not_is_missed_by_name():
    spec = policy(cameras=(CameraSpec("exterior/0", 8, 8), CameraSpec("wrist/0", 8, 8)))
    with pytest.raises(ContractError, match=r"camera 'wrist/0', .* nearest is 'exterior/0'"):
        negotiate(spec, replace(EXAMPLE_ENV, cameras=("exterior/0",)), allow_mismatch=True)


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
        replace(EXAMPLE_ENV, action=replace(METRIC, control="ee_pose")),
        replace(EXAMPLE_ENV, action=ActionSpec(frame="hand")),
        replace(EXAMPLE_ENVS[1], max_joint=None),
        replace(EXAMPLE_ENV, control_hz=0.0),
    ):
        with pytest.raises(ContractError, match="environment's"):
            negotiate(policy(), broken)


def test_what_can_be_passed_on_is_allowed_where_somebody_takes_the_blame_and_is_kept():
    slow = policy(control_hz=10.0)
    pipeline = negotiate(slow, EXAMPLE_ENV, allow_mismatch=True)
    (kept,) = pipeline.mismatches
    assert "10 Hz" in kept
    assert "20 Hz" in kept
    assert pipeline.ratio == 1
    assert pipeline.fingerprint != negotiate(policy(), EXAMPLE_ENV).fingerprint
    assert any(kept in line for line in pipeline.describe())
    agreed = negotiate(policy(control_hz=20.0), EXAMPLE_ENV, allow_mismatch=True)
    assert agreed.mismatches == ()


def test_what_nothing_converts_is_refused_though_mismatches_are_allowed():
    blind = policy(control_hz=10.0, cameras=(CameraSpec("wrist/9", 8, 8),))
    with pytest.raises(ContractError, match="wrist/9") as caught:
        negotiate(blind, EXAMPLE_ENV, allow_mismatch=True)
    assert "allow-mismatch" not in str(caught.value)


@pytest.mark.parametrize(
    ("control", "controller"),
    [
        ("ee_delta", "osc_pose"),
        ("ee_pose", "osc_pose"),
        ("joint_delta", "joint_position"),
        ("joint_position", "joint_position"),
        ("joint_velocity", "joint_velocity"),
        ("torque", "osc_pose"),
    ],
)
def test_the_environment_is_the_one_whose_controller_the_policy_can_drive(control, controller):
    spec = policy(action=ActionSpec(control=control))
    assert choose_environment(spec, EXAMPLE_ENVS).controller == controller
    assert choose_environment(spec, EXAMPLE_ENVS[:1]).controller == "osc_pose"


# --- the agreement as a value -----------------------------------------------------------------


def test_a_pipeline_is_frozen_and_its_fingerprint_is_its_own():
    pipeline = negotiate(policy(), EXAMPLE_ENV)
    with pytest.raises(FrozenInstanceError):
        pipeline.images = ()
    assert pipeline.fingerprint == negotiate(policy(name="other"), EXAMPLE_ENV).fingerprint
    assert pipeline.fingerprint == "a1dc4365df14b998"


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
        {"ensembling": Ensembling(0.01)},
        {"ensembling": Ensembling(0.02)},
        {"prompt": PromptSpec(case="lower")},
        {"prompt": PromptSpec(strip_period=True)},
        {"state": (StateField("ee_position"),)},
        {"state": (StateField("ee_position", size=4),)},
        {"needs": ("last_action",)},
        {"while_waiting": "rest"},
        {"cameras": (CameraSpec("wrist/0", 8, 8, history=2),)},
        {"cameras": (CameraSpec("wrist/0", 8, 8, dtype="float32"),)},
        {"action": ActionSpec(gripper_sticky_steps=3)},
        {"action": ActionSpec(bound=2.0)},
        {"action": ActionSpec(frame="hand")},
    ],
)
def test_whatever_changes_a_number_changes_the_fingerprint(fields):
    seen = {negotiate(policy(**other), EXAMPLE_ENV).fingerprint for other in ({}, fields)}
    assert len(seen) == 2


def test_the_description_tells_people_every_step():
    camera = CameraSpec(
        "wrist/0", 32, 48, mirrored=True, jpeg_quality=95, resized=(16, 16), crop_area=0.9
    )
    spec = policy(cameras=(camera,), proprio=("ee_position",), action=METRIC, chunk_length=2)
    lines = negotiate(spec, EXAMPLE_ENV).describe()
    text = "\n".join(lines)
    for part in ("32 x 48", "mirrored", "quality 95", "16 x 16", "0.9 of the area", "ee_position"):
        assert part in text
    for part in ("1 m and 1 rad", "0.05 m and 0.5 rad", "1 open, 0 closed", "1 of 2", "20 Hz"):
        assert part in text
    assert not any("\n" in line for line in lines)
    assert "cameras: none" in negotiate(policy(), EXAMPLE_ENV).describe()
    assert "prompt: as it is" in lines


def test_the_description_tells_of_everything_that_is_not_usual():
    camera = CameraSpec("wrist/0", 8, 8, rotated=True, history=2, history_stride=5, key="hand")
    action = ActionSpec(
        control="joint_position",
        frame="joints",
        rotation="none",
        scale="metric",
        dimension=10,
        padding=2,
        gripper_relative=True,
        gripper_sticky_steps=15,
    )
    spec = policy(
        cameras=(camera,),
        state=(StateField("gripper_opening", "fingers", scale=0.08), StateField("zeros", size=1)),
        prompt=PromptSpec("do {instruction}", "lower", strip_period=True),
        needs=("last_action",),
        ensembling=Ensembling(0.25),
        action=action,
        control_hz=15.0,
    )
    text = "\n".join(negotiate(spec, EXAMPLE_ENVS[1]).describe())
    for part in ("as 'hand'", "turned by 180", "the last 2, 5 steps apart", "fingers of 0.08 m"):
        assert part in text
    for part in ("1 zeros", "in lower case", "full stop", "'do {instruction}'", "last_action"):
        assert part in text
    for part in ("first 8 numbers", "where the joints are", "by changes", "for 15 control steps"):
        assert part in text
    for part in ("1 of 1 a joint -> 1 of 0.05", "exp(-0.25 i)", "15 Hz, held at 20 Hz"):
        assert part in text


def test_clip_and_gripper_say_their_numbers():
    assert Clip().describe() == "clipped to [-1, 1]"
    assert "split at 0.5" in Gripper(1, 0, -1, 1, 0.5).describe()
