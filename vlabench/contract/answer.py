"""Is what a policy answered what it declares that it answers?"""

from __future__ import annotations

import numpy as np

from vlabench.contract.specs import PolicySpec
from vlabench.errors import PolicyError
from vlabench.types import Floats


def check_answer(policy: PolicySpec, actions: object) -> Floats:
    """The answer ``(T, D)`` of `policy` as float64, once it is known to be one.

    Raises:
        PolicyError: If it has a wrong type or shape, or a number that is not finite or beyond the
            bound that the policy declared.
    """
    name, shape = policy.name, (policy.chunk_length, policy.action.dimension)
    if not isinstance(actions, np.ndarray):
        raise PolicyError(
            f"Policy {name!r} answered a {type(actions).__name__}; actions must be a float "
            f"array of shape {shape}."
        )
    if actions.dtype.kind != "f":
        raise PolicyError(
            f"Policy {name!r} answered actions of type {actions.dtype}; they must be floats."
        )
    if actions.shape != shape:
        raise PolicyError(
            f"Policy {name!r} answered actions of shape {actions.shape}; it declares "
            f"{shape[0]} rows (chunk_length) of {shape[1]} numbers (dimension)."
        )
    numbers: Floats = actions.astype(np.float64)
    bound = policy.action.bound
    meant = np.isfinite(numbers) if bound is None else np.abs(numbers) <= bound
    if not meant.all():
        row, column = np.argwhere(~meant)[0]
        limit = "finite" if bound is None else f"finite and at most {bound:g} in size"
        raise PolicyError(
            f"Policy {name!r} answered {actions[row, column]} in row {row}, column {column}; "
            f"every number must be {limit}."
        )
    return numbers
