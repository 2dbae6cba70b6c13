"""What can stand between a policy and an environment, each in half a sentence.

Every check looks at both declarations and says what is wrong, so that all mismatches are told at
once and a user mends them in one go.
"""

from __future__ import annotations

from collections.abc import Iterator

from vlabench.contract import mismatch_actions, mismatch_inputs, mismatch_planner
from vlabench.contract.findings import Mismatch
from vlabench.contract.specs import EnvSpec, PolicySpec


def find_mismatches(policy: PolicySpec, env: EnvSpec) -> Iterator[Mismatch]:
    """Everything in which the two do not agree; nothing if they do."""
    for check in (*mismatch_inputs.CHECKS, *mismatch_actions.CHECKS, mismatch_planner.find):
        for found in check(policy, env):
            yield Mismatch(found) if isinstance(found, str) else found
