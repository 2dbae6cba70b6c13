"""A scene in which things are put where one likes, left to rest, and watched as in an episode.

What is audited is what episodes use: the same composed scene, the same controller, the same
`Progress`. Nothing here asks the predicates where a thing is; what is known of a state is how it
was made. Lengths are metres, in the world's frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from vlabench.envs.arm import ArmModel
from vlabench.envs.audit.hand import Hand
from vlabench.envs.control import controller
from vlabench.envs.objects.geometry import Quaternion, Shape
from vlabench.envs.profile import OSC_POSE
from vlabench.envs.progress import Progress
from vlabench.envs.scene import Scene, compose
from vlabench.envs.tasks.base import Stage, Task, task
from vlabench.envs.view import Viewpoint
from vlabench.types import EpisodeSpec, Floats

HOLD = 10
"""Control steps for which a goal must hold, as the tasks' own pages say."""

WATCHED = HOLD + 4
"""Control steps for which a state is watched."""

SETTLING = 30
"""Most control steps in which a state comes to rest."""

RESTING = 4
"""Control steps in a row for which what has come to rest does not move."""

AT_REST_M_S, AT_REST_RAD_S = 0.005, 0.1
"""What moves more slowly than this is at rest."""

CLEAR = 0.0005
"""Things that are put somewhere sink into others by no more than this."""

CLOSING = 10
"""Control steps in which the fingers close."""

_STEP_UP = 0.002


class Bench:
    """One scene, and how to put its things elsewhere.

    `restore` begins a state; whatever it was before, the same things done after it give the same
    state to the bit.

    Args:
        episode: What scene, and what is asked for.

    Attributes:
        spoken_of: Names in the goals of any stage.
        riders: What has been put on or in which object.
        gripped: What the hand has last closed around.
    """

    def __init__(self, episode: EpisodeSpec) -> None:
        self.episode = episode
        self.task: Task = task(episode.task)
        self.asked: tuple[Stage, ...] = self.task.asked(episode.factors)
        self.scene: Scene = compose(episode.factors)
        self.model, self.data = self.scene.model, mujoco.MjData(self.scene.model)
        self.spoken_of = frozenset(
            name for stage in self.asked for goal in stage.goals for name in goal.arguments
        )
        self.riders: dict[str, str] = {}
        self.gripped = ""
        self.hand = Hand(self.scene)
        self.corners = {name: _corners(it.shape) for name, it in self.scene.objects.items()}
        self._controller = controller(
            OSC_POSE, self.model, ArmModel.find(self.model, self.scene.embodiment)
        )
        self.addresses = {
            name: int(self.model.jnt_qposadr[self.model.body_jntadr[thing.body]])
            for name, thing in self.scene.objects.items()
        }
        self._speeds = {
            name: int(self.model.body_dofadr[thing.body])
            for name, thing in self.scene.objects.items()
        }
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        Viewpoint(self.scene).place(self.data)
        self.hand.put_away(self.data)
        self._start: Floats = self.data.qpos.copy()
        self.restore()
        self.settle()
        self._start = self.data.qpos.copy()
        self.restore()

    # --- making states ------------------------------------------------------------------------

    def restore(self, qpos: Floats | None = None) -> None:
        """The start of the episode with the arm out of the way, or the positions `qpos`."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self._start if qpos is None else qpos
        mujoco.mj_forward(self.model, self.data)
        self._controller.reset(self.data)

    def put(self, name: str, position: Iterable[float], quaternion: Quaternion) -> None:
        """Puts an object at a pose, at rest; kinematics are up to date after `forward`."""
        first, speed = self.addresses[name], self._speeds[name]
        self.data.qpos[first : first + 7] = [*position, *quaternion]
        self.data.qvel[speed : speed + 6] = 0.0

    def put_back(self, name: str) -> None:
        """Puts an object where the episode starts."""
        first = self.addresses[name]
        self.data.qpos[first : first + 7] = self._start[first : first + 7]

    def put_aside(self, names: Iterable[str]) -> None:
        """Takes objects out of the scene until they are put somewhere."""
        for k, name in enumerate(names):
            self.put(name, (3.0 + k, 0.0, 3.0), (1.0, 0.0, 0.0, 0.0))
        self.forward()

    def slide(self, part: str, share: float) -> None:
        """Opens a part by a share of its travel."""
        found = self.scene.parts[part]
        self.data.qpos[found.qpos] = share * found.part.travel
        self.forward()

    def slide_back(self, part: str) -> float:
        """Puts a part where the episode starts; says at which share of its travel that is."""
        found = self.scene.parts[part]
        start = self.scene.starts[found.qpos] if found.qpos is not None else 0.0
        self.slide(part, start / found.part.travel)
        return start / found.part.travel

    def push(self, part: str, newtons: float) -> None:
        """Pushes a part along its joint from now on."""
        joint = self.scene.parts[part].joint
        self.data.qfrc_applied[self.model.jnt_dofadr[joint]] = newtons

    def carry(self, name: str, weight: float = 1.0) -> None:
        """Takes so much of an object's weight off it from now on."""
        body = self.scene.objects[name].body
        pull = -weight * self.model.body_mass[body] * self.model.opt.gravity
        self.data.xfrc_applied[body, :3] = pull

    def forward(self) -> None:
        """Works out kinematics and contacts of the state as it is."""
        mujoco.mj_forward(self.model, self.data)

    def raise_until_clear(self, name: str, most: float) -> bool:
        """Lifts an object, by `most` metres at the most, until it sinks into nothing."""
        height = self.addresses[name] + 2
        for _ in range(int(most / _STEP_UP) + 2):
            self.forward()
            if self.depth(name) <= CLEAR:
                return True
            self.data.qpos[height] += _STEP_UP
        return False

    def settle(self) -> bool:
        """Lets the scene come to rest with the arm still; whether it has."""
        resting = 0
        for _ in range(SETTLING):
            self.run(1)
            resting = resting + 1 if self.at_rest() else 0
            if resting == RESTING:
                return True
        return False

    def close_hand(self, around: str) -> None:
        """Closes the fingers until they press on what is between them."""
        self.gripped = around
        self._controller.reset(self.data)
        self.run(CLOSING, 1.0)

    def run(self, steps: int, grip: float = 0.0) -> None:
        """Lets time pass with the arm still; `grip` closes the fingers at +1, opens them at -1."""
        for _ in range(steps):
            self._controller.step(self.data, _still(grip))

    # --- looking at states --------------------------------------------------------------------

    def progress(self, stages: int) -> Progress:
        """A watcher that has seen nothing; of the first so many stages, if they have an order."""
        asked = self.asked[:stages] if self.task.ordered else self.asked
        return Progress(asked, self.scene, ordered=self.task.ordered)

    def watch(self, progress: Progress, steps: int = WATCHED, grip: float = 0.0) -> bool:
        """Lets time pass under the eyes of `progress` until it says success, as an episode does.

        Says whether all was at rest all the while.
        """
        rested = True
        for step in range(1, steps + 1):
            self.run(1, grip)
            rested = rested and self.at_rest()
            progress.update(self.data, step)
            if progress.success:
                break
        return rested

    def look(self, progress: Progress, times: int = 1) -> None:
        """Shows `progress` this instant, so many times over."""
        for step in range(1, times + 1):
            progress.update(self.data, step)

    def share(self, part: str) -> float:
        """How far a part is open, as a share of its travel."""
        found = self.scene.parts[part]
        return float(self.data.qpos[found.qpos]) / found.part.travel

    def at_rest(self) -> bool:
        """Whether nothing moves."""
        speed = np.abs(self.data.qvel)
        firsts = self._speeds.values()
        return all(
            speed[k : k + 3].max() < AT_REST_M_S and speed[k + 3 : k + 6].max() < AT_REST_RAD_S
            for k in firsts
        )

    def pose(self, name: str) -> tuple[Floats, Floats]:
        """Where the frame of an object is, and its rotation matrix."""
        body = self.scene.objects[name].body
        return self.data.xpos[body].copy(), self.data.xmat[body].reshape(3, 3).copy()

    def middle(self, name: str) -> Floats:
        """Half way between an object's underside and its top."""
        position, rotation = self.pose(name)
        middle: Floats = position + rotation[:, 2] * (self.scene.objects[name].shape.height / 2)
        return middle

    def lowest(self, name: str) -> float:
        """Height of the lowest point of what is seen of an object."""
        position, rotation = self.pose(name)
        return float(position[2] + (self.corners[name] @ rotation[2]).min())

    def depth(self, name: str) -> float:
        """How deep an object is in anything else, in metres."""
        return max((-dist for _, dist in self._contacts(name)), default=0.0)

    def neighbours(self, name: str) -> set[int]:
        """The geoms that an object touches."""
        return {geom for geom, dist in self._contacts(name) if dist <= 0}

    def squeezed(self, name: str, newtons: float = 1.0) -> bool:
        """Whether both fingers press on an object with so much force."""
        pressed: dict[int, float] = {}
        geoms, force = self.scene.objects[name].geoms, np.zeros(6)
        for k, (a, b) in enumerate(self.data.contact.geom.tolist()):
            for own, other in ((a, b), (b, a)):
                finger = self.hand.finger_of(other)
                if own in geoms and finger is not None:
                    mujoco.mj_contactForce(self.model, self.data, k, force)
                    pressed[finger] = pressed.get(finger, 0.0) + float(force[0])
        return len(pressed) == 2 and min(pressed.values()) >= newtons

    def robot_is_clear(self) -> bool:
        """Whether the robot is in nothing deeper than a firm grip presses."""
        robot = self.scene.robot_geoms
        return all(
            dist > -0.002
            for (a, b), dist in zip(
                self.data.contact.geom.tolist(), self.data.contact.dist.tolist(), strict=True
            )
            if (a in robot) != (b in robot)
        )

    def _contacts(self, name: str) -> list[tuple[int, float]]:
        geoms = self.scene.objects[name].geoms
        pairs = zip(self.data.contact.geom.tolist(), self.data.contact.dist.tolist(), strict=True)
        return [
            (b if a in geoms else a, dist) for (a, b), dist in pairs if (a in geoms) != (b in geoms)
        ]


def _still(grip: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([0.0] * 6 + [grip], dtype=np.float32)


def _corners(shape: Shape) -> Floats:
    """``(N, 3)``: the corners of the convex hull of what is seen of a shape, in its frame."""
    points = np.concatenate([visual.mesh.vertices for visual in shape.visuals]).astype(np.float64)
    corners: Floats = points[ConvexHull(points).vertices]
    return corners
