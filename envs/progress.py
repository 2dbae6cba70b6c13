"""How far an episode has come: stages in order, each held for a while before it counts."""

from __future__ import annotations

import mujoco

from vlabench.envs.predicates import holds
from vlabench.envs.scene import Scene
from vlabench.envs.tasks.base import Stage, Task
from vlabench.types import StageResult

HOLD_STEPS = 10
"""Control steps (0.5 s) for which the goals of a stage must be true without a break."""


class Progress:
    """Watches one episode.

    A stage is reached when its goals have held for `HOLD_STEPS` and every stage before it has
    been reached. The last stage carries the whole goal, so reaching it is success.
    """

    def __init__(self, task: Task, scene: Scene) -> None:
        self._stages = task.stages
        self._scene = scene
        self._reached: list[int | None] = [None] * len(task.stages)
        self._held = 0
        self._once = False

    def update(self, data: mujoco.MjData, step: int) -> None:
        """Looks at the scene after control step `step` (counted from 1)."""
        if self.success:
            return
        current = self._reached.index(None)
        true_now = self.true_now(self._stages[current], data)
        self._held = self._held + 1 if true_now else 0
        last = current == len(self._stages) - 1
        self._once = self._once or (true_now and last)
        if self._held >= HOLD_STEPS:
            self._reached[current] = step
            self._held = 0

    def true_now(self, stage: Stage, data: mujoco.MjData) -> bool:
        """Whether all goals of `stage` are true at this instant."""
        return all(holds(goal, self._scene, data) for goal in stage.goals)

    @property
    def success(self) -> bool:
        """Whether the whole goal has been reached and held."""
        return self._reached[-1] is not None

    @property
    def success_once(self) -> bool:
        """Whether the whole goal was true at some instant, with the stages before it reached."""
        return self._once

    @property
    def stages(self) -> tuple[StageResult, ...]:
        """One result a stage, in order."""
        return tuple(
            StageResult(stage.name, step is not None, step)
            for stage, step in zip(self._stages, self._reached, strict=True)
        )
