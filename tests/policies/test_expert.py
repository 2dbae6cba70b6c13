from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from vlabench.contract.environment import Environment, World, draw_episode
from vlabench.contract.negotiate import negotiate
from vlabench.contract.policy import Policy
from vlabench.errors import PolicyError
from vlabench.registry import POLICIES, TASKS, WORLDS
from vlabench.rollout import RunContext, run_episode
from vlabench.seeding import stream
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.trace import Trace
from vlabench.types import Change, EpisodeRecord, EpisodeSpec, EpisodeStart

CONTEXT = RunContext("run", "suite", 1, "hash")


@pytest.fixture(scope="module")
def world() -> World:
    made: World = WORLDS.load("tabletop")()
    return made


@pytest.fixture(scope="module")
def environment(world: World) -> Environment:
    return world.make()


def expert() -> Policy:
    made: Policy = POLICIES.load("expert")()
    return made


def episode_of(world: World, task: str, index: int, *changes: Change) -> EpisodeSpec:
    return draw_episode(world, task, changes, seed=0, index=index)


def run(environment: Environment, episode: EpisodeSpec) -> tuple[EpisodeRecord, Trace]:
    policy = expert()
    return run_episode(
        environment, policy, negotiate(policy.spec(), environment.spec()), episode, CONTEXT
    )


def test_it_keeps_the_promises_of_a_policy() -> None:
    check_policy(expert(), EXAMPLE_ENV)


@pytest.mark.parametrize("task", TASKS.names())
def test_it_solves_every_task(world: World, environment: Environment, task: str) -> None:
    record, trace = run(environment, episode_of(world, task, 0))
    assert record.status == "success"
    assert record.success
    assert record.success_once
    assert all(stage.success for stage in record.stages)
    assert record.steps == len(trace.actions) == record.policy_calls
    assert record.steps <= record.horizon * 0.9, "the horizon leaves it hardly any time"


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("place-on", Change("object-pose", "L3")),
        ("place-in", Change("unseen-categories", "L1")),
        ("stack", Change("unseen-instances", "L1")),
        ("open-drawer", Change("object-pose", "L3")),
        ("place-beside", Change("unseen-categories", "L1")),
        ("stand-upright", Change("unseen-instances", "L1")),
        ("push-to", Change("object-pose", "L2")),
        ("lift", Change("object-pose", "L3")),
    ],
)
def test_it_solves_changed_episodes(
    world: World, environment: Environment, task: str, change: Change
) -> None:
    record, _ = run(environment, episode_of(world, task, 1, change))
    assert record.success


def test_it_acts_the_same_whenever_it_is_asked(world: World, environment: Environment) -> None:
    episode = episode_of(world, "place-in", 2)
    (first, path), (second, again) = (run(environment, episode) for _ in range(2))
    assert first.stable() == second.stable()
    assert path.actions.tobytes() == again.actions.tobytes()
    assert path.checksums.tobytes() == again.checksums.tobytes()


def test_it_is_not_told_by_words_or_light(world: World, environment: Environment) -> None:
    nominal, _ = run(environment, episode_of(world, "stack", 3))
    for change in (Change("paraphrase", "indirect"), Change("lighting", "L3")):
        changed, _ = run(environment, episode_of(world, "stack", 3, change))
        assert changed.actions_hash == nominal.actions_hash
        assert changed.final_state_hash == nominal.final_state_hash


def test_sessions_side_by_side_do_not_meet(world: World) -> None:
    episodes = {
        episode.episode_id: episode
        for episode in (episode_of(world, "place-on", 4), episode_of(world, "open-drawer", 4))
    }
    alone = {name: run(world.make(), episode)[1].actions for name, episode in episodes.items()}
    together = side_by_side(world, episodes)
    for name, actions in alone.items():
        assert np.array_equal(together[name], actions)


def side_by_side(world: World, episodes: Mapping[str, EpisodeSpec]) -> Mapping[str, np.ndarray]:
    """The actions of one expert that runs all episodes at once, in an order that changes."""
    policy, environments = expert(), {name: world.make() for name in episodes}
    for name, episode in episodes.items():
        environments[name].start(episode)
        policy.reset([EpisodeStart(name, 0, episode.instruction, world.spec())])
    executed: dict[str, list[np.ndarray]] = {name: [] for name in episodes}
    running, rng = list(episodes), stream("order of sessions")
    while running:
        order = [str(name) for name in rng.permutation(running)]
        seen = [environments[name].observe(privileged=True) for name in order]
        for name, chunk in zip(order, policy.act(seen), strict=True):
            action = chunk.actions[0].astype(np.float32)
            executed[name].append(action)
            if environments[name].advance(action):
                policy.end([name])
                running.remove(name)
    return {name: np.array(actions) for name, actions in executed.items()}


def test_actions_are_rounded_and_within_bounds(world: World, environment: Environment) -> None:
    _, trace = run(environment, episode_of(world, "store-in-drawer", 1))
    assert np.abs(trace.actions).max() <= 1.0
    rounded = np.round(trace.actions.astype(np.float64), 3).astype(np.float32)
    assert np.array_equal(trace.actions, rounded)


def test_a_session_that_has_ended_is_forgotten() -> None:
    policy = expert()
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    policy.reset([EpisodeStart("a", 0, "", EXAMPLE_ENV)])
    shown = example_observation(pipeline, "a", 0)
    policy.act([shown])
    policy.end(["a"])
    with pytest.raises((KeyError, PolicyError)):
        policy.act([shown])
    policy.end(["a"])
    policy.close()
