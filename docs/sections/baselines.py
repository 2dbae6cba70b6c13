"""What the baselines reach: what can be had for nothing, without looking, without listening."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from sections.markdown import table
from sections.sources import Sources
from vlabench.jsonfiles import understanding

Row: TypeAlias = Mapping[str, str]

SHOWS: Mapping[str, str] = {
    "noop": "nothing: what success is given away",
    "random": "anything: what flailing about achieves",
    "replay": "what the expert did in another scene of the task, without looking at this one",
    "prior": "what the expert would do if things stood where they stand on average: an "
    "estimate of what can be had without looking",
    "random-goal": "what the expert would do for a goal drawn from the scene, with the right verb: "
    "an estimate of what can be had without listening",
    "expert": "what can be reached by knowing everything; what it did not solve when a suite was "
    "certified is not published, see the ledgers above",
}
"""Policy to what it does, in the order of the columns."""

TELLING = 0.2
"""A rate above this is worth a mark: what is measured there can be had without a sense."""

HONEST = ("noop", "random", "replay", "prior", "random-goal")


def section(sources: Sources) -> str:
    """What each baseline is, and its rates on every suite."""
    text = [
        "## Baselines",
        "What can be had for nothing, without looking, without listening, and at most; "
        "[policies.md](policies.md) has more about each.",
        table(["policy", "does"], [[f"`{name}`", does] for name, does in SHOWS.items()]),
        "All but `noop` and `random` read the simulator's state or the task's name, so they are "
        "marked *privileged* in every table (here by \\*), and no competitors: they say how much "
        "of a rate needs no seeing and no understanding.",
    ]
    if not sources.baselines.exists():
        return "\n\n".join([*text, "No baselines have been published yet."])
    with sources.baselines.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with understanding(str(sources.baselines)):
        now = {name: str(suite.version) for name, suite in sources.all_suites.items()}
        old = sorted(
            {row["suite"] for row in rows if row["suite_version"] != now.get(row["suite"])}
        )
        if old:
            text.append(f"Measured on an older version, and left out: {', '.join(old)}.")
        return "\n\n".join([*text, *_tables([row for row in rows if row["suite"] not in old])])


def _tables(rows: Sequence[Row]) -> list[str]:
    changed = [row for row in rows if row["kind"] == "overall"]
    unchanged = [row for row in rows if row["kind"] == "nominal"]
    levels = [row for row in rows if row["kind"] == "level"]
    diagnostics = [row for row in rows if row["kind"] == "compliance"]
    telling = {_where(row) for row in levels if _is_telling(row)}
    return [
        f"Success in percent, means over tasks; **bold** is above {100 * TELLING:g} % without "
        "knowing the scene or the goal. Intervals and numbers of episodes are in "
        "`results/baselines.csv`.",
        "Changed episodes:",
        _grid("suite", changed, lambda row: f"`{row['suite']}`", "success_rate"),
        "Unchanged episodes:",
        _grid("suite", unchanged, lambda row: f"`{row['suite']}`", "success_rate"),
        *_where_telling([row for row in levels if _where(row) in telling]),
        *_compliance(diagnostics),
    ]


def _where_telling(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return [f"No baseline but the expert passes {100 * TELLING:g} % at any level of any axis."]
    return [
        f"Levels at which a baseline other than the expert passes {100 * TELLING:g} %:",
        _grid("suite, change", rows, _where, "success_rate"),
    ]


def _compliance(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    return [
        "Diagnostics: compliance in percent. A robot that stands still complies with two of them.",
        _grid("suite, change", rows, _where, "compliance"),
    ]


def _grid(head: str, rows: Iterable[Row], label: Callable[[Row], str], column: str) -> str:
    """A row for each label, a column for each policy; those that are privileged are marked."""
    rows = list(rows)
    cells: dict[str, dict[str, str | None]] = {}
    for row in rows:
        cells.setdefault(label(row), {})[row["policy"]] = _cell(row, column)
    policies = [name for name in SHOWS if any(name in of for of in cells.values())]
    lines = [[name, *(of.get(policy) for policy in policies)] for name, of in sorted(cells.items())]
    privileged = {row["policy"] for row in rows if row["privileged"] == "True"}
    heads = [name + r"\*" * (name in privileged) for name in policies]
    return table([head, *heads], lines, right="l" + "r" * len(policies))


def _cell(row: Row, column: str) -> str | None:
    if not row[column]:
        return None
    text = f"{100 * float(row[column]):.1f}"
    return f"**{text}**" if column == "success_rate" and _is_telling(row) else text


def _is_telling(row: Row) -> bool:
    rate = row["success_rate"]
    return row["policy"] in HONEST and rate != "" and float(rate) > TELLING


def _where(row: Row) -> str:
    change = ":".join(filter(None, (row["axis"], row["level"])))
    return f"`{row['suite']}`, {change}"
