"""The suites: how large they are, how long they take, and how their episodes were certified."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sections.markdown import NOTHING, counted, number, share, table
from sections.sources import Sources
from vlabench.certification import MOST_REJECTED
from vlabench.envs.profile import CONTROL_HZ
from vlabench.envs.tasks.base import task
from vlabench.layout import arrange
from vlabench.published import Publication, Rejection, read_publication
from vlabench.registry import AXES
from vlabench.suite import Suite
from vlabench.types import Change

RATES = (10.0, 100.0)
"""Inferences per second of the models that the table of hours is about."""

CORES = 2
"""On as many cores the expert's hours are given."""


@dataclass(frozen=True)
class Size:
    """How many episodes a suite has.

    Attributes:
        changed: Under a change.
        unchanged: As they were drawn: twins of changed ones, or wanted for themselves.
        tasks: Different tasks.
        limit: Control steps, if every episode goes on to its horizon.
    """

    changed: int
    unchanged: int
    tasks: int
    limit: int


def size(suite: Suite) -> Size:
    """Counts the episodes of a suite, as it has been published, without drawing any."""
    publication = read_publication(suite)
    scenes = arrange(suite, frozenset() if publication is None else publication.rejected_keys)
    changed = [(scene.task, change) for scene in scenes for change in scene.changes]
    unchanged = [scene.task for scene in scenes if scene.nominal]
    return Size(
        changed=len(changed),
        unchanged=len(unchanged),
        tasks=len({scene.task for scene in scenes}),
        limit=sum(_horizon(name) for name in unchanged)
        + sum(_horizon(name, change) for name, change in changed),
    )


def _horizon(name: str, change: Change | None = None) -> int:
    """Most control steps of an episode."""
    kind = task(name)
    asked = kind.chain[0] if kind.chain else 1
    if change is not None and AXES.load(change.axis)().factors(kind) == {"chain"}:
        asked = int(change.level)
    return kind.steps({"chain": asked})


def section(sources: Sources) -> str:
    """Sizes of all suites, then hours."""
    suites = [sources.all_suites[name] for name in _ordered(sources)]
    sizes = {suite.name: size(suite) for suite in suites}
    return "\n\n".join(
        [
            "## Suites",
            "A suite is a YAML file in `suites/`; its episodes are fixed and hashed before "
            "anything runs. *Changed* episodes differ from nominal along the suite's axes; "
            "*unchanged* ones are their twins, which most suites share, or, in a suite without "
            "changes and in `ci`, wanted for themselves. Seeds are under [Splits](#splits).",
            table(
                ["suite", "version", "tasks", "changed", "unchanged", "episodes", "what it asks"],
                [_size_row(suite, sizes[suite.name]) for suite in suites],
                right="lrrrrrl",
            ),
            *_hours(sources, suites, sizes),
        ]
    )


_FIRST = ("generalization", "ci", "full", "train", "smoke")
"""Suites that come first: those that are for something else than one kind of change."""


def _ordered(sources: Sources) -> list[str]:
    names = sources.all_suites
    return [*(n for n in _FIRST if n in names), *(n for n in names if n not in _FIRST)]


def _size_row(suite: Suite, size: Size) -> list[object]:
    counts = [size.tasks, size.changed, size.unchanged, size.changed + size.unchanged]
    return [f"`{suite.name}`", suite.version, *map(number, counts), _asks(suite)]


def _asks(suite: Suite) -> str:
    """Its description without the counts at its end, which have columns of their own."""
    text = " ".join(suite.description.split())
    return re.sub(r"(?<=\.) [\d,]+ (changed )?episodes( and [\d,]+ twins)?\.$", "", text)


def _hours(sources: Sources, suites: Sequence[Suite], sizes: dict[str, Size]) -> list[str]:
    rates = [f"at {rate:g}/s" for rate in RATES]
    missing = [s.name for s in suites if s.name not in sources.publications]
    note = (
        f" Not certified yet: {counted(len(missing), 'suite')}, where {NOTHING} stands for what "
        "that would tell."
        if missing
        else ""
    )
    return [
        "**Steps and hours.** *Steps* is how many control steps the scripted expert needs, *limit* "
        "how many there are if every episode runs to its horizon, as it does for a policy that "
        f"fails. *Expert* is the expert's hours on {CORES} cores without cameras, from the time "
        "its certificates took. The other columns are hours of inference for a model on one GPU "
        "that answers so many times a second, one action an answer, for the expert's steps and for "
        "the limit. They leave out simulation and rendering, which overlap with inference where "
        "several workers run; a model that answers with chunks of k actions takes a k-th of the "
        "time. On few cores rendering bounds the faster ones: `make bench` measures how many "
        "frames a machine draws." + note,
        table(
            ["suite", "steps", "limit", "expert", *rates, *(f"limit {rate}" for rate in rates)],
            [_hours_row(suite, sizes[suite.name], sources) for suite in suites],
            right="lrrrrrrr",
        ),
        f"An episode is a few seconds to a few minutes long: {CONTROL_HZ:g} control steps are one "
        "second of the robot's time.",
    ]


def _hours_row(suite: Suite, size: Size, sources: Sources) -> list[object]:
    published = sources.publications.get(suite.name)
    limits = [_hours_at(size.limit, rate) for rate in RATES]
    if published is None:
        return [f"`{suite.name}`", None, number(size.limit), None, *(None for _ in RATES), *limits]
    return [
        f"`{suite.name}`",
        number(published.steps),
        number(size.limit),
        _hours_at(published.wall_s, CORES),
        *(_hours_at(published.steps, rate) for rate in RATES),
        *limits,
    ]


def _hours_at(work: float, rate: float) -> str:
    """Hours for so much work at a rate of so much a second."""
    hours = work / rate / 3600
    return f"{hours:.1f}" if hours >= 0.1 else "< 0.1"


# --- certificates -----------------------------------------------------------------------------


def certificates(sources: Sources) -> str:
    """What was drawn, and what of it the expert did not solve."""
    level, cell = (f"{100 * MOST_REJECTED[key]:g} %" for key in ("level", "cell"))
    lines = [
        "## Certificates",
        "Before a suite is published, the scripted expert runs every episode of it and every twin. "
        "What it solves (of a diagnostic: the goal of its scene) is published with all that was "
        "drawn and a certificate: its steps and the hashes of the first state, the actions and the "
        "last state, which anybody can compute again (`vlabench certify SUITE --check N`). What it "
        "does not solve, or what starts against the rules, is rejected, stays in the ledger with "
        f"the reason, and another draw takes its place. At most {level} of the draws of an axis "
        f"level, rounded up to whole draws, and {cell} of those in one task at one level may be "
        "rejected, a single one in any case: more is a fault of the task, and its suite is not "
        "published. Rejection makes the published scenes a little easier for the expert than "
        "scenes at large; how much is bounded by the share that was rejected.",
    ]
    found = [sources.publications[n] for n in _ordered(sources) if n in sources.publications]
    if not found:
        return "\n\n".join([*lines, "No suite has been certified yet."])
    rows = [
        [
            f"`{p.suite}`",
            p.suite_version,
            number(len(p.episodes)),
            number(p.drawn),
            len(p.rejected),
            share(len(p.rejected), p.drawn, 2),
            f"`{p.manifest_hash}`",
        ]
        for p in found
    ]
    heads = ["suite", "version", "published", "drawn", "rejected", "share", "manifest"]
    lines += [
        "*Published* are the suite's episodes, all of them solved; *drawn* also counts twins that "
        "are not part of it, and what was rejected.",
        table(heads, rows, right="lrrrrrl"),
        *_ledger(found),
    ]
    return "\n\n".join(lines)


def _ledger(found: Sequence[Publication]) -> list[str]:
    """Every rejection, once, by what was changed."""
    ledger = {rejection.key: rejection for p in found for rejection in p.rejected}
    if not ledger:
        return ["Nothing was rejected."]
    by_change: dict[str, list[Rejection]] = {}
    for rejection in ledger.values():
        what = " + ".join(map(str, rejection.changes)) or "unchanged"
        by_change.setdefault(what, []).append(rejection)
    made = sorted({f"world {p.world_version}, MuJoCo {p.versions['mujoco']}" for p in found})
    return [
        f"The ledger, over all suites ({counted(len(ledger), 'draw')}; certified by "
        f"{'; '.join(made)}). Each draw with its own numbers is in `suites/certificates/`.",
        table(
            ["change", "draws", "tasks", "reasons"],
            [[what, len(of), *_told(of)] for what, of in sorted(by_change.items())],
            right="lrll",
        ),
    ]


def _told(rejections: Sequence[Rejection]) -> tuple[str, str]:
    """In which tasks, and why; numbers in a reason are left open."""
    tasks = Counter(rejection.task for rejection in rejections)
    reasons = sorted({re.sub(r"\d+", "n", rejection.reason) for rejection in rejections})
    times = (f"`{name}`" + (f" × {n}" if n > 1 else "") for name, n in sorted(tasks.items()))
    return ", ".join(times), "; ".join(reasons)
