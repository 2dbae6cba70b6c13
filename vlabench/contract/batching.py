"""Asks a policy for many sessions at once, in the batches that it declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlabench.contract.policy import Policy
from vlabench.contract.specs import PADDING, PolicySpec
from vlabench.errors import PolicyError
from vlabench.types import ActionChunk, Observation


def padded(observations: Sequence[Observation], spec: PolicySpec) -> list[Observation]:
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
    batch = padded(observations, spec)
    chunks = policy.act(batch)
    if len(chunks) != len(batch):
        raise PolicyError(
            f"Policy {spec.name!r} gave {len(chunks)} answers to {len(batch)} observations; it "
            "must give one each."
        )
    return list(chunks[: len(observations)])
