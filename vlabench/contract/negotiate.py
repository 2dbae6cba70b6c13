"""Agreement between a policy and an environment, as a value that can be printed and hashed.

Most published numbers that could not be reproduced failed here: an inverted gripper, a mirrored
image, a chunk of which too much was executed. So a mismatch is an error, found before anything
runs, and what was agreed has a fingerprint that stands in every record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract.convert import (
    ActionConverter,
    CentreCrop,
    Clip,
    Gripper,
    Image,
    ImageConverter,
    JpegRoundTrip,
    Mirror,
    Resize,
    Scale,
    to_json,
)
from vlabench.contract.mismatch import find_mismatches
from vlabench.contract.specs import ActionSpec, CameraSpec, EnvSpec, PolicySpec
from vlabench.errors import ContractError, InfrastructureError, PolicyError
from vlabench.hashing import content_hash
from vlabench.types import Json, Observation


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What stands between one policy and one environment; made by `negotiate`.

    Attributes:
        policy: What the policy declared.
        env: What the environment offered.
        images: Camera role to the converters of its image, in order.
        actions: The converters of a chunk of actions, in order.
    """

    policy: PolicySpec
    env: EnvSpec
    images: tuple[tuple[str, tuple[ImageConverter, ...]], ...]
    actions: tuple[ActionConverter, ...]

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """What the environment must render, without the policy's own preprocessing."""
        return tuple(
            CameraSpec(camera.role, camera.height, camera.width) for camera in self.policy.cameras
        )

    @property
    def executed(self) -> int:
        """How many rows of an answer are executed before the policy is asked again."""
        return self.policy.executed

    def to_policy(self, observation: Observation) -> Observation:
        """What the policy sees of `observation`: what it declared, as it declared it.

        Raises:
            InfrastructureError: If the environment did not deliver what it had offered.
        """
        privileged = observation.privileged if self.policy.privileged else None
        if self.policy.privileged and privileged is None:
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} offered its privileged state to "
                f"{self.policy.name!r} and showed none; observe with privileged=True."
            )
        return replace(
            observation,
            images={role: self._image(observation, role, steps) for role, steps in self.images},
            proprio={field: self._proprio(observation, field) for field in self.policy.proprio},
            privileged=privileged,
        )

    def to_env(self, actions: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """The environment's own actions ``(T, 7)`` for a policy's answer ``(T, D)``.

        Raises:
            PolicyError: If the answer has a wrong type, shape or length, or a number that is not
                finite.
        """
        self._check(actions)
        converted = actions.astype(np.float64)
        for converter in self.actions:
            converted = converter(converted)
        return converted.astype(np.float32)

    def describe(self) -> list[str]:
        """One line for each thing that was agreed, for people."""
        return [
            *self._describe_images(),
            f"proprio: {', '.join(self.policy.proprio) or 'none'}",
            f"privileged state: {'yes' if self.policy.privileged else 'no'}",
            f"action: {self.policy.action.dimension} numbers, {self.policy.action.control} in the "
            f"{self.policy.action.frame} frame, rotation as {self.policy.action.rotation}",
            *(f"action: {converter.describe()}" for converter in self.actions),
            f"executed: {self.executed} of {self.policy.chunk_length} actions of an answer, at "
            f"{self.env.control_hz:g} Hz",
        ]

    def to_json(self) -> dict[str, Json]:
        """Plain values: everything that changes a number on its way, and nothing else."""
        return {
            "cameras": [[camera.role, camera.height, camera.width] for camera in self.cameras],
            "images": {role: [to_json(step) for step in steps] for role, steps in self.images},
            "proprio": list(self.policy.proprio),
            "privileged": self.policy.privileged,
            "action": asdict(self.policy.action),
            "actions": [to_json(converter) for converter in self.actions],
            "chunk_length": self.policy.chunk_length,
            "executed": self.policy.executed,
            "control_hz": self.env.control_hz,
        }

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name this agreement."""
        return content_hash(self.to_json())

    def _image(self, observation: Observation, role: str, steps: Iterable[ImageConverter]) -> Image:
        camera = next(camera for camera in self.cameras if camera.role == role)
        image = observation.images.get(role)
        shape = (camera.height, camera.width, 3)
        if image is None or image.shape != shape or image.dtype != np.uint8:
            got = "no image" if image is None else f"{image.dtype} {image.shape}"
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} delivered {got} for camera {role!r}, "
                f"where uint8 {shape} was agreed; observe with the cameras of the pipeline."
            )
        for step in steps:
            image = step(image)
        return image

    def _proprio(self, observation: Observation, field: str) -> npt.NDArray[np.float64]:
        if field not in observation.proprio:
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} offered the proprio field {field!r} and "
                "did not deliver it; mend its observe()."
            )
        return observation.proprio[field]

    def _check(self, actions: npt.NDArray[np.floating[Any]]) -> None:
        name, columns = self.policy.name, self.policy.action.dimension
        if not isinstance(actions, np.ndarray):
            raise PolicyError(
                f"Policy {name!r} answered a {type(actions).__name__}; actions must be a float "
                f"array of shape (T, {columns})."
            )
        if actions.dtype.kind != "f":
            raise PolicyError(
                f"Policy {name!r} answered actions of type {actions.dtype}; they must be floats."
            )
        if actions.ndim != 2 or actions.shape[1] != columns:
            raise PolicyError(
                f"Policy {name!r} answered actions of shape {actions.shape}; "
                f"it must be (T, {columns})."
            )
        if len(actions) < self.executed:
            raise PolicyError(
                f"Policy {name!r} answered {len(actions)} actions, fewer than the {self.executed} "
                "it declares to be executed."
            )
        if not np.isfinite(actions).all():
            row, column = np.argwhere(~np.isfinite(actions))[0]
            raise PolicyError(
                f"Policy {name!r} answered {actions[row, column]} in row {row}, column {column}; "
                "every number must be finite."
            )

    def _describe_images(self) -> Iterator[str]:
        if not self.images:
            yield "cameras: none"
        for camera, (role, steps) in zip(self.cameras, self.images, strict=True):
            done = [f"rendered at {camera.height} x {camera.width}"]
            yield f"camera {role}: {', '.join(done + [step.describe() for step in steps])}"


def negotiate(policy_spec: PolicySpec, env_spec: EnvSpec) -> Pipeline:
    """The pipeline between a policy and an environment.

    Raises:
        ContractError: If they do not agree; the text names both sides and every mismatch.
    """
    mismatches = list(find_mismatches(policy_spec, env_spec))
    if mismatches:
        raise ContractError(
            f"Policy {policy_spec.name!r} and environment {env_spec.embodiment!r} do not agree: "
            f"{'; '.join(mismatches)}."
        )
    return Pipeline(
        policy=policy_spec,
        env=env_spec,
        images=tuple((camera.role, _image_steps(camera)) for camera in policy_spec.cameras),
        actions=_action_steps(policy_spec.action, env_spec),
    )


def _image_steps(camera: CameraSpec) -> tuple[ImageConverter, ...]:
    steps: list[ImageConverter] = []
    if camera.mirrored:
        steps.append(Mirror())
    if camera.jpeg_quality is not None:
        steps.append(JpegRoundTrip(camera.jpeg_quality))
    if camera.resized is not None:
        steps.append(Resize(*camera.resized))
    if camera.crop_area is not None:
        steps.append(CentreCrop(camera.crop_area))
    return tuple(steps)


def _action_steps(action: ActionSpec, env: EnvSpec) -> tuple[ActionConverter, ...]:
    steps: list[ActionConverter] = []
    unit = _unit(action, env)
    if unit != (env.max_translation_m, env.max_rotation_rad):
        steps.append(Scale(*unit, env.max_translation_m, env.max_rotation_rad))
    theirs, ours = (
        (action.gripper_open, action.gripper_close),
        (
            env.action.gripper_open,
            env.action.gripper_close,
        ),
    )
    if theirs != ours or action.gripper_threshold is not None:
        steps.append(Gripper(*theirs, *ours, action.gripper_threshold))
    return (*steps, Clip())


def _unit(action: ActionSpec, env: EnvSpec) -> tuple[float, float]:
    """The metres and radians that the policy's 1 means."""
    if action.scale == "metric":
        return 1.0, 1.0
    metres, radians = action.max_translation_m, action.max_rotation_rad
    return (
        env.max_translation_m if metres is None else metres,
        env.max_rotation_rad if radians is None else radians,
    )
