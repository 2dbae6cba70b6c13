"""What can stand between a policy and an environment, each in half a sentence.

Every check looks at both declarations and says what is wrong, so that all mismatches are told at
once and a user mends them in one go.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator

from vlabench.contract.specs import PROPRIO_FIELDS, CameraSpec, EnvSpec, PolicySpec


def find_mismatches(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    """Everything in which the two do not agree; nothing if they do."""
    for check in _CHECKS:
        yield from check(policy, env)


def _cameras(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    roles = [camera.role for camera in policy.cameras]
    yield from _names("camera", roles, env.cameras)
    for camera in policy.cameras:
        yield from _camera_values(camera)


def _camera_values(camera: CameraSpec) -> Iterator[str]:
    sizes = [(camera.height, camera.width), *([camera.resized] if camera.resized else [])]
    for height, width in sizes:
        if height < 1 or width < 1:
            yield f"camera {camera.role!r} has size {height} x {width}, which is no size"
    if camera.jpeg_quality is not None and not 1 <= camera.jpeg_quality <= 95:
        yield f"camera {camera.role!r} has JPEG quality {camera.jpeg_quality}, not one of 1 to 95"
    if camera.crop_area is not None and not 0 < camera.crop_area <= 1:
        yield f"camera {camera.role!r} keeps {camera.crop_area} of the area, not a share in (0, 1]"


def _proprio(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    known = [field for field in env.proprio if field in PROPRIO_FIELDS]
    yield from _names("proprio field", policy.proprio, known)


def _names(kind: str, wanted: Iterable[str], offered: Iterable[str]) -> Iterator[str]:
    wanted, offered = list(wanted), list(offered)
    for name in dict.fromkeys(wanted):
        if name not in offered:
            nearest = difflib.get_close_matches(name, offered, n=1, cutoff=0.4)
            hint = f"the nearest is {nearest[0]!r}" if nearest else f"it offers {_list(offered)}"
            yield f"the policy needs {kind} {name!r}, which the environment has not ({hint})"
        if wanted.count(name) > 1:
            yield f"the policy names {kind} {name!r} {wanted.count(name)} times"


def _action_kind(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    for field in ("control", "frame", "rotation", "dimension"):
        theirs, ours = getattr(policy.action, field), getattr(env.action, field)
        if theirs != ours:
            yield (
                f"the policy's action has {field} {theirs!r} and the environment's {ours!r}, "
                "and there is no converter between them"
            )
    if policy.action.scale not in ("normalized", "metric"):
        yield (
            f"the policy's action has scale {policy.action.scale!r}, "
            "which is neither 'normalized' nor 'metric'"
        )
    if env.action.scale != "normalized":
        yield f"the environment's action has scale {env.action.scale!r}, not 'normalized'"


def _action_units(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    action = policy.action
    declared = {
        "the policy's max_translation_m": action.max_translation_m,
        "the policy's max_rotation_rad": action.max_rotation_rad,
    }
    if action.scale == "metric":
        for name, value in declared.items():
            if value is not None:
                yield f"{name} is {value}, but its scale is metric, where 1 means 1 m or 1 rad"
        declared = {}
    offered = {
        "the environment's max_translation_m": env.max_translation_m,
        "the environment's max_rotation_rad": env.max_rotation_rad,
    }
    for name, value in (declared | offered).items():
        if value is not None and not (math.isfinite(value) and value > 0):
            yield f"{name} is {value}, not a positive number"


def _gripper(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    for side, action in (("policy", policy.action), ("environment", env.action)):
        ends = (action.gripper_open, action.gripper_close)
        if not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
            yield f"the {side}'s gripper opens at {ends[0]} and closes at {ends[1]}"
    threshold = policy.action.gripper_threshold
    low, high = sorted((policy.action.gripper_open, policy.action.gripper_close))
    if threshold is not None and not low < threshold < high:
        yield f"the policy's gripper threshold {threshold} is not between {low} and {high}"


def _control_rate(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    if policy.control_hz is not None and policy.control_hz != env.control_hz:
        yield (
            f"the policy was trained at {policy.control_hz:g} Hz and the environment runs at "
            f"{env.control_hz:g} Hz"
        )


def _privileged(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    if policy.privileged and not env.privileged:
        yield "the policy reads privileged state, which the environment does not show"


def _chunks(policy: PolicySpec, env: EnvSpec) -> Iterator[str]:
    del env
    for field in ("chunk_length", "executed", "max_batch"):
        if getattr(policy, field) < 1:
            yield f"the policy's {field} is {getattr(policy, field)}, which must be at least 1"
    if policy.executed > policy.chunk_length:
        yield (
            f"the policy executes {policy.executed} actions of an answer that has only "
            f"{policy.chunk_length}"
        )


_CHECKS: tuple[Callable[[PolicySpec, EnvSpec], Iterator[str]], ...] = (
    _cameras,
    _proprio,
    _action_kind,
    _action_units,
    _gripper,
    _control_rate,
    _privileged,
    _chunks,
)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
