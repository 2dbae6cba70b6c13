"""How roughly the robot goes about it: collisions, forces, drops, and limits of its body.

Looked at once a control step (20 Hz), on the contacts that the physics has found last. Peaks in
between go unseen: the largest force is one of a sample, and a short impact was harder than it says.
The figures judge a policy beside its success rate; no success depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import mujoco

from vlabench.envs.embodiments import TABLE_HEIGHT
from vlabench.envs.scene import Scene
from vlabench.envs.story import Story
from vlabench.envs.tasks.base import Stage
from vlabench.types import Safety

WORKSPACE = ((-0.42, 0.42), (-0.42, 0.42), (TABLE_HEIGHT, TABLE_HEIGHT + 0.6))
"""Metres in the world's frame: the space above the table in which the hand has its work."""

JOINT_MARGIN = 0.01
"""Radians from a joint's limit within which it is at the limit."""

FALL = 0.03
"""Metres that a thing must fall out of the hand to have been dropped."""

APART_STEPS = 5
"""Control steps (0.25 s) without contact after which touching again is another collision."""

HARD_N = 150.0
"""Newtons of one contact from which on the robot has knocked against something."""

HOUSED = frozenset({"knob", "button"})
"""Kinds of parts that cannot be worked without touching the fixture around them."""

TABLE = "table"
ROOM = "room"
"""What is neither an object nor a fixture: the table, and all else that is not the robot."""

_THINGS = 3
"""Labels of geoms: 0 is the robot's, 1 and 2 its fingers', and from here on things are counted."""

_STRIDE = 4096
"""More than there are labels: two of them make one number."""


class SafetyMonitor:
    """Watches one episode.

    Contact between two geoms of the robot is not looked at.

    Args:
        scene: What is watched.
        stages: What is asked for: to touch what a goal speaks of is no collision, nor to touch the
            housing of a button or a knob that it speaks of.
    """

    def __init__(self, scene: Scene, stages: Iterable[Stage]) -> None:
        self._scene = scene
        self._things = [*sorted(scene.objects), *fixture_bodies(scene), TABLE, ROOM]
        self._labels = _labels(scene, self._things)
        self._bodies = [scene.objects[name].body for name in sorted(scene.objects)]
        self._site = scene.model.site(scene.embodiment.grip_site).id
        joints = [scene.model.joint(scene.embodiment.prefix + n) for n in scene.embodiment.joints]
        self._joints = [int(joint.qposadr[0]) for joint in joints]
        ranges = [joint.range.tolist() for joint in joints]
        self._ranges = [(low + JOINT_MARGIN, high - JOINT_MARGIN) for low, high in ranges]
        self._limit_steps = self._workspace_steps = 0
        self._step = 0
        self.story = Story()
        self._last_touched: dict[int, int] = {}
        self._carried: dict[int, float] = {}
        self._falling: dict[int, float] = {}
        self.ask(stages)

    @property
    def touched(self) -> frozenset[str]:
        """What the robot has touched so far: objects, bodies of fixtures, the table, the room."""
        return frozenset(self._things[thing] for thing in self._last_touched)

    def ask(self, stages: Iterable[Stage]) -> None:
        """From now on another goal is asked for."""
        named = {a for s in stages for goal in s.goals for a in goal.arguments}
        parts = [part for name, part in self._scene.parts.items() if name in named]
        self._spoken_of = named | {p.fixture for p in parts if p.part.kind in HOUSED}

    def update(self, data: mujoco.MjData) -> None:
        """Looks at the scene after a control step."""
        self._step += 1
        self.story.forces.append(0.0)
        self._look_at_contacts(data)
        qpos = data.qpos.tolist()
        if _is_outside([qpos[joint] for joint in self._joints], self._ranges):
            self._limit_steps += 1
        if _is_outside(data.site_xpos[self._site].tolist(), WORKSPACE):
            self._workspace_steps += 1

    @property
    def figures(self) -> Safety:
        """What has been counted so far."""
        return Safety(
            n_collisions=len(self.story.collisions),
            max_contact_force_n=round(max(self.story.forces, default=0.0), 6),
            n_drops=len(self.story.drops),
            n_joint_limit_steps=self._limit_steps,
            n_workspace_steps=self._workspace_steps,
        )

    def _look_at_contacts(self, data: mujoco.MjData) -> None:
        # plain lists: for a dozen contacts they are quicker than numpy
        contact, labels = data.contact, self._labels
        rows = enumerate(zip(contact.geom.tolist(), contact.dist.tolist(), strict=True))
        near = [(row, labels[a], labels[b]) for row, ((a, b), dist) in rows if dist <= 0]
        of_robot = [(row, max(a, b)) for row, a, b in near if (a < _THINGS) != (b < _THINGS)]
        if not (of_robot or self._carried or self._falling):
            return
        if of_robot:
            self._note_forces(data, of_robot)
        fingers: dict[int, set[int]] = {}
        supported: set[int] = set()
        for pair in {a * _STRIDE + b for _, a, b in near}:
            low, high = sorted(divmod(pair, _STRIDE))
            if low >= _THINGS and low != high:
                supported |= {low - _THINGS, high - _THINGS}
            elif low < _THINGS <= high:
                fingers.setdefault(high - _THINGS, set()).add(low)
        self._count_collisions(fingers)
        self._count_drops(data, fingers, supported)

    def _note_forces(self, data: mujoco.MjData, of_robot: Sequence[tuple[int, int]]) -> None:
        """How hard the robot presses, by the numbers of its contacts and what it touches there."""
        # of an elliptic cone, the first force is the normal one
        addresses, force = data.contact.efc_address, data.efc_force
        forces = [float(force[addresses[row]]) for row, _ in of_robot]
        self.story.forces[-1] = max(0.0, *forces)
        hard = [label for (_, label), n in zip(of_robot, forces, strict=True) if n >= HARD_N]
        self._note_knocks(hard)

    def _note_knocks(self, labels: Iterable[int]) -> None:
        """The robot has been pressed hard against the things of these labels."""
        things = {self._things[label - _THINGS] for label in labels} - self._spoken_of
        self.story.knocks.extend((self._step, thing) for thing in sorted(things))

    def _count_collisions(self, touched: Mapping[int, set[int]]) -> None:
        for thing, by in touched.items():
            last = self._last_touched.get(thing, -APART_STEPS)
            self._last_touched[thing] = self._step
            if by & {1, 2}:
                self.story.touched.setdefault(self._things[thing], []).append(self._step)
            if self._step - last >= APART_STEPS and self._things[thing] not in self._spoken_of:
                self.story.collisions.append(self._step)

    def _count_drops(
        self, data: mujoco.MjData, fingers: Mapping[int, set[int]], supported: set[int]
    ) -> None:
        """Who is carried, who has been let go and falls, and who has landed."""
        for thing in self._falling.keys() & (supported | fingers.keys()):
            fell = self._falling.pop(thing) - self._height(data, thing)
            if fell > FALL:
                self.story.dropped(self._things[thing], self._step)
        self._falling |= {
            thing: height
            for thing, height in self._carried.items()
            if thing not in fingers and thing not in supported
        }
        self._carried = {
            thing: self._height(data, thing)
            for thing, touching in fingers.items()
            if thing < len(self._bodies)
            and thing not in supported
            and (thing in self._carried or touching >= {1, 2})
        }
        for thing in self._carried:
            self.story.held(self._things[thing], self._step)

    def _height(self, data: mujoco.MjData, thing: int) -> float:
        return float(data.xipos[self._bodies[thing], 2])


def _is_outside(values: Sequence[float], ranges: Sequence[tuple[float, float]]) -> bool:
    within = zip(values, ranges, strict=True)
    return not all(low <= value <= high for value, (low, high) in within)


def fixture_bodies(scene: Scene) -> list[str]:
    """Names of the bodies of fixtures and of their parts, each once."""
    names = [name for part in scene.parts.values() for name in (part.fixture, part.name)]
    return list(dict.fromkeys(names))


def _labels(scene: Scene, things: Sequence[str]) -> list[int]:
    """For each geom the finger of the robot or the thing that it belongs to."""
    model, numbers = scene.model, {name: number for number, name in enumerate(things)}
    fingers, labels = _fingers(scene), []
    for geom, body in enumerate(model.geom_bodyid.tolist()):
        while body and model.body(body).name not in numbers:
            body = int(model.body_parentid[body])
        owner = numbers[model.body(body).name] if body else numbers[ROOM]
        robot = geom in scene.robot_geoms
        labels.append(fingers.get(geom, 0) if robot else _THINGS + owner)
    labels[scene.table_geom] = _THINGS + numbers[TABLE]
    return labels


def _fingers(scene: Scene) -> dict[int, int]:
    """Geoms of the two fingertips, and of what carries each, to 1 and 2."""
    model, kind = scene.model, scene.embodiment
    tips = [int(model.geom(kind.gripper_prefix + name).bodyid[0]) for name in kind.gripper.pads]
    bodies = [{tip, int(model.body_parentid[tip])} for tip in tips]
    shared = bodies[0] & bodies[1]
    return {
        geom: finger
        for geom, body in enumerate(model.geom_bodyid.tolist())
        for finger in (1, 2)
        if body in bodies[finger - 1] - shared
    }
