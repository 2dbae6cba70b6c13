"""Pick and place: take a thing from above and put it on, into or beside another, or aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from vlabench.policies.expert.grasping import (
    PALM,
    descend,
    foot_of,
    holding,
    middle_of,
    pick,
    top_of,
)
from vlabench.policies.expert.motion import (
    CLOSE,
    REACH,
    REST,
    Motion,
    angle,
    frame,
    let_go,
    move,
    pointing_down,
    regroup,
    retreat,
    rise,
    towards,
    wait,
)
from vlabench.types import Floats, ObjectState, PartState, PrivilegedState

Spot: TypeAlias = Callable[[PrivilegedState], Floats]

AREA = ((0.36, 0.67), (-0.3, 0.3))
"""Metres from the robot's base: where a thing can be put aside, in x and in y."""

SIDES: Mapping[str, tuple[float, float]] = {
    "left": (0.0, 1.0),
    "right": (0.0, -1.0),
    "front": (-1.0, 0.0),
    "behind": (1.0, 0.0),
}
"""Side of a thing to its direction, as the robot sees it."""

WALL = 0.025
"""Metres between a thing, or an open hand, and the wall of what it is put into."""

DEEP = 0.09
"""Height in metres of walls between which a hand must turn to fit."""

SETTLE_STEPS = 8
"""Control steps in which a thing that was let go comes to rest."""

LIFT = 0.15
"""Metres by which a thing is lifted for its own sake."""


def pick_and_place(state: PrivilegedState, name: str, place: str) -> Motion:
    """Takes the object `name` and puts it on or into `place`, an object or a part of a fixture."""
    spot = _spot_in(state, name, place)
    state = yield from pick(state, name)
    if not holding(state, name):
        return (yield from regroup(state))
    return (yield from _put(state, name, spot, _rotation_in(state, place)))


def place_beside(state: PrivilegedState, name: str, side: str, target: str) -> Motion:
    """Takes the object `name` and puts it on the table on that side of `target`."""
    state = yield from pick(state, name)
    if not holding(state, name):
        return (yield from regroup(state))
    x, y = SIDES[side]
    hand_level = float(state.hand_position[2] - foot_of(state.objects[name])[2])
    if state.objects[target].height > hand_level + PALM - 0.015:
        # so tall that the hand meets it: its narrow side towards it
        rotation = _closing_along((-y, x))
        distance = state.objects[name].radius + 0.03
    else:
        rotation = _closing_along((0.0, 1.0))
        distance = _half_width(state, name, across=y != 0.0)
    distance += state.objects[target].radius

    def spot(now: PrivilegedState) -> Floats:
        at = middle_of(now.objects[target])
        return np.array([at[0] + distance * x, at[1] + distance * y, now.table_height])

    return (yield from _put(state, name, spot, rotation))


def put_aside(state: PrivilegedState, name: str, place: str) -> Motion:
    """Takes the object `name` off `place` and puts it on the table where there is room."""
    free = _free_spot(state, name)
    state = yield from pick(state, name)
    if not holding(state, name):
        return (yield from regroup(state))
    return (yield from _put(state, name, lambda _: free, pointing_down(state.hand_rotation)))


def lift(state: PrivilegedState, name: str) -> Motion:
    """Takes the object `name` and holds it up for as long as it stays in the hand."""
    state = yield from pick(state, name)
    rotation = state.hand_rotation
    goal = state.hand_position + np.array([0.0, 0.0, LIFT - 0.1])
    while holding(state, name):
        state = yield towards(state, goal, rotation, CLOSE)
    return (yield from retreat(state))


def _put(state: PrivilegedState, name: str, spot: Spot, rotation: Floats) -> Motion:
    """Carries what is held above `spot`, lowers it and lets go."""
    level = _carry_height(state, name, spot)

    def at(now: PrivilegedState) -> tuple[Floats, Floats]:
        above = np.array([0.0, 0.0, 0.006])
        return spot(now) + above + now.hand_position - foot_of(now.objects[name]), rotation

    def over(now: PrivilegedState) -> tuple[Floats, Floats]:
        x, y, _ = at(now)[0]
        return np.array([x, y, level]), rotation

    def lost(now: PrivilegedState) -> bool:
        return not holding(now, name)

    state = yield from rise(state, level, CLOSE)
    state = yield from move(state, over, CLOSE, tolerance=0.008, unless=lost)
    if lost(state):
        return (yield from retreat(state))
    state = yield from descend(state, at, CLOSE, speed=0.5, slack=0.006)
    state = yield from wait(state, 2, CLOSE)
    state = yield from let_go(state)
    state = yield from retreat(state)
    return (yield from wait(state, SETTLE_STEPS))


def _carry_height(state: PrivilegedState, name: str, spot: Spot) -> float:
    """Hand height at which what hangs below it clears everything on the way."""
    hanging = float(state.hand_position[2] - foot_of(state.objects[name])[2])
    on_the_way = [float(spot(state)[2]) + 0.09]
    on_the_way += [top_of(other) for key, other in state.objects.items() if key != name]
    on_the_way += [_walls_of(part) for part in state.parts.values() if part.kind == "basin"]
    return min(max(on_the_way) + hanging + 0.03, state.table_height + 0.4)


def _walls_of(basin: PartState) -> float:
    """The height to which the walls of a basin reach, or the roof over them."""
    return float(basin.interior[2] + basin.interior_size[2])


def _rotation_in(state: PrivilegedState, place: str) -> Floats:
    """The hand's rotation over a place.

    Over a drawer it turns its narrow side to the handles above; between walls that are as high as
    its fingers it turns along them.
    """
    part = state.parts.get(place)
    if part is not None and part.kind == "drawer":
        return _closing_along(_across(state, place))
    if part is None or part.kind != "basin" or part.interior_size[2] < DEEP:
        return pointing_down(state.hand_rotation)
    x, y, _ = part.handle_rotation[:, 1]
    return _closing_along((float(x), float(y)))


# --- where to put it --------------------------------------------------------------------------


def _spot_in(state: PrivilegedState, name: str, place: str) -> Spot:
    """Where the foot of a thing goes on or in `place`: its middle, or apart from what is there."""
    thing, origin = state.objects[name], _floor(state, place)
    offsets = [np.zeros(3)]
    if place in state.parts and state.parts[place].kind == "drawer":
        offsets = [_to_the_front(state, thing, place)]
    elif _takers(state, place) > 1:
        offsets = _spread(state, thing, place)
    others = [other for key, other in state.objects.items() if key not in {name, place}]

    def crowding(offset: Floats) -> tuple[float, float]:
        at = origin + offset
        near = max((_overlap(at, thing, other) for other in others), default=0.0)
        return round(max(0.0, near), 3), -float((offset * offset).sum())

    best = min(offsets, key=crowding)
    below = [top_of(o) for o in others if _overlap(origin + best, thing, o) > thing.radius]
    pile = max([float(origin[2]), *below]) - float(origin[2])

    def spot(now: PrivilegedState) -> Floats:
        point: Floats = _floor(now, place) + best + np.array([0.0, 0.0, pile])
        return point

    return spot


def _overlap(at: Floats, thing: ObjectState, other: ObjectState) -> float:
    """Metres by which a thing at a point of the floor would be too near to another."""
    middle = middle_of(other)
    beside = math.hypot(float(middle[0] - at[0]), float(middle[1] - at[1]))
    return thing.radius + other.radius - beside


def _floor(state: PrivilegedState, place: str) -> Floats:
    """The middle of the surface on which things are put down."""
    if place in state.parts:
        floor: Floats = state.parts[place].interior + np.array([0.0, 0.0, 0.006])
        return floor
    support = state.objects[place]
    surface: Floats = support.position + np.array([0.0, 0.0, support.surface_height])
    return surface


def _to_the_front(state: PrivilegedState, thing: ObjectState, place: str) -> Floats:
    """From the middle of a drawer towards its front, clear of the handles above it."""
    drawer = state.parts[place]
    room = float(drawer.interior_size[0]) / 2 - thing.radius - 0.012
    offset: Floats = min(max(room, 0.01), 0.045) * drawer.handle_rotation[:, 0]
    return offset


def _across(state: PrivilegedState, place: str) -> tuple[float, float]:
    """The level direction along the front of a drawer."""
    x, y, _ = (float(part) for part in state.parts[place].handle_rotation[:, 0])
    length = math.hypot(x, y)
    return (-y / length, x / length)


def _takers(state: PrivilegedState, place: str) -> int:
    """How many things are to be put there."""
    goals = {goal.arguments for stage in state.stages for goal in stage.goals}
    return sum(arguments[1:] == (place,) for arguments in goals)


def _spread(state: PrivilegedState, thing: ObjectState, place: str) -> list[Floats]:
    """Offsets from the middle of a floor, over all of it that the thing can stand on."""
    if place in state.parts:
        part = state.parts[place]
        margin = max(thing.radius, state.hand.max_opening / 2) + WALL
        x, y = (max(0.0, float(part.interior_size[k]) / 2 - margin) for k in (0, 1))
        axes = part.handle_rotation
        steps = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
        return [a * x * axes[:, 0] + b * y * axes[:, 1] for a, b in steps]
    radius = max(0.0, state.objects[place].surface_radius - thing.radius)
    turns = [k * math.pi / 4 for k in range(8)]
    ring = [np.array([radius * math.cos(t), radius * math.sin(t), 0.0]) for t in turns]
    return [np.zeros(3), *ring]


def _free_spot(state: PrivilegedState, name: str) -> Floats:
    """The point of the table nearest to a thing that has room for it."""
    thing = state.objects[name]
    others = [other for key, other in state.objects.items() if key != name]
    (near, far), (right, left) = AREA
    columns, rows = int((far - near) / 0.03), int((left - right) / 0.03)
    points = [
        np.array([near + 0.03 * i, right + 0.03 * j, state.table_height])
        for i in range(columns + 1)
        for j in range(rows + 1)
        if math.hypot(near + 0.03 * i, right + 0.03 * j) < REACH
    ]

    def cost(point: Floats) -> tuple[float, float]:
        crowded = max(_overlap(point, thing, other) + 0.04 for other in others)
        offset = point - foot_of(thing)
        return round(max(0.0, crowded), 3), float((offset * offset).sum())

    return min(points, key=cost)


def _closing_along(direction: tuple[float, float]) -> Floats:
    """A hand that points down and closes along a direction, one way or the other."""
    x, y = direction
    candidates = [
        frame(np.array([0.0, 0.0, -1.0]), np.array([sign * x, sign * y, 0.0]))
        for sign in (1.0, -1.0)
    ]
    nearest: Floats = min(candidates, key=lambda turned: angle(REST.T @ turned))
    return nearest


def _half_width(state: PrivilegedState, name: str, *, across: bool) -> float:
    """From the middle of what is held to its edge, and as far again as a hand needs to let go."""
    thing = state.objects[name]
    offset = middle_of(thing) - state.hand_position
    aside = math.hypot(float(offset[0]), float(offset[1]))
    if not across:
        return thing.radius + 0.03
    if aside > 0.012:  # held by its rim
        return thing.radius + 0.045
    half_open = state.hand.max_opening / 2
    return max(state.gripper_opening_m / 2 + 0.025, half_open + 0.025)
