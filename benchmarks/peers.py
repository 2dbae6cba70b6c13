"""How fast vlabench is: beside robosuite, beside MuJoCo alone, and its harness beside a bare loop.

    .venv/bin/python benchmarks/peers.py [--repeats 7]

Everything runs on one thread: the software renderer has no threads of its own (LP_NUM_THREADS=0),
as in a worker. Whatever is compared takes turns, each side in a process of its own, so that a slow
minute of the machine is slow for both; a figure is the median over the turns, and a ratio the
median of the turns' own ratios, with the smallest and the largest. The first turn of each
(compilation, caches) is not counted. Exits with 1 if a ratio is below its bound.

The peer is robosuite's nearest environment with the Panda, its own defaults, 20 Hz and the same two
cameras. Its scenes have fewer things in them than ours. It renders in every step, whoever looks: so
it does under a policy that executes chunks, too.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")  # no screen is needed; the user's choice is left alone
os.environ["LP_NUM_THREADS"] = "0"
os.environ["OMP_NUM_THREADS"] = "1"

import mujoco
import numpy as np
from looking import ROLES

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.evaluation import Plan, execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.runner.ray import cluster
from vlabench.store import Run
from vlabench.types import EpisodeRecord, EpisodeSpec

PAIRS: Mapping[str, str] = {"lift": "Lift", "stack": "Stack"}
"""Task to robosuite's nearest environment."""

HARDER = ("place-on", "open-drawer", "clear-table")
"""Tasks whose control step is held against raw MuJoCo besides."""

IMAGE_SIZE = 256
CAMERAS = tuple(CameraSpec(role, IMAGE_SIZE, IMAGE_SIZE) for role in ROLES)
PHYSICS_STEPS = 25
CHUNK = 8
STEPS: Mapping[str, int] = {
    "blind": 160,
    "blind alone": 60,
    "seeing": 16,
    "chunks": 5 * CHUNK,
}
"""Control steps of a turn."""
EPISODES = 10


@dataclass
class Contest:
    """What two sides reached in their turns.

    Attributes:
        bound: The least that the ratio is to be; None if it is only shown.
    """

    title: str
    unit: str
    bound: float | None
    turns: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the turns' ratios."""
        return statistics.median(one / two for one, two in self.turns)

    @property
    def reached(self) -> bool:
        """Whether the ratio is what it is to be."""
        return self.bound is None or self.ratio >= self.bound

    def row(self) -> str:
        """A line of the table."""
        ours, other = (statistics.median(column) for column in zip(*self.turns, strict=True))
        ratios = [one / two for one, two in self.turns]
        bound = "" if self.bound is None else f"{self.bound:g}"
        spread = f"{self.ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        mark = "" if self.reached else " **below**"
        return (
            f"| {self.title} | {ours:.4g} | {other:.4g} | {self.unit} | {spread}{mark} | {bound} |"
        )


def main() -> int:
    """Runs all contests and prints them; 1 if a ratio is below its bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="turns of each contestant")
    repeats = parser.parse_args().repeats
    contests = []
    for task, name in PAIRS.items():
        contests += beside_robosuite(task, name, repeats)
    contests += beside_raw(repeats)
    contests += beside_a_bare_loop(max(repeats // 2, 3))
    return int(not all(contest.reached for contest in contests))


def show(peer: str, contests: Sequence[Contest]) -> Sequence[Contest]:
    """Prints a table of contests against one peer."""
    print(f"\n| | vlabench | {peer} | | times | at least |\n|---|---|---|---|---|---|")
    for contest in contests:
        print(contest.row(), flush=True)
    return contests


# --- beside robosuite -------------------------------------------------------------------------


def beside_robosuite(task: str, name: str, repeats: int) -> Sequence[Contest]:
    """Steps and resets of a task, and of robosuite's nearest environment."""
    contests = {
        "blind": Contest(f"{task}: no cameras", "steps/s", 5),
        "seeing": Contest(f"{task}: two {IMAGE_SIZE}² cameras every step", "steps/s", 4),
        "chunks": Contest(f"{task}: the same, chunks of {CHUNK}", "steps/s", 20),
        "blind resets": Contest(f"{task}: reset, no cameras", "resets/s", None),
        "resets": Contest(f"{task}: reset and first look", "resets/s", 10),
    }
    with contestant(serve_ours, task) as ours, contestant(serve_robosuite, name) as theirs:
        for kind, contest in contests.items():
            ours(kind), theirs(kind)
            contest.turns += [(ours(kind), theirs(kind)) for _ in range(repeats)]
    return show(f"robosuite {name}", list(contests.values()))


@contextmanager
def contestant(
    serve: Callable[[Connection, str], None], of_what: str
) -> Iterator[Callable[[str], float]]:
    """Somebody who takes turns in a process of its own: the kind of turn to a rate a second.

    robosuite draws into whatever OpenGL context is current, and frees old ones whenever Python
    collects garbage; beside our renderer it soon draws nothing, very fast.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there, of_what), daemon=True)
    process.start()

    def turn(kind: str) -> float:
        here.send(kind)
        rate: float = here.recv()
        return rate

    yield turn
    here.send("")
    process.join()


def serve_ours(pipe: Connection, task: str) -> None:
    """Takes turns with a task until nothing is asked for."""
    gc.disable()
    environment, first, indices = TabletopWorld().make(), nominal_episode(task, 0), count(1)
    while kind := pipe.recv():
        if kind.endswith("resets"):  # no scene comes twice
            episodes = [nominal_episode(task, next(indices)) for _ in range(3)]
            pipe.send(our_resets(environment, episodes, () if "blind" in kind else CAMERAS))
        else:
            pipe.send(our_steps(environment, first, kind))
    environment.close()


def our_steps(environment: Simulation, episode: EpisodeSpec, kind: str) -> float:
    """Control steps a second under random actions, looks included, the reset not counted."""
    environment.start(episode)
    cameras = () if kind.startswith("blind") else CAMERAS
    every = {"chunks": CHUNK, "blind alone": 10**9}.get(kind, 1)
    environment.observe(cameras)
    actions = random_actions(STEPS[kind])
    began = time.perf_counter()
    for step, action in enumerate(actions, start=1):
        environment.advance(action)
        if step % every == 0:
            environment.observe(cameras)
    return len(actions) / (time.perf_counter() - began)


def our_resets(
    environment: Simulation, episodes: Sequence[EpisodeSpec], cameras: Sequence[CameraSpec]
) -> float:
    """Resets a second, each to another scene, with the first look."""
    began = time.perf_counter()
    for episode in episodes:
        environment.start(episode)
        environment.observe(cameras)
    return len(episodes) / (time.perf_counter() - began)


def serve_robosuite(pipe: Connection, name: str) -> None:
    """Takes turns with robosuite's environment until nothing is asked for."""
    gc.disable()
    blind, seeing = (robosuite_environment(name, cameras=cameras) for cameras in (False, True))
    from OpenGL.GL import glGetError

    while kind := pipe.recv():
        environment = blind if kind.startswith("blind") else seeing
        began = time.perf_counter()
        environment.reset()
        if kind.endswith("resets"):
            pipe.send(1 / (time.perf_counter() - began))
            continue
        actions = random_actions(STEPS[kind])
        began = time.perf_counter()
        for action in actions:
            environment.step(action)
        rate = len(actions) / (time.perf_counter() - began)
        assert glGetError() == 0, "robosuite lost its OpenGL context"
        pipe.send(rate)


def robosuite_environment(name: str, *, cameras: bool) -> Any:
    """The environment as robosuite has it, with the two cameras that match ours or with none."""
    logging.disable(logging.WARNING)
    import robosuite

    return robosuite.make(
        name,
        robots="Panda",
        has_renderer=False,
        has_offscreen_renderer=cameras,
        use_camera_obs=cameras,
        camera_names=["agentview", "robot0_eye_in_hand"],
        camera_heights=IMAGE_SIZE,
        camera_widths=IMAGE_SIZE,
        control_freq=20,
        horizon=10**9,
    )


# --- beside MuJoCo alone ----------------------------------------------------------------------


def beside_raw(repeats: int) -> Sequence[Contest]:
    """Control steps beside as many physics steps of MuJoCo alone, from the same states."""
    environment = TabletopWorld().make()
    contests = []
    for task in (*PAIRS, *HARDER):
        episode = nominal_episode(task, 0)
        model, states = states_of(environment, episode)
        turns = [
            (our_steps(environment, episode, "blind alone"), raw_steps(model, states))
            for _ in range(repeats + 1)
        ]
        contests.append(Contest(f"{task}: control step, no cameras", "steps/s", 0.9, turns[1:]))
    environment.close()
    return show("raw mj_step", contests)


def states_of(
    environment: Simulation, episode: EpisodeSpec
) -> tuple[mujoco.MjModel, Sequence[mujoco.MjData]]:
    """The model of an episode, and its state before each control step under random actions."""
    environment.start(episode)
    states = []
    for action in random_actions(STEPS["blind alone"]):
        states.append(mujoco.MjData(environment.model))
        mujoco.mj_copyData(states[-1], environment.model, environment.data)
        environment.advance(action)
    return environment.model, states


def raw_steps(model: mujoco.MjModel, states: Sequence[mujoco.MjData]) -> float:
    """Control steps a second of MuJoCo alone, one from each state; copying is not counted.

    The torques stay as they are: nothing but MuJoCo, on the same motion and contacts.
    """
    data, spent = mujoco.MjData(model), 0.0
    for state in states:
        mujoco.mj_copyData(data, model, state)
        began = time.perf_counter()
        mujoco.mj_step(model, data, PHYSICS_STEPS)
        spent += time.perf_counter() - began
    return len(states) / spent


# --- the harness ------------------------------------------------------------------------------


def beside_a_bare_loop(repeats: int) -> Sequence[Contest]:
    """The whole harness on Ray, one worker, beside the same scenes and actions in a bare loop."""
    args = {"chunk": CHUNK, "size": IMAGE_SIZE}
    with tempfile.TemporaryDirectory() as folder, cluster(RunnerOptions(workers=1)):
        looking = Path(__file__).with_name("looking.py").stem + ":Looking"
        os.chdir(Path(__file__).parent)  # a policy of one's own is searched where one stands
        chunked = plan(looking, "ci", policy_args=args, limit=EPISODES, out=Path(folder) / "looks")
        expert = plan("expert", "ci", limit=EPISODES, out=Path(folder) / "expert")
        contests = [
            harness_contest(f"two cameras, chunks of {CHUNK}", 0.9, chunked, CHUNK, repeats),
            harness_contest("expert, no cameras", None, expert, 0, repeats),
        ]
    return show("bare loop", contests)


def harness_contest(
    title: str, bound: float | None, planned: Plan, every: int, repeats: int
) -> Contest:
    """Lets the harness and the bare loop take turns; `every` so many steps the loop looks."""
    contest, clock = Contest(f"harness: {title}", "steps/s", bound), Clock()
    for turn in range(repeats + 1):
        run = execute(planned, "ray", RunnerOptions(workers=1), clock, fresh=True)
        with bare_process(run, [record.episode_id for record in clock.records], every) as rate:
            if turn:
                contest.turns.append((clock.rate(), rate))
    if not every:
        share = sum(r.inference_s for r in run.records) / sum(r.wall_s for r in run.records)
        contest.title += f" (which takes {share:.0%} of an episode)"
    return contest


class Clock(Silent):
    """Notes when each episode was on disk; the first one, with the worker's start, is left out."""

    def begin(self, planned: int, done: Any) -> None:
        """Forgets the run before."""
        self.records: list[EpisodeRecord] = []
        self._times: list[float] = []

    def finished(self, record: EpisodeRecord) -> None:
        """Notes the time."""
        self.records.append(record)
        self._times.append(time.perf_counter())

    def rate(self) -> float:
        """Control steps a second."""
        steps = sum(record.steps for record in self.records[1:])
        return steps / (self._times[-1] - self._times[0])


@contextmanager
def bare_process(run: Run, order: Sequence[str], every: int) -> Iterator[float]:
    """The rate of a bare loop over the same episodes, in a process like a worker's."""
    spawn = multiprocessing.get_context("spawn")
    episodes = [run.manifest.by_id[name] for name in order]
    actions = [run.trace(name).actions for name in order]
    with spawn.Pool(1) as pool:
        yield pool.apply(bare_rate, (episodes, actions, every))


def bare_rate(episodes: Sequence[EpisodeSpec], actions: Sequence[np.ndarray], every: int) -> float:
    """Control steps a second with nothing around them; the first episode is left out."""
    environment = TabletopWorld().make()
    began = 0.0
    for number, (episode, rows) in enumerate(zip(episodes, actions, strict=True)):
        if number == 1:
            began = time.perf_counter()
        environment.start(episode)
        for step, action in enumerate(rows):
            if every and step % every == 0:
                environment.observe(CAMERAS)
            environment.advance(action)
    rate = sum(map(len, actions[1:])) / (time.perf_counter() - began)
    environment.close()
    return rate


# --- what all share ---------------------------------------------------------------------------


def nominal_episode(task: str, index: int) -> EpisodeSpec:
    """The nominal episode of a task with that index, which never ends by itself."""
    return replace(draw_episode(TabletopWorld(), task, seed=0, index=index), horizon=10**9)


def random_actions(steps: int) -> np.ndarray:
    """``(steps, 7)``, moderate, and always the same."""
    return np.random.default_rng(0).uniform(-0.4, 0.4, (steps, 7)).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
