"""Replays an episode in a window, at the rate at which it was simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from vlabench.contract.watching import HasWindow
from vlabench.errors import UsageError
from vlabench.replaying import Recorded, Replay, replay_in
from vlabench.store import Run


def replay_in_window(run: Run, episode_id: str) -> Replay:
    """Replays an episode of `run` before somebody's eyes, and keeps its end until they close it.

    The rest is simulated as fast as it goes once the window is closed.

    Raises:
        UsageError: If it has not run, this vlabench has another world, or there is no screen.
    """
    recorded = Recorded.of(run, episode_id)
    environment = recorded.environment()
    if not isinstance(environment, HasWindow):
        environment.close()
        raise UsageError(
            f"The world {recorded.world!r} has no window to show; leave out --interactive."
        )
    with closing(environment), ExitStack() as opened:
        clock = _Clock(environment, opened)
        result = replay_in(environment, recorded, clock.tick)
        while clock.show():
            time.sleep(clock.period)
    return result


class _Clock:
    """Lets a step take as long as it took in the simulation, while the window is open.

    The window belongs to one scene, so it is opened once the episode has begun.
    """

    def __init__(self, environment: HasWindow, opened: ExitStack) -> None:
        self.period = 1 / environment.spec().control_hz
        self.show: Callable[[], bool] = lambda: False
        self._environment, self._opened, self._next = environment, opened, 0.0
        self._began = False

    def tick(self, left_at: int | None) -> None:
        """Shows the present state, and waits for the next step's time."""
        del left_at
        if not self._began:
            self.show = self._opened.enter_context(self._environment.window())
            self._began, self._next = True, time.monotonic()
        if self.show():
            self._next = max(self._next, time.monotonic() - 1.0) + self.period
            time.sleep(max(0.0, self._next - time.monotonic()))
