"""The vectors that go to a policy's server and come back: are they what was declared?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.proprio import natural_size
from vlabench.contract.specs import PolicySpec, StateField
from vlabench.errors import PolicyError
from vlabench.types import Observation

JOINTS = 7
"""Joints of the arm that a card's state is of, where it says nothing else."""


def state_size(fields: Sequence[StateField]) -> int:
    """How many numbers a declared state vector has."""
    return sum(natural_size(f, JOINTS) if f.size is None else f.size for f in fields)


def loaded_rows(
    checkpoint: str, rows: npt.NDArray[np.float32], spec: PolicySpec
) -> npt.NDArray[np.float32]:
    """What a checkpoint that was loaded here answered for a session, if it is what `spec` declares.

    Raises:
        PolicyError: If it has another shape, or numbers that cannot be meant.
    """
    due = (spec.chunk_length, spec.action.dimension)
    if rows.shape != due:
        raise PolicyError(
            f"The checkpoint {checkpoint} answered {rows.shape[0]} rows of {rows.shape[1]} numbers "
            f"where its card has {due[0]} of {due[1]}; mend the card."
        )
    check_numbers(f"The checkpoint {checkpoint}", rows, spec.action.bound)
    return rows


def states_of(observations: Sequence[Observation]) -> npt.NDArray[np.float32]:
    """The state vectors ``(B, S)`` of sessions whose policy declares one."""
    states = [np.empty(0) if seen.state is None else seen.state for seen in observations]
    return np.stack(states).astype(np.float32)


def check_numbers(server: str, actions: npt.NDArray[Any], bound: float | None) -> None:
    """That every number of `actions` ``(T, D)`` can be meant, so that the error names the server.

    Raises:
        PolicyError: If one is not finite, or beyond `bound`.
    """
    wrong = ~np.isfinite(actions)
    if bound is not None:
        wrong |= np.abs(actions) > bound
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        limit = "" if bound is None else f" within {bound:g}"
        raise PolicyError(
            f"{server} answered {actions[row, column]} as number {column} of action {row}, where "
            f"finite numbers{limit} are due; does it run the checkpoint of the card?"
        )
