from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.errors import BrokenSceneError, InfrastructureError, UsageError
from vlabench.policies.expert import Expert
from vlabench.types import EpisodeSpec, EpisodeStart, Outcome

HOLD = np.zeros(7, dtype=np.float32)
CAMERAS = (CameraSpec("exterior/0", 48, 64), CameraSpec("wrist/0", 48, 64))
STEPS = 12

Draw = Callable[..., EpisodeSpec]


def actions(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (STEPS, 7)).astype(np.float32)


def play(
    simulation: Simulation, episode: EpisodeSpec, *, looking: Sequence[CameraSpec] = ()
) -> tuple[list[int], Outcome]:
    """Checksums and outcome of the same random actions; `looking` renders after each."""
    simulation.start(episode)
    checksums = [simulation.checksum()]
    for action in actions():
        simulation.advance(action)
        if looking:
            simulation.observe(looking, privileged=True)
        checksums.append(simulation.checksum())
    return checksums, simulation.outcome()


@pytest.fixture
def simulation() -> Simulation:
    return Simulation()


def test_the_same_episode_twice_is_the_same_to_the_bit(simulation: Simulation, draw: Draw) -> None:
    first = play(simulation, draw("place-in", 4))
    assert play(Simulation(), draw("place-in", 4)) == first
    assert play(simulation, draw("place-in", 4)) == first
    assert len(set(first[0])) == STEPS + 1


def test_a_scene_is_gone_as_soon_as_the_next_begins(simulation: Simulation, draw: Draw) -> None:
    """Not when Python happens to collect garbage: models are large."""
    play(simulation, draw("place-in", 4), looking=CAMERAS)
    scene = weakref.ref(simulation.scene)
    gc.disable()
    try:
        simulation.start(draw("place-in", 5))
        simulation.observe(CAMERAS)
        assert scene() is None
    finally:
        gc.enable()


def test_another_episode_is_another_trajectory(simulation: Simulation, draw: Draw) -> None:
    first, other = (play(simulation, draw("place-in", index)) for index in (4, 5))
    assert not set(first[0]) & set(other[0])
    assert first[1].init_state_hash != other[1].init_state_hash


def test_looking_changes_nothing(simulation: Simulation, draw: Draw) -> None:
    unseen = play(simulation, draw("place-on", 2))
    assert play(simulation, draw("place-on", 2), looking=CAMERAS) == unseen
    simulation.close()


def test_an_episode_leaves_nothing_over_for_the_next(simulation: Simulation, draw: Draw) -> None:
    alone = play(Simulation(), draw("stack", 1))
    play(simulation, draw("open-drawer", 0), looking=CAMERAS[:1])
    assert play(simulation, draw("stack", 1)) == alone
    simulation.close()


def test_two_simulations_take_turns_without_noticing(draw: Draw) -> None:
    episodes = [draw("place-on", 0), draw("stack", 0)]
    alone = [play(Simulation(), episode)[0] for episode in episodes]
    pair = [Simulation(), Simulation()]
    for simulation, episode in zip(pair, episodes, strict=True):
        simulation.start(episode)
    together = [[simulation.checksum()] for simulation in pair]
    for turn, action in enumerate(actions()):
        for simulation, checksums in zip(pair, together, strict=True):
            simulation.advance(action)
            if turn % 3 == 0:
                simulation.observe(CAMERAS[:1])
            checksums.append(simulation.checksum())
    assert together == alone
    for simulation in pair:
        simulation.close()


def test_the_frame_is_of_the_state_it_was_asked_in(simulation: Simulation, draw: Draw) -> None:
    # a frame drawn late must be the frame of a simulation that was looked at all the time
    late, often = simulation, Simulation()
    for each in (late, often):
        each.start(draw("place-on", 2))
    for action in actions():
        late.advance(action)
        often.advance(action)
        seen = often.observe(CAMERAS)
    for role, image in late.observe(CAMERAS).images.items():
        assert np.array_equal(image, seen.images[role]), role
    late.close()
    often.close()


def test_what_is_observed_is_not_the_simulators_own_memory(
    simulation: Simulation, draw: Draw
) -> None:
    simulation.start(draw("store-in-drawer"))
    seen = simulation.observe(privileged=True)
    assert seen.privileged is not None
    kept = {name: values.copy() for name, values in seen.proprio.items()}
    place = seen.privileged.objects["object"].position.copy()
    for action in actions():
        simulation.advance(action)
    for name, values in kept.items():
        assert np.array_equal(seen.proprio[name], values), name
    assert np.array_equal(seen.privileged.objects["object"].position, place)
    later = simulation.observe()
    assert (later.step, later.time_s) == (STEPS, pytest.approx(STEPS / 20))
    assert not np.array_equal(later.proprio["joint_positions"], kept["joint_positions"])


@pytest.mark.parametrize("array", ["qvel", "qpos"])
def test_instability_that_nobody_brought_about_is_a_broken_scene(
    simulation: Simulation,
    draw: Draw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    array: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    episode = draw("place-on")
    simulation.start(episode)
    simulation.advance(HOLD)
    before = simulation.data.time
    getattr(simulation.data, array)[10] = np.nan
    with pytest.raises(BrokenSceneError, match=r"broke the physics at step .*: it is unstable"):
        simulation.advance(HOLD)
    assert simulation.data.time > before, "MuJoCo has started over"
    assert np.isnan(getattr(simulation.data, array)).any()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_next_episode_after_an_instability_is_sound(simulation: Simulation, draw: Draw) -> None:
    sound = play(Simulation(), draw("place-on"))
    simulation.start(draw("place-on", 1))
    simulation.data.qvel[:] = np.nan
    with pytest.raises(BrokenSceneError):
        simulation.advance(HOLD)
    assert play(simulation, draw("place-on")) == sound


def test_a_foreign_handler_of_warnings_is_put_back(simulation: Simulation, draw: Draw) -> None:
    heard: list[str] = []
    mujoco.set_mju_user_warning(heard.append)
    try:
        simulation.start(draw("place-on"))
        simulation.data.qvel[0] = np.nan
        with pytest.raises(BrokenSceneError):
            simulation.advance(HOLD)
        assert heard == []
        model = mujoco.MjModel.from_xml_string(
            "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
        )
        data = mujoco.MjData(model)
        data.qvel[0] = np.nan
        mujoco.mj_step(model, data)
        assert len(heard) == 1
    finally:
        mujoco.set_mju_user_warning(None)


@pytest.mark.parametrize(
    ("kind", "ends_early", "complied"),
    [("empty", False, False), ("swapped", True, True), ("absent", False, False)],
)
def test_a_diagnostic_is_judged_by_what_it_asks_for(
    simulation: Simulation, draw: Draw, kind: str, ends_early: bool, complied: bool
) -> None:
    # the expert does the goal of the factors whatever it is told
    episode = draw("lift", 0, factors={"diagnostic": {"kind": kind}})
    simulation.start(episode)
    expert = Expert()
    expert.reset([EpisodeStart(episode.episode_id, 0, "", simulation.spec())])
    over = False
    while not over:
        chunk = expert.act([simulation.observe(privileged=True)])[0]
        over = simulation.advance(chunk.actions[0].astype(np.float32))
    assert (simulation.steps < episode.horizon) is ends_early
    outcome = simulation.outcome()
    assert outcome.success
    assert outcome.compliance is complied


@pytest.mark.parametrize(
    ("kind", "complied"), [("empty", True), ("swapped", False), ("absent", True)]
)
def test_who_does_nothing_complies_where_nothing_is_asked(
    simulation: Simulation, draw: Draw, kind: str, complied: bool
) -> None:
    simulation.start(replace(draw("lift", 0, factors={"diagnostic": {"kind": kind}}), horizon=5))
    while not simulation.advance(HOLD):
        assert simulation.outcome().compliance is complied
    assert simulation.outcome().compliance is complied
    assert simulation.steps == 5


def test_only_a_diagnostic_has_compliance(simulation: Simulation, draw: Draw) -> None:
    assert play(simulation, draw("place-on"))[1].compliance is None


def test_safety_is_in_the_outcome(simulation: Simulation, draw: Draw) -> None:
    simulation.start(draw("place-on"))
    down = np.array([0, 0, -1, 0, 0, 0, 1], dtype=np.float32)
    for _ in range(30):
        simulation.advance(down)
    safety = simulation.outcome().safety
    assert safety.n_collisions >= 1, "the hand is on the table"
    assert safety.max_contact_force_n > 5


def test_an_episode_of_another_world_is_refused(simulation: Simulation, draw: Draw) -> None:
    foreign = replace(draw("place-on"), world_version="0.0")
    with pytest.raises(UsageError, match=r"drawn by world 0\.0.*install the vlabench"):
        simulation.start(foreign)


def test_the_horizon_ends_the_episode(simulation: Simulation, draw: Draw) -> None:
    simulation.start(replace(draw("place-on"), horizon=3))
    assert [simulation.advance(HOLD) for _ in range(3)] == [False, False, True]
    outcome = simulation.outcome()
    assert (outcome.steps, outcome.success, outcome.success_once) == (3, False, False)


def test_the_path_of_the_hand_is_measured(simulation: Simulation, draw: Draw) -> None:
    simulation.start(draw("place-on"))
    places = [simulation.observe().proprio["ee_position"]]
    for action in actions():
        simulation.advance(action)
        places.append(simulation.observe().proprio["ee_position"])
    length = np.linalg.norm(np.diff(places, axis=0), axis=1).sum()
    assert simulation.outcome().path_length_m == pytest.approx(length, abs=1e-6)
    assert length > 0.05


def test_where_mujoco_gives_up_at_the_start_nobody_is_blamed(draw: Draw) -> None:
    """A slanted box on a box can give more contacts than MuJoCo has room for."""
    episode = draw("swap", 95)
    with pytest.raises(InfrastructureError, match="does not settle: MuJoCo gives up"):
        Simulation().start(episode)
    inspected = TabletopWorld().make(inspect=True)
    inspected.start(episode)
    assert inspected.advance(HOLD)
    outcome = inspected.outcome()
    assert not outcome.success
    assert "MuJoCo gives up" in outcome.events[0].what


def test_where_mujoco_gives_up_later_and_nothing_was_touched_nobody_did_it(
    simulation: Simulation, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation.start(draw("place-on"))

    def give_up(*_: object) -> None:
        raise mujoco.FatalError("no room")

    monkeypatch.setattr(simulation._controller, "step", give_up)
    with pytest.raises(BrokenSceneError, match=r"at step 1: MuJoCo gives up \(no room"):
        simulation.advance(HOLD)


def test_without_a_screen_there_is_no_window(
    draw: Draw, simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    simulation.start(draw("lift", 0))
    with pytest.raises(UsageError, match="no screen here"), simulation.window():
        pass
