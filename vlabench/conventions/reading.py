"""One way to understand a policy: what it is shown, and what its numbers are taken for.

The declaration is one such way, and every suspected fault of it is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from vlabench.contract.images import Image
from vlabench.contract.negotiate import negotiate
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.specs import EnvSpec, PolicySpec
from vlabench.types import Json, Observation

Axes: TypeAlias = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
"""Rows of a matrix that swaps and reverses axes: each row and column has one number, 1 or -1."""

Fit: TypeAlias = Literal["", "size", "offset", "linear"]
Part: TypeAlias = Literal["translation", "rotation", "joints", "gripper"]

ARM: tuple[Part, ...] = ("translation", "rotation", "joints")
ALL: tuple[Part, ...] = (*ARM, "gripper")


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to understand a policy's questions and answers.

    Attributes:
        spec: The declaration that it is understood by.
        paced: Whether the policy must be asked whenever a rollout would ask it, because its answers
            depend on when it was asked before.
        probe: What is done to every image beside, a name of `PROBES`; empty for nothing.
        sources: Pairs ``(role, other)``: the camera `role` is shown what `other` sees.
        args: Arguments that the policy is made with instead of those it was given.
        axes: How the axes of its translations and rotations lie in the base's frame.
        reversed_rotation: Whether its rotations turn the other way.
        fit: A map of its numbers that is fitted to the expert's, always on other episodes than it
            is judged on: ``"size"``, one factor for translations and one for rotations,
            ``"offset"``, one shift of all positions, or ``"linear"``, a positive
            factor and an offset for each number of the arm.
        first_row: The first row of an answer that counts.
        hz: Rows of an answer in a second; None for what `spec` says.
        span: Control steps of an answer that count; None for as many as are executed.
    """

    spec: PolicySpec
    paced: bool
    probe: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    args: tuple[tuple[str, Json], ...] = ()
    axes: Axes | None = None
    reversed_rotation: bool = False
    fit: Fit = ""
    first_row: int = 0
    hz: float | None = None
    span: int | None = None

    @property
    def question(self) -> tuple[object, ...]:
        """All that decides what the policy is shown, and when: equal ones have equal answers."""
        spec = self.spec
        when = spec.executed if self.paced else 0
        shown = (spec.cameras, spec.proprio, spec.state, spec.prompt)
        return (*shown, when, self.probe, self.sources, self.args)

    def pipeline(self, env: EnvSpec) -> Pipeline:
        """What turns its questions and answers.

        Raises:
            ContractError: If nothing can.
        """
        return negotiate(self.spec, env, allow_mismatch=True)

    def shown(self, observation: Observation) -> Observation:
        """What the environment seems to show, before the pipeline."""
        images = dict(observation.images)
        for role, other in self.sources:
            images[role] = observation.images[other]
        if self.probe:
            images = {role: PROBES[self.probe](image) for role, image in images.items()}
        return replace(observation, images=images)


def as_declared(spec: PolicySpec) -> Reading:
    """How `spec` wants to be understood."""
    action = spec.action
    paced = spec.stateful or action.gripper_relative or spec.ensembling is not None
    return Reading(spec, paced)


PROBES: Mapping[str, Callable[[Image], Image]] = {
    "colours": lambda image: np.ascontiguousarray(image[..., ::-1]),
}
"""Ways to change ``(H, W, 3) uint8`` images; ``"colours"`` swaps red and blue."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A fault that the declaration may have.

    Attributes:
        name: What it is, in a few words.
        family: Which other suspects it cannot go together with.
        mend: What to change to what; empty where `Reading.spec` says it.
        reading: The way to understand the policy if it is so.
        touches: The parts of an action that it changes.
        asks_anew: Whether the policy must be asked for it.
    """

    name: str
    family: str
    reading: Reading
    touches: tuple[Part, ...] = ALL
    mend: str = ""
    asks_anew: bool = False


def changed(reading: Reading, **action: Any) -> Reading:
    """`reading` with other fields of `ActionSpec`."""
    spec = reading.spec
    return replace(reading, spec=replace(spec, action=replace(spec.action, **action)))
