"""The planner that knows the task: it names the stages that are left, one after another.

It is to a planner what the expert is to a policy: it reads the simulator's state, so it shows what
a policy makes of perfect plans, and whatever stands behind it is marked privileged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlabench.contract.specs import PlannerSpec
from vlabench.errors import UsageError
from vlabench.plans import Plan, SkillCall
from vlabench.policies.arguments import count
from vlabench.types import EpisodeStart, GoalState, Json, Observation, PrivilegedState, StageState

SENTENCES: Mapping[str, str] = {
    "on": "put the {} on the {}",
    "in": "put the {} into the {}",
    "lifted": "lift the {}",
    "beside": "put the {} to the {} of the {}",
    "upright": "stand the {} up",
    "in-region": "push the {} into the {}",
    "away-from": "take the {} away from the {}",
    "open": "open the {}",
    "closed": "close the {}",
    "turned": "turn the {}",
    "pressed": "press the {}",
}
"""Predicate to what is said where it is to become true; the places are those of its arguments."""

WAIT = "wait"
"""What is said when nothing is left to be done."""

EVERY = 10
"""Control steps between two questions, unless told otherwise."""


class Stages:
    """Says in words and as a program what the first stage needs that has not been reached.

    Of a stage with several goals, those are named that do not hold yet; when all are reached, what
    has come undone since; when nothing has, ``wait``. It remembers nothing: while a stage's goals
    all hold and have not yet held for long enough, what it said before goes on.

    Args:
        every: Control steps between two questions.

    Raises:
        UsageError: If that is no whole number of at least 1.
    """

    def __init__(self, every: Json = EVERY) -> None:
        self._every = count("stages", "planner.every", every)

    def spec(self) -> PlannerSpec:
        """It reads the simulator's state, and says subtasks and programs."""
        return PlannerSpec(
            name="stages",
            says=("subtask", "program"),
            every=self._every,
            privileged=True,
            max_batch=64,
            params=0,
        )

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """There is nothing to begin."""

    def plan(self, observations: Sequence[Observation]) -> list[Plan]:
        """What is to be done now, for each observation.

        Raises:
            UsageError: If the environment hides its state.
        """
        return [self._plan(seen) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """It holds nothing."""

    def _plan(self, seen: Observation) -> Plan:
        state = seen.privileged
        if state is None:
            raise UsageError(
                "The planner 'stages' reads the simulator's state; this environment hides it."
            )
        stage = next((stage for stage in state.stages if not stage.achieved), None)
        goals = _left(state.stages if stage is None else [stage])
        if stage is not None and not goals and seen.plan is not None:
            return seen.plan
        name = "" if stage is None else stage.name
        if not goals:
            return Plan(subtask=WAIT, stage=name)
        return Plan(
            subtask=" and ".join(said(state, goal) for goal in goals),
            stage=name,
            program=tuple(SkillCall(goal.predicate, goal.arguments) for goal in goals),
        )


def said(state: PrivilegedState, goal: GoalState) -> str:
    """A goal in words; an object is called what it is, and anything else by its name."""
    objects = state.objects
    words = [objects[a].category if a in objects else a for a in goal.arguments]
    return SENTENCES[goal.predicate].format(*words)


def _left(stages: Sequence[StageState]) -> list[GoalState]:
    return [goal for stage in stages for goal in stage.goals if not goal.holds]
