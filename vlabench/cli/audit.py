"""``vlabench audit``: how often the success tests are wrong."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlabench.errors import UnknownNameError, UsageError
from vlabench.registry import TASKS, load_attribute
from vlabench.types import Json

if TYPE_CHECKING:
    from vlabench.envs.audit import AuditResult, Count, State

RESULTS = Path("results/audit.json")
BOUND = 0.005
"""A success test that is wrong in so many of its states, of one truth, fails."""

FAILED = 1
SCHEMA = "1.0"


def audit_command(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks; all by default.", metavar="[TASK]...")
    ] = None,
    states: Annotated[int, typer.Option(help="States of each task.", min=2)] = 1000,
    workers: Annotated[int | None, typer.Option(help="Processes; all by default.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Other draws.")] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The file; {RESULTS} by default, for all tasks alone.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="SCENE.NUMBER", help="Look at one state of one task.")
    ] = None,
) -> None:
    """Measure how often the success tests are wrong."""
    names = list(dict.fromkeys(tasks)) if tasks else TASKS.names()
    for name in names:
        if name not in TASKS.names():
            raise UnknownNameError("task", name, TASKS.names())
    drawn_with = _world("SEED") if seed is None else seed
    if state is not None:
        _look(names, state, drawn_with)
        return
    results = []
    typer.echo(HEAD)
    for result in run(names, states, drawn_with, workers):
        typer.echo(line(result))
        results.append(result)
    path = RESULTS if out is None and not tasks else out
    if path is not None:
        _write(path, as_json(results, drawn_with))
        typer.echo(f"Written to {path}")
    failed = [result for result in results if _worst_rate(result) >= BOUND]
    for result in failed:
        typer.echo(_complaint(result))
    if failed:
        raise typer.Exit(FAILED)


# --- running ------------------------------------------------------------------------------------


def run(
    names: Sequence[str], states: int, seed: int, workers: int | None = None
) -> Iterator[AuditResult]:
    """Audits tasks one after another, each over `states` states or a few more, in processes.

    Raises:
        UsageError: If the scenes of a task give too few states.
    """
    with _mapping(workers or len(os.sched_getaffinity(0))) as mapped:
        for name in names:
            found: list[State] = []
            scenes = 0
            while len(found) < states:
                _world("check_yield")(name, len(found), scenes)
                more = math.ceil((states - len(found)) / _world("STATES_OF_A_SCENE"))
                asked = [(name, scene, seed) for scene in range(scenes, scenes + more)]
                for made in _shown(mapped(asked), name, more):
                    found += made
                scenes += more
            yield _world("AuditResult")(name, seed, tuple(found))


@contextmanager
def _mapping(workers: int) -> Iterator[Any]:
    """Audits scenes, in the order in which they are asked for."""
    if workers == 1:
        yield lambda asked: map(_scene, asked)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield lambda asked: pool.map(_scene, asked)


def _scene(asked: tuple[str, int, int]) -> list[State]:
    states: list[State] = _world("audit_scene")(*asked)
    return states


def _shown(scenes: Iterable[list[State]], name: str, count: int) -> Iterator[list[State]]:
    """The same, with a bar on a terminal."""
    from tqdm import tqdm

    silent = not sys.stdout.isatty()
    yield from tqdm(
        scenes, name, count, unit="scene", leave=False, dynamic_ncols=True, disable=silent
    )


@cache
def _world(name: str) -> Any:
    return load_attribute(f"vlabench.envs.audit:{name}", "part of the audit")


# --- telling ------------------------------------------------------------------------------------


WIDTHS = (16, 7, 18, 16, 18, 16, 9)


def line(result: AuditResult) -> str:
    """Of one task: states, errors and their rates with 95 % intervals."""
    return _aligned(
        result.task,
        str(len(result.states)),
        _errors(result.negatives),
        _interval_text(result.negatives),
        _errors(result.positives),
        _interval_text(result.positives),
        str(result.discarded),
    )


def _aligned(*cells: str) -> str:
    return "  ".join(f"{c:<{width}}" for c, width in zip(cells, WIDTHS, strict=True)).rstrip()


HEAD = _aligned("task", "states", "false positives", "95 %", "false negatives", "95 %", "discarded")


def as_json(results: Sequence[AuditResult], seed: int) -> Json:
    """What is published."""
    return {
        "schema_version": SCHEMA,
        "world_version": load_attribute("vlabench.envs.profile:VERSION"),
        "seed": seed,
        "bound": BOUND,
        "margins": _world("MARGINS"),
        "tasks": {result.task: _task_json(result) for result in results},
    }


def _task_json(result: AuditResult) -> Json:
    kinds: Mapping[str, Count] = result.kinds
    return {
        "states": len(result.states),
        "positives": result.positives.states,
        "negatives": result.negatives.states,
        "false_positives": result.negatives.errors,
        "false_negatives": result.positives.errors,
        "false_positive_rate": _rounded(result.false_positive_rate),
        "false_negative_rate": _rounded(result.false_negative_rate),
        "false_positive_interval": _interval(result.negatives),
        "false_negative_interval": _interval(result.positives),
        "discarded": result.discarded,
        "kinds": {
            kind: {"states": count.states, "errors": count.errors} for kind, count in kinds.items()
        },
        "errors": [
            {
                "state": f"{state.scene}.{state.number}",
                "stage": state.stage,
                "kind": state.kind,
                "truth": state.truth,
            }
            for state in result.errors
        ],
    }


def _interval(count: Count) -> list[float]:
    """Clopper and Pearson's interval of an error rate; all there is where there are no states."""
    from vlabench.stats import clopper_pearson_interval

    if not count.states:
        return [0.0, 1.0]
    return [_rounded(end) for end in clopper_pearson_interval(count.errors, count.states)]


def _rounded(value: float) -> float:
    return round(value, 6)


def _errors(count: Count) -> str:
    return f"{count.errors} of {count.states} ({count.rate:.2%})"


def _interval_text(count: Count) -> str:
    low, high = _interval(count)
    return f"{low:.2%} to {high:.2%}"


def _worst_rate(result: AuditResult) -> float:
    return max(result.false_positive_rate, result.false_negative_rate)


def _complaint(result: AuditResult) -> str:
    """What is wrong with a task's success test, and how to look at it."""
    kinds = sorted(result.kinds.items(), key=lambda item: (-item[1].errors, item[0]))
    worst = ", ".join(f"{kind} {_errors(count)}" for kind, count in kinds[:3] if count.errors)
    first: State = result.errors[0]
    return (
        f"{result.task}: wrong in {_worst_rate(result):.2%} of its states, {BOUND:.1%} are too "
        f"many; most of all: {worst}. Look at one with: vlabench audit {result.task} "
        f"--seed {result.seed} --state {first.scene}.{first.number}"
    )


def _look(names: Sequence[str], text: str, seed: int) -> None:
    """Shows one state and saves its picture.

    Raises:
        UsageError: If it is not said of which task, or which state.
    """
    scene, dot, number = text.partition(".")
    if len(names) != 1 or not (dot and scene.isdecimal() and number.isdecimal()):
        raise UsageError(
            f"--state {text!r} is one state of one task: write 'vlabench audit TASK --state 12.3'."
        )
    from PIL import Image

    look_at = load_attribute("vlabench.envs.audit.looking:look_at")
    state, lines, frame = look_at(names[0], int(scene), int(number), seed)
    typer.echo(f"{state.kind}, stage {state.stage}: made {_said(state.truth)}")
    typer.echo(f"the success test says {_said(state.verdict)}")
    for line in lines:
        typer.echo(f"  {line}")
    picture = Path(f"audit-{names[0]}-{text}.png")
    Image.fromarray(frame).save(picture)
    typer.echo(f"picture: {picture}")


def _said(truth: bool) -> str:
    return "true" if truth else "false"


def _write(path: Path, value: Json) -> None:
    from vlabench.jsonfiles import write_json

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)
    except OSError as error:
        raise UsageError(f"Cannot write {path} ({error}); give another --out.") from error
