"""Compares two runs, or says which field makes them impossible to compare.

Every episode that is no diagnostic counts, changed or not, and each of them is a pair of its own
where both runs have an outcome. A run that was to end as soon as it was decided is judged by that
rule again, in the manifest's order, and by nothing else: a second test would be a second chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from vlabench import stats
from vlabench.baseline import open_outcomes
from vlabench.comparison.checks import check_missing, differing, refuse_running, stopped_for
from vlabench.comparison.model import Comparison, Flip, Line, Side
from vlabench.comparison.notes import notes_of, warnings_of
from vlabench.comparison.pairs import (
    Groups,
    Mask,
    Pairs,
    better,
    changed,
    counts_of,
    line_of,
    scene_values,
    verdict_of,
)
from vlabench.comparison.unpaired import unpaired_lines, unpaired_verdict
from vlabench.errors import NotComparableError, UsageError
from vlabench.outcomes import Outcomes
from vlabench.runinfo import Stopping
from vlabench.stats.power import smallest_effect
from vlabench.stats.sequential import SequentialGate
from vlabench.stats.verdict import ALPHA, MARGIN, Rule, judge_sequence
from vlabench.store import Run

POWER = 0.8
"""With what probability the smallest effect is seen."""


def compare(
    base: Path | str | Run,
    new: Path | str | Run,
    *,
    alpha: float | None = None,
    margin: float | None = None,
    min_effect: float | None = None,
    allow_unpaired: bool = False,
) -> Comparison:
    """Says whether the policy of `new` is worse than that of `base`.

    Args:
        base: A run, its folder, or the file of a promoted baseline.
        new: The same of the run in question.
        alpha: How often a policy that is as good may be called worse, one-sided; 0.05 if None. A
            run that was to end as soon as it was decided has its own, and its own margin.
        margin: The largest drop of the success rate that still counts as not worse; 0.05 if None.
        min_effect: A regression that is shown to be smaller is a warning; by default the margin.
        allow_unpaired: Compare two rates where the runs did not meet the same episodes in the
            same world, instead of refusing.

    Raises:
        UsageError: If one of the two is no run, cannot be read, or an option is out of range.
        NotComparableError: If they did not meet the same episodes in the same world.
        InvalidRunError: If too many episodes of either are missing, more of one than of the
            other, or one is still running.
    """
    first, second = open_outcomes(base), open_outcomes(new)
    rule = _rule(first, second, alpha, margin, min_effect)
    for outcomes in (first, second):
        refuse_running(outcomes)
    fields = differing(first, second)
    if fields and not allow_unpaired:
        told = "; ".join(f"{name} is {a} in BASE and {b} in NEW" for name, (a, b) in fields.items())
        raise NotComparableError(
            f"{first.source} (BASE) and {second.source} (NEW) are not comparable: {told}; run both "
            "on the same suite in the same world, or give --allow-unpaired to compare rates only."
        )
    check_missing(first, second, paired=not fields)
    if fields:
        return _unpaired(first, second, rule, fields)
    return _paired(first, second, rule)


def _rule(
    base: Outcomes,
    new: Outcomes,
    alpha: float | None,
    margin: float | None,
    min_effect: float | None,
) -> Rule:
    """What was asked for; of a run that a rule was to end, that rule, and nothing else."""
    stopping = new.info.stopping if stopped_for(new, base) else None
    if stopping is not None:
        asked = {"--alpha": (alpha, stopping.alpha), "--margin": (margin, stopping.margin)}
        other = [name for name, (given, own) in asked.items() if given not in (None, own)]
        other += [] if min_effect is None else ["--min-effect"]
        if other:
            raise UsageError(
                f"{new.source} was to end as soon as its comparison was decided, at alpha "
                f"{stopping.alpha:g} and a margin of {stopping.margin:g}, and is judged by that "
                f"alone; leave out {' and '.join(other)}, or run the whole suite with 'vlabench "
                "eval'."
            )
        alpha, margin = stopping.alpha, stopping.margin
    try:
        return Rule(
            ALPHA if alpha is None else alpha, MARGIN if margin is None else margin, min_effect
        )
    except ValueError as error:
        raise UsageError(f"{error} Give another value.") from None


def _paired(base: Outcomes, new: Outcomes, rule: Rule) -> Comparison:
    """`new` may be the beginning of `base`, where a rule ended it."""
    groups, count = Groups.of(new), len(new)
    both = base.present[:count] & new.present
    if not both.any():
        raise UsageError(
            f"{new.source} has no episode in common with {base.source} that success is compared "
            "by; compare runs of a suite that is not made of diagnostics alone."
        )
    everything = Pairs(base.succeeded[:count], new.succeeded, groups.task, groups.scene)
    pairs = everything.part(both)
    stopping = new.info.stopping if stopped_for(new, base) else None
    gate = None if stopping is None else _resumed(new, pairs, stopping)
    verdict = (
        verdict_of(pairs, rule)
        if gate is None
        else judge_sequence(gate.decision, *counts_of(pairs), rule)
    )
    overall = line_of("overall", None, pairs, verdict)
    axes = _axes(everything, groups, both, rule, tested=stopping is None)
    discordance = (pairs.base_only + pairs.new_only) / len(pairs)
    flip_rate = _flip_rate(base, new)
    lost, won, effective = stats.effective_counts(
        *counts_of(pairs), design_effect=pairs.null_effect
    )
    smallest = smallest_effect(
        max(1, round(effective)),
        min(1.0, (lost + won) / effective),
        rule.alpha,
        POWER,
        flip_rate=flip_rate or 0.0,
    )
    return Comparison(
        base=_side(base),
        new=_side(new),
        suite=_suite(new),
        manifest_hash=new.info.manifest_hash,
        env_fingerprint=new.info.env_fingerprint,
        differences={},
        verdict=verdict,
        overall=overall,
        axes=axes,
        tasks=_tasks(everything, groups, both, rule),
        discordance=discordance,
        flip_rate=flip_rate,
        smallest_effect=smallest if stopping is None else None,
        progress=_progress(base, new, pairs, both, rule) if stopping is None else None,
        evidence=None if gate is None else (gate.e_regressed, gate.e_noninferior),
        flips=_flips(new, everything, both),
        warnings=warnings_of(base, new, verdict, overall, axes),
        notes=notes_of(base, new, pairs),
    )


def _unpaired(
    base: Outcomes, new: Outcomes, rule: Rule, fields: Mapping[str, tuple[str, str]]
) -> Comparison:
    verdict, overall = unpaired_verdict(base, new, rule)
    axes, tasks = unpaired_lines(base, new, rule)
    return Comparison(
        base=_side(base),
        new=_side(new),
        suite=_suite(new),
        manifest_hash=new.info.manifest_hash,
        env_fingerprint=new.info.env_fingerprint,
        differences=fields,
        verdict=verdict,
        overall=overall,
        axes=axes,
        tasks=tasks,
        discordance=None,
        flip_rate=_flip_rate(base, new),
        smallest_effect=None,
        progress=None,
        flips=(),
        warnings=warnings_of(base, new, verdict, overall, axes),
        notes=notes_of(base, new, None),
    )


def _resumed(new: Outcomes, pairs: Pairs, stopping: Stopping) -> SequentialGate:
    """The rule that ended the run, fed anew with its pairs; it must decide as it did then."""
    gate = SequentialGate(stopping.alpha, stopping.margin)
    for outcomes in zip(pairs.base.tolist(), pairs.new.tolist(), strict=True):
        if gate.feed(*outcomes) is not None:
            break
    found = gate.decision, gate.pairs, gate.b, gate.c
    told = stopping.decision, stopping.pairs, stopping.base_only, stopping.new_only
    if stopping.pairs is not None and found != told:
        raise UsageError(
            f"{new.source} says that it was decided ({stopping.decision}) after {stopping.pairs} "
            f"pairs, and its records give {gate.decision} after {gate.pairs}: a file of it was "
            "changed; run it again with --fresh."
        )
    return gate


def _axes(
    everything: Pairs, groups: Groups, both: Mask, rule: Rule, *, tested: bool
) -> tuple[Line, ...]:
    """A line for each axis; where they are tested, by Holm's correction over all of them."""
    parts = [
        (name, everything.part(both & (groups.axis == number)))
        for number, name in enumerate(groups.axes)
    ]
    found = [(name, part, verdict_of(part, rule)) for name, part in parts if len(part)]
    lines = [line_of("axis", name, part, verdict) for name, part, verdict in found]
    worse = stats.holm([line.p_value or 0.0 for line in lines])
    finer = stats.holm([better(part) for _, part, _ in found])
    if not tested:
        return tuple(replace(line, p_value=None) for line in lines)
    return tuple(
        replace(line, p_value=p, outcome=changed(p, q, rule.alpha))
        for line, p, q in zip(lines, worse, finer, strict=True)
    )


def _tasks(everything: Pairs, groups: Groups, both: Mask, rule: Rule) -> tuple[Line, ...]:
    parts = [
        (name, everything.part(both & (groups.task == number)))
        for number, name in enumerate(groups.tasks)
    ]
    return tuple(
        line_of("task", name, part, verdict_of(part, rule)) for name, part in parts if len(part)
    )


def _flips(new: Outcomes, everything: Pairs, both: Mask) -> tuple[Flip, ...]:
    told = {changes: " + ".join(map(str, changes)) for changes in set(new.changes)}
    return tuple(
        Flip(
            episode_id=new.names[place],
            task=new.tasks[place],
            changes=told[new.changes[place]],
            index=int(new.indices[place]),
            lost=bool(everything.base[place]),
        )
        for place in np.flatnonzero(both & (everything.base != everything.new)).tolist()
    )


def _progress(
    base: Outcomes, new: Outcomes, pairs: Pairs, both: Mask, rule: Rule
) -> stats.Effect | None:
    """The change of progress, if that is another than the change of success."""
    difference = new.progress[both] - base.progress[: len(new)][both]
    if np.array_equal(difference, pairs.difference):
        return None
    values = scene_values(difference, pairs).tolist()
    if len(values) < 2:
        return None
    low, high = stats.bca_interval(values, confidence=rule.confidence)
    interval = stats.Interval(max(-1.0, low), min(1.0, high))
    return stats.Effect(math.fsum(values) / len(values), interval, stats.paired_permutation(values))


def _flip_rate(base: Outcomes, new: Outcomes) -> float | None:
    tried = [o.info.determinism for o in (base, new) if o.info.determinism is not None]
    rates = [found.flip_rate for found in tried if found.flip_rate is not None]
    return max(rates, default=None)


def _side(outcomes: Outcomes) -> Side:
    info = outcomes.info
    return Side(
        policy=info.policy.label,
        privileged=info.policy.privileged,
        run_id=info.run_id,
        source=str(outcomes.source),
        replayable=outcomes.replayable,
        episodes=len(outcomes),
        missing=outcomes.missing,
        policy_errors=outcomes.policy_errors,
    )


def _suite(outcomes: Outcomes) -> str:
    return f"{outcomes.info.suite} v{outcomes.info.suite_version}"
