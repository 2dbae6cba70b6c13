"""States whose truth is known from how they were made, and what the success test says of them.

A scene gives states by turns: in one all goals have been made true, in the next one of them is
made false for one reason. Stages with an order are audited one by one: those before were made true
first and shown to `Progress` for as long as they must hold. What did not stay where it was put is
discarded, because how it was made no longer says what it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from vlabench.envs.audit.bench import HOLD, Bench
from vlabench.envs.audit.makers import TRUE
from vlabench.envs.audit.mutations import FALSE, Mutation
from vlabench.envs.audit.places import TOLERANCE, Place, place_of
from vlabench.envs.progress import Progress
from vlabench.envs.tasks.base import Goal
from vlabench.seeding import stream
from vlabench.types import EpisodeSpec, Floats

TIPPED = float(np.cos(np.radians(20.0)))
"""What has tipped over further than this did not stay where it was put."""

SLID = 0.02
"""Share of its travel by which a part may have been moved by what was put into it."""

SUNK = 0.003
"""Metres below its level at which a thing that was put on something hangs over the edge, and in
something else at which it is where nothing can be."""

AS_ASKED, FOR_A_MOMENT, OUT_OF_ORDER = "as asked", "for a moment", "out of order"
"""Kinds of states besides the mutations: all that is asked for is true; it was true for too short
a time and then undone; a stage that the last one has undone was never made."""

_ATTEMPTS, _ATTEMPTS_OF_A_KIND = 48, 8
ALL = "all"
"""Where stages have no order, a state is about all of them."""

_PUT = frozenset({"on", "in", "beside", "upright", "in-region", "away-from"})
_MOVED = frozenset({"open", "closed", "turned", "pressed"})


@dataclass(frozen=True, slots=True)
class State:
    """One audited state.

    Attributes:
        kind: How it was made.
        truth: Whether it is success, by how it was made.
        verdict: Whether the benchmark says so.
        stage: The stage that it is about.
        scene: Number of its scene.
        number: Its own, within the scene.
        discarded: How many states before it were not what they had been made to be.
    """

    kind: str
    truth: bool
    verdict: bool
    stage: str
    scene: int
    number: int
    discarded: int


class StateMaker:
    """Makes states of one episode's scene.

    Args:
        episode: What scene, and what is asked for.
        key: Names the random stream of the scene.
    """

    def __init__(self, episode: EpisodeSpec, key: tuple[str | int, ...]) -> None:
        self.bench, self._key = Bench(episode), key
        self._ordered = self.bench.task.ordered
        self._way: list[Floats] = []

    def state(self, scene: int, number: int) -> State | None:
        """State `number` of the scene, watched; None if none could be made."""
        truth, discarded = number % 2 == 0, 0
        for attempt in range(_ATTEMPTS):
            rng = stream(*self._key, number, attempt)
            # what is rarely possible has several attempts, so that it is not left out
            choice = stream(*self._key, number, "kind", attempt // _ATTEMPTS_OF_A_KIND)
            stage = self._some_stage(choice)
            try:
                kind, verdict = self._made(stage, truth, choice, rng)
            except (_NotMadeError, mujoco.FatalError):
                continue  # of boxes deep in each other MuJoCo may find more contacts than it can
            except _DiscardedError:
                discarded += 1
                continue
            name = self.bench.asked[stage].name if self._ordered else ALL
            return State(kind, truth, verdict, name, scene, number, discarded)
        return None

    def _made(
        self, stage: int, truth: bool, choice: np.random.Generator, rng: np.random.Generator
    ) -> tuple[str, bool]:
        """The kind of a state and what the success test says of it."""
        goals = self._goals(stage)
        if truth:
            progress = self._on_the_way(stage)
            self._make_true(goals, rng)
            self._watch(goals, progress, truth=True)
            return AS_ASKED, progress.success
        kinds = [(goal, kind) for goal in goals for kind in FALSE[goal.predicate]]
        kinds += [(goals[0], kind) for kind in self._kinds_of_time(stage)]
        goal, kind = kinds[int(choice.integers(len(kinds)))]
        if kind in {FOR_A_MOMENT, OUT_OF_ORDER}:
            return kind, self._at_the_wrong_time(kind, stage, goals, rng)
        mutation = FALSE[goal.predicate][kind]
        return f"{goal.predicate}: {kind}", self._mutated(mutation, goal, stage, goals, rng)

    def _mutated(
        self,
        mutation: Mutation,
        goal: Goal,
        stage: int,
        goals: Sequence[Goal],
        rng: np.random.Generator,
    ) -> bool:
        """Whether a state counts as success in which one goal has been made false."""
        progress = self._on_the_way(stage)
        if mutation.way == "still":
            self._make_true(goals, rng, goal, mutation)
            self._watch(goals, progress, truth=False)
            return progress.success
        lifted = goal.predicate == "lifted"
        if not lifted:  # it is held only while something holds it
            self._make_true(goals, rng)
        _made_or_not(mutation.make(self.bench, goal, rng))
        if mutation.way == "instant":
            self.bench.look(progress)
            return progress.success_once
        self.bench.watch(progress, grip=1.0)
        name = self.bench.gripped
        if not self.bench.squeezed(name):
            raise _DiscardedError
        return progress.success

    def _at_the_wrong_time(
        self, kind: str, stage: int, goals: Sequence[Goal], rng: np.random.Generator
    ) -> bool:
        """Whether it counts as success that was undone too soon, or began in the middle."""
        progress = self._on_the_way(stage)
        self._make_true(goals, rng)
        if kind == FOR_A_MOMENT:
            self.bench.watch(progress, int(rng.integers(2, HOLD - 2)))
            self.bench.restore(self._way[stage - 1] if stage else None)
        else:
            progress = self.bench.progress(stage + 1)
        self.bench.watch(progress)
        return progress.success

    def _kinds_of_time(self, stage: int) -> list[str]:
        """What can be wrong with when the goals of a stage are true."""
        if not self._ordered:
            return [FOR_A_MOMENT]
        opened = {
            g.arguments for k in range(stage) for g in self._goals(k) if g.predicate == "open"
        }
        closed = {g.arguments for g in self._goals(stage) if g.predicate == "closed"}
        return [FOR_A_MOMENT, OUT_OF_ORDER] if opened & closed else [FOR_A_MOMENT]

    def _make_true(
        self,
        goals: Sequence[Goal],
        rng: np.random.Generator,
        undone: Goal | None = None,
        mutation: Mutation | None = None,
    ) -> None:
        """Makes all goals true but one, and lets the scene come to rest.

        Raises:
            _NotMadeError: If there is no way.
            _DiscardedError: If something did not stay where it was put.
        """
        bench = self.bench
        bench.riders = {g.arguments[0]: g.arguments[1] for g in goals if _is_on_object(g, bench)}
        bench.put_aside({g.arguments[0] for g in goals if g.predicate in _PUT})
        for goal in goals:
            make = (
                mutation.make if mutation is not None and goal == undone else TRUE[goal.predicate]
            )
            _made_or_not(make(bench, goal, rng))
        bench.forward()
        put, shares = _poses(bench), _shares(bench, goals)
        kept = [goal for goal in goals if mutation is None or goal != undone]
        loose = undone if mutation is not None and not mutation.stays else None
        if not bench.settle() or not self._stayed(put, kept, loose):
            raise _DiscardedError
        now = _shares(bench, goals)
        if any(abs(now[name] - share) > SLID for name, share in shares.items()):
            raise _DiscardedError

    def _stayed(
        self,
        put: Mapping[str, tuple[Floats, Floats]],
        kept: Sequence[Goal],
        loose: Goal | None,
    ) -> bool:
        """Whether all is where it was put.

        What is between walls may roll there, but stays below the rim and off the edge; what is
        `loose` need only be outside of its place.
        """
        places = {g.arguments[0]: g.arguments[1] for g in kept if g.predicate in {"on", "in"}}
        boxed = {g.arguments[0] for g in kept if g.predicate == "in"}
        now = _poses(self.bench)
        for name, (middle, up) in put.items():
            moved = float(np.linalg.norm((now[name][0] - middle)[:2]))
            if name in places and self._sank(name, places[name], deep=name in boxed):
                return False
            if name in boxed:
                stayed = self._is_boxed(name, place_of(self.bench, places[name]))
            elif loose is not None and name == loose.arguments[0]:
                place = place_of(self.bench, loose.arguments[-1])
                stayed = place.distance(now[name][0]) >= place.rim + TOLERANCE
            else:
                stayed = moved <= TOLERANCE and float(up @ now[name][1]) >= TIPPED
            if not stayed:
                return False
        return True

    def _is_boxed(self, name: str, place: Place) -> bool:
        """Whether a thing that was put between walls is between them still, well below the rim."""
        rim = float(place.origin[2]) + place.depth
        off = place.distance(self.bench.middle(name))
        return off <= -TOLERANCE / 2 and self.bench.lowest(name) <= rim - 2 * TOLERANCE

    def _sank(self, name: str, place: str, *, deep: bool) -> bool:
        """Whether a thing hangs over the edge of what it was put on, or has sunk into something.

        What is seen of a round thing between walls may reach a little into their floor.
        """
        level = float(place_of(self.bench, place).origin[2]) - (2 * SUNK if deep else SUNK)
        return self.bench.lowest(name) < level or self.bench.depth(name) > SUNK

    def _watch(self, goals: Sequence[Goal], progress: Progress, *, truth: bool) -> None:
        """Watches a state; one made true must stay as it is to the end.

        Raises:
            _DiscardedError: If something has moved, or come out of the hand.
        """
        rested = self.bench.watch(progress)
        held = [goal.arguments[0] for goal in goals if goal.predicate == "lifted"]
        stayed = all(self.bench.squeezed(name) for name in held) if held else rested
        if truth and not stayed:
            raise _DiscardedError

    # --- stages -------------------------------------------------------------------------------

    def _some_stage(self, rng: np.random.Generator) -> int:
        """The last stage in one state of two, or any before; 0 where stages have no order."""
        last = len(self.bench.asked) - 1
        if not self._ordered or last == 0 or rng.uniform() < 0.5:
            return last if self._ordered else 0
        return int(rng.integers(last))

    def _goals(self, stage: int) -> list[Goal]:
        """The goals of a stage, of all where they have no order: in the order of making them."""
        stages = self.bench.asked[stage : stage + 1] if self._ordered else self.bench.asked
        goals = list(dict.fromkeys(goal for it in stages for goal in it.goals))
        carried = {g.arguments[0] for g in goals if g.predicate in _PUT}

        def turn(goal: Goal) -> int:
            """Parts first, then what carries others, then those."""
            if goal.predicate in _MOVED:
                return 0
            return 2 if goal.arguments[-1] in carried else 1

        return sorted(goals, key=turn)

    def _on_the_way(self, stage: int) -> Progress:
        """A watcher that has seen the stages before this one; the scene is as after them."""
        bench, progress = self.bench, self.bench.progress(stage + 1)
        for k in range(stage):
            self._reach(k)
            bench.restore(self._way[k])
            bench.look(progress, HOLD)
        bench.restore(self._way[stage - 1] if stage else None)
        return progress

    def _reach(self, stage: int) -> None:
        """Makes the state after a stage, out of that before it, once for all."""
        for attempt in range(_ATTEMPTS):
            if len(self._way) > stage:
                return
            rng = stream(*self._key, "way", stage, attempt)
            self.bench.restore(self._way[stage - 1] if stage else None)
            with contextlib.suppress(_NotMadeError, _DiscardedError, mujoco.FatalError):
                self._make_true(self._goals(stage), rng)
                self._way.append(self.bench.data.qpos.copy())
        if len(self._way) <= stage:
            raise _NotMadeError


class _NotMadeError(Exception):
    """There was no way, or no room, to make the state."""


class _DiscardedError(Exception):
    """What was made did not stay as it was made."""


def _poses(bench: Bench) -> dict[str, tuple[Floats, Floats]]:
    """The middle of every object, and which way is up for it."""
    return {name: (bench.middle(name), bench.pose(name)[1][:, 2]) for name in bench.scene.objects}


def _shares(bench: Bench, goals: Sequence[Goal]) -> dict[str, float]:
    """How far the parts are open that goals want to be slid; what is pushed goes by itself."""
    parts = [g.arguments[0] for g in goals if g.predicate in _MOVED - {"pressed"}]
    return {name: bench.share(name) for name in parts}


def _made_or_not(made: bool) -> None:
    if not made:
        raise _NotMadeError


def _is_on_object(goal: Goal, bench: Bench) -> bool:
    return goal.predicate in {"on", "in"} and goal.arguments[1] in bench.scene.objects
