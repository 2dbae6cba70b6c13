"""The expert's skills without its plan: a policy that carries out a planner's programs.

A skill is called what it makes true: ``on``, ``in``, ``lifted``, ``beside``, ``upright``,
``in-region``, ``away-from``, ``open``, ``closed``, ``turned``, ``pressed``; its arguments are the
names of objects and parts of fixtures in the scene, and of ``beside`` a side.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vlabench.contract.specs import PolicySpec
from vlabench.errors import PolicyError, UsageError
from vlabench.plans import SkillCall
from vlabench.policies.expert.motion import Action, Motion, retreat, wait
from vlabench.policies.expert.pick_place import SIDES
from vlabench.policies.expert.planner import SKILLS
from vlabench.types import ActionChunk, EpisodeStart, Observation, PrivilegedState

AGAIN = 20
"""Control steps after the end of a program before it begins again, if it still is asked for."""


@dataclass
class _Session:
    """Runs the program that is asked for.

    Attributes:
        asked: The lines that are asked for now.
        current: The line whose skill is under way; None between two.
    """

    asked: tuple[SkillCall, ...] = ()
    current: SkillCall | None = None
    acting: Generator[Action, PrivilegedState, None] | None = field(default=None, repr=False)

    def act(self, state: PrivilegedState, program: tuple[SkillCall, ...]) -> Action:
        """The next action ``(7,)``."""
        if self.acting is None:
            self.asked, self.acting = program, self._run(state)
            return next(self.acting)
        self.asked = program
        return self.acting.send(state)

    def _run(self, state: PrivilegedState) -> Generator[Action, PrivilegedState, None]:
        while True:
            program = self.asked
            for number, call in enumerate(program):
                state = yield from self._while_asked(state, call, program[number:])
                if self.asked not in (program, program[number + 1 :]):
                    break
            else:
                state = yield from (self._rest(state) if self.asked else wait(state, 1))

    def _while_asked(
        self, state: PrivilegedState, call: SkillCall, left: tuple[SkillCall, ...]
    ) -> Motion:
        """Goes on with a skill; if something else is asked for, the hand lets go instead."""
        before = self.asked
        skill = _skill(state, call)
        try:
            action = next(skill)
            while True:
                state = yield action
                if self.asked not in (before, left, left[1:]):
                    skill.close()
                    break
                action = skill.send(state)
        except StopIteration as done:
            ended: PrivilegedState = done.value
            return ended
        return (yield from retreat(state))

    def _rest(self, state: PrivilegedState) -> Motion:
        """Waits whether the program is asked for again."""
        program = self.asked
        for _ in range(AGAIN):
            state = yield from wait(state, 1)
            if self.asked != program:
                break
        return state


class Skills:
    """Carries out the programs of the planner before it: ``--policy stages/skills``.

    The lines of a program run one after another. Another program ends the skill that is under way
    (the hand lets go and rises), unless it is what is left of the one before; a program that still
    is asked for a second after its end begins again. It takes no arguments.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def spec(self) -> PolicySpec:
        """It looks through no camera, and reads programs and the simulator's state."""
        return PolicySpec(
            name="skills",
            privileged=True,
            stateful=True,
            max_batch=64,
            reads=("program",),
            skills=tuple(SKILLS),
        )

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        for start in starts:
            self._sessions[start.episode_id] = _Session()

    def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One action ``(1, 7)`` for each observation, rounded to 1e-3.

        Raises:
            PolicyError: If a program uses a skill on what is not there.
            UsageError: If the environment hides its state.
        """
        return [ActionChunk(self._next(seen)[None]) for seen in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        for episode_id in episode_ids:
            self._sessions.pop(episode_id, None)

    def close(self) -> None:
        """Forgets all sessions."""
        self._sessions.clear()

    def _next(self, seen: Observation) -> Action:
        if seen.privileged is None:
            raise UsageError(
                "The policy 'skills' reads the simulator's state; this environment hides it."
            )
        program = () if seen.plan is None else seen.plan.program
        return np.round(self._sessions[seen.episode_id].act(seen.privileged, program), 3)


def _skill(state: PrivilegedState, call: SkillCall) -> Motion:
    """The skill of a line, about to begin."""
    there = {*state.objects, *state.parts, *SIDES}
    unknown = [argument for argument in call.arguments if argument not in there]
    if unknown:
        raise PolicyError(
            f"Policy 'skills' is to use {call.skill!r} on {unknown[0]!r}, which is not there; "
            f"there are {', '.join(sorted(there))}."
        )
    try:
        return SKILLS[call.skill](state, *call.arguments)
    except TypeError as error:
        raise PolicyError(
            f"Policy 'skills' cannot use {call.skill!r} on {len(call.arguments)} arguments; see "
            "vlabench.policies.expert.planner.SKILLS."
        ) from error
