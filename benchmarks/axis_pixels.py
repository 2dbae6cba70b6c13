"""What reaches the policy of every visual axis: how far its frames are from the twin's.

    .venv/bin/python benchmarks/axis_pixels.py [pairs]

For each axis and level, the mean absolute difference, in grey levels of 0 to 255, between the first
frames of a nominal episode and of its perturbed one: exterior and wrist camera, 128 pixels, over
pairs from several tasks. Each nominal episode is also started and drawn a second time, at the end
and behind all others: that difference must be exactly 0. Last, the smallest share of pixels that
changed in any pair, which must not be 0.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes.base import Axis
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld
from vlabench.registry import AXES
from vlabench.types import Change

TASKS = ("place-in", "stack", "store-in-drawer", "set-table", "two-in-basket")
CAMERAS = (CameraSpec("exterior/0", 128, 128), CameraSpec("wrist/0", 128, 128))

Frames = Mapping[str, npt.NDArray[np.uint8]]


def main(pairs: int) -> None:
    """Measures and prints."""
    simulation = Simulation()
    episodes = [(TASKS[i % len(TASKS)], i // len(TASKS)) for i in range(pairs)]
    twins = {episode: frames(simulation, *episode) for episode in episodes}
    print("| axis | level | exterior | wrist | least changed |\n|---|---|---|---|---|")
    for name in AXES.names():
        axis: Axis = AXES.load(name)()
        if axis.kind != "visual":
            continue
        for level in axis.levels:
            found = [
                (twins[episode], frames(simulation, *episode, Change(name, level)))
                for episode in episodes
                if level in axis.levels_of(task_called(episode[0]))
            ]
            exterior, wrist = (
                np.mean([difference(*pair, camera.role) for pair in found]) for camera in CAMERAS
            )
            least = min(changed(*pair) for pair in found)
            print(f"| {name} | {level} | {exterior:.2f} | {wrist:.2f} | {least:.2%} |", flush=True)
    again = [
        difference(twins[episode], frames(simulation, *episode), camera.role)
        for episode in episodes
        for camera in CAMERAS
    ]
    print(f"| twin, once more | | {max(again)} | {max(again)} | |")
    simulation.close()


def frames(simulation: Simulation, task: str, index: int, *changes: Change) -> Frames:
    """The first frames of an episode."""
    simulation.start(draw_episode(TabletopWorld(), task, changes, seed=0, index=index))
    return simulation.observe(CAMERAS).images


def difference(twin: Frames, perturbed: Frames, role: str) -> float:
    """The mean absolute difference in grey levels."""
    return float(np.abs(twin[role].astype(int) - perturbed[role]).mean())


def changed(twin: Frames, perturbed: Frames) -> float:
    """The share of pixels that differ at all, over both cameras."""
    return float(np.mean([(twin[role] != perturbed[role]).any(axis=2) for role in twin]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
