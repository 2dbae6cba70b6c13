"""What may be wrong in how a policy's answers are understood: no question need be asked anew."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vlabench.contract.controls import DELTAS, OF_JOINTS
from vlabench.contract.specs import ROTATION_SIZES, ActionSpec, EnvSpec
from vlabench.conventions.reading import ARM, Axes, Part, Reading, Suspect, changed

GRIPPERS: Sequence[tuple[float, float]] = ((-1, 1), (1, -1), (0, 1), (1, 0), (0.04, 0), (0.08, 0))
"""The ranges, open and closed, that policies answer in: signs, shares, and metres of the Panda."""

RATES = (3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0)
"""Hertz at which robots are commonly recorded."""

TURNS: Mapping[str, tuple[float, float, float, float]] = {
    "half a turn about x": (1.0, 0.0, 0.0, 0.0),
    "half a turn about y": (0.0, 1.0, 0.0, 0.0),
    "half a turn about z": (0.0, 0.0, 1.0, 0.0),
    "a quarter of a turn about z": (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)),
    "a quarter of a turn back about z": (0.0, 0.0, -math.sqrt(0.5), math.sqrt(0.5)),
    "an eighth of a turn about z": (0.0, 0.0, math.sin(math.pi / 8), math.cos(math.pi / 8)),
    "an eighth of a turn back about z": (0.0, 0.0, -math.sin(math.pi / 8), math.cos(math.pi / 8)),
}
"""How the hand frames of robots' makers differ: quaternions xyzw."""

FEWEST_ROWS = 4
"""An answer shorter than this shows nothing of the rate that it was made for."""


def suspects(reading: Reading, env: EnvSpec) -> Iterator[Suspect]:
    """Every fault of the answer's declaration that is tried, the simplest first."""
    yield from _grippers(reading)
    if reading.spec.action.control in OF_JOINTS:
        yield from _joints(reading)
    else:
        yield from _poses(reading)
    yield from _executed(reading)
    yield from _rates(reading, env)


def last(reading: Reading) -> Iterator[Suspect]:
    """What no declaration can say, or only a fit can find: for what nothing simpler explains."""
    action = reading.spec.action
    if action.control == "ee_delta" and action.frame == "base" and reading.axes is None:
        for axes, name in all_axes():
            mend = f"turn the policy's motions in its adapter: {name} in the base's frame"
            yield Suspect(f"axes are {name}", "frame", replace(reading, axes=axes), ARM, mend)
    if action.control == "ee_pose" and not reading.fit:
        shifted = replace(reading, fit="offset")
        yield Suspect("positions are seen from another origin", "origin", shifted, ("translation",))
    if action.control in DELTAS and not reading.fit:
        size = replace(reading, fit="size")
        mend = "give another unit, or un-normalise with other statistics"
        yield Suspect("numbers have another unit", "scale", size, ARM, mend)
        linear = replace(reading, fit="linear")
        mend = "un-normalise with other statistics, for example another unnorm_key"
        yield Suspect("numbers have other statistics", "scale", linear, ARM, mend)


def _grippers(reading: Reading) -> Iterator[Suspect]:
    action = reading.spec.action
    declared = (action.gripper_open, action.gripper_close)
    ranges = [declared[::-1], *GRIPPERS]
    touched: tuple[Part, ...] = ("gripper",)
    for number, (opened, closed) in enumerate(dict.fromkeys(ranges)):
        if (opened, closed) == declared:
            continue
        name = f"the gripper's range is {opened:g} open, {closed:g} closed"
        within = changed(
            reading,
            gripper_open=float(opened),
            gripper_close=float(closed),
            gripper_threshold=_threshold(action, opened, closed),
        )
        yield Suspect("the gripper is inverted" if not number else name, "gripper", within, touched)
    name = "absolute" if action.gripper_relative else "relative"
    relative = changed(reading, gripper_relative=not action.gripper_relative)
    yield Suspect(f"the gripper's number is {name}", "gripper", relative, touched)


def _threshold(action: ActionSpec, opened: float, closed: float) -> float | None:
    """Where the range is split that was split before: at the same share of it."""
    if action.gripper_threshold is None:
        return None
    whole = action.gripper_close - action.gripper_open
    share = (action.gripper_threshold - action.gripper_open) / whole
    return opened + share * (closed - opened)


def _joints(reading: Reading) -> Iterator[Suspect]:
    action = reading.spec.action
    other = {"joint_delta": "joint_position", "joint_position": "joint_delta"}.get(action.control)
    if other is not None:
        scale = "metric" if other == "joint_position" else action.scale
        within = changed(reading, control=other, scale=scale, max_joint=None)
        name = f"joints are {'changes' if other == 'joint_delta' else 'positions to go to'}"
        yield Suspect(name, "control", within, ("joints",))
    yield from _scales(reading)


def _poses(reading: Reading) -> Iterator[Suspect]:
    action = reading.spec.action
    deltas = action.control == "ee_delta"
    if deltas:
        frame = "base" if action.frame == "hand" else "hand"
        turned = None if frame == "base" else action.turned
        within = changed(reading, frame=frame, turned=turned)
        yield Suspect(f"motions are in the {frame}'s frame", "frame", within, ARM)
        yield from _scales(reading)
    yield from _rotations(reading)
    yield from _controls(reading)
    if not deltas or action.frame == "hand":
        for name, turn in TURNS.items():
            within = changed(reading, turned=turn)
            yield Suspect(f"the hand's frame is {name} away", "frame", within, ARM)


def _scales(reading: Reading) -> Iterator[Suspect]:
    """Metres and radians, or shares of the largest step."""
    action = reading.spec.action
    if action.control in ("ee_pose", "joint_position"):
        return
    other = "metric" if action.scale == "normalized" else "normalized"
    unitless = {"max_translation_m": None, "max_rotation_rad": None, "max_joint": None}
    yield Suspect(f"numbers are {other}", "scale", changed(reading, scale=other, **unitless), ARM)


def _rotations(reading: Reading) -> Iterator[Suspect]:
    """The same numbers, taken for another rotation."""
    action = reading.spec.action
    size = ROTATION_SIZES[action.rotation]
    for rotation, numbers in ROTATION_SIZES.items():
        if numbers == size and rotation != action.rotation:
            within = changed(reading, rotation=rotation)
            yield Suspect(f"rotations are {rotation}", "rotation", within, ("rotation",))
    if action.control == "ee_delta" and action.rotation != "none":
        within = replace(reading, reversed_rotation=not reading.reversed_rotation)
        mend = "turn the policy's rotations round in its adapter"
        yield Suspect("rotations turn the other way", "rotation", within, ("rotation",), mend)


def _controls(reading: Reading) -> Iterator[Suspect]:
    """A change instead of a pose to go to, or the other way round."""
    action = reading.spec.action
    if action.control == "ee_pose":
        scales = ("metric", "normalized") if action.rotation in _SCALABLE else ("metric",)
        for scale in scales:
            within = changed(reading, control="ee_delta", scale=scale, offset=None, turned=None)
            yield Suspect(f"poses are changes, {scale}", "control", within, ARM)
    elif action.rotation != "none":
        pose = changed(
            reading,
            control="ee_pose",
            frame="base",
            scale="metric",
            max_translation_m=None,
            max_rotation_rad=None,
        )
        yield Suspect("changes are poses to go to", "control", pose, ARM)


_SCALABLE = ("axis_angle", "euler_xyz")


def all_axes() -> Iterator[tuple[Axes, str]]:
    """The 47 ways to swap and reverse axes, those that leave the vertical alone first."""
    found: list[tuple[Axes, str]] = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            x, y, z = (_row(axis, sign) for axis, sign in zip(order, signs, strict=True))
            signed = zip(order, signs, strict=True)
            named = [f"{'-' if sign < 0 else ''}{'xyz'[axis]}" for axis, sign in signed]
            found.append(((x, y, z), f"({', '.join(named)})"))
    found.sort(key=lambda one: (one[0][2] != _row(2, 1), _changes(one[0])))
    return iter(found[1:])


def _row(axis: int, sign: int) -> tuple[int, int, int]:
    x, y, z = (sign if number == axis else 0 for number in range(3))
    return x, y, z


def _changes(axes: Axes) -> int:
    return sum(row != _row(number, 1) for number, row in enumerate(axes))


def _executed(reading: Reading) -> Iterator[Suspect]:
    """How many rows are executed, most first: of equal ones the longest is named."""
    spec = reading.spec
    if spec.chunk_length == 1 or spec.ensembling is not None:
        return
    powers = {2**k for k in range(spec.chunk_length.bit_length())}
    for count in sorted({*powers, spec.chunk_length}, reverse=True):
        if count == spec.executed or count > spec.chunk_length:
            continue
        if count > spec.executed and not reading.paced:
            continue  # it is asked of what it sees: nothing tells on the expert's way
        within = replace(reading, spec=replace(spec, executed=count))
        name = f"the first {count} rows of an answer are executed"
        if count == 1:
            name = "only the first row of an answer is executed"
        yield Suspect(name, "executed", within, asks_anew=reading.paced)


def _rates(reading: Reading, env: EnvSpec) -> Iterator[Suspect]:
    """The rate that the rows of an answer are meant for; judged by all of them."""
    spec = reading.spec
    declared = spec.control_hz or env.control_hz
    if spec.chunk_length < FEWEST_ROWS or spec.action.control in ("ee_pose", "joint_position"):
        return
    for hz in RATES:
        if hz != declared:
            span = int(spec.chunk_length * env.control_hz / max(hz, declared))
            within = replace(reading, spec=replace(spec, control_hz=hz), hz=hz, span=max(span, 2))
            yield Suspect(f"rows are made for {hz:g} Hz", "rate", within)
