"""Policies whose server knows a session by its connection, for tests."""

from __future__ import annotations

from contextlib import contextmanager

from vlabench.testing import EXAMPLE_ENV
from vlabench.types import EpisodeStart

NOBODY = "ws://127.0.0.1:1"
"""An address at which no server listens."""


def begin(policy, *ids):
    """`policy`, with a session of each of `ids`."""
    policy.reset([EpisodeStart(name, 0, "Open it.", EXAMPLE_ENV) for name in ids])
    return policy


@contextmanager
def making(kind):
    """Makes policies with a session ``e`` each, of a fake server or its url; closes them after."""
    made = []

    def make(server, **arguments):
        made.append(kind(getattr(server, "url", server), **{"timeout_s": 20, **arguments}))
        return begin(made[-1], "e")

    try:
        yield make
    finally:
        for policy in made:
            policy.close()
