"""A scripted policy: a plan that acts on what its session takes for true.

The expert takes the simulator's state for what it is. Baselines that are to show what can be had
without looking or listening act by the same plan and the same skills on another belief.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.expert.motion import Action
from vlabench.policies.expert.planner import pursue
from vlabench.types import ActionChunk, EpisodeStart, GoalState, Observation, PrivilegedState

Plan: TypeAlias = Generator[Action, PrivilegedState, None]


class Mind:
    """What one session takes for true: the expert's takes everything as it is."""

    def believe(self, state: PrivilegedState, last: Action | None) -> PrivilegedState:
        """What to act on, given the truth and the action that led to it."""
        del last
        return state

    def finished(self, goal: GoalState) -> None:
        """The skill for `goal` has come to its end, whether or not the goal is met."""


@dataclass
class _Session:
    mind: Mind
    plan: Plan | None = None
    last: Action | None = None


class Scripted:
    """A policy that reads the simulator's state and acts by the expert's plan.

    Args:
        name: What it is called in tables.
        mind: Makes what a new session takes for true.
    """

    def __init__(self, name: str, mind: Callable[[EpisodeStart], Mind]) -> None:
        self._name, self._mind = name, mind
        self._sessions: dict[str, _Session] = {}

    def spec(self) -> PolicySpec:
        """It looks through no camera and reads the simulator's state."""
        return PolicySpec(name=self._name, privileged=True, stateful=True, max_batch=64)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        for start in starts:
            self._sessions[start.episode_id] = _Session(self._mind(start))

    def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One action ``(1, 7)`` for each observation, rounded to 1e-3."""
        return [ActionChunk(self._next(observation)[None]) for observation in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        for episode_id in episode_ids:
            self._sessions.pop(episode_id, None)

    def close(self) -> None:
        """Forgets all sessions."""
        self._sessions.clear()

    def _next(self, observation: Observation) -> Action:
        state, session = observation.privileged, self._sessions[observation.episode_id]
        if state is None:
            raise UsageError(
                f"The policy {self._name!r} reads the simulator's state; this environment hides it."
            )
        believed = session.mind.believe(state, session.last)
        if session.plan is None:
            session.plan = pursue(believed, session.mind.finished)
            action = next(session.plan)
        else:
            action = session.plan.send(believed)
        session.last = np.round(action, 3)
        return session.last.copy()
