"""A suite is a YAML file; a manifest is every episode of it, fixed before anything runs.

The manifest is ordered so that any prefix is balanced: a *group* is a nominal episode followed by
its perturbed twins, and groups of all tasks and levels take turns. Its hash covers the drawn
values themselves, so two runs with equal hashes met the same scenes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictInt, model_validator

from vlabench.contract.environment import World, draw_episode
from vlabench.errors import UnknownNameError, UsageError
from vlabench.hashing import content_hash
from vlabench.seeding import stream
from vlabench.types import Change, EpisodeSpec, Json
from vlabench.yamlio import KeyPath, line_of, load_with_lines


class Cell(BaseModel):
    """One axis and its levels; `tasks` narrows it to those that the axis applies to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: str
    levels: tuple[str, ...] = Field(min_length=1)
    tasks: tuple[str, ...] | None = None


class Suite(BaseModel):
    """What a suite's YAML says.

    Attributes:
        name: Its name; a packaged suite's file has the same.
        version: Rises whenever the episodes change.
        description: One or two sentences for `vlabench list suites`.
        seed: Seed of all draws.
        episodes: Pairs for each task and cell level; nominal episodes a task without cells.
        tasks: Names of tasks.
        cells: The axes; none for a suite of nominal episodes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: StrictInt = Field(ge=1)
    description: str = Field(min_length=1)
    seed: StrictInt = Field(ge=0)
    episodes: StrictInt = Field(ge=1)
    tasks: tuple[str, ...] = Field(min_length=1)
    cells: tuple[Cell, ...] = ()
    _places: Mapping[tuple[str, ...], str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _refuse_repeats("task", self.tasks)
        _refuse_repeats("axis", [cell.axis for cell in self.cells])
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
        return self

    def cells_of(self, task: str) -> list[Cell]:
        """The cells that apply to `task`."""
        return [cell for cell in self.cells if cell.tasks is None or task in cell.tasks]

    def place_of(self, *names: str) -> str:
        """The file and line of a name: ``"tasks", task`` or ``"cells", axis`` or a level after it.

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

        Raises:
            UnknownNameError: If a task is not in the suite.
            UsageError: If a number is out of range.
        """
        if tasks is not None and not tasks:
            raise UsageError(f"No task of the suite {self.name!r} is left; name one or more.")
        for task in tasks or ():
            if task not in self.tasks:
                raise UnknownNameError("task", task, self.tasks, where=f"the suite {self.name!r}")
        if episodes is not None and episodes < 1:
            raise UsageError(f"The number of episodes is {episodes}; give 1 or more.")
        if seed is not None and seed < 0:
            raise UsageError(f"The seed is {seed}; give 0 or more.")
        kept = self.tasks if tasks is None else tuple(t for t in self.tasks if t in tasks)
        cells = [cell.model_copy(update={"tasks": _kept(cell.tasks, kept)}) for cell in self.cells]
        return self.model_copy(
            update={
                "tasks": kept,
                "cells": tuple(cell for cell in cells if cell.tasks != ()),
                "episodes": self.episodes if episodes is None else episodes,
                "seed": self.seed if seed is None else seed,
            }
        )


@dataclass(frozen=True)
class Manifest:
    """The frozen, ordered list of a run's episodes.

    Attributes:
        suite: Name of the suite.
        suite_version: Its version.
        world_version: Version of the world that drew the episodes.
        env_fingerprint: Of the world that will run them.
        episodes: Groups one after another; in each the nominal episode comes first.
    """

    suite: str
    suite_version: int
    world_version: str
    env_fingerprint: str
    episodes: tuple[EpisodeSpec, ...]

    @cached_property
    def hash(self) -> str:
        """Names the manifest: equal hashes mean equal episodes in equal order."""
        return content_hash(self.to_json())

    @cached_property
    def by_id(self) -> Mapping[str, EpisodeSpec]:
        """Every episode by its name, in order."""
        return {episode.episode_id: episode for episode in self.episodes}

    def groups(self) -> Iterator[tuple[EpisodeSpec, ...]]:
        """Each nominal episode together with its perturbed twins."""
        group: list[EpisodeSpec] = []
        for episode in self.episodes:
            if episode.control_id is None and group:
                yield tuple(group)
                group = []
            group.append(episode)
        if group:
            yield tuple(group)

    def limit(self, groups: int) -> Manifest:
        """The manifest of the first `groups` groups.

        Raises:
            UsageError: If that would leave nothing.
        """
        if groups < 1:
            raise UsageError(f"The limit is {groups} pairs; give 1 or more.")
        kept = list(self.groups())[:groups]
        return replace(self, episodes=tuple(episode for group in kept for episode in group))

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal manifest."""
        return {
            "suite": self.suite,
            "suite_version": self.suite_version,
            "world_version": self.world_version,
            "env_fingerprint": self.env_fingerprint,
            "episodes": [episode.to_json() for episode in self.episodes],
        }

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> Manifest:
        """The manifest that `to_json` wrote."""
        episodes = tuple(EpisodeSpec.from_json(episode) for episode in data["episodes"])
        return Manifest(**{**data, "episodes": episodes})


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
    if name.endswith(".yaml"):
        return _read(Path(name))
    if name not in suite_names():
        raise UnknownNameError("suite", name, suite_names())
    with as_file(files("vlabench.suites") / f"{name}.yaml") as path:
        return _read(path)


def build_manifest(suite: Suite, world: World) -> Manifest:
    """Draws every episode of `suite` in `world`.

    Level k of an axis uses the indices from k·N on, N being the suite's number of episodes, so
    that inside one axis each pair has its own scene; a nominal twin is drawn once and shared by
    the axes.

    Raises:
        UsageError: If the world does not know a task, an axis or a level; the text names the
            line of the suite's file.
    """
    return Manifest(
        suite=suite.name,
        suite_version=suite.version,
        world_version=world.version,
        env_fingerprint=world.spec().fingerprint,
        episodes=tuple(
            episode
            for task, index in _order(suite)
            for episode in _group(suite, world, task, index)
        ),
    )


def _group(suite: Suite, world: World, task: str, index: int) -> Iterator[EpisodeSpec]:
    """The nominal episode of one scene, then one perturbed twin for each axis that uses it."""
    nominal = _draw(suite, world, task, index, (), None)
    yield nominal
    level = index // suite.episodes
    for cell in suite.cells_of(task):
        if level < len(cell.levels):
            change = Change(cell.axis, cell.levels[level])
            yield _draw(suite, world, task, index, (change,), nominal.episode_id)


def _draw(
    suite: Suite,
    world: World,
    task: str,
    index: int,
    changes: tuple[Change, ...],
    control_id: str | None,
) -> EpisodeSpec:
    try:
        return draw_episode(
            world, task, changes, seed=suite.seed, index=index, control_id=control_id
        )
    except UsageError as error:
        raise _placed(error, suite, task, changes) from None


def _placed(error: UsageError, suite: Suite, task: str, changes: Sequence[Change]) -> UsageError:
    """`error` with the line of the suite's file that the world does not take."""
    place = suite.place_of("tasks", task)
    for change in changes:
        spoken_of = [change.level] if repr(change.level) in str(error) else []
        place = suite.place_of("cells", change.axis, *spoken_of)
    if not place:
        return error
    if isinstance(error, UnknownNameError):
        return UnknownNameError(error.kind, error.name, error.valid, where=place)
    return UsageError(f"{place}: {error}")


def _read(path: Path) -> Suite:
    suite, lines = load_with_lines(path, Suite)
    keys: dict[tuple[str, ...], KeyPath] = {}
    for number, task in enumerate(suite.tasks):
        keys["tasks", task] = ("tasks", number)
    for number, cell in enumerate(suite.cells):
        keys["cells", cell.axis] = ("cells", number, "axis")
        for row, level in enumerate(cell.levels):
            keys["cells", cell.axis, level] = ("cells", number, "levels", row)
    suite._places = {names: f"{path}:{line_of(lines, key)}" for names, key in keys.items()}
    return suite


def _order(suite: Suite) -> Iterator[tuple[str, int]]:
    """The groups as (task, index): every round has one of each task and level, tasks in turn."""
    for position in range(suite.episodes):
        rng = stream("manifest-order", suite.seed, position)
        levels = {task: rng.permutation(_level_count(suite, task)) for task in suite.tasks}
        for turn in range(max(len(drawn) for drawn in levels.values())):
            for task_number in rng.permutation(len(suite.tasks)):
                task = suite.tasks[task_number]
                if turn < len(levels[task]):
                    yield task, int(levels[task][turn]) * suite.episodes + position


def _level_count(suite: Suite, task: str) -> int:
    return max((len(cell.levels) for cell in suite.cells_of(task)), default=1)


def _kept(tasks: tuple[str, ...] | None, kept: Sequence[str]) -> tuple[str, ...] | None:
    return None if tasks is None else tuple(task for task in tasks if task in kept)


def _refuse_repeats(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {kind} {name!r} is given twice; keep one.")
