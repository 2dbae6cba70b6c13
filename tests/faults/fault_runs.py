"""What the tests of faults ask of a run, and how thorough they are."""

from __future__ import annotations

import os
from typing import Any

from vlabench.store import Run

THOROUGH = "VLABENCH_FAULTS" in os.environ
"""Whether ``make faults`` asks: every fault more often."""


def told(run: Run) -> dict[str, tuple[dict[str, Any], str, list[int]]]:
    """What a run must come to again, episode for episode."""
    found = {}
    for record in run.records:
        trace = run.trace(record.episode_id)
        stable = record.stable()
        found[record.episode_id] = (stable, trace.actions_hash, trace.checksums.tolist())
    return found
