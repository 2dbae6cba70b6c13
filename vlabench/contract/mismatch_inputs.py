"""Checks of what a policy sees against what an environment shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import get_args

from vlabench.contract import proprio
from vlabench.contract.controls import joints_of
from vlabench.contract.findings import (
    Found,
    is_positive,
    listed,
    misplaced,
    not_among,
    repeated,
    unoffered,
)
from vlabench.contract.prompt import PLACE
from vlabench.contract.specs import (
    PROPRIO_FIELDS,
    CameraSpec,
    EnvSpec,
    Filter,
    Fit,
    Layout,
    PolicySpec,
    StateField,
)


def _cameras(policy: PolicySpec, env: EnvSpec) -> Found:
    yield from unoffered("camera", [camera.role for camera in policy.cameras], env.cameras)
    keys = [camera.key for camera in policy.cameras if camera.key]
    yield from repeated("camera key", keys)
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
    yield from not_among("has resize_filter", camera.resize_filter, get_args(Filter))
    yield from not_among("has resize_fit", camera.resize_fit, get_args(Fit))
    yield from not_among("has layout", camera.layout, get_args(Layout))
    yield from not_among("has dtype", camera.dtype, ("uint8", "float32"))


def _proprio(policy: PolicySpec, env: EnvSpec) -> Found:
    known = [field for field in env.proprio if field in PROPRIO_FIELDS]
    yield from unoffered("proprio field", policy.proprio, known)


def _state(policy: PolicySpec, env: EnvSpec) -> Found:
    known = [field for field in env.proprio if field in PROPRIO_FIELDS]
    sources = dict.fromkeys(f.source for f in policy.state if f.source != proprio.ZEROS)
    yield from unoffered("state source", sources, known)
    for number, field in enumerate(policy.state):
        if field.source in (*known, proprio.ZEROS):
            wrong = _state_values(field, env)
            yield from (f"state[{number}] ({field.source}) {text}" for text in wrong)


def _state_values(field: StateField, env: EnvSpec) -> Iterator[str]:
    ways = proprio.ways(field.source)
    if field.as_ not in ways:
        yield from not_among("is written as", field.as_, ways)
        return
    size = proprio.natural_size(field, joints_of(env))
    if field.source == proprio.ZEROS and field.size is None:
        yield "has no size; say how many zeros they are"
    if field.size is not None and field.size < max(size, 1):
        yield f"has size {field.size}, and the environment's has {size} numbers"
    if (field.scale is not None) != (field.as_ in proprio.METRES):
        needs = "needs the metres of the open gripper" if field.scale is None else "takes no"
        yield f"as {field.as_!r} {needs} scale"
    elif field.scale is not None and not is_positive(field.scale):
        yield f"has scale {field.scale}, not a positive number"
    yield from misplaced(field.offset, field.turned)
    if field.offset is not None and field.source != "ee_position":
        yield "has an offset, which only 'ee_position' takes"
    if field.turned is not None and field.source != "ee_quaternion":
        yield "is turned, which only 'ee_quaternion' can be"
    if field.towards is not None and field.as_ not in proprio.SIGNED:
        yield f"has a side to turn towards, which {field.as_!r} has not"
    if field.towards is not None and not is_positive(math.hypot(*field.towards)):
        yield f"turns towards {field.towards}, which is no direction"


def _prompt(policy: PolicySpec, env: EnvSpec) -> Found:
    del env
    times = policy.prompt.template.count(PLACE)
    if times != 1:
        said = f"the prompt's template {policy.prompt.template!r}"
        yield f"{said} has {PLACE} {times} times, not once"
    yield from not_among("the prompt's case is", policy.prompt.case, ("as-is", "lower", "upper"))


def _needs(policy: PolicySpec, env: EnvSpec) -> Found:
    for need in policy.needs:
        if need not in env.needs:
            yield f"the policy needs {need!r}, and the environment offers {listed(env.needs)}"


def _privileged(policy: PolicySpec, env: EnvSpec) -> Found:
    if policy.privileged and not env.privileged:
        yield "the policy reads privileged state, which the environment does not show"


def _facts(policy: PolicySpec, env: EnvSpec) -> Found:
    """What it says of itself, which goes onto the leaderboard."""
    del env
    yield from not_among("the weight_type is", policy.weight_type, ("", "shared", "finetuned"))
    if policy.params is not None and (type(policy.params) is not int or policy.params < 0):
        yield f"it has {policy.params!r} parameters, which is no number of them"


CHECKS: tuple[Callable[[PolicySpec, EnvSpec], Found], ...] = (
    _cameras,
    _proprio,
    _state,
    _prompt,
    _needs,
    _privileged,
    _facts,
)
