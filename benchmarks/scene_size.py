"""What another object on the table costs: a reset, a control step, and how much of it is MuJoCo.

    .venv/bin/python benchmarks/scene_size.py [--repeats 5]

The same scene with no, two, four and eight distractors takes turns in one process; each figure is
the median over the turns. A reset is drawn, composed, compiled and settled, without a first frame;
it must stay under 0.3 s with eight distractors. A control step is 25 physics steps with random
actions, set beside as many plain physics steps from the same states.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np

from vlabench.contract.environment import draw_episode
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.types import Change, EpisodeSpec

TASK = "place-on"
PHYSICS_STEPS, STEPS = 25, 40
SLOWEST_RESET_S = 0.3
CROWDS = (0, 2, 4, 8)


@dataclass
class Measured:
    """Of one size of scene: seconds a reset, and seconds a control step beside raw MuJoCo."""

    objects: int = 0
    dofs: int = 0
    resets: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    contacts: list[int] = field(default_factory=list)


def main() -> None:
    """Runs all sizes in turns and prints the table."""
    parser = argparse.ArgumentParser(description="What another object costs.")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each size")
    repeats = parser.parse_args().repeats
    simulation, table = Simulation(), {crowd: Measured() for crowd in CROWDS}
    for turn in range(repeats + 1):
        for crowd, measured in table.items():
            measure(simulation, measured, crowd, turn)
    print(f"{TASK}, medians of {repeats} turns; the first turn is not counted")
    print("objects  dofs  contacts  reset ms  control step us  beside raw mj_step")
    for measured in table.values():
        ratios = [a / b for a, b in zip(measured.raw[1:], measured.steps[1:], strict=True)]
        print(
            f"{measured.objects:7} {measured.dofs:5}"
            f" {statistics.median(measured.contacts[1:]):9.0f}"
            f" {1e3 * statistics.median(measured.resets[1:]):9.1f}"
            f" {1e6 * statistics.median(measured.steps[1:]):16.0f}"
            f" {statistics.median(ratios):19.3f}"
        )
    slowest = statistics.median(table[CROWDS[-1]].resets[1:])
    verdict = "kept" if slowest < SLOWEST_RESET_S else "missed"
    print(
        f"reset with {CROWDS[-1]} distractors {slowest:.3f} s, bound {SLOWEST_RESET_S} s: {verdict}"
    )


def measure(simulation: Simulation, measured: Measured, crowd: int, index: int) -> None:
    """One turn: a reset and `STEPS` control steps of the scene `index` with so many distractors."""
    began = time.perf_counter()
    simulation.start(episode(crowd, index))
    measured.resets.append(time.perf_counter() - began)
    model, data = simulation.model, simulation.data
    measured.objects, measured.dofs = len(simulation.scene.objects), model.nv
    measured.contacts.append(data.ncon)
    actions = np.random.default_rng(0).uniform(-0.4, 0.4, (STEPS, 7)).astype(np.float32)
    raw, ours, plain = mujoco.MjData(model), 0.0, 0.0
    for action in actions:
        mujoco.mj_copyData(raw, model, data)
        first = time.perf_counter()
        mujoco.mj_step(model, raw, PHYSICS_STEPS)
        between = time.perf_counter()
        simulation.advance(action)
        plain, ours = plain + between - first, ours + time.perf_counter() - between
    measured.steps.append(ours / STEPS)
    measured.raw.append(plain / STEPS)


def episode(crowd: int, index: int) -> EpisodeSpec:
    """A scene with exactly `crowd` distractors: those beyond it are taken from a fuller one."""
    world, changes = TabletopWorld(), ()
    if crowd:
        changes = (Change("distractors", "L3"),)
        while _extras(world.draw(TASK, changes, seed=0, index=index).factors) < 8:
            index += 1000
    drawn = draw_episode(world, TASK, changes, seed=0, index=index)
    left_out = tuple(f"extra{k}." for k in range(crowd + 1, 9))
    factors = {k: v for k, v in drawn.factors.items() if not k.startswith(left_out)}
    return replace(drawn, factors=factors, horizon=10**9)


def _extras(factors: dict[str, object]) -> int:
    return sum(key.startswith("extra") and key.endswith(".category") for key in factors)


if __name__ == "__main__":
    main()
