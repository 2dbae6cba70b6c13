"""What happens to a scene in the middle of an episode, once the hand comes near.

The factor ``events`` is a list; each event happens once, and all of it follows from the state, so
the same actions meet the same events::

    {"near": "object", "within_m": 0.15, "touching": "object", "do": {"kind": ..., ...}}

`near` is an object or a part of a fixture, `within_m` the distance of the hand from its middle.
A hand that starts nearby has to come nearer still, to `APPROACH` of the distance at the start. With
`touching` the event waits instead until the robot touches that object, and the distance is seen
from above, because what is carried hangs below the hand. What happens is one of:

=========== ======================================= ==========================================
kind        values                                  what
=========== ======================================= ==========================================
light       intensity, warmth                       every light is as many times as bright
camera      azimuth_deg, elevation_deg              the exterior cameras are nudged
move        what, to                                a thing slides along the table towards `to`
instruction cast, sentence                          another goal of the same scene is asked for
=========== ======================================= ==========================================

A thing slides only while nothing but the table touches it and its way is free: else it waits, and
after `PATIENCE` it stays where it is. It counts as having happened from the first step in which the
thing moves; a slide that was given up before has not happened, and no record speaks of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco

from vlabench.envs import views
from vlabench.envs.materials import warm
from vlabench.envs.predicates.geometry import touching
from vlabench.envs.scene import Scene
from vlabench.types import Event, Json

EARLIEST = 5
"""Control steps before which nothing happens: the policy has seen the scene as it was."""

APPROACH = 0.5
"""The hand is not near before its distance has fallen to this share of that at the start."""

SLIDE_STEPS = 8
"""Control steps (0.4 s) in which a thing slides."""

LONGEST_STEP = 0.015
"""Metres that a thing slides at most in a control step, 12 cm in all, wherever it has got to."""

PATIENCE = 40
"""Control steps (2 s) from the trigger on after which a slide is given up."""

HAND_RADIUS, HAND_DEPTH = 0.09, 0.03
"""Metres: what the hand takes up around and below the point between the fingertips."""

GAP = 0.005
"""Metres that a sliding thing keeps from others."""


@dataclass(frozen=True, slots=True)
class NewInstruction:
    """Another goal of the same scene: its cast, and what the policy is told."""

    cast: Mapping[str, str]
    sentence: str


class Timeline:
    """The events of one episode.

    Args:
        factors: Of the episode; its `events` and its `camera` are read.
        scene: Where they happen; its model is changed by them.
        data: The state at the start, which says how far away the hand is.
    """

    def __init__(self, factors: Mapping[str, Json], scene: Scene, data: mujoco.MjData) -> None:
        self._scene, self._camera = scene, factors[views.FACTOR]
        self._going_on: list[_Slide] = []
        self._site = scene.model.site(scene.embodiment.grip_site).id
        hand = self._hand(data)
        self._waiting = [
            _Trigger(event, APPROACH * math.dist(hand, _middle(scene, data, event["near"])))
            for event in factors["events"]
        ]
        self._asked: NewInstruction | None = None
        self.happened: tuple[Event, ...] = ()

    def update(self, data: mujoco.MjData, step: int) -> NewInstruction | None:
        """Lets happen what is due after control step `step`.

        Returns:
            What is asked for from now on; None if that has not changed.
        """
        if not (self._waiting or self._going_on):
            return None
        hand = self._hand(data)
        self._asked = None
        due = [t for t in self._waiting if step >= EARLIEST and t.is_due(self._scene, data, hand)]
        for trigger in due:
            self._waiting.remove(trigger)
            self._let_happen(trigger.event["do"], step)
        for slide in self._going_on:
            if slide.go_on(data, hand):
                self.happened += (Event(step, f"the {slide.what} begins to slide"),)
        self._going_on = [slide for slide in self._going_on if not slide.over]
        if due:
            mujoco.mj_camlight(self._scene.model, data)
        return self._asked

    def _hand(self, data: mujoco.MjData) -> list[float]:
        position: list[float] = data.site_xpos[self._site].tolist()
        return position

    def _let_happen(self, do: Mapping[str, Json], step: int) -> None:
        values = dict(do)
        match values.pop("kind"):
            case "move":
                self._going_on.append(_Slide(self._scene, **values))
                return
            case "light":
                what = self._light(**values)
            case "camera":
                what = self._nudge(**values)
            case _:  # "instruction"
                what = self._ask(**values)
        self.happened += (Event(step, what),)

    def _light(self, intensity: float, warmth: float) -> str:
        model, color = self._scene.model, warm((1.0, 1.0, 1.0), warmth)
        head, scale = model.vis.headlight, [intensity * c for c in color]
        lights = (model.light_ambient, model.light_diffuse, model.light_specular)
        for values in (*lights, head.ambient, head.diffuse, head.specular):
            values *= scale
        return f"the light changes to {intensity:g} of what it was"

    def _nudge(self, azimuth_deg: float, elevation_deg: float) -> str:
        model = self._scene.model
        camera = {
            **self._camera,
            "azimuth_deg": self._camera["azimuth_deg"] + azimuth_deg,
            "elevation_deg": self._camera["elevation_deg"] + elevation_deg,
        }
        for name in views.VIEWS:
            moved, index = views.view(name, camera), model.camera(name).id
            model.cam_pos[index], model.cam_quat[index] = moved.eye, moved.quaternion
        return f"the cameras turn by {azimuth_deg:g} and {elevation_deg:g} degrees"

    def _ask(self, cast: Mapping[str, str], sentence: str) -> str:
        self._asked = NewInstruction(cast, sentence)
        return f"a new instruction: {sentence}"


@dataclass(frozen=True, slots=True)
class _Trigger:
    """Says when an event is due; `nearest` is how near the hand must come in any case."""

    event: Mapping[str, Json]
    nearest: float

    def is_due(self, scene: Scene, data: mujoco.MjData, hand: Sequence[float]) -> bool:
        middle = _middle(scene, data, self.event["near"])
        within: float = self.event["within_m"]
        if "touching" not in self.event:
            return math.dist(hand, middle) <= min(within, self.nearest)
        touched = touching(data, scene.objects[self.event["touching"]].geoms)
        near = math.dist(hand[:2], middle[:2]) <= within
        return near and not touched.isdisjoint(scene.robot_geoms)


class _Slide:
    """A thing on its way to `to` (x, y), which takes `SLIDE_STEPS` while nothing is in its way."""

    def __init__(self, scene: Scene, what: str, to: Sequence[float]) -> None:
        self._scene, self.what, self._to = scene, what, to
        self._geoms, self._fixtures = _geoms(scene, what), _fixture_geoms(scene, what)
        self._steps_left, self._patience = SLIDE_STEPS, PATIENCE

    @property
    def over(self) -> bool:
        """Whether it has arrived or been given up."""
        return min(self._steps_left, self._patience) == 0

    def go_on(self, data: mujoco.MjData, hand: Sequence[float]) -> bool:
        """Moves the thing by one step if nothing is in its way; whether it begins to move."""
        self._patience -= 1
        x, y = _position(self._scene, data, self.what)[:2]
        step = [(to - at) / self._steps_left for to, at in zip(self._to, (x, y), strict=True)]
        share = min(1.0, LONGEST_STEP / max(LONGEST_STEP, math.hypot(*step)))
        dx, dy = (share * d for d in step)
        if touching(data, self._geoms) - {self._scene.table_geom}:
            return False
        if any(
            math.dist((x + dx, y + dy), other) < min(apart, math.dist((x, y), other))
            for other, apart in self._obstacles(data, hand)
        ):
            return False
        self._shift(data, dx, dy)
        if self._meets_a_fixture(data):
            self._shift(data, -dx, -dy)
            return False
        self._steps_left -= 1
        return self._steps_left == SLIDE_STEPS - 1

    def _meets_a_fixture(self, data: mujoco.MjData) -> bool:
        # asked of neighbours alone: of boxes far apart MuJoCo now and then says that they touch
        model = self._scene.model
        return any(
            mujoco.mj_geomDistance(model, data, own, other, 2 * GAP, None) < GAP
            for own in self._geoms
            for other in self._fixtures
            if math.dist(data.geom_xpos[own], data.geom_xpos[other])
            < model.geom_rbound[own] + model.geom_rbound[other] + GAP
        )

    def _obstacles(
        self, data: mujoco.MjData, hand: Sequence[float]
    ) -> list[tuple[tuple[float, float], float]]:
        """Places of what is as low as the thing, and how far from it the thing's middle stays."""
        radius, top = _extent(self._scene, data, self.what)
        found = []
        if hand[2] - HAND_DEPTH < top:
            found.append(((hand[0], hand[1]), radius + HAND_RADIUS))
        for name in self._scene.objects:
            x, y, z = _position(self._scene, data, name)
            if name != self.what and z < top + GAP:
                other, _ = _extent(self._scene, data, name)
                found.append(((x, y), radius + other + GAP))
        return found

    def _shift(self, data: mujoco.MjData, dx: float, dy: float) -> None:
        model = self._scene.model
        if self.what in self._scene.objects:
            body = self._scene.objects[self.what].body
            address = int(model.jnt_qposadr[model.body_jntadr[body]])
            data.qpos[address] += dx
            data.qpos[address + 1] += dy
        else:
            body = model.body(self._scene.parts[self.what].fixture).id
            model.body_pos[body, 0] += dx
            model.body_pos[body, 1] += dy
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)


# --- where things are ---------------------------------------------------------------------------


def _position(scene: Scene, data: mujoco.MjData, name: str) -> tuple[float, float, float]:
    """Metres in the world: the middle seen from above, and the height of the underside."""
    if name in scene.objects:
        shape, (upright, lying) = scene.objects[name].shape, _tilt(scene, data, name)
        x, y, z = _middle(scene, data, name)
        return x, y, z - upright * shape.height / 2 - lying * shape.radius
    x, y, z = data.xpos[scene.model.body(scene.parts[name].fixture).id].tolist()
    return x, y, z


def _middle(scene: Scene, data: mujoco.MjData, name: str) -> tuple[float, float, float]:
    """Metres in the world: of an object half way up, of a part its handle or its floor."""
    if name in scene.objects:
        thing = scene.objects[name]
        half = thing.shape.height / 2
        x, y, z = data.xpos[thing.body].tolist()
        _, _, ux, _, _, uy, _, _, uz = data.xmat[thing.body].tolist()
        return x + half * ux, y + half * uy, z + half * uz
    part = scene.parts[name]
    site = part.floor_site if part.handle_site is None else part.handle_site
    x, y, z = (data.xpos[part.body] if site is None else data.site_xpos[site]).tolist()
    return x, y, z


def _extent(scene: Scene, data: mujoco.MjData, name: str) -> tuple[float, float]:
    """Metres: the radius seen from above, and the height of its top in the world."""
    underside = _position(scene, data, name)[2]
    if name in scene.parts:
        part = scene.parts[name]
        length, width, height = scene.model.site_size[part.floor_site].tolist()
        flat = part.part.kind == "region"
        return math.hypot(length, width), underside + (0.0 if flat else 2 * height)
    shape, (upright, lying) = scene.objects[name].shape, _tilt(scene, data, name)
    radius = max(shape.radius, lying * shape.height / 2)
    return radius, underside + upright * shape.height + 2 * lying * shape.radius


def _tilt(scene: Scene, data: mujoco.MjData, name: str) -> tuple[float, float]:
    """Cosine and sine of how far an object's axis is from vertical, both positive."""
    cosine = min(1.0, abs(float(data.xmat[scene.objects[name].body][8])))
    return cosine, math.sqrt(1.0 - cosine * cosine)


def _geoms(scene: Scene, name: str) -> frozenset[int]:
    """What is solid of an object, or of the whole fixture that a part belongs to."""
    if name in scene.objects:
        return scene.objects[name].geoms
    model = scene.model
    root = model.body(scene.parts[name].fixture).id
    roots = model.body_rootid[model.geom_bodyid].tolist()
    solid = model.geom_contype.tolist()
    return frozenset(geom for geom, top in enumerate(roots) if top == root and solid[geom])


def _fixture_geoms(scene: Scene, name: str) -> frozenset[int]:
    """What is solid of all fixtures but for that which `name` belongs to."""
    own = scene.parts[name].fixture if name in scene.parts else None
    others = (part for part, it in scene.parts.items() if it.fixture != own)
    return frozenset[int]().union(*(_geoms(scene, part) for part in others))
