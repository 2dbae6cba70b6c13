"""What may be wrong in what a policy is shown: it is asked anew for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vlabench.contract.prompt import worded
from vlabench.contract.proprio import GRIPPERS, METRES, ROTATIONS
from vlabench.contract.specs import ROTATION_SIZES, CameraSpec, EnvSpec, PromptSpec, StateField
from vlabench.conventions.reading import Reading, Suspect

PANDA_OPENING_M = 0.08
"""Metres between the fingers of the open gripper, where a declaration does not say."""

DOWN = (1.0, 0.0, 0.0, 0.0)
"""The quaternion xyzw of a hand that points down, which axis-angles of LIBERO's go towards."""


def suspects(reading: Reading, env: EnvSpec, instructions: Sequence[str]) -> Iterator[Suspect]:
    """Every fault of what is shown that is tried.

    Args:
        reading: What the policy is shown so far.
        env: What the environment can show.
        instructions: Those of the episodes: wordings that leave them all alike are not tried.
    """
    yield from _images(reading)
    yield from _roles(reading, env)
    yield from _prompts(reading, instructions)
    yield from _states(reading)


def _images(reading: Reading) -> Iterator[Suspect]:
    cameras = reading.spec.cameras
    groups = [tuple(camera.role for camera in cameras)]
    groups += [(camera.role,) for camera in cameras if len(cameras) > 1]
    for roles in filter(None, groups):
        of = f"the image of {roles[0]} is" if len(roles) == 1 else "all images are"
        for rotated, mirrored, name in _ORIENTATIONS:
            turned = tuple(
                replace(
                    camera,
                    rotated=camera.rotated ^ rotated,
                    mirrored=camera.mirrored ^ mirrored,
                )
                if camera.role in roles
                else camera
                for camera in cameras
            )
            yield _anew(f"{of} {name}", "images", _with_cameras(reading, turned))
    if cameras and not reading.probe:
        colours = replace(reading, probe="colours")
        mend = "swap red and blue in the policy's adapter"
        yield _anew("red and blue are swapped", "colours", colours, mend)
    if cameras:
        share = None if any(camera.crop_area for camera in cameras) else 0.9
        cropped = tuple(replace(camera, crop_area=share) for camera in cameras)
        name = "images are not cropped" if share is None else "images are cropped to 0.9"
        yield _anew(name, "crop", _with_cameras(reading, cropped))


_ORIENTATIONS = (
    (True, False, "turned by 180 degrees"),
    (False, True, "mirrored left to right"),
    (True, True, "upside down, left and right as they are"),
)


def _with_cameras(reading: Reading, cameras: tuple[CameraSpec, ...]) -> Reading:
    return replace(reading, spec=replace(reading.spec, cameras=cameras))


def _roles(reading: Reading, env: EnvSpec) -> Iterator[Suspect]:
    """Two cameras swapped, or another one looked through."""
    cameras = {camera.role: camera for camera in reading.spec.cameras}
    if reading.sources:
        return
    roles = sorted(cameras)
    for number, one in enumerate(roles):
        for other in roles[number + 1 :]:
            if _size(cameras[one]) == _size(cameras[other]):
                swapped = replace(reading, sources=((one, other), (other, one)))
                mend = f"cameras: swap the roles {one!r} and {other!r}"
                yield _anew(f"{one} and {other} are swapped", "roles", swapped, mend)
    for role in roles:
        for other in env.cameras:
            if other not in cameras and len(cameras) == 1:
                within = replace(reading, sources=((role, other),))
                mend = f"cameras.role: {role!r} -> {other!r}"
                yield _anew(f"it looks through {other}", "roles", within, mend)


def _size(camera: CameraSpec) -> tuple[int, int]:
    return camera.height, camera.width


def _prompts(reading: Reading, instructions: Sequence[str]) -> Iterator[Suspect]:
    prompt = reading.spec.prompt
    others = [
        replace(prompt, case="as-is"),
        replace(prompt, case="lower"),
        replace(prompt, strip_period=not prompt.strip_period),
        replace(prompt, template="{instruction}"),
        replace(prompt, template="{instruction}."),
    ]
    known = [_all_worded(prompt, instructions)]
    for other in others:
        if (said := _all_worded(other, instructions)) not in known:
            known.append(said)
            within = replace(reading, spec=replace(reading.spec, prompt=other))
            yield _anew(f"the prompt reads {said[0]!r}", "prompt", within)


def _all_worded(prompt: PromptSpec, instructions: Sequence[str]) -> list[str]:
    return [worded(told, prompt) for told in instructions]


def _states(reading: Reading) -> Iterator[Suspect]:
    fields = reading.spec.state
    for number, field in enumerate(fields):
        for other, name in _written(field):
            state = (*fields[:number], other, *fields[number + 1 :])
            within = replace(reading, spec=replace(reading.spec, state=state))
            yield _anew(f"the state has {field.source} {name}", "state", within)


def _written(field: StateField) -> Iterator[tuple[StateField, str]]:
    """Other ways to write a field in as many numbers."""
    if field.source == "ee_quaternion":
        for way in ROTATIONS:
            if way != field.as_ and ROTATION_SIZES[way] == ROTATION_SIZES[field.as_]:
                yield replace(field, as_=way), f"as {way}"
        if field.as_ in ("axis_angle", "quaternion_xyzw", "quaternion_wxyz"):
            towards = None if field.towards else DOWN
            name = "the short way round" if towards is None else "as a hand's that points down"
            yield replace(field, towards=towards), name
    if field.source == "gripper_opening":
        for way, size in GRIPPERS.items():
            if way != field.as_ and size == GRIPPERS[field.as_]:
                scale = (field.scale or PANDA_OPENING_M) if way in METRES else None
                yield replace(field, as_=way, scale=scale), f"as {way}"


def _anew(name: str, family: str, reading: Reading, mend: str = "") -> Suspect:
    return Suspect(name, family, reading, mend=mend, asks_anew=True)
