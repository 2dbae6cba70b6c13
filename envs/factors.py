"""Looks through the factors of an episode before a scene is made of them.

Drawn factors are right; those that somebody has written or changed may not be. Each mistake is told
in one sentence: what is wrong, where, and how to mend it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeAlias

from vlabench.envs.axes import (
    background,
    combination,
    from_stage,
    lighting,
    physics,
    table_texture,
)
from vlabench.envs.axes.object_appearance import MATERIALS, SHADES
from vlabench.envs.draw import JOINTS, is_extra
from vlabench.envs.embodiments import embodiment as robot_called
from vlabench.envs.fixtures.base import Fixture, fixture
from vlabench.envs.objects.catalog import SHAPE_COORDINATES, category
from vlabench.envs.scene import fixtures_in, roles_in
from vlabench.envs.tasks.base import Task
from vlabench.envs.views import FACTOR as CAMERA
from vlabench.errors import UnknownNameError, UsageError
from vlabench.types import Json

Rule: TypeAlias = tuple[Callable[[Json], bool], str]
"""Whether a value is right, and what it must be."""


def check_factors(factors: Mapping[str, Json], kind: Task, embodiment: str = "") -> None:
    """Looks through all factors of one episode.

    Args:
        factors: Of the episode.
        kind: Its task.
        embodiment: The robot that the episode names beside its factors; empty for none.

    Raises:
        UsageError: If one is missing, unknown or wrong.
    """
    _check_names(factors, kind)
    for name, value in factors.items():
        is_right, wanted = _rule_of(name)
        if not is_right(value):
            raise UsageError(
                f"The factor {name!r} of an episode of {kind.name!r} is {value!r}; "
                f"it must be {wanted}."
            )
    _check_robot(factors, embodiment)
    _check_surfaces(factors)
    for role in roles_in(factors):
        _check_object(role, factors)
    for name in kind.fixtures:
        _check_fixture(fixture(name), factors)
    _check_goals(factors, kind)
    if from_stage.FACTOR in factors:
        _check_begin(factors, kind)


# --- which there are --------------------------------------------------------------------------

_OF_OBJECTS = ("category", "shape", "color", "pose")
_OF_FIXTURES = ("shape", "color", "pose", "parts")
_MAY_BE = {"scale", "lying", "on", "shade", "material"}


def _check_names(factors: Mapping[str, Json], kind: Task) -> None:
    added = [role for role in roles_in(factors) if is_extra(role)]
    objects = [*(role.name for role in kind.roles), *added]
    needed = set(_RULES) - _OPTIONAL
    needed |= {f"{role}.{what}" for role in objects for what in _OF_OBJECTS}
    needed |= {f"{name}.{what}" for name in kind.fixtures for what in _OF_FIXTURES}
    needed |= {f"{room.name}.pose" for room in kind.rooms}
    needed |= {f"{role.name}.on" for role in kind.roles if role.on is not None}
    needed |= {"chain"} if kind.chain else set()
    for name in sorted(needed - factors.keys()):
        raise UsageError(
            f"An episode of {kind.name!r} lacks the factor {name!r}; "
            "start from the factors of a drawn episode and change those."
        )
    known = needed | _OPTIONAL | {f"{role}.{what}" for role in objects for what in _MAY_BE}
    for name in sorted(factors.keys() - known):
        raise UnknownNameError("factor", name, known, f"an episode of {kind.name!r}")


# --- what they are ----------------------------------------------------------------------------


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Json) -> bool:
    return _is_number(value) and value > 0


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _numbers(count: int) -> Callable[[Json], bool]:
    return lambda value: _is_list(value) and len(value) == count and all(map(_is_number, value))


def _is_shape(value: Json) -> bool:
    return _numbers(SHAPE_COORDINATES)(value) and all(0 <= u <= 1 for u in value)


def _is_parts(value: Json) -> bool:
    return isinstance(value, Mapping) and all(
        _is_number(share) and 0 <= share <= 1 for share in value.values()
    )


def _values(keys: Mapping[str, Json], is_right: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda value: (
        isinstance(value, Mapping)
        and value.keys() == keys.keys()
        and all(map(is_right, value.values()))
    )


def _is_camera(value: Json) -> bool:
    return _values(_CAMERA, _is_number)(value) and value["distance"] > 0


def _is_room(value: Json) -> bool:
    return _values({"wall": "", "floor": ""}, _is_text)(value)


def _is_noise(value: Json) -> bool:
    return value is None or (
        isinstance(value, Mapping)
        and value.keys() == {"kind", "severity", "seed"}
        and value["kind"] in _NOISES
        and _is_positive(value["severity"])
        and isinstance(value["seed"], int)
    )


def _is_events(value: Json) -> bool:
    return _is_list(value) and all(
        isinstance(event, Mapping)
        and {"near", "within_m", "do"} <= event.keys()
        and _is_number(event["within_m"])
        and isinstance(event["do"], Mapping)
        and "kind" in event["do"]
        for event in value
    )


def _is_cast(value: Json) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _is_phrase(value: Json) -> bool:
    return isinstance(value, Mapping) and {"kind", "template", "synonym"} <= value.keys()


def _is_diagnostic(value: Json) -> bool:
    return isinstance(value, Mapping) and value.get("kind") in _DIAGNOSTICS


def _is_begin(value: Json) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"reached", "objects", "parts"}
        and _is_list(value["reached"])
        and all(isinstance(k, int) for k in value["reached"])
        and all(isinstance(value[of], Mapping) for of in ("objects", "parts"))
        and all(map(_numbers(7), value["objects"].values()))
        and all(map(_is_number, value["parts"].values()))
    )


_CAMERA = {"azimuth_deg": 0.0, "elevation_deg": 0.0, "distance": 1.0}
_NOISES = ("blur", "gaussian", "jpeg", "occlusion")
_DIAGNOSTICS = ("absent", "empty", "swapped")

_RULES: Mapping[str, Rule] = {
    "embodiment": (_is_text, "the name of a robot"),
    "robot": (_numbers(JOINTS), f"{JOINTS} finite numbers, the radians of each joint from home"),
    table_texture.FACTOR: (_is_text, "the name of a table top"),
    background.FACTOR: (_is_room, "the names of a 'wall' and a 'floor'"),
    lighting.FACTOR: (
        _values(lighting.NOMINAL, _is_number),
        f"a finite number for each of {', '.join(lighting.NOMINAL)}",
    ),
    CAMERA: (
        _is_camera,
        f"a finite number for each of {', '.join(_CAMERA)}, the distance greater than 0",
    ),
    physics.FACTOR: (
        _values(physics.NOMINAL, _is_positive),
        f"a number greater than 0 for each of {', '.join(physics.NOMINAL)}",
    ),
    "noise": (_is_noise, f"null, or a kind ({', '.join(_NOISES)}), a severity and a seed"),
    "events": (_is_events, "a list of events, each with near, within_m and do (with its kind)"),
    "cast": (_is_cast, "a name for each argument"),
    "phrase": (_is_phrase, "a kind, a template and a synonym"),
    "chain": (lambda value: isinstance(value, int), "a whole number of stages"),
    "diagnostic": (_is_diagnostic, f"a kind: {', '.join(_DIAGNOSTICS)}"),
    from_stage.FACTOR: (
        _is_begin,
        "the numbers of the stages 'reached', 7 finite numbers for each of the 'objects' and one "
        "for each of the 'parts'",
    ),
    combination.FACTOR: (_is_list, "a list of the changes that were taken"),
}
_OPTIONAL = {"chain", "diagnostic", from_stage.FACTOR, combination.FACTOR}

_RULES_OF_THINGS: Mapping[str, Rule] = {
    "category": (_is_text, "the name of a category"),
    "color": (_is_text, "the name of a colour"),
    "material": (_is_text, "the name of a held-out material"),
    "on": (_is_text, "the role on which it starts"),
    "lying": (lambda value: isinstance(value, bool), "true or false"),
    "pose": (_numbers(3), "three finite numbers, x and y in metres and the yaw in radians"),
    "scale": (_is_positive, "a number greater than 0"),
    "shade": (lambda value: isinstance(value, int), "a whole number"),
    "shape": (_is_shape, f"{SHAPE_COORDINATES} numbers from 0 to 1"),
    "parts": (_is_parts, "a share of its travel, from 0 to 1, for each part"),
}


def _rule_of(name: str) -> Rule:
    return _RULES.get(name) or _RULES_OF_THINGS[name.rpartition(".")[2]]


# --- what they name ---------------------------------------------------------------------------


@cache
def _surfaces() -> Mapping[str, frozenset[str]]:
    """The kind of a surface to all that there are."""
    pools = {"table top": table_texture.TABLES, "wall": background.WALLS}
    pools["floor"] = background.FLOORS
    return {
        kind: frozenset(name for pool in found.values() for name in pool)
        for kind, found in pools.items()
    }


def _check_surfaces(factors: Mapping[str, Json]) -> None:
    named = {"table top": factors[table_texture.FACTOR], **factors[background.FACTOR]}
    for kind, known in _surfaces().items():
        if named[kind] not in known:
            raise UnknownNameError(kind, named[kind], known, "the factors of an episode")


def _check_robot(factors: Mapping[str, Json], embodiment: str) -> None:
    robot_called(factors["embodiment"])
    if embodiment and factors["embodiment"] != embodiment:
        raise UsageError(
            f"The episode is for the robot {embodiment!r}, but its factor 'embodiment' is "
            f"{factors['embodiment']!r}; make them the same."
        )


def _check_object(role: str, factors: Mapping[str, Json]) -> None:
    kind, color = category(factors[f"{role}.category"]), factors[f"{role}.color"]
    if color not in kind.colors:
        raise UsageError(
            f"The factor '{role}.color' is {color!r}, but a {kind.name} comes in "
            f"{', '.join(kind.colors)}; take one of these."
        )
    shade, material = factors.get(f"{role}.shade"), factors.get(f"{role}.material")
    if shade is not None and not 0 <= shade < len(SHADES.get(color, ())):
        raise UsageError(
            f"The factor '{role}.shade' is {shade}, but {color!r} has {len(SHADES.get(color, ()))} "
            "held-out shades, counted from 0; take one of these."
        )
    if material is not None and material not in MATERIALS:
        raise UnknownNameError("material", material, MATERIALS, f"the factor '{role}.material'")
    support = factors.get(f"{role}.on")
    if support is not None and f"{support}.category" not in factors:
        raise UnknownNameError("role", support, roles_in(factors), f"the factor '{role}.on'")


def _check_fixture(kind: Fixture, factors: Mapping[str, Json]) -> None:
    color, parts = factors[f"{kind.name}.color"], factors[f"{kind.name}.parts"]
    if color not in kind.colors:
        raise UsageError(
            f"The factor '{kind.name}.color' is {color!r}, but the {kind.name} comes in "
            f"{', '.join(kind.colors)}; take one of these."
        )
    if parts.keys() != {part.name for part in kind.parts}:
        raise UsageError(
            f"The factor '{kind.name}.parts' has {', '.join(parts) or 'nothing'}, but the parts "
            f"are {', '.join(part.name for part in kind.parts)}; give a share for each."
        )


def _check_goals(factors: Mapping[str, Json], kind: Task) -> None:
    """Whether all that goals and events speak of is there."""
    parts = [part.name for name in fixtures_in(factors) for part in fixture(name).parts]
    things = {*roles_in(factors), *parts}
    cast: Mapping[str, str] = factors["cast"]
    for argument in kind.choices.keys() - cast.keys():
        raise UsageError(
            f"The factor 'cast' of an episode of {kind.name!r} lacks {argument!r}; give one of "
            f"{', '.join(kind.choices[argument])}."
        )
    for argument, name in cast.items():
        known = {*kind.choices.get(argument, things)} | (things if argument in things else set())
        if name not in known:
            raise UnknownNameError(argument, name, known, "the factor 'cast'")
    for event in factors["events"]:
        if event["near"] not in things:
            raise UnknownNameError("thing", event["near"], things, "the factor 'events'")
    if kind.chain and factors["chain"] not in kind.chain:
        raise UsageError(
            f"The factor 'chain' is {factors['chain']}, but {kind.name!r} asks for "
            f"{', '.join(map(str, kind.chain))} stages; take one of these."
        )


def _check_begin(factors: Mapping[str, Json], kind: Task) -> None:
    """Whether an episode that begins in the middle says where all is, and what is left to do."""
    begin, count = factors[from_stage.FACTOR], len(kind.asked(factors))
    parts = [part for name in fixtures_in(factors) for part in fixture(name).parts]
    there = {"objects": {*roles_in(factors)}, "parts": {part.name for part in parts if part.travel}}
    for of, names in there.items():
        if begin[of].keys() != names:
            raise UsageError(
                f"The factor {from_stage.FACTOR!r} has the {of} {', '.join(begin[of]) or 'none'}, "
                f"but there are {', '.join(sorted(names)) or 'none'}; say where each is."
            )
    reached = sorted(begin["reached"])
    possible = reached == sorted({*reached} & {*range(count)}) and len(reached) < count
    if not possible or (kind.ordered and reached != [*range(len(reached))]):
        raise UsageError(
            f"The factor {from_stage.FACTOR!r} has reached the stages {begin['reached']} of "
            f"{kind.name!r}; give fewer than {count} of those from 0 to {count - 1}"
            f"{', the first ones' if kind.ordered else ', each once'}."
        )
