from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import vlabench.envs.rendering as rendering
from vlabench.contract.specs import CameraSpec
from vlabench.envs.env import TabletopEnv
from vlabench.envs.tasks import GYM_IDS
from vlabench.envs.tasks.base import task as task_called
from vlabench.errors import UsageError
from vlabench.policies.expert import Expert
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec, EpisodeStart

Draw = Callable[..., EpisodeSpec]
Make = Callable[..., TabletopEnv]

HOLD = np.zeros(7, dtype=np.float32)
SMALL = {"cameras": ("agentview", "wrist"), "image_size": (48, 64)}


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes environments, and closes them."""
    made: list[TabletopEnv] = []

    def maker(task: str = "place-on", **arguments: Any) -> TabletopEnv:
        made.append(TabletopEnv(task=task, **arguments))
        return made[-1]

    yield maker
    for env in made:
        env.close()


def random_actions(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 7)).astype(np.float32)


def bits(env: TabletopEnv) -> bytes:
    return env.data.qpos.tobytes() + env.data.qvel.tobytes()


# --- Gymnasium ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {**SMALL, "render_mode": "rgb_array"}])
def test_gymnasium_finds_nothing_to_complain_about(arguments: dict[str, Any]) -> None:
    env = gymnasium.make("vlabench/PlaceOn-v0", **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check="render_mode" not in arguments)
    env.close()


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_has_an_environment(task: str) -> None:
    env = gymnasium.make(f"vlabench/{GYM_IDS[task]}-v0")
    observation, info = env.reset(seed=3)
    assert observation in env.observation_space
    assert env.unwrapped.task == task
    asked = task_called(task).asked(info["factors"])
    assert set(info["stages"]) == {stage.name for stage in asked}
    env.close()


def test_importing_the_world_makes_the_name_known_and_sets_nothing(
    elsewhere: Callable[[str], Any],
) -> None:
    found = elsewhere(
        """
import json, os, sys
before = dict(os.environ)
import vlabench.envs
quiet = "mujoco" not in sys.modules
import gymnasium
env = gymnasium.make("vlabench/PlaceOn-v0")
untouched = before == dict(os.environ)
observation, info = env.reset(seed=0)
env.step(env.action_space.sample())
untouched = untouched and "MUJOCO_GL" not in os.environ
print(json.dumps([quiet, untouched, info["instruction"]]))
"""
    )
    env = gymnasium.make("vlabench/PlaceOn-v0")
    assert found == [True, True, env.reset(seed=0)[1]["instruction"]]


def test_model_and_data_are_mujocos(make: Make) -> None:
    env = make()
    env.reset(seed=0)
    assert isinstance(env.unwrapped.model, mujoco.MjModel)
    assert isinstance(env.unwrapped.data, mujoco.MjData)
    assert env.data.model is env.model
    before = env.data.time
    env.step(HOLD)
    assert env.data.time == pytest.approx(before + 0.05)


# --- vectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_instructions_arrive_intact_through_vectors(make: Make, mode: str) -> None:
    single = make()
    told = [single.reset(seed=seed)[1]["instruction"] for seed in (11, 12)]
    assert told[0] != told[1]
    vector = gymnasium.make_vec("vlabench/PlaceOn-v0", num_envs=2, vectorization_mode=mode)
    try:
        observations, infos = vector.reset(seed=[11, 12])
        assert list(infos["instruction"]) == told
        assert observations["ee_position"].shape == (2, 3)
        for actions in random_actions(8).reshape(4, 2, 7):
            observations, rewards, terminated, truncated, infos = vector.step(actions)
            assert list(infos["instruction"]) == told
            assert not rewards.any()
            assert not (terminated | truncated).any()
        assert observations in vector.observation_space
    finally:
        vector.close()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_go_on_with_the_next_episodes(draw: Draw, mode: str) -> None:
    # sub-environments that end after 3 and after 5 steps, each several times
    def env_fn(horizon: int) -> Callable[[], gymnasium.Env[Any, Any]]:
        return lambda: gymnasium.wrappers.TimeLimit(TabletopEnv(task="stack"), horizon)

    maker = {"sync": gymnasium.vector.SyncVectorEnv, "async": gymnasium.vector.AsyncVectorEnv}
    vector = maker[mode]([env_fn(3), env_fn(5)])
    single = TabletopEnv(task="stack")
    single.reset(seed=21)
    expected = [single.reset()[1]["instruction"] for _ in range(3)]
    try:
        vector.reset(seed=[21, 22])
        ended, told = np.zeros(2, dtype=int), []
        for _ in range(12):
            _, _, _, truncated, infos = vector.step(np.zeros((2, 7), dtype=np.float32))
            if ended[0] and not told[ended[0] - 1 :]:
                told.append(infos["instruction"][0])
            ended += truncated
        assert ended.tolist() == [3, 2]
        assert told == expected[: len(told)]
        assert len(told) >= 2
    finally:
        vector.close()


def test_vectors_carry_images(make: Make) -> None:
    single = make(**SMALL)
    frame = single.reset(seed=5)[0]["agentview"]
    vector = gymnasium.make_vec(
        "vlabench/PlaceOn-v0", num_envs=2, vectorization_mode="sync", **SMALL
    )
    observations, _ = vector.reset(seed=[5, 6])
    assert observations["agentview"].shape == (2, 48, 64, 3)
    assert np.array_equal(observations["agentview"][0], frame)
    assert not np.array_equal(*observations["agentview"])
    vector.close()


# --- seeds -------------------------------------------------------------------------------------


def test_a_seed_is_an_episode_to_the_bit(make: Make) -> None:
    runs = []
    for seed in (7, 7, 8):
        env = make()
        observation, info = env.reset(seed=seed)
        states = [bits(env)]
        for action in random_actions(5):
            observation, *_ = env.step(action)
            states.append(bits(env))
        runs.append((info["episode_id"], states, observation["joint_positions"].tobytes()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
    assert not set(runs[0][1]) & set(runs[2][1])


def test_a_seed_begins_a_row_of_different_episodes(make: Make) -> None:
    rows = []
    for _ in range(2):
        env = make("open-drawer")
        ids = [env.reset(seed=4)[1]["episode_id"]]
        ids += [env.reset()[1]["episode_id"] for _ in range(3)]
        rows.append(ids)
    assert rows[0] == rows[1]
    assert len(set(rows[0])) == 4


def test_options_choose_the_episode(make: Make, draw: Draw) -> None:
    env = make("stack", changes=("lighting:L2",))
    episode = draw("stack", 9, "lighting:L2")
    _, by_index = env.reset(options={"index": 9})
    first = bits(env)
    _, by_spec = env.reset(seed=1, options={"episode": episode})
    assert by_index["episode_id"] == by_spec["episode_id"] == episode.episode_id
    assert by_index["factors"] == episode.factors
    assert by_spec["instruction"] == episode.instruction
    assert bits(env) == first


# --- rewards and ends --------------------------------------------------------------------------


def test_the_reward_comes_once_and_with_the_end(make: Make, draw: Draw) -> None:
    env, expert, episode = make(), Expert(), draw("place-on", 0)
    env.reset(options={"episode": episode})
    expert.reset([EpisodeStart(episode.episode_id, 0, "", env.simulation.spec())])
    rewards, over = [], False
    while not over:
        chunk = expert.act([env.simulation.observe(privileged=True)])[0]
        _, reward, terminated, truncated, info = env.step(chunk.actions[0])
        rewards.append(reward)
        over = terminated or truncated
    assert (terminated, truncated, info["success"]) == (True, False, True)
    assert info["stages"] == {"on": True}
    assert rewards[-1] == 1.0
    assert sum(rewards) == 1.0
    with pytest.raises(UsageError, match=r"episode is over; call reset\(\)"):
        env.step(HOLD)
    env.reset()
    env.step(HOLD)


def test_the_horizon_truncates(make: Make, draw: Draw) -> None:
    env = make("open-drawer")
    _, info = env.reset(options={"index": 0})
    assert info["success"] is False
    ends = []
    for _ in range(task_called("open-drawer").horizon):
        _, reward, terminated, truncated, info = env.step(HOLD)
        assert (reward, terminated, info["success"]) == (0.0, False, False)
        ends.append(truncated)
    assert ends.index(True) == len(ends) - 1
    with pytest.raises(UsageError, match="over"):
        env.step(HOLD)


def test_a_diagnostic_that_runs_to_the_horizon_rewards_nothing(make: Make, draw: Draw) -> None:
    # the expert does the nominal task all the same, which nobody has asked for
    env, expert = make(), Expert()
    episode = replace(draw("place-on", 0, "empty-instruction:L1"), horizon=180)
    env.reset(options={"episode": episode})
    expert.reset([EpisodeStart(episode.episode_id, 0, "", env.simulation.spec())])
    ends, truncated = [], False
    while not truncated:
        chunk = expert.act([env.simulation.observe(privileged=True)])[0]
        _, reward, terminated, truncated, info = env.step(chunk.actions[0])
        assert (reward, terminated) == (0.0, False)
        ends.append("compliance" in info)
    assert len(ends) == episode.horizon
    assert info["success"] is True
    assert info["compliance"] is False
    assert ends.index(True) == len(ends) - 1


def test_to_stay_away_complies_with_what_cannot_be_done(make: Make, draw: Draw) -> None:
    env = make()
    episode = replace(draw("place-on", 0, "absent-object:L1"), horizon=3)
    env.reset(options={"episode": episode})
    *_, info = [env.step(HOLD) for _ in range(3)][-1]
    assert info["compliance"] is True


def test_actions_beyond_one_are_clipped(make: Make) -> None:
    states = []
    for action in (np.full(7, 1.0), np.full(7, 9.0)):
        env = make()
        env.reset(seed=0)
        env.step(action)
        states.append(bits(env))
    assert states[0] == states[1]


# --- pictures ----------------------------------------------------------------------------------


def test_nothing_is_rendered_unless_somebody_asks(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("an OpenGL context was made")

    monkeypatch.setattr(rendering, "open_gl", refuse)
    env = make()
    observation, _ = env.reset(seed=0)
    observation, *_ = env.step(HOLD)
    assert set(observation) == set(env.observation_space.spaces)
    assert all(value.ndim == 1 for value in observation.values())
    assert env.render() is None
    seeing = make(**SMALL)
    with pytest.raises(AssertionError, match="context was made"):
        seeing.reset(seed=0)


@pytest.mark.parametrize("size", [64, (40, 72), (72, 40)])
def test_images_have_the_size_and_the_names_that_were_asked_for(make: Make, size: Any) -> None:
    names = ("agentview", "wrist", "frontview", "sideview")
    env = make(cameras=names, image_size=size)
    observation, _ = env.reset(seed=0)
    height, width = (size, size) if isinstance(size, int) else size
    for name in names:
        assert observation[name].shape == (height, width, 3)
        assert observation[name].dtype == np.uint8
        assert observation[name].std() > 5, "an empty picture"
    assert len({observation[name].tobytes() for name in names}) == 4
    assert observation in env.observation_space


def test_render_gives_a_large_frame_and_changes_nothing(make: Make) -> None:
    with_frames, without = make(**SMALL, render_mode="rgb_array"), make(**SMALL)
    for env in (with_frames, without):
        env.reset(seed=2)
    for action in random_actions(3):
        frame = with_frames.render()
        assert frame is not None
        assert frame.shape == (512, 512, 3)
        seen, unseen = with_frames.step(action)[0], without.step(action)[0]
        for name in ("agentview", "wrist"):
            assert np.array_equal(seen[name], unseen[name])
        assert bits(with_frames) == bits(without)


@pytest.mark.parametrize("camera", ["agentview", "wrist", "frontview", "sideview"])
def test_frames_are_upright_as_mujocos_own_renderer_draws_them(
    make: Make, monkeypatch: pytest.MonkeyPatch, camera: str
) -> None:
    from mujoco.egl import GLContext
    from mujoco.rendering.classic import gl_context

    env = make(cameras=(camera,), image_size=(60, 80))
    observation, _ = env.reset(seed=0)
    monkeypatch.setattr(gl_context, "GLContext", GLContext)
    option = mujoco.MjvOption()
    option.geomgroup[0] = 0
    option.sitegroup[:] = 0
    with mujoco.Renderer(env.model, 60, 80) as own:
        own.update_scene(env.data, camera, option)
        difference = np.abs(own.render().astype(int) - observation[camera].astype(int))
        flipped = np.abs(own.render()[::-1].astype(int) - observation[camera].astype(int))
    assert difference.mean() < 1.5
    assert flipped.mean() > 4 * max(difference.mean(), 0.5)


def test_the_floor_is_at_the_bottom_and_the_hand_is_above_the_table(make: Make) -> None:
    # what a ray through the middle of a row meets first, from the top of the picture down
    env = make(cameras=("frontview",), image_size=96)
    observation, _ = env.reset(seed=0)
    met = [seen_at(env, row) for row in range(96)]
    table = [row for row, name in enumerate(met) if name == "table_visual"]
    robot = [row for row, name in enumerate(met) if name.startswith(("robot0", "gripper0"))]
    assert table
    assert robot
    assert np.mean(robot) < np.mean(table)
    # and those rows of the picture do have the colour of the table
    shown = observation["frontview"][table, 48].mean(axis=0)
    assert shown[0] > shown[2] + 15, "wood is more red than blue"


def seen_at(env: TabletopEnv, row: int) -> str:
    """The name of the geom, or else of its body, in the middle column of a 96-pixel picture."""
    camera = env.model.camera("frontview")
    half = np.tan(np.radians(camera.fovy[0]) / 2)
    ray = np.array([0.0, half * (1 - 2 * (row + 0.5) / 96), -1.0])
    ray = env.data.cam_xmat[camera.id].reshape(3, 3) @ ray
    hit = np.array([-1], dtype=np.int32)
    groups = np.array([0, 1, 1, 1, 1, 1], dtype=np.uint8)
    mujoco.mj_ray(env.model, env.data, env.data.cam_xpos[camera.id], ray, groups, 1, -1, hit)
    if hit[0] < 0:
        return ""
    geom = int(hit[0])
    return env.model.geom(geom).name or env.model.body(env.model.geom_bodyid[geom]).name


# --- company -----------------------------------------------------------------------------------


def test_environments_in_one_process_do_not_meet(make: Make) -> None:
    def alone(task: str, cameras: dict[str, Any]) -> list[bytes]:
        env = make(task, **cameras)
        env.reset(seed=1)
        return [bits(env)] + [step(env, action) for action in random_actions(6)]

    def step(env: TabletopEnv, action: np.ndarray) -> bytes:
        observation, *_ = env.step(action)
        return bits(env) + b"".join(observation[name].tobytes() for name in sorted(observation))

    pairs = [("place-on", SMALL), ("store-in-drawer", {"cameras": ("wrist",), "image_size": 40})]
    expected = [alone(task, cameras) for task, cameras in pairs]
    envs = [make(task, **cameras) for task, cameras in pairs]
    states = []
    for env in envs:
        env.reset(seed=1)
        states.append([bits(env)])
    for action in random_actions(6):
        for env, so_far in zip(envs, states, strict=True):
            so_far.append(step(env, action))
    assert states == expected


def test_another_user_of_mujoco_is_left_alone(make: Make) -> None:
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><joint name='hinge'/><geom size='.1'/></body></worldbody>"
        "<actuator><motor joint='hinge'/></actuator></mujoco>"
    )

    def swing(others: TabletopEnv | None) -> list[float]:
        data, calls = mujoco.MjData(model), []

        def control(_: mujoco.MjModel, theirs: mujoco.MjData) -> None:
            calls.append(theirs.time)
            theirs.ctrl[0] = np.sin(40 * theirs.time) - theirs.qpos[0]

        mujoco.set_mjcb_control(control)
        try:
            places = []
            for _ in range(12):
                mujoco.mj_step(model, data)
                places.append(float(data.qpos[0]))
                if others is not None:
                    others.step(HOLD)
            assert len(calls) == 12
        finally:
            mujoco.set_mjcb_control(None)
        return places

    env = make()
    env.reset(seed=0)
    undisturbed = swing(None)
    assert swing(env) == undisturbed
    first = bits(env)
    quiet = make()
    quiet.reset(seed=0)
    for _ in range(12):
        quiet.step(HOLD)
    assert bits(quiet) == first


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [np.zeros(6), np.zeros((1, 7)), np.full(7, np.nan), np.array([np.inf, *[0.0] * 6]), 0.0],
)
def test_an_action_of_another_kind_is_refused(make: Make, action: Any) -> None:
    env = make()
    env.reset(seed=0)
    before = bits(env)
    with pytest.raises(UsageError, match=r"7 finite numbers in \[-1, 1\]"):
        env.step(action)
    assert bits(env) == before
    env.step(HOLD)


@pytest.mark.parametrize("control", ["osc_pose", "joint_position", "joint_velocity"])
@pytest.mark.parametrize("embodiment", ["panda", "ur5e-robotiq85"])
def test_any_robot_takes_the_actions_of_any_controller(
    make: Make, embodiment: str, control: str
) -> None:
    env = make(embodiment=embodiment, control=control)
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    assert info["factors"]["embodiment"] == embodiment
    joints = len(observation["joint_positions"])
    assert joints == (7 if embodiment == "panda" else 6)
    (dimension,) = env.action_space.shape
    assert dimension == (7 if control == "osc_pose" else joints + 1)
    action = np.zeros(dimension, dtype=np.float32)
    action[0] = 1.0
    for _ in range(5):
        moved = env.step(action)[0]
    assert np.abs(moved["joint_positions"] - observation["joint_positions"]).max() > 0.02
    if control == "osc_pose":
        assert moved["ee_position"][0] > observation["ee_position"][0] + 0.03
    else:
        assert moved["joint_positions"][0] > observation["joint_positions"][0] + 0.02
    assert env.simulation.spec().action.dimension == (7 if control == "osc_pose" else 8)


def test_an_environment_knows_the_robot_that_a_change_brings(make: Make) -> None:
    env = make(changes=("embodiment:arm",))
    observation, info = env.reset(seed=0)
    assert info["factors"]["embodiment"] == "ur5e-panda"
    assert observation in env.observation_space


def test_a_start_is_drawn_for_the_robot_that_starts(make: Make) -> None:
    env = make(embodiment="ur5e-robotiq85", changes=("robot-init:L3",))
    for index in range(3):
        _, info = env.reset(options={"index": index})
        offsets = info["factors"]["robot"]
        assert offsets[6] == 0.0, "an offset for a joint that it has not"
        assert 0.25 <= math.hypot(*offsets) <= 0.5 + 1e-5
        scene, contact = env.simulation.scene, env.data.contact
        touched = {g for pair in contact.geom[contact.dist <= 0].tolist() for g in pair}
        assert not touched & scene.robot_geoms


def test_an_episode_of_a_robot_with_other_joints_is_refused(make: Make, draw: Draw) -> None:
    env = make()
    episode = draw("place-on", 0, "embodiment:arm")
    with pytest.raises(UsageError, match="has 6 joints and this environment is for 7"):
        env.reset(options={"episode": episode})
    env.reset(options={"episode": draw("place-on", 0, "embodiment:gripper")})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"embodiment": "pandaa"}, "Unknown embodiment 'pandaa'; did you mean 'panda'"),
        ({"control": "osc"}, "Unknown controller 'osc'; did you mean 'osc_pose'"),
        (
            {"embodiment": "sawyer-panda", "changes": ("embodiment:arm",)},
            "contradict each other; leave one out",
        ),
        ({"task": "place-onn"}, "Unknown task 'place-onn'; did you mean 'place-on'"),
        ({"cameras": ("agent",)}, "Unknown camera 'agent'; did you mean 'agentview'"),
        ({"changes": ("lightning:L1",)}, "Unknown axis 'lightning'; did you mean 'lighting'"),
        ({"changes": ("lighting:L9",)}, "no level 'L9'; it has L1, L2, L3"),
        ({"changes": ("lighting",)}, "written axis:level, for example lighting:L2"),
        ({"changes": "lighting:L2"}, "changes takes a list, .* not the text 'lighting:L2'"),
        ({"cameras": "agentview"}, "cameras takes a list, .* not the text 'agentview'"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": (64, -1)}, "image_size"),
        ({"render_mode": "human"}, "render_mode"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        TabletopEnv(**{"task": "place-on", **arguments})


@pytest.mark.parametrize(
    "options", [{"indx": 3}, {"index": "3"}, {"index": -1}, {"episode": {"task": "place-on"}}]
)
def test_wrong_options_are_refused(make: Make, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="option"):
        make().reset(options=options)


def test_two_ways_to_choose_a_scene_are_refused(make: Make, draw: Draw) -> None:
    options = {"index": 1, "episode": draw("place-on", 1)}
    with pytest.raises(UsageError, match="both choose the scene; leave one out"):
        make().reset(options=options)


def test_there_is_no_scene_before_the_first_reset(make: Make) -> None:
    env = make()
    for act in (lambda: env.step(HOLD), lambda: env.model, lambda: env.data):
        with pytest.raises(UsageError, match=r"call reset\(\)"):
            act()


def test_close_may_be_called_twice_and_a_reset_opens_again(make: Make) -> None:
    env = make(**SMALL)
    env.close()
    first = env.reset(seed=0)[0]["agentview"]
    env.close()
    env.close()
    assert np.array_equal(env.reset(seed=0)[0]["agentview"], first)


def test_renderers_that_end_leave_the_others_whole(make: Make) -> None:
    # freeing one OpenGL context must not free what is in another
    staying, closing, growing, dropped = (make(**SMALL) for _ in range(4))
    frames = [env.reset(seed=0)[0]["agentview"] for env in (staying, closing, growing, dropped)]
    look = (CameraSpec("exterior/0", 48, 64),)

    def still_sees() -> bool:
        return np.array_equal(staying.simulation.observe(look).images["exterior/0"], frames[0])

    assert still_sees()
    closing.close()
    assert still_sees()
    growing.simulation.observe((CameraSpec("exterior/0", 200, 200),))
    assert still_sees()
    dropped._simulation = None
    gc.collect()
    assert still_sees()


def test_frames_do_not_depend_on_the_size_of_others(make: Make) -> None:
    env = make(cameras=("wrist",), image_size=48)
    small = env.reset(seed=0)[0]["wrist"]
    env.simulation.observe((CameraSpec("wrist/0", 200, 300),))
    assert np.array_equal(env.reset(seed=0)[0]["wrist"], small)
