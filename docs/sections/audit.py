"""The error rates of the success tests, as the audit measured them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sections.markdown import counted, link, number, share, table
from sections.sources import Sources
from vlabench.errors import UsageError
from vlabench.jsonfiles import read_json, understanding
from vlabench.types import Json

MAJOR = "1"
"""Of the file's schema."""


def section(sources: Sources) -> str:
    """Rates by task, and by kind of state."""
    head = [
        "## Error rates",
        "How often is the success test itself wrong? `vlabench audit` makes states whose truth is "
        "known from how they were made, and not from what the predicates compute: a thing was put "
        "in its place and left to rest, or moved away, lifted off, held in the hand, put somewhere "
        "else, toppled or undone. It compares that with what an episode would have counted, hold "
        "time included.",
    ]
    if not sources.audit.exists():
        return "\n\n".join([*head, "No audit has been published yet."])
    found = read_json(sources.audit)
    with understanding(str(sources.audit)):
        if found["schema_version"].partition(".")[0] != MAJOR:
            raise UsageError(
                f"{sources.audit} has the schema {found['schema_version']}, and the card reads "
                f"{MAJOR}; run 'vlabench audit' again."
            )
        return "\n\n".join([*head, *_tables(found)])


def _tables(found: Json) -> list[str]:
    tasks: Mapping[str, Json] = found["tasks"]
    return [
        f"World {found['world_version']}, seed {found['seed']}, "
        f"{counted(sum(task['states'] for task in tasks.values()), 'state')}. A false positive is "
        "a state that was counted as success and is none, a false negative the reverse. Intervals "
        f"are Clopper and Pearson's, 95 %. Both rates must stay under {100 * found['bound']:g} % "
        "in every task. Discarded are states that did not stay as they were made.",
        table(
            ["task", "states", "false positives", "95 %", "false negatives", "95 %", "discarded"],
            [_row(name, task) for name, task in tasks.items()],
            right="lrrrrrr",
        ),
        "By how the state was made, over all tasks:",
        table(["kind of state", "states", "errors"], _kinds(tasks), right="lrr"),
        "Near a tolerance nothing is claimed: between what is made true and what is made false "
        "there is a margin band, and states in it are not audited.",
        table(["margin", "width"], [[name, _margin(of)] for name, of in found["margins"].items()]),
    ]


def _row(name: str, task: Json) -> list[object]:
    return [
        link(name),
        number(task["states"]),
        *_rate(task["false_positives"], task["negatives"], task["false_positive_interval"]),
        *_rate(task["false_negatives"], task["positives"], task["false_negative_interval"]),
        number(task["discarded"]),
    ]


def _rate(errors: int, states: int, interval: Sequence[float]) -> list[str]:
    low, high = (f"{100 * end:.2f}" for end in interval)
    return [f"{share(errors, states, 2)} ({errors} of {states})", f"{low}–{high} %"]


def _kinds(tasks: Mapping[str, Json]) -> list[list[object]]:
    states: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for task in tasks.values():
        for kind, count in task["kinds"].items():
            states[kind] += count["states"]
            errors[kind] += count["errors"]
    return [[kind, number(states[kind]), errors[kind]] for kind in sorted(states)]


def _margin(value: Json) -> str:
    """Numbers with their names: "inside 0.012, outside 0.024"."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_margin(of)}" for name, of in value.items())
    if isinstance(value, list):
        return "–".join(map(_margin, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
