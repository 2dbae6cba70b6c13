"""``vlabench doctor --policy``: planted faults are found, and nobody is accused without cause."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import miswired
import numpy as np
import pytest

from vlabench.cli import main
from vlabench.contract.specs import ActionSpec, PolicySpec
from vlabench.conventions import Diagnosis, acted, examine, path
from vlabench.conventions.agreement import alike, scores
from vlabench.conventions.judging import p_values
from vlabench.conventions.path import Look, walk
from vlabench.conventions.reading import as_declared
from vlabench.conventions.telling import mend, text
from vlabench.rollout import run_episode
from vlabench.runner.job import make_world
from vlabench.testing import EXAMPLE_ENV

TASKS = ("lift", "open-drawer", "turn-knob")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `miswired.Miswired` knows of the episodes that it is examined in."""
    world = make_world("tabletop")
    cameras = (miswired.CAMERA, miswired.WRIST)
    look = Look(cameras, False, lambda length: range(0, length, length // 4))
    tasks, blind = dict.fromkeys(TASKS, 3), Look((), False, lambda _: ())
    walks = list(walk(world, "expert", tasks, 1, look, world.spec()))
    offer = next(offer for offer in world.specs() if offer.action.control == "joint_delta")
    joints = list(walk(world, "expert", tasks, 1, blind, offer))
    file = tmp_path_factory.mktemp("memory") / "memory.npz"
    miswired.remember(file, walks, joints)
    return str(file)


@pytest.fixture(autouse=True)
def _nobody_goes_the_same_way_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expert does the same every time, and so does the renderer, which takes its time."""
    monkeypatch.setattr(path, "run_episode", _ran)
    monkeypatch.setattr(path, "_watched", _watched)


_RUNS: dict[object, Any] = {}
_WATCHED = path._watched


def _ran(environment: Any, policy: Any, pipeline: Any, episode: Any, context: Any) -> Any:
    if episode.episode_id not in _RUNS:
        ran = run_episode(environment, policy, pipeline, episode, context)
        _RUNS[episode.episode_id] = ran
    return _RUNS[episode.episode_id]


def _watched(environment: Any, episode: Any, actions: Any, offer: Any, look: Look) -> Any:
    steps = frozenset(look.moments(len(actions)))
    key = (episode.episode_id, offer.controller, look.cameras, look.privileged, steps)
    if key not in _RUNS:
        _RUNS[key] = _WATCHED(environment, episode, actions, offer, look)
    return _RUNS[key]


def examined(policy: str = "miswired:Miswired", **args: str) -> Diagnosis:
    looks = any(word in args.get("fault", "") for word in ("image", "cameras", "unseeing"))
    episodes, questions = (3, 4) if looks else (2, 6)  # rendering takes its time
    return examine(policy, policy_args=args, tasks=TASKS, episodes=episodes, questions=questions)


def mended(diagnosis: Diagnosis) -> str:
    (found,) = diagnosis.faults
    return mend(diagnosis.rounds[0].base, found)


@pytest.mark.parametrize(
    ("fault", "named", "change"),
    [
        ("gripper", "the gripper is inverted", "action.gripper_open: -1.0 -> 1.0"),
        (
            "turned image",
            "the image of exterior/0 is turned by 180 degrees",
            "cameras[0].rotated: False -> True",
        ),
        ("frame", "motions are in the hand's frame", "action.frame: 'base' -> 'hand'"),
        (
            "rotation",
            "rotations are quaternion_wxyz",
            "action.rotation: 'quaternion_xyzw' -> 'quaternion_wxyz'",
        ),
        ("scale", "numbers are metric", "action.scale: 'normalized' -> 'metric'"),
        ("padding", "only the first row of an answer is executed", "executed: 8 -> 1"),
        ("clock", "the first 8 rows of an answer are executed", "executed: 1 -> 8"),
        ("rate", "rows are made for 10 Hz", "control_hz: None -> 10.0"),
        ("swapped cameras", "exterior/0 and wrist/0 are swapped", "'exterior/0' and 'wrist/0'"),
        ("joint scale", "numbers are metric", "action.scale: 'normalized' -> 'metric'"),
        ("origin", "positions are seen from another origin", "action.offset: None -> (0.5, -0.1,"),
        ("axes", "axes are (y, -x, z)", "(y, -x, z) in the base's frame"),
    ],
)
def test_a_planted_fault_is_named(memory: str, fault: str, named: str, change: str) -> None:
    diagnosis = examined(fault=fault, memory=memory)
    assert diagnosis.outcome == "fault"
    assert [one.suspect.name for one in diagnosis.faults] == [named]
    assert change in mended(diagnosis)
    assert diagnosis.faults[0].trial.agreement > 0.98
    assert diagnosis.declared.agreement < 0.9


def test_other_statistics_are_named_by_their_key(memory: str) -> None:
    diagnosis = examined(fault="statistics", unnorm_key="theirs", memory=memory)
    assert mended(diagnosis) == "give --policy-arg unnorm_key=ours"
    assert "other statistics" in text(diagnosis)


def test_two_faults_are_named_one_after_the_other(memory: str) -> None:
    diagnosis = examined(fault="two", memory=memory)
    names = {one.suspect.name for one in diagnosis.faults}
    assert names == {"the gripper is inverted", "motions are in the hand's frame"}
    assert diagnosis.faults[-1].trial.agreement > 0.98
    assert "Likeliest beside it" in text(diagnosis)


@pytest.mark.parametrize("fault", ["image", "pose", "joints", "chunk", "cameras"])
def test_a_right_declaration_is_not_accused(memory: str, fault: str) -> None:
    diagnosis = examined(fault=fault, memory=memory)
    assert (diagnosis.outcome, diagnosis.faults) == ("fine", ())
    assert diagnosis.declared.agreement == pytest.approx(1.0)


def test_the_expert_itself_is_fine() -> None:
    diagnosis = examined("expert")
    assert diagnosis.outcome == "fine"
    assert diagnosis.declared.parts == pytest.approx(
        {"translation": 1, "rotation": 1, "gripper": 1}
    )
    assert "No fault found" in text(diagnosis)


@pytest.mark.parametrize(("policy", "why"), [("noop", "hardly moves"), ("random", "too far from")])
def test_nothing_is_said_of_who_is_too_far_from_the_expert(policy: str, why: str) -> None:
    diagnosis = examined(policy)
    assert diagnosis.outcome == "cannot say"
    assert f"Cannot say: the policy {'is ' if why[0] == 't' else ''}{why}" in text(diagnosis)


def test_a_suspicion_that_few_episodes_leave_open_is_told() -> None:
    args = {"fault": "gripper"}
    diagnosis = examine(
        "miswired:Miswired", policy_args=args, tasks=("lift", "press-button"), episodes=3
    )
    assert diagnosis.outcome == "cannot say"
    assert "3 episodes that show it are too few" in text(diagnosis)


def test_who_does_not_look_cannot_be_judged_by_images(memory: str) -> None:
    diagnosis = examined(fault="unseeing", memory=memory)
    assert diagnosis.outcome == "fine"
    assert "images" in diagnosis.rounds[0].unheard
    assert "Its answers do not change with how its images are turned" in text(diagnosis)


def test_who_follows_another_scene_is_told_so(memory: str) -> None:
    diagnosis = examined(fault="elsewhere", memory=memory)
    assert diagnosis.outcome == "cannot say"
    assert not diagnosis.faults


# --- the command line ---------------------------------------------------------------------------


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *words])
    return caught.value.code if isinstance(caught.value.code, int) else 0


EPISODES = ("--tasks", ",".join(TASKS), "--episodes", "2", "--questions", "6")


def test_the_command_names_a_fault(
    memory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "diagnosis.json"
    words = ("--policy-arg", "fault=gripper", "--policy-arg", f"memory={memory}")
    assert call("--policy", "miswired:Miswired", *words, *EPISODES, "--json", str(file)) == 1
    shown = capsys.readouterr()
    assert "The likeliest fault: the gripper is inverted (agreement 0.33 -> 1.00" in shown.out
    assert "action.gripper_open: -1.0 -> 1.0, action.gripper_close: 1.0 -> -1.0" in shown.out
    assert "answers in" in shown.err
    found = json.loads(file.read_text())
    assert found["outcome"] == "fault"
    assert found["faults"][0]["family"] == "gripper"
    assert len(found["rounds"][0]["tried"]) > 50


def test_the_command_says_what_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--policy", "noop", *EPISODES, "--quiet") == 3
    shown = capsys.readouterr()
    assert "Cannot say: the policy hardly moves" in shown.out
    assert shown.err == ""


def test_the_command_finds_nothing_wrong(memory: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--policy-arg", f"memory={memory}", "--alternative", "unnorm_key=theirs")
    assert call("--policy", "miswired:Miswired", *words, *EPISODES) == 0
    assert "No fault found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tasks", "lift"), "name it with --policy"),
        (("--policy", "expertt"), "did you mean 'expert'?"),
        (("--policy", "expert", "--tasks", "lifft"), "did you mean 'lift'?"),
        (("--policy", "expert", "--tasks", "lift"), "too few to tell a fault"),
        (("--policy", "expert", "--questions", "0"), "--questions is 0"),
        (("--policy", "expert", "--alternative", "key"), "KEY=VALUE"),
        (("--policy", "miswired:Broken", *EPISODES), "ValueError: no model"),
    ],
)
def test_bad_input_gets_one_sentence(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


# --- the parts ----------------------------------------------------------------------------------


def test_agreement_asks_for_the_direction_and_for_sizes_that_are_far_apart() -> None:
    meant = np.random.default_rng(0).standard_normal((50, 3))
    assert alike(meant, meant) == pytest.approx(1)
    assert alike(0.4 * meant, meant) == pytest.approx(1), "slower, and right"
    assert alike(0.03 * meant, meant) == pytest.approx(0.09)
    assert alike(30 * meant, meant) == pytest.approx(0.1)
    assert alike(-meant, meant) == pytest.approx(-1)
    assert alike(0 * meant, meant) == 0


def test_a_gripper_that_never_moves_agrees_by_chance() -> None:
    meant = np.zeros((20, 7))
    meant[:, 0] = 1
    meant[:, -1] = np.repeat([-1, 1], 10)
    told = meant.copy()
    assert scores(ActionSpec(), told, meant)["gripper"] == 1
    told[:, -1] = 1
    assert scores(ActionSpec(), told, meant)["gripper"] == 0
    told[:, -1] = -meant[:, -1]
    assert scores(ActionSpec(), told, meant)["gripper"] == -1
    assert "rotation" not in scores(ActionSpec(), told, meant), "the expert does not turn"
    meant[:, -1] = 1
    assert "gripper" not in scores(ActionSpec(), told, meant), "it never opens"


def test_among_many_suspects_chance_is_rarely_accused() -> None:
    rng = np.random.default_rng(1)
    accused = 0
    for _ in range(100):
        gains = rng.normal(0, 0.3, (40, 8)) + rng.normal(0, 0.2, 8)
        accused += min(p_values(gains.tolist())) <= 0.05
    assert accused <= 12


def test_a_sure_gain_is_found_among_suspects_that_are_sure_to_lose() -> None:
    rng = np.random.default_rng(2)
    gains = rng.normal(-0.8, 0.1, (40, 8))
    gains[7] = rng.normal(0.4, 0.1, 8)
    gains[8, :3] = np.nan
    rows = [[None if np.isnan(gain) else float(gain) for gain in row] for row in gains]
    values = p_values(rows)
    assert [number for number, value in enumerate(values) if value <= 0.05] == [7]


def test_who_shows_in_few_episodes_takes_nothing_from_the_others() -> None:
    rng = np.random.default_rng(3)
    sure = [float(gain) for gain in rng.normal(0.4, 0.1, 9)]
    rare = [*[-2.0] * 3, *[None] * 6]
    assert p_values([sure, rare]) == [p_values([sure])[0], 1.0]


def test_a_suspect_never_is_what_is_declared_already() -> None:
    axis_angle = PolicySpec("mine", chunk_length=8, executed=4)
    hand = replace(axis_angle, action=ActionSpec(frame="hand", gripper_open=1, gripper_close=0))
    pose = replace(axis_angle, action=miswired.POSE)
    for spec in (axis_angle, hand, pose):
        reading = as_declared(spec)
        found = [*acted.suspects(reading, EXAMPLE_ENV), *acted.last(reading)]
        readings = [suspect.reading for suspect in found]
        assert reading not in readings
        assert len({suspect.name for suspect in found}) == len(found)
        assert len(set(readings)) == len(readings)


def test_all_axes_are_rotations_and_mirrors() -> None:
    found = [np.array(axes) for axes, _ in acted.all_axes()]
    assert len(found) == 47
    assert all((axes @ axes.T == np.eye(3)).all() for axes in found)
    assert sum(np.linalg.det(axes) > 0 for axes in found) == 23
