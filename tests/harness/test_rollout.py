"""What a record says of success, failure, the policy's errors and a lost simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness_fakes import DIAGNOSTIC, BrokenEnd, BrokenPolicy, FakePolicy, FakeWorld, LostPolicy

from vlabench.contract.negotiate import negotiate
from vlabench.contract.policy import Policy
from vlabench.errors import InfrastructureError
from vlabench.manifest import build_manifest
from vlabench.rollout import RunContext, run_episode
from vlabench.seeding import seed_of
from vlabench.suite import Suite
from vlabench.trace import Trace
from vlabench.types import Change, EpisodeRecord, EpisodeSpec, Event

CONTEXT = RunContext("run", "small", 3, "hash")
WORLD = FakeWorld()


def episodes() -> tuple[EpisodeSpec, ...]:
    suite = Suite(
        name="nominal", version=1, description="x", seed=3, episodes=8, tasks=("place-on",)
    )
    return build_manifest(suite, WORLD).episodes


def roll(policy: Policy, episode: EpisodeSpec) -> tuple[EpisodeRecord, Trace]:
    environment = WORLD.make()
    pipeline = negotiate(policy.spec(), environment.spec())
    return run_episode(environment, policy, pipeline, episode, CONTEXT, attempt=1)


class Idle(FakePolicy):
    def actions(self, observation: object) -> np.ndarray:
        return np.zeros((3, 7))


def test_a_success_is_told_in_full() -> None:
    episode = min(episodes(), key=lambda episode: episode.factors["goal"])
    record, trace = roll(FakePolicy(), episode)
    assert (record.status, record.success, record.error) == ("success", True, None)
    assert (record.progress, record.chain_length) == (1.0, 2)
    assert record.time_to_success_s == record.steps / 10
    assert record.steps == len(trace.actions) == len(trace.checksums)
    assert record.policy_calls == -(-record.steps // 2)
    assert record.actions_hash == trace.actions_hash
    assert record.instruction == episode.instruction
    assert dict(record.factors) == dict(episode.factors)
    assert (record.attempt, record.suite_hash, record.run_id) == (1, "hash", "run")
    assert record.latency_ms_p50 is not None
    assert EpisodeRecord.from_json(record.to_json()) == record


def test_safety_and_events_are_told_flat_and_compliance_only_of_diagnostics() -> None:
    record, _ = roll(FakePolicy(), episodes()[0])
    assert (record.n_collisions, record.max_contact_force_n, record.n_drops) == (1, 4.0, 2)
    assert (record.n_joint_limit_steps, record.n_workspace_steps) == (0, 0)
    assert record.events == (Event(1, "it began"),)
    assert record.compliance is None
    assert "safety" not in record.to_json()
    assert EpisodeRecord.from_json(record.to_json()) == record


def test_a_policy_that_fails_does_not_comply() -> None:
    change = (Change(DIAGNOSTIC, "L1"),)
    drawn = WORLD.draw("stack", change, seed=0, index=0)
    spec = replace(
        episodes()[0],
        changes=change,
        factors=drawn.factors,
        instruction=drawn.instruction,
        diagnostic=drawn.diagnostic,
    )
    assert roll(Idle(), spec)[0].compliance is True
    assert roll(BrokenPolicy("nan"), spec)[0].compliance is False


def test_a_record_of_schema_1_0_can_be_read() -> None:
    record, _ = roll(FakePolicy(), episodes()[0])
    added = ("compliance", "events", "n_collisions", "max_contact_force_n", "n_drops")
    added += ("n_joint_limit_steps", "n_workspace_steps")
    old = {k: v for k, v in record.to_json().items() if k not in added}
    read = EpisodeRecord.from_json({**old, "schema_version": "1.0"})
    assert (read.events, read.compliance, read.n_collisions) == ((), None, None)


def test_a_timeout_is_a_failure() -> None:
    record, trace = roll(Idle(), episodes()[0])
    assert (record.status, record.success, record.error) == ("failure", False, None)
    assert (record.progress, record.chain_length, record.time_to_success_s) == (0.0, 0, None)
    assert record.steps == record.horizon == len(trace.actions)


def test_the_trace_replays_to_the_same_states() -> None:
    episode = episodes()[1]
    record, trace = roll(FakePolicy(), episode)
    environment = WORLD.make()
    environment.start(episode)
    assert trace.actions.dtype == np.float32
    assert trace.checksums.dtype == np.uint32
    for action, checksum in zip(trace.actions, trace.checksums, strict=True):
        environment.advance(action)
        assert environment.checksum() == checksum
    assert environment.outcome().final_state_hash == record.final_state_hash


def test_it_looks_only_when_the_policy_is_asked() -> None:
    environment, policy = WORLD.make(), Idle()
    pipeline = negotiate(policy.spec(), environment.spec())
    record, _ = run_episode(environment, policy, pipeline, episodes()[0], CONTEXT)
    assert environment.looks == record.policy_calls == 6


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("nan", "nan"),
        ("shape", "(3, 6)"),
        ("empty", "0 actions"),
        ("raise", "RuntimeError: out of ideas"),
        ("exit", "SystemExit: 3"),
    ],
)
def test_a_policy_that_goes_wrong_fails_its_episode_only(way: str, text: str) -> None:
    policy = BrokenPolicy(way)
    for episode in episodes()[:2]:
        record, trace = roll(policy, episode)
        assert (record.status, record.success) == ("policy_error", False)
        assert record.error is not None
        assert text in record.error
        assert "\n" not in record.error
        assert record.steps == len(trace.actions) == 2
        assert policy.streams == {}, "the session was not ended"


def test_an_error_before_the_first_action_leaves_an_empty_trace() -> None:
    class NoStart(FakePolicy):
        def reset(self, starts: object) -> None:
            raise ValueError("no weights")

        def end(self, episode_ids: object) -> None:
            pass

    record, trace = roll(NoStart(), episodes()[0])
    assert (record.status, record.error) == ("policy_error", "ValueError: no weights")
    assert trace.actions.shape == (0, 7)
    assert (record.latency_ms_p50, record.batch_size_mean) == (None, None)


def test_an_error_at_the_end_counts_too() -> None:
    record, _ = roll(BrokenEnd(), episodes()[0])
    assert (record.status, record.success, record.error) == (
        "policy_error",
        False,
        "RuntimeError: cannot end",
    )
    assert record.time_to_success_s is None


def test_a_lost_server_is_no_failure() -> None:
    with pytest.raises(InfrastructureError, match="server is gone"):
        roll(LostPolicy(goal=9.0), episodes()[0])


def test_each_session_has_its_own_stream() -> None:
    seeds: list[int] = []

    class Listening(FakePolicy):
        def reset(self, starts: object) -> None:
            super().reset(starts)
            seeds.extend(start.seed for start in starts)

    for episode in episodes()[:3]:
        roll(Listening(), episode)
    assert seeds == [seed_of("policy", e.seed, e.task, e.index) for e in episodes()[:3]]
    assert len(set(seeds)) == 3


def test_equal_episodes_give_equal_records() -> None:
    first, second = (roll(FakePolicy(), episodes()[0])[0] for _ in range(2))
    assert first.stable() == second.stable()
