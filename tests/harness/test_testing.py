"""The conformance kit catches every promise that a policy can break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vlabench.contract.specs import (
    PADDING,
    ActionSpec,
    CameraSpec,
    PolicySpec,
    PromptSpec,
    StateField,
)
from vlabench.errors import ContractError, PolicyError
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk


class Honest:
    """Keeps every promise: a function of its observation, several at a time."""

    declared = PolicySpec(
        name="honest",
        cameras=(CameraSpec("wrist/0", 8, 8),),
        proprio=("ee_position",),
        chunk_length=3,
        executed=2,
        max_batch=2,
    )

    def __init__(self):
        self.sessions = set()
        self.largest = 0

    def spec(self):
        return self.declared

    def reset(self, starts):
        self.sessions |= {start.episode_id for start in starts}

    def act(self, observations):
        assert {seen.episode_id for seen in observations} <= self.sessions
        self.largest = max(self.largest, len(observations))
        return [self.answer(seen) for seen in observations]

    def answer(self, seen):
        return ActionChunk(np.full((3, 7), seen.images["wrist/0"].mean() / 255))

    def end(self, episode_ids):
        self.sessions -= set(episode_ids)

    def close(self):
        pass


class Forgetful(Honest):
    reset = None


class Changeable(Honest):
    def spec(self):
        self.largest += 1
        return PolicySpec(name=f"changeable-{self.largest}")


class Undeclared(Honest):
    def spec(self):
        return {"name": "undeclared"}


class Scribbler(Honest):
    def answer(self, seen):
        seen.images["wrist/0"][:] = 0
        return super().answer(seen)


class Swallower(Honest):
    def act(self, observations):
        return super().act(observations)[:-1]


class Bare(Honest):
    def answer(self, seen):
        return np.zeros((3, 7))


class Short(Honest):
    def answer(self, seen):
        return ActionChunk(np.zeros((1, 7)))


class Long(Honest):
    def answer(self, seen):
        return ActionChunk(np.zeros((4, 7)))


class Broken(Honest):
    def answer(self, seen):
        return ActionChunk(np.full((3, 7), np.nan))


class Timeless(Honest):
    def answer(self, seen):
        return ActionChunk(np.zeros((3, 7)), infer_ms=-1.0)


class Lonely(Honest):
    def answer(self, seen):
        return ActionChunk(np.zeros((3, 7)), batch_size=0)


class Chatty(Honest):
    def answer(self, seen):
        return ActionChunk(np.zeros((3, 7)), extras={"plan": object()})


class Restless(Honest):
    def answer(self, seen):
        self.largest += 1
        return ActionChunk(np.full((3, 7), 1 / self.largest))


class Crowded(Honest):
    """Answers depend on who else is asked."""

    def act(self, observations):
        return [ActionChunk(np.full((3, 7), 1 / len(observations))) for _ in observations]


def test_an_honest_policy_passes_and_is_left_without_sessions():
    policy = Honest()
    assert check_policy(policy).executed == 2
    assert policy.sessions == set()
    assert policy.largest == 2


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        (Forgetful, "no method reset"),
        (Changeable, "something else each time"),
        (Undeclared, "gave a dict"),
        (Scribbler, "wrote into an observation"),
        (Swallower, "1 answers to 2 observations"),
        (Bare, "answered a ndarray"),
        (Short, r"shape \(1, 7\); it declares 3 rows"),
        (Long, r"shape \(4, 7\); it declares 3 rows"),
        (Broken, "nan"),
        (Timeless, "-1.0 ms"),
        (Lonely, "0 sessions"),
        (Chatty, "extras"),
        (Restless, "when asked again"),
        (Crowded, "one session at a time"),
    ],
)
def test_a_broken_promise_is_named(policy, part):
    with pytest.raises(PolicyError, match=part):
        check_policy(policy())


class Fixed(Honest):
    """Wants every batch full, and is asked for sessions that were never begun."""

    declared = replace(Honest.declared, max_batch=2, fixed_batch=True)

    def act(self, observations):
        assert len(observations) == 2
        begun = [seen for seen in observations if not seen.episode_id.startswith(PADDING)]
        assert {seen.episode_id for seen in begun} <= self.sessions
        return [self.answer(seen) for seen in observations]


class Steering(Honest):
    """Drives the joints to positions, reads a state vector and what it answered before."""

    declared = PolicySpec(
        name="steering",
        state=(StateField("joint_positions"), StateField("gripper_opening", "closing")),
        needs=("last_action",),
        prompt=PromptSpec("do: {instruction}"),
        action=ActionSpec(
            control="joint_position", frame="joints", rotation="none", scale="metric", dimension=8
        ),
    )

    def reset(self, starts):
        assert all(start.instruction.startswith("do: ") for start in starts)
        super().reset(starts)

    def answer(self, seen):
        assert seen.instruction.startswith("do: ")
        np.testing.assert_array_equal(seen.last_action, np.zeros(8))
        return ActionChunk(seen.state[np.newaxis])


def test_a_policy_with_full_batches_passes():
    check_policy(Fixed())


def test_a_policy_is_checked_against_a_controller_that_it_can_drive():
    assert check_policy(Steering()).env.controller == "joint_position"
    with pytest.raises(ContractError, match="joint_position"):
        check_policy(Steering(), EXAMPLE_ENV)


def test_a_policy_that_admits_to_chance_may_change_its_answers():
    policy = Restless()
    policy.declared = replace(Honest.declared, deterministic=False)
    check_policy(policy)


def test_a_policy_that_does_not_fit_the_environment_is_refused():
    policy = Honest()
    policy.declared = PolicySpec(name="honest", control_hz=3.0)
    with pytest.raises(ContractError, match="3 Hz"):
        check_policy(policy, EXAMPLE_ENV)
