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
from vlabench.envs.control import action_size
from vlabench.envs.draw import EMBODIMENT
from vlabench.envs.embodiments import embodiment as embodiment_called
from vlabench.envs.profile import CONTROL_HZ, OSC_POSE
from vlabench.envs.scene import CAMERAS
from vlabench.envs.simulation import Simulation
from vlabench.envs.world import TabletopWorld
from vlabench.errors import UnknownNameError, UsageError
from vlabench.types import Change, EpisodeSpec, Observation

Array: TypeAlias = npt.NDArray[Any]
GymObservation: TypeAlias = dict[str, Any]

_ROLES = {name: role for role, name in CAMERAS.items()}

_OPTIONS = ("episode", "index")


class TabletopEnv(gymnasium.Env[GymObservation, Array]):
    """One task of the tabletop world.

    Observation: a dictionary with proprioception (see `vlabench.contract.specs.PROPRIO_FIELDS`)
    and, for each camera asked for, an upright RGB image ``(H, W, 3) uint8`` under its name.

    Action: ``(7,) float32`` in [-1, 1]: robosuite's OSC_POSE, three translations (1 is 5 cm) and
    three rotations (axis-angle, 1 is 0.5 rad) in the robot's base frame, and the gripper (-1
    opens, +1 closes), at 20 Hz. Other values of `control` take one number for each joint of the
    arm instead of the six: ``"joint_position"`` a change (1 is 0.05 rad), ``"joint_velocity"`` a
    speed (1 is 0.5 rad/s).

    Reward: 1 on the step in which success is established, else 0. The episode terminates on
    success and is truncated at the horizon. With a diagnostic change the last ``info`` has
    ``"compliance"``; ``empty-instruction`` and ``absent-object`` reward nothing and run to the
    horizon, whatever the robot does.

    Args:
        task: Name of the task.
        changes: Axes that differ from nominal, as ``("lighting:L2",)``.
        cameras: Names out of ``agentview, wrist, frontview, sideview``.
        image_size: Height and width in pixels, or one number for both.
        embodiment: The robot and its gripper, out of ``vlabench list embodiments``; the axis
            ``embodiment`` and an episode given to `reset` bring their own, which must have as many
            joints.
        control: ``"osc_pose"``, ``"joint_position"`` or ``"joint_velocity"``.
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
        embodiment: str = EMBODIMENT,
        control: str = OSC_POSE,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in {None, *self.metadata["render_modes"]}:
            raise UsageError(f"There is no render_mode {render_mode!r}; use None or 'rgb_array'.")
        self.task, self.render_mode = task, render_mode
        self._robot, self._control = embodiment_called(embodiment), control
        _refuse_text("changes", changes, "lighting:L2")
        _refuse_text("cameras", cameras, "agentview")
        self.changes = tuple(_change(text) for text in changes)
        self._world = TabletopWorld()
        drawn = self._world.draw(task, self.changes, seed=0, index=0, embodiment=embodiment)
        if drawn.embodiment != embodiment:
            if embodiment != EMBODIMENT:
                raise UsageError(
                    f"The change to the embodiment {drawn.embodiment!r} and embodiment="
                    f"{embodiment!r} contradict each other; leave one out."
                )
            self._robot = embodiment_called(drawn.embodiment)
        height, width = _height_and_width(image_size)
        self._cameras = tuple(CameraSpec(_role(name), height, width) for name in cameras)
        self._simulation: Simulation | None = None
        self._over = True
        dimension = action_size(control, self._robot)
        self.action_space = spaces.Box(-1.0, 1.0, (dimension,), np.float32)
        self.observation_space = spaces.Dict(
            {
                **{
                    name: spaces.Box(-bound, bound, (size,), np.float64)
                    for name, (size, bound) in _proprio_spaces(len(self._robot.joints)).items()
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
                with that index; not both.
        """
        super().reset(seed=seed)
        episode = self._episode(options or {})
        self._check_joints(episode)
        if self._simulation is None:
            self._simulation = Simulation(control=self._control)
        self._simulation.start(episode)
        self._over = False
        info = {"factors": dict(episode.factors), **self._info()}
        return self._observation(), info

    def step(self, action: Array) -> tuple[GymObservation, float, bool, bool, dict[str, Any]]:
        """Executes one control step.

        Raises:
            UsageError: If the action has another shape than the action space's or is not finite,
                or the episode is over.
        """
        if self._over:
            raise UsageError("The episode is over; call reset() before the next step().")
        numbers = np.asarray(action, dtype=np.float32)
        (dimension,) = self.action_space.shape or ()
        if numbers.shape != (dimension,) or not np.isfinite(numbers).all():
            raise UsageError(
                f"An action is {dimension} finite numbers in [-1, 1], not {np.asarray(action)!r}."
            )
        self._over = self.simulation.advance(np.clip(numbers, -1.0, 1.0))
        met = self.simulation.met
        return self._observation(), float(met), met, self._over and not met, self._info()

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
        drawn = self._world.draw(
            self.task, self.changes, seed=0, index=index, embodiment=self._robot.name
        )
        return drawn.as_episode(self._world, self.task, self.changes, seed=0, index=index)

    def _check_joints(self, episode: EpisodeSpec) -> None:
        joints, has = len(self._robot.joints), len(embodiment_called(episode.embodiment).joints)
        if joints != has:
            raise UsageError(
                f"The episode's robot {episode.embodiment!r} has {has} joints and this environment "
                f"is for {joints}; make one with embodiment={episode.embodiment!r}."
            )

    def _observation(self) -> GymObservation:
        seen: Observation = self.simulation.observe(self._cameras)
        return {
            **seen.proprio,
            **{CAMERAS[role]: image for role, image in seen.images.items()},
        }

    def _info(self) -> dict[str, Any]:
        simulation = self.simulation
        compliance = simulation.compliance if self._over else None
        return {
            "instruction": simulation.instruction,
            "episode_id": simulation.episode_id,
            "success": simulation.progress.success,
            "stages": {stage.name: stage.success for stage in simulation.progress.stages},
            **({} if compliance is None else {"compliance": compliance}),
        }


def _proprio_spaces(joints: int) -> dict[str, tuple[int, float]]:
    """Size and largest value of each field, for an arm of `joints` joints."""
    return {
        "ee_position": (3, 3.0),
        "ee_quaternion": (4, 1.0),
        "gripper_opening": (1, 2.0),
        "joint_positions": (joints, 2 * np.pi),
        "joint_velocities": (joints, 50.0),
    }


def _refuse_text(argument: str, given: Sequence[str], example: str) -> None:
    if isinstance(given, str):
        raise UsageError(
            f"The argument {argument} takes a list, for example [{example!r}], not the text "
            f"{given!r}."
        )


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
    if len(options) > 1:
        raise UsageError(
            "The options 'episode' and 'index' of reset() both choose the scene; leave one out."
        )
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
