"""What the predicates compute with plain numbers is what matrices say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest

from vlabench.envs.predicates.geometry import extent, in_frame_of, lowest, middle, touching

KINDS = mujoco.mjtGeom


@pytest.fixture(params=["place-in", "store-in-drawer"])
def state(solved: Callable[[str, int], Any], request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The scene of an episode, and its state half way, where things lean and are held."""
    episode = solved(request.param, 0)
    return episode.scene, episode.at(len(episode.path) // 2)


def directions() -> np.ndarray:
    """``(20, 3)`` unit vectors."""
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def support(model: mujoco.MjModel, data: mujoco.MjData, geom: int, along: np.ndarray) -> float:
    """How far a geom extends from its middle."""
    local = np.abs(data.geom_xmat[geom].reshape(3, 3).T @ along)
    a, b, _ = size = model.geom_size[geom]
    match KINDS(int(model.geom_type[geom])):
        case KINDS.mjGEOM_SPHERE:
            return a
        case KINDS.mjGEOM_CAPSULE:
            return a + b * local[2]
        case KINDS.mjGEOM_CYLINDER:
            return a * np.linalg.norm(local[:2]) + b * local[2]
        case KINDS.mjGEOM_ELLIPSOID:
            return np.linalg.norm(size * local)
        case _:
            return size @ local


def test_an_extent_is_that_of_the_support_functions(state: tuple[Any, Any]) -> None:
    scene, data = state
    origin = np.array([0.1, -0.2, 0.9])
    for thing in scene.objects.values():
        for along in directions():
            reach = max(
                along @ (data.geom_xpos[geom] - origin) + support(scene.model, data, geom, along)
                for geom in thing.geoms
            )
            found = extent(scene, data, thing, tuple(origin), tuple(along))
            assert found == pytest.approx(reach, abs=1e-12)


def test_points_and_heights_are_those_of_the_bodies_frames(state: tuple[Any, Any]) -> None:
    scene, data = state
    for thing in scene.objects.values():
        turned = data.xmat[thing.body].reshape(3, 3)
        half_way = data.xpos[thing.body] + turned[:, 2] * thing.shape.height / 2
        assert middle(data, thing) == pytest.approx(half_way, abs=1e-12)
        for point in directions():
            local = turned.T @ (point - data.xpos[thing.body])
            assert in_frame_of(data, thing.body, tuple(point)) == pytest.approx(local, abs=1e-12)
        origin, up = data.xpos[thing.body], turned[:, 2]
        below = extent(scene, data, thing, tuple(origin), tuple(-up))
        assert lowest(scene, data, thing, thing.body) == pytest.approx(-below, abs=1e-12)


def test_what_touches_is_what_the_contacts_say(state: tuple[Any, Any]) -> None:
    scene, data = state
    met = {tuple(contact.geom.tolist()) for contact in data.contact if contact.dist <= 0}
    for thing in scene.objects.values():
        pairs = [pair for pair in met if len(thing.geoms & set(pair)) == 1]
        assert touching(data, thing.geoms) == {g for pair in pairs for g in pair} - thing.geoms
    assert any(touching(data, thing.geoms) for thing in scene.objects.values())
