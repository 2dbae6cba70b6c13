"""``vlabench list``: what there is, with its documentation."""

from __future__ import annotations

import inspect
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer

from vlabench.errors import UnknownNameError, UsageError
from vlabench.layout import arrange
from vlabench.naming import one_line
from vlabench.published import read_publication
from vlabench.registry import (
    AXES,
    FIXTURES,
    OBJECTS,
    PLANNERS,
    POLICIES,
    TASKS,
    WRAPPERS,
    Registry,
    load_attribute,
)
from vlabench.suite import Suite, load_suite, suite_names

Lines: TypeAlias = Iterator[str]
Thing: TypeAlias = Any
"""What a registry holds; other packages may add things of any type."""

NARROWEST, WIDEST = 60, 100


def list_command(
    kind: Annotated[
        str,
        typer.Argument(
            help="policies, suites, tasks, axes, objects, fixtures, embodiments or controls."
        ),
    ],
    name: Annotated[str | None, typer.Argument(help="One of them, for all that is known.")] = None,
) -> None:
    """Show policies, suites, tasks, axes, objects, fixtures, embodiments and controls."""
    if kind not in KINDS:
        raise UnknownNameError("kind of thing", kind, KINDS)
    shown = KINDS[kind]
    for line in shown.listing() if name is None else shown.page(name):
        typer.echo(one_line(line).rstrip())


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of thing is shown: all of them in a line each, or one on a page."""

    listing: Callable[[], Lines]
    page: Callable[[str], Lines]


# --- policies, tasks, axes: things of a registry ------------------------------------------------


def _listing(registry: Registry) -> Callable[[], Lines]:
    def lines() -> Lines:
        rows = []
        for name in registry.names():
            try:
                rows.append((name, _first_line(registry.load(name))))
            except UsageError as error:
                rows.append((name, f"cannot be loaded: {error}"))
        return _two_columns(rows)

    return lines


def _policy_listing() -> Lines:
    yield from _listing(POLICIES)()
    yield ""
    yield "Before any of them, and before a policy of your own, as in blind:openvla:"
    yield from _two_columns(
        [(f"{name}:", _first_line(WRAPPERS.load(name))) for name in WRAPPERS.names()]
    )
    yield ""
    yield "Planners, before any of them and a slash, as in stages/skills:"
    yield from _two_columns(
        [(f"{name}/", _first_line(PLANNERS.load(name))) for name in PLANNERS.names()]
    )


def _policy_page(name: str) -> Lines:
    prefix, _, inner = name.partition(":")
    if prefix in WRAPPERS.names():
        yield from _page(f"{prefix}:", WRAPPERS.load(prefix))
        if inner:
            yield ""
            yield from _policy_page(inner)
        return
    planner, slash, inner = name.partition("/")
    if slash:
        yield from _page_with_arguments(f"{planner}/", PLANNERS.load(planner), "planner.")
        if inner:
            yield ""
            yield from _policy_page(inner)
        return
    yield from _page_with_arguments(name, POLICIES.load(name))


def _page_with_arguments(name: str, thing: Thing, before: str = "") -> Lines:
    yield from _page(name, thing)
    arguments = _arguments(thing)
    if arguments:
        yield ""
        yield f"Arguments, each given as --policy-arg {before}NAME=VALUE:"
        yield from (f"  {argument}" for argument in arguments)


def _task_page(name: str) -> Lines:
    task = TASKS.load(name)
    yield from _page(name, task)
    facts = list(_task_facts(task))
    if facts:
        yield ""
        yield from facts
    phrases: Callable[[], Mapping[str, Sequence[str]]] | None = getattr(task, "phrases", None)
    if phrases is not None:
        yield ""
        yield "Instructions:"
        for kind, sentences in phrases().items():
            yield f"  {kind}"
            yield from (f"    {sentence}" for sentence in sentences)


def _task_facts(task: Thing) -> Lines:
    """Who takes part, what must become true, and how long it may take."""
    roles = getattr(task, "roles", ())
    if roles:
        yield "Roles:"
        yield from _two_columns([(f"  {role.name}", _role(role)) for role in roles])
    fixtures = getattr(task, "fixtures", ())
    if fixtures:
        yield f"Fixtures: {', '.join(fixtures)}"
    for argument, names in getattr(task, "choices", {}).items():
        yield f"Choice: {argument} is {_either(names)}"
    chain = getattr(task, "chain", ())
    stages = getattr(task, "stages", ())
    if stages:
        order = "in this order" if getattr(task, "ordered", True) else "in any order"
        asked = f"; the first {_either(chain)} of them count" if chain else ""
        yield f"Stages{f', {order}' if len(stages) > 1 else ''}{asked}:"
        yield from _two_columns([(f"  {stage.name}", _goals(stage)) for stage in stages])
    horizon = getattr(task, "horizon", None)
    if horizon is not None:
        yield f"Horizon: {horizon} control steps{' for each stage that counts' if chain else ''}"


def _either(names: Sequence[object]) -> str:
    """The names with "or" before the last."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last


def _role(role: Thing) -> str:
    facts = [role.kind]
    if role.super_category is not None:
        facts.append(f"{role.super_category} only")
    if role.lying:
        facts.append("starts on its side")
    if role.on is not None:
        facts.append(f"starts on the {role.on}")
    return "; ".join(facts)


def _goals(stage: Thing) -> str:
    return " and ".join(f"{goal.predicate}({', '.join(goal.arguments)})" for goal in stage.goals)


def _axis_listing() -> Lines:
    rows = []
    for name in AXES.names():
        axis = AXES.load(name)
        kind = getattr(axis, "kind", "")
        rows.append((name, f"{kind}: {_first_line(axis)}" if kind else _first_line(axis)))
    return _two_columns(rows)


def _axis_page(name: str) -> Lines:
    axis = AXES.load(name)
    yield from _page(name, axis)
    yield ""
    yield f"Kind: {getattr(axis, 'kind', 'unknown')}"
    levels: Sequence[str] = getattr(axis, "levels", ())
    if levels:
        yield f"Levels: {', '.join(levels)}"


def _page(name: str, thing: Thing) -> Lines:
    yield name
    yield ""
    yield from _documentation(thing).splitlines()


# --- suites -------------------------------------------------------------------------------------


def _suite_listing() -> Lines:
    return _two_columns([(name, load_suite(name).description) for name in suite_names()])


def _suite_page(name: str) -> Lines:
    suite = load_suite(name)
    yield f"{suite.name} v{suite.version}"
    yield ""
    yield from textwrap.wrap(suite.description, _width())
    yield ""
    if suite.parts:
        yield f"Includes: {', '.join(part.name for part in suite.parts)}"
    yield f"Tasks: {', '.join(suite.all_tasks())}"
    for cell in suite.cells:
        only = "" if cell.tasks is None else f", in {', '.join(cell.tasks)} only"
        yield f"Axis: {cell.axis} at {', '.join(cell.levels)}{only}"
    if not suite.parts:
        yield f"Seed: {suite.seed}"
    yield f"Episodes: {_episodes(suite)}"
    yield f"Certificates: {_certificates(suite)}"


def _episodes(suite: Suite) -> str:
    publication = read_publication(suite)
    scenes = arrange(suite, frozenset() if publication is None else publication.rejected_keys)
    changed = sum(len(scene.changes) for scene in scenes)
    unchanged = sum(scene.nominal for scene in scenes)
    return f"{changed + unchanged}, of which {changed} changed and {unchanged} unchanged"


def _certificates(suite: Suite) -> str:
    publication = read_publication(suite)
    if publication is None:
        return f"none; make them with 'vlabench certify {suite.name}'"
    rejected = len(publication.rejected)
    return (
        f"all {len(publication.episodes)} episodes are solved by the expert in world "
        f"{publication.world_version}; {rejected} of {publication.drawn} draws were rejected"
    )


# --- objects ------------------------------------------------------------------------------------

FACTS = ("family", "split", "super_category", "form", "material", "use", "synonyms")


def _object_listing() -> Lines:
    rows = [("name", *(fact.replace("_", "-") for fact in FACTS))]
    for name in OBJECTS.names():
        category = OBJECTS.load(name)
        rows.append((name, *(_fact(category, fact) for fact in FACTS)))
    return _columns(rows)


def _object_page(name: str) -> Lines:
    category = OBJECTS.load(name)
    rows = [("name", name), *((fact.replace("_", "-"), _fact(category, fact)) for fact in FACTS)]
    for fact in ("knowledge", "fits", "density", "roles", "colors", "lengths"):
        if hasattr(category, fact):
            rows.append((fact, _fact(category, fact)))
    return _two_columns(rows)


def _fact(category: Thing, fact: str) -> str:
    value = getattr(category, fact, None)
    if value is None or isinstance(value, str):
        return value or ""
    if fact == "density":
        return f"{value:g} kg/m³"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {low:g}-{high:g} m" for key, (low, high) in value.items())
    return ", ".join(sorted(value) if isinstance(value, frozenset) else value)


# --- fixtures, embodiments, controls ------------------------------------------------------------


def _fixture_listing() -> Lines:
    rows = [("name", "parts", "colors", "lengths")]
    for name in FIXTURES.names():
        fixture = FIXTURES.load(name)
        parts = ", ".join(part.name for part in fixture.parts)
        rows.append((name, parts, ", ".join(sorted(fixture.colors)), ", ".join(fixture.lengths)))
    return _columns(rows)


def _fixture_page(name: str) -> Lines:
    fixture = FIXTURES.load(name)
    rows = [("name", name), ("colors", ", ".join(sorted(fixture.colors)))]
    rows.append(("lengths", _fact(fixture, "lengths")))
    for part in fixture.parts:
        facts = [part.kind, _travel(part), part.use]
        also = f"also: {', '.join(part.synonyms)}" if part.synonyms else ""
        rows.append((part.name, "; ".join(fact for fact in (*facts, also) if fact)))
    return _two_columns(rows)


def _travel(part: Thing) -> str:
    """How far a part moves, in the unit of its joint; nothing of one that does not."""
    if not part.travel:
        return ""
    moves = {"drawer": "opens", "door": "opens", "knob": "turns"}.get(part.kind, "moves")
    if part.kind in ("door", "knob"):
        return f"{moves} by {part.travel:.2f} rad"
    return f"{moves} by {part.travel:g} m"


def _embodiments() -> Mapping[str, Thing]:
    table: Mapping[str, Thing] = load_attribute("vlabench.envs.embodiments:EMBODIMENTS")
    return table


def _embodiment_listing() -> Lines:
    rows = [("name", "arm", "gripper", "joints", "opens")]
    for name, kind in _embodiments().items():
        opening = f"{100 * kind.max_opening:.1f} cm"
        rows.append((name, kind.robot, kind.gripper.robosuite, str(len(kind.joints)), opening))
    return _columns(rows)


def _embodiment_page(name: str) -> Lines:
    known = _embodiments()
    if name not in known:
        raise UnknownNameError("embodiment", name, known)
    kind = known[name]
    home = ", ".join(f"{joint} {at:.3f}" for joint, at in zip(kind.joints, kind.home, strict=True))
    rows = [
        ("name", name),
        ("arm", kind.robot),
        ("gripper", f"{kind.gripper.robosuite}, opens {100 * kind.max_opening:.1f} cm"),
        ("home", f"{home} (radians)"),
    ]
    return _two_columns(rows)


def _controllers() -> Mapping[str, Thing]:
    table: Mapping[str, Thing] = load_attribute("vlabench.envs.control:CONTROLLERS")
    return table


def _control_listing() -> Lines:
    return _two_columns([(name, _first_line(kind)) for name, kind in _controllers().items()])


def _control_page(name: str) -> Lines:
    known = _controllers()
    if name not in known:
        raise UnknownNameError("control", name, known)
    yield name
    yield ""
    yield from (inspect.getdoc(known[name]) or "").splitlines()


KINDS: Mapping[str, Kind] = {
    "policies": Kind(_policy_listing, _policy_page),
    "suites": Kind(_suite_listing, _suite_page),
    "tasks": Kind(_listing(TASKS), _task_page),
    "axes": Kind(_axis_listing, _axis_page),
    "objects": Kind(_object_listing, _object_page),
    "fixtures": Kind(_fixture_listing, _fixture_page),
    "embodiments": Kind(_embodiment_listing, _embodiment_page),
    "controls": Kind(_control_listing, _control_page),
}


# --- documentation of a thing -------------------------------------------------------------------


def _documentation(thing: Thing) -> str:
    """Its own description if it has one; else its docstring below that of its module."""
    description = getattr(thing, "description", None)
    if isinstance(description, str):
        return inspect.cleandoc(description)
    module = sys.modules.get(getattr(thing, "__module__", ""))
    above = inspect.getdoc(module) if module is not None else None
    texts = [text for text in (above, inspect.getdoc(thing)) if text]
    return "\n\n".join(texts) or "It has no documentation."


def _first_line(thing: Thing) -> str:
    description = getattr(thing, "description", None)
    text = description if isinstance(description, str) else inspect.getdoc(thing)
    lines = inspect.cleandoc(text or "").splitlines()
    return lines[0] if lines else "It has no documentation."


def _arguments(policy: Callable[..., object]) -> list[str]:
    try:
        parameters = inspect.signature(policy).parameters.values()
    except (TypeError, ValueError):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        p.name if p.default is inspect.Parameter.empty else f"{p.name} = {p.default!r}"
        for p in parameters
        if p.kind in named
    ]


# --- form ---------------------------------------------------------------------------------------


def _two_columns(rows: Sequence[tuple[str, str]]) -> Lines:
    """Names on the left; what is said of them wraps on the right."""
    name_width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        wrapped = textwrap.wrap(text, max(30, _width() - name_width - 2)) or [""]
        for number, part in enumerate(wrapped):
            yield f"{name if number == 0 else '':<{name_width}}  {part}"


def _columns(rows: Sequence[Sequence[str]]) -> Lines:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))


def _width() -> int:
    return min(WIDEST, max(NARROWEST, shutil.get_terminal_size((WIDEST, 24)).columns))
