"""How long a new process takes to its first observation: without a cache, with one, and robosuite.

    .venv/bin/python benchmarks/startup.py [--repeats 5]

The three take turns, each in a process of its own, without cameras; a figure is the median over the
turns, and a ratio the median of the turns' own. "without" composes the robot of robosuite's models
and writes the cache, "with" reads what "without" has written; numba's own cache is warm for both,
and all files have been read once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vlabench import diskcache

MEASURED = """
import json, resource, time
began = time.perf_counter()
{work}
taken = time.perf_counter() - began
use = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([taken, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024]))
"""

OURS = """
from vlabench.contract.environment import draw_episode
from vlabench.envs.world import TabletopWorld
world = TabletopWorld()
environment = world.make()
environment.start(draw_episode(world, "place-on", (), seed=0, index=0))
environment.observe()
"""

ROBOSUITES = """
import logging
logging.disable(logging.CRITICAL)
import robosuite
environment = robosuite.make(
    "Lift", robots="Panda", has_renderer=False, has_offscreen_renderer=False, use_camera_obs=False
)
environment.reset()
"""


def main() -> None:
    """Runs all turns and prints them."""
    parser = argparse.ArgumentParser(description="Time to the first observation, as ratios.")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    repeats = parser.parse_args().repeats
    rows: dict[str, list[list[float]]] = {"without": [], "with": [], "robosuite's Lift": []}
    for turn in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            place = {diskcache.VARIABLE: folder}
            measured = [measure(OURS, place), measure(OURS, place), measure(ROBOSUITES, place)]
            kept = sum(path.stat().st_size for path in Path(folder).iterdir())
        if turn:  # the first reads everything from disk
            for row, values in zip(rows.values(), measured, strict=True):
                row.append(values)
    print(f"medians of {repeats} turns; the cache holds {kept / 1e6:.2f} MB for one robot")
    for name, values in rows.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:17} {wall:6.2f} s, {cpu:5.2f} s of CPU, {memory:4.0f} MB at most")
    for name in ("without", "robosuite's Lift"):
        ratios = np.array(rows[name]) / np.array(rows["with"])
        wall, cpu, memory = np.median(ratios, axis=0)
        print(f"{name} / with: {wall:.2f} in time, {cpu:.2f} in CPU, {memory:.2f} in memory")


def measure(work: str, variables: Mapping[str, str]) -> list[float]:
    """Seconds, seconds of CPU and the most megabytes that a new process takes for `work`."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(work=work)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


if __name__ == "__main__":
    main()
