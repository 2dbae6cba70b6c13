"""``vlabench audit``: how often the success tests are wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
    from vlabench.envs.audit import AuditResult, State

RESULTS = Path("results/audit.json")
BOUND = 0.005
"""A success test that is wrong in so many of its states of one truth fails; also in so many of one
kind, unless that is a single state."""

FAILED = 1
SCHEMA = "2.0"
AGAIN = 2
"""How often scenes are audited again whose process died."""


def audit_command(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks; all by default.", metavar="[TASK]...")
    ] = None,
    states: Annotated[
        int | None, typer.Option(help="States of each task; 1,600 by default.", min=2)
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all by default.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Other draws.")] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The file; {RESULTS} by default, for all tasks alone.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an audit that was stopped.")] = False,
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
    asked_for = _world("STATES") if states is None else states
    page = _Page(RESULTS if out is None and not tasks else out, head(asked_for, drawn_with))
    page.open(resume=resume)
    typer.echo(HEAD)
    for name, task in page.tasks.items():
        typer.echo(line(name, task))
    rest = [name for name in names if name not in page.tasks]
    for result in run(rest, asked_for, drawn_with, workers):
        page.add(result.task, task_json(result))
        typer.echo(line(result.task, page.tasks[result.task]))
    page.finish(names)
    failures = [text for name in names for text in complaints(name, page.tasks[name], page.head)]
    for text in failures:
        typer.echo(text)
    if failures:
        raise typer.Exit(FAILED)


# --- running ------------------------------------------------------------------------------------


def run(
    names: Sequence[str], states: int, seed: int, workers: int | None = None
) -> Iterator[AuditResult]:
    """Audits tasks one after another, each over `states` states or a few more, in processes.

    Raises:
        UsageError: If the scenes of a task give too few states, or kill the process they are in.
    """
    with _mapping(workers or len(os.sched_getaffinity(0))) as mapped:
        for name in names:

            def shown(
                function: Callable[[Any], Any], asked: Sequence[Any], task: str = name
            ) -> Iterator[Any]:
                return _shown(mapped(function, asked), task, len(asked))

            yield _world("audit")(name, states, seed, shown)


@contextmanager
def _mapping(workers: int) -> Iterator[Any]:
    """Audits scenes, and gives what they give in the order in which they are asked for."""
    if workers == 1:
        yield map
        return
    pool = _Pool(workers)
    try:
        yield pool.map
    finally:
        pool.close()


class _Pool:
    """Processes that are started again when one of them dies.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._start()

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))

    def map(self, function: Callable[[Any], Any], asked: Sequence[Any]) -> Iterator[Any]:
        """What `function` gives for each of `asked`, in their order.

        Raises:
            UsageError: If a process has died over the same ones again and again.
        """
        done = died = 0
        while done < len(asked):
            before = done
            try:
                for made in self._pool.map(function, asked[done:]):
                    yield made
                    done += 1
            except BrokenProcessPool as error:
                died = died + 1 if done == before else 1
                if died > AGAIN:
                    task, scene, seed, *_ = asked[done]
                    raise UsageError(
                        f"A process died {died} times over scene {scene} of the task {task!r} or "
                        "the next ones (killed for memory, perhaps); use fewer --workers, or look "
                        f"at it with: vlabench audit {task} --seed {seed} --state {scene}.0"
                    ) from error
                self.close()
                self._start()

    def close(self) -> None:
        """Ends all processes."""
        self._pool.shutdown(cancel_futures=True)


def _shown(scenes: Iterable[Any], name: str, count: int) -> Iterator[Any]:
    """The same, with a bar on a terminal."""
    from tqdm import tqdm

    silent = not sys.stdout.isatty()
    yield from tqdm(
        scenes, name, count, unit="scene", leave=False, dynamic_ncols=True, disable=silent
    )


@cache
def _world(name: str) -> Any:
    return load_attribute(f"vlabench.envs.audit:{name}", "part of the audit")


# --- the file -----------------------------------------------------------------------------------


class _Page:
    """The file that is published; until all is there, what there is lies beside it.

    Args:
        path: Where; None to write nothing.
        head: All of it but the tasks.

    Attributes:
        tasks: Task to what is published of it.
    """

    def __init__(self, path: Path | None, head: Json) -> None:
        self._path, self.head = path, head
        self.tasks: dict[str, Json] = {}

    @property
    def _part(self) -> Path | None:
        return None if self._path is None else self._path.with_suffix(".part.json")

    def open(self, *, resume: bool) -> None:
        """Makes sure that it can be written, and reads what a stopped audit has left.

        Raises:
            UsageError: If it cannot, or what there is was measured otherwise or would be lost.
        """
        if self._path is None or self._part is None:
            if resume:
                raise UsageError("--resume needs the file of the stopped audit; give it as --out.")
            return
        if self._path.is_dir():
            raise UsageError(f"{self._path} is a folder; give a file as --out.")
        if self._part.exists():
            self._resume(self._part, resume=resume)
        elif resume:
            raise UsageError(f"There is no stopped audit in {self._part}; leave out --resume.")
        self._write(self._part)

    def _resume(self, part: Path, *, resume: bool) -> None:
        from vlabench.jsonfiles import read_json, understanding

        if not resume:
            raise UsageError(
                f"A stopped audit lies in {part}; go on with --resume, or delete that file."
            )
        with understanding(str(part)):
            found = dict(read_json(part))
            tasks = dict(found.pop("tasks"))
        if found != self.head:
            raise UsageError(
                f"{part} is of an audit with other states, seed, margins or world; give what it "
                "was begun with, or delete that file."
            )
        self.tasks = tasks

    def add(self, name: str, task: Json) -> None:
        """Keeps what was found of a task."""
        self.tasks[name] = task
        if self._part is not None:
            self._write(self._part)

    def finish(self, names: Sequence[str]) -> None:
        """Writes the whole."""
        if self._path is None or self._part is None:
            return
        self.tasks = {name: self.tasks[name] for name in names}
        self._write(self._path)
        self._part.unlink(missing_ok=True)
        typer.echo(f"Written to {self._path}")

    def _write(self, path: Path) -> None:
        from vlabench.jsonfiles import write_json

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {**self.head, "tasks": self.tasks})
        except OSError as error:
            raise UsageError(f"Cannot write {path} ({error}); give another --out.") from error


def head(states: int, seed: int) -> dict[str, Json]:
    """What is published of an audit besides its tasks."""
    return {
        "schema_version": SCHEMA,
        "world_version": load_attribute("vlabench.envs.profile:VERSION"),
        "seed": seed,
        "states": states,
        "bound": BOUND,
        "least_of_a_kind": _world("least_of_a_kind")(states),
        "least_of_a_predicate": _world("least_of_a_predicate")(states),
        "margins": _world("MARGINS"),
    }


def task_json(result: AuditResult) -> Json:
    """What is published of a task."""
    looked_at, odd = result.looked_at, result.odd
    return {
        "states": len(result.states),
        "positives": result.positives.states,
        "negatives": result.negatives.states,
        "false_positives": result.negatives.errors,
        "false_negatives": result.positives.errors,
        "false_positive_rate": _rounded(result.false_positive_rate),
        "false_negative_rate": _rounded(result.false_negative_rate),
        "false_positive_interval": _interval(result.negatives.errors, result.negatives.states),
        "false_negative_interval": _interval(result.positives.errors, result.positives.states),
        "discarded": result.discarded,
        "kinds": _kinds_json(result),
        "on_the_way": _waste_json(result, _world("ON_THE_WAY")),
        "predicates": {
            name: {"positives": true, "negatives": false}
            for name, (true, false) in result.predicates.items()
        },
        "looked_at": {
            "states": looked_at,
            "agree": looked_at - len(odd),
            "odd": [_state_json(state) for state in odd],
        },
        "errors": [_state_json(state) for state in result.errors],
    }


def _kinds_json(result: AuditResult) -> Json:
    missing = result.missing
    return {
        kind: {
            "states": count.states,
            "errors": count.errors,
            "applies": kind not in missing,
            **_waste_json(result, kind),
        }
        for kind, count in result.kinds.items()
    }


def _waste_json(result: AuditResult, kind: str) -> dict[str, Json]:
    """Why states of a kind could not be made, and why some were discarded: how often each."""
    waste = sorted((it, count) for it, count in result.waste.items() if it.kind == kind)
    return {
        "not_made": {it.reason: count for it, count in waste if not it.made},
        "discarded": {it.reason: count for it, count in waste if it.made},
    }


def _state_json(state: State) -> Json:
    return {
        "state": f"{state.scene}.{state.number}",
        "stage": state.stage,
        "kind": state.kind,
        "truth": state.truth,
    }


def _interval(errors: int, states: int) -> list[float]:
    """Clopper and Pearson's interval of an error rate; all there is where there are no states."""
    from vlabench.stats import clopper_pearson_interval

    if not states:
        return [0.0, 1.0]
    return [_rounded(end) for end in clopper_pearson_interval(errors, states)]


def _rounded(value: float) -> float:
    return round(value, 6)


# --- telling ------------------------------------------------------------------------------------


WIDTHS = (16, 7, 18, 16, 18, 16, 10, 12)


def line(name: str, task: Json) -> str:
    """Of one task: states, errors and their rates with 95 % intervals."""
    looked = task["looked_at"]
    return _aligned(
        name,
        str(task["states"]),
        _errors(task["false_positives"], task["negatives"]),
        _interval_text(task["false_positive_interval"]),
        _errors(task["false_negatives"], task["positives"]),
        _interval_text(task["false_negative_interval"]),
        str(task["discarded"]),
        f"{looked['agree']} of {looked['states']}",
    )


def _aligned(*cells: str) -> str:
    return "  ".join(f"{c:<{width}}" for c, width in zip(cells, WIDTHS, strict=True)).rstrip()


HEAD = _aligned(
    "task",
    "states",
    "false positives",
    "95 %",
    "false negatives",
    "95 %",
    "discarded",
    "looks so",
)


def _errors(errors: int, states: int) -> str:
    return f"{errors} of {states} ({errors / states if states else 0.0:.2%})"


def _interval_text(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low:.2%} to {high:.2%}"


def complaints(name: str, task: Json, head: Json) -> list[str]:
    """What is wrong with a task's success test, and how to look at it, or with its audit."""
    kinds: Mapping[str, Json] = task["kinds"]
    rate = max(task["false_positive_rate"], task["false_negative_rate"])
    wrong = [kind for kind in kinds if kinds[kind]["errors"]]
    worst = sorted(wrong, key=lambda kind: (-kinds[kind]["errors"], kind))
    bad = [k for k in worst if kinds[k]["errors"] > 1 and _rate(kinds[k]) >= head["bound"]]
    found = []
    if rate >= head["bound"] or bad:
        said = ", ".join(
            f"{k} {_errors(kinds[k]['errors'], kinds[k]['states'])}" for k in worst[:3]
        )
        first = next(e for e in task["errors"] if e["kind"] == worst[0])
        found.append(
            f"{name}: wrong in {rate:.2%} of its states, {head['bound']:.1%} are too many, of "
            f"all or of one kind; most of all: {said}. Look at one with: vlabench audit {name} "
            f"--seed {head['seed']} --state {first['state']}"
        )
    for kind, count in kinds.items():
        least = head["least_of_a_kind"]
        if count["applies"] and count["states"] < least:
            found.append(
                f"{name}: only {count['states']} states of the kind {kind!r}, {least} are needed; "
                f"mend how they are made ({_said_waste(count)})."
            )
    for predicate, counts in task["predicates"].items():
        least = head["least_of_a_predicate"]
        if min(counts.values()) < least:
            found.append(
                f"{name}: only {counts['positives']} states that make {predicate!r} true and "
                f"{counts['negatives']} that make it false, {least} of each are needed; give more "
                "--states."
            )
    return found


def _rate(count: Json) -> float:
    return float(count["errors"] / count["states"]) if count["states"] else 0.0


def _said_waste(count: Json) -> str:
    """Why states of a kind were thrown away."""
    reasons = {**count["not_made"], **count["discarded"]}
    said = [f"{reason} {times} times" for reason, times in reasons.items()]
    return "; ".join(said) or "nothing was thrown away"


def _look(names: Sequence[str], text: str, seed: int) -> None:
    """Shows one state and saves its picture.

    Raises:
        UsageError: If it is not said of which task, or which state, or the picture cannot be
            written.
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
    try:
        Image.fromarray(frame).save(picture)
    except OSError as error:
        raise UsageError(
            f"Cannot write the picture {picture.absolute()} ({error}); go to a folder that can be "
            "written."
        ) from error
    typer.echo(f"picture: {picture}")


def _said(truth: bool) -> str:
    return "true" if truth else "false"
