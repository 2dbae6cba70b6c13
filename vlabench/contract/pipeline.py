"""What was agreed between one policy and one environment, and how it is carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from vlabench.contract import planned, prompt, proprio
from vlabench.contract.actions import ActionConverter
from vlabench.contract.answer import check_answer
from vlabench.contract.convert import to_json
from vlabench.contract.execution import StepConverter
from vlabench.contract.executor import Executor
from vlabench.contract.history import History
from vlabench.contract.images import ImageConverter, Shown
from vlabench.contract.playback import Playback
from vlabench.contract.specs import ActionSpec, CameraSpec, EnvSpec, PolicySpec
from vlabench.errors import InfrastructureError
from vlabench.hashing import content_hash
from vlabench.types import Floats, Json, Observation

LAST_ACTION = "last_action"
"""What `PolicySpec.needs` calls the action before."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What stands between one policy and one environment; made by `negotiate`.

    An answer goes through `actions`, row by row or as a whole, each executed row then through
    `execution` with how the robot stands at that moment, and last through `finish`.

    Attributes:
        policy: What the policy declared.
        env: What the environment offered.
        images: Camera role to the converters of its image, in order.
        actions: The converters of a chunk of actions, in order.
        execution: The converters of the one row that is executed now, in order.
        finish: The converters of an action after that, in order.
        ratio: Rows of an answer in a control step; 1 but where the rates differ.
        mismatches: In what the two do not agree, each half a sentence; nothing but where somebody
            allowed it.
        planner: What the policy's planner sees, as a pipeline without actions; None without one.
    """

    policy: PolicySpec
    env: EnvSpec
    images: tuple[tuple[str, tuple[ImageConverter, ...]], ...]
    actions: tuple[ActionConverter, ...]
    execution: tuple[StepConverter, ...] = ()
    finish: tuple[ActionConverter, ...] = ()
    ratio: Fraction = Fraction(1)
    mismatches: tuple[str, ...] = ()
    planner: Pipeline | None = None

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """What the environment must render, without the policy's own preprocessing."""
        return tuple(rendered(camera) for camera in self.policy.cameras)

    @property
    def executed(self) -> int:
        """How many rows of an answer are executed before the policy is asked again."""
        return self.policy.executed

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of proprioception that every single action is made with."""
        return tuple(sorted({field for step in self.execution for field in step.reads}))

    @property
    def counts_joints(self) -> bool:
        """Whether it fits only arms with as many joints as the nominal one has."""
        of_planner = () if self.planner is None else self.planner.policy.state
        sources = {field.source for field in (*self.policy.state, *of_planner)}
        return self.env.action.frame == "joints" or bool(sources & proprio.OF_JOINTS)

    # --- from the environment to the policy ---------------------------------------------------

    def instruction(self, told: str) -> str:
        """What the policy is told where the environment says `told`.

        Of a policy with a planner that is the task's own words: its prompt is made of the subtask,
        where planner and policy meet (`vlabench.contract.planner.Hierarchical`).
        """
        return told if self.planner is not None else prompt.worded(told, self.policy.prompt)

    def frames(self, observation: Observation) -> dict[str, Shown]:
        """The images of `observation`, each as the policy sees it, without the axis of time.

        Only those that were delivered; the policy may have declared more.

        Raises:
            InfrastructureError: If one is not what had been offered.
        """
        steps = dict(self.images)
        return {
            camera.role: self._converted(observation, camera, steps[camera.role])
            for camera in self.cameras
            if camera.role in observation.images
        }

    def to_policy(
        self,
        observation: Observation,
        history: History | None = None,
        last_action: Floats | None = None,
    ) -> Observation:
        """What the policy sees of `observation`: what it declared, as it declared it.

        Args:
            observation: Of the environment, through `cameras`.
            history: The session's frames so far; those of `observation` are added. Without it,
                this is the first look.
            last_action: The row before, in the policy's numbers; None before the first.

        Raises:
            InfrastructureError: If the environment did not deliver what it had offered.
        """
        for camera in self.cameras:
            if camera.role not in observation.images:
                raise self._undelivered("no image", camera)
        history = History(self.policy.cameras) if history is None else history
        history.add(observation.step, self.frames(observation))
        roles = (camera.role for camera in self.policy.cameras)
        return replace(
            observation,
            instruction=self.instruction(observation.instruction),
            images={role: history.at(observation.step, role) for role in roles},
            proprio={field: self._proprio(observation, field) for field in self.policy.proprio},
            privileged=self._privileged(observation),
            state=self._state(observation),
            last_action=self._last_action(last_action),
        )

    # --- from the policy to the environment ---------------------------------------------------

    def check(self, actions: object) -> Floats:
        """The policy's answer ``(T, D)`` as float64, once it is known to be one.

        Raises:
            PolicyError: If it has a wrong type or shape, or a number that is not finite or beyond
                the bound that the policy declared.
        """
        return check_answer(self.policy, actions)

    def to_env(
        self, actions: npt.NDArray[np.floating[Any]], proprio: Mapping[str, Floats] | None = None
    ) -> npt.NDArray[np.float32]:
        """The environment's own actions ``(T, n)`` for a policy's answer ``(T, D)``.

        `proprio` has the fields of `reads`: how the robot stands, at every row. In an episode it
        moves meanwhile; there an `Executor` makes one action after the other.

        Raises:
            PolicyError: If the answer is none.
        """
        execute = self.executor()
        rows = [execute(row, proprio or {}) for row in self.check(actions)]
        return np.array(rows, dtype=np.float32).reshape(-1, self.env.action.dimension)

    def executor(self) -> Executor:
        """What makes the actions of one session."""
        name = self.policy.name
        return Executor(name, self.actions, self.execution, self.finish)

    def playback(self) -> Playback:
        """What keeps the answers of one session."""
        return Playback(self.executed, self.ratio, self.policy.ensembling)

    def hold(self, before: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
        """The action that stands still, with the gripper as it was told by the one `before`."""
        action = self.env.action
        still = np.zeros(action.dimension, dtype=np.float32)
        middle = (action.gripper_open + action.gripper_close) / 2
        still[-1] = middle if before is None else before[-1]
        return still

    # --- as a value ---------------------------------------------------------------------------

    def describe(self) -> list[str]:
        """One line for each thing that was agreed, for people."""
        policy, action = self.policy, self.policy.action
        lines = [
            *self.describe_inputs(),
            f"action: {action.dimension} numbers, {action.control} in the "
            f"{action.frame} frame, rotation as {action.rotation}",
            *(f"action: {step.describe()}" for step in self._steps()),
            f"executed: {self.executed} of {policy.chunk_length} actions of an answer, at "
            f"{self._rate()}",
        ]
        if policy.ensembling is not None:
            lines.append(
                f"ensembling: overlapping answers, the i-th oldest weighted "
                f"exp(-{policy.ensembling.decay:g} i)"
            )
        lines += planned.describe(self)
        return [*lines, *(f"MISMATCH, allowed: {text}" for text in self.mismatches)]

    def describe_inputs(self) -> list[str]:
        """Of `describe`, what comes from the environment."""
        policy = self.policy
        state = ", ".join(proprio.describe(field) for field in policy.state)
        return [
            *self._describe_images(),
            f"proprio: {', '.join(policy.proprio) or 'none'}",
            *([f"state: {state}"] if state else []),
            f"prompt: {prompt.describe(policy.prompt)}",
            *([f"needs: {', '.join(policy.needs)}"] if policy.needs else []),
            f"privileged state: {'yes' if policy.privileged else 'no'}",
        ]

    def to_json(self) -> dict[str, Json]:
        """Plain values: everything that changes a number on its way, and nothing else."""
        policy = self.policy
        return {
            "cameras": [[camera.role, camera.height, camera.width] for camera in self.cameras],
            "images": {role: [to_json(step) for step in steps] for role, steps in self.images},
            "history": [
                [camera.role, camera.history, camera.history_stride] for camera in policy.cameras
            ],
            "proprio": list(policy.proprio),
            "state": [asdict(field) for field in policy.state],
            "prompt": asdict(policy.prompt),
            "needs": list(policy.needs),
            "privileged": policy.privileged,
            "action": _numbers(policy.action),
            "actions": [to_json(step) for step in self._steps()],
            "chunk_length": policy.chunk_length,
            "executed": self.executed,
            "ensembling": None if policy.ensembling is None else asdict(policy.ensembling),
            "while_waiting": policy.while_waiting,
            "control_hz": self.env.control_hz,
            "rows_per_step": [self.ratio.numerator, self.ratio.denominator],
            "controller": _numbers(self.env.action),
            "mismatches": list(self.mismatches),
            **planned.to_json(self),
        }

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name this agreement."""
        return content_hash(self.to_json())

    def _steps(self) -> tuple[ActionConverter | StepConverter, ...]:
        return (*self.actions, *self.execution, *self.finish)

    def _converted(
        self, observation: Observation, camera: CameraSpec, steps: Iterable[ImageConverter]
    ) -> Shown:
        image: Shown = observation.images[camera.role]
        if image.shape != (camera.height, camera.width, 3) or image.dtype != np.uint8:
            raise self._undelivered(f"{image.dtype} {image.shape}", camera)
        for step in steps:
            image = step(image)
        return image

    def _undelivered(self, got: str, camera: CameraSpec) -> InfrastructureError:
        return InfrastructureError(
            f"The environment {self.env.embodiment!r} delivered {got} for camera {camera.role!r}, "
            f"where uint8 {(camera.height, camera.width, 3)} was agreed; observe with the cameras "
            "of the pipeline."
        )

    def _privileged(self, observation: Observation) -> Any:
        if self.policy.privileged and observation.privileged is None:
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} offered its privileged state to "
                f"{self.policy.name!r} and showed none; observe with privileged=True."
            )
        return observation.privileged if self.policy.privileged else None

    def _proprio(self, observation: Observation, field: str) -> Floats:
        if field not in observation.proprio:
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} offered the proprio field {field!r} and "
                "did not deliver it; mend its observe()."
            )
        return observation.proprio[field]

    def _state(self, observation: Observation) -> Floats | None:
        fields = self.policy.state
        if not fields:
            return None
        sources = {field.source for field in fields} - {proprio.ZEROS}
        read = {source: self._proprio(observation, source) for source in sorted(sources)}
        try:
            return proprio.state_vector(fields, read)
        except ValueError as error:
            raise InfrastructureError(
                f"The environment {self.env.embodiment!r} delivered no state that the policy "
                f"{self.policy.name!r} can read: {error}."
            ) from error

    def _last_action(self, last_action: Floats | None) -> Floats | None:
        if LAST_ACTION not in self.policy.needs:
            return None
        none_yet = np.zeros(self.policy.action.dimension)
        return none_yet if last_action is None else last_action

    def _rate(self) -> str:
        hz = f"{self.env.control_hz:g} Hz"
        return hz if self.ratio == 1 else f"{self.policy.control_hz:g} Hz, held at {hz}"

    def _describe_images(self) -> Iterator[str]:
        if not self.images:
            yield "cameras: none"
        for camera, (role, steps) in zip(self.policy.cameras, self.images, strict=True):
            done = [f"rendered at {camera.height} x {camera.width}"]
            done += [step.describe() for step in steps]
            if camera.history > 1:
                done.append(f"the last {camera.history}, {camera.history_stride} steps apart")
            key = f" as {camera.key!r}" if camera.key else ""
            yield f"camera {role}{key}: {', '.join(done)}"


def rendered(camera: CameraSpec) -> CameraSpec:
    """What the environment renders for `camera`."""
    return CameraSpec(camera.role, camera.height, camera.width)


def _numbers(action: ActionSpec) -> dict[str, Json]:
    """All of `action` but of which origin and hand it is, which a converter says."""
    told = asdict(action)
    return {name: value for name, value in told.items() if name not in ("offset", "turned")}
