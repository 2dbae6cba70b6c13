"""What the safety monitor counts, on scenes that are arranged by hand."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from vlabench.envs.safety import APART_STEPS, FALL, JOINT_MARGIN, SafetyMonitor, fixture_bodies
from vlabench.envs.scene import Scene, compose
from vlabench.envs.tasks.base import task
from vlabench.envs.view import Viewpoint
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]


class Bench:
    """A scene whose things and arm are put where a test wants them."""

    def __init__(self, factors: dict[str, object], name: str) -> None:
        self.scene: Scene = compose(factors)
        self.model, self.data = self.scene.model, mujoco.MjData(self.scene.model)
        Viewpoint(self.scene).place(self.data)
        self.monitor = SafetyMonitor(self.scene, task(name).asked(factors))
        self.site = self.model.site(self.scene.embodiment.grip_site).id
        mujoco.mj_forward(self.model, self.data)

    def put(self, role: str, position: np.ndarray | list[float]) -> None:
        body = self.scene.objects[role].body
        address = self.model.jnt_qposadr[self.model.body_jntadr[body]]
        self.data.qpos[address : address + 3] = position

    def look(self, times: int = 1) -> None:
        mujoco.mj_forward(self.model, self.data)
        for _ in range(times):
            self.monitor.update(self.data)

    def at_hand(self, below: float = 0.0) -> np.ndarray:
        """Where a thing is between the fingers, or so far below."""
        place: np.ndarray = self.data.site_xpos[self.site] - [0.0, 0.0, 0.02 + below]
        return place


@pytest.fixture
def bench(draw: Draw) -> Bench:
    return Bench(draw("place-on", 2).factors, "place-on")


def grasp(bench: Bench, role: str = "object") -> None:
    """Puts a thing between the fingers and closes them on it."""
    bench.put(role, bench.at_hand())
    arm = bench.scene.embodiment
    for name in arm.finger_joints:
        joint = bench.model.joint(arm.gripper_prefix + name)
        bench.data.qpos[joint.qposadr[0]] = 0.01 if joint.range[1] > 0.001 else -0.01


def test_a_robot_that_touches_nothing_has_done_nothing(bench: Bench) -> None:
    bench.look(3)
    figures = bench.monitor.figures
    assert (figures.n_collisions, figures.n_drops, figures.max_contact_force_n) == (0, 0, 0.0)
    assert (figures.n_joint_limit_steps, figures.n_workspace_steps) == (0, 0)
    assert bench.monitor.touched == set()


def test_touching_what_no_goal_speaks_of_is_a_collision_once_a_touch(bench: Bench) -> None:
    away = bench.data.qpos.copy()
    bench.put("distractor", bench.at_hand())
    bench.look(4)
    assert bench.monitor.figures.n_collisions == 1
    assert bench.monitor.figures.max_contact_force_n > 1.0
    assert bench.monitor.touched == {"distractor"}
    bench.data.qpos[:] = away
    bench.look(APART_STEPS)
    bench.put("distractor", bench.at_hand())
    bench.look()
    assert bench.monitor.figures.n_collisions == 2


def test_touching_what_a_goal_speaks_of_is_none(bench: Bench) -> None:
    bench.put("object", bench.at_hand())
    bench.look(2)
    assert bench.monitor.touched == {"object"}
    assert bench.monitor.figures.n_collisions == 0


def test_another_goal_makes_other_collisions(bench: Bench) -> None:
    stages = task("place-on").stages
    bench.monitor.ask([stage.cast({"object": "distractor"}) for stage in stages])
    bench.put("object", bench.at_hand())
    bench.look()
    assert bench.monitor.figures.n_collisions == 1


@pytest.mark.parametrize(
    ("name", "fixture", "below", "collisions"),
    [
        ("press-button", "panel", 0.02, 0),
        ("turn-knob", "stove", 0.0, 0),
        ("open-drawer", "cabinet", 0.1, 1),
    ],
)
def test_the_housing_of_a_button_or_a_knob_may_be_touched(
    draw: Callable[..., EpisodeSpec], name: str, fixture: str, below: float, collisions: int
) -> None:
    bench = Bench(draw(name, 0).factors, name)
    bench.model.body_pos[bench.model.body(fixture).id] = bench.at_hand(below)
    bench.look()
    assert fixture in bench.monitor.touched
    assert bench.monitor.figures.n_collisions - others_touched(bench, fixture) == collisions


def others_touched(bench: Bench, fixture: str) -> int:
    """How many other things are touched of which no goal speaks."""
    return len(bench.monitor.touched - {fixture} - bench.monitor._spoken_of)


@pytest.mark.parametrize(("fall", "drops"), [(FALL + 0.01, 1), (FALL - 0.01, 0)])
def test_what_was_held_and_fell_is_a_drop(bench: Bench, fall: float, drops: int) -> None:
    grasp(bench)
    bench.look()
    held = bench.at_hand()
    beside = held + np.array([0.25, 0.0, 0.0])
    bench.put("object", beside)
    bench.look(2)  # out of the hand, in mid-air
    assert bench.monitor.figures.n_drops == 0
    below = bench.scene.objects["target"].shape.surface_height - 0.002
    bench.put("object", beside - [0.0, 0.0, fall])
    bench.put("target", beside - [0.0, 0.0, fall + below])
    bench.look()  # it has landed on something
    assert bench.monitor.figures.n_drops == drops
    bench.look(3)
    assert bench.monitor.figures.n_drops == drops


def test_what_was_never_held_by_both_fingers_is_not_dropped(bench: Bench) -> None:
    place = bench.data.xpos[bench.scene.objects["object"].body].copy()
    bench.put("object", place + np.array([0.0, 0.0, 0.2]))
    bench.look()
    bench.put("object", place)
    bench.look()
    assert bench.monitor.figures.n_drops == 0


def test_what_is_set_down_is_no_drop(bench: Bench) -> None:
    place = bench.data.xpos[bench.scene.objects["object"].body].copy()
    grasp(bench)
    bench.look()
    bench.put("object", place)  # on the table, and out of the hand, at the next look
    bench.look(2)
    assert bench.monitor.figures.n_drops == 0


def test_a_joint_at_its_limit_and_a_hand_out_of_bounds_are_counted_by_steps(bench: Bench) -> None:
    joint = bench.model.joint("robot0_joint4")
    bench.data.qpos[joint.qposadr[0]] = joint.range[0] + JOINT_MARGIN / 2
    bench.look(3)
    assert bench.monitor.figures.n_joint_limit_steps == 3
    before = bench.monitor.figures.n_workspace_steps
    bench.data.qpos[joint.qposadr[0]] = joint.range[0] + 3 * JOINT_MARGIN
    bench.data.qpos[bench.model.joint("robot0_joint1").qposadr[0]] = 2.0
    bench.look(2)
    assert bench.monitor.figures.n_joint_limit_steps == 3
    assert bench.monitor.figures.n_workspace_steps == before + 2


def test_bodies_of_fixtures_are_things(draw: Draw) -> None:
    bench = Bench(draw("open-drawer", 0).factors, "open-drawer")
    assert set(fixture_bodies(bench.scene)) == {"cabinet", "top drawer", "bottom drawer"}
    monitor = bench.monitor
    labels = monitor._labels
    owners = {monitor._things[label - 3] for label in labels if label >= 3}
    assert {"cabinet", "top drawer", "bottom drawer", "table", "room"} <= owners
    for geom in bench.scene.robot_geoms:
        assert labels[geom] < 3


@pytest.mark.parametrize("name", ["ur5e-robotiq85", "panda-robotiq85"])
def test_each_finger_of_any_gripper_has_geoms(draw: Draw, name: str) -> None:
    bench = Bench({**draw("place-on", 0).factors, "embodiment": name}, "place-on")
    fingers = {g for g, label in enumerate(bench.monitor._labels) if label in (1, 2)}
    assert fingers <= bench.scene.robot_geoms
    assert {bench.monitor._labels[g] for g in fingers} == {1, 2}
