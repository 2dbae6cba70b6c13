"""Checks of what a planner says against what its policy reads, and of what it sees itself."""

from __future__ import annotations

from collections.abc import Iterator

from vlabench.contract import mismatch_inputs
from vlabench.contract.findings import Found, Mismatch, listed
from vlabench.contract.specs import EnvSpec, PlannerSpec, PolicySpec
from vlabench.plans import PARTS

SUBTASK = "{subtask}"
"""Where a subtask goes in a planner's wording."""


def misfits(planner: PlannerSpec, policy: PolicySpec) -> Iterator[str]:
    """In what a planner and the policy behind it do not agree, each half a sentence."""
    unknown = [part for part in planner.says if part not in PARTS]
    for part in unknown:
        yield f"the planner says {part!r}, which is none of {listed(PARTS)}"
    if planner.every is not None and planner.every < 1:
        yield f"the planner is asked every {planner.every} control steps, not every 1 or more"
    if planner.max_batch < 1:
        yield f"the planner answers {planner.max_batch} sessions at once, not 1 or more"
    if planner.wording.count(SUBTASK) != 1:
        yield f"the planner's wording {planner.wording!r} has not {SUBTASK} once in it"
    reads = _reads(policy)
    unsaid = [part for part in reads if part not in planner.says]
    if unsaid:
        yield f"the policy reads {listed(unsaid)}, which the planner does not say"
    if not {"subtask", *reads} & set(planner.says):
        yield (
            f"the planner says {listed(planner.says)}, of which the policy reads nothing (it reads "
            f"{listed(['subtask', *reads])})"
        )
    if "program" in reads and not policy.skills:
        yield "the policy reads programs and offers no skills"


def find(policy: PolicySpec, env: EnvSpec) -> Found:
    """What is wrong with the planner of `policy`, if it has one, or with its having none."""
    planner = policy.planner
    if planner is None:
        if _reads(policy):
            yield (
                f"the policy reads {listed(_reads(policy))} of a plan and has no planner before "
                "it: write PLANNER/POLICY"
            )
        return
    yield from misfits(planner, policy)
    for check in mismatch_inputs.CHECKS:
        for found in check(as_policy(planner), env):
            text = found.text if isinstance(found, Mismatch) else found
            yield f"its planner {planner.name!r}: {text.replace('the policy ', 'it ', 1)}"


def as_policy(planner: PlannerSpec) -> PolicySpec:
    """What a planner needs to see, as the declaration of a policy that does nothing."""
    return PolicySpec(
        name=planner.name,
        cameras=planner.cameras,
        proprio=planner.proprio,
        state=planner.state,
        prompt=planner.prompt,
        privileged=planner.privileged,
        params=planner.params,
    )


def _reads(policy: PolicySpec) -> list[str]:
    """What a policy reads of a plan beside the subtask."""
    reads = [part for part in policy.reads if part != "subtask"]
    drawn = any(camera.draws_paths for camera in policy.cameras)
    return [*reads, *(["paths"] if drawn and "paths" not in reads else [])]
