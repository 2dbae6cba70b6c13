"""Named random streams.

Every factor of an episode draws from its own counter-based stream, keyed by what the stream is
for. Two streams never share numbers, and drawing more from one never moves another: that is why
an axis can redraw its own factor and leave the control twin equal in all the rest.
"""

from __future__ import annotations

import hashlib

import numpy as np

DECIMALS = 6
"""Drawn values are rounded to this many decimals, so that no machine's last bit matters."""


def stream(*key: str | int) -> np.random.Generator:
    """The generator (Philox 4x64) that belongs to `key`, the same in every process.

    >>> stream(0, "place-on", 3, "lighting").integers(1000) == \
        stream(0, "place-on", 3, "lighting").integers(1000)
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def seed_of(*key: str | int) -> int:
    """A 63-bit seed that belongs to `key`, for a policy that wants a number."""
    return int(stream(*key).integers(2**63))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A rounded uniform draw in [low, high]."""
    return round(float(rng.uniform(low, high)), DECIMALS)
