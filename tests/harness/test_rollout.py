"""What a record says of success, failure, the policy's errors and a lost simulator."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from harness_fakes import (
    DIAGNOSTIC,
    BrokenEnd,
    BrokenPolicy,
    FakeEnvironment,
    FakePolicy,
    FakeWorld,
    LostPolicy,
)

from vlabench.contract.extras import MAX_LEVELS, MOST_SAID
from vlabench.contract.latency import Latency
from vlabench.contract.negotiate import negotiate
from vlabench.contract.policy import Policy
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PolicySpec,
    PromptSpec,
)
from vlabench.contract.wire import chunk_from_wire, chunk_to_wire, decode, encode
from vlabench.errors import InfrastructureError, PlacementError, UsageError
from vlabench.manifest import build_manifest
from vlabench.rollout import RunContext, run_episode
from vlabench.seeding import seed_of
from vlabench.suite import Suite
from vlabench.trace import Trace
from vlabench.types import (
    ActionChunk,
    Change,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    Event,
    Observation,
    Outcome,
    Said,
)

CONTEXT = RunContext("run", "small", 3, "hash")
WORLD = FakeWorld()


def episodes() -> tuple[EpisodeSpec, ...]:
    suite = Suite(
        name="nominal", version=1, description="x", seed=3, episodes=8, tasks=("place-on",)
    )
    return build_manifest(suite, WORLD).episodes


def roll(
    policy: Policy,
    episode: EpisodeSpec,
    environment: FakeEnvironment | None = None,
    latency: Latency | None = None,
    *,
    allow_mismatch: bool = False,
) -> tuple[EpisodeRecord, Trace]:
    environment = environment or WORLD.make()
    pipeline = negotiate(policy.spec(), environment.spec(), allow_mismatch=allow_mismatch)
    return run_episode(environment, policy, pipeline, episode, CONTEXT, attempt=1, latency=latency)


class Watching(FakePolicy):
    """Answers with numbers that say when it was asked, and remembers what it was shown."""

    declared = PolicySpec("watching", chunk_length=3, executed=2, needs=("last_action",))

    def __init__(self, **fields: object) -> None:
        self.shown: list[Observation] = []
        self._spec = replace(self.declared, **fields)

    def spec(self) -> PolicySpec:
        return self._spec

    def actions(self, observation: Observation) -> np.ndarray:
        self.shown.append(observation)
        rows = np.zeros((self._spec.chunk_length, self._spec.action.dimension))
        rows[:, 1] = observation.step / 100 + np.arange(len(rows)) / 1000
        rows[:, -1] = 1.0
        return rows

    @property
    def asked(self) -> list[int]:
        return [observation.step for observation in self.shown]


class Moving(FakeEnvironment):
    """Shows the number of the step as the brightness, and how the hand stands."""

    def __init__(self) -> None:
        super().__init__(WORLD)
        self._spec = replace(self._spec, proprio=("ee_position", "ee_quaternion"))
        self.looked: list[tuple[int, tuple[str, ...]]] = []

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        self.looked.append((self.steps, tuple(camera.role for camera in cameras)))
        images = {c.role: np.full((c.height, c.width, 3), self.steps, np.uint8) for c in cameras}
        turned = {"ee_quaternion": np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])}
        seen = super().observe(cameras, privileged=privileged)
        return replace(seen, images=images, proprio={**seen.proprio, **turned})


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
        ("empty", "(0, 7)"),
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


@pytest.mark.parametrize("loss", [InfrastructureError("gone"), PlacementError("not served")])
def test_a_loss_at_the_end_leaves_a_finished_episode(loss: Exception) -> None:
    class LostAtTheEnd(FakePolicy):
        def end(self, episode_ids: object) -> None:
            raise loss

    whole, _ = roll(FakePolicy(), episodes()[0])
    record, _ = roll(LostAtTheEnd(), episodes()[0])
    assert record.error is None
    assert record.stable() == whole.stable()


@pytest.mark.parametrize("method", ["reset", "act"])
def test_a_host_that_cannot_serve_stops_the_run_and_any_other_usage_error_does_not(
    method: str,
) -> None:
    def broken(error: Exception) -> FakePolicy:
        def fail(*_: object) -> None:
            raise error

        policy = FakePolicy()
        setattr(policy, method, fail)
        policy.end = lambda episode_ids: None
        return policy

    with pytest.raises(PlacementError, match="declares something else"):
        roll(broken(PlacementError("it declares something else")), episodes()[0])
    record, _ = roll(broken(UsageError("a mistake of its own")), episodes()[0])
    assert record.status == "policy_error"


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


# --- what the rollout owns ----------------------------------------------------------------------


def test_a_record_before_schema_1_3_can_be_read() -> None:
    record, _ = roll(FakePolicy(), episodes()[0])
    assert (record.allow_mismatch, record.latency_setting_ms) == ((), None)
    old = record.to_json()
    for name in ("allow_mismatch", "latency_setting_ms", "said", "said_left_out", "infer_s"):
        del old[name]
    read = EpisodeRecord.from_json({**old, "schema_version": "1.2"})
    assert (read.allow_mismatch, read.latency_setting_ms) == (None, None)
    assert (read.said, read.said_left_out, read.infer_s) == ((), 0, None)


def test_a_record_before_schema_1_4_has_no_mode_of_failure() -> None:
    record, _ = roll(FakePolicy(), episodes()[0])
    old = {name: value for name, value in record.to_json().items() if name != "failure"}
    assert EpisodeRecord.from_json({**old, "schema_version": "1.3"}).failure is None


def test_a_failure_has_the_mode_that_the_environment_says() -> None:
    class Explained(FakeEnvironment):
        def outcome(self) -> Outcome:
            outcome = super().outcome()
            return replace(outcome, failure=None if outcome.success else "dropped")

    class Quick(FakePolicy):
        def actions(self, observation: Observation) -> np.ndarray:
            return np.ones((3, 7))

    class Still(FakePolicy):
        def actions(self, observation: Observation) -> np.ndarray:
            return np.zeros((3, 7))

    class Broken(FakePolicy):
        def actions(self, observation: Observation) -> np.ndarray:
            return np.full((3, 7), np.nan)

    found = {}
    for policy in (Quick(), Still(), Broken()):
        record, _ = roll(policy, episodes()[0], Explained(WORLD))
        found[type(policy).__name__] = (record.status, record.failure)
        assert EpisodeRecord.from_json(record.to_json()) == record
    assert found["Still"] == ("failure", "dropped")
    assert found["Broken"] == ("policy_error", None)
    assert found["Quick"] == ("success", None)


def test_a_mismatch_that_was_allowed_stands_in_the_record() -> None:
    record, _ = roll(Watching(control_hz=5.0), episodes()[0], allow_mismatch=True)
    assert record.allow_mismatch is not None
    (text,) = record.allow_mismatch
    assert "5 Hz" in text
    assert EpisodeRecord.from_json(record.to_json()) == record


def test_a_policy_says_how_many_sessions_it_answered_at_once() -> None:
    class Crowded(Watching):
        def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
            size = 8 if observations[0].step else 5
            return [replace(chunk, batch_size=size) for chunk in super().act(observations)]

    record, _ = roll(Crowded(), episodes()[0])
    assert record.batch_size_mean == (5 + 5 * 8) / 6

    class Alone(Watching):
        def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
            return [replace(chunk, batch_size=0) for chunk in super().act(observations)]

    record, _ = roll(Alone(), episodes()[0])
    assert record.status == "policy_error"
    assert record.error is not None
    assert "0 sessions" in record.error


class Talking(Watching):
    """Says what it was given to say, one thing an answer and the last for ever."""

    def __init__(self, *told: object, times: Sequence[object] = (None,)) -> None:
        super().__init__()
        self.told, self.times = told, times

    def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        (chunk,) = super().act(observations)
        number = len(self.shown) - 1
        told, ms = (said[min(number, len(said) - 1)] for said in (self.told, self.times))
        return [replace(chunk, extras=told, infer_ms=ms)]


def test_what_a_policy_says_stands_in_the_record_where_it_changes() -> None:
    reach = {"subtask": "reach", "waypoints_2d": ((0.5, 1), [np.float32(0.25), True])}
    kept = {"subtask": "reach", "waypoints_2d": [[0.5, 1], [0.25, True]]}
    record, _ = roll(Talking({}, reach, reach, {"terminate": True}, {}), episodes()[0])
    said = (Said(2, kept), Said(6, {"terminate": True}), Said(8, {}))
    assert (record.said, record.said_left_out) == (said, 0)
    assert record.steps == record.horizon
    assert EpisodeRecord.from_json(record.to_json()) == record
    one, true = roll(Talking({"a": 1}, {"a": True}), episodes()[0])[0].said
    assert (one.extras["a"], true.extras["a"]) == (1, True)
    assert roll(Idle(), episodes()[0])[0].said == ()


def test_a_record_keeps_only_so_much_of_what_a_policy_says() -> None:
    half = MOST_SAID // 2
    told = [{"plan": letter * (half - 20)} for letter in "abcd"]
    record, _ = roll(Talking(*told, {"plan": "short"}), episodes()[0])
    assert [said.extras["plan"][0] for said in record.said] == ["a", "b"]
    assert record.said_left_out == 3


@pytest.mark.parametrize(
    "extras",
    [
        {"plan": object()},
        {"plan": np.zeros(3)},
        {"plan": b"bytes"},
        {"plan": np.nan},
        {"plan": 2**70},
        {"plan": "\ud800"},
        {"plan": {1: "one"}},
        {"plan": json.loads("[" * MAX_LEVELS + "]" * MAX_LEVELS)},
        ["a list"],
        None,
    ],
)
def test_what_no_record_can_hold_is_the_policys_error_wherever_it_lives(extras: object) -> None:
    class Elsewhere(Talking):
        def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
            (chunk,) = super().act(observations)
            return [chunk_from_wire(decode(encode(chunk_to_wire(chunk))))]

    for kind in (Talking, Elsewhere):
        record, _ = roll(kind({}, extras), episodes()[0])
        assert (record.status, record.policy_calls > 0) == ("policy_error", True)


def test_the_models_own_time_is_told_apart_from_the_workers() -> None:
    record, _ = roll(Talking({}, times=(2.5, np.float32(0.5), 1)), episodes()[0])
    assert record.policy_calls == 6
    assert record.infer_s == pytest.approx(0.007)
    assert record.inference_s != record.infer_s
    assert roll(Talking({}, times=(2.5, None)), episodes()[0])[0].infer_s is None
    assert roll(FakePolicy(), episodes()[0])[0].infer_s is None
    for wrong in (-1.0, np.nan, "1"):
        record, _ = roll(Talking({}, times=(1.0, wrong)), episodes()[0])
        assert record.status == "policy_error"


def test_a_policy_is_told_in_its_own_words_and_shown_its_last_row() -> None:
    told: list[str] = []

    class Listening(Watching):
        def reset(self, starts: Sequence[EpisodeStart]) -> None:
            super().reset(starts)
            told.extend(start.instruction for start in starts)

    policy = Listening(prompt=PromptSpec("now: {instruction}"))
    roll(policy, episodes()[0])
    assert told == [policy.shown[0].instruction]
    assert told[0] == f"now: {episodes()[0].instruction}"
    np.testing.assert_array_equal(policy.shown[0].last_action, np.zeros(7))
    # the row that was executed last, in the policy's own numbers
    np.testing.assert_allclose(policy.shown[1].last_action, [0, 0.001, 0, 0, 0, 0, 1.0])
    np.testing.assert_allclose(policy.shown[2].last_action, [0, 0.021, 0, 0, 0, 0, 1.0])


def test_an_ensemble_is_asked_as_often_as_it_says() -> None:
    policy = Watching(executed=1, ensembling=Ensembling(decay=0.0, every=1))
    record, trace = roll(policy, episodes()[0])
    assert policy.asked == list(range(12))
    assert record.policy_calls == 12
    # step 5: row 2 of the answer at 3, row 1 of that at 4, row 0 of that at 5
    assert trace.actions[5][1] == pytest.approx((0.032 + 0.041 + 0.05) / 3)


def test_a_history_is_whole_and_nobody_looks_more_often_than_it_needs() -> None:
    camera = CameraSpec("exterior/0", 4, 6, history=3, history_stride=3)
    policy, environment = Watching(cameras=(camera,), chunk_length=4, executed=4), Moving()
    roll(policy, episodes()[0], environment)
    assert policy.asked == [0, 4, 8]
    seen = [shown.images["exterior/0"][:, 0, 0, 0].tolist() for shown in policy.shown]
    assert seen == [[0, 0, 0], [0, 1, 4], [2, 5, 8]]
    assert [step for step, _ in environment.looked] == [0, 1, 2, 4, 5, 6, 8, 9, 10]


def test_a_policy_with_one_camera_of_two_that_remembers() -> None:
    cameras = (CameraSpec("exterior/0", 4, 6), CameraSpec("exterior/1", 2, 2, history=2))
    policy, environment = Watching(cameras=cameras), Moving()
    environment._spec = replace(environment.spec(), cameras=("exterior/0", "exterior/1"))
    roll(policy, episodes()[0], environment)
    assert policy.shown[1].images["exterior/0"].shape == (4, 6, 3)
    assert policy.shown[1].images["exterior/1"][:, 0, 0, 0].tolist() == [1, 2]
    assert environment.looked[:3] == [
        (0, ("exterior/0", "exterior/1")),
        (1, ("exterior/1",)),
        (2, ("exterior/0", "exterior/1")),
    ]


def test_an_action_is_made_with_how_the_robot_stands_at_its_own_step() -> None:
    action = ActionSpec(control="ee_pose", rotation="quaternion_xyzw", scale="metric", dimension=8)

    class Pointing(Watching):
        def actions(self, observation: Observation) -> np.ndarray:
            target = [0.05, 0.0, 0.0, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5), -1.0]
            return np.tile(target, (4, 1))

    environment = Moving()
    spec = {"action": action, "chunk_length": 4, "executed": 4, "needs": ()}
    _, trace = roll(Pointing(**spec), episodes()[0], environment)
    # the first step leads all the way there, the others find that they are there
    np.testing.assert_allclose(trace.actions[:4, 0], [0.5, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(trace.actions[:, 1:6], 0, atol=1e-6)
    assert environment.looked[:5] == [(0, ()), (0, ()), (1, ()), (2, ()), (3, ())]


def test_numbers_that_cannot_be_meant_end_the_episode_where_they_are() -> None:
    action = ActionSpec(control="ee_pose", rotation="quaternion_xyzw", scale="metric", dimension=8)

    class Collapsing(Watching):
        def actions(self, observation: Observation) -> np.ndarray:
            return np.array([[0.0] * 6 + [1.0, 0.0], [0.0] * 8])

    policy = Collapsing(action=action, chunk_length=2, executed=2, needs=())
    record, trace = roll(policy, episodes()[0], Moving())
    assert (record.status, record.steps, len(trace.actions)) == ("policy_error", 1, 1)
    assert record.error is not None
    assert "quaternion" in record.error


# --- latency ------------------------------------------------------------------------------------


def test_the_world_runs_on_while_the_policy_thinks() -> None:
    policy = Watching()
    record, trace = roll(policy, episodes()[0], latency=Latency(250.0))
    assert policy.asked == [0, 5, 10]
    assert record.latency_setting_ms == 250.0
    # three control steps of standing still, then two rows of the answer
    moved = [0, 0, 0, 0.0, 0.001, 0, 0, 0, 0.05, 0.051, 0, 0]
    np.testing.assert_allclose(trace.actions[:, 1], moved, atol=1e-7)
    # nobody has told the gripper anything at first; then it is told what it was told last
    assert trace.actions[:, 6].tolist() == [0, 0, 0] + [1] * 9
    assert record.steps == record.horizon == 12


def test_a_policy_may_finish_its_last_answer_while_it_thinks() -> None:
    policy = Watching(chunk_length=4, executed=2, while_waiting="rest")
    _, trace = roll(policy, episodes()[0], latency=Latency(250.0))
    assert policy.asked == [0, 5, 10]
    moved = [0, 0, 0, 0.0, 0.001, 0.002, 0.003, 0, 0.05, 0.051, 0.052, 0.053]
    np.testing.assert_allclose(trace.actions[:, 1], moved, atol=1e-7)


def test_a_sticky_gripper_counts_the_steps_in_which_the_robot_waits() -> None:
    class Snapping(Watching):
        def actions(self, observation: Observation) -> np.ndarray:
            rows = super().actions(observation)
            rows[:, -1] = [-1.0, 1.0] if observation.step == 0 else [-1.0, -1.0]
            return rows

    def grips(steps: int) -> list[float]:
        action = ActionSpec(gripper_sticky_steps=steps)
        policy = Snapping(action=action, chunk_length=2, executed=2)
        _, trace = roll(policy, episodes()[0], latency=Latency(300.0))
        return trace.actions[:, 6].tolist()

    # closed at step 4, and the next answer, which opens, is executed from step 8 on
    assert grips(4) == [0, 0, 0, -1, 1, 1, 1, 1, -1, -1, -1, -1]
    assert grips(5) == [0, 0, 0, -1, 1, 1, 1, 1, 1, -1, -1, -1]


def test_no_latency_is_as_if_the_world_waited() -> None:
    waited, trace = roll(FakePolicy(), episodes()[0])
    none, same = roll(FakePolicy(), episodes()[0], latency=Latency(0.0))
    assert (waited.latency_setting_ms, none.latency_setting_ms) == (None, 0.0)
    np.testing.assert_array_equal(trace.actions, same.actions)


def test_measured_latency_is_what_the_answer_took() -> None:
    class Thinking(Watching):
        def actions(self, observation: Observation) -> np.ndarray:
            time.sleep(0.25)
            return super().actions(observation)

    policy = Thinking()
    record, trace = roll(policy, episodes()[0], latency=Latency())
    assert record.latency_setting_ms == "measured"
    waited = policy.asked[1] - 2
    assert waited >= 3
    assert not trace.actions[:waited].any()


def test_a_history_is_whole_with_a_latency_too() -> None:
    camera = CameraSpec("exterior/0", 4, 6, history=2, history_stride=2)
    for latency in (Latency(100.0), Latency()):
        policy = Watching(cameras=(camera,))
        roll(policy, episodes()[0], Moving(), latency)
        for shown in policy.shown[1:]:
            frames = shown.images["exterior/0"][:, 0, 0, 0].tolist()
            assert frames == [shown.step - 2, shown.step]


def test_an_episode_can_end_while_the_policy_thinks() -> None:
    policy = Watching()
    record, trace = roll(policy, episodes()[0], latency=Latency(5000.0))
    assert (policy.asked, record.policy_calls, len(trace.actions)) == ([0], 1, 12)
    assert record.status == "failure"
