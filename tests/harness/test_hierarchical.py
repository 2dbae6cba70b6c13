"""A planner in front of a policy: when each is asked, what is dropped, what stands in a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from harness_fakes import FakeEnvironment, FakePolicy, FakeWorld
from serve_fakes import served

import vlabench
from vlabench import report
from vlabench.contract.latency import Latency
from vlabench.contract.negotiate import negotiate
from vlabench.contract.planner import Hierarchical
from vlabench.contract.policy import Policy
from vlabench.contract.specs import (
    ActionSpec,
    CameraSpec,
    Ensembling,
    PlannerSpec,
    PolicySpec,
    PromptSpec,
)
from vlabench.errors import ContractError, InfrastructureError, UnknownNameError, UsageError
from vlabench.manifest import build_manifest
from vlabench.plans import Path2D, Plan, SkillCall
from vlabench.policies.remote import Remote
from vlabench.rollout import RunContext, run_episode
from vlabench.runner.job import make_policy, policy_code_hash, seen_by
from vlabench.serving.openpi import openpi_protocol
from vlabench.suite import Suite
from vlabench.testing import check_policy
from vlabench.types import ActionChunk, EpisodeRecord, EpisodeStart, Observation

CONTEXT = RunContext("run", "small", 3, "hash")
WORLD = "harness_fakes:FakeWorld"


class Clock:
    """Says a subtask by the control step, and remembers when it was asked and what it saw."""

    def __init__(self, *subtasks: str, steps: int = 4, **fields: object) -> None:
        self.subtasks, self.steps = subtasks or ("half", "whole"), steps
        self.declared = replace(PlannerSpec("clock", every=4, max_batch=8), **fields)
        self.seen: list[Observation] = []
        self.starts: list[EpisodeStart] = []
        self.ended: list[str] = []

    def spec(self) -> PlannerSpec:
        return self.declared

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        self.starts += starts

    def plan(self, observations: Sequence[Observation]) -> Sequence[Plan]:
        self.seen += observations
        return [self.say(seen) for seen in observations]

    def say(self, seen: Observation) -> Plan:
        return Plan(self.subtasks[min(seen.step // self.steps, len(self.subtasks) - 1)])

    def end(self, episode_ids: Sequence[str]) -> None:
        self.ended += episode_ids

    def close(self) -> None:
        """Holds nothing."""


class Doer(FakePolicy):
    """Answers rows that count from 1 in tenths of a millimetre, and keeps what it was shown."""

    def __init__(self, **fields: object) -> None:
        usual = PolicySpec("doer", chunk_length=6, executed=6, max_batch=8)
        self.declared = replace(usual, **fields)
        self.seen: list[Observation] = []
        self.told: list[str] = []

    def spec(self) -> PolicySpec:
        return self.declared

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        self.told += [start.instruction for start in starts]

    def actions(self, observation: Observation) -> np.ndarray:
        self.seen.append(observation)
        rows = np.zeros((self.declared.chunk_length, self.declared.action.dimension))
        rows[:, 0] = (1 + np.arange(len(rows))) / 1000
        return rows

    def end(self, episode_ids: Sequence[str]) -> None:
        pass


def roll(
    policy: Policy, environment: FakeEnvironment | None = None, latency: float | None = None
) -> tuple[EpisodeRecord, np.ndarray]:
    """The record of an episode of 12 steps, and what was executed along x, in rows."""
    environment = environment or FakeWorld().make()
    suite = Suite(name="n", version=1, description="x", seed=3, episodes=1, tasks=("place-on",))
    (episode,) = build_manifest(suite, FakeWorld()).episodes
    pipeline = negotiate(policy.spec(), environment.spec())
    waits = None if latency is None else Latency(latency)
    record, trace = run_episode(environment, policy, pipeline, episode, CONTEXT, latency=waits)
    return record, np.rint(trace.actions[:, 0] * 1000).astype(int)


def steps(seen: Sequence[Observation]) -> list[int]:
    return [observation.step for observation in seen]


# --- when each is asked, and what is dropped ------------------------------------------------------


def test_a_changed_subtask_drops_the_buffer_and_an_unchanged_one_does_not():
    planner, policy = Clock("a", "a", "b"), Doer()
    record, rows = roll(Hierarchical(planner, policy))
    assert steps(planner.seen) == [0, 4, 8]
    assert steps(policy.seen) == [0, 6, 8]
    assert rows.tolist() == [1, 2, 3, 4, 5, 6, 1, 2, 1, 2, 3, 4]
    assert [seen.instruction for seen in policy.seen] == ["a", "a", "b"]
    assert [planned.said for planned in record.planner] == [{"subtask": "a"}, {"subtask": "b"}]
    assert [planned.step for planned in record.planner] == [0, 8]
    assert (record.planner_calls, record.subtask_changes, record.policy_calls) == (3, 1, 4)
    assert record.subtask_s_mean == pytest.approx(0.6)


def test_a_planner_without_a_rate_is_asked_whenever_the_policy_is():
    planner, policy = Clock(every=None), Doer()
    record, _ = roll(Hierarchical(planner, policy))
    assert steps(planner.seen) == steps(policy.seen) == [0, 6]
    assert [seen.instruction for seen in policy.seen] == ["half", "whole"]
    assert record.planner_calls == 2


def test_a_planner_that_is_asked_once_holds_for_the_whole_episode():
    planner, policy = Clock(every=1000), Doer()
    roll(Hierarchical(planner, policy))
    assert steps(planner.seen) == [0]
    assert [seen.instruction for seen in policy.seen] == ["half", "half"]


def test_a_planner_may_be_asked_more_often_than_every_answer_lasts():
    planner, policy = Clock(every=1, steps=3), Doer(chunk_length=2, executed=2)
    _, rows = roll(Hierarchical(planner, policy))
    assert steps(planner.seen) == list(range(12))
    assert rows.tolist() == [1, 2, 1, 1, 2, 1, 2, 1, 2, 1, 2, 1]


def test_paths_that_are_redrawn_for_one_subtask_drop_nothing():
    class Drawing(Clock):
        def say(self, seen: Observation) -> Plan:
            return Plan("go", paths=(Path2D("exterior/0", ((seen.step / 12, 0.5),)),))

    camera = CameraSpec("exterior/0", 12, 12, draws_paths=True)
    planner = Drawing(says=("subtask", "paths"))
    policy = Doer(cameras=(camera,), reads=("paths",))
    record, rows = roll(Hierarchical(planner, policy))
    assert rows.tolist() == [*range(1, 7)] * 2
    assert record.subtask_changes == 0
    assert [planned.step for planned in record.planner] == [0, 4, 8]
    shown = [seen.images["exterior/0"] for seen in policy.seen]
    marked = [np.argwhere((image[..., 2] == 255) & (image[..., 0] == 0)) for image in shown]
    assert [points[:, 1].mean().round() for points in marked] == [0, 3]
    assert policy.seen[1].plan == Plan(paths=(Path2D("exterior/0", ((4 / 12, 0.5),)),))


def test_an_ensemble_forgets_the_answers_of_another_subtask():
    ensembling = Ensembling(decay=0.0)
    policy = Doer(executed=1, ensembling=ensembling)
    _, alone = roll(policy)
    planner = Clock("a", "b", every=4, steps=4)
    _, rows = roll(Hierarchical(planner, Doer(executed=1, ensembling=ensembling)))
    assert rows[:4].tolist() == alone[:4].tolist()
    assert rows[4:8].tolist() == alone[:4].tolist()
    assert alone[4] != alone[0]


def test_what_the_robot_does_stays_when_the_subtask_is_another():
    """A gripper that has begun to close goes on closing; the last action and images stay too."""

    class Closing(Doer):
        def actions(self, observation: Observation) -> np.ndarray:
            rows = super().actions(observation)
            rows[:, -1] = 1.0 if observation.instruction == "close" else -1.0
            return rows

    action = ActionSpec(gripper_sticky_steps=5)
    camera = CameraSpec("exterior/0", 2, 2, history=2)
    policy = Closing(action=action, needs=("last_action",), cameras=(camera,))
    planner = Clock("open", "close", "open", every=2, steps=2)
    environment = FakeWorld().make()
    told: list[float] = []
    advance = environment.advance
    environment.advance = lambda action: (told.append(float(action[-1])), advance(action))[1]
    roll(Hierarchical(planner, policy), environment)
    assert told == [-1, -1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]
    assert policy.seen[1].last_action is not None
    assert policy.seen[1].last_action[0] == 0.002
    assert policy.seen[1].images["exterior/0"].shape == (2, 2, 2, 3)


def test_while_a_planner_thinks_what_was_answered_goes_on():
    """An answer takes 2 steps; the planner's alone holds nobody up, another subtask comes late."""
    planner, policy = Clock("a", "a", "b", every=4, steps=4), Doer()
    _, rows = roll(Hierarchical(planner, policy), latency=200)
    assert steps(policy.seen) == [0, 8]
    assert rows.tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 1, 2]


# --- what each is shown ---------------------------------------------------------------------------


def test_both_are_told_in_their_own_words_and_see_through_their_own_cameras():
    wide = CameraSpec("exterior/0", 6, 9)
    planner = Clock(
        "Lift It.",
        cameras=(wide,),
        prompt=PromptSpec("Plan: {instruction}"),
        wording="{instruction} | {subtask}",
    )
    policy = Doer(
        cameras=(CameraSpec("exterior/0", 4, 4, resized=(2, 2), layout="chw"),),
        prompt=PromptSpec("In: {instruction} Out:", "lower", strip_period=True),
    )
    environment = FakeWorld().make()
    roll(Hierarchical(planner, policy), environment)
    task = environment.episode.instruction
    assert planner.starts[0].instruction == planner.seen[0].instruction == f"Plan: {task}"
    assert policy.told == [f"In: {task} Out:"]
    assert policy.seen[0].instruction == f"In: {task} | lift it Out:"
    assert planner.seen[0].images["exterior/0"].shape == (6, 9, 3)
    assert policy.seen[0].images["exterior/0"].shape == (3, 2, 2)
    assert policy.seen[0].planner is policy.seen[0].plan is None
    assert [seen.plan for seen in planner.seen[:2]] == [None, Plan("Lift It.")]


class Stamped(FakeEnvironment):
    """Shows the control step as a shade of grey, and counts what it renders."""

    rendered = 0

    def observe(self, cameras=(), *, privileged=False):
        seen = super().observe(cameras, privileged=privileged)
        self.rendered += len(cameras)
        return replace(
            seen, images={r: np.full_like(i, self.steps) for r, i in seen.images.items()}
        )


def test_a_planner_that_remembers_images_gets_every_one_of_them():
    several = CameraSpec("exterior/0", 2, 2, history=3, history_stride=2)
    planner, policy = Clock("a", cameras=(several,)), Doer()
    roll(Hierarchical(planner, policy), Stamped(FakeWorld()))
    shades = [seen.images["exterior/0"][:, 0, 0, 0].tolist() for seen in planner.seen]
    assert shades == [[0, 0, 0], [0, 2, 4], [4, 6, 8]]


def test_what_both_see_alike_is_rendered_once_and_only_where_somebody_looks():
    camera = CameraSpec("exterior/0", 2, 2)
    alike, apart = Stamped(FakeWorld()), Stamped(FakeWorld())
    roll(Hierarchical(Clock("a", cameras=(camera,)), Doer(cameras=(camera,))), alike)
    larger = replace(camera, height=4)
    roll(Hierarchical(Clock("a", cameras=(larger,)), Doer(cameras=(camera,))), apart)
    # asked at 0, 4, 6 and 8, the planner at all of them but 6
    assert (alike.rendered, apart.rendered) == (4, 7)


def test_the_contract_says_what_goes_to_the_planner_and_from_it():
    planner, env = Clock(cameras=(CameraSpec("exterior/0", 8, 8),)), FakeWorld().spec()
    alone = negotiate(Doer().spec(), env)
    whole = negotiate(Hierarchical(planner, Doer()).spec(), env)
    told = "\n".join(whole.describe())
    assert "planner clock: says subtask, asked every 4 control steps" in told
    assert "planner camera exterior/0: rendered at 8 x 8" in told
    assert "planner" not in alone.to_json()
    assert {name: value for name, value in whole.to_json().items() if name != "planner"} == (
        alone.to_json()
    )
    other = negotiate(Hierarchical(Clock(every=5), Doer()).spec(), env)
    assert len({alone.fingerprint, whole.fingerprint, other.fingerprint}) == 3


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cameras": (CameraSpec("wrist/7", 8, 8),)}, "planner 'clock': it needs camera 'wrist/7'"),
        ({"proprio": ("joint_torques",)}, "planner 'clock': it needs proprio field"),
        ({"privileged": True}, "planner 'clock': it reads privileged state"),
    ],
)
def test_a_planner_that_needs_what_is_not_there_is_refused(fields, text):
    with pytest.raises(ContractError, match=text):
        negotiate(Hierarchical(Clock(**fields), Doer()).spec(), FakeWorld().spec())


def test_a_policy_that_reads_plans_needs_a_planner():
    with pytest.raises(ContractError, match="has no planner before it: write PLANNER/POLICY"):
        negotiate(Doer(reads=("waypoints",)).spec(), FakeWorld().spec())


# --- errors ---------------------------------------------------------------------------------------


class Wrong(Clock):
    """Goes wrong at its second question."""

    def __init__(self, way: object) -> None:
        super().__init__()
        self.way = way

    def plan(self, observations: Sequence[Observation]) -> Sequence[Plan]:
        if len(self.seen) < 1:
            return super().plan(observations)
        if isinstance(self.way, Exception):
            raise self.way
        return self.way


@pytest.mark.parametrize(
    ("way", "text"),
    [
        (ValueError("no idea"), "Planner 'clock': ValueError: no idea"),
        ([], "Planner 'clock' gave 0 answers to 1 observations"),
        (["lift"], "Planner 'clock' said a str"),
        ([Plan()], "Planner 'clock' said an empty plan"),
        ([Plan(program=(SkillCall("x"),))], "Planner 'clock' said program and declares"),
    ],
)
def test_a_planner_that_goes_wrong_fails_the_episode_under_its_name(way, text):
    record, rows = roll(Hierarchical(Wrong(way), Doer()))
    assert record.status == "policy_error"
    assert record.error is not None
    assert record.error.startswith(text)
    assert (len(rows), record.planner_calls) == (4, 1)


def test_what_a_policy_says_beside_is_not_cut_by_its_planners_questions():
    class Talking(Doer):
        def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
            return [replace(c, extras={"mood": "good"}) for c in super().act(observations)]

    record, _ = roll(Hierarchical(Clock("a"), Talking()))
    assert (record.planner_calls, len(record.said)) == (3, 1)


def test_the_parameters_of_both_are_those_of_the_whole():
    whole = Hierarchical(Clock(params=5), Doer(params=7)).spec()
    assert whole.params == 12
    assert Hierarchical(Clock(), Doer(params=7)).spec().params is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [({"weight_type": "mine"}, "weight_type is 'mine'"), ({"params": 7.5}, "has 7.5 parameters")],
)
def test_what_a_policy_says_of_itself_must_be_meant(fields, text):
    with pytest.raises(ContractError, match=text):
        negotiate(Doer(**fields).spec(), FakeWorld().spec())


def test_a_planner_whose_server_is_lost_is_no_failure():
    with pytest.raises(InfrastructureError, match="gone"):
        roll(Hierarchical(Wrong(InfrastructureError("gone")), Doer()))


def test_a_plan_of_a_policy_that_was_not_asked_for_one_is_its_error():
    class Unasked(Doer):
        def act(self, observations: Sequence[Observation]) -> Sequence[ActionChunk]:
            return [replace(chunk, plan=Plan("x")) for chunk in super().act(observations)]

    record, _ = roll(Unasked())
    assert record.error == "The policy answered a plan without being asked for one."


def test_a_hierarchy_that_says_another_subtask_must_act():
    class Lazy(Hierarchical):
        def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
            none = np.zeros((0, 7))
            return [
                chunk if seen.due else replace(chunk, actions=none)
                for seen, chunk in zip(observations, super().act(observations), strict=True)
            ]

    record, rows = roll(Lazy(Clock("a", "b"), Doer()))
    assert "answered actions of shape (0, 7)" in str(record.error)
    assert len(rows) == 4


# --- batches, servers, names ----------------------------------------------------------------------


def sessions(count: int, **fields: object) -> list[Observation]:
    blank = Observation("", 0, 0.0, "do it", {}, {})
    return [replace(blank, episode_id=f"e{n}", **fields) for n in range(count)]


def test_a_batch_of_sessions_in_every_state_is_answered_one_each():
    planner, policy = Clock("a", max_batch=2, fixed_batch=True), Doer(max_batch=3, fixed_batch=True)
    whole = Hierarchical(planner, policy)
    due, going = sessions(5, plan=Plan("old")), sessions(5, plan=Plan("a"), due=False)
    asked = [replace(s, planner=replace(s, episode_id="elsewhere", step=0)) for s in due[:3]]
    on = [replace(s, episode_id=f"f{n}", planner=s) for n, s in enumerate(going)]
    chunks = whole.act([*asked, *due[3:], *on])
    assert [len(chunk.actions) for chunk in chunks] == [6] * 5 + [0] * 5
    assert [chunk.plan for chunk in chunks] == [Plan("a")] * 3 + [None] * 2 + [Plan("a")] * 5
    own = [seen.episode_id for seen in planner.seen if not seen.episode_id.startswith("padding-")]
    assert own == ["e0", "e1", "e2", "f0", "f1", "f2", "f3", "f4"]
    assert len(planner.seen) == 8
    assert [seen.instruction for seen in policy.seen[:3]] == ["a"] * 3
    assert [seen.instruction for seen in policy.seen[3:5]] == ["old"] * 2
    assert len(policy.seen) == 6


NAME = "inference_fakes:Talker/inference_fakes:BatchedPolicy"


def test_a_name_with_a_slash_is_a_planner_and_its_policy():
    whole = make_policy(NAME, {"planner.every": 7})
    assert isinstance(whole, Hierarchical)
    assert whole.spec().name == "clock/batched"
    assert whole.spec().planner == PlannerSpec("clock", every=7, max_batch=4)
    blind = make_policy(f"blind:{NAME}", {})
    assert blind.spec().name == "blind:clock/batched"
    low = make_policy("inference_fakes:Talker/deaf:inference_fakes:BatchedPolicy", {})
    assert low.spec().name == "clock/deaf:batched"
    hashes = [policy_code_hash(name, {}) for name in (NAME, *NAME.split("/"))]
    assert len(set(hashes)) == 1
    assert policy_code_hash("stages/skills", {}) == ""
    assert policy_code_hash("stages/inference_fakes:BatchedPolicy", {}) == hashes[2]


@pytest.mark.parametrize(
    ("name", "args", "error", "text"),
    [
        ("stagse/skills", {}, UnknownNameError, "'stages'"),
        ("stages/skils", {}, UnknownNameError, "'skills'"),
        ("stages/", {}, UsageError, "write PLANNER/POLICY"),
        ("/skills", {}, UsageError, "write PLANNER/POLICY"),
        ("stages/skills", {"planner.evry": 3}, UnknownNameError, "'every'"),
        ("stages/skills", {"every": 3}, UsageError, "'skills' takes no arguments"),
        ("stages/skills", {"planner.every": 0}, UsageError, "planner.every=0"),
        ("stages/stages/skills", {}, UsageError, "has a planner already"),
        ("expert/skills", {}, UnknownNameError, "planner"),
        ("inference_fakes:BatchedPolicy/noop", {}, UsageError, "which is no planner"),
        ("inference_fakes:stream/noop", {}, UsageError, "is no class"),
    ],
)
def test_a_wrong_name_or_argument_is_told(name, args, error, text):
    with pytest.raises(error, match=text):
        make_policy(name, args)


def test_wrappers_hide_from_whom_they_stand_before():
    image = np.full((2, 2, 3), 9, np.uint8)
    seen = Observation("e", 0, 0.0, "do", {"exterior/0": image}, {})
    seen = replace(seen, planner=seen)

    def grey(reference: str) -> list[bool]:
        left = seen_by(reference, seen)
        assert left.planner is not None
        return [bool((one.images["exterior/0"] == 127).all()) for one in (left, left.planner)]

    assert grey(NAME) == [False, False]
    assert grey(f"blind:{NAME}") == [True, True]
    assert grey("stages/blind:openvla") == [True, False]


def test_a_run_carries_the_whole_name_and_its_plans(tmp_path, suite_file):
    run = vlabench.evaluate(
        NAME,
        str(suite_file),
        policy_args={"planner.every": 2, "planner.words": "half,whole,rest"},
        limit=4,
        runner="serial",
        world=WORLD,
        out=tmp_path / "run",
    )
    assert run.info.policy.label == "clock/batched"
    assert run.info.run_id.startswith("inference_fakes-Talker-inference_fakes-BatchedPolicy-small-")
    assert "planner.every=2" in run.info.command
    record = max(run.records, key=lambda record: record.steps)
    assert [planned.said["subtask"] for planned in record.planner][:2] == ["half", "whole"]
    assert (record.stages_named, record.stages_named_in_order) == (2, 2)
    assert EpisodeRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    mean, *tasks = report.summarize(run).planning
    assert mean.task is None
    assert [row.task for row in tasks] == sorted({record.task for record in run.records})
    assert mean.in_order == 1.0
    assert mean.n == len(run.records)
    table = report.text(report.summarize(run))
    assert "stages named  of them in order  changes  seconds a subtask" in table
    assert "#### Planner" in report.markdown(report.summarize(run))


def test_a_hierarchy_behind_a_server_is_asked_like_one_at_home():
    record, rows = roll(Hierarchical(Clock("a", "a", "b"), Doer()))
    with served(lambda: Hierarchical(Clock("a", "a", "b"), Doer())) as server:
        remote = Remote(server.url)
        assert remote.spec() == Hierarchical(Clock(), Doer()).spec()
        far, same = roll(remote)
        remote.close()
    assert same.tolist() == rows.tolist()
    assert far.planner == record.planner
    assert far.stable() == record.stable()


def test_openpis_protocol_has_no_room_for_a_planner():
    with pytest.raises(UsageError, match="serve it with --protocol remote"):
        openpi_protocol()(Hierarchical(Clock(), Doer()).spec())


def test_the_conformance_kit_tries_a_hierarchy():
    assert check_policy(Hierarchical(Clock(), Doer())).planner is not None

    class Silent(Hierarchical):
        def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
            return [replace(chunk, plan=None) for chunk in super().act(observations)]

    with pytest.raises(vlabench.errors.PolicyError, match="said a NoneType"):
        check_policy(Silent(Clock(), Doer()))
