"""Frames are to the bit what MuJoCo alone draws, however they are made faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs import contexts, rendering
from vlabench.envs.culling import Culler, table_top
from vlabench.envs.opengl import OpenGL
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import CAMERAS, Scene, compose
from vlabench.errors import UsageError
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]
Frames = dict[str, np.ndarray]

LOOK = tuple(CameraSpec(role, 128, 96) for role in CAMERAS)

SCENES = [
    ("lift",),
    ("store-in-drawer", "camera:L3"),
    ("serve", "combination:all"),
    ("place-on", "lighting:L3", "table-texture:L3"),
    ("place-in", "lighting:L2", "background:L3"),
    ("stack", "distractors:L3"),
    ("lift", "embodiment:both"),
]


@pytest.fixture(scope="module")
def fast() -> Iterator[Renderer]:
    with Renderer() as renderer:
        yield renderer


@pytest.fixture(scope="module")
def plain() -> Iterator[Renderer]:
    with Renderer(plain=True) as renderer:
        yield renderer


def posed(scene: Scene, turn: float) -> mujoco.MjData:
    """The scene with every joint of the arm turned by that much from home, in turns."""
    data = mujoco.MjData(scene.model)
    signs = np.resize([1.0, -1.0, 0.5], len(scene.home))
    data.qpos[: len(scene.home)] = scene.home + turn * signs
    mujoco.mj_forward(scene.model, data)
    return data


def same(one: Frames, other: Frames) -> bool:
    return all(np.array_equal(one[role], other[role]) for role in other)


@pytest.mark.parametrize("what", SCENES, ids=" ".join)
def test_frames_are_those_of_mujoco_alone(
    draw: Draw, fast: Renderer, plain: Renderer, what: tuple[str, ...]
) -> None:
    task, *changes = what
    scene = compose(draw(task, 1, *changes).factors)
    for turn in (0.0, 0.2, -0.4):
        data = posed(scene, turn)
        ours = fast.render(scene.model, data, LOOK)
        assert fast.shares_shadows
        assert same(ours, plain.render(scene.model, data, LOOK))
    assert not plain.shares_shadows


def test_what_stands_still_may_move_and_the_light_may_change(
    draw: Draw, fast: Renderer, plain: Renderer
) -> None:
    scene = compose(draw("store-in-drawer", 2).factors)
    model, data = scene.model, posed(scene, 0.0)
    before = fast.render(model, data, LOOK)
    model.light("key").dir[:] = (0.1, 0.6, -0.79)
    model.geom("table_leg1_visual").pos[:2] += 0.1
    mujoco.mj_forward(model, data)
    after = fast.render(model, data, LOOK)
    assert not same(before, after)
    assert same(after, plain.render(model, data, LOOK))


@pytest.mark.parametrize("lights", ["two of them cast shadows", "one is a spot"])
def test_lights_that_cannot_share_a_map_are_left_to_mujoco(
    draw: Draw, fast: Renderer, plain: Renderer, lights: str
) -> None:
    scene = compose(draw("lift", 0).factors)
    model, data = scene.model, posed(scene, 0.0)
    if "two" in lights:
        model.light_castshadow[:] = True
    else:
        model.light_type[model.light("key").id] = mujoco.mjtLightType.mjLIGHT_SPOT
    ours = fast.render(model, data, LOOK)
    assert not fast.shares_shadows
    assert same(ours, plain.render(model, data, LOOK))


@pytest.mark.parametrize("first", ["directional", "spot"])
def test_a_pass_that_is_not_exact_is_not_used(
    draw: Draw, plain: Renderer, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    scene = compose(draw("lift", 0).factors)
    data, light = posed(scene, 0.0), scene.model.light("key").id
    own = int(scene.model.light_type[light])
    monkeypatch.setattr("vlabench.envs.shadows._OFFSET", (-1.5, -40000.0))
    with Renderer() as renderer:
        if first == "spot":  # nothing can be compared in it, which proves nothing of the next
            scene.model.light_type[light] = mujoco.mjtLightType.mjLIGHT_SPOT
            renderer.render(scene.model, data, LOOK)
            scene.model.light_type[light] = own
        ours = renderer.render(scene.model, data, LOOK)
        assert not renderer.shares_shadows
    assert same(ours, plain.render(scene.model, data, LOOK))


def test_a_pass_is_compared_where_the_first_scene_could_not_be_shared(draw: Draw) -> None:
    scene = compose(draw("lift", 0).factors)
    data, cast = posed(scene, 0.0), scene.model.light_castshadow
    own = cast.copy()
    with Renderer() as renderer:
        cast[:] = False
        renderer.render(scene.model, data, LOOK)
        assert not renderer.shares_shadows
        cast[:] = own
        renderer.render(scene.model, data, LOOK)
        assert renderer.shares_shadows


def test_every_context_is_compared_anew(
    draw: Draw, plain: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (compose(draw("lift", index).factors) for index in range(2))
    other.model.vis.quality.shadowsize = 256
    with Renderer() as renderer:
        renderer.render(one.model, posed(one, 0.0), LOOK)
        assert renderer.shares_shadows
        monkeypatch.setattr("vlabench.envs.shadows._OFFSET", (-1.5, -40000.0))
        data = posed(other, 0.0)
        ours = renderer.render(other.model, data, LOOK)
        assert not renderer.shares_shadows
    assert same(ours, plain.render(other.model, data, LOOK))


def test_mirrors_reflect_what_throws_no_shadow(draw: Draw, fast: Renderer, plain: Renderer) -> None:
    scene = compose(draw("place-on", 0).factors)
    model, data = scene.model, posed(scene, 0.2)
    dull = plain.render(model, data, LOOK)
    model.mat_reflectance[model.geom("table_visual").matid] = 0.7
    ours = fast.render(model, data, LOOK)
    assert fast.shares_shadows
    assert not same(ours, dull)
    assert same(ours, plain.render(model, data, LOOK))


def test_another_thread_is_told_whose_the_renderer_is(draw: Draw) -> None:
    scene = compose(draw("lift", 0).factors)
    data, look = posed(scene, 0.0), (CameraSpec("exterior/0", 32, 32),)
    with Renderer() as renderer, ThreadPoolExecutor(1, "other") as pool:
        before = renderer.render(scene.model, data, look)
        for ask in (lambda: renderer.render(scene.model, data, look), renderer.close):
            with pytest.raises(UsageError, match=r"belongs to the thread 'Main.*, not to 'other"):
                pool.submit(ask).result()
        assert same(renderer.render(scene.model, data, look), before)


def test_an_opengl_without_the_functions_is_left_to_mujoco(
    draw: Draw, plain: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking() -> None:
        raise AttributeError("there is no glClipControl")

    monkeypatch.setattr(rendering, "OpenGL", lacking)
    scene = compose(draw("lift", 0).factors)
    data = posed(scene, 0.0)
    with Renderer() as renderer:
        assert same(renderer.render(scene.model, data, LOOK), plain.render(scene.model, data, LOOK))
        assert not renderer.shares_shadows


# --- one context for many models ----------------------------------------------------------------


def test_resets_leave_nothing_behind_in_opengl(draw: Draw, plain: Renderer) -> None:
    tasks = ("lift", "store-in-drawer", "set-table")  # other meshes, textures and their types
    scenes = [compose(draw(task, 4).factors) for task in tasks]
    states = [posed(scene, 0.1) for scene in scenes]
    look = (CameraSpec("exterior/0", 32, 32),)
    alone = [plain.render(s.model, d, look) for s, d in zip(scenes, states, strict=True)]
    with Renderer() as renderer:
        counts = []
        for turn in range(20):
            for scene, data, expected in zip(scenes, states, alone, strict=True):
                assert same(renderer.render(scene.model, data, look), expected)
            if turn in (0, 19):
                counts.append(OpenGL().names_in_use())
    assert counts[0]["Texture"] > 2
    assert counts[0]["List"] > 100
    assert counts[0] == counts[1]


def test_what_cannot_be_fitted_gets_a_new_context(draw: Draw, plain: Renderer) -> None:
    scenes = [compose(draw("lift", index).factors) for index in range(3)]
    scenes[1].model.vis.quality.shadowsize = 256
    scenes[2].model.stat.extent = 1.2
    with Renderer() as renderer:
        for scene in scenes:
            data = posed(scene, 0.0)
            ours = renderer.render(scene.model, data, LOOK)
            assert renderer.shares_shadows
            assert same(ours, plain.render(scene.model, data, LOOK))


def test_more_meshes_than_there_is_room_for_get_a_new_context(
    draw: Draw, plain: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts, "SPARE_MESHES", 0)
    few, many = (compose(draw(task, 0).factors) for task in ("lift", "set-table"))
    assert few.model.nmesh < many.model.nmesh
    with Renderer() as renderer:
        for scene in (few, many, few):
            data = posed(scene, 0.0)
            ours = renderer.render(scene.model, data, LOOK)
            assert same(ours, plain.render(scene.model, data, LOOK))


# --- what is left out --------------------------------------------------------------------------


def left_out(scene: Scene, data: mujoco.MjData, camera: str) -> set[str]:
    """The bodies of which a picture of this camera lacks a geom; the world's geoms by name."""
    model = scene.model
    shown = mujoco.MjvScene(model, maxgeom=2000)
    view = mujoco.MjvCamera()
    view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(camera).id
    everything = int(mujoco.mjtCatBit.mjCAT_ALL)
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, view, everything, shown)
    count = Culler(model, data, table_top(model, "table_visual")).cull(shown, data, 1.0)
    empty = [g.objid for g in shown.geoms[: shown.ngeom] if g.dataid < 0 and g.type == 7]
    assert len(empty) == count
    bodies = {g: model.body(model.geom_bodyid[g]).name for g in empty}
    return {
        model.geom(g).name if body in ("world", "table") else body for g, body in bodies.items()
    }


def test_the_wrist_camera_goes_without_the_room_and_the_pedestal(draw: Draw) -> None:
    scene = compose(draw("lift", 0).factors)
    gone = left_out(scene, posed(scene, 0.0), "wrist")
    assert {"floor", "fixed_mount0_pedestal", "robot0_link1"} <= gone
    assert not gone & {"table_visual", "distractor"}


def test_nothing_is_left_out_where_there_is_a_mirror(draw: Draw) -> None:
    scene = compose(draw("lift", 0).factors)
    scene.model.mat_reflectance[0] = 0.5
    assert left_out(scene, posed(scene, 0.0), "wrist") == set()


def test_boxes_hold_every_vertex(draw: Draw) -> None:
    model = compose(draw("store-in-drawer", 0).factors).model
    for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH):
        mesh = model.mesh(model.geom_dataid[geom])
        first, count = int(mesh.vertadr[0]), int(mesh.vertnum[0])
        middle, half = np.split(model.geom_aabb[geom], 2)
        vertices = model.mesh_vert[first : first + count]
        assert (np.abs(vertices - middle) <= half + 1e-6).all()
