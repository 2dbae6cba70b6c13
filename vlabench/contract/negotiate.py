"""Agreement between a policy and an environment, as a value that can be printed and hashed.

Most published numbers that could not be reproduced failed here: an inverted gripper, a mirrored
image, a chunk of which too much was executed. So a mismatch is an error, found before anything
runs, and what was agreed has a fingerprint that stands in every record.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vlabench.contract.actions import (
    ActionConverter,
    Clip,
    DropPadding,
    Gripper,
    Scale,
    ScaleJoints,
    Turn,
)
from vlabench.contract.controls import DRIVEN_BY, resamples
from vlabench.contract.execution import (
    HandToBase,
    JointsToDelta,
    PoseToDelta,
    RelativeGripper,
    StepConverter,
    StickyGripper,
)
from vlabench.contract.images import image_steps
from vlabench.contract.mismatch import find_mismatches
from vlabench.contract.mismatch_planner import as_policy
from vlabench.contract.pipeline import Pipeline
from vlabench.contract.specs import ActionSpec, EnvSpec, PolicySpec
from vlabench.errors import ContractError

__all__ = ["Pipeline", "choose_environment", "negotiate"]


def negotiate(
    policy_spec: PolicySpec, env_spec: EnvSpec, *, allow_mismatch: bool = False
) -> Pipeline:
    """The pipeline between a policy and an environment.

    With `allow_mismatch`, what they do not agree in is kept in `Pipeline.mismatches` where numbers
    can be passed on nevertheless; where there is nothing to pass on, they are refused all the same.

    Raises:
        ContractError: If they do not agree; the text names both sides and every mismatch.
    """
    found = list(find_mismatches(policy_spec, env_spec))
    refused = [m for m in found if not (allow_mismatch and m.passable)]
    if refused:
        hint = ""
        if not allow_mismatch and all(m.passable for m in refused):
            hint = "; mend the declaration, or give --allow-mismatch, which stands in every record"
        raise ContractError(
            f"Policy {policy_spec.name!r} and environment {env_spec.embodiment!r} do not agree: "
            f"{'; '.join(m.text for m in refused)}{hint}."
        )
    arm, execution, finish = _arm(policy_spec.action, env_spec)
    grip, held = _gripper(policy_spec.action, env_spec.action)
    planner = policy_spec.planner
    return Pipeline(
        policy=policy_spec,
        env=env_spec,
        images=tuple((camera.role, image_steps(camera)) for camera in policy_spec.cameras),
        actions=(*arm, *grip),
        execution=(*execution, *held),
        finish=(*finish, Clip()),
        ratio=_ratio(policy_spec, env_spec),
        mismatches=tuple(m.text for m in found),
        planner=None if planner is None else _inputs(as_policy(planner), env_spec),
    )


def _inputs(spec: PolicySpec, env_spec: EnvSpec) -> Pipeline:
    """Of the pipeline of `spec`, what comes from the environment."""
    images = tuple((camera.role, image_steps(camera)) for camera in spec.cameras)
    return Pipeline(spec, env_spec, images, ())


def choose_environment(policy_spec: PolicySpec, offers: Sequence[EnvSpec]) -> EnvSpec:
    """The first of `offers` whose controller the policy's actions can drive; else the first one."""
    driven = DRIVEN_BY.get(policy_spec.action.control)
    return next((offer for offer in offers if offer.action.control == driven), offers[0])


def _arm(
    action: ActionSpec, env: EnvSpec
) -> tuple[list[ActionConverter], list[StepConverter], list[ActionConverter]]:
    """The converters of the arm's numbers: of an answer, of a control step, and after that."""
    before: list[ActionConverter] = []
    if action.padding:
        before.append(DropPadding(action.dimension - action.padding))
    match action.control:
        case "ee_pose":
            before.append(Turn(action.rotation, "quaternion_xyzw"))
            return before, [PoseToDelta(action.offset, action.turned)], _scale((1.0, 1.0), env)
        case "joint_position":
            return before, [JointsToDelta()], _scale_joints(1.0, env)
        case "joint_delta" | "joint_velocity":
            return [*before, *_scale_joints(_joint_unit(action, env), env)], [], []
        case "ee_delta":
            before += _deltas(action, env)
            return before, [HandToBase(action.turned)] if action.frame == "hand" else [], []


def _deltas(action: ActionSpec, env: EnvSpec) -> list[ActionConverter]:
    unit = _unit(action, env)
    if action.rotation == "axis_angle":
        return _scale(unit, env)
    metric: list[ActionConverter] = [] if unit == (1.0, 1.0) else [Scale(*unit, 1.0, 1.0)]
    return [*metric, Turn(action.rotation, "axis_angle"), *_scale((1.0, 1.0), env)]


def _scale(unit: tuple[float, float], env: EnvSpec) -> list[ActionConverter]:
    largest = env.max_translation_m, env.max_rotation_rad
    return [] if unit == largest else [Scale(*unit, *largest)]


def _scale_joints(unit: float, env: EnvSpec) -> list[ActionConverter]:
    largest = env.max_joint
    return [] if largest is None or unit == largest else [ScaleJoints(unit, largest)]


def _gripper(
    action: ActionSpec, env: ActionSpec
) -> tuple[list[ActionConverter], list[StepConverter]]:
    theirs = action.gripper_open, action.gripper_close
    ours = env.gripper_open, env.gripper_close
    mapped: list[ActionConverter] = []
    held: list[StepConverter] = []
    if action.gripper_relative:
        held.append(RelativeGripper(*theirs, *ours, action.gripper_threshold))
    elif theirs != ours or action.gripper_threshold is not None:
        mapped.append(Gripper(*theirs, *ours, action.gripper_threshold))
    if action.gripper_sticky_steps > 1:
        held.append(StickyGripper(action.gripper_sticky_steps, *ours))
    return mapped, held


def _unit(action: ActionSpec, env: EnvSpec) -> tuple[float, float]:
    """The metres and radians that the policy's 1 means."""
    if action.scale == "metric":
        return 1.0, 1.0
    metres, radians = action.max_translation_m, action.max_rotation_rad
    return (
        env.max_translation_m if metres is None else metres,
        env.max_rotation_rad if radians is None else radians,
    )


def _joint_unit(action: ActionSpec, env: EnvSpec) -> float:
    """The radians, or radians a second, that the policy's 1 means."""
    if action.scale == "metric":
        return 1.0
    return (env.max_joint or 1.0) if action.max_joint is None else action.max_joint


def _ratio(policy: PolicySpec, env: EnvSpec) -> Fraction:
    """Rows of an answer in a control step."""
    if policy.control_hz is None or not resamples(policy.action):
        return Fraction(1)
    return Fraction(policy.control_hz) / Fraction(env.control_hz)
