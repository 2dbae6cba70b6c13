"""What a vla-eval server says of itself in its hello, held against a declaration.

The hello carries ``action_spec`` and ``observation_spec``, whose parts are named formats
(``src/vla_eval/specs.py`` of allenai/vla-evaluation-harness), and ``observation_params``, what the
server wants its benchmark to be set to. Formats that promise nothing (``raw``, ``continuous_01``)
are passed over; one that is not known here cannot be checked, and is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from vlabench.contract.declared import disagreements
from vlabench.contract.specs import ActionSpec, Control, PolicySpec, Rotation
from vlabench.contract.wire import Plain
from vlabench.policies.vectors import state_size

PROTOCOL_VERSION = 1

_POSITIONS: Mapping[str, Control] = {"delta_xyz": "ee_delta", "absolute_xyz": "ee_pose"}
_ROTATIONS: Mapping[str, Rotation] = {
    "axis_angle": "axis_angle",
    "euler_xyz": "euler_xyz",
    "quaternion_xyzw": "quaternion_xyzw",
}
_GRIPPERS: Mapping[str, tuple[float, float]] = {
    "binary_close_positive": (-1.0, 1.0),
    "binary_close_negative": (1.0, -1.0),
    "binary_close_01": (0.0, 1.0),
}
"""Format to the numbers that open and that close."""

_STATES: Mapping[str, tuple[str, int]] = {
    "eef_pos3_axisangle3_gripper2": ("axis_angle", 8),
    "eef_pos3_euler3_gripper2": ("euler_xyz", 8),
    "eef_pos3_quat4_gripper1": ("quaternion_xyzw", 8),
}
"""Format to how the hand's rotation is written, and how many numbers there are."""

_SILENT = frozenset({"raw", "continuous_01", "joint_positions"})
"""Formats that say nothing that could be compared."""

_IMAGE = "rgb_hwc_uint8"


def differences(hello: Mapping[str, Plain], spec: PolicySpec, name: str) -> list[str]:
    """Every point in which a server's hello and a declaration disagree, with both sides.

    Args:
        hello: The payload of the server's hello.
        spec: What was declared.
        name: Who declared it, for example ``"the card 'pi05'"``.
    """
    version = hello.get("protocol_version", PROTOCOL_VERSION)
    if version != PROTOCOL_VERSION:
        return [
            f"protocol_version is {PROTOCOL_VERSION} here and {version!r} in the server's hello"
        ]
    action, observation, wishes = (
        part if isinstance(part := hello.get(key), dict) else {}
        for key in ("action_spec", "observation_spec", "observation_params")
    )
    return [
        *_action(action, wishes, spec, name),
        *_state(observation, wishes, spec, name),
        *_wrist(observation, wishes, spec, name),
    ]


def _action(
    told: Mapping[str, Plain], wishes: Mapping[str, Plain], spec: PolicySpec, name: str
) -> Iterator[str]:
    theirs = spec.action
    for part, known in (
        ("position", _POSITIONS),
        ("rotation", _ROTATIONS),
        ("gripper", _GRIPPERS),
    ):
        form = _format(told, part)
        if form in known:
            theirs = _with(theirs, part, form)
        elif form:
            yield f"action {part} is {form!r} in the server's hello, which no declaration can say"
    if wishes.get("absolute_action") is True:
        theirs = replace(theirs, control="ee_pose")
    sizes = [part.get("dims", 0) for part in told.values() if isinstance(part, dict)]
    if len(sizes) == 3 and all(sizes):
        theirs = replace(theirs, dimension=sum(sizes) + spec.action.padding)
    yield from disagreements(spec, replace(spec, action=theirs), (name, "the server's hello"))


def _with(action: ActionSpec, part: str, form: str) -> ActionSpec:
    match part:
        case "position":
            return replace(action, control=_POSITIONS[form])
        case "rotation":
            return replace(action, rotation=_ROTATIONS[form])
        case _:
            opened, closed = _GRIPPERS[form]
            return replace(action, gripper_open=opened, gripper_close=closed)


def _state(
    told: Mapping[str, Plain], wishes: Mapping[str, Plain], spec: PolicySpec, name: str
) -> Iterator[str]:
    wanted = "state" in told or wishes.get("send_state") is True
    if wanted and not spec.state:
        yield f"state is nothing in {name} and wanted by the server's hello"
        return
    raw = wishes.get("quat_no_antipodal") is True
    if raw and any(f.source == "ee_quaternion" and f.towards is None for f in spec.state):
        yield (
            f"state has its rotation the short way round in {name}, and robosuite's quaternion as "
            "it comes (quat_no_antipodal) in the server's hello"
        )
    form = _format(told, "state")
    if not form or not spec.state:
        return
    if form not in _STATES:
        yield f"state is {form!r} in the server's hello, which no declaration can say"
        return
    size = state_size(spec.state)
    rotation, due = _STATES[form]
    ours = [field.as_ for field in spec.state if field.source == "ee_quaternion"]
    if ours != [rotation] or size != due:
        said = f"{size} numbers with the rotation as {', '.join(ours) or 'nothing'}"
        yield (
            f"state is {said} in {name}, and {due} numbers with the rotation as {rotation} in the "
            "server's hello"
        )


def _wrist(
    told: Mapping[str, Plain], wishes: Mapping[str, Plain], spec: PolicySpec, name: str
) -> Iterator[str]:
    wanted = _format(told, "wrist") == _IMAGE or wishes.get("send_wrist_image") is True
    roles = [camera.role for camera in spec.cameras]
    if wanted and not any(role.startswith("wrist/") for role in roles):
        yield (
            f"cameras are {', '.join(map(repr, roles)) or 'none'} in {name}, and a wrist camera is "
            "wanted by the server's hello"
        )


def _format(told: Mapping[str, Plain], part: str) -> str:
    """The format of a part; empty if nothing is told of it."""
    found = told.get(part)
    form = found.get("format") if isinstance(found, dict) else None
    return form if isinstance(form, str) and form not in _SILENT else ""
