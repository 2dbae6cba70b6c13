"""Visual axes: their rings and pools, what stays true in them, and what reaches the policy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import mujoco
import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes import background, camera, distractors, object_appearance, sensor_noise
from vlabench.envs.axes import table_texture as table
from vlabench.envs.axes.base import Axis
from vlabench.envs.draw import discs
from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.materials import FINISHES, PALETTE, Surface
from vlabench.envs.objects.catalog import category
from vlabench.envs.scene import compose, fixtures_in, roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.textures import PATTERNS, SIZE, tile
from vlabench.envs.views import NOMINAL, VIEWS, view
from vlabench.errors import UnknownNameError, UsageError
from vlabench.registry import AXES, OBJECTS
from vlabench.types import EpisodeSpec

Draw = Callable[..., EpisodeSpec]

LEVELS = ("L1", "L2", "L3")
TASKS = ("place-in", "stack", "store-in-drawer", "set-table")
INDICES = range(12)
CAMERAS = (CameraSpec("exterior/0", 96, 96), CameraSpec("wrist/0", 96, 96))

VISUAL = [name for name in AXES.names() if AXES.load(name).kind == "visual"]
CELLS = [(name, level) for name in VISUAL for level in AXES.load(name).levels]

TURN_DEG = {"L1": (5, 10), "L2": (10, 20), "L3": (20, 40)}
DISTANCE = {"L1": (1, 1.1), "L2": (1.1, 1.3), "L3": (1.3, 1.6)}
SEVERITY = {
    "blur": {"L1": (0.3, 0.6), "L2": (0.6, 1.2), "L3": (1.2, 2.4)},
    "gaussian": {"L1": (4, 9), "L2": (9, 18), "L3": (18, 36)},
    "jpeg": {"L1": (50, 70), "L2": (70, 85), "L3": (85, 92)},
    "occlusion": {"L1": (3, 6), "L2": (6, 12), "L3": (12, 24)},
}
COUNT = {"L1": (1, 2), "L2": (3, 4), "L3": (5, 8)}
"""What the tables of the design promise, said a second time on purpose."""


def axis_called(name: str) -> Axis:
    axis: Axis = AXES.load(name)()
    return axis


def within(ring: tuple[float, float], value: float) -> bool:
    return ring[0] - 1e-4 <= value <= ring[1] + 1e-4


# --- what reaches the policy -------------------------------------------------------------------


@pytest.fixture(scope="module")
def look(draw: Draw) -> Callable[..., Mapping[str, np.ndarray]]:
    """The first frames of a newly started episode of the task ``place-in``."""
    simulation = Simulation()

    def frames(*changes: str) -> Mapping[str, np.ndarray]:
        simulation.start(draw("place-in", 3, *changes))
        return simulation.observe(CAMERAS).images

    return frames


@pytest.fixture(scope="module")
def twin(look: Callable[..., Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    return look()


@pytest.mark.parametrize(("axis", "level"), CELLS)
def test_a_visual_axis_changes_what_is_delivered(
    look: Callable[..., Mapping[str, np.ndarray]],
    twin: Mapping[str, np.ndarray],
    axis: str,
    level: str,
) -> None:
    changed = look(f"{axis}:{level}")
    assert not np.array_equal(changed["exterior/0"], twin["exterior/0"])
    if axis.startswith("noise") or axis in {"lighting", "table-texture"}:
        assert not np.array_equal(changed["wrist/0"], twin["wrist/0"])


def test_the_twin_is_the_same_frame_behind_all_others(
    look: Callable[..., Mapping[str, np.ndarray]], twin: Mapping[str, np.ndarray]
) -> None:
    for changes in (("background:L3",), ("noise-gaussian:L3",), ()):
        frames = look(*changes)
        same = all(np.array_equal(frames[role], twin[role]) for role in twin)
        assert same is not bool(changes)


# --- pools ---------------------------------------------------------------------------------------

POOLS = {
    "tables": (table.TABLES, table.__doc__),
    "walls": (background.WALLS, background.__doc__),
    "floors": (background.FLOORS, background.__doc__),
}


@pytest.mark.parametrize("kind", POOLS)
def test_pools_are_large_apart_and_published(kind: str) -> None:
    pools, text = POOLS[kind]
    assert list(pools) == ["seen", *LEVELS]
    known: dict[str, Surface] = {}
    for pool in pools.values():
        assert len(pool) >= 4
        assert not known.keys() & pool.keys()
        known |= pool
    assert len(set(known.values())) == len(known)
    for name, surface in known.items():
        assert name.split()[0] in (text or "")
        assert surface.pattern in PATTERNS
        assert surface.finish in FINISHES
        assert all(0 <= part <= 0.95 for part in (*surface.dark, *surface.light))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_tiles_join_on_to_themselves(pattern: str) -> None:
    shade = tile(pattern)
    assert shade.shape == (SIZE, SIZE)
    assert 0 <= shade.min() < shade.max() <= 1
    for axis in (0, 1):
        inside = np.abs(np.diff(shade, axis=axis)).mean(axis=1 - axis)
        seam = np.abs(shade.take(0, axis) - shade.take(-1, axis)).mean()
        assert seam <= inside.max() + 0.02


@pytest.mark.parametrize("level", LEVELS)
def test_rooms_and_tables_come_from_the_pool_of_their_level(draw: Draw, level: str) -> None:
    for index in INDICES:
        nominal, changed = (
            draw("stack", index, *changes).factors
            for changes in ((), (f"background:{level}", f"table-texture:{level}"))
        )
        for factors, pool in ((nominal, "seen"), (changed, level)):
            assert factors["table"] in table.TABLES[pool]
            assert factors["room"]["wall"] in background.WALLS[pool]
            assert factors["room"]["floor"] in background.FLOORS[pool]


def test_unknown_surfaces_are_unknown_names(draw: Draw) -> None:
    for factors in ({"table": "cheese"}, {"room": {"wall": "cheese", "floor": "cork"}}):
        with pytest.raises(UnknownNameError, match="cheese"):
            compose(draw("stack", 0, factors=factors).factors)


# --- camera --------------------------------------------------------------------------------------


def unit(azimuth: float, elevation: float) -> np.ndarray:
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("level", LEVELS)
def test_cameras_come_from_the_ring_of_their_level(draw: Draw, task: str, level: str) -> None:
    for index in INDICES:
        drawn = draw(task, index, f"camera:{level}").factors["camera"]
        before, after = view("agentview"), view("agentview", drawn)
        cosine = float(unit(*before.direction) @ unit(*after.direction))
        assert within(TURN_DEG[level], math.degrees(math.acos(min(1.0, cosine))))
        further = math.dist(after.eye, after.target) / math.dist(before.eye, before.target)
        assert within(DISTANCE[level], max(further, 1 / further))
        for name in VIEWS:
            assert 15 <= view(name, drawn).direction[1] <= 75


def test_cameras_come_nearer_and_go_further(draw: Draw) -> None:
    for level in LEVELS:
        distances = [
            draw("stack", index, f"camera:{level}").factors["camera"]["distance"]
            for index in range(25)
        ]
        assert min(distances) < 1 < max(distances)


@pytest.mark.parametrize("task", TASKS)
def test_what_a_goal_speaks_of_stays_in_the_frames(draw: Draw, task: str) -> None:
    """MuJoCo's own cameras are asked, not the arithmetic of the draw."""
    for index, level in itertools.product(range(4), LEVELS):
        factors = draw(task, index, f"camera:{level}").factors
        scene = compose(factors)
        data = mujoco.MjData(scene.model)
        mujoco.mj_forward(scene.model, data)
        for name, disc in discs(task_called(task)).items():
            if disc.shown:
                place = np.array([*factors[f"{name}.pose"][:2], TABLE_HEIGHT])
                for view_name in VIEWS:
                    seen = data.camera(view_name)
                    x, y, z = (place - seen.xpos) @ seen.xmat.reshape(3, 3)
                    half = -z * math.tan(math.radians(scene.model.camera(view_name).fovy[0] / 2))
                    assert z < 0
                    assert max(abs(x), abs(y)) < half
                    assert view(view_name, factors["camera"]).shows(tuple(place))


def test_a_point_beside_the_frame_is_not_shown() -> None:
    seen = view("frontview")
    assert seen.shows(seen.target)
    assert not seen.shows((seen.target[0], 0.9, seen.target[2]))
    assert not seen.shows((3.0, 0.0, 1.4)), "behind the camera"
    assert not seen.shows(seen.target, margin=0.5)


def test_no_camera_is_behind_a_wall(draw: Draw) -> None:
    scene = compose(draw("stack", 0).factors)
    model, data = scene.model, mujoco.MjData(scene.model)
    mujoco.mj_forward(model, data)
    walls = [g for g in range(model.ngeom) if model.geom(g).name.startswith("wall_")]
    assert len(walls) == 6
    corners = itertools.product((-40.0, 40.0), (-20.0, 0.0, 40.0), (1 / 1.6, 1.6))
    for azimuth, elevation, distance in corners:
        turn = {"azimuth_deg": azimuth, "elevation_deg": elevation, "distance": distance}
        for name, wall in itertools.product(VIEWS, walls):
            facing = data.geom_xmat[wall].reshape(3, 3)[:, 2]
            inside = -(data.geom_xpos[wall] - [0, 0, 1]) @ facing
            here = (view(name, turn).eye - data.geom_xpos[wall]) @ facing
            assert here * np.sign(inside) > 0.1, (name, model.geom(wall).name, turn)


def test_something_that_would_hide_the_goal_is_seen_to(draw: Draw) -> None:
    """A camera behind a tall thing is refused, and the same camera elsewhere is not."""
    factors = dict(draw("stack", 0).factors)
    factors |= {"object.pose": [0.0, 0.0, 0.0], "target.pose": [-0.1, 0.2, 0.0]}
    behind = {"azimuth_deg": 31.0, "elevation_deg": -10.0, "distance": 1.0}
    for place, hidden in (((0.15, 0.0), True), ((0.15, -0.2), False)):
        factors["distractor.pose"] = [*place, 0.0]
        stage = camera._Stage.of(task_called("stack"), factors)
        assert stage.shown_to(behind) is not hidden
        assert stage.shown_to(NOMINAL)


# --- noise ---------------------------------------------------------------------------------------

GREY = np.full((256, 256, 3), 128, dtype=np.uint8)


def picture(size: int) -> np.ndarray:
    checks = np.indices((size, size)).sum(axis=0) * 16 // size % 2
    return np.repeat((40 + 160 * checks).astype(np.uint8)[:, :, None], 3, axis=2)


def noise(kind: str, severity: float, seed: int = 1) -> dict[str, object]:
    return {"kind": kind, "severity": severity, "seed": seed}


@pytest.mark.parametrize("kind", SEVERITY)
@pytest.mark.parametrize("level", LEVELS)
def test_severities_come_from_the_ring_of_their_level(draw: Draw, kind: str, level: str) -> None:
    for index in INDICES:
        drawn = draw("stack", index, f"noise-{kind}:{level}").factors["noise"]
        assert drawn["kind"] == kind
        assert within(SEVERITY[kind][level], drawn["severity"])


@pytest.mark.parametrize("kind", SEVERITY)
@pytest.mark.parametrize("size", [64, 128, 256])
def test_noise_grows_with_its_severity_at_any_size(kind: str, size: int) -> None:
    frame, last = picture(size), 0.0
    for level in LEVELS:
        worst = noise(kind, SEVERITY[kind][level][1])
        out = sensor_noise.apply(frame, worst, "exterior/0", 0)
        assert out.shape == frame.shape
        assert out.dtype == np.uint8
        difference = float(np.abs(out.astype(int) - frame).mean())
        assert difference > last
        last = difference
    assert np.array_equal(frame, picture(size)), "the frame itself must stay as it was"


def test_what_is_random_belongs_to_episode_camera_and_step() -> None:
    keys = [(1, "wrist/0", 0), (1, "wrist/0", 1), (1, "exterior/0", 0), (2, "wrist/0", 0)]
    frames = [
        sensor_noise.apply(GREY, noise("gaussian", 20, seed), role, step)
        for seed, role, step in keys
    ]
    for one, other in itertools.combinations(frames, 2):
        assert not np.array_equal(one, other)
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02
    again = sensor_noise.apply(GREY, noise("gaussian", 20, 1), "wrist/0", 1)
    assert np.array_equal(again, frames[1])


def test_a_frame_does_not_depend_on_which_were_looked_at(draw: Draw) -> None:
    simulation, hold = Simulation(), np.zeros(7, dtype=np.float32)

    def third(*looked: int) -> Mapping[str, np.ndarray]:
        simulation.start(draw("stack", 0, "noise-gaussian:L3"))
        for step in range(3):
            if step in looked:
                simulation.observe(CAMERAS[:1])
            simulation.advance(hold)
        return simulation.observe(CAMERAS).images

    every, none = third(0, 1, 2), third()
    assert all(np.array_equal(every[role], none[role]) for role in none)


def test_gaussian_noise_has_the_deviation_that_it_says() -> None:
    out = sensor_noise.apply(GREY, noise("gaussian", 20), "wrist/0", 0).astype(float) - 128
    assert abs(out.mean()) < 1
    assert out.std() == pytest.approx(20, rel=0.02)
    assert (np.abs(out) > 40).mean() == pytest.approx(0.0455, abs=0.01)


@pytest.mark.parametrize("severity", [3, 6, 12, 24])
def test_dirt_covers_as_much_as_it_says_and_stays_where_it_is(severity: float) -> None:
    shares = []
    for seed in range(20):
        drawn = noise("occlusion", severity, seed)
        first = sensor_noise.apply(GREY, drawn, "wrist/0", 0)
        assert np.array_equal(first, sensor_noise.apply(GREY, drawn, "wrist/0", 7))
        assert not np.array_equal(first, sensor_noise.apply(GREY, drawn, "exterior/0", 0))
        shares.append(float((first[:, :, 0] < 77).mean()))  # darker than half way
    assert np.mean(shares) == pytest.approx(severity / 100, rel=0.5)
    assert max(shares) < 0.35


def test_noise_of_no_known_kind_is_refused_and_none_is_none() -> None:
    with pytest.raises(UsageError, match="snow"):
        sensor_noise.apply(GREY, noise("snow", 1.0), "wrist/0", 0)
    assert sensor_noise.apply(GREY, None, "wrist/0", 0) is GREY


# --- appearance ----------------------------------------------------------------------------------


def lab(color: tuple[float, float, float]) -> np.ndarray:
    """CIELAB of an sRGB colour, in which distances are as people see them."""
    value = np.array(color)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = (np.array(to_xyz) @ linear) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_color_has_two_held_out_shades() -> None:
    used = {color for name in OBJECTS.names() for color in category(name).colors}
    assert used <= PALETTE.keys() == object_appearance.SHADES.keys()
    assert all(len(shades) == 2 for shades in object_appearance.SHADES.values())


@pytest.mark.parametrize("name", PALETTE)
def test_a_shade_keeps_the_name_of_its_color_and_is_another(name: str) -> None:
    for shade in object_appearance.SHADES[name].values():
        away = {other: float(np.linalg.norm(lab(shade) - lab(PALETTE[other]))) for other in PALETTE}
        assert min(away, key=away.__getitem__) == name
        assert away[name] > 8


@pytest.mark.parametrize("level", ["color", "material", "both"])
def test_looks_change_and_words_do_not(draw: Draw, level: str) -> None:
    for index in INDICES:
        nominal, changed = draw("stack", index), draw("stack", index, f"object-appearance:{level}")
        assert changed.instruction == nominal.instruction
        added = changed.factors.keys() - nominal.factors.keys()
        wanted = {"color": ["shade"], "material": ["material"], "both": ["material", "shade"]}
        assert added == {f"{r}.{what}" for r in ("object", "target") for what in wanted[level]}


# --- distractors ---------------------------------------------------------------------------------

EXTRA_AXES = ("distractors", "confusable-distractors")
FURNISHED = ("store-in-drawer", "heat-in-oven", "cook", "shelve")


def extras(factors: Mapping[str, object]) -> list[str]:
    return [role for role in roles_in(factors) if role.startswith("extra")]


@pytest.mark.parametrize("axis", EXTRA_AXES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("level", LEVELS)
def test_as_many_things_are_added_as_the_level_says(
    draw: Draw, axis: str, task: str, level: str
) -> None:
    for index in INDICES:
        nominal, changed = draw(task, index), draw(task, index, f"{axis}:{level}")
        assert within(COUNT[level], len(extras(changed.factors)))
        assert changed.instruction == nominal.instruction
        for role in extras(changed.factors):
            assert category(changed.factors[f"{role}.category"]).split == "seen"


@pytest.mark.parametrize("axis", EXTRA_AXES)
def test_nothing_is_added_that_the_sentence_would_mean(draw: Draw, axis: str) -> None:
    with pytest.raises(UsageError, match="does not apply"):
        draw("clear-table", 0, f"{axis}:L1")
    for index in INDICES:
        factors = draw("sort-by-kind", index, f"{axis}:L3").factors
        for role in extras(factors):
            kind = category(factors[f"{role}.category"])
            assert kind.super_category not in {"fruit", "toy"}, kind.name


@pytest.mark.parametrize("change", ["object-pose:L3", "object-pose:L2"])
def test_a_moved_camera_shows_what_has_been_moved(draw: Draw, change: str) -> None:
    for index in INDICES:
        factors = draw("place-in", index, change, "camera:L3").factors
        for role in ("object", "target"):
            x, y, _ = factors[f"{role}.pose"]
            before, after = view("agentview"), view("agentview", factors["camera"])
            assert after.shows((x, y, TABLE_HEIGHT)) or not before.shows((x, y, TABLE_HEIGHT))


@pytest.mark.parametrize("axis", EXTRA_AXES)
def test_no_two_things_of_one_color_share_a_name(draw: Draw, axis: str) -> None:
    for index in INDICES:
        factors = draw("place-in", index, f"{axis}:L3").factors
        for one, other in itertools.combinations(roles_in(factors), 2):
            if {one[:5], other[:5]} & {"extra"}:
                first, second = (category(factors[f"{role}.category"]) for role in (one, other))
                shared = {first.name, *first.synonyms} & {second.name, *second.synonyms}
                assert not shared or factors[f"{one}.color"] != factors[f"{other}.color"]
                assert not shared or axis == "confusable-distractors"


def test_confusable_things_are_of_the_kind_of_the_object(draw: Draw) -> None:
    same = alike = 0
    for index in INDICES:
        factors = draw("place-in", index, "confusable-distractors:L1").factors
        own = category(factors["object.category"])
        for role in extras(factors):
            kind = category(factors[f"{role}.category"])
            same += kind == own
            alike += kind != own and kind.super_category == own.super_category
    assert same >= len(INDICES) / 2
    assert same + alike >= len(INDICES)


@pytest.mark.parametrize("axis", EXTRA_AXES)
@pytest.mark.parametrize("task", ["place-in", *FURNISHED])
def test_what_is_added_touches_nothing_whatever_is_opened(draw: Draw, axis: str, task: str) -> None:
    for index in range(3):
        factors = draw(task, index, f"{axis}:L3").factors
        scene = compose(factors)
        model, data = scene.model, mujoco.MjData(scene.model)
        added = {scene.objects[role].body for role in extras(factors)}
        fixed = {scene.parts[name].body for name in scene.parts} | {
            model.body(name).id for name in fixtures_in(factors)
        }
        for share in (0.0, 0.5, 1.0):
            for part in scene.parts.values():
                if part.qpos is not None:
                    data.qpos[part.qpos] = share * part.part.travel
            mujoco.mj_forward(model, data)
            for pair in data.contact.geom:
                first, second = model.geom_bodyid[pair].tolist()
                assert not (first in added and second in fixed | added)
                assert not (second in added and first in fixed | added)


def test_what_is_added_keeps_away_from_goals_and_is_in_the_frame(draw: Draw) -> None:
    for index in INDICES:
        factors = draw("place-in", index, "distractors:L3", "camera:L3").factors
        seen = view("agentview", factors["camera"])
        for role in extras(factors):
            x, y, _ = factors[f"{role}.pose"]
            (near, far), (right, left) = distractors.TABLE
            assert near <= x <= far
            assert right <= y <= left
            assert seen.shows((x, y, TABLE_HEIGHT))
            for goal in ("object", "target"):
                known = discs(task_called("place-in"))[goal]
                assert math.dist((x, y), factors[f"{goal}.pose"][:2]) > known.clearance + 0.02


def test_a_crowded_table_is_at_rest(draw: Draw) -> None:
    simulation = Simulation()
    for index in range(3):
        simulation.start(draw("place-in", index, "distractors:L3"))
        for name, thing in simulation.scene.objects.items():
            first = simulation.model.body_dofadr[thing.body]
            speed = np.abs(simulation.data.qvel[first : first + 3]).max()
            assert speed < 1e-3, name
