"""Whether an episode starts as it should: at rest, unsolved, in sight and within reach.

Benchmarks have published scenes in which objects floated, goals were met before anything was done,
and targets stood behind a wall. Here each start is looked at, without rendering and without
changing it. What is asked for is what the episode asks for at its start and what its events will
ask for later; its things are the objects and the parts of fixtures that these goals speak of, but
for goals that count as reached: what has been put into a drawer may be out of sight.

======================= =====================================================================
a start is at fault if
======================= =====================================================================
something moves         a point of an object, of a part of a fixture or of the hand is faster
                        than `FASTEST_M_S`
a thing falls           an object gathers speed faster than `FALLING_M_S2`, though it be at rest
                        at this instant
things overlap          a contact is deeper than `DEEPEST_M`
something is done       a stage is true already; of stages that come in any order, all are
something is undone     a stage that counts as reached is not true; of stages that come in an order,
                        the last of these
a thing is not seen     the first exterior camera sees less of it than `LEAST_SEEN`
a thing is out of reach it is further from the robot's base than `FURTHEST_M`, seen from above
======================= =====================================================================
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.environment import FAULT
from vlabench.envs import views
from vlabench.envs.scene import Scene, SceneObject, ScenePart
from vlabench.envs.simulation import Simulation
from vlabench.envs.tasks.base import Stage
from vlabench.errors import InfrastructureError
from vlabench.seeding import stream
from vlabench.types import EpisodeSpec, Event, Floats, Outcome

Thing: TypeAlias = SceneObject | ScenePart

FASTEST_M_S = 0.001

FALLING_M_S2 = 0.1
"""What stands or lies is pushed about by its contacts at less than a tenth of this."""

DEEPEST_M = 0.002

FURTHEST_M = 0.85
"""From the middle of the robot's base, seen from above: what every arm of the world can reach."""

LEAST_SEEN = 0.05
"""Share of the points of a thing that are in a square frame and that nothing stands before."""

POINTS = 160
"""How many points of a thing are looked at."""

_SHOWN = np.array([0, 1, 1, 0, 0, 0], np.uint8)
"""Groups of geoms that are rendered: collision shapes are not."""

_IN_A_BOX = stream("points of a thing").uniform(-1.0, 1.0, (POINTS, 3))


class InspectedSimulation(Simulation):
    """A simulation in which an episode with a fault at its start ends at once, without success.

    No step of it is executed, and its events say what is wrong, each beginning with `FAULT`.
    """

    def start(self, episode: EpisodeSpec) -> None:
        """Builds and settles the scene of `episode`, and inspects it."""
        self._build(episode)
        try:
            self._settle()
        except InfrastructureError as error:
            mujoco.mj_resetData(self.model, self.data)
            mujoco.mj_kinematics(self.model, self.data)
            self._begin()
            self._faults: tuple[str, ...] = (str(error),)
            return
        self._begin()
        self._faults = faults(self)

    def advance(self, action: npt.NDArray[np.float32]) -> bool:
        """As `Simulation.advance`; True at once if the start has a fault."""
        return bool(self._faults) or super().advance(action)

    def outcome(self) -> Outcome:
        """What has come of the episode so far; the faults of its start, if it has any."""
        outcome = super().outcome()
        if not self._faults:
            return outcome
        return replace(
            outcome,
            events=tuple(Event(0, FAULT + fault) for fault in self._faults),
            compliance=None if outcome.compliance is None else False,
        )


def faults(simulation: Simulation) -> tuple[str, ...]:
    """What is wrong with the start of the episode that `simulation` has just started.

    Returns:
        One clause with figures for each fault, always in the same order; empty for a good start.
    """
    scene, data = simulation.scene, copy.copy(simulation.data)
    mujoco.mj_forward(scene.model, data)
    asked = tuple(_asked(simulation))
    things = _spoken_of(scene, asked, _reached(simulation))
    return (
        *_moving(scene, data),
        *_falling(scene, data),
        *_overlapping(scene, data),
        *_true_already(simulation, data, asked),
        *_undone(simulation, data),
        *_unseen(scene, data, things),
        *_out_of_reach(scene, data, things),
    )


def _asked(simulation: Simulation) -> Iterator[tuple[Stage, ...]]:
    """The stages of the episode, and those that each event asks for later."""
    task, factors = simulation.task, simulation.episode.factors
    yield task.asked(factors)
    for event in factors["events"]:
        if "cast" in event["do"]:
            yield task.asked({**factors, "cast": event["do"]["cast"]})


def _reached(simulation: Simulation) -> list[Stage]:
    """The stages that count as reached, in order."""
    results = zip(simulation.progress.asked, simulation.progress.stages, strict=True)
    return [stage for stage, result in results if result.success]


def _spoken_of(
    scene: Scene, asked: Sequence[Sequence[Stage]], reached: Sequence[Stage]
) -> list[Thing]:
    """The objects and the parts that goals speak of which are still to be reached, each once."""
    done = {goal for stage in reached for goal in stage.goals}
    goals = (goal for stages in asked for stage in stages for goal in stage.goals)
    names = dict.fromkeys(name for goal in goals if goal not in done for name in goal.arguments)
    things: dict[str, Thing] = {**scene.parts, **scene.objects}
    return [things[name] for name in names if name in things]


# --- at rest ----------------------------------------------------------------------------------


def _moving(scene: Scene, data: mujoco.MjData) -> Iterator[str]:
    model = scene.model
    hand = int(model.site_bodyid[model.site(scene.embodiment.grip_site).id])
    objects = {name: thing.body for name, thing in scene.objects.items()}
    parts = {name: part.body for name, part in scene.parts.items()}
    for name, body in {**objects, **parts, "hand": hand}.items():
        speed = _fastest_point(model, data, body)
        if speed > FASTEST_M_S:
            yield f"the {name} moves at {1000 * speed:.1f} mm/s, faster than {1000 * FASTEST_M_S:g}"


def _falling(scene: Scene, data: mujoco.MjData) -> Iterator[str]:
    for name, thing in scene.objects.items():
        first = int(scene.model.body_dofadr[thing.body])
        gathered = math.hypot(*data.qacc[first : first + 3].tolist())
        if gathered > FALLING_M_S2:
            yield f"the {name} gathers speed at {gathered:.1f} m/s2: it stands on nothing"


def _fastest_point(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> float:
    """Metres a second: at most this fast is any point of a body."""
    turning_and_moving = np.zeros(6)
    kind = mujoco.mjtObj.mjOBJ_BODY
    mujoco.mj_objectVelocity(model, data, kind, body, turning_and_moving, 0)
    wx, wy, wz, vx, vy, vz = turning_and_moving.tolist()
    turning = math.hypot(wx, wy, wz)
    radius = max((_radius(model, data, geom) for geom in _geoms(model, body)), default=0.0)
    return math.hypot(vx, vy, vz) + turning * radius


def _radius(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> float:
    """Metres from the centre of mass of its body to the furthest point of a geom, at most."""
    away = math.dist(data.geom_xpos[geom], data.xipos[model.geom_bodyid[geom]])
    return away + float(model.geom_rbound[geom])


def _overlapping(scene: Scene, data: mujoco.MjData) -> Iterator[str]:
    model, deepest = scene.model, dict[tuple[str, str], float]()
    for geoms, distance in zip(data.contact.geom.tolist(), data.contact.dist.tolist(), strict=True):
        one, other = sorted(model.body(model.geom_bodyid[geom]).name for geom in geoms)
        deepest[one, other] = max(deepest.get((one, other), 0.0), -distance)
    for (one, other), depth in sorted(deepest.items()):
        if depth > DEEPEST_M:
            yield (
                f"the {one} and the {other} overlap by {1000 * depth:.1f} mm, "
                f"more than {1000 * DEEPEST_M:g}"
            )


# --- unsolved ---------------------------------------------------------------------------------


def _true_already(
    simulation: Simulation, data: mujoco.MjData, asked: Sequence[Sequence[Stage]]
) -> Iterator[str]:
    """No stage may be true that does not count as reached.

    Of stages in any order that an event asks for later, some may be, since what was asked for first
    may have made them so.
    """
    reached = _reached(simulation)
    for number, stages in enumerate(asked):
        true = [stage for stage in stages if simulation.progress.true_now(stage, data)]
        if number > 0 and not simulation.task.ordered and len(true) < len(stages):
            continue
        for stage in (stage for stage in true if stage not in reached):
            yield f"the stage {stage.name!r} is true at the start: {_goals(stage)}"


def _undone(simulation: Simulation, data: mujoco.MjData) -> Iterator[str]:
    """What counts as reached must be so, unless what came after it has undone it."""
    reached = _reached(simulation)
    for stage in reached[-1:] if simulation.task.ordered else reached:
        if not simulation.progress.true_now(stage, data):
            yield f"the stage {stage.name!r} counts as reached and is not true: {_goals(stage)}"


def _goals(stage: Stage) -> str:
    return " and ".join(f"{g.predicate}({', '.join(g.arguments)})" for g in stage.goals)


# --- in sight and within reach ----------------------------------------------------------------


def _unseen(scene: Scene, data: mujoco.MjData, things: Sequence[Thing]) -> Iterator[str]:
    eye = _Eye(scene.model, data)
    for thing in things:
        share = eye.share_of(thing.body)
        if share < LEAST_SEEN:
            yield (
                f"the exterior camera sees {100 * share:.1f} % of the {thing.name}, "
                f"less than {100 * LEAST_SEEN:g} %"
            )


class _Eye:
    """The first exterior camera, which looks along rays."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        camera = model.camera(views.MAIN).id
        self._model, self._data = model, data
        self._at = data.cam_xpos[camera].copy()
        self._turn = data.cam_xmat[camera].reshape(3, 3).copy()
        self._half = math.tan(math.radians(float(model.cam_fovy[camera])) / 2)

    def share_of(self, body: int) -> float:
        """The share of the points of a body that are seen; no more are tried than are needed."""
        geoms, seen = [g for g in _geoms(self._model, body) if self._is_shown(g)], 0
        if not geoms:
            return 0.0
        for k, place in enumerate(_IN_A_BOX):
            seen += self._meets(body, self._point(geoms[k % len(geoms)], place))
            if seen >= LEAST_SEEN * POINTS:
                break
        return seen / POINTS

    def _is_shown(self, geom: int) -> bool:
        return bool(_SHOWN[self._model.geom_group[geom]])

    def _point(self, geom: int, place: Floats) -> Floats:
        """A point in the box around a geom; `place` is in the cube from -1 to 1."""
        middle, half = self._model.geom_aabb[geom].reshape(2, 3)
        turn = self._data.geom_xmat[geom].reshape(3, 3)
        point: Floats = self._data.geom_xpos[geom] + turn @ (middle + half * place)
        return point

    def _meets(self, body: int, point: Floats) -> bool:
        """Whether the line to a point is in the frame and meets `body` before all else."""
        ray = point - self._at
        right, up, back = (self._turn.T @ ray).tolist()
        if max(abs(right), abs(up)) > -back * self._half:
            return False
        hit, direction = np.full(1, -1, np.int32), ray / np.linalg.norm(ray)
        mujoco.mj_ray(self._model, self._data, self._at, direction, _SHOWN, 1, -1, hit)
        return bool(hit[0] >= 0 and self._model.geom_bodyid[hit[0]] == body)


def _geoms(model: mujoco.MjModel, body: int) -> range:
    first = int(model.body_geomadr[body])
    return range(first, first + int(model.body_geomnum[body]))


def _out_of_reach(scene: Scene, data: mujoco.MjData, things: Sequence[Thing]) -> Iterator[str]:
    base_x, base_y, _ = data.xpos[scene.model.body(scene.embodiment.base_body).id].tolist()
    for thing in things:
        x, y = _place(data, thing)
        away = math.hypot(x - base_x, y - base_y)
        if away > FURTHEST_M:
            yield (
                f"the {thing.name} is {away:.2f} m from the robot's base, "
                f"further than {FURTHEST_M:g} m"
            )


def _place(data: mujoco.MjData, thing: Thing) -> tuple[float, float]:
    """Metres in the world: the middle of an object; of a part its handle, else its floor."""
    if isinstance(thing, SceneObject):
        x, y, _ = data.xipos[thing.body].tolist()
        return x, y
    site = thing.floor_site if thing.handle_site is None else thing.handle_site
    x, y, _ = (data.xpos[thing.body] if site is None else data.site_xpos[site]).tolist()
    return x, y
