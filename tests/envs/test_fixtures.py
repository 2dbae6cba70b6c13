from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.embodiments import TABLE_HEIGHT, TABLE_SIZE
from vlabench.envs.fixtures.base import Fixture, Part, fixture
from vlabench.envs.objects.catalog import draw_shape
from vlabench.envs.predicates import PREDICATES
from vlabench.envs.predicates.parts import CLOSED, OPEN, PRESSED, TURNED
from vlabench.envs.scene import Scene, ScenePart, compose
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Goal, task
from vlabench.envs.view import Viewpoint
from vlabench.errors import UsageError
from vlabench.registry import FIXTURES
from vlabench.seeding import stream
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

HOLD = np.zeros(7, dtype=np.float32)
CORNERS = [[0.0] * 4, [1.0] * 4, [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]]
TASKS = (
    "open-drawer",
    "close-drawer",
    "open-door",
    "close-door",
    "turn-knob",
    "press-button",
    "shelve",
    "cook",
    "heat-in-oven",
    "store-in-drawer",
)
HANDLED = {"drawer", "door", "knob", "button"}
PUT_INTO = {"drawer", "level", "basin", "region"}
ON_THEIR_STAND = [name for name in FIXTURES.names() if fixture(name).stand is not None]
"""The others are placed among the objects."""
OPENING = [n for n in FIXTURES.names() if {p.kind for p in fixture(n).parts} & {"drawer", "door"}]


@pytest.fixture(params=FIXTURES.names())
def kind(request: pytest.FixtureRequest) -> Fixture:
    return fixture(request.param)


def alone(
    draw: Draw,
    kind: Fixture,
    shape: Sequence[float] = (0.5,) * 4,
    color: str = "",
    pose: Sequence[float] = (),
    extra: Mapping[str, Any] | None = None,
) -> Scene:
    """A fixture and nothing else on the table."""
    nominal = draw("place-on").factors
    bare = {key: value for key, value in nominal.items() if key.split(".")[0] not in ROLES}
    return compose(
        {
            **bare,
            **(extra or {}),
            f"{kind.name}.shape": list(shape),
            f"{kind.name}.color": color or min(kind.colors),
            f"{kind.name}.pose": list(pose or middle_of(kind)),
            f"{kind.name}.parts": {part.name: 0.0 for part in kind.parts},
        }
    )


ROLES = {"object", "target", "distractor"}
A_BLOCK = {
    "object.category": "block",
    "object.shape": [0.0] * 4,
    "object.color": "red",
    "object.pose": [0.0, -0.3, 0.0],
}


def middle_of(kind: Fixture) -> list[float]:
    if kind.stand is None:
        return [0.0, 0.0, 0.3]
    return [sum(ends) / 2 for ends in (kind.stand.x, kind.stand.y, kind.stand.yaw)]


def data_of(scene: Scene) -> mujoco.MjData:
    data = mujoco.MjData(scene.model)
    Viewpoint(scene).place(data)
    mujoco.mj_forward(scene.model, data)
    return data


def moving(scene: Scene) -> Iterator[ScenePart]:
    return (part for part in scene.parts.values() if part.qpos is not None)


def speed_of(scene: Scene, data: mujoco.MjData, part: ScenePart) -> float:
    return abs(float(data.qvel[scene.model.jnt_dofadr[part.joint]]))


# --- what a fixture is ------------------------------------------------------------------------


def test_every_part_is_marked_in_the_model_as_others_expect_it(draw: Draw, kind: Fixture) -> None:
    for shape, color in zip(CORNERS, sorted(kind.colors) * 2, strict=False):
        scene = alone(draw, kind, shape, color)
        for name, part in scene.parts.items():
            assert (part.handle_site is not None) == (part.part.kind in HANDLED), name
            assert (part.floor_site is not None) == (part.part.kind in PUT_INTO), name
            assert bool(part.geoms) == (part.part.kind != "region"), name
            if part.joint is None:
                assert part.part.travel == 0.0, name
            else:
                low, high = scene.model.jnt_range[part.joint]
                assert (low, high) == (0.0, pytest.approx(part.part.travel)), name


def test_it_comes_in_several_shapes_and_colours(kind: Fixture) -> None:
    assert len(kind.colors) >= 3
    assert 2 <= len(kind.lengths) <= 4
    with pytest.raises(UsageError, match="does not come in 'plaid'"):
        kind.add(mujoco.MjSpec(), CORNERS[0], "plaid", (0.0, 0.0, 0.0), 0.0)


def test_part_names_are_unique() -> None:
    names = [part.name for name in FIXTURES.names() for part in fixture(name).parts]
    assert len(names) == len(set(names))


def test_handles_and_floors_are_where_their_meaning_says(draw: Draw, kind: Fixture) -> None:
    scene = alone(draw, kind)
    data = data_of(scene)
    for name, part in scene.parts.items():
        if part.floor_site is not None:
            size = scene.model.site_size[part.floor_site]
            assert min(size) > 0.03, name
            assert data.site_xpos[part.floor_site][2] >= TABLE_HEIGHT - 1e-9, name
        if part.handle_site is not None:
            x, _, z = data.site_xmat[part.handle_site].reshape(3, 3).T
            assert abs(x[2]) < 1e-6, name
            assert z[2] > 0.999, name


@pytest.mark.parametrize("kind", ON_THEIR_STAND, indirect=True)
def test_it_stands_on_the_table_within_reach_and_in_view(draw: Draw, kind: Fixture) -> None:
    assert kind.stand is not None
    stand = kind.stand
    for pose in product(stand.x, stand.y, stand.yaw):
        scene = alone(draw, kind, CORNERS[1], pose=pose)
        data = data_of(scene)
        assert abs(pose[0]) < TABLE_SIZE[0] / 2
        assert abs(pose[1]) < TABLE_SIZE[1] / 2
        for part in scene.parts.values():
            for site in {part.handle_site, part.floor_site} - {None}:
                at = data.site_xpos[site]
                assert math.dist(at, data.xpos[scene.model.body("robot0_base").id]) < 0.9
                assert in_view(scene, data, at), part.name


def in_view(scene: Scene, data: mujoco.MjData, point: np.ndarray) -> bool:
    camera = scene.model.camera("agentview").id
    x, y, z = data.cam_xmat[camera].reshape(3, 3).T @ (point - data.cam_xpos[camera])
    half = math.tan(math.radians(float(scene.model.cam_fovy[camera])) / 2)
    return bool(z < 0 and abs(x / z) < half and abs(y / z) < half)


# --- at rest and in motion --------------------------------------------------------------------


def test_nothing_touches_anything_and_nothing_moves(draw: Draw, kind: Fixture) -> None:
    for k in range(4):
        rng = stream("test", kind.name, k)
        scene = alone(draw, kind, draw_shape(rng, unseen=k > 1), str(rng.choice([*kind.colors])))
        model, data = scene.model, data_of(scene)
        arm = [d for d in range(model.nv) if model.jnt_bodyid[model.dof_jntid[d]] != 0]
        fixed = {int(model.jnt_dofadr[part.joint]) for part in moving(scene)}
        arm = [d for d in arm if d not in fixed]
        assert data.ncon == 0
        for _ in range(100):
            data.qfrc_applied[arm] = data.qfrc_bias[arm]
            mujoco.mj_step(model, data)
            for part in moving(scene):
                assert abs(data.qpos[part.qpos]) < 1e-5, part.name
                assert speed_of(scene, data, part) < 1e-3, part.name
        assert data.ncon == 0


@pytest.mark.parametrize("kind", OPENING, indirect=True)
def test_a_part_goes_all_its_way_and_touches_nothing(draw: Draw, kind: Fixture) -> None:
    for shape in CORNERS:
        scene = alone(draw, kind, shape)
        model, data = scene.model, data_of(scene)
        parts = [part for part in moving(scene) if part.part.kind in {"drawer", "door"}]
        assert parts
        model.exclude_signature[:] = -1  # parts may touch their fixture in this test
        for part in parts:
            model.geom_margin[list(part.geoms)] = 0.001
        for shares in product((0.0, 0.3, 0.6, 1.0), repeat=len(parts)):
            for part, share in zip(parts, shares, strict=True):
                data.qpos[part.qpos] = share * part.part.travel
            mujoco.mj_forward(model, data)
            touching = [
                [model.body(model.geom_bodyid[g]).name for g in c.geom] for c in data.contact
            ]
            assert not touching, shares


def test_a_joint_stops_at_both_ends_and_only_a_button_comes_back(draw: Draw, kind: Fixture) -> None:
    scene = alone(draw, kind)
    model = scene.model
    model.opt.gravity[:] = 0.0  # the arm hangs where it is
    for part in moving(scene):
        data, dof = data_of(scene), int(model.jnt_dofadr[part.joint])
        force = {"knob": 0.2, "door": 1.5}.get(part.part.kind, 8.0)
        for push, end in ((force, 1.0), (-force, 0.0)):
            data.qfrc_applied[dof] = push
            advance(model, data, 1500)
            share = data.qpos[part.qpos] / part.part.travel
            assert share == pytest.approx(end, abs=0.06), part.name
        data.qfrc_applied[dof] = 0.0
        data.qpos[part.qpos], data.qvel[:] = 0.5 * part.part.travel, 0.0
        advance(model, data, 500)
        share = data.qpos[part.qpos] / part.part.travel
        assert share == pytest.approx(0.0 if part.part.kind == "button" else 0.5, abs=0.03)


def advance(model: mujoco.MjModel, data: mujoco.MjData, steps: int) -> None:
    for _ in range(steps):
        mujoco.mj_step(model, data)


# --- what is true of a part -------------------------------------------------------------------

THRESHOLDS = {
    "drawer": (("open", OPEN, +1), ("closed", CLOSED, -1)),
    "door": (("open", OPEN, +1), ("closed", CLOSED, -1)),
    "knob": (("turned", TURNED, +1),),
    "button": (("pressed", PRESSED, +1),),
}


def test_predicates_are_true_on_their_side_of_the_threshold_only(draw: Draw, kind: Fixture) -> None:
    scene = alone(draw, kind)
    data = data_of(scene)
    for part in moving(scene):
        for name, threshold, side in THRESHOLDS[part.part.kind]:
            for offset, expected in ((0.001, True), (0.2, True), (-0.001, False), (-0.3, False)):
                share = min(1.0, max(0.0, threshold + side * offset))
                if (share - threshold) * side > 0 or not expected:
                    data.qpos[part.qpos] = share * part.part.travel
                    assert PREDICATES[name](scene, data, part.name) is expected, (name, share)


def test_a_thing_counts_where_it_was_put_down_but_not_above_or_beside(
    draw: Draw, kind: Fixture
) -> None:
    scene = alone(draw, kind, extra=A_BLOCK)
    data = data_of(scene)
    at = int(scene.model.joint("object joint").qposadr[0])
    for part in (part for part in scene.parts.values() if part.floor_site is not None):
        true_of = PREDICATES["in-region" if part.part.kind == "region" else "on"]
        frame = data.site_xmat[part.floor_site].reshape(3, 3).copy()
        floor = data.site_xpos[part.floor_site].copy()
        x, y, _ = scene.model.site_size[part.floor_site]
        for offset, expected in (
            ((0.0, 0.0, -1e-4), True),
            ((0.0, 0.0, 0.03), False),
            ((2.0 * x, 0.0, -1e-4), False),
            ((0.0, -2.0 * y, -1e-4), False),
        ):
            data.qpos[at : at + 7] = [*(floor + frame @ np.array(offset)), 1.0, 0.0, 0.0, 0.0]
            mujoco.mj_forward(scene.model, data)
            assert true_of(scene, data, "object", part.name) is expected, (part.name, offset)


# --- tasks with fixtures ----------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_a_scene_is_at_rest_and_its_goal_is_not_yet_met(draw: Draw, name: str) -> None:
    for index in range(3):
        simulation = Simulation()
        simulation.start(draw(name, index))
        scene, data = simulation.scene, simulation.data
        before = {part.name: float(data.qpos[part.qpos]) for part in moving(scene)}
        assert not simulation.progress.true_now(simulation.progress.asked[-1], data)
        assert not simulation.progress.true_now(simulation.progress.asked[0], data)
        for _ in range(10):
            assert min(data.contact.dist, default=0.0) > -0.002
            simulation.advance(HOLD)
        for part in moving(scene):
            assert data.qpos[part.qpos] == pytest.approx(before[part.name], abs=2e-4), part.name
            assert speed_of(scene, data, part) < 1e-3, part.name


@pytest.mark.parametrize("name", TASKS)
def test_the_expert_does_it(solved: Callable[[str, int], object], name: str) -> None:
    assert solved(name, 1)


@pytest.mark.parametrize("name", TASKS)
def test_a_cast_for_another_goal_names_what_is_in_the_scene(draw: Draw, name: str) -> None:
    kind = task(name)
    factors = draw(name).factors
    scene = compose(factors)
    for other in kind.others:
        cast = {**factors["cast"], **other}
        for goal in (goal.cast(cast) for stage in kind.stages for goal in stage.goals):
            assert is_in(scene, goal), goal


def is_in(scene: Scene, goal: Goal) -> bool:
    return all(name in scene.parts or name in scene.objects for name in goal.arguments)


def test_a_part_says_what_it_is_good_for(kind: Fixture) -> None:
    for part in kind.parts:
        assert isinstance(part, Part)
        assert part.use.startswith(("some", "a ")), part.use
        assert part.name not in part.synonyms
