"""A suite is a YAML file that says which tasks are tried under which changes, and how often.

What episodes come of it is decided in `vlabench.layout` (which scenes) and `vlabench.manifest`
(what is drawn in them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictInt, model_validator

from vlabench.errors import UnknownNameError, UsageError
from vlabench.yamlio import KeyPath, line_of, load_with_lines

Layout = Literal["levels", "spread", "singles"]
"""How cells share scenes; see `vlabench.layout`."""


class Cell(BaseModel):
    """One axis and its levels; `tasks` narrows it to those that the axis, or the levels, apply to.

    An axis may have several cells, if no task has two of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: str
    levels: tuple[str, ...] = Field(min_length=1)
    tasks: tuple[str, ...] | None = None


class Suite(BaseModel):
    """What a suite's YAML says: tasks and cells of its own, or the suites that it includes.

    Attributes:
        name: Its name; a packaged suite's file has the same.
        version: Rises whenever the episodes change.
        description: One or two sentences for `vlabench list suites`.
        seed: Seed of all draws.
        episodes: Pairs for each task and cell level; nominal episodes a task without cells. In
            the layout ``singles``: nominal episodes a task, and as many changed ones.
        tasks: Names of tasks.
        cells: The axes; none for a suite of nominal episodes.
        layout: How the cells share scenes.
        scenes: Scenes a task in the layout ``spread``.
        includes: Other suites, by name; such a suite is their union and has nothing of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)
    version: StrictInt = Field(ge=1)
    description: str = Field(min_length=1)
    seed: StrictInt = Field(default=0, ge=0)
    episodes: StrictInt = Field(default=1, ge=1)
    tasks: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    layout: Layout = "levels"
    scenes: StrictInt = Field(default=0, ge=0)
    includes: tuple[str, ...] = ()
    _parts: tuple[Suite, ...] = PrivateAttr(default=())
    _first: int | None = PrivateAttr(default=None)
    _whole: Suite | None = PrivateAttr(default=None)
    _path: Path | None = PrivateAttr(default=None)
    _places: Mapping[tuple[str, ...], str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.includes:
            self._check_union()
        else:
            self._check_own()
        return self

    def _check_union(self) -> None:
        _refuse_repeats("suite", self.includes)
        for field in ("seed", "episodes", "tasks", "cells", "layout", "scenes"):
            if field in self.model_fields_set:
                raise ValueError(f"a suite that includes others has no {field!r}; take it away.")

    def _check_own(self) -> None:
        for field in ("seed", "episodes", "tasks"):
            if field not in self.model_fields_set:
                raise ValueError(f"the key {field!r} is missing; add it.")
        if not self.tasks:
            raise ValueError("there are no tasks; name one or more.")
        _refuse_repeats("task", self.tasks)
        for task in self.tasks:
            _refuse_repeats("axis", [cell.axis for cell in self.cells_of(task)])
        for cell in self.cells:
            _refuse_repeats("level", cell.levels)
            for task in cell.tasks or ():
                if task not in self.tasks:
                    raise ValueError(
                        f"axis {cell.axis!r} names the task {task!r}, which is not among the "
                        "suite's tasks; add it there or take it away here."
                    )
        for task in self.tasks:
            if self.cells and not self.cells_of(task):
                raise ValueError(f"no axis applies to the task {task!r}; take it away.")
        self._check_layout()

    def _check_layout(self) -> None:
        if self.layout != "levels" and not self.cells:
            raise ValueError(f"the layout {self.layout!r} is for suites with cells; add some.")
        if self.layout != "spread" and self.scenes:
            raise ValueError("'scenes' belongs to the layout 'spread'; take it away.")
        most = self.most_levels() * self.episodes
        if self.layout == "spread" and self.scenes < most:
            raise ValueError(
                f"'scenes' is {self.scenes}, and one axis alone needs {most}; give as many or more."
            )

    @property
    def parts(self) -> tuple[Suite, ...]:
        """The suites that it includes, read; empty for a suite with tasks of its own."""
        return self._parts

    @property
    def first(self) -> int | None:
        """How many of its episodes are kept of each task and cell level; None for all."""
        return self._first

    @property
    def whole(self) -> Suite:
        """The suite that this one was narrowed from, with the same seed; itself if it was not."""
        return self._whole or self

    @property
    def folder(self) -> Path | None:
        """Where its file is; None for a suite that was not read from one."""
        return None if self._path is None else self._path.parent

    def all_tasks(self) -> tuple[str, ...]:
        """Its tasks, those of the suites that it includes among them."""
        return tuple(dict.fromkeys([*self.tasks, *(t for p in self.parts for t in p.all_tasks())]))

    def cells_of(self, task: str) -> list[Cell]:
        """The cells that apply to `task`."""
        return [cell for cell in self.cells if cell.tasks is None or task in cell.tasks]

    def most_levels(self) -> int:
        """The number of levels of the axis that has most of them."""
        return max((len(cell.levels) for cell in self.cells), default=0)

    def place_of(self, *names: str) -> str:
        """The file and line of a name: ``"tasks", task`` or ``"cells", task, axis`` or a level.

        Empty for a suite that was not read from a file.
        """
        return self._places.get(names, "")

    def narrowed(
        self,
        *,
        tasks: Sequence[str] | None = None,
        episodes: int | None = None,
        seed: int | None = None,
    ) -> Suite:
        """This suite with fewer tasks, another number of episodes, or other draws.

        Fewer episodes are the first ones of each task and cell level, in the same scenes.

        Raises:
            UnknownNameError: If a task is not in the suite.
            UsageError: If a number is out of range, or the suites that it includes have no more
                episodes than are asked for.
        """
        if tasks is not None and not tasks:
            raise UsageError(f"No task of the suite {self.name!r} is left; name one or more.")
        known = self.all_tasks()
        for task in tasks or ():
            if task not in known:
                raise UnknownNameError("task", task, known, where=f"the suite {self.name!r}")
        if episodes is not None and episodes < 1:
            raise UsageError(f"The number of episodes is {episodes}; give 1 or more.")
        if seed is not None and seed < 0:
            raise UsageError(f"The seed is {seed}; give 0 or more.")
        kept = known if tasks is None else tuple(task for task in known if task in tasks)
        return self._narrowed(kept, episodes, seed)

    def _narrowed(self, kept: Sequence[str], episodes: int | None, seed: int | None) -> Suite:
        if self.parts:
            parts = (part._narrowed(kept, episodes, seed) for part in self.parts)
            union = self.model_copy()
            union._parts = tuple(part for part in parts if part.all_tasks())
            return union
        cells = [cell.model_copy(update={"tasks": _kept(cell.tasks, kept)}) for cell in self.cells]
        more = episodes is not None and episodes > self.episodes
        changes = {
            "tasks": tuple(task for task in self.tasks if task in kept),
            "cells": tuple(cell for cell in cells if cell.tasks != ()),
            "episodes": episodes if more else self.episodes,
            "scenes": self._scenes_for(episodes) if more else self.scenes,
            "seed": self.seed if seed is None else seed,
        }
        narrow = self.model_copy(update=changes)
        narrow._first = None if episodes is None or episodes >= self.episodes else episodes
        kept_alike = ("episodes", "scenes", "seed")
        narrow._whole = self.whole.model_copy(update={name: changes[name] for name in kept_alike})
        return narrow

    def _scenes_for(self, episodes: int | None) -> int:
        """As many scenes a task as `episodes` of each level need, in the layout ``spread``."""
        return max(self.scenes, self.most_levels() * (episodes or 0)) if self.scenes else 0


def suite_names() -> list[str]:
    """The names of the packaged suites, sorted."""
    folder = files("vlabench.suites")
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name[-5:] == ".yaml")


def load_suite(name: str) -> Suite:
    """The packaged suite called `name`, or the suite in the file `name` if it ends in ``.yaml``.

    Raises:
        UnknownNameError: If there is no such suite.
        UsageError: If the file is not a suite; the text names the line.
    """
    return _load(name, ())


def _load(name: str, outer: tuple[str, ...]) -> Suite:
    if name in outer:
        raise UsageError(f"The suite {name!r} includes itself; take it out of its 'includes'.")
    if name.endswith(".yaml"):
        return _read(Path(name), (*outer, name))
    if name not in suite_names():
        where = f"'includes' of {outer[-1]}" if outer else ""
        raise UnknownNameError("suite", name, suite_names(), where=where)
    with as_file(files("vlabench.suites") / f"{name}.yaml") as path:
        return _read(path, (*outer, name))


def _read(path: Path, outer: tuple[str, ...]) -> Suite:
    suite, lines = load_with_lines(path, Suite)
    keys: dict[tuple[str, ...], KeyPath] = {}
    for number, task in enumerate(suite.tasks):
        keys["tasks", task] = ("tasks", number)
    for number, cell in enumerate(suite.cells):
        for task in cell.tasks or suite.tasks:
            keys["cells", task, cell.axis] = ("cells", number, "axis")
            for row, level in enumerate(cell.levels):
                keys["cells", task, cell.axis, level] = ("cells", number, "levels", row)
    suite._places = {names: f"{path}:{line_of(lines, key)}" for names, key in keys.items()}
    suite._path = path
    suite._parts = tuple(_load(name, outer) for name in suite.includes)
    return suite


def _kept(tasks: tuple[str, ...] | None, kept: Sequence[str]) -> tuple[str, ...] | None:
    return None if tasks is None else tuple(task for task in tasks if task in kept)


def _refuse_repeats(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {kind} {name!r} is given twice; keep one.")
