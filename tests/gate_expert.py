"""The expert does as its baseline did; docs/ci.md says how this is run (about two minutes)."""

from __future__ import annotations

import vlabench
from vlabench.pytest_plugin import Gate


def test_the_expert_is_no_worse(vlabench_gate: Gate) -> None:
    vlabench_gate(vlabench.evaluate("expert", "ci"), require_noninferiority=True)
