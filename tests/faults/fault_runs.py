"""What the tests of faults ask of a run, how it is compared, and how thorough they are."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from vlabench.store import EPISODES, Run

THOROUGH = "VLABENCH_FAULTS" in os.environ
"""Whether ``make faults`` asks: every fault more often."""

Told = dict[str, tuple[int, dict[str, Any], str, list[int]]]
"""For each episode that has run: its lines in the file of the records, and what came of it."""


def told(run: Run) -> Told:
    """What a run must come to again, episode for episode."""
    lines = (run.path / EPISODES).read_bytes().splitlines()
    times = Counter(json.loads(line)["episode_id"] for line in lines)
    found = {}
    for record in run.records:
        trace = run.trace(record.episode_id)
        outcome = (record.stable(), trace.actions_hash, trace.checksums.tolist())
        found[record.episode_id] = (times[record.episode_id], *outcome)
    return found


@dataclass
class Row:
    """What a fault cost, over every time that it was injected.

    Attributes:
        fault: What was done.
        times: How often.
        episodes: Those of the undisturbed runs that were compared with.
        lost: Episodes without a record.
        twice: Records beyond the first of their episode.
        changed: Episodes that came to something else, or that the undisturbed run has not.
    """

    fault: str
    times: int = 0
    episodes: int = 0
    lost: int = 0
    twice: int = 0
    changed: int = 0

    def add(self, times: int, expected: Told, got: Told) -> None:
        """Counts what `got`, after so many faults, is short of the undisturbed `expected`."""
        self.times += times
        self.episodes += len(expected)
        self.lost += len(expected.keys() - got.keys())
        self.twice += sum(lines - 1 for lines, *_ in got.values())
        self.changed += len(got.keys() - expected.keys())
        self.changed += sum(expected[k][1:] != got[k][1:] for k in expected.keys() & got.keys())
