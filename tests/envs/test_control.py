from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vlabench.envs import torques
from vlabench.envs.arm import ArmModel
from vlabench.envs.control import (
    CONTROLLERS,
    Controller,
    OscPoseController,
    action_size,
    controller,
)
from vlabench.envs.embodiments import GRIPPER_CLOSED_M, Embodiment, embodiment
from vlabench.envs.robots import base_spec
from vlabench.errors import UnknownNameError, UsageError
from vlabench.hashing import bytes_hash

HOLD = np.zeros(7, dtype=np.float32)
STATE = mujoco.mjtState.mjSTATE_INTEGRATION


@cache
def composed(robot: str) -> mujoco.MjSpec:
    """A robot at its table, to be copied: composing and compiling one takes seconds."""
    spec = base_spec(robot).spec
    spec.compile()
    return spec


def model_of(robot: str) -> mujoco.MjModel:
    """A model of its own."""
    return composed(robot).copy().compile()


class Arm:
    """The world's own Panda at its table, with a controller."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model, self.arm = model, ArmModel.find(model, embodiment("panda"))
        self.data = mujoco.MjData(model)
        self.data.qpos[model.jnt_qposadr[list(self.arm.joints)]] = embodiment("panda").home
        mujoco.mj_forward(model, self.data)
        self.controller = OscPoseController(model, self.arm)
        self.controller.reset(self.data)

    @property
    def hand(self) -> np.ndarray:
        return self.data.site_xpos[self.arm.grip_site].copy()

    @property
    def hand_rotation(self) -> Rotation:
        return Rotation.from_matrix(self.data.site_xmat[self.arm.grip_site].reshape(3, 3))

    def act(self, *action: float) -> None:
        self.controller.step(self.data, np.array(action, dtype=np.float32))

    def run(self, seed: int, steps: int = 6) -> str:
        """Hash of where random actions lead."""
        for action in random_actions(seed, steps):
            self.controller.step(self.data, action)
        return self.state_hash()

    def state_hash(self) -> str:
        state = np.empty(mujoco.mj_stateSize(self.model, STATE))
        mujoco.mj_getState(self.model, self.data, state, STATE)
        return bytes_hash(state.tobytes() + self.controller.hidden_state.tobytes())


def random_actions(seed: int, steps: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.2, 1.2, (steps, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    spec = composed("panda").copy()
    spec.body("gripper0_right_eef").add_camera(name="wrist")
    return spec.compile()


@pytest.fixture
def arm(model: mujoco.MjModel) -> Arm:
    return Arm(model)


@pytest.fixture
def foreign() -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Another user's model, whose one joint turns when its motor is told to."""
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><joint name='hinge'/><geom size='.1'/></body></worldbody>"
        "<actuator><motor joint='hinge'/></actuator></mujoco>"
    )
    return model, mujoco.MjData(model)


# --- against robosuite ------------------------------------------------------------------------

PARTS = {
    "osc_pose": "OSC_POSE",
    "joint_position": "JOINT_POSITION",
    "joint_velocity": "JOINT_VELOCITY",
}
"""Our names of controllers to robosuite's."""

REFERENCES = [
    ("osc_pose", "panda"),
    ("osc_pose", "ur5e-panda"),
    ("osc_pose", "sawyer-panda"),
    ("joint_position", "panda"),
    ("joint_position", "ur5e-panda"),
    ("joint_velocity", "panda"),
    ("joint_velocity", "ur5e-panda"),
]


class Reference:
    """robosuite's Lift with its own controller; it notes `ctrl` in every physics step."""

    def __init__(self, name: str, kind: Embodiment) -> None:
        logging.getLogger("robosuite_logs").setLevel(logging.ERROR)
        import robosuite
        from robosuite.controllers import (
            load_composite_controller_config,
            load_part_controller_config,
        )

        config = load_composite_controller_config(controller=None, robot=kind.robot)
        part = load_part_controller_config(default_controller=PARTS[name])
        if name == "osc_pose":
            part = {**part, "input_ref_frame": "base"}
        config["body_parts"]["right"] = {**part, "gripper": {"type": "GRIP"}}
        self.env = robosuite.make(
            "Lift",
            robots=kind.robot,
            gripper_types=kind.gripper.robosuite,
            controller_configs=config,
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            horizon=10**6,
            seed=0,
        )
        self.env.reset()
        # robosuite's first physics step after a reset uses the inertia of before the reset
        self.env.step(np.zeros(self.env.action_dim))
        self.name, self.kind = name, kind
        self.model, self.data = self.env.sim.model._model, self.env.sim.data._data
        self.robot = self.env.robots[0]
        self.part = self.robot.part_controllers["right"]
        ranges = self.model.actuator_ctrlrange[-2:].tolist()
        closed = tuple(
            low if opened == high else high
            for opened, (low, high) in zip(kind.gripper.opened, ranges, strict=True)
        )
        robosuites = replace(kind, gripper=replace(kind.gripper, closed=closed))
        self.arm = ArmModel.find(self.model, robosuites)
        self.joints = len(self.arm.joints)
        self.home = np.array(kind.home)
        # robosuite's 5000 contacts make data of 1.3 GB
        self.own = mujoco.MjData(self.model)

    def step(self, action: np.ndarray) -> list[np.ndarray]:
        noted = []
        advance = self.env.sim.step2

        def advance_and_note() -> None:
            noted.append(self.data.ctrl.copy())
            advance()

        self.env.sim.step2 = advance_and_note
        try:
            self.env.step(action)
        finally:
            self.env.sim.step2 = advance
        return noted

    def place(self, joints: np.ndarray, velocities: np.ndarray) -> None:
        n = self.joints
        fingers = len(self.kind.gripper.home)
        self.data.qpos[:n], self.data.qvel[:n] = joints, velocities
        self.data.qpos[n : n + fingers], self.data.qvel[n:] = self.kind.gripper.home, 0
        self.data.qacc_warmstart[:] = 0
        mujoco.mj_forward(self.model, self.data)

    def state(self) -> np.ndarray:
        state = np.empty(mujoco.mj_stateSize(self.model, STATE))
        mujoco.mj_getState(self.model, self.data, state, STATE)
        return state

    def controller(self, physics_steps: int = 25) -> Controller:
        """Ours on robosuite's model, with what robosuite's remembers."""
        ours = CONTROLLERS[self.name](self.model, self.arm, physics_steps=physics_steps)
        closedness = self.robot.gripper["right"].current_action[-1]
        ours.hidden_state = np.array([closedness, *self.memory()])
        return ours

    def memory(self) -> list[float]:
        if self.name == "joint_position":
            return []
        if self.name == "osc_pose":
            return list(self.part.initial_joint)
        ring = self.part.derr_buf
        seen = ring._size if ring._size < ring.length else ring.length + (ring.ptr + 1)
        errors = (self.part.last_err, self.part.summed_err, ring.buf.ravel())
        return [*np.concatenate(errors), seen, float(self.part.saturated)]

    def random_action(self, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1.2, 1.2, self.env.action_dim).astype(np.float32)


@pytest.fixture(scope="module", params=REFERENCES, ids="/".join)
def reference(request: pytest.FixtureRequest) -> Iterator[Reference]:
    with pytest.MonkeyPatch.context() as patch:
        mend_robosuite(patch)
        reference = Reference(request.param[0], embodiment(request.param[1]))
        yield reference
        reference.env.close()


def mend_robosuite(patch: pytest.MonkeyPatch) -> None:
    """Keeps robosuite 1.5.2 from stumbling, without another number coming out.

    Its JOINT_VELOCITY cannot be made: it assigns a truth value to the property that gives the
    compensating torques, and later asks for the truth of their array.
    """
    from robosuite.controllers.parts.generic import JointVelocityController

    class Torques(np.ndarray):
        def __bool__(self) -> bool:
            return bool(self.item()) if self.size == 1 else True

    def compensation(self: Any) -> np.ndarray:
        torques: np.ndarray = self.sim.data.qfrc_bias[self.qvel_index].view(Torques)
        return torques

    mended = property(compensation, lambda self, value: None)
    patch.setattr(JointVelocityController, "torque_compensation", mended)


@pytest.fixture
def float64_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    """robosuite rounds the rotation of a goal to float32; this is the same without rounding."""
    import robosuite.utils.transform_utils as transforms

    monkeypatch.setattr(transforms, "quat2mat", lambda xyzw: Rotation.from_quat(xyzw).as_matrix())


@pytest.mark.usefixtures("float64_rotations")
def test_every_torque_is_robosuites(reference: Reference) -> None:
    rng, n = np.random.default_rng(1), reference.joints
    worst = 0.0
    for _ in range(12):
        reference.place(reference.home + rng.uniform(-0.3, 0.3, n), rng.normal(0, 0.5, n))
        state, ours = reference.state(), [reference.controller(n + 1) for n in range(25)]
        action = reference.random_action(rng)
        theirs = reference.step(action)
        for one, ctrl in zip(ours, theirs, strict=True):
            mujoco.mj_setState(reference.model, reference.own, state, STATE)
            one.step(reference.own, action)
            difference = np.abs(reference.own.ctrl - ctrl)[:n].max()
            worst = max(worst, difference / np.abs(ctrl[:n]).max())
            assert reference.own.ctrl[n:].tolist() == ctrl[n:].tolist()
    assert worst < 1e-9


def test_an_episode_is_robosuites_but_for_its_float32_rotations(reference: Reference) -> None:
    reference.place(reference.home, np.zeros(reference.joints))
    ours, rng = reference.controller(), np.random.default_rng(2)
    mujoco.mj_setState(reference.model, reference.own, reference.state(), STATE)
    for _ in range(15):
        action = reference.random_action(rng)
        ctrl = reference.step(action)[-1]
        ours.step(reference.own, action)
        assert reference.own.ctrl == pytest.approx(ctrl, abs=1e-3)
        assert reference.own.qpos == pytest.approx(reference.data.qpos, abs=1e-6)


def test_what_is_remembered_is_robosuites(reference: Reference) -> None:
    reference.place(reference.home, np.zeros(reference.joints))
    ours, rng = reference.controller(), np.random.default_rng(3)
    mujoco.mj_setState(reference.model, reference.own, reference.state(), STATE)
    for _ in range(3):
        action = reference.random_action(rng)
        reference.step(action)
        ours.step(reference.own, action)
    theirs = reference.controller().hidden_state
    assert len(theirs) == 1 + len(reference.memory())
    # the count of changes matters up to whole turns of the ring
    difference = ours.hidden_state - theirs
    if reference.name == "joint_velocity":
        difference[-2] %= torques.CHANGES
    assert difference == pytest.approx(np.zeros(len(theirs)), abs=1e-5)


def test_the_gripper_moves_as_robosuites(reference: Reference) -> None:
    reference.place(reference.home, np.zeros(reference.joints))
    ours, n = reference.controller(), reference.joints
    mujoco.mj_setState(reference.model, reference.own, reference.state(), STATE)
    action = np.zeros(reference.env.action_dim, dtype=np.float32)
    for grip in [1, 1, 0, -1, 0.3, *[1] * 12, -0.1, 0, *[-1] * 12]:
        action[-1] = grip
        ctrl = reference.step(action)[-1]
        ours.step(reference.own, action)
        assert reference.own.ctrl[n:].tolist() == ctrl[n:].tolist()


@pytest.mark.parametrize("robot", ["panda", "panda-robotiq85"])
def test_a_grippers_command_is_robosuites(robot: str) -> None:
    from robosuite.models.grippers import gripper_factory

    kind = embodiment(robot)
    model = model_of(robot)
    arm, data = ArmModel.find(model, kind), mujoco.MjData(model)
    ours = OscPoseController(model, arm, physics_steps=1)
    theirs = gripper_factory(kind.gripper.robosuite)
    ranges = model.actuator_ctrlrange[list(arm.fingers)]
    middle, half = ranges.mean(axis=1), (ranges[:, 1] - ranges[:, 0]) / 2
    for grip in [1, 1, 0, -1, 0.3, *[1] * 12, -0.1, 0, *[-1] * 12]:
        ours.step(data, np.array([0, 0, 0, 0, 0, 0, grip], dtype=np.float32))
        # scaled as robosuite's GRIP controller does, to the range that we give the fingers
        expected = middle + half * theirs.format_action(np.array([grip]))
        assert data.ctrl[list(arm.fingers)] == pytest.approx(expected, abs=1e-12)


def test_what_an_action_means_is_robosuites(reference: Reference) -> None:
    scale = reference.controller().scale(reference.joints)
    assert scale.tolist() == reference.part.output_max.tolist()
    assert (-scale).tolist() == reference.part.output_min.tolist()


# --- the algebra ------------------------------------------------------------------------------


def solve(matrix: np.ndarray, right: np.ndarray, first: int = 0) -> np.ndarray:
    result = np.zeros(len(matrix))
    torques.solve_symmetric(matrix, first, len(matrix), right, np.empty((7, 7)), result)
    return result[first:]


def test_regular_systems_are_solved() -> None:
    rng = np.random.default_rng(3)
    for n in (3, 6):
        half, right = rng.normal(size=(n, n + 1)), rng.normal(size=n)
        matrix = half @ half.T
        assert solve(matrix, right) == pytest.approx(np.linalg.solve(matrix, right), rel=1e-9)


def test_a_part_of_a_matrix_is_solved_alone() -> None:
    rng = np.random.default_rng(4)
    half, right = rng.normal(size=(6, 7)), rng.normal(size=6)
    matrix = half @ half.T
    expected = np.linalg.solve(matrix[3:, 3:], right[3:])
    assert solve(matrix, right, first=3) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", range(6))
def test_singular_systems_are_solved_as_robosuites_pinv_does(rank: int) -> None:
    rng = np.random.default_rng(5)
    half = np.zeros((6, 6))
    half[rng.permutation(6)[:rank]] = rng.normal(size=(rank, 6))
    matrix, right = half @ half.T, rng.normal(size=6)
    expected = np.linalg.pinv(matrix, rcond=torques.SINGULAR, hermitian=True) @ right
    assert solve(matrix, right) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_directions_that_depend_on_each_other_get_the_least_squares_answer() -> None:
    matrix = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 5.0]])
    assert solve(matrix, np.array([4.0, 4.0, 5.0])) == pytest.approx([1.0, 1.0, 1.0])
    assert solve(matrix, np.array([4.0, -4.0, 0.0])) == pytest.approx([0.0, 0.0, 0.0])


def test_rotations_are_exact() -> None:
    rng = np.random.default_rng(6)
    out = np.empty((3, 3))
    for vector in [
        *rng.uniform(-0.5, 0.5, (50, 3)),
        np.zeros(3),
        np.full(3, 0.5),
        np.full(3, 1e-9),
    ]:
        torques.rotation_from_axis_angle(*vector, out)
        assert out == pytest.approx(Rotation.from_rotvec(vector).as_matrix(), abs=4e-16)


def test_a_singular_pose_gives_finite_torques(arm: Arm) -> None:
    arm.data.qpos[:7] = 0
    arm.act(0, 0, 1, 0, 0, 0, 0)
    assert np.isfinite(arm.data.ctrl).all()
    assert not any(warning.number for warning in arm.data.warning)


# --- what it does -----------------------------------------------------------------------------


def test_it_holds_a_pose(arm: Arm) -> None:
    before = arm.hand
    for _ in range(20):
        arm.controller.step(arm.data, HOLD)
    assert arm.hand == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("axis", range(3))
def test_it_tracks_a_move_of_5_cm(arm: Arm, axis: int) -> None:
    goal = arm.hand - 0.05 * np.eye(3)[axis]
    for _ in range(20):
        arm.act(*((goal - arm.hand) / 0.05), 0, 0, 0, 0)
    assert np.linalg.norm(goal - arm.hand) < 1e-3


@pytest.mark.parametrize("axis", range(3))
def test_it_tracks_a_turn_about_an_axis_of_the_base(arm: Arm, axis: int) -> None:
    goal, place = Rotation.from_rotvec(0.2 * np.eye(3)[axis]) * arm.hand_rotation, arm.hand
    # position and orientation are uncoupled: a roll swings through before it settles
    for _ in range(60):
        turn = (goal * arm.hand_rotation.inv()).as_rotvec()
        arm.act(*((place - arm.hand) / 0.05), *(turn / 0.5), 0)
    assert (goal * arm.hand_rotation.inv()).magnitude() < 0.01


def test_a_closed_gripper_presses_with_its_full_force(arm: Arm) -> None:
    fingers = list(arm.arm.fingers)
    for _ in range(15):
        arm.act(0, 0, 0, 0, 0, 0, 1)
    assert arm.data.ctrl[fingers] == pytest.approx([GRIPPER_CLOSED_M, -GRIPPER_CLOSED_M])
    assert np.abs(arm.data.actuator_force[fingers]) == pytest.approx([20, 20], abs=0.5)


def test_an_open_gripper_opens_to_its_limit(arm: Arm) -> None:
    for _ in range(40):
        arm.act(0, 0, 0, 0, 0, 0, -1)
    assert arm.data.ctrl[list(arm.arm.fingers)] == pytest.approx([0.04, -0.04])
    assert np.abs(arm.data.joint("gripper0_right_finger_joint1").qpos) == pytest.approx(
        0.04, abs=2e-3
    )


def test_poses_are_those_of_the_positions_after_a_step(arm: Arm) -> None:
    arm.run(seed=7)
    names = ("xpos", "site_xpos", "site_xmat", "geom_xpos", "cam_xpos", "subtree_com", "cdof")
    after = {name: getattr(arm.data, name).tobytes() for name in names}
    mujoco.mj_forward(arm.model, arm.data)
    assert after == {name: getattr(arm.data, name).tobytes() for name in names}


def test_the_next_step_does_not_depend_on_who_looked(model: mujoco.MjModel) -> None:
    looked, left_alone = Arm(model), Arm(model)
    for action in random_actions(8, 5):
        looked.controller.step(looked.data, action)
        mujoco.mj_kinematics(model, looked.data)
        left_alone.controller.step(left_alone.data, action)
    assert looked.state_hash() == left_alone.state_hash()


def test_hidden_state_and_data_are_all_there_is(arm: Arm) -> None:
    arm.run(seed=9)
    copy = Arm(arm.model)
    mujoco.mj_copyData(copy.data, arm.model, arm.data)
    copy.controller.hidden_state = arm.controller.hidden_state
    assert copy.run(seed=10) == arm.run(seed=10)


def test_reset_forgets_the_episode(arm: Arm) -> None:
    first = arm.run(seed=11)
    mujoco.mj_resetData(arm.model, arm.data)
    arm.data.qpos[:7] = embodiment("panda").home
    mujoco.mj_forward(arm.model, arm.data)
    arm.controller.reset(arm.data)
    assert arm.run(seed=11) == first


# --- one callback, many users -----------------------------------------------------------------


def test_interleaved_controllers_do_not_meet(model: mujoco.MjModel) -> None:
    alone = [Arm(model).run(seed) for seed in (12, 13)]
    arms = [Arm(model), Arm(model_of("panda"))]
    for first, second in zip(random_actions(12, 6), random_actions(13, 6), strict=True):
        arms[0].controller.step(arms[0].data, first)
        arms[1].controller.step(arms[1].data, second)
    assert [arm.state_hash() for arm in arms] == alone


def test_one_controller_serves_several_data_of_its_model(model: mujoco.MjModel) -> None:
    one, other = Arm(model), Arm(model)
    before = other.data.qpos.tobytes()
    for action in random_actions(14, 6):
        state = one.controller.hidden_state
        one.controller.step(one.data, action)
        one.controller.hidden_state = state
        one.controller.step(other.data, action)
    assert one.data.qpos.tobytes() == other.data.qpos.tobytes()
    assert one.data.qpos.tobytes() != before


def test_another_users_callback_is_put_back(
    arm: Arm, foreign: tuple[mujoco.MjModel, mujoco.MjData]
) -> None:
    model, data = foreign
    seen = []

    def theirs(_: mujoco.MjModel, data: mujoco.MjData) -> None:
        seen.append(data.time)
        data.ctrl[0] = 1.0

    alone = Arm(arm.model).run(seed=15)
    mujoco.set_mjcb_control(theirs)
    try:
        assert arm.run(seed=15) == alone
        assert seen == []
        assert mujoco.get_mjcb_control() is theirs
        mujoco.mj_step(model, data)
    finally:
        mujoco.set_mjcb_control(None)
    assert len(seen) == 1
    assert data.qvel[0] > 0


def test_a_foreign_step_between_ours_is_left_alone(
    arm: Arm, foreign: tuple[mujoco.MjModel, mujoco.MjData]
) -> None:
    model, data = foreign
    arm.run(seed=16)
    assert mujoco.get_mjcb_control() is None
    data.ctrl[0] = 0.5
    mujoco.mj_step(model, data)
    assert data.ctrl[0] == 0.5
    assert data.qfrc_actuator[0] == 0.5


def test_threads_do_not_meet(
    model: mujoco.MjModel, foreign: tuple[mujoco.MjModel, mujoco.MjData]
) -> None:
    seeds, steps = (17, 18), 12
    alone = {seed: Arm(model).run(seed, steps) for seed in seeds}
    lonely = mujoco.MjData(foreign[0])
    lonely.ctrl[0] = foreign[1].ctrl[0] = 0.1
    mujoco.mj_step(foreign[0], lonely, 2000)
    arms, together = {seed: Arm(model) for seed in seeds}, {}
    start = threading.Barrier(3)

    def ours(seed: int) -> None:
        start.wait()
        together[seed] = arms[seed].run(seed, steps)

    def theirs() -> None:
        start.wait()
        for _ in range(2000):
            mujoco.mj_step(*foreign)

    run_threads([lambda: ours(17), lambda: ours(18), theirs])
    assert together == alone
    assert foreign[1].qpos.tolist() == lonely.qpos.tolist()
    assert mujoco.get_mjcb_control() is None


def run_threads(functions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_another_process_loads_the_compiled_callback_and_gives_the_same_bits(
    model: mujoco.MjModel, tmp_path: Path
) -> None:
    path = tmp_path / "model.mjb"
    mujoco.mj_saveModel(model, str(path), None)
    actions, arm = random_actions(19, 4), Arm(model)
    for action in actions:
        arm.controller.step(arm.data, action)
    np.savez(tmp_path / "run.npz", actions=actions, home=embodiment("panda").home)
    script = """
import sys
import mujoco, numpy as np
from vlabench.envs import torques
from vlabench.envs.arm import ArmModel
from vlabench.envs.control import OscPoseController
from vlabench.envs.embodiments import embodiment
model = mujoco.MjModel.from_binary_path(sys.argv[1])
run = np.load(sys.argv[2])
data = mujoco.MjData(model)
data.qpos[:7] = run["home"]
mujoco.mj_forward(model, data)
controller = OscPoseController(model, ArmModel.find(model, embodiment("panda")))
controller.reset(data)
for action in run["actions"]:
    controller.step(data, action)
print(torques.callback().cache_hits, data.qpos.tobytes().hex())
"""
    answer = subprocess.run(
        [sys.executable, "-c", script, path, tmp_path / "run.npz"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["1", arm.data.qpos.tobytes().hex()]


# --- the table of controllers -----------------------------------------------------------------


@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("robot", ["panda", "ur5e-robotiq85"])
def test_controllers_are_made_by_name(name: str, robot: str) -> None:
    kind = embodiment(robot)
    model = model_of(robot)
    made = controller(name, model, ArmModel.find(model, kind))
    assert made.dimension == action_size(name, kind)
    assert made.dimension == (7 if name == "osc_pose" else len(kind.joints) + 1)
    data = mujoco.MjData(model)
    data.qpos[: len(kind.joints)] = kind.home
    mujoco.mj_forward(model, data)
    made.reset(data)
    rng = np.random.default_rng(20)
    for _ in range(3):
        action = rng.uniform(-1, 1, made.dimension).astype(np.float32)
        action[-1] = 1.0
        made.step(data, action)
    # everything is there: a copy goes on alike, and a reset forgets
    copy, other = mujoco.MjData(model), controller(name, model, ArmModel.find(model, kind))
    mujoco.mj_copyData(copy, model, data)
    other.hidden_state = made.hidden_state
    made.step(data, action)
    other.step(copy, action)
    assert data.qpos.tobytes() == copy.qpos.tobytes()
    made.reset(data)
    assert made.hidden_state[0] == 0
    assert not np.array_equal(made.hidden_state, other.hidden_state)


def test_an_unknown_controller_is_refused(model: mujoco.MjModel) -> None:
    with pytest.raises(UnknownNameError, match="joint_position"):
        controller("joint_positoin", model, ArmModel.find(model, embodiment("panda")))


@pytest.mark.parametrize("joint", range(6))
def test_joint_positions_are_tracked(joint: int) -> None:
    kind = embodiment("ur5e-panda")
    model = model_of(kind.name)
    data = mujoco.MjData(model)
    data.qpos[:6] = kind.home
    mujoco.mj_forward(model, data)
    goal = np.array(kind.home) + 0.2 * np.eye(6)[joint]
    made = controller("joint_position", model, ArmModel.find(model, kind))
    made.reset(data)
    for _ in range(60):
        action = np.array([*(goal - data.qpos[:6]) / 0.05, -1.0], dtype=np.float32)
        made.step(data, action)
    assert data.qpos[:6] == pytest.approx(goal, abs=2e-3)


def test_joint_velocities_are_tracked(model: mujoco.MjModel) -> None:
    kind = embodiment("panda")
    data = mujoco.MjData(model)
    data.qpos[:7] = kind.home
    mujoco.mj_forward(model, data)
    made = controller("joint_velocity", model, ArmModel.find(model, kind))
    made.reset(data)
    for _ in range(8):
        made.step(data, np.array([0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0], dtype=np.float32))
    assert data.qvel[:7] == pytest.approx([0.25, 0, 0.25, 0, 0.25, 0, 0.25], abs=0.01)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("action", [np.zeros(6), np.full(7, np.nan), np.zeros((1, 7))])
def test_actions_that_are_none_are_refused(arm: Arm, action: np.ndarray) -> None:
    with pytest.raises(UsageError, match="7 finite numbers"):
        arm.controller.step(arm.data, action.astype(np.float32))


def test_actions_are_clipped(model: mujoco.MjModel) -> None:
    within, beyond = Arm(model), Arm(model)
    within.act(1, -1, 1, -1, 1, -1, 1)
    beyond.act(3, -2, 9, -7, 1.5, -1, 4)
    assert beyond.state_hash() == within.state_hash()


def test_data_of_another_model_is_refused(arm: Arm) -> None:
    other = model_of("panda")
    with pytest.raises(UsageError, match="another model"):
        arm.controller.step(mujoco.MjData(other), HOLD)


def test_a_model_without_the_arm_is_refused(
    model: mujoco.MjModel, foreign: tuple[mujoco.MjModel, mujoco.MjData]
) -> None:
    with pytest.raises(UsageError, match="no site 'gripper0_right_grip_site'"):
        ArmModel.find(foreign[0], embodiment("panda"))
    with pytest.raises(UsageError, match="no site 'robot1_right_center'"):
        ArmModel.find(model, replace(embodiment("panda"), prefix="robot1_"))


def arm_xml(
    *, base: str = "", joints: str = "<joint name='a'/>", motor: str = "<motor joint='a'/>"
) -> str:
    return (
        f"<mujoco><worldbody><body>{base}<geom size='.1'/><site name='robot0_right_center'/>"
        f"<body>{joints}<geom size='.1'/><site name='gripper0_right_grip_site'/></body></body>"
        f"</worldbody><actuator>{motor}</actuator></mujoco>"
    )


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (arm_xml(joints="<joint name='a' type='slide'/>"), "no hinges"),
        (arm_xml(base="<joint/>"), "base of the arm 'robot0_' moves"),
        (arm_xml(base="<joint/>" * 4, joints="<joint/>" * 4, motor=""), "has 8 joints"),
        (arm_xml(motor=""), "'a' has no motor"),
    ],
)
def test_arms_that_it_cannot_move_are_refused(xml: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ArmModel.find(mujoco.MjModel.from_xml_string(xml), embodiment("panda"))
