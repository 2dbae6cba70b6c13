"""Moves the arm: robosuite's controllers and its gripper, inside one call of MuJoCo.

`CONTROLLERS` lists them. `Controller.step` runs a whole control step (25 physics steps of 2 ms) in
a single ``mj_step(model, data, 25)``: the torques come from a compiled control callback
(`vlabench.envs.torques`), not from Python. The callback is global to the process, so it is
installed around our own step alone, under a lock, and what was installed before is put back. So is
the handler of warnings, which MuJoCo would otherwise write into the working directory.
"""

from __future__ import annotations

import abc
import math
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs import torques
from vlabench.envs.arm import ArmModel, addresses, mass_indices
from vlabench.envs.embodiments import Embodiment
from vlabench.errors import UnknownNameError, UsageError
from vlabench.types import Floats

MAX_TRANSLATION_M = 0.05
"""Metres that an action of 1 moves the goal along an axis of the robot's base."""

MAX_ROTATION_RAD = 0.5
"""Radians that an action of 1 turns the goal about an axis of the robot's base."""

MAX_JOINT_TURN_RAD = 0.05
"""Radians that an action of 1 moves the goal of a joint."""

MAX_JOINT_SPEED = 0.5
"""Radians a second with which an action of 1 turns a joint."""

GRIPPER_SPEED = 0.2
"""How much of its way from half open to open or closed the finger target goes in a control step."""

_lock = threading.Lock()


class Controller(abc.ABC):
    """Executes actions: what it tells the arm, and last how to move the gripper, in [-1, 1].

    The gripper opens at -1 and closes at +1. Everything a controller remembers between steps is in
    `hidden_state`.

    Any number of controllers, on any threads, can live in one process; their steps take turns.
    While one of them steps, a control callback that somebody else has installed does not run, on
    whatever thread.

    Args:
        model: The compiled model.
        arm: Where the arm is in it.
        physics_steps: Physics steps of one control step.
    """

    _LAW: ClassVar[int]
    _REMEMBERED: ClassVar[tuple[str, ...]] = ()
    """Fields of the record that outlive a step; their last axis is the joints."""

    def __init__(self, model: mujoco.MjModel, arm: ArmModel, *, physics_steps: int = 25) -> None:
        self._model, self._arm, self._physics_steps = model, arm, physics_steps
        self._qpos = model.jnt_qposadr[list(arm.joints)]
        self._data: mujoco.MjData | None = None
        self._closedness = 0.0
        # an array, because the callback keeps its address
        self._records = np.zeros(1, torques.RECORD)
        record = self._records[0]
        record["law"], record["joints"] = self._LAW, len(arm.joints)
        limits = model.actuator_ctrlrange[list(arm.actuators)]
        record["torque_low"][: len(limits)], record["torque_high"][: len(limits)] = limits.T
        self._scale = self.scale(len(arm.joints))
        record["scale"][: len(self._scale)] = self._scale
        # views, because they are written in every step
        self._action = record["action"][: len(self._scale)]
        self._is_new = self._records["action_is_new"]
        self._shape = (self.dimension,)
        self._fingers = [
            (finger, 0.5 * (opened + closed), 0.5 * (opened - closed))
            for finger, opened, closed in zip(arm.fingers, arm.opened, arm.closed, strict=True)
        ]
        self._callback, self._address = torques.callback().ctypes, self._records.ctypes.data

    @classmethod
    @abc.abstractmethod
    def scale(cls, joints: int) -> Floats:
        """What 1 means in each number of an action but the last, for an arm of `joints` joints."""

    @property
    def dimension(self) -> int:
        """How many numbers an action has."""
        return len(self._scale) + 1

    @property
    def hidden_state(self) -> Floats:
        """What `step` depends on besides the model, the data and the action.

        How closed the finger target is (-1 to 1), and then what the controller remembers.
        """
        return np.concatenate([[self._closedness], *(part.ravel() for part in self._memory())])

    @hidden_state.setter
    def hidden_state(self, state: Floats) -> None:
        self._closedness, first = float(state[0]), 1
        for part in self._memory():
            part[...] = state[first : first + part.size].reshape(part.shape)
            first += part.size

    def reset(self, data: mujoco.MjData) -> None:
        """Begins an episode: nothing is remembered, the fingers' target is half way.

        The goal needs no reset: each step sets it from the state that has been achieved.
        """
        self.hidden_state = np.zeros(len(self.hidden_state))

    def step(self, data: mujoco.MjData, action: npt.NDArray[np.float32]) -> None:
        """Executes one control step, and refreshes the poses of bodies, sites, cameras and lights.

        What else `data` derives from its state (contacts, forces, sensors) is that of the start
        of the last physics step, as always after ``mj_step``.

        Args:
            data: Of the controller's model.
            action: ``(dimension,)``; numbers outside [-1, 1] are clipped.

        Raises:
            UsageError: If `action` has another shape or a number that is not finite, or `data`
                is of another model.
        """
        # seven numbers are handled one by one: numpy's calls would cost several times as much
        numbers = action.tolist()
        if action.shape != self._shape or not all(map(math.isfinite, numbers)):
            raise UsageError(
                f"The action {action} must be {self.dimension} finite numbers; mend the policy."
            )
        if data is not self._data:
            self._bind(data)
        # the callback sets the goal itself, in its first physics step, where kinematics are fresh
        self._action[:] = action[:-1]
        self._is_new[0] = 1
        self._move_fingers(data, numbers[-1])
        self._step(data)
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_camlight(self._model, data)

    def _memory(self) -> list[npt.NDArray[Any]]:
        """Views of what is remembered."""
        n, record = len(self._arm.joints), self._records
        return [record[name][..., :n] for name in self._REMEMBERED]

    def _move_fingers(self, data: mujoco.MjData, grip: float) -> None:
        change = math.copysign(GRIPPER_SPEED, grip) if grip else 0.0
        self._closedness = min(max(self._closedness + change, -1.0), 1.0)
        ctrl = data.ctrl
        for finger, middle, half in self._fingers:
            ctrl[finger] = middle - half * self._closedness

    def _step(self, data: mujoco.MjData) -> None:
        """Runs the physics with our callback installed."""
        with _lock:
            previous, previous_warning = mujoco.get_mjcb_control(), mujoco.get_mju_user_warning()
            torques.ACTIVE[0] = self._address
            mujoco.set_mjcb_control(self._callback)
            mujoco.set_mju_user_warning(_unheard)
            try:
                mujoco.mj_step(self._model, data, self._physics_steps)
            finally:
                mujoco.set_mju_user_warning(previous_warning)
                mujoco.set_mjcb_control(previous)
                torques.ACTIVE[0] = 0

    def _bind(self, data: mujoco.MjData) -> None:
        """Notes where `data` keeps its numbers: its buffers do not move while it lives."""
        if data.model is not self._model:
            raise UsageError(
                "The data is of another model than the controller; make a controller for each "
                "compiled model."
            )
        model, arm, n = self._model, self._arm, len(self._arm.joints)
        dofs = model.jnt_dofadr[list(arm.joints)]
        root = model.body_rootid[model.site_bodyid[arm.grip_site]]
        record = self._records[0]
        record["qpos"][:n] = addresses(data.qpos)[self._qpos]
        record["qvel"][:n] = addresses(data.qvel)[dofs]
        record["bias_at"][:n] = addresses(data.qfrc_bias)[dofs]
        record["ctrl"][:n] = addresses(data.ctrl)[list(arm.actuators)]
        record["cdof"][:n] = addresses(data.cdof)[dofs]
        record["mass_at"][:n, :n] = addresses(data.qM)[mass_indices(model, dofs)]
        record["grip_position"] = addresses(data.site_xpos)[arm.grip_site]
        record["grip_rotation"] = addresses(data.site_xmat)[arm.grip_site]
        record["base_rotation"] = addresses(data.site_xmat)[arm.base_site]
        record["centre"] = addresses(data.subtree_com)[root]
        record["data"] = data._address
        self._data = data


class OscPoseController(Controller):
    """OSC_POSE: actions are translation, rotation (axis-angle), gripper.

    An action of 1 moves the goal by 5 cm along, or turns it by 0.5 rad about, an axis of the
    robot's base, starting from where the hand is now. Remembered are the joint positions in
    radians that the nullspace pulls to: those at the reset.
    """

    _LAW = torques.OSC_POSE
    _REMEMBERED = ("rest",)

    @classmethod
    def scale(cls, joints: int) -> Floats:
        """``(6,)``, whatever the arm."""
        return np.array([MAX_TRANSLATION_M] * 3 + [MAX_ROTATION_RAD] * 3)

    def reset(self, data: mujoco.MjData) -> None:
        """Begins an episode: the joints rest where they are, the fingers' target is half way."""
        self.hidden_state = np.array([0.0, *data.qpos[self._qpos]])


class JointPositionController(Controller):
    """JOINT_POSITION: an action of 1 moves the goal of a joint by 0.05 rad from where it is now."""

    _LAW = torques.JOINT_POSITION

    @classmethod
    def scale(cls, joints: int) -> Floats:
        """``(joints,)``"""
        return np.full(joints, MAX_JOINT_TURN_RAD)


class JointVelocityController(Controller):
    """JOINT_VELOCITY: an action of 1 turns a joint at 0.5 rad a second.

    Remembered are the error, its sum and its last changes, and whether a motor was at its limit.
    """

    _LAW = torques.JOINT_VELOCITY
    _REMEMBERED = ("last_error", "error_sum", "changes", "changes_seen", "saturated")

    @classmethod
    def scale(cls, joints: int) -> Floats:
        """``(joints,)``"""
        return np.full(joints, MAX_JOINT_SPEED)


CONTROLLERS: Mapping[str, type[Controller]] = {
    "osc_pose": OscPoseController,
    "joint_position": JointPositionController,
    "joint_velocity": JointVelocityController,
}


def controller(name: str, model: mujoco.MjModel, arm: ArmModel) -> Controller:
    """The controller called `name`, for that arm.

    Raises:
        UnknownNameError: If there is none.
    """
    return _kind(name)(model, arm)


def action_size(name: str, kind: Embodiment) -> int:
    """How many numbers an action of the controller called `name` has on that embodiment.

    Raises:
        UnknownNameError: If there is none.
    """
    return len(_kind(name).scale(len(kind.joints))) + 1


def _kind(name: str) -> type[Controller]:
    if name not in CONTROLLERS:
        raise UnknownNameError("controller", name, CONTROLLERS)
    return CONTROLLERS[name]


LAST_WARNINGS: deque[str] = deque(maxlen=8)
"""What MuJoCo warned of last, of each kind the first time in a simulation."""


def _unheard(warning: str) -> None:
    """Keeps MuJoCo from printing `warning` and logging it into the working directory.

    It is counted in ``data.warning`` all the same.
    """
    LAST_WARNINGS.append(warning)
