from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlabench.envs import placing
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.language.grammar import Referent
from vlabench.envs.materials import FINISHES, PALETTE
from vlabench.envs.objects import catalog
from vlabench.envs.objects.catalog import (
    SHAPE_COORDINATES,
    Category,
    Form,
    Role,
    SuperCategory,
    category,
    held_out,
)
from vlabench.envs.objects.geometry import WIDEST_GRASP, Mesh, Shape
from vlabench.envs.simulation import Simulation
from vlabench.registry import OBJECTS, TASKS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

NAMES = OBJECTS.names()

CORNERS = [
    (0.0, 0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0, 1.0),
    (0.0, 1.0, 0.0, 1.0),
    (1.0, 0.0, 1.0, 0.0),
]
"""Extremes, from seen cells and from held-out ones."""

SEEN, HELD_OUT = (0.99, 0.99, 0.99, 0.99), (0.01, 0.99, 0.01, 0.99)

HELD = {"manipulated", "small", "stackable", "standing", "utensil", "cookware"}
"""Roles of things that a hand must be able to take."""

REACH = {
    "manipulated": 0.0775,
    "small": 0.0545,
    "stackable": 0.0545,
    "pushable": 0.0645,
    "utensil": 0.0775,
    "cookware": 0.122,
    "support": 0.1255,
    "plate-like": 0.11,
    "receptacle": 0.1225,
}
"""Largest radius of what may play a role, in metres."""


@cache
def shapes(name: str) -> list[Shape]:
    return [category(name).shape(corner) for corner in CORNERS]


def playing(*roles: str) -> list[str]:
    """Names of the categories that may play any of these roles."""
    return [name for name in NAMES if category(name).roles & set(roles)]


def edges(mesh: Mesh) -> Counter[tuple[int, int]]:
    """How often each directed edge occurs, once vertices in the same place are one."""
    _, place = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = place.reshape(-1)[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return Counter(map(tuple, directed.tolist()))


def signed_volume(mesh: Mesh) -> float:
    a, b, c = mesh.vertices.astype(np.float64)[mesh.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def seen(shape: Shape) -> np.ndarray:
    """All vertices but those of stems and leaves, which nothing touches."""
    return np.concatenate(
        [v.mesh.vertices for v in shape.visuals if v.slot not in {"stem", "leaf", "fringe"}]
    )


# --- the catalog -------------------------------------------------------------------------------


def test_the_catalog_is_as_large_as_it_says() -> None:
    kinds = [category(name) for name in NAMES]
    assert len(kinds) >= 52
    assert len({kind.family for kind in kinds}) >= 12
    unseen = [kind for kind in kinds if kind.split == "unseen"]
    assert len(unseen) >= 14
    assert len({kind.family for kind in unseen}) >= 12, "held-out ones bunch in a few families"


@pytest.mark.parametrize("role", get_args(Role))
def test_both_splits_can_play_every_role(role: Role) -> None:
    many = role == "manipulated"
    assert len(catalog.categories(role, "seen")) >= (20 if many else 3)
    assert len(catalog.categories(role, "unseen")) >= (12 if many else 2)


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
    assert kind.family
    assert kind.super_category in get_args(SuperCategory)
    assert kind.form in get_args(Form)
    assert kind.roles
    assert kind.roles <= set(get_args(Role))
    assert len(set(kind.colors)) == len(kind.colors) >= 1
    assert kind.material in FINISHES
    assert 1 <= len(kind.lengths) <= SHAPE_COORDINATES
    assert all(0 < low < high for low, high in kind.lengths.values())
    for color in kind.colors:
        assert color in PALETTE or color in kind.tints
        assert all(0 <= part <= 0.9 for part in kind.rgb(color))
    assert set(kind.tints) <= set(kind.colors)
    slots = {visual.slot for visual in kind.shape(CORNERS[0]).visuals}
    assert "main" in slots, "nothing takes the colour that the instruction names"
    assert slots - {"main"} == set(kind.trim)


# --- words -------------------------------------------------------------------------------------


def test_no_two_categories_answer_to_the_same_word() -> None:
    words = [w for name in NAMES for w in (name, *category(name).synonyms)]
    assert [word for word, count in Counter(words).items() if count > 1] == []
    nouns = {*get_args(SuperCategory), *get_args(Form)}
    assert not nouns & set(words), "a name may not be what a whole kind is called"


def test_no_two_categories_are_known_by_the_same_phrase() -> None:
    phrases = [p for name in NAMES for p in (category(name).use, *category(name).knowledge)]
    assert [phrase for phrase, count in Counter(phrases).items() if count > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_a_category_does_not_name_it(name: str) -> None:
    kind = category(name)
    assert 2 <= len(kind.knowledge) <= 3
    for phrase in (kind.use, *kind.knowledge):
        Referent(kind.name, kind.synonyms, kind.colors[0], phrase)  # it refuses a bad style
        assert phrase.split()[0] not in {"a", "an", "the"}
        for word in (kind.name, *kind.synonyms):
            assert not re.search(rf"\b{word}(e?s)?\b", phrase), f"{phrase!r} says {word!r}"
    assert kind.fits <= set(NAMES) - {name}


# --- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_meshes_are_finite_closed_outward_and_small(name: str) -> None:
    for shape in shapes(name)[:2]:
        for visual in shape.visuals:
            mesh = visual.mesh
            assert mesh.vertices.dtype == np.float32
            assert np.isfinite(mesh.vertices).all()
            counted = edges(mesh)
            assert counted
            assert all(counted[b, a] == n for (a, b), n in counted.items()), "an open edge"
            assert signed_volume(mesh) > 1e-10, "inside out"
        assert sum(len(visual.mesh.faces) for visual in shape.visuals) < 3500
        assert len(shape.pieces) <= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_has_the_size_that_it_says(name: str) -> None:
    for shape in shapes(name):
        x, y, z = seen(shape).T
        assert abs(z.min()) < 0.0015, "it floats or sinks"
        assert z.max() == pytest.approx(shape.height, abs=0.002)
        assert np.hypot(x, y).max() < shape.radius + 0.003
        assert 0.008 < shape.mass < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_fits_the_roles_of_its_category(name: str) -> None:
    roles = category(name).roles
    for shape in shapes(name):
        assert all(shape.radius <= REACH[role] for role in roles - {"standing"})
        if "small" in roles:
            assert shape.height <= 0.07
        if roles & {"support", "receptacle", "stackable"}:
            assert shape.surface_height > 0
            assert shape.surface_radius > 0.015
        if "pushable" in roles:
            assert 0.025 <= shape.height <= 0.06
        if "cookware" in roles:
            assert shape.mass <= 0.4
        if "standing" in roles:
            assert shape.height > 2 * shape.lying > 0
            assert max(grasp.width for grasp in shape.grasps) <= 0.07


@pytest.mark.parametrize("name", NAMES)
def test_grasps_are_poses_that_a_hand_can_take(name: str) -> None:
    kind = category(name)
    for shape in shapes(name):
        if kind.roles & HELD:
            assert shape.grasps, "nothing to hold it by"
        for grasp in shape.grasps:
            assert 0.0025 < grasp.width <= WIDEST_GRASP
            np.testing.assert_allclose(grasp.rotation @ grasp.rotation.T, np.eye(3), atol=1e-6)
            assert np.linalg.det(grasp.rotation) == pytest.approx(1.0, abs=1e-6)
            assert grasp.rotation[2, 2] < -0.99, "not from above"
            assert 0.0104 < grasp.position[2] <= shape.height, "the fingertips reach the table"


@pytest.mark.parametrize("name", NAMES)
def test_a_scaled_shape_is_the_same_but_larger(name: str) -> None:
    kind = category(name)
    plain = kind.shape(SEEN)
    for scale in (0.75, 1.25):
        shape = kind.shape(SEEN, scale)
        assert shape.height == pytest.approx(plain.height * scale)
        assert shape.radius == pytest.approx(plain.radius * scale)
        assert shape.lying == pytest.approx(plain.lying * scale)
        assert shape.mass == pytest.approx(plain.mass * scale**3, rel=1e-3, abs=2e-6)
        np.testing.assert_allclose(seen(shape), seen(plain) * scale, atol=2e-6)
        assert kind.graspable(SEEN, scale) is bool(shape.grasps)
        for grasp in shape.grasps:
            assert grasp.width <= WIDEST_GRASP
            assert 0.0104 < grasp.position[2] <= max(shape.height, 0.011)
    if kind.roles & HELD:
        assert any(kind.graspable(SEEN, scale) for scale in (0.75, 0.95, 1.1, 1.25))


def test_what_has_become_too_wide_for_the_hand_says_so() -> None:
    assert category("apple").graspable(SEEN)
    assert not category("apple").graspable(SEEN, 1.25)


def test_what_has_become_too_flat_for_the_fingers_says_so() -> None:
    assert category("spoon").graspable(SEEN, 1.1)
    assert not category("spoon").graspable(SEEN, 0.75)


# --- on a table --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """A table with one thing on it, and maybe a finger that pushes."""

    model: mujoco.MjModel
    data: mujoco.MjData
    shape: Shape

    @property
    def body(self) -> int:
        return int(self.model.body("thing").id)

    @property
    def speed(self) -> float:
        """Metres per second."""
        return float(np.linalg.norm(self.data.qvel[:3]))

    @property
    def depth(self) -> float:
        """Metres by which something is inside something else."""
        return max((-d for d in self.data.contact.dist), default=0.0)

    @property
    def geoms(self) -> list[int]:
        """What can be touched of the thing."""
        first, count = self.model.body_geomadr[self.body], self.model.body_geomnum[self.body]
        return [g for g in range(first, first + count) if self.model.geom_contype[g]]

    def wait(self, seconds: float) -> float:
        """Lets time pass; the highest speed on the way."""
        fastest = 0.0
        for _ in range(round(seconds / self.model.opt.timestep)):
            mujoco.mj_step(self.model, self.data)
            fastest = max(fastest, self.speed)
        return fastest


def bench(
    name: str,
    corner: tuple[float, ...],
    *,
    finger: bool = False,
    above: str | None = None,
    **more: Any,
) -> Bench:
    """One thing on a table with robosuite's contacts, as `scene.compose` puts it there.

    `finger` stands a fingertip beside it, `above` is another thing to drop into it.
    """
    spec = mujoco.MjSpec()
    spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 20
    spec.compiler.inertiagrouprange = [0, 0]
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5, 0.5, 0.05], pos=[0, 0, TABLE_HEIGHT - 0.05]
    )
    things = {"thing": (name, corner)} | ({"above": (above, SEEN)} if above else {})
    factors = {f"thing.{key}": value for key, value in more.items()}
    for role, (kind, coordinates) in things.items():
        factors |= {
            f"{role}.category": kind,
            f"{role}.color": category(kind).colors[0],
            f"{role}.shape": list(coordinates),
            f"{role}.pose": [0.0, 0.0, 0.7],
        }
    made = {role: placing.shape_of(role, factors) for role in things}
    for role in things:
        placing.add_object(spec, role, made, factors)
    if above:
        spec.body("above").pos = [0.015, 0.0, TABLE_HEIGHT + made["thing"].height + 0.03]
    if finger:
        tip = spec.worldbody.add_body(
            name="finger", mocap=True, pos=[-0.2, 0, TABLE_HEIGHT + 0.022]
        )
        tip.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.008, 0.011, 0.02])
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return Bench(model, data, made["thing"])


coordinates = st.tuples(*[st.floats(0, 1).map(lambda u: round(u, 6))] * SHAPE_COORDINATES)


@pytest.mark.parametrize("name", NAMES)
@given(corner=coordinates, scale=st.sampled_from([1.0, 1.0, 0.75, 1.25]))
@settings(max_examples=3, deadline=None, derandomize=True, database=None)
def test_everything_rests_from_the_start(
    name: str, corner: tuple[float, ...], scale: float
) -> None:
    table = bench(name, corner, scale=scale)
    start = table.data.xpos[table.body].copy()
    assert table.depth < 5e-4
    assert table.wait(0.4) < 1e-3
    assert table.depth < 5e-4
    assert np.linalg.norm(table.data.xpos[table.body] - start) < 3e-4, "it rolls or creeps"


@pytest.mark.parametrize("name", playing("standing"))
@given(corner=coordinates, scale=st.sampled_from([1.0, 0.75, 1.25]))
@settings(max_examples=3, deadline=None, derandomize=True, database=None)
def test_what_can_be_stood_up_lies_still_on_its_side(
    name: str, corner: tuple[float, ...], scale: float
) -> None:
    table = bench(name, corner, lying=True, scale=scale)
    start = table.data.xpos[table.body].copy()
    turn = table.data.xmat[table.body].copy()
    assert table.depth < 5e-4
    assert table.wait(1.0) < 1e-3
    assert np.linalg.norm(table.data.xpos[table.body] - start) < 1e-3
    assert table.data.xmat[table.body] @ turn > 2.999, "it rolls"
    # fingers from above close along the y axis of the thing
    low, high = (pick(span(table, geom, 1)[k] for geom in table.geoms) for k, pick in _BOTH)
    assert high - low <= 0.071 * scale


_BOTH = ((0, min), (1, max))


@pytest.mark.parametrize("name", playing("pushable"))
def test_what_can_be_pushed_slides_upright(name: str) -> None:
    for corner in CORNERS:
        table = bench(name, corner, finger=True)
        for step in range(1250):
            table.data.mocap_pos[0, 0] = -0.12 + 1e-4 * step  # 5 cm/s
            mujoco.mj_step(table.model, table.data)
            assert table.data.xmat[table.body][8] > 0.99, "it tips over"
        assert table.data.xpos[table.body][0] > 0.02


@pytest.mark.parametrize("name", NAMES)
def test_what_is_touched_is_what_is_seen(name: str) -> None:
    # compare the boxes around the collision shapes and around the meshes
    for corner in (SEEN, HELD_OUT):
        table = bench(name, corner)
        low, high = seen(table.shape).min(axis=0), seen(table.shape).max(axis=0)
        for axis in range(3):
            spans = [span(table, geom, axis) for geom in table.geoms]
            assert min(s[0] for s in spans) == pytest.approx(low[axis], abs=0.006)
            assert max(s[1] for s in spans) == pytest.approx(high[axis], abs=0.006)


def span(table: Bench, geom: int, axis: int) -> tuple[float, float]:
    """How far a primitive geom reaches along an axis of its body."""
    model, data = table.model, table.data
    along = data.xmat[table.body].reshape(3, 3)[:, axis]
    a, b, c = model.geom_size[geom]
    x, y, z = along @ data.geom_xmat[geom].reshape(3, 3)
    across = math.hypot(x, y)
    reach = {
        mujoco.mjtGeom.mjGEOM_BOX: abs(x) * a + abs(y) * b + abs(z) * c,
        mujoco.mjtGeom.mjGEOM_CYLINDER: across * a + abs(z) * b,
        mujoco.mjtGeom.mjGEOM_CAPSULE: a + abs(z) * b,
        mujoco.mjtGeom.mjGEOM_SPHERE: a,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID: math.hypot(x * a, y * b, z * c),
    }[mujoco.mjtGeom(model.geom_type[geom])]
    middle = along @ (data.geom_xpos[geom] - data.xpos[table.body])
    return middle - reach, middle + reach


@pytest.mark.parametrize("name", playing("support", "receptacle", "stackable", "plate-like"))
def test_the_surface_is_where_the_shape_says(name: str) -> None:
    for corner in (SEEN, HELD_OUT):
        table = bench(name, corner)
        for x, y in [(0, 0), (0.5, 0), (-0.35, 0.35), (0, -0.5)]:
            local = np.array([x, y, 0.0]) * table.shape.surface_radius
            local[2] = 0.5
            at = table.data.xpos[table.body] + table.data.xmat[table.body].reshape(3, 3) @ local
            hit = np.array([-1], dtype=np.int32)
            groups = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)
            down = np.array([0.0, 0.0, -1.0])
            far = mujoco.mj_ray(table.model, table.data, at, down, groups, 1, -1, hit)
            assert int(hit[0]) in table.geoms
            assert local[2] - far == pytest.approx(table.shape.surface_height, abs=0.0015)


@pytest.mark.parametrize("dropped", ["apple", "block", "banana"])
@pytest.mark.parametrize("name", playing("receptacle"))
def test_receptacles_hold_what_falls_into_them(name: str, dropped: str) -> None:
    for corner in (SEEN, HELD_OUT):
        table = bench(name, corner, above=dropped)
        table.wait(1.0)
        other = table.model.body("above").id
        offset = table.data.xpos[other] - table.data.xpos[table.body]
        assert np.hypot(*offset[:2]) < table.shape.radius
        assert 0 < offset[2] < table.shape.height


@pytest.mark.parametrize("task_name", TASKS.names())
def test_nothing_in_a_drawn_scene_moves_or_overlaps(draw: Draw, task_name: str) -> None:
    simulation = Simulation()
    for index in range(2):
        simulation.start(draw(task_name, index))
        contacts = simulation.data.contact
        for role, thing in simulation.scene.objects.items():
            first = simulation.model.body_dofadr[thing.body]
            assert np.linalg.norm(simulation.data.qvel[first : first + 3]) < 1e-3, (index, role)
            for pair, distance in zip(contacts.geom, contacts.dist, strict=True):
                assert distance > -2e-3 or not {*pair} & thing.geoms, (index, role)
