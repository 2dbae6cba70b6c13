"""Each way to fail, made to happen in the simulator by somebody who does just that wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vlabench.envs.simulation import Simulation
from vlabench.policies.expert import Expert
from vlabench.types import EpisodeSpec, EpisodeStart, Observation, Outcome, PrivilegedState

Draw = Callable[..., EpisodeSpec]
Way = Callable[["Player"], np.ndarray]
"""What somebody does at one control step."""

OPEN, CLOSE = -1.0, 1.0


class Player:
    """One episode, and the expert in it, who may be told something else than what is true."""

    def __init__(self, episode: EpisodeSpec) -> None:
        self.episode, self.simulation, self.expert = episode, Simulation(), Expert()
        self.simulation.start(episode)
        start = EpisodeStart(episode.episode_id, 0, episode.instruction, self.simulation.spec())
        self.expert.reset([start])
        self.notes: dict[str, Any] = {}

    def told(self, lie: Callable[[PrivilegedState], PrivilegedState] | None = None) -> np.ndarray:
        """The expert's answer, to the truth or to a lie."""
        seen: Observation = self.simulation.observe(privileged=True)
        assert seen.privileged is not None
        if lie is not None:
            seen = replace(seen, privileged=lie(seen.privileged))
        return self.expert.act([seen])[0].actions[0].astype(np.float32)

    @property
    def holds(self) -> list[str]:
        """What is in the hand."""
        story, now = self.simulation._safety.story, self.simulation.steps
        return [hold.thing for hold in story.holds if hold.until == now]

    def play(self, way: Way) -> Outcome:
        while not self.simulation.advance(way(self)):
            pass
        return self.simulation.outcome()


def action(x: float = 0.0, y: float = 0.0, z: float = 0.0, gripper: float = OPEN) -> np.ndarray:
    return np.array([x, y, z, 0, 0, 0, gripper], dtype=np.float32)


def expert(player: Player) -> np.ndarray:
    return player.told()


# --- the ways to fail ----------------------------------------------------------------------------


def stands_still(player: Player) -> np.ndarray:
    return action()


def stops_with_it_in_the_hand(player: Player) -> np.ndarray:
    if "object" in player.holds:
        player.notes["stopped"] = True
    return action(gripper=CLOSE) if player.notes else player.told()


def wanders(player: Player) -> np.ndarray:
    """To and fro, high above the table."""
    if player.simulation.steps < 10:
        return action(z=1.0)
    return action(y=0.5 * math.cos(player.simulation.steps / 8))


def presses_on_the_table(player: Player) -> np.ndarray:
    """Down, away from all things, and on when the table is reached."""
    return action(x=-1.0 if player.simulation.steps < 12 else 0.0, z=-1.0, gripper=CLOSE)


def believes_moved(role: str, by: tuple[float, float, float]) -> Way:
    """The expert, who believes that something is elsewhere."""

    def lie(state: PrivilegedState) -> PrivilegedState:
        thing = state.objects[role]
        elsewhere = replace(thing, position=thing.position + np.array(by))
        return replace(state, objects={**state.objects, role: elsewhere})

    return lambda player: player.told(lie)


def mistakes(one: str, other: str) -> Way:
    """The expert, who takes one thing for the other."""

    def swapped(things: Mapping[str, Any]) -> dict[str, Any]:
        if one not in things:
            return dict(things)
        pair = {one: replace(things[other], name=one), other: replace(things[one], name=other)}
        return {**things, **pair}

    def lie(state: PrivilegedState) -> PrivilegedState:
        return replace(state, objects=swapped(state.objects), parts=swapped(state.parts))

    return lambda player: player.told(lie)


def never_closes(player: Player) -> np.ndarray:
    answer = player.told()
    answer[-1] = OPEN
    return answer


def lets_go_in_the_air(player: Player) -> np.ndarray:
    """Opens the hand once the thing is high enough to fall, and never closes it again."""
    body = player.simulation.scene.objects["object"].body
    height = float(player.simulation.data.xipos[body, 2])
    low = player.notes.setdefault("low", height)
    if "object" in player.holds and height > low + 0.06:
        player.notes["let go"] = True
    answer = player.told()
    if "let go" in player.notes:
        answer[-1] = OPEN
    return answer


def lets_go_too_early(share: float) -> Way:
    """Works a part up to this share of its travel, then opens the hand and goes up."""

    def way(player: Player) -> np.ndarray:
        scene, data = player.simulation.scene, player.simulation.data
        (name,) = {goal.arguments[0] for s in player.simulation.progress.asked for goal in s.goals}
        part = scene.parts[name]
        if data.qpos[part.qpos] >= share * part.part.travel:
            player.notes["enough"] = True
        return action(z=1.0) if player.notes else player.told()

    return way


def presses_for_a_moment(player: Player) -> np.ndarray:
    if player.simulation.outcome().success_once:
        player.notes["pressed"] = True
    return action(z=1.0, gripper=CLOSE) if player.notes else player.told()


CASES: list[tuple[str, str, Way, str]] = [
    ("froze", "place-on", stands_still, "froze"),
    ("froze at a drawer", "open-drawer", stands_still, "froze"),
    ("froze while holding", "place-in", stops_with_it_in_the_hand, "froze"),
    ("wandered", "place-on", wanders, "not_reached"),
    ("pressed on the table", "place-on", presses_on_the_table, "collision"),
    ("missed", "place-on", believes_moved("object", (0.0, 0.07, 0.0)), "missed_grasp"),
    ("never closed", "lift", never_closes, "missed_grasp"),
    ("dropped", "place-on", lets_go_in_the_air, "dropped"),
    ("dropped what was to be lifted", "lift", lets_go_in_the_air, "dropped"),
    ("put beside", "place-on", believes_moved("target", (0.0, 0.14, 0.0)), "wrong_place"),
    ("opened a little", "open-drawer", lets_go_too_early(0.3), "wrong_place"),
    ("took another", "place-on", mistakes("object", "distractor"), "wrong_object"),
    ("opened another", "open-drawer", mistakes("top drawer", "bottom drawer"), "wrong_object"),
    ("pressed another", "press-button", mistakes("red button", "green button"), "wrong_object"),
    ("pressed for a moment", "press-button", presses_for_a_moment, "undone"),
]


@pytest.mark.parametrize(
    ("task", "way", "mode"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_failure_is_named(task: str, way: Way, mode: str, draw: Draw) -> None:
    outcome = Player(suited(draw, task, way)).play(way)
    assert not outcome.success
    assert outcome.failure == mode


def suited(draw: Draw, task: str, way: Way) -> EpisodeSpec:
    """An episode of the task; of a task with several buttons one that asks for the red one."""
    episodes = (draw(task, index) for index in range(20))
    if task != "press-button":
        return next(episodes)
    return next(e for e in episodes if "red button" in e.factors["cast"].values())


@pytest.mark.parametrize(("steps", "mode"), [(25, "timeout"), (70, "timeout")])
def test_time_that_ran_out_on_the_way(steps: int, mode: str, draw: Draw) -> None:
    """While the hand comes nearer, and while it carries the thing."""
    player = Player(replace(draw("place-on", 0), horizon=steps))
    outcome = player.play(expert)
    assert (outcome.success, outcome.failure) == (False, mode)
    assert bool(player.holds) == (steps == 70)


def test_a_later_stage_is_judged_by_itself(draw: Draw) -> None:
    """The drawer is open; the thing that was to be put in fell on the way."""
    outcome = Player(draw("store-in-drawer", 0)).play(lets_go_in_the_air)
    assert [stage.success for stage in outcome.stages] == [True, False, False]
    assert outcome.failure == "dropped"


def test_what_did_not_fail_has_no_mode(draw: Draw) -> None:
    player = Player(draw("lift", 0))
    assert player.simulation.outcome().failure is None
    outcome = player.play(expert)
    assert (outcome.success, outcome.failure) == (True, None)


def test_a_diagnostic_has_no_mode(draw: Draw) -> None:
    outcome = Player(draw("place-on", 0, "empty-instruction:L1")).play(stands_still)
    assert (outcome.compliance, outcome.failure) == (True, None)


def test_the_timeline_agrees_with_the_figures(draw: Draw) -> None:
    player = Player(draw("place-on", 0))
    outcome = player.play(lets_go_in_the_air)
    told = player.simulation.timeline()
    assert len(told.contact_force_n) == outcome.steps
    assert max(told.contact_force_n) == pytest.approx(outcome.safety.max_contact_force_n, abs=1e-3)
    assert len(told.collisions) == outcome.safety.n_collisions
    assert len(told.drops) == outcome.safety.n_drops == 1
    (held,) = (grasp for grasp in told.grasps if grasp.thing == "object")
    assert 0 < held.since < held.until < told.drops[0] <= outcome.steps
