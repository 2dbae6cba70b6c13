"""The policy that knows where things usually are: what can be had without looking.

The averages in ``data/places.json`` are over nominal draws of each task that no suite asks for;
``benchmarks/record_baselines.py`` makes them. Positions are metres in the robot's base frame.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TypeAlias

import numpy as np

from vlabench.policies.expert.grasping import middle_of, top_of
from vlabench.policies.expert.motion import CLOSE_STEPS, Action, turned_about
from vlabench.policies.expert.planner import next_goal
from vlabench.policies.expert.push import FINGERS
from vlabench.policies.expert.scripted import Mind, Scripted
from vlabench.types import FixtureState, Floats, ObjectState, PartState, PrivilegedState

Place: TypeAlias = tuple[float, float, float]
"""x and y in metres, and the heading in radians."""

FELT = 0.003
"""Metres between the fingers above which there is something between them."""

DEEPEST = 0.03
"""Metres by which closed fingers can be in the side of a thing that they push: deeper, they have
come down on it."""

UP: Floats = np.array([0.0, 0.0, 1.0])


class Prior(Scripted):
    """The expert, told only the average place of things.

    Objects and fixtures are believed where their role in the task is on average over nominal draws,
    turned to the average heading; what an axis has added is believed in the middle of them. What
    the hand feels is true: where it is, and whether something is between its fingers. What they
    close on is taken for what was meant: it is believed to move with the hand, and to stay where
    it is let go; so is what closed fingers push.

    It is told more than a blind robot could know, so its rate bounds what can be had without
    looking from above: what shape things have, whether they stand or lie, how far a drawer is open,
    and which goals hold. It takes no arguments.
    """

    def __init__(self) -> None:
        super().__init__("prior", lambda _: Belief())


@dataclass
class Belief(Mind):
    """Where things are believed to be, in one session.

    Attributes:
        objects: Name to what is believed of an object; empty before the first look.
        held: What is believed to be in the hand, and its pose in the hand's frame.
        closing: Control steps for which the fingers have been told to close.
    """

    objects: dict[str, ObjectState] = field(default_factory=dict)
    held: tuple[str, Floats, Floats] | None = None
    closing: int = 0

    def believe(self, state: PrivilegedState, last: Action | None) -> PrivilegedState:
        """`state` with everything where it is believed to be."""
        known = average_places().get(state.task, {})
        if not self.objects:
            middle = _middle(known)
            self.objects = {
                name: _put(thing, known.get(name, middle)) for name, thing in state.objects.items()
            }
        self.closing = self.closing + 1 if last is not None and last[6] > 0 else 0
        believed = replace(
            state,
            objects=self.objects,
            parts={name: _moved(part, state.fixtures, known) for name, part in state.parts.items()},
        )
        self._feel(believed)
        return believed

    def _feel(self, state: PrivilegedState) -> None:
        """Notes what has come of the last action; `state` shares the objects that change."""
        something = self.closing >= CLOSE_STEPS and state.gripper_opening_m > FELT
        if self.held is not None and not something:
            self._drop(state, self.held[0], slipped=self.closing > 0)
        elif self.held is None and something:
            self._take(state)
        if self.held is not None:
            name, position, rotation = self.held
            self.objects[name] = replace(
                self.objects[name],
                position=state.hand_position + state.hand_rotation @ position,
                rotation=state.hand_rotation @ rotation,
            )
        elif self.closing >= CLOSE_STEPS:
            for name in self.objects:
                self._push(state, name)

    def _take(self, state: PrivilegedState) -> None:
        """What was meant is in the hand now, if the hand is where it is believed to be."""
        goal = next_goal(state)
        name = "" if goal is None else goal.arguments[0]
        if name not in self.objects:
            return
        thing, back = self.objects[name], state.hand_rotation.T
        offset = middle_of(thing) - state.hand_position
        if math.sqrt(float((offset * offset).sum())) < max(thing.height, 2 * thing.radius):
            pose = back @ (thing.position - state.hand_position), back @ thing.rotation
            self.held = (name, *pose)

    def _drop(self, state: PrivilegedState, name: str, *, slipped: bool) -> None:
        """What was held stays where it was let go; what slipped lies on the table below."""
        self.held = None
        if slipped:
            thing = self.objects[name]
            low = thing.position[2] - state.table_height
            self.objects[name] = replace(thing, position=thing.position - max(0.0, low) * UP)

    def _push(self, state: PrivilegedState, name: str) -> None:
        """Closed fingers that come against the side of a thing shove it before them."""
        thing = self.objects[name]
        if top_of(thing) < state.hand_position[2] - state.hand.fingertip_reach:
            return
        offset = middle_of(thing) - state.hand_position
        apart = math.hypot(float(offset[0]), float(offset[1]))
        deep = thing.radius + FINGERS - apart
        if 0.0 < deep < DEEPEST:
            along = np.array([offset[0], offset[1], 0.0]) / apart
            self.objects[name] = replace(thing, position=thing.position + deep * along)


# --- where things are on average --------------------------------------------------------------


@cache
def average_places() -> Mapping[str, Mapping[str, Place]]:
    """Task to role or fixture to where it is on average."""
    text = (files("vlabench.policies") / "data" / "places.json").read_text(encoding="utf-8")
    return {
        task: {name: (x, y, heading) for name, (x, y, heading) in places.items()}
        for task, places in json.loads(text).items()
    }


def _middle(known: Mapping[str, Place]) -> Place:
    """The middle of all that is known of a task, or of where things usually stand."""
    places = list(known.values()) or [(0.56, 0.0, 0.0)]
    return (
        sum(x for x, _, _ in places) / len(places),
        sum(y for _, y, _ in places) / len(places),
        0.0,
    )


def _put(thing: ObjectState, place: Place) -> ObjectState:
    """A thing with its middle at a place, turned to a heading; as high and as tilted as it is."""
    lies = abs(float(thing.rotation[2, 2])) < 0.5
    pointer = thing.rotation[:, 2 if lies else 0]
    turn = turned_about(UP, place[2] - math.atan2(float(pointer[1]), float(pointer[0])))
    middle, rotation = middle_of(thing), turn @ thing.rotation
    there: Floats = np.array([place[0], place[1], middle[2]])
    foot: Floats = turn @ (thing.position - middle)
    return replace(thing, position=there + foot, rotation=rotation)


def _moved(
    part: PartState, fixtures: Mapping[str, FixtureState], known: Mapping[str, Place]
) -> PartState:
    """A part as it would be if its fixture stood where it does on average."""
    stands = fixtures[part.fixture]
    x, y, heading = known.get(part.fixture, (*stands.position[:2].tolist(), 0.0))
    now = math.atan2(float(stands.rotation[1, 0]), float(stands.rotation[0, 0]))
    turn = turned_about(UP, heading - now)
    there: Floats = np.array([x, y, stands.position[2]])

    def point(at: Floats) -> Floats:
        beside: Floats = turn @ (at - stands.position)
        return there + beside

    return replace(
        part,
        handle=point(part.handle),
        handle_rotation=turn @ part.handle_rotation,
        axis=turn @ part.axis,
        pivot=point(part.pivot),
        interior=point(part.interior),
    )
