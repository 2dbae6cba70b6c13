from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.draw import JOINT_NOISE
from vlabench.envs.embodiments import TABLE_HEIGHT, embodiment
from vlabench.envs.factors import check_factors
from vlabench.envs.placing import REST_DEPTH
from vlabench.envs.scene import CAMERAS, Scene, compose, roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.errors import UsageError
from vlabench.hashing import bytes_hash
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

HASHES = """
import json, sys
import mujoco, numpy as np
from vlabench.envs.scene import compose
from vlabench.envs.simulation import Simulation
from vlabench.hashing import bytes_hash
from vlabench.types import EpisodeSpec

def hash_of(model):
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return bytes_hash(buffer.tobytes())

simulation = Simulation()
results = []
for text in json.loads({episodes!r}):
    episode = EpisodeSpec.from_json(text)
    first = hash_of(compose(episode.factors).model)
    simulation.start(episode)
    for action in np.random.default_rng(5).uniform(-1, 1, (8, 7)).astype(np.float32):
        simulation.advance(action)
    results.append([episode.episode_id, first, simulation.outcome().final_state_hash])
print(json.dumps(results))
"""


def hash_of(model: mujoco.MjModel) -> str:
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return bytes_hash(buffer.tobytes())


@pytest.fixture(scope="module")
def scene(draw: Draw) -> Scene:
    return compose(draw("store-in-drawer").factors)


@pytest.fixture(scope="module")
def robosuites_own() -> mujoco.MjModel:
    """The robot at its table exactly as robosuite writes it."""
    from robosuite.models.arenas import TableArena
    from robosuite.models.grippers import gripper_factory
    from robosuite.models.robots import create_robot
    from robosuite.models.tasks import ManipulationTask

    robot = create_robot("Panda", idn=0)
    gripper = gripper_factory("PandaGripper", idn="0_right")
    robot.add_gripper(gripper, robot.eef_name["right"])
    arena = TableArena(table_full_size=(0.8, 0.8, 0.05), table_offset=(0, 0, TABLE_HEIGHT))
    model: mujoco.MjModel = ManipulationTask(arena, [robot], []).get_model(mode="mujoco")
    return model


# --- the same bytes ----------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
def test_models_are_equal_when_rebuilt_with_others_in_between(draw: Draw, task: str) -> None:
    factors = draw(task, 1).factors
    first = hash_of(compose(factors).model)
    other = hash_of(compose(draw(task, 2).factors).model)
    assert hash_of(compose(factors).model) == first != other


def test_models_are_equal_when_rebuilt_from_a_record(draw: Draw) -> None:
    factors = draw("store-in-drawer", 3, "lighting:L3").factors
    shuffled = dict(reversed(list(json.loads(json.dumps(factors)).items())))
    assert list(shuffled) != list(factors)
    assert hash_of(compose(shuffled).model) == hash_of(compose(factors).model)


def test_another_process_builds_the_same_models_and_takes_the_same_path(
    draw: Draw, elsewhere: Callable[[str], Any]
) -> None:
    episodes = [draw(task, 2) for task in TASKS.names()]
    text = json.dumps([episode.to_json() for episode in episodes])
    there = elsewhere(HASHES.format(episodes=text))
    simulation = Simulation()
    for episode, (name, model, state) in zip(episodes, there, strict=True):
        assert name == episode.episode_id
        assert model == hash_of(compose(episode.factors).model), episode.task
        simulation.start(episode)
        for action in np.random.default_rng(5).uniform(-1, 1, (8, 7)).astype(np.float32):
            simulation.advance(action)
        assert state == simulation.outcome().final_state_hash, episode.task


# --- factors that somebody has written -----------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"table": None}, "lacks the factor 'table'"),
        ({"table": "teack"}, "Unknown table top 'teack'.*did you mean 'teak'"),
        ({"room": {"wall": "brick"}}, "it must be the names of a 'wall' and a 'floor'"),
        ({"object.category": "aple"}, "Unknown object category 'aple'; did you mean 'apple'"),
        ({"object.color": "gold"}, "'object.color' is 'gold', but a .* comes in"),
        ({"object.material": "wod"}, "Unknown material 'wod'.*did you mean 'wood'"),
        ({"object.shade": 2}, "has 2 held-out shades"),
        ({"object.pose": [0.1]}, "'object.pose'.*three finite numbers"),
        ({"object.pose": [0.1, float("nan"), 0.0]}, "'object.pose'.*three finite numbers"),
        ({"object.shape": [0.5, 0.5, 0.5, 2.0]}, "4 numbers from 0 to 1"),
        ({"object.scale": 0.0}, "a number greater than 0"),
        ({"objct.pose": [0.1, 0.0, 0.0]}, "Unknown factor 'objct.pose'.*'object.pose'"),
        ({"robot": [0.0]}, "7 finite numbers"),
        ({"camera": {"distance": 1.0}}, "azimuth_deg, elevation_deg, distance"),
        ({"cabinet.parts": {"top drawer": 0.0}}, "the parts are top drawer, bottom drawer"),
        ({"cabinet.color": "gold"}, "the cabinet comes in"),
        ({"cast": {}}, "'cast'.*lacks 'drawer'"),
        ({"cast": {"drawer": "top draw"}}, "did you mean 'top drawer'"),
        ({"noise": {"kind": "fog", "severity": 1.0, "seed": 1}}, "blur, gaussian"),
        ({"embodiment": "pandda"}, "did you mean 'panda'"),
        ({"embodiment": "panda-robotiq85"}, "is for the robot 'panda'"),
    ],
)
def test_a_wrong_factor_is_refused_in_one_sentence(
    draw: Draw, changed: dict[str, Any], sentence: str
) -> None:
    episode = draw("store-in-drawer")
    factors = {**episode.factors, **changed}
    given = {name: value for name, value in factors.items() if value is not None or name == "noise"}
    with pytest.raises(UsageError, match=sentence):
        Simulation().start(replace(episode, factors=given))


def test_looking_through_the_factors_is_cheap(draw: Draw) -> None:
    episode, times = draw("errands", 0, "horizon:8"), []
    for _ in range(20):
        start = time.perf_counter()
        check_factors(episode.factors, task_called("errands"), episode.embodiment)
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3


# --- what robosuite gave is kept ---------------------------------------------------------------


def test_the_solver_is_robosuites(scene: Scene, robosuites_own: mujoco.MjModel) -> None:
    options, own = scene.model.opt, robosuites_own.opt
    assert options.impratio == own.impratio == 20
    assert options.cone == own.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    for name in ("timestep", "integrator", "solver", "iterations", "tolerance"):
        assert getattr(options, name) == getattr(own, name), name
    assert np.array_equal(options.gravity, own.gravity)


def test_no_mass_of_the_robot_is_lost(scene: Scene, robosuites_own: mujoco.MjModel) -> None:
    compared = 0
    for index in range(robosuites_own.nbody):
        theirs = robosuites_own.body(index)
        if not theirs.name.startswith(("robot0_", "gripper0_")) or theirs.mass[0] == 0:
            continue
        ours = scene.model.body(theirs.name)
        assert ours.mass[0] == pytest.approx(theirs.mass[0], rel=1e-9), theirs.name
        np.testing.assert_allclose(ours.inertia, theirs.inertia, rtol=1e-9, err_msg=theirs.name)
        np.testing.assert_allclose(ours.ipos, theirs.ipos, atol=1e-9, err_msg=theirs.name)
        compared += 1
    assert compared >= 10


def test_joints_and_motors_are_robosuites(scene: Scene, robosuites_own: mujoco.MjModel) -> None:
    for index in range(robosuites_own.njnt):
        theirs = robosuites_own.joint(index)
        ours = scene.model.joint(theirs.name)
        for name in ("range", "damping", "armature", "frictionloss", "stiffness"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), (theirs.name, name)
    for index in range(robosuites_own.nu):
        theirs = robosuites_own.actuator(index)
        ours = scene.model.actuator(theirs.name)
        for name in ("gainprm", "biasprm", "gear", "forcerange"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), (theirs.name, name)
        if not theirs.name.startswith(scene.embodiment.gripper_prefix):
            assert np.array_equal(ours.ctrlrange, theirs.ctrlrange), theirs.name


def test_fingers_may_aim_past_each_other(scene: Scene, robosuites_own: mujoco.MjModel) -> None:
    gripper = scene.embodiment.gripper
    first, second = scene.model.actuator_ctrlrange[-2:].tolist()
    assert (first, second) == ([gripper.closed[0], 0.04], [-0.04, gripper.closed[1]])
    assert robosuites_own.actuator_ctrlrange[-2:].tolist() == [[0.0, 0.04], [-0.04, 0.0]]


def test_the_last_three_motors_are_weaker_than_the_others(scene: Scene) -> None:
    limits = [scene.model.actuator(f"robot0_torq_j{k}").ctrlrange[1] for k in range(1, 8)]
    assert limits == [80.0, 80.0, 80.0, 80.0, 80.0, 12.0, 12.0]


def test_the_arena_of_the_data_stays_small(scene: Scene) -> None:
    assert scene.model.narena < 64 * 1024**2


# --- what is in a scene ------------------------------------------------------------------------


def test_masses_are_the_shapes_own(scene: Scene) -> None:
    for thing in scene.objects.values():
        body = scene.model.body(thing.name)
        assert body.mass[0] == pytest.approx(thing.shape.mass, rel=1e-6)
        assert (body.inertia > 0).all()


@pytest.mark.parametrize("task", TASKS.names())
def test_everything_stands_where_it_was_drawn(draw: Draw, task: str) -> None:
    factors = draw(task, 6).factors
    scene = compose(factors)
    assert sorted(scene.objects) == roles_in(factors)
    for role, thing in scene.objects.items():
        x, y, yaw = factors[f"{role}.pose"]
        body = scene.model.body(role)
        up = np.zeros(9)
        mujoco.mju_quat2Mat(up, body.quat)
        axis = up.reshape(3, 3)[:, 2]
        level, support = TABLE_HEIGHT - REST_DEPTH, factors.get(f"{role}.on")
        if support is not None:
            level += scene.objects[support].shape.surface_height - REST_DEPTH
        if factors.get(f"{role}.lying", False):
            middle = body.pos + axis * thing.shape.height / 2
            np.testing.assert_allclose(axis, [np.cos(yaw), np.sin(yaw), 0], atol=1e-5)
            np.testing.assert_allclose(middle, [x, y, level + thing.shape.lying], atol=1e-5)
        else:
            np.testing.assert_allclose(axis, [0, 0, 1], atol=1e-12)
            np.testing.assert_allclose(body.pos, [x, y, level], atol=1e-9)
            turn = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
            np.testing.assert_allclose(body.quat, turn, atol=1e-8)
        assert thing.category.name == factors[f"{role}.category"]
        assert len(thing.geoms) == len(thing.shape.pieces)
    assert np.abs(scene.home - embodiment("panda").home).max() <= JOINT_NOISE


def test_the_whole_robot_counts_as_what_can_hold(scene: Scene) -> None:
    names = {scene.model.body(scene.model.geom_bodyid[g]).name for g in scene.robot_geoms}
    assert {"gripper0_right_leftfinger", "gripper0_right_rightfinger"} <= names
    assert {f"robot0_link{k}" for k in range(8)} <= names
    assert all(name.startswith(("robot0_", "gripper0_right_")) for name in names)
    for finger in ("leftfinger", "rightfinger"):
        body = scene.model.body(f"gripper0_right_{finger}").id
        first = scene.model.body_geomadr[body]
        solid = {
            g
            for g in range(first, first + scene.model.body_geomnum[body])
            if scene.model.geom_contype[g]
        }
        assert solid <= scene.robot_geoms


def test_every_camera_is_there_and_upright(scene: Scene) -> None:
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    for name in CAMERAS.values():
        right, up, _ = data.cam_xmat[scene.model.camera(name).id].reshape(3, 3).T
        if name != "wrist":
            assert abs(right[2]) < 1e-6, f"{name} is rolled"
            assert up[2] > 0.2, f"{name} looks straight down or stands on its head"


@pytest.mark.parametrize("task", TASKS.names())
def test_the_whole_stage_is_in_sight_of_the_exterior_camera(draw: Draw, task: str) -> None:
    for index in range(20):
        scene = compose(draw(task, index).factors)
        data = mujoco.MjData(scene.model)
        mujoco.mj_forward(scene.model, data)
        camera = scene.model.camera("agentview").id
        half = np.tan(np.radians(scene.model.cam_fovy[camera]) / 2)
        for name, thing in scene.objects.items():
            offset = data.xpos[thing.body] - data.cam_xpos[camera]
            x, y, z = data.cam_xmat[camera].reshape(3, 3).T @ offset
            assert max(abs(x), abs(y)) < -z * half, (index, name)
