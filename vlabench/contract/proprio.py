"""A policy's state vector, made of the canonical fields of proprioception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from vlabench.contract.rotations import (
    Quaternion,
    as_it_is,
    from_quaternion,
    multiply,
    to_quaternion,
    towards,
)
from vlabench.contract.specs import ROTATION_SIZES, Rotation, StateField
from vlabench.types import Floats

ZEROS = "zeros"
"""The source of padding."""

SAME = "same"

ROTATIONS = tuple(name for name in ROTATION_SIZES if name != "none")
GRIPPERS: Mapping[str, int] = {"opening": 1, "closing": 1, "width": 1, "fingers": 2}
"""Ways to write a gripper's opening, and how many numbers each takes."""

SIGNED = ("axis_angle", "quaternion_xyzw", "quaternion_wxyz")
"""Ways to write a rotation that tell a quaternion from its negative."""

OF_JOINTS = frozenset({"joint_positions", "joint_velocities"})
"""Fields with a number for each joint of the arm."""

METRES = ("width", "fingers")
"""Those that must know how wide the open gripper is."""


FIELD_SIZES: Mapping[str, int] = {"ee_position": 3, "ee_quaternion": 4, "gripper_opening": 1}
"""Numbers of each canonical field; those of the joints are as many as the arm has."""


def size_of(part: StateField) -> int | None:
    """How many numbers `part` makes of a state vector; None where that depends on the arm."""
    if part.size is not None:
        return part.size
    match part.source:
        case "ee_quaternion" if part.as_ in ROTATION_SIZES:
            return ROTATION_SIZES[cast(Rotation, part.as_)]
        case "gripper_opening":
            return GRIPPERS.get(part.as_, FIELD_SIZES[part.source])
        case source:
            return FIELD_SIZES.get(source)


def ways(source: str) -> tuple[str, ...]:
    """How the field `source` can be written: the values of `StateField.as_`."""
    match source:
        case "ee_quaternion":
            return ROTATIONS
        case "gripper_opening":
            return tuple(GRIPPERS)
        case _:
            return (SAME,)


def natural_size(field: StateField, joints: int) -> int:
    """How many numbers `field` has by itself, for an arm of `joints` joints."""
    match field.source:
        case "ee_position":
            return 3
        case "ee_quaternion":
            return ROTATION_SIZES[field.as_]
        case "gripper_opening":
            return GRIPPERS[field.as_]
        case "joint_positions" | "joint_velocities":
            return joints
        case _:
            return 0


def state_vector(fields: Sequence[StateField], proprio: Mapping[str, Floats]) -> Floats:
    """``(D,)``: the fields one after another.

    Raises:
        ValueError: If a field is longer than its `size`.
    """
    parts = [_sized(field, _numbers(field, proprio)) for field in fields]
    return np.concatenate(parts) if parts else np.zeros(0)


def describe(field: StateField) -> str:
    """What of the state it is, in a few words."""
    if field.source == ZEROS:
        return f"{field.size} zeros"
    said = field.source if field.as_ == SAME else f"{field.source} as {field.as_}"
    if field.scale is not None:
        said += f" of {field.scale:g} m"
    if field.offset is not None:
        said += " + ({:g}, {:g}, {:g}) m".format(*field.offset)
    if field.turned is not None:
        said += " turned by ({:g}, {:g}, {:g}, {:g}) xyzw".format(*field.turned)
    if field.towards is not None:
        said += " towards ({:g}, {:g}, {:g}, {:g}) xyzw".format(*field.towards)
    return said if field.size is None else f"{said} in {field.size} numbers"


def _numbers(field: StateField, proprio: Mapping[str, Floats]) -> Floats:
    if field.source == ZEROS:
        return np.zeros(0)
    value = proprio[field.source]
    match field.source:
        case "ee_quaternion":
            return np.array(_rotation(field, value))
        case "gripper_opening":
            return np.array(_gripper(field, float(value[0])))
        case "ee_position" if field.offset is not None:
            return np.add(value, field.offset, dtype=np.float64)
        case _:
            return value.astype(np.float64)


def _rotation(field: StateField, quaternion: Floats) -> tuple[float, ...]:
    rotation: Quaternion = to_quaternion(quaternion.tolist(), "quaternion_xyzw")
    if field.turned is not None:
        rotation = multiply(rotation, to_quaternion(field.turned, "quaternion_xyzw"))
    kind = cast(Rotation, field.as_)
    if field.towards is None:
        return from_quaternion(rotation, kind)
    return as_it_is(towards(rotation, field.towards), kind)


def _gripper(field: StateField, opening: float) -> list[float]:
    metres = opening * (field.scale or 0.0)
    return {
        "opening": [opening],
        "closing": [1 - opening],
        "width": [metres],
        "fingers": [metres / 2, -metres / 2],
    }[field.as_]


def _sized(field: StateField, numbers: Floats) -> Floats:
    size = len(numbers) if field.size is None else field.size
    if len(numbers) > size:
        raise ValueError(f"{field.source} has {len(numbers)} numbers, and {size} were agreed")
    return np.concatenate([numbers, np.zeros(size - len(numbers))])
