"""Ends an attempt in which nothing moves: a policy or a simulation step that never returns.

Nothing is reported on the way, so that a control step costs no more than a look at the clock. The
kernel's timer is set anew now and then instead; when it runs out, its signal interrupts the main
thread where it hangs, be it a loop, a sleep or a wait for a socket, and the attempt ends as
`HungError`, which says where that was.

Compiled code that never comes back to the interpreter hears of no signal. In a process that may
end for it (`deadly`: a worker's), a thread of `faulthandler`, which needs no interpreter, then
writes where everybody is to the standard error and ends the process.
"""

from __future__ import annotations

import faulthandler
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from vlabench.errors import HungError

STEP_TIMEOUT_S = 1800.0
"""Seconds without a control step after which an attempt is given up, unless told otherwise: the
first answer of a policy that compiles its model may take many minutes."""

SHORTEST_S, LONGEST_S = 0.1, 30 * 86400.0
"""The bounds of that time."""

SLACK = 0.05
"""The share of the time after which the clock is set anew; so much later it may run out."""

GRACE, SHORTEST_GRACE_S = 0.2, 5.0
"""The share of the time that who hangs is given to hear of it before the process is ended, and the
fewest seconds."""


WRITTEN_AT_THE_END = "Timeout ("
"""What `faulthandler` begins with before it ends a process."""


class _Interrupt(BaseException):
    """Raised where the main thread hangs; no policy's ``except Exception`` catches it."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Watchdog:
    """Told of every step by `beat`; see `watching`.

    The kernel has one timer of this kind for a process. What somebody else had set when the watch
    began is kept for them, and an alarm that comes before its time is theirs.
    """

    def __init__(self, timeout_s: float, *, deadly: bool) -> None:
        self._timeout_s, self._deadly = timeout_s * (1 + SLACK), deadly
        self._again_s = timeout_s * SLACK
        self._audible = threading.current_thread() is threading.main_thread()
        self._set_at, self._due_at = -math.inf, math.inf
        self._before: Any = None
        self._theirs, self._began = (0.0, 0.0), 0.0
        self._on = False
        self.steps = 0

    def beat(self) -> None:
        """A step has been made."""
        self.steps += 1
        now = time.monotonic()
        if now - self._set_at >= self._again_s:
            self._set(now)

    def start(self) -> None:
        """Begins to watch."""
        self._on, self._began = True, time.monotonic()
        if self._audible:
            self._theirs = signal.setitimer(signal.ITIMER_REAL, 0.0)
            self._before = signal.signal(signal.SIGALRM, self._interrupt)
        self._set(self._began)

    def stop(self) -> None:
        """Watches no longer, and gives the timer back; does nothing the second time."""
        if not self._on:
            return
        self.pause()
        if self._audible:
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
            left, interval = self._theirs
            if left:
                left = max(left - (time.monotonic() - self._began), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, left, interval)
        self._on = False

    def pause(self) -> None:
        """Until `resume`, time does not count."""
        self._due_at = math.inf
        if self._audible:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        if self._deadly:
            faulthandler.cancel_dump_traceback_later()

    def resume(self) -> None:
        """Time counts again, from here."""
        self._set(time.monotonic())

    def _set(self, now: float) -> None:
        self._set_at, self._due_at = now, now + self._timeout_s
        if self._audible:
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        if self._deadly:
            end_in(with_grace(self._timeout_s))

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        left = self._due_at - time.monotonic()
        if left <= 0:
            raise _Interrupt(_place(frame))
        if math.isfinite(left):
            signal.setitimer(signal.ITIMER_REAL, left)
        if callable(self._before):
            self._before(number, frame)


@contextmanager
def watching(timeout_s: float, *, deadly: bool) -> Iterator[Watchdog]:
    """Ends what is done inside if no step is made for `timeout_s` seconds.

    Args:
        timeout_s: Infinity for no watch.
        deadly: Whether the process may be ended for it.

    Raises:
        HungError: If no step was made for so long.
    """
    global _on_watch
    dog = Watchdog(timeout_s, deadly=deadly)
    if not math.isfinite(timeout_s):
        yield dog
        return
    try:
        try:
            dog.start()
            _on_watch = dog
            yield dog
        finally:
            _on_watch = None
            dog.stop()
    except _Interrupt as interrupt:
        dog.stop()  # it may have come in the middle of that
        raise HungError(
            f"No step was made for {timeout_s:g} s after step {dog.steps}; it hung in "
            f"{interrupt.where}."
        ) from interrupt


_on_watch: Watchdog | None = None


@contextmanager
def unwatched() -> Iterator[None]:
    """What is done inside is watched by somebody else: its time does not count here."""
    dog = _on_watch
    if dog is None:
        yield
        return
    dog.pause()
    try:
        yield
    finally:
        dog.resume()


def with_grace(timeout_s: float) -> float:
    """When the patience of `timeout_s` seconds is over for good."""
    return timeout_s + max(GRACE * timeout_s, SHORTEST_GRACE_S)


def end_in(seconds: float) -> None:
    """Ends this process in so many seconds, whatever it is at, unless it is told otherwise."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or 2)


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    code = frame.f_code
    return f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
