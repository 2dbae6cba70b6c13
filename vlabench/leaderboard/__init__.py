"""Runs as rows of one CSV file that is kept in git.

Two rows stand in one ranking only where they met the same episodes in the same world under the
same conditions: equal suite, version, manifest hash, environment fingerprint and simulated
latency. A measured latency, or a mismatch that was allowed, is the run's own, so it has no rank.
A rank needs the episodes themselves, so it is worked out among the runs that are given; a row of
the same ranking whose run was not given loses its rank, because what it stood for has changed, and
keeps all else. A cell without data is empty, never 0. Diagnostic episodes are in the columns of
compliance alone; a suite that changes nothing else has no overall success rate, and so no rank.
Neither has a part of a suite. A run that ended as soon as a comparison was decided is not entered.
"""

from __future__ import annotations

from vlabench.leaderboard.checking import check_leaderboard
from vlabench.leaderboard.columns import columns, schema
from vlabench.leaderboard.file import (
    Leaderboard,
    read_leaderboard,
    schema_path,
    schema_text,
    update_leaderboard,
)
from vlabench.leaderboard.ranking import Standing, standings
from vlabench.leaderboard.rows import Declared, leaderboard_row, refuse_unfit

__all__ = [
    "Declared",
    "Leaderboard",
    "Standing",
    "check_leaderboard",
    "columns",
    "leaderboard_row",
    "read_leaderboard",
    "refuse_unfit",
    "schema",
    "schema_path",
    "schema_text",
    "standings",
    "update_leaderboard",
]
