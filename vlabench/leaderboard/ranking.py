"""Ranks and letters among runs that met the same episodes in the same world."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vlabench import stats
from vlabench.index import ManifestIndex
from vlabench.report import Summary
from vlabench.results import Result
from vlabench.store import Run

MISSING = -1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands in its ranking.

    Attributes:
        rank: 1 + how many of the others are significantly better.
        letters: Runs that share a letter do not differ significantly.
    """

    rank: int
    letters: str


def standings(runs: Sequence[Run], summaries: Sequence[Summary]) -> list[Standing | None]:
    """The standing of each run among those of the same manifest, world and latency.

    Two runs are told apart by the mean over tasks of their difference, as `vlabench compare` does:
    a scene that is used under several axes is not counted as several, and where each is used once
    and tasks are equally large this is McNemar's test. A run without an overall success rate, or
    under conditions of its own, stands nowhere.
    """
    rankings: dict[tuple[object, ...], list[int]] = defaultdict(list)
    rates: dict[int, float] = {}
    for number, (run, summary) in enumerate(zip(runs, summaries, strict=True)):
        info, overall = run.info, summary.overall
        if overall is not None and overall.rate is not None and info.conditions.comparable:
            met = info.suite, info.suite_version, info.manifest_hash, info.env_fingerprint
            rankings[*met, info.conditions.latency_ms].append(number)
            rates[number] = overall.rate.value
    found: list[Standing | None] = [None] * len(runs)
    for members in rankings.values():
        # letters begin with the best
        members.sort(key=lambda number: (-rates[number], runs[number].info.run_id))
        ranked = _ranked([runs[number] for number in members])
        for number, standing in zip(members, ranked, strict=True):
            found[number] = standing
    return found


def compared(results: Sequence[Result]) -> list[Result]:
    """Those that the overall rate is made of: changed episodes, or all if none is changed."""
    own = [result for result in results if result.compliance is None]
    return [result for result in own if result.changes] or own


def _ranked(runs: Sequence[Run]) -> list[Standing]:
    """The standings of runs of one ranking."""
    index = runs[0].index
    columns = [_successes(run, index) for run in runs]
    names: dict[str, int] = {}
    tasks = np.array([names.setdefault(e.task, len(names)) for e in index.episodes], dtype=np.int64)
    contests: dict[tuple[int, int], stats.Contest] = {
        (i, j): _contest(columns[i], columns[j], tasks, index.scenes)
        for i, j in itertools.combinations(range(len(runs)), 2)
    }
    ranks = stats.ranks(len(runs), contests)
    letters = stats.compact_letters(len(runs), stats.pairwise_p_values(contests))
    return [Standing(*both) for both in zip(ranks, letters, strict=True)]


def _successes(run: Run, index: ManifestIndex) -> npt.NDArray[np.int8]:
    """For each episode of the manifest 1, 0, or `MISSING`."""
    column = np.full(len(index.episodes), MISSING, dtype=np.int8)
    for result in compared(run.results):
        column[index.rows[result.episode_id]] = result.success
    return column


def _contest(
    first: npt.NDArray[np.int8],
    second: npt.NDArray[np.int8],
    tasks: npt.NDArray[np.int64],
    scenes: npt.NDArray[np.int64],
) -> stats.Tested:
    """What came of two runs, over the episodes that have a result in both."""
    both = (first != MISSING) & (second != MISSING)
    if not both.any():
        return stats.Tested(1.0, 0.0)
    lead, task, scene = (first - second)[both], tasks[both], scenes[both]
    effect = 1.0
    if len(np.unique(scene)) < len(lead):
        _, effect = stats.scene_design_effects(lead.tolist(), task.tolist(), scene.tolist())
    pairs = np.bincount(task)
    won, lost = (np.bincount(task[lead == sign], minlength=len(pairs)) for sign in (1, -1))
    met = pairs > 0
    counts = stats.effective_counts(
        won[met].tolist(), lost[met].tolist(), pairs[met].tolist(), design_effect=effect
    )
    return stats.Tested(stats.mcnemar_midp(counts.b, counts.c), counts.b - counts.c)
