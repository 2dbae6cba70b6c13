"""Whether workers grow: the memory of each after every episode, over thousands of them.

    .venv/bin/python benchmarks/soak.py [--episodes 2000] [--workers 2] [--out results/runs/soak]
                                        [--picture docs/soak.png]

Each worker runs its episodes of six tasks of the suite `full`, on all axes and with all robots,
one after another, every one in another scene, and looks through two 256-pixel cameras at every
sixteenth step; nobody replaces it. The policy, which lives in the worker, notes its resident memory
at the end of each episode. Printed are the slope of a straight line through each worker's notes
after the first hundred, in MiB for a thousand episodes, with its 95 % interval (ordinary least
squares, of means over 25 episodes, so that neighbours do not count as independent), and what the
memory was at the start and at the end. The same command goes on where it stopped, with new
workers; the picture shows those of the last start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import matplotlib
import numpy as np
from scipy import stats

from vlabench.evaluation import execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Lines

HERE = Path(__file__).parent
TASKS = "press-button,lift,open-drawer,turn-knob,close-door,open-door"
WARM, MEAN_OF = 100, 25
MIB = 2**20


def main() -> int:
    """Runs, prints the slopes, and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/runs/soak"))
    parser.add_argument("--picture", type=Path, default=Path("docs/soak.png"))
    options = parser.parse_args()
    out, picture = options.out.absolute(), options.picture.absolute()
    notes = out.with_name(out.name + "-notes")
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir(parents=True)
    os.chdir(HERE)  # a policy of one's own is searched where one stands
    policy, tasks = "looking:Looking", TASKS.split(",")
    args = {"chunk": 16, "size": 256, "weigh": str(notes)}
    planned = plan(policy, "full", tasks=tasks, policy_args=args, out=out)
    sizes = accumulate(len(group) for group in planned.manifest.groups())
    limit = sum(size < options.episodes for size in sizes) + 1
    planned = plan(policy, "full", tasks=tasks, policy_args=args, limit=limit, out=out)
    execute(planned, "ray", RunnerOptions(options.workers, recycle=0), Lines(print))
    weights = {path.stem: np.loadtxt(path, ndmin=1) / MIB for path in sorted(notes.glob("*.txt"))}
    for name, mebibytes in weights.items():
        print(f"worker {name}: {describe(mebibytes)}")
    draw(list(weights.values()), picture)
    return 0


def describe(mebibytes: Sequence[float]) -> str:
    """Where a worker's memory began and ended, and its slope."""
    ends = f"{len(mebibytes)} episodes, {mebibytes[0]:.0f} to {mebibytes[-1]:.0f} MiB"
    fitted = slope(np.asarray(mebibytes))
    if fitted is None:
        return f"{ends}; too few for a slope"
    middle, half = fitted
    return f"{ends}; after {WARM}: {middle:+.1f} ± {half:.1f} MiB in 1,000 episodes"


def slope(mebibytes: np.ndarray) -> tuple[float, float] | None:
    """MiB for a thousand episodes, and half the width of its 95 % interval."""
    blocks = (len(mebibytes) - WARM) // MEAN_OF
    if blocks < 3:
        return None
    means = mebibytes[WARM : WARM + blocks * MEAN_OF].reshape(blocks, MEAN_OF).mean(axis=1)
    fit = stats.linregress(np.arange(blocks) * MEAN_OF / 1000, means)
    return float(fit.slope), float(fit.stderr * stats.t.ppf(0.975, blocks - 2))


def draw(weights: Sequence[np.ndarray], path: Path) -> None:
    """The memory of each worker over its episodes."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.family": "DejaVu Sans"}):
        figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
        for number, mebibytes in enumerate(weights, start=1):
            axes.plot(np.arange(1, len(mebibytes) + 1), mebibytes, lw=1, label=f"worker {number}")
        top = 1.15 * max(mebibytes.max() for mebibytes in weights)
        axes.set(xlabel="episodes of this worker", ylabel="resident memory (MiB)", ylim=(0, top))
        axes.set_title("Memory of workers that render, every episode in a new scene", loc="left")
        axes.legend(loc="lower right")
        figure.savefig(path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
