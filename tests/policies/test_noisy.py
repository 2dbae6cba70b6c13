"""``noisy:`` before any policy: how much it trembles, that it repeats, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from vlabench.contract.specs import ActionSpec, PolicySpec
from vlabench.errors import UnknownNameError, UsageError
from vlabench.policies.noisy import NOISE, Noisy
from vlabench.runner.job import declaration_of, make_policy, policy_code_hash, requirements_of
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk, EpisodeStart, Observation

PANDA = ActionSpec()


class Still:
    """Answers ``rows`` rows of one number, always the same array."""

    def __init__(self, action: ActionSpec = PANDA, rows: int = 1) -> None:
        self.action, self.rows = action, rows
        self.answer = np.full((rows, action.dimension), 0.25)

    def spec(self) -> PolicySpec:
        return PolicySpec("still", action=self.action, chunk_length=self.rows, executed=self.rows)

    def reset(self, starts: Sequence[EpisodeStart]) -> None: ...

    def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
        return [ActionChunk(self.answer, infer_ms=3.0) for _ in observations]

    def end(self, episode_ids: Sequence[str]) -> None: ...

    def close(self) -> None: ...


def seen(name: str, step: int) -> Observation:
    return Observation(name, step, step / 20, "do it", images={}, proprio={})


def answers(policy: Any, asked: Sequence[tuple[str, int]], together: int) -> dict[Any, np.ndarray]:
    """What it answers to sessions at steps, so many at a time; the name's number is the seed."""
    names = dict.fromkeys(name for name, _ in asked)
    policy.reset([EpisodeStart(name, int(name), "do it", EXAMPLE_ENV) for name in names])
    found = {}
    for first in range(0, len(asked), together):
        batch = asked[first : first + together]
        chunks = policy.act([seen(*one) for one in batch])
        found |= {one: chunk.actions for one, chunk in zip(batch, chunks, strict=True)}
    policy.end(list(names))
    return found


def test_neither_order_nor_batches_change_what_an_episode_gets() -> None:
    asked = [(str(name), step) for step in range(4) for name in range(3)]
    first = answers(Noisy(Still(rows=2)), asked, together=1)
    again = answers(Noisy(Still(rows=2)), asked[::-1], together=5)
    alone = answers(Noisy(Still(rows=2)), [("1", 2)], together=1)
    for one, actions in first.items():
        np.testing.assert_array_equal(actions, again[one])
    np.testing.assert_array_equal(alone["1", 2], first["1", 2])
    assert len({actions.tobytes() for actions in first.values()}) == len(asked)


def test_the_hand_trembles_as_much_as_is_said_and_nothing_else_does() -> None:
    asked = [("7", step) for step in range(2000)]
    actions = np.concatenate([*answers(Noisy(Still(), noise=0.3), asked, together=64).values()])
    np.testing.assert_allclose(actions[:, :3].mean(axis=0), 0.25, atol=0.03)
    np.testing.assert_allclose(actions[:, :3].std(axis=0), 0.3, atol=0.02)
    np.testing.assert_array_equal(actions[:, 3:], 0.25)
    np.testing.assert_array_equal(actions[:, :3], actions[:, :3].round(3))


def test_a_bound_is_kept_and_the_rest_of_the_answer_too() -> None:
    policy = Noisy(Still(ActionSpec(bound=0.5)), noise=5)
    policy.reset([EpisodeStart("1", 1, "do it", EXAMPLE_ENV)])
    (chunk,) = policy.act([seen("1", 0)])
    assert np.abs(chunk.actions).max() == 0.5
    assert chunk.infer_ms == 3.0


def test_the_inner_answer_stays_as_it_was() -> None:
    inner = Still()
    answers(Noisy(inner), [("1", 0)], together=1)
    np.testing.assert_array_equal(inner.answer, 0.25)


def test_of_the_arguments_it_takes_its_own() -> None:
    def step(policy: Any) -> np.ndarray:
        return answers(policy, [("1", 0)], together=1)["1", 0]

    usual, told = make_policy("noisy:noop", {}), make_policy("noisy:noop", {"noise": NOISE})
    more = make_policy("noisy:noop", {"noise": 2 * NOISE})
    np.testing.assert_array_equal(step(usual), step(told))
    np.testing.assert_allclose(step(more)[:, :3], 2 * step(usual)[:, :3], atol=0.002)
    assert usual.spec().name == "noisy:noop"
    assert make_policy("noisy:expert", {"noise": "0.2"}).spec().privileged
    with pytest.raises(UsageError, match="'noop' takes no arguments; leave 'nois' out"):
        make_policy("noisy:noop", {"nois": 0.1})
    with pytest.raises(UnknownNameError, match="did you mean 'url'"):
        make_policy("deaf:noisy:openvla-rest", {"noise": 0.1, "ulr": "http://127.0.0.1:1"})
    wrapped = make_policy("deaf:noisy:openvla-rest", {"noise": 0.1, "url": "http://127.0.0.1:1"})
    assert wrapped.spec().name == "deaf:noisy:openvla-rest"


def test_what_the_inner_policy_says_of_itself_is_not_asked_about_the_noise() -> None:
    own = {"url": "http://127.0.0.1:1"}
    args = {"noise": 0.1, **own}
    assert requirements_of("noisy:openvla-rest", args) == requirements_of("openvla-rest", own)
    assert policy_code_hash("noisy:noop", {"noise": 0.1}) == ""
    declared = declaration_of("noisy:openvla-rest", args)
    assert declared is None or declared.name.startswith("noisy:")


@pytest.mark.parametrize("name", ["noisy:random", "noisy:noop"])
def test_it_conforms(name: str) -> None:
    check_policy(make_policy(name, {"noise": 0.4}), EXAMPLE_ENV)


@pytest.mark.parametrize("noise", [0, -0.1, "much", "nan", "inf", None, [1]])
def test_a_wrong_noise_is_told(noise: Any) -> None:
    with pytest.raises(UsageError, match=r"'noisy:' got noise=.*write a number above 0"):
        make_policy("noisy:noop", {"noise": noise})


@pytest.mark.parametrize(
    "action",
    [
        ActionSpec(scale="metric"),
        ActionSpec(control="joint_velocity", frame="joints", rotation="none", dimension=8),
        ActionSpec(control="ee_pose", scale="metric"),
    ],
)
def test_only_normalized_changes_tremble(action: ActionSpec) -> None:
    with pytest.raises(UsageError, match="makes only normalized ee_delta tremble"):
        Noisy(Still(action))
