"""Every axis on the tasks it applies to: it changes its own factors, and nothing else.

There are too many axes and tasks to try all of them together. A rotating selection has every level
of every axis on some tasks, and every task under some levels of every axis that applies to it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest

from vlabench.contract.specs import CameraSpec
from vlabench.envs.axes import DIAGNOSTIC, checks, robot_init
from vlabench.envs.axes.articulation import Articulation
from vlabench.envs.axes.base import TURNS, Axis, Kind, by_turn, handled
from vlabench.envs.axes.combination import MILD, POOL
from vlabench.envs.draw import measured
from vlabench.envs.embodiments import TABLE_SIZE
from vlabench.envs.factors import check_factors
from vlabench.envs.objects.catalog import category, held_out
from vlabench.envs.scene import compose, roles_in
from vlabench.envs.simulation import Simulation
from vlabench.envs.splits import kept_from
from vlabench.envs.tasks.base import Task
from vlabench.envs.tasks.base import task as task_called
from vlabench.envs.world import TabletopWorld, instruction
from vlabench.errors import UnknownNameError, UsageError
from vlabench.hashing import canonical_json, content_hash
from vlabench.registry import AXES, TASKS
from vlabench.types import Change, EpisodeSpec

Draw = Callable[..., EpisodeSpec]
Drawn = Callable[..., EpisodeSpec]

INDICES = range(4)
MANY = range(20)
CAMERA = CameraSpec("exterior/0", 192, 192)

RINGS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "shift_m": {"L1": (0.03, 0.06), "L2": (0.06, 0.12), "L3": (0.12, 0.2)},
    "yaw_deg": {"L1": (5, 15), "L2": (15, 45), "L3": (45, 180)},
    "row_shift_m": {"L1": (0.03, 0.05), "L2": (0.05, 0.08), "L3": (0.08, 0.11)},
    "row_yaw_deg": {"L1": (0, 5), "L2": (5, 10), "L3": (10, 15)},
    "joints_rad": {"L1": (0.05, 0.1), "L2": (0.1, 0.25), "L3": (0.25, 0.5)},
    "smaller": {"L1": (0.9, 0.97), "L2": (0.8, 0.9), "L3": (0.75, 0.8)},
    "larger": {"L1": (1.03, 1.1), "L2": (1.1, 1.2), "L3": (1.2, 1.25)},
    "less": {"L1": (0.7, 0.85), "L2": (0.5, 0.7), "L3": (0.3, 0.5)},
    "more": {"L1": (1.15, 1.4), "L2": (1.4, 2), "L3": (2, 3)},
    "share": {"L1": (0.05, 0.15), "L2": (0.2, 0.4), "L3": (0.5, 0.65)},
}
"""What the tables of the design promise, said a second time on purpose."""

FALLING = frozenset({"smaller", "less"})
"""Rings whose stronger levels have lower numbers."""

BESIDES = frozenset({"physics"})
"""Axes of behaviour whose first frame tells next to nothing."""


def axis_called(name: str) -> Axis:
    axis: Axis = AXES.load(name)()
    return axis


@cache
def tasks_of(axis: str, level: str) -> tuple[str, ...]:
    made = axis_called(axis)
    return tuple(t for t in TASKS.names() if level in made.levels_of(task_called(t)))


DRAWN = [name for name in AXES.names() if AXES.load(name).drawn]
"""Axes that are drawn from numbers alone; ``test_from_stage.py`` is about the other."""


def selection(count: int) -> Iterator[tuple[str, str, str]]:
    """Axis, task and level: `count` tasks for each level, going on where the last level ended."""
    turn = 0
    for axis in DRAWN:
        for level in AXES.load(axis).levels:
            tasks = tasks_of(axis, level)
            taken = {tasks[(turn + k) % len(tasks)] for k in range(count)}
            turn += count
            yield from ((axis, task, level) for task in sorted(taken))


CELLS = list(selection(3))
FRAMES = list(selection(1))

each_cell = pytest.mark.parametrize(("axis", "task", "level"), CELLS)
each_level = pytest.mark.parametrize("level", ["L1", "L2", "L3"])

DRAWS = """
import json, sys
from vlabench.envs.world import TabletopWorld
from vlabench.hashing import content_hash
from vlabench.types import Change
world = TabletopWorld()
hashes = []
for axis, task, level in {cells!r}:
    drawn = world.draw(task, (Change(axis, level),), seed=7, index=1)
    hashes.append(content_hash([dict(drawn.factors), drawn.instruction]))
print(json.dumps(hashes))
"""


def inside(ring: str, level: str, value: float) -> bool:
    low, high = RINGS[ring][level]
    return low - 1e-5 <= value <= high + 1e-5


@pytest.fixture(scope="module")
def drawn(draw: Draw) -> Drawn:
    """As `draw`, remembering what it has drawn."""

    @cache
    def remembered(task: str, index: int, *changes: str) -> EpisodeSpec:
        return draw(task, index, *changes)

    return remembered


def paired(drawn: Drawn, axis: str, task: str, level: str, index: int) -> checks.Pair:
    twin, episode = drawn(task, index), drawn(task, index, f"{axis}:{level}")
    return checks.Pair(axis_called(axis), task_called(task), twin, episode)


# --- what is tried -----------------------------------------------------------------------------


def test_every_axis_at_every_level_and_every_task_is_tried() -> None:
    tried = {(axis, level) for axis, _, level in CELLS}
    assert tried == {(axis, level) for axis in DRAWN for level in AXES.load(axis).levels}
    assert set(AXES.names()) - set(DRAWN) == {"from-stage"}
    assert {task for _, task, _ in CELLS} == set(TASKS.names())


def test_the_diagnostic_axes_are_listed() -> None:
    assert {name for name in AXES.names() if AXES.load(name).kind == "diagnostic"} == DIAGNOSTIC


@pytest.mark.parametrize("axis", AXES.names())
def test_an_axis_says_what_it_is(axis: str) -> None:
    made = axis_called(axis)
    assert made.name == axis
    assert made.kind in get_args(Kind)
    assert 0 <= by_turn(made)[0] < len(TURNS)
    assert len(set(made.levels)) == len(made.levels) > 0
    for task in map(task_called, TASKS.names()):
        assert set(made.levels_of(task)) <= set(made.levels)
        assert made.applies(task) == bool(made.levels_of(task))
        if made.levels_of(task):
            assert made.factors(task)


# --- draws -------------------------------------------------------------------------------------


@each_cell
def test_an_axis_changes_its_own_factors_and_no_others(
    drawn: Drawn, axis: str, task: str, level: str
) -> None:
    pairs = [paired(drawn, axis, task, level, index) for index in INDICES]
    for each in pairs:
        assert checks.changes_something(each) == []
        assert checks.changes_nothing_else(each) == []
        assert checks.says_what_it_may(each) == []
        longer = each.episode.factors.get("chain", 1) if each.axis.kind == "horizon" else 1
        assert each.episode.horizon == longer * each.twin.horizon
    assert checks.never_repeats(pairs) == []


@each_cell
def test_draws_are_plain_finite_values(drawn: Drawn, axis: str, task: str, level: str) -> None:
    for index in INDICES:
        episode = drawn(task, index, f"{axis}:{level}")
        text = canonical_json(dict(episode.factors))  # refuses NaN, infinities and odd types
        assert EpisodeSpec.from_json(episode.to_json()) == episode
        assert "phrase" in text
        assert episode.instruction == instruction(episode.factors)


@pytest.mark.parametrize(("axis", "task", "level"), FRAMES)
def test_a_draw_depends_on_its_arguments_alone(
    draw: Draw, axis: str, task: str, level: str
) -> None:
    first, other = (draw(task, index, f"{axis}:{level}") for index in (3, 4))
    assert checks.is_drawn_the_same_again(checks.pair(axis, task, level, index=3)) == []
    assert other != first
    assert draw(task, 3, f"{axis}:{level}", seed=1) != first


def test_another_process_draws_the_same(draw: Draw, elsewhere: Callable[[str], Any]) -> None:
    here = []
    for axis, task, level in FRAMES:
        changed = draw(task, 1, f"{axis}:{level}", seed=7)
        here.append(content_hash([dict(changed.factors), changed.instruction]))
    assert elsewhere(DRAWS.format(cells=FRAMES)) == here
    assert len(set(here)) == len(here)


@pytest.mark.parametrize("task", TASKS.names())
def test_changes_add_up(drawn: Drawn, task: str) -> None:
    both = drawn(task, 2, "lighting:L2", "object-pose:L1")
    light, pose = drawn(task, 2, "lighting:L2"), drawn(task, 2, "object-pose:L1")
    assert both.factors["lighting"] == light.factors["lighting"]
    for moved in axis_called("object-pose").factors(task_called(task)):
        assert both.factors[moved] == pose.factors[moved]


PAIRS = [
    *itertools.combinations([a for a in DRAWN if AXES.load(a).kind != "diagnostic"], 2),
    ("composition", "swapped-goal"),
    ("distractors", "absent-object"),
]


def levels_of(axis: str, task: str) -> tuple[str, ...]:
    return axis_called(axis).levels_of(task_called(task))


def test_any_two_axes_are_drawn_together_or_refused(draw: Draw) -> None:
    """Each pair once, at its strongest, on one of the tasks to which both apply.

    The longest chain asks for all that its scene allows, so another goal needs a shorter one.
    """
    together = 0
    for turn, (one, other) in enumerate(PAIRS):
        tasks = [t for t in TASKS.names() if levels_of(one, t) and levels_of(other, t)]
        if not tasks:
            continue
        task = tasks[turn % len(tasks)]
        level = {
            axis: levels_of(axis, task)[0 if axis == "horizon" else -1] for axis in (one, other)
        }
        changes = [f"{axis}:{level[axis]}" for axis in (one, other)]
        first, second = (axis_called(axis).factors(task_called(task)) for axis in (one, other))
        if first & second:
            with pytest.raises(UsageError, match="both change"):
                draw(task, turn, *changes)
            continue
        episode = draw(task, turn, *changes)
        check_factors(episode.factors, task_called(task), episode.embodiment)
        together += 1
    assert together > 0.7 * len(PAIRS)


@pytest.mark.parametrize("task", TASKS.names())
def test_what_a_goal_may_come_to_speak_of_is_never_kept_apart(drawn: Drawn, task: str) -> None:
    kind = task_called(task)
    for index in MANY:
        factors = drawn(task, index).factors
        for other in ({}, *kind.others):
            cast = {**factors["cast"], **other}
            for role in kind.goal_roles:
                name = factors.get(f"{cast.get(role.name, role.name)}.category")
                assert name not in kept_from(task, role.kind), (index, role.name)


@pytest.mark.parametrize("task", tasks_of("object-scale", "L1"))
def test_sizes_are_drawn_for_the_thing_that_is_there(draw: Draw, task: str) -> None:
    role = handled(task_called(task)).name
    for index in INDICES:
        for what in ("composition:L1", "unseen-categories:L1", "unseen-instances:L1"):
            if levels_of(what.split(":")[0], task):
                factors = draw(task, index, what, "object-scale:L2").factors
                kind = category(factors[f"{role}.category"])
                assert kind.graspable(factors[f"{role}.shape"], factors[f"{role}.scale"])


@pytest.mark.parametrize(("chain", "refused"), [("5", False), ("8", True)])
def test_a_goal_is_swapped_only_where_another_is_left(
    draw: Draw, chain: str, refused: bool
) -> None:
    changes = ("errands", 0, f"horizon:{chain}", "swapped-goal:L1")
    if not refused:
        assert draw(*changes).factors["cast"]
        return
    with pytest.raises(UsageError, match="no other goal is left"):
        draw(*changes)


def test_a_new_sentence_in_the_middle_speaks_of_what_is_there(draw: Draw) -> None:
    for index in MANY:
        factors = draw("place-in", index, "composition:L1", "dynamic:instruction").factors
        (event,) = factors["events"]
        meant = event["do"]["cast"]
        assert event["do"]["sentence"] == instruction({**factors, "cast": meant})


@pytest.mark.parametrize("task", ["tidy-up", "errands", "set-table"])
def test_a_moved_thing_stays_on_the_table(drawn: Drawn, task: str) -> None:
    name = handled(task_called(task)).name
    for index in MANY:
        factors = drawn(task, index, "object-pose:L3").factors
        radius = measured(name, factors).clearance
        for at, width in zip(factors[f"{name}.pose"], TABLE_SIZE[:2], strict=False):
            assert abs(at) + radius <= width / 2, index


@pytest.mark.parametrize("task", TASKS.names())
def test_no_two_things_in_a_scene_have_the_same_name(drawn: Drawn, task: str) -> None:
    axes = ["", *(f"{a}:{level}" for a, t, level in CELLS if t == task and "unseen" in a)]
    for index in MANY:
        for change in axes:
            factors = drawn(task, index, *filter(None, [change])).factors
            names = [(factors[f"{r}.color"], factors[f"{r}.category"]) for r in roles_in(factors)]
            assert len(set(names)) == len(names), (index, change)


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ring", RINGS)
def test_levels_do_not_overlap(ring: str) -> None:
    low, middle, high = (RINGS[ring][level] for level in ("L1", "L2", "L3"))
    if ring in FALLING:
        low, high = high, low
    assert low[1] <= middle[0] < middle[1] <= high[0]


@pytest.mark.parametrize("task", TASKS.names())
@each_level
def test_poses_are_drawn_from_the_ring_of_their_level(drawn: Drawn, task: str, level: str) -> None:
    kind = task_called(task)
    factors = axis_called("object-pose").factors(kind)
    prefix = "" if kind.handled else "row_"
    for index in INDICES:
        for factor in factors:
            x, y, yaw = drawn(task, index).factors[factor]
            nx, ny, nyaw = drawn(task, index, f"object-pose:{level}").factors[factor]
            assert inside(f"{prefix}shift_m", level, math.hypot(nx - x, ny - y)), index
            assert inside(f"{prefix}yaw_deg", level, math.degrees(abs(nyaw - yaw))), index


@pytest.mark.parametrize("task", ["place-on", "store-in-drawer", "close-door", "swap"])
@each_level
def test_the_arm_starts_in_the_ring_of_its_level_and_touches_nothing(
    drawn: Drawn, task: str, level: str
) -> None:
    simulation = Simulation()
    for index in range(3):
        episode = drawn(task, index, f"robot-init:{level}")
        offsets = episode.factors["robot"]
        assert inside("joints_rad", level, math.hypot(*offsets))
        simulation.start(episode)
        hand = simulation.data.site_xpos[
            simulation.model.site(simulation.scene.embodiment.grip_site).id
        ]
        for value, (low, high) in zip(hand, robot_init.BOX, strict=True):
            assert low - 0.01 < value < high + 0.01
        robot = simulation.scene.robot_geoms
        for a, b in simulation.data.contact.geom.tolist():
            assert a not in robot, index
            assert b not in robot, index


@pytest.mark.parametrize("task", tasks_of("object-scale", "L1"))
@each_level
def test_sizes_are_drawn_from_the_ring_of_their_level(drawn: Drawn, task: str, level: str) -> None:
    role = handled(task_called(task)).name
    for index in INDICES:
        factors = drawn(task, index, f"object-scale:{level}").factors
        scale = factors[f"{role}.scale"]
        assert inside("smaller" if scale < 1 else "larger", level, scale)


def test_a_larger_thing_is_larger_and_heavier(drawn: Drawn) -> None:
    for index in INDICES:
        twin, changed = (
            compose(drawn("place-on", index, *change).factors)
            for change in ((), ("object-scale:L3",))
        )
        scale = drawn("place-on", index, "object-scale:L3").factors["object.scale"]
        one, other = twin.objects["object"], changed.objects["object"]
        assert other.shape.height == pytest.approx(scale * one.shape.height, rel=0.01)
        mass = changed.model.body_mass[other.body] / twin.model.body_mass[one.body]
        assert mass == pytest.approx(scale**3, rel=0.01)
        target, same = changed.objects["target"].shape, twin.objects["target"].shape
        assert (target.height, target.radius, target.mass) == (same.height, same.radius, same.mass)


@each_level
def test_physics_is_drawn_from_the_rings_and_reaches_the_model(drawn: Drawn, level: str) -> None:
    for index in MANY:
        values = drawn("store-in-drawer", index, f"physics:{level}").factors["physics"]
        assert values.keys() == {"mass", "friction", "damping"}
        for value in values.values():
            assert inside("less" if value < 1 else "more", level, value), index
    twin, changed = (
        compose(drawn("store-in-drawer", 0, *change).factors)
        for change in ((), (f"physics:{level}",))
    )
    values = drawn("store-in-drawer", 0, f"physics:{level}").factors["physics"]
    for thing in twin.objects.values():
        for array in ("body_mass", "body_inertia"):
            ratio = (
                getattr(changed.model, array)[thing.body] / getattr(twin.model, array)[thing.body]
            )
            assert ratio == pytest.approx(values["mass"], rel=1e-5)
    sliding = changed.model.geom_friction[:, 0] / twin.model.geom_friction[:, 0]
    assert sliding == pytest.approx(values["friction"], rel=1e-6)
    assert np.array_equal(changed.model.geom_friction[:, 1:], twin.model.geom_friction[:, 1:])
    for name, part in twin.parts.items():
        dof = twin.model.jnt_dofadr[part.joint]
        ratio = changed.model.dof_damping[dof] / twin.model.dof_damping[dof]
        assert ratio == pytest.approx(values["damping"], rel=1e-6), name
    arm = [twin.model.joint(twin.embodiment.prefix + n).dofadr[0] for n in twin.embodiment.joints]
    assert np.array_equal(changed.model.dof_damping[arm], twin.model.dof_damping[arm])
    robot = twin.model.body(twin.embodiment.base_body).id
    assert changed.model.body_subtreemass[robot] == twin.model.body_subtreemass[robot]


@pytest.mark.parametrize("task", tasks_of("articulation", "L1"))
@each_level
def test_parts_start_in_the_ring_of_their_level_and_their_goal_is_still_false(
    drawn: Drawn, task: str, level: str
) -> None:
    kind = task_called(task)
    (factor, *others) = Articulation().factors(kind)
    assert not others
    simulation = Simulation()
    for index in range(3):
        nominal, changed = (
            drawn(task, index, *change).factors for change in ((), (f"articulation:{level}",))
        )
        (moved,) = [p for p, v in changed[factor].items() if v != nominal[factor][p]]
        goals = [g for stage in kind.asked(changed) for g in stage.goals if g.arguments[0] == moved]
        share = changed[factor][moved]
        assert inside("share", level, 1 - share if goals[0].predicate == "closed" else share)
        simulation.start(drawn(task, index, f"articulation:{level}"))
        stage = simulation.progress.asked[0]
        assert not simulation.progress.true_now(stage, simulation.data)


@pytest.mark.parametrize("level", ["gripper", "arm", "both"])
def test_another_robot_stands_at_the_same_place(drawn: Drawn, level: str) -> None:
    twin, changed = (drawn("place-on", 0, *c) for c in ((), (f"embodiment:{level}",)))
    assert changed.embodiment != twin.embodiment == "panda"
    hands = []
    simulation = Simulation()
    for episode in (twin, changed):
        simulation.start(episode)
        hands.append(
            simulation.observe().proprio["ee_position"] + simulation.data.body("robot0_base").xpos
        )
        state = simulation.observe(privileged=True).privileged
        assert state is not None
        assert state.hand_rotation[2, 2] < -0.98, "the hand does not point down"
    assert np.abs(hands[0] - hands[1]).max() < 0.06


@pytest.mark.parametrize("task", TASKS.names())
def test_unseen_instances_come_from_held_out_cells_and_seen_ones_never_do(
    drawn: Drawn, task: str
) -> None:
    for index in INDICES:
        for change, unseen in (((), False), (("unseen-instances:L1",), True)):
            factors = drawn(task, index, *change).factors
            shapes = {name: v for name, v in factors.items() if name.endswith(".shape")}
            assert shapes
            assert all(held_out(v) is unseen for v in shapes.values()), index


@pytest.mark.parametrize("task", tasks_of("unseen-categories", "L1"))
def test_unseen_categories_are_of_the_unseen_split_and_fit_their_role(
    drawn: Drawn, task: str
) -> None:
    role = handled(task_called(task))
    found = set()
    for index in MANY:
        nominal, changed = drawn(task, index), drawn(task, index, "unseen-categories:L1")
        for name in roles_in(nominal.factors):
            assert category(nominal.factors[f"{name}.category"]).split == "seen"
        kind = category(changed.factors[f"{role.name}.category"])
        assert kind.split == "unseen"
        assert role.kind in kind.roles
        assert changed.factors[f"{role.name}.color"] in kind.colors
        found.add(kind.name)
    assert len(found) >= 2


# --- combinations ------------------------------------------------------------------------------


def test_no_two_of_the_pool_change_the_same_factor() -> None:
    for task in map(task_called, TASKS.names()):
        owned: list[str] = []
        for entry in POOL:
            own = [axis_called(name).factors(task) for name in entry if applies(name, task)]
            owned += frozenset().union(*own)
        assert len(set(owned)) == len(owned), task.name


def applies(axis: str, task: Task) -> bool:
    return bool(axis_called(axis).levels_of(task))


@pytest.mark.parametrize(("level", "count"), [("two", 2), ("three", 3), ("all", len(POOL))])
@pytest.mark.parametrize("task", ["place-on", "swap", "turn-knob"])
def test_a_combination_takes_so_many_axes_each_at_a_mild_level(
    drawn: Drawn, task: str, level: str, count: int
) -> None:
    kind = task_called(task)
    possible = sum(any(applies(axis, kind) for axis in entry) for entry in POOL)
    seen = set()
    for index in INDICES:
        nominal, changed = (drawn(task, index, *c).factors for c in ((), (f"combination:{level}",)))
        taken = [text.split(":") for text in changed["combination"]]
        assert len(taken) == min(count, possible)
        for axis, mild in taken:
            made = axis_called(axis)
            assert mild in made.levels_of(kind)[:MILD]
            own = made.factors(kind)
            assert any(nominal.get(name) != changed.get(name) for name in own), axis
        assert len({next(k for k, e in enumerate(POOL) if axis in e) for axis, _ in taken}) == len(
            taken
        )
        seen.add(tuple(changed["combination"]))
    assert len(seen) > 1


# --- what reaches the policy -------------------------------------------------------------------


@pytest.fixture(scope="module")
def look(drawn: Drawn) -> Iterator[Callable[..., np.ndarray]]:
    """The first frame of a newly started episode."""
    simulation = Simulation()

    @cache
    def frame(task: str, *changes: str) -> np.ndarray:
        simulation.start(drawn(task, 1, *changes))
        return simulation.observe((CAMERA,)).images[CAMERA.role]

    yield frame
    simulation.close()


@pytest.mark.parametrize(
    ("axis", "task", "level"), [cell for cell in FRAMES if cell[0] not in BESIDES]
)
def test_what_changes_is_what_the_policy_sees(
    look: Callable[..., np.ndarray], drawn: Drawn, axis: str, task: str, level: str
) -> None:
    nominal, changed = look(task), look(task, f"{axis}:{level}")
    twin, episode = drawn(task, 1).factors, drawn(task, 1, f"{axis}:{level}").factors
    said = {*checks.WORDS, "events"}
    if all(twin.get(name) == value or name in said for name, value in episode.items()):
        assert np.array_equal(changed, nominal)
        return
    assert checks.is_noticed({CAMERA.role: nominal}, {CAMERA.role: changed})


def test_a_twin_drawn_again_looks_the_same(draw: Draw) -> None:
    simulation = Simulation()
    frames = []
    for change in ((), ("lighting:L3",), ()):
        simulation.start(draw("place-on", 1, *change))
        frames.append(simulation.observe((CAMERA,)).images[CAMERA.role])
    simulation.close()
    assert np.array_equal(frames[0], frames[2])
    assert not np.array_equal(frames[0], frames[1])


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "change", "sentence"),
    [
        ("place-onn", ("lighting", "L1"), "did you mean 'place-on'"),
        ("place-on", ("lightning", "L1"), "did you mean 'lighting'"),
        ("place-on", ("lighting", "L4"), "has no level 'L4'; it has L1, L2, L3"),
        ("open-drawer", ("unseen-categories", "L1"), "does not apply to the task 'open-drawer'"),
        ("turn-knob", ("dynamic", "target"), "'target' of the axis 'dynamic' does not apply"),
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


def test_two_changes_of_one_factor_are_refused() -> None:
    changes = (Change("combination", "two"), Change("lighting", "L1"))
    with pytest.raises(UsageError, match="both change"):
        TabletopWorld().draw("place-on", changes, seed=0, index=0)
