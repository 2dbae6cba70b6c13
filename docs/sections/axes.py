"""The axes: what each changes, its levels, and the same episode without and with it."""

from __future__ import annotations

import inspect
import sys

import examples

from sections.markdown import code, counted, link, paragraphs, picture, table
from sections.ranges import range_of
from sections.sources import Sources
from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import task
from vlabench.registry import AXES, TASKS
from vlabench.suite import Suite

KINDS = {
    "visual": "what the cameras see",
    "behaviour": "what has to be done differently",
    "dynamic": "what happens on the way",
    "horizon": "how much is asked for",
    "semantic": "what is said and has to be understood",
    "combination": "several at once",
    "diagnostic": "whether it listens",
}
"""Kind of axis to what it tries, in the order of the card."""


def section(sources: Sources) -> str:
    """Summary, then a part for each axis, kind after kind."""
    axes: list[Axis] = [AXES.load(name)() for name in AXES.names()]
    axes.sort(key=lambda axis: list(KINDS).index(axis.kind))
    where = {axis.name: _suites(axis.name, sources) for axis in axes}
    return "\n\n".join(
        [
            "## Axes",
            f"An axis redraws its own factors of an episode and nothing else: the unchanged twin "
            f"shares all the rest to the bit. There are {len(axes)}. A level is a ring: what a "
            "milder level can be, a stronger one cannot. Diagnostic axes are scored as "
            "compliance, outside every rate. Drawn values are uniform in their ranges "
            "unless the text says otherwise.",
            table(
                ["axis", "kind", "tries", "levels", "tasks"],
                [_summary(axis) for axis in axes],
                right="llllr",
            ),
            "Pictures show the unchanged twin first and then the levels in the order of their "
            "table. *Tasks* says to how many tasks an axis applies.",
            *(_part(axis, where[axis.name]) for axis in axes),
        ]
    )


def _summary(axis: Axis) -> list[object]:
    return [
        link(axis.name),
        axis.kind,
        KINDS[axis.kind],
        ", ".join(axis.levels),
        len(_tasks(axis)),
    ]


def _tasks(axis: Axis) -> list[str]:
    return [name for name in TASKS.names() if axis.applies(task(name))]


def _suites(axis: str, sources: Sources) -> list[str]:
    """Suites that try it, those that are unions left out."""
    suites = sources.all_suites
    return [name for name, suite in suites.items() if axis in _axes_of(suite)]


def _axes_of(suite: Suite) -> set[str]:
    return {cell.axis for cell in suite.cells}


def _part(axis: Axis, suites: list[str]) -> str:
    said = {level: episode.instruction for level, episode in examples.of_axis(axis.name).items()}
    levels = {level: text for level, text in said.items() if level != "twin"}
    tried = f"Tried in {code(suites)}. " if suites else ""
    reach = counted(len(_tasks(axis)), "task")
    lines = [f"### `{axis.name}`", f"*{axis.kind}*: {_first_line(axis)} {tried}Applies to {reach}."]
    if examples.can_be_seen(axis.name):
        alt = f"{axis.name}: the unchanged twin, then {', '.join(levels)}"
        lines.append(picture(f"card/axis-{axis.name}.jpg", alt))
    elif levels and set(levels.values()) == {said["twin"]}:
        lines.append("There is nothing to see of it at the start.")
    heads, rows = ["level", "range"], [[level, range_of(axis.name, level)] for level in axis.levels]
    if levels and set(levels.values()) != {said["twin"]}:
        heads.append("for example")
        rows = [[*row, _quoted(levels[row[0]])] for row in rows if row[0] in levels]
        lines.append(f"Twin: *{said['twin']}*")
    return "\n\n".join([*lines, table(heads, rows), *_details(axis)])


def _quoted(text: str) -> str:
    return f"*{text}*" if text else "(nothing)"


def _first_line(axis: Axis) -> str:
    """What the axis' own docstring says in its first line."""
    return (inspect.getdoc(type(axis)) or "").splitlines()[0]


def _details(axis: Axis) -> list[str]:
    """What its module says; of axes that share one, the first by name has it."""
    module = type(axis).__module__
    shared = [name for name in AXES.names() if AXES.load(name).__module__ == module]
    if shared[0] != axis.name:
        return [f"See {link(shared[0])} for more."]
    return paragraphs(sys.modules[module].__doc__)
