"""What shadows and multisampling cost, and what they change: the evidence for the render profile.

Prints, for each profile, the time of two 256-pixel frames as a ratio to the canonical profile
(median over interleaved repeats), and the mean difference of the picture from the finest profile.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import mujoco
import numpy as np

from vlabench.contract.specs import CameraSpec
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import MULTISAMPLES, SHADOW_MAP, compose
from vlabench.envs.world import TabletopWorld

CAMERAS = (CameraSpec("exterior/0", 256, 256), CameraSpec("wrist/0", 256, 256))
REPEATS = 15
PROFILES = [(0, 0), (0, 4), (512, 0), (1024, 0), (1024, 4), (4096, 0), (4096, 4)]
"""Texels of the shadow map (0: no shadows) and samples a pixel."""


@dataclass
class Candidate:
    """One profile, ready to draw."""

    name: str
    model: mujoco.MjModel
    data: mujoco.MjData
    renderer: Renderer

    def draw(self) -> np.ndarray:
        """The exterior view."""
        return self.renderer.render(self.model, self.data, CAMERAS)["exterior/0"]


def candidate(shadow_map: int, multisamples: int) -> Candidate:
    """A scene of the chain task with this profile."""
    factors = TabletopWorld().draw("store-in-drawer", (), seed=0, index=0).factors
    scene = compose(factors)
    model = scene.model
    model.light_castshadow[:] = model.light_castshadow * (shadow_map > 0)
    model.vis.quality.shadowsize = shadow_map
    model.vis.quality.offsamples = multisamples
    data = mujoco.MjData(model)
    data.qpos[:7] = scene.home
    mujoco.mj_forward(model, data)
    shadows = f"shadows {shadow_map}" if shadow_map else "no shadows"
    canonical = (shadow_map, multisamples) == (SHADOW_MAP, MULTISAMPLES)
    name = f"{shadows}, {multisamples or 'no multi'}samples{' (canonical)' if canonical else ''}"
    return Candidate(name, model, data, Renderer())


def main() -> None:
    """Measures and prints."""
    candidates = [candidate(*profile) for profile in PROFILES]
    frames = [c.draw().astype(float) for c in candidates]
    times: list[list[float]] = [[] for _ in candidates]
    for _ in range(REPEATS):
        for c, spent in zip(candidates, times, strict=True):
            start = time.perf_counter()
            c.draw()
            spent.append(time.perf_counter() - start)
    medians = [statistics.median(spent) for spent in times]
    canonical = medians[PROFILES.index((SHADOW_MAP, MULTISAMPLES))]
    print(f"{'profile':44} {'time / canonical':>16} {'difference of 255':>18}")
    for c, median, frame in zip(candidates, medians, frames, strict=True):
        difference = np.abs(frame - frames[-1]).mean()
        print(f"{c.name:44} {median / canonical:16.2f} {difference:18.2f}")
    for c in candidates:
        c.renderer.close()


if __name__ == "__main__":
    main()
