"""What came of the episodes of a run, in columns: all that a comparison needs of it.

Diagnostic episodes try whether a policy listens, so they are not among these. An episode that the
machinery lost, or that never ran, has no outcome: it is missing, and never a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vlabench.hashing import content_hash
from vlabench.runinfo import RunInfo
from vlabench.store import Run
from vlabench.types import Change, Floats

Codes = npt.NDArray[np.int64]

MISSING, FAILURE, SUCCESS, POLICY_ERROR = -1, 0, 1, 2
STATUSES = {
    "failure": FAILURE,
    "success": SUCCESS,
    "policy_error": POLICY_ERROR,
    "infra_error": MISSING,
    "missing": MISSING,
}
"""Codes of an outcome, by the status of a record or its name in a baseline's file."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of one run, an entry each of every column for an episode.

    Attributes:
        source: The run's folder, or the file that its outcomes were promoted to.
        info: What ran.
        names: Names of the episodes that were asked for, in the manifest's order.
        tasks: The task of each.
        changes: What was changed in each; empty for an unchanged one.
        seeds: The seed of each.
        indices: Which draw of its task each is.
        statuses: ``(N,)``, of `STATUSES`.
        progress: ``(N,)``, the share of stages reached; NaN where there is no outcome.
        running: Whether the run is still going on.
    """

    source: Path
    info: RunInfo
    names: Sequence[str]
    tasks: Sequence[str]
    changes: Sequence[tuple[Change, ...]]
    seeds: Codes
    indices: Codes
    statuses: Codes
    progress: Floats
    running: bool = False

    @staticmethod
    def of(run: Run) -> Outcomes:
        """Those of a run, finished or not; of one that a rule ended, those it asked for.

        Raises:
            UsageError: If its records cannot be read.
        """
        found = {result.episode_id: result for result in run.results}
        asked = [episode for episode in run.needed if not episode.diagnostic]
        results = [found.get(episode.episode_id) for episode in asked]
        return Outcomes(
            source=run.path,
            info=run.info,
            names=[episode.episode_id for episode in asked],
            tasks=[episode.task for episode in asked],
            changes=[episode.changes for episode in asked],
            seeds=np.array([episode.seed for episode in asked], dtype=np.int64),
            indices=np.array([episode.index for episode in asked], dtype=np.int64),
            statuses=np.array(
                [MISSING if result is None else STATUSES[result.status] for result in results],
                dtype=np.int64,
            ),
            progress=np.array(
                [math.nan if result is None else result.progress for result in results],
                dtype=np.float64,
            ),
            running=run.running,
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def succeeded(self) -> npt.NDArray[np.bool_]:
        """Which of them succeeded."""
        return np.asarray(self.statuses == SUCCESS)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of them have an outcome."""
        return np.asarray(self.statuses != MISSING)

    @property
    def missing(self) -> int:
        """How many have none."""
        return int(np.count_nonzero(~self.present))

    @property
    def policy_errors(self) -> int:
        """How many failed by the policy's own error."""
        return int(np.count_nonzero(self.statuses == POLICY_ERROR))

    @property
    def replayable(self) -> bool:
        """Whether the executed actions are there, so that an episode can be replayed."""
        return self.source.is_dir()

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        """The place of each episode in the columns."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def hash(self) -> str:
        """Names what came of which episode, in order."""
        return content_hash([list(self.names), self.statuses.tolist()])
