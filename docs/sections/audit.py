"""The error rates of the success tests, as the audit measured them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sections.markdown import code, counted, link, number, share, table
from sections.sources import Sources
from vlabench.errors import UsageError
from vlabench.jsonfiles import read_json, understanding
from vlabench.types import Json

MAJOR = "2"
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
    bound = f"{100 * found['bound']:g} %"
    return [
        f"World {found['world_version']}, seed {found['seed']}, "
        f"{counted(sum(task['states'] for task in tasks.values()), 'state')}. A false positive is "
        "a state that was counted as success and is none, a false negative the reverse. Both rates "
        f"must stay under {bound} in every task, and so must that of every kind of state, but for "
        "a single error. Intervals are Clopper and Pearson's, 95 %: they bound the rate of "
        "errors over states mixed as the audit mixes them, not over those that a policy gets into. "
        f"Both end under {bound} in {_bounded(found)} of {counted(len(tasks), 'task')}.",
        table(
            [
                "task",
                "states",
                "false positives",
                "95 %",
                "false negatives",
                "95 %",
                "looks as labelled",
                "discarded",
            ],
            [_row(name, task) for name, task in tasks.items()],
            right="lrrrrrrr",
        ),
        _looks(tasks),
        "By how the state was made, over all tasks. Every kind has at least "
        f"{counted(found['least_of_a_kind'], 'state')} in every task, unless what it needs is not "
        "there: a roof, another drawer, a place that can be lifted. *Not made* are attempts for "
        "which there was no room or no way, *discarded* those that did not stay as they had been "
        "made, so that how they were made no longer says what they are.",
        table(
            ["kind of state", "states", "errors", "not made", "discarded", "not there in"],
            _kinds(tasks),
            right="lrrrrl",
        ),
        "Why states, or stages on the way to them, were thrown away:",
        table(["reason", "times"], _reasons(tasks), right="lr"),
        "Near a tolerance nothing is claimed: between what is made true and what is made false "
        "there is a margin band, and states in it are not audited.",
        table(["margin", "width"], [[name, _margin(of)] for name, of in found["margins"].items()]),
    ]


def _bounded(found: Json) -> int:
    """In how many tasks both intervals end under the bound."""
    return sum(
        max(task["false_positive_interval"][1], task["false_negative_interval"][1]) < found["bound"]
        for task in found["tasks"].values()
    )


def _looks(tasks: Mapping[str, Json]) -> str:
    """What the second opinion is, and where it is another."""
    states = sum(task["looked_at"]["states"] for task in tasks.values())
    odd = {name: len(task["looked_at"]["odd"]) for name, task in tasks.items()}
    others = ", ".join(f"{link(name)} {count}" for name, count in odd.items() if count)
    return (
        "Labels and predicates both follow from the lengths that shapes and fixtures are built "
        "from. So every state about being on or in something gets a second label that uses none "
        "of them, from rays that are cast at what is seen and from distances between solids: it "
        f"agrees in {number(states - sum(odd.values()))} of {counted(states, 'state')}"
        + (f" (not in: {others})." if others else ".")
    )


def _row(name: str, task: Json) -> list[object]:
    looked = task["looked_at"]
    return [
        link(name),
        number(task["states"]),
        *_rate(task["false_positives"], task["negatives"], task["false_positive_interval"]),
        *_rate(task["false_negatives"], task["positives"], task["false_negative_interval"]),
        f"{looked['agree']} of {looked['states']}" if looked["states"] else None,
        number(task["discarded"]),
    ]


def _rate(errors: int, states: int, interval: Sequence[float]) -> list[str]:
    low, high = (f"{100 * end:.2f}" for end in interval)
    return [f"{share(errors, states, 2)} ({errors} of {states})", f"{low}–{high} %"]


def _kinds(tasks: Mapping[str, Json]) -> list[list[object]]:
    found: dict[str, Counter[str]] = {}
    missing: dict[str, list[str]] = {}
    for name, task in tasks.items():
        for kind, count in task["kinds"].items():
            found.setdefault(kind, Counter()).update(
                states=count["states"],
                errors=count["errors"],
                not_made=sum(count["not_made"].values()),
                discarded=sum(count["discarded"].values()),
            )
            if not count["applies"]:
                missing.setdefault(kind, []).append(name)
    return [
        [
            kind,
            *(number(found[kind][key]) for key in ("states", "errors", "not_made", "discarded")),
            code(missing[kind]) if kind in missing else None,
        ]
        for kind in sorted(found)
    ]


def _reasons(tasks: Mapping[str, Json]) -> list[list[object]]:
    times: Counter[str] = Counter()
    for task in tasks.values():
        for waste in (*task["kinds"].values(), task["on_the_way"]):
            times.update(waste["not_made"])
            times.update(waste["discarded"])
    return [[reason, number(times[reason])] for reason in sorted(times)]


def _margin(value: Json) -> str:
    """Numbers with their names: "inside 0.012, outside 0.024"."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_margin(of)}" for name, of in value.items())
    if isinstance(value, list):
        return "–".join(map(_margin, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
