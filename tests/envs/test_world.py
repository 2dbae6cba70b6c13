"""The world under each of its controllers, driven through the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.specs import ActionSpec, PolicySpec
from vlabench.envs.inspection import InspectedSimulation
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.errors import UnknownNameError
from vlabench.types import EpisodeSpec, Floats

Draw = Callable[..., EpisodeSpec]

WORLD = TabletopWorld()
POSE = ActionSpec(control="ee_pose", rotation="quaternion_xyzw", scale="metric", dimension=8)
JOINTS = ActionSpec(
    control="joint_position", frame="joints", rotation="none", scale="metric", dimension=8
)


def test_it_offers_every_controller_and_osc_pose_first() -> None:
    offers = WORLD.specs()
    assert offers[0] == WORLD.spec()
    assert [offer.controller for offer in offers] == [
        "osc_pose",
        "joint_position",
        "joint_velocity",
    ]
    assert [offer.action.dimension for offer in offers] == [7, 8, 8]
    assert [offer.max_joint for offer in offers] == [None, 0.05, 0.5]
    assert len({offer.fingerprint for offer in offers}) == 3


@pytest.mark.parametrize("offer", WORLD.specs(), ids=lambda offer: offer.controller)
def test_an_environment_is_made_for_the_controller_that_is_asked_for(offer) -> None:
    assert WORLD.make(controller=offer.controller).spec() == offer
    inspected = WORLD.make(inspect=True, controller=offer.controller)
    assert isinstance(inspected, InspectedSimulation)
    assert inspected.spec() == offer


def test_without_a_name_it_is_osc_pose_and_an_unknown_one_is_refused() -> None:
    assert WORLD.make().spec() == WORLD.spec()
    with pytest.raises(UnknownNameError, match="osc_pose"):
        WORLD.make(controller="osc_poise").spec()


def drive(
    action: ActionSpec, row: Callable[[Mapping[str, Floats]], Floats], episode: EpisodeSpec
) -> tuple[Mapping[str, Floats], Mapping[str, Floats]]:
    """How the robot stands before and after forty control steps of the same row."""
    spec = PolicySpec("probe", action=action)
    offer = choose_environment(spec, WORLD.specs())
    pipeline = negotiate(spec, offer)
    simulation: Simulation = WORLD.make(controller=offer.controller)
    simulation.start(episode)
    first = simulation.observe().proprio
    target, execute = row(first), pipeline.executor()
    for _ in range(40):
        simulation.advance(execute(target, simulation.observe().proprio))
    return first, simulation.observe().proprio


def test_a_pose_to_go_to_is_reached(draw: Draw) -> None:
    def higher_and_turned(first):
        half = np.sin(np.pi / 12), np.cos(np.pi / 12)  # of 30 degrees about the vertical
        x, y, z, w = first["ee_quaternion"]
        turned = [half[1] * x - half[0] * y, half[1] * y + half[0] * x]
        turned += [half[1] * z + half[0] * w, half[1] * w - half[0] * z]
        return np.array([*(first["ee_position"] + [0.03, -0.05, 0.06]), *turned, -1.0])

    first, last = drive(POSE, higher_and_turned, draw("place-in", 4))
    target = higher_and_turned(first)
    np.testing.assert_allclose(last["ee_position"], target[:3], atol=0.01)
    assert abs(np.dot(last["ee_quaternion"], target[3:7])) > np.cos(0.05 / 2)
    assert abs(np.dot(first["ee_quaternion"], target[3:7])) < np.cos(0.5 / 2)


def test_joint_positions_to_go_to_are_reached(draw: Draw) -> None:
    def elsewhere(first):
        return np.array([*(first["joint_positions"] + [0.3, -0.2, 0.1, 0.2, 0, -0.3, 0.2]), 1.0])

    first, last = drive(JOINTS, elsewhere, draw("place-in", 4))
    np.testing.assert_allclose(last["joint_positions"], elsewhere(first)[:7], atol=0.05)
    assert last["gripper_opening"] < 0.5


def test_a_change_in_the_hands_frame_moves_the_hand_along_its_own_axes(draw: Draw) -> None:
    along_its_z = np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0])
    hand = ActionSpec(frame="hand", scale="metric")
    first, last = drive(hand, lambda _: -along_its_z, draw("place-in", 4))
    moved = last["ee_position"] - first["ee_position"]
    assert moved[2] > 0.1, "the hand points down, so backwards along its z is up"
    assert np.abs(moved[:2]).max() < 0.05
