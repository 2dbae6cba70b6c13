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
from typing import NoReturn

from vlabench.errors import HungError

STEP_TIMEOUT_S = 1800.0
"""Seconds without a control step after which an attempt is given up, unless told otherwise: the
first answer of a policy that compiles its model may take many minutes."""

SLACK = 0.05
"""The share of the time after which the clock is set anew; so much later it may run out."""

GRACE, SHORTEST_GRACE_S = 0.2, 5.0
"""The share of the time that who hangs is given to hear of it before the process is ended, and the
fewest seconds."""


class _Interrupt(BaseException):
    """Raised where the main thread hangs; no policy's ``except Exception`` catches it."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class Watchdog:
    """Told of every step by `beat`; see `watching`."""

    def __init__(self, timeout_s: float, *, deadly: bool) -> None:
        self._timeout_s, self._deadly = timeout_s * (1 + SLACK), deadly
        self._again_s = timeout_s * SLACK
        self._audible = threading.current_thread() is threading.main_thread()
        self._set_at = -math.inf
        self.steps = 0

    def beat(self) -> None:
        """A step has been made."""
        self.steps += 1
        now = time.monotonic()
        if now - self._set_at >= self._again_s:
            self._set(now)

    def start(self) -> None:
        """Begins to watch."""
        self._before = signal.signal(signal.SIGALRM, _interrupt) if self._audible else None
        self._set(time.monotonic())

    def stop(self) -> None:
        """Watches no longer."""
        if self._audible:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before)
        if self._deadly:
            faulthandler.cancel_dump_traceback_later()

    def _set(self, now: float) -> None:
        self._set_at = now
        if self._audible:
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        if self._deadly:
            end_in(with_grace(self._timeout_s))


@contextmanager
def watching(timeout_s: float, *, deadly: bool) -> Iterator[Watchdog]:
    """Ends what is done inside if no step is made for `timeout_s` seconds.

    Args:
        timeout_s: Infinity for no watch.
        deadly: Whether the process may be ended for it.

    Raises:
        HungError: If no step was made for so long.
    """
    dog = Watchdog(timeout_s, deadly=deadly)
    if not math.isfinite(timeout_s):
        yield dog
        return
    dog.start()
    try:
        yield dog
    except _Interrupt as interrupt:
        raise HungError(
            f"No step was made for {timeout_s:g} s after step {dog.steps}; it hung in "
            f"{interrupt.where}."
        ) from interrupt
    finally:
        dog.stop()


def with_grace(timeout_s: float) -> float:
    """When the patience of `timeout_s` seconds is over for good."""
    return timeout_s + max(GRACE * timeout_s, SHORTEST_GRACE_S)


def end_in(seconds: float) -> None:
    """Ends this process in so many seconds, whatever it is at, unless it is told otherwise."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or 2)


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Ends this process if what is done inside takes longer, even if nobody can be told.

    Several at once share one clock, which the last to begin has set and the last to end stops.
    """
    global _under_way
    end_in(seconds)
    _under_way += 1
    try:
        yield
    finally:
        _under_way -= 1
        if not _under_way:
            faulthandler.cancel_dump_traceback_later()


_under_way = 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise _Interrupt(_place(frame))


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    code = frame.f_code
    return f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
