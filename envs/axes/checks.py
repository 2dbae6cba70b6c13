"""What must be true of any axis, whoever wrote it.

Benchmarks have had axes that did nothing, axes whose change leaked into the sentence, twins that
differed in more than the change, and seeds that repeated. Each check here looks for one of these
in a `Pair`, a nominal episode and the same one under one change, and returns its complaints: one
sentence each, none where all is well::

    from vlabench.envs.axes.checks import complaints

    def test_my_axis():
        assert complaints("my-axis") == []
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes import combination, dynamic
from vlabench.envs.axes.base import Axis
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Task
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.hashing import canonical_json
from vlabench.registry import AXES, TASKS
from vlabench.seeding import DECIMALS, stream
from vlabench.types import Change, EpisodeSpec, Images, Json

WORDS = frozenset({"phrase", "cast", "chain", "diagnostic"})
"""Factors that say what is asked for, and how; nothing in the scene depends on them."""

SPEAKING = frozenset({"semantic", "diagnostic", "horizon"})
"""Kinds of axes that may say or ask for something else than the twin."""

CAMERAS = (CameraSpec("exterior/0", 192, 192), CameraSpec("wrist/0", 192, 192))

NOTICED_LEVELS, NOTICED_PIXELS = 12, 12
"""A change can be noticed where so many pixels of a frame differ by more than so many grey levels
of 255 in some channel."""

ENOUGH = 12
"""Draws of which all are the same by chance too rarely to be one."""

Check: TypeAlias = Callable[["Pair"], list[str]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A nominal episode, the twin, and the same one under one change."""

    axis: Axis
    task: Task
    twin: EpisodeSpec
    episode: EpisodeSpec

    def __str__(self) -> str:
        (change,) = self.episode.changes
        return f"{change} on {self.task.name}, index {self.episode.index}"

    @property
    def changed(self) -> frozenset[str]:
        """Names of the factors in which the two differ, to the bit."""
        twin, episode = _texts(self.twin.factors), _texts(self.episode.factors)
        return frozenset(k for k in twin.keys() | episode.keys() if twin.get(k) != episode.get(k))


def pair(axis: str, task: str, level: str, *, seed: int = 0, index: int = 0) -> Pair:
    """Draws both episodes.

    Raises:
        UsageError: If there is no such axis, task or level, or they do not go together.
    """
    twin, episode = (
        draw_episode(TabletopWorld(), task, changes, seed=seed, index=index)
        for changes in ((), (Change(axis, level),))
    )
    return Pair(AXES.load(axis)(), task_called(task), twin, episode)


def complaints(axis: str, tasks: Sequence[str] | None = None, *, seed: int = 0) -> list[str]:
    """All that is wrong with the axis of that name, at each of its levels.

    Args:
        axis: Its name in the registry.
        tasks: On which tasks; all that it applies to by default, which takes minutes.
        seed: Of the episodes.
    """
    made: Axis = AXES.load(axis)()
    simulation, found = Simulation(), list[str]()
    for task in tasks or TASKS.names():
        drawn = [
            pair(axis, task, level, seed=seed, index=index)
            for level in made.levels_of(task_called(task))
            for index in range(ENOUGH)
        ]
        found += [complaint for each in drawn for check in CHECKS for complaint in check(each)]
        found += never_repeats(drawn)
        for each in drawn[::ENOUGH]:
            found += reaches_the_policy(each, simulation)
    simulation.close()
    return found


# --- what is drawn ----------------------------------------------------------------------------


def changes_something(pair: Pair) -> list[str]:
    """The episode differs from its twin."""
    return [] if pair.changed else [f"{pair}: no factor differs from the twin's."]


def changes_nothing_else(pair: Pair) -> list[str]:
    """It differs in factors that the axis declares, and in none besides."""
    declared, twin, episode = pair.axis.factors(pair.task), pair.twin, pair.episode
    found = [
        f"{pair}: the factor {name!r} differs from the twin's and is not among the axis's own."
        for name in sorted(pair.changed - declared)
    ]
    if episode.horizon != twin.horizon and pair.axis.kind != "horizon":
        found.append(f"{pair}: the horizon is {episode.horizon}, the twin's {twin.horizon}.")
    if episode.embodiment != episode.factors["embodiment"]:
        found.append(f"{pair}: the robot is {episode.embodiment!r}, not that of the factors.")
    return found


def says_what_it_may(pair: Pair) -> list[str]:
    """Only an axis of words says something else than the twin; others at most rename things.

    Where an axis makes another thing of the object, its sentence names that, in the twin's words.
    """
    twin, episode = pair.twin, pair.episode
    if episode.instruction != instruction(episode.factors):
        return [f"{pair}: the sentence {episode.instruction!r} is not what the factors say."]
    if _speaks(pair):
        if pair.changed <= WORDS and episode.instruction == twin.instruction:
            return [f"{pair}: nothing changes but words, and {twin.instruction!r} is said still."]
        return []
    words = sorted(pair.changed & WORDS)
    found = [f"{pair}: {name!r} changes, though the axis is none of words." for name in words]
    things = {k: v for k, v in episode.factors.items() if k.endswith((".category", ".color"))}
    expected = instruction({**twin.factors, **things})
    if episode.instruction != expected:
        found.append(f"{pair}: {episode.instruction!r} is said instead of {expected!r}.")
    return found


def is_drawn_the_same_again(pair: Pair) -> list[str]:
    """Equal arguments give an equal episode, and no global generator is touched."""
    (change,), episode = pair.episode.changes, pair.episode
    before = _global_states()
    again = draw_episode(
        TabletopWorld(), pair.task.name, (change,), seed=episode.seed, index=episode.index
    )
    found = [] if _global_states() == before else [f"{pair}: a global generator was used."]
    if canonical_json(again.to_json()) != canonical_json(episode.to_json()):
        found.append(f"{pair}: the same arguments give another episode the second time.")
    return found


CHECKS: tuple[Check, ...] = (
    changes_something,
    changes_nothing_else,
    says_what_it_may,
    is_drawn_the_same_again,
)
"""What is checked of one pair without a scene."""


def never_repeats(pairs: Sequence[Pair]) -> list[str]:
    """Numbers are drawn anew at each index and level; choices left to chance are not always one.

    An axis that always adds the same gives whole numbers or names: anything else looks drawn.

    Args:
        pairs: Of one axis and one task. Of choices nothing is said where there are fewer than
            `ENOUGH` of a level: chance may have made them equal.
    """
    drawn = {str(each): found for each in pairs if (found := _numbers(each))}
    for (one, first), (other, second) in combinations(drawn.items(), 2):
        if not first.isdisjoint(second):
            return [f"{other}: the numbers are those of {one}."]
    levels: dict[tuple[Change, ...], list[Pair]] = {}
    for each in pairs:
        levels.setdefault(each.episode.changes, []).append(each)
    return [
        f"{same[0]}, and {len(same) - 1} indices more: all draws are the same."
        for same in levels.values()
        if len(same) >= ENOUGH and _left_to_chance(same[0]) and len(set(map(_choice, same))) == 1
    ]


# --- what is delivered ------------------------------------------------------------------------


def reaches_the_policy(pair: Pair, simulation: Simulation) -> list[str]:
    """The policy hears the sentence, sees a visual change, and none where only words change."""
    twin, (seen, heard), again = (
        _delivered(simulation, episode) for episode in (pair.twin, pair.episode, pair.twin)
    )
    found = []
    if heard != pair.episode.instruction:
        found.append(f"{pair}: {heard!r} is delivered instead of {pair.episode.instruction!r}.")
    if not _equal(twin[0], again[0]):
        found.append(f"{pair}: the twin's frames differ from those of the twin started again.")
    if pair.axis.kind == "visual" and not is_noticed(twin[0], seen):
        found.append(f"{pair}: no frame differs so much from the twin's that it could be noticed.")
    if pair.changed <= WORDS | {dynamic.FACTOR} and not _equal(twin[0], seen):
        found.append(f"{pair}: nothing in the scene changes, and yet the first frames differ.")
    return found


def is_noticed(twin: Images, seen: Images) -> bool:
    """Whether the frames of some camera differ by more than noise; see `NOTICED_LEVELS`."""
    return any(_pixels(twin[role], seen[role]) >= NOTICED_PIXELS for role in twin)


def _pixels(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> int:
    difference = np.abs(one.astype(int) - other.astype(int)).max(axis=2)
    return int((difference > NOTICED_LEVELS).sum())


def _equal(one: Images, other: Images) -> bool:
    return all(np.array_equal(one[role], other[role]) for role in one)


def _delivered(simulation: Simulation, episode: EpisodeSpec) -> tuple[Images, str]:
    simulation.start(episode)
    observation = simulation.observe(CAMERAS)
    return observation.images, observation.instruction


# --- helpers ----------------------------------------------------------------------------------


def _texts(factors: Mapping[str, Json]) -> dict[str, str]:
    return {name: canonical_json(value) for name, value in factors.items()}


def _speaks(pair: Pair) -> bool:
    """Whether the axis, or one of those that it has taken, is one of words."""
    taken = pair.episode.factors.get(combination.FACTOR, ())
    kinds = {AXES.load(change.partition(":")[0]).kind for change in taken}
    return not SPEAKING.isdisjoint({pair.axis.kind, *kinds})


def _numbers(pair: Pair) -> frozenset[tuple[float, ...]]:
    """The numbers with decimals that the axis has drawn, as they are and as steps from the twin's.

    An axis that adds to a nominal value draws the step, which a seed that repeats repeats.
    """
    drawn, steps = list[float](), list[float]()
    for name in sorted(pair.changed):
        usual = dict(_numbers_in(pair.twin.factors.get(name)))
        for path, value in _numbers_in(pair.episode.factors.get(name)):
            if not value.is_integer() and value != usual.get(path):
                drawn.append(value)
                steps += [round(value - usual[path], DECIMALS)] if path in usual else []
    return frozenset(tuple(numbers) for numbers in (drawn, steps) if numbers)


def _numbers_in(value: Json, path: str = "") -> Iterator[tuple[str, float]]:
    """Numbers by where they are."""
    if isinstance(value, float):
        yield path, value
    inner: Iterable[tuple[Json, Json]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    for key, part in inner:
        yield from _numbers_in(part, f"{path}/{key}")


def _choice(pair: Pair) -> str:
    """All that the axis has drawn."""
    return canonical_json({name: pair.episode.factors.get(name) for name in pair.changed})


def _left_to_chance(pair: Pair) -> bool:
    """Whether the axis takes anything from the generator that it is given."""
    (change,) = pair.episode.changes
    used, fresh = stream("check"), stream("check")
    pair.axis.draw(pair.task, pair.twin.factors, change.level, used)
    return bool(used.random() != fresh.random())


def _global_states() -> tuple[object, ...]:
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return name, np.asarray(keys).tobytes(), *rest, random.getstate()
