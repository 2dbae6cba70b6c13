"""A session's answers on their way: chunks, ensembling, rates, histories, latency, batches."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlabench.contract.batching import answers_of, padded
from vlabench.contract.history import History, looking
from vlabench.contract.latency import Latency
from vlabench.contract.negotiate import negotiate
from vlabench.contract.playback import Playback, ensemble, steps_of
from vlabench.contract.rotations import from_quaternion, to_quaternion
from vlabench.contract.specs import (
    PADDING,
    ROTATION_SIZES,
    ActionSpec,
    CameraSpec,
    Ensembling,
    PolicySpec,
)
from vlabench.errors import ContractError, PolicyError, UsageError
from vlabench.testing import EXAMPLE_ENV, EXAMPLE_ENVS, example_observation
from vlabench.types import ActionChunk

ROWS = st.integers(1, 12)


def answer(number, length):
    """Rows that say which answer they are of, and which row."""
    return np.array([[float(number), float(row)] for row in range(length)])


def played(playback, length, steps):
    """What is executed in so many control steps, and at which of them somebody is asked."""
    rows, asked = [], []
    for step in range(steps):
        if playback.is_due:
            asked.append(step)
            playback.take(answer(len(asked) - 1, length))
        rows.append(playback.row().tolist())
        playback.advance()
    return rows, asked


# --- chunks -------------------------------------------------------------------------------------


@given(ROWS, ROWS)
def test_so_many_rows_of_an_answer_are_executed_as_was_declared(length, executed):
    executed = min(executed, length)
    rows, asked = played(Playback(executed), length, 40)
    assert asked == list(range(0, 40, executed))
    assert rows == [[step // executed, step % executed] for step in range(40)]


def test_the_rest_of_an_answer_is_still_there_once_its_time_is_over():
    playback = Playback(1)
    playback.take(answer(0, 2))
    playback.advance()
    assert playback.is_due
    assert playback.row().tolist() == [0, 1]
    playback.advance()
    assert playback.row() is None


# --- rates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy_hz", "env_hz", "expected"),
    [
        (15, 20, [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7]),
        (10, 20, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]),
        (50, 20, [0, 2, 5, 7]),
        (20, 20, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_row_is_held_until_the_next_ones_time_has_come(policy_hz, env_hz, expected):
    ratio = Fraction(policy_hz, env_hz)
    assert steps_of(8, ratio) == len(expected)
    rows, asked = played(Playback(8, ratio), 10, 2 * len(expected))
    assert [row for _, row in rows[: len(expected)]] == expected
    assert asked == [0, len(expected)]


@given(st.integers(1, 100), st.integers(1, 100), ROWS)
def test_resampling_keeps_time(policy_hz, env_hz, executed):
    ratio = Fraction(policy_hz, env_hz)
    rows, _ = played(Playback(executed, ratio), executed, steps_of(executed, ratio))
    for step, (_, row) in enumerate(rows):
        # the newest row whose time, in seconds, is not after that of the control step
        assert row / policy_hz <= step / env_hz + 1e-12
        assert (row + 1) / policy_hz > step / env_hz - 1e-12


def test_velocities_and_positions_are_resampled_and_changes_are_not():
    joints = ActionSpec(control="joint_velocity", frame="joints", rotation="none", dimension=8)
    spec = PolicySpec("probe", action=joints, control_hz=15.0)
    assert negotiate(spec, EXAMPLE_ENVS[2]).ratio == Fraction(3, 4)
    pose = ActionSpec(control="ee_pose", scale="metric")
    assert negotiate(replace(spec, action=pose), EXAMPLE_ENV).ratio == Fraction(3, 4)
    assert negotiate(replace(spec, action=pose, control_hz=None), EXAMPLE_ENV).ratio == 1


# --- ensembling ---------------------------------------------------------------------------------


@given(
    length=st.integers(1, 10),
    every=st.integers(1, 10),
    decay=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
def test_overlapping_answers_are_averaged_as_acts_formula_says(length, every, decay, seed):
    every = min(every, length)
    answers = np.random.default_rng(seed).normal(size=(30, length, 3))
    playback = Playback(every, ensembling=Ensembling(decay, every))
    given_at = []
    for step in range(25):
        if playback.is_due:
            given_at.append(step)
            playback.take(answers[len(given_at) - 1])
        overlapping = [
            answers[k][step - start] for k, start in enumerate(given_at) if step - start < length
        ]
        weights = [math.exp(-decay * i) for i in range(len(overlapping))]
        expected = sum(w * row for w, row in zip(weights, overlapping, strict=True)) / sum(weights)
        np.testing.assert_allclose(playback.row(), expected, atol=1e-9)
        playback.advance()
    assert given_at == list(range(0, 25, every))


def test_older_answers_weigh_more_and_equal_ones_stay_as_they_are():
    old, new = np.array([0.0]), np.array([1.0])
    assert ensemble([old, new], 0.0) == 0.5
    assert ensemble([old, new], 1.0) == pytest.approx(math.exp(-1) / (1 + math.exp(-1)))
    np.testing.assert_allclose(ensemble([new] * 7, 0.3), new)


def metric(control, rotation):
    size = 3 + ROTATION_SIZES[rotation] + 1
    return ActionSpec(control=control, rotation=rotation, scale="metric", dimension=size)


@pytest.mark.parametrize(
    ("control", "rotation"),
    [
        ("ee_pose", "axis_angle"),
        ("ee_pose", "euler_xyz"),
        ("ee_pose", "quaternion_xyzw"),
        ("ee_pose", "quaternion_wxyz"),
        ("ee_delta", "quaternion_xyzw"),
        ("ee_delta", "quaternion_wxyz"),
    ],
)
def test_rotations_whose_numbers_jump_are_never_averaged(control, rotation):
    spec = PolicySpec("probe", action=metric(control, rotation), ensembling=Ensembling())
    with pytest.raises(ContractError, match=f"ensembling averages .*'{control}' .*'{rotation}'"):
        negotiate(spec, EXAMPLE_ENV, allow_mismatch=True)
    negotiate(replace(spec, ensembling=None), EXAMPLE_ENV)


@pytest.mark.parametrize("control", ["ee_pose", "ee_delta"])
@pytest.mark.parametrize("rotation", [r for r in ROTATION_SIZES if r != "none"])
def test_the_mean_of_two_neighbouring_rotations_lies_between_them_where_it_is_allowed(
    control, rotation
):
    spec = PolicySpec("probe", action=metric(control, rotation), ensembling=Ensembling(0.0))
    try:
        pipeline = negotiate(spec, EXAMPLE_ENV)
    except ContractError:
        return
    angles = (0.95 * math.pi, 1.05 * math.pi) if control == "ee_pose" else (-0.1, 0.3)
    turns = [(0.0, 0.0, math.sin(angle / 2), math.cos(angle / 2)) for angle in angles]
    rows = [np.array(from_quaternion(turn, rotation)) for turn in turns]
    mean = to_quaternion(ensemble(rows, pipeline.policy.ensembling.decay).tolist(), rotation)
    half = sum(angles) / 4
    assert abs(mean[2] * math.sin(half) + mean[3] * math.cos(half)) == pytest.approx(1, abs=1e-4)


def test_joints_are_averaged():
    joints = ActionSpec(
        control="joint_position", frame="joints", rotation="none", scale="metric", dimension=8
    )
    spec = PolicySpec("probe", action=joints, ensembling=Ensembling())
    assert negotiate(spec, EXAMPLE_ENVS[1]).policy.ensembling == Ensembling()


# --- histories ----------------------------------------------------------------------------------


@given(
    history=st.integers(1, 5),
    stride=st.integers(1, 4),
    period=st.integers(1, 7),
)
def test_whoever_looks_when_told_has_every_image_that_a_question_needs(history, stride, period):
    camera = CameraSpec("wrist/0", 1, 1, history=history, history_stride=stride)
    kept = History([camera])
    for step in range(40):
        if looking([camera], step, period):
            kept.add(step, {"wrist/0": np.full((1, 1, 3), step, np.uint8)})
        if step % period == 0:
            shown = kept.at(step, "wrist/0")
            steps = [max(step - k * stride, 0) for k in reversed(range(history))]
            frames = shown if history > 1 else shown[np.newaxis]
            assert frames[:, 0, 0, 0].tolist() == steps
            assert len(kept._frames["wrist/0"]) <= (history - 1) * stride + 1


def test_nobody_looks_in_vain():
    single = CameraSpec("exterior/0", 1, 1)
    double = CameraSpec("wrist/0", 1, 1, history=2, history_stride=3)
    looks = [[c.role for c in looking([single, double], step, 8)] for step in range(9)]
    both = ["exterior/0", "wrist/0"]
    assert looks == [both, [], [], [], [], ["wrist/0"], [], [], both]
    assert looking([single, double], 1, None) == [double]


# --- latency ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "steps"),
    [(0, 0), (0.1, 1), (50, 1), (50.1, 2), (100, 2), (149, 3), (150, 3), (1000, 20)],
)
def test_a_latency_lasts_so_many_control_steps(ms, steps):
    assert Latency(ms).steps(20.0, 999.0) == steps
    assert Latency().steps(20.0, ms) == steps


def test_a_latency_says_what_it_is_and_is_a_time():
    assert (Latency(80.0).setting, Latency().setting) == (80.0, "measured")
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="is no time"):
            Latency(wrong)


@given(st.floats(0, 2000), st.floats(1, 200))
def test_an_answer_is_never_early_and_never_a_whole_step_late(ms, hz):
    steps = Latency(ms).steps(hz, 0.0)
    assert steps / hz >= ms / 1000 - 1e-6
    assert (steps - 1) / hz < ms / 1000 + 1e-6


# --- batches ------------------------------------------------------------------------------------


class Counting:
    """Answers each observation with its place in the batch; `missing` answers too few."""

    def __init__(self, missing=0):
        self.batches, self.missing = [], missing

    def act(self, observations):
        self.batches.append([seen.episode_id for seen in observations])
        several = len(observations) - self.missing
        return [ActionChunk(np.full((1, 7), float(place))) for place in range(several)]


def seen(*names):
    pipeline = negotiate(PolicySpec("probe"), EXAMPLE_ENV)
    return [example_observation(pipeline, name, 0) for name in names]


def test_a_batch_is_filled_up_with_the_first_observation_where_its_size_is_fixed():
    spec = PolicySpec("probe", max_batch=4, fixed_batch=True)
    batch = padded(seen("a", "b"), spec)
    assert [s.episode_id for s in batch] == ["a", "b", f"{PADDING}0", f"{PADDING}1"]
    assert batch[2].proprio is batch[0].proprio
    assert padded([], spec) == []
    assert [s.episode_id for s in padded(seen("a"), replace(spec, fixed_batch=False))] == ["a"]


def test_answers_to_padding_are_thrown_away():
    policy, spec = Counting(), PolicySpec("probe", max_batch=4, fixed_batch=True)
    chunks = answers_of(policy, spec, seen("a", "b"))
    assert [chunk.actions[0, 0] for chunk in chunks] == [0.0, 1.0]
    assert len(policy.batches[0]) == 4


def test_a_policy_that_leaves_out_an_answer_is_in_error():
    with pytest.raises(PolicyError, match="1 answers to 2 observations"):
        answers_of(Counting(missing=1), PolicySpec("probe", max_batch=2), seen("a", "b"))
