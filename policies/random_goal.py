"""The policy that picks a goal for itself: what can be had without listening."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vlabench.policies.expert.motion import Action
from vlabench.policies.expert.pick_place import SIDES
from vlabench.policies.expert.scripted import Mind, Scripted
from vlabench.seeding import stream
from vlabench.types import (
    EpisodeStart,
    GoalState,
    ObjectState,
    PartState,
    PrivilegedState,
    StageState,
)

BROAD = 0.02
"""Metres: the smallest radius of a surface that others are put on."""

LYING = 0.9
"""A thing whose axis is less upright than this cosine lies."""

SHUT, WIDE = 0.1, 0.7
"""Shares of its travel: a part that is opened less is closed, one that is opened more is open."""


class RandomGoal(Scripted):
    """The expert, aiming at random things of the scene instead of those that the task asks for.

    It sees everything and knows what is to be done, but not with what: at the start of a session
    it replaces every thing that the goals speak of by a random one of the same sort, the right one
    by chance included. Objects stand for objects (what is moved can be held, what is put down upon
    has a surface), parts of fixtures for parts of the same kind, sides for sides; two things stay
    two things. What is visibly done already is not chosen.

    The verbs, their number and their order are kept, so its rate bounds what can be had without
    listening from above. A goal that happens to be asked for it pursues until it holds; of another
    it cannot know whether it holds, and takes it for met once it has tried. It takes no arguments.
    """

    def __init__(self) -> None:
        super().__init__("random-goal", lambda start: OwnGoals(start))


@dataclass
class OwnGoals(Mind):
    """The goals that one session has picked.

    Attributes:
        start: Of the session; its seed decides.
        stages: The picked goals, stage by stage; empty before the first look.
        tried: Goals whose skill has come to its end.
    """

    start: EpisodeStart
    stages: tuple[StageState, ...] = ()
    tried: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

    def believe(self, state: PrivilegedState, last: Action | None) -> PrivilegedState:
        """`state` with the session's own goals."""
        del last
        if not self.stages:
            self.stages = _own_stages(state, stream("random-goal", self.start.seed))
        asked = {_key(goal): goal.holds for stage in state.stages for goal in stage.goals}
        reached = {_keys(stage) for stage in state.stages if stage.achieved}
        self.stages = tuple(self._as_it_stands(stage, asked, reached) for stage in self.stages)
        return replace(state, stages=self.stages)

    def finished(self, goal: GoalState) -> None:
        """It has been tried."""
        self.tried.add(_key(goal))

    def _as_it_stands(
        self,
        stage: StageState,
        asked: Mapping[tuple[str, tuple[str, ...]], bool],
        reached: Iterable[frozenset[tuple[str, tuple[str, ...]]]],
    ) -> StageState:
        goals = tuple(
            replace(goal, holds=asked.get(_key(goal), _key(goal) in self.tried))
            for goal in stage.goals
        )
        foreign = _keys(stage) - asked.keys()
        done = bool(foreign) and all(goal.holds for goal in goals)
        achieved = stage.achieved or done or _keys(stage) in reached
        return StageState(stage.name, goals, achieved)


def _key(goal: GoalState) -> tuple[str, tuple[str, ...]]:
    return goal.predicate, goal.arguments


def _keys(stage: StageState) -> frozenset[tuple[str, tuple[str, ...]]]:
    return frozenset(_key(goal) for goal in stage.goals)


# --- picking ----------------------------------------------------------------------------------


def _own_stages(state: PrivilegedState, rng: np.random.Generator) -> tuple[StageState, ...]:
    """The stages that are asked for, with other things in them."""
    picked = _pick(_choices(state), rng)
    return tuple(
        StageState(
            stage.name,
            tuple(
                GoalState(goal.predicate, tuple(picked[a] for a in goal.arguments), holds=False)
                for goal in stage.goals
            ),
            achieved=False,
        )
        for stage in state.stages
    )


def _choices(state: PrivilegedState) -> dict[str, list[str]]:
    """What the goals speak of, to what may stand for it; itself among them."""
    found: dict[str, list[str]] = {}
    for goal in (goal for stage in state.stages for goal in stage.goals):
        for place, name in enumerate(goal.arguments):
            if name not in found:
                found[name] = sorted({name, *_same_sort(state, goal.predicate, place, name)})
    return found


def _same_sort(state: PrivilegedState, predicate: str, place: int, name: str) -> Iterable[str]:
    if name in state.objects:
        return (k for k, o in state.objects.items() if _can_play(o, predicate, place))
    if name in state.parts:
        kind = state.parts[name].kind
        same = {k: p for k, p in state.parts.items() if p.kind == kind}
        return (k for k, p in same.items() if not _is_done(p, predicate))
    return SIDES


def _can_play(thing: ObjectState, predicate: str, place: int) -> bool:
    """Whether a thing may be an argument of a goal: the first is moved, `on` and `in` need room."""
    if place == 0:
        lies = float(thing.rotation[2, 2]) < LYING
        return bool(thing.grasps) and (predicate != "upright" or lies)
    return predicate not in {"on", "in"} or thing.surface_radius >= BROAD


def _is_done(part: PartState, predicate: str) -> bool:
    """Whether a part visibly is as the predicate wants it."""
    share = part.opening / part.travel if part.travel else 0.0
    if predicate == "closed":
        return share < SHUT
    return predicate in {"open", "turned", "pressed"} and share > WIDE


def _pick(choices: Mapping[str, Sequence[str]], rng: np.random.Generator) -> dict[str, str]:
    """One of each, no two the same; as every name may stand for itself, some draw succeeds."""
    while True:
        picked: dict[str, str] = {}
        for name, others in choices.items():
            free = [other for other in others if other not in picked.values()]
            if not free:
                break
            picked[name] = str(rng.choice(free))
        if len(picked) == len(choices):
            return picked
