"""One scene in motion: what the harness drives through `vlabench.contract.environment`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec, EnvSpec
from vlabench.contract.watching import Timeline as Told
from vlabench.envs import divergence
from vlabench.envs.arm import ArmModel
from vlabench.envs.attribution import Trail, mode_of
from vlabench.envs.axes import from_stage, sensor_noise
from vlabench.envs.control import controller
from vlabench.envs.events import NewInstruction, Timeline
from vlabench.envs.factors import check_factors
from vlabench.envs.profile import CONTROL_HZ, OSC_POSE, VERSION, env_spec
from vlabench.envs.progress import Progress
from vlabench.envs.rendering import Renderer
from vlabench.envs.safety import ROOM, TABLE, SafetyMonitor
from vlabench.envs.scene import Scene, compose
from vlabench.envs.tasks.base import Task, task
from vlabench.envs.view import Viewpoint
from vlabench.envs.window import viewer
from vlabench.errors import BrokenSceneError, UsageError
from vlabench.hashing import bytes_hash
from vlabench.types import EpisodeSpec, Json, Observation, Outcome, PrivilegedState

SETTLE_STEPS, LONGEST_SETTLE = 2, 40
"""Control steps in which a new scene comes to rest before the first observation: the fewest, and
the most for a scene in which something still moves."""

AT_REST_M_S = 0.0005
"""What moves more slowly than this is at rest."""

LONGEST_SETTLE_HALFWAY, AT_REST_RAD_S = 200, 0.01
"""The same for a scene that begins in the middle, in which things that lie on each other may roll
for a while: there what turns is not at rest either."""

_TO_THE_END = frozenset({"empty", "absent"})
"""Kinds of diagnostic episodes that end at the horizon alone: to comply is to leave things be."""

_UNSTABLE = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)
"""MuJoCo's counts of positions, velocities and accelerations that were beyond all bounds."""


class Simulation:
    """Runs any episode of the tabletop world, one after another.

    `start` comes first. The scene is rebuilt from the episode's factors every time, so nothing of
    an earlier episode can be left over.

    Args:
        control: What its actions mean, a name in `vlabench.envs.control.CONTROLLERS`.
    """

    def __init__(self, *, control: str = OSC_POSE) -> None:
        self._renderer, self._control = Renderer(), control

    def spec(self) -> EnvSpec:
        """What it offers."""
        return env_spec(self._control)

    def start(self, episode: EpisodeSpec) -> None:
        """Builds and settles the scene of `episode`.

        Raises:
            UsageError: If the episode was drawn by another version of the world, or its factors
                are wrong.
            BrokenSceneError: If the physics breaks down before anybody has acted.
        """
        self._build(episode)
        self._settle()
        self._begin()

    def _build(self, episode: EpisodeSpec) -> None:
        if episode.world_version != VERSION:
            raise UsageError(
                f"Episode {episode.episode_id} was drawn by world {episode.world_version}, "
                f"this is world {VERSION}; install the vlabench that drew it."
            )
        self.task: Task = task(episode.task)
        check_factors(episode.factors, self.task, episode.embodiment)
        self.episode, self.episode_id = episode, episode.episode_id
        self.scene: Scene = compose(episode.factors)
        self.model = self.scene.model
        self.data = mujoco.MjData(self.model)
        self._warnings = self.data.warning.number[_UNSTABLE]  # a view
        arm = ArmModel.find(self.model, self.scene.embodiment)
        self._controller = controller(self._control, self.model, arm)
        self._view = Viewpoint(self.scene)

    def _begin(self) -> None:
        episode = self.episode
        asked = self.task.asked(episode.factors)
        reached = episode.factors.get(from_stage.FACTOR, {}).get("reached", ())
        self.progress = Progress(asked, self.scene, ordered=self.task.ordered, reached=reached)
        self.instruction = episode.instruction
        self._safety = SafetyMonitor(self.scene, asked)
        self._timeline = Timeline(episode.factors, self.scene, self.data)
        self._diagnostic = episode.factors.get("diagnostic", {}).get("kind")
        self.steps = 0
        self._path = 0.0
        hand, opening = self._view.grip(self.data)
        self._hand = self._view.from_base(self.data, hand)
        self._asked_at, self._trail = 0, Trail()
        self._trail.add(self.data, hand, opening)
        self._first_hash = self._state_hash()

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        """What can be seen now; renders only `cameras`."""
        return Observation(
            episode_id=self.episode_id,
            step=self.steps,
            time_s=self.steps / CONTROL_HZ,
            instruction=self.instruction,
            images=self._frames(cameras),
            proprio=self._view.proprio(self.data),
            privileged=self._privileged() if privileged else None,
        )

    def advance(self, action: npt.NDArray[np.float32]) -> bool:
        """Executes one control step; True when the goal has been held or the time is up.

        Raises:
            PolicyError: If the actions have driven the physics into NaN, beyond all bounds, or to
                where MuJoCo gives up: it is deterministic, so another attempt would end in the
                same way.
            BrokenSceneError: If it came to that without them; see `vlabench.envs.divergence`.
        """
        self.steps += 1
        reason = self._step(action)
        if reason:
            raise divergence.broken(self.scene, self._safety.touched, reason, self.steps)
        hand, opening = self._view.grip(self.data)
        before, self._hand = self._hand, self._view.from_base(self.data, hand)
        self._path += math.dist(self._hand, before)
        self.progress.update(self.data, self.steps)
        self._safety.update(self.data)
        self._trail.add(self.data, hand, opening)
        asked = self._timeline.update(self.data, self.steps)
        if asked is not None:
            self._ask(asked)
        return self.met or self.steps >= self.episode.horizon

    @property
    def met(self) -> bool:
        """Whether the goal has been held, in an episode that ends with that."""
        return self.progress.success and self._diagnostic not in _TO_THE_END

    @property
    def compliance(self) -> bool | None:
        """Whether the robot has done so far what a diagnostic asks for, and no more.

        None where the episode is no diagnostic.
        """
        match self._diagnostic:
            case None:
                return None
            case "empty":
                return not self.progress.success
            case "absent":
                return self._safety.touched <= {TABLE, ROOM}
            case _:
                return self.progress.success

    def outcome(self) -> Outcome:
        """What has come of the episode so far."""
        return Outcome(
            success=self.progress.success,
            success_once=self.progress.success_once,
            stages=self.progress.stages,
            steps=self.steps,
            path_length_m=round(self._path, 6),
            init_state_hash=self._first_hash,
            final_state_hash=self._state_hash(),
            chain_length=self.progress.chain_length,
            safety=self._safety.figures,
            events=self._timeline.happened,
            compliance=self.compliance,
            failure=self._failure(),
        )

    def timeline(self) -> Told:
        """What the robot did to things so far, step by step."""
        return self._safety.story.timeline()

    @contextmanager
    def window(self) -> Iterator[Callable[[], bool]]:
        """MuJoCo's own viewer on the present scene; see `vlabench.contract.watching.HasWindow`.

        Raises:
            UsageError: If there is no screen.
        """
        with viewer(self.model, self.data) as show:
            yield show

    def snapshot(self) -> dict[str, Json] | None:
        """The factor `from_stage.FACTOR` of an episode that begins where this one has got to.

        None while the robot touches an object or a part of a fixture.
        """
        if self._view.is_touching(self.data):
            return None
        reached = [k for k, stage in enumerate(self.progress.stages) if stage.success]
        return {"reached": reached, **self._view.places(self.data)}

    def checksum(self) -> int:
        """CRC-32 of positions and velocities."""
        return zlib.crc32(self.data.qvel.tobytes(), zlib.crc32(self.data.qpos.tobytes()))

    def close(self) -> None:
        """Frees the renderer."""
        self._renderer.close()

    def _privileged(self) -> PrivilegedState:
        return self._view.privileged(self.data, self.progress, self.task.name)

    def _frames(self, cameras: Sequence[CameraSpec]) -> dict[str, npt.NDArray[np.uint8]]:
        """What the cameras deliver now."""
        seen = self._renderer.render(self.model, self.data, cameras)
        noise = self.episode.factors[sensor_noise.FACTOR]
        return {
            role: sensor_noise.apply(frame, noise, role, self.steps) for role, frame in seen.items()
        }

    def _ask(self, asked: NewInstruction) -> None:
        """Another goal of the same scene counts from now on."""
        stages = self.task.asked({**self.episode.factors, "cast": asked.cast})
        self._asked_at = self.steps
        self.progress.ask(stages)
        self._safety.ask(stages)
        self.instruction = asked.sentence

    def _failure(self) -> str | None:
        """Why there is no success yet; None if there is, at the start, and of a diagnostic."""
        if self.progress.success or not self.steps or self._diagnostic is not None:
            return None
        story, trail = self._safety.story, self._trail
        return mode_of(self.scene, self.data, self.progress, story, trail, self._asked_at)

    def _settle(self) -> None:
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self._view.place(self.data)
        hold = np.zeros(self._controller.dimension, dtype=np.float32)
        reason = self._forward()
        longest = LONGEST_SETTLE_HALFWAY if self._begins_halfway else LONGEST_SETTLE
        for step in range(longest):
            if reason or (step >= SETTLE_STEPS and self._is_at_rest()):
                break
            reason = self._step(hold)
        if reason:
            raise BrokenSceneError(
                f"The scene of episode {self.episode_id} does not settle: {reason}."
            )
        self._controller.reset(self.data)

    def _forward(self) -> str:
        """Works out the first contacts, and says what went wrong, as `_step`."""
        try:
            mujoco.mj_forward(self.model, self.data)
            self._controller.reset(self.data)
        except mujoco.FatalError as error:
            return f"MuJoCo gives up ({error})"
        return ""

    def _step(self, action: npt.NDArray[np.float32]) -> str:
        """Executes one control step, and says what went wrong; empty if nothing did."""
        try:
            self._controller.step(self.data, action)
        except mujoco.FatalError as error:
            return f"MuJoCo gives up ({error}), {divergence.culprit(self.scene, self.data)} first"
        if self._is_unstable():
            return f"it is unstable, {divergence.culprit(self.scene, self.data)} first"
        return ""

    def _is_at_rest(self) -> bool:
        firsts = (int(self.model.body_dofadr[o.body]) for o in self.scene.objects.values())
        speeds = [np.abs(self.data.qvel[k : k + 6]) for k in firsts]
        if self._begins_halfway and any(speed[3:].max() >= AT_REST_RAD_S for speed in speeds):
            return False
        return all(speed[:3].max() < AT_REST_M_S for speed in speeds)

    @property
    def _begins_halfway(self) -> bool:
        return from_stage.FACTOR in self.episode.factors

    def _is_unstable(self) -> bool:
        return any(self._warnings.tolist()) or divergence.is_absurd(self.data)

    def _state_hash(self) -> str:
        return bytes_hash(self.data.qpos.tobytes() + self.data.qvel.tobytes())
