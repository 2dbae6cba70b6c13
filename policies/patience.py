"""How often, and how long, a server is tried for.

A server that has never answered is tried for a few times, so that a wrong url is told at once. One
that has answered this process before and cannot be reached now is being started anew, or its
network is: it is waited for, up to `AWAY_S`, and no attempt at an episode is spent on its absence.
If it was waited for in vain, it counts as never known, so that a server that is gone for good costs
one wait and not one for every attempt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

AWAY_S = 300.0
"""Seconds that a server which has answered before is waited for: to load a model of 7 billion
parameters from a disk takes a minute or two."""

PAUSE_S = 0.2
"""Seconds before the second attempt to connect; each further pause is twice as long."""

LONGEST_PAUSE_S = 2.0
"""Seconds of a pause in the wait for a server that has answered before."""

GATEWAY = frozenset({502, 503, 504})
"""What HTTP servers answer in the place of one that is not there."""

_answered: set[str] = set()


def has_answered(url: str) -> None:
    """Notes that the server at `url` is there."""
    _answered.add(url)


def is_known(url: str) -> bool:
    """Whether the server at `url` has answered before, and was not waited for in vain since."""
    return url in _answered


def tries(url: str, attempts: int, away_s: float) -> Iterator[int]:
    """The number of each attempt to reach the server at `url`, from 1; pauses between them.

    There are `attempts` of them, and as many more as fit into `away_s` if it is known.
    """
    until = time.monotonic() + (away_s if is_known(url) else 0.0)
    number = 1
    while True:
        yield number
        pause = PAUSE_S * 2.0 ** (number - 1)
        if number >= attempts:
            pause = min(pause, LONGEST_PAUSE_S)
            if time.monotonic() + pause > until:
                break
        time.sleep(pause)
        number += 1
    if away_s:
        _answered.discard(url)
