"""Finds an arm and its gripper in a compiled model, for the controllers."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.envs import torques
from vlabench.envs.embodiments import Embodiment
from vlabench.errors import UsageError


@dataclass(frozen=True)
class ArmModel:
    """Where an arm and its gripper are in a compiled model.

    Attributes:
        joints: Ids of the arm's joints, from the base to the hand.
        actuators: Ids of their motors, in the same order.
        fingers: Ids of the gripper's actuators.
        opened: What these aim for when the gripper is open, in metres or radians.
        closed: The same when it is closed.
        grip_site: Id of the site between the fingertips, which OSC_POSE moves.
        base_site: Id of the site whose axes its actions are given in; it does not move.
    """

    joints: tuple[int, ...]
    actuators: tuple[int, ...]
    fingers: tuple[int, ...]
    opened: tuple[float, ...]
    closed: tuple[float, ...]
    grip_site: int
    base_site: int

    @staticmethod
    def find(model: mujoco.MjModel, kind: Embodiment) -> ArmModel:
        """The arm and the gripper of that kind, as robosuite composes them.

        Raises:
            UsageError: If there is none, or it is none that our controllers can move.
        """
        grip_site = _site(model, kind.grip_site)
        base_site = _site(model, f"{kind.prefix}right_center")
        joints = _joints_up_to(model, model.site_bodyid[grip_site])
        if not 1 <= len(joints) <= torques.MAX_JOINTS:
            raise UsageError(
                f"The arm {kind.prefix!r} has {len(joints)} joints; the controller moves arms of "
                f"up to {torques.MAX_JOINTS}."
            )
        if any(model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_HINGE for joint in joints):
            raise UsageError(
                f"The arm {kind.prefix!r} has joints that are no hinges; compose it on a fixed "
                "base."
            )
        if model.body_weldid[model.site_bodyid[base_site]] != 0:
            raise UsageError(
                f"The base of the arm {kind.prefix!r} moves; compose it on a fixed base."
            )
        motors = tuple(_motor(model, joint) for joint in joints)
        fingers = _fingers(model, kind)
        return ArmModel(
            joints,
            motors,
            fingers,
            kind.gripper.opened[: len(fingers)],
            kind.gripper.closed[: len(fingers)],
            grip_site,
            base_site,
        )


def _fingers(model: mujoco.MjModel, kind: Embodiment) -> tuple[int, ...]:
    return tuple(
        actuator
        for actuator in range(model.nu)
        if model.actuator(actuator).name.startswith(kind.gripper_prefix)
    )


def _joints_up_to(model: mujoco.MjModel, body: int) -> tuple[int, ...]:
    """The joints between the world and `body`, in that order."""
    joints: list[int] = []
    while body != 0:
        first, count = model.body_jntadr[body], model.body_jntnum[body]
        joints = [*range(first, first + count), *joints]
        body = model.body_parentid[body]
    return tuple(joints)


def _motor(model: mujoco.MjModel, joint: int) -> int:
    kinds, targets = model.actuator_trntype.tolist(), model.actuator_trnid[:, 0].tolist()
    for actuator, moved in enumerate(zip(kinds, targets, strict=True)):
        if moved == (int(mujoco.mjtTrn.mjTRN_JOINT), joint):
            return actuator
    raise UsageError(
        f"The joint {model.joint(joint).name!r} has no motor; add one to the arm's model."
    )


def _site(model: mujoco.MjModel, name: str) -> int:
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name)
    if index < 0:
        raise UsageError(
            f"The model has no site {name!r}; compose the robot with robosuite and give its prefix."
        )
    return int(index)


def addresses(array: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The address of each row of `array`."""
    first: int = array.ctypes.data
    rows: npt.NDArray[np.intp] = first + array.strides[0] * np.arange(len(array), dtype=np.intp)
    return rows


def mass_indices(model: mujoco.MjModel, dofs: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Where the sparse inertia matrix `qM` keeps each element of the dense one, ``(n, n)``.

    A row of it holds a degree of freedom with itself, with its parent, and so on to the root; those
    of an arm are a chain.
    """
    place = {int(dof): number for number, dof in enumerate(dofs)}
    indices = np.zeros((len(dofs), len(dofs)), dtype=np.intp)
    for dof, row in place.items():
        address, ancestor = int(model.dof_Madr[dof]), dof
        while ancestor in place:
            indices[row, place[ancestor]] = indices[place[ancestor], row] = address
            address, ancestor = address + 1, int(model.dof_parentid[ancestor])
    return indices
