"""Which episodes the documentation shows: one of each task, and of each axis a twin and its levels.

Pictures (``docs/sheets.py``) and the benchmark card (``docs/card.py``) draw the same ones, so that
a sentence and the picture beside it belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vlabench.contract.environment import draw_episode
from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.hashing import content_hash
from vlabench.published import read_pool
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

SUITES = Path(__file__).parent.parent / "suites"

PICTURED: Mapping[str, tuple[str, int]] = {
    "articulation": ("open-drawer", 1),
    "embodiment": ("place-in", 2),
    "horizon": ("errands", 0),
    "dynamic": ("place-in", 4),
    "confusable-distractors": ("place-on", 5),
    "object-appearance": ("place-in", 5),
    "distractors": ("store-in-drawer", 1),
    "object-scale": ("place-in", 4),
    "unseen-instances": ("cook", 1),
}
"""Axis to the task and index that show it; the first task that it applies to for the others."""

CERTIFIED: Mapping[str, tuple[str, str]] = {"from-stage": ("tidy-up", "5")}
"""Axis whose episodes are made when a suite is certified to the task and level that show it."""

_TASK_INDEX, _USUAL_INDEX = 1, 2


def of_task(name: str) -> EpisodeSpec:
    """The nominal episode that shows a task."""
    return draw(name, (), _TASK_INDEX)


def of_axis(name: str) -> dict[str, EpisodeSpec]:
    """The episodes that show an axis: its twin, called ``"twin"``, and one for each level.

    One level alone where they are not drawn but made when a suite is certified.
    """
    if name in CERTIFIED:
        return _published(name, *CERTIFIED[name])
    axis: Axis = AXES.load(name)()
    applies = [t for t in ("place-in", "place-on", *TASKS.names()) if axis.applies(task(t))]
    chosen, index = PICTURED.get(name, (applies[0], _USUAL_INDEX))
    levels = axis.levels_of(task(chosen))
    changed = {level: draw(chosen, (Change(name, level),), index) for level in levels}
    return {"twin": draw(chosen, (), index), **changed}


def _published(axis: str, task: str, level: str) -> dict[str, EpisodeSpec]:
    """The first published episode of that task under that level, and its twin."""
    pool = {name: episode for name, (episode, _) in read_pool(SUITES, [task]).items()}
    wanted = (Change(axis, level),)
    changed = next(episode for episode in pool.values() if episode.changes == wanted)
    return {"twin": pool[changed.control_id or ""], level: changed}


def draw(name: str, changes: tuple[Change, ...], index: int) -> EpisodeSpec:
    """The episode of that task, change and index, of seed 0."""
    return draw_episode(TabletopWorld(), name, changes, seed=0, index=index)


def fingerprint(episodes: Mapping[str, EpisodeSpec]) -> str:
    """Names what was drawn of these episodes: a picture with another one is out of date."""
    return content_hash([[e.factors, e.instruction] for e in episodes.values()])


def can_be_seen(name: str) -> bool:
    """Whether an axis changes anything that a picture of the scene shows."""
    axis: Axis = AXES.load(name)()
    applies = (kind for kind in map(task, TASKS.names()) if axis.applies(kind))
    return not axis.factors(next(applies)) <= _INVISIBLE


_INVISIBLE = frozenset({"cast", "chain", "diagnostic", "phrase", "physics"})
"""Factors that change what is said or asked for, or how heavy things are."""
