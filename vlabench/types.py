"""The nouns of the project: what an episode is, what a policy sees and does, what came of it.

All are frozen dataclasses that hold plain values, so that any of them can be written to a file,
sent to another process, and compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vlabench.hashing import content_hash

if TYPE_CHECKING:
    from vlabench.contract.specs import EnvSpec

Json: TypeAlias = Any
"""A value that JSON can hold: None, bool, int, float, str, list, dict."""

Floats: TypeAlias = npt.NDArray[np.float64]
Images: TypeAlias = Mapping[str, npt.NDArray[Any]]
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
        diagnostic: Whether it tries if the policy listens: it is scored as compliance, and
            stands outside every success rate.
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
    diagnostic: bool = False

    @property
    def episode_id(self) -> str:
        """16 hexadecimal digits that name this episode."""
        return content_hash(self.to_json())

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal episode.

        Its factors are the episode's own, uncopied: manifests have thousands of episodes, and
        `dataclasses.asdict` spends most of its time on copies.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {**values, "changes": [asdict(change) for change in self.changes]}

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
            ``(H, W, 3) uint8``; only the cameras that the policy declared. A policy is shown
            them as it declared them, perhaps in another layout, or several of each.
        proprio: Field name to a float64 vector; `vlabench.contract.specs.PROPRIO_FIELDS` lists
            the fields with their units and frames.
        state: ``(D,) float64``, what a policy's `PolicySpec.state` declares; None where it
            declares none, and from an environment.
        last_action: The action before this look as the policy gave it, ``(D,)``; zeros at the
            first look, and None for a policy that does not ask for it.
        privileged: The simulator's own state, for a policy that declares that it reads it.
    """

    episode_id: str
    step: int
    time_s: float
    instruction: str
    images: Images
    proprio: Mapping[str, Floats]
    privileged: PrivilegedState | None = None
    state: Floats | None = None
    last_action: Floats | None = None


@dataclass(frozen=True, slots=True)
class ActionChunk:
    """What a policy answers.

    Attributes:
        actions: ``(T, D)``, first row first.
        infer_ms: Milliseconds that the model took for it, as whoever ran it says; None where
            nobody does.
        batch_size: How many sessions were answered together.
        extras: Plain JSON values that the record keeps as `Said`, for example ``terminate``,
            ``subtask``, ``waypoints_2d`` or ``plan``. They change nothing: an episode whose policy
            says ``terminate`` goes on until its goal is reached or its time is over. Nothing that
            differs between two equal runs, such as a time, belongs in them.
    """

    actions: npt.NDArray[np.floating[Any]]
    infer_ms: float | None = None
    batch_size: int = 1
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
class PartState:
    """One part of a fixture that a goal can speak of: a drawer, a door, a knob, a shelf's level.

    Attributes:
        name: For example ``"top drawer"``.
        kind: One of `vlabench.envs.fixtures.base.PartKind`.
        fixture: What it belongs to.
        handle: ``(3,)`` metres, where a hand takes hold of it or presses, in the robot's base
            frame.
        handle_rotation: ``(3, 3)`` in the robot's base frame: x points away from the fixture, z
            along the bar of a handle, the axle of a knob, or out of a button.
        opening: How far its joint is from closed: metres, or radians of a hinge; 0 for a part
            that does not move.
        travel: The largest opening.
        axis: ``(3,)`` unit vector of the joint that opens it: the direction of a slide, the axle
            of a hinge (right-handed); zeros for a part that does not move.
        pivot: ``(3,)`` metres, a point on the axle of a hinge.
        interior: ``(3,)`` metres, middle of its floor or surface, in the robot's base frame.
        interior_size: ``(3,)`` metres along its own x, y and z; zeros where nothing can be put.
    """

    name: str
    kind: str
    fixture: str
    handle: Floats
    handle_rotation: Floats
    opening: float
    travel: float
    axis: Floats
    pivot: Floats
    interior: Floats
    interior_size: Floats


@dataclass(frozen=True, slots=True)
class FixtureState:
    """Where a fixture stands.

    Attributes:
        position: ``(3,)`` metres, middle of its underside, in the robot's base frame.
        rotation: ``(3, 3)`` in the robot's base frame.
    """

    position: Floats
    rotation: Floats


@dataclass(frozen=True, slots=True)
class GoalState:
    """One goal such as ``("on", ("object", "target"))``, and whether it is true now."""

    predicate: str
    arguments: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class StageState:
    """One stage of the task: goals that must hold together, and whether it has been reached."""

    name: str
    goals: tuple[GoalState, ...]
    achieved: bool


@dataclass(frozen=True, slots=True)
class HandShape:
    """What a planner must know of the gripper, in metres.

    Attributes:
        max_opening: Between the pads when the gripper is open.
        fingertip_reach: How far the fingertips reach beyond the point between them, along the
            fingers, at most: a linkage's move as it closes.
        palm_clearance: How far behind that point there is room for what is held.
    """

    max_opening: float
    fingertip_reach: float
    palm_clearance: float


@dataclass(frozen=True, slots=True)
class PrivilegedState:
    """The state of the scene as the simulator knows it, in the robot's base frame.

    Attributes:
        task: Name of the task.
        hand_position: ``(3,)`` metres, of the point between the fingertips.
        hand_rotation: ``(3, 3)``; z along the fingers, y along the direction of closing.
        gripper_opening_m: Metres between the fingers.
        hand: What the gripper is like.
        table_height: Metres, of the table's top.
        objects: Name to free object.
        parts: Name to part of a fixture.
        fixtures: Name to where it stands.
        stages: What is to be done.
    """

    task: str
    hand_position: Floats
    hand_rotation: Floats
    gripper_opening_m: float
    hand: HandShape
    table_height: float
    objects: Mapping[str, ObjectState]
    parts: Mapping[str, PartState]
    fixtures: Mapping[str, FixtureState]
    stages: tuple[StageState, ...]


# --- an episode, after it ran ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageResult:
    """Whether and when (control step) a stage was achieved."""

    name: str
    success: bool
    step: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the scene in the middle of an episode, after `step` steps."""

    step: int
    what: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a policy said beside the actions that it was asked for after `step` steps."""

    step: int
    extras: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Safety:
    """How roughly the robot went about it.

    Attributes:
        n_collisions: How often the robot began to touch something that the goal does not speak
            of, the table and the fixtures included.
        max_contact_force_n: Largest normal force in newtons of one contact of the robot, sampled
            once a control step (20 Hz); peaks between two samples are missed.
        n_drops: How often a thing that the robot held fell.
        n_joint_limit_steps: Control steps that ended with a joint of the arm at its limit.
        n_workspace_steps: Control steps that ended with the hand outside its workspace.
    """

    n_collisions: int = 0
    max_contact_force_n: float = 0.0
    n_drops: int = 0
    n_joint_limit_steps: int = 0
    n_workspace_steps: int = 0


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
        chain_length: Stages reached before the first that was not; of stages that may be done in
            any order, how many were reached.
        safety: How roughly the robot went about it.
        events: What happened to the scene on the way.
        compliance: Of a diagnostic episode, whether the robot did what the instruction asks for;
            None of every other episode.
        failure: Why it failed, one of the modes in ``docs/runs.md``; None if it did not, where
            nobody looks into that, and of a diagnostic episode.
    """

    success: bool
    success_once: bool
    stages: tuple[StageResult, ...]
    steps: int
    path_length_m: float
    init_state_hash: str
    final_state_hash: str
    chain_length: int
    safety: Safety = Safety()
    events: tuple[Event, ...] = ()
    compliance: bool | None = None
    failure: str | None = None


SCHEMA_VERSION = "1.4"

VOLATILE_FIELDS = frozenset(
    {
        "run_id",
        "attempt",
        "wall_s",
        "inference_s",
        "infer_s",
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
    Lengths are metres, times seconds unless the name says milliseconds. `compliance` is None of
    every episode that is no diagnostic; one whose policy failed does not comply. The figures of
    safety are those of `Safety`, and None in records of schema 1.0. `certified` says whether the
    expert is known to solve the episode in this world; None in records before schema 1.2.
    `allow_mismatch` has what policy and environment did not agree in and somebody allowed; None in
    records before schema 1.3. `latency_setting_ms` is the latency that was simulated,
    ``"measured"`` where each answer took its own time; None where the world waited. `inference_s`
    is how long the worker waited for the policy's answers, queue and network included; `infer_s`
    is how long the model took for them, as whoever ran it says, each in full however many sessions
    shared it, and None unless every answer says so. `said` has the extras of the policy's answers
    wherever they changed, the first 16,384 characters of them; `said_left_out` counts the changes
    that came after those. `failure` says why an episode with the status ``failure`` failed, as the
    environment saw it; None of every other, and in records before schema 1.4.
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
    failure: str | None = None
    progress: float
    stages: tuple[StageResult, ...]
    chain_length: int
    steps: int
    horizon: int
    time_to_success_s: float | None
    path_length_m: float
    certified: bool | None = None
    compliance: bool | None = None
    events: tuple[Event, ...] = ()
    n_collisions: int | None = None
    max_contact_force_n: float | None = None
    n_drops: int | None = None
    n_joint_limit_steps: int | None = None
    n_workspace_steps: int | None = None
    policy_calls: int
    batch_size_mean: float | None
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    inference_s: float
    infer_s: float | None = None
    wall_s: float
    init_state_hash: str
    final_state_hash: str
    actions_hash: str
    allow_mismatch: tuple[str, ...] | None = None
    latency_setting_ms: float | Literal["measured"] | None = None
    said: tuple[Said, ...] = ()
    said_left_out: int = 0
    error: str | None = None
    attempt: int = 0
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> dict[str, Json]:
        """A dictionary that `from_json` turns back into an equal record."""
        return {
            **asdict(self),
            "changes": [asdict(change) for change in self.changes],
            "stages": [asdict(stage) for stage in self.stages],
            "events": [asdict(event) for event in self.events],
            "said": [asdict(said) for said in self.said],
            "allow_mismatch": None if self.allow_mismatch is None else list(self.allow_mismatch),
        }

    @staticmethod
    def from_json(data: Mapping[str, Json]) -> EpisodeRecord:
        """The record that `to_json` wrote."""
        return EpisodeRecord(
            **{
                **data,
                "changes": tuple(Change(**change) for change in data["changes"]),
                "stages": tuple(StageResult(**stage) for stage in data["stages"]),
                "events": tuple(Event(**event) for event in data.get("events", ())),
                "said": tuple(Said(**said) for said in data.get("said", ())),
                "allow_mismatch": _texts(data.get("allow_mismatch")),
            }
        )

    def stable(self) -> dict[str, Json]:
        """`to_json` without the fields that may differ between two equal runs."""
        return {k: v for k, v in self.to_json().items() if k not in VOLATILE_FIELDS}


def _texts(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
