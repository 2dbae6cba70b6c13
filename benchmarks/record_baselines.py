"""Makes what the baselines `replay` and `prior` know of a task.

    .venv/bin/python benchmarks/record_baselines.py [--workers 2] [--only recordings,places]

``policies/data/recordings.npz`` holds what the expert did in `RECORDED` nominal episodes of every
task, as thousandths; ``policies/data/places.json`` where things are on average in `DRAWN` nominal
draws. Both use the seed of the suite `train` and indices that no suite reaches, so nothing that is
evaluated is in them. Make them anew when the world's version rises.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vlabench.contract.environment import draw_episode
from vlabench.contract.negotiate import negotiate
from vlabench.envs.draw import BASE_X, nominal_factors
from vlabench.envs.scene import fixtures_in, roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task
from vlabench.envs.world import TabletopWorld
from vlabench.policies.expert import Expert
from vlabench.registry import TASKS
from vlabench.rollout import RunContext, run_episode
from vlabench.types import Json

DATA = Path(__file__).parent.parent / "policies" / "data"

SEED, FIRST_INDEX = 1, 100_000
RECORDED, DRAWN = 4, 200

STEADY = 0.5
"""Length of the mean of unit vectors, from which on headings have an average worth the name."""


def main() -> None:
    """Writes what is asked for."""
    parser = argparse.ArgumentParser(description="What replay and prior know of a task.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="recordings,places", help="recordings, places, or both")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        if "recordings" in options.only.split(","):
            found = list(tqdm(pool.map(record, TASKS.names()), total=len(TASKS.names())))
            write_recordings(dict(zip(TASKS.names(), found, strict=True)))
        if "places" in options.only.split(","):
            found = list(tqdm(pool.map(places, TASKS.names()), total=len(TASKS.names())))
            write_places(dict(zip(TASKS.names(), found, strict=True)))


def record(name: str, count: int = RECORDED) -> dict[int, npt.NDArray[np.int16]]:
    """Index to the actions of the expert, in thousandths, in the first episodes that it solves."""
    world, environment, expert = TabletopWorld(), Simulation(), Expert()
    pipeline = negotiate(expert.spec(), environment.spec())
    context = RunContext("record", "train", 1, "")
    found: dict[int, npt.NDArray[np.int16]] = {}
    index = FIRST_INDEX
    while len(found) < count:
        episode = draw_episode(world, name, seed=SEED, index=index)
        outcome, trace = run_episode(environment, expert, pipeline, episode, context)
        if outcome.success:
            found[index] = np.rint(1000.0 * trace.actions.astype(np.float64)).astype(np.int16)
        index += 1
    return found


def places(name: str) -> dict[str, list[float]]:
    """Role or fixture to its mean x, y (metres from the robot's base) and heading (radians).

    A heading that may be anything has no mean, and is 0.
    """
    drawn: dict[str, list[Sequence[float]]] = defaultdict(list)
    for index in range(FIRST_INDEX, FIRST_INDEX + DRAWN):
        factors: Mapping[str, Json] = nominal_factors(task(name), SEED, index)
        for thing in (*roles_in(factors), *fixtures_in(factors)):
            drawn[thing].append(factors[f"{thing}.pose"])
    return {thing: _mean(poses) for thing, poses in sorted(drawn.items())}


def _mean(poses: Sequence[Sequence[float]]) -> list[float]:
    count = len(poses)
    sine = math.fsum(math.sin(yaw) for _, _, yaw in poses) / count
    cosine = math.fsum(math.cos(yaw) for _, _, yaw in poses) / count
    heading = math.atan2(sine, cosine) if math.hypot(sine, cosine) > STEADY else 0.0
    x = math.fsum(x for x, _, _ in poses) / count - BASE_X
    y = math.fsum(y for _, y, _ in poses) / count
    return [round(value, 4) for value in (x, y, heading)]


def write_recordings(found: Mapping[str, Mapping[int, npt.NDArray[np.int16]]]) -> None:
    """One array a recording, called ``task/index``."""
    arrays = {f"{name}/{index}": a for name, kept in found.items() for index, a in kept.items()}
    DATA.mkdir(exist_ok=True)
    np.savez_compressed(DATA / "recordings.npz", **arrays)


def write_places(found: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """One line a task."""
    lines = [f"  {json.dumps(name)}: {json.dumps(places)}" for name, places in found.items()]
    DATA.mkdir(exist_ok=True)
    (DATA / "places.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
