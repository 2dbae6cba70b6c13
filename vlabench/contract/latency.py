"""The time that a policy takes to think, in simulated time.

A simulator waits for its policy; a robot does not. With a latency the environment runs on while
the policy thinks: it asks, executes as many control steps as the latency lasts (standing still, or
with what is left of the answer before), and only then begins with the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vlabench.errors import UsageError

_BARELY = 1e-9
"""Share of a control step by which rounding may exceed a whole one."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long every answer takes.

    Attributes:
        ms: Milliseconds, the same on every machine; None for what each answer took on this one,
            waiting for a shared model and for the network included. Such a run is not reproducible.

    Raises:
        UsageError: If it is no time.
    """

    ms: float | None = None

    def __post_init__(self) -> None:
        if self.ms is not None and not (math.isfinite(self.ms) and self.ms >= 0):
            raise UsageError(
                f"A latency of {self.ms} ms is no time; give 0 or more, or 'measured'."
            )

    @property
    def setting(self) -> float | Literal["measured"]:
        """What a record says of it."""
        return "measured" if self.ms is None else self.ms

    def steps(self, control_hz: float, measured_ms: float) -> int:
        """Control steps that begin before the answer is there."""
        ms = measured_ms if self.ms is None else self.ms
        return math.ceil(ms / 1000 * control_hz - _BARELY)
