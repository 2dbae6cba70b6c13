"""Every axis on every task it applies to: it changes its own factors, and nothing else."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes.base import Axis
from vlabench.envs.axes.lighting import NOMINAL
from vlabench.envs.language import phrases
from vlabench.envs.objects.catalog import category, held_out
from vlabench.envs.scene import roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.errors import UnknownNameError, UsageError
from vlabench.hashing import canonical_json, content_hash
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

Draw = Callable[..., EpisodeSpec]

INDICES = range(25)
CAMERA = CameraSpec("exterior/0", 96, 96)

RINGS: dict[str, dict[str, tuple[float, float]]] = {
    "turn_deg": {"L1": (5, 15), "L2": (15, 45), "L3": (45, 90)},
    "warmth": {"L1": (0, 0.3), "L2": (0.3, 0.6), "L3": (0.6, 1)},
    "dimmer": {"L1": (0.7, 0.85), "L2": (0.4, 0.7), "L3": (0.2, 0.4)},
    "brighter": {"L1": (1.15, 1.3), "L2": (1.3, 2), "L3": (2, 3)},
    "shift_m": {"L1": (0.03, 0.06), "L2": (0.06, 0.12), "L3": (0.12, 0.2)},
    "yaw_deg": {"L1": (5, 15), "L2": (15, 45), "L3": (45, 180)},
    "cabinet_shift_m": {"L1": (0.03, 0.05), "L2": (0.05, 0.08), "L3": (0.08, 0.11)},
    "cabinet_yaw_deg": {"L1": (0, 5), "L2": (5, 10), "L3": (10, 15)},
}
"""What the tables of the design promise, said a second time on purpose."""

CELLS = [
    (axis, task, level)
    for axis in AXES.names()
    for task in TASKS.names()
    if AXES.load(axis)().applies(task_called(task))
    for level in AXES.load(axis).levels
]

each_cell = pytest.mark.parametrize(("axis", "task", "level"), CELLS)

DRAWS = """
import json, sys
from vlabench.envs.world import TabletopWorld
from vlabench.hashing import content_hash
from vlabench.types import Change
world = TabletopWorld()
hashes = []
for axis, task, level in {cells!r}:
    for index in range(3):
        drawn = world.draw(task, (Change(axis, level),), seed=7, index=index)
        hashes.append(content_hash([dict(drawn.factors), drawn.instruction]))
print(json.dumps(hashes))
"""


def axis_called(name: str) -> Axis:
    axis: Axis = AXES.load(name)()
    return axis


def inside(ring: str, level: str, value: float) -> bool:
    low, high = RINGS[ring][level]
    return low - 1e-5 <= value <= high + 1e-5


def direction(light: dict[str, float]) -> np.ndarray:
    azimuth, elevation = math.radians(light["azimuth_deg"]), math.radians(light["elevation_deg"])
    flat = math.cos(elevation)
    return np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)])


# --- draws -------------------------------------------------------------------------------------


@each_cell
def test_an_axis_changes_its_own_factors_and_no_others(
    draw: Draw, axis: str, task: str, level: str
) -> None:
    own = axis_called(axis).factors(task_called(task))
    for index in INDICES:
        nominal, changed = draw(task, index), draw(task, index, f"{axis}:{level}")
        differing = {
            name
            for name in nominal.factors.keys() | changed.factors.keys()
            if nominal.factors.get(name) != changed.factors.get(name)
        }
        assert differing, index
        assert differing <= own, index
        assert (nominal.horizon, nominal.embodiment) == (changed.horizon, changed.embodiment)


@each_cell
def test_draws_are_plain_finite_values(draw: Draw, axis: str, task: str, level: str) -> None:
    for index in INDICES:
        episode = draw(task, index, f"{axis}:{level}")
        text = canonical_json(dict(episode.factors))  # refuses NaN, infinities and odd types
        assert EpisodeSpec.from_json(episode.to_json()) == episode
        assert "phrase" in text
        assert episode.instruction == instruction(episode.factors)


@each_cell
def test_a_draw_depends_on_its_arguments_alone(
    draw: Draw, axis: str, task: str, level: str
) -> None:
    first = draw(task, 3, f"{axis}:{level}")
    numpys, pythons = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    draw(task, 4, f"{axis}:{level}")
    TabletopWorld().draw("stack", (), seed=1, index=1)
    assert draw(task, 3, f"{axis}:{level}") == first
    assert np.array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    assert random.getstate() == pythons
    assert draw(task, 4, f"{axis}:{level}") != first
    assert draw(task, 3, f"{axis}:{level}", seed=1) != first


def test_another_process_draws_the_same(draw: Draw, elsewhere: Callable[[str], Any]) -> None:
    here = []
    for axis, task, level in CELLS:
        for index in range(3):
            drawn = draw(task, index, f"{axis}:{level}", seed=7)
            here.append(content_hash([dict(drawn.factors), drawn.instruction]))
    assert elsewhere(DRAWS.format(cells=CELLS)) == here
    assert len(set(here)) == len(here)


@pytest.mark.parametrize("task", TASKS.names())
def test_changes_add_up(draw: Draw, task: str) -> None:
    both = draw(task, 2, "lighting:L2", "object-pose:L1")
    light, pose = draw(task, 2, "lighting:L2"), draw(task, 2, "object-pose:L1")
    assert both.factors["lighting"] == light.factors["lighting"]
    moved = next(iter(axis_called("object-pose").factors(task_called(task))))
    assert both.factors[moved] == pose.factors[moved]


@pytest.mark.parametrize("task", TASKS.names())
def test_no_two_things_in_a_scene_have_the_same_name(draw: Draw, task: str) -> None:
    axes = ["", *(f"{a}:{level}" for a, t, level in CELLS if t == task and "unseen" in a)]
    for index in range(60):
        for change in axes:
            factors = draw(task, index, *filter(None, [change])).factors
            names = [(factors[f"{r}.color"], factors[f"{r}.category"]) for r in roles_in(factors)]
            assert len(set(names)) == len(names), (index, change)


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_light_is_drawn_from_the_ring_of_its_level(draw: Draw, task: str, level: str) -> None:
    dimmed = 0
    for index in INDICES:
        light = draw(task, index, f"lighting:{level}").factors["lighting"]
        cosine = float(direction(light) @ direction(NOMINAL))
        assert inside("turn_deg", level, math.degrees(math.acos(min(1.0, cosine))))
        assert inside("warmth", level, abs(light["warmth"]))
        side = "dimmer" if light["intensity"] < 1 else "brighter"
        dimmed += side == "dimmer"
        assert inside(side, level, light["intensity"])
        assert light["elevation_deg"] > 10, "it shines from below the table"
    assert 0 < dimmed < len(INDICES)


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_poses_are_drawn_from_the_ring_of_their_level(draw: Draw, task: str, level: str) -> None:
    factor = next(iter(axis_called("object-pose").factors(task_called(task))))
    prefix = "cabinet_" if factor.startswith("cabinet") else ""
    for index in INDICES:
        x, y, yaw = draw(task, index).factors[factor]
        nx, ny, nyaw = draw(task, index, f"object-pose:{level}").factors[factor]
        assert inside(f"{prefix}shift_m", level, math.hypot(nx - x, ny - y)), index
        assert inside(f"{prefix}yaw_deg", level, math.degrees(abs(nyaw - yaw))), index


@pytest.mark.parametrize("ring", RINGS)
def test_levels_do_not_overlap(ring: str) -> None:
    low, middle, high = (RINGS[ring][level] for level in ("L1", "L2", "L3"))
    if ring == "dimmer":
        low, high = high, low
    assert low[1] <= middle[0] < middle[1] <= high[0]


@pytest.mark.parametrize("task", TASKS.names())
def test_unseen_instances_come_from_held_out_cells_and_seen_ones_never_do(
    draw: Draw, task: str
) -> None:
    for index in INDICES:
        for change, unseen in (((), False), (("unseen-instances:L1",), True)):
            factors = draw(task, index, *change).factors
            shapes = {name: v for name, v in factors.items() if name.endswith(".shape")}
            assert shapes
            assert all(held_out(v) is unseen for v in shapes.values()), index


@pytest.mark.parametrize("task", [task for axis, task, _ in CELLS if axis == "unseen-categories"])
def test_unseen_categories_are_of_the_unseen_split_and_fit_their_role(
    draw: Draw, task: str
) -> None:
    role = next(role for role in task_called(task).roles if role.name == "object")
    drawn = set()
    for index in INDICES:
        nominal, changed = draw(task, index), draw(task, index, "unseen-categories:L1")
        for name in roles_in(nominal.factors):
            assert category(nominal.factors[f"{name}.category"]).split == "seen"
        kind = category(changed.factors["object.category"])
        assert kind.split == "unseen"
        assert role.kind in kind.roles
        assert changed.factors["object.color"] in kind.colors
        assert kind.name in changed.instruction
        drawn.add(kind.name)
    assert len(drawn) >= 2


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("level", ["lexical", "syntactic", "indirect"])
def test_a_paraphrase_is_another_sentence_of_its_kind(draw: Draw, task: str, level: str) -> None:
    bank = phrases(task)
    for index in INDICES:
        nominal, changed = draw(task, index), draw(task, index, f"paraphrase:{level}")
        assert changed.instruction != nominal.instruction
        assert nominal.factors["phrase"]["template"] in bank["seen"]
        assert changed.factors["phrase"]["template"] in bank[level]
        assert changed.factors["phrase"]["template"] not in bank["seen"]


# --- what reaches the policy -------------------------------------------------------------------


@pytest.fixture(scope="module")
def look(draw: Draw) -> Callable[..., np.ndarray]:
    """The first frame of a newly started episode."""
    simulation = Simulation()

    def frame(task: str, *changes: str) -> np.ndarray:
        simulation.start(draw(task, 1, *changes))
        return simulation.observe((CAMERA,)).images[CAMERA.role]

    return frame


@pytest.fixture(scope="module")
def twin(look: Callable[..., np.ndarray]) -> Callable[[str], np.ndarray]:
    """The nominal frame of a task; drawn once."""
    frames: dict[str, np.ndarray] = {}

    def frame(task: str) -> np.ndarray:
        if task not in frames:
            frames[task] = look(task)
        return frames[task]

    return frame


@each_cell
def test_what_changes_is_what_the_policy_sees(
    look: Callable[..., np.ndarray],
    twin: Callable[[str], np.ndarray],
    axis: str,
    task: str,
    level: str,
) -> None:
    nominal, changed = twin(task), look(task, f"{axis}:{level}")
    if axis_called(axis).kind == "semantic":
        assert np.array_equal(changed, nominal)
        return
    difference = np.abs(changed.astype(int) - nominal.astype(int)).max(axis=2)
    assert (difference > 12).sum() >= 20, "no policy could notice"


@pytest.mark.parametrize("task", TASKS.names())
def test_a_twin_drawn_again_looks_the_same(
    look: Callable[..., np.ndarray], twin: Callable[[str], np.ndarray], task: str
) -> None:
    first = twin(task)
    look(task, "lighting:L3")
    assert np.array_equal(look(task), first)


@pytest.mark.parametrize("task", TASKS.names())
@pytest.mark.parametrize("level", ["lexical", "syntactic", "indirect"])
def test_the_policy_is_told_what_the_manifest_says(draw: Draw, task: str, level: str) -> None:
    episode, simulation = draw(task, 0, f"paraphrase:{level}"), Simulation()
    simulation.start(EpisodeSpec.from_json(episode.to_json()))
    assert simulation.observe().instruction == episode.instruction
    assert episode.instruction != draw(task, 0).instruction


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "change", "sentence"),
    [
        ("place-onn", ("lighting", "L1"), "did you mean 'place-on'"),
        ("place-on", ("lightning", "L1"), "did you mean 'lighting'"),
        ("place-on", ("lighting", "L4"), "has no level 'L4'; it has L1, L2, L3"),
        ("open-drawer", ("unseen-categories", "L1"), "does not apply to the task 'open-drawer'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    task: str, change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        TabletopWorld().draw(task, (Change(*change),), seed=0, index=0)


def test_an_unknown_axis_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        TabletopWorld().draw("place-on", (Change("xyz", "L1"),), seed=0, index=0)
