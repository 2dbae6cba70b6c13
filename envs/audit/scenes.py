"""The scenes in which a task is audited, and the states that they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from vlabench.contract.environment import draw_episode
from vlabench.envs.audit.result import SceneAudit
from vlabench.envs.audit.states import (
    ON_THE_WAY,
    STATES_OF_A_SCENE,
    StateMaker,
    kinds_of_a_task,
)
from vlabench.envs.axes.base import Axis
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES
from vlabench.seeding import stream
from vlabench.types import Change, EpisodeSpec

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
        self.kinds = kinds_of_a_task(self.task)

    def audit(self, scene: int) -> SceneAudit:
        """All states of a scene that could be made."""
        return self._audit(scene, range(STATES_OF_A_SCENE))

    def audit_more(self, scene: int, kinds: Iterable[str], turn: int) -> SceneAudit:
        """One state more of each of these kinds, if it can be made; another one each turn."""
        first = STATES_OF_A_SCENE + turn * len(self.kinds)
        numbers = [first + self.kinds.index(kind) for kind in kinds]
        found = self._audit(scene, numbers)
        counted_before = {waste for waste in found.waste if waste.kind == ON_THE_WAY}
        waste = Counter({w: n for w, n in found.waste.items() if w not in counted_before})
        return SceneAudit(found.states, waste, found.kinds)

    def _audit(self, scene: int, numbers: Iterable[int]) -> SceneAudit:
        maker = self.maker(scene)
        made = [maker.state(number) for number in numbers]
        states = tuple(state for state in made if state is not None)
        return SceneAudit(states, maker.waste, frozenset(maker.kinds))

    def maker(self, scene: int) -> StateMaker:
        """Makes the states of a scene, each whatever others are made."""
        key = ("audit", self.seed, self.task.name, scene)
        return StateMaker(self.episode(scene), key, self._dealt(scene))

    def _dealt(self, scene: int) -> list[str]:
        """The kinds of the false states of a scene: each comes once before any comes again."""
        hand = STATES_OF_A_SCENE // 2
        return [self._card(k) for k in range(scene * hand, (scene + 1) * hand)]

    def _card(self, k: int) -> str:
        pack, place = divmod(k, len(self.kinds))
        rng = stream("audit", self.seed, self.task.name, "deal", pack)
        return self.kinds[int(rng.permutation(len(self.kinds))[place])]

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
