"""Whether thousands of resets leave anything behind in OpenGL or in memory.

    .venv/bin/python benchmarks/gl_leak.py [--resets 10000] [--size 64] [--renderer-only]

Every reset goes to another scene and draws a frame of two cameras. After each tenth of the resets
it prints how many textures, framebuffers, renderbuffers and display lists there are, and how much
memory the process has; at the end the slope of that memory after the first two tenths, when all
caches are full. With ``--renderer-only`` the scenes are composed once and the renderer alone goes
from one to the next, which takes a fraction of the time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

# no screen is needed; a backend that the user has chosen is left alone
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "0")

import mujoco
import numpy as np

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec
from vlabench.envs.opengl import OpenGL
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import compose
from vlabench.envs.world import TabletopWorld
from vlabench.types import EpisodeSpec

TASKS = ("lift", "place-on", "store-in-drawer", "serve", "set-table", "heat-in-oven")
SCENES_PER_TASK = 3


def main() -> None:
    """Resets, counts and prints."""
    parser = argparse.ArgumentParser(description="What resets leave behind in OpenGL and memory.")
    parser.add_argument("--resets", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=64, help="pixels of a side of the frames")
    parser.add_argument("--renderer-only", action="store_true", help="compose the scenes once")
    options = parser.parse_args()
    look = tuple(CameraSpec(role, options.size, options.size) for role in ("exterior/0", "wrist/0"))
    resets = drawn_again(look) if options.renderer_only else started_again(look)
    every, began = max(options.resets // 10, 1), time.perf_counter()
    counts: list[tuple[int, float]] = []
    for count in range(1, options.resets + 1):
        next(resets)
        if count % every == 0:
            counts.append((count, memory_mb()))
            names = ", ".join(f"{n} {kind}s" for kind, n in OpenGL().names_in_use().items())
            spent = time.perf_counter() - began
            print(f"{count:6} resets {spent:6.0f} s {counts[-1][1]:8.1f} MB  {names}", flush=True)
    settled = np.array(counts[2:] or counts)
    if len(settled) > 1:
        slope = np.polyfit(settled[:, 0] / 1000, settled[:, 1] * 1000, 1)[0]
        print(f"memory: {slope:+.0f} kB per 1,000 resets")


def episodes() -> Iterator[EpisodeSpec]:
    """The same few episodes, over and over."""
    world = TabletopWorld()
    cells = itertools.product(range(SCENES_PER_TASK), TASKS)
    return itertools.cycle([draw_episode(world, task, seed=0, index=k) for k, task in cells])


def started_again(look: tuple[CameraSpec, ...]) -> Iterator[None]:
    """Whole resets, settled scenes and first frames."""
    environment = TabletopWorld().make()
    for episode in episodes():
        environment.start(episode)
        environment.observe(look)
        yield


def drawn_again(look: tuple[CameraSpec, ...]) -> Iterator[None]:
    """What a reset costs the renderer: another model, and its first frames."""
    scenes = []
    for episode in itertools.islice(episodes(), SCENES_PER_TASK * len(TASKS)):
        scene = compose(episode.factors)
        data = mujoco.MjData(scene.model)
        data.qpos[: len(scene.home)] = scene.home
        mujoco.mj_forward(scene.model, data)
        scenes.append((scene.model, data))
    renderer = Renderer()
    for model, data in itertools.cycle(scenes):
        renderer.render(model, data, look)
        yield


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
