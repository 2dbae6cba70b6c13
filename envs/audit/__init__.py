"""The audit of the success test: error rates over states whose truth is known.

A state's truth follows from how it was made: a thing was put in its place and left to rest, or
moved two tolerances away, lifted off, held in the hand, put somewhere else, or undone too soon. It
never follows from what the predicates compute: no module here knows them. Both are compared
through `vlabench.envs.progress.Progress`, as in an episode. `vlabench audit` runs it and publishes
the rates; see `docs/world.md` for what is left out on both sides of a limit.
"""

from __future__ import annotations

from vlabench.envs.audit.false_parts import SHORT
from vlabench.envs.audit.false_poses import HELD_LOW
from vlabench.envs.audit.makers import (
    BESIDE_TO,
    FARTHEST_BESIDE,
    LIFTED_FROM,
    OFF,
    SECTOR,
    SHARES,
)
from vlabench.envs.audit.mutations import FALSE
from vlabench.envs.audit.places import TOLERANCE, WALL
from vlabench.envs.audit.result import AuditResult, Count
from vlabench.envs.audit.scenes import STATES_OF_A_SCENE, Scenes
from vlabench.envs.audit.states import State
from vlabench.errors import UsageError
from vlabench.types import Json

SEED = 30_000
"""Of the published audit: none of its scenes is in a suite."""

MARGINS: Json = {
    "edge of a place, metres": {"inside": TOLERANCE, "outside": 2 * TOLERANCE, "walls": WALL},
    "beside, metres between edges": {"true to": BESIDE_TO, "false from": FARTHEST_BESIDE + 0.02},
    "beside, radians off the side": {"true to": SECTOR - OFF, "false from": SECTOR + OFF},
    "lifted, metres": {"true from": LIFTED_FROM, "false to": HELD_LOW[1]},
    "parts, shares of their travel": {
        name: {"true": list(SHARES[name]), "false": list(SHORT[name])} for name in SHARES
    },
}
"""Between what is made true and what is made false nothing is claimed."""

_SCENES_TO_JUDGE = 10
"""After so many scenes it is clear whether they give states."""


def audit(task_name: str, states: int = 1000, seed: int = SEED) -> AuditResult:
    """Audits one task in this process over `states` states or a few more.

    Raises:
        UnknownNameError: If there is no such task.
        UsageError: If its scenes give too few states.
    """
    found: list[State] = []
    scene = 0
    while len(found) < states:
        check_yield(task_name, len(found), scene)
        found += audit_scene(task_name, scene, seed)
        scene += 1
    return AuditResult(task_name, seed, tuple(found))


def audit_scene(task_name: str, scene: int, seed: int = SEED) -> list[State]:
    """The states of one scene of a task's audit, whatever other scenes are audited."""
    return list(Scenes(task_name, seed).states(scene))


def check_yield(task_name: str, states: int, scenes: int) -> None:
    """Makes sure that scenes give states.

    Raises:
        UsageError: If they give less than a fifth of what they should.
    """
    if scenes >= _SCENES_TO_JUDGE and states < scenes * STATES_OF_A_SCENE / 5:
        raise UsageError(
            f"{scenes} scenes of the task {task_name!r} gave only {states} states to audit; leave "
            "more room in its scenes, or give its predicates ways to be made true."
        )


__all__ = [
    "FALSE",
    "MARGINS",
    "SEED",
    "STATES_OF_A_SCENE",
    "AuditResult",
    "Count",
    "State",
    "audit",
    "audit_scene",
    "check_yield",
]
