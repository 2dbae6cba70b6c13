"""The physics comes apart: who is to blame, what is named, and how often it is tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from fault_runs import told

import vlabench
from vlabench.envs.divergence import ABSURD_SPEED
from vlabench.envs.simulation import Simulation
from vlabench.errors import BrokenSceneError, PolicyError
from vlabench.published import open_published
from vlabench.store import Run
from vlabench.suite import load_suite
from vlabench.types import EpisodeSpec

HOLD = np.zeros(7, dtype=np.float32)


@pytest.fixture(scope="module")
def episode() -> EpisodeSpec:
    suite = load_suite("smoke")
    published = open_published(suite)
    assert published is not None
    manifest = published.part(suite)
    assert manifest is not None
    return next(e for e in manifest.episodes if e.task == "place-on" and not e.changes)


@pytest.fixture
def simulation(episode: EpisodeSpec) -> Simulation:
    found = Simulation()
    found.start(episode)
    found.advance(HOLD)
    return found


def hurt(simulation: Simulation, role: str, array: str, value: float) -> str:
    """Spoils a number of an object; its category."""
    thing = simulation.scene.objects[role]
    joint = int(simulation.model.body_jntadr[thing.body])
    first = simulation.model.jnt_qposadr if array == "qpos" else simulation.model.jnt_dofadr
    getattr(simulation.data, array)[int(first[joint]) + 1] = value
    return thing.category.name


@pytest.mark.parametrize(
    ("array", "value"),
    [("qvel", np.nan), ("qpos", np.nan), ("qvel", np.inf), ("qvel", 1e11), ("qvel", 1e5)],
)
def test_a_scene_that_comes_apart_by_itself_names_the_object_and_blames_nobody(
    array: str, value: float, simulation: Simulation
) -> None:
    role = list(simulation.scene.objects)[-1]
    category = hurt(simulation, role, array, value)
    with pytest.raises(BrokenSceneError) as caught:
        simulation.advance(HOLD)
    assert f"at step 2: it is unstable, {role} ({category}) first." in str(caught.value)


def test_it_is_the_policys_doing_once_the_robot_has_touched_something(
    simulation: Simulation,
) -> None:
    role, thing = next(iter(simulation.scene.objects.items()))
    down = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)
    hand = simulation.observe().proprio["ee_position"]
    assert hand.shape == (3,)
    joint = int(simulation.model.body_jntadr[thing.body])
    address = int(simulation.model.jnt_qposadr[joint])
    grip = simulation.model.site("gripper0_right_grip_site").id
    simulation.data.qpos[address : address + 3] = simulation.data.site_xpos[grip]
    mujoco.mj_kinematics(simulation.model, simulation.data)
    for _ in range(5):
        simulation.advance(down)
        if simulation._safety.touched:
            break
    hurt(simulation, role, "qvel", np.nan)
    with pytest.raises(PolicyError, match=rf"The actions broke the physics .* {role} \("):
        simulation.advance(HOLD)


def test_what_is_fast_and_can_be_is_no_fault(simulation: Simulation) -> None:
    hurt(simulation, next(iter(simulation.scene.objects)), "qvel", 0.01 * ABSURD_SPEED)
    assert not simulation.advance(HOLD)


BROKEN = 1
"""The number of the episode whose scene comes apart."""


class Breaking(Simulation):
    """Comes apart in the middle of one episode, with nothing touched."""

    broken = ""

    def start(self, episode: EpisodeSpec) -> None:
        super().start(episode)
        self.breaks = episode.episode_id == self.broken

    def advance(self, action: np.ndarray) -> bool:
        if self.breaks and self.steps == 3:
            self.data.qvel[-1] = np.nan
        return super().advance(action)


def test_a_broken_scene_is_missing_at_once_and_the_others_are_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[..., None]
) -> None:
    def evaluate(folder: str) -> Run:
        out = tmp_path / folder
        return vlabench.evaluate("noop", "smoke", limit=2, runner="serial", out=out)

    whole = evaluate("whole")
    name = whole.needed[BROKEN].episode_id
    monkeypatch.setattr(Breaking, "broken", name)
    monkeypatch.setattr("vlabench.envs.world.Simulation", Breaking)
    evaluate("run")
    run = evaluate("run")
    assert run.missing == [name]
    first, second = run.attempts
    assert first.episode_id == second.episode_id == name
    assert first.error == second.error
    assert first.error.startswith("BrokenSceneError: The scene, of which the robot had touched not")
    others = told(whole)
    del others[name]
    fault = "NaN in one scene before anything was touched: missing by name; the other episodes"
    tell(fault, 2, others, told(run))
