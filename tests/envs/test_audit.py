"""The audit of the success tests: it makes what it says, and it catches a wrong predicate."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
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
from vlabench.envs.audit import AuditResult, State, audit, audit_scene
from vlabench.envs.audit.bench import Bench
from vlabench.envs.audit.false_parts import SHORT
from vlabench.envs.audit.makers import SHARES, TRUE
from vlabench.envs.audit.mutations import FALSE
from vlabench.envs.audit.places import Place, apart, place_of
from vlabench.envs.audit.scenes import Scenes
from vlabench.envs.audit.states import AS_ASKED, FOR_A_MOMENT, OUT_OF_ORDER
from vlabench.envs.predicates import PREDICATES
from vlabench.envs.scene import Scene
from vlabench.errors import UsageError
from vlabench.registry import TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]
SEED = 7


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
    states = audit_scene(task, 0, SEED)
    assert {state.truth for state in states} == {True, False}
    assert [s for s in states if s.truth != s.verdict] == []
    assert all((s.kind == AS_ASKED) == s.truth for s in states)


def test_a_scene_gives_the_same_states_again_whatever_ran_before() -> None:
    first = audit_scene("tidy-up", 1, SEED)
    audit_scene("lift", 0, SEED)
    assert audit_scene("tidy-up", 1, SEED) == first
    assert audit_scene("tidy-up", 1, SEED + 1) != first
    maker = Scenes("tidy-up", SEED).maker(1)
    number = first[4].number
    assert maker.state(1, number) == first[4], "a state depends on no other of its scene"


def test_kinds_cover_time_and_order() -> None:
    kinds = {s.kind for scene in range(6) for s in audit_scene("store-in-drawer", scene, SEED)}
    assert {FOR_A_MOMENT, OUT_OF_ORDER, AS_ASKED} <= kinds


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


def test_rates_are_of_their_own_truth() -> None:
    states = [State("a", True, k > 0, "s", 0, k, 0) for k in range(4)]
    states += [State("b", False, k > 6, "s", 0, k, 1) for k in range(4, 8)]
    result = AuditResult("lift", 0, tuple(states))
    assert result.false_negative_rate == 0.25
    assert result.false_positive_rate == 0.25
    assert (result.positives.states, result.negatives.states, result.discarded) == (4, 4, 4)
    assert [(s.kind, s.number) for s in result.errors] == [("a", 0), ("b", 7)]
