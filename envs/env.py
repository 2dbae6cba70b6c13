"""The Gymnasium environment: ``gymnasium.make("vlabench/PlaceOn-v0", cameras=("agentview",))``.

``import vlabench.envs`` makes the names known. An environment renders nothing unless `cameras`
asks. The instruction is in ``info["instruction"]`` and not in the observation, because vector
environments cannot carry text in shared memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import gymnasium
import mujoco
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from vlabench.contract.specs import CameraSpec
from vlabench.envs.profile import CONTROL_HZ
from vlabench.envs.scene import CAMERAS
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.errors import UnknownNameError, UsageError
from vlabench.types import Change, EpisodeSpec, Observation

Array: TypeAlias = npt.NDArray[Any]
GymObservation: TypeAlias = dict[str, Any]

_ROLES = {name: role for role, name in CAMERAS.items()}

_OPTIONS = ("episode", "index")

_PROPRIO_SPACES = {
    "ee_position": (3, 3.0),
    "ee_quaternion": (4, 1.0),
    "gripper_opening": (1, 2.0),
    "joint_positions": (7, 2 * np.pi),
    "joint_velocities": (7, 50.0),
}


class TabletopEnv(gymnasium.Env[GymObservation, Array]):
    """One task of the tabletop world.

    Observation: a dictionary with proprioception (see `vlabench.contract.specs.PROPRIO_FIELDS`)
    and, for each camera asked for, an upright RGB image ``(H, W, 3) uint8`` under its name.

    Action: ``(7,) float32`` in [-1, 1]: robosuite's OSC_POSE, three translations (1 is 5 cm) and
    three rotations (axis-angle, 1 is 0.5 rad) in the robot's base frame, and the gripper (-1
    opens, +1 closes), at 20 Hz.

    Reward: 1 on the step in which success is established, else 0. The episode terminates on
    success and is truncated at the horizon.

    Args:
        task: Name of the task.
        changes: Axes that differ from nominal, as ``("lighting:L2",)``.
        cameras: Names out of ``agentview, wrist, frontview, sideview``.
        image_size: Height and width in pixels, or one number for both.
        render_mode: ``"rgb_array"`` makes `render` return a 512-pixel frame of ``agentview``.

    Raises:
        UsageError: If a name is unknown; the text has the nearest valid one.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": int(CONTROL_HZ)}  # noqa: RUF012

    def __init__(
        self,
        *,
        task: str,
        changes: Sequence[str] = (),
        cameras: Sequence[str] = (),
        image_size: int | tuple[int, int] = 256,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in {None, *self.metadata["render_modes"]}:
            raise UsageError(f"There is no render_mode {render_mode!r}; use None or 'rgb_array'.")
        self.task, self.render_mode = task, render_mode
        self.changes = tuple(_change(text) for text in changes)
        self._world = TabletopWorld()
        self._world.draw(task, self.changes, seed=0, index=0)
        height, width = _height_and_width(image_size)
        self._cameras = tuple(CameraSpec(_role(name), height, width) for name in cameras)
        self._simulation: Simulation | None = None
        self._over = True
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
        self.observation_space = spaces.Dict(
            {
                **{
                    name: spaces.Box(-bound, bound, (size,), np.float64)
                    for name, (size, bound) in _PROPRIO_SPACES.items()
                },
                **{
                    CAMERAS[c.role]: spaces.Box(0, 255, (c.height, c.width, 3), np.uint8)
                    for c in self._cameras
                },
            }
        )

    @property
    def simulation(self) -> Simulation:
        """The scene in motion.

        Raises:
            UsageError: Before the first `reset`.
        """
        if self._simulation is None:
            raise UsageError("The environment has no scene yet; call reset() first.")
        return self._simulation

    @property
    def model(self) -> mujoco.MjModel:
        """MuJoCo's model of the present scene."""
        return self.simulation.model

    @property
    def data(self) -> mujoco.MjData:
        """MuJoCo's data of the present scene."""
        return self.simulation.data

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[GymObservation, dict[str, Any]]:
        """Draws and settles a new scene.

        Args:
            seed: Seeds the choice of scenes, from here on.
            options: ``{"episode": EpisodeSpec}`` runs that episode, ``{"index": int}`` the scene
                with that index.
        """
        super().reset(seed=seed)
        episode = self._episode(options or {})
        if self._simulation is None:
            self._simulation = Simulation()
        self._simulation.start(episode)
        self._over = False
        info = {"factors": dict(episode.factors), **self._info()}
        return self._observation(), info

    def step(self, action: Array) -> tuple[GymObservation, float, bool, bool, dict[str, Any]]:
        """Executes one control step.

        Raises:
            UsageError: If the action has another shape than ``(7,)`` or is not finite, or the
                episode is over.
        """
        if self._over:
            raise UsageError("The episode is over; call reset() before the next step().")
        numbers = np.asarray(action, dtype=np.float32)
        if numbers.shape != (7,) or not np.isfinite(numbers).all():
            raise UsageError(
                f"An action is 7 finite numbers in [-1, 1], not {np.asarray(action)!r}."
            )
        self._over = self.simulation.advance(np.clip(numbers, -1.0, 1.0))
        success = self.simulation.progress.success
        return (
            self._observation(),
            float(success),
            success,
            self._over and not success,
            self._info(),
        )

    def render(self) -> npt.NDArray[np.uint8] | None:
        """A frame of ``agentview``, ``(512, 512, 3) uint8``, if `render_mode` is set."""
        if self.render_mode is None:
            return None
        camera = CameraSpec("exterior/0", 512, 512)
        return self.simulation.observe((camera,)).images[camera.role]

    def close(self) -> None:
        """Frees the renderer."""
        if self._simulation is not None:
            self._simulation.close()

    def _episode(self, options: dict[str, Any]) -> EpisodeSpec:
        _check_options(options)
        if "episode" in options:
            episode: EpisodeSpec = options["episode"]
            return episode
        index = int(options["index"] if "index" in options else self.np_random.integers(2**31))
        drawn = self._world.draw(self.task, self.changes, seed=0, index=index)
        return EpisodeSpec(
            task=self.task,
            changes=self.changes,
            index=index,
            seed=0,
            factors=drawn.factors,
            instruction=drawn.instruction,
            world_version=self._world.version,
            horizon=drawn.horizon,
            embodiment=drawn.embodiment,
        )

    def _observation(self) -> GymObservation:
        seen: Observation = self.simulation.observe(self._cameras)
        return {
            **seen.proprio,
            **{CAMERAS[role]: image for role, image in seen.images.items()},
        }

    def _info(self) -> dict[str, Any]:
        simulation = self.simulation
        return {
            "instruction": simulation.episode.instruction,
            "episode_id": simulation.episode_id,
            "success": simulation.progress.success,
            "stages": {stage.name: stage.success for stage in simulation.progress.stages},
        }


def _change(text: str) -> Change:
    axis, _, level = text.partition(":")
    if not level:
        raise UsageError(f"A change is written axis:level, for example lighting:L2, not {text!r}.")
    return Change(axis, level)


def _height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise UsageError(
            f"The image_size {size!r} has no pixels; give a number, or height and width, above 0."
        )
    return height, width


def _check_options(options: dict[str, Any]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise UnknownNameError("option", name, _OPTIONS, "reset()")
    if "episode" in options and not isinstance(options["episode"], EpisodeSpec):
        raise UsageError(
            f"The option 'episode' of reset() is an EpisodeSpec, not {options['episode']!r}; "
            "EpisodeSpec.from_json makes one of a dictionary."
        )
    index = options.get("index", 0)
    if not isinstance(index, int | np.integer) or index < 0:
        raise UsageError(f"The option 'index' of reset() is a number from 0 on, not {index!r}.")


def _role(camera: str) -> str:
    if camera not in _ROLES:
        raise UnknownNameError("camera", camera, _ROLES)
    return _ROLES[camera]
