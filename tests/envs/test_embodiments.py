from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
import pytest

from vlabench.envs.arm import ArmModel
from vlabench.envs.control import OscPoseController
from vlabench.envs.embodiments import (
    EMBODIMENTS,
    TABLE_HEIGHT,
    Embodiment,
    embodiment,
)
from vlabench.envs.robots import base_spec, robosuite_task
from vlabench.envs.thinning import SMALL_MESH
from vlabench.errors import UnknownNameError

WORKSPACE = [(-0.14, -0.25, 0.02), (-0.14, 0.25, 0.35), (0.13, -0.25, 0.35), (0.13, 0.25, 0.02)]
"""Corners that lie across from each other, in metres from the middle of the table's top."""

OPEN, CLOSE = -1.0, 1.0


@cache
def composed(robot: str) -> mujoco.MjSpec:
    """A robot at its table, to be copied: composing and compiling one takes seconds."""
    spec = base_spec(robot).spec
    spec.compile()
    return spec


@dataclass
class Robot:
    """An embodiment at its table, at home, perhaps with a block of 200 g to take."""

    kind: Embodiment
    model: mujoco.MjModel
    data: mujoco.MjData
    controller: OscPoseController
    arm: ArmModel

    @staticmethod
    def make(name: str, *, block: tuple[float, float, float] | None = None) -> Robot:
        """`block` is half its size along x, y and z."""
        kind, spec = embodiment(name), composed(name).copy()
        if block is not None:
            body = spec.worldbody.add_body(name="block", pos=[0.0, 0.0, TABLE_HEIGHT + block[2]])
            body.add_freejoint()
            body.add_geom(
                name="block",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=list(block),
                mass=0.2,
                condim=4,
                friction=[1.0, 0.01, 0.0001],
            )
        model = spec.compile()
        arm, data = ArmModel.find(model, kind), mujoco.MjData(model)
        for name, position in zip(kind.joints, kind.home, strict=True):
            data.joint(kind.prefix + name).qpos = position
        for name, position in zip(kind.finger_joints, kind.finger_home, strict=True):
            data.joint(kind.gripper_prefix + name).qpos = position
        mujoco.mj_forward(model, data)
        controller = OscPoseController(model, arm)
        controller.reset(data)
        return Robot(kind, model, data, controller, arm)

    @property
    def hand(self) -> np.ndarray:
        return self.data.site_xpos[self.arm.grip_site].copy()

    @property
    def rotation(self) -> np.ndarray:
        return self.data.site_xmat[self.arm.grip_site].reshape(3, 3).copy()

    def pad(self, index: int) -> np.ndarray:
        """The middle of a pad in the frame of the grip site."""
        name = self.kind.gripper_prefix + self.kind.gripper.pads[index]
        return self.rotation.T @ (self.data.geom(name).xpos - self.hand)

    def opening(self) -> float:
        return abs(float(self.pad(0)[0] - self.pad(1)[0])) - self.kind.gripper.pad_gap

    def go(self, goal: np.ndarray, grip: float, steps: int) -> None:
        """Straight to `goal`, the hand pointing down as the Panda's does without its tilt."""
        down = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
        for _ in range(steps):
            turn = down @ self.rotation.T
            axis = 0.5 * np.array(
                [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
            )
            move = np.clip((goal - self.hand) / 0.05, -1, 1)
            action = [*move, *np.clip(axis / 0.5, -0.3, 0.3), grip]
            self.controller.step(self.data, np.array(action, dtype=np.float32))

    def grip(self, command: float, steps: int) -> None:
        for _ in range(steps):
            action = np.array([0, 0, 0, 0, 0, 0, command], dtype=np.float32)
            self.controller.step(self.data, action)


@pytest.fixture(scope="module", params=EMBODIMENTS)
def robot(request: pytest.FixtureRequest) -> Robot:
    """At home; whoever moves it makes another."""
    return Robot.make(request.param)


@pytest.fixture
def moving(robot: Robot) -> Robot:
    """At home, to be moved."""
    data = mujoco.MjData(robot.model)
    data.qpos[:] = robot.data.qpos
    mujoco.mj_forward(robot.model, data)
    controller = OscPoseController(robot.model, robot.arm)
    controller.reset(data)
    return Robot(robot.kind, robot.model, data, controller, robot.arm)


# --- the arm ----------------------------------------------------------------------------------


def test_there_are_three_arms_and_two_grippers() -> None:
    kinds = EMBODIMENTS.values()
    pairs = {(kind.robot, kind.gripper.robosuite) for kind in kinds}
    assert {arm for arm, _ in pairs} == {"Panda", "UR5e", "Sawyer"}
    assert {gripper for _, gripper in pairs} == {"PandaGripper", "Robotiq85Gripper"}
    assert len(pairs) == len(kinds) == 6


def test_names_lead_to_parts_of_the_model(robot: Robot) -> None:
    kind, model = robot.kind, robot.model
    names = [model.joint(joint).name for joint in robot.arm.joints]
    assert names == [kind.prefix + joint for joint in kind.joints]
    assert len(kind.home) == len(kind.joints) in (6, 7)
    assert len(robot.arm.fingers) == 2
    assert model.body(kind.base_body).weldid[0] == 0
    assert model.body(kind.prefix + kind.wrist_camera.body)


def test_the_joints_of_the_gripper_are_all_there_are(robot: Robot) -> None:
    named = {robot.kind.gripper_prefix + name for name in robot.kind.finger_joints}
    there = {robot.model.joint(j).name for j in range(robot.model.njnt)}
    assert named == {name for name in there if name.startswith(robot.kind.gripper_prefix)}


def test_the_panda_starts_as_robosuites_does() -> None:
    from robosuite.models.robots import create_robot

    assert embodiment("panda").home == tuple(create_robot("Panda", idn=0).init_qpos)


def test_hands_start_where_the_pandas_does(robot: Robot) -> None:
    panda = Robot.make("panda")
    assert np.linalg.norm(robot.hand - panda.hand) < 0.02
    cosine = (np.trace(panda.rotation.T @ robot.rotation) - 1) / 2
    assert math.degrees(math.acos(min(1.0, cosine))) < 3.0


def test_home_is_inside_the_limits_of_the_joints(robot: Robot) -> None:
    for joint, home in zip(robot.arm.joints, robot.kind.home, strict=True):
        if robot.model.jnt_limited[joint]:
            low, high = robot.model.jnt_range[joint]
            assert low + 0.2 < home < high - 0.2


def test_nothing_touches_at_home(robot: Robot) -> None:
    assert robot.data.ncon == 0


def test_it_holds_its_pose(moving: Robot) -> None:
    moving.grip(0.0, 1)
    before = moving.hand
    moving.grip(OPEN, 30)
    assert np.linalg.norm(moving.hand - before) < 0.004


@pytest.mark.parametrize("place", WORKSPACE, ids=str)
def test_it_reaches_the_corners_of_the_workspace(moving: Robot, place: tuple[float, ...]) -> None:
    x, y, z = place
    goal = np.array([x, y, TABLE_HEIGHT + z])
    moving.go(goal, OPEN, 150)
    assert np.linalg.norm(moving.hand - goal) < 0.01
    assert moving.rotation[2, 2] < -math.cos(math.radians(3.0))


# --- the gripper ------------------------------------------------------------------------------


def test_the_grip_site_has_the_same_axes_for_every_gripper(robot: Robot) -> None:
    first, second = robot.pad(0), robot.pad(1)
    across = (first - second) / np.linalg.norm(first - second)
    assert abs(across[0]) == pytest.approx(1.0, abs=1e-6)  # x is the direction of closing
    middle = (first + second) / 2
    assert np.abs(middle[:2]).max() < 1e-3  # in the middle of the pads, and
    palm = robot.data.body(robot.kind.prefix + "right_hand").xpos
    along = robot.rotation.T @ (robot.hand - palm)
    assert along[2] > 0.09  # z away from the palm
    assert np.abs(along[:2]).max() < 1e-3


def test_it_opens_to_its_width_and_closes(moving: Robot) -> None:
    moving.grip(OPEN, 25)
    opened = moving.opening()
    assert opened == pytest.approx(moving.kind.max_opening, abs=3e-3)
    openings = [opened]
    for _ in range(25):
        moving.grip(CLOSE, 1)
        openings.append(moving.opening())
    assert max(np.diff(openings)) < 1e-3, "the opening must shrink as it closes"
    assert openings[-1] == pytest.approx(0.0, abs=2e-3)


def test_pads_stay_parallel(moving: Robot) -> None:
    for command in (OPEN, CLOSE):
        moving.grip(command, 20)
        for name in moving.kind.gripper.pads:
            pad = moving.data.geom(moving.kind.gripper_prefix + name).xmat.reshape(3, 3)
            along = np.abs(moving.rotation.T @ pad)[:, 2]
            assert along[2] > math.cos(math.radians(2.0))


def test_fingertips_and_palm_are_where_they_are_said_to_be(moving: Robot) -> None:
    reach, palm = [], []
    for command in (OPEN, 0.0, CLOSE):
        moving.grip(command, 12)
        solid = list(_solid_corners(moving))
        reach.append(max(float(corners[:, 2].max()) for corners in solid))
        palm += [-corners[:, 2].max() for corners in solid if corners[:, 2].max() < -0.015]
    assert max(reach) == pytest.approx(moving.kind.gripper.fingertip_reach, abs=1.5e-3)
    assert min(palm) == pytest.approx(moving.kind.gripper.palm_clearance, abs=2e-3)


def _solid_corners(robot: Robot) -> Iterator[np.ndarray]:
    """Corners of the gripper's collision geoms in the frame of the grip site, ``(n, 3)``."""
    model, data = robot.model, robot.data
    for geom in range(model.ngeom):
        name = model.geom(geom).name
        solid = model.geom_contype[geom] or model.geom_conaffinity[geom]
        if not name.startswith(robot.kind.gripper_prefix) or not solid:
            continue
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
            mesh = model.geom_dataid[geom]
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            corners = model.mesh_vert[first : first + count]
        else:
            signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
            corners = signs * model.geom_size[geom]
        world = corners @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        yield (world - robot.hand) @ robot.rotation


@pytest.mark.parametrize("width", [0.006, 0.03, 0.06])
@pytest.mark.parametrize("name", ["panda", "panda-robotiq85", "ur5e-robotiq85", "sawyer-panda"])
def test_what_it_has_gripped_does_not_slip(name: str, width: float) -> None:
    robot = Robot.make(name, block=(0.02, width / 2, 0.035))
    robot.go(over_the_table(0.0, 0.15), OPEN, 30)
    robot.go(over_the_table(0.0, 0.045), OPEN, 30)
    robot.grip(CLOSE, 12)
    robot.go(over_the_table(0.0, 0.2), CLOSE, 25)

    def held() -> np.ndarray:
        place: np.ndarray = robot.rotation.T @ (robot.data.body("block").xpos - robot.hand)
        return place

    start = held()
    assert robot.data.body("block").xpos[2] > TABLE_HEIGHT + 0.1
    assert robot.opening() == pytest.approx(width, abs=2e-3)
    robot.go(over_the_table(0.15, 0.2), CLOSE, 20)
    robot.go(over_the_table(-0.15, 0.2), CLOSE, 20)
    assert np.abs(held() - start).max() < 2e-3


def over_the_table(y: float, z: float) -> np.ndarray:
    return np.array([0.0, y, TABLE_HEIGHT + z])


# --- what is seen -----------------------------------------------------------------------------


def test_only_meshes_that_are_seen_are_thinned(robot: Robot) -> None:
    whole = mujoco.MjSpec.from_string(robosuite_task(robot.kind).get_xml())
    whole.njmax, whole.nconmax = -1, -1
    own = whole.compile()
    solid = {
        own.geom_dataid[g]
        for g in range(own.ngeom)
        if own.geom_contype[g] and own.geom_dataid[g] >= 0
    }
    thinned = 0
    for mesh in range(own.nmesh):
        ours = robot.model.mesh(own.mesh(mesh).name)
        before, after = int(own.mesh_facenum[mesh]), int(robot.model.mesh_facenum[ours.id])
        if mesh in solid or before < SMALL_MESH:
            assert after == before
        elif after < before:
            thinned += 1
    assert thinned > 5
    assert robot.model.nmeshface < 0.35 * own.nmeshface


def test_a_robot_is_composed_the_same_every_time() -> None:
    models = [base_spec("sawyer-robotiq85").spec.compile() for _ in range(2)]
    buffers = [np.empty(mujoco.mj_sizeModel(model), np.uint8) for model in models]
    for model, buffer in zip(models, buffers, strict=True):
        mujoco.mj_saveModel(model, None, buffer)
    assert buffers[0].tobytes() == buffers[1].tobytes()


def test_an_unknown_embodiment_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="ur5e-robotiq85"):
        embodiment("ur5-robotiq85")
