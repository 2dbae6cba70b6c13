"""Where the time of an episode goes, beside what MuJoCo alone would take for the same work.

    .venv/bin/python benchmarks/episode_profile.py [--episodes 10]

Three policies run the same episodes of the suite ``ci`` in this process, on one thread each: the
expert, which reads the simulator's state; one that looks through two 256-pixel cameras at every
step; and one that looks at every eighth. Both of the latter answer at once. Every part of the
harness is timed without the parts inside it. The first episode of each is not counted.

The physical limits are measured on the same episodes: `mj_step` alone from the same states, and
MuJoCo's own renderer, which draws both cameras with the same profile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ["LP_NUM_THREADS"] = "0"
os.environ["OMP_NUM_THREADS"] = "1"

import mujoco
from looking import ROLES

from vlabench import rollout
from vlabench.contract.eyes import Eyes
from vlabench.envs.control import Controller
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import CAMERAS
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.evaluation import Plan, execute, plan
from vlabench.runner.job import RunnerOptions, Station
from vlabench.runner.progress import Silent
from vlabench.store import Run, RunWriter
from vlabench.types import EpisodeRecord

HERE = Path(__file__).parent
PHYSICS_STEPS, SIZE = 25, 256
LOOKING = "looking:Looking"
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "expert": ("expert", {}),
    "looks at every step": (LOOKING, {"chunk": 1, "size": SIZE}),
    "looks at every 8th": (LOOKING, {"chunk": 8, "size": SIZE}),
}

RECORD, REST = "record, trace, file", "converters, rollout"
RESET, PHYSICS, AROUND = "reset", "physics and control", "predicates, safety, story"
STATE, FRAMES, POLICY = "proprioception, state", "frames", "policy"
PARTS = (RESET, PHYSICS, AROUND, STATE, FRAMES, POLICY, REST, RECORD)


@dataclass
class Stopwatch:
    """Seconds of each part, without the parts inside it."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inside: list[float] = field(default_factory=list)

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, whose time is counted as that of `part`."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            began = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                spent = time.perf_counter() - began
                self.seconds[part] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return measured

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Times a method of a class from now on."""
        setattr(owner, name, self.timed(part, getattr(owner, name)))


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10)
    episodes = parser.parse_args().episodes
    os.chdir(HERE)  # a policy of one's own is searched where one stands
    stopwatch = installed()
    with tempfile.TemporaryDirectory() as folder:
        columns, runs = {}, {}
        for title, (policy, args) in CASES.items():
            planned = plan(policy, "ci", policy_args=args, limit=episodes, out=Path(folder) / title)
            columns[title], runs[title] = measured(planned, stopwatch)
        table(columns)
        limits({title: run for title, run in runs.items() if title != "looks at every step"})


def installed() -> Stopwatch:
    """A stopwatch in every part of the harness."""
    stopwatch = Stopwatch()
    stopwatch.wrap(Simulation, "start", RESET)
    stopwatch.wrap(Simulation, "advance", AROUND)
    stopwatch.wrap(Controller, "step", PHYSICS)
    stopwatch.wrap(Simulation, "observe", STATE)
    stopwatch.wrap(Renderer, "render", FRAMES)
    stopwatch.wrap(Eyes, "look", REST)
    stopwatch.wrap(Station, "attempt", REST)
    stopwatch.wrap(RunWriter, "add", RECORD)
    rollout.answers_of = stopwatch.timed(POLICY, rollout.answers_of)
    return stopwatch


class After(Silent):
    """Forgets what the first episode took, in which caches fill."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch, self.records = stopwatch, list[EpisodeRecord]()
        self.seconds = 0.0

    def finished(self, record: EpisodeRecord) -> None:
        """Begins to count after the first."""
        if not self.records:
            self._stopwatch.seconds.clear()
            self._began = time.perf_counter()
        self.seconds = time.perf_counter() - self._began
        self.records.append(record)


def measured(planned: Plan, stopwatch: Stopwatch) -> tuple[dict[str, float], Run]:
    """Milliseconds of each part for a control step, and the run."""
    after = After(stopwatch)
    run = execute(planned, "serial", RunnerOptions(), after, fresh=True)
    steps = sum(record.steps for record in after.records[1:])
    found = {part: 1000 * stopwatch.seconds[part] / steps for part in PARTS}
    found["whole"] = 1000 * after.seconds / steps
    found["steps"] = steps / (len(after.records) - 1)
    return found, run


def table(columns: Mapping[str, Mapping[str, float]]) -> None:
    """Prints milliseconds a control step, and shares."""
    print("| ms a control step | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for part in PARTS:
        cells = [f"{one[part]:.3f} ({one[part] / one['whole']:.0%})" for one in columns.values()]
        print(f"| {part} | " + " | ".join(cells) + " |")
    print("| **whole** | " + " | ".join(f"{one['whole']:.3f}" for one in columns.values()) + " |")
    for title, unit, of in (
        ("control steps a second", "", lambda one: 1000 / one["whole"]),
        ("seconds an episode", "", lambda one: one["whole"] * one["steps"] / 1000),
    ):
        cells = [f"{of(one):.3g}{unit}" for one in columns.values()]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def limits(runs: Mapping[str, Run]) -> None:
    """Prints what MuJoCo alone takes on the episodes of those runs."""
    print("\nMuJoCo alone:")
    for title, run in runs.items():
        physics, frames = alone(run)
        print(f"  states of '{title}': mj_step {physics:.3f} ms a control step,", end=" ")
        print(f"its renderer {frames:.2f} ms for two frames of {SIZE}²", flush=True)


def alone(run: Run) -> tuple[float, float]:
    """Milliseconds of raw physics for a control step, and of two frames; not the first episode."""
    environment, physics, frames = TabletopWorld().make(), [], []
    for episode in run.manifest.episodes[1:]:
        environment.start(episode)
        model, data = environment.model, environment.data
        raw = mujoco.MjData(model)
        for action in run.trace(episode.episode_id).actions:
            mujoco.mj_copyData(raw, model, data)
            began = time.perf_counter()
            mujoco.mj_step(model, raw, PHYSICS_STEPS)
            physics.append(time.perf_counter() - began)
            environment.advance(action)
        frames += raw_frames(model, data)
    environment.close()
    return 1000 * sum(physics) / len(physics), 1000 * sum(frames) / len(frames)


def raw_frames(model: mujoco.MjModel, data: mujoco.MjData) -> Sequence[float]:
    """Seconds of MuJoCo's own renderer for both cameras, a few times."""
    model.vis.global_.offwidth = model.vis.global_.offheight = SIZE
    option, seconds = mujoco.MjvOption(), []
    option.geomgroup[0] = 0  # collision shapes, which we do not draw either
    with mujoco.Renderer(model, SIZE, SIZE) as renderer:
        for _ in range(4):
            began = time.perf_counter()
            for role in ROLES:
                renderer.update_scene(data, CAMERAS[role], option)
                renderer.render()
            seconds.append(time.perf_counter() - began)
    return seconds[1:]


if __name__ == "__main__":
    main()
