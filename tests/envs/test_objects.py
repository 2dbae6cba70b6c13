from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.materials import FINISHES, PALETTE
from vlabench.envs.objects import catalog
from vlabench.envs.objects.catalog import SHAPE_COORDINATES, Category, category, held_out
from vlabench.envs.objects.geometry import Mesh, Shape
from vlabench.envs.scene import compose
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Goal, task
from vlabench.registry import OBJECTS, TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

NAMES = OBJECTS.names()
HOLD = np.zeros(7, dtype=np.float32)

CORNERS = [
    (0.0, 0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0, 1.0),
    (0.0, 1.0, 0.0, 1.0),
    (1.0, 0.0, 1.0, 0.0),
    (0.5, 0.5, 0.5, 0.5),
    (0.4, 0.4, 0.9, 0.1),
    (0.2, 0.95, 0.4, 0.6),
]
"""Extremes, the middle, and cells of both splits."""

SEEN, HELD_OUT = (0.99, 0.99, 0.99, 0.99), (0.01, 0.99, 0.01, 0.99)

MOUTH = 0.08
"""Metres that the Panda's gripper opens."""


def shapes(name: str) -> list[Shape]:
    return [category(name).shape(corner) for corner in CORNERS]


def edges(mesh: Mesh) -> Counter[tuple[int, int]]:
    """How often each directed edge occurs, once vertices in the same place are one."""
    _, place = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = place.reshape(-1)[mesh.faces]
    return Counter(
        (int(face[k]), int(face[(k + 1) % 3]))
        for face in faces
        for k in range(3)
        if len(set(face.tolist())) == 3
    )


def signed_volume(mesh: Mesh) -> float:
    a, b, c = mesh.vertices.astype(np.float64)[mesh.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def seen(shape: Shape) -> np.ndarray:
    """All vertices but those of stems and leaves, which nothing touches."""
    return np.concatenate(
        [v.mesh.vertices for v in shape.visuals if v.slot not in {"stem", "leaf"}]
    )


# --- the catalog -------------------------------------------------------------------------------


def test_the_catalog_is_as_large_as_it_says() -> None:
    kinds = [category(name) for name in NAMES]
    assert len(kinds) >= 16
    assert len({kind.family for kind in kinds}) >= 5
    assert {kind.split for kind in kinds} == {"seen", "unseen"}
    assert sum(kind.split == "unseen" for kind in kinds) >= 1


def test_both_splits_can_play_every_role_that_changes_hands() -> None:
    roles = {role for name in TASKS.names() for role in task(name).roles}
    for role in roles:
        assert len(catalog.categories(role.kind, "seen")) >= 2, role
        if role.name == "object":
            assert len(catalog.categories(role.kind, "unseen")) >= 2, role


def test_held_out_cells_are_a_third_and_both_draws_keep_to_theirs() -> None:
    cells = [(i + 0.5, j + 0.5) for i in range(3) for j in range(3)]
    assert sum(held_out([i / 3, j / 3, 0.0, 0.0]) for i, j in cells) == 3
    rng = np.random.default_rng(0)
    for unseen in (False, True):
        for _ in range(200):
            drawn = catalog.draw_shape(rng, unseen=unseen)
            assert held_out(drawn) is unseen
            assert len(drawn) == SHAPE_COORDINATES
            assert all(0 <= u <= 1 for u in drawn)
    assert held_out(HELD_OUT)
    assert not held_out(SEEN)


@pytest.mark.parametrize("name", NAMES)
def test_a_category_says_all_that_language_and_light_need(name: str) -> None:
    kind = category(name)
    assert isinstance(kind, Category)
    assert kind.name == name
    for text in (kind.family, kind.super_category, kind.use, *kind.synonyms, *kind.colors):
        assert text.strip() == text != ""
    assert kind.roles
    assert name not in kind.synonyms
    assert len(set(kind.colors)) == len(kind.colors) >= 1
    assert kind.material in FINISHES
    assert 1 <= len(kind.lengths) <= SHAPE_COORDINATES
    assert all(0 < low < high for low, high in kind.lengths.values())
    for color in kind.colors:
        assert color in PALETTE or color in kind.tints
        assert all(0 <= part <= 0.9 for part in kind.rgb(color))
    slots = {visual.slot for visual in kind.shape(CORNERS[0]).visuals}
    assert "main" in slots, "nothing takes the colour that the instruction names"
    assert slots - {"main"} <= set(kind.trim)


def test_no_two_categories_answer_to_the_same_word() -> None:
    words = [w for name in NAMES for w in (name, *category(name).synonyms)]
    assert [word for word, count in Counter(words).items() if count > 1] == []


# --- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_meshes_are_finite_closed_and_outward(name: str) -> None:
    for shape in shapes(name):
        for visual in shape.visuals:
            mesh = visual.mesh
            assert mesh.vertices.dtype == np.float32
            assert np.isfinite(mesh.vertices).all()
            counted = edges(mesh)
            assert counted
            assert all(counted[b, a] == n for (a, b), n in counted.items()), "an open edge"
            assert signed_volume(mesh) > 1e-9, "inside out"


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_has_the_size_that_it_says(name: str) -> None:
    for shape in shapes(name):
        x, y, z = seen(shape).T
        assert abs(z.min()) < 0.0015, "it floats or sinks"
        assert z.max() == pytest.approx(shape.height, abs=0.002)
        assert np.hypot(x, y).max() < shape.radius + 0.006
        assert 0.02 < shape.mass < 1.0
        assert max(shape.height, 2 * shape.radius) < 0.27


@pytest.mark.parametrize("name", NAMES)
def test_what_is_touched_is_what_is_seen(name: str, draw: Draw) -> None:
    # compare the boxes around the collision shapes and around the meshes
    for corner in (SEEN, HELD_OUT):
        factors = alone(draw, name, corner).factors
        scene = compose({**factors, "distractor.pose": [0.0, 0.0, 0.0]})
        model = scene.model
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        thing = scene.objects["distractor"]
        low, high = seen(thing.shape).min(axis=0), seen(thing.shape).max(axis=0)
        for axis in range(3):
            spans = [span(model, data, geom, axis) for geom in thing.geoms]
            origin = data.xpos[thing.body][axis]
            assert min(s[0] for s in spans) - origin == pytest.approx(low[axis], abs=0.006)
            assert max(s[1] for s in spans) - origin == pytest.approx(high[axis], abs=0.006)


def span(model: mujoco.MjModel, data: mujoco.MjData, geom: int, axis: int) -> tuple[float, float]:
    """How far a primitive geom reaches along an axis of the world."""
    a, b, c = model.geom_size[geom]
    x, y, z = data.geom_xmat[geom].reshape(3, 3)[axis]
    across = np.hypot(x, y)
    reach = {
        mujoco.mjtGeom.mjGEOM_BOX: abs(x) * a + abs(y) * b + abs(z) * c,
        mujoco.mjtGeom.mjGEOM_CYLINDER: across * a + abs(z) * b,
        mujoco.mjtGeom.mjGEOM_CAPSULE: a + abs(z) * b,
        mujoco.mjtGeom.mjGEOM_SPHERE: a,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID: float(np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2)),
    }[mujoco.mjtGeom(model.geom_type[geom])]
    middle = data.geom_xpos[geom][axis]
    return middle - reach, middle + reach


@pytest.mark.parametrize("name", NAMES)
def test_grasps_are_poses_that_a_hand_can_take(name: str) -> None:
    kind = category(name)
    for shape in shapes(name):
        if kind.roles & {"manipulated", "small", "stackable"}:
            assert shape.grasps, "nothing to hold it by"
        for grasp in shape.grasps:
            assert 0 < grasp.width < MOUTH - 0.005
            np.testing.assert_allclose(grasp.rotation @ grasp.rotation.T, np.eye(3), atol=1e-6)
            assert np.linalg.det(grasp.rotation) == pytest.approx(1.0, abs=1e-6)
            assert grasp.rotation[2, 2] < -0.99, "not from above"
            assert 0.012 < grasp.position[2] <= shape.height, "the fingertips reach the table"


@pytest.mark.parametrize("name", NAMES)
def test_the_surface_is_where_the_shape_says(name: str, draw: Draw) -> None:
    kind = category(name)
    if kind.shape(SEEN).surface_radius == 0 or kind.shape(SEEN).surface_height == 0:
        assert not kind.roles & {"support", "receptacle", "stackable"}
        return
    for corner in (SEEN, HELD_OUT):
        scene = compose(alone(draw, name, corner).factors)
        data = mujoco.MjData(scene.model)
        mujoco.mj_forward(scene.model, data)
        thing = scene.objects["distractor"]
        for x, y in [(0, 0), (0.5, 0), (-0.35, 0.35), (0, -0.5)]:
            local = np.array([x, y, 0.0]) * thing.shape.surface_radius
            local[2] = 0.5
            at = data.xpos[thing.body] + data.xmat[thing.body].reshape(3, 3) @ local
            hit = np.array([-1], dtype=np.int32)
            groups = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)
            down = np.array([0.0, 0.0, -1.0])
            far = mujoco.mj_ray(scene.model, data, at, down, groups, 1, -1, hit)
            assert int(hit[0]) in thing.geoms
            assert local[2] - far == pytest.approx(thing.shape.surface_height, abs=0.0015)


# --- at rest -----------------------------------------------------------------------------------


def alone(draw: Draw, name: str, corner: tuple[float, ...]) -> EpisodeSpec:
    """An episode in which that instance is the only free thing."""
    return draw(
        "open-drawer",
        factors={
            "distractor.category": name,
            "distractor.color": category(name).colors[0],
            "distractor.shape": list(corner),
            "distractor.pose": [0.0, -0.2, 0.7],
        },
    )


def speed(simulation: Simulation, role: str) -> float:
    """Metres per second, of the origin of an object."""
    body = simulation.scene.objects[role].body
    first = simulation.model.body_dofadr[body]
    return float(np.linalg.norm(simulation.data.qvel[first : first + 3]))


def depth(simulation: Simulation, role: str) -> float:
    """Metres by which an object is inside something else."""
    geoms = simulation.scene.objects[role].geoms
    contacts = simulation.data.contact
    return max(
        (-d for pair, d in zip(contacts.geom, contacts.dist, strict=True) if {*pair} & geoms),
        default=0.0,
    )


@pytest.mark.parametrize("corner", [SEEN, HELD_OUT], ids=["seen", "held-out"])
@pytest.mark.parametrize("name", NAMES)
def test_everything_rests_from_the_first_observation_on(
    draw: Draw, name: str, corner: tuple[float, ...]
) -> None:
    simulation = Simulation()
    simulation.start(alone(draw, name, corner))
    start = simulation.data.xpos[simulation.model.body("distractor").id].copy()
    assert speed(simulation, "distractor") < 1e-3
    fastest, deepest = 0.0, depth(simulation, "distractor")
    for _ in range(40):  # two seconds
        simulation.advance(HOLD)
        fastest = max(fastest, speed(simulation, "distractor"))
        deepest = max(deepest, depth(simulation, "distractor"))
    assert fastest < 1e-3
    assert deepest < 5e-4
    end = simulation.data.xpos[simulation.model.body("distractor").id]
    assert np.linalg.norm(end - start) < 1e-3, "it rolls or creeps"


@pytest.mark.parametrize("task_name", TASKS.names())
def test_nothing_in_a_drawn_scene_moves_or_overlaps(draw: Draw, task_name: str) -> None:
    simulation = Simulation()
    for index in range(8):
        for changes in ((), ("object-pose:L3",), ("unseen-instances:L1",)):
            simulation.start(draw(task_name, index, *changes))
            for role in simulation.scene.objects:
                assert speed(simulation, role) < 1e-3, (index, changes, role)
                assert depth(simulation, role) < 2e-3, (index, changes, role)
                thing = simulation.scene.objects[role]
                assert simulation.data.xpos[thing.body][2] == pytest.approx(TABLE_HEIGHT, abs=1e-3)


@pytest.mark.parametrize("corner", [SEEN, HELD_OUT], ids=["seen", "held-out"])
@pytest.mark.parametrize("dropped", ["apple", "block"])
@pytest.mark.parametrize("name", catalog.categories("receptacle"))
def test_receptacles_hold_what_falls_into_them(
    draw: Draw, name: str, dropped: str, corner: tuple[float, ...]
) -> None:
    from vlabench.envs.predicates import holds

    simulation = Simulation()
    simulation.start(
        draw(
            "place-in",
            factors={
                "target.category": name,
                "target.color": category(name).colors[0],
                "target.shape": list(corner),
                "target.pose": [0.05, 0.1, 0.3],
                "object.category": dropped,
                "object.color": category(dropped).colors[0],
                "object.pose": [-0.1, -0.2, 0.0],
                "distractor.pose": [0.1, -0.2, 0.0],
            },
        )
    )
    inside = Goal("in", ("object", "target"))
    assert not holds(inside, simulation.scene, simulation.data)
    target = simulation.scene.objects["target"]
    address = simulation.model.joint("object joint").qposadr[0]
    over = simulation.data.xpos[target.body] + [0.015, 0.0, target.shape.height + 0.03]
    simulation.data.qpos[address : address + 3] = over
    for _ in range(20):  # one second
        simulation.advance(HOLD)
    offset = simulation.data.xpos[simulation.model.body("object").id]
    offset = offset - simulation.data.xpos[target.body]
    assert np.hypot(*offset[:2]) < target.shape.radius
    assert 0 < offset[2] < target.shape.height
    assert holds(inside, simulation.scene, simulation.data)
