"""The tasks: what each shows, says, asks for, and how long it may take."""

from __future__ import annotations

import inspect
import re

import examples

from sections.markdown import link, number, picture, table
from sections.sources import Sources
from vlabench.envs.objects.catalog import categories, category
from vlabench.envs.profile import CONTROL_HZ
from vlabench.envs.progress import HOLD_STEPS
from vlabench.envs.splits import kept_from
from vlabench.envs.tasks.base import Goal, Role, Task, task
from vlabench.registry import TASKS


def section(sources: Sources) -> str:
    """Summary, then a part for each task."""
    tasks = [task(name) for name in TASKS.names()]
    hold = f"{HOLD_STEPS} control steps ({HOLD_STEPS / CONTROL_HZ:g} s)"
    return "\n\n".join(
        [
            "## Tasks",
            f"A task is its roles, its stages of goals, and a horizon: {len(tasks)} of them. Goals "
            f"are [predicates](#predicates); a stage counts when its goals have held for {hold}. "
            f"Control runs at {CONTROL_HZ:g} Hz. The horizon is about twice what the scripted "
            "expert needs for half of the episodes; *expert* is that median over the "
            "certified unchanged episodes. Pictures show the start as a policy sees it and the end "
            "that the expert reaches. Of objects, the tables give how many categories may play a "
            "role in nominal episodes (*seen*), how many are kept apart from the task, and how "
            "many are held out altogether; see [Splits](#splits).",
            table(
                ["task", "stages", "order", "fixtures", "horizon, steps", "seconds", "expert"],
                [_summary(kind, sources) for kind in tasks],
                right="lrllrrr",
            ),
            *(_part(kind, sources) for kind in tasks),
        ]
    )


def _summary(kind: Task, sources: Sources) -> list[object]:
    count = f"{kind.chain[0]} to {kind.chain[-1]}" if kind.chain else len(kind.stages)
    order = ("as given" if kind.ordered else "any") if len(kind.stages) > 1 else ""
    median = sources.median_steps(kind.name)
    each = " a stage" if kind.chain else ""
    return [
        link(kind.name),
        count,
        order,
        ", ".join(kind.fixtures),
        f"{number(kind.horizon)}{each}",
        f"{kind.horizon / CONTROL_HZ:g}{each}",
        None if median is None else number(median),
    ]


def _part(kind: Task, sources: Sources) -> str:
    said = examples.of_task(kind.name).instruction
    about = _blocks(kind)
    alt = f"{kind.name}: the start, and what the expert left"
    lines = [
        f"### `{kind.name}`",
        picture(f"card/task-{kind.name}.jpg", alt),
        f"> {said}",
        about["Description"],
        f"*Success*: {about['Success']}",
        _stages(kind),
        "Objects:",
        _roles(kind),
    ]
    if kind.choices:
        chosen = (f"`{name}` is {_either(of)}" for name, of in kind.choices.items())
        lines.append(f"Drawn with the scene: {'; '.join(chosen)}.")
    lines.append(_suites(kind, sources))
    return "\n\n".join(lines)


def _suites(kind: Task, sources: Sources) -> str:
    """Which suites have the task, those that only include others left out."""
    having = [name for name, suite in sources.all_suites.items() if kind.name in suite.tasks]
    return f"In suites: {', '.join(f'`{name}`' for name in having) or 'none'}."


def _either(names: tuple[str, ...]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _blocks(kind: Task) -> dict[str, str]:
    """The parts of a task's docstring, each in one line."""
    text = inspect.cleandoc(kind.description)
    found = re.findall(r"^(\w+):\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE)
    return {name: " ".join(block.split()) for name, block in found}


def _stages(kind: Task) -> str:
    rows = [
        [place, stage.name, " and ".join(_goal(goal) for goal in stage.goals)]
        for place, stage in enumerate(kind.stages, start=1)
    ]
    return table(["", "stage", "goals"], rows)


def _goal(goal: Goal) -> str:
    return f"`{goal.predicate}({', '.join(goal.arguments)})`"


def _roles(kind: Task) -> str:
    rows = [[f"`{'`, `'.join(names)}`", *cells] for cells, names in _like_roles(kind).items()]
    return table(["role", "may be", "seen", "kept apart", "held out"], rows, right="llrrr")


def _like_roles(kind: Task) -> dict[tuple[str, ...], list[str]]:
    """Rows of the table of roles, and the roles that each is about."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for role in kind.roles:
        rows.setdefault(_cells(kind, role), []).append(role.name)
    return rows


def _cells(kind: Task, role: Role) -> tuple[str, ...]:
    what = f"{role.kind} ({role.super_category})" if role.super_category else role.kind
    what += ", lying on its side" if role.lying else ""
    what += f", on the {role.on}" if role.on else ""
    kept = {name for part in kind.parts_of(role) for name in kept_from(kind.name, part.kind)}
    seen, unseen = playing(role, "seen"), playing(role, "unseen")
    apart = [name for name in seen if name in kept]
    return what, str(len(seen) - len(apart)), str(len(apart)), str(len(unseen))


def playing(role: Role, split: str) -> list[str]:
    """Categories of a split that may play a role."""
    names = categories(role.kind, "seen" if split == "seen" else "unseen")
    return [n for n in names if role.super_category in {None, category(n).super_category}]
