"""What is agreed between an environment, a planner and its policy, for people and for hashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vlabench.types import Json

if TYPE_CHECKING:
    from vlabench.contract.pipeline import Pipeline

INPUTS = ("cameras", "images", "history", "proprio", "state", "prompt", "privileged")
"""What of a pipeline's values comes from the environment."""


def to_json(pipeline: Pipeline) -> dict[str, Json]:
    """What goes to the planner, and from it to the policy; nothing without a planner."""
    spec, seen = pipeline.policy.planner, pipeline.planner
    if spec is None or seen is None:
        return {}
    found = seen.to_json()
    return {
        "planner": {
            **{name: found[name] for name in INPUTS},
            "says": list(spec.says),
            "every": spec.every,
            "wording": spec.wording,
            "read": list(pipeline.policy.reads),
            "drawn": _drawn(pipeline),
            "skills": list(pipeline.policy.skills),
        }
    }


def describe(pipeline: Pipeline) -> Iterator[str]:
    """One line for each thing that was agreed about the planner; none without one."""
    spec, seen = pipeline.policy.planner, pipeline.planner
    if spec is None or seen is None:
        return
    often = spec.every
    rate = "whenever the policy is" if often is None else f"every {often} control steps"
    yield f"planner {spec.name}: says {', '.join(spec.says)}, asked {rate}"
    yield f"planner: the policy is told {spec.wording!r}"
    if pipeline.policy.reads:
        yield f"planner: the policy reads {', '.join(pipeline.policy.reads)}"
    if drawn := _drawn(pipeline):
        yield f"planner: paths are drawn onto {', '.join(drawn)}"
    yield from (f"planner {line}" for line in seen.describe_inputs())


def _drawn(pipeline: Pipeline) -> list[str]:
    return [camera.role for camera in pipeline.policy.cameras if camera.draws_paths]
