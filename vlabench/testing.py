"""A conformance kit: does a policy keep the promises that the harness relies on?

An outsider's test needs one line::

    def test_my_policy_conforms():
        check_policy(MyPolicy(), EXAMPLE_ENV)

It runs no simulator: the policy sees made-up observations with the shapes, units and frames of
real ones. What is checked is the contract, not whether the policy is any good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn, TypeAlias

import numpy as np

from vlabench.contract.batching import padded
from vlabench.contract.compute import check_compute
from vlabench.contract.extras import plain
from vlabench.contract.negotiate import choose_environment, negotiate
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.planning import check_plan
from vlabench.contract.policy import Policy
from vlabench.contract.specs import ActionSpec, EnvSpec, PolicySpec
from vlabench.errors import PolicyError
from vlabench.seeding import seed_of, stream
from vlabench.types import (
    ActionChunk,
    EpisodeStart,
    FixtureState,
    Floats,
    GoalState,
    Grasp,
    HandShape,
    ObjectState,
    Observation,
    PartState,
    PrivilegedState,
    StageState,
)

Observer: TypeAlias = Callable[[Pipeline, str, int], Observation]
"""Makes what a session sees: from the pipeline, the episode id and the step."""

EXAMPLE_ENV = EnvSpec(
    embodiment="Panda",
    control_hz=20.0,
    cameras=("exterior/0", "wrist/0"),
    proprio=(
        "ee_position",
        "ee_quaternion",
        "gripper_opening",
        "joint_positions",
        "joint_velocities",
    ),
    action=ActionSpec(),
    max_translation_m=0.05,
    max_rotation_rad=0.5,
    privileged=True,
    fingerprint="example",
    controller="osc_pose",
)
"""What a typical environment offers."""

_JOINTS = ActionSpec(control="joint_delta", frame="joints", rotation="none", dimension=8)

EXAMPLE_ENVS = (
    EXAMPLE_ENV,
    replace(EXAMPLE_ENV, action=_JOINTS, max_joint=0.05, controller="joint_position"),
    replace(
        EXAMPLE_ENV,
        action=replace(_JOINTS, control="joint_velocity"),
        max_joint=0.5,
        controller="joint_velocity",
    ),
)
"""What it offers under each of its controllers, the default one first."""

INSTRUCTION = "put the red mug on the white plate"


def check_policy(
    policy: Policy,
    env_spec: EnvSpec | None = None,
    *,
    sessions: int = 3,
    steps: int = 3,
    observe: Observer | None = None,
) -> Pipeline:
    """Runs made-up sessions through `policy` and checks every answer.

    The policy is left open, without sessions.

    Args:
        policy: The policy; a fresh one, or one whose sessions have all ended.
        env_spec: The environment that it is checked against; the first of `EXAMPLE_ENVS` whose
            controller it can drive, unless told.
        sessions: How many sessions run side by side.
        steps: How often each is asked.
        observe: Makes the observations; `example_observation` unless told.

    Returns:
        The pipeline that was agreed.

    Raises:
        ContractError: If the policy and the environment do not agree.
        PolicyError: If the policy breaks its protocol or its own declaration; one sentence.
    """
    spec = _check_spec(policy)
    pipeline = negotiate(spec, env_spec or choose_environment(spec, EXAMPLE_ENVS))
    run = _Run(policy, pipeline, [f"check-{i}" for i in range(sessions)], observe)
    first = run.play(steps, batch=spec.max_batch)
    if spec.deterministic:
        _check_equal(spec, first, run.play(steps, batch=spec.max_batch), "when asked again")
        _check_equal(spec, first, run.play(steps, batch=1), "when asked one session at a time")
        run.ids.reverse()
        again = run.play(steps, batch=spec.max_batch)
        _check_equal(spec, first, again, "when the sessions come in another order")
    return pipeline


def example_observation(pipeline: Pipeline, episode_id: str, step: int) -> Observation:
    """A made-up observation as an environment delivers it, the same for equal arguments.

    Images are noise; the scene is a block, and a plate 20 cm to its left.
    """
    rng = stream("example-observation", episode_id, step)
    return Observation(
        episode_id=episode_id,
        step=step,
        time_s=step / pipeline.env.control_hz,
        instruction=INSTRUCTION,
        images={
            camera.role: rng.integers(256, size=(camera.height, camera.width, 3), dtype=np.uint8)
            for camera in pipeline.cameras
        },
        proprio={field: _PROPRIO[field](rng) for field in pipeline.env.proprio},
        privileged=_example_scene() if pipeline.env.privileged else None,
    )


# --- the checks -------------------------------------------------------------------------------


class _Run:
    """Plays made-up sessions and checks what comes back.

    `answers` are the environment's actions of each session, step by step.
    """

    def __init__(
        self, policy: Policy, pipeline: Pipeline, ids: list[str], observe: Observer | None
    ) -> None:
        self.policy, self.pipeline, self.ids = policy, pipeline, ids
        self.observe = observe or example_observation

    def play(self, steps: int, batch: int) -> dict[tuple[str, int], Floats]:
        told = self.pipeline.instruction(INSTRUCTION)
        self.policy.reset(
            [
                EpisodeStart(name, seed_of("check", name), told, self.pipeline.env)
                for name in self.ids
            ]
        )
        answers = {}
        for step in range(0, steps * self.pipeline.executed, self.pipeline.executed):
            for start in range(0, len(self.ids), batch):
                some = self.ids[start : start + batch]
                seen = [self.observe(self.pipeline, name, step) for name in some]
                for observation, chunk in zip(seen, self._ask(seen), strict=True):
                    checked = self._check_chunk(chunk, observation.proprio)
                    answers[observation.episode_id, step] = checked
        self.policy.end(self.ids)
        return answers

    def _ask(self, seen: Sequence[Observation]) -> Sequence[object]:
        shown = [self._shown(observation) for observation in seen]
        shown = padded(shown, self.pipeline.policy)
        before = [_content(observation) for observation in shown]
        chunks = self.policy.act(shown)
        if [_content(observation) for observation in shown] != before:
            self._fail("wrote into an observation; make a copy before changing anything")
        if len(chunks) != len(shown):
            self._fail(f"gave {len(chunks)} answers to {len(shown)} observations; give one each")
        return chunks[: len(seen)]

    def _shown(self, observation: Observation) -> Observation:
        """What the policy sees, and its planner, which is asked every time."""
        shown = self.pipeline.to_policy(observation)
        planner = self.pipeline.planner
        if planner is None:
            return shown
        theirs = self.observe(planner, observation.episode_id, observation.step)
        return replace(shown, planner=planner.to_policy(theirs))

    def _check_chunk(self, chunk: object, proprio: Mapping[str, Floats]) -> Floats:
        if not isinstance(chunk, ActionChunk):
            self._fail(f"answered a {type(chunk).__name__}; answer an ActionChunk")
        actions = self.pipeline.to_env(chunk.actions, proprio)
        if chunk.infer_ms is not None and not chunk.infer_ms >= 0:
            self._fail(f"says that it thought for {chunk.infer_ms} ms; say None if unknown")
        if chunk.batch_size < 1:
            self._fail(f"says that it answered {chunk.batch_size} sessions at once; say 1 or more")
        if self.pipeline.policy.planner is not None:
            check_plan(self.pipeline.policy.planner, self.pipeline.policy, chunk.plan)
        check_compute(chunk.compute)
        try:
            plain(chunk.extras)
        except PolicyError as error:
            self._fail(f"put something into extras that no record can hold ({error}); remove it")
        return actions.astype(np.float64)

    def _fail(self, text: str) -> NoReturn:
        raise PolicyError(f"Policy {self.pipeline.policy.name!r} {text}.")


def _check_spec(policy: Policy) -> PolicySpec:
    missing = [name for name in _METHODS if not callable(getattr(policy, name, None))]
    if missing:
        raise PolicyError(
            f"{type(policy).__name__} is no policy: it has no method {', '.join(missing)}; "
            "see vlabench.contract.policy.Policy."
        )
    spec = policy.spec()
    if not isinstance(spec, PolicySpec):
        raise PolicyError(
            f"{type(policy).__name__}.spec() gave a {type(spec).__name__}; give a PolicySpec."
        )
    if policy.spec() != spec:
        raise PolicyError(f"Policy {spec.name!r} declares something else each time; fix its spec.")
    return spec


def _check_equal(
    spec: PolicySpec,
    first: dict[tuple[str, int], Floats],
    second: dict[tuple[str, int], Floats],
    when: str,
) -> None:
    for key, actions in first.items():
        if not np.array_equal(actions, second[key]):
            raise PolicyError(
                f"Policy {spec.name!r} declares that it is deterministic and answers otherwise "
                f"{when}; draw from EpisodeStart.seed, or declare deterministic=False."
            )


def _content(observation: Observation) -> list[bytes]:
    """The bytes of every array that the policy was shown, and their names."""
    content = [name.encode() + image.tobytes() for name, image in observation.images.items()]
    content += [name.encode() + field.tobytes() for name, field in observation.proprio.items()]
    more = (observation.state, observation.last_action)
    return content + [numbers.tobytes() for numbers in more if numbers is not None]


_METHODS = ("spec", "reset", "act", "end", "close")


# --- a made-up scene --------------------------------------------------------------------------

_PROPRIO: dict[str, Callable[[np.random.Generator], Floats]] = {
    "ee_position": lambda rng: np.array([0.45, 0.0, 0.3]) + rng.uniform(-0.1, 0.1, 3),
    "ee_quaternion": lambda rng: np.array([1.0, 0.0, 0.0, 0.0]),
    "gripper_opening": lambda rng: rng.uniform(0, 1, 1),
    "joint_positions": lambda rng: rng.uniform(-1, 1, 7),
    "joint_velocities": lambda rng: rng.uniform(-0.1, 0.1, 7),
}

_DOWN = np.diag([1.0, -1.0, -1.0])
"""The rotation of a hand that points down."""


def _example_scene() -> PrivilegedState:
    return PrivilegedState(
        task="place-on",
        hand_position=np.array([0.45, 0.0, 0.3]),
        hand_rotation=_DOWN,
        gripper_opening_m=0.08,
        hand=HandShape(max_opening=0.08, fingertip_reach=0.01, palm_clearance=0.03),
        table_height=0.0,
        objects={
            "object": _example_object("object", "block", 0.0, height=0.04, radius=0.03),
            "target": _example_object("target", "plate", 0.2, height=0.02, radius=0.09),
        },
        parts={"top drawer": _example_drawer()},
        fixtures={"cabinet": FixtureState(np.array([0.75, -0.3, 0.0]), np.eye(3))},
        stages=(
            StageState(
                "place", (GoalState("on", ("object", "target"), holds=False),), achieved=False
            ),
        ),
    )


def _example_object(
    name: str, category: str, left: float, *, height: float, radius: float
) -> ObjectState:
    return ObjectState(
        name=name,
        category=category,
        position=np.array([0.5, left, 0.0]),
        rotation=np.eye(3),
        grasps=(Grasp(np.array([0.0, 0.0, height / 2]), _DOWN, width=0.04),),
        height=height,
        radius=radius,
        surface_height=height,
        surface_radius=radius,
    )


def _example_drawer() -> PartState:
    return PartState(
        name="top drawer",
        kind="drawer",
        fixture="cabinet",
        handle=np.array([0.6, -0.3, 0.1]),
        handle_rotation=np.diag([-1.0, -1.0, 1.0]),
        opening=0.0,
        travel=0.15,
        axis=np.array([-1.0, 0.0, 0.0]),
        pivot=np.zeros(3),
        interior=np.array([0.7, -0.3, 0.08]),
        interior_size=np.array([0.2, 0.2, 0.08]),
    )
