"""The scripted expert: it reads the simulator's state and acts through the same 7 numbers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from vlabench.contract.specs import PolicySpec
from vlabench.errors import UsageError
from vlabench.policies.expert.motion import Action
from vlabench.policies.expert.planner import pursue
from vlabench.types import ActionChunk, EpisodeStart, Observation, PrivilegedState

Plan = Generator[Action, PrivilegedState, None]


@dataclass
class _Session:
    plan: Plan | None = None


class Expert:
    """A skilled robot that sees everything: it shows that an episode can be solved.

    It plans from the task's goals to skills (reach, grasp, carry, release, pull, push), closes its
    loop on the state at every step, and tries again after a miss. It takes no arguments.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def spec(self) -> PolicySpec:
        """It looks through no camera and reads the simulator's state."""
        return PolicySpec(name="expert", privileged=True, stateful=True, max_batch=64)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        for start in starts:
            self._sessions[start.episode_id] = _Session()

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
            raise UsageError("The expert reads the simulator's state; this environment hides it.")
        if session.plan is None:
            session.plan = pursue(state)
            action = next(session.plan)
        else:
            action = session.plan.send(state)
        return np.round(action, 3)
