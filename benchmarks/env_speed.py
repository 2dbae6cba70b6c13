"""How fast the environment is: beside raw MuJoCo, beside robosuite's Lift, and in the harness.

    .venv/bin/python benchmarks/env_speed.py [--repeats 9]

Whatever is compared takes turns in one process, so that a slow minute of the machine is slow for
all of them; each figure is the median over the turns, and each ratio the median of the turns' own
ratios. The first turn of each (compilation, caches) is not counted.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# no screen is needed; a backend that the user has chosen is left alone
os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np

from vlabench.contract.environment import draw_episode
from vlabench.contract.specs import CameraSpec, PolicySpec
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.evaluation import Plan, execute, plan
from vlabench.runner.job import RunnerOptions
from vlabench.runner.progress import Silent
from vlabench.store import Run
from vlabench.types import ActionChunk, EpisodeSpec, EpisodeStart, Observation

TASK = "place-on"
BESIDE_RAW = (TASK, "open-drawer", "clear-table")
IMAGE_SIZE = 256
CAMERAS = tuple(CameraSpec(role, IMAGE_SIZE, IMAGE_SIZE) for role in ("exterior/0", "wrist/0"))
STEPS = 40
STEPS_WITH_CAMERAS = 8
PHYSICS_STEPS = 25
CHUNK = 8
EPISODES = 4

Turn = Callable[[], float]
"""Does some work, and returns how many units of it were done a second."""


def main() -> None:
    """Runs all contests and prints them."""
    parser = argparse.ArgumentParser(description="Speed of the environment, as ratios.")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each contestant")
    repeats = parser.parse_args().repeats
    # robosuite fills the heap; a collection would fall on whoever is just taking a turn
    gc.disable()
    environment = TabletopWorld().make()
    environment.start(nominal_episode(0))
    blind = robosuite_lift(cameras=False)
    sizes = f"{environment.model.nv} dofs against {blind.sim.model.nv} in Lift"
    print(f"{TASK}: {sizes}; medians of {repeats} turns")
    beside_raw(environment, repeats)
    contest(
        f"(b) control steps of {TASK} without cameras, random actions",
        "steps/s",
        ("environment", lambda: random_stepping(environment)),
        ("robosuite Lift", lambda: lift_stepping(blind, STEPS)),
        repeats,
    )
    contest(
        "(c) resets without cameras, each to another scene",
        "resets/s",
        ("environment", lambda: starting(environment)),
        ("robosuite Lift", lambda: lift_resetting(blind)),
        max(repeats // 2, 3),
    )
    with seeing_lift() as lift:
        contest(
            f"(c) resets with two {IMAGE_SIZE}x{IMAGE_SIZE} cameras, first frames included",
            "resets/s",
            ("environment", lambda: starting(environment, CAMERAS)),
            ("robosuite Lift", lambda: lift("resets")),
            max(repeats // 2, 3),
        )
        contest(
            f"(d) two {IMAGE_SIZE}x{IMAGE_SIZE} cameras every control step",
            "frames/s",
            ("environment", lambda: watching(environment)),
            ("robosuite Lift", lambda: lift("frames")),
            repeats,
        )
    environment.close()
    harness_contest("expert", (), 1, max(repeats // 3, 3))
    harness_contest("env_speed:Constants", CAMERAS, CHUNK, max(repeats // 3, 3))


def contest(
    title: str, unit: str, ours: tuple[str, Turn], other: tuple[str, Turn], repeats: int
) -> None:
    """Lets the two take turns and prints their rates and the ratio of the first to the second."""
    for _, turn in (ours, other):
        turn()
    rates = [(ours[1](), other[1]()) for _ in range(repeats)]
    show(title, unit, (ours[0], other[0]), rates)


def show(title: str, unit: str, names: tuple[str, str], rates: Sequence[tuple[float, ...]]) -> None:
    """Prints the medians of both columns, and the median ratio of the first to the second."""
    first, second = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(one / two for one, two in rates)
    print(f"{title}\n  {names[0]} {first:.4g} {unit}, {names[1]} {second:.4g}: {ratio:.3g} times")


# --- ours -------------------------------------------------------------------------------------


def nominal_episode(index: int, task: str = TASK) -> EpisodeSpec:
    """The nominal episode of a task with that index, which never ends by itself."""
    return replace(draw_episode(TabletopWorld(), task, seed=0, index=index), horizon=10**9)


def beside_raw(environment: Simulation, repeats: int) -> None:
    """Prints control steps beside as many physics steps of MuJoCo alone, from the same states.

    From the state before every control step MuJoCo alone takes the same physics steps with the
    torques left as they are. The two take turns of a whole episode: in between the steps of one,
    the other would have pushed its code and data out of the processor's caches.
    """
    actions = random_actions(STEPS)
    for task in BESIDE_RAW:
        episode = nominal_episode(0, task)
        environment.start(episode)
        model, states = environment.model, []
        for action in actions:
            states.append(mujoco.MjData(model))
            mujoco.mj_copyData(states[-1], model, environment.data)
            environment.advance(action)
        contest(
            f"(a) control steps of {task} without cameras, random actions",
            "steps/s",
            ("environment", partial(stepping, environment, episode)),
            ("raw mj_step", partial(raw_stepping, model, states)),
            repeats,
        )


def stepping(environment: Simulation, episode: EpisodeSpec) -> float:
    """Control steps a second under random actions, with nothing in between."""
    environment.start(episode)
    actions = random_actions(STEPS)
    began = time.perf_counter()
    for action in actions:
        environment.advance(action)
    return len(actions) / (time.perf_counter() - began)


def raw_stepping(model: mujoco.MjModel, states: Sequence[mujoco.MjData]) -> float:
    """Control steps a second of MuJoCo alone, one from each state; copying is not counted."""
    data, spent = mujoco.MjData(model), 0.0
    for state in states:
        mujoco.mj_copyData(data, model, state)
        began = time.perf_counter()
        mujoco.mj_step(model, data, PHYSICS_STEPS)
        spent += time.perf_counter() - began
    return len(states) / spent


def random_stepping(environment: Simulation) -> float:
    """Control steps a second under random actions, from a fresh scene, reset not counted."""
    environment.start(nominal_episode(0))
    actions = random_actions(STEPS)
    began = time.perf_counter()
    for action in actions:
        environment.advance(action)
        environment.observe()
    return STEPS / (time.perf_counter() - began)


def starting(environment: Simulation, cameras: Sequence[CameraSpec] = ()) -> float:
    """Resets a second, over three scenes, each with its first look."""
    episodes = [nominal_episode(index) for index in range(3)]
    began = time.perf_counter()
    for episode in episodes:
        environment.start(episode)
        environment.observe(cameras)
    return len(episodes) / (time.perf_counter() - began)


def watching(environment: Simulation) -> float:
    """Frames a second of an environment that looks after every control step."""
    environment.observe(CAMERAS)
    actions = random_actions(STEPS_WITH_CAMERAS)
    began = time.perf_counter()
    for action in actions:
        environment.advance(action)
        environment.observe(CAMERAS)
    return 2 * len(actions) / (time.perf_counter() - began)


def random_actions(steps: int) -> np.ndarray:
    """``(steps, 7)``, moderate, and always the same."""
    return np.random.default_rng(0).uniform(-0.4, 0.4, (steps, 7)).astype(np.float32)


# --- robosuite --------------------------------------------------------------------------------


def robosuite_lift(*, cameras: bool) -> Any:
    """Lift as robosuite has it, with the two cameras that match ours or with none."""
    logging.getLogger("robosuite_logs").setLevel(logging.ERROR)
    import robosuite
    from robosuite.utils.log_utils import ROBOSUITE_DEFAULT_LOGGER

    ROBOSUITE_DEFAULT_LOGGER.setLevel(logging.ERROR)
    return robosuite.make(
        "Lift",
        robots="Panda",
        has_renderer=False,
        has_offscreen_renderer=cameras,
        use_camera_obs=cameras,
        camera_names=["agentview", "robot0_eye_in_hand"],
        camera_heights=IMAGE_SIZE,
        camera_widths=IMAGE_SIZE,
        horizon=10**9,
    )


def lift_stepping(environment: Any, steps: int) -> float:
    """Control steps a second under the same random actions."""
    actions = random_actions(steps)
    began = time.perf_counter()
    for action in actions:
        environment.step(action)
    return steps / (time.perf_counter() - began)


def lift_resetting(environment: Any) -> float:
    """Resets a second."""
    began = time.perf_counter()
    environment.reset()
    return 1 / (time.perf_counter() - began)


@contextmanager
def seeing_lift() -> Iterator[Callable[[str], float]]:
    """The ``"frames"`` or ``"resets"`` a second of a Lift with cameras, in a process of its own.

    robosuite draws into whatever OpenGL context is current, and frees old ones whenever Python
    collects garbage; beside our renderer it soon draws nothing, very fast.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve_lift, args=(there,), daemon=True)
    process.start()

    def turn(of_what: str) -> float:
        here.send(of_what)
        rate: float = here.recv()
        return rate

    yield turn
    here.send("")
    process.join()


def serve_lift(pipe: Connection) -> None:
    """Takes a turn whenever the other end of `pipe` names one, until it sends nothing."""
    gc.disable()
    environment = robosuite_lift(cameras=True)
    from OpenGL.GL import glGetError

    while wanted := pipe.recv():
        if wanted == "resets":
            rate = lift_resetting(environment)
        else:
            rate = 2 * lift_stepping(environment, STEPS_WITH_CAMERAS)
        assert glGetError() == 0, "robosuite lost its OpenGL context"
        pipe.send(rate)


# --- the harness ------------------------------------------------------------------------------


class Constants:
    """A policy that looks through both cameras once in `CHUNK` steps, and stands still."""

    def spec(self) -> PolicySpec:
        """Chunks, all of whose rows are executed."""
        return PolicySpec(name="constants", cameras=CAMERAS, chunk_length=CHUNK, executed=CHUNK)

    def reset(self, starts: Sequence[EpisodeStart]) -> None:
        """Nothing is remembered."""

    def act(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """The same ``(CHUNK, 7)`` for each observation."""
        return [ActionChunk(np.zeros((CHUNK, 7))) for _ in observations]

    def end(self, episode_ids: Sequence[str]) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


def harness_contest(policy: str, looks: Sequence[CameraSpec], every: int, repeats: int) -> None:
    """The whole harness under a policy, beside the same actions and looks in a bare loop."""
    name = policy.rpartition(":")[2]
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(policy, "smoke", limit=EPISODES // 2, out=Path(folder) / "run")
        run = run_harness(planned)
        steps = sum(record.steps for record in run.records)
        inference = sum(record.inference_s for record in run.records)
        wall = sum(record.wall_s for record in run.records)
        contest(
            f"(e) {len(run.records)} episodes of the smoke suite under {name}",
            "steps/s",
            ("harness", lambda: harness_rate(planned)),
            ("bare loop", lambda: bare_rate(run, looks, every)),
            repeats,
        )
    print(f"  {steps} control steps; {name} itself took {inference / wall:.1%} of an episode")


def run_harness(planned: Plan) -> Run:
    """Runs everything: looking, asking, checking, executing, hashing and writing."""
    return execute(planned, "serial", RunnerOptions(), Silent(), fresh=True)


def harness_rate(planned: Plan) -> float:
    """Control steps a second of the harness, resets and files counted."""
    began = time.perf_counter()
    run = run_harness(planned)
    return sum(record.steps for record in run.records) / (time.perf_counter() - began)


def bare_rate(run: Run, looks: Sequence[CameraSpec], every: int) -> float:
    """Control steps a second of the same scenes, actions and looks with nothing around them."""
    episodes = {episode.episode_id: episode for episode in run.manifest.episodes}
    actions = {name: run.trace(name).actions for name in episodes}
    began = time.perf_counter()
    environment = TabletopWorld().make()
    for name, episode in episodes.items():
        environment.start(episode)
        for step, action in enumerate(actions[name]):
            if looks and step % every == 0:
                environment.observe(looks)
            environment.advance(action)
    environment.close()
    return sum(map(len, actions.values())) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
