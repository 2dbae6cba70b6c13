"""Two declarations of one policy, compared field by field.

A card and the server that says it runs the card's checkpoint, or two cards of one checkpoint: where
they differ, one of them is wrong, and no environment can tell which.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, is_dataclass

from vlabench.contract.specs import CameraSpec, PolicySpec

NAMES = ("name", "revision", "params", "weight_type")
"""Fields that say what a policy is, and not what its numbers mean."""


def disagreements(
    one: PolicySpec,
    other: PolicySpec,
    names: tuple[str, str],
    *,
    ignored: Collection[str] = NAMES,
) -> list[str]:
    """Every field in which two declarations differ, with both sides; empty if none does.

    Args:
        one: A declaration.
        other: A declaration of the same policy.
        names: What each of them is called, for example ``("the card", "the server")``.
        ignored: Fields of `PolicySpec` that may differ.
    """
    compared = (field.name for field in fields(PolicySpec) if field.name not in ignored)
    return [
        difference
        for name in compared
        for difference in _differences(name, getattr(one, name), getattr(other, name), names)
    ]


def _differences(path: str, one: object, other: object, names: tuple[str, str]) -> Iterator[str]:
    if one == other:
        return
    if is_dataclass(one) and type(one) is type(other):
        for field in fields(one):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            yield from _differences(f"{path}.{field.name}", mine, theirs, names)
    elif path == "cameras" and isinstance(one, tuple) and isinstance(other, tuple):
        yield from _cameras(one, other, names)
    elif isinstance(one, tuple) and isinstance(other, tuple) and _are_alike(one, other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differences(f"{path}[{number}]", mine, theirs, names)
    else:
        yield f"{path} is {_said(one)} in {names[0]} and {_said(other)} in {names[1]}"


def _cameras(
    one: Sequence[CameraSpec], other: Sequence[CameraSpec], names: tuple[str, str]
) -> Iterator[str]:
    """Cameras are told apart by their roles; their order counts too."""
    roles = [[camera.role for camera in cameras] for cameras in (one, other)]
    if sorted(roles[0]) != sorted(roles[1]) or len(set(roles[0])) != len(roles[0]):
        yield f"cameras are {_said(roles[0])} in {names[0]} and {_said(roles[1])} in {names[1]}"
        return
    if roles[0] != roles[1]:
        yield f"cameras come as {_said(roles[0])} in {names[0]} and {_said(roles[1])} in {names[1]}"
    found = {camera.role: camera for camera in other}
    for camera in one:
        yield from _differences(f"camera {camera.role!r}", camera, found[camera.role], names)


def _are_alike(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether both are as many nested declarations, so that a single field can be named."""
    return len(one) == len(other) and all(is_dataclass(value) for value in (*one, *other))


def _said(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(map(repr, value)) or "none"
    if isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        return f"{len(value)} fields"
    return repr(value)
