"""What happens in the middle of an episode: when, once, and never into anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs.events import (
    APPROACH,
    EARLIEST,
    GAP,
    LONGEST_STEP,
    PATIENCE,
    SLIDE_STEPS,
    Timeline,
)
from vlabench.envs.predicates.geometry import touching
from vlabench.envs.scene import compose
from vlabench.envs.simulation import Simulation
from vlabench.envs.view import Viewpoint
from vlabench.errors import UsageError
from vlabench.policies.expert import Expert
from vlabench.types import EpisodeSpec, EpisodeStart, Outcome

Draw = Callable[..., EpisodeSpec]

CAMERA = CameraSpec("exterior/0", 64, 64)
LEVELS = ("light", "camera", "object", "target", "instruction")


def solve(
    episode: EpisodeSpec, watch: Callable[[Simulation], None] = lambda _: None
) -> tuple[Outcome, list[np.ndarray], Simulation]:
    """The expert's way through an episode: outcome, actions, and the simulation at its end."""
    simulation, expert = Simulation(), Expert()
    simulation.start(episode)
    expert.reset([EpisodeStart(episode.episode_id, 0, episode.instruction, simulation.spec())])
    actions, over = [], False
    while not over:
        chunk = expert.act([simulation.observe(privileged=True)])[0]
        actions.append(chunk.actions[0].astype(np.float32))
        over = simulation.advance(actions[-1])
        watch(simulation)
    return simulation.outcome(), actions, simulation


@pytest.mark.parametrize("level", LEVELS)
def test_the_expert_meets_the_event_and_succeeds(draw: Draw, level: str) -> None:
    episode = draw("place-on", 1, f"dynamic:{level}")
    outcome, actions, _ = solve(episode)
    assert outcome.success
    (event,) = outcome.events
    assert EARLIEST <= event.step < outcome.steps
    again = Simulation()
    again.start(episode)
    for action in actions:
        again.advance(action)
    assert again.outcome() == outcome, "the same actions met something else"


@pytest.mark.parametrize("level", LEVELS)
def test_the_twin_is_the_same_until_the_event(draw: Draw, level: str) -> None:
    episode, twin = draw("place-on", 1, f"dynamic:{level}"), draw("place-on", 1)
    outcome, actions, _ = solve(episode)
    happened = outcome.events[0].step
    checksums: list[list[int]] = []
    for each in (episode, twin):
        simulation = Simulation()
        simulation.start(each)
        row = [simulation.checksum()]
        for action in actions[: happened + 2]:
            simulation.advance(action)
            row.append(simulation.checksum())
        assert (simulation.instruction == each.instruction) == (
            level != "instruction" or each is twin
        )
        checksums.append(row)
    before = happened  # checksum k is that after step k
    assert checksums[0][:before] == checksums[1][:before]
    if level in ("object", "target"):
        assert checksums[0] != checksums[1]
    else:
        assert checksums[0] == checksums[1], "what is only seen or said moves nothing"


@pytest.mark.parametrize("level", ["light", "camera"])
def test_what_is_seen_changes_at_the_event_and_only_then(draw: Draw, level: str) -> None:
    twin = draw("place-on", 1)
    events = draw("place-on", 1, f"dynamic:{level}").factors["events"]
    _, actions, solved = solve(draw("place-on", 1, f"dynamic:{level}"))
    step = solved.outcome().events[0].step
    frames: list[list[np.ndarray]] = []
    for happening in (events, []):
        simulation = Simulation()
        simulation.start(draw("place-on", 1, factors={"events": happening}))
        row = []
        for action in actions[: step + 1]:
            simulation.advance(action)
            row.append(simulation.observe((CAMERA,)).images[CAMERA.role])
        frames.append(row)
        simulation.close()
    same = [np.array_equal(one, other) for one, other in zip(*frames, strict=True)]
    assert same == [True] * (step - 1) + [False] * 2
    difference = np.abs(frames[0][-1].astype(int) - frames[1][-1].astype(int)).max(axis=2)
    assert (difference > 12).mean() > 0.1
    assert twin.instruction


def test_a_new_instruction_is_the_goal_from_then_on(draw: Draw) -> None:
    episode = draw("place-on", 1, "dynamic:instruction")
    said: list[str] = []
    outcome, _, simulation = solve(episode, lambda s: said.append(s.instruction))
    step = outcome.events[0].step
    assert set(said[: step - 1]) == {episode.instruction}
    (changed,) = set(said[step - 1 :])
    assert changed != episode.instruction
    assert changed in outcome.events[0].what
    assert simulation.observe().instruction == changed
    goal = simulation.progress.asked[0].goals[0]
    assert goal.arguments[0] == "distractor"
    assert outcome.success


@pytest.mark.parametrize("intensity", [0.4, 1.8])
def test_every_light_changes_by_as_much(draw: Draw, intensity: float) -> None:
    light = {"kind": "light", "intensity": intensity, "warmth": 0.0}
    factors = dict(draw("place-on", 1).factors)
    table = Table(factors, "object", light)
    model, untouched = table.model, compose(factors).model
    table.go_on(1)
    for name in ("ambient", "diffuse", "specular"):
        before = getattr(untouched.vis.headlight, name)
        assert getattr(model.vis.headlight, name) == pytest.approx(intensity * before, abs=1e-6)
        before = getattr(untouched, f"light_{name}")
        assert getattr(model, f"light_{name}") == pytest.approx(intensity * before, abs=1e-6)
    assert untouched.vis.headlight.diffuse.min() > 0.1


@pytest.mark.parametrize("task", ["close-door", "open-drawer", "lift"])
def test_a_hand_that_starts_nearby_must_come_nearer(draw: Draw, task: str) -> None:
    episode = draw(task, 0, "dynamic:light")
    event = {**episode.factors["events"][0], "within_m": 5.0}
    episode = draw(task, 0, factors={"events": [event]})
    distances: list[float] = []

    def watch(simulation: Simulation) -> None:
        scene, data = simulation.scene, simulation.data
        hand = data.site_xpos[scene.model.site(scene.embodiment.grip_site).id]
        name = event["near"]
        if name in scene.parts:
            middle = data.site_xpos[scene.parts[name].handle_site]
        else:
            thing = scene.objects[name]
            up = data.xmat[thing.body].reshape(3, 3)[:, 2]
            middle = data.xpos[thing.body] + up * thing.shape.height / 2
        distances.append(math.dist(hand, middle))

    simulation = Simulation()
    simulation.start(episode)
    watch(simulation)
    outcome, _, _ = solve(episode, watch)
    (happened,) = outcome.events
    near = [d <= APPROACH * distances[0] for d in distances]
    assert happened.step == max(EARLIEST, near.index(True))
    assert happened.step > EARLIEST


def test_nothing_happens_to_a_robot_that_stays_away(draw: Draw) -> None:
    events = [{**draw("place-on", 1, "dynamic:object").factors["events"][0], "within_m": 0.01}]
    simulation = Simulation()
    simulation.start(draw("place-on", 1, factors={"events": events}))
    for _ in range(30):
        simulation.advance(np.zeros(7, np.float32))
    assert simulation.outcome().events == ()


# --- how things slide --------------------------------------------------------------------------


class Table:
    """A scene in which the hand is high up, and an event that is due at once.

    The hand has come there from further up: the arm was stretched.
    """

    def __init__(self, factors: dict[str, Any], near: str, do: dict[str, Any] | list[float]):
        if isinstance(do, list):
            do = {"kind": "move", "what": near, "to": do}
        self.scene = compose(factors)
        self.model, self.data = self.scene.model, mujoco.MjData(self.scene.model)
        mujoco.mj_forward(self.model, self.data)
        event = {"near": near, "within_m": 9.0, "do": do}
        self.timeline = Timeline({**factors, "events": [event]}, self.scene, self.data)
        Viewpoint(self.scene).place(self.data)
        mujoco.mj_forward(self.model, self.data)
        self.steps = EARLIEST - 1

    def put(self, role: str, x: float, y: float) -> None:
        body = self.scene.objects[role].body
        address = self.model.jnt_qposadr[self.model.body_jntadr[body]]
        self.data.qpos[address : address + 2] = x, y
        mujoco.mj_forward(self.model, self.data)

    def place(self, role: str) -> tuple[float, float]:
        x, y, _ = self.data.xpos[self.scene.objects[role].body].tolist()
        return x, y

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.steps += 1
            self.timeline.update(self.data, self.steps)
            mujoco.mj_forward(self.model, self.data)


def test_a_thing_slides_to_its_place_in_eight_steps_and_touches_nothing(draw: Draw) -> None:
    episode = draw("place-on", 1, "dynamic:object")
    to = episode.factors["events"][0]["do"]["to"]
    table = Table(dict(episode.factors), "object", to)
    start = table.place("object")
    assert 0.05 <= math.dist(start, to) <= 0.1 + 1e-5
    lengths = []
    for _ in range(SLIDE_STEPS):
        before = table.place("object")
        table.go_on(1)
        lengths.append(math.dist(before, table.place("object")))
        touched = touching(table.data, table.scene.objects["object"].geoms)
        assert touched <= {table.scene.table_geom}
    assert table.place("object") == pytest.approx(to, abs=1e-9)
    assert lengths == pytest.approx([math.dist(start, to) / SLIDE_STEPS] * SLIDE_STEPS)
    table.go_on(5)
    assert table.place("object") == pytest.approx(to, abs=1e-9)
    assert len(table.timeline.happened) == 1


def test_a_thing_waits_for_what_is_in_its_way(draw: Draw) -> None:
    factors = dict(draw("place-on", 1).factors)
    x, y, _ = factors["object.pose"]
    table = Table(factors, "object", [x + 0.1, y])
    other = table.scene.objects["distractor"].shape.radius
    radius = table.scene.objects["object"].shape.radius
    table.put("distractor", x + radius + other + 0.02, y)
    table.put("target", x - 0.3, y)
    table.go_on(12)
    assert 0 < table.place("object")[0] - x < 0.02
    assert [event.step for event in table.timeline.happened] == [EARLIEST]
    assert not touching(table.data, table.scene.objects["object"].geoms) - {table.scene.table_geom}
    table.put("distractor", x, y - 0.3)
    table.go_on(SLIDE_STEPS)
    assert table.place("object")[0] == pytest.approx(x + 0.1, abs=1e-9)


def test_what_the_robot_or_another_thing_touches_does_not_slide(draw: Draw) -> None:
    factors = dict(draw("place-on", 1).factors)
    x, y, _ = factors["target.pose"]
    table = Table(factors, "target", [x + 0.08, y])
    body = table.scene.objects["object"].body
    address = table.model.jnt_qposadr[table.model.body_jntadr[body]]
    height = table.scene.objects["target"].shape.surface_height
    table.data.qpos[address : address + 3] = x, y, 0.8 + height - 2e-4
    mujoco.mj_forward(table.model, table.data)
    table.go_on(5)
    assert table.place("target") == pytest.approx((x, y), abs=1e-9)
    assert table.timeline.happened == (), "it has not moved yet"
    table.put("object", x, y - 0.4)
    table.go_on(SLIDE_STEPS)
    assert table.place("target")[0] == pytest.approx(x + 0.08, abs=1e-9)
    assert [event.step for event in table.timeline.happened] == [EARLIEST + 5]


def test_a_slide_that_cannot_begin_is_given_up_and_never_happened(draw: Draw) -> None:
    factors = dict(draw("place-on", 1).factors)
    x, y, _ = factors["object.pose"]
    table = Table(factors, "object", [x + 0.1, y])
    other = table.scene.objects["distractor"].shape.radius
    radius = table.scene.objects["object"].shape.radius
    table.put("distractor", x + radius + other + GAP, y)
    table.put("target", x - 0.3, y)
    table.go_on(PATIENCE)
    table.put("distractor", x, y - 0.3)
    table.go_on(SLIDE_STEPS)
    assert table.place("object") == pytest.approx((x, y), abs=1e-9)
    assert table.timeline.happened == ()


def test_a_thing_that_has_been_moved_away_slides_no_long_way_back(draw: Draw) -> None:
    factors = dict(draw("place-on", 1).factors)
    x, y, _ = factors["object.pose"]
    table = Table(factors, "object", [x, y])
    table.put("object", x, y + 0.3)
    table.put("target", x - 0.3, y)
    table.put("distractor", x - 0.3, y + 0.3)
    for _ in range(2 * SLIDE_STEPS):
        before = table.place("object")
        table.go_on(1)
        assert math.dist(before, table.place("object")) <= LONGEST_STEP + 1e-9
    moved = math.dist(table.place("object"), (x, y + 0.3))
    assert moved == pytest.approx(SLIDE_STEPS * LONGEST_STEP)


def test_a_thing_does_not_slide_into_a_fixture(draw: Draw) -> None:
    factors = dict(draw("store-in-drawer", 0).factors)
    x, y, _ = factors["cabinet.pose"]
    bench, start = Table(factors, "object", [x, y]), y - 0.4
    bench.put("object", x, start)
    while apart(bench, "object", "cabinet") > 0.03:
        start += 0.005
        bench.put("object", x, start)
    table = Table(factors, "object", [x, start + 0.1])
    table.put("distractor", -0.3, -0.4)
    table.put("object", x, start)
    table.go_on(PATIENCE)
    assert start < table.place("object")[1] < start + 0.04
    assert GAP <= apart(table, "object", "cabinet") < 0.03


def apart(table: Table, role: str, fixture: str) -> float:
    """Metres, at most 5 cm, between a thing and a fixture, parts and all."""
    model, owner = table.model, table.model.body(fixture).id
    solid = [
        geom
        for geom, body in enumerate(model.geom_bodyid.tolist())
        if model.body_rootid[body] == owner and model.geom_contype[geom]
    ]
    return min(
        mujoco.mj_geomDistance(model, table.data, own, other, 0.05, None)
        for own in table.scene.objects[role].geoms
        for other in solid
    )


def test_mats_slide_before_a_thing_is_pushed_onto_them(draw: Draw) -> None:
    for index in range(3):
        episode = draw("push-to", index, "dynamic:target")
        places: list[list[float]] = []

        def watch(simulation: Simulation, places: list[list[float]] = places) -> None:
            body = simulation.scene.parts["mat"].body
            places.append(simulation.data.xpos[body][:2].tolist())

        outcome, _, _ = solve(episode, watch)
        (event,) = outcome.events
        still = [math.dist(place, places[0]) < 1e-9 for place in places]
        assert still.index(False) + 1 == event.step, "what is recorded is when it moved"
        assert math.dist(places[0], places[-1]) > 0.04
        assert outcome.success


def test_no_event_goes_with_a_diagnostic(draw: Draw) -> None:
    for diagnostic in ("absent-object:L1", "empty-instruction:L1", "swapped-goal:L1"):
        with pytest.raises(UsageError, match="both change 'diagnostic'"):
            draw("place-on", 0, "dynamic:instruction", diagnostic)


def test_a_marked_place_slides_too(draw: Draw) -> None:
    factors = dict(draw("push-to", 1).factors)
    x, y, _ = factors["mat.pose"]
    table = Table(factors, "mat", [x + 0.06, y])
    for number, role in enumerate(table.scene.objects):
        table.put(role, x - 0.3, y + 0.2 * number)
    table.go_on(SLIDE_STEPS)
    part = table.scene.parts["mat"]
    assert table.data.xpos[part.body][:2] == pytest.approx([x + 0.06, y], abs=1e-9)
    assert table.data.site_xpos[part.floor_site][:2] == pytest.approx([x + 0.06, y], abs=0.01)
