"""The inspection of starts: it finds what is wrong, says it with figures, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from vlabench.contract.environment import FAULT
from vlabench.envs.inspection import FURTHEST_M, InspectedSimulation, faults
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

HOLD = np.zeros(7, dtype=np.float32)


@pytest.fixture
def begun(draw: Draw) -> Callable[..., Simulation]:
    """A simulation that has just started; its arguments are those of `draw`."""

    def start(*arguments: object, **options: object) -> Simulation:
        made = Simulation()
        made.start(draw(*arguments, **options))
        return made

    return start


def put(simulation: Simulation, name: str, x: float, y: float, z: float) -> None:
    """Moves a thing, upright and at rest: metres in the world."""
    model, data = simulation.model, simulation.data
    body = simulation.scene.objects[name].body
    joint = int(model.jnt_qposadr[model.body_jntadr[body]])
    data.qpos[joint : joint + 7] = [x, y, z, 1.0, 0.0, 0.0, 0.0]
    mujoco.mj_forward(model, data)


@pytest.mark.parametrize(
    "change",
    [
        "camera:L3",
        "dynamic:instruction",
        "dynamic:target",
        "distractors:L3",
        "embodiment:both",
        "absent-object:L1",
        "empty-instruction:L1",
        "swapped-goal:L1",
        "object-pose:L3",
        "object-scale:L3",
    ],
)
def test_a_good_start_has_no_fault_and_is_left_as_it_is(
    begun: Callable[..., Simulation], change: str
) -> None:
    for index in range(2):
        simulation = begun("place-on", index, change)
        before = simulation.checksum(), simulation.data.qacc_warmstart.tobytes()
        assert faults(simulation) == ()
        assert (simulation.checksum(), simulation.data.qacc_warmstart.tobytes()) == before


@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_a_part_on_its_way_is_not_there_yet(begun: Callable[..., Simulation], level: str) -> None:
    for task in ("open-drawer", "close-door", "turn-knob"):
        assert faults(begun(task, 0, f"articulation:{level}")) == ()


def test_what_moves_is_told_with_its_speed(begun: Callable[..., Simulation]) -> None:
    simulation = begun("lift")
    thing = simulation.scene.objects["object"]
    first = int(simulation.model.body_dofadr[thing.body])
    simulation.data.qvel[first] = 0.02
    assert faults(simulation)[0] == "the object moves at 20.0 mm/s, faster than 1"
    simulation.data.qvel[first] = 0.0
    simulation.data.qvel[first + 5] = 0.5
    assert faults(simulation)[0].startswith("the object moves at"), "it spins on the spot"


def test_a_part_and_the_hand_can_move_too(begun: Callable[..., Simulation]) -> None:
    simulation = begun("open-drawer")
    model = simulation.model
    part = simulation.scene.parts["top drawer"]
    simulation.data.qvel[model.jnt_dofadr[part.joint]] = 0.03
    simulation.data.qvel[int(model.joint("robot0_joint1").dofadr[0])] = 0.1
    told = " ".join(faults(simulation))
    assert "the top drawer moves at 30.0 mm/s" in told
    assert "the hand moves at" in told


def test_what_hangs_in_the_air_is_told_though_it_is_at_rest(
    begun: Callable[..., Simulation],
) -> None:
    simulation = begun("lift")
    x, y, z = simulation.data.xpos[simulation.scene.objects["object"].body]
    put(simulation, "object", x, y, z + 0.05)
    assert faults(simulation) == ("the object gathers speed at 9.8 m/s2: it stands on nothing",)


def test_what_overlaps_is_told_with_its_depth(begun: Callable[..., Simulation]) -> None:
    simulation = begun("lift")
    x, y, z = simulation.data.xpos[simulation.scene.objects["object"].body]
    put(simulation, "object", x, y, z - 0.004)
    (told,) = [fault for fault in faults(simulation) if "overlap" in fault]
    assert told == "the object and the table overlap by 4.1 mm, more than 2"


def test_a_stage_that_is_true_is_told(begun: Callable[..., Simulation], draw: Draw) -> None:
    parts = {"top drawer": 0.9, "bottom drawer": 0.9}
    simulation = begun("store-in-drawer", factors={"cabinet.parts": parts})
    drawer = simulation.episode.factors["cast"]["drawer"]
    assert f"the stage 'open' is true at the start: open({drawer})" in faults(simulation)


def test_of_stages_in_any_order_none_may_be_true(begun: Callable[..., Simulation]) -> None:
    """A cup that happens to stand behind the plate is progress that nobody has made."""
    simulation = begun("set-table")
    assert faults(simulation) == ()
    plate, cup = (simulation.scene.objects[name] for name in ("plate", "cup"))
    x, y, _ = simulation.data.xpos[plate.body]
    apart = plate.shape.radius + cup.shape.radius + 0.03
    put(simulation, "cup", x + apart, y, float(simulation.data.xpos[cup.body][2]))
    told = faults(simulation)
    assert "the stage 'cup' is true at the start: beside(cup, behind, plate)" in told


def test_what_an_event_will_ask_for_must_be_false_too(
    begun: Callable[..., Simulation], draw: Draw
) -> None:
    episode = draw("open-drawer", 0, "dynamic:instruction")
    (event,) = episode.factors["events"]
    asked = event["do"]["cast"]["drawer"]
    parts = {**episode.factors["cabinet.parts"], asked: 0.9}
    simulation = begun("open-drawer", 0, "dynamic:instruction", factors={"cabinet.parts": parts})
    assert faults(simulation) == (f"the stage 'open' is true at the start: open({asked})",)


def test_what_stands_behind_something_is_not_seen(begun: Callable[..., Simulation]) -> None:
    simulation = begun("place-in")
    around = simulation.scene.objects["target"]
    x, y, z = simulation.data.xpos[around.body]
    put(simulation, "object", x, y, z - 0.6)  # under the table
    told = " ".join(faults(simulation))
    assert "the exterior camera sees 0.0 % of the object, less than 5 %" in told


def test_what_is_outside_the_frame_is_not_seen(begun: Callable[..., Simulation]) -> None:
    simulation = begun("lift")
    camera = simulation.model.camera("agentview").id
    assert faults(simulation) == ()
    simulation.model.cam_fovy[camera] = 1.0
    (told,) = faults(simulation)
    assert told.startswith("the exterior camera sees")


def test_what_is_far_away_is_out_of_reach(begun: Callable[..., Simulation]) -> None:
    simulation = begun("lift")
    base = simulation.data.body(simulation.scene.embodiment.base_body).xpos
    z = float(simulation.data.xpos[simulation.scene.objects["object"].body][2])
    put(simulation, "object", float(base[0]) + FURTHEST_M + 0.02, 0.0, z)
    told = [fault for fault in faults(simulation) if "further than" in fault]
    assert len(told) == 1
    assert told[0].startswith("the object is 0.8")


# --- an environment that inspects -------------------------------------------------------------


def test_the_world_makes_one_that_inspects() -> None:
    assert isinstance(TabletopWorld().make(inspect=True), InspectedSimulation)
    assert not isinstance(TabletopWorld().make(), InspectedSimulation)


def test_a_good_episode_goes_on_as_ever(draw: Draw) -> None:
    plain, inspected = Simulation(), InspectedSimulation()
    for simulation in (plain, inspected):
        simulation.start(draw("place-on", 1))
        assert not any(simulation.advance(HOLD) for _ in range(5))
    assert inspected.outcome() == plain.outcome()


def test_a_faulty_one_is_over_before_it_begins_and_the_next_is_not(draw: Draw) -> None:
    simulation = InspectedSimulation()
    good = draw("close-door")
    simulation.start(
        replace(good, factors={**good.factors, "oven.parts": {"oven door": 0.0, "oven": 0.0}})
    )
    assert simulation.advance(HOLD)
    outcome = simulation.outcome()
    assert (outcome.success, outcome.success_once, outcome.steps) == (False, False, 0)
    assert outcome.init_state_hash == outcome.final_state_hash
    assert [event.step for event in outcome.events] == [0]
    assert (
        outcome.events[0].what
        == f"{FAULT}the stage 'closed' is true at the start: closed(oven door)"
    )
    simulation.start(good)
    assert not simulation.advance(HOLD)
    assert simulation.outcome().events == ()


def test_a_faulty_diagnostic_does_not_comply(draw: Draw) -> None:
    """To do nothing would be right, were there anything not to be done."""
    simulation = InspectedSimulation()
    episode = draw("lift", 0, "absent-object:L1")
    simulation.start(episode)
    simulation.advance(HOLD)
    assert simulation.outcome().compliance is True
    x, _, yaw = episode.factors["object.pose"]
    simulation.start(replace(episode, factors={**episode.factors, "object.pose": [x, 0.7, yaw]}))
    simulation.advance(HOLD)
    outcome = simulation.outcome()
    assert outcome.events
    assert outcome.compliance is False
