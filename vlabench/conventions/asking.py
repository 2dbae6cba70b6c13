"""Asks a policy along the expert's way: what would it have done here?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from vlabench.contract.batching import answers_of
from vlabench.contract.history import History
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.playback import steps_of
from vlabench.contract.policy import Policy
from vlabench.contract.specs import CameraSpec, EnvSpec
from vlabench.conventions.path import Path
from vlabench.conventions.reading import Reading
from vlabench.errors import PolicyError, VlabenchError, in_one_line
from vlabench.seeding import seed_of
from vlabench.types import EpisodeStart, Floats, Json, Observation

T = TypeVar("T")

Answers: TypeAlias = Mapping[int, Floats]
"""Control step to the rows ``(T, D)`` that the policy answered there, in its own numbers."""

Said: TypeAlias = tuple[npt.NDArray[np.intp], Floats]
"""Control steps, and what the policy said for each: ``(M,)`` and ``(M, n)``."""

Arguments: TypeAlias = tuple[tuple[str, Json], ...]

Made: TypeAlias = Callable[[Mapping[str, Json]], AbstractContextManager[Policy]]
"""Makes the policy with these arguments instead of those it was given."""


def moments(reading: Reading, env: EnvSpec, length: int, questions: int) -> range:
    """The control steps at which a policy is asked on a path of `length` steps.

    One that is paced is asked whenever a rollout would ask it; any other one about `questions`
    times, and never while an answer lasts.
    """
    pipeline = reading.pipeline(env)
    period = steps_of(pipeline.executed, pipeline.ratio)
    if not reading.paced:
        period = max(period, math.ceil(length / questions))
    return range(0, length, period)


def looks(cameras: Sequence[CameraSpec], asked: range) -> set[int]:
    """When they look, for answers at `asked`: then, and before for a history."""
    back = {k * camera.history_stride for camera in cameras for k in range(camera.history)}
    return {step - by for step in asked for by in (back or {0}) if step >= by}


class Cast:
    """The policy, made with one set of arguments at a time: two may not fit into one memory.

    Args:
        made: Makes it.
    """

    def __init__(self, made: Made) -> None:
        self._made = made
        self._stack = ExitStack()
        self._there: tuple[Arguments, Policy] | None = None

    def policy(self, args: Arguments) -> Policy:
        """The policy as it is with `args` instead of those it was given."""
        if self._there is None or self._there[0] != args:
            self.close()
            self._there = args, self._stack.enter_context(self._made(dict(args)))
        return self._there[1]

    def close(self) -> None:
        """Closes the policy."""
        self._there = None
        self._stack.close()


@dataclass
class Asking:
    """The answers of one policy to every question that it was asked; no question twice.

    Attributes:
        cast: Holds the policy.
        env: What the environment offers to it.
        paths: Where it is asked.
        questions: About how often on each; see `moments`.
        told: Called with a line after each question.
        calls: How often it was asked so far.
        converted: What its answers have been turned into so far, by how they were understood.
    """

    cast: Cast
    env: EnvSpec
    paths: Sequence[Path]
    questions: int
    told: Callable[[str], None] = lambda _: None
    calls: int = 0
    converted: dict[tuple[object, ...], list[Said]] = field(default_factory=dict)
    _answers: dict[tuple[object, ...], tuple[Answers, ...]] = field(default_factory=dict)

    def answers(self, reading: Reading, name: str = "all is as declared") -> tuple[Answers, ...]:
        """The answers on each path.

        Raises:
            PolicyError: If the policy answers something that is no answer.
            InfrastructureError: If its server is lost, or what it looks at was not watched.
            ContractError: If nothing can turn an observation into what `reading` says it sees.
        """
        question = reading.question
        if question not in self._answers:
            policy, began, before = self.cast.policy(reading.args), time.monotonic(), self.calls
            self._answers[question] = tuple(
                self._session(policy, reading, path) for path in self.paths
            )
            took = time.monotonic() - began
            self.told(f"{self.calls - before} answers in {took:.1f} s, if {name}")
        return self._answers[question]

    def _session(self, policy: Policy, reading: Reading, path: Path) -> Answers:
        pipeline, spec = reading.pipeline(self.env), reading.spec
        history, last = History(spec.cameras), None
        asked = moments(reading, self.env, len(path.reference), self.questions)
        wanted = looks(spec.cameras, asked)
        found: dict[int, Floats] = {}
        session = f"{path.episode.episode_id}-{len(self._answers)}"
        start = EpisodeStart(
            session,
            seed_of("policy", path.episode.seed, path.episode.task, path.episode.index),
            pipeline.instruction(path.episode.instruction),
            self.env,
        )
        _guarded(lambda: policy.reset([start]))
        try:
            for step in sorted(wanted):
                shown = replace(reading.shown(path.shown[step]), episode_id=session)
                if step not in asked:
                    history.add(step, pipeline.frames(shown))
                    continue
                seen = pipeline.to_policy(shown, history, last)
                rows = self._asked(policy, pipeline, seen)
                found[step], last = rows, rows[min(spec.executed, len(rows)) - 1]
        finally:
            with suppress(PolicyError):
                _guarded(lambda: policy.end([session]))
        return found

    def _asked(self, policy: Policy, pipeline: Pipeline, seen: Observation) -> Floats:
        self.calls += 1
        chunk = _guarded(lambda: answers_of(policy, pipeline.policy, [seen])[0])
        return pipeline.check(_guarded(lambda: chunk.actions))


def _guarded(ask: Callable[[], T]) -> T:
    """What `ask` returns; whatever else the policy raises in it is the policy's error."""
    try:
        return ask()
    except VlabenchError:
        raise
    except (Exception, SystemExit) as error:  # a policy is foreign code and may raise anything
        raise PolicyError(
            f"The policy cannot be examined, because it raises {in_one_line(error)}; mend it."
        ) from error
