"""Checks of what a policy does against what an environment can do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from vlabench.contract.controls import (
    ABSOLUTE,
    DELTAS,
    DRIVEN_BY,
    OF_JOINTS,
    joints_of,
    resamples,
)
from vlabench.contract.findings import Found, Mismatch, is_positive, misplaced, not_among
from vlabench.contract.specs import ROTATION_SIZES, ActionSpec, EnvSpec, PolicySpec

_VECTORS = ("axis_angle", "euler_xyz", "none")
"""Rotations whose numbers grow with the angle, so that they can be scaled."""

_QUATERNIONS = ("quaternion_xyzw", "quaternion_wxyz")
"""Rotations that two opposite rows of numbers say alike."""

_ANGLES = ("axis_angle", "euler_xyz")
"""Rotations that jump at half a turn, which no change of one control step comes near."""


def _control(policy: PolicySpec, env: EnvSpec) -> Found:
    theirs, ours = policy.action, env.action
    if theirs.control not in DRIVEN_BY:
        yield from not_among("the policy's action has control", theirs.control, tuple(DRIVEN_BY))
    elif DRIVEN_BY[theirs.control] != ours.control:
        yield (
            f"the policy's action has control {theirs.control!r} and the environment's "
            f"{ours.control!r}, and there is no converter between them"
        )
    yield from _frame(theirs)
    yield from _placement(theirs)
    yield from not_among("the policy's action has scale", theirs.scale, ("normalized", "metric"))
    if ours.control in ABSOLUTE:
        yield f"the environment's action has control {ours.control!r}, which nothing converts to"
    if ours.control in OF_JOINTS and env.max_joint is None:
        yield "the environment's action moves joints, and its max_joint is None"
    if ours.frame == "hand" or (ours.control == "ee_delta" and ours.rotation != "axis_angle"):
        yield (
            f"the environment's action has frame {ours.frame!r} and rotation {ours.rotation!r}, "
            "not 'base' and 'axis_angle'"
        )
    if ours.scale != "normalized":
        yield f"the environment's action has scale {ours.scale!r}, not 'normalized'"


def _frame(action: ActionSpec) -> Iterator[str]:
    """Which frames, rotations and scales go with a control."""
    frames: tuple[str, ...] = ("base", "hand")
    rotations = tuple(ROTATION_SIZES)
    if action.control in OF_JOINTS:
        frames, rotations = ("joints",), ("none",)
    elif action.control == "ee_pose":
        frames, rotations = ("base",), tuple(name for name in rotations if name != "none")
    of = f"the policy's action of control {action.control!r}"
    yield from not_among(f"{of} has frame", action.frame, frames)
    yield from not_among(f"{of} has rotation", action.rotation, rotations)
    if action.control in ABSOLUTE and action.scale == "normalized":
        yield f"{of} has scale 'normalized', and a pose or a position is always 'metric'"
    elif action.scale == "normalized" and action.rotation not in _VECTORS:
        yield (
            f"the policy's action has scale 'normalized' and rotation {action.rotation!r}, which "
            "has no largest step; it must be 'metric'"
        )


def _placement(action: ActionSpec) -> Iterator[str]:
    """Which actions can be of another origin, or of another hand, than the environment's."""
    of = f"the policy's action of control {action.control!r}"
    yield from (f"{of} {wrong}" for wrong in misplaced(action.offset, action.turned))
    if action.offset is not None and action.control != "ee_pose":
        yield f"{of} has an offset, which only the pose of control 'ee_pose' takes"
    if action.turned is not None and not (action.control == "ee_pose" or action.frame == "hand"):
        yield (
            f"{of} is turned, which only the pose of control 'ee_pose' and a change in frame "
            "'hand' can be"
        )


def _dimension(policy: PolicySpec, env: EnvSpec) -> Found:
    action = policy.action
    if action.padding < 0:
        yield f"the policy's action has padding {action.padding}, which must be at least 0"
    if action.rotation not in ROTATION_SIZES:
        return
    arm = joints_of(env) if action.control in OF_JOINTS else 3 + ROTATION_SIZES[action.rotation]
    if action.dimension != arm + 1 + action.padding:
        rotation = f"rotation {action.rotation!r}"
        where = "the environment" if action.control in OF_JOINTS else rotation
        yield (
            f"the policy's action has dimension {action.dimension}, and {where} makes it "
            f"{arm + 1 + action.padding}: {arm} of the arm, 1 of the gripper, "
            f"{action.padding} of padding"
        )


def _units(policy: PolicySpec, env: EnvSpec) -> Found:
    action = policy.action
    units = ("max_translation_m", "max_rotation_rad", "max_joint")
    theirs = {f"the policy's {name}": getattr(action, name) for name in units}
    if action.scale == "metric":
        for name, value in theirs.items():
            if value is not None:
                yield f"{name} is {value}, but its scale is metric, where 1 means 1 m or 1 rad"
        theirs = {}
    used = units[2:] if action.control in OF_JOINTS else units[:2]
    for name in units:
        if name not in used and theirs.get(f"the policy's {name}") is not None:
            yield f"the policy's {name} is given, and control {action.control!r} has no use for it"
    ours = {f"the environment's {name}": getattr(env, name) for name in units}
    for name, value in (theirs | ours).items():
        if value is not None and not is_positive(value):
            yield f"{name} is {value}, not a positive number"
    yield from _beyond_reach(policy, env, used)
    if action.bound is not None and not is_positive(action.bound):
        yield f"the policy's bound is {action.bound}, not a positive number"


def _beyond_reach(policy: PolicySpec, env: EnvSpec, units: Iterable[str]) -> Found:
    """Where the policy's 1 is more than the environment does in a control step."""
    if policy.action.scale != "normalized":
        return
    for name in units:
        theirs, ours = getattr(policy.action, name), getattr(env, name)
        if theirs is not None and ours is not None and theirs > ours > 0:
            yield Mismatch(
                f"the policy's {name} is {theirs:g} and the environment's {ours:g}, so that "
                "everything beyond that is cut off",
                passable=True,
            )


def _gripper(policy: PolicySpec, env: EnvSpec) -> Found:
    for side, action in (("policy", policy.action), ("environment", env.action)):
        ends = (action.gripper_open, action.gripper_close)
        if not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
            yield f"the {side}'s gripper opens at {ends[0]} and closes at {ends[1]}"
    threshold = policy.action.gripper_threshold
    low, high = sorted((policy.action.gripper_open, policy.action.gripper_close))
    if threshold is not None and not low < threshold < high:
        yield f"the policy's gripper threshold {threshold} is not between {low} and {high}"
    if policy.action.gripper_sticky_steps < 1:
        steps = policy.action.gripper_sticky_steps
        yield f"the policy's gripper_sticky_steps is {steps}, which must be at least 1"


def _control_rate(policy: PolicySpec, env: EnvSpec) -> Found:
    theirs = policy.control_hz
    if not is_positive(env.control_hz):
        yield f"the environment's control_hz is {env.control_hz}, not a positive number"
    if theirs is None:
        return
    if not is_positive(theirs):
        yield f"the policy's control_hz is {theirs}, not a positive number"
    elif theirs != env.control_hz and not resamples(policy.action):
        yield Mismatch(
            f"the policy's control_hz is {theirs:g} Hz and the environment's {env.control_hz:g} "
            f"Hz, and control {policy.action.control!r} cannot be resampled",
            passable=True,
        )


def _chunks(policy: PolicySpec, env: EnvSpec) -> Found:
    del env
    for field in ("chunk_length", "executed", "max_batch"):
        if getattr(policy, field) < 1:
            yield f"the policy's {field} is {getattr(policy, field)}, which must be at least 1"
    if policy.executed > policy.chunk_length:
        yield (
            f"the policy executes {policy.executed} actions of an answer that has only "
            f"{policy.chunk_length}"
        )
    yield from not_among("the policy's while_waiting is", policy.while_waiting, ("hold", "rest"))
    if policy.ensembling is None:
        return
    yield from _ensembled(policy.action)
    decay, every = policy.ensembling.decay, policy.ensembling.every
    if not (math.isfinite(decay) and decay >= 0):
        yield f"the policy's ensembling has decay {decay}, which must be at least 0"
    if every != policy.executed:
        yield (
            f"the policy's executed is {policy.executed} and its ensembling asks every {every} "
            "steps; they must be equal"
        )


def _ensembled(action: ActionSpec) -> Iterator[str]:
    """Where the mean of two answers' numbers lies between no two rotations."""
    jumps = _QUATERNIONS if action.control in DELTAS else (*_QUATERNIONS, *_ANGLES)
    if action.control not in OF_JOINTS and action.rotation in jumps:
        yield (
            f"the policy's ensembling averages the numbers of its answers, and control "
            f"{action.control!r} with rotation {action.rotation!r} writes neighbouring rotations "
            "in numbers far apart; answer in 'rot6d' or 'matrix', or leave ensembling out"
        )


CHECKS: tuple[Callable[[PolicySpec, EnvSpec], Found], ...] = (
    _control,
    _dimension,
    _units,
    _gripper,
    _control_rate,
    _chunks,
)
