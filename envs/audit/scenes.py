"""The scenes in which a task is audited, and the states that they give."""

from __future__ import annotations

from collections.abc import Iterator

from vlabench.contract.environment import draw_episode
from vlabench.envs.audit.states import State, StateMaker
from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES
from vlabench.types import Change, EpisodeSpec

STATES_OF_A_SCENE = 10

AXES_OF_SCENES = (
    "",
    "unseen-instances",
    "",
    "unseen-categories",
    "",
    "object-scale",
    "",
    "horizon",
)
"""Scenes are nominal and changed by turns: by the axes that change what predicates look at."""


class Scenes:
    """The scenes of one task's audit, and the states made in them.

    Args:
        name: Of the task.
        seed: Of all draws.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.task, self.seed = task(name), seed

    def states(self, scene: int) -> Iterator[State]:
        """All states of a scene that could be made."""
        maker = self.maker(scene)
        for number in range(STATES_OF_A_SCENE):
            found = maker.state(scene, number)
            if found is not None:
                yield found

    def maker(self, scene: int) -> StateMaker:
        """Makes the states of a scene, each whatever others are made."""
        return StateMaker(self.episode(scene), ("audit", self.seed, self.task.name, scene))

    def episode(self, scene: int) -> EpisodeSpec:
        """What is drawn for a scene."""
        change = self._change(scene)
        changes = () if change is None else (change,)
        world = TabletopWorld()
        return draw_episode(world, self.task.name, changes, seed=self.seed, index=scene)

    def _change(self, scene: int) -> Change | None:
        name = AXES_OF_SCENES[scene % len(AXES_OF_SCENES)]
        if not name:
            return None
        axis: Axis = AXES.load(name)()
        levels = axis.levels_of(self.task)
        if not levels:
            return None
        return Change(name, levels[scene // len(AXES_OF_SCENES) % len(levels)])
