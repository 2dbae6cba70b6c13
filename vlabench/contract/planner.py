"""Hierarchical policies: a planner says what is to be done, and any policy does it.

The rollout owns what belongs to a session. It asks the planner at the rate that it declares, keeps
what it said, shows that to the policy (`Observation.plan`), and drops the actions that it has
buffered when the subtask is another (`vlabench.plans.Plan.is_another`). `Hierarchical` makes one
policy of both, so whatever runs a policy, in a worker, in batches, or behind ``vlabench serve``,
runs a hierarchy too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from vlabench.contract import overlay, prompt
from vlabench.contract.batching import in_batches
from vlabench.contract.mismatch_planner import SUBTASK, misfits
from vlabench.contract.planning import check_plan
from vlabench.contract.policy import Policy
from vlabench.contract.specs import PlannerSpec, PolicySpec, PromptSpec
from vlabench.errors import (
    ContractError,
    InfrastructureError,
    PlacementError,
    PolicyError,
    UsageError,
    in_one_line,
)
from vlabench.plans import Plan
from vlabench.types import ActionChunk, EpisodeStart, Observation

T = TypeVar("T")

INSTRUCTION = "{instruction}"
"""Where the task's own words go in a planner's wording."""


@runtime_checkable
class Planner(Protocol):
    """Says what is to be done, in several sessions at once; each session is one episode."""

    def spec(self) -> PlannerSpec:
        """What it needs, what it says, and how often it is asked; never changes."""
        ...

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session for each start."""
        ...

    def plan(self, observations: Sequence[Observation]) -> Sequence[Plan]:
        """What is to be done in each session; `Observation.plan` is what it said before."""
        ...

    def end(self, episode_ids: Sequence[str]) -> None:
        """Forgets these sessions."""
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...


class Hierarchical:
    """A planner in front of a policy, as one policy.

    It remembers nothing itself: what the planner said last comes with the observation.

    Args:
        planner: Says what is to be done.
        policy: Does it; told the subtask as its instruction, through its own prompt, and shown
            the other parts of the plan that it declares to read.

    Raises:
        UsageError: If the planner is none, or the policy has a planner already.
        ContractError: If nothing that the planner says reaches the policy, or the policy reads
            what the planner does not say.
    """

    def __init__(self, planner: Planner, policy: Policy) -> None:
        if not isinstance(planner, Planner):
            raise UsageError(
                f"A {type(planner).__name__} is no planner; see "
                "vlabench.contract.planner.Planner for its methods."
            )
        self._planner, self._policy = planner, policy
        self._inner = policy.spec()
        self._says = planner.spec()
        if not isinstance(self._says, PlannerSpec):
            raise UsageError(
                f"{type(planner).__name__}.spec() gave a {type(self._says).__name__}; give a "
                "vlabench.contract.specs.PlannerSpec."
            )
        self._spec = joined(self._says, self._inner)

    def spec(self) -> PolicySpec:
        """The policy's declaration with the planner's in it."""
        return self._spec

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Begins a session with both for each start."""
        self._of_planner(lambda: self._planner.reset(_worded(starts, self._says.prompt)))
        self._policy.reset(_worded(starts, self._inner.prompt))

    def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """Asks the planner where it is to be asked, then the policy where actions are due.

        They are due where the rollout says so, and where the subtask is another than before.
        """
        began = time.perf_counter()
        plans = self._plans(observations)
        planning_ms = 1000 * (time.perf_counter() - began)
        told = [new or seen.plan for new, seen in zip(plans, observations, strict=True)]
        another = [
            new is not None and new.is_another(seen.plan)
            for new, seen in zip(plans, observations, strict=True)
        ]
        asked = [n for n, seen in enumerate(observations) if seen.due or another[n]]
        shown = [self._for_policy(observations[n], told[n]) for n in asked]
        who = f"Policy {self._inner.name!r}"
        acted = in_batches(self._policy.act, self._inner, shown, who)
        nothing = ActionChunk(np.zeros((0, self._inner.action.dimension)), infer_ms=0.0)
        chunks = [nothing] * len(observations)
        for n, chunk in zip(asked, acted, strict=True):
            chunks[n] = chunk
        return [
            _with_plan(chunk, plan, planning_ms) for chunk, plan in zip(chunks, plans, strict=True)
        ]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Ends these sessions with both."""
        try:
            self._of_planner(lambda: self._planner.end(episode_ids))
        finally:
            self._policy.end(episode_ids)

    def close(self) -> None:
        """Frees what both hold."""
        try:
            self._planner.close()
        finally:
            self._policy.close()

    def _plans(self, observations: Sequence[Observation]) -> list[Plan | None]:
        """What the planner says, where it is asked."""
        asked, shown = [], []
        for n, seen in enumerate(observations):
            if seen.planner is not None:
                asked.append(n)
                shown.append(_named(seen.planner, seen))
        who = f"Planner {self._says.name!r}"
        said = self._of_planner(lambda: in_batches(self._planner.plan, self._says, shown, who))
        plans: list[Plan | None] = [None] * len(observations)
        for n, plan in zip(asked, said, strict=True):
            plans[n] = check_plan(self._says, self._inner, plan)
        return plans

    def _for_policy(self, seen: Observation, plan: Plan | None) -> Observation:
        """What the policy sees: its subtask, worded for it, and of the plan what it reads."""
        if plan is None:
            raise PolicyError(
                f"Policy {self._spec.name!r} was asked for actions before its planner was asked."
            )
        images = {
            camera.role: overlay.drawn(seen.images[camera.role], camera, plan.paths)
            for camera in self._inner.cameras
            if camera.draws_paths
        }
        return replace(
            seen,
            instruction=prompt.worded(
                wording(self._says, seen.instruction, plan.subtask), self._inner.prompt
            ),
            images={**seen.images, **images},
            privileged=seen.privileged if self._inner.privileged else None,
            due=True,
            plan=plan.only(self._inner.reads) if self._inner.reads else None,
            planner=None,
        )

    def _of_planner(self, ask: Callable[[], T]) -> T:
        """What `ask` returns; whatever the planner raises in it names the planner."""
        try:
            return ask()
        except (InfrastructureError, PlacementError):
            raise
        except (Exception, SystemExit) as error:  # a planner is foreign code and may raise anything
            name = f"Planner {self._says.name!r}"
            text = str(error) if isinstance(error, PolicyError) else in_one_line(error)
            raise PolicyError(text if text.startswith(name) else f"{name}: {text}") from error


def joined(planner: PlannerSpec, policy: PolicySpec) -> PolicySpec:
    """The declaration of `planner` in front of `policy`; what each of them needs stays apart.

    Raises:
        UsageError: If the policy has a planner already.
        ContractError: If they do not fit.
    """
    if policy.planner is not None:
        raise UsageError(
            f"The policy {policy.name!r} has a planner already; put one before a policy without."
        )
    wrong = list(misfits(planner, policy))
    if wrong:
        raise ContractError(
            f"Planner {planner.name!r} and policy {policy.name!r} do not agree: {'; '.join(wrong)}."
        )
    return replace(
        policy,
        name=f"{planner.name}/{policy.name}",
        planner=planner,
        privileged=policy.privileged or planner.privileged,
        deterministic=policy.deterministic and planner.deterministic,
        stateful=policy.stateful or planner.stateful,
        max_batch=max(policy.max_batch, planner.max_batch),
        fixed_batch=False,
        revision="+".join(filter(None, (planner.revision, policy.revision))),
        params=_sum(planner.params, policy.params),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def wording(planner: PlannerSpec, instruction: str, subtask: str) -> str:
    """What the policy is told to do; the task's own words where the planner said none."""
    if not subtask:
        return instruction
    words = {SUBTASK: subtask, INSTRUCTION: instruction}
    pattern = "|".join(map(re.escape, words))
    return re.sub(pattern, lambda found: words[found.group()], planner.wording)


def _named(shown: Observation, seen: Observation) -> Observation:
    """What the planner is shown, under the name that the session has here."""
    return replace(shown, episode_id=seen.episode_id, plan=seen.plan, planner=None)


def _with_plan(chunk: Any, plan: Plan | None, planning_ms: float) -> Any:
    if not isinstance(chunk, ActionChunk):
        return chunk
    took = None if chunk.infer_ms is None else chunk.infer_ms + planning_ms * (plan is not None)
    return replace(chunk, plan=plan, infer_ms=took)


def _worded(starts: Sequence[EpisodeStart], how: PromptSpec) -> list[EpisodeStart]:
    return [replace(start, instruction=prompt.worded(start.instruction, how)) for start in starts]
