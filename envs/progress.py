"""How far an episode has come: stages, each held for a while before it counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import mujoco

from vlabench.envs.predicates import holds
from vlabench.envs.scene import Scene
from vlabench.envs.tasks.base import Stage
from vlabench.types import StageResult

HOLD_STEPS = 10
"""Control steps (0.5 s) for which the goals of a stage must be true without a break."""


class Progress:
    """Watches one episode.

    A stage is reached when its goals have held for `HOLD_STEPS`. Where stages have an order, only
    the first that has not been reached can be; the last one carries the whole goal, so reaching
    it is success. Without an order each is watched by itself, and it is success when the goals of
    all have held together.

    Args:
        stages: What is asked, in names of the scene.
        scene: Where.
        ordered: Whether the stages have an order.
        reached: Numbers of the stages, counted from 0, that have been reached before the episode.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        scene: Scene,
        *,
        ordered: bool = True,
        reached: Iterable[int] = (),
    ) -> None:
        self._scene, self.ordered = scene, ordered
        self.ask(stages)
        for k in reached:
            self._reached[k] = 0

    def ask(self, stages: Sequence[Stage]) -> None:
        """Begins anew with other stages: what was asked before does not count any more."""
        self.asked = tuple(stages)
        self._reached: list[int | None] = [None] * len(self.asked)
        self._held = [0] * len(self.asked)
        self._held_together = 0
        self._once = self._done = False

    def update(self, data: mujoco.MjData, step: int) -> None:
        """Looks at the scene after control step `step` (counted from 1)."""
        if self._done:
            return
        if self.ordered:
            self._update_in_order(data, step)
        else:
            self._update_in_any_order(data, step)

    def _update_in_order(self, data: mujoco.MjData, step: int) -> None:
        current = self._reached.index(None)
        last = current == len(self.asked) - 1
        true_now = self._hold(current, data, step)
        self._once = self._once or (true_now and last)
        self._done = last and self._reached[current] is not None

    def _update_in_any_order(self, data: mujoco.MjData, step: int) -> None:
        true_now = [self._hold(k, data, step) for k in range(len(self.asked))]
        self._once = self._once or all(true_now)
        self._held_together = self._held_together + 1 if all(true_now) else 0
        self._done = self._held_together >= HOLD_STEPS

    def _hold(self, k: int, data: mujoco.MjData, step: int) -> bool:
        """Whether stage `k` is true now; notes when it has been so for long enough."""
        true_now = self.true_now(self.asked[k], data)
        self._held[k] = self._held[k] + 1 if true_now else 0
        if self._held[k] >= HOLD_STEPS and self._reached[k] is None:
            self._reached[k] = step
        return true_now

    def true_now(self, stage: Stage, data: mujoco.MjData) -> bool:
        """Whether all goals of `stage` are true at this instant."""
        return all(holds(goal, self._scene, data) for goal in stage.goals)

    @property
    def success(self) -> bool:
        """Whether the whole goal has been reached and held."""
        return self._done

    @property
    def success_once(self) -> bool:
        """Whether the whole goal was true at some instant, with the stages before it reached."""
        return self._once

    @property
    def stages(self) -> tuple[StageResult, ...]:
        """One result a stage, in order."""
        return tuple(
            StageResult(stage.name, step is not None, step)
            for stage, step in zip(self.asked, self._reached, strict=True)
        )

    @property
    def chain_length(self) -> int:
        """Stages reached before the first that was not; without an order, how many were."""
        if self.ordered:
            return [*(step is not None for step in self._reached), False].index(False)
        return sum(step is not None for step in self._reached)
