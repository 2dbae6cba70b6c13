"""What a diagnosis says: to people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from vlabench.contract.specs import PolicySpec
from vlabench.conventions.diagnosis import Diagnosis, Round
from vlabench.conventions.judging import MEANINGFUL, Trial, Tried, follows_the_scene
from vlabench.conventions.reading import Reading
from vlabench.naming import one_line
from vlabench.types import Json

SHOWN = 8
"""Suspects that a table shows."""

NAMED = 3
"""Suspects that are as likely, by name."""

WIDEST = 60
"""Characters of a suspect's name in a table."""

UNHEARD: Mapping[str, str] = {
    "images": "how its images are turned",
    "colours": "the order of their colours",
    "crop": "how they are cropped",
    "roles": "which camera is which",
    "prompt": "how its prompt is worded",
    "state": "how its state is written",
    "arguments": "the other arguments that were tried",
}
"""What cannot be judged of a policy that answers alike, by the suspects' family."""


def text(diagnosis: Diagnosis) -> str:
    """A table of each round, and a sentence that says what to change."""
    return "\n".join(map(one_line, _lines(diagnosis)))


def to_json(diagnosis: Diagnosis) -> dict[str, Json]:
    """Plain values: all that was tried."""
    return {
        "schema_version": 1,
        "policy": diagnosis.policy,
        "outcome": diagnosis.outcome,
        "sentences": list(_sentences(diagnosis)),
        "seed": diagnosis.seed,
        "episodes": [list(episode) for episode in diagnosis.episodes],
        "calls": diagnosis.calls,
        "agreement": diagnosis.declared.agreement,
        "parts": dict(diagnosis.declared.parts),
        "rows": {str(row): value for row, value in diagnosis.rows.items()},
        "faults": [_fault(one, other) for one, other in _named(diagnosis)],
        "rounds": [_round(one) for one in diagnosis.rounds],
        "spec": diagnosis.spec.to_json(),
    }


def mend(base: Reading, tried: Tried) -> str:
    """What to change to what, for example ``action.frame: "base" -> "hand"``."""
    if tried.suspect.mend:
        return tried.suspect.mend
    return ", ".join(_differences(base.spec, tried.suspect.reading.spec))


def _named(diagnosis: Diagnosis) -> list[tuple[Round, Tried]]:
    return [(one, one.guilty[0]) for one in diagnosis.rounds if one.guilty]


# --- for people ---------------------------------------------------------------------------------


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield (
        f"{diagnosis.policy} beside the expert in {len(diagnosis.episodes)} nominal episodes: "
        f"{diagnosis.calls} answers"
    )
    yield f"agreement as declared: {_agreement(diagnosis.declared)}; 1 is the expert, 0 is chance"
    if diagnosis.rows:
        rows = ", ".join(f"{row}: {value:.2f}" for row, value in diagnosis.rows.items())
        yield f"by row of an answer: {rows}"
    for number, one in enumerate(diagnosis.rounds):
        if number and not one.guilty:
            break
        yield ""
        if number:
            named = diagnosis.rounds[number - 1].guilty[0].suspect.name
            yield f"and then, if {named}:"
        yield from _table(one)
    yield ""
    yield from _sentences(diagnosis)


def _table(one: Round) -> Iterator[str]:
    guilty = one.guilty
    others = [tried for tried in one.tried if tried not in guilty]
    others.sort(key=lambda tried: -tried.trial.agreement)
    shown = [*guilty, *others][:SHOWN]
    width = max([len("suspect"), *(len(_short(tried)) for tried in shown)])
    yield f"{'suspect':<{width}}  agreement   gain  p-value"
    for tried in shown:
        mark = "  <- likeliest" if guilty and tried is guilty[0] else ""
        mark = "  <- as likely" if tried in guilty[1:] else mark
        yield (
            f"{_short(tried):<{width}}  {tried.trial.agreement:>9.2f}  {tried.gain:>+5.2f}  "
            f"{tried.p_value:>7.3f}{mark}"
        )
    left = len(one.tried) - len(shown)
    if left > 0:
        yield f"... and {left} more, none of them better; --json FILE has all"
    if one.left_out:
        yield f"not tried, because the answers cannot be read so: {len(one.left_out)}"


def _short(tried: Tried) -> str:
    name = tried.suspect.name
    return name if len(name) <= WIDEST else f"{name[: WIDEST - 3]}..."


def _agreement(trial: Trial) -> str:
    parts = ", ".join(f"{part} {value:.2f}" for part, value in trial.parts.items())
    return f"{trial.agreement:.2f} ({parts})"


def _sentences(diagnosis: Diagnosis) -> Iterator[str]:
    """What was found, then what could not be judged."""
    named = _named(diagnosis)
    for number, (one, tried) in enumerate(named):
        which = "The likeliest fault" if not number else "Likeliest beside it"
        yield (
            f"{which}: {tried.suspect.name} (agreement {one.before.agreement:.2f} -> "
            f"{tried.trial.agreement:.2f}, p = {tried.p_value:.3f}). {_where(tried)}: "
            f"{mend(one.base, tried)}."
        )
        if one.guilty[1:]:
            names = [other.suspect.name for other in one.guilty[1:]]
            more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield f"These episodes do not tell it from: {'; '.join(names[:NAMED])}{more}."
    if not named:
        yield _nothing(diagnosis)
    unheard = [UNHEARD[family] for family in diagnosis.rounds[0].unheard if family in UNHEARD]
    if unheard:
        yield (
            f"Its answers do not change with {', '.join(unheard)}; what it declares of that cannot "
            "be judged."
        )


def _where(tried: Tried) -> str:
    if tried.suspect.mend and "->" not in tried.suspect.mend:
        return "Mend"
    return "Change in its card, or where it declares its PolicySpec"


def _nothing(diagnosis: Diagnosis) -> str:
    declared, tried = diagnosis.declared, len(diagnosis.rounds[0].tried)
    if diagnosis.outcome == "fine":
        return (
            f"No fault found: none of {tried} suspects explains the expert better than the "
            f"declaration, under which the agreement is {declared.agreement:.2f}."
        )
    if (dubious := diagnosis.dubious) is not None:
        shown = sum(gain is not None for gain in dubious.gains)
        return (
            f"Cannot say: the agreement is {dubious.trial.agreement:.2f} instead of "
            f"{declared.agreement:.2f} if {dubious.suspect.name}, and {shown} episodes that show "
            f"it are too few to be sure (p = {dubious.p_value:.3f}); give more --episodes, --tasks "
            "or --questions."
        )
    if not any(declared.parts.values()):
        return "Cannot say: the policy hardly moves, so it agrees and disagrees with nothing."
    if declared.agreement < MEANINGFUL or follows_the_scene(declared):
        return (
            f"Cannot say: the policy is too far from the expert (agreement "
            f"{declared.agreement:.2f}), and under none of {tried} suspects beyond doubt nearer."
        )
    return (
        f"Cannot say: the policy agrees with the expert of another episode as well as with this "
        f"one's (agreement {declared.agreement:.2f}), so it does not follow what it is shown; "
        "nothing speaks against how its answers are read."
    )


# --- what to change -----------------------------------------------------------------------------


def _differences(one: PolicySpec, other: PolicySpec) -> Iterator[str]:
    before, after = dict(_flat(asdict(one))), dict(_flat(asdict(other)))
    for name in before:
        if before[name] != after.get(name):
            yield f"{name}: {before[name]!r} -> {after.get(name)!r}"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text in nested dictionaries and sequences of them, by its path."""
    if isinstance(value, dict):
        for name, item in value.items():
            name = name.rstrip("_")  # a card writes `as_` so
            yield from _flat(item, f"{path}.{name}" if path else name)
    elif isinstance(value, tuple) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}[{number}]")
    else:
        yield path, value


# --- as JSON ------------------------------------------------------------------------------------


def _fault(one: Round, tried: Tried) -> dict[str, Json]:
    return {
        "name": tried.suspect.name,
        "family": tried.suspect.family,
        "mend": mend(one.base, tried),
        "agreement_before": one.before.agreement,
        "agreement": tried.trial.agreement,
        "p_value": tried.p_value,
        "as_likely": [other.suspect.name for other in one.guilty[1:]],
    }


def _round(one: Round) -> dict[str, Json]:
    return {
        "agreement": one.before.agreement,
        "unheard": list(one.unheard),
        "left_out": dict(one.left_out),
        "tried": [
            {
                "name": tried.suspect.name,
                "family": tried.suspect.family,
                "mend": mend(one.base, tried),
                "agreement": tried.trial.agreement,
                "parts": dict(tried.trial.parts),
                "gain": tried.gain,
                "gains": list(tried.gains),
                "p_value": tried.p_value,
                "guilty": tried.guilty,
            }
            for tried in one.tried
        ],
    }
