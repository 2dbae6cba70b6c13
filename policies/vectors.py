"""The vectors that go to a policy's server and come back: are they what was declared?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.proprio import natural_size
from vlabench.contract.specs import StateField
from vlabench.errors import PolicyError

JOINTS = 7
"""Joints of the arm that a card's state is of, where it says nothing else."""


def state_size(fields: Sequence[StateField]) -> int:
    """How many numbers a declared state vector has."""
    return sum(natural_size(f, JOINTS) if f.size is None else f.size for f in fields)


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
