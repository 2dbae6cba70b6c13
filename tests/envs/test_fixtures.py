from __future__ import annotations

from collections.abc import Callable
from itertools import product

import mujoco
import numpy as np
import pytest

from vlabench.envs.fixtures import cabinet
from vlabench.envs.fixtures.cabinet import COLORS, DRAWERS, TRAVEL
from vlabench.envs.predicates import touching
from vlabench.envs.scene import Scene, compose
from vlabench.envs.simulation import Simulation
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

HOLD = np.zeros(7, dtype=np.float32)
CORNERS = [[0.0] * 4, [1.0] * 4, [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]]


def scene_of(draw: Draw, shape: list[float], color: str = "oak") -> Scene:
    factors = {"cabinet.shape": shape, "cabinet.color": color}
    return compose(draw("open-drawer", factors=factors).factors)


def geoms_of(model: mujoco.MjModel, body: str) -> frozenset[int]:
    first, count = model.body(body).geomadr[0], model.body(body).geomnum[0]
    return frozenset(g for g in range(first, first + count) if model.geom_contype[g])


@pytest.mark.parametrize("index", range(6))
def test_drawers_are_shut_and_at_rest_from_the_first_observation_on(draw: Draw, index: int) -> None:
    simulation = Simulation()
    simulation.start(draw("open-drawer", index, "object-pose:L3"))
    for _ in range(20):
        for name in DRAWERS:
            joint = simulation.model.joint(f"{name} slide")
            assert abs(simulation.data.qpos[joint.qposadr[0]]) < 2e-4, name
            assert abs(simulation.data.qvel[joint.dofadr[0]]) < 1e-3, name
        simulation.advance(HOLD)


@pytest.mark.parametrize("shape", CORNERS)
def test_a_drawer_slides_all_its_way_without_touching_anything(
    draw: Draw, shape: list[float]
) -> None:
    scene = scene_of(draw, shape)
    data = mujoco.MjData(scene.model)
    data.qpos[scene.model.joint("distractor joint").qposadr[0]] = -0.3
    for openings in product((0.0, 0.05, 0.1, TRAVEL), repeat=2):
        for name, opening in zip(DRAWERS, openings, strict=True):
            data.qpos[scene.model.joint(f"{name} slide").qposadr[0]] = opening
        mujoco.mj_forward(scene.model, data)
        for name in DRAWERS:
            assert not touching(data, geoms_of(scene.model, name)), openings


@pytest.mark.parametrize("shape", CORNERS)
def test_a_drawer_stops_at_its_end(draw: Draw, shape: list[float]) -> None:
    scene = scene_of(draw, shape)
    data = mujoco.MjData(scene.model)
    joint = scene.model.joint("top drawer slide")
    for force, end in ((8.0, TRAVEL), (-8.0, 0.0)):
        data.qfrc_applied[joint.dofadr[0]] = force
        for _ in range(1000):
            mujoco.mj_step(scene.model, data)
        assert data.qpos[joint.qposadr[0]] == pytest.approx(end, abs=0.002)


@pytest.mark.parametrize("color", sorted(COLORS))
def test_the_parts_have_the_names_that_others_use(draw: Draw, color: str) -> None:
    scene = scene_of(draw, CORNERS[0], color)
    model, data = scene.model, mujoco.MjData(scene.model)
    mujoco.mj_forward(model, data)
    for name in DRAWERS:
        outward = data.site_xmat[model.site(f"{name} handle").id].reshape(3, 3)[:, 0]
        handle = data.site_xpos[model.site(f"{name} handle").id]
        floor = data.site_xpos[model.site(f"{name} floor").id]
        assert abs(outward[2]) < 1e-9
        assert (handle - floor) @ outward > 0.1
        assert handle[2] > floor[2]
    top, bottom = (data.site_xpos[model.site(f"{name} floor").id][2] for name in DRAWERS)
    assert top > bottom + 0.08


def test_the_hand_fits_around_every_handle(draw: Draw) -> None:
    for shape in CORNERS:
        scene = scene_of(draw, shape)
        data = mujoco.MjData(scene.model)
        mujoco.mj_forward(scene.model, data)
        lengths = cabinet.shape(shape)
        assert lengths.handle > 0.04
        for name in DRAWERS:
            handle = data.site_xpos[scene.model.site(f"{name} handle").id]
            capsules = [
                g
                for g in geoms_of(scene.model, name)
                if scene.model.geom_type[g] == mujoco.mjtGeom.mjGEOM_CAPSULE
            ]
            upright = [g for g in capsules if abs(data.geom_xmat[g][8]) > 0.99]
            assert len(upright) == 1
            np.testing.assert_allclose(data.geom_xpos[upright[0]], handle, atol=1e-6)
            assert scene.model.geom_size[upright[0]][0] < 0.008
