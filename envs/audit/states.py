"""States whose truth is known from how they were made, and what the success test says of them.

A scene gives states by turns: in one all goals have been made true, in the next one of them is
made false for one reason. Stages with an order are audited one by one: those before were made true
first and shown to `Progress` for as long as they must hold. What did not stay where it was put is
discarded, because how it was made no longer says what it is. All that is thrown away is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from vlabench.envs.audit.bench import HOLD, Bench
from vlabench.envs.audit.makers import TRUE
from vlabench.envs.audit.mutations import FALSE, Mutation, kinds_of, named
from vlabench.envs.audit.places import TOLERANCE, Place, place_of
from vlabench.envs.audit.sight import Sight
from vlabench.envs.progress import Progress
from vlabench.envs.tasks.base import Goal, Task
from vlabench.seeding import stream
from vlabench.types import EpisodeSpec, Floats

TIPPED = float(np.cos(np.radians(20.0)))
"""What has tipped over further than this did not stay where it was put."""

SLID = 0.02
"""Share of its travel by which a part may have been moved by what was put into it."""

FALLEN = 0.02
"""Metres by which a thing that is not between walls may have come down: more than that, and it has
come off what it was put on."""

SUNK = 0.003
"""Metres below its level at which a thing that was put on something hangs over the edge, and in
something else at which it is where nothing can be."""

AS_ASKED, FOR_A_MOMENT, OUT_OF_ORDER = "as asked", "for a moment", "out of order"
"""Kinds of states besides the mutations: all that is asked for is true; it was true for too short
a time and then undone; a stage that the last one has undone was never made."""

ON_THE_WAY = "on the way"
"""Of what is thrown away: making the stages before the one that a state is about."""

STATES_OF_A_SCENE = 10
"""States with higher numbers are of one kind each, and made where too few of it have been found."""

ALL = "all"
"""Where stages have no order, a state is about all of them."""

_ATTEMPTS, _ATTEMPTS_OF_A_KIND = 48, 8
_SEEN = frozenset({"on", "in"})

_PUT = frozenset({"on", "in", "beside", "upright", "in-region", "away-from"})
_MOVED = frozenset({"open", "closed", "turned", "pressed"})


@dataclass(frozen=True, slots=True)
class State:
    """One audited state.

    Attributes:
        kind: How it was made.
        truth: Whether it is success, by how it was made.
        verdict: Whether the benchmark says so.
        looks: Whether it looks like it, by rays; None if it is not about being on or in something.
        predicates: What has been made true, or the one thing that has been made false.
        stage: The stage that it is about.
        scene: Number of its scene.
        number: Its own, within the scene.
    """

    kind: str
    truth: bool
    verdict: bool
    looks: bool | None
    predicates: tuple[str, ...]
    stage: str
    scene: int
    number: int


@dataclass(frozen=True, slots=True, order=True)
class Waste:
    """Why something has been thrown away.

    Attributes:
        kind: What was to be made.
        made: Whether it had been made and did not stay so; otherwise there was no way to make it.
        reason: What was the matter.
    """

    kind: str
    made: bool
    reason: str


def kinds_of_a_task(task: Task) -> tuple[str, ...]:
    """All kinds of false states that a task's goals could have, whatever is in its scenes."""
    predicates = {goal.predicate for stage in task.stages for goal in stage.goals}
    kinds = {named(p, kind) for p in predicates for kind in FALSE[p]}
    if task.ordered and {"open", "closed"} <= predicates:
        kinds.add(OUT_OF_ORDER)
    return tuple(sorted(kinds | {FOR_A_MOMENT}))


class StateMaker:
    """Makes states of one episode's scene.

    Args:
        episode: What scene, and what is asked for.
        key: Names the random stream of the scene; its last part is the scene's number.
        dealt: The kinds of its false states, as long as they can be made.

    Attributes:
        kinds: Kind that there can be in this scene to the stages and goals that it can be of.
        waste: How often something has been thrown away, and why.
    """

    def __init__(
        self, episode: EpisodeSpec, key: tuple[str | int, ...], dealt: Sequence[str]
    ) -> None:
        self.bench, self._key, self._dealt = Bench(episode), key, dealt
        self._sight = Sight(self.bench)
        self._ordered = self.bench.task.ordered
        self._way: list[Floats] = []
        self._dead_end = len(self.bench.asked)
        self.waste: Counter[Waste] = Counter()
        self.kinds = self._kinds_of_the_scene()

    def state(self, number: int) -> State | None:
        """A state of the scene, watched; None if none could be made."""
        truth = number % 2 == 0 and number < STATES_OF_A_SCENE
        for attempt in range(_ATTEMPTS):
            rng = stream(*self._key, number, attempt)
            # what is rarely possible has several attempts, so that it is not left out
            turn = attempt // _ATTEMPTS_OF_A_KIND
            choice = stream(*self._key, number, "kind", turn)
            kind = AS_ASKED if truth else self._some_kind(number, turn, choice)
            if not kind:
                return None
            stage, goal = self._some_stage(choice), None
            if not truth:
                stage, goal = self._some_goal(kind, choice)
            try:
                verdict = self._made(kind, stage, goal, rng)
            except _ThrownAwayError as error:
                self.waste[Waste(kind, error.made, error.reason)] += 1
                continue
            except mujoco.FatalError:
                self.waste[Waste(kind, False, TOO_DEEP)] += 1
                continue
            return self._told(kind, stage, goal, number, verdict)
        return None

    def _told(self, kind: str, stage: int, goal: Goal | None, number: int, verdict: bool) -> State:
        """What is known of the state that stands on the bench."""
        about = self._goals(stage) if kind == AS_ASKED else []
        if goal is not None and kind not in {FOR_A_MOMENT, OUT_OF_ORDER}:
            about = [goal]
        seen = [goal for goal in about if goal.predicate in _SEEN]
        return State(
            kind=kind,
            truth=kind == AS_ASKED,
            verdict=verdict,
            looks=all(map(self._sight.says, seen)) if seen else None,
            predicates=tuple(sorted({goal.predicate for goal in about})),
            stage=self.bench.asked[stage].name if self._ordered else ALL,
            scene=int(self._key[-1]),
            number=number,
        )

    def _kinds_of_the_scene(self) -> dict[str, list[tuple[int, Goal]]]:
        found: dict[str, list[tuple[int, Goal]]] = {}
        for stage in range(len(self.bench.asked) if self._ordered else 1):
            goals = self._goals(stage)
            named = [(kind, goal) for goal in goals for kind in kinds_of(goal, self.bench)]
            named += [(kind, goals[0]) for kind in self._kinds_of_time(stage)]
            for kind, goal in named:
                found.setdefault(kind, []).append((stage, goal))
        return found

    def _some_kind(self, number: int, turn: int, choice: np.random.Generator) -> str:
        """The kind of a false state: the one that was dealt, or else any; empty for no kind."""
        if number >= STATES_OF_A_SCENE:
            kinds = kinds_of_a_task(self.bench.task)
            kind = kinds[(number - STATES_OF_A_SCENE) % len(kinds)]
            return kind if kind in self.kinds else ""
        dealt = self._dealt[number // 2]
        return dealt if turn == 0 and dealt in self.kinds else str(choice.choice(list(self.kinds)))

    def _some_goal(self, kind: str, choice: np.random.Generator) -> tuple[int, Goal]:
        """The stage and the goal that a kind is made of: in one state of two of the last stage."""
        found = self.kinds[kind]
        last = [it for it in found if it[0] == len(self.bench.asked) - 1]
        several = last if last and choice.uniform() < 0.5 else found
        return several[int(choice.integers(len(several)))]

    def _made(self, kind: str, stage: int, goal: Goal | None, rng: np.random.Generator) -> bool:
        """What the success test says of a state of this kind."""
        goals = self._goals(stage)
        if goal is None:
            progress = self._on_the_way(stage)
            self._make_true(goals, rng)
            self._watch(goals, progress)
            return progress.success
        if kind in {FOR_A_MOMENT, OUT_OF_ORDER}:
            return self._at_the_wrong_time(kind, stage, goals, rng)
        return self._mutated(kinds_of(goal, self.bench)[kind], goal, stage, goals, rng)

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
            before = _poses(self.bench)
            self.bench.watch(progress)
            self._check_that_nothing_fell(before)
            return progress.success
        lifted = goal.predicate == "lifted"
        if not lifted:  # it is held only while something holds it
            self._make_true(goals, rng)
        _made_or_not(mutation.make(self.bench, goal, rng), NO_WAY)
        if mutation.way == "instant":
            self.bench.look(progress)
            return progress.success_once
        self.bench.watch(progress, grip=1.0)
        name = self.bench.gripped
        if not self.bench.squeezed(name):
            raise _ThrownAwayError("came out of the hand", made=True)
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
            _ThrownAwayError: If there is no way, or something did not stay where it was put.
        """
        bench = self.bench
        bench.riders = {g.arguments[0]: g.arguments[1] for g in goals if _is_on_object(g, bench)}
        bench.put_aside({g.arguments[0] for g in goals if g.predicate in _PUT})
        for goal in goals:
            if mutation is not None and goal == undone:
                _made_or_not(mutation.make(bench, goal, rng), NO_WAY)
            else:
                _made_or_not(TRUE[goal.predicate](bench, goal, rng), NO_ROOM)
        bench.forward()
        put, shares = _poses(bench), _shares(bench, goals)
        kept = [goal for goal in goals if mutation is None or goal != undone]
        loose = undone if mutation is not None and not mutation.stays else None
        if not bench.settle():
            raise _ThrownAwayError("not at rest", made=True)
        self._check_that_it_stayed(put, kept, loose)
        now = _shares(bench, goals)
        if any(abs(now[name] - share) > SLID for name, share in shares.items()):
            raise _ThrownAwayError("moved a part", made=True)

    def _check_that_it_stayed(
        self,
        put: Mapping[str, tuple[Floats, Floats]],
        kept: Sequence[Goal],
        loose: Goal | None,
    ) -> None:
        """Makes sure that all is where it was put.

        What is between walls may roll there, but stays below the rim and off the edge; what is
        `loose` need only be outside of its place.

        Raises:
            _ThrownAwayError: If something is elsewhere.
        """
        places = {g.arguments[0]: g.arguments[1] for g in kept if g.predicate in {"on", "in"}}
        boxed = {g.arguments[0] for g in kept if g.predicate == "in"}
        now = _poses(self.bench)
        for name, (middle, up) in put.items():
            moved = float(np.linalg.norm((now[name][0] - middle)[:2]))
            if name in places and self._sank(name, places[name], deep=name in boxed):
                raise _ThrownAwayError("hangs over the edge, or sank", made=True)
            if name in boxed:
                if not self._is_boxed(name, place_of(self.bench, places[name])):
                    raise _ThrownAwayError("too near to the walls or their rim", made=True)
            elif loose is not None and name == loose.arguments[0]:
                place = place_of(self.bench, loose.arguments[-1])
                if place.distance(now[name][0]) < place.rim + TOLERANCE:
                    raise _ThrownAwayError("too near to its place", made=True)
            elif moved > TOLERANCE or middle[2] - now[name][0][2] > FALLEN:
                raise _ThrownAwayError("moved", made=True)
            elif float(up @ now[name][1]) < TIPPED:
                raise _ThrownAwayError("tipped over", made=True)

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

    def _watch(self, goals: Sequence[Goal], progress: Progress) -> None:
        """Watches a state that has been made true, which must stay as it is to the end.

        Raises:
            _ThrownAwayError: If something has moved, or come out of the hand.
        """
        rested = self.bench.watch(progress)
        held = [goal.arguments[0] for goal in goals if goal.predicate == "lifted"]
        if not all(self.bench.squeezed(name) for name in held):
            raise _ThrownAwayError("came out of the hand", made=True)
        if not held and not rested:
            raise _ThrownAwayError(MOVED, made=True)

    def _check_that_nothing_fell(self, before: Mapping[str, tuple[Floats, Floats]]) -> None:
        """Makes sure that things are still where they were when they had come to rest.

        What rolls off the roof of an oven, say, may end inside.

        Raises:
            _ThrownAwayError: If something is elsewhere.
        """
        now = _poses(self.bench)
        if any(np.linalg.norm(now[name][0] - it[0]) > TOLERANCE for name, it in before.items()):
            raise _ThrownAwayError(MOVED, made=True)

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
        """Makes the state after a stage, out of that before it, once for all.

        Raises:
            _ThrownAwayError: If there is no way.
        """
        for attempt in range(0 if stage >= self._dead_end else _ATTEMPTS):
            if len(self._way) > stage:
                return
            rng = stream(*self._key, "way", stage, attempt)
            self.bench.restore(self._way[stage - 1] if stage else None)
            try:
                self._make_true(self._goals(stage), rng)
            except _ThrownAwayError as error:
                self.waste[Waste(ON_THE_WAY, error.made, error.reason)] += 1
            except mujoco.FatalError:
                self.waste[Waste(ON_THE_WAY, False, TOO_DEEP)] += 1
            else:
                self._way.append(self.bench.data.qpos.copy())
        if len(self._way) <= stage:
            self._dead_end = min(self._dead_end, stage)
            raise _ThrownAwayError("no way to the stage before", made=False)


class _ThrownAwayError(Exception):
    """There was no way to make the state, or what was made did not stay as it was made."""

    def __init__(self, reason: str, *, made: bool) -> None:
        self.reason, self.made = reason, made
        super().__init__(reason)


NO_ROOM, NO_WAY = "no room for what is to be true", "no room or no way for what is to be false"
MOVED = "moved while it was watched"
TOO_DEEP = "more contacts than MuJoCo can take"
"""Boxes that are deep in each other may have them."""


def _poses(bench: Bench) -> dict[str, tuple[Floats, Floats]]:
    """The middle of every object, and which way is up for it."""
    return {name: (bench.middle(name), bench.pose(name)[1][:, 2]) for name in bench.scene.objects}


def _shares(bench: Bench, goals: Sequence[Goal]) -> dict[str, float]:
    """How far the parts are open that goals want to be slid; what is pushed goes by itself."""
    parts = [g.arguments[0] for g in goals if g.predicate in _MOVED - {"pressed"}]
    return {name: bench.share(name) for name in parts}


def _made_or_not(made: bool, otherwise: str) -> None:
    if not made:
        raise _ThrownAwayError(otherwise, made=False)


def _is_on_object(goal: Goal, bench: Bench) -> bool:
    return goal.predicate in {"on", "in"} and goal.arguments[1] in bench.scene.objects
