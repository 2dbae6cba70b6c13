"""What an environment may offer besides: what happened step by step, and a window to look through.

Nothing of a run needs them. A film has a timeline where the environment tells one, and
``vlabench replay --interactive`` opens a window where it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vlabench.contract.environment import Environment


@dataclass(frozen=True, slots=True)
class Held:
    """A thing that was in the hand after the control steps `since` to `until`, both included."""

    since: int
    until: int
    thing: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the robot did to things; control steps count from 1.

    Attributes:
        contact_force_n: For each control step the largest normal force of one contact of the robot
            in newtons, looked at once at its end.
        collisions: The control steps that `Safety.n_collisions` counts.
        drops: The control steps that `Safety.n_drops` counts: at which a thing landed.
        grasps: What was in the hand, and when.
    """

    contact_force_n: tuple[float, ...] = ()
    collisions: tuple[int, ...] = ()
    drops: tuple[int, ...] = ()
    grasps: tuple[Held, ...] = ()


@runtime_checkable
class TellsTimeline(Protocol):
    """An environment that tells what happened in the episode that it is in."""

    def timeline(self) -> Timeline:
        """What happened so far."""
        ...


@runtime_checkable
class HasWindow(Environment, Protocol):
    """An environment that a person can look at while it runs."""

    def window(self) -> AbstractContextManager[Callable[[], bool]]:
        """Opens a window on the episode that it is in, until the context ends.

        What is yielded draws the present state, and says whether the window is still open.

        Raises:
            UsageError: If there is no screen.
        """
        ...
