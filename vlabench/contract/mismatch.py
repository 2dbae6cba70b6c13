"""What can stand between a policy and an environment, each in half a sentence.

Every check looks at both declarations and says what is wrong, so that all mismatches are told at
once and a user mends them in one go.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from vlabench.contract import proprio
from vlabench.contract.prompt import PLACE
from vlabench.contract.specs import (
    PROPRIO_FIELDS,
    ROTATION_SIZES,
    ActionSpec,
    CameraSpec,
    Control,
    EnvSpec,
    Filter,
    Fit,
    Layout,
    PolicySpec,
    StateField,
)

DRIVEN_BY: Mapping[Control, Control] = {
    "ee_delta": "ee_delta",
    "ee_pose": "ee_delta",
    "joint_delta": "joint_delta",
    "joint_position": "joint_delta",
    "joint_velocity": "joint_velocity",
}
"""A policy's control to the environment's that can execute it."""

_DELTAS = ("ee_delta", "joint_delta")
_JOINTS = ("joint_delta", "joint_position", "joint_velocity")
_ABSOLUTE = ("ee_pose", "joint_position")
_VECTORS = ("axis_angle", "euler_xyz", "none")
"""Rotations whose numbers grow with the angle, so that they can be scaled."""

_QUATERNIONS = ("quaternion_xyzw", "quaternion_wxyz")
"""Rotations that two opposite rows of numbers say alike."""

_ANGLES = ("axis_angle", "euler_xyz")
"""Rotations that jump at half a turn, which no change of one control step comes near."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing in which the two do not agree.

    Attributes:
        text: Half a sentence that names the field and both sides.
        passable: Whether numbers can be passed on nevertheless, if somebody takes the blame.
    """

    text: str
    passable: bool = False


def find_mismatches(policy: PolicySpec, env: EnvSpec) -> Iterator[Mismatch]:
    """Everything in which the two do not agree; nothing if they do."""
    for check in _CHECKS:
        for found in check(policy, env):
            yield Mismatch(found) if isinstance(found, str) else found


def resamples(action: ActionSpec) -> bool:
    """Whether rows of another rate can be held until the next one's time: all but changes can."""
    return action.control not in _DELTAS


Found = Iterator[str | Mismatch]


# --- what the policy sees -----------------------------------------------------------------------


def _cameras(policy: PolicySpec, env: EnvSpec) -> Found:
    yield from _names("camera", [camera.role for camera in policy.cameras], env.cameras)
    keys = [camera.key for camera in policy.cameras if camera.key]
    yield from _twice("camera key", keys)
    for camera in policy.cameras:
        yield from (f"camera {camera.role!r} {wrong}" for wrong in _camera_values(camera))


def _camera_values(camera: CameraSpec) -> Iterator[str]:
    sizes = [(camera.height, camera.width), *([camera.resized] if camera.resized else [])]
    for height, width in sizes:
        if height < 1 or width < 1:
            yield f"has size {height} x {width}, which is no size"
    if camera.jpeg_quality is not None and not 1 <= camera.jpeg_quality <= 95:
        yield f"has JPEG quality {camera.jpeg_quality}, not one of 1 to 95"
    if camera.crop_area is not None and not 0 < camera.crop_area <= 1:
        yield f"keeps {camera.crop_area} of the area, not a share in (0, 1]"
    for field in ("history", "history_stride"):
        if getattr(camera, field) < 1:
            yield f"has {field} {getattr(camera, field)}, which must be at least 1"
    yield from _one_of("has resize_filter", camera.resize_filter, get_args(Filter))
    yield from _one_of("has resize_fit", camera.resize_fit, get_args(Fit))
    yield from _one_of("has layout", camera.layout, get_args(Layout))
    yield from _one_of("has dtype", camera.dtype, ("uint8", "float32"))


def _proprio(policy: PolicySpec, env: EnvSpec) -> Found:
    known = [field for field in env.proprio if field in PROPRIO_FIELDS]
    yield from _names("proprio field", policy.proprio, known)


def _state(policy: PolicySpec, env: EnvSpec) -> Found:
    known = [field for field in env.proprio if field in PROPRIO_FIELDS]
    sources = dict.fromkeys(f.source for f in policy.state if f.source != proprio.ZEROS)
    yield from _names("state source", sources, known)
    for number, field in enumerate(policy.state):
        if field.source in (*known, proprio.ZEROS):
            wrong = _state_values(field, env)
            yield from (f"state[{number}] ({field.source}) {text}" for text in wrong)


def _state_values(field: StateField, env: EnvSpec) -> Iterator[str]:
    ways = proprio.ways(field.source)
    if field.as_ not in ways:
        yield from _one_of("is written as", field.as_, ways)
        return
    size = proprio.natural_size(field, _joints(env))
    if field.source == proprio.ZEROS and field.size is None:
        yield "has no size; say how many zeros they are"
    if field.size is not None and field.size < max(size, 1):
        yield f"has size {field.size}, and the environment's has {size} numbers"
    if (field.scale is not None) != (field.as_ in proprio.METRES):
        needs = "needs the metres of the open gripper" if field.scale is None else "takes no"
        yield f"as {field.as_!r} {needs} scale"
    elif field.scale is not None and not _positive(field.scale):
        yield f"has scale {field.scale}, not a positive number"
    if field.offset is not None and field.source != "ee_position":
        yield "has an offset, which only 'ee_position' takes"
    if field.offset is not None and not all(map(math.isfinite, field.offset)):
        yield f"has offset {field.offset}, which is not finite"
    if field.turned is not None and field.source != "ee_quaternion":
        yield "is turned, which only 'ee_quaternion' can be"
    if field.turned is not None and not abs(math.hypot(*field.turned) - 1) < 1e-6:
        yield f"is turned by {field.turned}, which is no unit quaternion"
    if field.towards is not None and field.as_ not in proprio.SIGNED:
        yield f"has a side to turn towards, which {field.as_!r} has not"
    if field.towards is not None and not _positive(math.hypot(*field.towards)):
        yield f"turns towards {field.towards}, which is no direction"


def _prompt(policy: PolicySpec, env: EnvSpec) -> Found:
    del env
    times = policy.prompt.template.count(PLACE)
    if times != 1:
        said = f"the prompt's template {policy.prompt.template!r}"
        yield f"{said} has {PLACE} {times} times, not once"
    yield from _one_of("the prompt's case is", policy.prompt.case, ("as-is", "lower", "upper"))


def _needs(policy: PolicySpec, env: EnvSpec) -> Found:
    for need in policy.needs:
        if need not in env.needs:
            yield f"the policy needs {need!r}, and the environment offers {_list(env.needs)}"


def _privileged(policy: PolicySpec, env: EnvSpec) -> Found:
    if policy.privileged and not env.privileged:
        yield "the policy reads privileged state, which the environment does not show"


# --- what the policy does -----------------------------------------------------------------------


def _control(policy: PolicySpec, env: EnvSpec) -> Found:
    theirs, ours = policy.action, env.action
    if theirs.control not in DRIVEN_BY:
        yield from _one_of("the policy's action has control", theirs.control, tuple(DRIVEN_BY))
    elif DRIVEN_BY[theirs.control] != ours.control:
        yield (
            f"the policy's action has control {theirs.control!r} and the environment's "
            f"{ours.control!r}, and there is no converter between them"
        )
    yield from _frame(theirs)
    yield from _one_of("the policy's action has scale", theirs.scale, ("normalized", "metric"))
    if ours.control in _ABSOLUTE:
        yield f"the environment's action has control {ours.control!r}, which nothing converts to"
    if ours.control in _JOINTS and env.max_joint is None:
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
    joints = action.control in _JOINTS
    frames = (
        ("joints",)
        if joints
        else ("base",)
        if action.control == "ee_pose"
        else (
            "base",
            "hand",
        )
    )
    rotations = ("none",) if joints else tuple(ROTATION_SIZES)
    if action.control == "ee_pose":
        rotations = tuple(name for name in rotations if name != "none")
    of = f"the policy's action of control {action.control!r}"
    yield from _one_of(f"{of} has frame", action.frame, frames)
    yield from _one_of(f"{of} has rotation", action.rotation, rotations)
    if action.control in _ABSOLUTE and action.scale == "normalized":
        yield f"{of} has scale 'normalized', and a pose or a position is always 'metric'"
    elif action.scale == "normalized" and action.rotation not in _VECTORS:
        yield (
            f"the policy's action has scale 'normalized' and rotation {action.rotation!r}, which "
            "has no largest step; it must be 'metric'"
        )


def _dimension(policy: PolicySpec, env: EnvSpec) -> Found:
    action = policy.action
    if action.padding < 0:
        yield f"the policy's action has padding {action.padding}, which must be at least 0"
    if action.rotation not in ROTATION_SIZES:
        return
    arm = _joints(env) if action.control in _JOINTS else 3 + ROTATION_SIZES[action.rotation]
    if action.dimension != arm + 1 + action.padding:
        where = "the environment" if action.control in _JOINTS else f"rotation {action.rotation!r}"
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
    used = units[2:] if action.control in _JOINTS else units[:2]
    for name in units:
        if name not in used and theirs.get(f"the policy's {name}") is not None:
            yield f"the policy's {name} is given, and control {action.control!r} has no use for it"
    ours = {f"the environment's {name}": getattr(env, name) for name in units}
    for name, value in (theirs | ours).items():
        if value is not None and not _positive(value):
            yield f"{name} is {value}, not a positive number"
    yield from _beyond_reach(policy, env, used)
    if action.bound is not None and not _positive(action.bound):
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
    if not _positive(env.control_hz):
        yield f"the environment's control_hz is {env.control_hz}, not a positive number"
    if theirs is None:
        return
    if not _positive(theirs):
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
    yield from _one_of("the policy's while_waiting is", policy.while_waiting, ("hold", "rest"))
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
    jumps = _QUATERNIONS if action.control in _DELTAS else (*_QUATERNIONS, *_ANGLES)
    if action.control not in _JOINTS and action.rotation in jumps:
        yield (
            f"the policy's ensembling averages the numbers of its answers, and control "
            f"{action.control!r} with rotation {action.rotation!r} writes neighbouring rotations "
            "in numbers far apart; answer in 'rot6d' or 'matrix', or leave ensembling out"
        )


_CHECKS: tuple[Callable[[PolicySpec, EnvSpec], Found], ...] = (
    _cameras,
    _proprio,
    _state,
    _prompt,
    _needs,
    _privileged,
    _control,
    _dimension,
    _units,
    _gripper,
    _control_rate,
    _chunks,
)


# --- in words -----------------------------------------------------------------------------------


def _names(kind: str, wanted: Iterable[str], offered: Iterable[str]) -> Iterator[str]:
    wanted, offered = list(wanted), list(offered)
    for name in dict.fromkeys(wanted):
        if name not in offered:
            nearest = difflib.get_close_matches(name, offered, n=1, cutoff=0.4)
            hint = f"the nearest is {nearest[0]!r}" if nearest else f"it offers {_list(offered)}"
            yield f"the policy needs {kind} {name!r}, which the environment has not ({hint})"
    yield from _twice(kind, wanted)


def _twice(kind: str, names: list[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"the policy names {kind} {name!r} {names.count(name)} times"


def _one_of(what: str, value: Any, valid: Iterable[str]) -> Iterator[str]:
    if value not in tuple(valid):
        yield f"{what} {value!r}, which is none of {_list(valid)}"


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _joints(env: EnvSpec) -> int:
    """How many joints the arm has, where an action has a number for each."""
    return env.action.dimension - 1 if env.action.control in _JOINTS else _NOMINAL_JOINTS


_NOMINAL_JOINTS = 7
"""Joints of the Panda, the usual arm, where nothing else says how many there are."""


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
