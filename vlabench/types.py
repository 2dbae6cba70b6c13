"""The nouns of the project: what an episode is, what a policy sees and does, what came of it.

All are frozen dataclasses that hold plain values, so that any of them can be written to a file,
sent to another process, and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.hashing import content_hash

if TYPE_CHECKING:
    from vlabench.contract.specs import EnvSpec

Json: TypeAlias = Any
"""A value that JSON can hold: None, bool, int, float, str, list, dict."""

Floats: TypeAlias = npt.NDArray[np.float64]
Images: TypeAlias = Mapping[str, npt.NDArray[np.uint8]]
Status: TypeAlias = Literal["success", "failure", "policy_error", "infra_error"]


# --- an episode, before it runs ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One axis at one level, for example ``Change("lighting", "L2")``."""

    axis: str
    level: str

    def __str__(self) -> str:
        return f"{self.axis}:{self.level}"


@dataclass(frozen=True, slots=True)
class EpisodeSpec:
    """One episode, fixed before anything runs. Its hash is its name.

    The suite is not part of it: a nominal episode that several axes share as their control twin
    is one episode with one name.

    Attributes:
        task: Name of the task.
        changes: The axes that differ from nominal; empty for a nominal episode.
        index: Which draw of the task this is; twins share it.
        seed: Seed of the suite.
        factors: Every drawn value, rounded: the scene can be rebuilt from these alone.
        instruction: What the policy is told.
        world_version: Version of the world that drew the factors.
        horizon: Most control steps.
        embodiment: The robot and its gripper.
        control_id: Name of the nominal twin; None for a nominal episode.
    """

    task: str
    changes: tuple[Change, ...]
    index: int
    seed: int
    factors: Mapping[str, Json]
    instruction: str
    world_version: str
    horizon: int
    embodiment: str
    control_id: str | None = None

    @property
    def episode_id(self) -> str:
        """16 hexadecimal digits that name this episode."""
        return content_hash(asdict(self))

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal episode."""
        return {**asdict(self), "changes": [asdict(change) for change in self.changes]}

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> EpisodeSpec:
        """The episode that `to_json` wrote."""
        return EpisodeSpec(
            **{**data, "changes": tuple(Change(**change) for change in data["changes"])}
        )


# --- between a policy and an environment ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """What one session shows its policy.

    Attributes:
        episode_id: Which session this is.
        step: Control steps executed so far.
        time_s: Simulated time in seconds.
        instruction: What the policy is told.
        images: Camera role (``exterior/0``, ``wrist/0``) to an upright RGB image
            ``(H, W, 3) uint8``; only the cameras that the policy declared.
        proprio: Field name to a float64 vector; `vlabench.contract.specs.PROPRIO_FIELDS` lists
            the fields with their units and frames.
        privileged: The simulator's own state, for a policy that declares that it reads it.
    """

    episode_id: str
    step: int
    time_s: float
    instruction: str
    images: Images
    proprio: Mapping[str, Floats]
    privileged: PrivilegedState | None = None


@dataclass(frozen=True, slots=True)
class ActionChunk:
    """What a policy answers: `actions` ``(T, D)``, first row first.

    `extras` may carry ``terminate``, ``subtask``, ``waypoints_2d`` or ``plan``.
    """

    actions: npt.NDArray[np.floating[Any]]
    infer_ms: float | None = None
    extras: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodeStart:
    """What a policy learns when a session begins; `seed` is its own random stream's."""

    episode_id: str
    seed: int
    instruction: str
    env_spec: EnvSpec


# --- what the simulator knows, for policies that declare that they read it ---------------------


@dataclass(frozen=True, slots=True)
class Grasp:
    """A hand pose that holds an object, in the object's frame.

    Attributes:
        position: ``(3,)`` metres, where the point between the fingertips goes.
        rotation: ``(3, 3)``; z is the direction of approach, y the direction of closing.
        width: Metres between the fingers when they touch.
    """

    position: Floats
    rotation: Floats
    width: float


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One free object.

    Attributes:
        name: Its role in the task, for example ``"object"`` or ``"target"``.
        category: What it is, for example ``"mug"``.
        position: ``(3,)`` metres, centre of its underside, in the robot's base frame.
        rotation: ``(3, 3)`` in the robot's base frame.
        grasps: Where a hand can hold it.
        height: Metres from its underside to its top.
        radius: Metres, of the smallest upright cylinder around it.
        surface_height: Metres from its underside to the plane that others can stand on (for a
            hollow object: the floor of its hollow).
        surface_radius: Metres, of the circle on that plane that is free to stand on.
    """

    name: str
    category: str
    position: Floats
    rotation: Floats
    grasps: tuple[Grasp, ...]
    height: float
    radius: float
    surface_height: float
    surface_radius: float


@dataclass(frozen=True, slots=True)
class DrawerState:
    """One drawer of a cabinet.

    Attributes:
        name: For example ``"drawer"``.
        handle: ``(3,)`` metres, middle of the handle, in the robot's base frame.
        outward: ``(3,)`` unit vector along which it opens, in the robot's base frame.
        opening: Metres it is open now.
        travel: Metres it can open.
        interior: ``(3,)`` metres, middle of its floor, in the robot's base frame.
        interior_size: ``(2,)`` metres, inside depth and width.
    """

    name: str
    handle: Floats
    outward: Floats
    opening: float
    travel: float
    interior: Floats
    interior_size: Floats


@dataclass(frozen=True, slots=True)
class StageState:
    """One stage of the task: a goal such as ``("on", ("object", "target"))``."""

    name: str
    predicate: str
    arguments: tuple[str, ...]
    achieved: bool


@dataclass(frozen=True, slots=True)
class PrivilegedState:
    """The state of the scene as the simulator knows it, in the robot's base frame."""

    hand_position: Floats
    hand_rotation: Floats
    gripper_opening_m: float
    table_height: float
    objects: Mapping[str, ObjectState]
    drawers: Mapping[str, DrawerState]
    stages: tuple[StageState, ...]


# --- an episode, after it ran ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageResult:
    """Whether and when (control step) a stage was achieved."""

    name: str
    success: bool
    step: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the environment says of an episode that has ended.

    Attributes:
        success: The goal has held for the hold time.
        success_once: The goal was true at some instant.
        stages: One result a stage, in the task's order.
        steps: Control steps executed.
        path_length_m: Length of the hand's path.
        init_state_hash: Of the state before the first action.
        final_state_hash: Of the state after the last action.
    """

    success: bool
    success_once: bool
    stages: tuple[StageResult, ...]
    steps: int
    path_length_m: float
    init_state_hash: str
    final_state_hash: str


SCHEMA_VERSION = "1.0"

VOLATILE_FIELDS = frozenset(
    {
        "run_id",
        "attempt",
        "wall_s",
        "inference_s",
        "latency_ms_p50",
        "latency_ms_p95",
        "batch_size_mean",
    }
)
"""Fields of a record that may differ between two equal runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRecord:
    """One line of ``episodes.jsonl``: what was drawn, what was done, what came of it.

    Two runs of the same episode by a deterministic policy differ in `VOLATILE_FIELDS` alone.
    Lengths are metres, times seconds unless the name says milliseconds.
    """

    run_id: str
    episode_id: str
    control_id: str | None
    suite: str
    suite_version: int
    suite_hash: str
    task: str
    changes: tuple[Change, ...]
    index: int
    seed: int
    embodiment: str
    factors: Mapping[str, Json]
    instruction: str
    instruction_hash: str
    env_fingerprint: str
    contract_fingerprint: str
    status: Status
    success_once: bool
    success: bool
    progress: float
    stages: tuple[StageResult, ...]
    chain_length: int
    steps: int
    horizon: int
    time_to_success_s: float | None
    path_length_m: float
    policy_calls: int
    batch_size_mean: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    inference_s: float
    wall_s: float
    init_state_hash: str
    final_state_hash: str
    actions_hash: str
    error: str | None = None
    attempt: int = 0
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal record."""
        return {
            **asdict(self),
            "changes": [asdict(change) for change in self.changes],
            "stages": [asdict(stage) for stage in self.stages],
        }

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> EpisodeRecord:
        """The record that `to_json` wrote."""
        return EpisodeRecord(
            **{
                **data,
                "changes": tuple(Change(**change) for change in data["changes"]),
                "stages": tuple(StageResult(**stage) for stage in data["stages"]),
            }
        )

    def stable(self) -> dict[str, Json]:
        """`to_json` without the fields that may differ between two equal runs."""
        return {k: v for k, v in self.to_json().items() if k not in VOLATILE_FIELDS}
