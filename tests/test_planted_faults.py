"""Ten ways in which benchmarks have lied, each planted here, and the check that catches it.

Every test plants one fault and asks the check that guards against it, which must find it, and must
find nothing where the fault is not. The checks are those that everybody runs: `vlabench audit` for
success tests, `vlabench.envs.axes.checks` for axes, `vlabench.envs.inspection` for starts, and
`vlabench certify` for episodes.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.certification import Labour, certify, check
from vlabench.contract.environment import FAULT, DrawnEpisode, draw_episode
from vlabench.envs import axes, placing, simulation
from vlabench.envs.audit import audit
from vlabench.envs.axes import lighting
from vlabench.envs.axes.base import Axis, Ring
from vlabench.envs.axes.checks import complaints
from vlabench.envs.inspection import InspectedSimulation
from vlabench.envs.predicates import PREDICATES
from vlabench.envs.scene import Scene
from vlabench.envs.tasks.base import Task
from vlabench.envs.world import TabletopWorld
from vlabench.errors import InvalidRunError, UsageError
from vlabench.published import Publication, open_published
from vlabench.seeding import stream
from vlabench.suite import load_suite
from vlabench.types import EpisodeSpec, Outcome

Predicate = Callable[..., bool]
Factors = Mapping[str, Any]
Rng = np.random.Generator


# --- success that is none ---------------------------------------------------------------------


@pytest.fixture
def errors_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """The kinds of states that an audit finds a success test wrong about, if it is replaced."""

    def find(task: str, name: str, predicate: Predicate) -> set[str]:
        monkeypatch.setitem(PREDICATES, name, predicate)
        kinds = audit(task, states=40, seed=3).kinds
        return {kind for kind, count in kinds.items() if count.errors}

    return find


def test_1_a_predicate_that_is_true_in_mid_air(errors_of: Callable[..., set[str]]) -> None:
    """To be on something meant to be above it: nobody asked whether the two touch."""
    right = PREDICATES["on"]

    def above(scene: Scene, data: mujoco.MjData, name: str, support: str) -> bool:
        thing, below = (data.xpos[scene.objects[key].body] for key in (name, support))
        near = float(np.hypot(*(thing - below)[:2])) < scene.objects[support].shape.radius / 2
        return right(scene, data, name, support) or bool(near and thing[2] > below[2])

    assert errors_of("stack", "on", right) == set()
    assert "on: in mid-air" in errors_of("stack", "on", above)


def test_2_a_predicate_that_is_true_of_what_is_held(errors_of: Callable[..., set[str]]) -> None:
    """To hold a thing over its place was as good as to put it there."""
    right = PREDICATES["in-region"]

    def blind_to_the_hand(scene: Scene, data: mujoco.MjData, *names: str) -> bool:
        return right(replace(scene, robot_geoms=frozenset()), data, *names)

    assert errors_of("push-to", "in-region", right) == set()
    assert errors_of("push-to", "in-region", blind_to_the_hand) == {"in-region: held in its place"}


# --- changes that are none, and too many ------------------------------------------------------


class Tint(Axis):
    """An honest little axis: the light is warmer."""

    name = "tint"
    kind = "visual"
    levels = ("L1", "L2")
    rings: Mapping[str, Ring] = {"L1": Ring(0.3, 0.6), "L2": Ring(0.6, 1.0)}

    def factors(self, task: Task) -> frozenset[str]:
        return frozenset({lighting.FACTOR})

    def draw(self, task: Task, nominal: Factors, level: str, rng: Rng) -> dict[str, Any]:
        warmth = self.rings[level].draw(rng)
        return {lighting.FACTOR: {**nominal[lighting.FACTOR], "warmth": warmth}}


@pytest.fixture
def complaints_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Axis]], list[str]]:
    """What the checks say of an axis, once it is registered."""

    def find(axis: type[Axis]) -> list[str]:
        module = ModuleType("planted")
        monkeypatch.setattr(module, "AXIS", axis, raising=False)
        monkeypatch.setitem(sys.modules, "planted", module)
        monkeypatch.setitem(axes.AXES, axis.name, "planted:AXIS")
        return complaints(axis.name, ["lift"])

    return find


def test_an_honest_axis_gives_no_complaint(complaints_of: Callable[..., list[str]]) -> None:
    """The control of the next four."""
    assert complaints_of(Tint) == []


def test_3_an_axis_that_does_nothing(complaints_of: Callable[..., list[str]]) -> None:
    """A level was looked up under a wrong name, or the change was too small for any camera."""

    class Nothing(Tint):
        def draw(self, task: Task, nominal: Factors, level: str, rng: Rng) -> dict[str, Any]:
            return {lighting.FACTOR: nominal[lighting.FACTOR]}

    class NextToNothing(Tint):
        rings: Mapping[str, Ring] = {"L1": Ring(0.001, 0.002), "L2": Ring(0.002, 0.003)}

    found = complaints_of(Nothing)
    assert "tint:L1 on lift, index 0: no factor differs from the twin's." in found
    found = [words for words in complaints_of(NextToNothing) if "no frame differs" in words]
    assert len(found) == len(Tint.levels)


def test_4_an_axis_that_leaks_into_the_instruction(complaints_of: Callable[..., list[str]]) -> None:
    """The sentence told that the scene had been changed, and how."""

    class Telling(Tint):
        def factors(self, task: Task) -> frozenset[str]:
            return frozenset({lighting.FACTOR, "phrase"})

        def draw(self, task: Task, nominal: Factors, level: str, rng: Rng) -> dict[str, Any]:
            phrase = nominal["phrase"]
            told = {**phrase, "template": f"{phrase['template']} in the warm light"}
            return super().draw(task, nominal, level, rng) | {"phrase": told}

    found = complaints_of(Telling)
    assert any("'phrase' changes, though the axis is none of words" in words for words in found)
    assert any("in the warm light' is said instead of" in complaint for complaint in found)


def test_5_a_seed_that_repeats(complaints_of: Callable[..., list[str]]) -> None:
    """A generator made anew with the same seed gave every episode the same numbers."""

    class Repeating(Tint):
        def draw(self, task: Task, nominal: Factors, level: str, rng: Rng) -> dict[str, Any]:
            return super().draw(task, nominal, level, stream("tint"))

    assert complaints_of(Repeating) == [
        "tint:L1 on lift, index 1: the numbers are those of tint:L1 on lift, index 0."
    ]


def test_6_a_twin_that_differs_elsewhere(complaints_of: Callable[..., list[str]]) -> None:
    """What was compared under a change had been moved as well."""

    class Moving(Tint):
        def draw(self, task: Task, nominal: Factors, level: str, rng: Rng) -> dict[str, Any]:
            x, y, yaw = nominal["object.pose"]
            moved = {"object.pose": [x, round(y + 1e-6, 6), yaw]}
            return super().draw(task, nominal, level, rng) | moved

    found = complaints_of(Moving)
    assert len(found) >= len(Tint.levels)
    assert all("the factor 'object.pose' differs from the twin's" in words for words in found)


# --- starts that are none ---------------------------------------------------------------------


def drawn(task: str, **factors: Any) -> EpisodeSpec:
    episode = draw_episode(TabletopWorld(), task, seed=0, index=0)
    return replace(episode, factors={**episode.factors, **factors})


def begun(episode: EpisodeSpec) -> tuple[bool, Outcome]:
    """Whether an inspected episode is over after the first action, and what came of it."""
    inspected = InspectedSimulation()
    inspected.start(episode)
    over = inspected.advance(np.zeros(7, dtype=np.float32))
    return over, inspected.outcome()


def faults_of(outcome: Outcome) -> list[str]:
    return [event.what for event in outcome.events if event.what.startswith(FAULT)]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (0, "fault: the object gathers speed at 9.8 m/s2: it stands on nothing"),
        (1, "fault: the object moves at 490.5 mm/s, faster than 1"),
    ],
)
def test_7_an_unsettled_start(monkeypatch: pytest.MonkeyPatch, steps: int, sentence: str) -> None:
    """Things hung in the air, or were still falling, when the policy was first asked."""
    over, outcome = begun(drawn("lift"))
    assert (over, faults_of(outcome)) == (False, [])
    monkeypatch.setattr(placing, "REST_DEPTH", -0.05)
    monkeypatch.setattr(simulation, "SETTLE_STEPS", steps)
    monkeypatch.setattr(simulation, "LONGEST_SETTLE", steps)
    over, outcome = begun(drawn("lift"))
    assert over
    assert not outcome.success
    assert sentence in faults_of(outcome)


def test_8_a_goal_that_is_true_at_reset() -> None:
    """The drawer that was to be closed had never been opened."""
    episode = drawn("close-drawer")
    over, outcome = begun(episode)
    assert (over, faults_of(outcome)) == (False, [])
    shut = dict.fromkeys(episode.factors["cabinet.parts"], 0.0)
    over, outcome = begun(drawn("close-drawer", **{"cabinet.parts": shut}))
    drawer = episode.factors["cast"]["drawer"]
    assert over
    assert not outcome.success
    assert not outcome.success_once
    assert faults_of(outcome) == [
        f"fault: the stage 'closed' is true at the start: closed({drawer})"
    ]


# --- episodes that nobody can solve, and certificates that certify nothing --------------------

SUITE = """
name: small
version: 1
description: Two things to lift.
seed: 0
episodes: 2
tasks: [lift]
"""


@pytest.fixture
def published(tmp_path: Path) -> Callable[[], Publication]:
    """Certifies and publishes a little suite under the expert."""
    path = tmp_path / "small.yaml"
    path.write_text(SUITE)

    def do() -> Publication:
        labour = Labour(runner="serial")
        (publication,) = certify([str(path)], labour, ledgers=tmp_path / "ledgers", fresh=True)
        return publication

    return do


def test_9_an_episode_that_cannot_be_solved(
    monkeypatch: pytest.MonkeyPatch, published: Callable[[], Publication], tmp_path: Path
) -> None:
    """Failing at it was counted against every policy."""
    right, too_heavy = TabletopWorld.draw, [0]

    def draw(self: TabletopWorld, *names: Any, index: int, **options: Any) -> DrawnEpisode:
        episode = right(self, *names, index=index, **options)
        if index not in too_heavy:
            return episode
        physics = {**episode.factors["physics"], "mass": 500.0}
        return replace(episode, factors={**episode.factors, "physics": physics})

    monkeypatch.setattr(TabletopWorld, "draw", draw)
    publication = published()
    (rejection,) = publication.rejected
    assert (rejection.task, rejection.index) == ("lift", 0)
    assert "not solved in" in rejection.reason
    whole = open_published(load_suite(str(tmp_path / "small.yaml")))
    assert whole is not None
    assert {episode.index for episode in whole.manifest.episodes} == {1, 2}
    too_heavy[:] = range(100)
    with pytest.raises(InvalidRunError, match="were rejected"):
        published()


def test_9_has_a_control(published: Callable[[], Publication]) -> None:
    assert published().rejected == ()


def test_10_a_torn_certificate(published: Callable[[], Publication], tmp_path: Path) -> None:
    """A file had been cut off, lost a line, or been edited, and everybody went on."""
    published()
    suite, labour = str(tmp_path / "small.yaml"), Labour(runner="serial")
    assert check(suite, labour=labour).differences == ()
    (pool,) = tmp_path.rglob("lift.jsonl.xz")
    whole = pool.read_bytes()
    lines = [json.loads(line) for line in lzma.decompress(whole).decode().splitlines()]

    pool.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="torn or damaged"):
        open_published(load_suite(suite))

    rewrite(pool, lines[:-1])
    with pytest.raises(UsageError, match="has no certificate for lift 1"):
        open_published(load_suite(suite))

    moved = json.loads(json.dumps(lines[0]))
    moved["episode"]["factors"]["object.pose"][0] += 0.01
    rewrite(pool, [moved, lines[1]])
    with pytest.raises(UsageError, match="has been edited"):
        open_published(load_suite(suite))

    forged = {**lines[0], "certificate": {**lines[0]["certificate"], "final_state_hash": "0" * 16}}
    rewrite(pool, [forged, lines[1]])
    with pytest.raises(UsageError, match="restore the files") as refused:
        open_published(load_suite(suite))

    found = re.search(r"have the hashes (\{.*?\})", str(refused.value))
    assert found is not None
    (lock,) = tmp_path.rglob("published.json")
    lock.write_text(json.dumps({"small@1": json.loads(found[1])}))
    (difference,) = check(suite, labour=labour).differences
    assert difference.what == ("another last state",)


def rewrite(pool: Path, lines: list[dict[str, Any]]) -> None:
    pool.write_bytes(lzma.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))
