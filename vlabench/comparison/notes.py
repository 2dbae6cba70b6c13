"""What must be said beside the figures, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlabench.comparison.model import Line
from vlabench.comparison.pairs import Pairs
from vlabench.comparison.unpaired import shared_tasks
from vlabench.outcomes import Outcomes
from vlabench.runinfo import DECISIVE
from vlabench.stats.verdict import Verdict

FEW_SCENES = 100
"""Where pairs share fewer scenes, some that would matter may be absent."""

MOST_NAMED = 5
"""Axes that a warning names."""


def warnings_of(
    base: Outcomes, new: Outcomes, verdict: Verdict, overall: Line, axes: Sequence[Line]
) -> tuple[str, ...]:
    """What somebody must look at although it does not decide."""
    return tuple(_warnings(base, new, verdict, overall, axes))


def notes_of(base: Outcomes, new: Outcomes, pairs: Pairs | None) -> tuple[str, ...]:
    """What else must be known; `pairs` is None where the runs are not paired."""
    return tuple(_notes(base, new, pairs))


def _warnings(
    base: Outcomes, new: Outcomes, verdict: Verdict, overall: Line, axes: Sequence[Line]
) -> Iterator[str]:
    if overall.base_rate <= verdict.rule.margin:
        yield (
            f"The base solves {_points(overall.base_rate)} % of these episodes, so it has no more "
            "than the margin to lose: that the new run is not inferior says nothing."
        )
    if verdict.tolerable:
        yield (
            f"Regressed, but within {_points(verdict.rule.tolerated)} points: it is worse for "
            "certain, and not by much; --min-effect 0 makes that a failure."
        )
    regressed = [line for line in axes if line.outcome == "REGRESSED"]
    if regressed:
        yield _regressed(regressed, len(axes))
    if new.policy_errors > base.policy_errors:
        yield (
            f"{new.policy_errors} episodes of the new run, and {base.policy_errors} of the base, "
            "failed by the policy's own error."
        )


def _notes(base: Outcomes, new: Outcomes, pairs: Pairs | None) -> Iterator[str]:
    if pairs is not None:
        yield from _notes_on(pairs, len(new))
    else:
        yield from _left_out(base, new)
    if any(changes for changes in new.changes) and not all(new.changes):
        yield (
            "Rates here are over all episodes, the unchanged ones too; the overall rate of a run's "
            "own table is over the changed ones, each axis and level of a task alike."
        )
    for name in DECISIVE:
        versions = [o.info.versions.get(name, "absent") for o in (base, new)]
        if versions[0] != versions[1]:
            yield f"{name} is {versions[0]} in the base and {versions[1]} in the new run."
    allowed = [o.info.conditions.mismatches for o in (base, new)]
    if allowed[0] != allowed[1]:
        yield "The two runs were allowed different mismatches between policy and environment."
    if not (base.info.certified and new.info.certified):
        yield "UNCERTIFIED: nobody has shown that each of these episodes can be solved."


def _notes_on(pairs: Pairs, episodes: int) -> Iterator[str]:
    if len(pairs) < episodes:
        yield f"{episodes - len(pairs)} pairs lack an outcome in one of the runs and are left out."
    if not pairs.balanced:
        counts = pairs.per_task().tolist()
        yield (
            f"Tasks have {min(counts)} to {max(counts)} pairs; rates and differences give every "
            "task the same weight."
        )
    if pairs.scenes < len(pairs):
        yield (
            f"{len(pairs)} pairs share {pairs.scenes} scenes: test and interval count them as "
            f"{len(pairs) / pairs.null_effect:.0f} and {len(pairs) / pairs.design_effect:.0f} "
            "pairs that share none."
        )
        if pairs.scenes < FEW_SCENES:
            yield (
                "So few scenes are a small sample of all there are: if a policy is better in many "
                "and much worse in a few, the few may be absent, and error rates are above alpha."
            )


def _left_out(base: Outcomes, new: Outcomes) -> Iterator[str]:
    """Tasks of one run that the other lacks."""
    shared = shared_tasks(base, new)
    for name, outcomes in (("base", base), ("new run", new)):
        other = sorted(set(outcomes.tasks) - shared)
        if other:
            more = len(other) - MOST_NAMED
            yield (
                f"Left out, because only the {name} has them: {', '.join(other[:MOST_NAMED])}"
                f"{f' and {more} more tasks' if more > 0 else ''}."
            )


def _regressed(lines: Sequence[Line], tested: int) -> str:
    """Those that lost most, first."""
    ordered = sorted(lines, key=lambda line: line.difference)
    told = [f"{line.name} by {_points(-line.difference)} points" for line in ordered[:MOST_NAMED]]
    more = len(ordered) - len(told)
    return (
        f"Regressed after Holm's correction over {tested} axes: {', '.join(told)}"
        f"{f' and {more} more' if more else ''}."
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f}"
