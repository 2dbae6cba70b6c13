"""What can be had without looking or listening: replay, prior and random-goal."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vlabench.contract.environment import Environment, World, draw_episode
from vlabench.contract.negotiate import negotiate
from vlabench.contract.policy import Policy
from vlabench.errors import UsageError
from vlabench.policies import prior as prior_module
from vlabench.policies.expert.grasping import middle_of
from vlabench.policies.prior import Belief, Place, Prior, average_places
from vlabench.policies.random_goal import OwnGoals, RandomGoal
from vlabench.policies.replay import Replay, recordings
from vlabench.registry import POLICIES, TASKS, WORLDS
from vlabench.rollout import RunContext, run_episode
from vlabench.seeding import seed_of, stream
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.trace import Trace
from vlabench.types import (
    Change,
    EpisodeRecord,
    EpisodeSpec,
    EpisodeStart,
    GoalState,
    PrivilegedState,
    StageState,
)

NAMES = ("replay", "prior", "random-goal")
CONTEXT = RunContext("run", "suite", 1, "hash")
BASE_X = -0.56
"""Where the robot's base is on the x axis of factors."""


@pytest.fixture(scope="module")
def world() -> World:
    made: World = WORLDS.load("tabletop")()
    return made


@pytest.fixture(scope="module")
def environment(world: World) -> Iterator[Environment]:
    made = world.make()
    yield made
    made.close()


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script that makes what the baselines know."""
    path = Path(__file__).parents[2] / "benchmarks" / "record_baselines.py"
    spec = importlib.util.spec_from_file_location("record_baselines", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    environment: Environment, policy: Policy, episode: EpisodeSpec
) -> tuple[EpisodeRecord, Trace]:
    pipeline = negotiate(policy.spec(), environment.spec())
    return run_episode(environment, policy, pipeline, episode, CONTEXT)


def state_of(environment: Environment, episode: EpisodeSpec) -> PrivilegedState:
    environment.start(episode)
    state = environment.observe(privileged=True).privileged
    assert state is not None
    return state


def start(seed: int, episode_id: str = "a") -> EpisodeStart:
    return EpisodeStart(episode_id, seed, "", EXAMPLE_ENV)


@pytest.mark.parametrize("name", NAMES)
def test_they_conform_and_are_marked(name: str) -> None:
    policy: Policy = POLICIES.load(name)()
    check_policy(policy, EXAMPLE_ENV)
    assert policy.spec().name == name
    assert policy.spec().privileged
    assert policy.spec().deterministic


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("name", NAMES)
def test_they_never_fail_by_themselves(
    name: str, task: str, world: World, environment: Environment
) -> None:
    episode = replace(draw_episode(world, task, seed=4, index=7), horizon=100)
    record, _ = run(environment, POLICIES.load(name)(), episode)
    assert record.error is None
    assert record.steps == 100 or record.success


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("place-on", Change("distractors", "L3")),
        ("stand-upright", Change("embodiment", "both")),
        ("errands", Change("horizon", "8")),
        ("place-in", Change("dynamic", "target")),
    ],
)
def test_nor_where_things_change(
    name: str, task: str, change: Change, world: World, environment: Environment
) -> None:
    episode = replace(draw_episode(world, task, [change], seed=4, index=7), horizon=120)
    record, _ = run(environment, POLICIES.load(name)(), episode)
    assert record.error is None


@pytest.mark.parametrize("name", NAMES)
def test_they_forget_a_session_that_ended(name: str) -> None:
    policy: Policy = POLICIES.load(name)()
    shown = example_observation(negotiate(policy.spec(), EXAMPLE_ENV), "a", 0)
    policy.reset([start(0)])
    policy.act([shown])
    policy.end(["a"])
    with pytest.raises(KeyError):
        policy.act([shown])
    policy.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_hidden_state_is_told(name: str) -> None:
    policy: Policy = POLICIES.load(name)()
    shown = example_observation(negotiate(policy.spec(), EXAMPLE_ENV), "a", 0)
    policy.reset([start(0)])
    with pytest.raises(UsageError, match=f"'{name}'.* this environment hides it"):
        policy.act([replace(shown, privileged=None)])


# --- replay -----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_has_four_recordings(task: str) -> None:
    assert len(recordings()[task]) == 4
    for recording in recordings()[task]:
        assert recording.dtype == np.int16
        assert recording.ndim == 2
        assert recording.shape[1] == 7
        assert np.abs(recording).max() <= 1000
    assert len({recording.tobytes() for recording in recordings()[task]}) == 4


@pytest.mark.parametrize("task", ["lift", "press-button"])
def test_recordings_are_what_the_expert_does(task: str, maker: ModuleType) -> None:
    made = maker.record(task, count=2)
    assert min(made) >= maker.FIRST_INDEX
    for again, kept in zip(made.values(), recordings()[task], strict=False):
        np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize("task", ["lift", "open-drawer"])
def test_a_recording_solves_its_own_episode_and_stays(
    task: str, world: World, environment: Environment, maker: ModuleType
) -> None:
    (index,) = maker.record(task, count=1)
    episode = draw_episode(world, task, seed=maker.SEED, index=index)
    policy = Replay()
    environment.start(episode)
    policy.reset([replace(start(_seed_for(0)), episode_id=episode.episode_id)])
    over, executed = False, []
    while not over:
        action = policy.act([environment.observe(privileged=True)])[0].actions[0]
        executed.append(action)
        over = environment.advance(action.astype(np.float32))
    assert environment.outcome().success
    kept = recordings()[task][0]
    np.testing.assert_array_equal(np.rint(1000 * np.array(executed)), kept[: len(executed)])


def test_it_holds_still_when_the_recording_is_over() -> None:
    policy = Replay()
    shown = example_observation(negotiate(policy.spec(), EXAMPLE_ENV), "a", 0)
    policy.reset([start(3)])
    longest = max(len(recording) for recording in recordings()["place-on"])
    actions = [policy.act([shown])[0].actions for _ in range(longest + 2)]
    np.testing.assert_array_equal(actions[-1][0, :6], np.zeros(6))
    assert actions[-1][0, 6] in {-1.0, 1.0}
    np.testing.assert_array_equal(actions[-1], actions[-2])


def test_the_seed_alone_picks_the_recording() -> None:
    policy = Replay()
    shown = example_observation(negotiate(policy.spec(), EXAMPLE_ENV), "a", 0)
    assert shown.privileged is not None

    def first_actions(seed: int, state: PrivilegedState) -> bytes:
        policy.reset([start(seed)])
        seen = replace(shown, privileged=state)
        return b"".join(policy.act([seen])[0].actions.tobytes() for _ in range(30))

    elsewhere = replace(shown.privileged, objects={}, parts={}, fixtures={}, stages=())
    played = {seed: first_actions(seed, shown.privileged) for seed in range(20)}
    assert len(set(played.values())) == 4
    assert {seed: first_actions(seed, elsewhere) for seed in played} == played


def test_a_task_without_a_recording_is_told() -> None:
    policy = Replay()
    shown = example_observation(negotiate(policy.spec(), EXAMPLE_ENV), "a", 0)
    assert shown.privileged is not None
    policy.reset([start(0)])
    with pytest.raises(UsageError, match="no recording of the task 'juggle'"):
        policy.act([replace(shown, privileged=replace(shown.privileged, task="juggle"))])


def _seed_for(recording: int) -> int:
    """A session's seed that picks that recording of four."""
    return next(seed for seed in range(99) if stream("replay", seed).integers(4) == recording)


# --- prior ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["place-on", "open-door"])
def test_places_are_averages_of_draws(task: str, maker: ModuleType) -> None:
    assert {name: list(place) for name, place in average_places()[task].items()} == maker.places(
        task
    )


@pytest.mark.parametrize("task", TASKS.names())
def test_places_are_known_of_everything_in_a_task(
    task: str, world: World, environment: Environment
) -> None:
    state = state_of(environment, draw_episode(world, task, seed=4, index=0))
    assert set(average_places()[task]) == set(state.objects) | set(state.fixtures)
    assert {part.fixture for part in state.parts.values()} == set(state.fixtures)


Told = Callable[[EpisodeSpec], None]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Tells the prior the true places of an episode instead of the average."""

    def tell(episode: EpisodeSpec) -> None:
        poses = {k[:-5]: v for k, v in episode.factors.items() if k.endswith(".pose")}
        truth: Mapping[str, Mapping[str, Place]] = {
            episode.task: {name: (x - BASE_X, y, yaw) for name, (x, y, yaw) in poses.items()}
        }
        monkeypatch.setattr(prior_module, "average_places", lambda: truth)

    return tell


@pytest.mark.parametrize(
    "task",
    ["place-in", "place-beside", "stand-upright", "push-to", "swap", "store-in-drawer", "cook"],
)
def test_nothing_but_places_keeps_the_prior_from_success(
    task: str, world: World, environment: Environment, told: Told
) -> None:
    episode = draw_episode(world, task, seed=3, index=1)
    told(episode)
    record, _ = run(environment, Prior(), episode)
    assert record.success


@pytest.mark.parametrize("task", ["place-on", "open-drawer", "stand-upright", "sort-by-kind"])
def test_the_prior_does_not_see_where_things_are(
    task: str, world: World, environment: Environment
) -> None:
    places = []
    for index in (0, 1):
        state = state_of(environment, draw_episode(world, task, seed=4, index=index))
        believed = Belief().believe(state, None)
        known = average_places()[task]
        for name, thing in believed.objects.items():
            np.testing.assert_allclose(middle_of(thing)[:2], known[name][:2], atol=1e-12)
            true = state.objects[name]
            assert middle_of(thing)[2] == pytest.approx(middle_of(true)[2])
            np.testing.assert_allclose(thing.rotation[2], true.rotation[2], atol=1e-12)
            np.testing.assert_allclose(thing.rotation @ thing.rotation.T, np.eye(3), atol=1e-9)
        places.append({name: middle_of(thing)[:2] for name, thing in believed.objects.items()})
    for name in places[0].keys() & places[1].keys():
        np.testing.assert_allclose(places[0][name], places[1][name], atol=1e-12)


def test_a_fixture_is_believed_whole_at_its_average_place(
    world: World, environment: Environment
) -> None:
    state = state_of(environment, draw_episode(world, "open-door", seed=4, index=2))
    believed = Belief().believe(state, None)
    x, y, heading = average_places()["open-door"]["oven"]
    stands = state.fixtures["oven"]
    c, s = math.cos(heading), math.sin(heading)
    there = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    for name, part in believed.parts.items():
        for point in ("handle", "pivot", "interior"):
            true = stands.rotation.T @ (getattr(state.parts[name], point) - stands.position)
            seen = there.T @ (getattr(part, point) - np.array([x, y, stands.position[2]]))
            np.testing.assert_allclose(seen, true, atol=1e-9)
        np.testing.assert_allclose(
            there.T @ part.handle_rotation,
            stands.rotation.T @ state.parts[name].handle_rotation,
            atol=1e-9,
        )


def test_what_an_axis_added_is_believed_in_the_middle(
    world: World, environment: Environment
) -> None:
    change = Change("distractors", "L1")
    state = state_of(environment, draw_episode(world, "place-on", [change], seed=4, index=0))
    believed = Belief().believe(state, None)
    middle = np.mean([place[:2] for place in average_places()["place-on"].values()], axis=0)
    added = believed.objects.keys() - average_places()["place-on"].keys()
    assert added
    for name in added:
        np.testing.assert_allclose(middle_of(believed.objects[name])[:2], middle, atol=1e-9)


SHUT_HAND = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
OPEN_HAND = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])


@pytest.fixture
def shown() -> PrivilegedState:
    """A made-up state whose hand is where the object is believed to be."""
    state = example_observation(negotiate(Prior().spec(), EXAMPLE_ENV), "a", 0).privileged
    assert state is not None
    thing = Belief().believe(state, None).objects["object"]
    return replace(state, hand_position=middle_of(thing))


def _after(mind: Belief, state: PrivilegedState, action: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        believed = mind.believe(state, action)
    return middle_of(believed.objects["object"])


def test_what_is_between_the_fingers_goes_with_the_hand(shown: PrivilegedState) -> None:
    mind, held = Belief(), replace(shown, gripper_opening_m=0.04)
    away = replace(held, hand_position=held.hand_position + np.array([0.1, -0.2, 0.3]))
    first = _after(mind, held, SHUT_HAND, 10)
    carried = _after(mind, away, SHUT_HAND, 1)
    np.testing.assert_allclose(carried - first, [0.1, -0.2, 0.3], atol=1e-9)
    _after(mind, away, OPEN_HAND, 1)
    np.testing.assert_allclose(_after(mind, shown, OPEN_HAND, 5), carried, atol=1e-9)


def test_what_slips_from_the_fingers_lies_below(shown: PrivilegedState) -> None:
    mind, held = Belief(), replace(shown, gripper_opening_m=0.04)
    away = replace(held, hand_position=held.hand_position + np.array([0.1, -0.2, 0.3]))
    first = _after(mind, held, SHUT_HAND, 10)
    _after(mind, away, SHUT_HAND, 1)
    slipped = _after(mind, replace(away, gripper_opening_m=0.0), SHUT_HAND, 1)
    np.testing.assert_allclose(slipped[:2] - first[:2], [0.1, -0.2], atol=1e-9)
    assert slipped[2] == pytest.approx(shown.table_height + 0.02)


def test_empty_fingers_carry_nothing(shown: PrivilegedState) -> None:
    mind, empty = Belief(), replace(shown, gripper_opening_m=0.0)
    first = _after(mind, empty, SHUT_HAND, 10)
    away = replace(empty, hand_position=empty.hand_position + np.array([0.0, 0.0, 0.3]))
    np.testing.assert_array_equal(_after(mind, away, SHUT_HAND, 3), first)


def test_closed_fingers_shove_what_they_meet(shown: PrivilegedState) -> None:
    mind, empty = Belief(), replace(shown, gripper_opening_m=0.0)
    middle = shown.hand_position
    aside = replace(empty, hand_position=middle - np.array([0.2, 0.0, 0.0]))
    assert _after(mind, aside, SHUT_HAND, 10) == pytest.approx(middle)
    against = replace(empty, hand_position=middle - np.array([0.02, 0.0, 0.0]))
    shoved = _after(mind, against, SHUT_HAND, 1) - middle
    assert 0.01 < shoved[0] < 0.03
    assert shoved[1:] == pytest.approx([0.0, 0.0])


# --- random-goal ------------------------------------------------------------------------------


def picked(state: PrivilegedState, seed: int) -> tuple[StageState, ...]:
    return OwnGoals(start(seed)).believe(state, None).stages


@pytest.mark.parametrize("task", TASKS.names())
def test_goals_are_of_the_same_sort(task: str, world: World, environment: Environment) -> None:
    state = state_of(environment, draw_episode(world, task, seed=4, index=3))
    for seed in range(30):
        own = picked(state, seed)
        assert [stage.name for stage in own] == [stage.name for stage in state.stages]
        meant: dict[str, str] = {}
        for mine, asked in zip(own, state.stages, strict=True):
            assert len(mine.goals) == len(asked.goals)
            for goal, wanted in zip(mine.goals, asked.goals, strict=True):
                assert goal.predicate == wanted.predicate
                for name, instead in zip(wanted.arguments, goal.arguments, strict=True):
                    assert meant.setdefault(name, instead) == instead
                    assert (name in state.objects) == (instead in state.objects)
                    if name in state.parts:
                        assert state.parts[name].kind == state.parts[instead].kind
        assert len(set(meant.values())) == len(meant)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("lift", {("object",), ("distractor",)}),
        ("press-button", {("red button",), ("green button",), ("blue button",)}),
        ("turn-knob", {("left knob",), ("right knob",)}),
        ("stand-upright", {("object",)}),  # nothing else lies
        ("open-door", {("oven door",)}),
    ],
)
def test_everything_of_a_sort_is_picked_now_and_then(
    task: str, expected: set[tuple[str, ...]], world: World, environment: Environment
) -> None:
    state = state_of(environment, draw_episode(world, task, seed=4, index=3))
    assert {picked(state, seed)[0].goals[0].arguments for seed in range(40)} == expected


def test_the_drawer_that_is_closed_is_not_closed_again(
    world: World, environment: Environment
) -> None:
    state = state_of(environment, draw_episode(world, "close-drawer", seed=4, index=3))
    asked = state.stages[0].goals[0].arguments
    assert {picked(state, seed)[0].goals[0].arguments for seed in range(40)} == {asked}


def test_sides_stand_for_sides(world: World, environment: Environment) -> None:
    state = state_of(environment, draw_episode(world, "place-beside", seed=4, index=3))
    goals = [picked(state, seed)[0].goals[0].arguments for seed in range(60)]
    assert {side for _, side, _ in goals} == {"left", "right", "front", "behind"}
    assert all(thing != target for thing, _, target in goals)


def test_goals_are_picked_once(shown: PrivilegedState) -> None:
    mind = OwnGoals(start(5))
    first = mind.believe(shown, None).stages
    (stage,) = shown.stages
    asked = replace(stage, goals=(GoalState("on", ("target", "object"), holds=True),))
    later = mind.believe(replace(shown, stages=(asked,)), None).stages
    assert [s.goals[0].arguments for s in later] == [s.goals[0].arguments for s in first]


def test_a_goal_that_is_asked_for_counts_as_it_stands(shown: PrivilegedState) -> None:
    mind = OwnGoals(start(0))
    (stage,) = shown.stages
    own = GoalState("lifted", ("object",), holds=False)
    mind.stages = (StageState("lift", (own,), achieved=False),)
    asked = replace(stage, goals=(replace(own, holds=True),))
    mind.finished(own)
    assert (
        not mind.believe(replace(shown, stages=(replace(asked, goals=(own,)),)), None)
        .stages[0]
        .achieved
    )
    held = mind.believe(replace(shown, stages=(asked,)), None).stages[0]
    assert (held.goals[0].holds, held.achieved) == (True, False)
    done = mind.believe(replace(shown, stages=(replace(asked, achieved=True),)), None).stages[0]
    assert done.achieved


def test_any_other_goal_is_tried_once(shown: PrivilegedState) -> None:
    mind = OwnGoals(start(0))
    own = GoalState("lifted", ("target",), holds=False)
    mind.stages = (StageState("lift", (own,), achieved=False),)
    assert not mind.believe(shown, None).stages[0].achieved
    mind.finished(own)
    tried = mind.believe(shown, None).stages[0]
    assert tried.goals[0].holds
    assert tried.achieved


def test_it_succeeds_where_it_picked_the_right_goal(world: World, environment: Environment) -> None:
    outcomes = {}
    for index in range(6):
        episode = draw_episode(world, "press-button", seed=4, index=index)
        record, _ = run(environment, RandomGoal(), episode)
        state = state_of(environment, episode)
        own = picked(state, seed_of("policy", episode.seed, episode.task, episode.index))
        right = own[0].goals[0].arguments == state.stages[0].goals[0].arguments
        outcomes[index] = (right, record.success)
    assert {right for right, _ in outcomes.values()} == {True, False}
    assert all(right == success for right, success in outcomes.values())
