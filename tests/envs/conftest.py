"""Episodes, solved scenes and frames that several tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.contract.environment import draw_episode
from vlabench.envs.scene import Scene
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Stage, Task
from vlabench.envs.world import TabletopWorld
from vlabench.policies.expert import Expert
from vlabench.types import Change, EpisodeSpec, EpisodeStart

Draw = Callable[..., EpisodeSpec]


@dataclass(frozen=True)
class Solved:
    """What the expert did in one episode: `path` has ``qpos`` at the start and after each step.

    `asked` are the stages in names of the scene.
    """

    task: Task
    asked: tuple[Stage, ...]
    scene: Scene
    path: tuple[np.ndarray, ...]

    def at(self, step: int) -> mujoco.MjData:
        """A copy of the scene after that step, to be played with."""
        data = mujoco.MjData(self.scene.model)
        data.qpos[:] = self.path[step]
        mujoco.mj_forward(self.scene.model, data)
        return data


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Draws an episode: the task, the index, changes as text, and factors to overwrite."""
    world = TabletopWorld()

    def drawn(
        task: str,
        index: int = 0,
        *changes: str,
        seed: int = 0,
        factors: Mapping[str, Any] | None = None,
    ) -> EpisodeSpec:
        parsed = tuple(Change(*text.split(":")) for text in changes)
        episode = draw_episode(world, task, parsed, seed=seed, index=index)
        return replace(episode, factors={**episode.factors, **(factors or {})})

    return drawn


@pytest.fixture(scope="session")
def solved(draw: Draw) -> Callable[[str, int], Solved]:
    """The expert's way through the episode of that task and index; each is walked once."""

    @cache
    def solve(task: str, index: int) -> Solved:
        episode, simulation, expert = draw(task, index), Simulation(), Expert()
        simulation.start(episode)
        expert.reset([EpisodeStart(episode.episode_id, 0, episode.instruction, simulation.spec())])
        path, over = [simulation.data.qpos.copy()], False
        while not over:
            chunk = expert.act([simulation.observe(privileged=True)])[0]
            over = simulation.advance(chunk.actions[0].astype(np.float32))
            path.append(simulation.data.qpos.copy())
        assert simulation.outcome().success
        asked = simulation.progress.asked
        return Solved(simulation.task, asked, simulation.scene, tuple(path))

    return solve


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Runs code in a new process with another hash seed; the JSON that it prints last."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(code: str) -> Any:
        script = Path(folder, "script.py")
        script.write_text(code)
        environment = {k: v for k, v in os.environ.items() if k != "MUJOCO_GL"}
        done = subprocess.run(
            [sys.executable, str(script)],
            env={**environment, "PYTHONHASHSEED": "12345"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
