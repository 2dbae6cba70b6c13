"""Tries every suspect on a policy's answers, again and again until nothing is left to explain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vlabench.conventions import acted, seen
from vlabench.conventions.agreement import fit_of
from vlabench.conventions.asking import Answers, Asking
from vlabench.conventions.diagnosis import Round
from vlabench.conventions.judging import BROKEN, Trial, Tried, against, attempt, judged
from vlabench.conventions.reading import ALL, Reading, Suspect
from vlabench.errors import ContractError, PolicyError
from vlabench.runner.job import argument_text
from vlabench.types import Json

MOST_FAULTS = 3
SATISFIED = 0.9
"""An agreement that leaves nothing to explain."""


def rounds(
    reading: Reading, asking: Asking, alternatives: Mapping[str, Sequence[Json]]
) -> Iterator[Round]:
    """Names the likeliest fault, mends it, and looks for the next one."""
    mended: set[str] = set()
    while len(mended) < MOST_FAULTS:
        tried = _round(reading, asking, mended, alternatives)
        yield tried
        if not tried.guilty:
            return
        named = tried.guilty[0]
        if named.trial.agreement >= SATISFIED:
            return
        mended.add(named.suspect.family)
        reading = named.suspect.reading


def _round(
    reading: Reading,
    asking: Asking,
    mended: set[str],
    alternatives: Mapping[str, Sequence[Json]],
) -> Round:
    before = attempt(reading, asking)
    instructions = [path.episode.instruction for path in asking.paths]
    suspects = [
        *acted.suspects(reading, asking.env),
        *seen.suspects(reading, asking.env, instructions),
        *_other_arguments(reading, asking, alternatives),
        *acted.last(reading),
    ]
    suspects = [suspect for suspect in suspects if suspect.family not in mended]
    asked = {suspect.reading.question for suspect in suspects}
    asking.told(
        f"{len(suspects)} suspects, and {len(asked - {reading.question})} of them ask as much again"
    )
    trials: list[tuple[Suspect, Trial]] = []
    left_out: dict[str, str] = {}
    for suspect in suspects:
        try:
            trial = attempt(suspect.reading, asking, suspect.name)
        except (ContractError, PolicyError) as error:
            left_out[suspect.name] = str(error)
        else:
            trials.append((_with_numbers(suspect, asking), trial))
    compared = [_compared(reading, asking, before, *pair) for pair in trials]
    unheard = _unheard(reading, asking, [suspect for suspect, _ in trials])
    return Round(reading, before, judged(compared), left_out, unheard)


def _with_numbers(suspect: Suspect, asking: Asking) -> Suspect:
    """A suspect whose mend says the numbers that were fitted."""
    action, env = suspect.reading.spec.action, asking.env
    if suspect.reading.fit not in ("size", "offset"):
        return suspect
    factors, offsets = fit_of(suspect.reading, asking)
    if suspect.reading.fit == "offset":
        before = action.offset or (0.0, 0.0, 0.0)
        metres = (b - env.max_translation_m * o for b, o in zip(before, offsets[:3], strict=True))
        x, y, z = (round(float(number), 3) for number in metres)
        return replace(suspect, mend=f"action.offset: {action.offset} -> ({x}, {y}, {z})")
    if action.scale == "metric" or action.control != "ee_delta":
        factor = f"{factors[0]:.3g}"
        return replace(suspect, mend=f"multiply what the arm is told by {factor} in the adapter")
    metres = (action.max_translation_m or env.max_translation_m) * factors[0]
    radians = (action.max_rotation_rad or env.max_rotation_rad) * factors[3]
    mend = (
        f"action.max_translation_m: {action.max_translation_m} -> about {metres:.2g}, "
        f"action.max_rotation_rad: {action.max_rotation_rad} -> about {radians:.2g}"
    )
    return replace(suspect, mend=mend)


def _compared(
    reading: Reading, asking: Asking, before: Trial, suspect: Suspect, trial: Trial
) -> Tried:
    base, explained = before, True
    if suspect.family == "rate":
        base = attempt(replace(reading, span=suspect.reading.span), asking)
    if suspect.family == "executed":
        explained = _breaks(reading, asking, suspect.reading, trial)
    return against(suspect, trial, base, explained=explained)


def _breaks(reading: Reading, asking: Asking, fewer: Reading, trial: Trial) -> bool:
    """Whether more than age speaks against the declared number of executed rows.

    The later a row, the less its policy knew of the moment when it is executed: fewer rows agree
    better with any expert. A fault is something else: rows that have nothing to do with what the
    expert does then, or a first row that is worse by itself.
    """
    count, declared = fewer.spec.executed, reading.spec.executed
    if count > declared:
        return True
    tail = attempt(replace(reading, first_row=count), asking)
    if tail.agreement <= BROKEN * trial.agreement:
        return True
    first = attempt(replace(reading, span=1), asking)
    return first.agreement <= trial.agreement * (1 - BROKEN)


def _unheard(reading: Reading, asking: Asking, suspects: Sequence[Suspect]) -> tuple[str, ...]:
    """The families of what a policy is shown that change none of its answers."""
    declared = asking.answers(reading)
    heard: dict[str, bool] = {}
    for suspect in suspects:
        if suspect.asks_anew and suspect.family != "executed":
            answers = asking.answers(suspect.reading)
            alike = all(_equal(one, other) for one, other in zip(declared, answers, strict=True))
            heard[suspect.family] = heard.get(suspect.family, False) or not alike
    return tuple(family for family, changes in heard.items() if not changes)


def _equal(one: Answers, other: Answers) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def _other_arguments(
    reading: Reading, asking: Asking, alternatives: Mapping[str, Sequence[Json]]
) -> Iterator[Suspect]:
    """The policy as it is with other arguments, each with its own declaration."""
    if reading.args:
        return
    for name, values in alternatives.items():
        for value in values:
            args = ((name, value),)
            text = f"{name}={argument_text(value)}"
            spec = asking.cast.policy(args).spec()
            other = replace(reading, spec=replace(reading.spec, action=spec.action), args=args)
            mend = f"give --policy-arg {text}"
            yield Suspect(f"it should be made with {text}", "arguments", other, ALL, mend, True)


def by_row(reading: Reading, asking: Asking) -> dict[int, float]:
    """Agreement of single rows of an answer: the first, and later ones that are twice as late."""
    length = reading.spec.chunk_length
    if length == 1:
        return {}
    wanted = sorted({2**k for k in range(length.bit_length())} | {length})
    found = {}
    for row in wanted:
        whole = replace(reading, first_row=row - 1, hz=asking.env.control_hz, span=row)
        found[row] = attempt(whole, asking).agreement
    return found
