"""What happens to a scene in the middle of an episode, once the hand comes near.

The factor ``events`` is a list; each event happens once, and all of it follows from the state, so
the same actions meet the same events::

    {"near": "object", "within_m": 0.15, "touching": "object", "do": {"kind": ..., ...}}

`near` is an object or a part of a fixture, `within_m` the distance of the hand from its middle.
With `touching` the event waits until the robot touches that object, and the distance is seen from
above, because what is carried hangs below the hand. What happens is one of:

=========== ======================================= ==========================================
kind        values                                  what
=========== ======================================= ==========================================
light       intensity, warmth                       all light is dimmed, or brightened
camera      azimuth_deg, elevation_deg              the exterior cameras are nudged
move        what, to                                a thing slides along the table
instruction cast, sentence                          another goal of the same scene is asked for
=========== ======================================= ==========================================

A thing slides only while nothing but the table touches it and its way is free: else it waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mujoco

from vlabench.envs import views
from vlabench.envs.axes import lighting
from vlabench.envs.materials import warm
from vlabench.envs.predicates.geometry import touching
from vlabench.envs.scene import Scene
from vlabench.types import Event, Json

EARLIEST = 5
"""Control steps before which nothing happens: the policy has seen the scene as it was."""

SLIDE_STEPS = 8
"""Control steps (0.4 s) in which a thing slides."""

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
    """

    def __init__(self, factors: Mapping[str, Json], scene: Scene) -> None:
        self._scene, self._camera = scene, factors[views.FACTOR]
        self._waiting: list[Mapping[str, Json]] = list(factors["events"])
        self._going_on: list[_Slide] = []
        self._site = scene.model.site(scene.embodiment.grip_site).id
        self._effects: Mapping[str, Callable[..., str]] = {
            "light": self._light,
            "camera": self._nudge,
            "move": self._slide,
            "instruction": self._ask,
        }
        self._asked: NewInstruction | None = None
        self.happened: tuple[Event, ...] = ()

    def update(self, data: mujoco.MjData, step: int) -> NewInstruction | None:
        """Lets happen what is due after control step `step`.

        Returns:
            What is asked for from now on; None if that has not changed.
        """
        if not (self._waiting or self._going_on):
            return None
        hand = data.site_xpos[self._site].tolist()
        self._asked = None
        due = [e for e in self._waiting if step >= EARLIEST and self._is_due(e, data, hand)]
        for event in due:
            self._waiting.remove(event)
            values = dict(event["do"])
            what = self._effects[values.pop("kind")](**values)
            self.happened += (Event(step, what),)
        for slide in self._going_on:
            slide.go_on(data, hand)
        self._going_on = [slide for slide in self._going_on if slide.steps_left]
        if due:
            mujoco.mj_camlight(self._scene.model, data)
        return self._asked

    def _is_due(
        self, event: Mapping[str, Json], data: mujoco.MjData, hand: Sequence[float]
    ) -> bool:
        middle = _middle(self._scene, data, event["near"])
        within: float = event["within_m"]
        if "touching" not in event:
            return math.dist(hand, middle) <= within
        touched = touching(data, self._scene.objects[event["touching"]].geoms)
        near = math.dist(hand[:2], middle[:2]) <= within
        return near and not touched.isdisjoint(self._scene.robot_geoms)

    def _light(self, intensity: float, warmth: float) -> str:
        model, color = self._scene.model, warm((1.0, 1.0, 1.0), warmth)
        for values in (model.light_diffuse, model.light_specular):
            values *= [intensity * c for c in color]
        head = model.vis.headlight
        share = lighting.ambient_share(intensity)
        head.ambient = [a * share * c for a, c in zip(head.ambient, color, strict=True)]
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

    def _slide(self, what: str, to: Sequence[float]) -> str:
        self._going_on.append(_Slide(self._scene, what, to))
        return f"the {what} begins to slide"

    def _ask(self, cast: Mapping[str, str], sentence: str) -> str:
        self._asked = NewInstruction(cast, sentence)
        return f"a new instruction: {sentence}"


class _Slide:
    """A thing on its way to `to` (x, y), which takes `SLIDE_STEPS` while nothing is in its way."""

    def __init__(self, scene: Scene, what: str, to: Sequence[float]) -> None:
        self._scene, self._what, self._to = scene, what, to
        self._geoms = _geoms(scene, what)
        self.steps_left = SLIDE_STEPS

    def go_on(self, data: mujoco.MjData, hand: Sequence[float]) -> None:
        """Moves the thing by one step, unless something is in its way."""
        x, y = _position(self._scene, data, self._what)[:2]
        dx, dy = ((to - at) / self.steps_left for to, at in zip(self._to, (x, y), strict=True))
        if touching(data, self._geoms) - {self._scene.table_geom}:
            return
        if any(
            math.dist((x + dx, y + dy), other) < min(apart, math.dist((x, y), other))
            for other, apart in self._obstacles(data, hand)
        ):
            return
        self._shift(data, dx, dy)
        self.steps_left -= 1

    def _obstacles(
        self, data: mujoco.MjData, hand: Sequence[float]
    ) -> list[tuple[tuple[float, float], float]]:
        """Places of what is as low as the thing, and how far from it the thing's middle stays."""
        radius, top = _extent(self._scene, data, self._what)
        found = []
        if hand[2] - HAND_DEPTH < top:
            found.append(((hand[0], hand[1]), radius + HAND_RADIUS))
        for name in self._scene.objects:
            x, y, z = _position(self._scene, data, name)
            if name != self._what and z < top + GAP:
                other, _ = _extent(self._scene, data, name)
                found.append(((x, y), radius + other + GAP))
        return found

    def _shift(self, data: mujoco.MjData, dx: float, dy: float) -> None:
        model = self._scene.model
        if self._what in self._scene.objects:
            body = self._scene.objects[self._what].body
            address = int(model.jnt_qposadr[model.body_jntadr[body]])
            data.qpos[address] += dx
            data.qpos[address + 1] += dy
        else:
            body = model.body(self._scene.parts[self._what].fixture).id
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
    if name in scene.objects:
        return scene.objects[name].geoms
    owner = scene.parts[name].fixture
    model = scene.model
    root = model.body(owner).id
    roots = model.body_rootid[model.geom_bodyid].tolist()
    return frozenset(geom for geom, top in enumerate(roots) if top == root)
