"""Makes a policy's rows into the environment's actions, one control step after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vlabench.contract.actions import ActionConverter
from vlabench.contract.execution import Memory, StepConverter
from vlabench.errors import PolicyError
from vlabench.types import Floats


class Executor:
    """The rows of one session; see `vlabench.contract.pipeline.Pipeline` for its converters.

    Args:
        policy: What the policy is called in errors.
        actions: The converters of a row as it was answered, in order.
        execution: Those that know how the robot stands, in order.
        finish: Those after that, in order.
    """

    def __init__(
        self,
        policy: str,
        actions: Sequence[ActionConverter],
        execution: Sequence[StepConverter],
        finish: Sequence[ActionConverter],
    ) -> None:
        self._policy = policy
        self._actions, self._execution, self._finish = actions, execution, finish
        self._memories: list[Memory] = [()] * len(execution)

    def __call__(self, row: Floats, proprio: Mapping[str, Floats]) -> npt.NDArray[np.float32]:
        """The environment's action ``(n,)`` for a row ``(D,)`` of the policy.

        `proprio` has the fields of `Pipeline.reads`, as they are now.

        Raises:
            PolicyError: If the row cannot be meant, for example a quaternion of length 0.
        """
        try:
            action = self._converted(row[np.newaxis], proprio)
            if not np.isfinite(action).all():
                raise ValueError(f"{row.tolist()} makes numbers that are not finite")
        except (ValueError, OverflowError) as error:
            raise PolicyError(
                f"Policy {self._policy!r} answered what cannot be meant: {error}."
            ) from error
        return action

    def wait(self) -> None:
        """A control step goes by without a row: the robot stands still."""
        steps = zip(self._execution, self._memories, strict=True)
        self._memories = [step.waited(memory) for step, memory in steps]

    def _converted(self, rows: Floats, proprio: Mapping[str, Floats]) -> npt.NDArray[np.float32]:
        for whole in self._actions:
            rows = whole(rows)
        for number, step in enumerate(self._execution):
            row, self._memories[number] = step(rows[0], proprio, self._memories[number])
            rows = row[np.newaxis]
        for whole in self._finish:
            rows = whole(rows)
        action: npt.NDArray[np.float32] = rows[0].astype(np.float32)
        return action
