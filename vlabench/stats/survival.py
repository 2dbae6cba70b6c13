"""How long success takes, failures being censored and never left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class SurvivalCurve(NamedTuple):
    """The Kaplan-Meier curve, a staircase.

    Attributes:
        times: Where it steps, 0 first, in the unit of the times it was made from.
        waiting: Share that has not succeeded yet, from each of `times` on until the next.
    """

    times: tuple[float, ...]
    waiting: tuple[float, ...]

    @property
    def median(self) -> float | None:
        """When half have succeeded; None where that was not seen."""
        reached = (time for time, left in zip(*self, strict=True) if left <= 0.5 + 1e-12)
        return next(reached, None)


def kaplan_meier(times: Sequence[float], succeeded: Sequence[bool]) -> SurvivalCurve:
    """The share of episodes that has not succeeded yet, over time.

    Args:
        times: When each episode succeeded, or was last seen without success; not negative.
        succeeded: Whether it succeeded then.

    Raises:
        ValueError: If there are no episodes, the lengths differ, or a time is negative.

    Kaplan and Meier (1958), JASA 53, 457-481.
    """
    t, event = np.asarray(times, dtype=np.float64), np.asarray(succeeded, dtype=bool)
    if t.size == 0 or t.shape != event.shape or not np.all(t >= 0):
        raise ValueError("A survival curve needs episodes, each with a time from 0.")
    moments, events = np.unique(t[event], return_counts=True)
    at_risk = len(t) - np.searchsorted(np.sort(t), moments, side="left")
    waiting = np.cumprod(1 - events / at_risk)
    return SurvivalCurve((0.0, *moments.tolist()), (1.0, *waiting.tolist()))


def restricted_mean_time(
    times: Sequence[float], succeeded: Sequence[bool], horizon: float
) -> float:
    """Mean time to success up to `horizon`: the area under the Kaplan-Meier curve.

    A failure is censored at its time (the horizon, or where it was cut off), never left out.

    Args:
        times: When each episode succeeded, or was last seen without success; not negative.
        succeeded: Whether it succeeded then.
        horizon: Where the area ends, in the unit of `times`, above 0.

    Raises:
        ValueError: If there are no episodes, the lengths differ, a time is negative, or
            everything was cut off before the horizon, so that the curve is not known up to it.
    """
    if not horizon > 0:
        raise ValueError(f"The horizon is {horizon:g}; it must be above 0.")
    knots, waiting = (np.asarray(axis) for axis in kaplan_meier(times, succeeded))
    last = max(times)
    if waiting[-1] > 0 and last < horizon:
        raise ValueError(
            f"The last episode was cut off at {last:g}, before the horizon {horizon:g}."
        )
    edges = np.minimum(np.append(knots, horizon), horizon)
    return float(np.sum(waiting * np.diff(edges)))
