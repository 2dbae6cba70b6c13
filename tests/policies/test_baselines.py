"""The policies that need nothing: they conform, and do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from vlabench.contract.negotiate import negotiate
from vlabench.policies.noop import Noop
from vlabench.policies.random import Random
from vlabench.registry import POLICIES
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import EpisodeStart


@pytest.mark.parametrize("name", ["noop", "random"])
def test_they_conform(name):
    check_policy(POLICIES.load(name)())


def _see(episode_id, step):
    return example_observation(negotiate(Noop().spec(), EXAMPLE_ENV), episode_id, step)


def _start(episode_id, seed):
    return EpisodeStart(episode_id, seed, "", EXAMPLE_ENV)


def test_noop_holds_still_with_the_gripper_open():
    first, second = Noop().act([_see("a", 0), _see("b", 0)])
    np.testing.assert_array_equal(first.actions, [[0, 0, 0, 0, 0, 0, -1]])
    assert first.actions is not second.actions


def test_random_depends_on_the_seed_and_the_step_alone():
    together, alone = Random(), Random()
    together.reset([_start("a", 1), _start("b", 2)])
    alone.reset([_start("b", 2)])
    alone.act([_see("b", 5)])
    chunks = together.act([_see("b", 3), _see("a", 3)])
    np.testing.assert_array_equal(chunks[0].actions, alone.act([_see("b", 3)])[0].actions)
    assert not np.array_equal(chunks[0].actions, chunks[1].actions)
    assert not np.array_equal(chunks[0].actions, together.act([_see("b", 4)])[0].actions)


def test_random_fills_its_range():
    policy = Random()
    policy.reset([_start("a", 0)])
    drawn = np.concatenate([policy.act([_see("a", step)])[0].actions for step in range(500)])
    assert drawn.shape == (500, 7)
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() < 1
    assert np.abs(drawn.mean(axis=0)).max() < 0.1


def test_random_forgets_a_session_that_ended():
    policy = Random()
    policy.reset([_start("a", 0)])
    policy.end(["a"])
    with pytest.raises(KeyError):
        policy.act([_see("a", 0)])
