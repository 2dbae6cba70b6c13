"""Asks a policy for many sessions at once, in the batches that it declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PADDING, PlannerSpec, PolicySpec
from vlabench.errors import PolicyError
from vlabench.types import ActionChunk, Observation

T = TypeVar("T")


def padded(
    observations: Sequence[Observation], spec: PolicySpec | PlannerSpec
) -> list[Observation]:
    """One batch as the policy is asked for it: filled up, if it wants every batch full.

    What is added are copies of the first observation, of sessions that were never begun: their ids
    begin with `vlabench.contract.specs.PADDING`.
    """
    batch = list(observations)
    if spec.fixed_batch and batch:
        missing = range(spec.max_batch - len(batch))
        batch += [replace(batch[0], episode_id=f"{PADDING}{number}") for number in missing]
    return batch


def answers_of(
    policy: Policy, spec: PolicySpec, observations: Sequence[Observation]
) -> list[ActionChunk]:
    """An answer to each of at most `max_batch` observations, in their order.

    Raises:
        PolicyError: If there are not as many answers as the policy was asked for.
    """
    return _asked(policy.act, spec, observations, f"Policy {spec.name!r}")


def in_batches(
    ask: Callable[[Sequence[Observation]], Sequence[T]],
    spec: PolicySpec | PlannerSpec,
    observations: Sequence[Observation],
    who: str,
) -> list[T]:
    """An answer to each of however many observations, asked for in the batches of `spec`.

    Raises:
        PolicyError: If there are not as many answers as `who` was asked for.
    """
    answers: list[T] = []
    for first in range(0, len(observations), spec.max_batch):
        answers += _asked(ask, spec, observations[first : first + spec.max_batch], who)
    return answers


def _asked(
    ask: Callable[[Sequence[Observation]], Sequence[T]],
    spec: PolicySpec | PlannerSpec,
    observations: Sequence[Observation],
    who: str,
) -> list[T]:
    batch = padded(observations, spec)
    answers = ask(batch)
    if len(answers) != len(batch):
        raise PolicyError(
            f"{who} gave {len(answers)} answers to {len(batch)} observations; it must give one "
            "each."
        )
    return list(answers[: len(observations)])
