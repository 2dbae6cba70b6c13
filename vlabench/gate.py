"""The regression gate: evaluates a policy, compares it with a baseline, and says pass or fail.

A sequential check feeds two e-processes (`vlabench.stats.sequential`) with the pairs in the
manifest's order, which is a seeded interleaving over tasks, while the runner works ahead of them by
a bounded number of episodes. Whichever fires first decides, and what is not needed any more is
cancelled. As only the order of the manifest counts, so do neither workers nor interruptions.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vlabench.baseline import open_outcomes
from vlabench.comparison import Comparison, compare
from vlabench.comparison.checks import check_missing, differing, refuse_running
from vlabench.errors import InvalidRunError, NotComparableError, UsageError
from vlabench.evaluation import Plan, execute, not_valid, plan
from vlabench.manifest import Manifest
from vlabench.outcomes import MISSING, Outcomes
from vlabench.runinfo import RunInfo, Stopping
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Progress
from vlabench.stats.sequential import Decision, SequentialGate
from vlabench.stats.verdict import Rule
from vlabench.store import LARGEST_MISSING_SHARE, Run
from vlabench.types import EpisodeRecord

AHEAD = 2
"""How many episodes a sequential check may be ahead of the next one in order, for each worker."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check before it runs.

    Attributes:
        baseline: What the run will be compared with.
        planned: The run.
        rule: What the verdict will be measured by.
    """

    baseline: Outcomes
    planned: Plan
    rule: Rule

    @property
    def sequential(self) -> bool:
        """Whether the run ends as soon as it is decided."""
        return self.planned.info.stopping is not None


def rule_of(
    alpha: float, margin: float, min_effect: float | None = None, *, sequential: bool = False
) -> Rule:
    """The rule with these numbers.

    Raises:
        UsageError: If one makes no sense, or a sequential check is to bear regressions.
    """
    if sequential and min_effect is not None:
        raise UsageError(
            "--min-effect is for a check of all episodes: --sequential ends with the regression "
            "itself, whose size it leaves open; leave one of them out."
        )
    try:
        return Rule(alpha, margin, min_effect)
    except ValueError as error:
        raise UsageError(f"{error} Give another value.") from None


def plan_check(
    policy: str,
    suite: str,
    baseline: Path | str | Run,
    *,
    rule: Rule,
    sequential: bool = False,
    **options: Any,
) -> Check:
    """What a check would run; runs nothing, and refuses what could not be compared afterwards.

    Args:
        policy: As in `vlabench.evaluation.plan`.
        suite: Likewise.
        baseline: A run, its folder, or the file of a promoted baseline.
        rule: What the verdict is measured by.
        sequential: End the run as soon as it is decided.
        **options: Further arguments of `vlabench.evaluation.plan`.

    Raises:
        UsageError: As `plan`, or if the baseline cannot be read, or the suite does not fit.
        NotComparableError: If baseline and run would not meet the same episodes in the same world.
        InvalidRunError: If the baseline is still running or misses too many episodes.
    """
    base = open_outcomes(baseline)
    refuse_running(base)
    stopping = Stopping(base.info.run_id, base.hash, rule.alpha, rule.margin)
    planned = plan(policy, suite, stopping=stopping if sequential else None, **options)
    _refuse_its_own_baseline(base, planned)
    _refuse_incomparable(base, planned)
    if sequential:
        _refuse_shared_scenes(planned.manifest)
        planned = replace(planned, info=_with_own_command(planned.info, base, rule))
    return Check(base, planned, rule)


def run_check(
    check: Check, runner: str, options: RunnerOptions, progress: Progress, *, fresh: bool = False
) -> tuple[Run, Comparison]:
    """Runs what a check still needs, and compares.

    A run that was ended by its decision earlier is not taken up again.

    Raises:
        UsageError: As `vlabench.evaluation.execute`.
        InvalidRunError: If too many episodes are missing, or unequally many in the two runs.
    """
    stopping = check.planned.info.stopping
    if stopping is None:
        run = execute(check.planned, runner, options, progress, fresh=fresh)
    else:
        referee = InOrder(check.planned.manifest, check.baseline, stopping)
        bounded = replace(options, ahead=AHEAD)
        run = execute(check.planned, runner, bounded, progress, fresh=fresh, referee=referee)
    if not run.valid:
        raise InvalidRunError(not_valid(run))
    return run, _compared(check, run)


class InOrder:
    """The referee of a sequential check: feeds the gate in the manifest's order.

    Episodes that have no outcome in the baseline, or are lost for good, are no pairs. A run ends
    with the decision, but not while more than one percent of what it asked for is lost.

    Args:
        manifest: Of the run.
        baseline: Outcomes of the same episodes.
        stopping: The rule.
    """

    def __init__(self, manifest: Manifest, baseline: Outcomes, stopping: Stopping) -> None:
        self._rule = replace(stopping, decision=None, pairs=None, asked=None)
        self._gate = SequentialGate(stopping.alpha, stopping.margin)
        self._order = [episode.episode_id for episode in manifest.episodes]
        self._base = {
            name: bool(succeeded)
            for name, succeeded, present in zip(
                baseline.names, baseline.succeeded, baseline.present, strict=True
            )
            if present
        }
        self._results: dict[str, bool | None] = {}
        self._next = self._lost = 0
        self._asked: int | None = None

    @property
    def over(self) -> bool:
        """Whether it is decided, and few enough are lost for the run to be valid."""
        return self._asked is not None

    @property
    def decision(self) -> Decision | None:
        """What has been decided."""
        return self._gate.decision

    @property
    def stopping(self) -> Stopping:
        """The rule, with what has come of it so far; the counts come with the end."""
        whole = self._next == len(self._order)
        if not (self.over or whole):
            return self._rule
        gate = self._gate
        return replace(
            self._rule,
            decision=gate.decision,
            pairs=gate.pairs,
            base_only=gate.b,
            new_only=gate.c,
            asked=self._asked,
        )

    def finished(self, record: EpisodeRecord) -> None:
        """Takes what came of one episode; of a diagnostic one that is nothing to compare by."""
        self._results[record.episode_id] = record.success
        self._go_on()

    def missing(self, episode_id: str) -> None:
        """Goes on without this episode."""
        self._results[episode_id] = None
        self._go_on()

    def _go_on(self) -> None:
        """Feeds what is there, up to the first episode whose turn it is and that is not over."""
        while not self.over and self._next < len(self._order):
            name = self._order[self._next]
            if name not in self._results:
                return
            self._next += 1
            self._feed(name, self._results.pop(name))

    def _feed(self, name: str, new: bool | None) -> None:
        if new is None:
            self._lost += 1
        elif name in self._base:
            self._gate.feed(self._base[name], new)
        if self._gate.decision and self._lost <= LARGEST_MISSING_SHARE * self._next:
            self._asked = self._next


# --- before and after -------------------------------------------------------------------------


def _refuse_its_own_baseline(base: Outcomes, planned: Plan) -> None:
    """A run that lies where its baseline does would be compared with itself, or overwrite it."""
    if base.source.resolve() == planned.folder.resolve():
        raise UsageError(
            f"{base.source} is the folder of this very run: policy, arguments and suite are those "
            "of the baseline; keep the baseline with 'vlabench baseline promote', or give another "
            "--out."
        )


def _refuse_incomparable(base: Outcomes, planned: Plan) -> None:
    """Raises now what the comparison would raise after the run."""
    new = _nothing_yet(planned)
    if not len(new):
        raise UsageError(
            f"The suite {planned.info.suite!r} is made of diagnostics alone, which no success is "
            "compared by; check on another, for example ci."
        )
    fields = differing(base, new)
    if fields:
        told = "; ".join(f"{name} is {a} in BASE and {b} now" for name, (a, b) in fields.items())
        raise NotComparableError(
            f"{base.source} (BASE) and the run of this check would not be comparable: {told}; "
            f"give what BASE was made with ({base.info.command}), or make a new baseline."
        )
    check_missing(base, base, paired=False)


def _nothing_yet(planned: Plan) -> Outcomes:
    """The outcomes of a run that has not begun."""
    episodes = [episode for episode in planned.manifest.episodes if not episode.diagnostic]
    return Outcomes(
        source=planned.folder,
        info=planned.info,
        names=[episode.episode_id for episode in episodes],
        tasks=[episode.task for episode in episodes],
        changes=[episode.changes for episode in episodes],
        seeds=np.array([episode.seed for episode in episodes], dtype=np.int64),
        indices=np.array([episode.index for episode in episodes], dtype=np.int64),
        statuses=np.full(len(episodes), MISSING, dtype=np.int64),
        progress=np.full(len(episodes), np.nan),
    )


def _refuse_shared_scenes(manifest: Manifest) -> None:
    """Pairs that share a scene are not independent of each other, as the gate takes them to be."""
    paired = [episode for episode in manifest.episodes if not episode.diagnostic]
    scenes = {(episode.task, episode.seed, episode.index) for episode in paired}
    if len(scenes) < len(paired):
        raise UsageError(
            f"The suite {manifest.suite!r} uses {len(scenes)} scenes for {len(paired)} episodes, "
            "so its pairs depend on each other, and --sequential counts them one by one; leave it "
            "out, or check on a suite that uses every scene once, for example ci."
        )


def _with_own_command(info: RunInfo, base: Outcomes, rule: Rule) -> RunInfo:
    words = ["--baseline", str(base.source), "--sequential"]
    words += ["--alpha", f"{rule.alpha:g}", "--margin", f"{rule.margin:g}"]
    command = info.command.replace("vlabench eval", "vlabench check", 1)
    return replace(info, command=f"{command} {shlex.join(words)}")


def _compared(check: Check, run: Run) -> Comparison:
    rule = check.rule
    return compare(
        check.baseline.source,
        run,
        alpha=rule.alpha,
        margin=rule.margin,
        min_effect=rule.min_effect,
    )
