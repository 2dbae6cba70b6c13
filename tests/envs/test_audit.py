"""The audit of the success tests: it makes what it says, and it catches a wrong predicate."""

from __future__ import annotations

import ast
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from vlabench.cli import audit as command
from vlabench.envs import audit as package
from vlabench.envs import progress
from vlabench.envs.audit import AuditResult, SceneAudit, State, Waste, audit
from vlabench.envs.audit import states as making
from vlabench.envs.audit.bench import Bench
from vlabench.envs.audit.false_parts import SHORT
from vlabench.envs.audit.makers import SHARES, TRUE, put_at
from vlabench.envs.audit.mutations import FALSE, Mutation
from vlabench.envs.audit.places import Place, apart, place_of
from vlabench.envs.audit.scenes import Scenes
from vlabench.envs.audit.sight import Sight
from vlabench.envs.audit.states import (
    AS_ASKED,
    FOR_A_MOMENT,
    ON_THE_WAY,
    OUT_OF_ORDER,
    STATES_OF_A_SCENE,
)
from vlabench.envs.predicates import PREDICATES
from vlabench.envs.scene import Scene
from vlabench.envs.tasks.base import Goal
from vlabench.errors import UsageError
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]
SEED = 7


def states_of(task: str, scene: int, seed: int = SEED) -> tuple[State, ...]:
    return Scenes(task, seed).audit(scene).states


def test_it_knows_every_predicate_and_asks_none() -> None:
    assert set(TRUE) == set(FALSE) == set(PREDICATES)
    assert set(SHARES) == set(SHORT) <= set(PREDICATES)
    folder = Path(package.__file__).parent
    for module in folder.glob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(module.read_text()))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        asks = any(name.startswith("vlabench.envs.predicates") for name in names)
        assert asks == (module.name == "looking.py"), "only what is shown to people may ask them"


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_gives_states_of_both_truths_and_its_success_test_agrees(task: str) -> None:
    states = states_of(task, 0)
    assert {state.truth for state in states} == {True, False}
    assert [s for s in states if s.truth != s.verdict] == []
    assert [s for s in states if s.looks not in {s.truth, None}] == []
    assert all((s.kind == AS_ASKED) == s.truth for s in states)


def test_a_scene_gives_the_same_states_again_whatever_ran_before() -> None:
    first = states_of("tidy-up", 1)
    states_of("lift", 0)
    assert states_of("tidy-up", 1) == first
    assert states_of("tidy-up", 1, SEED + 1) != first
    maker = Scenes("tidy-up", SEED).maker(1)
    assert maker.state(first[4].number) == first[4], "a state depends on no other of its scene"


def test_kinds_cover_time_and_order() -> None:
    kinds = {s.kind for scene in range(6) for s in states_of("store-in-drawer", scene)}
    assert {FOR_A_MOMENT, OUT_OF_ORDER, AS_ASKED} <= kinds


# --- what is counted --------------------------------------------------------------------------


def test_each_kind_comes_once_before_any_comes_again() -> None:
    found = audit("press-button", 40, SEED)
    assert {kind: found.kinds[kind].states for kind in found.all_kinds} == {
        FOR_A_MOMENT: 5,
        "pressed: another part instead": 5,
        "pressed: not far enough": 5,
        "pressed: untouched": 5,
    }


def test_more_states_are_made_of_a_kind_of_which_there_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vlabench.envs.audit.result._STATES_A_KIND", 6)
    found = audit("turn-knob", 36, SEED)
    assert found.too_few == ()
    assert found.kinds["turned: untouched"].states >= 6
    more = [state for state in found.states if state.number >= STATES_OF_A_SCENE]
    assert more
    assert not any(state.truth for state in more)
    assert Scenes("turn-knob", SEED).maker(more[0].scene).state(more[0].number) == more[0]


def test_a_kind_that_cannot_be_made_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(bench: Bench, goal: Goal, rng: np.random.Generator) -> bool:
        return False

    kinds = {**FALSE["turned"], "not far enough": Mutation(never)}
    monkeypatch.setitem(FALSE, "turned", kinds)
    monkeypatch.setattr("vlabench.envs.audit.result._STATES_A_KIND", 10)
    found = audit("turn-knob", 20, SEED)
    assert found.kinds["turned: not far enough"].states == 0
    assert found.too_few == ("turned: not far enough",)
    wasted = {it: count for it, count in found.waste.items() if it.kind in found.too_few}
    assert wasted.keys() == {Waste("turned: not far enough", False, making.NO_WAY)}
    assert sum(wasted.values()) > 40
    page = command.task_json(found)
    assert page["kinds"]["turned: not far enough"]["applies"]
    said = command.complaints("turn-knob", page, command.head(100, SEED))
    assert any(
        "only 0 states of the kind 'turned: not far enough', 10 are needed" in s for s in said
    )


def test_kinds_that_there_cannot_be_are_told_from_those_that_fail() -> None:
    found = audit("serve", 20, SEED)
    assert {"on: in mid-air with its place", "on: place on the thing"} <= set(found.missing)
    assert "on: in mid-air" not in found.missing
    kinds = command.task_json(found)["kinds"]
    assert {kind for kind, it in kinds.items() if not it["applies"]} == set(found.missing)
    assert all(kinds[kind]["states"] == 0 for kind in found.missing)


def test_what_is_thrown_away_on_the_way_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Scenes("store-in-drawer", SEED).maker(0)
    settle, times = Bench.settle, Counter[str]()

    def once_not(bench: Bench) -> bool:
        times["settled"] += 1
        return settle(bench) and times["settled"] > 1

    monkeypatch.setattr(Bench, "settle", once_not)
    assert [maker.state(number) for number in range(4)].count(None) == 0
    assert maker.waste[Waste(ON_THE_WAY, True, "not at rest")] == 1


# --- a second opinion -------------------------------------------------------------------------


def test_rays_tell_where_a_thing_is(draw: Draw) -> None:
    bench = Bench(draw("place-in"))
    sight, goal = Sight(bench), Goal("in", ("object", "target"))
    rng, turn = np.random.default_rng(0), (1.0, 0.0, 0.0, 0.0)
    assert not sight.says(goal)
    assert TRUE["in"](bench, goal, rng)
    assert bench.settle()
    assert sight.says(goal)
    assert not sight.says(Goal("in", ("target", "object")))
    bench.data.qpos[bench.addresses["object"] + 2] += 0.01
    bench.forward()
    assert not sight.says(goal), "in mid-air between the walls"
    place = place_of(bench, "target")
    assert put_at(bench, "object", place.outside(rng, 0.05), turn, 0.05)
    bench.settle()
    assert not sight.says(goal), "beside it"


def test_rays_see_what_label_and_predicate_both_get_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A state labelled false in which the thing is in its place, and a predicate that agrees."""
    kinds = {kind: Mutation(TRUE["on"]) for kind in ("beside its place", "left where it was")}
    monkeypatch.setitem(FALSE, "on", kinds)
    monkeypatch.setitem(PREDICATES, "on", lambda *args: False)
    found = audit("stack", 20, SEED)
    false = [state for state in found.states if state.kind.startswith("on: ")]
    assert false
    assert not any(state.verdict for state in false)
    assert set(false) == set(found.odd)
    assert command.task_json(found)["looked_at"]["agree"] == found.looked_at - len(false)


# --- planted faults ---------------------------------------------------------------------------


def planted(
    monkeypatch: pytest.MonkeyPatch, predicate: str, wrong: Callable[..., bool], task: str
) -> AuditResult:
    """An audit of a task with one predicate replaced; `wrong` is given the right one first."""
    right = PREDICATES[predicate]
    monkeypatch.setitem(PREDICATES, predicate, lambda *args: wrong(right, *args))
    return audit(task, 100, SEED)


def test_a_predicate_that_is_true_in_mid_air_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(
        right: Callable[..., bool], scene: Scene, data: mujoco.MjData, name: str, support: str
    ) -> bool:
        thing, below = (scene.objects[key] for key in (name, support))
        x, y, _ = data.xmat[below.body].reshape(3, 3).T @ (
            data.xpos[thing.body] - data.xpos[below.body]
        )
        return right(scene, data, name, support) or bool(np.hypot(x, y) < below.shape.radius / 2)

    found = planted(monkeypatch, "on", wrong, "stack")
    assert found.false_positive_rate >= command.BOUND
    assert found.kinds["on: in mid-air"].errors
    assert found.false_negative_rate == 0.0


def test_a_predicate_that_is_true_of_what_is_held_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(right: Callable[..., bool], scene: Scene, data: mujoco.MjData, *names: str) -> bool:
        return right(replace(scene, robot_geoms=frozenset()), data, *names)

    found = planted(monkeypatch, "on", wrong, "stack")
    assert found.false_positive_rate >= command.BOUND
    assert {kind for kind, count in found.kinds.items() if count.errors} == {
        "on: held in its place"
    }


def test_a_predicate_that_is_three_centimetres_too_generous_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(
        right: Callable[..., bool], scene: Scene, data: mujoco.MjData, name: str, region: str
    ) -> bool:
        site = scene.parts[region].floor_site
        assert site is not None
        exact = scene.model.site_size[site].copy()
        scene.model.site_size[site, :2] += 0.03
        wide = right(scene, data, name, region)
        scene.model.site_size[site] = exact
        return wide

    found = planted(monkeypatch, "in-region", wrong, "push-to")
    assert found.false_positive_rate >= command.BOUND
    assert found.kinds["in-region: beside its place"].errors


def test_a_predicate_that_is_never_true_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planted(monkeypatch, "pressed", lambda right, *args: False, "press-button")
    assert found.false_negative_rate == 1.0
    assert found.false_positive_rate == 0.0


def test_a_goal_that_need_not_hold_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HOLD_STEPS", 1)
    found = audit("open-drawer", 60, SEED)
    assert found.kinds[FOR_A_MOMENT].errors == found.kinds[FOR_A_MOMENT].states > 0
    assert found.false_positive_rate >= command.BOUND


# --- how states are made ----------------------------------------------------------------------


def test_a_state_does_not_depend_on_what_was_made_before(draw: Draw) -> None:
    bench = Bench(draw("place-on"))
    bench.run(10)
    first = bench.data.qpos.copy()
    bench.put("object", (0.0, 0.3, 0.9), (1.0, 0.0, 0.0, 0.0))
    bench.carry("object")
    bench.close_hand("object")
    bench.restore()
    bench.run(10)
    assert (bench.data.qpos == first).all()


def test_places_are_inside_and_outside_by_their_margins(draw: Draw) -> None:
    rng = np.random.default_rng(0)
    for task, names in {
        "place-on": ["target"],
        "serve": ["tray"],
        "shelve": ["upper shelf"],
    }.items():
        bench = Bench(draw(task))
        for name in names:
            place = place_of(bench, name)
            for _ in range(200):
                assert place.distance(place.inside(rng)) < -0.0099
                more = rng.uniform(0.0, 0.05)
                assert place.distance(place.outside(rng, more)) > place.rim + 0.0199 + more - 1e-9


def test_the_distance_of_a_rectangle_is_that_of_its_nearest_edge() -> None:
    place = Place(np.zeros(3), np.eye(3), (0.2, 0.1), False, 0.0, 0.0, 0.0)
    for point, distance in (
        ((0.0, 0.0), -0.1),
        ((0.15, 0.0), -0.05),
        ((0.25, 0.0), 0.05),
        ((0.23, 0.14), 0.05),
    ):
        assert place.distance(np.array([*point, 0.0])) == pytest.approx(distance)


def test_outlines_are_apart_by_their_nearest_points() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert apart(square, square + np.array([3.0, 0.5])) == pytest.approx(2.0)
    assert apart(square, square + np.array([2.0, 2.0])) == pytest.approx(2**0.5)
    assert apart(square, square * 0.2 + 0.4) == 0.0


# --- the command ------------------------------------------------------------------------------


def invoke(*words: str) -> Any:
    app = typer.Typer()
    app.command()(command.audit_command)
    return CliRunner().invoke(app, [*words, "--seed", str(SEED)])


def test_the_command_prints_and_writes_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    written = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.json"
        words = ("lift", "open-drawer", "--states", "15", "--workers", workers, "--out", str(out))
        result = invoke(*words)
        assert result.exit_code == 0, result.output
        assert "open-drawer" in result.output
        written.append(out.read_text())
    assert written[0] == written[1]
    page = json.loads(written[0])
    assert (page["seed"], page["bound"]) == (SEED, command.BOUND)
    assert set(page["tasks"]) == {"lift", "open-drawer"}
    for line in page["tasks"].values():
        assert line["states"] == line["positives"] + line["negatives"] >= 15
        assert sum(kind["states"] for kind in line["kinds"].values()) == line["states"]
        low, high = line["false_positive_interval"]
        assert low <= line["false_positive_rate"] <= high
        assert line["errors"] == []
        assert line["looked_at"] == {"states": 0, "agree": 0, "odd": []}
        assert all(min(counts.values()) > 0 for counts in line["predicates"].values())
    assert not list(tmp_path.glob("*.part.json"))


def test_a_wrong_success_test_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HOLD_STEPS", 1)
    result = invoke("open-drawer", "--states", "60", "--workers", "1")
    assert result.exit_code == command.FAILED
    assert FOR_A_MOMENT in result.output
    assert "vlabench audit open-drawer --seed 7 --state " in result.output


def test_a_state_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("push-to", "--state", "0.0")
    assert result.exit_code == 0, result.output
    assert "in-region object mat: True" in result.output
    assert (tmp_path / "audit-push-to-0.0.png").stat().st_size > 1000
    assert isinstance(invoke("push-to", "--state", "first").exception, UsageError)
    assert isinstance(invoke("--state", "0.0").exception, UsageError)
    assert isinstance(invoke("push-too").exception, UsageError)


def test_a_picture_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit-push-to-0.0.png").mkdir()
    result = invoke("push-to", "--state", "0.0")
    assert isinstance(result.exception, UsageError)
    assert "Cannot write the picture" in str(result.exception)


def test_the_file_is_tried_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> Iterator[AuditResult]:
        raise AssertionError("measured")

    monkeypatch.setattr(command, "run", never)
    (tmp_path / "file").write_text("")
    for out, said in ((tmp_path, "is a folder"), (tmp_path / "file" / "a.json", "Cannot write")):
        result = invoke("lift", "--out", str(out))
        assert isinstance(result.exception, UsageError), result.exception
        assert said in str(result.exception)
    assert "give it as --out" in str(invoke("lift", "--resume").exception)


def test_an_audit_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, asked = command.run, list[str]()

    def stopped(names: list[str], *rest: object) -> Iterator[AuditResult]:
        for result in run(names, *rest):
            if asked:
                raise KeyboardInterrupt
            asked.append(result.task)
            yield result

    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    words = ("open-door", "close-door", "--states", "10", "--workers", "1", "--out")
    assert invoke(*words, str(whole)).exit_code == 0
    monkeypatch.setattr(command, "run", stopped)
    invoke(*words, str(out))
    assert not out.exists()
    part = json.loads((tmp_path / "out.part.json").read_text())
    assert list(part["tasks"]) == ["open-door"] == asked
    monkeypatch.setattr(command, "run", run)
    assert "go on with --resume" in str(invoke(*words, str(out)).exception)
    other = ("open-door", "--states", "12", "--resume", "--out", str(out))
    assert "is of an audit with other states" in str(invoke(*other).exception)
    assert invoke(*words, str(out), "--resume").exit_code == 0
    assert out.read_text() == whole.read_text()
    assert "leave out --resume" in str(invoke(*words, str(out), "--resume").exception)


def dies_once(asked: tuple[str, int, str]) -> int:
    """Ends its process, unless that has been done before or it is another's turn."""
    flag, number, how = asked
    if number == 3 and (how == "always" or not Path(flag).exists()):
        Path(flag).touch()
        os._exit(1)
    return number


def test_scenes_of_a_process_that_has_died_are_audited_again(tmp_path: Path) -> None:
    with command._mapping(2) as mapped:
        asked = [(str(tmp_path / "died"), number, "once") for number in range(6)]
        assert list(mapped(dies_once, asked)) == list(range(6))
        assert (tmp_path / "died").exists()
        asked = [(str(tmp_path / "died"), number, "always") for number in range(6)]
        with pytest.raises(UsageError, match="A process died 3 times"):
            list(mapped(dies_once, asked))


def test_one_error_in_a_small_kind_does_not_fail_but_two_do() -> None:
    def said(errors: int, states: int) -> list[str]:
        wrong = [State("on: b", False, k < errors, None, ("on",), "s", 0, k) for k in range(states)]
        right = [State("on: c", False, False, None, ("on",), "s", 1, k) for k in range(1000)]
        right += [State(AS_ASKED, True, True, None, ("on",), "s", 2, k) for k in range(1000)]
        kinds = ("on: b", "on: c")
        scene = SceneAudit((*wrong, *right), Counter(), frozenset(kinds))
        result = AuditResult("stack", SEED, 1600, kinds, (scene,))
        return command.complaints("stack", command.task_json(result), command.head(1600, SEED))

    assert said(0, 40) == said(1, 40) == said(1, 400) == []
    assert "on: b 2 of 40 (5.00%)" in said(2, 40)[0]
    assert said(2, 600) == []
    assert "only 10 states of the kind 'on: b', 20 are needed" in said(0, 10)[0]


def test_rates_are_of_their_own_truth() -> None:
    states = [State(AS_ASKED, True, k > 0, None, ("on",), "s", 0, k) for k in range(4)]
    states += [State("on: b", False, k > 6, True, ("on",), "s", 0, k) for k in range(4, 8)]
    waste = Counter({Waste("on: b", True, "moved"): 4, Waste("on: b", False, "no room"): 2})
    scene = SceneAudit(tuple(states), waste, frozenset({"on: b"}))
    result = AuditResult("lift", 0, 8, ("on: b", "on: c"), (scene,))
    assert result.false_negative_rate == 0.25
    assert result.false_positive_rate == 0.25
    assert (result.positives.states, result.negatives.states, result.discarded) == (4, 4, 4)
    assert [(s.kind, s.number) for s in result.errors] == [(AS_ASKED, 0), ("on: b", 7)]
    assert result.missing == ("on: c",)
    assert result.predicates == {"on": (4, 4)}
    assert (result.looked_at, len(result.odd)) == (4, 4)
