"""The arithmetic of the controllers, compiled to run inside MuJoCo's control callback.

There are three laws, all robosuite's (1.5.2, `controllers/parts`) with its own gains:

- `OSC_POSE`: `OperationalSpaceController` (after Khatib, 1987) with fixed impedance, delta input,
  goals from the achieved pose, uncoupled position and orientation, and a nullspace that pulls the
  joints to their rest.
- `JOINT_POSITION`: `JointPositionController` with fixed impedance and delta input.
- `JOINT_VELOCITY`: `JointVelocityController`, a PID on the velocity of each joint.

`vlabench.envs.control` is their interface; nothing else should use this module.

MuJoCo calls `callback` with a model and a data address. What it needs to know about them is in one
record of `RECORD`, which the controller owns; `ACTIVE` holds the address of the record whose turn
it is. All matrices are 7 × 7 or smaller and the algebra is written out, so that the same bits come
from every x86-64 machine: LAPACK's differ from one CPU to another, and so do sine and cosine.

Two things differ in OSC_POSE, both far below what a motor can do: the rotation of a goal is
computed in float64, where robosuite rounds it to float32 (6e-8 rad); and matrices are inverted by
Cholesky where they can be, where robosuite takes a pseudo-inverse by singular values. Where
Cholesky cannot, `solve_symmetric` is that pseudo-inverse, with robosuite's cut-off.

The numba cache holds `callback` by the content of this file alone: do not import constants into it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
from llvmlite import binding, ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from vlabench.types import Floats

P = ParamSpec("P")
R = TypeVar("R")
Record: TypeAlias = Any

MAX_JOINTS = 7

OSC_POSE, JOINT_POSITION, JOINT_VELOCITY = 0, 1, 2
"""The laws: `law` of a record."""

KP = 150.0
KD = 2.0 * 150.0**0.5
REST_KP = 10.0
REST_KD = 2.0 * 10.0**0.5
"""Of OSC_POSE: of the hand, and of the joints towards their rest."""

SINGULAR = 1e-15
"""Eigenvalues below this share of the largest count as zero, as in robosuite's numba `pinv`."""

JOINT_KP = 50.0
JOINT_KD = 2.0 * 50.0**0.5
"""Of JOINT_POSITION, in accelerations."""

VELOCITY_KP = 3.0
VELOCITY_KI = 0.005
VELOCITY_KD = 0.001
"""Of JOINT_VELOCITY: the first as a share of the motor's range, the others of the first."""

CHANGES = 5
"""Changes of the velocity error that JOINT_VELOCITY averages over."""

RECORD = np.dtype(
    [
        ("data", np.intp),
        ("law", np.intp),
        ("joints", np.intp),
        # addresses inside the MjData: one number each, or the first of a row
        ("qpos", np.intp, MAX_JOINTS),
        ("qvel", np.intp, MAX_JOINTS),
        ("bias_at", np.intp, MAX_JOINTS),
        ("ctrl", np.intp, MAX_JOINTS),
        ("cdof", np.intp, MAX_JOINTS),
        ("mass_at", np.intp, (MAX_JOINTS, MAX_JOINTS)),
        ("grip_position", np.intp),
        ("grip_rotation", np.intp),
        ("base_rotation", np.intp),
        ("centre", np.intp),
        # what the arm is and what it is told
        ("torque_low", np.float64, MAX_JOINTS),
        ("torque_high", np.float64, MAX_JOINTS),
        ("rest", np.float64, MAX_JOINTS),
        ("scale", np.float64, MAX_JOINTS),
        ("action", np.float64, MAX_JOINTS),
        ("action_is_new", np.intp),
        ("told", np.float64, MAX_JOINTS),
        ("goal_position", np.float64, 3),
        ("goal_rotation", np.float64, (3, 3)),
        ("goal_joints", np.float64, MAX_JOINTS),
        # what JOINT_VELOCITY remembers
        ("last_error", np.float64, MAX_JOINTS),
        ("error_sum", np.float64, MAX_JOINTS),
        ("changes", np.float64, (CHANGES, MAX_JOINTS)),
        ("changes_seen", np.intp),
        ("saturated", np.intp),
        # scratch: allocating in every physics step would cost as much as the arithmetic
        ("jacobian", np.float64, (6, MAX_JOINTS)),
        ("mass", np.float64, (MAX_JOINTS, MAX_JOINTS)),
        ("velocity", np.float64, MAX_JOINTS),
        ("hand_velocity", np.float64, 6),
        ("bias", np.float64, MAX_JOINTS),
        ("pull", np.float64, MAX_JOINTS),
        ("wrench", np.float64, 6),
        ("torques", np.float64, MAX_JOINTS),
        ("lower", np.float64, (MAX_JOINTS, MAX_JOINTS)),
        ("half", np.float64, (6, MAX_JOINTS)),
        ("inverse_inertia", np.float64, (6, 6)),
        ("force", np.float64, 6),
        ("rest_force", np.float64, 6),
        ("hand_pull", np.float64, 6),
    ],
    align=True,
)
"""One controller: addresses of what it reads and writes, its limits, its rest and its goal.

`told` is the action, clipped and scaled: metres and radians in the base frame, or radians or
radians a second of each joint. `action_is_new` asks for it, and for a goal to be set from it; the
goal of the hand is in the world frame.
"""

ACTIVE = np.zeros(1, np.intp)
"""Address of the record in control, or 0. Only the holder of the controllers' lock may write it."""

_SYMBOL = "vlabench_active_record"


@cache
def callback() -> Any:
    """The callback as a numba `CFunc`, made once a process; its `ctypes` is what MuJoCo takes.

    It comes from numba's cache where one can be written (next to this file, or the user's).
    """
    # numba can cache code that names a symbol, but not code that holds an address of this process
    binding.add_symbol(_SYMBOL, ACTIVE.ctypes.data)
    signature = types.void(types.intp, types.intp)
    try:
        return cfunc(signature, cache=True, error_model="numpy")(_callback)
    except RuntimeError:  # numba finds no folder to keep its cache in
        return cfunc(signature, error_model="numpy")(_callback)


def _callback(model: int, data: int) -> None:
    active = _active_record()
    if active == 0:
        return
    record = carray(_pointer(active), 1, RECORD)[0]
    # another data is another user's step on another thread
    if record.data == data:
        _control(record)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles for use inside `callback`; the callback's cache holds the result."""
    result: Callable[P, R] = njit(error_model="numpy")(function)
    return result


# --- one physics step -------------------------------------------------------------------------


@compiled
def _control(record: Record) -> None:
    """Writes the torques of the arm; MuJoCo has just computed everything but the forces."""
    if record.action_is_new:
        for i in range(MAX_JOINTS):
            record.told[i] = min(max(record.action[i], -1.0), 1.0) * record.scale[i]
    # where the compiler knows how many joints there are, it unrolls the loops over them
    if record.law == OSC_POSE and record.joints == MAX_JOINTS:
        _osc_pose(record, MAX_JOINTS)
    elif record.law == OSC_POSE:
        _osc_pose(record, record.joints)
    elif record.law == JOINT_POSITION:
        _joint_position(record)
    else:
        _joint_velocity(record)
    record.action_is_new = 0
    for i in range(record.joints):
        torque = min(max(record.torques[i], record.torque_low[i]), record.torque_high[i])
        _write(record.ctrl[i], torque)


# --- joint position and joint velocity --------------------------------------------------------


@compiled
def _joint_position(record: Record) -> None:
    """A critically damped spring on each joint, through the inertia of the arm."""
    n = record.joints
    for i in range(n):
        position, velocity = _read(record.qpos[i]), _read(record.qvel[i])
        if record.action_is_new:
            record.goal_joints[i] = position + record.told[i]
        record.pull[i] = (record.goal_joints[i] - position) * JOINT_KP - velocity * JOINT_KD
    _read_inertia(record, n)
    _multiply(record.mass, n, record.pull, n, record.torques)
    for i in range(n):
        record.torques[i] += _read(record.bias_at[i])


@compiled
def _joint_velocity(record: Record) -> None:
    """A PID on the velocity of each joint; its integral waits while any motor is at its limit."""
    row, seen = record.changes_seen % CHANGES, min(record.changes_seen + 1, CHANGES)
    saturated = 0
    for i in range(record.joints):
        low, high = record.torque_low[i], record.torque_high[i]
        error = record.told[i] - _read(record.qvel[i])
        record.changes[row, i] = error - record.last_error[i]
        record.last_error[i] = error
        if not record.saturated:
            record.error_sum[i] += error
        change = 0.0
        for k in range(seen):
            change += record.changes[k, i]
        kp = VELOCITY_KP * (high - low)
        torque = kp * error + kp * VELOCITY_KI * record.error_sum[i]
        torque += kp * VELOCITY_KD * (change / seen) + _read(record.bias_at[i])
        record.torques[i] = torque
        if torque < low or torque > high:
            saturated = 1
    record.saturated = saturated
    record.changes_seen += 1


# --- operational space ------------------------------------------------------------------------


@compiled
def _osc_pose(record: Record, n: int) -> None:
    position = carray(_pointer(record.grip_position), 3, np.float64)
    rotation = carray(_pointer(record.grip_rotation), (3, 3), np.float64)
    goal_position, goal_rotation = record.goal_position, record.goal_rotation
    if record.action_is_new:
        base = carray(_pointer(record.base_rotation), (3, 3), np.float64)
        set_goal(record.told, base, position, rotation, goal_position, goal_rotation)
    _read_joints(record, position, n)
    _multiply(record.jacobian, 6, record.velocity, n, record.hand_velocity)
    desired_wrench(
        goal_position, goal_rotation, position, rotation, record.hand_velocity, record.wrench
    )
    osc_torques(record, n)


@compiled
def _read_joints(record: Record, position: Floats, n: int) -> None:
    """Copies what MuJoCo knows of the arm's joints into the record."""
    centre = carray(_pointer(record.centre), 3, np.float64)
    _read_inertia(record, n)
    for i in range(n):
        velocity = _read(record.qvel[i])
        record.velocity[i] = velocity
        record.pull[i] = REST_KP * (record.rest[i] - _read(record.qpos[i])) - REST_KD * velocity
        record.bias[i] = _read(record.bias_at[i])
        motion = carray(_pointer(record.cdof[i]), 6, np.float64)
        _jacobian_column(motion, position, centre, record.jacobian, i)


@compiled
def _read_inertia(record: Record, n: int) -> None:
    for i in range(n):
        for j in range(i + 1):
            record.mass[i, j] = record.mass[j, i] = _read(record.mass_at[i, j])


@compiled
def _jacobian_column(
    motion: Floats, point: Floats, centre: Floats, jacobian: Floats, column: int
) -> None:
    """How `point` moves with one joint, as `mj_jac` has it; `motion` is the joint's row of cdof."""
    x, y, z = point[0] - centre[0], point[1] - centre[1], point[2] - centre[2]
    jacobian[0, column] = motion[3] + (motion[1] * z - motion[2] * y)
    jacobian[1, column] = motion[4] + (motion[2] * x - motion[0] * z)
    jacobian[2, column] = motion[5] + (motion[0] * y - motion[1] * x)
    for i in range(3):
        jacobian[3 + i, column] = motion[i]


@compiled
def set_goal(
    told: Floats,
    base: Floats,
    position: Floats,
    rotation: Floats,
    goal_position: Floats,
    goal_rotation: Floats,
) -> None:
    """Moves the achieved pose by ``told[:6]``, metres and radians along the axes of the base.

    `base`, `rotation` and `goal_rotation` are ``(3, 3)`` in the world; the goal is written.
    """
    move, axis, turn = np.empty(3), np.empty(3), np.empty((3, 3))
    _multiply(base, 3, told[:3], 3, move)
    _multiply(base, 3, told[3:6], 3, axis)
    rotation_from_axis_angle(axis[0], axis[1], axis[2], turn)
    for i in range(3):
        goal_position[i] = position[i] + move[i]
        for j in range(3):
            total = 0.0
            for k in range(3):
                total += turn[i, k] * rotation[k, j]
            goal_rotation[i, j] = total


@compiled
def desired_wrench(
    goal_position: Floats,
    goal_rotation: Floats,
    position: Floats,
    rotation: Floats,
    velocity: Floats,
    wrench: Floats,
) -> None:
    """A critically damped spring from the pose to the goal: the acceleration ``(6,)`` it asks."""
    for i in range(3):
        wrench[i] = (goal_position[i] - position[i]) * KP - velocity[i] * KD
        j, k = (i + 1) % 3, (i + 2) % 3
        error = 0.0
        for axis in range(3):
            error += (
                rotation[j, axis] * goal_rotation[k, axis]
                - rotation[k, axis] * goal_rotation[j, axis]
            )
        wrench[3 + i] = 0.5 * error * KP - velocity[3 + i] * KD


@compiled
def osc_torques(record: Record, n: int) -> None:
    """Writes the `torques` that give the hand the acceleration `wrench`.

    With the inertia Λ = (J M⁻¹ Jᵀ)⁻¹ that the hand feels, taken for position and orientation
    apart, they are Jᵀ Λ wrench + bias, and M pull − Jᵀ Λ J pull of the whole Λ in the nullspace.
    Read are the `jacobian` J (position over orientation), the `mass` M, the `bias` torques and
    the `pull`, an acceleration of the joints towards their rest.
    """
    jacobian, inertia = record.jacobian, record.inverse_inertia
    lower, force, rest = record.lower, record.force, record.rest_force
    factor_cholesky(record.mass, 0, n, lower)
    _inverse_inertia(jacobian, lower, n, record.half, inertia)
    solve_symmetric(inertia, 0, 3, record.wrench, lower, force)
    solve_symmetric(inertia, 3, 6, record.wrench, lower, force)
    _multiply(jacobian, 6, record.pull, n, record.hand_pull)
    solve_symmetric(inertia, 0, 6, record.hand_pull, lower, rest)
    _multiply(record.mass, n, record.pull, n, record.torques)
    for i in range(n):
        total = record.bias[i]
        for k in range(6):
            total += jacobian[k, i] * (force[k] - rest[k])
        record.torques[i] += total


@compiled
def _inverse_inertia(jacobian: Floats, lower: Floats, n: int, half: Floats, result: Floats) -> None:
    """J M⁻¹ Jᵀ ``(6, 6)``, as Wᵀ W with L W = Jᵀ and L Lᵀ = M."""
    for k in range(6):
        for i in range(n):
            total = jacobian[k, i]
            for j in range(i):
                total -= lower[i, j] * half[k, j]
            half[k, i] = total / lower[i, i]
    for i in range(6):
        for j in range(i + 1):
            total = 0.0
            for k in range(n):
                total += half[i, k] * half[j, k]
            result[i, j] = result[j, i] = total


# --- small algebra ----------------------------------------------------------------------------


@compiled
def rotation_from_axis_angle(x: float, y: float, z: float, out: Floats) -> None:
    """Rodrigues' formula, with sin(a)/a and (1 - cos(a))/a² as series in a².

    Twelve terms give float64 its full precision up to an angle of 1.5 rad; a step turns 0.87 rad
    at most.
    """
    square = x * x + y * y + z * z
    sine = cosine = 1.0
    for k in range(12, 0, -1):
        sine = 1.0 - square / (2 * k * (2 * k + 1)) * sine
        cosine = 1.0 - square / ((2 * k + 1) * (2 * k + 2)) * cosine
    cosine *= 0.5
    out[0, 0] = 1.0 - cosine * (y * y + z * z)
    out[1, 1] = 1.0 - cosine * (x * x + z * z)
    out[2, 2] = 1.0 - cosine * (x * x + y * y)
    out[0, 1] = cosine * x * y - sine * z
    out[1, 0] = cosine * x * y + sine * z
    out[0, 2] = cosine * x * z + sine * y
    out[2, 0] = cosine * x * z - sine * y
    out[1, 2] = cosine * y * z - sine * x
    out[2, 1] = cosine * y * z + sine * x


@compiled
def solve_symmetric(
    matrix: Floats, first: int, stop: int, right: Floats, lower: Floats, result: Floats
) -> None:
    """Writes ``result[first:stop]`` = pinv(A) @ ``right[first:stop]``.

    A is the square ``[first:stop]`` of `matrix`, symmetric and positive semidefinite; `lower` is
    scratch.
    """
    n = stop - first
    if not factor_cholesky(matrix, first, n, lower):
        _solve_singular(matrix, first, stop, right, result)
        return
    for i in range(n):
        total = right[first + i]
        for j in range(i):
            total -= lower[i, j] * result[first + j]
        result[first + i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        total = result[first + i]
        for j in range(i + 1, n):
            total -= lower[j, i] * result[first + j]
        result[first + i] = total / lower[i, i]


@compiled
def factor_cholesky(matrix: Floats, first: int, n: int, lower: Floats) -> bool:
    """Writes L with L Lᵀ = A; False if a pivot is no larger than rounding.

    A is the ``(n, n)`` square of `matrix` that begins at row and column `first`.
    """
    largest = 0.0
    for i in range(n):
        largest = max(largest, matrix[first + i, first + i])
    for i in range(n):
        for j in range(i + 1):
            total = matrix[first + i, first + j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i != j:
                lower[i, j] = total / lower[j, j]
            elif total > SINGULAR * largest:
                lower[i, i] = np.sqrt(total)
            else:
                return False
    return True


@compiled
def _solve_singular(matrix: Floats, first: int, stop: int, right: Floats, result: Floats) -> None:
    """The same by eigenvalues (cyclic Jacobi), leaving out those that count as zero."""
    n = stop - first
    diagonal, vectors = np.empty((n, n)), np.zeros((n, n))
    for i in range(n):
        vectors[i, i] = 1.0
        result[first + i] = 0.0
        for j in range(n):
            diagonal[i, j] = matrix[first + i, first + j]
    for _ in range(12):
        for p in range(n - 1):
            for q in range(p + 1, n):
                _rotate_away(diagonal, vectors, p, q)
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(diagonal[i, i]))
    for i in range(n):
        if abs(diagonal[i, i]) > SINGULAR * largest:
            share = 0.0
            for k in range(n):
                share += vectors[k, i] * right[first + k]
            share /= diagonal[i, i]
            for k in range(n):
                result[first + k] += vectors[k, i] * share


@compiled
def _rotate_away(matrix: Floats, vectors: Floats, p: int, q: int) -> None:
    """Makes ``matrix[p, q]`` zero by a plane rotation (Golub and Van Loan, section 8.5)."""
    if matrix[p, q] == 0.0:
        return
    ratio = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
    tangent = 1.0 / (abs(ratio) + np.sqrt(1.0 + ratio * ratio))
    if ratio < 0.0:
        tangent = -tangent
    cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    for k in range(len(matrix)):
        a, b = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = cosine * a - sine * b, sine * a + cosine * b
    for k in range(len(matrix)):
        a, b = matrix[p, k], matrix[q, k]
        matrix[p, k], matrix[q, k] = cosine * a - sine * b, sine * a + cosine * b
    for k in range(len(matrix)):
        a, b = vectors[k, p], vectors[k, q]
        vectors[k, p], vectors[k, q] = cosine * a - sine * b, sine * a + cosine * b


@compiled
def _multiply(matrix: Floats, rows: int, vector: Floats, columns: int, result: Floats) -> None:
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            total += matrix[i, j] * vector[j]
        result[i] = total


# --- memory -----------------------------------------------------------------------------------


@compiled
def _read(address: int) -> float:
    value: float = carray(_pointer(address), 1, np.float64)[0]
    return value


@compiled
def _write(address: int, value: float) -> None:
    carray(_pointer(address), 1, np.float64)[0] = value


def _pointer_code(context: Any, address: Any) -> Any:
    """An address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), generate


def _active_record_code(context: Any) -> Any:
    """The number in `ACTIVE`, found by the name that `callback` gives it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cell = builder.module.globals.get(_SYMBOL)
        if cell is None:
            cell = ir.GlobalVariable(builder.module, ir.IntType(64), _SYMBOL)
        return builder.load(cell)

    return types.intp(), generate


_pointer = intrinsic(_pointer_code)
_active_record = intrinsic(_active_record_code)
