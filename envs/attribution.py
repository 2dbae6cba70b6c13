"""Why an episode failed: one mode, from what was touched, held and let fall, and where things are.

It is asked once, at the end, of the first stage that was not reached (of all of them where stages
have no order), and of what its goals want moved. Of several things that went wrong it names the
one after the furthest that the robot came: who takes the right thing up and drops it has dropped
it, however often the hand missed before and after, and even if time ran out with it in the hand
once more.

================ ==================================================================================
mode             when
================ ==================================================================================
``timeout``      time ran out on the way: the goal was true and had not been held for long enough,
                 the thing was still in the hand or under way, or the hand was coming nearer
``dropped``      the thing was in the hand, and fell; of a thing to be lifted: it left the hand
``wrong_place``  the thing was moved and left where, or as, it does not count
``undone``       the same, and the whole goal had been true at some instant
``wrong_object`` another thing was taken up, or another part was worked, and not the right one
``missed_grasp`` fingers touched the thing, closed beside it, or were around it, and it was neither
                 held nor moved
``collision``    the robot knocked against what no goal speaks of, by at least `safety.HARD_N`, or
                 pushed the thing away with something else than its fingers; also who is stuck
                 against such a thing with the right one in the hand
``froze``        the hand stood still in the end (`STILL_STEPS`, within `STILL_M`)
``not_reached``  none of these: the hand moved, and never came to the thing
================ ==================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import mujoco
import numpy as np

from vlabench.envs.predicates import holds
from vlabench.envs.progress import Progress
from vlabench.envs.scene import Scene, SceneObject, ScenePart
from vlabench.envs.story import Hold, Story
from vlabench.envs.tasks.base import Goal, Stage
from vlabench.types import Floats

STILL_STEPS, STILL_M = 40, 0.01
"""Control steps (2 s) at the end, and metres, within which a hand has not moved."""

MOVED_M = 0.03
"""Metres from which on a thing has been moved."""

WORKED = 0.1
"""Share of its travel by which a part has been worked."""

HELD_STEPS = 5
"""Control steps for which another thing must have been in the hand to have been taken up."""

CLOSING_M, CLOSING_STEPS, BESIDE_M = 0.015, 10, 0.06
"""A hand closes by so many metres within so many steps; beside a thing, so far from its edge."""

AROUND_M = 0.01
"""Metres from the edge of a thing within which fingers are around it, or at a handle."""

LOOSE_STEPS = 5
"""Control steps without a finger on it after which a thing has been let go."""

_PUSHED = "in-region"
"""The predicate of things that are pushed, and need not be held."""


@dataclass
class Trail:
    """What was at each control step, the start included: rows of positions, hand and gripper.

    Attributes:
        qpos: Positions of all joints.
        hand: ``(x, y, z)`` of the grip site in metres, in the world's frame.
        opening: Metres between the fingers.
    """

    qpos: list[Floats] = field(default_factory=list)
    hand: list[Sequence[float]] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)

    def add(self, data: mujoco.MjData, hand: Sequence[float], opening: float) -> None:
        """Notes how things are now."""
        self.qpos.append(data.qpos.copy())
        self.hand.append(hand)
        self.opening.append(opening)


def mode_of(
    scene: Scene, data: mujoco.MjData, progress: Progress, story: Story, trail: Trail, asked_at: int
) -> str:
    """The mode of an episode that is over without success.

    Args:
        scene: Where it was.
        data: The last state.
        progress: How far it came.
        story: What the robot did.
        trail: Where everything was, from the start to the last step.
        asked_at: The control step after which the present goals were asked for.
    """
    return _Inquest(scene, data, progress, story, trail, asked_at).mode()


class _Inquest:
    """One episode that failed; `began` is the step after which the stage in question began."""

    def __init__(
        self,
        scene: Scene,
        data: mujoco.MjData,
        progress: Progress,
        story: Story,
        trail: Trail,
        asked_at: int,
    ) -> None:
        self._scene, self._data, self._progress = scene, data, progress
        self._story, self._trail = story, trail
        self._last = len(trail.qpos) - 1
        open_stages = [
            stage
            for stage, result in zip(progress.asked, progress.stages, strict=True)
            if not result.success
        ] or list(progress.asked)
        first = open_stages[:1] if progress.ordered else open_stages
        reached = [result.step or 0 for result in progress.stages if result.success]
        self._began = max([asked_at, *reached]) if progress.ordered else asked_at
        self._open = [goal for goal in _goals(first) if not holds(goal, scene, data)]
        self._wanted = list(dict.fromkeys(goal.arguments[0] for goal in self._open))
        self._allowed = self._spoken_of(first if progress.ordered else progress.asked)

    def mode(self) -> str:
        if not self._open:
            return "timeout"
        held = [hold for hold in self._holds() if hold.thing in self._wanted]
        if held:
            return self._after_holds(held)
        moved = [name for name in self._wanted if self._was_moved(name)]
        if moved:
            return self._after_a_move(moved)
        if self._took_another():
            return "wrong_object"
        if any(self._was_tried(name) for name in self._wanted):
            return "missed_grasp"
        if self._knocks() or any(self._was_shoved(name) for name in self._wanted):
            return "collision"
        if self._stands_still():
            return "froze"
        return "timeout" if self._comes_nearer() else "not_reached"

    def _after_holds(self, held: Sequence[Hold]) -> str:
        lost = [hold for hold in held if self._was_let_go(hold)]
        if not lost:
            if not self._stands_still():
                return "timeout"
            return "collision" if self._knocks(self._last - STILL_STEPS) else "froze"
        hold = lost[-1]
        lifting = any(g.predicate == "lifted" and g.arguments[0] == hold.thing for g in self._open)
        if hold.fell or lifting:
            return "dropped"
        return "undone" if self._progress.success_once else "wrong_place"

    def _after_a_move(self, moved: Collection[str]) -> str:
        touched = [max(self._story.touched.get(name, [0])) for name in moved]
        if max(touched) >= self._last - CLOSING_STEPS:
            return "froze" if self._stands_still() else "timeout"
        return "undone" if self._progress.success_once else "wrong_place"

    # --- what was done to a thing -------------------------------------------------------------

    def _was_let_go(self, hold: Hold) -> bool:
        """Whether no finger touched the thing for a while after it had been held."""
        later = [step for step in self._story.touched[hold.thing] if step > hold.until]
        ends = [hold.until, *later, self._last + 1]
        return hold.fell or any(b - a >= LOOSE_STEPS for a, b in pairwise(ends))

    def _holds(self) -> list[Hold]:
        return [hold for hold in self._story.holds if hold.until > self._began]

    def _was_moved(self, name: str) -> bool:
        """Whether a part was worked, or a thing that is to be pushed was pushed by a finger."""
        if not self._fingers(name):
            return False
        if name in self._scene.parts:
            return self._worked(self._scene.parts[name]) >= WORKED
        pushed = any(g.predicate == _PUSHED and g.arguments[0] == name for g in self._open)
        return pushed and self._travelled(self._scene.objects[name]) >= MOVED_M

    def _was_shoved(self, name: str) -> bool:
        """Whether an object was moved though no finger touched it."""
        thing = self._scene.objects.get(name)
        return thing is not None and self._travelled(thing) >= MOVED_M

    def _was_tried(self, name: str) -> bool:
        """Whether fingers touched a thing, closed beside it, or were around it.

        What was begun only just before the end was no miss yet.
        """
        over = self._last - CLOSING_STEPS
        if any(step <= over for step in self._fingers(name)):
            return True
        opening, hand = self._trail.opening, self._trail.hand
        for step in range(self._began + 1, over + 1):
            distance = self._distance(name, step, hand[step])
            closed = opening[max(self._began, step - CLOSING_STEPS)] - opening[step]
            if distance <= AROUND_M or (distance <= BESIDE_M and closed >= CLOSING_M):
                return True
        return False

    def _took_another(self) -> bool:
        """Whether a thing was taken up, pushed or worked that was not asked for."""
        steps: dict[str, int] = {}
        for hold in self._holds():
            steps[hold.thing] = steps.get(hold.thing, 0) + hold.until - hold.since + 1
        if any(n >= HELD_STEPS for name, n in steps.items() if name not in self._allowed):
            return True
        if any(name in self._scene.parts for name in self._wanted):
            others = (p for n, p in self._scene.parts.items() if n not in self._allowed)
            return any(self._fingers(p.name) and self._worked(p) >= 3 * WORKED for p in others)
        if any(goal.predicate == _PUSHED for goal in self._open):
            others_ = (o for n, o in self._scene.objects.items() if n not in self._allowed)
            return any(
                len(self._fingers(o.name)) >= HELD_STEPS and self._travelled(o) >= MOVED_M
                for o in others_
            )
        return False

    def _fingers(self, name: str) -> list[int]:
        """The steps of this stage at which a finger touched a thing."""
        return [step for step in self._story.touched.get(name, ()) if step > self._began]

    def _knocks(self, since: int = 0) -> bool:
        since = max(since, self._began)
        return any(step > since and name not in self._wanted for step, name in self._story.knocks)

    def _spoken_of(self, stages: Sequence[Stage]) -> frozenset[str]:
        """What may be taken now without it being wrong."""
        return frozenset(goal.arguments[0] for goal in _goals(stages))

    # --- where things were --------------------------------------------------------------------

    def _travelled(self, thing: SceneObject) -> float:
        """Metres between where a thing was when the stage began and where it is."""
        model = self._scene.model
        first = int(model.jnt_qposadr[model.body_jntadr[thing.body]])
        before, now = (self._trail.qpos[k][first : first + 3] for k in (self._began, -1))
        return math.dist(before.tolist(), now.tolist())

    def _worked(self, part: ScenePart) -> float:
        """The largest share of its travel by which a part was away from where it was."""
        if part.qpos is None:
            return 0.0
        where = np.array([row[part.qpos] for row in self._trail.qpos[self._began :]])
        return float(np.abs(where - where[0]).max() / part.part.travel)

    def _distance(self, name: str, step: int, hand: Sequence[float]) -> float:
        """Metres from the hand to the cylinder around a thing, or to the handle of a part."""
        if name in self._scene.parts:
            part = self._scene.parts[name]
            site = part.floor_site if part.handle_site is None else part.handle_site
            places = self._data.xpos[part.body] if site is None else self._data.site_xpos[site]
            return math.dist(places.tolist(), hand)
        thing, model = self._scene.objects[name], self._scene.model
        first = int(model.jnt_qposadr[model.body_jntadr[thing.body]])
        foot, turn = np.split(self._trail.qpos[step][first : first + 7], [3])
        axis = np.zeros(3)
        mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, 1.0]), turn)
        offset = np.asarray(hand) - foot
        along = min(max(float(offset @ axis), 0.0), thing.shape.height)
        return max(0.0, float(np.linalg.norm(offset - along * axis)) - thing.shape.radius)

    def _comes_nearer(self) -> bool:
        """Whether the hand has come half of the way to something that is wanted."""
        hand = self._trail.hand
        return any(
            self._distance(name, self._last, hand[-1])
            < 0.5 * self._distance(name, self._began, hand[self._began])
            for name in self._wanted
        )

    def _stands_still(self) -> bool:
        end = self._trail.hand[-STILL_STEPS:]
        return len(end) == STILL_STEPS and all(math.dist(at, end[-1]) <= STILL_M for at in end)


def _goals(stages: Sequence[Stage]) -> list[Goal]:
    return [goal for stage in stages for goal in stage.goals]
