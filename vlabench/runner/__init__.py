"""Runners: where episodes run. One line in `RUNNERS` makes another known.

A runner is a function ``run(job, episodes, options)`` that yields an event for every episode that
has finished and for every attempt that was lost to the infrastructure, in any order. It writes
nothing: the one writer is its caller.
"""

from __future__ import annotations

RUNNERS = {
    "ray": "vlabench.runner.ray:run",
    "serial": "vlabench.runner.serial:run",
}
