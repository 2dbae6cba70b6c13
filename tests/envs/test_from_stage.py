"""Chains that begin in the middle: where the expert had got to, and nothing else is different."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.contract.environment import StateNeededError, draw_episode
from vlabench.envs.axes.checks import Pair, changes_nothing_else, changes_something
from vlabench.envs.axes.from_stage import FACTOR, FromStage
from vlabench.envs.fixtures.base import fixture
from vlabench.envs.inspection import faults
from vlabench.envs.scene import compose
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld
from vlabench.errors import UsageError
from vlabench.halfway import StagedWorld
from vlabench.policies.expert import Expert
from vlabench.registry import FIXTURES, TASKS
from vlabench.types import Change, EpisodeSpec, EpisodeStart

Draw = Callable[[str, str], EpisodeSpec]

CHAINS = [
    ("store-in-drawer", "2"),
    ("store-in-drawer", "3"),
    ("set-table", "2"),
    ("set-table", "3"),
]

HOLD = np.zeros(7, dtype=np.float32)


@pytest.fixture(scope="module")
def begun() -> Draw:
    """The first episode of a task that begins at a stage."""
    world = StagedWorld(TabletopWorld(), "expert")

    @cache
    def drawn(task: str, stage: str) -> EpisodeSpec:
        twin = draw_episode(world, task, seed=0, index=0).episode_id
        changes = (Change("from-stage", stage),)
        return draw_episode(world, task, changes, seed=0, index=0, control_id=twin)

    return drawn


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    yield made
    made.close()


def nominal(task: str) -> EpisodeSpec:
    return draw_episode(TabletopWorld(), task, seed=0, index=0)


def solve(simulation: Simulation, episode: EpisodeSpec) -> int:
    """How many steps the expert takes from the start of an episode to success."""
    expert, over = Expert(), False
    simulation.start(episode)
    expert.reset([EpisodeStart(episode.episode_id, 0, episode.instruction, simulation.spec())])
    while not over:
        (chunk,) = expert.act([simulation.observe(privileged=True)])
        over = simulation.advance(chunk.actions[0].astype(np.float32))
    assert simulation.outcome().success
    return simulation.steps


# --- which there are --------------------------------------------------------------------------


def test_it_has_a_level_for_each_stage_after_the_first() -> None:
    levels = {name: FromStage().levels_of(task_called(name)) for name in TASKS.names()}
    assert levels["cook"] == ("2",)
    assert levels["clear-table"] == ("2", "3", "4", "5")
    assert levels["tidy-up"] == FromStage.levels
    assert levels["errands"] == levels["place-on"] == (), "these ask for one stage"
    assert sum(map(bool, levels.values())) == 10


def test_it_is_not_drawn_from_numbers() -> None:
    with pytest.raises(StateNeededError, match="made from the expert's runs") as caught:
        draw_episode(TabletopWorld(), "cook", (Change("from-stage", "2"),), seed=0, index=0)
    assert (caught.value.change, caught.value.reached) == (Change("from-stage", "2"), 1)
    again = copy.copy(caught.value)
    assert (again.change, again.reached, str(again)) == (
        caught.value.change,
        caught.value.reached,
        str(caught.value),
    )


def test_it_takes_no_state_of_another_stage(begun: Draw) -> None:
    begin = begun("store-in-drawer", "2").factors[FACTOR]
    changes = (Change("from-stage", "3"),)
    with pytest.raises(UsageError, match=r"begins with 2 stages reached, .* 1 are; take another"):
        TabletopWorld().draw("store-in-drawer", changes, seed=0, index=0, begin=begin)


def test_a_state_changes_nothing_where_nothing_begins_in_the_middle(begun: Draw) -> None:
    begin = begun("store-in-drawer", "2").factors[FACTOR]
    drawn = TabletopWorld().draw("store-in-drawer", (), seed=0, index=0, begin=begin)
    assert drawn.factors == nominal("store-in-drawer").factors


# --- how they start ---------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "stage"), CHAINS)
def test_nothing_differs_from_the_twin_but_where_it_begins(
    begun: Draw, task: str, stage: str
) -> None:
    pair = Pair(FromStage(), task_called(task), nominal(task), begun(task, stage))
    assert changes_something(pair) == []
    assert changes_nothing_else(pair) == []
    assert pair.changed == {FACTOR}
    assert pair.episode.instruction == pair.twin.instruction
    assert pair.episode.horizon == pair.twin.horizon
    assert EpisodeSpec.from_json(pair.episode.to_json()) == pair.episode


@pytest.mark.parametrize(("task", "stage"), CHAINS)
def test_it_starts_where_the_expert_let_go(
    begun: Draw, simulation: Simulation, task: str, stage: str
) -> None:
    simulation.start(nominal(task))
    home = simulation.observe().proprio["joint_positions"]
    episode = begun(task, stage)
    simulation.start(episode)
    begin, now = episode.factors[FACTOR], simulation.snapshot()
    assert faults(simulation) == ()
    assert now is not None
    assert now["reached"] == begin["reached"]
    assert len(begin["reached"]) == int(stage) - 1
    for name, pose in begin["objects"].items():
        assert np.linalg.norm(np.subtract(now["objects"][name][:3], pose[:3])) < 0.002
    for name, opening in begin["parts"].items():
        assert now["parts"][name] == pytest.approx(opening, abs=0.002)
    assert simulation.observe().proprio["joint_positions"] == pytest.approx(home, abs=1e-4)
    results = simulation.progress.stages
    assert [k for k, result in enumerate(results) if result.success] == begin["reached"]
    assert {result.step for result in results if result.success} == {0}
    assert simulation.outcome().chain_length == int(stage) - 1


def test_what_rolls_in_a_bowl_comes_to_rest(begun: Draw, simulation: Simulation) -> None:
    """Two pieces of fruit lean on each other; one of them rolls on for seconds."""
    simulation.start(begun("sort-by-kind", "3"))
    assert faults(simulation) == ()


@pytest.mark.parametrize(("task", "stage"), CHAINS)
def test_there_is_something_left_to_do_and_it_can_be_done(
    begun: Draw, simulation: Simulation, task: str, stage: str
) -> None:
    simulation.start(begun(task, stage))
    for _ in range(20):
        assert not simulation.advance(HOLD)
    assert simulation.outcome().chain_length == int(stage) - 1
    assert solve(simulation, begun(task, stage)) < solve(Simulation(), nominal(task))


def test_the_state_is_the_one_that_the_expert_left(begun: Draw, simulation: Simulation) -> None:
    solve(simulation, nominal("set-table"))
    assert simulation.snapshot() is not None
    begin = begun("set-table", "3").factors[FACTOR]
    first, last = begin["reached"], simulation.snapshot()
    assert len(first) == 2
    names = {0: "one", 1: "two", 2: "cup"}
    for stage in first:
        where = begin["objects"][names[stage]], last["objects"][names[stage]]
        assert where[0] == pytest.approx(where[1], abs=0.005), "it has not been touched since"


def test_there_is_no_state_while_the_hand_is_at_work(simulation: Simulation) -> None:
    episode, expert, held = nominal("lift"), Expert(), 0
    simulation.start(episode)
    expert.reset([EpisodeStart(episode.episode_id, 0, episode.instruction, simulation.spec())])
    assert simulation.snapshot() is not None
    over = False
    while not over:
        (chunk,) = expert.act([simulation.observe(privileged=True)])
        over = simulation.advance(chunk.actions[0].astype(np.float32))
        held += simulation.snapshot() is None
    assert held > 10
    assert simulation.snapshot() is None, "it holds the object up"


def test_parts_that_move_are_those_with_a_travel() -> None:
    for name in FIXTURES.names():
        user = next((t for t in TASKS.names() if name in task_called(t).fixtures), None)
        if user is not None:
            scene = compose(nominal(user).factors)
            for part in fixture(name).parts:
                assert (scene.parts[part.name].qpos is not None) == (part.travel > 0)


# --- what is refused --------------------------------------------------------------------------


def edited(episode: EpisodeSpec, edit: Callable[[dict[str, Any]], None]) -> EpisodeSpec:
    begin = copy.deepcopy(dict(episode.factors[FACTOR]))
    edit(begin)
    return replace(episode, factors={**episode.factors, FACTOR: begin})


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda b: b.pop("parts"), r"The factor 'begin' .* must be the numbers of the stages"),
        (lambda b: b["objects"].update(object=[0.0] * 6), r"7 finite numbers"),
        (lambda b: b["parts"].update({"top drawer": float("nan")}), r"one for each of the 'parts'"),
        (lambda b: b["objects"].pop("object"), r"has the objects distractor, but there are .*obj"),
        (lambda b: b["parts"].update(lid=0.0), r"has the parts .*lid.* say where each is"),
        (lambda b: b.update(reached=[1]), r"reached the stages \[1\] .* the first ones"),
        (lambda b: b.update(reached=[0, 1, 2]), r"give fewer than 3 of those from 0 to 2"),
        (lambda b: b.update(reached=[0, 0]), r"reached the stages \[0, 0\]"),
    ],
)
def test_a_wrong_beginning_is_refused_in_one_sentence(
    begun: Draw, simulation: Simulation, edit: Callable[[dict[str, Any]], None], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        simulation.start(edited(begun("store-in-drawer", "2"), edit))


def test_stages_in_any_order_may_be_any(begun: Draw, simulation: Simulation) -> None:
    episode = begun("set-table", "2")
    simulation.start(edited(episode, lambda b: b.update(reached=[2])))
    assert [result.success for result in simulation.progress.stages] == [False, False, True]


def test_the_inspection_finds_what_is_undone_and_what_is_done(
    begun: Draw, simulation: Simulation
) -> None:
    shut = edited(begun("store-in-drawer", "2"), lambda b: b["parts"].update({"top drawer": 0.0}))
    simulation.start(shut)
    (found,) = (fault for fault in faults(simulation) if "stage" in fault)
    assert found == "the stage 'open' counts as reached and is not true: open(top drawer)"
    done = edited(begun("store-in-drawer", "3"), lambda b: b.update(reached=[0]))
    simulation.start(done)
    assert "the stage 'in' is true at the start: in(object, top drawer)" in faults(simulation)


def test_what_was_put_away_need_not_be_seen(begun: Draw, simulation: Simulation) -> None:
    """The object is in a drawer that is nearly shut, and only the drawer is still to be closed."""
    inside = begun("store-in-drawer", "3")
    simulation.start(inside)
    data, scene = simulation.data, simulation.scene
    drawer, thing = scene.parts["top drawer"], scene.objects["object"]
    joint = int(scene.model.jnt_qposadr[scene.model.body_jntadr[thing.body]])
    along = data.xaxis[drawer.joint] * (0.03 - data.qpos[drawer.qpos])
    data.qpos[drawer.qpos] = 0.03
    data.qpos[joint : joint + 3] += along
    data.qvel[:] = 0.0
    mujoco.mj_forward(scene.model, data)
    assert not any("camera sees" in fault for fault in faults(simulation))
