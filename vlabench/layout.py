"""Which scenes a suite uses, and what is changed in each of them, before anything is drawn.

A scene is one draw of a task: (task, seed, index). How cells share scenes is the suite's layout:

- ``levels``: level k of every axis uses the scenes from k·N on, N being the suite's number of
  episodes. So inside one axis each pair has a scene of its own, and the axes share the twins.
- ``spread``: the cells take turns over a given number of scenes a task, so that a scene serves few
  of them.
- ``singles``: every scene is used once: N unchanged, and N others changed, the cells in turn.

A scene, or a change in a scene, that has been rejected is moved to the next scene that the suite
does not use yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias

import numpy as np

from vlabench.seeding import stream
from vlabench.suite import Suite
from vlabench.types import Change

Key: TypeAlias = tuple[str, int, int, tuple[Change, ...]]
"""What names a draw: task, seed, index, changes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One episode that a suite wants: the `position`-th of its cell.

    `change` is None for an episode that is wanted unchanged.
    """

    change: Change | None
    position: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One draw of a task, and which episodes of it belong to the suite.

    Attributes:
        task: Name of the task.
        seed: Seed of the draw.
        index: Which draw it is.
        slots: What is wanted of it.
        twin: Whether the unchanged episode belongs to the suite beside changed ones.
    """

    task: str
    seed: int
    index: int
    slots: tuple[Slot, ...]
    twin: bool

    def key(self, *changes: Change) -> Key:
        """Names the episode of this scene with these changes."""
        return self.task, self.seed, self.index, changes

    @property
    def nominal(self) -> bool:
        """Whether the unchanged episode belongs to the suite."""
        return self.twin or any(slot.change is None for slot in self.slots)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes under which it is tried, each by itself."""
        return tuple(slot.change for slot in self.slots if slot.change is not None)


def arrange(suite: Suite, rejected: frozenset[Key] = frozenset()) -> list[Scene]:
    """The scenes of `suite` in the order of its manifest, of which any prefix is balanced.

    Args:
        suite: The suite; if it was narrowed, what is left of it stays in its scenes.
        rejected: Draws that cannot be used: unchanged ones, without changes, stand for the whole
            scene.
    """
    if suite.parts:
        return _merged([arrange(part, rejected) for part in suite.parts])
    whole = suite.whole
    spare = {task: count(_size(whole)) for task in whole.tasks}
    moved = (
        kept for scene in _wanted(whole) for kept in _accepted(scene, rejected, spare[scene.task])
    )
    scenes = (_narrowed(scene, suite.first) for scene in moved if scene.task in suite.tasks)
    return [scene for scene in scenes if scene.slots]


def consulted(suite: Suite, rejected: frozenset[Key]) -> list[Key]:
    """Those of `rejected` that `suite` would have used, in order."""
    if suite.parts:
        found = (key for part in suite.parts for key in consulted(part, rejected))
        return list(dict.fromkeys(found))
    whole = suite.whole
    spare = {task: count(_size(whole)) for task in whole.tasks}
    met: list[Key] = []
    for scene in _wanted(whole):
        list(_accepted(scene, rejected, spare[scene.task], met))
    return [key for key in met if key[0] in suite.tasks]


# --- what a layout wants ----------------------------------------------------------------------


def _wanted(suite: Suite) -> Iterator[Scene]:
    return {"levels": _levels, "spread": _spread, "singles": _singles}[suite.layout](suite)


def _size(suite: Suite) -> int:
    """How many scenes a task the layout uses: what comes after them is spare."""
    sizes = {
        "levels": max(suite.most_levels(), 1) * suite.episodes,
        "spread": suite.scenes,
        "singles": 2 * suite.episodes,
    }
    return sizes[suite.layout]


def _levels(suite: Suite) -> Iterator[Scene]:
    """Every round has one scene of each task and level, tasks in turn."""
    for position in range(suite.episodes):
        rng = stream("manifest-order", suite.seed, position)
        levels = {task: rng.permutation(_level_count(suite, task)) for task in suite.tasks}
        for turn in range(max(len(drawn) for drawn in levels.values())):
            for task in _shuffled(suite.tasks, rng):
                if turn < len(levels[task]):
                    yield _of_level(suite, task, int(levels[task][turn]), position)


def _level_count(suite: Suite, task: str) -> int:
    return max((len(cell.levels) for cell in suite.cells_of(task)), default=1)


def _of_level(suite: Suite, task: str, level: int, position: int) -> Scene:
    index = level * suite.episodes + position
    if not suite.cells:
        return Scene(task, suite.seed, index, (Slot(None, position),), twin=False)
    slots = tuple(
        Slot(Change(cell.axis, cell.levels[level]), position)
        for cell in suite.cells_of(task)
        if level < len(cell.levels)
    )
    return Scene(task, suite.seed, index, slots, twin=True)


def _spread(suite: Suite) -> Iterator[Scene]:
    """Every round has one scene of each task."""
    slots: dict[tuple[str, int], list[Slot]] = defaultdict(list)
    for task in suite.tasks:
        for row, change in enumerate(_changes_of(suite, task)):
            for position in range(suite.episodes):
                index = (row * suite.episodes + position) % suite.scenes
                slots[task, index].append(Slot(change, position))
    for index in range(suite.scenes):
        for task in _shuffled(suite.tasks, stream("manifest-order", suite.seed, index)):
            if (task, index) in slots:
                yield Scene(task, suite.seed, index, tuple(slots[task, index]), twin=True)


def _singles(suite: Suite) -> Iterator[Scene]:
    """Every round has one unchanged scene and one changed scene of each task."""
    changes = {task: _changes_of(suite, task) for task in suite.tasks}
    for position in range(suite.episodes):
        for task in _shuffled(suite.tasks, stream("manifest-order", suite.seed, position)):
            turn = suite.tasks.index(task) * suite.episodes + position
            change = changes[task][turn % len(changes[task])]
            unchanged, changed = Slot(None, position), Slot(change, position)
            yield Scene(task, suite.seed, position, (unchanged,), twin=False)
            index = suite.episodes + position
            yield Scene(task, suite.seed, index, (changed,), twin=False)


def _changes_of(suite: Suite, task: str) -> list[Change]:
    return [Change(cell.axis, level) for cell in suite.cells_of(task) for level in cell.levels]


def _shuffled(tasks: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [tasks[number] for number in rng.permutation(len(tasks))]


# --- what becomes of it -----------------------------------------------------------------------


def _accepted(
    scene: Scene, rejected: frozenset[Key], spare: Iterator[int], met: list[Key] | None = None
) -> Iterator[Scene]:
    """The scene without what was rejected of it, then the scenes that stand in for that."""
    met = [] if met is None else met
    if scene.key() in rejected:
        met.append(scene.key())
        yield from _accepted(replace(scene, index=next(spare)), rejected, spare, met)
        return
    kept = tuple(slot for slot in scene.slots if _key(scene, slot) not in rejected)
    if kept:
        yield replace(scene, slots=kept)
    for slot in scene.slots:
        if slot not in kept:
            met.append(_key(scene, slot))
            moved = Scene(scene.task, scene.seed, next(spare), (slot,), scene.twin)
            yield from _accepted(moved, rejected, spare, met)


def _key(scene: Scene, slot: Slot) -> Key:
    return scene.key() if slot.change is None else scene.key(slot.change)


def _narrowed(scene: Scene, first: int | None) -> Scene:
    if first is None:
        return scene
    return replace(scene, slots=tuple(slot for slot in scene.slots if slot.position < first))


def _merged(lists: Iterable[Sequence[Scene]]) -> list[Scene]:
    """The union of several arrangements, taken in turn in proportion to their lengths."""
    ranked = [
        ((place + 0.5) / len(scenes), number, scene)
        for number, scenes in enumerate(lists)
        for place, scene in enumerate(scenes)
    ]
    union: dict[Key, Scene] = {}
    for _, _, scene in sorted(ranked, key=lambda entry: entry[:2]):
        before = union.get(scene.key())
        union[scene.key()] = scene if before is None else _both(before, scene)
    return list(union.values())


def _both(one: Scene, other: Scene) -> Scene:
    known: Mapping[Change | None, Slot] = {slot.change: slot for slot in one.slots}
    more = tuple(slot for slot in other.slots if slot.change not in known)
    return replace(one, slots=one.slots + more, twin=one.twin or other.twin)
