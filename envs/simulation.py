"""One scene in motion: what the harness drives through `vlabench.contract.environment`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import mujoco
import numpy as np
import numpy.typing as npt

from vlabench.contract.specs import CameraSpec, EnvSpec
from vlabench.envs.control import ArmModel, OscPoseController
from vlabench.envs.profile import CONTROL_HZ, VERSION, env_spec
from vlabench.envs.progress import Progress
from vlabench.envs.rendering import Renderer
from vlabench.envs.scene import Scene, compose
from vlabench.envs.tasks.base import Task, task
from vlabench.envs.view import Viewpoint
from vlabench.errors import InfrastructureError, PolicyError, UsageError
from vlabench.hashing import bytes_hash
from vlabench.types import EpisodeSpec, Observation, Outcome

SETTLE_STEPS = 1
"""Control steps in which a new scene comes to rest before the first observation."""

_UNSTABLE = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)
"""MuJoCo's counts of positions, velocities and accelerations that were beyond all bounds."""


class Simulation:
    """Runs any episode of the tabletop world, one after another.

    `start` comes first. The scene is rebuilt from the episode's factors every time, so nothing of
    an earlier episode can be left over.
    """

    def __init__(self) -> None:
        self._renderer = Renderer()

    def spec(self) -> EnvSpec:
        """What it offers."""
        return env_spec()

    def start(self, episode: EpisodeSpec) -> None:
        """Builds and settles the scene of `episode`.

        Raises:
            UsageError: If the episode was drawn by another version of the world.
        """
        if episode.world_version != VERSION:
            raise UsageError(
                f"Episode {episode.episode_id} was drawn by world {episode.world_version}, "
                f"this is world {VERSION}; install the vlabench that drew it."
            )
        self.episode, self.episode_id = episode, episode.episode_id
        self.task: Task = task(episode.task)
        self.scene: Scene = compose(episode.factors)
        self.model = self.scene.model
        self.data = mujoco.MjData(self.model)
        self._warnings = self.data.warning.number  # a view
        self._controller = OscPoseController(self.model, ArmModel.find(self.model))
        self._view = Viewpoint(self.scene)
        self._settle()
        asked = self.task.asked(episode.factors)
        self.progress = Progress(asked, self.scene, ordered=self.task.ordered)
        self.steps = 0
        self._path = 0.0
        self._hand: list[float] = self._view.hand_position(self.data).tolist()
        self._first_hash = self._state_hash()

    def observe(
        self, cameras: Sequence[CameraSpec] = (), *, privileged: bool = False
    ) -> Observation:
        """What can be seen now; renders only `cameras`."""
        return Observation(
            episode_id=self.episode_id,
            step=self.steps,
            time_s=self.steps / CONTROL_HZ,
            instruction=self.episode.instruction,
            images=self._renderer.render(self.model, self.data, cameras),
            proprio=self._view.proprio(self.data),
            privileged=self._view.privileged(self.data, self.progress) if privileged else None,
        )

    def advance(self, action: npt.NDArray[np.float32]) -> bool:
        """Executes one control step; True when the goal has been held or the time is up.

        Raises:
            PolicyError: If the actions have driven the physics into NaN or beyond all bounds: it
                is deterministic, so another attempt would end in the same way.
        """
        self._controller.step(self.data, action)
        self.steps += 1
        if self._is_unstable():
            raise PolicyError(f"The actions made the physics unstable at step {self.steps}.")
        hand = self._view.hand_position(self.data).tolist()
        self._path += math.dist(hand, self._hand)
        self._hand = hand
        self.progress.update(self.data, self.steps)
        return self.progress.success or self.steps >= self.episode.horizon

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
        )

    def checksum(self) -> int:
        """CRC-32 of positions and velocities."""
        return zlib.crc32(self.data.qvel.tobytes(), zlib.crc32(self.data.qpos.tobytes()))

    def close(self) -> None:
        """Frees the renderer."""
        self._renderer.close()

    def _settle(self) -> None:
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self._view.place(self.data)
        mujoco.mj_forward(self.model, self.data)
        self._controller.reset(self.data)
        hold = np.zeros(7, dtype=np.float32)
        for _ in range(SETTLE_STEPS):
            self._controller.step(self.data, hold)
        self._controller.reset(self.data)
        if self._is_unstable():
            raise InfrastructureError(
                f"The scene of episode {self.episode_id} does not settle: its physics is unstable."
            )

    def _is_unstable(self) -> bool:
        return any(self._warnings[_UNSTABLE].tolist())

    def _state_hash(self) -> str:
        return bytes_hash(self.data.qpos.tobytes() + self.data.qvel.tobytes())
